/* Blocks of one dense Cholesky factor A = U^T U, row-major, upper triangle; the inner parts of lib/lsq/dense.c. Every loop runs along rows, in vectors.
 * U keeps the reciprocals of its diagonal. */
#include "kern/simd_kernels.h"

/* y[from .. n) -= a x[from .. n) */
static inline __attribute__((always_inline)) void subtract(int64_t from, int64_t n, real a, const real *x, real *y)
{
    int64_t j = from;
    for (; j + LANES <= n; j += LANES) store_u(y + j, load_u(y + j) - a * load_u(x + j));
    for (; j < n; j++) y[j] -= a * x[j];
}

static inline __attribute__((always_inline)) void scale(int64_t from, int64_t n, real a, real *x)
{
    for (int64_t j = from; j < n; j++) x[j] *= a;
}

void NAME(dense_factor)(int64_t n, void *matrix, int64_t rs)
{
    real *A = matrix;
    for (int64_t i = 0; i < n; i++) {
        real *row = A + i * rs;
        const real inverse = 1 / (real)__builtin_sqrt((double)row[i]);
        row[i] = inverse;
        scale(i + 1, n, inverse, row);
        for (int64_t j = i + 1; j < n; j++) subtract(j, n, row[j], row, A + j * rs);
    }
}

void NAME(dense_forward)(int64_t n, int64_t m, const void *factor, int64_t u_rs, void *block, int64_t b_rs)
{
    const real *U = factor;
    real *B = block;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < i; k++) subtract(0, m, U[k * u_rs + i], B + k * b_rs, B + i * b_rs);
        scale(0, m, U[i * u_rs + i], B + i * b_rs);
    }
}

void NAME(dense_backward)(int64_t n, int64_t m, const void *factor, int64_t u_rs, void *block, int64_t b_rs)
{
    const real *U = factor;
    real *B = block;
    for (int64_t i = n - 1; i >= 0; i--) {
        for (int64_t k = i + 1; k < n; k++) subtract(0, m, U[i * u_rs + k], B + k * b_rs, B + i * b_rs);
        scale(0, m, U[i * u_rs + i], B + i * b_rs);
    }
}
