/* A pass of a model over a batch: forward, loss, backward, in panels that run in parallel.
 *
 * Panels go to a number of shards that depends on shapes only; a shard runs its panels in order and
 * owns its sums (gradients, errors by t); shards are added in a fixed tree. So results do not
 * depend on threads or schedules. */
#ifndef TRAIN_BATCH_H
#define TRAIN_BATCH_H

#include "task/sequences.h"
#include "train/model_impl.h"

/* Sequences: tokens (and targets) of the user, or drawn from a task while the pass runs, or drawn
 * from it before. */
typedef struct batch {
    int64_t B, T;
    const mesaopt_view *tokens, *targets;      /* [B, T, inputs], [B, T, outputs] or NULL */
    const mesaopt_view *weights;               /* of steps [B, T]; NULL: the task's, or all 1 */
    mesaopt_task *task;                        /* or NULL; prepared by the caller (task_prepare), */
    int32_t stream;
    int64_t first;
    const mesaopt_view *drawn;                 /* or [B, T + 1, outputs] of it, without targets */
} batch;

/* A panel after its forward pass, for a visitor. */
typedef struct visited {
    const mesaopt_model *model;
    const kern *k;
    int64_t T, first, valid;                   /* lanes 0 .. valid - 1 hold sequences first .. of
                                                  the batch */
    void **stream, **stash;                    /* [blocks + 1], the tokens first; [blocks] */
    void *scratch;                             /* of the visitor */
    double *sums;                              /* of the panel's shard */
    const struct visit *visit;                 /* for the functions below */
} visited;

/* Looks at all steps of every panel, whatever their weights, on the worker that ran it, and adds to
 * the sums of a shard, which are added up like gradients. */
typedef struct visitor {
    void (*look)(const struct visitor *v, const visited *panel);
    const void *job;
    int64_t blocks;                            /* that run, from the first on */
    int64_t scratch;                           /* bytes, private to a worker */
    int64_t count;                             /* of sums */
    double *sums;                              /* += those of all shards */
    int backward;                              /* it calls visit_back */
} visitor;

/* What a block's functions take besides the panel. */
pass visit_pass(const visited *panel, int64_t block);
/* Where visit_back takes the gradient of the output of `block` from: T x width. */
void *visit_gradient(const visited *panel);
/* The gradient of the tokens, which stays until the next call. */
const void *visit_back(const visited *panel, int64_t block);

/* What is wanted of a pass; NULL or 0: not wanted. */
typedef struct wanted {
    const mesaopt_view *out;                   /* predictions */
    int64_t count;                             /* activations */
    const int64_t *blocks;
    const mesaopt_view *outs;                  /* copies of them, or NULL and: */
    void *const *kept;                         /* the panels themselves, written there:
                                                  batch_kept bytes each */
    int gradient;                              /* into m->grads: of the loss, or of sum(dout *
                                                  predictions) */
    const mesaopt_view *dout;
    const mesaopt_view *dtokens;               /* likewise of the tokens; may be all that is
                                                  wanted */
    double *norm;                              /* of the gradient */
    double *loss;                              /* weighted mean over sequences and t of the half
                                                  squared error */
    double *by_t, *weights;                    /* both or neither, [T]: += at t the sums over
                                                  sequences of weight * error and of weight */
    const visitor *visitor;
} wanted;

/* Bytes of a panel of [T][width] that a pass leaves to its caller; a multiple of 64. */
static inline int64_t batch_kept(const kern *k, int64_t T, int64_t width)
{
    arena a = {0};
    arena_take(&a, T * width, k->lanes * k->size);
    return a.used;
}

/* Do tokens and observations of a task fit the model? Of the same context, too. */
mesaopt_status batch_check_task(const mesaopt_model *m, const mesaopt_task *task);

/* MESAOPT_OK, MESAOPT_NOT_CONVERGED with a text that names the block and the number of rows, or
 * else m->grads is as before: MESAOPT_E_MEMORY, MESAOPT_E_INTERRUPTED, MESAOPT_E_NONFINITE with a
 * text that names what is not finite. Texts begin with `what`. Allocates when the shape needs more
 * than any before. */
mesaopt_status batch_pass(mesaopt_model *m, const batch *b, const wanted *w, const char *what);

/* Of `parts` times a number of rows for every block, that missed their tolerance: MESAOPT_OK, or
 * MESAOPT_NOT_CONVERGED as above. */
mesaopt_status batch_tell_failed(const mesaopt_model *m, int64_t parts, const int64_t *failed,
                                 const char *what);

/* Loss on sequences first .. first + count - 1 of a task, in batches; sums [2 T]: of weight * error
 * by t, then of weights. */
mesaopt_status batch_evaluate(mesaopt_model *m, mesaopt_task *task, call *c, int32_t stream,
                              int64_t first, int64_t count, double *sums, double *loss);

/* Allocates for such passes beforehand; bytes they need. */
mesaopt_status batch_plan(mesaopt_model *m, const batch *b, const wanted *w);
int64_t batch_bytes(const mesaopt_model *m, const batch *b, const wanted *w);

#endif
