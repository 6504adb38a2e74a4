/* Projections into heads and back into the residual stream; see heads.h. */
#include "nn/heads.h"
#include "base/choices.h"
#include <string.h>

/* Positions stand beside the input of Q and K. */
static int beside(const block *b)
{
    return option_int(&b->settings, b->kind->scope, MESAOPT_KEY_PE) == PE_QK;
}

extents heads_extents(const block *b, int64_t T)
{
    const int32_t scope = b->kind->scope;
    const int64_t H = option_int(&b->settings, scope, MESAOPT_KEY_HEADS),
                  d = option_int(&b->settings, scope, MESAOPT_KEY_KEY);
    const int64_t value = option_int(&b->settings, scope, MESAOPT_KEY_VALUE),
                  dv = value ? value : d;
    const int64_t qk_norm = option_int(&b->settings, scope, MESAOPT_KEY_QK_NORM);
    return (extents){T, H, d, dv, b->in, (1 + beside(b)) * b->in, H * d, H * dv, qk_norm};
}

mesaopt_status heads_plan(mesaopt_ctx *ctx, block *b)
{
    const double sd = frame_sd(b);
    const extents e = heads_extents(b, 0);
    int64_t size;
    if (!size_mul(2 * (e.qk + e.hv), 2 * b->in, &size))
        return fail(ctx, MESAOPT_E_MEMORY, "heads, key: sizes overflow");
    b->n_params = HEADS_PARAMS;
    b->param[QUERY] = (parameter){"query", e.Dq, e.qk, 0, .sd = sd, .decay = 1};
    b->param[KEY] = (parameter){"key", e.Dq, e.qk, 0, .sd = sd, .decay = 1};
    b->param[VALUE] = (parameter){"value", e.D, e.hv, 0, .sd = sd, .decay = 1};
    b->param[OUTPUT] = (parameter){"output", e.hv, e.D, 0, .sd = frame_output_sd(b), .decay = 1};
    return MESAOPT_OK;
}

/* Rows of panels are an odd number of elements apart: a head's few columns would otherwise share
 * few sets of the cache. */
static mat take_rows(arena *a, const kern *k, int64_t T, int64_t cols)
{
    const int64_t rs = k->lanes == 1 ? cols : cols | 1;
    return (mat){arena_take(a, T * rs, k->lanes * k->size), rs, 1};
}

heads heads_lay_out(arena *a, const kern *k, const extents *e)
{
    const int64_t real = k->lanes * k->size, T = e->T;
    heads h = {.q = take_rows(a, k, T, e->qk),
               .k = take_rows(a, k, T, e->qk),
               .v = take_rows(a, k, T, e->hv),
               .o = take_rows(a, k, T, e->hv)};
    if (e->qk_norm) {
        h.q_inverse = (mat){arena_take(a, T * e->heads, real), e->heads, 1};
        h.k_inverse = (mat){arena_take(a, T * e->heads, real), e->heads, 1};
    }
    return h;
}

heads heads_lay_out_gradients(arena *a, const block *b, const kern *k, const extents *e)
{
    heads d = heads_lay_out(a, k, e);
    if (b->learned && beside(b))
        d.positions = (mat){arena_take(a, e->T * e->D, k->lanes * k->size), e->D, 1};
    return d;
}

mat heads_input(arena *stash, const block *b, const kern *k, const extents *e, mat X)
{
    if (!beside(b)) return X;
    return (mat){arena_take(stash, e->T * e->Dq, k->lanes * k->size), e->Dq, 1};
}

/* [X, positions] row by row. */
static void concatenate(const block *b, const pass *p, const extents *e, mat X, mat Xq)
{
    const kern *k = p->k;
    const size_t row = (size_t)(e->D * k->lanes * k->size);
    for (int64_t t = 0; t < e->T; t++)
        memcpy(kern_at(k, Xq.p, t * e->Dq), kern_at(k, X.p, t * e->D), row);
    frame_positions(b, p, columns(k, Xq, e->D));
}

/* Every head's columns of m, of width d, to length 1; y = x / |x|. */
static void normalise(const kern *k, const extents *e, mat m, mat inverse)
{
    for (int64_t i = 0; i < e->heads; i++)
        k->row_unit(e->T, e->d, columns(k, m, i * e->d).p, m.rs, columns(k, inverse, i).p,
                    inverse.rs);
}

static void normalise_back(const kern *k, const extents *e, mat y, mat inverse, mat dy)
{
    for (int64_t i = 0; i < e->heads; i++)
        k->row_unit_back(e->T, e->d, columns(k, y, i * e->d).p, y.rs, columns(k, inverse, i).p,
                         inverse.rs, columns(k, dy, i * e->d).p, dy.rs);
}

void heads_project(const block *b, const pass *p, const extents *e, mat X, mat Xq, const heads *h)
{
    const kern *k = p->k;
    if (beside(b)) concatenate(b, p, e, X, Xq);
    const mat in[3] = {Xq, Xq, X}, out[3] = {h->q, h->k, h->v};
    for (int i = QUERY; i <= VALUE; i++) {
        const parameter *w = &b->param[i];
        k->product(k, p->product_scratch, PRODUCT_SHARED, TRI_NONE, 0, e->T, w->cols, w->rows,
                   in[i], param_mat(k, p->params, w), out[i]);
    }
    if (!e->qk_norm) return;
    normalise(k, e, h->q, h->q_inverse);
    normalise(k, e, h->k, h->k_inverse);
}

/* dP = dQ W_q^T + dK W_k^T by the rows of W_q, W_k that stand below those of X. */
static void positions_back(const block *b, const pass *p, const extents *e, const heads *d)
{
    const kern *k = p->k;
    const mat grad[2] = {d->q, d->k};
    for (int i = QUERY; i <= KEY; i++) {
        mat w = param_mat(k, p->params, &b->param[i]);
        w.p = (char *)w.p + e->D * w.rs * k->size;
        k->product(k, p->product_scratch, PRODUCT_SHARED, TRI_NONE, i > QUERY, e->T, e->D, e->qk,
                   grad[i], transposed_mat(w), d->positions);
    }
    frame_positions_back(b, p, d->positions.p);
}

void heads_project_back(const block *b, const pass *p, const extents *e, mat X, mat Xq,
                        const heads *h, const heads *d, mat dX, int want_dx)
{
    const kern *k = p->k;
    if (e->qk_norm) {
        normalise_back(k, e, h->q, h->q_inverse, d->q);
        normalise_back(k, e, h->k, h->k_inverse, d->k);
    }
    const mat in[3] = {Xq, Xq, X}, grad[3] = {d->q, d->k, d->v};
    for (int i = QUERY; i <= VALUE; i++) { /* Q = X W_q, K = X W_k, V = X W_v */
        const parameter *w = &b->param[i];
        weight_back(p, w, in[i], grad[i]);
        if (!want_dx) continue;
        k->product(k, p->product_scratch, PRODUCT_SHARED, TRI_NONE, 1, e->T, e->D, w->cols, grad[i],
                   transposed_mat(param_mat(k, p->params, w)), dX);
    }
    if (d->positions.p) positions_back(b, p, e, d);
}

void heads_output(const block *b, const pass *p, const extents *e, mat O, mat F)
{
    p->k->product(p->k, p->product_scratch, PRODUCT_SHARED, TRI_NONE, 0, e->T, e->D, e->hv, O,
                  param_mat(p->k, p->params, &b->param[OUTPUT]), F);
}

void heads_output_back(const block *b, const pass *p, const extents *e, mat O, mat dF, mat dO)
{
    const kern *k = p->k;
    const mat P = param_mat(k, p->params, &b->param[OUTPUT]);
    weight_back(p, &b->param[OUTPUT], O, dF);          /* F = O P */
    k->product(k, p->product_scratch, PRODUCT_SHARED, TRI_NONE, 0, e->T, e->hv, e->D, dF,
               transposed_mat(P), dO);
}
