/* Contexts: one call at a time, callbacks, threads and host loops, fork, order of freeing, interrupt, and what a call must leave as it was. */
#include "base/pool.h"
#include "hook_alloc.h"
#include "mesaopt/mesaopt.h"

#include <check.h>
#include <errno.h>
#include <fenv.h>
#include <float.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#undef fail                        /* Check's; here it is the library's */

enum { ITEMS = 1000, MOST_WORKERS = 64 };

static mesaopt_ctx *make(int threads, mesaopt_parallel_fn loop, hook_alloc *hook)
{
    mesaopt_settings *s;
    mesaopt_ctx *ctx;
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_CTX, hook ? hook_alloc_fn : NULL, hook, &s), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_THREADS, threads), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_parallel(s, loop, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_create(s, &ctx), MESAOPT_OK);
    mesaopt_settings_free(s);
    return ctx;
}

static const char *error_text(const mesaopt_ctx *ctx)
{
    static char text[512];
    mesaopt_ctx_error(ctx, text, sizeof text);
    return text;
}

/* ---- parallel loop ---- */

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
            mesaopt_ctx *ctx = make(threads[t], loops[l], &hook);
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
    mesaopt_ctx *ctx = make(3, NULL, NULL);
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
    mesaopt_ctx *ctx = make(3, NULL, NULL);
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
    mesaopt_ctx *ctx = make(4, NULL, &hook);
    hook.fail_at = hook.calls + 1;
    run_and_check(ctx, ITEMS);
    run_and_check(ctx, ITEMS);                         /* now the pool is there */
    mesaopt_ctx_free(ctx);
    ck_assert_int_eq(hook.blocks, 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
    struct rlimit room;
    getrlimit(RLIMIT_AS, &room);
    rlim_t keep = room.rlim_cur;
    ctx = make(MOST_WORKERS, NULL, NULL);
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
        mesaopt_ctx *ctx = make(2, loops[l], NULL);
        memset(&w, 0, sizeof w);
        w.ctx = ctx, w.stop_at = 10;
        parallel_run(ctx, ITEMS, body, &w);
        ck_assert(ctx_interrupted(ctx));
        int done = 0;
        for (int i = 0; i < ITEMS; i++) done += w.done[i];
        ck_assert_int_le(done, ITEMS / 2);
        ctx_interrupt_taken(ctx);
        run_and_check(ctx, ITEMS);
        mesaopt_ctx_free(ctx);
    }
}
END_TEST

static mesaopt_ctx *interrupt_me;
static void on_alarm(int signal) { (void)signal, mesaopt_ctx_interrupt(interrupt_me); }

START_TEST(interrupt_from_a_signal_handler)
{
    interrupt_me = make(1, NULL, NULL);
    struct sigaction action = {.sa_handler = on_alarm}, before;
    sigaction(SIGUSR1, &action, &before);
    raise(SIGUSR1);
    sigaction(SIGUSR1, &before, NULL);
    ck_assert(ctx_interrupted(interrupt_me));
    mesaopt_ctx_interrupt(NULL);
    mesaopt_ctx_free(interrupt_me);
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
    mesaopt_ctx *ctx = make(3, NULL, NULL), *unused = make(3, NULL, NULL);
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

/* A child of a thread other than the first, while other contexts are at work. */
static atomic_int stop_other, other_runs;
static void *other_host_thread(void *data)
{
    mesaopt_ctx *ctx = make(2, NULL, NULL);
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
    mesaopt_ctx *ctx = make(3, NULL, NULL);
    ck_assert(all_done(ctx));
    pthread_create(&other, NULL, other_host_thread, NULL);
    while (!atomic_load(&other_runs)) usleep(100);
    for (int i = 0; i < 30; i++) in_child(child_work, ctx);
    atomic_store(&stop_other, 1);
    pthread_join(other, NULL);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- calls ---- */

static void *enter_from_elsewhere(void *data)
{
    mesaopt_ctx *ctx = data;
    call c;
    mesaopt_status normal = ctx_enter(ctx, CALL_NORMAL, &c), inner = ctx_enter(ctx, CALL_IN_CALLBACK, &c);
    mesaopt_tensor *t = NULL;
    mesaopt_status create = mesaopt_tensor_create(ctx, MESAOPT_F32, 0, NULL, &t);
    return (void *)(intptr_t)(normal == MESAOPT_E_BUSY && inner == MESAOPT_E_BUSY && create == MESAOPT_E_BUSY && !t);
}

static int refused_elsewhere(mesaopt_ctx *ctx)
{
    pthread_t thread;
    void *good;
    pthread_create(&thread, NULL, enter_from_elsewhere, ctx);
    pthread_join(thread, &good);
    return good != NULL;
}

START_TEST(one_call_at_a_time)
{
    mesaopt_ctx *ctx = make(1, NULL, NULL);
    mesaopt_tensor *t = NULL, *before;
    call c, inner, refused;
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 0, NULL, &before), MESAOPT_OK);
    ck_assert_int_eq(ctx_enter(ctx, CALL_NORMAL, &c), MESAOPT_OK);
    ck_assert_int_eq(ctx_enter(ctx, CALL_NORMAL, &refused), MESAOPT_E_BUSY);
    ck_assert_str_eq(error_text(ctx), "context: inside another call, expected one call at a time");
    ck_assert_int_eq(ctx_enter(ctx, CALL_IN_CALLBACK, &refused), MESAOPT_E_BUSY);
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 0, NULL, &t), MESAOPT_E_BUSY);
    ck_assert(refused_elsewhere(ctx));

    ctx_callback_begin(&c);
    ck_assert_int_eq(ctx_enter(ctx, CALL_NORMAL, &refused), MESAOPT_E_BUSY);
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_E_BUSY);
    ck_assert(strstr(error_text(ctx), "free: "));
    ck_assert(refused_elsewhere(ctx));
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 0, NULL, &t), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_free(t), MESAOPT_OK);
    ck_assert_int_eq(ctx_enter(ctx, CALL_IN_CALLBACK, &inner), MESAOPT_OK);
    ck_assert_int_eq(ctx_enter(ctx, CALL_IN_CALLBACK, &refused), MESAOPT_E_BUSY);          /* the inner call is no callback */
    ctx_callback_begin(&inner);
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 0, NULL, &t), MESAOPT_OK);    /* but has one */
    ck_assert_int_eq(mesaopt_tensor_free(t), MESAOPT_OK);
    ctx_callback_end(&inner);
    ck_assert_int_eq(ctx_leave(&inner, MESAOPT_NOT_CONVERGED), MESAOPT_NOT_CONVERGED);
    ck_assert_int_eq(mesaopt_tensor_free(before), MESAOPT_OK);     /* nothing uses it */
    ctx_callback_end(&c);
    ck_assert_int_eq(ctx_enter(ctx, CALL_IN_CALLBACK, &refused), MESAOPT_E_BUSY);
    ck_assert_int_eq(ctx_leave(&c, MESAOPT_OK), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 0, NULL, &t), MESAOPT_OK);
    mesaopt_tensor_free(t);
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
}
END_TEST

START_TEST(handles_in_use_are_not_freed)
{
    mesaopt_ctx *ctx = make(1, NULL, NULL);
    mesaopt_tensor *t;
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 0, NULL, &t), MESAOPT_OK);
    object *o = (object *)t;
    atomic_store(&o->in_use, 1);
    ck_assert_int_eq(mesaopt_tensor_free(t), MESAOPT_E_BUSY);
    atomic_store(&o->in_use, 0);
    ck_assert_int_eq(mesaopt_tensor_free(t), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
}
END_TEST

START_TEST(calls_leave_errno_and_environment)
{
    mesaopt_ctx *ctx = make(1, NULL, NULL);
    volatile double tiny = DBL_MIN, three = 3;
    double in = DBL_MIN / 4, out = 1;
    mesaopt_view src, dst;
    call c;
    mesaopt_view_dense(&in, MESAOPT_F64, 0, NULL, &src);
    mesaopt_view_dense(&out, MESAOPT_F64, 0, NULL, &dst);
    fesetround(FE_UPWARD);
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);
#endif
    errno = EBADF;
    int copied = mesaopt_tensor_copy(ctx, &src, &dst), kept = errno;
    int entered = ctx_enter(ctx, CALL_NORMAL, &c);
    int inside = fegetround();
    volatile double subnormal = tiny / three;
    errno = EDOM;
    ctx_callback_begin(&c);
    int in_callback = fegetround(), errno_in_callback = errno;
    errno = ERANGE;
    ctx_callback_end(&c);
    int behind = fegetround();
    errno = EDOM;
    ctx_leave(&c, MESAOPT_OK);
    int after = fegetround(), errno_after = errno;
    fesetenv(FE_DFL_ENV);
    ck_assert_int_eq(copied, MESAOPT_OK);
    ck_assert_int_eq(kept, EBADF);
    ck_assert(out == in);
    ck_assert_int_eq(entered, MESAOPT_OK);
    ck_assert_int_eq(inside, FE_TONEAREST);
    ck_assert(subnormal > 0);
    ck_assert_int_eq(in_callback, FE_UPWARD);
    ck_assert_int_eq(errno_in_callback, EBADF);
    ck_assert_int_eq(behind, FE_TONEAREST);
    ck_assert_int_eq(after, FE_UPWARD);
    ck_assert_int_eq(errno_after, ERANGE);             /* what the callback left */
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Jobs run in the default environment on any thread, and give back what they found. */
START_TEST(jobs_of_a_flushing_host)
{
    const mesaopt_parallel_fn loops[] = {NULL, reverse, threaded};
    for (int l = 0; l < 3; l++) {
        mesaopt_ctx *ctx = make(3, loops[l], NULL);
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

/* ---- text ---- */

static atomic_int stop_text;

static void *write_text(void *data)
{
    mesaopt_ctx *ctx = data;
    char line[400] = "";
    for (int k = 0; !atomic_load(&stop_text); k++) {
        int n = 1 + k * 37 % 390;
        memset(line, 'a' + k % 26, (size_t)n);
        line[n] = 0;
        fail(ctx, MESAOPT_E_ARGUMENT, "%s", line);
    }
    return NULL;
}

START_TEST(text_is_never_torn)
{
    mesaopt_ctx *ctx = make(1, NULL, NULL);
    pthread_t writer[2];
    char text[512];
    ck_assert_str_eq(error_text(ctx), "");
    for (int i = 0; i < 2; i++) pthread_create(&writer[i], NULL, write_text, ctx);
    for (int k = 0; k < 5000; k++) {
        int64_t needed = mesaopt_ctx_error(ctx, text, sizeof text), n = (int64_t)strlen(text);
        ck_assert_int_eq(needed, n + 1);
        int64_t same = 0;
        while (same < n && text[same] == text[0]) same++;
        ck_assert_int_eq(same, n);
    }
    atomic_store(&stop_text, 1);
    for (int i = 0; i < 2; i++) pthread_join(writer[i], NULL);
    fail(ctx, MESAOPT_E_ARGUMENT, "one\nline\t%s", "only\x7f");
    ck_assert_str_eq(error_text(ctx), "one line only ");
    ck_assert_int_eq(mesaopt_ctx_error(ctx, NULL, 0), 15);
    ck_assert_int_eq(mesaopt_ctx_error(ctx, text, 4), 15);
    ck_assert_str_eq(text, "one");
    mesaopt_tensor *t;
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 0, NULL, &t), MESAOPT_OK);
    ck_assert_str_eq(error_text(ctx), "one line only ");
    mesaopt_tensor_free(t);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- creating and freeing ---- */

static void log_line(const char *line, void *user) { strncpy(user, line, 99); }

START_TEST(create_reports_through_settings)
{
    mesaopt_settings *s, *wrong;
    mesaopt_ctx *ctx = NULL;
    char text[512], line[100] = "";
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_CTX, NULL, NULL, &s), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_TASK, NULL, NULL, &wrong), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_log(s, log_line, line), MESAOPT_OK);
    int32_t best = 0;
    ck_assert_int_eq(mesaopt_ctx_create(s, &ctx), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_isa(ctx, &best), MESAOPT_OK);
    ck_assert(best >= MESAOPT_ISA_BASELINE && best <= MESAOPT_ISA_AVX512);
    ck_assert_ptr_nonnull(strstr(line, mesaopt_settings_word(MESAOPT_KEY_ISA, best)));
    mesaopt_ctx_free(ctx);
    for (int32_t isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
        int32_t level = 0;
        ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_ISA, isa), MESAOPT_OK);
        ctx = NULL;
        mesaopt_status status = mesaopt_ctx_create(s, &ctx);
        ck_assert_int_eq(status, isa <= best ? MESAOPT_OK : MESAOPT_E_UNSUPPORTED);
        if (status == MESAOPT_OK) ck_assert(mesaopt_ctx_isa(ctx, &level) == MESAOPT_OK && level == isa);
        else ck_assert_ptr_null(ctx);
        mesaopt_settings_error(s, text, sizeof text);
        ck_assert(status == MESAOPT_OK || strstr(text, "isa: "));
        mesaopt_ctx_free(ctx);
    }
    ck_assert_int_eq(mesaopt_ctx_create(wrong, &ctx), MESAOPT_E_SETTING);
    mesaopt_settings_error(wrong, text, sizeof text);
    ck_assert_str_eq(text, "settings: scope task, expected scope ctx");
    mesaopt_settings_free(s);
    mesaopt_settings_free(wrong);
}
END_TEST

START_TEST(create_without_memory)
{
    hook_alloc hook = {0};
    mesaopt_settings *s;
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_CTX, hook_alloc_fn, &hook, &s), MESAOPT_OK);
    long n = 0;
    mesaopt_ctx *ctx = NULL;
    for (mesaopt_status status = MESAOPT_E_MEMORY; status != MESAOPT_OK; n++) {
        ck_assert_ptr_null(ctx);
        ck_assert_int_eq(hook.blocks, 1);
        hook.fail_at = hook.calls + n + 1;
        status = mesaopt_ctx_create(s, &ctx);
        ck_assert(status == MESAOPT_OK || status == MESAOPT_E_MEMORY);
        if (status != MESAOPT_OK) ck_assert_int_gt(mesaopt_settings_error(s, NULL, 0), 1);
    }
    ck_assert_int_gt(n, 1);
    mesaopt_ctx_free(ctx);
    mesaopt_settings_free(s);
    ck_assert_int_eq(hook.blocks, 0);
}
END_TEST

static void *free_tensor(void *t) { return (void *)(intptr_t)mesaopt_tensor_free(t); }
static void *free_ctx(void *c) { return (void *)(intptr_t)mesaopt_ctx_free(c); }
static void count_release(void *user) { atomic_fetch_add((atomic_int *)user, 1); }

/* Every order of freeing a context (with a pool) and three handles, each from a thread of its own. */
START_TEST(any_order_from_any_thread)
{
    for (int order = 0; order < 256; order++) {
        int turn[4], used = 0;
        for (int i = 0; i < 4; i++) turn[i] = order >> 2 * i & 3, used |= 1 << turn[i];
        if (used != 15) continue;
        for (int at_once = 0; at_once < 2; at_once++) {
            hook_alloc hook = {0};
            atomic_int released = 0;
            mesaopt_ctx *ctx = make(2, NULL, &hook);
            mesaopt_view v;
            double x;
            void *handle[4] = {ctx};
            mesaopt_view_dense(&x, MESAOPT_F64, 0, NULL, &v);
            run_and_check(ctx, 10);
            ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 1, (int64_t[]){7}, (mesaopt_tensor **)&handle[1]), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F64, 1, (int64_t[]){9}, (mesaopt_tensor **)&handle[2]), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_tensor_wrap(ctx, &v, count_release, &released, (mesaopt_tensor **)&handle[3]), MESAOPT_OK);
            pthread_t thread[4];
            void *status[4];
            for (int i = 0; i < 4; i++) {
                pthread_create(&thread[i], NULL, turn[i] ? free_tensor : free_ctx, handle[turn[i]]);
                if (!at_once) pthread_join(thread[i], &status[i]);
            }
            for (int i = 0; at_once && i < 4; i++) pthread_join(thread[i], &status[i]);
            for (int i = 0; i < 4; i++) ck_assert_ptr_null(status[i]);
            ck_assert_int_eq(released, 1);
            ck_assert_int_eq(hook.blocks, 0);
            ck_assert_int_eq(hook.bytes, 0);
        }
    }
}
END_TEST

/* Another thread drops the last reference while a call runs: the context goes when the call has ended. */
START_TEST(context_outlives_its_call)
{
    hook_alloc hook = {0};
    mesaopt_ctx *ctx = make(1, NULL, &hook);
    call c;
    pthread_t thread;
    void *status;
    ck_assert_int_eq(ctx_enter(ctx, CALL_NORMAL, &c), MESAOPT_OK);
    pthread_create(&thread, NULL, free_ctx, ctx);
    pthread_join(thread, &status);
    ck_assert_ptr_null(status);
    ck_assert_int_gt(hook.blocks, 0);
    ck_assert_int_eq(ctx_leave(&c, MESAOPT_OK), MESAOPT_OK);
    ck_assert_int_eq(hook.blocks, 0);
}
END_TEST

/* Threads that fight over one context: each call is served or refused, and nothing is lost. */
static void *fight(void *data)
{
    mesaopt_ctx *ctx = data;
    intptr_t served = 0;
    for (int i = 0; i < 2000; i++) {
        mesaopt_tensor *t = NULL;
        mesaopt_status status = mesaopt_tensor_create(ctx, MESAOPT_F32, 1, (int64_t[]){3}, &t);
        if (status == MESAOPT_OK) served++;
        else if (status != MESAOPT_E_BUSY || t) return (void *)(intptr_t)-1;
        if (mesaopt_tensor_free(t) != MESAOPT_OK) return (void *)(intptr_t)-2;
    }
    return (void *)served;
}

START_TEST(threads_on_one_context)
{
    hook_alloc hook = {0};
    mesaopt_ctx *ctx = make(1, NULL, &hook);
    pthread_t thread[3];
    void *served;
    for (int i = 0; i < 3; i++) pthread_create(&thread[i], NULL, fight, ctx);
    for (int i = 0; i < 3; i++) {
        pthread_join(thread[i], &served);
        ck_assert_int_ge((intptr_t)served, 0);
    }
    mesaopt_ctx_free(ctx);
    ck_assert_int_eq(hook.blocks, 0);
}
END_TEST

Suite *test_ctx_suite(void)
{
    Suite *s = suite_create("ctx");
    TCase *loop = tcase_create("parallel"), *forks = tcase_create("fork"), *calls = tcase_create("calls");
    tcase_add_test(loop, every_item_once);
    tcase_add_test(loop, short_runs_in_a_row);
    tcase_add_test(loop, workers_take_no_signals);
    tcase_add_test(loop, threads_that_cannot_be_had);
    tcase_add_test(loop, interrupted_runs_end_early);
    tcase_add_test(loop, interrupt_from_a_signal_handler);
    tcase_add_test(loop, jobs_of_a_flushing_host);
    tcase_add_test(forks, fork_with_a_pool);
    tcase_add_test(forks, fork_beside_a_busy_context);
    tcase_set_tags(forks, "fork");
    tcase_add_test(calls, one_call_at_a_time);
    tcase_add_test(calls, handles_in_use_are_not_freed);
    tcase_add_test(calls, calls_leave_errno_and_environment);
    tcase_add_test(calls, text_is_never_torn);
    tcase_add_test(calls, create_reports_through_settings);
    tcase_add_test(calls, create_without_memory);
    tcase_add_test(calls, any_order_from_any_thread);
    tcase_add_test(calls, context_outlives_its_call);
    tcase_add_test(calls, threads_on_one_context);
    tcase_set_timeout(loop, 30);
    tcase_set_timeout(forks, 60);
    tcase_set_timeout(calls, 30);
    suite_add_tcase(s, loop);
    suite_add_tcase(s, forks);
    suite_add_tcase(s, calls);
    return s;
}
