/* revalg_study.h: what the files of revalg share: models that are trained and read, and results. */
#ifndef EXAMPLES_REVALG_STUDY_H
#define EXAMPLES_REVALG_STUDY_H

#include "common.h"
#include "pairs.h"

enum { MODEL, REBUILT, AVERAGE, LOSSES, MAX_DEPTHS = 16 };

typedef struct study {
    mesaopt_ctx *ctx;
    mesaopt_settings *model_settings, *layer, *trainer_settings, *task_settings;
    mesaopt_task *task;
    pairs data;                                    /* data=: instead of the task's sequences; count
                                                      0: none */
    int64_t layers, seeds, first, steps, every, tests, finals, n;
    mesaopt_model *model, *rebuilt, *average;      /* of the run that goes on */
    double rebuilt_loss;                           /* of `tests` sequences */
    FILE *rows, *each;                             /* what goes on from step to step, or NULL; the
                                                      losses of every seed */
    char path[MAX_PATH], each_path[MAX_PATH];
    progress shown;
    double start, nothing;                         /* loss before training; of zeros, `finals` */
    int64_t until;                                 /* last step at which the scalars described a
                                                      network that had learned something; -1:
                                                      never */
} study;

typedef struct result {
    double mean[LOSSES], sd[LOSSES], weights, explained;
    int64_t until, last;
} result;

#define CLAIM_4 "4. the scalars describe the trained network"
int losses_near(double loss, double other);             /* do they differ by less than NEAR? */
int learned(double loss, double nothing);               /* is it below by more? */
#define NEAR 0.05

/* Loss of a model on `count` test sequences, or on all of data=. */
double study_loss(const study *s, mesaopt_model *m, int64_t count);
/* What is lost where nothing was learned: m becomes zeros. */
double study_loss_of_nothing(const study *s, mesaopt_model *m);
/* Table, depth.csv and claims of so many depths. */
void study_report(study *s, int count, const int64_t *layers, const result *of);
/* weights=: the scalars of a file, and the losses of the model and of its scalars on the task, or
 * on the user's data. */
void study_read_weights(study *s);

#endif
