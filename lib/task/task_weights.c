/* Weights of steps: what the error of step t of a sequence counts in losses and scores. A step of
 * weight 0 is neither scored nor trained on; steps behind the last one that is scored need not be
 * computed at all. So one mechanism serves sequences of unequal lengths, padding, and errors that
 * count at some positions only. */
#include "task/sequences.h"
#include "tensor/fingerprint.h"
#include <string.h>

int task_weighted(const mesaopt_task *task) { return task->weights || task_ragged(task); }

static void set_range(double *w, int64_t from, int64_t to, double value)
{
    for (int64_t t = from; t < to; t++) w[t] = value;
}

int64_t task_weights(const mesaopt_task *task, int32_t stream, int64_t index, double *weights)
{
    const int64_t T = task->shape.length;
    const int64_t row = task->tensors ? task_own_row(task, stream, index) : 0;
    int64_t steps = task_own_steps(task, row);
    const double *w = task->weights ? task->weights + (task->weight_rows > 1 ? row : 0) * T : NULL;
    if (w) memcpy(weights, w, (size_t)steps * sizeof *w);
    else set_range(weights, 0, steps, 1);
    set_range(weights, steps, T, 0);
    while (steps > 0 && !(weights[steps - 1] > 0)) steps--;
    return steps;
}

void task_weigh(const mesaopt_task *task, int32_t stream, int64_t first,
                const mesaopt_view *sequences, double *weights)
{
    const int64_t T = task->shape.length, row = task->shape.dim * dtype_size(sequences->dtype);
    for (int64_t i = 0; i < sequences->shape[0]; i++) {
        const int64_t steps = task_weights(task, stream, first + i, weights + i * T);
        memset((char *)sequences->data + (i * (T + 1) + steps + 1) * row, 0,
               (size_t)((T - steps) * row));
    }
}

mesaopt_status task_set_weights(mesaopt_task *task, const mesaopt_view *weights)
{
    mesaopt_ctx *ctx = task->head.ctx;
    const int64_t rows = weights->ndim == 2 ? weights->shape[0] : 1, T = task->shape.length;
    double *own = alloc_new(&ctx->alloc, rows * T, sizeof *own);
    if (!own)
        return fail(ctx, MESAOPT_E_MEMORY, "weights: no memory for %lld numbers",
                    (long long)(rows * T));
    int64_t index[MESAOPT_MAX_RANK] = {0};
    for (int64_t i = 0; i < rows * T; i++, view_next(weights, index))
        own[i] = view_get(weights, index);
    alloc_free(&ctx->alloc, task->weights);
    task->weights = own, task->weight_rows = rows;
    task->weights_fingerprint = view_fingerprint(0, weights);
    return MESAOPT_OK;
}
