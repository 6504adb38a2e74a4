/* The parallel loop: own threads and host loops of every kind, after fork, with signals, without memory, in a strange floating-point environment. */
#define _GNU_SOURCE                /* unshare */
#include "base/pool.h"
#include "contexts.h"

#include <errno.h>
#include <fenv.h>
#include <float.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ITEMS = 1000, MOST_WORKERS = 64 };

typedef struct work {
    mesaopt_ctx *ctx;
    atomic_int done[ITEMS], inside[MOST_WORKERS], wrong;
    double value[ITEMS];
    int64_t stop_at;
} work;

/* A subnormal that a flushing environment loses. */
static double value_of(int64_t item)
{
    volatile double x = DBL_MIN, y = 3 + (double)item;
    return x / y;
}

static void body(void *job, int64_t worker, int64_t item)
{
    work *w = job;
    if (worker < 0 || worker >= w->ctx->threads || atomic_fetch_add(&w->inside[worker], 1)) atomic_fetch_add(&w->wrong, 1);
    atomic_fetch_add(&w->done[item], 1);
    w->value[item] = value_of(item);
    errno = EDOM;
    if (w->stop_at && item == w->stop_at) mesaopt_ctx_interrupt(w->ctx);
    atomic_fetch_sub(&w->inside[worker], 1);
}

static void run_and_check(mesaopt_ctx *ctx, int64_t n)
{
    static work w;
    memset(&w, 0, sizeof w);
    w.ctx = ctx;
    errno = EBADF;
    parallel_run(ctx, n, body, &w);
    ck_assert_int_eq(errno, EBADF);
    ck_assert_int_eq(w.wrong, 0);
    int64_t good = 0;
    for (int64_t i = 0; i < ITEMS; i++) good += w.done[i] == (i < n) && w.value[i] == (i < n ? value_of(i) : 0);
    ck_assert_int_eq(good, ITEMS);
}

static void reverse(void (*f)(void *, int64_t), void *job, int64_t n, void *user)
{
    (void)user;
    for (int64_t i = n - 1; i >= 0; i--) f(job, i);
}

static void forgetful(void (*f)(void *, int64_t), void *job, int64_t n, void *user)
{
    (void)f, (void)job, (void)n, (void)user;
}

typedef struct one_job { void (*f)(void *, int64_t); void *job; int64_t i; } one_job;

static void *host_thread(void *data)
{
    one_job *o = data;
    o->f(o->job, o->i);
    return NULL;
}

static void threaded(void (*f)(void *, int64_t), void *job, int64_t n, void *user)
{
    pthread_t thread[MOST_WORKERS];
    one_job o[MOST_WORKERS];
    (void)user;
    for (int64_t i = 0; i < n; i++) {
        o[i] = (one_job){f, job, i};
        pthread_create(&thread[i], NULL, host_thread, &o[i]);
    }
    for (int64_t i = 0; i < n; i++) pthread_join(thread[i], NULL);
}

START_TEST(every_item_once)
{
    static const int threads[] = {1, 2, 3, 8};
    static const int64_t counts[] = {0, 1, 2, 3, 7, 100, ITEMS};
    const mesaopt_parallel_fn loops[] = {NULL, reverse, threaded, forgetful};
    for (int l = 0; l < 4; l++)
        for (int t = 0; t < 4; t++) {
            hook_alloc hook = {0};
            mesaopt_ctx *ctx = context_with(threads[t], loops[l], &hook);
            for (int round = 0; round < (loops[l] == threaded ? 3 : 20); round++)
                for (size_t c = 0; c < sizeof counts / sizeof *counts; c++) run_and_check(ctx, counts[c]);
            long before = hook.calls;
            run_and_check(ctx, ITEMS);
            ck_assert_int_eq(hook.calls, before);      /* the pool is made once */
            ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
            ck_assert_int_eq(hook.blocks, 0);
            ck_assert_int_eq(hook.bytes, 0);
        }
}
END_TEST

/* Many short runs in a row: the moment between two of them is where a pool goes wrong. */
START_TEST(short_runs_in_a_row)
{
    static work w;
    mesaopt_ctx *ctx = context_with(3, NULL, NULL);
    for (int round = 0; round < 4000; round++) {
        memset(w.done, 0, 4 * sizeof *w.done);
        w.ctx = ctx;
        parallel_run(ctx, 4, body, &w);
        for (int i = 0; i < 4; i++) ck_assert_int_eq(w.done[i], 1);
        if (round % 400 == 0) usleep(2000);           /* long enough for the workers to fall asleep */
    }
    ck_assert_int_eq(w.wrong, 0);
    mesaopt_ctx_free(ctx);
}
END_TEST

static atomic_int workers_seen, unblocked;

static void look_at_signals(void *job, int64_t worker, int64_t item)
{
    sigset_t mask;
    (void)job, (void)item;
    usleep(1000);
    if (worker == 0) return;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    atomic_fetch_add(&workers_seen, 1);
    if (!sigismember(&mask, SIGINT) || !sigismember(&mask, SIGTERM) || !sigismember(&mask, SIGUSR1)) atomic_fetch_add(&unblocked, 1);
}

START_TEST(workers_take_no_signals)
{
    sigset_t before, after;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    mesaopt_ctx *ctx = context_with(3, NULL, NULL);
    parallel_run(ctx, 60, look_at_signals, NULL);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    for (int i = 1; i < 32; i++) ck_assert_int_eq(sigismember(&before, i), sigismember(&after, i));
    ck_assert_int_gt(workers_seen, 0);
    ck_assert_int_eq(unblocked, 0);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* No memory for the pool, or for the stacks of its threads: the caller does the work. */
START_TEST(threads_that_cannot_be_had)
{
    hook_alloc hook = {0};
    mesaopt_ctx *ctx = context_with(4, NULL, &hook);
    hook.fail_at = hook.calls + 1;
    run_and_check(ctx, ITEMS);
    run_and_check(ctx, ITEMS);                         /* now the pool is there */
    mesaopt_ctx_free(ctx);
    ck_assert_int_eq(hook.blocks, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    struct rlimit room;
    getrlimit(RLIMIT_AS, &room);
    rlim_t keep = room.rlim_cur;
    ctx = context_with(MOST_WORKERS, NULL, NULL);
    room.rlim_cur = 100 << 20;                         /* a stack takes 8 MB of address space */
    setrlimit(RLIMIT_AS, &room);
    run_and_check(ctx, ITEMS);
    room.rlim_cur = keep;
    setrlimit(RLIMIT_AS, &room);
    run_and_check(ctx, ITEMS);
    mesaopt_ctx_free(ctx);
#endif
}
END_TEST

START_TEST(interrupted_runs_end_early)
{
    const mesaopt_parallel_fn loops[] = {NULL, reverse, threaded};
    for (int l = 0; l < 3; l++) {
        static work w;
        mesaopt_ctx *ctx = context_with(2, loops[l], NULL);
        memset(&w, 0, sizeof w);
        w.ctx = ctx, w.stop_at = 10;
        parallel_run(ctx, ITEMS, body, &w);
        ck_assert(ctx_interrupted(ctx));
        int done = 0;
        for (int i = 0; i < ITEMS; i++) done += w.done[i];
        ck_assert_int_le(done, ITEMS / 2);
        atomic_store(&ctx->interrupted, 0);
        run_and_check(ctx, ITEMS);
        mesaopt_ctx_free(ctx);
    }
}
END_TEST

/* Jobs run in the default environment on any thread, and give back what they found. */
START_TEST(jobs_of_a_flushing_host)
{
    const mesaopt_parallel_fn loops[] = {NULL, reverse, threaded};
    for (int l = 0; l < 3; l++) {
        mesaopt_ctx *ctx = context_with(3, loops[l], NULL);
        fesetround(FE_UPWARD);
#if defined(__x86_64__)
        __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);
#endif
        static work w;
        memset(&w, 0, sizeof w);
        w.ctx = ctx;
        parallel_run(ctx, ITEMS, body, &w);            /* makes the threads, which inherit the environment */
        int mode = fegetround();
        fesetenv(FE_DFL_ENV);
        ck_assert_int_eq(mode, FE_UPWARD);
        for (int64_t i = 0; i < ITEMS; i++) ck_assert(w.value[i] == value_of(i) && w.value[i] > 0);
        mesaopt_ctx_free(ctx);
    }
}
END_TEST

/* ---- fork ---- */

static void child_alarm(void)
{
    signal(SIGALRM, SIG_DFL);                          /* Check's handler would end the whole test run's group */
    alarm(20);
}

/* Runs in a child that is killed when it hangs; its exit status says whether all went well. */
static void in_child(void (*f)(mesaopt_ctx *), mesaopt_ctx *ctx)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        child_alarm();
        f(ctx);
        _exit(0);
    }
    int status = -1;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child ended with status 0x%x", (unsigned)status);
}

static int all_done(mesaopt_ctx *ctx)
{
    static work w;
    memset(&w, 0, sizeof w);
    w.ctx = ctx;
    parallel_run(ctx, ITEMS, body, &w);
    int good = w.wrong == 0;
    for (int i = 0; i < ITEMS; i++) good &= w.done[i] == 1 && w.value[i] == value_of(i);
    return good;
}

static void child_work(mesaopt_ctx *ctx)
{
    for (int i = 0; i < 10; i++)
        if (!all_done(ctx)) _exit(1);
}

static void child_frees_at_once(mesaopt_ctx *ctx)
{
    if (mesaopt_ctx_free(ctx) != MESAOPT_OK) _exit(2);
}

static void child_with_a_child(mesaopt_ctx *ctx)
{
    child_work(ctx);
    pid_t child = fork();
    if (child < 0) _exit(3);
    if (child == 0) {
        child_alarm();
        child_work(ctx);
        child_frees_at_once(ctx);
        _exit(0);
    }
    int status = -1;
    if (waitpid(child, &status, 0) != child || status != 0) _exit(4);
    child_work(ctx);
    child_frees_at_once(ctx);
}

START_TEST(fork_with_a_pool)
{
    mesaopt_ctx *ctx = context_with(3, NULL, NULL), *unused = context_with(3, NULL, NULL);
    child_work(ctx);
    for (int i = 0; i < 20; i++) {                     /* workers asleep, spinning, on their way to sleep */
        in_child(child_work, ctx);
        in_child(child_frees_at_once, ctx);
        in_child(child_with_a_child, ctx);
        in_child(child_with_a_child, unused);
        if (i % 2) usleep(500);
        child_work(ctx);
    }
    mesaopt_ctx_free(ctx);
    mesaopt_ctx_free(unused);
}
END_TEST

/* All processes have one pid for the library, as when each is the first one of its namespace. */
static atomic_int one_pid;
pid_t getpid(void) { return atomic_load(&one_pid) ? 1 : (pid_t)syscall(SYS_getpid); }

START_TEST(fork_with_the_pid_of_the_parent)
{
    mesaopt_ctx *ctx = context_with(3, NULL, NULL);
    volatile int *mark = alloc_mark();
    if (mark) {                                        /* else the system cannot tell them apart */
        atomic_store(&one_pid, 1);
        child_work(ctx);
        for (int i = 0; i < 10; i++) {
            in_child(child_work, ctx);
            in_child(child_frees_at_once, ctx);
            in_child(child_with_a_child, ctx);
            child_work(ctx);
        }
        atomic_store(&one_pid, 0);
        ck_assert_int_eq(*mark, 1);
    }
    alloc_mark_free(mark);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Namespaces of the system, where this process may make them: parent and child are both pid 1. */
static void first_in_a_namespace(void (*f)(mesaopt_ctx *), mesaopt_ctx *ctx)
{
    if (unshare(CLONE_NEWPID)) _exit(7);
    const pid_t child = fork();
    int status = -1;
    if (child == 0) {
        child_alarm();
        if (getpid() != 1) _exit(6);
        f(ctx);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child || !WIFEXITED(status)) _exit(5);
    _exit(WEXITSTATUS(status));
}

static int frees;
static void inner_namespace(mesaopt_ctx *unused)
{
    mesaopt_ctx *ctx = context_with(3, NULL, NULL);
    (void)unused;
    child_work(ctx);
    first_in_a_namespace(frees ? child_frees_at_once : child_with_a_child, ctx);
}

START_TEST(fork_into_nested_namespaces)
{
    frees = _i;
    const pid_t child = fork();
    int status = -1;
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        child_alarm();
        if (unshare(CLONE_NEWUSER) && geteuid()) _exit(7);
        first_in_a_namespace(inner_namespace, NULL);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(status == 0 || (WIFEXITED(status) && WEXITSTATUS(status) == 7), "status 0x%x", (unsigned)status);
    if (status) fprintf(stderr, "left out: no pid namespaces here\n");
}
END_TEST

/* A child of a thread other than the first, while other contexts are at work. */
static atomic_int stop_other, other_runs;
static void *other_host_thread(void *data)
{
    mesaopt_ctx *ctx = context_with(2, NULL, NULL);
    (void)data;
    while (!atomic_load(&stop_other)) {
        all_done(ctx);
        atomic_store(&other_runs, 1);
    }
    mesaopt_ctx_free(ctx);
    return NULL;
}

START_TEST(fork_beside_a_busy_context)
{
    pthread_t other;
    mesaopt_ctx *ctx = context_with(3, NULL, NULL);
    ck_assert(all_done(ctx));
    pthread_create(&other, NULL, other_host_thread, NULL);
    while (!atomic_load(&other_runs)) usleep(100);
    for (int i = 0; i < 30; i++) in_child(child_work, ctx);
    atomic_store(&stop_other, 1);
    pthread_join(other, NULL);
    mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_parallel_suite(void)
{
    Suite *s = suite_create("parallel loop");
    TCase *loop = tcase_create("loop"), *forks = tcase_create("fork");
    tcase_add_test(loop, every_item_once);
    tcase_add_test(loop, short_runs_in_a_row);
    tcase_add_test(loop, workers_take_no_signals);
    tcase_add_test(loop, threads_that_cannot_be_had);
    tcase_add_test(loop, interrupted_runs_end_early);
    tcase_add_test(loop, jobs_of_a_flushing_host);
    tcase_add_test(forks, fork_with_a_pool);
    tcase_add_test(forks, fork_with_the_pid_of_the_parent);
    tcase_add_loop_test(forks, fork_into_nested_namespaces, 0, 2);
    tcase_add_test(forks, fork_beside_a_busy_context);
    tcase_set_tags(forks, "fork");
    tcase_set_timeout(loop, 30);
    tcase_set_timeout(forks, 60);
    suite_add_tcase(s, loop);
    suite_add_tcase(s, forks);
    return s;
}
