/* Linear attention of one head: O_t = s sum_{t' <= t} (q_t . k_t') v_t'. Source: arXiv 2309.05858
 * equation 2.
 *
 * Chunkwise: with the state Z = sum over earlier chunks of K_c^T V_c (d x dv),
 *     O_c = tril(Q_c K_c^T) V_c + Q_c Z,
 * so no T x T matrix exists and memory is linear in T. Backward, with Y = sum over later chunks of
 * Q_c^T dO_c (d x dv):
 *     dQ_c = tril(dO_c V_c^T) K_c + dO_c Z^T
 *     dK_c = tril(dO_c V_c^T)^T Q_c + V_c Y^T
 *     dV_c = tril(Q_c K_c^T)^T dO_c + K_c Y
 * The states Z at the start of each chunk are kept for the sweep back. */
#include "nn/attention.h"
#include <string.h>

typedef struct linear_scratch {
    void *scores, *dscores;        /* chunk x chunk */
    void *state;                   /* d x dv: one, or one per chunk for backward */
    void *later;                   /* d x dv, backward: Y */
} linear_scratch;

int64_t attention_chunk(int64_t chunk, int64_t T)
{
    if (chunk == 0) chunk = T <= 96 ? 96 : 64;
    return T < chunk ? (T > 0 ? T : 1) : chunk;
}

static linear_scratch lay_out(arena *a, const kern *k, const head *h, int backward)
{
    linear_scratch s = {0};
    const int64_t real = k->lanes * k->size, chunks = (h->T + h->chunk - 1) / h->chunk;
    s.scores = arena_take(a, h->chunk * h->chunk, real);
    if (backward) s.dscores = arena_take(a, h->chunk * h->chunk, real);
    s.state = arena_take(a, h->d * h->dv, (backward ? chunks : 1) * real);
    if (backward) s.later = arena_take(a, h->d * h->dv, real);
    return s;
}

static int64_t linear_scratch_bytes(const kern *k, const head *h, int backward)
{
    arena a = {0};
    lay_out(&a, k, h, backward);
    return a.used;
}

static void scale_rows(const kern *k, const head *h, mat x)
{
    if (h->scale == 1) return;
    for (int64_t t = 0; t < h->T; t++)
        k->scale(h->dv * k->lanes, h->scale, kern_at(k, x.p, t * x.rs));
}

static void linear_forward(const kern *k, const head *h, void *ps, void *scratch, mat Q, mat K,
                           mat V, mat O)
{
    arena a = {scratch, 0};
    const linear_scratch s = lay_out(&a, k, h, 0);
    const mat Z = {s.state, h->dv, 1};
    for (int64_t t = 0; t < h->T && !kern_stopped(k); t += h->chunk) {
        const int64_t C = h->T - t < h->chunk ? h->T - t : h->chunk;
        const mat q = mat_rows(k, Q, t), kc = mat_rows(k, K, t), v = mat_rows(k, V, t),
                  o = mat_rows(k, O, t), S = {s.scores, C, 1};
        k->product(k, ps, PRODUCT_LANE, TRI_C_LOWER, 0, C, C, h->d, q, mat_transposed(kc), S);
        k->product(k, ps, PRODUCT_LANE, TRI_A_LOWER, 0, C, h->dv, C, S, v, o);
        if (t > 0) k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, C, h->dv, h->d, q, Z, o);
        if (t + C < h->T)
            k->product(k, ps, PRODUCT_LANE, TRI_NONE, t > 0, h->d, h->dv, C, mat_transposed(kc), v,
                       Z);
    }
    scale_rows(k, h, O);
}

/* States at the start of every chunk but the first. */
static void keep_states(const kern *k, const head *h, void *ps, const linear_scratch *s, mat K,
                        mat V)
{
    const int64_t size = h->d * h->dv;
    for (int64_t t = h->chunk, c = 1; t < h->T && !kern_stopped(k); t += h->chunk, c++) {
        const mat Z = {kern_at(k, s->state, c * size), h->dv, 1};
        if (c > 1)
            memcpy(Z.p, kern_at(k, s->state, (c - 1) * size), (size_t)(size * k->lanes * k->size));
        k->product(k, ps, PRODUCT_LANE, TRI_NONE, c > 1, h->d, h->dv, h->chunk,
                   mat_transposed(mat_rows(k, K, t - h->chunk)), mat_rows(k, V, t - h->chunk), Z);
    }
}

static void linear_backward(const kern *k, const head *h, void *ps, void *scratch, mat Q, mat K,
                            mat V, mat dO, mat dQ, mat dK, mat dV)
{
    arena a = {scratch, 0};
    const linear_scratch s = lay_out(&a, k, h, 1);
    const mat Y = {s.later, h->dv, 1};
    const int64_t chunks = (h->T + h->chunk - 1) / h->chunk;
    scale_rows(k, h, dO);
    keep_states(k, h, ps, &s, K, V);
    for (int64_t c = chunks - 1; c >= 0 && !kern_stopped(k); c--) {
        const int64_t t = c * h->chunk, C = h->T - t < h->chunk ? h->T - t : h->chunk;
        const mat q = mat_rows(k, Q, t), kc = mat_rows(k, K, t), v = mat_rows(k, V, t),
                  g = mat_rows(k, dO, t);
        const mat dq = mat_rows(k, dQ, t), dk = mat_rows(k, dK, t), dv = mat_rows(k, dV, t);
        const mat S = {s.scores, C, 1}, dS = {s.dscores, C, 1},
                  Z = {kern_at(k, s.state, c * h->d * h->dv), h->dv, 1};
        /* S = tril(Q K^T) */
        k->product(k, ps, PRODUCT_LANE, TRI_C_LOWER, 0, C, C, h->d, q, mat_transposed(kc), S);
        /* O = S V */
        k->product(k, ps, PRODUCT_LANE, TRI_C_LOWER, 0, C, C, h->dv, g, mat_transposed(v), dS);
        k->product(k, ps, PRODUCT_LANE, TRI_A_UPPER, 0, C, h->dv, C, mat_transposed(S), g, dv);
        k->product(k, ps, PRODUCT_LANE, TRI_A_LOWER, 0, C, h->d, C, dS, kc, dq);
        k->product(k, ps, PRODUCT_LANE, TRI_A_UPPER, 0, C, h->d, C, mat_transposed(dS), q, dk);
        /* O += Q Z */
        if (c > 0)
            k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, C, h->d, h->dv, g, mat_transposed(Z), dq);
        if (c < chunks - 1) {                           /* later O += Q (K^T V) */
            k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, C, h->d, h->dv, v, mat_transposed(Y), dk);
            k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, C, h->dv, h->d, kc, Y, dv);
        }
        if (c > 0)
            k->product(k, ps, PRODUCT_LANE, TRI_NONE, c < chunks - 1, h->d, h->dv, C,
                       mat_transposed(q), g, Y);
    }
}

static void linear_weights(const kern *k, const head *h, void *ps, mat Q, mat K, mat W)
{
    k->product(k, ps, PRODUCT_LANE, TRI_C_LOWER, 0, h->T, h->T, h->d, Q, mat_transposed(K), W);
    for (int64_t t = 0; t < h->T && !kern_stopped(k); t++)
        k->scale((t + 1) * k->lanes, h->scale, mat_rows(k, W, t).p);
}

const attention_kind linear_attention = {linear_scratch_bytes, linear_forward, linear_backward,
                                         linear_weights};
