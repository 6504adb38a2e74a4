/* Picks kernels: ISA level by CPUID, tables by element type. */
#include "kern/kern.h"
#include "kern/gemm.h"
#include <string.h>

/* The levels of this build: ISA_LEVELS of the Makefile. */
#ifdef ISA_2_BUILT
#define LEVEL_2(X) X(avx2, MESAOPT_ISA_AVX2)
#else
#define LEVEL_2(X)
#endif
#ifdef ISA_3_BUILT
#define LEVEL_3(X) X(avx512, MESAOPT_ISA_AVX512)
#else
#define LEVEL_3(X)
#endif
#define LEVELS(X) X(baseline, MESAOPT_ISA_BASELINE) LEVEL_2(X) LEVEL_3(X)
#define DECLARE(level, isa) \
    extern const kern kern_panel_f32_##level, kern_panel_f64_##level, kern_one_f32_##level, \
        kern_one_f64_##level;
LEVELS(DECLARE)

typedef struct tables {
    kern k[2][2];                  /* [f32, f64][native width, one lane] */
    kern unstopped[2];             /* f64: native width, one lane */
    struct gemm gemm[2];
} tables;

static const atomic_int never = 0;

int32_t kern_isa_best(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("fma"))
        return MESAOPT_ISA_AVX512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return MESAOPT_ISA_AVX2;
#endif
    return MESAOPT_ISA_BASELINE;
}

int kern_isa_built(int32_t isa)
{
#define BUILT(level, number) if (isa == number) return 1;
    LEVELS(BUILT)
    return 0;
}

mesaopt_status kern_init(mesaopt_ctx *ctx)
{
    tables *t = alloc_new(&ctx->alloc, 1, sizeof *t);
    if (!t)
        return fail(ctx, MESAOPT_E_MEMORY, "kernels: no memory for %lld bytes",
                    (long long)sizeof *t);
#define FILL(level, number) \
    if (ctx->isa == number) { \
        t->k[0][0] = kern_panel_f32_##level, t->k[0][1] = kern_one_f32_##level; \
        t->k[1][0] = kern_panel_f64_##level, t->k[1][1] = kern_one_f64_##level; \
    }
    LEVELS(FILL)
    for (int i = 0; i < 2; i++) {
        if (!gemm_init(&t->gemm[i], ctx->isa, t->k[i][1].dtype)) {
            alloc_free(&ctx->alloc, t);
            return fail(ctx, MESAOPT_E_UNSUPPORTED,
                        "isa: level %d, for which this build has no micro-kernels", (int)ctx->isa);
        }
        t->k[i][1].product = gemm_product;
        t->k[i][1].gemm = &t->gemm[i];
        t->k[i][0].wide = t->k[i][1].wide = &t->k[i][0];
        t->k[i][0].f64 = &t->k[1][0], t->k[i][1].f64 = &t->k[1][1];
        t->k[i][0].stop = t->k[i][1].stop = &ctx->interrupted;
        t->k[i][0].polled = t->k[i][1].polled = ctx->hooks.poll ? ctx : NULL;
    }
    for (int one = 0; one < 2; one++) {
        t->unstopped[one] = t->k[1][one];
        t->unstopped[one].wide = &t->unstopped[0], t->unstopped[one].f64 = &t->unstopped[one];
        t->unstopped[one].stop = &never, t->unstopped[one].polled = NULL;
    }
    ctx->kern = t;
    return MESAOPT_OK;
}

void kern_free(mesaopt_ctx *ctx)
{
    alloc_free(&ctx->alloc, ctx->kern);
    ctx->kern = NULL;
}

const kern *kern_get(const mesaopt_ctx *ctx, int32_t dtype, int one_lane)
{
    return &((const tables *)ctx->kern)->k[dtype == MESAOPT_F64][one_lane];
}

const kern *kern_unstopped(const mesaopt_ctx *ctx)
{
    return &((const tables *)ctx->kern)->unstopped[1];
}

int64_t kern_product_scratch(const kern *k)
{
    return k->lanes == 1 ? gemm_scratch(k->gemm)
                         : kern_product_scratch_up_to(k, PANEL_COLUMNS, PANEL_DEPTH);
}

int64_t kern_product_scratch_up_to(const kern *k, int64_t side, int64_t depth)
{
    if (k->lanes == 1) return gemm_scratch_up_to(k->gemm, side, depth);
    return PANEL_COLUMNS * (depth < PANEL_DEPTH ? depth : PANEL_DEPTH) * k->lanes * k->size;
}
