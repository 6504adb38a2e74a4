/* training.h: training with loss.csv and a checkpoint, resumed and stopped. */
#ifndef EXAMPLES_TRAINING_H
#define EXAMPLES_TRAINING_H

#include "files.h"
#include <mesaopt/mesaopt.h>

/* The keys of every program that trains; out: default folder. */
#define TRAINING_KEYS(steps, out) \
    {"steps", steps, "training steps in all"}, \
        {"every", "100", "steps between two rows of loss.csv"}, \
        OUT_KEYS(out, "folder for tables, figures and checkpoint; made when missing"), \
        {"save", "1000", "steps between two checkpoints on the way"}, \
        {"keep", "0", "1: those on the way are kept, each under the name of its step"}, \
        {"resume", "", "checkpoint to go on from"}, \
    { \
        "change", "", \
            "settings of the task that may differ from those of resume=: seed,noise or all" \
    }

typedef struct training {
    mesaopt_ctx *ctx;
    mesaopt_model *model;
    mesaopt_task *task, *test;          /* the train stream of one, the test stream of the other;
                                           may be the same */
    mesaopt_trainer *trainer;
    int64_t steps;                      /* in all; 0: own key `steps` */
    int64_t batch, tests, finals;       /* sequences: of a step, behind a row of loss.csv, behind
                                           by_t.csv */
    char prefix[32];                    /* of loss.csv and the checkpoint of a second training, set
                                           before training_create; "": none */
} training;

/* Models of a program whose claim is about their mean, from as many seeds. */
#define SEEDS_KEY \
    { \
        "seeds", "", \
            "runs that the means are of: of the seed that is told, the one behind it, ..; empty: " \
            "the recipe's" \
    }
/* Tasks and an empty model of run 0, 1, ..: its seeds are those of the settings plus `run`, the
 * test sequences are the same for all; `name`: see prefix. */
training training_begin(mesaopt_ctx *ctx, mesaopt_settings *task, mesaopt_settings *model,
                        int64_t run, const char *name);
/* Trainer of t->model on t->task; a test task of one's own sequences is used whole. */
void training_create(training *t, mesaopt_settings *settings);
void training_add_mask(training *t, int64_t features);  /* a block that zeroes the first features of
                                                           every token */
void training_free(training *t);                        /* all but the context */
/* Resumes if asked (a second training from its own checkpoint beside the one of resume=), runs to
 * `steps` with a progress line and loss.csv, leaves a checkpoint. MESAOPT_STOPPED after Ctrl-C. */
mesaopt_status training_run(training *t);
int64_t training_steps(const training *t);              /* that it has in all */

#endif
