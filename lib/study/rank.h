/* Linear regressions whose rows come in pieces, rank-revealing, one in every lane:
 *
 *     W, b = argmin sum_r w_r |x_r W + b - y_r|^2 + penalty |W|^2,
 *     x_r: n features, y_r: m targets, w_r >= 0
 *
 * Of all rows [sqrt(w) | sqrt(w) (x - reference) | sqrt(w) (y - reference)] only the triangle of
 * their QR factorisation is kept, and the squares of what is left of y below it. Its rows from the
 * second on are the triangle of the centred rows, so one triangle serves fits with and without
 * intercept, and any penalty.
 * Singular values up to rcond times the largest count as 0, and the solution is the one of minimum
 * norm, as in numpy.linalg.lstsq (with an intercept: of centred rows); with a penalty it is that of
 * the rows with sqrt(penalty) I below them. Always f64. */
#ifndef STUDY_RANK_H
#define STUDY_RANK_H

#include "kern/kern.h"

typedef struct regression {
    const kern *k;                 /* f64: a panel of native width, or of one lane */
    int64_t n, m;
    double *factor, *rest;         /* 1 + n rows [R | Z] of 1 + n and m elements (see struct kern);
                                      m elements. All 0 before the first row */
    double *reference;             /* n + m elements: about where the first rows are */
} regression;

/* With a base of NULL these only count what they need. */
regression regression_take(arena *a, const kern *k, int64_t n, int64_t m);

void regression_clear(const regression *r);
int regression_finite(const regression *r);
void regression_copy(const regression *r, const regression *to);        /* of one shape */

/* What a worker needs: */
typedef struct regression_work {
    int64_t most;                  /* vectors of rows that regression_rows takes at a time; an odd
                                      number is best */
    double *x;                     /* for the caller to fill: columns sqrt(w), x, y of `length`
                                      vectors (of one lane a vector holds neighbouring rows) */
    double *solved, *turned, *extra, *weights, *rows, *rest, *residual;
    void *scratch;
} regression_work;
regression_work regression_work_take(arena *a, const kern *k, int64_t n, int64_t m);

/* w->x is overwritten; 0 < length <= w->most */
void regression_rows(const regression *r, const regression_work *w, int64_t length);

/* weights: 1 + n rows of m elements, the intercept (or 0) first; rcond, rank: one element. */
void regression_solve(const regression *r, const regression_work *w, int intercept, double penalty,
                      const double *rcond, double *weights, double *rank);

/* Over the rows that were brought in, for any weights; m elements each, total one:
 * error = sum_r w_r (x_r W + b - y_r)^2, spread = sum_r w_r (y_r - mean y)^2 (0 when it is
 * rounding), total = sum_r w_r. */
void regression_errors(const regression *r, const regression_work *w, const double *weights,
                       double *error, double *spread, double *total);

#endif
