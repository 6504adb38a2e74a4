/* Gates and row by row work of gated attention: every row of a matrix has a coefficient of its own
 * (and every lane, in a panel).
 *
 * sigmoid    1 / (1 + e^-z), its complement and its logarithm, without cancellation
 * gates      g = e^(log g) = high + low, to twice the precision near 1: a product of many g near 1
 *            must not drift
 * the others: see `struct kern`
 *
 * `_one` is the form for panels of one lane, where the columns of a row fill the register. */
#include "kern/simd_exp.h"
#include "kern/simd_kernels.h"

enum { ATANH_TERMS = REAL_BITS == 32 ? 8 : 17 }; /* 9^-n below the last bit */

/* e^x - 1 for -0.4 < x <= 0, by its Taylor series. */
INLINE vec expm1_vec(vec x)
{
    vec p = splat(INVERSE_FACTORIAL[DEGREE] * (real)(1.0 / (DEGREE + 1)));
#pragma GCC unroll 16
    for (int i = DEGREE; i >= 1; i--) p = p * x + splat(INVERSE_FACTORIAL[i]);
    return p * x;
}

/* log(1 + y) = 2 atanh(y / (2 + y)) for 0 <= y <= 1: an odd series in s <= 1/3. */
INLINE vec log1p_vec(vec y)
{
    const vec s = y / (2 + y), z = s * s;
    vec p = splat(1 / (real)(2 * ATANH_TERMS + 1));
#pragma GCC unroll 20
    for (int i = ATANH_TERMS - 1; i >= 0; i--) p = p * z + splat(1 / (real)(2 * i + 1));
    return 2 * s * p;
}

void NAME(sigmoid)(int64_t n, const void *z, void *s, void *c, void *log_s)
{
    const vec zero = {0};
    for (int64_t i = 0; i < n; i += LANES) {
        const vec x = get((const real *)z + i, n - i), size = pick(x < zero, -x, x),
                  y = exp_vec(-size);
        const vec large = 1 / (1 + y), small = y / (1 + y);
        const ivec negative = x < zero;
        put((real *)s + i, pick(negative, small, large), n - i);
        put((real *)c + i, pick(negative, large, small), n - i);
        if (log_s) put((real *)log_s + i, pick(negative, x, zero) - log1p_vec(y), n - i);
    }
}

void NAME(gates)(int64_t n, const void *log_gate, void *high, void *low)
{
    for (int64_t i = 0; i < n; i += LANES) {
        const vec x = get((const real *)log_gate + i, n - i), e = expm1_vec(x), near = 1 + e;
        const ivec small = x > splat((real)-0.4);
        put((real *)high + i, pick(small, near, exp_vec(x)), n - i);
        put((real *)low + i, pick(small, e - (near - 1), (vec){0}), n - i);
    }
}

/* ---- panels ---- */

void NAME(mask)(int64_t C, const void *D, int64_t d_rs, void *S, int64_t s_rs)
{
    for (int64_t i = 0; i < C; i++)
        for (int64_t j = 0; j <= i; j++) ((vec *)S)[i * s_rs + j] *= ((const vec *)D)[i * d_rs + j];
}

void NAME(row_scale)(int64_t T, int64_t n, const void *c, int64_t stride, const void *X,
                     int64_t x_rs, void *Y, int64_t y_rs)
{
    for (int64_t t = 0; t < T; t++) {
        const vec a = ((const vec *)c)[t * stride], *x = (const vec *)X + t * x_rs;
        vec *y = (vec *)Y + t * y_rs;
        for (int64_t j = 0; j < n; j++) y[j] = a * x[j];
    }
}

void NAME(row_dot)(int64_t T, int64_t n, const void *weight, const void *X, int64_t x_rs,
                   const void *Y, int64_t y_rs, void *out, int64_t stride)
{
    const vec *w = weight;
    for (int64_t t = 0; t < T; t++) {
        const vec *x = (const vec *)X + t * x_rs, *y = (const vec *)Y + t * y_rs;
        vec sum[4] = {{0}};
        int64_t j = 0;
        for (; j + 4 <= n; j += 4)
            for (int i = 0; i < 4; i++)
                sum[i] += w ? w[j + i] * x[j + i] * y[j + i] : x[j + i] * y[j + i];
        for (; j < n; j++) sum[0] += w ? w[j] * x[j] * y[j] : x[j] * y[j];
        ((vec *)out)[t * stride] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }
}

void NAME(row_add)(int64_t T, int64_t n, const void *c, int64_t stride, const void *X, int64_t x_rs,
                   void *Y, int64_t y_rs)
{
    for (int64_t t = 0; t < T; t++) {
        const vec a = ((const vec *)c)[t * stride], *x = (const vec *)X + t * x_rs;
        vec *y = (vec *)Y + t * y_rs;
        for (int64_t j = 0; j < n; j++) y[j] += a * x[j];
    }
}

void NAME(row_ridge)(int64_t T, int64_t n, const void *ridge, const void *X, int64_t x_rs, void *Y,
                     int64_t y_rs)
{
    const vec *l = ridge;
    for (int64_t t = 0; t < T; t++) {
        const vec *x = (const vec *)X + t * x_rs;
        vec *y = (vec *)Y + t * y_rs;
        for (int64_t j = 0; j < n; j++) y[j] += l[j] * x[j];
    }
}

/* A size that can be divided by: 0, or at least the smallest normal number. */
INLINE vec floored(vec size)
{
    const vec least = splat((real)(REAL_BITS == 32 ? (double)__FLT_MIN__ : __DBL_MIN__));
    return pick((size > 0) & (size < least), least, size);
}

INLINE vec larger(vec size, vec x)
{
    const vec y = pick(x < 0, -x, x);
    return pick(y > size, y, size);
}

void NAME(row_pick)(int64_t T, int64_t n, const void *mask, const void *X, int64_t x_rs, void *Y,
                    int64_t y_rs)
{
    for (int64_t t = 0; t < T; t++) {
        const vec m = ((const vec *)mask)[t], *x = (const vec *)X + t * x_rs;
        vec *y = (vec *)Y + t * y_rs;
        for (int64_t j = 0; j < n; j++) y[j] = pick(m != 0, x[j], y[j]);
    }
}

void NAME(row_max)(int64_t T, int64_t n, const void *X, int64_t x_rs, void *out)
{
    for (int64_t t = 0; t < T; t++) {
        const vec *x = (const vec *)X + t * x_rs;
        vec size = {0};
        for (int64_t j = 0; j < n; j++) size = larger(size, x[j]);
        ((vec *)out)[t] = floored(size);
    }
}

void NAME(row_diagonal)(int64_t C, int64_t n, const void *K, int64_t k_rs, const void *beta,
                        int64_t b_rs, const void *high, const void *low, int64_t g_rs,
                        const void *H, int64_t h_rs, const void *ridge, void *out)
{
    for (int64_t j = 0; j < n; j++) {
        vec h = ((const vec *)H)[j * (h_rs + 1)];
        for (int64_t t = 0; t < C; t++) {
            const vec x = ((const vec *)K)[t * k_rs + j],
                      add = (beta ? ((const vec *)beta)[t * b_rs] : splat(1)) * x * x;
            h = high ? h * ((const vec *)high)[t * g_rs] + (h * ((const vec *)low)[t * g_rs] + add)
                     : h + add;
            ((vec *)out)[t * n + j] = 1 / (h + ((const vec *)ridge)[j]);
        }
    }
}

void NAME(column_dot)(int64_t T, int64_t n, const void *X, int64_t x_rs, const void *Y,
                      int64_t y_rs, void *out)
{
    for (int64_t j = 0; j < n; j++) {
        vec sum[4] = {{0}};
        const vec *x = (const vec *)X + j, *y = (const vec *)Y + j;
        for (int64_t t = 0; t < T; t++) sum[t % 4] += x[t * x_rs] * y[t * y_rs];
        ((vec *)out)[j] += (sum[0] + sum[1]) + (sum[2] + sum[3]);
    }
}

/* ---- one lane ---- */

void NAME(mask_one)(int64_t C, const void *D, int64_t d_rs, void *S, int64_t s_rs)
{
    for (int64_t i = 0; i < C; i++) {
        real *s = (real *)S + i * s_rs;
        const real *d = (const real *)D + i * d_rs;
        for (int64_t j = 0; j <= i; j += LANES)
            put(s + j, get(s + j, i + 1 - j) * get(d + j, i + 1 - j), i + 1 - j);
    }
}

void NAME(row_scale_one)(int64_t T, int64_t n, const void *c, int64_t stride, const void *X,
                         int64_t x_rs, void *Y, int64_t y_rs)
{
    for (int64_t t = 0; t < T; t++) {
        const vec a = splat(((const real *)c)[t * stride]);
        const real *x = (const real *)X + t * x_rs;
        real *y = (real *)Y + t * y_rs;
        int64_t j = 0;
        for (; j + LANES <= n; j += LANES) store_u(y + j, a * load_u(x + j));
        if (j < n) put(y + j, a * get(x + j, n - j), n - j);
    }
}

void NAME(row_dot_one)(int64_t T, int64_t n, const void *weight, const void *X, int64_t x_rs,
                       const void *Y, int64_t y_rs, void *out, int64_t stride)
{
    for (int64_t t = 0; t < T; t++) {
        const real *x = (const real *)X + t * x_rs, *y = (const real *)Y + t * y_rs;
        vec sum[2] = {{0}};
        for (int64_t j = 0, i = 0; j < n; j += LANES, i ^= 1) {
            const vec a = get(x + j, n - j), b = get(y + j, n - j);
            sum[i] += weight ? get((const real *)weight + j, n - j) * a * b : a * b;
        }
        ((real *)out)[t * stride] = sum_lanes(sum[0] + sum[1]);
    }
}

void NAME(row_add_one)(int64_t T, int64_t n, const void *c, int64_t stride, const void *X,
                       int64_t x_rs, void *Y, int64_t y_rs)
{
    for (int64_t t = 0; t < T; t++) {
        const vec a = splat(((const real *)c)[t * stride]);
        const real *x = (const real *)X + t * x_rs;
        real *y = (real *)Y + t * y_rs;
        for (int64_t j = 0; j < n; j += LANES)
            put(y + j, get(y + j, n - j) + a * get(x + j, n - j), n - j);
    }
}

void NAME(row_ridge_one)(int64_t T, int64_t n, const void *ridge, const void *X, int64_t x_rs,
                         void *Y, int64_t y_rs)
{
    for (int64_t t = 0; t < T; t++) {
        const real *x = (const real *)X + t * x_rs, *l = ridge;
        real *y = (real *)Y + t * y_rs;
        for (int64_t j = 0; j < n; j += LANES)
            put(y + j, get(y + j, n - j) + get(l + j, n - j) * get(x + j, n - j), n - j);
    }
}

void NAME(row_pick_one)(int64_t T, int64_t n, const void *mask, const void *X, int64_t x_rs,
                        void *Y, int64_t y_rs)
{
    for (int64_t t = 0; t < T; t++)
        if (((const real *)mask)[t] != 0)
            memcpy((real *)Y + t * y_rs, (const real *)X + t * x_rs, (size_t)n * sizeof(real));
}

void NAME(row_max_one)(int64_t T, int64_t n, const void *X, int64_t x_rs, void *out)
{
    for (int64_t t = 0; t < T; t++) {
        const real *x = (const real *)X + t * x_rs;
        vec size = {0};
        for (int64_t j = 0; j < n; j += LANES) size = larger(size, get(x + j, n - j));
        real top = size[0];
        for (int l = 1; l < LANES; l++)
            if (size[l] > top) top = size[l];
        ((real *)out)[t] = floored(splat(top))[0];
    }
}

void NAME(row_diagonal_one)(int64_t C, int64_t n, const void *K, int64_t k_rs, const void *beta,
                            int64_t b_rs, const void *high, const void *low, int64_t g_rs,
                            const void *H, int64_t h_rs, const void *ridge, void *out)
{
    for (int64_t j = 0; j < n; j += LANES) {
        const vec l = get((const real *)ridge + j, n - j);
        vec h = {0};
        for (int64_t i = 0; i < LANES && j + i < n; i++)
            h[i] = ((const real *)H)[(j + i) * (h_rs + 1)];
        for (int64_t t = 0; t < C; t++) {
            const vec x = get((const real *)K + t * k_rs + j, n - j),
                      add = (beta ? ((const real *)beta)[t * b_rs] : 1) * x * x;
            h = high
                    ? h * ((const real *)high)[t * g_rs] + (h * ((const real *)low)[t * g_rs] + add)
                    : h + add;
            put((real *)out + t * n + j, 1 / (h + l), n - j);
        }
    }
}

void NAME(column_dot_one)(int64_t T, int64_t n, const void *X, int64_t x_rs, const void *Y,
                          int64_t y_rs, void *out)
{
    for (int64_t j = 0; j < n; j += LANES) {
        vec sum[4] = {{0}};
        const real *x = (const real *)X + j, *y = (const real *)Y + j;
        for (int64_t t = 0; t < T; t++)
            sum[t % 4] += get(x + t * x_rs, n - j) * get(y + t * y_rs, n - j);
        real *o = (real *)out + j;
        put(o, get(o, n - j) + ((sum[0] + sum[1]) + (sum[2] + sum[3])), n - j);
    }
}

/* ---- arrays of n reals, whatever the lanes ---- */

void NAME(multiply)(int64_t n, const void *x, const void *y, void *z)
{
    for (int64_t i = 0; i < n; i += LANES)
        put((real *)z + i, get((const real *)x + i, n - i) * get((const real *)y + i, n - i),
            n - i);
}

void NAME(ratio)(int64_t n, const void *a, const void *b, void *out)
{
    for (int64_t i = 0; i < n; i += LANES) {
        const vec y = get((const real *)b + i, n - i);
        put((real *)out + i,
            pick(y != 0, get((const real *)a + i, n - i) / pick(y != 0, y, splat(1)), (vec){0}),
            n - i);
    }
}

int64_t NAME(above)(int64_t n, const void *x, const void *bound, double factor, void *mask,
                    void *count)
{
    const real f = (real)factor;
    int64_t left = 0;
    for (int64_t i = 0; i < n; i++) {
        real *m = (real *)mask + i;
        *m = *m != 0 && !(((const real *)x)[i] <= f * ((const real *)bound)[i]) ? 1 : 0;
        ((real *)count)[i] += *m;
        left += *m != 0;
    }
    return left;
}

/* ---- both ---- */

/* Sums in double, from the last row to the first. */
INLINE void forget(int lanes, int64_t T, const real *c, const real *beta, int64_t b_rs,
                   const real *dbeta, int64_t db_rs, const real *high, int64_t h_rs,
                   const real *last, real *out, int64_t rs)
{
    double sum[LANES] = {0};
    for (int l = 0; l < lanes; l++) sum[l] = last ? (double)last[l] : 0;
    for (int64_t t = T - 1; t >= 0; t--)
        for (int l = 0; l < lanes; l++) {
            const double b = beta ? (double)beta[t * b_rs * lanes + l] : 1;
            sum[l] += (double)c[t * lanes + l] - b * (double)dbeta[t * db_rs * lanes + l];
            if (high[t * h_rs * lanes + l] == 0) sum[l] = 0;
            out[t * rs * lanes + l] = (real)sum[l];
        }
}

/* square = |x|^2 of n elements. Of one lane as 8 sums side by side, at every level. */
INLINE void row_square(int lanes, int64_t n, const real *x, double *square)
{
    enum { PARTS = 8 };
    const int parts = lanes == 1 ? PARTS : 1;
    double sum[PARTS * LANES] = {0};
    int64_t i = 0;
    for (; i + parts <= n; i += parts)
        for (int j = 0; j < parts * lanes; j++)
            sum[j] += (double)x[i * lanes + j] * (double)x[i * lanes + j];
    for (int j = 0; i < n; i++, j++) sum[j] += (double)x[i] * (double)x[i];
    for (int w = parts / 2; w > 0; w /= 2)
        for (int j = 0; j < w; j++) sum[j] += sum[j + w];
    for (int l = 0; l < lanes; l++) square[l] = sum[l];
}

INLINE void norms(int lanes, int64_t C, int64_t n, const real *K, int64_t k_rs, const real *beta,
                  int64_t b_rs, const real *high, const real *low, int64_t g_rs, const real *H,
                  int64_t h_rs, const real *ridge, real *norm, real *lowest)
{
    double trace[LANES] = {0}, top[LANES] = {0}, bottom[LANES];
    for (int l = 0; l < lanes; l++) bottom[l] = (double)ridge[l];
    for (int64_t j = 0; j < n; j++)
        for (int l = 0; l < lanes; l++) {
            const double r = (double)ridge[j * lanes + l];
            trace[l] += H ? (double)H[j * (h_rs + 1) * lanes + l] : 0;
            top[l] = r > top[l] ? r : top[l];
            bottom[l] = r < bottom[l] ? r : bottom[l];
        }
    for (int l = 0; l < lanes; l++) lowest[l] = (real)bottom[l];
    for (int64_t t = 0; t < C; t++) {
        double square[LANES];
        row_square(lanes, n, K + t * k_rs * lanes, square);
        for (int l = 0; l < lanes; l++) {
            const double g =
                high ? (double)high[t * g_rs * lanes + l] + (double)low[t * g_rs * lanes + l] : 1;
            trace[l] = g * trace[l] + (beta ? (double)beta[t * b_rs * lanes + l] : 1) * square[l];
            norm[t * lanes + l] = (real)(trace[l] + top[l]);
        }
    }
}

INLINE void add_transposed(int lanes, int64_t n, const real *X, real *Y)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            for (int l = 0; l < lanes; l++)
                Y[(i * n + j) * lanes + l] +=
                    X[(i * n + j) * lanes + l] + X[(j * n + i) * lanes + l];
}

#define BOTH(name, lanes, parameters, ...) \
    void NAME(name) parameters { __VA_ARGS__; }
#define FORGET(name, lanes) \
    BOTH(name, lanes, \
         (int64_t T, const void *c, const void *beta, int64_t b_rs, const void *dbeta, \
          int64_t db_rs, const void *high, int64_t h_rs, const void *last, void *out, int64_t rs), \
         forget(lanes, T, c, beta, b_rs, dbeta, db_rs, high, h_rs, last, out, rs))
FORGET(forget, LANES)
FORGET(forget_one, 1)
INLINE void residuals(int lanes, int64_t T, int64_t n, const real *B, int64_t b_rs, const real *Y,
                      int64_t y_rs, real *out)
{
    for (int64_t t = 0; t < T; t++) {
        double r[LANES] = {0}, b[LANES] = {0};
        for (int64_t j = 0; j < n; j++)
            for (int l = 0; l < lanes; l++) {
                const double x = (double)B[(t * b_rs + j) * lanes + l],
                             d = x - (double)Y[(t * y_rs + j) * lanes + l];
                r[l] += d * d;
                b[l] += x * x;
            }
        for (int l = 0; l < lanes; l++)
            out[t * lanes + l] = (real)__builtin_sqrt(b[l] > 0 ? r[l] / b[l] : 0);
    }
}

#define RESIDUALS(name, lanes) \
    BOTH(name, lanes, \
         (int64_t T, int64_t n, const void *B, int64_t b_rs, const void *Y, int64_t y_rs, \
          void *out), \
         residuals(lanes, T, n, B, b_rs, Y, y_rs, out))
RESIDUALS(residuals, LANES)
RESIDUALS(residuals_one, 1)
#define NORMS(name, lanes) \
    BOTH(name, lanes, \
         (int64_t C, int64_t n, const void *K, int64_t k_rs, const void *beta, int64_t b_rs, \
          const void *high, const void *low, int64_t g_rs, const void *H, int64_t h_rs, \
          const void *ridge, void *norm, void *lowest), \
         norms(lanes, C, n, K, k_rs, beta, b_rs, high, low, g_rs, H, h_rs, ridge, norm, lowest))
NORMS(norms, LANES)
NORMS(norms_one, 1)
BOTH(add_transposed, LANES, (int64_t n, const void *X, void *Y), add_transposed(LANES, n, X, Y))
BOTH(add_transposed_one, 1, (int64_t n, const void *X, void *Y), add_transposed(1, n, X, Y))
