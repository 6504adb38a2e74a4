/* Cholesky factors, solutions and inverses of symmetric positive definite systems, one per lane.
 * Panels have LANES lanes.
 *
 * cholesky           H <- g H + b k k^T,  L L^T = H + diag(l)
 * cholesky_solve     rows of X = (L L^T)^-1 rows of B
 * cholesky_inverse   R = (L L^T)^-1 = Z^T Z,  Z = L^-1
 *
 * Matrices are [row][column][lane] and only their lower triangles are touched. They are worked on
 * in N x N blocks, each of them in registers from its sum over k to its triangular solve;
 * right-hand sides are more rows of the factor. L keeps the reciprocals of its diagonal. Pivots are
 * at least the ridge, as they are without rounding, since H is positive semidefinite. Source: Golub
 * and Van Loan, Matrix Computations, section 4.2. */
#include "kern/simd_kernels.h"

/* Blocks have up to M rows and N columns: M N sums, N columns and one element of a row are all
 * registers. Those of one or two rows, right-hand sides, have up to WIDE columns. */
enum { M = SIMD_ISA == 3 ? 5 : 4, N = SIMD_ISA == 3 ? 5 : 3, WIDE = 6 };

/* ---- factor and solve ---- */

/* What a block of L starts from: H + ridge, moved on by a key, or right-hand sides. */
typedef struct source {
    vec *H;                        /* NULL: right-hand sides in `B` */
    int64_t h_rs;
    const vec *key;                /* NULL: H stays as it is */
    vec weight, keep_high, keep_low;                   /* b; g = high + low */
    const vec *ridge;
    const vec *B;
    int64_t b_rs;
} source;

/* n elements of row i, from column j0 on. */
INLINE void start_row(const source *s, int n, int64_t i, int64_t j0, vec *c)
{
    if (!s->H) {
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) c[j] = s->B[i * s->b_rs + j0 + j];
        return;
    }
    vec *h = s->H + i * s->h_rs + j0;
#pragma GCC unroll 8
    for (int j = 0; j < n; j++) c[j] = h[j];
    if (!s->key) return;
    const vec key = s->weight * s->key[i];
#pragma GCC unroll 8
    for (int j = 0; j < n; j++)
        h[j] = c[j] = c[j] * s->keep_high + (c[j] * s->keep_low + key * s->key[j0 + j]);
}

/* Block (i0, j0) of the factor whose rows are at A and whose diagonal block (j0, j0) is known: C =
 * start - A B^T over columns < j0, C <- C L_jj^-T. */
INLINE void factor_block(int m, int n, const source *s, vec *A, int64_t a_rs, const vec *L,
                         int64_t l_rs, int64_t i0, int64_t j0)
{
    vec c[M][WIDE];
    const vec *b = L + j0 * l_rs;
    vec *a = A + i0 * a_rs;
    const source from = *s;        /* what is stored in H might be part of it */
#pragma GCC unroll 8
    for (int i = 0; i < m; i++) start_row(&from, n, i0 + i, j0, c[i]);
    for (int64_t k = 0; k < j0; k++) {
        vec y[WIDE];
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) y[j] = b[j * l_rs + k];
#pragma GCC unroll 8
        for (int i = 0; i < m; i++) {
            const vec x = a[i * a_rs + k];
#pragma GCC unroll 8
            for (int j = 0; j < n; j++) c[i][j] -= x * y[j];
        }
    }
#pragma GCC unroll 8
    for (int j = 0; j < n; j++) {
#pragma GCC unroll 8
        for (int k = 0; k < j; k++) {
            const vec y = b[j * l_rs + j0 + k];
#pragma GCC unroll 8
            for (int i = 0; i < m; i++) c[i][j] -= c[i][k] * y;
        }
        const vec inverse = b[j * l_rs + j0 + j];
#pragma GCC unroll 8
        for (int i = 0; i < m; i++) a[i * a_rs + j0 + j] = c[i][j] *= inverse;
    }
}

/* Block (i0, i0): its own triangle. */
INLINE void factor_diagonal(int n, const source *s, vec *L, int64_t rs, int64_t i0)
{
    vec c[M][M], *a = L + i0 * rs;
    const source from = *s;
#pragma GCC unroll 8
    for (int i = 0; i < n; i++) {
        start_row(&from, i + 1, i0 + i, i0, c[i]);
        c[i][i] += s->ridge[i0 + i];
    }
    for (int64_t k = 0; k < i0; k++) {
        vec x[M];
#pragma GCC unroll 8
        for (int i = 0; i < n; i++) x[i] = a[i * rs + k];
#pragma GCC unroll 8
        for (int i = 0; i < n; i++)
#pragma GCC unroll 8
            for (int j = 0; j <= i; j++) c[i][j] -= x[i] * x[j];
    }
#pragma GCC unroll 8
    for (int j = 0; j < n; j++) {
        const vec least = s->ridge[i0 + j],
                  inverse = 1 / square_root(pick(c[j][j] < least, least, c[j][j]));
        a[j * rs + i0 + j] = inverse;
#pragma GCC unroll 8
        for (int i = j + 1; i < n; i++) {
            a[i * rs + i0 + j] = c[i][j] *= inverse;
#pragma GCC unroll 8
            for (int k = j + 1; k <= i; k++) c[i][k] -= c[i][j] * c[k][j];
        }
    }
}

typedef void (*block_fn)(const source *s, vec *A, int64_t a_rs, const vec *L, int64_t l_rs,
                         int64_t i0, int64_t j0);
typedef void (*diagonal_fn)(const source *s, vec *L, int64_t rs, int64_t i0);
#define BLOCK(m, n) \
    static void block_##m##_##n(const source *s, vec *A, int64_t a_rs, const vec *L, int64_t l_rs, \
                                int64_t i0, int64_t j0) \
    { \
        factor_block(m, n, s, A, a_rs, L, l_rs, i0, j0); \
    }
#define DIAGONAL(n) \
    static void diagonal_##n(const source *s, vec *L, int64_t rs, int64_t i0) \
    { \
        factor_diagonal(n, s, L, rs, i0); \
    }
#define FEW(m) BLOCK(m, 1) BLOCK(m, 2) BLOCK(m, 3)
#define MORE(m) BLOCK(m, 4) BLOCK(m, 5)
FEW(1) MORE(1) BLOCK(1, 6)
FEW(2) MORE(2) BLOCK(2, 6)
FEW(3)
FEW(4)
DIAGONAL(1) DIAGONAL(2) DIAGONAL(3) DIAGONAL(4)
#define FEW_OF(m) block_##m##_1, block_##m##_2, block_##m##_3
#define MORE_OF(m) block_##m##_4, block_##m##_5
#if SIMD_ISA == 3
MORE(3) MORE(4) FEW(5) MORE(5)
DIAGONAL(5)
static const block_fn blocks[M][WIDE] = {{FEW_OF(1), MORE_OF(1), block_1_6},
                                         {FEW_OF(2), MORE_OF(2), block_2_6},
                                         {FEW_OF(3), MORE_OF(3)},
                                         {FEW_OF(4), MORE_OF(4)},
                                         {FEW_OF(5), MORE_OF(5)}};
static const diagonal_fn diagonals[M] = {diagonal_1, diagonal_2, diagonal_3, diagonal_4,
                                         diagonal_5};
#else
static const block_fn blocks[M][WIDE] = {{FEW_OF(1), MORE_OF(1), block_1_6},
                                         {FEW_OF(2), MORE_OF(2), block_2_6},
                                         {FEW_OF(3)},
                                         {FEW_OF(4)}};
static const diagonal_fn diagonals[M] = {diagonal_1, diagonal_2, diagonal_3, diagonal_4};
#endif

/* Piece i of n extents cut into near-equal pieces of at most `most` starts here. */
INLINE int64_t pieces(int64_t n, int64_t most) { return (n + most - 1) / most; }
INLINE int64_t cut(int64_t n, int64_t most, int64_t i)
{
    const int64_t all = pieces(n, most);
    return n / all * i + (i < n % all ? i : n % all);
}

/* Blocks of m rows of A from row i on, over the first `cols` columns. */
static void factor_rows(const source *s, vec *A, int64_t a_rs, const vec *L, int64_t l_rs,
                        int64_t i, int64_t m, int64_t cols)
{
    const int64_t most = m > 2 ? N : WIDE;
    for (int64_t b = 0; b < pieces(cols, most); b++) {
        const int64_t j = cut(cols, most, b), n = cut(cols, most, b + 1) - j;
        blocks[m - 1][n - 1](s, A, a_rs, L, l_rs, i, j);
    }
}

void NAME(cholesky)(const kern *k, int64_t d, void *H, int64_t h_rs, const void *key,
                    const void *beta, const void *keep_high, const void *keep_low,
                    const void *ridge, void *L, int64_t l_rs)
{
    source s = {.H = H, .h_rs = h_rs, .key = key, .ridge = ridge};
    if (key) {
        s.weight = beta ? *(const vec *)beta : splat(1);
        s.keep_high = keep_high ? *(const vec *)keep_high : splat(1);
        s.keep_low = keep_low ? *(const vec *)keep_low : splat(0);
    }
    for (int64_t b = 0; b < pieces(d, M) && !kern_stopped(k); b++) {
        const int64_t i = cut(d, M, b), m = cut(d, M, b + 1) - i;
        factor_rows(&s, L, l_rs, L, l_rs, i, m, i);
        diagonals[m - 1](&s, L, l_rs, i);
    }
}

/* Columns < j of z -= x L, x: the n solved entries at column j of one row. */
INLINE void eliminate(int n, const vec *L, int64_t l_rs, int64_t j, vec *z)
{
    vec x[N];
#pragma GCC unroll 8
    for (int i = 0; i < n; i++) x[i] = z[j + i];
    const vec *l = L + j * l_rs;
    for (int64_t k = 0; k < j; k++) {
        vec sum = z[k];
#pragma GCC unroll 8
        for (int i = 0; i < n; i++) sum -= x[i] * l[i * l_rs + k];
        z[k] = sum;
    }
}

/* z <- L^-T z for one row. */
static void back_substitute(int64_t d, const vec *L, int64_t l_rs, vec *z)
{
    for (int64_t b = pieces(d, N) - 1; b >= 0; b--) {
        const int64_t j = cut(d, N, b), n = cut(d, N, b + 1) - j;
        for (int64_t i = n - 1; i >= 0; i--) {
            z[j + i] *= L[(j + i) * l_rs + j + i];
            for (int64_t k = 0; k < i; k++) z[j + k] -= z[j + i] * L[(j + i) * l_rs + j + k];
        }
        if (n == N) eliminate(N, L, l_rs, j, z);
        else if (n == N - 1) eliminate(N - 1, L, l_rs, j, z);
        else
            for (int64_t i = 0; i < n; i++)
                for (int64_t k = 0; k < j; k++) z[k] -= z[j + i] * L[(j + i) * l_rs + k];
    }
}

void NAME(cholesky_solve)(const kern *k, int64_t d, const void *L, int64_t l_rs, int64_t rows,
                          const void *B, int64_t b_rs, void *X, int64_t x_rs)
{
    source s = {.B = B, .b_rs = b_rs};
    for (int64_t i = 0; i < rows && !kern_stopped(k); i += M)
        factor_rows(&s, X, x_rs, L, l_rs, i, rows - i < M ? rows - i : M, d);
    for (int64_t i = 0; i < rows && !kern_stopped(k); i++)
        back_substitute(d, L, l_rs, (vec *)X + i * x_rs);
}

/* ---- inverse ---- */

/* Rows i0.. of Z over rows i0.. of L, from column j0 on: Z_ij = -L_ii^-1 sum_k L_ik Z_kj. Columns
 * go from left to right, so that what is left of L is what is needed. */
INLINE void invert_block(int m, int n, vec *L, int64_t rs, int64_t i0, int64_t j0)
{
    vec c[N][N] = {{{0}}}, *a = L + i0 * rs;
    const vec *z = L + j0 * rs + j0;
#pragma GCC unroll 8
    for (int k = 0; k < n; k++)                            /* the triangle of Z at (j0, j0) */
#pragma GCC unroll 8
        for (int j = 0; j <= k; j++)
#pragma GCC unroll 8
            for (int i = 0; i < m; i++) c[i][j] -= a[i * rs + j0 + k] * z[k * rs + j];
    for (int64_t k = n; k < i0 - j0; k++) {
        vec x[N];
#pragma GCC unroll 8
        for (int i = 0; i < m; i++) x[i] = a[i * rs + j0 + k];
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) {
            const vec y = z[k * rs + j];
#pragma GCC unroll 8
            for (int i = 0; i < m; i++) c[i][j] -= x[i] * y;
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < m; i++)
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) {
#pragma GCC unroll 8
            for (int k = 0; k < i; k++) c[i][j] -= a[i * rs + i0 + k] * c[k][j];
            c[i][j] *= a[i * rs + i0 + i];
        }
#pragma GCC unroll 8
    for (int i = 0; i < m; i++)
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) a[i * rs + j0 + j] = c[i][j];
}

INLINE void invert_diagonal(int n, vec *L, int64_t rs, int64_t i0)
{
    vec *a = L + i0 * (rs + 1);
    for (int j = 0; j < n; j++)
        for (int i = j + 1; i < n; i++) {
            vec sum = {0};
            for (int k = j; k < i; k++) sum -= a[i * rs + k] * a[k * rs + j];
            a[i * rs + j] = sum * a[i * rs + i];
        }
}

/* R_ij = sum over k >= i0 of Z_ki Z_kj, j0 <= i0. */
INLINE void gram_block(int m, int n, int64_t d, const vec *Z, int64_t z_rs, vec *R, int64_t r_rs,
                       int64_t i0, int64_t j0)
{
    vec c[N][N] = {{{0}}};
#pragma GCC unroll 8
    for (int k = 0; k < m; k++) {
        const vec *row = Z + (i0 + k) * z_rs;
#pragma GCC unroll 8
        for (int i = 0; i <= k; i++)
#pragma GCC unroll 8
            for (int j = 0; j < n; j++)
                if (i0 + k >= j0 + j) c[i][j] += row[i0 + i] * row[j0 + j];
    }
    for (int64_t k = i0 + m; k < d; k++) {
        const vec *row = Z + k * z_rs;
        vec x[N];
#pragma GCC unroll 8
        for (int i = 0; i < m; i++) x[i] = row[i0 + i];
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) {
            const vec y = row[j0 + j];
#pragma GCC unroll 8
            for (int i = 0; i < m; i++) c[i][j] += x[i] * y;
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < m; i++)
#pragma GCC unroll 8
        for (int j = 0; j < n; j++)
            if (i0 + i >= j0 + j) R[(i0 + i) * r_rs + j0 + j] = c[i][j];
}

/* Near-equal pieces of N (N - 1) and more are N or N - 1 long. */
#define PAIR(m, n) \
    static void invert_##m##_##n(vec *L, int64_t rs, int64_t i, int64_t j) \
    { \
        invert_block(m, n, L, rs, i, j); \
    } \
    static void gram_##m##_##n(int64_t d, const vec *Z, int64_t z_rs, vec *R, int64_t r_rs, \
                               int64_t i, int64_t j) \
    { \
        gram_block(m, n, d, Z, z_rs, R, r_rs, i, j); \
    }
#if SIMD_ISA == 3
PAIR(4, 4)
PAIR(4, 5) PAIR(5, 4)
    PAIR(5, 5) static void (*const inverts[2][2])(vec *, int64_t, int64_t, int64_t) = {
        {invert_4_4, invert_4_5}, {invert_5_4, invert_5_5}};
static void (*const grams[2][2])(int64_t, const vec *, int64_t, vec *, int64_t, int64_t,
                                 int64_t) = {{gram_4_4, gram_4_5}, {gram_5_4, gram_5_5}};
#else
PAIR(2, 2)
PAIR(2, 3) PAIR(3, 2)
    PAIR(3, 3) static void (*const inverts[2][2])(vec *, int64_t, int64_t, int64_t) = {
        {invert_2_2, invert_2_3}, {invert_3_2, invert_3_3}};
static void (*const grams[2][2])(int64_t, const vec *, int64_t, vec *, int64_t, int64_t,
                                 int64_t) = {{gram_2_2, gram_2_3}, {gram_3_2, gram_3_3}};
#endif

void NAME(cholesky_inverse)(const kern *k, int64_t d, void *L, int64_t l_rs, void *R, int64_t r_rs)
{
    for (int64_t bi = 0; bi < pieces(d, N) && !kern_stopped(k); bi++) {
        const int64_t i = cut(d, N, bi), m = cut(d, N, bi + 1) - i;
        for (int64_t bj = 0; bj < bi; bj++)
            inverts[m - N + 1][cut(d, N, bj + 1) - cut(d, N, bj) - N + 1](L, l_rs, i,
                                                                          cut(d, N, bj));
        invert_diagonal((int)m, L, l_rs, i);
    }
    for (int64_t bi = 0; bi < pieces(d, N) && !kern_stopped(k); bi++) {
        const int64_t i = cut(d, N, bi), m = cut(d, N, bi + 1) - i;
        for (int64_t bj = 0; bj <= bi; bj++)
            grams[m - N + 1][cut(d, N, bj + 1) - cut(d, N, bj) - N + 1](d, L, l_rs, R, r_rs, i,
                                                                        cut(d, N, bj));
    }
}
