/* Kernels of random draws and random linear systems, one sequence per lane; see `struct kern`.
 * Panels have LANES lanes. */
#ifndef KERN_SIMD_RANDOM_H
#define KERN_SIMD_RANDOM_H

#include "kern/simd.h"

#define INLINE static inline __attribute__((always_inline))

void NAME(uniform)(uint64_t seed, uint32_t stream, int64_t sequence, int64_t position,
                   int64_t count, double low, double high, void *panel);
void NAME(normal)(uint64_t seed, uint32_t stream, int64_t sequence, int64_t position, int64_t count,
                  double mean, double sd, void *panel);

void NAME(orthogonal)(const kern *k, uint64_t seed, uint32_t stream, int64_t sequence,
                      int64_t position, int64_t n, void *panel, void *work);
void NAME(similarity)(const kern *k, int64_t n, const void *U, const void *d, void *W, void *work);
void NAME(recursion)(const kern *k, int64_t n, int64_t steps, const void *W, double clip, void *x);

#endif
