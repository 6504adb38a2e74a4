/* The linear systems of the mesa layer: rows x_t = (H_t + diag l)^-1 b_t for all t, H_t = g_t
 * H_{t-1} + b_t k_t k_t^T. */
#ifndef MESA_SOLVE_H
#define MESA_SOLVE_H

#include "mesa/layer.h"

int64_t solve_bytes(mesa_worker w, const layer *l);
/* X[i] = rows solved for B[i], i < sets <= SETS: finite, 0 where there is no finite solution. Also
 * writes m.missed, the certificate of iterations of the first set, and H behind the last token to
 * m.HT. `defect` (T x 1, p NULL: not wanted): x_t . r_t, x a row of `other`, r the residual of the
 * first set; X[1] may be `other`. */
void solve(mesa_worker w, const layer *l, int sets, const mat *B, const mat *X, mat other,
           mat defect);

#endif
