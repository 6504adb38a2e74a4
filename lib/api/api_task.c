/* mesaopt/task.h: checks arguments, then delegates to task/. */
#include "api/api_call.h"
#include "base/number.h"
#include "base/options.h"
#include "task/sequences.h"

/* ---- creation ---- */

static mesaopt_status check_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                   mesaopt_task **out)
{
    mesaopt_status status = options_check(ctx, settings, MESAOPT_SCOPE_TASK, "settings");
    return status == MESAOPT_OK ? check_not_null(ctx, out, "out") : status;
}

static mesaopt_status check_sequences(mesaopt_ctx *ctx, const mesaopt_tensor *sequences)
{
    mesaopt_status status = check_handle(ctx, sequences, OBJECT_TENSOR, "sequences");
    if (status != MESAOPT_OK) return status;
    const mesaopt_view *v = &sequences->view;
    mesaopt_view own;
    view_want want = {.name = "sequences", .ndim = 3, .shape = {ANY, ANY, ANY}};
    status = view_check(ctx, v, &want, &own);
    if (status != MESAOPT_OK) return status;
    if (v->shape[0] < 1 || v->shape[1] < 2 || v->shape[2] < 1)
        return fail(ctx, MESAOPT_E_SHAPE,
                    "sequences: shape %s, expected [N,T+1,n] with N, T, n >= 1",
                    view_list(3, v->shape).text);
    int64_t at[MESAOPT_MAX_RANK];
    if (view_first_nonfinite(v, at))
        return fail(ctx, MESAOPT_E_NONFINITE,
                    "sequences: element %s is %s, expected a finite number", view_list(3, at).text,
                    number_text(view_get(v, at)).text);
    return MESAOPT_OK;
}

static mesaopt_status create(mesaopt_ctx *ctx, const mesaopt_settings *settings, mesaopt_task **out)
{
    mesaopt_status status = check_create(ctx, settings, out);
    return status == MESAOPT_OK ? task_generated(ctx, settings, out) : status;
}

static mesaopt_status from_tensor(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                  mesaopt_tensor *sequences, mesaopt_task **out)
{
    mesaopt_status status = check_create(ctx, settings, out);
    if (status == MESAOPT_OK) status = check_sequences(ctx, sequences);
    return status == MESAOPT_OK ? task_own(ctx, settings, sequences, out) : status;
}

static mesaopt_status from_callback(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                    mesaopt_sequence_fn fill, void *user, mesaopt_task **out)
{
    mesaopt_status status = check_create(ctx, settings, out);
    if (status != MESAOPT_OK) return status;
    return fill ? task_callback(ctx, settings, fill, user, out)
                : fail(ctx, MESAOPT_E_ARGUMENT, "fill: NULL, expected a function");
}

mesaopt_status mesaopt_task_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                   mesaopt_task **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings);
    return status == MESAOPT_OK ? ctx_leave(&c, create(ctx, settings, out)) : status;
}

mesaopt_status mesaopt_task_from_tensor(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                        mesaopt_tensor *sequences, mesaopt_task **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, sequences, settings);
    return status == MESAOPT_OK ? ctx_leave(&c, from_tensor(ctx, settings, sequences, out))
                                : status;
}

mesaopt_status mesaopt_task_from_callback(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                          mesaopt_sequence_fn fill, void *user, mesaopt_task **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings);
    return status == MESAOPT_OK ? ctx_leave(&c, from_callback(ctx, settings, fill, user, out))
                                : status;
}

/* ---- use ---- */

mesaopt_status mesaopt_task_shape(const mesaopt_task *task, int64_t *dim, int64_t *length,
                                  int64_t *width, int64_t *count)
{
    const mesaopt_status status = check_kind(OBJECT_TASK, task);
    if (status != MESAOPT_OK) return status;
    if (dim) *dim = task->shape.dim;
    if (length) *length = task->shape.length;
    if (width) *width = task->shape.width;
    if (count) *count = task->shape.count;
    return MESAOPT_OK;
}

static mesaopt_status checked_draw(mesaopt_task *task, call *c, int32_t stream, int64_t first,
                                   const mesaopt_view *out)
{
    mesaopt_ctx *ctx = task->head.ctx;
    mesaopt_view own;
    view_want want = {.name = "out",
                      .ndim = 3,
                      .shape = {ANY, task->shape.length + 1, task->shape.dim},
                      .output = 1};
    mesaopt_status status = view_check(ctx, out, &want, &own);
    CHECK(task_range_check(ctx, stream, first, out->shape[0]));
    if (task->own) CHECK(view_apart(ctx, &own, "out", &task->own->view, "the task's sequences"));
    CHECK(task_draw(task, c, stream, first, &own));
    return status;
}

static mesaopt_status checked_tokens(mesaopt_task *task, const mesaopt_view *sequences,
                                     const mesaopt_view *out)
{
    mesaopt_ctx *ctx = task->head.ctx;
    call_views w;
    views_begin(&w, ctx);
    view_want want = {.name = "sequences", .ndim = 3, .shape = {ANY, ANY, task->shape.dim}};
    mesaopt_status status = views_take(&w, &sequences, &want);
    if (status != MESAOPT_OK) return status;
    if (sequences->shape[1] < 1)
        return fail(ctx, MESAOPT_E_SHAPE, "sequences: shape %s, expected [B,T+1,n] with T >= 0",
                    view_list(3, sequences->shape).text);
    view_want result = {.name = "out",
                        .ndim = 3,
                        .shape = {sequences->shape[0], sequences->shape[1] - 1, task->shape.width},
                        .dtype = sequences->dtype,
                        .output = 1};
    status = views_take(&w, &out, &result);
    CHECK(views_apart(&w));
    CHECK(task_tokens(task, sequences, out));
    return status;
}

mesaopt_status mesaopt_task_draw(mesaopt_task *task, int32_t stream, int64_t first,
                                 const mesaopt_view *out)
{
    call c;
    mesaopt_status status = call_begin(task, OBJECT_TASK, CALL_IN_CALLBACK, &c);
    return status == MESAOPT_OK ? call_end(&c, checked_draw(task, &c, stream, first, out))
                                : status;
}

mesaopt_status mesaopt_task_tokens(mesaopt_task *task, const mesaopt_view *sequences,
                                   const mesaopt_view *out)
{
    call c;
    mesaopt_status status = call_begin(task, OBJECT_TASK, CALL_IN_CALLBACK, &c);
    return status == MESAOPT_OK ? call_end(&c, checked_tokens(task, sequences, out)) : status;
}

static mesaopt_status checked_features(mesaopt_task *task, const mesaopt_view *sequences,
                                       const mesaopt_view *out)
{
    call_views w;
    views_begin(&w, task->head.ctx);
    mesaopt_status status = task_check_features(task->head.ctx, task, "task");
    CHECK(views_take(&w, &sequences,
                     &(view_want){
                         .name = "sequences", .ndim = 3, .shape = {ANY, ANY, task->shape.dim}}));
    if (status != MESAOPT_OK) return status;
    status = views_take(
        &w, &out,
        &(view_want){.name = "out",
                     .ndim = 3,
                     .shape = {sequences->shape[0], sequences->shape[1], sequences->shape[2]},
                     .dtype = sequences->dtype,
                     .output = 1});
    CHECK(views_apart(&w));
    CHECK(task_features(task, sequences, 0, out));
    return status;
}

mesaopt_status mesaopt_task_features(mesaopt_task *task, const mesaopt_view *sequences,
                                     const mesaopt_view *out)
{
    call c;
    mesaopt_status status = call_begin(task, OBJECT_TASK, CALL_IN_CALLBACK, &c);
    return status == MESAOPT_OK ? call_end(&c, checked_features(task, sequences, out)) : status;
}

mesaopt_status mesaopt_task_free(mesaopt_task *task)
{
    return object_free(task, OBJECT_TASK);
}
