/* One vector through a preconditioning iteration, and the gradient with respect to its
 * coefficients; one system per lane, panels of LANES lanes.
 *
 * inv(A) v is approached by steps k = 1 .. K on Ab = A / c, A symmetric, from x = tau = v, d_1 = 0:
 *     w_k = Ab tau;      tau <- tau - a_k w_k;      d_{k+1} = tau + b_k d_k;      x <- x + d_{k+1};
 *     at the end x / c
 * This is the matrix iteration T <- T (I - a_k Ab), X <- X + T + b_k (X - X') of docs/science.md,
 * section 5 applied to v, since all its matrices are polynomials in A; d_k = X v - X' v. A step
 * costs n n multiply-adds where the matrix form costs n n n. Backward, g = dL/dx at the end, over
 * c: every d has the gradient g from x and b_k times that of the next d, so from e = h = 0 for k =
 * K .. 1
 *     e <- g + b_{k+1} e;   db_k += e . d_k;   h <- h + e;   da_k -= h . w_k;   h <- h - a_k Ab h
 */
#include "kern/simd_kernels.h"

enum { ROWS = 5 }; /* of the matrix at a time: as many sums in flight */

INLINE void multiply_rows(int rows, int64_t n, const vec *A, int64_t rs, const vec *x, vec scale,
                          vec *y)
{
    vec sum[ROWS];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) sum[i] = (vec){0};
    for (int64_t j = 0; j < n; j++)
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++) sum[i] += A[i * rs + j] * x[j];
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) y[i] = scale * sum[i];
}

/* y = scale A x */
static void multiply(int64_t n, const vec *A, int64_t rs, const vec *x, vec scale, vec *y)
{
    int64_t i = 0;
    for (; i + ROWS <= n; i += ROWS) multiply_rows(ROWS, n, A + i * rs, rs, x, scale, y + i);
    for (; i < n; i++) multiply_rows(1, n, A + i * rs, rs, x, scale, y + i);
}

INLINE vec dot(int64_t n, const vec *x, const vec *y)
{
    vec sum[2] = {{0}};
    for (int64_t j = 0; j < n; j++) sum[j & 1] += x[j] * y[j];
    return sum[0] + sum[1];
}

/* 1 / c: of the number given, or of the Frobenius norm of A. */
static vec inverse_divisor(int64_t n, const vec *A, int64_t rs, double divisor)
{
    if (divisor > 0) return splat((real)(1 / divisor));
    vec squares = {0};
    for (int64_t i = 0; i < n; i++) squares += dot(n, A + i * rs, A + i * rs);
    return 1 / square_root(squares);
}

void NAME(precondition)(const kern *kern, int64_t n, int64_t steps, const double *a,
                        const double *b, double divisor, const void *A, int64_t rs, const void *v,
                        void *out, void *trace)
{
    const vec inverse = inverse_divisor(n, A, rs, divisor);
    /* d: one row more than w */
    vec *scale = trace, *tau = scale + 1, *w = tau + n, *d = w + steps * n, *x = out;
    *scale = inverse;
    for (int64_t j = 0; j < n; j++) x[j] = tau[j] = ((const vec *)v)[j], d[j] = (vec){0};
    for (int64_t k = 0; k < steps && !kern_stopped(kern); k++, w += n, d += n) {
        const vec ak = splat((real)a[k]), bk = splat((real)b[k]);
        multiply(n, A, rs, tau, inverse, w);
        for (int64_t j = 0; j < n; j++) {
            tau[j] -= ak * w[j];
            d[n + j] = tau[j] + bk * d[j];
            x[j] += d[n + j];
        }
    }
    for (int64_t j = 0; j < n; j++) x[j] *= inverse;
}

void NAME(precondition_back)(const kern *kern, int64_t n, int64_t steps, const double *a,
                             const double *b, const void *A, int64_t rs, const void *dout,
                             const void *trace, void *da, void *db, void *work)
{
    const vec scale = *(const vec *)trace, *w = (const vec *)trace + 1 + n, *d = w + steps * n;
    vec *e = work, *h = e + n, *next = h + n;
    memset(e, 0, (size_t)(2 * n) * sizeof *e);
    for (int64_t k = steps - 1; k >= 0 && !kern_stopped(kern); k--) {
        const vec after = splat(k + 1 < steps ? (real)b[k + 1] : 0), ak = splat((real)a[k]);
        for (int64_t j = 0; j < n; j++) {
            /* x <- x + d_{k+1};  d_{k+2} = tau + b_{k+1} d_{k+1} */
            e[j] = scale * ((const vec *)dout)[j] + after * e[j];
            h[j] += e[j]; /* d_{k+1} = tau + b_k d_k */
        }
        ((vec *)db)[k] += dot(n, e, d + k * n);
        ((vec *)da)[k] -= dot(n, h, w + k * n); /* tau <- tau - a_k w_k */
        if (k == 0) break;
        multiply(n, A, rs, h, scale, next); /* w_k = Ab tau */
        for (int64_t j = 0; j < n; j++) h[j] -= ak * next[j];
    }
}
