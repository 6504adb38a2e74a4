/* own_scale.h: what own_data keeps with its models about the columns that it was trained on: their
 * means, standard deviations and names. Whoever uses the model applies and undoes the scale, and
 * refuses other columns. */
#ifndef EXAMPLES_OWN_SCALE_H
#define EXAMPLES_OWN_SCALE_H

#include <mesaopt/mesaopt.h>

/* Of n columns, into mean and sd; 0: the checkpoint has none. Ends the program when what it has
 * will not do. */
int scale_read(mesaopt_ctx *ctx, const char *checkpoint, int64_t n, double *mean, double *sd);
void scale_keep(mesaopt_ctx *ctx, mesaopt_model *model, int64_t n, const double *mean,
                const double *sd);

/* Names of n columns of `file` beside those of the checkpoint: ends the program with the first that
 * is another one. Checkpoints without names take any. */
void names_check(mesaopt_ctx *ctx, const char *checkpoint, const char *file, int64_t n,
                 const char *const *name);
void names_keep(mesaopt_ctx *ctx, mesaopt_model *model, int64_t n, const char *const *name);

#endif
