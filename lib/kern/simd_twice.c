/* Sums that go on without end, as of states that go from chunk to chunk and from token to token, to
 * twice the precision: behind each number stands another one, what its last digit has left.
 *
 * decay              D[i, 0] = g_0 .. g_i,  D[i, j + 1] = g_{j+1} .. g_i for j <= i (so D[i, i + 1]
 *                    = 1), by products: exact for g = 0
 * carry              to = a from + added
 * rank_one_twice     to = a from + b x y^T; in f64 with nothing behind the numbers
 *
 * With a fused multiply-add both a product and a sum of two numbers have an exact error term, of
 * one and of six operations (Knuth, TAOCP 2, section 4.2.2; Ogita, Rump and Oishi, Accurate Sum and
 * Dot Product, 2005). Without one the same is done in the next wider type, which has eleven digits
 * more than f64. */
#include "kern/simd_kernels.h"

#if SIMD_ISA > 1 || defined(__aarch64__)
/* x y + z, rounded once. */
INLINE vec fused(vec x, vec y, vec z)
{
#if SIMD_ISA == 3
    return REAL_BITS == 32 ? (vec)_mm512_fmadd_ps((__m512)x, (__m512)y, (__m512)z)
                           : (vec)_mm512_fmadd_pd((__m512d)x, (__m512d)y, (__m512d)z);
#elif SIMD_ISA == 2
    return REAL_BITS == 32 ? (vec)_mm256_fmadd_ps((__m256)x, (__m256)y, (__m256)z)
                           : (vec)_mm256_fmadd_pd((__m256d)x, (__m256d)y, (__m256d)z);
#else
    return REAL_BITS == 32 ? (vec)vfmaq_f32((float32x4_t)z, (float32x4_t)x, (float32x4_t)y)
                           : (vec)vfmaq_f64((float64x2_t)z, (float64x2_t)x, (float64x2_t)y);
#endif
}

/* x y, rounded, where what follows may not fuse it. */
INLINE vec times(vec x, vec y)
{
    vec product = x * y;
#if defined(__aarch64__)
    __asm__("" : "+w"(product));
#else
    __asm__("" : "+x"(product));
#endif
    return product;
}

typedef struct number { vec high, low; } number;

INLINE number number_of(vec x, vec low) { return (number){x, low}; }

INLINE number multiple(number c, vec y)
{
    const vec high = times(c.high, y);
    return (number){high, fused(c.low, y, fused(c.high, y, -high))};
}

INLINE number multiplied(number a, number x)
{
    number y = multiple(a, x.high);
    y.low = fused(a.high, x.low, y.low);
    return y;
}

/* The first is not the smaller one. */
INLINE number renormalised(vec high, vec low)
{
    const vec sum = high + low;
    return (number){sum, low - (sum - high)};
}

INLINE number sum_of(number x, number y)
{
    const vec sum = x.high + y.high, back = sum - x.high;
    return renormalised(sum, (x.high - (sum - back)) + (y.high - back) + (x.low + y.low));
}

INLINE number rounded(number x) { return renormalised(x.high, x.low); }
INLINE vec high_of(number x) { return x.high; }
INLINE vec low_of(number x) { return x.low; }
#else
#if REAL_BITS == 32
typedef double wide;
#else
typedef long double wide;
#endif
typedef struct number { wide of[LANES]; } number;

INLINE number number_of(vec x, vec low)
{
    number y;
    for (int l = 0; l < LANES; l++) y.of[l] = (wide)x[l] + (wide)low[l];
    return y;
}

INLINE number multiplied(number a, number x)
{
    for (int l = 0; l < LANES; l++) x.of[l] *= a.of[l];
    return x;
}

INLINE number sum_of(number x, number y)
{
    for (int l = 0; l < LANES; l++) x.of[l] += y.of[l];
    return x;
}

INLINE number multiple(number c, vec y) { return multiplied(c, number_of(y, splat(0))); }
INLINE number rounded(number x) { return x; }

INLINE vec high_of(number x)
{
    vec y;
    for (int l = 0; l < LANES; l++) y[l] = (real)x.of[l];
    return y;
}

INLINE vec low_of(number x)
{
    vec y;
    for (int l = 0; l < LANES; l++) y[l] = (real)(x.of[l] - (wide)(real)x.of[l]);
    return y;
}
#endif

/* An element, which may not be there; of one lane, the same number everywhere. */
INLINE number factor(int lanes, const void *high, const void *low)
{
    const real *h = high, *l = low;
    const vec one = splat(1), zero = splat(0);
    return lanes > 1 ? number_of(h ? load_u(h) : one, l ? load_u(l) : zero)
                     : number_of(h ? splat(*h) : one, l ? splat(*l) : zero);
}

/* ---- products of gates ---- */

/* What is behind the numbers of a row waits for the next one in its place. */
INLINE void decay(int lanes, int64_t C, const real *high, const real *low, int64_t stride, real *D,
                  int64_t rs)
{
    real one[LANES];
    put(one, splat(1), LANES);
    for (int64_t i = 0; i < C; i++) {
        const number g = factor(lanes, high + i * stride * lanes, low + i * stride * lanes);
        real *row = D + i * rs * lanes, *next = row + rs * lanes;
        const real *above = i > 0 ? row - rs * lanes : one;
        const int64_t n = (i + 1) * lanes;
        if (i == 0) put(row, splat(0), lanes);
        for (int64_t e = 0; e < n; e += LANES) {
            const int64_t w = n - e < LANES ? n - e : LANES;
            const number x = number_of(get(above + e, w), get(row + e, w)),
                         y = rounded(multiplied(g, x));
            put(row + e, high_of(y), w);
            put(next + e, low_of(y), w);
        }
        put(row + n, splat(1), lanes);
        put(next + n, splat(0), lanes);
    }
}

void NAME(decay)(int64_t C, const void *high, const void *low, int64_t stride, void *D, int64_t rs)
{
    decay(LANES, C, high, low, stride, D, rs);
}

void NAME(decay_one)(int64_t C, const void *high, const void *low, int64_t stride, void *D,
                     int64_t rs)
{
    decay(1, C, high, low, stride, D, rs);
}

/* ---- sums of matrices ---- */

/* w numbers of each. */
INLINE void carry_vec(int gated, number a, const real *added, const real *from,
                      const real *from_low, int64_t w, real *to, real *to_low)
{
    const number x = number_of(get(from, w), from_low ? get(from_low, w) : splat(0)),
                 sum = sum_of(gated ? multiplied(a, x) : x, number_of(get(added, w), splat(0)));
    put(to, high_of(sum), w);
    put(to_low, low_of(sum), w);
}

INLINE void carry_all(int gated, int64_t n, number a, const real *added, const real *from,
                      const real *from_low, real *to, real *to_low)
{
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES)
        carry_vec(gated, a, added + i, from + i, from_low ? from_low + i : NULL, LANES, to + i,
                  to_low + i);
    if (i < n)
        carry_vec(gated, a, added + i, from + i, from_low ? from_low + i : NULL, n - i, to + i,
                  to_low + i);
}

INLINE void carry(int lanes, int64_t n, const void *a, const void *a_low, const real *added,
                  const real *from, const real *from_low, real *to, real *to_low)
{
    const number gate = factor(lanes, a, a_low);
    if (a) carry_all(1, n * lanes, gate, added, from, from_low, to, to_low);
    else carry_all(0, n * lanes, gate, added, from, from_low, to, to_low);
}

void NAME(carry)(int64_t n, const void *a, const void *a_low, const void *added, const void *from,
                 const void *from_low, void *to, void *to_low)
{
    carry(LANES, n, a, a_low, added, from, from_low, to, to_low);
}

void NAME(carry_one)(int64_t n, const void *a, const void *a_low, const void *added,
                     const void *from, const void *from_low, void *to, void *to_low)
{
    carry(1, n, a, a_low, added, from, from_low, to, to_low);
}

/* ---- steps ---- */

enum { BEHIND = REAL_BITS == 32 };     /* is there a number behind another one? */

/* w numbers: to = a from + c y; `low` numbers on is what is behind them. */
INLINE void advance(int gated, number a, const real *from, number c, vec y, int64_t low, int64_t w,
                    real *to)
{
    const vec x = get(from, w);
    if (!BEHIND) {
        put(to, (gated ? high_of(a) * x : x) + high_of(c) * y, w);
        return;
    }
    const number before = number_of(x, get(from + low, w)),
                 sum = sum_of(gated ? multiplied(a, before) : before, multiple(c, y));
    put(to, high_of(sum), w);
    put(to + low, low_of(sum), w);
}

INLINE void rank_one(int gated, int64_t m, int64_t n, number a, number b, const real *from,
                     const real *x, int64_t x_step, const real *y, int64_t y_step, real *to)
{
    for (int64_t i = 0; i < m; i++, x += x_step * LANES) {
        const number c = multiple(b, *(const vec *)x);
        const real *v = y;
        for (int64_t j = 0; j < n; j++, v += y_step * LANES, from += LANES, to += LANES)
            advance(gated, a, from, c, *(const vec *)v, m * n * LANES, LANES, to);
    }
}

void NAME(rank_one_twice)(int64_t m, int64_t n, const void *a, const void *a_low, const void *b,
                          const void *from, const void *x, int64_t x_step, const void *y,
                          int64_t y_step, void *to)
{
    const number gate = factor(LANES, a, a_low), weight = factor(LANES, b, NULL);
    if (a) rank_one(1, m, n, gate, weight, from, x, x_step, y, y_step, to);
    else rank_one(0, m, n, gate, weight, from, x, x_step, y, y_step, to);
}

/* Columns side by side take the place of lanes. */
void NAME(rank_one_twice_one)(int64_t m, int64_t n, const void *a, const void *a_low,
                              const void *b, const void *from, const void *x, int64_t x_step,
                              const void *y, int64_t y_step, void *to)
{
    const number gate = factor(1, a, a_low), weight = factor(1, b, NULL);
    for (int64_t i = 0; i < m; i++) {
        const number c = multiple(weight, splat(((const real *)x)[i * x_step]));
        for (int64_t j = 0; j < n; j += LANES) {
            const int64_t w = n - j < LANES ? n - j : LANES, at = i * n + j;
            const real *v = (const real *)y + j * y_step;
            vec columns = {0};
            if (y_step == 1) columns = get(v, w);
            else
                for (int64_t l = 0; l < w; l++) columns[l] = v[l * y_step];
            advance(1, gate, (const real *)from + at, c, columns, m * n, w, (real *)to + at);
        }
    }
}
