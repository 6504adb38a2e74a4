/* A chunk of the tokens of one head: its keys, its gates, and the products of gates that chunkwise
 * sums need. */
#ifndef MESA_CHUNK_H
#define MESA_CHUNK_H

#include "mesa/carried.h"

/* All tokens. Absent where p is NULL: beta 1, gates 1. */
typedef struct stream {
    int64_t T;
    mat K, beta, high, low;        /* T x d; T x 1; g = high + low */
} stream;

typedef struct chunk {
    int64_t t, C;                  /* tokens t .. t + C - 1 */
    mat K, beta;
    mat D;                         /* C x C: D_ij = g_{j+1} .. g_i for i >= j; p NULL without gates,
                                      and all is 1 */
    mat a, w;                      /* C x 1: a_i = g_1 .. g_i, w_j = g_{j+1} .. g_C; p NULL
                                      likewise */
    decays whole;                  /* a_C */
} chunk;

/* Space of D and a for chunks of at most C tokens; p NULL when there are no gates. */
mat chunk_space(arena *a, const kern *k, int gates, int64_t C);
chunk chunk_at(const kern *k, const stream *s, mat space, int64_t t, int64_t C);

/* Rows times their coefficients, in `space`; the rows themselves where there are none. */
mat chunk_weighted(const kern *k, int64_t C, int64_t n, mat c, mat X, void *space);

/* S [C x C] = D o (A B^T, plus what was there when `more`); A, B: C x n. */
void chunk_scores(const kern *k, void *ps, const chunk *c, int64_t n, mat A, mat B, int more,
                  mat S);

void rows_copy(const kern *k, int64_t C, int64_t n, mat from, mat to);

#endif
