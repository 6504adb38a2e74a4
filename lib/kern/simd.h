/* Included by every simd_*.c, which is compiled once per element type and ISA level with
 * -DREAL_BITS=32|64 -DSIMD_ISA=1|2|3: `real`, its vector of the level's native width, and NAME(f),
 * the name of f in this compilation (f_f32_avx512). */
#ifndef KERN_SIMD_H
#define KERN_SIMD_H

#include "kern/kern.h"
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#else
#include <arm_neon.h>
#endif

#if SIMD_ISA == 3
#define SIMD_BYTES 64
#define SIMD_SUFFIX avx512
#elif SIMD_ISA == 2
#define SIMD_BYTES 32
#define SIMD_SUFFIX avx2
#elif SIMD_ISA == 1
#define SIMD_BYTES 16
#define SIMD_SUFFIX baseline
#else
#error "compile with -DSIMD_ISA=1, 2 or 3"
#endif

#if REAL_BITS == 32
typedef float real;
typedef int32_t real_int;
#define REAL_SUFFIX f32
#define REAL_DTYPE MESAOPT_F32
#elif REAL_BITS == 64
typedef double real;
typedef int64_t real_int;
#define REAL_SUFFIX f64
#define REAL_DTYPE MESAOPT_F64
#else
#error "compile with -DREAL_BITS=32 or 64"
#endif

#define SIMD_PASTE2(f, r, s) f##_##r##_##s
#define SIMD_PASTE(f, r, s) SIMD_PASTE2(f, r, s)
#define NAME(f) SIMD_PASTE(f, REAL_SUFFIX, SIMD_SUFFIX)

#define INLINE static inline __attribute__((always_inline))

enum { LANES = SIMD_BYTES / sizeof(real) };
typedef real vec __attribute__((vector_size(SIMD_BYTES)));
typedef real_int ivec __attribute__((vector_size(SIMD_BYTES)));
/* unaligned access */
typedef real uvec __attribute__((vector_size(SIMD_BYTES), aligned(sizeof(real)), may_alias));

INLINE vec load_u(const real *p) { return *(const uvec *)p; }
INLINE void store_u(real *p, vec v) { *(uvec *)p = v; }
INLINE vec splat(real x) { return x - (vec){0}; }

/* w of the LANES reals at p, the others `fill` or 0; and back. */
INLINE vec get_filled(const real *p, int64_t w, real fill)
{
    if (w >= LANES) return load_u(p);
    vec v = splat(fill);
    memcpy(&v, p, (size_t)w * sizeof(real));
    return v;
}

INLINE vec get(const real *p, int64_t w) { return get_filled(p, w, 0); }

INLINE void put(real *p, vec v, int64_t w)
{
    if (w >= LANES)
        store_u(p, v);
    else
        memcpy(p, &v, (size_t)w * sizeof(real));
}

INLINE vec pick(ivec mask, vec a, vec b) { return (vec)((mask & (ivec)a) | (~mask & (ivec)b)); }

/* The larger and the smaller one; b when either is NaN. */
INLINE vec max_vec(vec a, vec b)
{
#if SIMD_ISA == 3
    return REAL_BITS == 32 ? (vec)_mm512_max_ps((__m512)a, (__m512)b)
                           : (vec)_mm512_max_pd((__m512d)a, (__m512d)b);
#elif SIMD_ISA == 2
    return REAL_BITS == 32 ? (vec)_mm256_max_ps((__m256)a, (__m256)b)
                           : (vec)_mm256_max_pd((__m256d)a, (__m256d)b);
#elif defined(__x86_64__)
    return REAL_BITS == 32 ? (vec)_mm_max_ps((__m128)a, (__m128)b)
                           : (vec)_mm_max_pd((__m128d)a, (__m128d)b);
#else
    return pick(a > b, a, b);
#endif
}

INLINE vec min_vec(vec a, vec b)
{
#if SIMD_ISA == 3
    return REAL_BITS == 32 ? (vec)_mm512_min_ps((__m512)a, (__m512)b)
                           : (vec)_mm512_min_pd((__m512d)a, (__m512d)b);
#elif SIMD_ISA == 2
    return REAL_BITS == 32 ? (vec)_mm256_min_ps((__m256)a, (__m256)b)
                           : (vec)_mm256_min_pd((__m256d)a, (__m256d)b);
#elif defined(__x86_64__)
    return REAL_BITS == 32 ? (vec)_mm_min_ps((__m128)a, (__m128)b)
                           : (vec)_mm_min_pd((__m128d)a, (__m128d)b);
#else
    return pick(a < b, a, b);
#endif
}

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

/* Lane l <- lane l ^ X, for the halving tree of sum_lanes (fixed order). */
#define SIMD_XOR4(X, B) (B) ^ X, (B + 1) ^ X, (B + 2) ^ X, (B + 3) ^ X
#if SIMD_BYTES * 8 / REAL_BITS == 16
#define SIMD_INDEX(X) SIMD_XOR4(X, 0), SIMD_XOR4(X, 4), SIMD_XOR4(X, 8), SIMD_XOR4(X, 12)
#elif SIMD_BYTES * 8 / REAL_BITS == 8
#define SIMD_INDEX(X) SIMD_XOR4(X, 0), SIMD_XOR4(X, 4)
#elif SIMD_BYTES * 8 / REAL_BITS == 4
#define SIMD_INDEX(X) SIMD_XOR4(X, 0)
#else
#define SIMD_INDEX(X) (0) ^ X, (1) ^ X
#endif
#if defined(__clang__) || __GNUC__ >= 12
#define SIMD_SWAP(v, X) __builtin_shufflevector(v, v, SIMD_INDEX(X))
#else
#define SIMD_SWAP(v, X) __builtin_shuffle(v, (ivec){SIMD_INDEX(X)})
#endif
INLINE real sum_lanes(vec v)
{
#if SIMD_BYTES * 8 / REAL_BITS >= 16
    v += SIMD_SWAP(v, 8);
#endif
#if SIMD_BYTES * 8 / REAL_BITS >= 8
    v += SIMD_SWAP(v, 4);
#endif
#if SIMD_BYTES * 8 / REAL_BITS >= 4
    v += SIMD_SWAP(v, 2);
#endif
    v += SIMD_SWAP(v, 1);
    return v[0];
}

#endif
