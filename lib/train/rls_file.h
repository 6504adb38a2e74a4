/* States of recursive least squares as safetensors files. */
#ifndef TRAIN_RLS_FILE_H
#define TRAIN_RLS_FILE_H

#include "rls/streams.h"
#include "train/safetensors.h"

mesaopt_status rls_save(mesaopt_rls *r, const storage *to);

/* Reads the file `from` into *r, whose head is set and which is otherwise empty, as a state of
 * such a plan. On failure rls_drop clears up. */
mesaopt_status rls_read(mesaopt_rls *r, const rls_options *options, const storage *from);

#endif
