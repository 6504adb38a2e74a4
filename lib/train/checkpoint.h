/* Checkpoints: models and trainers as safetensors files.
 *
 * Tensors: parameters by their names; of a trainer also "adamw.m.NAME" and "adamw.v.NAME".
 * Metadata, all texts:
 *     mesaopt.format     1; what follows may change with it
 *     mesaopt.kind       model, trainer
 *     mesaopt.version    of the library that wrote it
 *     mesaopt.blocks     the model's blocks, as mesaopt_model_text
 *     mesaopt.model      its settings, as mesaopt_settings_dump
 *   and of a trainer
 *     mesaopt.trainer    its settings
 *     mesaopt.parameters   what was said of parameters, as update_rules_text, and
 *     mesaopt.frozen_steps   for how long they were frozen, as update_rules_frozen; both only when
 *                        there is something to say
 *     mesaopt.task       what its sequences and tokens depend on, as task_text
 *     mesaopt.step       steps taken; with the task it says which sequences come next, so that no
 *                        other random state is needed
 *     mesaopt.isa, mesaopt.lanes   on which the bits of further steps depend
 * Loading reads and checks everything before it changes anything. */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include "train/safetensors.h"
#include "train/safetensors.h"
#include "train/trainer_impl.h"

mesaopt_status checkpoint_save_model(const mesaopt_model *m, const storage *to);
/* by names; any safetensors file that has them */
mesaopt_status checkpoint_load_model(mesaopt_model *m, const storage *from);
mesaopt_status checkpoint_open_model(mesaopt_ctx *ctx, const storage *from, mesaopt_model **out);

/* Do metadata mesaopt.blocks and mesaopt.model say what this model is? */
mesaopt_status checkpoint_same_model(const tensor_file *f, const mesaopt_model *m);

mesaopt_status checkpoint_save_trainer(const mesaopt_trainer *t, const storage *to);
/* MESAOPT_OTHER_ISA: loaded, see trainer.h. change: task settings that may differ, "name,name" or
 * "all"; NULL: none. */
mesaopt_status checkpoint_load_trainer(mesaopt_trainer *t, const storage *from,
                                       const char *change);

#endif
