/* mesaopt/prompt.h: learned vectors that tell a trained model what kind of sequence it sees.
 *
 * A prompt holds vectors of n numbers, as observations are: a `separator` [1, n], which stands
 * behind every pair, and a `prefix` [p, n], which stands before them. A task whose layout has one
 * or both (task.h: settings separator and prefix) takes them from the prompt that it was given,
 * whatever they are at that moment. They are learned by gradient descent on the task's loss through
 * a model whose weights stay as they are, every bit of them: so one model, trained once, is told by
 * different prompts what to do; a prompt serves every model of its width. Update s draws sequences
 * s batch .. (s + 1) batch - 1 of the training stream, takes the gradient of the vectors that the
 * layout puts in and that are not frozen, clips it, and applies AdamW (trainer.h; without weight
 * decay by default, which is Adam); each of the two counts the updates that moved it. Vectors,
 * gradients and moments are in double, whatever the model is. After s updates they are the same
 * bits for any number of threads, also across save and open.
 * Source: Lester et al., arXiv 2104.08691 (prompt tuning); arXiv 2309.05858, section 4;
 * docs/science.md, section 6.
 *
 * Use:
 *     mesaopt_prompt_create(ctx, NULL, &prompt);
 *     mesaopt_task_set_prompt(task, prompt);                 // of a layout with a separator
 *     mesaopt_prompt_train(prompt, model, task, 5000, NULL, NULL);
 *     mesaopt_prompt_save(prompt, "separator.safetensors");
 */
#ifndef MESAOPT_PROMPT_H
#define MESAOPT_PROMPT_H

#include "trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Creates a prompt (scope MESAOPT_SCOPE_PROMPT, NULL: defaults) of vectors N(0, init_sd^2), which
 *  `seed` says. The caller frees *out.
 *  [scope: settings? PROMPT] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_prompt_create(mesaopt_ctx *ctx,
                                                 const mesaopt_settings *settings,
                                                 mesaopt_prompt **out);

/** View (f64) of the vectors `name`: "separator" [1, n], "prefix" [p, n]; writing through it
 *  changes the prompt. Valid while the prompt lives.
 *  [borrows: prompt] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_prompt_vectors(mesaopt_prompt *prompt, const char *name,
                                                  mesaopt_view *out);

/** Says whether training leaves the vectors `name` as they are, moments included: frozen 1, or 0,
 *  as at first.
 *  Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_prompt_freeze(mesaopt_prompt *prompt, const char *name,
                                                 int32_t frozen);

/** Gradient of the loss on sequences first .. first + count - 1 of `stream` of a task that has this
 *  prompt, with respect to the separator [1, n] and the prefix [p, n], frozen or not; 0 where the
 *  layout has none. f64; each may be NULL, `loss` too. count >= 1, in one batch. The model and the
 *  gradients of its parameters stay as they are. MESAOPT_E_STATE: the task has another prompt, or
 *  none. MESAOPT_E_NONFINITE, MESAOPT_NOT_CONVERGED: as mesaopt_model_gradient.
 *  [in: model, task; out: separator?, prefix?, loss?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_prompt_gradient(mesaopt_prompt *prompt, mesaopt_model *model,
                                                   mesaopt_task *task, int32_t stream,
                                                   int64_t first, int64_t count,
                                                   const mesaopt_view *separator,
                                                   const mesaopt_view *prefix, double *loss);

/** Learns until `updates` updates in all have been taken, calling `after` (may be NULL) after each,
 *  as mesaopt_trainer_run. Allocates before the first of them, and not in between. MESAOPT_STOPPED:
 *  the callback or an interrupt ended it early. MESAOPT_E_NONFINITE: a loss or gradient is not
 *  finite; that update was not made. MESAOPT_E_STATE: the task has another prompt, or none, or all
 *  vectors that its layout puts in are frozen.
 *  [in: model, task; calls: after?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_prompt_train(mesaopt_prompt *prompt, mesaopt_model *model,
                                                mesaopt_task *task, int64_t updates,
                                                mesaopt_step_fn after, void *user);

/** Updates taken so far, or a negative status. Since 0.1. */
MESAOPT_API int64_t mesaopt_prompt_updates(const mesaopt_prompt *prompt);

/** Writes a safetensors file with all that a prompt is: the tensors separator and prefix (f64),
 *  their moments, settings, counts, and what is frozen; it replaces `path` atomically. Also from
 *  callbacks. MESAOPT_E_IO with the system's words; MESAOPT_E_NONFINITE names the element. A file
 *  that was there is as it was.
 *  Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_prompt_save(mesaopt_prompt *prompt, const char *path);

/** The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes
 *  that the file would have.
 *  [calls: write] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_prompt_save_to(mesaopt_prompt *prompt, mesaopt_write_fn write,
                                                  void *user);

/** Reads a prompt back, which goes on learning as the saved one would have. MESAOPT_E_FORMAT names
 *  the file and what is wrong in it. The caller frees *out.
 *  Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_prompt_open(mesaopt_ctx *ctx, const char *path,
                                               mesaopt_prompt **out);

/** The same from the bytes of such a file in memory, which are not kept.
 *  [in: bytes[length]] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_prompt_open_from(mesaopt_ctx *ctx, const void *bytes,
                                                    int64_t length, mesaopt_prompt **out);

/** Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call
 *  works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle,
 *  or freed before. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_prompt_free(mesaopt_prompt *prompt);

#ifdef __cplusplus
}
#endif
#endif
