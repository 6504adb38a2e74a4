/* Inverses that change from step to step, one per lane: the recursions under the mesa layer. Panels have LANES lanes.
 *
 * sherman_morrison   R_t = R_{t-1} - b_t R_{t-1} k_t k_t^T R_{t-1} / (1 + b_t k_t^T R_{t-1} k_t),  x_t = R_t q_t
 *                    (arXiv 2309.05858 appendix on the mesa layer; Sherman and Morrison 1950)
 * forgetting_steps   the same with gates, over a segment: with a_t = g_1 .. g_t and R from the weights b_t / a_t,
 *                    (H_t + Lambda) / a_t = R_t^-1 + e_t Lambda,  e_t = 1 / a_t - 1,
 *                    and (1 + e_t R_t Lambda) y = R_t q_t, x_t = y / a_t by Chebyshev's iteration: the spectrum lies in [1, 1 + e_t], whatever the keys
 *                    (Saad, Iterative Methods for Sparse Linear Systems, algorithm 12.1)
 *
 * Matrices are [row][column][lane] and only their lower triangles are touched. One pass over R updates it and multiplies it with q_t and with the
 * next key: each element is loaded once for five multiply-adds. */
#include "kern/simd_random.h"

enum { PASS_ROWS = SIMD_ISA == 3 ? 4 : 2 };            /* rows of R that are passed at a time */

/* ---- Sherman-Morrison ---- */

typedef struct pass_of { vec *R; int64_t rs; const vec *u, *f, *q, *k; vec *x, *b; } pass_of;

/* Rows i0.. of R <- R - u f^T; x = R q, b = R k, to which rows above have already added. */
INLINE void pass_rows(int rows, int64_t i0, const pass_of *p)
{
    vec u[PASS_ROWS], q[PASS_ROWS], k[PASS_ROWS], x[PASS_ROWS], b[PASS_ROWS], *R = p->R + i0 * p->rs;
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) u[i] = p->u[i0 + i], q[i] = p->q[i0 + i], k[i] = p->k[i0 + i], x[i] = b[i] = (vec){0};
    for (int64_t j = 0; j < i0; j++) {
        const vec fj = p->f[j], qj = p->q[j], kj = p->k[j];
        vec xj = p->x[j], bj = p->b[j];
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            const vec r = R[i * p->rs + j] -= u[i] * fj;
            x[i] += r * qj;
            b[i] += r * kj;
            xj += r * q[i];
            bj += r * k[i];
        }
        p->x[j] = xj;
        p->b[j] = bj;
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j <= i; j++) {
            const vec r = R[i * p->rs + i0 + j] -= u[i] * p->f[i0 + j];
            x[i] += r * q[j];
            b[i] += r * k[j];
            if (j == i) continue;
            x[j] += r * q[i];
            b[j] += r * k[i];
        }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) p->x[i0 + i] = x[i], p->b[i0 + i] = b[i];
}

static void pass(int64_t d, const pass_of *p)
{
    int64_t i = 0;
    for (; i + PASS_ROWS <= d; i += PASS_ROWS) pass_rows(PASS_ROWS, i, p);
    for (; i < d; i++) pass_rows(1, i, p);
}

void NAME(sherman_morrison)(int64_t T, int64_t d, void *R, int64_t rs, const void *K, int64_t k_rs, const void *beta, int64_t beta_rs,
                            const void *Q, int64_t q_rs, void *X, int64_t x_rs, void *work)
{
    vec *u = work, *f = u + d, *b = f + d, *query = b + d;         /* a copy of the query, since X may be Q */
    const vec *k = K, *q = Q;
    if (T <= 0) return;
    memset(u, 0, (size_t)(2 * d) * sizeof *u);
    pass(d, &(pass_of){R, rs, u, f, k, k, query, b});                        /* b = R_0 k_1 */
    for (int64_t t = 0; t < T; t++) {
        const vec *next = t + 1 < T ? k + k_rs : k;
        const vec weight = beta ? ((const vec *)beta)[t * beta_rs] : splat(1);
        vec s = {0};
        for (int64_t i = 0; i < d; i++) s += k[i] * b[i];
        const vec factor = weight / (1 + weight * s);
        for (int64_t i = 0; i < d; i++) u[i] = b[i], f[i] = factor * b[i], query[i] = q[i];
        pass(d, &(pass_of){R, rs, u, f, query, next, (vec *)X + t * x_rs, b});
        k = next;
        q += q_rs;
    }
}

/* ---- with forgetting ---- */

/* Rows i0.. of y = R x for one or two x; rows above have already added. */
INLINE void product_rows(int sets, int rows, int64_t i0, int64_t d, const vec *R, int64_t rs, const vec *x, vec *y)
{
    vec a[2][PASS_ROWS], sum[2][PASS_ROWS];
    const vec *r0 = R + i0 * rs;
#pragma GCC unroll 2
    for (int s = 0; s < sets; s++)
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) a[s][i] = x[s * d + i0 + i], sum[s][i] = (vec){0};
    for (int64_t j = 0; j < i0; j++) {
        vec yj[2];
#pragma GCC unroll 2
        for (int s = 0; s < sets; s++) yj[s] = y[s * d + j];
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            const vec r = r0[i * rs + j];
#pragma GCC unroll 2
            for (int s = 0; s < sets; s++) {
                sum[s][i] += r * x[s * d + j];
                yj[s] += r * a[s][i];
            }
        }
#pragma GCC unroll 2
        for (int s = 0; s < sets; s++) y[s * d + j] = yj[s];
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j <= i; j++) {
            const vec r = r0[i * rs + i0 + j];
#pragma GCC unroll 2
            for (int s = 0; s < sets; s++) {
                sum[s][i] += r * a[s][j];
                if (j < i) sum[s][j] += r * a[s][i];
            }
        }
#pragma GCC unroll 2
    for (int s = 0; s < sets; s++)
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) y[s * d + i0 + i] = sum[s][i];
}

INLINE void product_all(int sets, int64_t d, const vec *R, int64_t rs, const vec *x, vec *y)
{
    int64_t i = 0;
    for (; i + PASS_ROWS <= d; i += PASS_ROWS) product_rows(sets, PASS_ROWS, i, d, R, rs, x, y);
    for (; i < d; i++) product_rows(sets, 1, i, d, R, rs, x, y);
}

static void product_1(int64_t d, const vec *R, int64_t rs, const vec *x, vec *y) { product_all(1, d, R, rs, x, y); }
static void product_2(int64_t d, const vec *R, int64_t rs, const vec *x, vec *y) { product_all(2, d, R, rs, x, y); }

/* Applications of R that bring the error below two roundings (in the norm of R^-1) in the widest of the lanes' intervals. */
static int steps_of(vec e)
{
    real widest = 0;
    for (int l = 0; l < LANES; l++) widest = e[l] > widest ? e[l] : widest;
    const double root = __builtin_sqrt(1 + (double)widest) + 1, rate = (double)widest / (root * root);
    const double enough = REAL_BITS == 32 ? 0x1p-22 : 0x1p-51;
    int steps = 0;
    for (double error = 2 * rate; error > enough && steps < 64; error *= rate) steps++;
    return steps;
}

/* x (sets x d) <- (1 + e R diag(l))^-1 r, r overwritten; work: 4 d per set. */
static void chebyshev(int sets, int64_t d, const vec *R, int64_t rs, const vec *l, vec e, vec *r, vec *x, vec *work)
{
    const int64_t n = sets * d;
    vec *p = work, *lp = p + n, *w = lp + n;
    const vec theta = 1 + e * (real)0.5, delta2 = e * e * (real)0.25;
    vec tau = 1 / theta;
    for (int64_t i = 0; i < n; i++) p[i] = tau * r[i], x[i] = p[i], lp[i] = l[i < d ? i : i - d] * p[i];
    for (int step = steps_of(e); step > 0; step--) {
        if (sets == 2) product_2(d, R, rs, lp, w);
        else product_1(d, R, rs, lp, w);
        const vec next = 1 / (2 * theta - delta2 * tau), keep = delta2 * next * tau, add = 2 * next;
        tau = next;
        for (int64_t i = 0; i < n; i++) {
            r[i] -= p[i] + e * w[i];
            p[i] = keep * p[i] + add * r[i];
            x[i] += p[i];
            lp[i] = l[i < d ? i : i - d] * p[i];
        }
    }
}

void NAME(forgetting_steps)(int64_t T, int64_t d, void *R, int64_t rs, const void *K, int64_t k_rs, const void *beta, int64_t beta_rs,
                            const void *high, const void *low, int64_t g_rs, const void *ridge, int sets, void *rows, int64_t t_rs, void *work)
{
    vec *u = work, *f = u + d, *b = f + d, *r = b + d, *x = r + 2 * d, *spare = x + 2 * d;
    const vec *k = K;
    vec a = splat(1);
    if (T <= 0) return;
    product_1(d, R, rs, k, b);                                               /* b = R k_1 */
    for (int64_t t = 0; t < T; t++) {
        const vec *next = t + 1 < T ? k + k_rs : k, weight = beta ? ((const vec *)beta)[t * beta_rs] : splat(1);
        vec s = {0}, *q = (vec *)rows + t * t_rs;
        a *= ((const vec *)high)[t * g_rs] + ((const vec *)low)[t * g_rs];
        for (int64_t i = 0; i < d; i++) s += k[i] * b[i];
        const vec factor = weight / (a + weight * s), e = (1 - a) / a, back = 1 / a;
        for (int64_t i = 0; i < d; i++) u[i] = b[i], f[i] = factor * b[i];
        pass(d, &(pass_of){R, rs, u, f, q, next, r, b});
        if (sets == 2) product_1(d, R, rs, q + d, r + d);
        chebyshev(sets, d, R, rs, ridge, e, r, x, spare);
        for (int64_t i = 0; i < sets * d; i++) q[i] = back * x[i];
        k = next;
    }
}
