/* Preconditioners: approximations of inv(A_t), A_t = sum of z_{i-1} z_{i-1}^T + ridge I over the
 * pairs (z_{i-1}, x_i) seen by time t, applied to z_t; and with them predictions of x_{t+1}. Inputs
 * z have m numbers, x has n. On panels of native width. See precondition.c. */
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
    int newest_pair;               /* 0 leaves the pair (z_{t-1}, x_t) out */
} preconditioner;

/* What one panel needs; the pairs seen so far. */
typedef struct conditioning {
    const kern *k;
    const preconditioner *p;
    int64_t m, n;
    void *pairs;                   /* [m][m + n]: A | G, G = sum of z_{i-1} x_i^T; exact: [m][2 m],
                                      the factor R and inv(R)^T */
    void *trace, *work;
    void *pair;                    /* [z_{i-1} | x_i] */
    void *scratch;                 /* of products */
} conditioning;
conditioning conditioning_lay_out(arena *a, const kern *k, const preconditioner *p, int64_t m,
                                  int64_t n);

void conditioning_start(const conditioning *c);                                  /* no pairs */
/* out = inv(A) v, approximately */
void conditioning_solve(const conditioning *c, const void *v, void *out);
/* out = G^T u; not exact */
void conditioning_predict(const conditioning *c, const void *u, void *out);
/* PRECONDITION_STEPS, after solve and predict: da, db [steps] elements += the gradient of dout .
 * out. */
void conditioning_back(const conditioning *c, const void *dout, void *da, void *db);

/* Of a sequence with inputs z [T][m] and x [T][n], t from 0: brings in the pair that is new at time
 * t, if any. */
void conditioning_advance(const conditioning *c, const void *z, const void *x, int64_t t);

/* out [T][m] = inv(A_t) z_t for all t. */
void precondition_panel(const conditioning *c, int64_t T, const void *z, const void *x, void *out);

#endif
