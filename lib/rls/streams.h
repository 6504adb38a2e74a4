/* Streams of recursive least squares on strided views: `streams` regressions side by side. */
#ifndef RLS_STREAMS_H
#define RLS_STREAMS_H

#include "base/notes.h"
#include "mesa/lsq_plan.h"
#include "rls/regression.h"
#include "mesaopt/rls.h"

enum { RLS_MOST_STREAMS = 1 << 20 };

struct mesaopt_rls {
    object head;
    mesaopt_lsq *plan;             /* counted */
    online_plan p;
    int64_t streams;
    online *o;                     /* one per stream */
    char *done;                    /* one per stream, of a call */
    char *memory, *work;           /* arrays of all streams; scratch of all workers */
    int64_t work_bytes, bytes;     /* of one worker; of memory */
    char *before;                  /* memory and o as they were when a long call began; NULL until
                                      there was one */
    notes notes;                   /* of the user's, for files */
};

/* Memory for `streams` regressions, all empty; ridge [streams, d] or NULL. MESAOPT_OK or
 * MESAOPT_E_MEMORY. */
mesaopt_status rls_build(mesaopt_rls *r, mesaopt_lsq *plan, int64_t streams,
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
void rls_flush(mesaopt_rls *r);    /* H and S of every stream are its state: regression.h */
void rls_settle(mesaopt_rls *r);
void rls_spread(mesaopt_rls *r);   /* of every stream: regression.h; NaN where rounding has left none */
/* a caller has written to the sums of stream s */
void rls_given(mesaopt_rls *r, int64_t s, const double *spread);
void rls_merge(mesaopt_rls *r, const mesaopt_rls *from);

#endif
