/* The large product: where micro-kernels of BLIS take the place of the kernels of simd_gemm.c. See
 * gemm.h.
 *
 * The only file that includes blis.h. Kernels are named, and nothing else of BLIS is called: its
 * initialisers of contexts allocate and abort when memory is short, and its framework reads the
 * environment and locks. The kernels use neither the context they are passed nor anything but
 * memmove of the C library. Since 0.9 they take the extents of the tile, always the full ones
 * here. */
#include "kern/simd_gemm.h"
#include <blis.h>
#include <string.h>

#ifndef ISA_3_BUILT                /* levels of this build: ISA_LEVELS of the Makefile */
#undef BLIS_KERNELS_SKX
#endif

#ifdef GEMM_UKR_SETUP_CT           /* of the edge handling that came with these arguments */
#define EXTENTS(mr, nr) mr, nr,
#else
#define EXTENTS(mr, nr)
#endif

#define MICRO(name, type, mr, nr) \
    static void micro_##name(int64_t k, const void *a, const void *b, int accumulate, void *c, \
                             int64_t rs, int64_t cs, const void *next_a, const void *next_b) \
    { \
        static const type factor[2] = {0, 1}; \
        auxinfo_t aux; \
        memset(&aux, 0, sizeof aux); \
        bli_auxinfo_set_next_a((void *)next_a, &aux); \
        bli_auxinfo_set_next_b((void *)next_b, &aux); \
        name(EXTENTS(mr, nr) k, (void *)&factor[1], (void *)a, (void *)b, \
             (void *)&factor[accumulate != 0], c, rs, cs, &aux, NULL); \
    } \
    _Static_assert((mr) * (nr) * sizeof(type) <= GEMM_TILE_BYTES, "register tile");

typedef struct choice {
    int32_t isa, dtype;
    gemm_micro micro;
    int64_t mr, nr;
    int64_t mc, kc, nc;
} choice;

#if defined(BLIS_KERNELS_SKX)
MICRO(bli_sgemm_skx_asm_32x12_l2, float, 32, 12)
MICRO(bli_dgemm_skx_asm_16x14, double, 16, 14)
#endif
#if defined(BLIS_KERNELS_ARMV8A)
MICRO(bli_sgemm_armv8a_asm_8x12, float, 8, 12)
MICRO(bli_dgemm_armv8a_asm_6x8, double, 6, 8)
#endif

static const choice choices[] = {
#if defined(BLIS_KERNELS_SKX)
    {MESAOPT_ISA_AVX512, MESAOPT_F32, micro_bli_sgemm_skx_asm_32x12_l2, 32, 12, 256, 384, 768},
    {MESAOPT_ISA_AVX512, MESAOPT_F64, micro_bli_dgemm_skx_asm_16x14, 16, 14, 128, 384, 448},
#endif
#if defined(BLIS_KERNELS_ARMV8A)
    {MESAOPT_ISA_BASELINE, MESAOPT_F32, micro_bli_sgemm_armv8a_asm_8x12, 8, 12, 120, 256, 768},
    {MESAOPT_ISA_BASELINE, MESAOPT_F64, micro_bli_dgemm_armv8a_asm_6x8, 6, 8, 120, 240, 512},
#endif
    {0, 0, NULL, 0, 0, 0, 0, 0}
};

int gemm_portable(gemm *g, int32_t isa, int32_t dtype)
{
    int f64 = dtype == MESAOPT_F64;
    switch (isa) {
    case MESAOPT_ISA_BASELINE:
        (f64 ? gemm_portable_f64_baseline : gemm_portable_f32_baseline)(g);
        return 1;
#ifdef ISA_2_BUILT
    case MESAOPT_ISA_AVX2: (f64 ? gemm_portable_f64_avx2 : gemm_portable_f32_avx2)(g); return 1;
#endif
#ifdef ISA_3_BUILT
    case MESAOPT_ISA_AVX512:
        (f64 ? gemm_portable_f64_avx512 : gemm_portable_f32_avx512)(g);
        return 1;
#endif
    }
    return 0;
}

int gemm_init(gemm *g, int32_t isa, int32_t dtype)
{
    if (!gemm_portable(g, isa, dtype)) return 0;
    for (const choice *c = choices; c->micro; c++) {
        if (c->isa != isa || c->dtype != dtype) continue;
        g->micro = c->micro;
        g->mr = c->mr, g->nr = c->nr, g->by_rows = 0;
        g->mc = c->mc, g->kc = c->kc, g->nc = c->nc;
    }
    return 1;
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Panels of so many columns, as they are packed: whole ones, no more than a cache block has. Of a
 * thin product a panel may be wider than that of the micro-kernel: up to WIDEST. */
static int64_t packed(int64_t extent, int64_t block, int64_t unit)
{
    enum { WIDEST = 64 };
    const int64_t whole = least(block, (least(extent, block) + unit - 1) / unit * unit);
    return whole > WIDEST ? whole : WIDEST;
}

int64_t gemm_scratch_up_to(const gemm *g, int64_t side, int64_t depth)
{
    const int64_t columns = packed(side, g->mc, g->mr) + packed(side, g->nc, g->nr);
    const int64_t bytes =
        GEMM_TILE_BYTES + columns * least(depth, g->kc) * g->size + GEMM_SLACK_BYTES;
    return (bytes + 127) / 64 * 64;                    /* whole lines, and one where the two
                                                          operands meet */
}

int64_t gemm_scratch(const gemm *g)
{
    return gemm_scratch_up_to(g, INT64_MAX, INT64_MAX);
}

void gemm_product(const kern *k, void *scratch, enum product_kind kind, enum triangle tri,
                  int accumulate, int64_t M, int64_t N, int64_t K, mat A, mat B, mat C)
{
    (void)kind;
    gemm_op op = {M, N, K, A, B, C, tri, 0, accumulate, k};
    k->gemm->run(k->gemm, scratch, &op);
}
