/* Direct solvers, token by token, segment by segment. */
#ifndef MESA_SEGMENTS_H
#define MESA_SEGMENTS_H

#include "mesa/inverse.h"

enum { SEGMENT_LANES = 160 };      /* in panels of one lane, systems of up to so many channels are
                                      solved in the lanes of native width */

int64_t segments_bytes(mesa_worker w, const layer *l, enum mesa_solver solver);
/* Tokens t .. t + n - 1 from H before them, which moves on; rows of B and X start at t. */
void segments_solve(mesa_worker w, const layer *l, enum mesa_solver solver, int64_t t, int64_t n,
                    state *H, int sets, const mat *B, const mat *X);

#endif
