/* Predictors that a trained model is compared with. Each is a row of base/baselines.def; all run in
 * f64 on panels of native width. */
#ifndef STUDY_BASELINES_H
#define STUDY_BASELINES_H

#include "mesaopt/baseline.h"
#include "study/precondition.h"
#include "task/sequences.h"
#include "train/adamw.h"

/* One panel of sequences, and all that a method may use for it. */
typedef struct baseline_problem {
    const kern *k;
    const mesaopt_baseline *b;
    int64_t n, T;
    double value;                  /* of the setting that the method tunes */
    void *x;                       /* x_1 .. x_{T+1}: [T+1][n][lane]; 0 in unused lanes */
    void *weights;                 /* of steps, of a task: [T][lane] */
    double *row;                   /* [T] to work in */
    void *out;                     /* predictions of x_2 .. x_{T+1}: [T][n][lane] */
    void *work;                    /* method->work bytes */
    void *gradient;                /* 2 K elements += the gradient, with respect to a and b, of the
                                      half squared errors of every lane; NULL: not wanted */
} baseline_problem;

typedef struct baseline_method {
    int32_t key;                   /* setting that a line search tunes, and where it looks when
                                      observations have mean square 1 */
    double lowest, highest;
    int64_t (*work)(const baseline_problem *p);        /* -1 on overflow */
    void (*predict)(const baseline_problem *p);
    int conditions;                /* it has a preconditioner (baseline_preconditioner) */
    enum precondition_kind kind;
    int64_t iterations;            /* K unless told */
    int learned;                   /* rows of coefficients that are learned: 1: a; 2: a and b */
} baseline_method;

struct mesaopt_baseline {
    object head;
    const char *name;              /* "gd", .. */
    const baseline_method *method;
    double value;
    int newest_pair;
    int64_t iterations;            /* K */
    double divisor;
    double *coefficients;          /* a [iterations], b [iterations] */
    double *moments;               /* of AdamW: m and v, each as the coefficients */
    adamw recipe;
    int64_t batch;
    _Atomic int64_t updates;       /* taken so far */
};

/* Arguments are valid. */
mesaopt_status baseline_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                               mesaopt_baseline **out);

/* What stands behind a baseline's predictions when its tuned setting has this value;
 * method->conditions. */
preconditioner baseline_preconditioner(const mesaopt_baseline *b, double value);

mesaopt_status baseline_predict(const mesaopt_baseline *b, const mesaopt_view *sequences,
                                const mesaopt_view *out);

/* out [B, T, n]: inv(A_t) x_t as its preconditioner has it, of sequences of the same shape. */
mesaopt_status baseline_precondition(const mesaopt_baseline *b, const mesaopt_view *sequences,
                                     const mesaopt_view *out);

/* by_t [T]: means over the sequences. */
mesaopt_status baseline_evaluate(const mesaopt_baseline *b, call *c, mesaopt_task *task,
                                 int32_t stream, int64_t first, int64_t count, double *by_t,
                                 double *loss);

/* Moves the learned coefficients until `updates` updates in all have been taken (0: as many as the
 * recipe wants). A failed update changes nothing. */
mesaopt_status baseline_train(mesaopt_baseline *b, call *c, mesaopt_task *task, int64_t updates,
                              mesaopt_step_fn after, void *user);

/* Sets b->value; unchanged on failure. MESAOPT_AT_BOUND: to a bound of the range. */
mesaopt_status baseline_search(mesaopt_baseline *b, call *c, mesaopt_task *task, int64_t count);

#endif
