/* Features of observations that a task makes its next observation of: MLP* of nonlinear, on panels
 * of native width and on views. Unit features are f / |f|, 0 where f is. */
#include "task/generated.h"

int task_has_features(const mesaopt_task *task)
{
    return task->kind && task->kind->features;
}

mesaopt_status task_check_features(mesaopt_ctx *ctx, const mesaopt_task *task, const char *argument)
{
    if (task_has_features(task)) return MESAOPT_OK;
    return fail(ctx, MESAOPT_E_STATE, "%s: task %s, expected one that has features: nonlinear",
                argument, task->name);
}

int64_t task_feature_scratch(const mesaopt_task *task, const kern *k)
{
    return task->kind->feature_scratch(task, k);
}

void task_features_panel(const mesaopt_task *task, const kern *k, int64_t rows, const void *x,
                         int unit, void *scratch, void *out)
{
    task->kind->features(task, k, rows, x, scratch, out);
    if (unit) unit_rows(k, rows, task->shape.dim, out);
}

/* A panel of observations, one of features, scratch. */
typedef struct pieces { void *x, *f, *scratch; } pieces;

static pieces take(arena *a, const mesaopt_task *task, const kern *k, int64_t rows)
{
    int64_t elements = -1;
    pieces p;
    if (!size_mul(rows, task->shape.dim, &elements)) elements = -1;
    p.x = arena_take(a, elements, k->lanes * k->size);
    p.f = arena_take(a, elements, k->lanes * k->size);
    p.scratch = arena_take(a, task_feature_scratch(task, k), 1);
    return p;
}

mesaopt_status task_features(const mesaopt_task *task, const mesaopt_view *sequences, int unit,
                             const mesaopt_view *out)
{
    mesaopt_ctx *ctx = task->head.ctx;
    const kern *k = kern_get(ctx, out->dtype, 0);
    const int64_t B = out->shape[0], T = out->shape[1], n = task->shape.dim;
    const int64_t *in = sequences->stride, *to = out->stride;
    arena plan = {0};
    take(&plan, task, k, T);
    char *memory = plan.used < 0 ? NULL : alloc_new(&ctx->alloc, 1, plan.used);
    if (!memory)
        return fail(ctx, MESAOPT_E_MEMORY, "memory: no workspace for features of %lld rows",
                    (long long)T);
    const pieces p = take(&(arena){.base = memory}, task, k, T);
    for (int64_t i = 0; i < B && !kern_stopped(k); i += k->lanes) {
        const int64_t valid = B - i < k->lanes ? B - i : k->lanes;
        k->load(k, T, n, valid, (const char *)sequences->data + i * in[0] * k->size, in[0], in[1],
                in[2], p.x, n);
        task_features_panel(task, k, T, p.x, unit, p.scratch, p.f);
        k->store(k, T, n, valid, p.f, n, (char *)out->data + i * to[0] * k->size, to[0], to[1],
                 to[2]);
    }
    alloc_free(&ctx->alloc, memory);
    return ctx_stopped(ctx, "features");
}
