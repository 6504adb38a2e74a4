/* An interrupt belongs to the call that runs when it comes, or to the next one when none does, and to no other. */
#include "contexts.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#define OK(call) ck_assert_int_eq(call, MESAOPT_OK)
#define STOPS(call) ck_assert_int_eq(call, MESAOPT_E_INTERRUPTED)

typedef struct setup { mesaopt_ctx *ctx; mesaopt_task *task; mesaopt_model *model; mesaopt_trainer *trainer; } setup;

static setup start(mesaopt_ctx *ctx)
{
    setup s = {ctx, task_from(ctx, "dim=3 length=9 tokens=constructed"), model_from(ctx, "inputs=12 outputs=3", "mask(first=3); linear(heads=1,key=2)"), NULL};
    mesaopt_settings *settings = settings_from(MESAOPT_SCOPE_TRAINER, "batch=3");
    OK(mesaopt_trainer_create(ctx, settings, s.model, s.task, &s.trainer));
    mesaopt_settings_free(settings);
    return s;
}

static void end(setup *s)
{
    mesaopt_trainer_free(s->trainer), mesaopt_task_free(s->task), mesaopt_model_free(s->model), mesaopt_ctx_free(s->ctx);
}

static mesaopt_status evaluate(const setup *s)
{
    double loss;
    return mesaopt_model_evaluate(s->model, s->task, MESAOPT_STREAM_TEST, 0, 20, NULL, &loss);
}

/* An allocator that interrupts the call that allocates, or that gives back the `last` block from now on. */
typedef struct meddler { mesaopt_ctx *ctx; int armed; int frees, last; } meddler;

static void *meddle(void *ptr, int64_t old_size, int64_t new_size, void *user)
{
    meddler *m = user;
    (void)old_size;
    if (m->armed && new_size) m->armed = 0, mesaopt_ctx_interrupt(m->ctx);
    if (ptr && !new_size && ++m->frees == m->last) mesaopt_ctx_interrupt(m->ctx);
    if (new_size) return realloc(ptr, (size_t)new_size);
    return free(ptr), NULL;
}

/* Calls that do not look: they return as usual, and so does the next one. */
START_TEST(unused_requests_end_with_their_call)
{
    meddler m = {0};
    mesaopt_settings *s;
    mesaopt_tensor *t;
    OK(mesaopt_settings_create(MESAOPT_SCOPE_CTX, meddle, &m, &s));
    OK(mesaopt_ctx_create(s, &m.ctx));
    setup of = start(m.ctx);
    m.armed = 1;
    OK(mesaopt_tensor_create(m.ctx, MESAOPT_F32, 0, NULL, &t));
    ck_assert_int_eq(m.armed, 0);
    OK(evaluate(&of));
    OK(mesaopt_trainer_run(of.trainer, 2, NULL, NULL));
    m.armed = 1;                                       /* a call that fails at its arguments behind the request */
    ck_assert_int_eq(mesaopt_model_add_text(of.model, "dense(outputs=9); nothing"), MESAOPT_E_STATE);
    m.armed = 0;
    OK(evaluate(&of));
    OK(mesaopt_tensor_free(t));
    end(&of);
    mesaopt_settings_free(s);
}
END_TEST

/* An average is there, and is being filled, when the interrupt comes. */
START_TEST(averages)
{
    meddler m = {0};
    mesaopt_settings *s;
    mesaopt_model *average = NULL;
    OK(mesaopt_settings_create(MESAOPT_SCOPE_CTX, meddle, &m, &s));
    OK(mesaopt_ctx_create(s, &m.ctx));
    setup of = start(m.ctx);
    m.frees = 0;
    OK(mesaopt_revalg_average(of.model, of.model, &average));
    const int last = m.frees;                          /* of what it takes to make a model */
    ck_assert_int_gt(last, 0);
    mesaopt_model_free(average);
    average = NULL;
    m.frees = 0, m.last = last;
    STOPS(mesaopt_revalg_average(of.model, of.model, &average));
    ck_assert_ptr_null(average);
    OK(evaluate(&of));
    end(&of);
    mesaopt_settings_free(s);
}
END_TEST

/* rls: rows are taken in, all or none; a loop of the host's interrupts while they are. */
static mesaopt_ctx *looped;
static void interrupting_loop(void (*body)(void *, int64_t), void *job, int64_t n, void *user)
{
    (void)user;
    mesaopt_ctx_interrupt(looped);
    for (int64_t i = 0; i < n; i++) body(job, i);
}

START_TEST(rows_are_taken_in_whole)
{
    enum { T = 600, N = 4, D = 32 };
    static double k[T * N * D], v[T * N], out[T * N];
    const mesaopt_view K = DENSE(k, MESAOPT_F64, T, N, D), V = DENSE(v, MESAOPT_F64, T, N, 1), O = DENSE(out, MESAOPT_F64, T, N, 1);
    mesaopt_ctx *ctx = looped = context_with(2, interrupting_loop, NULL), *plain = context_from("");
    mesaopt_lsq *lsq, *other;
    mesaopt_rls *rls, *expected;
    double rows[N], error[N];
    const mesaopt_view R = DENSE(rows, MESAOPT_F64, N), one = DENSE(error, MESAOPT_F64, 1, N, 1);
    for (int i = 0; i < T * N * D; i++) k[i] = (double)(i * 7919 % 101) / 101 - 0.5;
    for (int i = 0; i < T * N; i++) v[i] = (double)(i % 13);
    OK(mesaopt_lsq_plan(ctx, NULL, D, 1, &lsq));
    OK(mesaopt_lsq_plan(plain, NULL, D, 1, &other));
    OK(mesaopt_rls_create(lsq, N, NULL, &rls));
    OK(mesaopt_rls_create(other, N, NULL, &expected));
    OK(mesaopt_rls_step(rls, &K, &K, &V, NULL, NULL, &O));
    OK(mesaopt_rls_get(rls, 1, (int32_t[]){MESAOPT_RLS_ROWS}, &R));
    for (int s = 0; s < N; s++) ck_assert_double_eq(rows[s], T);
    mesaopt_view first = K;
    first.shape[0] = 1;
    OK(mesaopt_rls_predict(rls, &first, &one, NULL));  /* not ended by the request before */
    OK(mesaopt_rls_update(expected, &K, &V, NULL, NULL));
    mesaopt_ctx_interrupt(ctx);                        /* in time: nothing is taken in */
    STOPS(mesaopt_rls_update(rls, &K, &V, NULL, NULL));
    OK(mesaopt_rls_get(rls, 1, (int32_t[]){MESAOPT_RLS_ROWS}, &R));
    for (int s = 0; s < N; s++) ck_assert_double_eq(rows[s], T);
    double again[N];
    const mesaopt_view same = DENSE(again, MESAOPT_F64, 1, N, 1);
    OK(mesaopt_rls_predict(expected, &first, &same, NULL));
    for (int s = 0; s < N; s++) ck_assert_double_eq_tol(error[s], again[s], 1e-9);
    mesaopt_rls_free(rls), mesaopt_rls_free(expected), mesaopt_lsq_free(lsq), mesaopt_lsq_free(other), mesaopt_ctx_free(ctx), mesaopt_ctx_free(plain);
}
END_TEST

/* None runs: the request is for the next call, long or short, and for that one alone. */
START_TEST(requests_between_calls)
{
    setup s = start(context_from(""));
    mesaopt_view w;
    mesaopt_ctx_interrupt(s.ctx);
    STOPS(evaluate(&s));
    OK(evaluate(&s));
    mesaopt_ctx_interrupt(s.ctx);
    mesaopt_ctx_interrupt(s.ctx);
    OK(mesaopt_model_parameter(s.model, "blocks.1.query", &w));
    OK(evaluate(&s));
    mesaopt_ctx_interrupt(s.ctx);
    OK(mesaopt_trainer_run(s.trainer, 0, NULL, NULL)); /* nothing to do */
    OK(mesaopt_trainer_run(s.trainer, 2, NULL, NULL));
    end(&s);
}
END_TEST

typedef struct visit { setup *s; mesaopt_status first, second, saved; int64_t at; } visit;

static int32_t evaluate_twice(const mesaopt_step *step, void *user)
{
    visit *v = user;
    if (step->step != v->at) return 0;
    mesaopt_ctx_interrupt(v->s->ctx);
    v->first = evaluate(v->s);
    v->second = evaluate(v->s);
    v->saved = mesaopt_model_save(v->s->model, "/dev/null/none");
    return 0;
}

/* What a callback calls is part of the run: all of it stops. */
START_TEST(requests_in_a_callback)
{
    setup s = start(context_from(""));
    visit v = {.s = &s, .at = 3};
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 9, evaluate_twice, &v), MESAOPT_STOPPED);
    ck_assert_int_eq(mesaopt_trainer_steps(s.trainer), 3);
    STOPS(v.first);
    STOPS(v.second);
    ck_assert_int_eq(v.saved, MESAOPT_E_IO);           /* saving looks for no request */
    OK(evaluate(&s));
    v.at = -1;
    OK(mesaopt_trainer_run(s.trainer, 9, evaluate_twice, &v));
    end(&s);
}
END_TEST

/* A callback of data that fails because a call of its own was interrupted: the user's stop, not the source's fault. */
static int32_t fill_after_a_call(int32_t stream, int64_t first, const mesaopt_view *out, void *user)
{
    visit *v = user;
    (void)stream, (void)first, (void)out;
    mesaopt_ctx_interrupt(v->s->ctx);
    v->first = mesaopt_model_forward(v->s->model, NULL, NULL);
    return 5;
}

START_TEST(requests_in_a_source)
{
    setup s = start(context_from(""));
    visit v = {.s = &s};
    mesaopt_task *own = NULL;
    mesaopt_settings *settings = settings_from(MESAOPT_SCOPE_TASK, "dim=3 length=9 tokens=constructed");
    double loss;
    OK(mesaopt_task_from_callback(s.ctx, settings, fill_after_a_call, NULL, &v, &own));
    STOPS(mesaopt_model_evaluate(s.model, own, MESAOPT_STREAM_TEST, 0, 20, NULL, &loss));
    OK(evaluate(&s));
    mesaopt_task_free(own);
    mesaopt_settings_free(settings);
    end(&s);
}
END_TEST

/* A gradient check is one call, whose callback may make any other. */
typedef struct checked { mesaopt_ctx *ctx; mesaopt_model *model; mesaopt_view x, y; int calls, stop_at; mesaopt_status last; } checked;

static int32_t loss_of(double *loss, void *user)
{
    checked *c = user;
    if (++c->calls == c->stop_at) mesaopt_ctx_interrupt(c->ctx);
    c->last = mesaopt_model_gradient(c->model, &c->x, &c->y, NULL, loss, NULL);
    return c->last != MESAOPT_OK;
}

static void *enter_elsewhere(void *user)
{
    mesaopt_tensor *t = NULL;
    return (void *)(intptr_t)mesaopt_tensor_create(user, MESAOPT_F32, 0, NULL, &t);
}

static int32_t look_elsewhere(double *loss, void *user)
{
    pthread_t thread;
    void *status;
    *loss = 0;
    pthread_create(&thread, NULL, enter_elsewhere, user);
    pthread_join(thread, &status);
    return (intptr_t)status != MESAOPT_E_BUSY;
}

START_TEST(gradient_checks)
{
    mesaopt_ctx *ctx = context_from("");
    static double x[2 * 4 * 3], y[2 * 4 * 3], before[9], kept[9];
    checked c = {.ctx = ctx, .model = model_from(ctx, "inputs=3 outputs=3 dtype=f64", "dense(outputs=3,init_sd=0.5)")};
    mesaopt_view w, g;
    double loss, error = -1;
    for (int i = 0; i < 24; i++) x[i] = i % 5 - 2, y[i] = i % 7 - 3;
    c.x = DENSE(x, MESAOPT_F64, 2, 4, 3), c.y = DENSE(y, MESAOPT_F64, 2, 4, 3);
    OK(mesaopt_model_parameter(c.model, "blocks.0.weight", &w));
    OK(mesaopt_model_gradient(c.model, &c.x, &c.y, NULL, &loss, NULL));
    OK(mesaopt_model_parameter_gradient(c.model, "blocks.0.weight", &g));
    const mesaopt_view copy = DENSE(kept, MESAOPT_F64, 3, 3);
    OK(mesaopt_tensor_copy(ctx, &g, &copy));
    memcpy(before, w.data, sizeof before);
    OK(mesaopt_grad_check(ctx, loss_of, &c, &w, &copy, 1e-3, &error));
    ck_assert_double_lt(error, 1e-9);
    c.calls = 0, c.stop_at = 5;
    STOPS(mesaopt_grad_check(ctx, loss_of, &c, &w, &copy, 1e-3, &error));
    STOPS(c.last);
    ck_assert_int_eq(c.calls, 5);
    ck_assert_mem_eq(before, w.data, sizeof before);
    OK(mesaopt_model_gradient(c.model, &c.x, &c.y, NULL, &loss, NULL));
    OK(mesaopt_grad_check(ctx, look_elsewhere, ctx, &w, &copy, 1e-3, &error));
    mesaopt_model_free(c.model), mesaopt_ctx_free(ctx);
}
END_TEST

/* A handler around a sequence of calls, as docs/errors.md has it: whenever the signal comes, the sequence ends. */
static mesaopt_ctx *running;
static volatile sig_atomic_t stop;
static void on_signal(int number) { (void)number, stop = 1, mesaopt_ctx_interrupt(running); }

static void *send_signal(void *user)
{
    usleep(*(useconds_t *)user);
    kill(getpid(), SIGUSR1);
    return NULL;
}

START_TEST(signals_around_a_sequence)
{
    setup s = start(context_from(""));
    struct sigaction action = {.sa_handler = on_signal}, old;
    running = s.ctx;
    sigaction(SIGUSR1, &action, &old);
    for (useconds_t wait = 0; wait < 20000; wait += 500) {
        pthread_t thread;
        mesaopt_status status = MESAOPT_OK;
        stop = 0;
        pthread_create(&thread, NULL, send_signal, &wait);
        for (int64_t n = 1; !stop && status == MESAOPT_OK; n = mesaopt_trainer_steps(s.trainer) + 7) {
            status = mesaopt_trainer_run(s.trainer, n, NULL, NULL);
            if (!stop && status == MESAOPT_OK) status = evaluate(&s);
        }
        pthread_join(thread, NULL);
        ck_assert(stop);
        ck_assert(status == MESAOPT_OK || status == MESAOPT_STOPPED || status == MESAOPT_E_INTERRUPTED);
        mesaopt_view w;
        OK(mesaopt_model_parameter(s.model, "blocks.1.query", &w));      /* takes what may be left */
        OK(evaluate(&s));
    }
    sigaction(SIGUSR1, &old, NULL);
    end(&s);
}
END_TEST

Suite *test_interrupts_suite(void)
{
    Suite *s = suite_create("interrupts");
    TCase *t = tcase_create("interrupts");
    tcase_add_test(t, unused_requests_end_with_their_call);
    tcase_add_test(t, averages);
    tcase_add_test(t, rows_are_taken_in_whole);
    tcase_add_test(t, requests_between_calls);
    tcase_add_test(t, requests_in_a_callback);
    tcase_add_test(t, requests_in_a_source);
    tcase_add_test(t, gradient_checks);
    tcase_add_test(t, signals_around_a_sequence);
    suite_add_tcase(s, t);
    return s;
}
