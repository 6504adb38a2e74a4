/* Rows of length 1, rows of mean square 1, and their gradients:
 *
 *     row_unit          y = x / |x|                        (a row of zeros stays one)
 *     row_unit_back     dx = (dy - y (y . dy)) / |x|       (0 where |x| = 0)
 *     row_normal        h = (x - mean x) / r, r = sqrt(mean (x - mean x)^2 + epsilon); or without
 *                       the mean
 *     row_affine        y = gain h + bias
 *     row_normal_back   dx += (g - mean g - h mean(g h)) / r, g = gain dy
 *
 * Squares are of x times a power of two near 1 / max |x|: exact, and none overflows or vanishes,
 * whatever the size of x. What is not finite becomes NaN.
 *
 * A row is written once for both kinds of panels: in one of native width it has a vector per
 * element, in one of one lane (`_one`) its elements fill the vectors. */
#include "kern/simd_kernels.h"

/* Vectors j of a row of n elements, j += row_step(one); elements past the end are 0. */
INLINE int64_t row_step(int one) { return one ? LANES : 1; }

INLINE vec row_get(int one, const real *row, int64_t j, int64_t n)
{
    return one ? get(row + j, n - j) : ((const vec *)row)[j];
}

INLINE void row_put(int one, real *row, int64_t j, int64_t n, vec v)
{
    if (one)
        put(row + j, v, n - j);
    else
        ((vec *)row)[j] = v;
}

/* Of a row: the sum of its vectors; and a number of its own, kept in an element. */
INLINE vec total(int one, vec sum) { return one ? splat(sum_lanes(sum)) : sum; }
INLINE vec number(int one, const real *p) { return one ? splat(*p) : *(const vec *)p; }
INLINE void set_number(int one, real *p, vec x)
{
    if (one) *p = x[0];
    else *(vec *)p = x;
}

INLINE const real *row_at(int one, const void *panel, int64_t element)
{
    return (const real *)panel + element * (one ? 1 : LANES);
}

INLINE vec size_of(vec x) { return pick(x < 0, -x, x); }

INLINE vec largest(int one, const real *row, int64_t n)
{
    vec top = {0};
    for (int64_t j = 0; j < n; j += row_step(one))
        top = max_vec(size_of(row_get(one, row, j, n)), top);
    if (!one) return top;
    for (int l = 1; l < LANES; l++)
        if (top[l] > top[0]) top[0] = top[l];
    return splat(top[0]);
}

/* 2^-e for 2^e <= size < 2^(e + 1), as far as the type's exponents reach; size >= 0. */
INLINE vec inverse_power(vec size)
{
    enum { MANTISSA = REAL_BITS == 32 ? 23 : 52, TOP = REAL_BITS == 32 ? 253 : 2045 };
    const ivec e = (ivec)size >> MANTISSA, over = e > TOP;
    return (vec)((TOP + 1 - ((over & TOP) | (~over & e))) << MANTISSA);
}

INLINE void unit(int one, int64_t T, int64_t n, real *X, int64_t x_rs, real *inverse, int64_t rs)
{
    for (int64_t t = 0; t < T; t++) {
        real *x = (real *)row_at(one, X, t * x_rs);
        const vec power = inverse_power(largest(one, x, n));
        vec sum[2] = {{0}};
        for (int64_t j = 0, i = 0; j < n; j += row_step(one), i ^= 1) {
            const vec z = power * row_get(one, x, j, n);
            sum[i] += z * z;
        }
        const vec squares = total(one, sum[0] + sum[1]);
        const vec scale = pick(squares == 0, squares, 1 / square_root(squares));
        for (int64_t j = 0; j < n; j += row_step(one))
            row_put(one, x, j, n, scale * (power * row_get(one, x, j, n)));
        set_number(one, (real *)row_at(one, inverse, t * rs), scale * power);
    }
}

INLINE void unit_back(int one, int64_t T, int64_t n, const real *Y, int64_t y_rs,
                      const real *inverse, int64_t rs, real *dY, int64_t dy_rs)
{
    for (int64_t t = 0; t < T; t++) {
        const real *y = row_at(one, Y, t * y_rs);
        real *dy = (real *)row_at(one, dY, t * dy_rs);
        vec sum[2] = {{0}};
        for (int64_t j = 0, i = 0; j < n; j += row_step(one), i ^= 1)
            sum[i] += row_get(one, y, j, n) * row_get(one, dy, j, n);
        const vec dot = total(one, sum[0] + sum[1]),
                  scale = number(one, row_at(one, inverse, t * rs));
        for (int64_t j = 0; j < n; j += row_step(one))
            row_put(one, dy, j, n, scale * (row_get(one, dy, j, n) - dot * row_get(one, y, j, n)));
    }
}

#define UNIT(name, one) \
    void NAME(name)(int64_t T, int64_t n, void *X, int64_t x_rs, void *inverse, int64_t rs) \
    { \
        unit(one, T, n, X, x_rs, inverse, rs); \
    }
UNIT(row_unit, 0)
UNIT(row_unit_one, 1)
#define UNIT_BACK(name, one) \
    void NAME(name)(int64_t T, int64_t n, const void *Y, int64_t y_rs, const void *inverse, \
                    int64_t rs, void *dY, int64_t dy_rs) \
    { \
        unit_back(one, T, n, Y, y_rs, inverse, rs, dY, dy_rs); \
    }
UNIT_BACK(row_unit_back, 0)
UNIT_BACK(row_unit_back_one, 1)

/* ---- mean 0, mean square 1 ---- */

/* Row z less its mean. */
INLINE void centre_row(int one, int64_t n, real *z)
{
    vec sum[2] = {{0}};
    for (int64_t j = 0, i = 0; j < n; j += row_step(one), i ^= 1) sum[i] += row_get(one, z, j, n);
    const vec mean = total(one, sum[0] + sum[1]) / (real)n;
    for (int64_t j = 0; j < n; j += row_step(one))
        row_put(one, z, j, n, row_get(one, z, j, n) - mean);
}

/* With centre, the first of a row is taken off before anything is summed: equal rows give 0, and an
 * offset, however large, takes no digits. */
INLINE void normal(int one, int64_t T, int64_t n, int centre, double epsilon, const real *X,
                   real *hat, real *inverse)
{
    for (int64_t t = 0; t < T; t++) {
        const real *x = row_at(one, X, t * n);
        real *z = (real *)row_at(one, hat, t * n);
        const vec first = centre ? number(one, x) : (vec){0};
        for (int64_t j = 0; j < n; j += row_step(one))
            row_put(one, z, j, n, row_get(one, x, j, n) - first);
        const vec power = min_vec(inverse_power(largest(one, z, n)), splat(1));
        for (int64_t j = 0; j < n; j += row_step(one))
            row_put(one, z, j, n, power * row_get(one, z, j, n));
        if (centre) centre_row(one, n, z);
        vec sum[2] = {{0}};
        for (int64_t j = 0, i = 0; j < n; j += row_step(one), i ^= 1)
            sum[i] += row_get(one, z, j, n) * row_get(one, z, j, n);
        const vec square = total(one, sum[0] + sum[1]) / (real)n,
                  scale = 1 / square_root(square + (real)epsilon * power * power);
        for (int64_t j = 0; j < n; j += row_step(one))
            row_put(one, z, j, n, scale * row_get(one, z, j, n));
        set_number(one, (real *)row_at(one, inverse, t), scale * power);
    }
}

/* Element j of n reals that all rows and lanes share. */
INLINE vec shared(int one, const real *row, int64_t j, int64_t n)
{
    return one ? row_get(1, row, j, n) : splat(row[j]);
}

INLINE void affine(int one, int64_t T, int64_t n, const real *gain, const real *bias,
                   const real *hat, real *Y)
{
    for (int64_t t = 0; t < T; t++)
        for (int64_t j = 0; j < n; j += row_step(one)) {
            const vec b = bias ? shared(one, bias, j, n) : (vec){0};
            row_put(one, (real *)row_at(one, Y, t * n), j, n,
                    shared(one, gain, j, n) * row_get(one, row_at(one, hat, t * n), j, n) + b);
        }
}

INLINE void normal_back(int one, int64_t T, int64_t n, int centre, const real *hat,
                        const real *inverse, const real *gain, const real *dY, real *dX)
{
    for (int64_t t = 0; t < T; t++) {
        const real *h = row_at(one, hat, t * n), *dy = row_at(one, dY, t * n);
        real *dx = (real *)row_at(one, dX, t * n);
        vec sum = {0}, dot = {0};
        for (int64_t j = 0; j < n; j += row_step(one)) {
            const vec g = shared(one, gain, j, n) * row_get(one, dy, j, n);
            sum += g;
            dot += g * row_get(one, h, j, n);
        }
        const vec scale = number(one, row_at(one, inverse, t)),
                  mean = centre ? total(one, sum) / (real)n : (vec){0},
                  along = total(one, dot) / (real)n;
        for (int64_t j = 0; j < n; j += row_step(one)) {
            const vec g = shared(one, gain, j, n) * row_get(one, dy, j, n);
            row_put(one, dx, j, n,
                    row_get(one, dx, j, n) + scale * ((g - mean) - along * row_get(one, h, j, n)));
        }
    }
}

#define NORMAL(name, one) \
    void NAME(name)(int64_t T, int64_t n, int centre, double epsilon, const void *X, void *hat, \
                    void *inverse) \
    { \
        normal(one, T, n, centre, epsilon, X, hat, inverse); \
    }
NORMAL(row_normal, 0)
NORMAL(row_normal_one, 1)
#define AFFINE(name, one) \
    void NAME(name)(int64_t T, int64_t n, const void *gain, const void *bias, const void *hat, \
                    void *Y) \
    { \
        affine(one, T, n, gain, bias, hat, Y); \
    }
AFFINE(row_affine, 0)
AFFINE(row_affine_one, 1)
#define NORMAL_BACK(name, one) \
    void NAME(name)(int64_t T, int64_t n, int centre, const void *hat, const void *inverse, \
                    const void *gain, const void *dY, void *dX) \
    { \
        normal_back(one, T, n, centre, hat, inverse, gain, dY, dX); \
    }
NORMAL_BACK(row_normal_back, 0)
NORMAL_BACK(row_normal_back_one, 1)
