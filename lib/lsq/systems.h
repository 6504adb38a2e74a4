/* The linear systems of the mesa layer: rows x_t = (H_t + diag l)^-1 b_t for all t, H_t = g_t H_{t-1} + b_t k_t k_t^T. */
#ifndef LSQ_SYSTEMS_H
#define LSQ_SYSTEMS_H

#include "lsq/chunk.h"
#include "lsq/mesa.h"

typedef struct systems {
    stream s;
    int64_t d, chunk;
    enum mesa_solver solver;
    double tolerance;              /* of iterative solvers: |b - A x| <= tolerance |b| per row */
    int64_t iterations;            /* at most */
    int fallback;                  /* rows that did not converge are solved by Cholesky */
    const void *ridge, *H0;
    void *HT;
    mesa_certificate certificate;  /* of the first set */
    int adjoint;                   /* the first set is u of the adjoint, not x */
} systems;

enum { SYSTEMS_RIGHT = 2 };        /* sets of right-hand sides that one call solves */
enum { SYSTEMS_LANES = 160 };      /* in panels of one lane, systems of up to so many channels are solved in the lanes of native width */

int64_t systems_scratch(const kern *k, const systems *s);

/* X[i] = rows solved for B[i], i < n <= SYSTEMS_RIGHT. `defect` (T x 1, p NULL: not wanted): x_t . r_t, x a row of `other`, r the residual of the first
 * set; X[1] may be `other`. Returns the rows that did not converge. */
int64_t systems_solve(const kern *k, const systems *s, void *product_scratch, void *scratch, int n, const mat *B, const mat *X, mat other, mat defect);

/* Bound of the condition numbers of n systems: the largest (tr H_t + max l) / min l over tokens and lanes, H before the first; space: n + 1 elements. */
double systems_condition(const kern *k, int64_t n, int64_t d, mat K, mat beta, mat high, mat low, const void *H, int64_t rs, const void *ridge, void *space);

/* ---- direct.c: token by token ---- */

int64_t direct_scratch(const kern *k, const systems *s);

/* Tokens t .. t + n - 1 from H at t - 1; rows of B and X start at t. `after` (or NULL) receives H behind them, and may be `before`. */
void direct_solve(const kern *k, const systems *s, void *ps, void *scratch, int64_t t, int64_t n, const carried *before, carried *after, int right,
                  const mat *B, const mat *X);

/* ---- iterative.c: chunk by chunk ---- */

int64_t iterative_scratch(const kern *k, const systems *s);
/* Moves H on. */
int64_t iterative_solve(const kern *k, const systems *s, void *ps, void *scratch, int64_t t, int64_t n, carried *H, int right, const mat *B, const mat *X,
                        mat other, mat defect);

#endif
