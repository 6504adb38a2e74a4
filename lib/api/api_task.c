/* mesaopt/task.h: checks arguments, then delegates to task/. */
#include "api/api_call.h"
#include "api/api_checks.h"
#include "base/number.h"
#include "base/options.h"
#include "kern/finite.h"
#include "task/prompts.h"
#include "task/sequences.h"
#include <stdio.h>
#include <string.h>

/* ---- creation ---- */

static mesaopt_status check_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                   mesaopt_task **out)
{
    mesaopt_status status = options_check(ctx, settings, MESAOPT_SCOPE_TASK, "settings");
    return status == MESAOPT_OK ? check_not_null(ctx, out, "out") : status;
}

/* "sequences" of one tensor [N, T+1, n], "sequences[3]" of many [T_i + 1, n]. */
static mesaopt_status check_sequences(mesaopt_ctx *ctx, const mesaopt_tensor *sequences,
                                      const char *name, int32_t ndim, int64_t n)
{
    const mesaopt_view *v = &sequences->view;
    mesaopt_status status;
    mesaopt_view own;
    const view_want stack = {.name = name, .ndim = 3, .shape = {ANY, ANY, ANY}},
                    one = {.name = name, .ndim = 2, .shape = {ANY, n}};
    status = view_check(ctx, v, ndim == 3 ? &stack : &one, &own);
    if (status != MESAOPT_OK) return status;
    if (v->shape[0] < 1 || v->shape[ndim - 2] < 2 || v->shape[ndim - 1] < 1)
        return fail(ctx, MESAOPT_E_SHAPE, "%s: shape %s, expected %s with extents >= 1 and T >= 1",
                    name, view_list(ndim, v->shape).text, ndim == 3 ? "[N,T+1,n]" : "[T+1,n]");
    int64_t at[MESAOPT_MAX_RANK];
    if (view_first_nonfinite(v, at))
        return fail(ctx, MESAOPT_E_NONFINITE, "%s: element %s is %s, expected a finite number",
                    name, view_list(ndim, at).text, number_text(view_get(v, at)).text);
    return MESAOPT_OK;
}

static mesaopt_status check_count(mesaopt_ctx *ctx, int64_t count)
{
    if (count >= 1) return MESAOPT_OK;
    return fail(ctx, MESAOPT_E_ARGUMENT, "count: %lld, expected at least 1 sequence",
                (long long)count);
}

static mesaopt_status check_list(mesaopt_ctx *ctx, int64_t count,
                                 mesaopt_tensor *const *sequences)
{
    mesaopt_status status = check_not_null(ctx, sequences, "sequences");
    CHECK(check_count(ctx, count));
    for (int64_t i = 0; i < count && status == MESAOPT_OK; i++) {
        char name[40];
        snprintf(name, sizeof name, "sequences[%lld]", (long long)i);
        status = check_alive(ctx, sequences[i], OBJECT_TENSOR, name);
        CHECK(check_sequences(ctx, sequences[i], name, 2, i ? sequences[0]->view.shape[1] : ANY));
    }
    return status;
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
    CHECK(check_handle(ctx, sequences, OBJECT_TENSOR, "sequences"));
    CHECK(check_sequences(ctx, sequences, "sequences", 3, ANY));
    CHECK(task_own(ctx, settings, 1, &sequences, out));
    return status;
}

static mesaopt_status from_tensors(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                   int64_t count, mesaopt_tensor *const *sequences,
                                   mesaopt_task **out)
{
    mesaopt_status status = check_create(ctx, settings, out);
    CHECK(check_list(ctx, count, sequences));
    CHECK(task_own(ctx, settings, count, sequences, out));
    return status;
}

/* Inputs or outputs (`alike`: the inputs, of the same shape), [N, P, n] or [P, n]. */
static mesaopt_status check_part(mesaopt_ctx *ctx, const mesaopt_tensor *part, const char *name,
                                 int32_t ndim, int64_t n, const mesaopt_tensor *alike)
{
    mesaopt_view own;
    view_want want = {.name = name, .ndim = ndim, .shape = {ANY, ANY, ANY}};
    want.shape[ndim - 1] = n;
    if (alike) memcpy(want.shape, alike->view.shape, (size_t)ndim * sizeof *want.shape);
    mesaopt_status status = view_check(ctx, &part->view, &want, &own);
    if (status == MESAOPT_OK && view_count(&own) == 0)
        status = fail(ctx, MESAOPT_E_SHAPE, "%s: shape %s, expected %s with extents >= 1", name,
                      view_list(ndim, own.shape).text, ndim == 3 ? "[N,P,n]" : "[P,n]");
    CHECK(check_finite(ctx, &own, name));
    return status;
}

/* Both alike, [N, P, n]. */
static mesaopt_status check_pairs(mesaopt_ctx *ctx, const mesaopt_tensor *inputs,
                                  const mesaopt_tensor *outputs)
{
    mesaopt_status status = check_handle(ctx, inputs, OBJECT_TENSOR, "inputs");
    CHECK(check_part(ctx, inputs, "inputs", 3, ANY, NULL));
    CHECK(check_handle(ctx, outputs, OBJECT_TENSOR, "outputs"));
    CHECK(check_part(ctx, outputs, "outputs", 3, ANY, inputs));
    return status;
}

/* Both of every sequence alike, [P_i, n], of one n. */
static mesaopt_status check_pair_lists(mesaopt_ctx *ctx, int64_t count,
                                       mesaopt_tensor *const *const list[2])
{
    static const char *const names[] = {"inputs", "outputs"};
    mesaopt_status status = check_not_null(ctx, list[0], names[0]);
    CHECK(check_not_null(ctx, list[1], names[1]));
    CHECK(check_count(ctx, count));
    for (int64_t i = 0; i < count && status == MESAOPT_OK; i++)
        for (int part = 0; part < 2 && status == MESAOPT_OK; part++) {
            char name[40];
            snprintf(name, sizeof name, "%s[%lld]", names[part], (long long)i);
            status = check_alive(ctx, list[part][i], OBJECT_TENSOR, name);
            CHECK(check_part(ctx, list[part][i], name, 2, i ? list[0][0]->view.shape[1] : ANY,
                             part ? list[0][i] : NULL));
        }
    return status;
}

static mesaopt_status from_pairs(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                 mesaopt_tensor *inputs, mesaopt_tensor *outputs,
                                 mesaopt_task **out)
{
    mesaopt_status status = check_create(ctx, settings, out);
    CHECK(check_pairs(ctx, inputs, outputs));
    CHECK(task_pairs(ctx, settings, 1, (mesaopt_tensor *const *const[]){&inputs, &outputs}, out));
    return status;
}

static mesaopt_status from_pair_tensors(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                        int64_t count, mesaopt_tensor *const *const list[2],
                                        mesaopt_task **out)
{
    mesaopt_status status = check_create(ctx, settings, out);
    CHECK(check_pair_lists(ctx, count, list));
    CHECK(task_pairs(ctx, settings, count, list, out));
    return status;
}

static mesaopt_status from_callback(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                    mesaopt_sequence_fn fill, mesaopt_release_fn release,
                                    void *user, mesaopt_task **out)
{
    mesaopt_status status = check_create(ctx, settings, out);
    if (status != MESAOPT_OK) return status;
    return fill ? task_callback(ctx, settings, fill, release, user, out)
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

mesaopt_status mesaopt_task_from_tensors(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                         int64_t count, mesaopt_tensor *const *sequences,
                                         mesaopt_task **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings);
    return status == MESAOPT_OK ? ctx_leave(&c, from_tensors(ctx, settings, count, sequences, out))
                                : status;
}

mesaopt_status mesaopt_task_from_pairs(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                       mesaopt_tensor *inputs, mesaopt_tensor *outputs,
                                       mesaopt_task **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, inputs, outputs, settings);
    return status == MESAOPT_OK ? ctx_leave(&c, from_pairs(ctx, settings, inputs, outputs, out))
                                : status;
}

mesaopt_status mesaopt_task_from_pair_tensors(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                              int64_t count, mesaopt_tensor *const *inputs,
                                              mesaopt_tensor *const *outputs, mesaopt_task **out)
{
    call c;
    mesaopt_tensor *const *const list[] = {inputs, outputs};
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings);
    return status == MESAOPT_OK ? ctx_leave(&c, from_pair_tensors(ctx, settings, count, list, out))
                                : status;
}

mesaopt_status mesaopt_task_from_callback(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                          mesaopt_sequence_fn fill, mesaopt_release_fn release,
                                          void *user, mesaopt_task **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings);
    return status == MESAOPT_OK
               ? ctx_leave(&c, from_callback(ctx, settings, fill, release, user, out))
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

/* The steps that a row of weights scores lie in its sequence, and there is one. */
static mesaopt_status check_scored(const mesaopt_task *task, const mesaopt_view *weights)
{
    const int each = weights->ndim == 2 || task_ragged(task);
    for (int64_t row = 0; row < (each ? task->shape.count : 1); row++) {
        const int64_t steps = task_own_steps(task, row);
        int64_t t = 0;
        while (t < steps && !(view_get(weights, weights->ndim == 2 ? (int64_t[]){row, t} : &t) > 0))
            t++;
        if (t == steps)
            return fail(task->head.ctx, MESAOPT_E_ARGUMENT,
                        "weights: all 0 in the %lld steps of sequence %lld, expected one above 0",
                        (long long)steps, (long long)row);
    }
    return MESAOPT_OK;
}

/* A vector of a prompt is nothing to be predicted. */
static mesaopt_status check_targets(const mesaopt_task *task, const mesaopt_view *weights)
{
    const int64_t rows = weights->ndim == 2 ? weights->shape[0] : 1, T = task->shape.length;
    for (int64_t t = 0; t < T && task->shape.layout.teachers; t++)
        for (int64_t i = 0; i < rows && pair_layout_row(&task->shape.layout, t + 1) < 0; i++)
            if (view_get(weights, weights->ndim == 2 ? (int64_t[]){i, t} : &t) > 0)
                return fail(task->head.ctx, MESAOPT_E_ARGUMENT,
                            "weights: above 0 at step %lld, which a vector of a prompt follows, "
                            "expected 0",
                            (long long)t);
    return MESAOPT_OK;
}

static mesaopt_status checked_weights(mesaopt_task *task, const mesaopt_view *weights)
{
    mesaopt_ctx *ctx = task->head.ctx;
    const int64_t count = task->shape.count, T = task->shape.length;
    mesaopt_view own;
    const view_want same = {.name = "weights", .ndim = 1, .shape = {T}},
                    each = {.name = "weights", .ndim = 2, .shape = {count, T}};
    const int rows = weights && weights->ndim == 2 && count > 0;
    mesaopt_status status = view_check(ctx, weights, rows ? &each : &same, &own);
    CHECK(check_weights(ctx, &own));
    CHECK(check_scored(task, &own));
    CHECK(check_targets(task, &own));
    CHECK(task_set_weights(task, &own));
    return status;
}

mesaopt_status mesaopt_task_set_weights(mesaopt_task *task, const mesaopt_view *weights)
{
    call c;
    mesaopt_status status = call_begin(task, OBJECT_TASK, CALL_NORMAL, &c);
    return status == MESAOPT_OK ? call_end(&c, checked_weights(task, weights)) : status;
}

static mesaopt_status check_prompt(const mesaopt_task *task, const mesaopt_prompt *prompt)
{
    mesaopt_ctx *ctx = task->head.ctx;
    const pair_layout *l = &task->shape.layout;
    mesaopt_status status = check_handle(ctx, prompt, OBJECT_PROMPT, "prompt");
    if (status == MESAOPT_OK && !pair_layout_inserts(l))
        status = fail(ctx, MESAOPT_E_STATE,
                      "prompt: for a layout without separator and prefix, expected none");
    if (status == MESAOPT_OK && prompt->dim != task->shape.dim)
        status = fail(ctx, MESAOPT_E_SHAPE, "prompt: vectors of %lld numbers, expected %lld",
                      (long long)prompt->dim, (long long)task->shape.dim);
    if (status == MESAOPT_OK && l->prefix && prompt->prefix != l->prefix)
        status = fail(ctx, MESAOPT_E_SHAPE, "prompt: a prefix of %lld vectors, expected %lld",
                      (long long)prompt->prefix, (long long)l->prefix);
    return status;
}

mesaopt_status mesaopt_task_set_prompt(mesaopt_task *task, mesaopt_prompt *prompt)
{
    call c;
    mesaopt_status status = call_begin(task, OBJECT_TASK, CALL_NORMAL, &c, prompt);
    if (status != MESAOPT_OK) return status;
    if (prompt) status = check_prompt(task, prompt);
    if (status == MESAOPT_OK) {
        if (prompt) object_retain(&prompt->head);
        if (task->prompt) object_release(&task->prompt->head);
        task->prompt = prompt;
    }
    return call_end(&c, status);
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
    for (int64_t i = 0; i < task->tensors; i++)
        CHECK(view_apart(ctx, &own, "out", &task->own[i]->view, "the task's sequences"));
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
    CHECK(finite_require(task->head.ctx, out, "out"));
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
