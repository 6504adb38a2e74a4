/* Tokens of sequences, one row per input t = 1..T (arXiv 2309.05858, appendix; docs/science.md,
 * section 2):
 *     raw          x_t
 *     constructed  [0, x_t, x_t, x_{t-1}]
 *     slots        [x_t, x_{t-1}, ..., x_{t-k+1}]
 * Observations before the first are 0. */
#include "task/sequences.h"
#include <string.h>

static int64_t slots_of(int32_t kind, int64_t slots)
{
    return kind == TOKENS_RAW ? 1 : kind == TOKENS_CONSTRUCTED ? 4 : slots;
}

int64_t tokens_width(int32_t kind, int64_t slots, int64_t dim)
{
    int64_t width;
    return size_mul(dim, slots_of(kind, slots), &width) ? width : -1;
}

/* Of the observation in a slot; -1: none. */
static int64_t age_of(int32_t kind, int64_t slot)
{
    static const int64_t constructed[] = {-1, 0, 0, 1};
    return kind == TOKENS_CONSTRUCTED ? constructed[slot] : slot;
}

void tokens_construct(int32_t kind, int64_t slots, int64_t length, int64_t bytes, const void *raw,
                      void *tokens)
{
    const int64_t count = slots_of(kind, slots);
    char *to = tokens;
    for (int64_t t = 0; t < length; t++)
        for (int64_t s = 0; s < count; s++, to += bytes) {
            const int64_t age = age_of(kind, s);
            if (age < 0 || age > t) memset(to, 0, (size_t)bytes);
            else memcpy(to, (const char *)raw + (t - age) * bytes, (size_t)bytes);
        }
}

/* tokens[t][slot] = raw[t - age] */
void tokens_back(const mesaopt_task *task, const mesaopt_view *dtokens, int64_t i, int64_t t,
                 double *out)
{
    const int64_t n = task->shape.dim, count = slots_of(task->tokens, task->slots);
    for (int64_t s = 0; s < count; s++) {
        const int64_t age = age_of(task->tokens, s);
        for (int64_t j = 0; j < n && age >= 0 && t + age < task->shape.length; j++)
            out[j] += view_get(dtokens, (int64_t[]){i, t + age, s * n + j});
    }
}

void tokens_panel(const mesaopt_task *task, const kern *k, const void *raw, void *tokens)
{
    tokens_construct(task->tokens, task->slots, task->shape.length,
                     task->shape.dim * k->lanes * k->size, raw, tokens);
}

mesaopt_status task_tokens(const mesaopt_task *task, const mesaopt_view *sequences,
                           const mesaopt_view *out)
{
    mesaopt_ctx *ctx = task->head.ctx;
    const kern *k = kern_get(ctx, out->dtype, 0);
    const int64_t count = out->shape[0], length = out->shape[1], n = task->shape.dim,
                  width = task->shape.width;
    int64_t elements;
    char *raw = size_mul(length, n + width, &elements)
                    ? alloc_new(&ctx->alloc, elements, k->lanes * k->size)
                    : NULL;
    if (!raw)
        return fail(ctx, MESAOPT_E_MEMORY, "memory: no workspace for tokens of %lld rows",
                    (long long)length);
    char *tokens = raw + length * n * k->lanes * k->size;
    for (int64_t i = 0; i < count && !kern_stopped(k); i += k->lanes) {
        const int64_t valid = count - i < k->lanes ? count - i : k->lanes;
        k->load(k, length, n, valid,
                (const char *)sequences->data + i * sequences->stride[0] * k->size,
                sequences->stride[0], sequences->stride[1], sequences->stride[2], raw, n);
        tokens_construct(task->tokens, task->slots, length, n * k->lanes * k->size, raw, tokens);
        k->store(k, length, width, valid, tokens, width,
                 (char *)out->data + i * out->stride[0] * k->size, out->stride[0], out->stride[1],
                 out->stride[2]);
    }
    alloc_free(&ctx->alloc, raw);
    return ctx_stopped(ctx, "tokens");
}
