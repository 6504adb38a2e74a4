/* Elementwise and reduction kernels: the residual stream, gradient clipping, AdamW, sums in a fixed
 * order.
 *
 * Arrays are n reals, any n; a loop body is written once, over vectors, and serves the last n mod
 * LANES elements through a padded copy. Comparisons are written so that NaN passes through
 * clips. */
#include "kern/simd_kernels.h"

/* Every vector of n reals: it begins at i and holds w of them. */
#define FOR_VECTORS(n, i, w) \
    for (int64_t i = 0, w; i < (n) && (w = (n)-i < LANES ? (n)-i : LANES); i += LANES)

INLINE vec clamp_vec(vec v, vec c)
{
    v = pick(v > c, c, v);
    return pick(v < -c, -c, v);
}

void NAME(residual)(int64_t n, const void *x, const void *r, double clip, void *y)
{
    const vec c = splat((real)clip);
    FOR_VECTORS(n, i, w)
    put((real *)y + i, clamp_vec(get((const real *)x + i, w) + get((const real *)r + i, w), c), w);
}

void NAME(residual_back)(int64_t n, const void *y, double clip, void *dy)
{
    const vec c = splat((real)clip), zero = {0};
    FOR_VECTORS(n, i, w) {
        vec v = get((const real *)y + i, w), d = get((real *)dy + i, w);
        put((real *)dy + i, pick((v >= c) | (v <= -c), zero, d), w);
    }
}

void NAME(add)(int64_t n, const void *x, void *y)
{
    FOR_VECTORS(n, i, w) put((real *)y + i, get((real *)y + i, w) + get((const real *)x + i, w), w);
}

void NAME(scale)(int64_t n, double a, void *y)
{
    const vec s = splat((real)a);
    FOR_VECTORS(n, i, w) put((real *)y + i, s * get((real *)y + i, w), w);
}

void NAME(clamp)(int64_t n, double c, void *y)
{
    const vec limit = splat((real)c);
    FOR_VECTORS(n, i, w) put((real *)y + i, clamp_vec(get((real *)y + i, w), limit), w);
}

double NAME(sum_squares)(int64_t n, const void *x)
{
    const real *p = x;
    double part[16] = {0};
    for (int64_t i = 0; i < n; i++) part[i % 16] += (double)p[i] * (double)p[i];
    for (int w = 8; w > 0; w /= 2)
        for (int i = 0; i < w; i++) part[i] += part[i + w];
    return part[0];
}

/* 0 x is NaN where x is not finite. */
int64_t NAME(first_nonfinite)(int64_t n, const void *x)
{
    enum { BLOCK = 8 * LANES };
    const real *p = x;
    const vec zero = {0};
    int64_t i = 0;
    for (; i + BLOCK <= n; i += BLOCK) {
        vec d[2] = {{0}};
#pragma GCC unroll 8
        for (int j = 0; j < 8; j++) d[j % 2] += zero * load_u(p + i + j * LANES);
        if (!(sum_lanes(d[0] + d[1]) == 0)) break;
    }
    for (; i + LANES <= n; i += LANES)
        if (!(sum_lanes(zero * load_u(p + i)) == 0)) break;
    for (; i < n; i++)
        if (!(0 * p[i] == 0)) return i;
    return -1;
}

/* Sum of parts first .. first + count - 1 at one vector: a balanced tree that depends on count
 * only. */
static vec tree(int64_t count, int64_t stride, const real *p, int64_t w)
{
    if (count == 1) return get(p, w);
    const int64_t half = (count + 1) / 2;
    return tree(half, stride, p, w) + tree(count - half, stride, p + half * stride, w);
}

void NAME(sum_parts)(int64_t n, int64_t count, int64_t stride, const void *parts, void *out)
{
    FOR_VECTORS(n, i, w) put((real *)out + i, tree(count, stride, (const real *)parts + i, w), w);
}

void NAME(adamw)(int64_t n, void *p, const void *g, void *m, void *v, double lr, double b1,
                 double b2, double eps, double wd, double c1, double c2)
{
    const vec B1 = splat((real)b1), B2 = splat((real)b2), D1 = splat((real)(1 - b1)),
              D2 = splat((real)(1 - b2));
    const vec C1 = splat((real)c1), C2 = splat((real)c2), E = splat((real)eps),
              LR = splat((real)lr), WD = splat((real)wd);
    FOR_VECTORS(n, i, w) {
        vec G = get((const real *)g + i, w), P = get((real *)p + i, w);
        vec M = B1 * get((real *)m + i, w) + D1 * G, V = B2 * get((real *)v + i, w) + D2 * G * G;
        put((real *)m + i, M, w);
        put((real *)v + i, V, w);
        put((real *)p + i, P - LR * (C1 * M / (square_root(C2 * V) + E) + WD * P), w);
    }
}

/* A weight of 1 leaves every bit as it is, and one of 0 has no part in any sum. */
INLINE void squared_error(int lanes, int64_t T, int64_t n, const real *weights, const real *pred,
                          int64_t rs_p, const real *target, int64_t rs_t, double scale,
                          double *by_t, real *dpred)
{
    for (int64_t i = 0; i < T; i++) {
        const real *w = weights + i * lanes;
        double lane_sum[LANES] = {0};
        for (int64_t j = 0; j < n; j++) {
            const real *p = pred + (i * rs_p + j) * lanes, *y = target + (i * rs_t + j) * lanes;
            for (int l = 0; l < lanes; l++) {
                const real d = w[l] > 0 ? p[l] - y[l] : 0;
                lane_sum[l] += 0.5 * (double)d * (double)d * (double)w[l];
                if (dpred) dpred[(i * rs_p + j) * lanes + l] = (real)scale * w[l] * d;
            }
        }
        double sum = 0;
        for (int l = 0; l < lanes; l++) sum += lane_sum[l];
        by_t[i] += sum;
    }
}

#define SQUARED_ERROR(name, lanes) \
    void NAME(name)(int64_t T, int64_t n, const void *weights, const void *pred, int64_t rs_p, \
                    const void *target, int64_t rs_t, double factor, double *by_t, void *dpred) \
    { \
        squared_error(lanes, T, n, weights, pred, rs_p, target, rs_t, factor, by_t, dpred); \
    }
SQUARED_ERROR(squared_error, LANES)
SQUARED_ERROR(squared_error_one, 1)
