/* The training loop: draw, gradient, clip, AdamW; everything is allocated at creation. See
 * include/mesaopt/trainer.h. */
#ifndef TRAIN_TRAINER_IMPL_H
#define TRAIN_TRAINER_IMPL_H

#include "mesaopt/trainer.h"
#include "task/sequences.h"
#include "train/optimiser.h"

struct mesaopt_trainer {
    object head;
    mesaopt_settings settings;     /* a copy */
    mesaopt_model *model;          /* counted */
    mesaopt_task *task;            /* counted */
    optimiser adam;
    int64_t batch;
    _Atomic int64_t step;          /* steps taken */
};

/* Arguments are valid except that widths and schedule may not fit: a status with its text then. */
mesaopt_status trainer_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                              mesaopt_model *model, mesaopt_task *task, mesaopt_trainer **out);

/* One step, or a status < 0: then parameters, gradients, moments and the count of steps are as they
 * were. */
mesaopt_status trainer_step(mesaopt_trainer *t, call *c, mesaopt_step *report);
mesaopt_status trainer_run(mesaopt_trainer *t, call *c, int64_t steps, mesaopt_step_fn after,
                           void *user);

/* Do sequences of `steps` steps have indices that fit into int64_t? */
int trainer_steps_fit(const mesaopt_trainer *t, int64_t steps);

#endif
