/* The hook poll of a context: on whose thread it is asked, how often, in what environment, and that it stops calls whoever does their work; and
 * mesaopt_ctx_clear_interrupt. */
#include "base/pool.h"
#undef fail                        /* Check has a macro of that name */
#include "contexts.h"

#include <errno.h>
#include <fenv.h>
#include <pthread.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#define OK(call) ck_assert_int_eq(call, MESAOPT_OK)

typedef struct host {
    pthread_t caller;
    mesaopt_ctx *ctx;
    mesaopt_task *task;
    int asked, stop_at, rounding;
    double last, widest;           /* time between two questions */
} host;

static double wall(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int32_t ask(void *user)
{
    host *h = user;
    const double now = wall();
    ck_assert(pthread_equal(pthread_self(), h->caller));
    if (now - h->last > h->widest) h->widest = now - h->last;
    h->last = now;
    h->rounding = fegetround();
    errno = EDOM;
    if (h->ctx && h->task) {
        ck_assert_int_eq(mesaopt_ctx_clear_interrupt(h->ctx), MESAOPT_E_BUSY);
        OK(mesaopt_task_free(h->task));
        h->task = NULL;
    }
    return ++h->asked == h->stop_at;
}

/* One thread runs all jobs, and the caller waits. */
typedef struct order { void (*body)(void *job, int64_t i); void *job; int64_t n; } order;
static void *carry_out(void *data)
{
    order *o = data;
    for (int64_t i = 0; i < o->n; i++) o->body(o->job, i);
    return NULL;
}

static void elsewhere(void (*body)(void *job, int64_t i), void *job, int64_t n, void *user)
{
    order o = {body, job, n};
    pthread_t thread;
    (void)user;
    ck_assert_int_eq(pthread_create(&thread, NULL, carry_out, &o), 0);
    pthread_join(thread, NULL);
}

static void nowhere(void (*body)(void *job, int64_t i), void *job, int64_t n, void *user) { (void)body, (void)job, (void)n, (void)user; }

static mesaopt_ctx *context_asked(host *h, mesaopt_parallel_fn loop, const char *text)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_CTX, text);
    mesaopt_ctx *ctx;
    *h = (host){.caller = pthread_self(), .last = wall()};
    OK(mesaopt_settings_set_parallel(s, loop, NULL, NULL));
    OK(mesaopt_settings_set_poll(s, ask, NULL, h));
    OK(mesaopt_ctx_create(s, &ctx));
    mesaopt_settings_free(s);
    return ctx;
}

/* Items that take 5 ms each, on whatever thread; in the last case those of the caller are done at once, and it waits. */
typedef struct work { atomic_int done, begun; pthread_t idle; int idles; } work;
static void item(void *job, int64_t worker, int64_t i)
{
    work *w = job;
    (void)worker, (void)i;
    const int idle = w->idles && pthread_equal(pthread_self(), w->idle);
    if (!idle) atomic_fetch_add(&w->begun, 1), usleep(w->idles ? 300000 : 5000);
    while (idle && atomic_load(&w->begun) == 0) usleep(100);
    atomic_fetch_add(&w->done, 1);
}

static const struct { const char *text; mesaopt_parallel_fn loop; int idles; } ways[] = {
    {"threads=1", NULL, 0}, {"threads=3", NULL, 0}, {"threads=3", elsewhere, 0}, {"threads=3", NULL, 1}, {"threads=3", nowhere, 0}};

START_TEST(asked_while_work_is_done)
{
    host h;
    mesaopt_ctx *ctx = context_asked(&h, ways[_i].loop, ways[_i].text);
    work w = {.idle = pthread_self(), .idles = ways[_i].idles};
    call c;
    const int64_t n = w.idles ? 2 : 100;
    OK(ctx_enter(ctx, CALL_NORMAL, &c));
    h.last = wall();
    parallel_run(ctx, n, item, &w);
    ck_assert_int_eq(w.done, n);
    ck_assert_int_ge(h.asked, w.idles ? 2 : 4);
    ck_assert_msg(h.widest < 0.1, "%.3f s between two questions", h.widest);
    h.stop_at = h.asked + 2;
    atomic_store(&w.done, 0);
    atomic_store(&w.begun, 0);
    parallel_run(ctx, 1000, item, &w);
    ck_assert(w.idles || w.done < 1000);
    ck_assert(ctx_interrupted(ctx));
    OK(ctx_leave(&c, MESAOPT_OK));
    ck_assert(!ctx_interrupted(ctx));
    mesaopt_ctx_free(ctx);
}
END_TEST

/* In the host's environment; calls are refused, a free is fine. */
START_TEST(environment)
{
    host h;
    mesaopt_ctx *ctx = context_asked(&h, NULL, "");
    mesaopt_task *task = task_from(ctx, "dim=3 length=9"), *other = task_from(ctx, "dim=3 length=9");
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_BASELINE, "");
    mesaopt_baseline *b;
    double loss = 0;
    OK(mesaopt_baseline_create(ctx, s, &b));
    h.asked = 0, h.stop_at = 3, h.ctx = ctx, h.task = other;
    fesetround(FE_UPWARD);
    errno = EBADF;
    const mesaopt_status status = mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, INT64_C(1) << 40, NULL, &loss);
    const int left = errno, rounding = fegetround();
    fesetround(FE_TONEAREST);
    ck_assert_int_eq(status, MESAOPT_E_INTERRUPTED);
    ck_assert_int_eq(left, EBADF);
    ck_assert(rounding == FE_UPWARD && h.rounding == FE_UPWARD);
    ck_assert_int_eq(h.asked, 3);
    ck_assert_ptr_null(h.task);
    OK(mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, 4, NULL, &loss));
    mesaopt_baseline_free(b), mesaopt_task_free(task), mesaopt_ctx_free(ctx), mesaopt_settings_free(s);
}
END_TEST

/* A run keeps the steps that were taken, and goes on to the same bits. */
START_TEST(training)
{
    float first[2][64];
    for (int i = 0; i < 2; i++) {
        host h;
        mesaopt_ctx *ctx = i ? context_asked(&h, NULL, "threads=2") : context_from("threads=2");
        mesaopt_model *m = model_from(ctx, "inputs=12 outputs=3", "linear(heads=1,key=4)");
        mesaopt_task *task = task_from(ctx, "dim=3 length=9 tokens=constructed");
        mesaopt_trainer *t;
        mesaopt_view v;
        OK(mesaopt_trainer_create(ctx, NULL, m, task, &t));
        h.stop_at = i ? h.asked + 3 : 0;
        if (i) ck_assert_int_eq(mesaopt_trainer_run(t, INT64_C(1) << 40, NULL, NULL), MESAOPT_STOPPED);
        const int64_t enough = 4000, taken = mesaopt_trainer_steps(t);
        if (i) ck_assert(taken > 0);
        if (taken < enough) OK(mesaopt_trainer_run(t, enough, NULL, NULL));
        OK(mesaopt_model_parameter(m, "blocks.0.query", &v));
        if (mesaopt_trainer_steps(t) == enough) memcpy(first[i], v.data, 48 * sizeof(float));
        else memcpy(first[1], first[0], sizeof first[1]);      /* a machine so fast has nothing to compare */
        mesaopt_trainer_free(t), mesaopt_task_free(task), mesaopt_model_free(m), mesaopt_ctx_free(ctx);
    }
    ck_assert(!memcmp(first[0], first[1], 48 * sizeof(float)));
}
END_TEST

static int32_t clear_inside(const mesaopt_step *step, void *user)
{
    (void)step;
    mesaopt_ctx_interrupt(user);
    ck_assert_int_eq(mesaopt_ctx_clear_interrupt(user), MESAOPT_E_BUSY);
    return 0;
}

START_TEST(withdrawn_requests)
{
    mesaopt_ctx *ctx = context_from("");
    mesaopt_model *m = model_from(ctx, "inputs=12 outputs=3", "linear(heads=1,key=2)");
    mesaopt_task *task = task_from(ctx, "dim=3 length=9 tokens=constructed");
    mesaopt_trainer *t;
    OK(mesaopt_trainer_create(ctx, NULL, m, task, &t));
    mesaopt_ctx_interrupt(ctx);
    ck_assert_int_eq(mesaopt_trainer_run(t, 1, NULL, NULL), MESAOPT_STOPPED);
    mesaopt_ctx_interrupt(ctx);
    OK(mesaopt_ctx_clear_interrupt(ctx));
    OK(mesaopt_trainer_run(t, 1, NULL, NULL));
    OK(mesaopt_ctx_clear_interrupt(ctx));
    ck_assert_int_eq(mesaopt_trainer_run(t, 3, clear_inside, ctx), MESAOPT_STOPPED);      /* it is the run's */
    OK(mesaopt_trainer_run(t, 3, NULL, NULL));
    mesaopt_trainer_free(t), mesaopt_task_free(task), mesaopt_model_free(m), mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_poll_suite(void)
{
    Suite *s = suite_create("poll");
    TCase *c = tcase_create("poll");
    tcase_set_timeout(c, 60);
    tcase_add_loop_test(c, asked_while_work_is_done, 0, sizeof ways / sizeof *ways);
    tcase_add_test(c, environment);
    tcase_add_test(c, training);
    tcase_add_test(c, withdrawn_requests);
    suite_add_tcase(s, c);
    return s;
}
