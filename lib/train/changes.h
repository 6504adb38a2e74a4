/* Settings in a checkpoint beside those of the trainer that loads it, both as "name=value
 * name=value". */
#ifndef TRAIN_CHANGES_H
#define TRAIN_CHANGES_H

#include "train/safetensors.h"

/* The task that `f` was saved with against `now`. MESAOPT_E_SETTING names all settings that differ,
 * unless `change` does: "name,name" or "all"; a name in it that is no setting of either is refused.
 * A file that does not say is accepted, with a line in the log. */
mesaopt_status changes_check(const tensor_file *f, const char *now, const char *change);

/* A line in the log for every setting of `was`, a text of the file, that is another one now. NULL:
 * the file does not say. */
void changes_log(const tensor_file *f, const char *was, const char *now);

#endif
