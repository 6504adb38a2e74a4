/* What kernels of draws and of systems, one sequence per lane, share. */
#ifndef KERN_SIMD_RANDOM_H
#define KERN_SIMD_RANDOM_H

#include "kern/simd_kernels.h"

#define INLINE static inline __attribute__((always_inline))

#endif
