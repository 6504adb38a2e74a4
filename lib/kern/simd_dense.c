/* One dense matrix, row-major; every loop runs along rows, in vectors.
 *
 * Blocks of a Cholesky factor A = U^T U, the inner parts of dense.c: upper triangle, with
 * the reciprocals of its diagonal. Combinations of rows, y = sum_i c_i M_i: a matrix times a vector
 * when it is symmetric or transposed, with y in registers. */
#include "kern/simd_kernels.h"

/* y[from .. n) -= a x[from .. n) */
INLINE void subtract(int64_t from, int64_t n, real a, const real *x, real *y)
{
    int64_t j = from;
    for (; j + LANES <= n; j += LANES) store_u(y + j, load_u(y + j) - a * load_u(x + j));
    for (; j < n; j++) y[j] -= a * x[j];
}

INLINE void scale(int64_t from, int64_t n, real a, real *x)
{
    for (int64_t j = from; j < n; j++) x[j] *= a;
}

void NAME(dense_factor)(int64_t n, const void *least, void *matrix, int64_t rs)
{
    real *A = matrix;
    for (int64_t i = 0; i < n; i++) {
        real *row = A + i * rs;
        const real floor = ((const real *)least)[i],
                   inverse = 1 / (real)__builtin_sqrt((double)(row[i] < floor ? floor : row[i]));
        row[i] = inverse;
        scale(i + 1, n, inverse, row);
        for (int64_t j = i + 1; j < n; j++) subtract(j, n, row[j], row, A + j * rs);
    }
}

void NAME(dense_forward)(int64_t n, int64_t m, const void *factor, int64_t u_rs, void *block,
                         int64_t b_rs)
{
    const real *U = factor;
    real *B = block;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < i; k++) subtract(0, m, U[k * u_rs + i], B + k * b_rs, B + i * b_rs);
        scale(0, m, U[i * u_rs + i], B + i * b_rs);
    }
}

void NAME(dense_backward)(int64_t n, int64_t m, const void *factor, int64_t u_rs, void *block,
                          int64_t b_rs)
{
    const real *U = factor;
    real *B = block;
    for (int64_t i = n - 1; i >= 0; i--) {
        for (int64_t k = i + 1; k < n; k++)
            subtract(0, m, U[i * u_rs + k], B + k * b_rs, B + i * b_rs);
        scale(0, m, U[i * u_rs + i], B + i * b_rs);
    }
}

enum { HELD = SIMD_ISA == 3 ? 8 : 4 };                 /* vectors of y */

/* Vectors of columns 0, LANES, .., and `last` for the final one, which may overlap the one before.
 */
INLINE void combine_block(int sets, int vecs, int64_t last, int64_t m, const real *c, int64_t c_rs,
                          const real *M, int64_t rs, int accumulate, real *y, int64_t y_rs)
{
    vec sum[2][HELD];
#define AT(v) ((v) == vecs - 1 ? last : (int64_t)(v) * LANES)
#pragma GCC unroll 2
    for (int s = 0; s < sets; s++)
#pragma GCC unroll 8
        for (int v = 0; v < vecs; v++)
            sum[s][v] = accumulate ? load_u(y + s * y_rs + AT(v)) : (vec){0};
    for (int64_t i = 0; i < m; i++)
#pragma GCC unroll 8
        for (int v = 0; v < vecs; v++) {
            const vec x = load_u(M + i * rs + AT(v));
#pragma GCC unroll 2
            for (int s = 0; s < sets; s++) sum[s][v] += c[s * c_rs + i] * x;
        }
#pragma GCC unroll 2
    for (int s = 0; s < sets; s++)
#pragma GCC unroll 8
        for (int v = 0; v < vecs; v++) store_u(y + s * y_rs + AT(v), sum[s][v]);
#undef AT
}

INLINE void combine_columns(int sets, int64_t m, int64_t n, const real *c, int64_t c_rs,
                            const real *M, int64_t rs, int accumulate, real *y, int64_t y_rs)
{
    const int64_t vecs = (n + LANES - 1) / LANES, blocks = (vecs + HELD - 1) / HELD;
    for (int64_t b = 0, v = 0, count; b < blocks; b++, v += count) {
        count = vecs / blocks + (b < vecs % blocks);
        const int64_t j = v * LANES, last = b == blocks - 1 ? n - LANES - j : (count - 1) * LANES;
#define CASE(held) \
    case held: \
        combine_block(sets, held, last, m, c, c_rs, M + j, rs, accumulate, y + j, y_rs); \
        break;
        switch (count) {
            CASE(1) CASE(2) CASE(3) CASE(4)
#if SIMD_ISA == 3
            CASE(5) CASE(6) CASE(7) CASE(8)
#endif
        }
#undef CASE
    }
}

static void combine_narrow(int64_t m, int64_t n, int sets, const real *c, int64_t c_rs,
                           const real *M, int64_t rs, int accumulate, real *y, int64_t y_rs)
{
    for (int s = 0; s < sets; s++)
        for (int64_t j = 0; j < n; j++) {
            real sum = accumulate ? y[s * y_rs + j] : 0;
            for (int64_t i = 0; i < m; i++) sum += c[s * c_rs + i] * M[i * rs + j];
            y[s * y_rs + j] = sum;
        }
}

void NAME(combine)(int64_t m, int64_t n, int sets, const void *c, int64_t c_rs, const void *M,
                   int64_t rs, int accumulate, void *y, int64_t y_rs)
{
    if (n < LANES) combine_narrow(m, n, sets, c, c_rs, M, rs, accumulate, y, y_rs);
    else if (sets == 2) combine_columns(2, m, n, c, c_rs, M, rs, accumulate, y, y_rs);
    else combine_columns(1, m, n, c, c_rs, M, rs, accumulate, y, y_rs);
}
