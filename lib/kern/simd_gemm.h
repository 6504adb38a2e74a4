/* What simd_gemm.c gives to gemm.c, per element type and ISA level. */
#ifndef KERN_SIMD_GEMM_H
#define KERN_SIMD_GEMM_H

#include "kern/gemm.h"

enum { GEMM_TILE_BYTES = 4096, GEMM_SLACK_BYTES = 1024 }; /* the largest register tile; what
                                                             micro-kernels may read past a panel */

void gemm_portable_f32_baseline(gemm *g);              /* micro-kernel of this library, for where
                                                          BLIS has none */
void gemm_portable_f64_baseline(gemm *g);
#if defined(__x86_64__)
void gemm_portable_f32_avx2(gemm *g);
void gemm_portable_f64_avx2(gemm *g);
void gemm_portable_f32_avx512(gemm *g);
void gemm_portable_f64_avx512(gemm *g);
#endif

int gemm_portable(gemm *g, int32_t isa, int32_t dtype);     /* 0 when the build lacks the level */

#endif
