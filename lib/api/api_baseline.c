/* mesaopt/baseline.h: checks arguments, then delegates to study/. */
#include "api/api_call.h"
#include "base/choices.h"
#include "base/options.h"
#include "kern/finite.h"
#include "study/baselines.h"

static mesaopt_status create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                             mesaopt_baseline **out)
{
    mesaopt_status status = options_check(ctx, settings, MESAOPT_SCOPE_BASELINE, "settings");
    CHECK(check_not_null(ctx, out, "out"));
    CHECK(baseline_create(ctx, settings, out));
    return status;
}

mesaopt_status mesaopt_baseline_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                       mesaopt_baseline **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings);
    return status == MESAOPT_OK ? ctx_leave(&c, create(ctx, settings, out)) : status;
}

static mesaopt_status take_sequences(call_views *w, const mesaopt_view **sequences, int64_t least)
{
    const mesaopt_status status = views_take(
        w, sequences, &(view_want){.name = "sequences", .ndim = 3, .shape = {ANY, ANY, ANY}});
    if (status != MESAOPT_OK || (*sequences)->shape[1] >= least) return status;
    return fail(w->ctx, MESAOPT_E_SHAPE, "sequences: shape %s, expected [B,T+1,n] with T >= 0",
                view_list(3, (*sequences)->shape).text);
}

mesaopt_status mesaopt_baseline_predict(mesaopt_baseline *baseline, const mesaopt_view *sequences,
                                        const mesaopt_view *out)
{
    call c;
    mesaopt_status status = call_begin(baseline, OBJECT_BASELINE, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    call_views w;
    views_begin(&w, baseline->head.ctx);
    CHECK(take_sequences(&w, &sequences, 1));
    const int64_t *in = sequences ? sequences->shape : NULL;
    CHECK(baseline_check_space(baseline, NULL, in[2]));
    CHECK(views_take(
        &w, &out,
        &(view_want){.name = "out", .ndim = 3, .shape = {in[0], in[1] - 1, in[2]}, .output = 1}));
    CHECK(views_apart(&w));
    CHECK(baseline_predict(baseline, NULL, sequences, out));
    CHECK(finite_require(baseline->head.ctx, out, "out"));
    return call_end(&c, status);
}

mesaopt_status mesaopt_baseline_precondition(mesaopt_baseline *baseline,
                                             const mesaopt_view *sequences, const mesaopt_view *out)
{
    call c;
    mesaopt_status status = call_begin(baseline, OBJECT_BASELINE, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = baseline->head.ctx;
    call_views w;
    views_begin(&w, ctx);
    if (!baseline->method->conditions)
        status =
            fail(ctx, MESAOPT_E_STATE, "baseline: kernel, expected one that has a preconditioner");
    CHECK(take_sequences(&w, &sequences, 0));
    const int64_t *in = sequences ? sequences->shape : NULL;
    CHECK(baseline_check_space(baseline, NULL, in[2]));
    CHECK(views_take(&w, &out,
                     &(view_want){.name = "out",
                                  .ndim = 3,
                                  .shape = {in[0], in[1], baseline_width(baseline, in[2])},
                                  .output = 1}));
    CHECK(views_apart(&w));
    CHECK(baseline_precondition(baseline, NULL, sequences, out));
    CHECK(finite_require(ctx, out, "out"));
    return call_end(&c, status);
}

static mesaopt_status check_learns(const mesaopt_baseline *b)
{
    if (b->method->learned) return MESAOPT_OK;
    return fail(b->head.ctx, MESAOPT_E_STATE,
                "baseline: %s, expected richardson or chebyshev, which have coefficients",
                b->name);
}

mesaopt_status mesaopt_baseline_coefficients(mesaopt_baseline *baseline, mesaopt_view *out)
{
    call c;
    mesaopt_status status = call_begin(baseline, OBJECT_BASELINE, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = baseline->head.ctx;
    const int64_t rows = baseline->method->learned, K = baseline->iterations;
    CHECK(check_learns(baseline));
    CHECK(check_not_null(ctx, out, "out"));
    if (status == MESAOPT_OK)
        *out = (mesaopt_view){.data = baseline->coefficients,
                              .shape = {rows, K},
                              .stride = {K, 1},
                              .ndim = 2,
                              .dtype = MESAOPT_F64};
    return call_end(&c, status);
}

mesaopt_status mesaopt_baseline_set_task(mesaopt_baseline *baseline, mesaopt_task *task)
{
    call c;
    mesaopt_status status = call_begin(baseline, OBJECT_BASELINE, CALL_NORMAL, &c, task);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = baseline->head.ctx;
    if (task) CHECK(check_handle(ctx, task, OBJECT_TASK, "task"));
    if (status == MESAOPT_OK && baseline->space != SPACE_FEATURES)
        status = fail(ctx, MESAOPT_E_STATE, "space: %s, expected features to take a task for",
                      options_word(MESAOPT_KEY_SPACE, baseline->space));
    if (task) CHECK(task_check_features(ctx, task, "task"));
    if (status == MESAOPT_OK) {
        if (task) object_retain(&task->head);
        if (baseline->task) object_release(&baseline->task->head);
        baseline->task = task;
    }
    return call_end(&c, status);
}

static mesaopt_status check_task(const mesaopt_baseline *b, const mesaopt_task *task,
                                 int32_t stream, int64_t first, int64_t count)
{
    mesaopt_ctx *ctx = b->head.ctx;
    mesaopt_status status = check_handle(ctx, task, OBJECT_TASK, "task");
    CHECK(baseline_check_space(b, task, task->shape.dim));
    CHECK(task_range_check(ctx, stream, first, count));
    if (status == MESAOPT_OK && count < 1)
        status = fail(ctx, MESAOPT_E_ARGUMENT, "count: %lld, expected >= 1", (long long)count);
    return status;
}

/* The means by t, in memory of their own until nothing can fail. */
static mesaopt_status evaluate(mesaopt_baseline *b, call *c, mesaopt_task *task, int32_t stream,
                               int64_t first, int64_t count, const mesaopt_view *by_t, double *loss)
{
    const int64_t T = task->shape.length;
    const allocator *alloc = &b->head.ctx->alloc;
    double *means = alloc_new(alloc, T, sizeof *means);
    if (!means)
        return fail(b->head.ctx, MESAOPT_E_MEMORY,
                    "evaluate: no memory for the errors of %lld steps", (long long)T);
    mesaopt_status status = baseline_evaluate(b, c, task, stream, first, count, means, loss);
    if (status == MESAOPT_OK && by_t)
        for (int64_t t = 0; t < T; t++) view_set(by_t, &t, means[t]);
    alloc_free(alloc, means);
    return status;
}

mesaopt_status mesaopt_baseline_evaluate(mesaopt_baseline *baseline, mesaopt_task *task,
                                         int32_t stream, int64_t first, int64_t count,
                                         const mesaopt_view *by_t, double *loss)
{
    call c;
    mesaopt_status status = call_begin(baseline, OBJECT_BASELINE, CALL_IN_CALLBACK, &c, task);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = baseline->head.ctx;
    mesaopt_view own;
    CHECK(check_task(baseline, task, stream, first, count));
    if (by_t)
        CHECK(view_check(ctx, by_t, &(view_want){"by_t", 1, {task->shape.length}, MESAOPT_F64, 1},
                         &own));
    CHECK(check_not_null(ctx, loss, "loss"));
    CHECK(evaluate(baseline, &c, task, stream, first, count, by_t ? &own : NULL, loss));
    return call_end(&c, status);
}

mesaopt_status mesaopt_baseline_search(mesaopt_baseline *baseline, mesaopt_task *task,
                                       int64_t count, double *best)
{
    call c;
    mesaopt_status status = call_begin(baseline, OBJECT_BASELINE, CALL_IN_CALLBACK, &c, task);
    if (status != MESAOPT_OK) return status;
    CHECK(check_task(baseline, task, MESAOPT_STREAM_SEARCH, 0, count));
    CHECK(baseline_search(baseline, &c, task, count));
    if (status >= 0 && best) *best = baseline->value;
    return call_end(&c, status);
}

mesaopt_status mesaopt_baseline_train(mesaopt_baseline *baseline, mesaopt_task *task,
                                      int64_t updates, mesaopt_step_fn after, void *user)
{
    call c;
    mesaopt_status status = call_begin(baseline, OBJECT_BASELINE, CALL_NORMAL, &c, task);
    if (status != MESAOPT_OK) return status;
    CHECK(check_learns(baseline));
    CHECK(check_task(baseline, task, MESAOPT_STREAM_TRAIN, 0, baseline->batch));
    if (status == MESAOPT_OK && (updates < 0 || updates > INT64_MAX / baseline->batch))
        status = fail(baseline->head.ctx, MESAOPT_E_ARGUMENT, "updates: %lld, expected 0 to %lld",
                      (long long)updates, (long long)(INT64_MAX / baseline->batch));
    CHECK(baseline_train(baseline, &c, task, updates, after, user));
    return call_end(&c, status);
}

int64_t mesaopt_baseline_updates(const mesaopt_baseline *baseline)
{
    const mesaopt_status status = check_kind(OBJECT_BASELINE, baseline);
    return status == MESAOPT_OK ? atomic_load(&baseline->updates) : status;
}

mesaopt_status mesaopt_baseline_free(mesaopt_baseline *baseline)
{
    return object_free(baseline, OBJECT_BASELINE);
}
