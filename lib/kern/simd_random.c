/* Uniform and normal draws, one sequence per lane.
 *
 * Words: Philox4x32-10 (base/philox.h says which counter a position has). With u in [0, 1) of a
 * position's 64 bits,
 *     uniform = low + (high - low) u      f64: the high 53 bits; f32: the high 24 bits
 *     normal  = mean + sd r (cos, sin)(2 pi u'),  r = sqrt(-2 log u)
 * where u and u' belong to positions 2i and 2i + 1 (Box and Muller 1958). For normals f32 keeps 48
 * bits of u, from both ends of the interval: the logarithm then has full relative accuracy near 0
 * and near 1, and f32 and f64 agree to rounding. Polynomials:
 * tests/oracle/random_polynomials.py. */
#include "kern/simd_kernels.h"
#include "base/philox.h"

/* 32-bit words live in the low halves of 64-bit lanes, where one instruction gives their full
 * product; high halves are garbage until masked. A vector of f32 needs two of them: lane l of the
 * panel is lane l / HALVES of half l % HALVES. */
typedef uint64_t wide __attribute__((vector_size(SIMD_BYTES)));
enum { WIDE = SIMD_BYTES / 8, HALVES = (int)LANES / WIDE };
#define WORD 0xffffffffu

INLINE wide wide_splat(uint64_t x) { return x - (wide){0}; }

INLINE wide mul_words(wide a, uint32_t b)
{
#if SIMD_ISA == 3
    return (wide)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(b));
#elif SIMD_ISA == 2
    return (wide)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(b));
#elif defined(__x86_64__)
    return (wide)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(b));
#else
    return (wide)vmull_u32(vmovn_u64((uint64x2_t)a), vdup_n_u32(b));
#endif
}

typedef struct stream_state {
    wide key[PHILOX_ROUNDS][2], sequence[HALVES];
    uint32_t stream;
} stream_state;

INLINE void start(stream_state *s, uint64_t seed, uint32_t stream, int64_t sequence)
{
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int r = 0; r < PHILOX_ROUNDS; r++, k0 += PHILOX_W0, k1 += PHILOX_W1) {
        s->key[r][0] = wide_splat(k0);
        s->key[r][1] = wide_splat(k1);
    }
    for (int h = 0; h < HALVES; h++)
        for (int i = 0; i < WIDE; i++)
            s->sequence[h][i] = (uint64_t)sequence + (uint64_t)(HALVES * i + h);
    s->stream = stream;
}

/* The four words of one block, in the low halves of the lanes. */
INLINE void block_words(const stream_state *s, uint32_t block, wide w[HALVES][4])
{
#pragma GCC unroll 2
    for (int h = 0; h < HALVES; h++) {
        wide c0 = wide_splat(block), c1 = wide_splat(s->stream), c2 = s->sequence[h],
             c3 = s->sequence[h] >> 32;
#pragma GCC unroll 10
        for (int r = 0; r < PHILOX_ROUNDS; r++) {
            wide p0 = mul_words(c0, PHILOX_M0), p1 = mul_words(c2, PHILOX_M1);
            c0 = (p1 >> 32) ^ c1 ^ s->key[r][0];
            c2 = (p0 >> 32) ^ c3 ^ s->key[r][1];
            c1 = p1;
            c3 = p0;
        }
        w[h][0] = c0; w[h][1] = c1; w[h][2] = c2; w[h][3] = c3;
    }
}

#define POLYNOMIAL(name, ...)                                   \
    INLINE vec name(vec z)                                      \
    {                                                           \
        static const real c[] = {__VA_ARGS__};                  \
        int i = sizeof c / sizeof *c - 1;                       \
        vec r = splat(c[i]);                                    \
        _Pragma("GCC unroll 8")                                 \
        while (--i >= 0) r = r * z + c[i];                      \
        return r;                                               \
    }

#if REAL_BITS == 32
POLYNOMIAL(log_tail, 0.666666865f, 0.3998878f, 0.295799494f)
POLYNOMIAL(sin_tail, -41.3416977f, 81.5995178f, -75.7263031f)
POLYNOMIAL(cos_tail, -19.7392082f, 64.9393692f, -85.448822f, 59.4241066f)
enum { MANTISSA = 23, BIAS = 127 };
#define ROOT_HALF 0x3f3504f3           /* bits of sqrt(1/2) */
#define UNIT 0x1p-24f                  /* of u */

typedef uint32_t bits_vec __attribute__((vector_size(SIMD_BYTES)));
INLINE bits_vec word(wide w[HALVES][4], int i)
{
    return (bits_vec)((w[0][i] & WORD) | (w[1][i] << 32));
}
INLINE vec from_int(ivec i) { return __builtin_convertvector(i, vec); }

INLINE vec unit(wide w[HALVES][4], int i) { return from_int((ivec)(word(w, i) >> 8)) * UNIT; }

/* u of position 0 of a block, not 0, and 1 - u, both with full relative accuracy. */
INLINE void unit_both(wide w[HALVES][4], vec *u, vec *rest)
{
    bits_vec a = word(w, 0), b = (a & 0xff) << 16 | word(w, 1) >> 16;
    a >>= 8;
    *u = from_int((ivec)a) * UNIT + from_int((ivec)b) * 0x1p-48f;
    *u = pick(*u > 0, *u, splat(0x1p-49f));
    *rest = from_int((ivec)(a ^ 0xffffff)) * UNIT + (from_int((ivec)(b ^ 0xffffff)) + 1) * 0x1p-48f;
}

/* u of position 1 = (quadrant + 4 x) / 4 with |x| <= 1/8, quadrant modulo 4. */
INLINE ivec quadrant(wide w[HALVES][4], vec *x)
{
    bits_vec a = word(w, 2), q = (a + 0x20000000u) >> 30;
    *x = from_int((ivec)(a - (q << 30))) * 0x1p-32f;
    return (ivec)q;
}
#else
POLYNOMIAL(log_tail, 0.66666666666666696, 0.39999999999899505, 0.28571428625975487,
           0.22222211134795081, 0.18182889125261723, 0.15331721600556042, 0.14616449685043406)
POLYNOMIAL(sin_tail, -41.341702240399755, 81.605249276051694, -76.705859735620933,
           42.058689180885118, -15.094054182079999, 3.7864333495654501)
POLYNOMIAL(cos_tail, -19.739208802178716, 64.939394022668239, -85.456817206643805,
           60.244641352702011, -26.426253275854723, 7.9032069115696784, -1.6990343940660637)
enum { MANTISSA = 52, BIAS = 1023 };
#define ROOT_HALF 0x3fe6a09e667f3bcd
#define UNIT 0x1p-53
typedef wide bits_vec;

/* Integers below 2^52: the mantissa of 2^52 + i. */
INLINE vec from_int(ivec i) { return (vec)(i | 0x4330000000000000) - 0x1p52; }

INLINE vec unit(wide w[HALVES][4], int i)
{
    return from_int((ivec)(w[0][i] & WORD)) * 0x1p-32 +
           from_int((ivec)((w[0][i + 1] & WORD) >> 11)) * UNIT;
}

INLINE void unit_both(wide w[HALVES][4], vec *u, vec *rest)
{
    *u = unit(w, 0);
    *u = pick(*u > 0, *u, splat(UNIT / 2));
    *rest = 1 - *u;
}

INLINE ivec quadrant(wide w[HALVES][4], vec *x)
{
    ivec q = (ivec)(((w[0][2] & WORD) + 0x20000000u) >> 30);
    *x = unit(w, 2) - from_int(q) * 0.25;
    return q;
}
#endif

/* log u for 0 < u <= 1 and rest = 1 - u: with u = 2^e m, sqrt(1/2) < m <= sqrt(2), s = (m - 1) / (m
 * + 1): e log 2 + 2 atanh s. */
INLINE vec log_unit(vec u, vec rest)
{
    ivec shifted = (ivec)u - (real_int)ROOT_HALF + ((real_int)BIAS << MANTISSA);
    ivec e = (ivec)((bits_vec)shifted >> MANTISSA);
    vec m = (vec)((ivec)u - (e << MANTISSA) + ((real_int)BIAS << MANTISSA));
    vec f = pick(e == BIAS, -rest, m - 1), s = f / (f + 2), z = s * s;
    return (from_int(e) - BIAS) * (real)0.69314718055994530942 + s * (z * log_tail(z) + 2);
}

INLINE void normal_pair(wide w[HALVES][4], vec scale, vec offset, vec *first, vec *second)
{
    vec u, rest, x;
    unit_both(w, &u, &rest);
    vec r = scale * square_root(-2 * log_unit(u, rest));
    ivec q = quadrant(w, &x);
    vec z = x * x, s = x * (z * sin_tail(z) + (real)6.28318530717958647693),
        c = z * cos_tail(z) + 1;
    enum { SIGN = REAL_BITS - 2 };
    ivec odd = -(q & 1);
    *first = offset + r * (vec)((ivec)pick(odd, s, c) ^ (((q + 1) & 2) << SIGN));
    *second = offset + r * (vec)((ivec)pick(odd, c, s) ^ ((q & 2) << SIGN));
}

INLINE real next_below(real x)
{
    real_int bits;
    memcpy(&bits, &x, sizeof x);
    bits = x > 0 ? bits - 1 : x < 0 ? bits + 1 : (real_int)((uint64_t)1 << (REAL_BITS - 1)) + 1;
    memcpy(&x, &bits, sizeof x);
    return x;
}

void NAME(uniform)(uint64_t seed, uint32_t stream, int64_t sequence, int64_t position,
                   int64_t count, double low, double high, void *panel)
{
    stream_state s;
    start(&s, seed, stream, sequence);
    vec *out = panel, scale = splat((real)(high - low)), offset = splat((real)low),
        below = splat(next_below((real)high));
    for (int64_t p = position & ~(int64_t)1, end = position + count; p < end; p += 2) {
        wide w[HALVES][4];
        block_words(&s, (uint32_t)(p / 2), w);
#pragma GCC unroll 2
        for (int i = 0; i < 2; i++) {
            vec x = offset + scale * unit(w, 2 * i);
            /* rounding may reach `high` */
            if (p + i >= position && p + i < end) out[p + i - position] = pick(x > below, below, x);
        }
    }
}

void NAME(normal)(uint64_t seed, uint32_t stream, int64_t sequence, int64_t position, int64_t count,
                  double mean, double sd, void *panel)
{
    stream_state s;
    start(&s, seed, stream, sequence);
    vec *out = panel, scale = splat((real)sd), offset = splat((real)mean);
    for (int64_t p = position & ~(int64_t)1, end = position + count; p < end; p += 2) {
        wide w[HALVES][4];
        vec first, second;
        block_words(&s, (uint32_t)(p / 2), w);
        normal_pair(w, scale, offset, &first, &second);
        if (p >= position) out[p - position] = first;
        if (p + 1 < end) out[p + 1 - position] = second;
    }
}
