/* See frame.h. */
#include "nn/frame.h"
#include "base/choices.h"
#include "nn/norm.h"
#include <math.h>
#include <string.h>

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
    const int64_t kind = option_int(&b->settings, b->kind->scope, MESAOPT_KEY_NORM);
    if (kind == NORM_NONE) return MESAOPT_OK;
    b->norm = b->n_params++;
    b->param[b->norm] = (parameter){.name = "norm_gain", .rows = 1, .cols = b->in, .mean = 1};
    if (kind == NORM_LAYER)
        b->param[b->n_params++] = (parameter){.name = "norm_bias", .rows = 1, .cols = b->in};
    return MESAOPT_OK;
}

static norm norm_of(const block *b)
{
    const int layer =
        option_int(&b->settings, b->kind->scope, MESAOPT_KEY_NORM) == NORM_LAYER;
    return (norm){layer, setting(b, MESAOPT_KEY_NORM_EPSILON), &b->param[b->norm],
                  layer ? &b->param[b->norm + 1] : NULL};
}

/* What the branch keeps, and N, when that is not x. */
typedef struct kept { void *branch; normed r; void *n; } kept;

static kept lay_out(arena *a, const block *b, const kern *k, int64_t T)
{
    const branch *f = b->kind->branch;
    kept r = {0};
    r.branch = arena_take(a, f->stash ? f->stash(b, k, T) : 0, 1);
    if (!b->norm) return r;
    r.r = norm_lay_out(a, k, T, b->in);
    r.n = arena_take(a, T * b->in, k->lanes * k->size);
    return r;
}

int64_t frame_stash(const block *b, const kern *k, int64_t T)
{
    arena a = {0};
    lay_out(&a, b, k, T);
    return a.used;
}

/* Of the branch; D elements for norm_back. */
typedef struct work { void *branch, *row; } work;

static work lay_out_scratch(arena *a, const block *b, const kern *k, int64_t T, int backward)
{
    const branch *f = b->kind->branch;
    work w = {0};
    w.branch = arena_take(a, f->scratch ? f->scratch(b, k, T, backward) : 0, 1);
    if (b->norm && backward) w.row = arena_take(a, b->in, k->lanes * k->size);
    return w;
}

/* p with the scratch of the branch. */
static pass pass_within(const block *b, const pass *p, int backward, work *w)
{
    arena a = {p->scratch, 0};
    pass within = *p;
    *w = lay_out_scratch(&a, b, p->k, p->T, backward);
    within.scratch = w->branch;
    return within;
}

int64_t frame_scratch(const block *b, const kern *k, int64_t T, int backward)
{
    arena a = {0};
    lay_out_scratch(&a, b, k, T, backward);
    return a.used;
}

void frame_forward(const block *b, const pass *p, const void *x, void *y, void *stash)
{
    const int64_t D = b->in;
    arena a = {stash, 0};
    work w;
    const kept r = lay_out(&a, b, p->k, p->T);
    const pass within = pass_within(b, p, 0, &w);
    if (b->norm) {
        const norm n = norm_of(b);
        norm_forward(p, &n, &r.r, x, r.n);
    }
    b->kind->branch->forward(b, &within, (mat){b->norm ? r.n : (void *)x, D, 1}, (mat){y, D, 1},
                             r.branch);
    p->k->residual(p->T * D * p->k->lanes, x, y, b->clip, y);
}

void *frame_backward(const block *b, const pass *p, const void *x, const void *y, const void *stash,
                     void *dy, void *spare, int want_dx)
{
    const int64_t D = b->in, reals = p->T * D * p->k->lanes;
    arena a = {(void *)stash, 0};
    work w;
    const kept r = lay_out(&a, b, p->k, p->T);
    const pass within = pass_within(b, p, 1, &w);
    const mat dY = {dy, D, 1}, N = {b->norm ? r.n : (void *)x, D, 1},
              dN = {b->norm ? spare : dy, D, 1};
    p->k->residual_back(reals, y, b->clip, dy);                        /* y = clip(x + f(N)) */
    if (b->norm) memset(spare, 0, (size_t)(reals * p->k->size));
    b->kind->branch->backward(b, &within, N, dY, dN, r.branch, want_dx || b->norm);
    if (!b->norm) return dy;
    const norm n = norm_of(b);                                         /* N = norm(x) */
    norm_back(p, &n, &r.r, spare, want_dx ? dy : NULL, w.row);
    return dy;
}

void frame_weights(const block *b, const pass *p, const void *x, const void *stash, int64_t head,
                   mat W)
{
    (void)x;
    arena a = {(void *)stash, 0};
    work w;
    const kept r = lay_out(&a, b, p->k, p->T);
    const pass within = pass_within(b, p, 0, &w);
    b->kind->branch->weights(b, &within, r.branch, head, W);
}
