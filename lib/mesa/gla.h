/* Gated linear attention of one head: o_t = S_t^T x_t, S_t = g_t S_{t-1} + b_t k_t v_t^T, and what
 * the mesa layer's adjoint needs of it. X is where linear attention has its queries. */
#ifndef MESA_GLA_H
#define MESA_GLA_H

#include "mesa/layer.h"

int64_t gla_bytes(mesa_worker w, const layer *l);

/* O_t = S_t^T X_t. */
void gla_forward(mesa_worker w, const layer *l);

/* Y_t = S_t dO_t: the gradient of X. Comes before gla_backward, which goes on with dscores when
 * there is one chunk. */
void gla_query_gradient(mesa_worker w, const layer *l);

/* The sweep from the last chunk to the first, with u = dQ, P_t = x_t do_t^T + g_{t+1} P_{t+1} and
 * R_t = -u_t x_t^T + g_{t+1} R_{t+1}:
 *     dV_t = b_t P_t^T k_t      dK_t = b_t (P_t v_t + (R_t + R_t^T) k_t)
 *     dbeta_t = k_t^T P_t v_t + k_t^T R_t k_t
 * dST and dHT start it, dS0 and dH0 (symmetric) receive its end. */
void gla_backward(mesa_worker w, const layer *l);

#endif
