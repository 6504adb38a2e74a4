/* Attention of a whole batch of heads on strided views, panel by panel in parallel. */
#ifndef NN_ATTEND_H
#define NN_ATTEND_H

#include "mesaopt/attn.h"
#include "nn/attention.h"
#include "tensor/view.h"

typedef struct attend_shape { int64_t B, T, H, d, dv; int32_t dtype; } attend_shape;

struct mesaopt_attn {
    object head;
    const attention_kind *kind;
    double scale;                  /* 0: the kind's own */
    int softmax;
    int64_t chunk, lanes;          /* settings */
    void *memory;                  /* workspace of the largest call so far */
    int64_t bytes;
};

/* q, k, v [B, T, H, d or dv]; forward writes out; backward reads dout and writes dq, dk, dv (out
 * NULL). Views are valid; allocates when the shape needs more than any before. MESAOPT_OK,
 * MESAOPT_E_MEMORY, MESAOPT_E_INTERRUPTED or MESAOPT_E_NONFINITE. */
typedef struct attend_views {
    const mesaopt_view *q, *k, *v, *out, *dout, *dq, *dk, *dv;
} attend_views;
mesaopt_status attend(mesaopt_attn *a, const attend_shape *s, const attend_views *v);
/* -1: overflow */
int64_t attend_bytes(const mesaopt_attn *a, const attend_shape *s, int backward);

#endif
