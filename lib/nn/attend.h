/* Attention of a whole batch of heads on strided views, panel by panel in parallel. */
#ifndef NN_ATTEND_H
#define NN_ATTEND_H

#include "kern/operands.h"
#include "mesaopt/attn.h"
#include "nn/attention.h"

struct mesaopt_attn {
    object head;
    const attention_kind *kind;
    double scale;                  /* 0: the kind's own */
    int softmax;
    int64_t chunk, lanes, qk_norm; /* settings */
    panel_memory memory;
};

/* Rows of the table: forward writes out; backward reads dout and writes dq, dk, dv. */
enum {
    ATTEND_Q,
    ATTEND_K,
    ATTEND_V,
    ATTEND_OUT,
    ATTEND_DOUT,
    ATTEND_DQ,
    ATTEND_DK,
    ATTEND_DV,
    ATTEND_OPERANDS
};
extern const operand attend_operands[ATTEND_OPERANDS];

/* Of operands of that table, checked. Allocates when the shape needs more than any before.
 * MESAOPT_OK, MESAOPT_E_MEMORY, MESAOPT_E_INTERRUPTED or MESAOPT_E_NONFINITE. */
mesaopt_status attend(mesaopt_attn *a, const operands *o);
/* -1: overflow */
int64_t attend_bytes(const mesaopt_attn *a, const operands *o);

#endif
