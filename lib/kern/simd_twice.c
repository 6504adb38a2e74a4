/* Sums that go on without end, as of a decoder's states: to = a from + b x y^T to twice the
 * precision of f32, each number followed by what is behind its last digit.
 *
 * With a fused multiply-add both a product and a sum of two numbers have an exact error term, four
 * and six operations on numbers of f32 (Knuth, TAOCP 2, section 4.2.2; Ogita, Rump and Oishi,
 * Accurate Sum and Dot Product, 2005). Without one the same is done in double. f64 has nothing
 * behind its numbers. */
#include "kern/simd_kernels.h"

#if REAL_BITS == 32 && (SIMD_ISA > 1 || defined(__aarch64__))
/* x y + z, rounded once. */
INLINE vec fused(vec x, vec y, vec z)
{
#if SIMD_ISA == 3
    return (vec)_mm512_fmadd_ps((__m512)x, (__m512)y, (__m512)z);
#elif SIMD_ISA == 2
    return (vec)_mm256_fmadd_ps((__m256)x, (__m256)y, (__m256)z);
#else
    return (vec)vfmaq_f32((float32x4_t)z, (float32x4_t)x, (float32x4_t)y);
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

INLINE number sum_of(number x, number y)
{
    const vec sum = x.high + y.high, back = sum - x.high,
              low = (x.high - (sum - back)) + (y.high - back) + (x.low + y.low), high = sum + low;
    return (number){high, low - (high - sum)};
}

INLINE vec high_of(number x) { return x.high; }
INLINE vec low_of(number x, vec high) { return (void)high, x.low; }
#else
/* LANES numbers in double: two parts of f32, one of f64. */
enum { PARTS = REAL_BITS == 32 ? 2 : 1 };
typedef double part __attribute__((vector_size(SIMD_BYTES)));
typedef real half __attribute__((vector_size(SIMD_BYTES / PARTS)));
typedef struct number { part of[PARTS]; } number;

INLINE number in_double(vec x)
{
    half h[PARTS];
    number y;
    memcpy(h, &x, sizeof x);
    for (int i = 0; i < PARTS; i++) y.of[i] = __builtin_convertvector(h[i], part);
    return y;
}

INLINE vec high_of(number x)
{
    half h[PARTS];
    vec y;
    for (int i = 0; i < PARTS; i++) h[i] = __builtin_convertvector(x.of[i], half);
    memcpy(&y, h, sizeof y);
    return y;
}

INLINE number sum_of(number x, number y)
{
    for (int i = 0; i < PARTS; i++) x.of[i] += y.of[i];
    return x;
}

INLINE number multiplied(number a, number x)
{
    for (int i = 0; i < PARTS; i++) x.of[i] *= a.of[i];
    return x;
}

INLINE number number_of(vec x, vec low) { return sum_of(in_double(x), in_double(low)); }
INLINE number multiple(number c, vec y) { return multiplied(c, in_double(y)); }
INLINE vec low_of(number x, vec high)
{
    const number rounded = in_double(high);
    for (int i = 0; i < PARTS; i++) x.of[i] -= rounded.of[i];
    return high_of(x);
}
#endif

enum { BEHIND = REAL_BITS == 32 };     /* is there a number behind another one? */

/* w numbers: to = a from + c y; `low` numbers on is what is behind them. */
INLINE void advance(int gated, number a, const real *from, number c, vec y, int64_t low, int64_t w,
                    real *to)
{
    const number x = number_of(get(from, w), BEHIND ? get(from + low, w) : splat(0)),
                 sum = sum_of(gated ? multiplied(a, x) : x, multiple(c, y));
    const vec high = high_of(sum);
    put(to, high, w);
    if (BEHIND) put(to + low, low_of(sum, high), w);
}

/* Of an element that may not be there. */
INLINE number factor(const void *high, const void *low, int64_t step)
{
    const real *h = high, *l = low;
    const vec one = splat(1), zero = splat(0);
    return step ? number_of(h ? load_u(h) : one, l ? load_u(l) : zero)
                : number_of(h ? splat(*h) : one, l ? splat(*l) : zero);
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
    const number gate = factor(a, a_low, 1), weight = factor(b, NULL, 1);
    if (a) rank_one(1, m, n, gate, weight, from, x, x_step, y, y_step, to);
    else rank_one(0, m, n, gate, weight, from, x, x_step, y, y_step, to);
}

/* Columns side by side take the place of lanes. */
void NAME(rank_one_twice_one)(int64_t m, int64_t n, const void *a, const void *a_low,
                              const void *b, const void *from, const void *x, int64_t x_step,
                              const void *y, int64_t y_step, void *to)
{
    const number gate = factor(a, a_low, 0), weight = factor(b, NULL, 0);
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
