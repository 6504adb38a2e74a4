/* mesaopt/linearise.h: how nearly linear is a layer of attention?
 *
 * For every block of attention that is asked for, one block of linear attention is distilled: it
 * learns to turn the stream before the block into the stream after it, by AdamW on sequences s
 * batch .. (s + 1) batch - 1 of the training stream in step s. All of them learn in one run, from
 * the same passes of the model. What matters is the loss of the model with the linear block in
 * place of its own. The paper distils for 15000 steps. The weights after s steps are the same bits
 * for any number of threads.
 * Source: arXiv 2309.05858 section 4; docs/science.md, section 6.
 *
 * Use:
 *     mesaopt_linearise_create(ctx, NULL, model, task, 7, blocks, NULL, &linearise);
 *     mesaopt_linearise_run(linearise, 15000, NULL, NULL);
 *     mesaopt_linearise_evaluate(linearise, 2560, &ratio, NULL);
 *     mesaopt_linearise_model(linearise, 3, &replaced);
 */
#ifndef MESAOPT_LINEARISE_H
#define MESAOPT_LINEARISE_H

#include "trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mesaopt_linearise mesaopt_linearise;

/** Plans the distillation of `count` different blocks of attention, and allocates all that its
 *  steps need. settings (scope MESAOPT_SCOPE_TRAINER): AdamW and the batch; NULL: the defaults of
 *  that scope, but lr = 1e-3 and no weight decay. block (scope MESAOPT_SCOPE_LINEAR): the linear
 *  blocks; NULL: each with the settings of the block that it learns from (heads, key, value,
 *  positions, clip ..), except for the scale of its logits, which is 1. The model is copied, and
 *  may change or go afterwards; of the task a counted reference is kept. MESAOPT_E_UNSUPPORTED: a
 *  block has no heads. The caller frees *out.
 *  [scope: settings? TRAINER, block? LINEAR; in: model, blocks[count]; keeps: task] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_linearise_create(mesaopt_ctx *ctx,
                                                    const mesaopt_settings *settings,
                                                    mesaopt_model *model, mesaopt_task *task,
                                                    int64_t count, const int64_t *blocks,
                                                    const mesaopt_settings *block,
                                                    mesaopt_linearise **out);

/** Steps until `steps` steps in all have been taken, calling `after` (may be NULL) after each: its
 *  loss is the sum over blocks of the squared errors / (2 batch T) before the update, grad_norm the
 *  norm of all gradients together. Statuses as of mesaopt_trainer_run; a step that fails changes no
 *  weights. Allocates nothing.
 *  [calls: after?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_linearise_run(mesaopt_linearise *linearise, int64_t steps,
                                                 mesaopt_step_fn after, void *user);

/** Steps taken so far, or a negative status. Since 0.1. */
MESAOPT_API int64_t mesaopt_linearise_steps(const mesaopt_linearise *linearise);

/** Scores on the first `count` sequences of the test stream, f32 or f64 [blocks], in the order of
 *  mesaopt_linearise_create. ratio: the loss of the model with this block replaced over its own
 *  loss. error (may be NULL): the squared error of the linear block's output over the square of
 *  what the block adds to the stream. MESAOPT_E_NONFINITE: the model's loss, or what a block adds,
 *  is 0. May be called in a callback.
 *  [out: ratio, error?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_linearise_evaluate(mesaopt_linearise *linearise, int64_t count,
                                                      const mesaopt_view *ratio,
                                                      const mesaopt_view *error);

/** A copy of the model with the linear block in place of `block`, -1: with all of them in their
 *  places. The caller frees *out. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_linearise_model(mesaopt_linearise *linearise, int64_t block,
                                                   mesaopt_model **out);

/** A copy of the linear block that stands for `block`, as a model of that one block on the stream:
 *  inputs and outputs are its width. The caller frees *out. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_linearise_block(mesaopt_linearise *linearise, int64_t block,
                                                   mesaopt_model **out);

/** Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call
 *  works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle,
 *  or freed before. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_linearise_free(mesaopt_linearise *linearise);

#ifdef __cplusplus
}
#endif
#endif
