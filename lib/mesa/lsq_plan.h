/* Plans, and the mesa layer of a batch of heads on strided views, panel by panel in parallel. */
#ifndef MESA_LSQ_PLAN_H
#define MESA_LSQ_PLAN_H

#include "mesa/mesa.h"
#include "mesaopt/lsq.h"
#include "tensor/view.h"

enum { LSQ_OPERANDS = 32 };        /* above the largest MESAOPT_LSQ_* */

struct mesaopt_lsq {
    object head;
    int64_t d, dv;
    enum mesa_solver solver;
    int64_t chunk, lanes;          /* settings */
    double ridge, gamma;           /* where there is no operand */
    double tolerance;
    int64_t iterations, window;
    int fallback;
    void *memory;                  /* workspace of the largest call so far */
    int64_t bytes;
};

/* B sequences of length T, or (offsets given) N sequences one after the other along the time of
 * one. */
typedef struct lsq_shape { int64_t B, T, H, N; int32_t dtype; } lsq_shape;
static inline int64_t lsq_offset(const mesaopt_view *offsets, int64_t n)
{
    return offsets->dtype == MESAOPT_I32 ? ((const int32_t *)offsets->data)[n * offsets->stride[0]]
                                         : ((const int64_t *)offsets->data)[n * offsets->stride[0]];
}

/* Views of one call, checked; NULL where absent. q, k, v [B, T, H, d or dv]; op by MESAOPT_LSQ_*.
 */
typedef struct lsq_views {
    const mesaopt_view *q, *k, *v, *out, *dout, *dq, *dk, *dv; /* out: forward; dout: adjoint */
    const mesaopt_view *op[LSQ_OPERANDS];
} lsq_views;

/* Allocates when the shape needs more than any before. MESAOPT_OK, MESAOPT_NOT_CONVERGED,
 * MESAOPT_E_MEMORY, MESAOPT_E_INTERRUPTED or MESAOPT_E_NONFINITE. */
mesaopt_status lsq_run(mesaopt_lsq *l, const lsq_shape *s, const lsq_views *v);
/* -1: overflow */
int64_t lsq_bytes(const mesaopt_lsq *l, const lsq_shape *s, const lsq_views *v);

#endif
