/* Measuring a baseline on a task, again and again in the same memory: evaluation, line search,
 * learning of coefficients. */
#ifndef STUDY_BASELINE_RUN_H
#define STUDY_BASELINE_RUN_H

#include "study/baselines.h"

typedef struct baseline_run {
    const mesaopt_baseline *b;
    const char *what;              /* for texts of failures */
    const kern *k;
    int64_t m, n, T;
    int of_inputs;                 /* `body` writes [T][m], next to inputs instead of observations
                                    */
    const mesaopt_task *teacher;   /* of baseline_problem */
    int64_t (*work)(const baseline_problem *p);        /* of the method, or what else is run */
    void (*body)(const baseline_problem *p);
    char *memory;                  /* of every worker */
    int64_t worker_bytes;

    const mesaopt_view *sequences, *out;               /* the user's, or: */

    mesaopt_task *task;
    int32_t stream;
    int64_t first, count, start;   /* `start` of these `count` are done */
    int64_t values;
    const double *value;           /* of the tuned setting */
    int64_t gradients;             /* 2 K when the gradient of the coefficients is wanted, values is
                                      1 then; 0 */
    double *sums;                  /* [slot][values T + gradients]: weighted half squared errors,
                                      gradients of their sums */
    double *weights, weight;       /* [T]: of the steps, summed over sequences; of all of them */
} baseline_run;

/* b, what, task, stream, values and gradients are set; count: of most sequences measured at once.
 * Nothing to close after a failure. */
mesaopt_status baseline_run_open(baseline_run *r, int64_t count);
void baseline_run_close(baseline_run *r);

/* sums [values T + gradients] over sequences first .. first + count - 1, and weights. Allocates
 * nothing, unless a callback's batch grows. */
mesaopt_status baseline_run_measure(baseline_run *r, call *c, int64_t first, int64_t count,
                                    const double *value, double *sums);

/* Of errors [T]. */
static inline double baseline_run_loss(const baseline_run *r, const double *sums)
{
    double sum = 0;
    for (int64_t t = 0; t < r->T; t++) sum += sums[t];
    return sum / r->weight;
}

#endif
