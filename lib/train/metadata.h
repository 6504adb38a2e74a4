/* What files of this library say of themselves beside their tensors: texts, numbers, settings that
 * must be there, or else MESAOPT_E_FORMAT with a text that names the file and the key. */
#ifndef TRAIN_METADATA_H
#define TRAIN_METADATA_H

#include "base/options.h"
#include "train/safetensors.h"

enum { METADATA_FORMAT = 1 };      /* mesaopt.format, which files of later versions raise */

mesaopt_status metadata_text(const tensor_file *f, const char *key, const char **out);
mesaopt_status metadata_integer(const tensor_file *f, const char *key, int64_t lowest,
                                int64_t *out);
/* From their dump, "name=value name=value". */
mesaopt_status metadata_settings(const tensor_file *f, const char *key, int32_t scope,
                                 mesaopt_settings *out);
/* Is mesaopt.format one that this version reads? */
mesaopt_status metadata_format(const tensor_file *f);

#endif
