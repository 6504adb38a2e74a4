/* Predictors that a trained model is compared with. Each is a row of base/baselines.def; all run in
 * f64 on panels of native width. They regress x_{i+1} on inputs z_i, which are x_i, the last k
 * observations, or features of x_i: baseline_space.c. */
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
    int64_t m, n, T;               /* numbers of an input, of an observation; steps */
    double value;                  /* of the setting that the method tunes */
    void *x;                       /* x_1 .. x_{T+1}: [T+1][n][lane]; 0 in unused lanes */
    void *z, *space;               /* z_1 .. z_{T+1}: [T+1][m][lane], may be x; scratch for it */
    const mesaopt_task *task;      /* whose observations these are; NULL: nobody knows */
    void *weights;                 /* of steps, of a task: [T][lane] */
    double *row;                   /* [T] to work in */
    void *out;                     /* predictions of x_2 .. x_{T+1}: [T][n][lane] */
    void *work;                    /* method->work bytes */
    void *gradient;                /* 2 K elements += the gradient, with respect to a and b, of the
                                      half squared errors of every lane; NULL: not wanted */
} baseline_problem;

typedef struct baseline_method {
    int32_t key;                   /* setting that a line search tunes, and where it looks when
                                      inputs have mean square 1 */
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
    int32_t space;                 /* enum space_kind */
    int32_t pairs;                 /* enum pairs_choice */
    int64_t slots;
    mesaopt_task *task;            /* whose features are the inputs; counted, or NULL: of the task
                                      at hand */
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

/* ---- inputs: baseline_space.c ---- */

enum { BASELINE_WIDEST = 1 << 30 };                    /* of m of slots */
/* m of observations of n numbers; -1: slots above BASELINE_WIDEST. */
int64_t baseline_width(const mesaopt_baseline *b, int64_t n);

/* Can it work on observations of n numbers of `task` (NULL: nobody knows whose)? Otherwise a status
 * with its text. */
mesaopt_status baseline_check_space(const mesaopt_baseline *b, const mesaopt_task *task, int64_t n);

void baseline_take_inputs(baseline_problem *p, arena *a);         /* memory for: */
void baseline_fill_inputs(const baseline_problem *p, int64_t rows); /* p->z of as many rows of p->x
                                                                     */
/* pairs=scored: p->z becomes 0 at steps of weight 0, and so they are in no pair. */
void baseline_leave_out(const baseline_problem *p);
/* Of a task whose sequences have vectors of a prompt: p->x without them, 0 behind the last, and
 * p->weights of the steps that predict what is left; and numbers [T] of these, back to their steps,
 * 0 at others. */
void baseline_drop_prompt(const baseline_problem *p);
void baseline_place(const mesaopt_task *task, double *by_t);

/* ---- runs ---- */

/* task: whose sequences these are, as far as one knows (NULL: nobody does). */
mesaopt_status baseline_predict(const mesaopt_baseline *b, const mesaopt_task *task,
                                const mesaopt_view *sequences, const mesaopt_view *out);

/* out [B, T, m]: inv(A_t) z_t as its preconditioner has it, of sequences [B, T, n]. */
mesaopt_status baseline_precondition(const mesaopt_baseline *b, const mesaopt_task *task,
                                     const mesaopt_view *sequences, const mesaopt_view *out);

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
