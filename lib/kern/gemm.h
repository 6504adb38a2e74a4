/* The large product C = A B (+ C) on row-major or otherwise strided matrices, which is `product` of
 * a kern with one lane.
 *
 * Operands are packed into panels in the caller's scratch where they have to be, five loops walk
 * over cache blocks (Goto and van de Geijn, "Anatomy of high-performance matrix multiplication",
 * 2008), and a kernel computes one register tile: those of simd_gemm.c, or where they are faster
 * the micro-kernels of BLIS, by name: filling a BLIS context would allocate, and abort when memory
 * is short. Each element of C is summed over k in ascending order
 * in blocks of `kc`, so a result depends on shapes and ISA level alone, not on strides, on how the
 * rest of C is cut, or on threads. */
#ifndef KERN_GEMM_H
#define KERN_GEMM_H

#include "kern/kern.h"

/* c[i * rs + j * cs] (mr x nr) = sum over k of a[k * mr + i] b[k * nr + j], plus c when
 * `accumulate`. next_*: panels to prefetch. */
typedef void (*gemm_micro)(int64_t k, const void *a, const void *b, int accumulate, void *c,
                           int64_t rs, int64_t cs, const void *next_a, const void *next_b);

/* One product. With a triangle, the diagonal of its operand (C, or A) runs through column = row +
 * diagonal. */
typedef struct gemm_op {
    int64_t M, N, K;
    mat A, B, C;
    enum triangle tri;
    int64_t diagonal;
    int accumulate;
    const kern *k;                 /* whose kern_stopped ends it */
} gemm_op;

typedef struct gemm gemm;
struct gemm {
    int32_t isa, dtype;
    int64_t size;                  /* bytes of a real */
    gemm_micro micro;              /* NULL: the kernels of simd_gemm.c, which need no packed A */
    int64_t mr, nr;                /* register tile, and widths of packed panels */
    int by_rows;                   /* the kernel stores C fast with cs = 1; BLIS's that are taken
                                      here, with rs = 1 */
    int64_t mc, kc, nc;            /* cache blocks: mc x kc of A stays in L2, kc x nc of B in L3;
                                      multiples of mr, 1, nr */
    /* simd_gemm.c: packing and loops */
    void (*run)(const gemm *g, void *scratch, const gemm_op *op);
};

/* Fills *g for an ISA level and MESAOPT_F32 or MESAOPT_F64; 0 when the build lacks the level.
 * Allocates nothing. */
int gemm_init(gemm *g, int32_t isa, int32_t dtype);

int64_t gemm_scratch(const gemm *g);                   /* bytes of scratch, whatever the shapes;
                                                          scratch is aligned to 64 */
/* of products with M, N <= side and K <= depth */
int64_t gemm_scratch_up_to(const gemm *g, int64_t side, int64_t depth);

/* The `product` member of a kern with one lane; all kinds mean the same there. Any strides, 0 too
 * for A and B. C must not overlap A or B. TRI_C_LOWER writes zeros above the diagonal. The excluded
 * triangle of A counts as zeros whatever it holds; a row of A may still meet rows of B up to a
 * register tile beyond its end, as zero times them, so what is not finite there shows. */
void gemm_product(const kern *k, void *scratch, enum product_kind kind, enum triangle tri,
                  int accumulate, int64_t M, int64_t N, int64_t K, mat A, mat B, mat C);

/* The same on the threads of ctx, bit for bit, for large products; scratch: gemm_scratch bytes for
 * each of ctx->threads workers. */
void gemm_parallel(mesaopt_ctx *ctx, const kern *k, void *scratch, enum triangle tri,
                   int accumulate, int64_t M, int64_t N, int64_t K, mat A, mat B, mat C);

#endif
