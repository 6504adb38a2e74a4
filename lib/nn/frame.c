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

static mesaopt_status plan_positions(mesaopt_ctx *ctx, block *b)
{
    const int32_t scope = b->kind->scope;
    const int learned = option_int(&b->settings, scope, MESAOPT_KEY_POSITIONS) == POSITIONS_LEARNED;
    int64_t size;
    b->pe = (int)option_int(&b->settings, scope, MESAOPT_KEY_PE);
    if (learned && b->pe == PE_NONE)
        return fail(ctx, MESAOPT_E_UNSUPPORTED,
                    "positions: learned with pe=none, expected pe=add or pe=qk");
    b->positions = b->pe != PE_NONE && !learned;
    if (!learned) return MESAOPT_OK;
    b->longest = option_int(&b->settings, scope, MESAOPT_KEY_LONGEST);
    if (!size_mul(b->longest, b->in, &size))
        return fail(ctx, MESAOPT_E_MEMORY, "longest: sizes overflow");
    b->learned = b->n_params++;
    b->param[b->learned] =
        (parameter){.name = "positions", .rows = b->longest, .cols = b->in, .sd = frame_sd(b)};
    return MESAOPT_OK;
}

mesaopt_status frame_plan(mesaopt_ctx *ctx, block *b)
{
    const double clip = setting(b, MESAOPT_KEY_RESIDUAL_CLIP);
    b->out = b->in;
    b->clip = clip > 0 ? clip : INFINITY;
    const mesaopt_status status = plan_positions(ctx, b);
    if (status != MESAOPT_OK) return status;
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

/* What the branch keeps; u and N, when they are others than x. */
typedef struct kept { void *branch; normed r; void *u, *n; } kept;

static kept lay_out(arena *a, const block *b, const kern *k, int64_t T)
{
    const branch *f = b->kind->branch;
    kept r = {0};
    r.branch = arena_take(a, f->stash ? f->stash(b, k, T) : 0, 1);
    if (b->pe == PE_ADD) r.u = arena_take(a, T * b->in, k->lanes * k->size);
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
    *w = lay_out_scratch(&a, b, p->k, scratch_rows(b, p), backward);
    within.scratch = w->branch;
    return within;
}

int64_t frame_scratch(const block *b, const kern *k, int64_t T, int backward)
{
    arena a = {0};
    lay_out_scratch(&a, b, k, T, backward);
    return a.used;
}

void frame_positions(const block *b, const pass *p, mat to)
{
    const kern *k = p->k;
    const int64_t D = b->in;
    const void *rows = b->learned ? param_mat(k, p->params, &b->param[b->learned]).p : NULL;
    if (b->learned && p->history) {
        for (int64_t l = 0; l < k->lanes; l++)
            for (int64_t i = 0; i < p->T * D; i++)
                kern_set_real(k, kern_at(k, to.p, i / D * to.rs + i % D), l,
                              kern_real(k, rows, p->history->steps[l] * D + i));
        return;
    }
    if (b->learned) {                                  /* the same for all lanes: 0 apart */
        k->load(k, p->T, D, k->lanes, rows, 0, D, 1, to.p, to.rs);
        return;
    }
    for (int64_t t = 0; t < p->T; t++)
        memcpy(kern_at(k, to.p, t * to.rs), kern_at(k, p->positions, t * D),
               (size_t)(D * k->lanes * k->size));
}

void frame_positions_back(const block *b, const pass *p, void *dP)
{
    parameter flat = b->param[b->learned];
    const pass once = {.k = p->k, .T = 1, .grads = p->grads, .product_scratch = p->product_scratch};
    flat.rows = 1, flat.cols = p->T * b->in;
    rows_sum(&once, &flat, (mat){dP, flat.cols, 1});
}

void frame_forward(const block *b, const pass *p, const void *x, void *y, void *stash)
{
    const int64_t D = b->in, reals = p->T * D * p->k->lanes;
    arena a = {stash, 0};
    work w;
    const kept r = lay_out(&a, b, p->k, p->T);
    const pass within = pass_within(b, p, 0, &w);
    if (b->pe == PE_ADD) {
        frame_positions(b, p, (mat){r.u, D, 1});
        p->k->add(reals, x, r.u);
    }
    const void *u = b->pe == PE_ADD ? r.u : x;
    if (b->norm) {
        const norm n = norm_of(b);
        norm_forward(p, &n, &r.r, u, r.n);
    }
    b->kind->branch->forward(b, &within, (mat){b->norm ? r.n : (void *)u, D, 1}, (mat){y, D, 1},
                             r.branch);
    p->k->residual(reals, u, y, b->clip, y);
}

void *frame_backward(const block *b, const pass *p, const void *x, const void *y, const void *stash,
                     void *dy, void *spare, int want_dx)
{
    const int64_t D = b->in, reals = p->T * D * p->k->lanes;
    arena a = {(void *)stash, 0};
    work w;
    const kept r = lay_out(&a, b, p->k, p->T);
    const pass within = pass_within(b, p, 1, &w);
    const int learned = b->learned && b->pe == PE_ADD, want_du = want_dx || learned;
    const mat dY = {dy, D, 1}, N = {b->norm ? r.n : r.u ? r.u : (void *)x, D, 1},
              dN = {b->norm ? spare : dy, D, 1};
    p->k->residual_back(reals, y, b->clip, dy);                        /* y = clip(u + f(N)) */
    if (b->norm) memset(spare, 0, (size_t)(reals * p->k->size));
    b->kind->branch->backward(b, &within, N, dY, dN, r.branch, want_du || b->norm);
    if (b->norm) {                                                     /* N = norm(u) */
        const norm n = norm_of(b);
        norm_back(p, &n, &r.r, spare, want_du ? dy : NULL, w.row);
    }
    if (learned) frame_positions_back(b, p, dy);                       /* u = x + P */
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
