/* Inverses that change from step to step, one per lane: the recursion under the mesa layer. Panels
 * have LANES lanes.
 *
 * inverse_steps      with a_t = g_1 .. g_t, and R_t the inverse of H + Lambda before the first step
 *                    plus sum of (b_s / a_s) k_s k_s^T:
 *                    R_t = R_{t-1} - b_t R_{t-1} k_t k_t^T R_{t-1} / (a_t + b_t k_t^T R_{t-1} k_t)
 *                    (arXiv 2309.05858 appendix on the mesa layer; Sherman and Morrison 1950), so
 *                    that (H_t + Lambda) / a_t = R_t^-1 + e_t Lambda, e_t = 1 / a_t - 1. x_t = y /
 *                    a_t with (1 + e_t R_t Lambda) y = R_t q_t by Chebyshev's iteration: the
 *                    spectrum lies in [1, 1 + e_t], whatever the keys (Saad, Iterative Methods for
 *                    Sparse Linear Systems, algorithm 12.1). Without gates e_t = 0, and x_t = R_t
 *                    q_t.
 * and refined:       x_t += the same for the residual q_t - (H_t + Lambda) x_t. A product with an
 *                    explicit inverse leaves a residual of kappa roundings, where a
 *                    factor leaves a few: errors of x_t along the keys, which should be its
 *                    smallest, are then kappa times too large (Higham, Accuracy and Stability of
 *                    Numerical Algorithms, sections 12.2 and 14.1). One step of refinement mends
 *                    that.
 *
 * Matrices are [row][column][lane] and only their lower triangles are touched. One pass over R
 * updates it and multiplies it with q_t and with the next key: each element is loaded once for five
 * multiply-adds. */
#include "kern/simd_kernels.h"

enum { PASS_ROWS = SIMD_ISA == 3 ? 4 : 2 };            /* rows of R that are passed at a time */

/* ---- updates ---- */

/* M <- M - u f^T, x = M q, b = M k. */
typedef struct pass_of { vec *M; int64_t rs; const vec *u, *f, *q, *k; vec *x, *b; } pass_of;

/* Rows i0..; rows above have already added to x and b. One product: only x. */
INLINE void pass_rows(int products, int rows, int64_t i0, const pass_of *p)
{
    vec u[PASS_ROWS], q[PASS_ROWS], k[PASS_ROWS], x[PASS_ROWS], b[PASS_ROWS],
        *M = p->M + i0 * p->rs;
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
        u[i] = p->u[i0 + i], q[i] = p->q[i0 + i], k[i] = products > 1 ? p->k[i0 + i] : splat(0),
        x[i] = b[i] = (vec){0};
    for (int64_t j = 0; j < i0; j++) {
        const vec fj = p->f[j], qj = p->q[j], kj = products > 1 ? p->k[j] : splat(0);
        vec xj = p->x[j], bj = products > 1 ? p->b[j] : splat(0);
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) {
            const vec m = M[i * p->rs + j] -= u[i] * fj;
            x[i] += m * qj;
            xj += m * q[i];
            if (products > 1) b[i] += m * kj, bj += m * k[i];
        }
        p->x[j] = xj;
        if (products > 1) p->b[j] = bj;
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 8
        for (int j = 0; j <= i; j++) {
            const vec m = M[i * p->rs + i0 + j] -= u[i] * p->f[i0 + j];
            x[i] += m * q[j];
            if (products > 1) b[i] += m * k[j];
            if (j == i) continue;
            x[j] += m * q[i];
            if (products > 1) b[j] += m * k[i];
        }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
        p->x[i0 + i] = x[i];
        if (products > 1) p->b[i0 + i] = b[i];
    }
}

INLINE void pass_all(int products, int64_t d, const pass_of *p)
{
    int64_t i = 0;
    for (; i + PASS_ROWS <= d; i += PASS_ROWS) pass_rows(products, PASS_ROWS, i, p);
    for (; i < d; i++) pass_rows(products, 1, i, p);
}

static void pass_1(int64_t d, const pass_of *p) { pass_all(1, d, p); }
static void pass_2(int64_t d, const pass_of *p) { pass_all(2, d, p); }

/* ---- products ---- */

/* Rows i0.. of y = R x for one or two x; rows above have already added. */
INLINE void product_rows(int sets, int rows, int64_t i0, int64_t d, const vec *R, int64_t rs,
                         const vec *x, vec *y)
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

static void product_1(int64_t d, const vec *R, int64_t rs, const vec *x, vec *y)
{
    product_all(1, d, R, rs, x, y);
}
static void product_2(int64_t d, const vec *R, int64_t rs, const vec *x, vec *y)
{
    product_all(2, d, R, rs, x, y);
}

/* ---- gates ---- */

enum { ALL_DIGITS = REAL_BITS == 32 ? 22 : 51, HALF_OF_THEM = (ALL_DIGITS + 1) / 2 };

/* Applications of R that bring the error below 2^-digits (in the norm of R^-1) in the widest of the
 * lanes' intervals. */
static int steps_of(vec e, int digits)
{
    real widest = 0;
    for (int l = 0; l < LANES; l++) widest = e[l] > widest ? e[l] : widest;
    const double root = __builtin_sqrt(1 + (double)widest) + 1,
                 rate = (double)widest / (root * root), enough = 1 / (double)(INT64_C(1) << digits);
    int steps = 0;
    for (double error = 2 * rate; error > enough && steps < 64; error *= rate) steps++;
    return steps;
}

/* x (sets x d) <- (1 + e R diag(l))^-1 r, r overwritten; work: 3 d per set. */
static void chebyshev(int sets, int64_t d, const vec *R, int64_t rs, const vec *l, vec e,
                      int digits, vec *r, vec *x, vec *work)
{
    const int64_t n = sets * d;
    vec *p = work, *lp = p + n, *w = lp + n;
    const vec theta = 1 + e * (real)0.5, delta2 = e * e * (real)0.25;
    vec tau = 1 / theta;
    for (int64_t i = 0; i < n; i++)
        p[i] = tau * r[i], x[i] = p[i], lp[i] = l[i < d ? i : i - d] * p[i];
    for (int step = steps_of(e, digits); step > 0; step--) {
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

/* ---- all ---- */

/* H <- H + weight k k^T, and for each set y += (1 + e R Lambda)^-1 R (q - H y - (1 + e) Lambda y);
 * r: 2 d, u, f: d. */
static void refine(int sets, int64_t d, const vec *R, vec *H, int64_t rs, const vec *k, vec weight,
                   const vec *l, vec e, const vec *q, vec *y, vec *r, vec *u, vec *f, vec *work)
{
    for (int64_t i = 0; i < d; i++) u[i] = -weight * k[i], f[i] = k[i];
    pass_1(d, &(pass_of){H, rs, u, f, y, NULL, r, NULL});
    for (int set = 0; set < sets; set++, q += d, y += d) {
        if (set > 0) product_1(d, H, rs, y, r);
        for (int64_t i = 0; i < d; i++) r[i] = (q[i] - r[i]) - (1 + e) * (l[i] * y[i]);
        product_1(d, R, rs, r, r + d);
        chebyshev(1, d, R, rs, l, e, HALF_OF_THEM, r + d, u, work);
        for (int64_t i = 0; i < d; i++) y[i] += u[i];
    }
}

void NAME(inverse_steps)(const kern *kern, int64_t T, int64_t d, void *R, void *H, int64_t rs,
                         mat K, mat beta, mat high, mat low, const void *ridge, int sets,
                         int refined, const mat *B, const mat *X, void *work)
{
    vec *u = work, *f = u + d, *b = f + d, *q = b + d, *r = q + 2 * d, *y = r + 2 * d,
        *spare = y + 2 * d;
    const vec *k = K.p;
    vec a = splat(1);
    if (T <= 0) return;
    product_1(d, R, rs, k, b);                                               /* b = R k_1 */
    for (int64_t t = 0; t < T && !kern_stopped(kern); t++) {
        const vec *next = t + 1 < T ? k + K.rs : k,
                  weight = beta.p ? ((const vec *)beta.p)[t * beta.rs] : splat(1);
        vec s = {0};
        if (high.p) a *= ((const vec *)high.p)[t * high.rs] + ((const vec *)low.p)[t * low.rs];
        for (int64_t i = 0; i < d; i++) s += k[i] * b[i];
        const vec factor = weight / (a + weight * s), e = (1 - a) / a, back = 1 / a;
        for (int64_t i = 0; i < d; i++) u[i] = b[i], f[i] = factor * b[i];
        for (int i = 0; i < sets; i++)
            memcpy(q + i * d, (const vec *)B[i].p + t * B[i].rs, (size_t)d * sizeof *q);
        pass_2(d, &(pass_of){R, rs, u, f, q, next, r, b});
        if (sets == 2) product_1(d, R, rs, q + d, r + d);
        chebyshev(sets, d, R, rs, ridge, e, refined == sets ? HALF_OF_THEM : ALL_DIGITS, r, y,
                  spare);
        if (refined) refine(refined, d, R, H, rs, k, weight * back, ridge, e, q, y, r, u, f, spare);
        for (int i = 0; i < sets; i++)
            for (int64_t j = 0; j < d; j++) ((vec *)X[i].p)[t * X[i].rs + j] = back * y[i * d + j];
        k = next;
    }
}
