/* Many regressions side by side, on strided views: `streams` of them. */
#ifndef RLS_STREAMS_H
#define RLS_STREAMS_H

#include "base/notes.h"
#include "mesaopt/rls.h"
#include "rls/estimator.h"
#include "tensor/view.h"

enum { RLS_MOST_STREAMS = 1 << 20 };

/* What a handle takes over from its plan, which it keeps alive. */
typedef struct rls_options {
    object *plan;
    int64_t d, dv, window;
    double ridge, gamma;           /* where there is no operand */
} rls_options;

struct mesaopt_rls {
    object head;
    rls_options options;
    rls_plan p;
    int64_t streams;
    estimator *o;                 /* one per stream */
    char *done;                    /* one per stream, of a call */
    rls_worker *worker;
    char *memory, *scratch;        /* arrays of all streams; of all workers */
    int64_t bytes;                 /* of memory */
    char *before;                  /* memory and o as they were when a long call began; NULL until
                                      there was one */
    notes notes;                   /* of the user's, for files */
};

/* Memory for `streams` regressions, all empty; ridge [streams, d] or NULL. MESAOPT_OK or
 * MESAOPT_E_MEMORY. */
mesaopt_status rls_build(mesaopt_rls *r, const rls_options *options, int64_t streams,
                         const mesaopt_view *ridge);
void rls_drop(mesaopt_rls *r);

/* Rows of one call, checked: k [T, streams, d], ...; NULL where absent. With k they are taken in,
 * with q predictions go to out. */
typedef struct rls_rows {
    const mesaopt_view *q, *k, *v, *beta, *log_gamma, *out, *error;
} rls_rows;

/* Is element i of the row with |x_i| > most, or NaN, there? The first one's number; -1: all are
 * within. */
int64_t rls_outside(const mesaopt_view *v, int64_t t, int64_t s, double most);
double rls_weight(const mesaopt_view *beta, int64_t t, int64_t s);      /* 1 without */
double rls_most(double weight);                         /* of |x_i| in a row of this weight > 0 */

/* Taking in is all or nothing: an interrupt is MESAOPT_E_INTERRUPTED and changes nothing. Only a
 * long call looks for one after its beginning, since it keeps what it began from; and so does one
 * that only predicts. */
mesaopt_status rls_run(mesaopt_rls *r, int64_t T, const rls_rows *rows);

void rls_clear(mesaopt_rls *r);
void rls_flush(mesaopt_rls *r);    /* H and S of every stream are its state: estimator.h */
void rls_settle(mesaopt_rls *r);
void rls_spread(mesaopt_rls *r);   /* of every stream; NaN where rounding has left none */
/* a caller has written to the sums of stream s */
void rls_given(mesaopt_rls *r, int64_t s, const double *spread);
void rls_merge(mesaopt_rls *r, const mesaopt_rls *from);

#endif
