/* The mesa layer of one head in the type of its kernels, and what its parts share. */
#ifndef MESA_LAYER_H
#define MESA_LAYER_H

#include "mesa/condition.h"

typedef struct layer {
    const mesa_options *o;
    mesa_operands m;               /* with what is not asked for but needed: X, missed; backward
                                      dbeta,
                                      HT and ST for the sum behind the last token */
    tokens s;                      /* the first T are done */
    condition c;
    int backward;
    /* backward: */
    int sets;                      /* of right-hand sides: without X 2 */
    mat Y, defect;                 /* T x d, T x 1 */
    void *dscores;                 /* chunk x chunk: dO V^T of a chunk */
    /* of the forget gate's gradient, see layer.c: */
    void *change;                  /* T: c_t */
    int64_t span, kept;            /* tokens between states that are kept, states */
    void *S, *H, *behind;          /* S and H behind each span but the last, sums behind each */
} layer;

layer layer_take(mesa_worker *w, const mesa_options *o, const mesa_operands *m, int backward);
int64_t layer_bytes(mesa_worker w, const layer *l);    /* with those of the worker so far */
/* Comes first: gates and conditions. T > 0 */
void layer_measure(const mesa_worker *w, const layer *l);
void layer_forward(const mesa_worker *w, const layer *l);
void layer_backward(const mesa_worker *w, const layer *l);

#endif
