/* The kernels of one compilation, as simd_table.c collects them. */
#ifndef KERN_SIMD_KERNELS_H
#define KERN_SIMD_KERNELS_H

#include "kern/simd.h"

#define DECLARE_SAME(result, name, arguments) result NAME(name) arguments;
#define DECLARE_PANEL DECLARE_SAME
#define DECLARE_TWO(result, name, arguments) \
    result NAME(name) arguments; \
    result NAME(name##_one) arguments;
#define KERNEL(tables, result, name, arguments) DECLARE_##tables(result, name, arguments)
#include "kern/kernels.def"
#undef KERNEL

#endif
