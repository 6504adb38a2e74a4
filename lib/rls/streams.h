/* Many regressions side by side, on strided views: `streams` of them.
 *
 * With missing=output a value that is NaN leaves its output alone out of the row. Then the outputs
 * of a stream differ in their sums over keys, so each is an estimator of its own, `split` = d_val a
 * stream, for which such a row is one of weight 0; otherwise a stream is one estimator of d_val
 * outputs, split = 1. Estimator n is of stream n / split. */
#ifndef RLS_STREAMS_H
#define RLS_STREAMS_H

#include "base/choices.h"
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
    enum missing_choice missing;
} rls_options;

struct mesaopt_rls {
    object head;
    rls_options options;
    rls_plan p;
    int64_t streams, split;
    int64_t count;                 /* of estimators */
    estimator *o;
    char *done;                    /* of every estimator, in a call */
    rls_worker *worker;
    char *memory, *scratch;        /* arrays of all estimators; of all workers */
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
int64_t rls_split(const rls_options *options);
/* "stream 3", or "stream 3, output 1" where it has that output alone */
typedef struct rls_name { char text[64]; } rls_name;
rls_name rls_name_of(const mesaopt_rls *r, int64_t n);

/* Rows of one call, checked: k [T, streams, d], ...; NULL where absent. With k they are taken in,
 * with q predictions go to out. */
typedef struct rls_rows {
    const mesaopt_view *q, *k, *v, *beta, *log_gamma, *out, *error;
} rls_rows;

/* Is element i of the row with |x_i| > most, or NaN unless they may miss, there? The first one's
 * number; -1: all are within. */
int64_t rls_outside(const mesaopt_rls *r, const mesaopt_view *v, int64_t t, int64_t s, double most,
                    int may_miss);
double rls_weight(const mesaopt_view *beta, int64_t t, int64_t s);      /* 1 without */
double rls_most(double weight);                         /* of |x_i| in a row of this weight > 0 */

/* All or nothing: an interrupt is MESAOPT_E_INTERRUPTED and changes nothing. Only a long call looks
 * for one after its beginning, since it keeps what it began from; and so, between its rows, does
 * one that only predicts. */
mesaopt_status rls_run(mesaopt_rls *r, int64_t T, const rls_rows *rows);

void rls_clear(mesaopt_rls *r);
/* a caller has written to the sums of estimator n */
void rls_given(mesaopt_rls *r, int64_t n, const double *spread);

/* All or nothing as well, and whatever takes long looks for interrupts. Of every estimator:
 * estimator.h. */
mesaopt_status rls_flush(mesaopt_rls *r);
mesaopt_status rls_settle(mesaopt_rls *r);
mesaopt_status rls_spread(mesaopt_rls *r);
/* `write` fills the sums of what has been cleared; it may leave off when kern_stopped(r->p.k). */
mesaopt_status rls_replace(mesaopt_rls *r, void (*write)(mesaopt_rls *, const void *),
                           const void *data);
/* Also MESAOPT_E_MEMORY, and nothing has changed. */
mesaopt_status rls_merge(mesaopt_rls *r, mesaopt_rls *from);

#endif
