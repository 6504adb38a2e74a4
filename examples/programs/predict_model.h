/* predict_model.h: rows through a model, as predict gives them to it: in units of the training,
 * behind the prefix of a prompt, with its separator behind every pair, and never more than
 * `context` of them at once. */
#ifndef EXAMPLES_PREDICT_MODEL_H
#define EXAMPLES_PREDICT_MODEL_H

#include "predict_state.h"

/* model=, load=; prompt=; context=. In this order. */
void predictor_open_model(predictor *p, mesaopt_settings *decoder);
void predictor_open_prompt(predictor *p);
void predictor_open_context(predictor *p);

/* A row of the model's units to a decoder, as the one with which `recent` has `held`; the
 * prediction of the next one is left in y. A failure is said, and changes nothing; a closed loop
 * whose numbers run away is no failure of the row. */
mesaopt_status predictor_step(predictor *p, mesaopt_decoder *d, const double *row, int64_t held);
/* What a sequence begins with. */
mesaopt_status predictor_begin(predictor *p);
/* The next row of the sequence, and what stands behind it. */
mesaopt_status predictor_feed(predictor *p, const double *row);

#endif
