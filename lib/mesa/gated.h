/* Gated linear attention of one head: o_t = S_t^T x_t, S_t = g_t S_{t-1} + b_t k_t v_t^T, and what
 * the mesa layer's adjoint needs of it. */
#ifndef MESA_GATED_H
#define MESA_GATED_H

#include "mesa/chunk.h"

/* X is where linear attention has its queries. */
typedef struct gated {
    stream s;
    int64_t d, dv, chunk;
    mat V;
    const void *S0;                /* d x dv, dense; NULL: zeros */
    void *ST;                      /* NULL: not wanted */
    void *dscores;                 /* chunk x chunk, for backward: dO V^T of a chunk */
} gated;

int64_t gated_scratch(const kern *k, const gated *g, int backward);

/* O_t = S_t^T X_t. */
void gated_forward(const kern *k, const gated *g, void *ps, void *scratch, mat X, mat O);

/* Y_t = S_t dO_t: the gradient of X. Comes before gated_backward with the same dO, which goes on
 * with dscores when there is one chunk. */
void gated_query_gradient(const kern *k, const gated *g, void *ps, void *scratch, mat dO, mat Y);

/* The sweep from the last chunk to the first, with P_t = x_t do_t^T + g_{t+1} P_{t+1} and R_t =
 * -u_t x_t^T + g_{t+1} R_{t+1}:
 *     dV_t = b_t P_t^T k_t      dK_t = b_t (P_t v_t + (R_t + R_t^T) k_t)
 *     dbeta_t = k_t^T P_t v_t + k_t^T R_t k_t
 * dST (d x dv) and dHT (d x d) start it, dS0 and dH0 (symmetric) receive its end; any of the four
 * may be NULL, and dbeta.p. */
typedef struct gated_adjoint {
    mat X, U, dO;
    const void *dST, *dHT;
    mat dK, dV, dbeta;
    void *dS0, *dH0;
} gated_adjoint;
void gated_backward(const kern *k, const gated *g, void *ps, void *scratch, const gated_adjoint *b);

#endif
