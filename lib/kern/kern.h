/* Panels and the kernels on them.
 *
 * A panel holds as many sequences as a vector register has lanes, interleaved: element (t, j) of
 * all lanes is one register,
 *     panel[(t * row_stride + j) * lanes + lane].
 * Lanes never talk to each other, except in PRODUCT_SUM. A panel of ONE lane is an ordinary
 * row-major matrix; its products are the large ones of gemm.h. So every layer is written once,
 * over one table of kernels per element type and ISA level. Files simd_*.c are compiled once
 * per element type and ISA level (simd.h); kern.c picks the table. Kernels call no libm.
 *
 * A kernel that takes `k` can be long. It looks at kern_stopped(k) once for every block of its
 * work, and then returns at once with results unfinished; so do loops over kernels. Whoever began
 * the call looks once more at its end, with ctx_stopped. */
#ifndef KERN_KERN_H
#define KERN_KERN_H

#include "base/object.h"

/* Operand of a product: strides count elements; an element of a lane operand is `lanes` reals, of a
 * shared one it is one real. */
typedef struct mat { void *p; int64_t rs, cs; } mat;

enum product_kind {
    PRODUCT_LANE,                  /* C[m,n] = sum_k A[m,k] B[k,n]      all per lane */
    PRODUCT_SHARED,                /* the same with B shared by all lanes (weights) */
    PRODUCT_SUM                    /* C shared, summed over lanes as well (weight gradients) */
};
/* Causal triangles, skipped exactly. C_LOWER computes n <= m and leaves zeros wherever A_LOWER or
 * A_UPPER of the same M may look above the diagonal; A_LOWER reads A[m,k] for k <= m, A_UPPER for k
 * >= m. Only with PRODUCT_LANE, and M = N resp. M = K. */
enum triangle { TRI_NONE, TRI_C_LOWER, TRI_A_LOWER, TRI_A_UPPER };

/* Positions position .. position + count - 1. */
typedef void (*draw_kernel)(uint64_t seed, uint32_t stream, int64_t sequence, int64_t position,
                            int64_t count, double a, double b, void *panel);

typedef struct kern kern;
struct kern {
    int32_t isa, dtype, lanes;     /* lanes: 1, or width */
    int32_t width;                 /* reals in a vector register of this level */
    int64_t size;                  /* bytes of a real */
    const struct gemm *gemm;       /* micro-kernels for lanes = 1 */
    const kern *wide;              /* the table for panels of native width, of the same type and
                                      level */
    const kern *f64;               /* the table of f64, likewise for panels of native width or of
                                      one lane */
    const atomic_int *stop;        /* not 0: somebody wants the call to end, see kern_stopped */
    mesaopt_ctx *polled;           /* whose hook is asked as well; NULL: there is none */

#define KERNEL(tables, result, name, arguments) result(*name) arguments;
#include "kern/kernels.def"
#undef KERNEL
};

/* Table of a context: one_lane 0 for panels of native width, 1 for lanes = 1. */
const kern *kern_get(const mesaopt_ctx *ctx, int32_t dtype, int one_lane);
const kern *kern_unstopped(const mesaopt_ctx *ctx);   /* f64, one lane; kern_stopped is never true:
                                                         for work that has to be finished once
                                                         begun */
/* What a product of panels keeps near at most (simd_product.c): columns of B, steps of k. */
enum { PANEL_COLUMNS = 5, PANEL_DEPTH = 64 };
int64_t kern_product_scratch(const kern *k);           /* bytes */
/* of products with M, N <= side and K <= depth */
int64_t kern_product_scratch_up_to(const kern *k, int64_t side, int64_t depth);

int32_t kern_isa_best(void);                           /* by CPUID and what the OS saves */
int kern_isa_built(int32_t isa);                       /* compiled into this build? */
mesaopt_status kern_init(mesaopt_ctx *ctx);            /* fills ctx->kern for ctx->isa */
void kern_free(mesaopt_ctx *ctx);

/* Is the call to end? What was asked for is then not needed any more. */
static inline int kern_stopped(const kern *k)
{
    return atomic_load_explicit(k->stop, memory_order_relaxed) != 0 ||
           (k->polled && ctx_poll(k->polled));
}

/* vectors of n elements */
static inline int64_t kern_span(const kern *k, int64_t n)
{
    return k->lanes == 1 ? (n + k->width - 1) / k->width : n;
}
/* Number i of f32 or f64, lanes counted. */
static inline double kern_real(const kern *k, const void *p, int64_t i)
{
    return k->size == 4 ? (double)((const float *)p)[i] : ((const double *)p)[i];
}
static inline void kern_set_real(const kern *k, void *p, int64_t i, double x)
{
    if (k->size == 4) ((float *)p)[i] = (float)x;
    else ((double *)p)[i] = x;
}
/* Many draws. */
static inline void kern_draw(const kern *k, draw_kernel draw, uint64_t seed, uint32_t stream,
                             int64_t sequence, int64_t position, int64_t count, double a, double b,
                             void *panel)
{
    enum { MOST = 1 << 14 };       /* at a time */
    for (int64_t i = 0; i < count && !kern_stopped(k); i += MOST)
        draw(seed, stream, sequence, position + i, count - i < MOST ? count - i : MOST, a, b,
             (char *)panel + i * k->width * k->size);
}

static inline void *kern_at(const kern *k, const void *panel, int64_t element)
{
    return (char *)panel + element * k->lanes * k->size;
}

#endif
