/* Included by every simd_*.c, which is compiled once per element type and ISA level with -DREAL_BITS=32|64 -DSIMD_ISA=1|2|3:
 * `real`, its vector of the level's native width, and NAME(f), the name of f in this compilation (f_f32_avx512). */
#ifndef KERN_SIMD_H
#define KERN_SIMD_H

#include "kern/kern.h"
#include <string.h>

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

enum { LANES = SIMD_BYTES / sizeof(real) };
typedef real vec __attribute__((vector_size(SIMD_BYTES)));
typedef real_int ivec __attribute__((vector_size(SIMD_BYTES)));
typedef real uvec __attribute__((vector_size(SIMD_BYTES), aligned(sizeof(real)), may_alias));   /* unaligned access */

static inline __attribute__((always_inline)) vec load_u(const real *p) { return *(const uvec *)p; }
static inline __attribute__((always_inline)) void store_u(real *p, vec v) { *(uvec *)p = v; }
static inline __attribute__((always_inline)) vec splat(real x) { return x - (vec){0}; }
static inline __attribute__((always_inline)) vec pick(ivec mask, vec a, vec b) { return (vec)((mask & (ivec)a) | (~mask & (ivec)b)); }
static inline __attribute__((always_inline)) real sum_lanes(vec v) {
    real s[LANES];
    memcpy(s, &v, sizeof v);
    for (int w = LANES / 2; w > 0; w /= 2)
        for (int i = 0; i < w; i++) s[i] += s[i + w];
    return s[0];
}

#endif
