/* Models of weights that come from elsewhere: views by the names of parameters, or a file. Whatever
 * the kinds of the blocks are: what is expected comes from the model's table of parameters. */
#ifndef TRAIN_MODEL_IMPORT_H
#define TRAIN_MODEL_IMPORT_H

#include "train/model_impl.h"
#include "train/safetensors.h"

/* A view of the user's becomes a parameter; `name`: for texts. MESAOPT_E_SHAPE, MESAOPT_E_DTYPE,
 * MESAOPT_E_NONFINITE, or what is wrong with the view. */
mesaopt_status import_parameter(mesaopt_model *m, const model_parameter *p, const mesaopt_view *v,
                                const char *name);

/* A model of `blocks`, every parameter of which is among the names once, and nothing else is. */
mesaopt_status import_views(mesaopt_ctx *ctx, const mesaopt_settings *settings, const char *blocks,
                            int64_t count, const char *const *names, const mesaopt_view *tensors,
                            mesaopt_model **out);
mesaopt_status import_file(mesaopt_ctx *ctx, const mesaopt_settings *settings, const char *blocks,
                           const storage *from, mesaopt_model **out);
/* Reads all parameters of m from a file that holds nothing else. */
mesaopt_status import_from_file(mesaopt_model *m, const storage *from);

#endif
