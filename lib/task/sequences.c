/* Sequences of a task by index: the user's own, those of a callback, those that are drawn
 * (generated.h). */
#include "task/prompts.h"
#include "task/sequences.h"
#include "base/number.h"
#include "base/options.h"
#include <string.h>

/* ---- own sequences and callbacks ---- */

int64_t task_own_row(const mesaopt_task *task, int32_t stream, int64_t index)
{
    const int64_t count = task->shape.count;
    return stream == MESAOPT_STREAM_TRAIN ? order_row(task->seed, count, index) : index % count;
}

int64_t task_own_steps(const mesaopt_task *task, int64_t row)
{
    if (!task_ragged(task)) return task->shape.length;
    const int64_t rows = task->own[row * task_parts(task)]->view.shape[0];
    return task_has_pairs(task) ? pair_layout_length(&task->shape.layout, rows) : rows - 1;
}

/* [T_i + 1, n]; of pairs the inputs (part 0) or outputs, [P_i, n] */
static mesaopt_view own_sequence(const mesaopt_task *task, int64_t row, int part)
{
    const int stacked = task->own[0]->view.ndim == 3;
    mesaopt_view v = task->own[stacked ? part : row * task_parts(task) + part]->view;
    if (v.ndim == 2) return v;
    v.data = (char *)v.data + row * v.stride[0] * dtype_size(v.dtype);
    v.ndim = 2;
    memmove(v.shape, v.shape + 1, 2 * sizeof *v.shape);
    memmove(v.stride, v.stride + 1, 2 * sizeof *v.stride);
    return v;
}

#define GATHER(from, to) \
    for (int64_t t = 0; t < v.shape[0]; t++) \
        for (int64_t j = 0; j < n; j++) \
            ((to *)raw)[((t * parts + part) * n + j) * k->lanes + l] = \
                (to)((const from *)v.data)[t * v.stride[0] + j * v.stride[1]]

/* Zeros behind the end of a sequence. */
static void own_panel(const mesaopt_task *task, const kern *k, int32_t stream, int64_t first,
                      int64_t valid, void *raw)
{
    const int64_t n = task->shape.dim;
    const int parts = task_parts(task);
    if (valid < k->lanes || task_ragged(task))
        memset(raw, 0, (size_t)(task_rows(task) * n * k->lanes * k->size));
    for (int64_t i = 0; i < valid * parts && !kern_stopped(k); i++) {
        const int64_t l = i / parts;
        const int part = (int)(i % parts);
        const mesaopt_view v = own_sequence(task, task_own_row(task, stream, first + l), part);
        if (v.dtype == MESAOPT_F32 && k->dtype == MESAOPT_F32) GATHER(float, float);
        else if (v.dtype == MESAOPT_F32) GATHER(float, double);
        else if (k->dtype == MESAOPT_F32) GATHER(double, float);
        else GATHER(double, double);
    }
}

mesaopt_status task_reserve(mesaopt_task *task, int64_t count, int32_t dtype)
{
    if (!task->fill) return MESAOPT_OK;
    mesaopt_ctx *ctx = task->head.ctx;
    int64_t bytes;
    if (!size_mul(count, (task->shape.length + 1) * task->shape.dim * dtype_size(dtype), &bytes))
        bytes = INT64_MAX;
    if (bytes <= task->batch.bytes) return MESAOPT_OK;
    if (task->batch.filling)
        return fail(ctx, MESAOPT_E_BUSY,
                    "task: asked for room by its own callback, expected it to return first");
    void *data = alloc_new(&ctx->alloc, 1, bytes);
    if (!data)
        return fail(ctx, MESAOPT_E_MEMORY, "memory: no %lld bytes for %lld sequences of a callback",
                    (long long)bytes, (long long)count);
    alloc_free(&ctx->alloc, task->batch.data);
    task->batch.data = data;
    task->batch.bytes = bytes;
    return MESAOPT_OK;
}

static mesaopt_status check_prompt(const mesaopt_task *task)
{
    const pair_layout *l = &task->shape.layout;
    if (!pair_layout_inserts(l) || task->prompt) return MESAOPT_OK;
    return fail(task->head.ctx, MESAOPT_E_STATE,
                "task: a layout with %s%s%s and no prompt, expected mesaopt_task_set_prompt to "
                "give it one",
                l->separator ? "a separator" : "", l->separator && l->prefix ? " and " : "",
                l->prefix ? "a prefix" : "");
}

mesaopt_status task_prepare(mesaopt_task *task, call *c, int32_t stream, int64_t first,
                            int64_t count, int32_t dtype)
{
    if (!task->fill) return check_prompt(task);
    mesaopt_ctx *ctx = task->head.ctx;
    const int64_t rows = task->shape.length + 1, n = task->shape.dim;
    if (task->batch.filling)
        return fail(ctx, MESAOPT_E_BUSY,
                    "task: asked for sequences by its own callback, expected it to return first");
    mesaopt_status status = task_reserve(task, count, dtype);
    if (status) return status;
    mesaopt_view view = {.data = task->batch.data,
                         .shape = {count, rows, n},
                         .stride = {rows * n, n, 1},
                         .ndim = 3,
                         .dtype = dtype};
    const mesaopt_view mine = view;                    /* the host may scribble on its own */
    /* NaN: what the host leaves out is found */
    memset(view.data, 0xff, (size_t)(count * rows * n * dtype_size(dtype)));
    task->batch.filling = 1;
    ctx_callback_begin(c);
    int32_t answer = task->fill(stream, first, &view, task->fill_user);
    ctx_callback_end(c);
    task->batch.filling = 0;
    if (answer && ctx_interrupted(ctx)) return ctx_stopped(ctx, "fill");
    if (answer)
        return fail(ctx, MESAOPT_E_SOURCE,
                    "fill: returned %d for sequences %lld..%lld of stream %d, expected 0",
                    (int)answer, (long long)first, (long long)(first + count - 1), (int)stream);
    int64_t at[MESAOPT_MAX_RANK];
    if (view_first_nonfinite(&mine, at))
        return fail(
            ctx, MESAOPT_E_NONFINITE,
            "fill: element %s of sequences %lld.. of stream %d is %s, expected a finite number",
            view_list(3, at).text, (long long)first, (int)stream,
            number_text(view_get(&mine, at)).text);
    task->batch.first = first;
    task->batch.count = count;
    task->batch.stream = stream;
    task->batch.dtype = dtype;
    return MESAOPT_OK;
}

static void batch_panel(const mesaopt_task *task, const kern *k, int64_t first, int64_t valid,
                        void *raw)
{
    const int64_t rows = task->shape.length + 1, n = task->shape.dim;
    const char *x =
        (const char *)task->batch.data + (first - task->batch.first) * rows * n * k->size;
    k->load(k, rows, n, valid, x, rows * n, n, 1, raw, n);
}

/* ---- panels ---- */

/* A panel of the rows of pairs, when there are some, and where its sequences end; scratch of the
 * task that draws. */
static void *lay_out(arena *a, const mesaopt_task *task, const kern *k, int64_t **end,
                     void **scratch)
{
    void *rows = NULL;
    *end = task_has_pairs(task) ? arena_take(a, k->lanes, sizeof **end) : NULL;
    if (task_has_pairs(task))
        rows = arena_take(a, task_rows(task) * task->shape.dim, k->lanes * k->size);
    *scratch = task->kind ? arena_take(a, generated_scratch(task, k), 1) : NULL;
    return rows;
}

int64_t task_scratch(const mesaopt_task *task, const kern *k)
{
    arena a = {0};
    int64_t *end;
    void *scratch;
    lay_out(&a, task, k, &end, &scratch);
    return a.used;
}

/* A vector of the prompt into the lanes of an observation t whose sequences go on until there. */
static void insert(const mesaopt_task *task, const kern *k, const int64_t *end, int64_t t,
                   int64_t vector, void *to)
{
    const int64_t n = task->shape.dim;
    memset(to, 0, (size_t)(n * k->lanes * k->size));
    for (int64_t l = 0; l < k->lanes; l++)
        for (int64_t j = 0; j < n && t <= end[l]; j++)
            kern_set_real(k, to, j * k->lanes + l, task->prompt->vectors[vector * n + j]);
}

/* The last observation of the sequence in every lane; -1: there is none. */
static void find_ends(const mesaopt_task *task, const kern *k, int32_t stream, int64_t first,
                      int64_t valid, int64_t *end)
{
    for (int64_t l = 0; l < k->lanes; l++)
        end[l] = l >= valid      ? -1
                 : task->tensors ? task_own_steps(task, task_own_row(task, stream, first + l))
                                 : task->shape.length;
}

/* Rows of pairs to their places in the sequence, the prompt's between them. */
static void arrange(const mesaopt_task *task, const kern *k, const int64_t *end, const void *rows,
                    void *raw)
{
    const int64_t n = task->shape.dim;
    for (int64_t t = 0; t <= task->shape.length; t++) {
        const int64_t row = pair_layout_row(&task->shape.layout, t);
        void *to = kern_at(k, raw, t * n);
        if (row < 0) insert(task, k, end, t, ~row, to);
        else memcpy(to, kern_at(k, rows, row * n), (size_t)(n * k->lanes * k->size));
    }
}

void task_panel(const mesaopt_task *task, const kern *k, int32_t stream, int64_t first,
                int64_t valid, void *memory, void *raw)
{
    int64_t *end;
    void *scratch, *pairs = lay_out(&(arena){.base = memory}, task, k, &end, &scratch);
    void *rows = pairs ? pairs : raw;
    if (task->tensors) own_panel(task, k, stream, first, valid, rows);
    else if (task->fill) batch_panel(task, k, first, valid, rows);
    else generated_panel(task, k, stream, first, valid, scratch, rows);
    if (!pairs) return;
    find_ends(task, k, stream, first, valid, end);
    arrange(task, k, end, pairs, raw);
}

mesaopt_status task_range_check(mesaopt_ctx *ctx, int32_t stream, int64_t first, int64_t count)
{
    if (stream < MESAOPT_STREAM_TRAIN || stream > MESAOPT_STREAM_SEARCH)
        return fail(ctx, MESAOPT_E_ARGUMENT,
                    "stream: %d, expected 0 (train), 1 (test) or 2 (search)", (int)stream);
    if (first < 0)
        return fail(ctx, MESAOPT_E_ARGUMENT, "first: %lld, expected >= 0", (long long)first);
    if (count < 0)
        return fail(ctx, MESAOPT_E_ARGUMENT, "count: %lld, expected >= 0", (long long)count);
    if (first > INT64_MAX - count)
        return fail(ctx, MESAOPT_E_ARGUMENT,
                    "first: %lld, expected at most %lld for %lld sequences", (long long)first,
                    (long long)(INT64_MAX - count), (long long)count);
    return MESAOPT_OK;
}
