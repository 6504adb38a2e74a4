/* AdamW (adamw.h) of all parameters of a model. The model's gradient is left as it is, unclipped,
 * for the user to look at: a piece of it at a time is copied, clipped and used. */
#ifndef TRAIN_OPTIMISER_H
#define TRAIN_OPTIMISER_H

#include "train/adamw.h"
#include "train/update_rules.h"

typedef struct optimiser {
    adamw recipe;
    mesaopt_model *model;          /* not counted */
    update_rule *rules;            /* one per parameter of the model's table */
    void *m, *v;                   /* moments, one real per parameter */
    void *piece;                   /* of the gradient, while it is clipped */
} optimiser;

/* No blocks may be added to the model from now on. MESAOPT_E_MEMORY: close it all the same. */
mesaopt_status optimiser_open(optimiser *o, const adamw *recipe, mesaopt_model *model);
void optimiser_close(optimiser *o);        /* also one of zeros */

/* Step `step`, from 0, with the model's gradient. Runs to its end once begun: an interrupt must not
 * leave half a step. */
void optimiser_update(optimiser *o, int64_t step);

#endif
