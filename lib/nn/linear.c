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
    void *scores, *dscores; /* chunk x chunk */
    void *state;            /* d x dv: one, or one per chunk for backward */
    void *added;            /* d x dv, forward: a chunk's K^T V */
    void *later;            /* d x dv, backward: Y */
} linear_scratch;

/* Rows of a chunk: by default whole sequences while their score matrix is small. */
static int64_t rows_of(const head *h)
{
    const int64_t chunk = h->chunk > 0 ? h->chunk : h->T <= 96 ? 96 : 64;
    return h->T < chunk ? (h->T > 0 ? h->T : 1) : chunk;
}

static linear_scratch lay_out(arena *a, const kern *k, const head *h, int backward)
{
    linear_scratch s = {0};
    const int64_t real = k->lanes * k->size, chunk = rows_of(h),
                  chunks = (h->T + chunk - 1) / chunk;
    s.scores = arena_take(a, chunk * chunk, real);
    if (backward) s.dscores = arena_take(a, chunk * chunk, real);
    s.state = arena_take(a, h->d * h->dv, (backward ? chunks : 1) * real);
    if (!backward) s.added = arena_take(a, h->d * h->dv, real);
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

/* Z = first + K^T V of a decoder's rows, which may have no end: in f32 to twice the precision. */
static void advance(const kern *k, const head *h, void *ps, const linear_scratch *s,
                    const void *first, mat K, mat V, int64_t C, mat Z)
{
    const int64_t n = h->d * h->dv;
    if (k->size == 4 && C == 1) {
        k->rank_one_twice(h->d, h->dv, NULL, NULL, NULL, first, K.p, K.cs, V.p, V.cs, Z.p);
    } else if (k->size == 4) {
        k->product(k, ps, PRODUCT_LANE, TRI_NONE, 0, h->d, h->dv, C, mat_transposed(K), V,
                   (mat){s->added, h->dv, 1});
        k->carry(n, NULL, NULL, s->added, first, kern_at(k, first, n), Z.p, kern_at(k, Z.p, n));
    } else {
        if (first != Z.p) memcpy(Z.p, first, (size_t)(n * k->lanes * k->size));
        k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, h->d, h->dv, C, mat_transposed(K), V, Z);
    }
}

static void linear_forward(const kern *k, const head *h, void *ps, void *scratch,
                           const head_mats *m)
{
    arena a = {scratch, 0};
    const linear_scratch s = lay_out(&a, k, h, 0);
    const mat Z = {m->last ? m->last : s.state, h->dv, 1};
    const int64_t chunk = rows_of(h);
    const void *before = m->first;
    for (int64_t t = 0; t < h->T && !kern_stopped(k); t += chunk) {
        const int64_t C = h->T - t < chunk ? h->T - t : chunk;
        const mat q = mat_rows(k, m->q, t), kc = mat_rows(k, m->k, t), v = mat_rows(k, m->v, t),
                  o = mat_rows(k, m->o, t), S = {s.scores, C, 1};
        k->product(k, ps, PRODUCT_LANE, TRI_C_LOWER, 0, C, C, h->d, q, mat_transposed(kc), S);
        k->product(k, ps, PRODUCT_LANE, TRI_A_LOWER, 0, C, h->dv, C, S, v, o);
        if (before)
            k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, C, h->dv, h->d, q,
                       (mat){(void *)before, h->dv, 1}, o);
        if (m->first) advance(k, h, ps, &s, before, kc, v, C, Z);
        else if (t + C < h->T)
            k->product(k, ps, PRODUCT_LANE, TRI_NONE, t > 0, h->d, h->dv, C, mat_transposed(kc), v,
                       Z);
        before = Z.p;
    }
    scale_rows(k, h, m->o);
}

/* States at the start of every chunk but the first. */
static void keep_states(const kern *k, const head *h, void *ps, const linear_scratch *s, mat K,
                        mat V)
{
    const int64_t size = h->d * h->dv, chunk = rows_of(h);
    for (int64_t t = chunk, c = 1; t < h->T && !kern_stopped(k); t += chunk, c++) {
        const mat Z = {kern_at(k, s->state, c * size), h->dv, 1};
        if (c > 1)
            memcpy(Z.p, kern_at(k, s->state, (c - 1) * size), (size_t)(size * k->lanes * k->size));
        k->product(k, ps, PRODUCT_LANE, TRI_NONE, c > 1, h->d, h->dv, chunk,
                   mat_transposed(mat_rows(k, K, t - chunk)), mat_rows(k, V, t - chunk), Z);
    }
}

static void linear_backward(const kern *k, const head *h, void *ps, void *scratch,
                            const head_mats *m)
{
    arena a = {scratch, 0};
    const linear_scratch s = lay_out(&a, k, h, 1);
    const mat Y = {s.later, h->dv, 1};
    const int64_t chunk = rows_of(h), chunks = (h->T + chunk - 1) / chunk;
    scale_rows(k, h, m->dout);
    keep_states(k, h, ps, &s, m->k, m->v);
    for (int64_t c = chunks - 1; c >= 0 && !kern_stopped(k); c--) {
        const int64_t t = c * chunk, C = h->T - t < chunk ? h->T - t : chunk;
        const mat q = mat_rows(k, m->q, t), kc = mat_rows(k, m->k, t), v = mat_rows(k, m->v, t),
                  g = mat_rows(k, m->dout, t);
        const mat dq = mat_rows(k, m->dq, t), dk = mat_rows(k, m->dk, t),
                  dv = mat_rows(k, m->dv, t);
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
        if (c < chunks - 1) { /* later O += Q (K^T V) */
            k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, C, h->d, h->dv, v, mat_transposed(Y), dk);
            k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, C, h->dv, h->d, kc, Y, dv);
        }
        if (c > 0)
            k->product(k, ps, PRODUCT_LANE, TRI_NONE, c < chunks - 1, h->d, h->dv, C,
                       mat_transposed(q), g, Y);
    }
}

static void linear_weights(const kern *k, const head *h, void *ps, const head_mats *m, mat W)
{
    k->product(k, ps, PRODUCT_LANE, TRI_C_LOWER, 0, h->T, h->T, h->d, m->q, mat_transposed(m->k),
               W);
    for (int64_t t = 0; t < h->T && !kern_stopped(k); t++)
        k->scale((t + 1) * k->lanes, h->scale, mat_rows(k, W, t).p);
}

const attention_kind linear_attention = {0, linear_scratch_bytes, linear_forward, linear_backward,
                                         linear_weights};
