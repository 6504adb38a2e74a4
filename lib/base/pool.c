/* The parallel loop (pool.h): threads - 1 workers and the caller, or the host's loop.
 *
 * A run is open from the moment it is published until its caller finds no item left. A worker that
 * wakes up in between joins it and is counted; the caller waits for those who joined, never for one
 * that the system has not scheduled yet. Both sides spin briefly before they sleep, since runs
 * follow each other within microseconds.
 *
 * After a fork the child has a copy of the pool but none of its threads, and its mutex may be in
 * any state: nothing of it is touched but what tells whose it is; its memory is given back. A pid
 * does not tell: a child that is the first process of a namespace has pid 1, as its parent may. A
 * page that the kernel wipes in children does; the pid stands in where there is none (Linux <
 * 4.14). */
#include "base/pool.h"
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

enum { SPINS = 2000 };             /* some 20 to 50 microseconds */
enum { OFTEN = 30000000 };         /* nanoseconds that a host waits for its poll at most */
#define NEVER INT64_MAX

typedef struct run {
    mesaopt_ctx *ctx;
    parallel_body body;
    void *job;
    int64_t n, workers;
    atomic_llong next;             /* item to be drawn */
    int64_t until;                 /* coarse_time when jobs are to return, and go on later */
} run;

typedef struct pool {
    volatile int *mark;            /* alloc_mark of the process whose threads these are, or NULL: */
    pid_t pid;                     /* its pid tells */
    pthread_mutex_t mutex;         /* over the members below; the atomic ones are also read while
                                      spinning */
    pthread_cond_t work, done;
    atomic_uint published;         /* runs so far */
    atomic_int joined;             /* workers inside the run */
    run *open;                     /* NULL: nothing to join */
    int64_t entered;               /* workers that joined the open run so far */
    int stop;
    int64_t count, started;        /* threads that could be had, and those that are up */
    pthread_t thread[];
} pool;

static void pause_cpu(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    __asm__ volatile("yield");
#endif
}

/* Job i of a run: items until none is left. */
static void run_job(void *data, int64_t i)
{
    run *r = data;
    if (i < 0 || i >= r->workers) return;
    int keep = errno;              /* of a thread that may be the host's */
    uint64_t fp = fp_default();
    while (!ctx_interrupted(r->ctx) && (r->until == NEVER || coarse_time() < r->until)) {
        int64_t item = atomic_fetch_add_explicit(&r->next, 1, memory_order_relaxed);
        if (item >= r->n) break;
        r->body(r->job, i, item);
    }
    fp_restore(fp);
    errno = keep;
}

static void *worker(void *data)
{
    pool *p = data;
    unsigned seen = 0;
    pthread_mutex_lock(&p->mutex);
    p->started++;
    pthread_cond_signal(&p->done);
    while (!p->stop) {
        if (!p->open || atomic_load(&p->published) == seen || p->entered == p->open->workers - 1) {
            seen = atomic_load(&p->published);
            pthread_mutex_unlock(&p->mutex);
            for (int i = 0;
                 i < SPINS && atomic_load_explicit(&p->published, memory_order_relaxed) == seen;
                 i++)
                pause_cpu();
            pthread_mutex_lock(&p->mutex);
            while (!p->stop && atomic_load(&p->published) == seen)
                pthread_cond_wait(&p->work, &p->mutex);
            continue;
        }
        seen = atomic_load(&p->published);
        run *r = p->open;
        int64_t i = ++p->entered;
        atomic_fetch_add(&p->joined, 1);
        pthread_mutex_unlock(&p->mutex);
        run_job(r, i);
        pthread_mutex_lock(&p->mutex);
        if (atomic_fetch_sub(&p->joined, 1) == 1) pthread_cond_signal(&p->done);
    }
    pthread_mutex_unlock(&p->mutex);
    return NULL;
}

/* Workers take no signal: handlers run on the host's threads. The caller waits until they are up,
 * since a thread that starts may hold a lock of an allocator, which the child of a fork at that
 * moment would find locked for ever; a waiting worker holds nothing. */
static void start_threads(pool *p, int64_t wanted)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (p->count < wanted && pthread_create(&p->thread[p->count], NULL, worker, p) == 0)
        p->count++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_mutex_lock(&p->mutex);
    while (p->started < p->count) pthread_cond_wait(&p->done, &p->mutex);
    pthread_mutex_unlock(&p->mutex);
}

static int is_ours(const pool *p) { return p->mark ? *p->mark : p->pid == getpid(); }

static pool *pool_get(mesaopt_ctx *ctx)
{
    pool *p = ctx->pool;
    if (p && is_ours(p)) return p;
    pool_free(ctx);
    int64_t wanted = ctx->threads - 1;
    p = alloc_new(&ctx->alloc, 1, (int64_t)sizeof *p + wanted * (int64_t)sizeof(pthread_t));
    if (!p) return NULL;
    p->mark = alloc_mark();
    p->pid = getpid();
    pthread_mutex_init(&p->mutex, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_condattr_t clock;
    pthread_condattr_init(&clock);
    pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
    pthread_cond_init(&p->done, &clock);
    pthread_condattr_destroy(&clock);
    start_threads(p, wanted);
    ctx->pool = p;
    return p;
}

void pool_free(mesaopt_ctx *ctx)
{
    pool *p = ctx->pool;
    if (!p) return;
    if (is_ours(p)) {
        pthread_mutex_lock(&p->mutex);
        p->stop = 1;
        atomic_fetch_add(&p->published, 1);
        pthread_cond_broadcast(&p->work);
        pthread_mutex_unlock(&p->mutex);
        for (int64_t i = 0; i < p->count; i++) pthread_join(p->thread[i], NULL);
        pthread_cond_destroy(&p->done);
        pthread_cond_destroy(&p->work);
        pthread_mutex_destroy(&p->mutex);
    }
    alloc_mark_free(p->mark);
    alloc_free(&ctx->alloc, p);
    ctx->pool = NULL;
}

/* The mutex is held. With a hook to be asked the caller wakes up for it. */
static void wait_for_workers(pool *p, mesaopt_ctx *ctx)
{
    if (!ctx->hooks.poll) {
        pthread_cond_wait(&p->done, &p->mutex);
        return;
    }
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_nsec += OFTEN;
    at.tv_sec += at.tv_nsec / 1000000000;
    at.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&p->done, &p->mutex, &at);
    pthread_mutex_unlock(&p->mutex);
    ctx_poll(ctx);
    pthread_mutex_lock(&p->mutex);
}

static void run_on_pool(pool *p, run *r)
{
    pthread_mutex_lock(&p->mutex);
    p->open = r;
    p->entered = 0;
    atomic_fetch_add(&p->published, 1);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->mutex);
    run_job(r, 0);
    pthread_mutex_lock(&p->mutex);
    p->open = NULL;
    pthread_mutex_unlock(&p->mutex);
    for (int i = 0; i < SPINS && atomic_load_explicit(&p->joined, memory_order_relaxed); i++)
        pause_cpu();
    pthread_mutex_lock(&p->mutex);
    while (atomic_load(&p->joined)) wait_for_workers(p, r->ctx);
    pthread_mutex_unlock(&p->mutex);
}

/* A host's loop may keep the caller until it is done, so that with a hook to be asked it is given
 * pieces: until it gets no further. */
static void run_on_host(mesaopt_ctx *ctx, run *r)
{
    long long before;
    do {
        before = atomic_load(&r->next);
        r->until = ctx->hooks.poll ? coarse_time() + OFTEN : NEVER;
        ctx->hooks.parallel(run_job, r, r->workers, ctx->hooks.parallel_user);
    } while (ctx->hooks.poll && !ctx_interrupted(ctx) && atomic_load(&r->next) < r->n &&
             atomic_load(&r->next) > before);
    r->until = NEVER;
}

void parallel_run(mesaopt_ctx *ctx, int64_t n, parallel_body body, void *job)
{
    if (n <= 0) return;
    run r = {.ctx = ctx,
             .body = body,
             .job = job,
             .n = n,
             .workers = ctx->threads < n ? ctx->threads : n,
             .until = NEVER};
    pool *p = NULL;
    int keep = errno;              /* pthread_create and host loops set it */
    if (r.workers > 1) {
        if (ctx->hooks.parallel) run_on_host(ctx, &r);
        else p = pool_get(ctx);
    }
    if (p && p->count) run_on_pool(p, &r);
    else run_job(&r, 0);           /* after a host loop: nothing is left, unless that loop forgot a
                                      job */
    errno = keep;
}
