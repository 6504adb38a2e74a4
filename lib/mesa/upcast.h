/* Tokens of a head that f32 cannot do, in f64: they are widened a piece at a time, run through
 * layer.h, and rounded again. States go from piece to piece in f64, those at the first one are
 * summed in f64 from the start. Products of f32 numbers are exact there, so a result is that of f64
 * on the same numbers. */
#ifndef MESA_UPCAST_H
#define MESA_UPCAST_H

#include "mesa/layer.h"

int64_t upcast_bytes(mesa_worker w, const layer *l);
/* Tokens behind the layer's own, and the final states of m, where they are wanted. */
void upcast_forward(mesa_worker w, const layer *l, const mesa_operands *m);
/* All tokens. */
void upcast_backward(mesa_worker w, const layer *l);
/* The certificate of the layer's own tokens, if it is wanted: X for B; m.missed is read. */
void upcast_certify(mesa_worker w, const layer *l, mat B, mat X);

#endif
