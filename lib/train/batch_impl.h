/* A pass while it runs: what its shards sum up (batch.c), and what becomes of it
 * (batch_result.c). */
#ifndef TRAIN_BATCH_IMPL_H
#define TRAIN_BATCH_IMPL_H

#include "train/batch.h"

/* What may be not finite; BLOCKS + i: what block i gives out. */
enum stage { NONE, TOKENS, TARGETS, LOSS, DOUT, TOKEN_GRADIENT, BLOCKS };

/* The first of them, and of what was given also where: sequence, step, feature. */
typedef struct fault { int64_t stage, at[3]; } fault;

/* Layout of the workspace: shared pieces, then one per worker. Made once per pass from shapes
 * alone. */
typedef struct layout {
    const kern *k;
    panels p;
    panel_run run;
    int64_t width;                             /* of the widest stream */
    void *grads;                               /* shards x n_params */
    double *by_t, *sums;                       /* shards x T; x the visitor's */
    double *weights;                           /* T: summed over sequences; T: of one */
    fault *faults;                             /* shards */
    int64_t *failed;                           /* shards x blocks: rows whose systems missed their
                                                  tolerance */
    void **positions;                          /* per block, or NULL */
} layout;

typedef struct job {
    mesaopt_model *m;
    const batch *b;
    const wanted *w;
    layout l;
    double weight;                             /* of all steps */
} job;

/* What the pass was to give, unless something is not finite; MESAOPT_NOT_CONVERGED as batch_pass.
 */
mesaopt_status batch_result(const job *j, const char *what);

#endif
