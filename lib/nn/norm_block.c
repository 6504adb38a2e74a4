/* Normalisation of every token as a block of its own; norm.h. */
#include "nn/norm.h"
#include "base/choices.h"
#include <math.h>
#include <string.h>

enum { GAIN, BIAS };

static norm norm_of(const block *b)
{
    const int layer =
        option_int(&b->settings, MESAOPT_SCOPE_NORM, MESAOPT_KEY_KIND) == NORM_KIND_LAYER;
    return (norm){layer, option_float(&b->settings, MESAOPT_SCOPE_NORM, MESAOPT_KEY_NORM_EPSILON),
                  &b->param[GAIN], layer ? &b->param[BIAS] : NULL};
}

static mesaopt_status plan(mesaopt_ctx *ctx, block *b)
{
    (void)ctx;
    b->out = b->in;
    b->clip = INFINITY;
    b->param[GAIN] = (parameter){.name = "gain", .rows = 1, .cols = b->in, .mean = 1};
    b->param[BIAS] = (parameter){.name = "bias", .rows = 1, .cols = b->in};
    b->n_params = norm_of(b).bias ? 2 : 1;
    return MESAOPT_OK;
}

static int64_t stash_bytes(const block *b, const kern *k, int64_t T)
{
    arena a = {0};
    norm_lay_out(&a, k, T, b->in);
    return a.used;
}

static void *row_take(arena *a, const block *b, const kern *k)
{
    return arena_take(a, b->in, k->lanes * k->size);
}

static int64_t scratch_bytes(const block *b, const kern *k, int64_t T, int backward)
{
    (void)T;
    arena a = {0};
    if (backward) row_take(&a, b, k);
    return a.used;
}

static void forward(const block *b, const pass *p, const void *x, void *y, void *stash)
{
    arena a = {stash, 0};
    const norm n = norm_of(b);
    const normed r = norm_lay_out(&a, p->k, p->T, b->in);
    norm_forward(p, &n, &r, x, y);
}

static void *backward(const block *b, const pass *p, const void *x, const void *y,
                      const void *stash, void *dy, void *spare, int want_dx)
{
    (void)x, (void)y;
    arena a = {(void *)stash, 0}, scratch = {p->scratch, 0};
    const norm n = norm_of(b);
    const normed r = norm_lay_out(&a, p->k, p->T, b->in);
    memset(spare, 0, (size_t)(p->T * b->in * p->k->lanes * p->k->size));
    norm_back(p, &n, &r, dy, want_dx ? spare : NULL, row_take(&scratch, b, p->k));
    return spare;
}

const block_kind norm_block = {
    MESAOPT_SCOPE_NORM, plan, stash_bytes, scratch_bytes, forward, backward, NULL, NULL};
