/* Tokens of a head that f32 cannot do, in f64: they are widened a piece at a time, run through
 * mesa.h, and rounded again. States go from piece to piece in f64, those at the first one are
 * summed in f64 from the start. Products of f32 numbers are exact there, so a result is that of f64
 * on the same numbers. */
#ifndef MESA_WIDENED_H
#define MESA_WIDENED_H

#include "mesa/mesa.h"

/* bytes */
int64_t widened_scratch(const kern *k, const mesa_head *h, const mesa_operands *has, int backward);
/* Tokens from t0 on, and final states. */
void widened_forward(const kern *k, const mesa_head *h, void *scratch, const mesa_operands *m,
                     int64_t t0);
/* All tokens. */
void widened_backward(const kern *k, const mesa_head *h, void *scratch, const mesa_operands *m);
/* The residual's certificate of X for B, T x d, tokens before t1; m->missed is read. */
void widened_certify(const kern *k, const mesa_head *h, void *scratch, const mesa_operands *m,
                     mat B, mat X, int64_t t1);

#endif
