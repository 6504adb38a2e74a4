/* Preconditioners: approximations of inv(A_t), A_t = sum of x_{i-1} x_{i-1}^T + ridge I over the
 * pairs (x_{i-1}, x_i) seen by time t, applied to x_t; and with them predictions of x_{t+1}. On
 * panels of native width. See precondition.c. */
#ifndef STUDY_PRECONDITION_H
#define STUDY_PRECONDITION_H

#include "kern/kern.h"

enum precondition_kind { PRECONDITION_STEPS, PRECONDITION_NEWTON, PRECONDITION_EXACT };

typedef struct preconditioner {
    enum precondition_kind kind;
    int64_t steps;
    const double *a, *b;           /* [steps], of PRECONDITION_STEPS */
    double ridge;
    double divisor;                /* c of PRECONDITION_STEPS; 0: the Frobenius norm of A_t */
    int newest_pair;               /* 0 leaves the pair (x_{t-1}, x_t) out */
} preconditioner;

/* What one panel needs; the pairs seen so far. */
typedef struct conditioning {
    const kern *k;
    const preconditioner *p;
    int64_t n;
    void *pairs;                   /* [n][2 n]: A | G, G = sum of x_{i-1} x_i^T; exact: the factor R
                                      and inv(R)^T */
    void *trace, *work;
    void *scratch;                 /* of products */
} conditioning;
conditioning conditioning_lay_out(arena *a, const kern *k, const preconditioner *p, int64_t n);

void conditioning_start(const conditioning *c);                                  /* no pairs */
void conditioning_add(const conditioning *c, const void *pair); /* [x_{i-1} | x_i], 2 n elements */
/* out = inv(A) v, approximately */
void conditioning_solve(const conditioning *c, const void *v, void *out);
/* out = G^T u; not exact */
void conditioning_predict(const conditioning *c, const void *u, void *out);
/* PRECONDITION_STEPS, after solve and predict: da, db [steps] elements += the gradient of dout .
 * out. */
void conditioning_back(const conditioning *c, const void *dout, void *da, void *db);

/* Of a sequence x [T][n], t from 0: brings in the pair that is new at time t, if any. Returns
 * whether there is one. */
int conditioning_advance(const conditioning *c, const void *x, int64_t t);

/* out [T][n] = inv(A_t) x_t for all t. */
void precondition_panel(const conditioning *c, int64_t T, const void *x, void *out);

#endif
