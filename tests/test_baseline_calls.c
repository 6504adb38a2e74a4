/* Calls on baselines that fail, or come at odd moments: no memory, interrupts, callbacks, losses that overflow. */
#include "contexts.h"
#include "hook_alloc.h"
#include <stdio.h>
#include <math.h>

#define OK(call) ck_assert_int_eq((call), MESAOPT_OK)

static mesaopt_baseline *baseline_of(mesaopt_ctx *ctx, const char *text)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_BASELINE, text);
    mesaopt_baseline *b = NULL;
    OK(mesaopt_baseline_create(ctx, s, &b));
    mesaopt_settings_free(s);
    return b;
}

static int32_t fill_and_interrupt(int32_t stream, int64_t first, const mesaopt_view *out, void *user)
{
    (void)stream, (void)first;
    for (int64_t i = 0; i < out->shape[0] * out->stride[0]; i++) ((double *)out->data)[i] = 0.5;
    if (user) mesaopt_ctx_interrupt(user);
    return 0;
}

/* An interrupt ends evaluation and search; nothing is written, and the next call works. */
START_TEST(interrupts_stop_long_calls)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    mesaopt_task *stops, *runs;
    mesaopt_baseline *b = baseline_of(ctx, "baseline=lsq ridge=0.25");
    double loss = -1, best = -1, before, after, by_t[50] = {-1};
    const mesaopt_view view = DENSE(by_t, MESAOPT_F64, 50);
    OK(mesaopt_task_from_callback(ctx, NULL, fill_and_interrupt, NULL, ctx, &stops));
    OK(mesaopt_task_from_callback(ctx, NULL, fill_and_interrupt, NULL, NULL, &runs));
    OK(mesaopt_baseline_evaluate(b, runs, MESAOPT_STREAM_TEST, 0, 9, NULL, &before));
    ck_assert_int_eq(mesaopt_baseline_evaluate(b, stops, MESAOPT_STREAM_TEST, 0, 1000, &view, &loss), MESAOPT_E_INTERRUPTED);
    ck_assert_int_eq(mesaopt_baseline_search(b, stops, 1000, &best), MESAOPT_E_INTERRUPTED);
    ck_assert_double_eq(loss, -1);
    ck_assert_double_eq(best, -1);
    ck_assert_double_eq(by_t[0], -1);
    OK(mesaopt_baseline_evaluate(b, runs, MESAOPT_STREAM_TEST, 0, 9, NULL, &after));
    ck_assert_double_eq(before, after);
    OK(mesaopt_baseline_free(b));
    OK(mesaopt_task_free(stops));
    OK(mesaopt_task_free(runs));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

static int32_t fill_then_fail(int32_t stream, int64_t first, const mesaopt_view *out, void *user)
{
    int64_t *left = user;
    fill_and_interrupt(stream, first, out, NULL);
    return (*left)-- > 0 ? 0 : 5;
}

/* Sequences of two observations: before there is a pair, every baseline predicts 0. */
START_TEST(predictions_without_pairs)
{
    static const char *const names[] = {"gd", "lsq", "kernel", "newton"};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    double x[2 * 2 * 3] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 8, 7, 6}, p[2 * 3];
    const mesaopt_view in = DENSE(x, MESAOPT_F64, 2, 2, 3), out = DENSE(p, MESAOPT_F64, 2, 1, 3);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char text[64];
        snprintf(text, sizeof text, "baseline=%s", names[i]);
        mesaopt_baseline *b = baseline_of(ctx, text);
        for (int j = 0; j < 6; j++) p[j] = 7;
        OK(mesaopt_baseline_predict(b, &in, &out));
        for (int j = 0; j < 6; j++) ck_assert_msg(p[j] == 0, "%s: %g", names[i], p[j]);
        OK(mesaopt_baseline_free(b));
    }
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* A callback that has no data is no stop: every call that wants sequences says whose fault it is. */
START_TEST(sources_that_fail)
{
    int64_t left = 2;
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_task *task;
    mesaopt_baseline *b = baseline_of(ctx, "baseline=richardson batch=8");
    double loss = -1;
    OK(mesaopt_task_from_callback(ctx, NULL, fill_then_fail, NULL, &left, &task));
    REFUSED(ctx, MESAOPT_E_SOURCE, "fill: returned 5 for sequences 16..23 of stream 0", mesaopt_baseline_train(b, task, 9, NULL, NULL));
    ck_assert_int_eq(mesaopt_baseline_updates(b), 2);
    REFUSED(ctx, MESAOPT_E_SOURCE, "fill: returned 5", mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, 9, NULL, &loss));
    REFUSED(ctx, MESAOPT_E_SOURCE, "fill: returned 5", mesaopt_baseline_search(b, task, 9, &loss));
    ck_assert_double_eq(loss, -1);
    OK(mesaopt_baseline_free(b));
    OK(mesaopt_task_free(task));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* What a sequence callback does with a baseline that is at work on its sequences. */
typedef struct visit { mesaopt_baseline *b; mesaopt_task *task; int calls; } visit;

static int32_t fill_and_use(int32_t stream, int64_t first, const mesaopt_view *out, void *user)
{
    visit *v = user;
    double x[2][3], p[2];
    mesaopt_view in = DENSE(x, MESAOPT_F64, 2, 3, 1), to = DENSE(p, MESAOPT_F64, 2, 1, 1);
    in.shape[1] = 2;
    fill_and_interrupt(stream, first, out, NULL);
    for (int i = 0; i < 6; i++) x[i / 3][i % 3] = i;
    OK(mesaopt_baseline_predict(v->b, &in, &to));
    v->calls++;
    return 0;
}

START_TEST(callbacks_may_use_the_baseline)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    visit v = {baseline_of(ctx, "baseline=gd eta=0.5"), NULL, 0};
    double loss;
    OK(mesaopt_task_from_callback(ctx, NULL, fill_and_use, NULL, &v, &v.task));
    OK(mesaopt_baseline_evaluate(v.b, v.task, MESAOPT_STREAM_TEST, 0, 10, NULL, &loss));
    OK(mesaopt_baseline_search(v.b, v.task, 10, NULL));
    ck_assert_int_gt(v.calls, 1);
    OK(mesaopt_ctx_free(ctx));                         /* any order of freeing */
    OK(mesaopt_task_free(v.task));
    OK(mesaopt_baseline_free(v.b));
    OK(mesaopt_baseline_free(NULL));
}
END_TEST

/* Refusing the n-th request for memory, for every n: an error that changes nothing, or the result; and nothing leaks. */
START_TEST(out_of_memory)
{
    static double x[20 * 6 * 3], p[20 * 5 * 3];
    const mesaopt_view in = DENSE(x, MESAOPT_F64, 20, 6, 3), out = DENSE(p, MESAOPT_F64, 20, 5, 3);
    mesaopt_settings *settings = settings_from(MESAOPT_SCOPE_BASELINE, "baseline=lsq ridge=3");
    int refused = 1;
    for (long n = 1; refused; n++) {
        hook_alloc hook = {0};
        mesaopt_settings *s = NULL;
        mesaopt_ctx *ctx = NULL;
        mesaopt_task *task = NULL;
        mesaopt_baseline *b = NULL;
        double loss = -1, best = -1, unchanged = -1;
        OK(mesaopt_settings_create(MESAOPT_SCOPE_CTX, hook_alloc_fn, &hook, &s));
        OK(mesaopt_ctx_create(s, &ctx));
        mesaopt_settings_free(s);
        OK(mesaopt_task_create(ctx, NULL, &task));
        const long before = atomic_load(&hook.calls);
        atomic_store(&hook.fail_at, before + n);
        mesaopt_status status = mesaopt_baseline_create(ctx, settings, &b);
        if (status == MESAOPT_OK) status = mesaopt_baseline_predict(b, &in, &out);
        if (status == MESAOPT_OK) status = mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, 20, NULL, &loss);
        if (status == MESAOPT_OK) status = mesaopt_baseline_search(b, task, 20, &best);
        refused = atomic_load(&hook.calls) >= before + n;
        ck_assert_int_eq(status, refused ? MESAOPT_E_MEMORY : MESAOPT_OK);
        ck_assert(!refused || best == -1);
        atomic_store(&hook.fail_at, 0);
        if (refused && loss != -1) {                   /* the search failed: the ridge is what it was */
            OK(mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, 20, NULL, &unchanged));
            ck_assert_double_eq(unchanged, loss);
        }
        OK(mesaopt_baseline_free(b));
        OK(mesaopt_task_free(task));
        OK(mesaopt_ctx_free(ctx));
        ck_assert_int_eq(atomic_load(&hook.blocks), 0);
        ck_assert_int_eq(atomic_load(&hook.bytes), 0);
        if (!refused) ck_assert_int_ge(n, 9);
    }
    mesaopt_settings_free(settings);
}
END_TEST

START_TEST(losses_that_are_not_finite)
{
    static double x[3][9][2];
    for (int i = 0; i < 3 * 9 * 2; i++) x[i / 18][i / 2 % 9][i % 2] = 1e200;
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    const mesaopt_view view = DENSE(x, MESAOPT_F64, 3, 9, 2);
    mesaopt_tensor *tensor;
    mesaopt_task *task;
    double loss = -1, by_t[8] = {-1};
    const mesaopt_view errors = DENSE(by_t, MESAOPT_F64, 8);
    mesaopt_baseline *b = baseline_of(ctx, "baseline=gd");
    OK(mesaopt_tensor_wrap(ctx, &view, NULL, NULL, &tensor));
    OK(mesaopt_task_from_tensor(ctx, NULL, tensor, &task));
    REFUSED(ctx, MESAOPT_E_NONFINITE, "loss", mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, 3, &errors, &loss));
    REFUSED(ctx, MESAOPT_E_NONFINITE, "eta", mesaopt_baseline_search(b, task, 3, &loss));
    ck_assert_double_eq(loss, -1);
    ck_assert_double_eq(by_t[0], -1);
    double out[3][9][2];
    const mesaopt_view predictions = DENSE(out, MESAOPT_F64, 3, 8, 2), preconditioned = DENSE(out, MESAOPT_F64, 3, 9, 2);
    REFUSED(ctx, MESAOPT_E_NONFINITE, "out: element [0,1,0] is inf", mesaopt_baseline_predict(b, &view, &predictions));
    x[1][3][1] = NAN;
    for (int i = 0; i < 54; i++) if (i != 25) x[i / 18][i / 2 % 9][i % 2] = 1;
    REFUSED(ctx, MESAOPT_E_NONFINITE, "out: element [1,3,", mesaopt_baseline_precondition(b, &view, &preconditioned));
    OK(mesaopt_baseline_free(b));
    OK(mesaopt_task_free(task));
    OK(mesaopt_tensor_free(tensor));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

Suite *test_baseline_calls_suite(void)
{
    Suite *suite = suite_create("baseline calls");
    TCase *calls = tcase_create("calls");
    tcase_set_timeout(calls, 60);
    tcase_add_test(calls, interrupts_stop_long_calls);
    tcase_add_test(calls, callbacks_may_use_the_baseline);
    tcase_add_test(calls, predictions_without_pairs);
    tcase_add_test(calls, sources_that_fail);
    tcase_add_test(calls, out_of_memory);
    tcase_add_test(calls, losses_that_are_not_finite);
    suite_add_tcase(suite, calls);
    return suite;
}
