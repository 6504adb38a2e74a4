/* exp of a vector, without libm: 2^k e^r with |r| <= ln2/2 and the Taylor series of e^r to the last
 * bit of the type. Below the smallest normal number the result is 0, above the largest it is wrong:
 * arguments are <= 0 here. NaN passes. */
#ifndef KERN_SIMD_EXP_H
#define KERN_SIMD_EXP_H

#include "kern/simd.h"

#if REAL_BITS == 32
static const real LOG2E = 0x1.715476p0f, LN2_HIGH = 0x1.62ep-1f, LN2_LOW = 0x1.0bfbe8p-15f,
                  ROUND = 0x1.8p23f, LOWEST = -87.0f;
enum { MANTISSA = 23, DEGREE = 7 };
typedef uint32_t exp_bits __attribute__((vector_size(SIMD_BYTES)));
#else
static const real LOG2E = 0x1.71547652b82fep0, LN2_HIGH = 0x1.62e42feep-1,
                  LN2_LOW = 0x1.a39ef35793c76p-33, ROUND = 0x1.8p52, LOWEST = -708.0;
enum { MANTISSA = 52, DEGREE = 13 };
typedef uint64_t exp_bits __attribute__((vector_size(SIMD_BYTES)));
#endif
static const real INVERSE_FACTORIAL[] = {1,
                                         1,
                                         1 / 2.0,
                                         1 / 6.0,
                                         1 / 24.0,
                                         1 / 120.0,
                                         1 / 720.0,
                                         1 / 5040.0,
                                         1 / 40320.0,
                                         1 / 362880.0,
                                         1 / 3628800.0,
                                         1 / 39916800.0,
                                         1 / 479001600.0,
                                         1 / 6227020800.0};

INLINE vec exp_vec(vec x)
{
    const ivec none = x < splat(LOWEST);
    /* k = round(x / ln 2) sits in the low bits */
    const vec shifted = x * splat(LOG2E) + splat(ROUND), k = shifted - splat(ROUND);
    const vec r = (x - k * splat(LN2_HIGH)) - k * splat(LN2_LOW);
    vec p = splat(INVERSE_FACTORIAL[DEGREE]);
#pragma GCC unroll 16
    for (int i = DEGREE - 1; i >= 0; i--) p = p * r + splat(INVERSE_FACTORIAL[i]);
    /* far below, the sum wraps and is left out */
    return (vec)(~none & (ivec)((exp_bits)p + ((exp_bits)shifted << MANTISSA)));
}

/* 2^f - 1, |f| <= 1/2, over f: minimax in relative error of 2^f, below 2^-28 (f64: 2^-55), from
 * Remez's algorithm. */
#if REAL_BITS == 32
static const real EXP2_SERIES[] = {0x1.62e4311913f3fp-1,  0x1.ebfbe2c9a9b9ap-3,
                                   0x1.c6ae7099bbc05p-5,  0x1.3b270a8575028p-7,
                                   0x1.5f737f685c68fp-10, 0x1.470d6e40cd4fdp-13};
static const real EXP2_LOWEST = 0x1.8p23 - 125;
#else
static const real EXP2_SERIES[] = {
    0x1.62e42fefa39f3p-1,  0x1.ebfbdff82c598p-3,  0x1.c6b08d7048f0dp-5,  0x1.3b2ab6fba1db9p-7,
    0x1.5d87fe7bc0ab9p-10, 0x1.430913097b1d1p-13, 0x1.ffcbee2c4f2b7p-17, 0x1.62bfd44f724e6p-20,
    0x1.b541769d609bfp-24, 0x1.e60698477ab56p-28, 0x1.c062e69ccedc6p-32};
static const real EXP2_LOWEST = 0x1.8p52 - 1021;
#endif
enum { EXP2_DEGREE = sizeof EXP2_SERIES / sizeof *EXP2_SERIES };
static const double LOG2_OF_E = 0x1.71547652b82fep0;

/* 2^n of a normal number. */
INLINE vec exp2_whole(int64_t n)
{
    const exp_bits one = (exp_bits)splat(1);
    return (vec)(one + ((((exp_bits){0}) + (real_int)n) << MANTISSA));
}

/* What exp2_vecs wants to know for results smaller by 2^less. */
INLINE vec exp2_round(int64_t less) { return splat(ROUND) - splat((real)less); }

/* x[i] <- 2^(s x[i] - less), s x[i] <= 0; 0 where that is hardly a normal number any more. */
INLINE void exp2_vecs(int count, vec s, vec round, vec *x)
{
    vec shifted[4], p[4]; /* the whole part of the exponent sits in the low bits */
#pragma GCC unroll 4
    for (int i = 0; i < count; i++) {
        shifted[i] = x[i] * s + round;
        x[i] = x[i] * s - (shifted[i] - round);
        p[i] = splat(EXP2_SERIES[EXP2_DEGREE - 1]);
    }
#pragma GCC unroll 16
    for (int d = EXP2_DEGREE - 2; d >= -1; d--)
#pragma GCC unroll 4
        for (int i = 0; i < count; i++)
            p[i] = p[i] * x[i] + splat(d < 0 ? 1 : EXP2_SERIES[d < 0 ? 0 : d]);
#pragma GCC unroll 4
    for (int i = 0; i < count; i++) {
        const ivec none = shifted[i] < splat(EXP2_LOWEST);
        x[i] = (vec)(~none & (ivec)((exp_bits)p[i] + ((exp_bits)shifted[i] << MANTISSA)));
    }
}

#endif
