/* Symmetric positive definite systems that change from step to step, one per lane: the recursions under the mesa layer. Panels have LANES lanes.
 *
 * sherman_morrison   R_t = R_{t-1} - b_t R_{t-1} k_t k_t^T R_{t-1} / (1 + b_t k_t^T R_{t-1} k_t),  x_t = R_t q_t
 *                    (arXiv 2309.05858 appendix on the mesa layer; Sherman and Morrison 1950)
 * cholesky           H <- g H + b k k^T,  L L^T = H + diag(l)
 * cholesky_solve     rows of X = (L L^T)^-1 rows of B
 *
 * Matrices are [row][column][lane] and only their lower triangles are touched. One pass over R updates it and multiplies it with q_t and with the
 * next key: each element is loaded once for five multiply-adds. The factor is computed row by row of N x N blocks, each of them in
 * registers from its sum over k to its triangular solve; right-hand sides are more rows of the same. L keeps the reciprocals of
 * its diagonal. */
#include "kern/simd_random.h"

#if SIMD_ISA == 3
enum { N = 5, PASS_ROWS = 4 };     /* block; rows of R that are passed at a time */
#else
enum { N = 3, PASS_ROWS = 2 };
#endif

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

void NAME(symmetric_product)(int64_t d, const void *H, int64_t h_rs, const void *x, void *y)
{
    const vec *h = H, *a = x;
    vec *b = y;
    for (int64_t i = 0; i < d; i++) {
        const vec ai = a[i];
        vec sum[2] = {h[i * h_rs + i] * ai};
        for (int64_t j = 0; j < i; j++) {
            const vec r = h[i * h_rs + j];
            sum[j & 1] += r * a[j];
            b[j] += r * ai;
        }
        b[i] = sum[0] + sum[1];
    }
}

/* ---- Cholesky ---- */

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

INLINE vec start(const source *s, int64_t i, int64_t j)
{
    if (!s->H) return s->B[i * s->b_rs + j];
    vec *h = s->H + i * s->h_rs + j;
    if (s->key) *h = *h * s->keep_high + (*h * s->keep_low + s->weight * s->key[i] * s->key[j]);
    return i == j ? *h + s->ridge[i] : *h;
}

/* Block (i0, j0) of the factor whose rows are at A and whose diagonal block (j0, j0) is known: C = start - A B^T over columns < j0, C <- C L_jj^-T. */
INLINE void factor_block(int m, int n, const source *s, vec *A, int64_t a_rs, const vec *L, int64_t l_rs, int64_t i0, int64_t j0)
{
    vec c[N][N];
    const vec *b = L + j0 * l_rs;
    vec *a = A + i0 * a_rs;
#pragma GCC unroll 8
    for (int i = 0; i < m; i++)
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) c[i][j] = start(s, i0 + i, j0 + j);
    for (int64_t k = 0; k < j0; k++) {
        vec x[N];
#pragma GCC unroll 8
        for (int i = 0; i < m; i++) x[i] = a[i * a_rs + k];
#pragma GCC unroll 8
        for (int j = 0; j < n; j++) {
            const vec y = b[j * l_rs + k];
#pragma GCC unroll 8
            for (int i = 0; i < m; i++) c[i][j] -= x[i] * y;
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
    vec c[N][N], *a = L + i0 * rs;
#pragma GCC unroll 8
    for (int i = 0; i < n; i++)
#pragma GCC unroll 8
        for (int j = 0; j <= i; j++) c[i][j] = start(s, i0 + i, i0 + j);
    for (int64_t k = 0; k < i0; k++) {
        vec x[N];
#pragma GCC unroll 8
        for (int i = 0; i < n; i++) x[i] = a[i * rs + k];
#pragma GCC unroll 8
        for (int i = 0; i < n; i++)
#pragma GCC unroll 8
            for (int j = 0; j <= i; j++) c[i][j] -= x[i] * x[j];
    }
#pragma GCC unroll 8
    for (int j = 0; j < n; j++) {
        const vec inverse = 1 / square_root(c[j][j]);
        a[j * rs + i0 + j] = inverse;
#pragma GCC unroll 8
        for (int i = j + 1; i < n; i++) {
            a[i * rs + i0 + j] = c[i][j] *= inverse;
#pragma GCC unroll 8
            for (int k = j + 1; k <= i; k++) c[i][k] -= c[i][j] * c[k][j];
        }
    }
}

typedef void (*block_fn)(const source *s, vec *A, int64_t a_rs, const vec *L, int64_t l_rs, int64_t i0, int64_t j0);
typedef void (*diagonal_fn)(const source *s, vec *L, int64_t rs, int64_t i0);
#define BLOCK(m, n) \
    static void block_##m##_##n(const source *s, vec *A, int64_t a_rs, const vec *L, int64_t l_rs, int64_t i0, int64_t j0) \
    { factor_block(m, n, s, A, a_rs, L, l_rs, i0, j0); }
#define DIAGONAL(n) static void diagonal_##n(const source *s, vec *L, int64_t rs, int64_t i0) { factor_diagonal(n, s, L, rs, i0); }
#if SIMD_ISA == 3
#define ROW(m) BLOCK(m, 1) BLOCK(m, 2) BLOCK(m, 3) BLOCK(m, 4) BLOCK(m, 5)
#define NAMES(m) {block_##m##_1, block_##m##_2, block_##m##_3, block_##m##_4, block_##m##_5}
ROW(1) ROW(2) ROW(3) ROW(4) ROW(5)
DIAGONAL(1) DIAGONAL(2) DIAGONAL(3) DIAGONAL(4) DIAGONAL(5)
static const block_fn blocks[N][N] = {NAMES(1), NAMES(2), NAMES(3), NAMES(4), NAMES(5)};
static const diagonal_fn diagonals[N] = {diagonal_1, diagonal_2, diagonal_3, diagonal_4, diagonal_5};
#else
#define ROW(m) BLOCK(m, 1) BLOCK(m, 2) BLOCK(m, 3)
#define NAMES(m) {block_##m##_1, block_##m##_2, block_##m##_3}
ROW(1) ROW(2) ROW(3)
DIAGONAL(1) DIAGONAL(2) DIAGONAL(3)
static const block_fn blocks[N][N] = {NAMES(1), NAMES(2), NAMES(3)};
static const diagonal_fn diagonals[N] = {diagonal_1, diagonal_2, diagonal_3};
#endif

/* Piece i of n extents cut into near-equal pieces of at most N starts here. */
INLINE int64_t pieces(int64_t n) { return (n + N - 1) / N; }
INLINE int64_t cut(int64_t n, int64_t i) { return n / pieces(n) * i + (i < n % pieces(n) ? i : n % pieces(n)); }

void NAME(cholesky)(int64_t d, void *H, int64_t h_rs, const void *key, const void *beta, const void *keep_high, const void *keep_low, const void *ridge,
                    void *L, int64_t l_rs)
{
    source s = {.H = H, .h_rs = h_rs, .key = key, .ridge = ridge};
    if (key) {
        s.weight = beta ? *(const vec *)beta : splat(1);
        s.keep_high = keep_high ? *(const vec *)keep_high : splat(1);
        s.keep_low = keep_low ? *(const vec *)keep_low : splat(0);
    }
    for (int64_t bi = 0; bi < pieces(d); bi++) {
        const int64_t i = cut(d, bi), m = cut(d, bi + 1) - i;
        for (int64_t bj = 0; bj < bi; bj++) {
            const int64_t j = cut(d, bj), n = cut(d, bj + 1) - j;
            blocks[m - 1][n - 1](&s, L, l_rs, L, l_rs, i, j);
        }
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
    for (int64_t b = pieces(d) - 1; b >= 0; b--) {
        const int64_t j = cut(d, b), n = cut(d, b + 1) - j;
        for (int64_t i = n - 1; i >= 0; i--) {
            z[j + i] *= L[(j + i) * l_rs + j + i];
            for (int64_t k = 0; k < i; k++) z[j + k] -= z[j + i] * L[(j + i) * l_rs + j + k];
        }
        if (n == N) eliminate(N, L, l_rs, j, z);
        else if (n == N - 1) eliminate(N - 1, L, l_rs, j, z);
        else for (int64_t i = 0; i < n; i++) for (int64_t k = 0; k < j; k++) z[k] -= z[j + i] * L[(j + i) * l_rs + k];
    }
}

void NAME(cholesky_solve)(int64_t d, const void *L, int64_t l_rs, int64_t rows, const void *B, int64_t b_rs, void *X, int64_t x_rs)
{
    source s = {.B = B, .b_rs = b_rs};
    for (int64_t i = 0; i < rows; i += N) {
        const int64_t m = rows - i < N ? rows - i : N;
        for (int64_t b = 0; b < pieces(d); b++) {
            const int64_t j = cut(d, b), n = cut(d, b + 1) - j;
            blocks[m - 1][n - 1](&s, X, x_rs, L, l_rs, i, j);
        }
    }
    for (int64_t i = 0; i < rows; i++) back_substitute(d, L, l_rs, (vec *)X + i * x_rs);
}
