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

static inline __attribute__((always_inline)) vec exp_vec(vec x)
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

#endif
