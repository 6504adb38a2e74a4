/* Kernels of random draws and random linear systems, one sequence per lane; see `struct kern`. Panels have LANES lanes. */
#ifndef KERN_SIMD_RANDOM_H
#define KERN_SIMD_RANDOM_H

#include "kern/simd.h"
#if defined(__x86_64__)
#include <immintrin.h>
#else
#include <arm_neon.h>
#endif

#define INLINE static inline __attribute__((always_inline))

INLINE vec square_root(vec x)
{
#if SIMD_ISA == 3
    return REAL_BITS == 32 ? (vec)_mm512_sqrt_ps((__m512)x) : (vec)_mm512_sqrt_pd((__m512d)x);
#elif SIMD_ISA == 2
    return REAL_BITS == 32 ? (vec)_mm256_sqrt_ps((__m256)x) : (vec)_mm256_sqrt_pd((__m256d)x);
#elif defined(__x86_64__)
    return REAL_BITS == 32 ? (vec)_mm_sqrt_ps((__m128)x) : (vec)_mm_sqrt_pd((__m128d)x);
#else
    return REAL_BITS == 32 ? (vec)vsqrtq_f32((float32x4_t)x) : (vec)vsqrtq_f64((float64x2_t)x);
#endif
}

void NAME(uniform)(uint64_t seed, uint32_t stream, int64_t sequence, int64_t position, int64_t count, double low, double high, void *panel);
void NAME(normal)(uint64_t seed, uint32_t stream, int64_t sequence, int64_t position, int64_t count, double mean, double sd, void *panel);

void NAME(orthogonal)(uint64_t seed, uint32_t stream, int64_t sequence, int64_t position, int64_t n, void *panel, void *work);
void NAME(similarity)(int64_t n, const void *U, const void *d, void *W, void *work);
void NAME(recursion)(int64_t n, int64_t steps, const void *W, double clip, void *x);

#endif
