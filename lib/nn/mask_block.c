/* Zeroes the first F features of every token: the paper's one-layer models see [0, 0, x_t,
 * x_{t-1}]. docs/science.md, section 2. */
#include "nn/block.h"
#include <math.h>
#include <string.h>

static int64_t first(const block *b)
{
    return option_int(&b->settings, MESAOPT_SCOPE_MASK, MESAOPT_KEY_FIRST);
}

static mesaopt_status plan(mesaopt_ctx *ctx, block *b)
{
    if (first(b) > b->in)
        return fail(ctx, MESAOPT_E_SETTING,
                    "first: %lld, expected at most the %lld features of the stream",
                    (long long)first(b), (long long)b->in);
    b->out = b->in;
    b->clip = INFINITY;
    b->n_params = 0;
    return MESAOPT_OK;
}

static void zero_first(const block *b, const pass *p, void *x)
{
    for (int64_t t = 0; t < p->T; t++)
        memset(kern_at(p->k, x, t * b->in), 0, (size_t)(first(b) * p->k->lanes * p->k->size));
}

static void forward(const block *b, const pass *p, const void *x, void *y, void *stash)
{
    (void)stash;
    memcpy(y, x, (size_t)(p->T * b->in * p->k->lanes * p->k->size));
    zero_first(b, p, y);
}

static void *backward(const block *b, const pass *p, const void *x, const void *y,
                      const void *stash, void *dy, void *spare, int want_dx)
{
    (void)x, (void)y, (void)stash, (void)spare;
    if (want_dx) zero_first(b, p, dy);
    return dy;
}

const block_kind mask_block = {MESAOPT_SCOPE_MASK, plan, NULL, NULL, forward, backward, NULL, NULL};
