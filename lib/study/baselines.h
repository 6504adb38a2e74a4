/* Predictors that a trained model is compared with. Each is a row of one table; all run in f64 on panels of native width. */
#ifndef STUDY_BASELINES_H
#define STUDY_BASELINES_H

#include "mesaopt/baseline.h"
#include "task/sequences.h"

/* One panel of sequences, and all that a method may use for it. */
typedef struct baseline_problem {
    const kern *k;
    int64_t n, T;
    double value;                  /* of the setting that the method tunes */
    int newest_pair;
    void *x;                       /* x_1 .. x_{T+1}: [T+1][n][lane]; 0 in unused lanes */
    void *out;                     /* predictions of x_2 .. x_{T+1}: [T][n][lane] */
    void *work, *scratch;          /* method->work(n) elements; what products need */
} baseline_problem;

typedef struct baseline_method {
    int32_t key;                   /* setting that a line search tunes, and where it looks */
    double lowest, highest;
    int64_t (*work)(int64_t n);    /* -1 on overflow */
    void (*predict)(const baseline_problem *p);
} baseline_method;

extern const baseline_method baseline_methods[];       /* in the order of the words of MESAOPT_KEY_BASELINE */

struct mesaopt_baseline {
    object head;
    const baseline_method *method;
    double value;
    int newest_pair;
};

mesaopt_status baseline_predict(const mesaopt_baseline *b, const mesaopt_view *sequences, const mesaopt_view *out);

/* by_t [T]: means over the sequences. */
mesaopt_status baseline_evaluate(const mesaopt_baseline *b, call *c, mesaopt_task *task, int32_t stream, int64_t first, int64_t count,
                                 double *by_t, double *loss);

/* Sets b->value; unchanged on failure. */
mesaopt_status baseline_search(mesaopt_baseline *b, call *c, mesaopt_task *task, int64_t count);

#endif
