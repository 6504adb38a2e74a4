/* The kernels of one element type and ISA level as two tables: panels of native width, and panels
 * of one lane (whose product, gemm.h, kern.c fills in). Random draws always fill
 * panels of native width. */
#include "kern/simd_kernels.h"

#define COMMON .isa = SIMD_ISA, .dtype = REAL_DTYPE, .width = LANES, .size = sizeof(real)

const kern NAME(kern_panel) = {
    COMMON,
    .lanes = LANES,
#define KERNEL(tables, result, name, arguments) .name = NAME(name),
#include "kern/kernels.def"
#undef KERNEL
};

#define ONE_SAME(name) .name = NAME(name),
#define ONE_TWO(name) .name = NAME(name##_one),
#define ONE_PANEL(name)
const kern NAME(kern_one) = {
    COMMON,
    .lanes = 1,
#define KERNEL(tables, result, name, arguments) ONE_##tables(name)
#include "kern/kernels.def"
#undef KERNEL
};
