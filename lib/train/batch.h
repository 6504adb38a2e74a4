/* A pass of a model over a batch: forward, loss, backward, in panels that run in parallel.
 *
 * Panels go to a number of shards that depends on shapes only; a shard runs its panels in order and owns its sums (gradients, errors by
 * t); shards are added in a fixed tree. So results do not depend on threads or schedules. */
#ifndef TRAIN_BATCH_H
#define TRAIN_BATCH_H

#include "task/sequences.h"
#include "train/model_impl.h"

/* Sequences: tokens (and targets) of the user, or drawn from a task while the pass runs. */
typedef struct batch {
    int64_t B, T;
    const mesaopt_view *tokens, *targets;      /* [B, T, inputs], [B, T, outputs] or NULL */
    mesaopt_task *task;                        /* or NULL; prepared by the caller (task_prepare) */
    int32_t stream;
    int64_t first;
} batch;

/* What is wanted of a pass; NULL or 0: not wanted. */
typedef struct wanted {
    const mesaopt_view *out;                   /* predictions */
    int64_t count;                             /* activations */
    const int64_t *blocks;
    const mesaopt_view *outs;
    int gradient;                              /* into m->grads: of the loss, or of sum(dout * predictions) */
    const mesaopt_view *dout, *dtokens;
    double *by_t;                              /* [T], += sum over sequences of the half squared error at t */
} wanted;

/* Do tokens and observations of a task fit the model? Of the same context, too. */
mesaopt_status batch_check_task(const mesaopt_model *m, const mesaopt_task *task);

/* MESAOPT_OK, MESAOPT_E_MEMORY, MESAOPT_E_INTERRUPTED, or MESAOPT_E_NONFINITE (loss or gradients wanted) with a text that begins with `what`
 * and names the tensor; m->grads is defined on success only. Allocates when the shape needs more than any before. */
mesaopt_status batch_pass(mesaopt_model *m, const batch *b, const wanted *w, const char *what);

/* Allocates for such passes beforehand; bytes they need. */
mesaopt_status batch_plan(mesaopt_model *m, const batch *b, int gradient);
int64_t batch_bytes(const mesaopt_model *m, const batch *b, int gradient);

#endif
