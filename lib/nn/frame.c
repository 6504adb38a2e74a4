/* See frame.h. */
#include "nn/frame.h"
#include <math.h>

static double setting(const block *b, int32_t key)
{
    return option_float(&b->settings, b->kind->scope, key);
}

double frame_sd(const block *b) { return setting(b, MESAOPT_KEY_INIT_SD); }
double frame_output_sd(const block *b) { return frame_sd(b) * setting(b, MESAOPT_KEY_OUTPUT_INIT); }

mesaopt_status frame_plan(mesaopt_ctx *ctx, block *b)
{
    (void)ctx;
    const double clip = setting(b, MESAOPT_KEY_RESIDUAL_CLIP);
    b->out = b->in;
    b->clip = clip > 0 ? clip : INFINITY;
    return MESAOPT_OK;
}

int64_t frame_stash(const block *b, const kern *k, int64_t T)
{
    const branch *f = b->kind->branch;
    return f->stash ? f->stash(b, k, T) : 0;
}

int64_t frame_scratch(const block *b, const kern *k, int64_t T, int backward)
{
    const branch *f = b->kind->branch;
    return f->scratch ? f->scratch(b, k, T, backward) : 0;
}

void frame_forward(const block *b, const pass *p, const void *x, void *y, void *stash)
{
    const int64_t D = b->in;
    b->kind->branch->forward(b, p, (mat){(void *)x, D, 1}, (mat){y, D, 1}, stash);
    p->k->residual(p->T * D * p->k->lanes, x, y, b->clip, y);
}

void *frame_backward(const block *b, const pass *p, const void *x, const void *y, const void *stash,
                     void *dy, void *spare, int want_dx)
{
    (void)spare;
    const int64_t D = b->in;
    const mat dY = {dy, D, 1};
    p->k->residual_back(p->T * D * p->k->lanes, y, b->clip, dy);       /* y = clip(x + f(x)) */
    b->kind->branch->backward(b, p, (mat){(void *)x, D, 1}, dY, dY, stash, want_dx);
    return dy;
}
