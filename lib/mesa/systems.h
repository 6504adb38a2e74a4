/* The linear systems of the mesa layer: rows x_t = (H_t + diag l)^-1 b_t for all t, H_t = g_t
 * H_{t-1} + b_t k_t k_t^T. */
#ifndef MESA_SYSTEMS_H
#define MESA_SYSTEMS_H

#include "mesa/chunk.h"
#include "mesa/mesa.h"

typedef struct systems {
    stream s;
    int64_t d, chunk;
    enum mesa_solver solver;
    double tolerance;              /* of iterative solvers: |b - A x| <= tolerance |b| per row, see
                                      mesa_head */
    int strict;
    int64_t iterations;            /* at most */
    int fallback;                  /* rows that did not converge are solved by Cholesky */
    int silent;                    /* and are then like any other */
    const void *ridge, *H0;
    void *HT;
    mat norm, condition;           /* T x 1: tr H_t + max l, and that over min l */
    mesa_certificate certificate;  /* of the first set */
    mat missed;                    /* T x 1, zeros: gets the residual of rows that did not
                                      converge */
    int adjoint;                   /* the first set is u of the adjoint, not x */
} systems;

enum { SYSTEMS_RIGHT = 2 };        /* sets of right-hand sides that one call solves */
enum { SYSTEMS_LANES = 160 };      /* in panels of one lane, systems of up to so many channels are
                                      solved in the lanes of native width */

int64_t systems_scratch(const kern *k, const systems *s);

int64_t systems_region(int64_t chunk);             /* tokens that one solver is picked for */

/* X[i] = rows solved for B[i], i < n <= SYSTEMS_RIGHT; finite, 0 where there is no finite solution.
 * `defect` (T x 1, p NULL: not wanted): x_t . r_t, x a row of `other`, r the residual of the first
 * set; X[1] may be `other`. */
void systems_solve(const kern *k, const systems *s, void *product_scratch, void *scratch, int n,
                   const mat *B, const mat *X, mat other, mat defect);

/* The residual's certificate, and H behind the last token. */
void systems_certify(const kern *k, const systems *s, void *product_scratch, void *scratch, mat B,
                     mat X);

/* Row t, lane i (more than one row: lanes counted) did not converge, and has this residual. */
void systems_missed(const kern *k, const systems *s, int64_t t, int64_t i, double residual);

/* The largest of n elements and all lanes, or 0; infinite when one is no number. */
double systems_most(const kern *k, const void *column, int64_t n);

/* Share of |A| |x| that the rounding of A and of its solution may leave as a residual. */
static inline double systems_rounding(const kern *k) { return k->size == 4 ? 0x1p-22 : 0x1p-48; }

/* ---- direct.c: token by token ---- */

int64_t direct_scratch(const kern *k, const systems *s);

/* Tokens t .. t + n - 1 from H at t - 1; rows of B and X start at t. `after` (or NULL) receives H
 * behind them, and may be `before`. */
void direct_solve(const kern *k, const systems *s, void *ps, void *scratch, int64_t t, int64_t n,
                  const carried *before, carried *after, int right, const mat *B, const mat *X);

/* ---- iterative.c: chunk by chunk ---- */

int64_t iterative_scratch(const kern *k, const systems *s);
/* Moves H on. */
void iterative_solve(const kern *k, const systems *s, void *ps, void *scratch, int64_t t, int64_t n,
                     carried *H, int right, const mat *B, const mat *X, mat other, mat defect);

#endif
