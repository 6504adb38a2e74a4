/* Plans, and the mesa layer of a batch of heads on strided views, panel by panel in parallel. */
#ifndef MESA_LSQ_PLAN_H
#define MESA_LSQ_PLAN_H

#include "kern/operands.h"
#include "mesa/mesa.h"
#include "mesaopt/lsq.h"

/* Rows of the table: those of every call, and then MESAOPT_LSQ_* number i in row LSQ_DV + i. */
enum { LSQ_Q, LSQ_K, LSQ_V, LSQ_OUT, LSQ_DOUT, LSQ_DQ, LSQ_DK, LSQ_DV };
enum { LSQ_OPERANDS = LSQ_DV + MESAOPT_LSQ_D_S0 + 1 };
#define LSQ_ROW(name) (LSQ_DV + MESAOPT_LSQ_##name)
/* Extents: b batch, t steps, h heads, d and v channels of keys and values, n states: of every
 * sequence, or with offsets of the sequences that stand one after the other along the time of
 * one. */
extern const operand lsq_operands[LSQ_OPERANDS];

struct mesaopt_lsq {
    object head;
    int64_t d, dv;
    enum mesa_solver solver;
    int64_t chunk, lanes;          /* settings */
    double ridge, gamma;           /* where there is no operand */
    double tolerance;
    int64_t iterations, window;
    int fallback, missing;
    panel_memory memory;
};

static inline int64_t lsq_offset(const mesaopt_view *offsets, int64_t n)
{
    return offsets->dtype == MESAOPT_I32 ? ((const int32_t *)offsets->data)[n * offsets->stride[0]]
                                         : ((const int64_t *)offsets->data)[n * offsets->stride[0]];
}

/* Of checked operands of that table. Allocates when the shape needs more than any before.
 * MESAOPT_OK, MESAOPT_NOT_CONVERGED, MESAOPT_E_MEMORY, MESAOPT_E_INTERRUPTED or
 * MESAOPT_E_NONFINITE. */
mesaopt_status lsq_run(mesaopt_lsq *l, const operands *o);
/* -1: overflow */
int64_t lsq_bytes(const mesaopt_lsq *l, const operands *o);

#endif
