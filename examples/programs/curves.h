/* curves.h: error by t of several predictors on the same sequences. */
#ifndef EXAMPLES_CURVES_H
#define EXAMPLES_CURVES_H

#include "training.h"

#define ERROR_KEY \
    { \
        "error", "half_sum", \
            "squared error of table and figure: half_sum over dimensions, which is the loss, or " \
            "mean over dimensions" \
    }
#define TEST_KEYS \
    {"test", "2560", \
     "test sequences behind a row of loss.csv, and as many for a line search"}, \
        {"final", "32768", "test sequences behind the table and by_t.csv"}, ERROR_KEY
#define LOSS_LABEL "loss: half the sum of squared errors, mean over t"

/* What own key `error` says: its text, and a factor for half sums over n dimensions. Ends the
 * program when it is no such word. */
const char *error_text(void);
double error_factor(int64_t n);

enum { MAX_CURVES = 16 };
typedef struct curves {
    int64_t length, dim;
    int at;                             /* the curve that comes next */
    const char *loss;                   /* title of the figure of losses; NULL: the usual one */
    int count;
    /* until curves_report by_t and mean are sums over runs, sd one of squares; best: what a line
     * search found for `number` */
    struct {
        const char *name, *number;
        double *by_t, mean, sd, best;
        int64_t runs;
        int at_bound;
    } of[MAX_CURVES];
} curves;

void curves_again(curves *c);                           /* what comes now is another run of the same
                                                           curves, from the first on */
void curves_model(curves *c, const char *name, const training *t);
/* Chebyshev's iteration of the baseline's `settings`, its coefficients learned on t->task by so
 * many updates (0: the recipe's). The caller frees it. */
int64_t chebyshev_updates(int64_t steps); /* that the recipe of so many learned steps has */
mesaopt_baseline *learn_chebyshev(const training *t, const char *settings, int64_t updates);
void curves_baseline(curves *c, const char *name, mesaopt_baseline *baseline, const training *t);
void curves_baselines(curves *c, const training *t);    /* gd, lsq_newest_off, lsq_newest_on, on the
                                                           same sequences */
void curves_report(curves *c, const char *title);       /* table, by_t.csv, figures, in the measure
                                                           of `error`; frees by_t */

#endif
