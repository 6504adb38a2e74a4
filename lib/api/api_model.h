/* What calls on trainers share with those on models. */
#ifndef API_MODEL_H
#define API_MODEL_H

#include "api/api_call.h"
#include "task/sequences.h"
#include "train/model_impl.h"

/* Body of mesaopt_model_evaluate: checks all but the handles. */
mesaopt_status model_evaluate(call *c, mesaopt_model *m, mesaopt_task *task, int32_t stream,
                              int64_t first, int64_t count, const mesaopt_view *by_t, double *loss);

#endif
