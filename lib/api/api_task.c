/* mesaopt/task.h: checks arguments, then delegates to task/. */
#include "base/number.h"
#include "base/options.h"
#include "task/sequences.h"

/* ---- creation ---- */

static mesaopt_status check_create(mesaopt_ctx *ctx, const mesaopt_settings *settings, mesaopt_task **out)
{
    mesaopt_status status = options_check(ctx, settings, MESAOPT_SCOPE_TASK, "settings");
    return status ? status : check_not_null(ctx, out, "out");
}

static mesaopt_status check_sequences(mesaopt_ctx *ctx, const mesaopt_tensor *sequences)
{
    if (!sequences) return check_not_null(ctx, sequences, "sequences");
    if (!handle_ok(sequences, OBJECT_TENSOR)) return fail(ctx, MESAOPT_E_ARGUMENT, "sequences: not a live tensor, expected one");
    if (sequences->head.ctx != ctx) return fail(ctx, MESAOPT_E_ARGUMENT, "sequences: a tensor of another context, expected one of this");
    const mesaopt_view *v = &sequences->view;
    view_want want = {.name = "sequences", .ndim = 3, .shape = {ANY, ANY, ANY}};
    mesaopt_status status = view_check(ctx, v, &want);
    if (status) return status;
    if (v->shape[0] < 1 || v->shape[1] < 2 || v->shape[2] < 1)
        return fail(ctx, MESAOPT_E_SHAPE, "sequences: shape [%lld,%lld,%lld], expected [N,T+1,n] with N, T, n >= 1", (long long)v->shape[0],
                    (long long)v->shape[1], (long long)v->shape[2]);
    int64_t at[MESAOPT_MAX_RANK];
    if (view_first_nonfinite(v, at))
        return fail(ctx, MESAOPT_E_NONFINITE, "sequences: element [%lld,%lld,%lld] is %s, expected a finite number", (long long)at[0], (long long)at[1],
                    (long long)at[2], number_text(view_get(v, at)).text);
    return MESAOPT_OK;
}

mesaopt_status mesaopt_task_create(mesaopt_ctx *ctx, const mesaopt_settings *settings, mesaopt_task **out)
{
    call c;
    if (!handle_ok(ctx, OBJECT_CTX)) return MESAOPT_E_ARGUMENT;
    mesaopt_status status = ctx_enter(ctx, CALL_NORMAL, &c);
    if (status) return status;
    status = check_create(ctx, settings, out);
    if (!status) status = task_generated(ctx, settings, out);
    return ctx_leave(&c, status);
}

mesaopt_status mesaopt_task_from_tensor(mesaopt_ctx *ctx, const mesaopt_settings *settings, mesaopt_tensor *sequences, mesaopt_task **out)
{
    call c;
    if (!handle_ok(ctx, OBJECT_CTX)) return MESAOPT_E_ARGUMENT;
    mesaopt_status status = ctx_enter(ctx, CALL_NORMAL, &c);
    if (status) return status;
    status = check_create(ctx, settings, out);
    if (!status) status = check_sequences(ctx, sequences);
    if (!status) status = task_own(ctx, settings, sequences, out);
    return ctx_leave(&c, status);
}

mesaopt_status mesaopt_task_from_callback(mesaopt_ctx *ctx, const mesaopt_settings *settings, mesaopt_sequence_fn fill, void *user, mesaopt_task **out)
{
    call c;
    if (!handle_ok(ctx, OBJECT_CTX)) return MESAOPT_E_ARGUMENT;
    mesaopt_status status = ctx_enter(ctx, CALL_NORMAL, &c);
    if (status) return status;
    status = check_create(ctx, settings, out);
    if (!status && !fill) status = fail(ctx, MESAOPT_E_ARGUMENT, "fill: NULL, expected a function");
    if (!status) status = task_callback(ctx, settings, fill, user, out);
    return ctx_leave(&c, status);
}

/* ---- use ---- */

mesaopt_status mesaopt_task_shape(const mesaopt_task *task, int64_t *dim, int64_t *length, int64_t *width, int64_t *count)
{
    if (!handle_ok(task, OBJECT_TASK)) return MESAOPT_E_ARGUMENT;
    if (dim) *dim = task->shape.dim;
    if (length) *length = task->shape.length;
    if (width) *width = task->shape.width;
    if (count) *count = task->shape.count;
    return MESAOPT_OK;
}

static mesaopt_status checked_draw(mesaopt_task *task, call *c, int32_t stream, int64_t first, const mesaopt_view *out)
{
    mesaopt_ctx *ctx = task->head.ctx;
    view_want want = {.name = "out", .ndim = 3, .shape = {ANY, task->shape.length + 1, task->shape.dim}, .output = 1};
    mesaopt_status status = view_check(ctx, out, &want);
    if (!status) status = task_range_check(ctx, stream, first, out->shape[0]);
    const mesaopt_view *own = task->own ? &task->own->view : NULL;
    if (!status && own) status = view_apart(ctx, 1, (const mesaopt_view *[]){out}, (const char *[]){"out"}, 1, &own, (const char *[]){"the task's sequences"});
    return status ? status : task_draw(task, c, stream, first, out);
}

static mesaopt_status checked_tokens(mesaopt_task *task, const mesaopt_view *sequences, const mesaopt_view *out)
{
    mesaopt_ctx *ctx = task->head.ctx;
    view_want want = {.name = "sequences", .ndim = 3, .shape = {ANY, ANY, task->shape.dim}};
    mesaopt_status status = view_check(ctx, sequences, &want);
    if (status) return status;
    if (sequences->shape[1] < 1)
        return fail(ctx, MESAOPT_E_SHAPE, "sequences: shape [%lld,0,%lld], expected [B,T+1,n] with T >= 0", (long long)sequences->shape[0], (long long)task->shape.dim);
    view_want result = {.name = "out", .ndim = 3, .shape = {sequences->shape[0], sequences->shape[1] - 1, task->shape.width}, .dtype = sequences->dtype, .output = 1};
    status = view_check(ctx, out, &result);
    if (!status) status = view_apart(ctx, 1, &out, (const char *[]){"out"}, 1, &sequences, (const char *[]){"sequences"});
    return status ? status : task_tokens(task, sequences, out);
}

mesaopt_status mesaopt_task_draw(mesaopt_task *task, int32_t stream, int64_t first, const mesaopt_view *out)
{
    call c;
    if (!handle_ok(task, OBJECT_TASK)) return MESAOPT_E_ARGUMENT;
    mesaopt_status status = ctx_enter(task->head.ctx, CALL_IN_CALLBACK, &c);
    if (status) return status;
    atomic_fetch_add(&task->head.in_use, 1);
    status = checked_draw(task, &c, stream, first, out);
    atomic_fetch_sub(&task->head.in_use, 1);
    return ctx_leave(&c, status);
}

mesaopt_status mesaopt_task_tokens(mesaopt_task *task, const mesaopt_view *sequences, const mesaopt_view *out)
{
    call c;
    if (!handle_ok(task, OBJECT_TASK)) return MESAOPT_E_ARGUMENT;
    mesaopt_status status = ctx_enter(task->head.ctx, CALL_IN_CALLBACK, &c);
    return status ? status : ctx_leave(&c, checked_tokens(task, sequences, out));
}

mesaopt_status mesaopt_task_free(mesaopt_task *task)
{
    if (task && !handle_ok(task, OBJECT_TASK)) return MESAOPT_E_ARGUMENT;
    return object_free(task);
}
