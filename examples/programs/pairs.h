/* pairs.h: tokens and targets of sequences from a file, for programs that look at a model on a
 * user's own data. */
#ifndef EXAMPLES_PAIRS_H
#define EXAMPLES_PAIRS_H

#include <mesaopt/mesaopt.h>

/* [count, T, inputs], [count, T, outputs]; steps of each sequence, NULL: T */
typedef struct pairs {
    int64_t count, T, inputs, outputs;
    double *tokens, *targets;
    int64_t *steps;
} pairs;

/* A safetensors file (its name ends in .safetensors) that holds `tokens` and `targets`, f32 or f64,
 * of three axes; or rows of numbers as own_sequences.h reads them, `inputs` features of a token and
 * then the targets in each. Ends the program when the file will not do. */
pairs pairs_read(const char *path, int64_t inputs);
/* mean over all steps */
double pairs_loss(mesaopt_ctx *ctx, mesaopt_model *model, const pairs *p);
void pairs_free(pairs *p);

#endif
