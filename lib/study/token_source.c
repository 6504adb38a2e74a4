/* Batches of tokens for studies; see studies.h. */
#include "study/studies.h"
#include <string.h>

/* Of a batch, while it has more sequences than LEAST, which fill all lanes. */
enum { MOST_BYTES = 1 << 25, LEAST = 16 };

static int64_t lay_out(token_source *s, void *memory)
{
    arena a = {memory, 0};
    const task_shape shape = s->task->shape;
    s->sequences = view_take(&a, s->dtype, s->batch, shape.length + 1, shape.dim);
    s->tokens = view_take(&a, s->dtype, s->batch, shape.length, shape.width);
    s->total = arena_take(&a, shape.length, sizeof(double));
    s->weights = arena_take(&a, task_weighted(s->task) ? s->batch * shape.length : 0,
                            sizeof(double));
    if (!task_weighted(s->task)) s->weights = NULL;
    return a.used;
}

mesaopt_status source_open(token_source *s, int64_t batch, const char *what)
{
    mesaopt_ctx *ctx = s->task->head.ctx;
    s->batch = LEAST;
    const int64_t few = lay_out(s, NULL), fit = few > 0 ? MOST_BYTES / few * LEAST : 0;
    s->batch = batch < fit ? batch : fit < LEAST ? LEAST : fit;
    if (s->batch > s->count) s->batch = s->count;
    const int64_t bytes = lay_out(s, NULL);
    s->memory = bytes < 0 ? NULL : alloc_new(&ctx->alloc, 1, bytes);
    if (!s->memory)
        return fail(ctx, MESAOPT_E_MEMORY, "%s: no memory for tokens of %lld sequences", what,
                    (long long)s->batch);
    lay_out(s, s->memory);
    return MESAOPT_OK;
}

static void weigh(token_source *s, int64_t first)
{
    if (s->weights) task_weigh(s->task, s->stream, first, &s->sequences, s->weights);
    for (int64_t i = 0; i < s->sequences.shape[0]; i++)
        for (int64_t t = 0; t < s->task->shape.length; t++) s->total[t] += source_weight(s, i, t);
}

mesaopt_status source_draw(token_source *s, int64_t done)
{
    const int64_t left = s->count - done, size = left < s->batch ? left : s->batch;
    s->sequences.shape[0] = s->tokens.shape[0] = size;
    const mesaopt_status status =
        task_draw(s->task, s->c, s->stream, s->first + done, &s->sequences);
    if (status != MESAOPT_OK) return status;
    weigh(s, s->first + done);
    return task_tokens(s->task, &s->sequences, &s->tokens);
}

void source_close(token_source *s) { alloc_free(&s->task->head.ctx->alloc, s->memory); }
