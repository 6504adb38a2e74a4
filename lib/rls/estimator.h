/* Recursive least squares of one stream of rows: state, one row more, a prediction. Rows wait and
 * enter the sums together (sums.h); M^-1 follows them (woodbury.h), and so does what values leave
 * beside the fit (residual.h); a window takes out rows that leave (window.h). The parts know
 * nothing of each other but of those below: worker.h. Source: docs/science.md, section 3. */
#ifndef RLS_ESTIMATOR_H
#define RLS_ESTIMATOR_H

#include "rls/residual.h"
#include "rls/window.h"

typedef struct estimator {
    sums sums;
    woodbury inverse;
    residual residual;
    window window;
    double decay;                  /* sum of log gates since the start */
    int64_t count;                 /* rows so far */
    int64_t missing;               /* of these, rows with a weight and no value, which came as rows
                                      of weight 0 */
    double most;                   /* no sum of squares is larger, whatever rows came */
} estimator;

void estimator_take(const rls_plan *p, arena *a, estimator *o);
void estimator_clear(const rls_plan *p, estimator *o);       /* no rows; the ridge stays */

/* What a row may hold: sqrt(weight) |key_i|, sqrt(weight) |value_j|, |key_i| and |value_j| up to
 * ROW_MOST, so that its squares are at most ROW_SQUARE, and those of 2^53 rows are finite. */
#define ROW_MOST 0x1p480
#define ROW_SQUARE 0x1p960
#define SQUARES_MOST 0x1p1021      /* of `most` */

/* A row: key, value, weight, log of the gate. Key and value of a row of weight 0 may be anything.
 */
void estimator_push(const rls_worker *w, estimator *o, const double *key, const double *value,
                     double weight, double log_gate);

/* out = S_t^T x, x = (H_t + Lambda)^-1 q. error (NULL: not wanted): sqrt(q.x spread / total), NaN
 * while there are no weights. */
void estimator_predict(const rls_worker *w, estimator *o, const double *q, double *out,
                        double *error);

/* May T rows, and queries if there are, cost a factor, O(d^3)? What is not foreseen is left out. */
int estimator_may_factor(const rls_plan *p, const estimator *o, int64_t T, int queries);

/* Brings all rows into the base: H (both triangles then) and S are the state. */
void estimator_flush(const rls_worker *w, estimator *o);
/* The same, and forms windowed sums anew, and forgets R and the spread: a state that goes on as one
 * read from what it holds now. */
void estimator_settle(const rls_worker *w, estimator *o);
/* A caller has written to H, S, total, squares and the kept rows. spread: dv, NaN where it
 * is not known. */
void estimator_given(const rls_worker *w, estimator *o, const double *spread);
/* The spread of all rows. */
void estimator_spread(const rls_worker *w, estimator *o);

/* into <- its rows, then those of `from`, which is flushed, and no more young, then. */
void estimator_merge(const rls_worker *w, estimator *into, estimator *from);

#endif
