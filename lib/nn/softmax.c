/* Softmax attention of one head: O = softmax(s Q K^T, causal) V. Source: Vaswani et al., arXiv
 * 1706.03762; docs/science.md, section 3.
 *
 * A chunk of C queries meets all keys up to its last row: scores are C x T, so memory is linear in
 * T. The backward pass recomputes P chunk by chunk instead of keeping T x T of it:
 *     dV += P^T dO    dS = s P o (dO V^T - rowsum(P o dO V^T))    dQ = dS K    dK += dS^T Q */
#include "nn/attention.h"

typedef struct softmax_scratch { void *scores, *dscores; } softmax_scratch;    /* chunk x T */

static softmax_scratch lay_out(arena *a, const kern *k, const head *h, int backward)
{
    softmax_scratch s = {0};
    s.scores = arena_take(a, h->chunk * h->T, k->lanes * k->size);
    if (backward) s.dscores = arena_take(a, h->chunk * h->T, k->lanes * k->size);
    return s;
}

static int64_t softmax_scratch_bytes(const kern *k, const head *h, int backward)
{
    arena a = {0};
    lay_out(&a, k, h, backward);
    return a.used;
}

/* X [C x (t + C)] = A B^T where causal: a full block against the first t rows of B, a triangle
 * against the next C. */
static void causal_outer(const kern *k, void *ps, int64_t t, int64_t C, int64_t d, mat A, mat B,
                         mat X)
{
    const mat diagonal = {kern_at(k, X.p, t), X.rs, 1};
    if (t > 0) k->product(k, ps, PRODUCT_LANE, TRI_NONE, 0, C, t, d, A, mat_transposed(B), X);
    k->product(k, ps, PRODUCT_LANE, TRI_C_LOWER, 0, C, C, d, A, mat_transposed(mat_rows(k, B, t)),
               diagonal);
}

/* Y [C x d] = X B for such an X. */
static void causal_product(const kern *k, void *ps, int64_t t, int64_t C, int64_t d, mat X, mat B,
                           mat Y)
{
    const mat diagonal = {kern_at(k, X.p, t), X.rs, 1};
    k->product(k, ps, PRODUCT_LANE, TRI_A_LOWER, 0, C, d, C, diagonal, mat_rows(k, B, t), Y);
    if (t > 0) k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, C, d, t, X, B, Y);
}

/* Y [(t + C) x d] += X^T B; chunks run from the last, which finds Y unwritten, to the first. */
static void causal_product_transposed(const kern *k, void *ps, int64_t t, int64_t C, int64_t d,
                                      int last, mat X, mat B, mat Y)
{
    const mat diagonal = {kern_at(k, X.p, t), X.rs, 1};
    k->product(k, ps, PRODUCT_LANE, TRI_A_UPPER, !last, C, d, C, mat_transposed(diagonal), B,
               mat_rows(k, Y, t));
    if (t > 0) k->product(k, ps, PRODUCT_LANE, TRI_NONE, !last, t, d, C, mat_transposed(X), B, Y);
}

enum { SCORES = 1 << 20 };         /* that a kernel works on between two looks at kern_stopped */

static int64_t rows_at_a_time(int64_t row) { return row < SCORES ? SCORES / row : 1; }

/* P [C x (t + C)], causal: every row of scores becomes weights. */
static void weigh(const kern *k, const head *h, int64_t t, int64_t C, mat P)
{
    const int64_t n = rows_at_a_time(P.rs);
    for (int64_t i = 0; i < C && !kern_stopped(k); i += n)
        k->softmax(C - i < n ? C - i : n, t + i, h->scale, mat_rows(k, P, i).p, P.rs);
}

/* Gradients of the scores over those of the weights. */
static void weigh_back(const kern *k, const head *h, int64_t t, int64_t C, mat P, mat dS)
{
    const int64_t n = rows_at_a_time(P.rs);
    for (int64_t i = 0; i < C && !kern_stopped(k); i += n)
        k->softmax_back(C - i < n ? C - i : n, t + i, h->scale, mat_rows(k, P, i).p,
                        mat_rows(k, dS, i).p, P.rs);
}

static void softmax_forward(const kern *k, const head *h, void *ps, void *scratch, mat Q, mat K,
                            mat V, mat O)
{
    arena a = {scratch, 0};
    const softmax_scratch s = lay_out(&a, k, h, 0);
    for (int64_t t = 0; t < h->T && !kern_stopped(k); t += h->chunk) {
        const int64_t C = h->T - t < h->chunk ? h->T - t : h->chunk;
        const mat P = {s.scores, t + C, 1};
        causal_outer(k, ps, t, C, h->d, mat_rows(k, Q, t), K, P);
        weigh(k, h, t, C, P);
        causal_product(k, ps, t, C, h->dv, P, V, mat_rows(k, O, t));
    }
}

static void softmax_backward(const kern *k, const head *h, void *ps, void *scratch, mat Q, mat K,
                             mat V, mat dO, mat dQ, mat dK, mat dV)
{
    arena a = {scratch, 0};
    const softmax_scratch s = lay_out(&a, k, h, 1);
    const int64_t chunks = (h->T + h->chunk - 1) / h->chunk;
    for (int64_t c = chunks - 1; c >= 0 && !kern_stopped(k); c--) {
        const int64_t t = c * h->chunk, C = h->T - t < h->chunk ? h->T - t : h->chunk;
        const mat q = mat_rows(k, Q, t), g = mat_rows(k, dO, t), P = {s.scores, t + C, 1},
                  dS = {s.dscores, t + C, 1};
        const int last = c == chunks - 1;
        causal_outer(k, ps, t, C, h->d, q, K, P);                       /* P = softmax(s Q K^T) */
        weigh(k, h, t, C, P);
        causal_product_transposed(k, ps, t, C, h->dv, last, P, g, dV);  /* O = P V */
        causal_outer(k, ps, t, C, h->dv, g, V, dS);
        weigh_back(k, h, t, C, P, dS);
        causal_product(k, ps, t, C, h->d, dS, K, mat_rows(k, dQ, t));
        causal_product_transposed(k, ps, t, C, h->d, last, dS, q, dK);
    }
}

static void softmax_weights(const kern *k, const head *h, void *ps, mat Q, mat K, mat W)
{
    causal_outer(k, ps, 0, h->T, h->d, Q, K, W);
    weigh(k, h, 0, h->T, W);
}

const attention_kind softmax_attention = {softmax_scratch_bytes, softmax_forward, softmax_backward,
                                          softmax_weights};
