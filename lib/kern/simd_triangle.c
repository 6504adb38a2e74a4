/* Least squares by orthogonal transformations: a triangle that takes in rows, its solution, and its
 * singular values.
 *
 * factor = [R | Z], n rows: R upper triangular, R^T R = X^T X and R^T Z = X^T Y for all rows [x |
 * y] that were brought in.
 *   qr_rows          Householder reflections H_k = I - tau v v^T, v = (top, column k of the new
 *                    rows), zero the new rows under R_kk:
 *                      alpha = -sign(R_kk) norm, top = R_kk - alpha, tau = 1 / (norm (norm +
 *                      |R_kk|)), w_j = tau (top R_kj + v . x_j) R_kj -= top w_j,  x_j -= v w_j.
 *                    What is left of y is orthogonal to every x: its squares are the residual.
 *                    Normal equations would square the condition.
 *   triangle_solve   [R^-1 | R^-1 Z] by back substitution; |R|_F |R^-1|_F bounds the condition
 *                    number from above.
 *   orthogonal_rows  one sweep of Jacobi rotations that make the rows of R orthogonal: Q^T R = S
 *   V^T, and Z turns along. orthogonal_solve sum over rows i with s_i > cut s_max of r_i^T z_i /
 *   s_i^2: the minimum-norm solution of the rank that `cut` leaves.
 * A pass that applies H_k also forms the products with column k + 1, which is H_{k+1} half made:
 * one load and one store per two multiply-adds.
 *
 * Columns of new rows and rows of the factor are runs of whole vectors. With one lane (`_one`) a
 * vector holds neighbours of one column or row, padded with zeros, and a coefficient is one real;
 * otherwise both are one register with a problem in every lane.
 * Source: Golub and Van Loan, Matrix Computations, 4th ed., sections 5.1, 5.5 and 8.6.3; Drmac and
 * Veselic, SIAM J. Matrix Anal. 29 (2008) for rotating the rows of a triangle. */
#include "kern/simd_kernels.h"

enum { GROUP = SIMD_ISA == 3 ? 5 : 2 };                /* columns that one pass works on, with two
                                                          coefficients and two sums each */
static const real SMALLEST = REAL_BITS == 32 ? (real)1e-30 : (real)1e-290;     /* has an inverse */
static const real EPSILON = REAL_BITS == 32 ? (real)1.1920929e-7 : (real)2.220446049250313e-16;

/* Vectors that n elements fill. */
INLINE int64_t span(int lanes, int64_t n) { return lanes == 1 ? (n + LANES - 1) / LANES : n; }

INLINE vec coefficient(int lanes, const void *p, int64_t i)
{
    return lanes == 1 ? splat(((const real *)p)[i]) : ((const vec *)p)[i];
}
INLINE void set_coefficient(int lanes, void *p, int64_t i, vec v)
{
    if (lanes == 1) ((real *)p)[i] = v[0];
    else ((vec *)p)[i] = v;
}
INLINE vec total(int lanes, vec v) { return lanes == 1 ? splat(sum_lanes(v)) : v; }
INLINE vec absolute(vec v) { return pick(v < 0, -v, v); }
INLINE vec larger(vec a, vec b) { return pick(a > b, a, b); }

INLINE vec dot(int lanes, int64_t length, const vec *a, const vec *b)
{
    vec s[4] = {0};
    int64_t i = 0;
    for (; i + 4 <= length; i += 4)
#pragma GCC unroll 4
        for (int c = 0; c < 4; c++) s[c] += a[i + c] * b[i + c];
    for (; i < length; i++) s[0] += a[i] * b[i];
    return total(lanes, (s[0] + s[1]) + (s[2] + s[3]));
}

/* ---- taking in rows ---- */

/* `count` columns from x on: x_j -= v_1 w_1j + v_2 w_2j, then w_1j = u_1 . x_j and w_2j = u_2 .
 * x_j. */
INLINE void pass(int lanes, int count, int64_t length, const vec *v1, const vec *v2, const vec *u1,
                 const vec *u2, vec *x, void *w1, void *w2)
{
    vec f1[GROUP], f2[GROUP], s1[GROUP], s2[GROUP];
#pragma GCC unroll 8
    for (int c = 0; c < count; c++)
        f1[c] = coefficient(lanes, w1, c), f2[c] = coefficient(lanes, w2, c),
        s1[c] = s2[c] = (vec){0};
    for (int64_t i = 0; i < length; i++) {
        const vec a1 = v1[i], a2 = v2[i], b1 = u1[i], b2 = u2[i];
#pragma GCC unroll 8
        for (int c = 0; c < count; c++) {
            const vec y = x[c * length + i] - a1 * f1[c] - a2 * f2[c];
            x[c * length + i] = y;
            s1[c] += b1 * y;
            s2[c] += b2 * y;
        }
    }
#pragma GCC unroll 8
    for (int c = 0; c < count; c++)
        set_coefficient(lanes, w1, c, total(lanes, s1[c])),
            set_coefficient(lanes, w2, c, total(lanes, s2[c]));
}

INLINE void *element(int lanes, void *p, int64_t i)
{
    return lanes == 1 ? (void *)((real *)p + i) : (void *)((vec *)p + i);
}

INLINE void passes(int lanes, int64_t count, int64_t length, const vec *v1, const vec *v2,
                   const vec *u1, const vec *u2, vec *x, void *w1, void *w2)
{
    int64_t j = 0;
    for (; j + GROUP <= count; j += GROUP)
        pass(lanes, GROUP, length, v1, v2, u1, u2, x + j * length, element(lanes, w1, j),
             element(lanes, w2, j));
    for (; j < count; j++)
        pass(lanes, 1, length, v1, v2, u1, u2, x + j * length, element(lanes, w1, j),
             element(lanes, w2, j));
}

/* The reflection of a column with R_kk = r over new rows whose squares sum to `squares`. */
typedef struct reflection { vec alpha, top, tau; } reflection;
INLINE reflection reflection_of(vec r, vec squares)
{
    const vec norm = square_root(r * r + squares), half = norm * (norm + absolute(r));
    const ivec any = half > SMALLEST;                  /* otherwise there is nothing to be zeroed */
    const vec alpha = pick(any, pick(r > 0, -norm, norm), r);
    return (reflection){alpha, r - alpha, pick(any, 1 / half, (vec){0})};
}

/* Two rows of the factor: w_1 = tau_1 (top_1 r_1 + w_1), w_2 = tau_2 (top_2 r_2 + w_2 - (v_1 . v_2)
 * w_1), r_1 -= top_1 w_1, r_2 -= top_2 w_2. */
#define REFLECT_ROWS(type, get) \
    { \
        const type t1 = get(one.tau), p1 = get(one.top), t2 = get(two.tau), p2 = get(two.top), \
                   v12 = get(between); \
        type *r1 = row1, *r2 = row2, *a1 = w1, *a2 = w2; \
        for (int64_t j = 0; j < count; j++) { \
            const type a = t1 * (p1 * r1[j] + a1[j]), b = t2 * (p2 * r2[j] + a2[j] - v12 * a); \
            r1[j] -= p1 * a, r2[j] -= p2 * b, a1[j] = a, a2[j] = b; \
        } \
    }
#define WHOLE(v) (v)
#define FIRST(v) (v)[0]
INLINE void reflect_rows(int lanes, int64_t count, reflection one, reflection two, vec between,
                         void *row1, void *row2, void *w1, void *w2)
{
    if (lanes == 1) REFLECT_ROWS(real, FIRST)
    else REFLECT_ROWS(vec, WHOLE)
}

/* Columns k and k + 1 (of a pair), u: u -= v_1 w_1 + v_2 w_2, the reflections in front of them. */
INLINE void update_columns(int lanes, int64_t k, int pair, int64_t length, const vec *v1,
                           const vec *v2, const vec *w1, const vec *w2, vec *u1, vec *u2)
{
    const vec c11 = coefficient(lanes, w1, k), c21 = coefficient(lanes, w2, k),
              c12 = coefficient(lanes, w1, k + pair), c22 = coefficient(lanes, w2, k + pair);
    for (int64_t i = 0; i < length; i++) {
        const vec a1 = v1[i], a2 = v2[i];
        u1[i] -= a1 * c11 + a2 * c21;
        if (pair) u2[i] -= a1 * c12 + a2 * c22;
    }
}

/* The reflections of both, the second column after the first one's; between: v_1 . v_2. */
typedef struct reflections { reflection one, two; vec between; } reflections;
INLINE reflections reflect_columns(int lanes, int64_t k, int pair, int64_t length, vec *u1, vec *u2,
                                   vec *f1, vec *f2)
{
    reflections by = {.between = {0}};
    by.one = reflection_of(coefficient(lanes, f1, k), dot(lanes, length, u1, u1));
    set_coefficient(lanes, f1, k, by.one.alpha);
    if (!pair) return by;
    const vec r = coefficient(lanes, f1, k + 1),
              w = by.one.tau * (by.one.top * r + dot(lanes, length, u1, u2));
    set_coefficient(lanes, f1, k + 1, r - by.one.top * w);
    for (int64_t i = 0; i < length; i++) u2[i] -= u1[i] * w;
    by.two = reflection_of(coefficient(lanes, f2, k + 1), dot(lanes, length, u2, u2));
    set_coefficient(lanes, f2, k + 1, by.two.alpha);
    by.between = dot(lanes, length, u1, u2);
    return by;
}

/* Two columns at a time; the second one of an odd last pair does nothing. `work`: three rows in the
 * factor's layout. */
INLINE void qr_rows(int lanes, const kern *kern, int64_t n, int64_t m, int64_t length, vec *factor,
                    vec *x, void *rest, void *work)
{
    const int64_t split = span(lanes, n) * (lanes == 1 ? LANES : 1),
                  row = span(lanes, n) + span(lanes, m);
    /* y: columns of the targets */
    vec *y = x + n * length, *w1 = work, *w2 = w1 + row, *none = w2 + row;
    const vec *v1 = x, *v2 = x;
    memset(work, 0, (size_t)(3 * row) * sizeof(vec));
    for (int64_t k = 0; k < n && !kern_stopped(kern); k += 2) {
        const int pair = k + 1 < n;
        vec *u1 = x + k * length, *u2 = pair ? u1 + length : u1, *f1 = factor + k * row,
            *f2 = pair ? f1 + row : none;
        update_columns(lanes, k, pair, length, v1, v2, w1, w2, u1, u2);
        const reflections by = reflect_columns(lanes, k, pair, length, u1, u2, f1, f2);
        passes(lanes, n - k - 2, length, v1, v2, u1, u2, u1 + 2 * length, element(lanes, w1, k + 2),
               element(lanes, w2, k + 2));
        passes(lanes, m, length, v1, v2, u1, u2, y, element(lanes, w1, split),
               element(lanes, w2, split));
        reflect_rows(lanes, n - k - 2, by.one, by.two, by.between, element(lanes, f1, k + 2),
                     element(lanes, f2, k + 2), element(lanes, w1, k + 2),
                     element(lanes, w2, k + 2));
        reflect_rows(lanes, m, by.one, by.two, by.between, element(lanes, f1, split),
                     element(lanes, f2, split), element(lanes, w1, split),
                     element(lanes, w2, split));
        v1 = u1, v2 = u2;
    }
    passes(lanes, m, length, v1, v2, v1, v2, y, element(lanes, w1, split),
           element(lanes, w2, split));
    for (int64_t j = 0; j < m; j++) {
        const vec left = dot(lanes, length, y + j * length, y + j * length);
        set_coefficient(lanes, rest, j, coefficient(lanes, rest, j) + left);
    }
}

/* ---- solutions ---- */

INLINE void triangle_solve(int lanes, const kern *k, int64_t n, int64_t m, const vec *factor,
                           vec *out, void *condition)
{
    const int64_t columns = span(lanes, n), row = columns + span(lanes, m);
    vec size = {0}, inverse = {0};
    for (int64_t i = n - 1; i >= 0 && !kern_stopped(k); i--) {
        const vec *f = factor + i * row;
        vec *g = out + i * row;
        memset(g, 0, (size_t)columns * sizeof *g);
        memcpy(g + columns, f + columns, (size_t)(row - columns) * sizeof *g);
        set_coefficient(lanes, g, i, splat(1));
        for (int64_t j = i + 1; j < n; j++) {
            const vec c = coefficient(lanes, f, j), *from = out + j * row;
            for (int64_t u = lanes == 1 ? j / LANES : j; u < row; u++) g[u] -= c * from[u];
        }
        const vec scale = 1 / coefficient(lanes, f, i);
        for (int64_t u = 0; u < row; u++) g[u] *= scale;
        for (int64_t u = 0; u < columns; u++) size += f[u] * f[u], inverse += g[u] * g[u];
    }
    set_coefficient(lanes, condition, 0,
                    square_root(total(lanes, size)) * square_root(total(lanes, inverse)));
}

/* Rows p and q, turned; a and b: their squares, kept up. Squares and the product g are taken
 * relative to a + b. */
INLINE int turn(int lanes, int64_t columns, int64_t row, vec *p, vec *q, vec *squares_p,
                vec *squares_q, vec tolerance, vec low)
{
    const vec a = *squares_p, b = *squares_q;
    const ivec some = (a + b > SMALLEST) & (larger(a, b) > low);
    if (sum_lanes(pick(some, splat(1), (vec){0})) == 0) return 0;
    const vec scale = pick(some, 1 / (a + b), (vec){0}), ar = a * scale, br = b * scale,
              gr = dot(lanes, columns, p, q) * scale;
    const ivec off = some & (gr * gr > tolerance * ar * br);
    if (sum_lanes(pick(off, splat(1), (vec){0})) == 0) return 0;
    const vec difference = ar - br, h = square_root(difference * difference + 4 * gr * gr);
    const vec big = square_root((1 + absolute(difference) / h) / 2), small = gr / (h * big);
    const vec c = pick(off, pick(difference < 0, small, big), splat(1)),
              s = pick(off, pick(difference < 0, big, small), (vec){0});
    vec sum_p = {0}, sum_q = {0};
    for (int64_t u = 0; u < columns; u++) {
        const vec x = p[u], y = q[u], new_p = c * x + s * y, new_q = c * y - s * x;
        p[u] = new_p, q[u] = new_q;
        sum_p += new_p * new_p, sum_q += new_q * new_q;
    }
    for (int64_t u = columns; u < row; u++) {
        const vec x = p[u], y = q[u];
        p[u] = c * x + s * y, q[u] = c * y - s * x;
    }
    *squares_p = total(lanes, sum_p), *squares_q = total(lanes, sum_q);
    return 1;
}

INLINE void row_squares(int lanes, int64_t n, int64_t m, const vec *factor, vec *squares)
{
    const int64_t columns = span(lanes, n), row = columns + span(lanes, m);
    for (int64_t i = 0; i < n; i++)
        squares[i] = dot(lanes, columns, factor + i * row, factor + i * row);
}

INLINE vec largest(int64_t n, const vec *squares)
{
    vec most = {0};
    for (int64_t i = 0; i < n; i++) most = larger(squares[i], most);
    return most;
}

/* cut: pairs of rows that are together below it hold singular values that do not count. A lane
 * whose cut is infinite is left alone. */
INLINE int orthogonal_rows(int lanes, const kern *k, int64_t n, int64_t m, const void *cut,
                           vec *factor, vec *squares)
{
    const int64_t columns = span(lanes, n), row = columns + span(lanes, m);
    const vec share = coefficient(lanes, cut, 0) / (real)n,
              tolerance = splat((real)n * EPSILON * (real)n * EPSILON);
    int turned = 0;
    row_squares(lanes, n, m, factor, squares);
    const vec low =
        pick(share < 1, share * share * largest(n, squares), splat((real)__builtin_inf()));
    for (int64_t p = 0; p < n - 1 && !kern_stopped(k); p++)
        for (int64_t q = p + 1; q < n; q++)
            turned |= turn(lanes, columns, row, factor + p * row, factor + q * row, &squares[p],
                           &squares[q], tolerance, low);
    return turned;
}

INLINE void orthogonal_solve(int lanes, const kern *k, int64_t n, int64_t m, const void *cut,
                             const vec *factor, vec *squares, vec *out, void *rank)
{
    const int64_t columns = span(lanes, n), targets = span(lanes, m), row = columns + targets;
    vec count = {0};
    row_squares(lanes, n, m, factor, squares);
    const vec relative = coefficient(lanes, cut, 0),
              limit = relative * relative * largest(n, squares);
    memset(out, 0, (size_t)(n * targets) * sizeof *out);
    for (int64_t i = 0; i < n && !kern_stopped(k); i++) {
        const vec *f = factor + i * row, square = squares[i];
        const ivec kept = (square > limit) & (square > SMALLEST);
        const vec scale = pick(kept, 1 / square, (vec){0});
        count += pick(kept, splat(1), (vec){0});
        for (int64_t j = 0; j < n; j++) {
            const vec c = coefficient(lanes, f, j) * scale;
            for (int64_t u = 0; u < targets; u++) out[j * targets + u] += c * f[columns + u];
        }
    }
    set_coefficient(lanes, rank, 0, count);
}

#define FORM(name, lanes) \
    void NAME(qr_rows##name)(const kern *k, int64_t n, int64_t m, int64_t length, void *factor, \
                             void *x, void *rest, void *work) \
    { \
        qr_rows(lanes, k, n, m, length, factor, x, rest, work); \
    } \
    void NAME(triangle_solve##name)(const kern *k, int64_t n, int64_t m, const void *factor, \
                                    void *out, void *condition) \
    { \
        triangle_solve(lanes, k, n, m, factor, out, condition); \
    } \
    int NAME(orthogonal_rows##name)(const kern *k, int64_t n, int64_t m, const void *cut, \
                                    void *factor, void *squares) \
    { \
        return orthogonal_rows(lanes, k, n, m, cut, factor, squares); \
    } \
    void NAME(orthogonal_solve##name)(const kern *k, int64_t n, int64_t m, const void *cut, \
                                      const void *factor, void *squares, void *out, void *rank) \
    { \
        orthogonal_solve(lanes, k, n, m, cut, factor, squares, out, rank); \
    }
FORM(, LANES)
FORM(_one, 1)

/* ---- columns of rows ---- */

/* LANES x LANES: row l, element c <-> row c, element l. */
#define BIT(X) (((ivec){SIMD_INDEX(0)} & X) != 0)
#define EXCHANGE(X) \
    _Pragma("GCC unroll 16") for (int i = 0; i < LANES; i++) \
        if (!(i & X)) { \
            const vec a = v[i], b = v[i + X]; \
            v[i] = pick(BIT(X), SIMD_SWAP(b, X), a); \
            v[i + X] = pick(BIT(X), b, SIMD_SWAP(a, X)); \
        }
INLINE void transpose(vec *v)
{
    EXCHANGE(1)
#if SIMD_BYTES * 8 / REAL_BITS >= 4
    EXCHANGE(2)
#endif
#if SIMD_BYTES * 8 / REAL_BITS >= 8
    EXCHANGE(4)
#endif
#if SIMD_BYTES * 8 / REAL_BITS >= 16
    EXCHANGE(8)
#endif
}

/* LANES adjacent numbers. */
#define ADJACENT(type) \
    INLINE vec adjacent_##type(const type *x) \
    { \
        vec v; \
        _Pragma("GCC unroll 16") for (int j = 0; j < LANES; j++) v[j] = (real)x[j]; \
        return v; \
    }
ADJACENT(float)
ADJACENT(double)

/* Where rows are adjacent, LANES of them at a time. */
#define COLUMNS(type) \
    int64_t i = 0; \
    for (; valid == LANES && stride[0] == 1 && i + LANES <= length; i += LANES) \
        for (int64_t c = 0; c < cols; c++) { \
            const type *from = (const type *)x + i + c * stride[1]; \
            vec v[LANES], *to = (vec *)out + c * column + i; \
            _Pragma("GCC unroll 16") for (int l = 0; l < LANES; l++) \
                v[l] = adjacent_##type(from + l * stride[2]); \
            transpose(v); \
            _Pragma("GCC unroll 16") for (int j = 0; j < LANES; j++) to[j] = v[j]; \
        } \
    for (; i < length; i++) { \
        const type *from = (const type *)x + i * stride[0]; \
        vec *to = (vec *)out + i; \
        int64_t c = 0; \
        for (; valid == LANES && stride[1] == 1 && c + LANES <= cols; c += LANES) { \
            vec v[LANES]; \
            _Pragma("GCC unroll 16") for (int l = 0; l < LANES; l++) \
            { \
                v[l] = adjacent_##type(from + l * stride[2] + c); \
                __builtin_prefetch(from + (i + 1 < length) * stride[0] + l * stride[2] + c); \
            } \
            transpose(v); \
            _Pragma("GCC unroll 16") for (int j = 0; j < LANES; j++) to[(c + j) * column] = \
                v[j]; \
        } \
        for (; c < cols; c++) { \
            vec v = {0}; \
            if (valid == LANES && stride[2] == 1) v = adjacent_##type(from + c * stride[1]); \
            else \
                for (int l = 0; l < valid; l++) v[l] = (real)from[c * stride[1] + l * stride[2]]; \
            to[c * column] = v; \
        } \
    }

/* Integers and truth values, which are few: one by one. */
#define COUNTS(counted, type, value) \
    for (int64_t i = 0; i < length; i++) \
        for (int64_t c = 0; c < cols; c++) { \
            const type *from = (const type *)counted + i * stride[0] + c * stride[1]; \
            vec v = {0}; \
            for (int64_t l = 0; l < valid; l++) { \
                const type x = from[l * stride[2]]; \
                v[l] = (real)(value); \
            } \
            ((vec *)out)[c * column + i] = v; \
        }

void NAME(columns)(int64_t length, int64_t cols, int64_t valid, const void *x, int32_t dtype,
                   const int64_t stride[3], void *out, int64_t column)
{
    switch (dtype) {
    case MESAOPT_F32: {
        COLUMNS(float)
        break;
    }
    case MESAOPT_F64: {
        COLUMNS(double)
        break;
    }
    case MESAOPT_I32: COUNTS(x, int32_t, x) break;
    case MESAOPT_I64: COUNTS(x, int64_t, x) break;
    case MESAOPT_BOOL: COUNTS(x, uint8_t, x != 0) break;
    }
}
