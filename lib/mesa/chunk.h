/* A chunk of the tokens of one head: its keys, its gates, and the products of gates that chunkwise
 * sums need. */
#ifndef MESA_CHUNK_H
#define MESA_CHUNK_H

#include "mesa/state.h"

/* All tokens that H sums. */
typedef struct tokens {
    int64_t T, d;
    mat K, beta;                   /* T x d; T x 1, p NULL: 1 */
    gates gamma;
} tokens;

typedef struct chunk {
    int64_t t, C;                  /* tokens t .. t + C - 1 */
    mat K, beta;
    mat D;                         /* C x C: D_ij = g_{j+1} .. g_i for i >= j; p NULL without gates,
                                      and all is 1 */
    mat a, w;                      /* C x 1: a_i = g_1 .. g_i, w_j = g_{j+1} .. g_C; p NULL
                                      likewise */
    gates whole;                   /* a_C, one element */
} chunk;

/* Space of D, a and whole for chunks of at most C tokens; p NULL when there are no gates. */
mat chunk_space(mesa_worker *w, const tokens *s, int64_t C);
/* The C tokens from t on, or those that are left. */
chunk chunk_at(const kern *k, const tokens *s, mat space, int64_t t, int64_t C);

/* Rows times their coefficients, in `space`; the rows themselves where there are none. */
mat chunk_weighted(const kern *k, int64_t C, int64_t n, mat c, mat X, void *space);

/* S [C x C] = D o (A B^T, plus what was there when `more`); A, B: C x n. */
void chunk_scores(const mesa_worker *w, const chunk *c, int64_t n, mat A, mat B, int more, mat S);

#endif
