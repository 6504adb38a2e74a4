/* The residual block of a multilayer perceptron: the frame of frame.h around
 *
 *     f(X) = A W + b,   A = act(Z),   Z = X U + a
 *
 * X: T x D; U: D x h, W: h x D, h hidden units; a: 1 x h, b: 1 x D. Backward, with dF:
 *     dW += A^T dF   db += column sums of dF   dZ = (dF W^T) o act'(Z)
 *     dU += X^T dZ   da += column sums of dZ   dX += dZ U^T
 * Source: docs/science.md, section 3. */
#include "nn/frame.h"
#include "base/choices.h"

enum { UP, UP_BIAS, DOWN, DOWN_BIAS, PARAMS };

static int64_t setting(const block *b, int32_t key)
{
    return option_int(&b->settings, MESAOPT_SCOPE_MLP, key);
}
static int64_t hidden(const block *b) { return b->param[UP].cols; }

static mesaopt_status plan(mesaopt_ctx *ctx, block *b)
{
    const int64_t h = setting(b, MESAOPT_KEY_HIDDEN);
    int64_t size;
    if (setting(b, MESAOPT_KEY_PE) == PE_QK)
        return fail(ctx, MESAOPT_E_UNSUPPORTED,
                    "pe: qk, expected none or add: an mlp has no queries and keys");
    if (!size_mul(2 * h, b->in, &size))
        return fail(ctx, MESAOPT_E_MEMORY, "hidden: sizes overflow");
    b->param[UP] = (parameter){"up", b->in, h, 0, .sd = frame_sd(b), .decay = 1};
    b->param[UP_BIAS] = (parameter){.name = "up_bias", .rows = 1, .cols = h};
    b->param[DOWN] = (parameter){"down", h, b->in, 0, .sd = frame_output_sd(b), .decay = 1};
    b->param[DOWN_BIAS] = (parameter){.name = "down_bias", .rows = 1, .cols = b->in};
    b->n_params = PARAMS;
    return frame_plan(ctx, b);
}

/* A, and act'(Z). */
typedef struct kept { mat a, slope; } kept;

static kept lay_out(arena *s, const block *b, const kern *k, int64_t T)
{
    const int64_t h = hidden(b), real = k->lanes * k->size;
    return (kept){{arena_take(s, T * h, real), h, 1}, {arena_take(s, T * h, real), h, 1}};
}

static int64_t stash_bytes(const block *b, const kern *k, int64_t T)
{
    arena s = {0};
    lay_out(&s, b, k, T);
    return s.used;
}

static int64_t scratch_bytes(const block *b, const kern *k, int64_t T, int backward)
{
    return backward ? T * hidden(b) * k->lanes * k->size : 0;
}

static void forward(const block *b, const pass *p, mat X, mat F, void *stash)
{
    const kern *k = p->k;
    arena s = {stash, 0};
    const kept r = lay_out(&s, b, k, p->T);
    const int64_t h = hidden(b);
    k->product(k, p->product_scratch, PRODUCT_SHARED, TRI_NONE, 0, p->T, h, b->in, X,
               param_mat(k, p->params, &b->param[UP]), r.a);
    k->activate(p->T, h, (int)setting(b, MESAOPT_KEY_ACT),
                param_mat(k, p->params, &b->param[UP_BIAS]).p, r.a.p,
                p->backward ? r.slope.p : NULL);
    rows_fill(p, &b->param[DOWN_BIAS], F);
    k->product(k, p->product_scratch, PRODUCT_SHARED, TRI_NONE, 1, p->T, b->in, h, r.a,
               param_mat(k, p->params, &b->param[DOWN]), F);
}

static void backward(const block *b, const pass *p, mat X, mat dF, mat dX, const void *stash,
                     int want_dx)
{
    const kern *k = p->k;
    arena s = {(void *)stash, 0};
    const kept r = lay_out(&s, b, k, p->T);
    const int64_t h = hidden(b);
    const mat dZ = {p->scratch, h, 1};
    rows_sum(p, &b->param[DOWN_BIAS], dF);                             /* F = A W + b */
    weight_back(p, &b->param[DOWN], r.a, dF);
    k->product(k, p->product_scratch, PRODUCT_SHARED, TRI_NONE, 0, p->T, h, b->in, dF,
               transposed_mat(param_mat(k, p->params, &b->param[DOWN])), dZ);
    k->multiply(p->T * h * k->lanes, r.slope.p, dZ.p, dZ.p);           /* A = act(Z) */
    rows_sum(p, &b->param[UP_BIAS], dZ);                               /* Z = X U + a */
    weight_back(p, &b->param[UP], X, dZ);
    if (want_dx)
        k->product(k, p->product_scratch, PRODUCT_SHARED, TRI_NONE, 1, p->T, b->in, h, dZ,
                   transposed_mat(param_mat(k, p->params, &b->param[UP])), dX);
}

static const branch mlp = {stash_bytes, scratch_bytes, forward, backward, NULL};
const block_kind mlp_block = {MESAOPT_SCOPE_MLP, plan, FRAME, NULL, &mlp};
