/* Rows of length 1, and what their gradients are:
 *
 *     row_unit        y = x / |x|                          (a row of zeros stays one)
 *     row_unit_back   dx = (dy - y (y . dy)) / |x|         (0 where |x| = 0)
 *
 * Lengths are of x times a power of two near 1 / max |x|: exact, and no square overflows or
 * vanishes, whatever the size of x. What is not finite becomes NaN.
 *
 * A row is written once for both kinds of panels: in one of native width it has a vector per
 * element, in one of one lane (`_one`) its elements fill the vectors. */
#include "kern/simd_kernels.h"

#define INLINE static inline __attribute__((always_inline))

/* Vectors j of a row of n elements, j += row_step(one); elements past the end are 0. */
INLINE int64_t row_step(int one) { return one ? LANES : 1; }

INLINE vec get(int one, const real *row, int64_t j, int64_t n)
{
    if (!one) return ((const vec *)row)[j];
    if (n - j >= LANES) return load_u(row + j);
    vec v = {0};
    memcpy(&v, row + j, (size_t)(n - j) * sizeof(real));
    return v;
}

INLINE void put(int one, real *row, int64_t j, int64_t n, vec v)
{
    if (!one) ((vec *)row)[j] = v;
    else if (n - j >= LANES) store_u(row + j, v);
    else memcpy(row + j, &v, (size_t)(n - j) * sizeof(real));
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
    for (int64_t j = 0; j < n; j += row_step(one)) top = max_vec(size_of(get(one, row, j, n)), top);
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
            const vec z = power * get(one, x, j, n);
            sum[i] += z * z;
        }
        const vec squares = total(one, sum[0] + sum[1]);
        const vec scale = pick(squares == 0, squares, 1 / square_root(squares));
        for (int64_t j = 0; j < n; j += row_step(one))
            put(one, x, j, n, scale * (power * get(one, x, j, n)));
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
            sum[i] += get(one, y, j, n) * get(one, dy, j, n);
        const vec dot = total(one, sum[0] + sum[1]),
                  scale = number(one, row_at(one, inverse, t * rs));
        for (int64_t j = 0; j < n; j += row_step(one))
            put(one, dy, j, n, scale * (get(one, dy, j, n) - dot * get(one, y, j, n)));
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
