/* mesaopt/trainer.h: AdamW training of a model on a task.
 *
 * Step s (from 0) draws sequences s batch .. (s + 1) batch - 1 of the training stream, takes the
 * gradient of the loss, clips it (element-wise, then by global norm), and applies AdamW: m = b1 m +
 * (1 - b1) g, v = b2 v + (1 - b2) g^2, p -= lr (m^ / (sqrt(v^) + epsilon) + weight_decay p).
 * Learning rate: fixed, or linear warm-up from 0 over `warmup` steps, then a cosine from lr to
 * lr_end reached at step cosine_steps. weight_decay acts on matrices and lambda; learned positions
 * are spared, and a mesa block's theta, beta_bias and gamma_bias, since 0 is no neutral value of a
 * ridge or of a gate that should start open. By name, parameters may be frozen, move at a share of
 * the learning rate, and decay or not (mesaopt_trainer_set_parameters). The parameters after s
 * steps are the same bits for any number of threads and any host loop, also across save and load.
 * Source: Loshchilov and Hutter, arXiv 1711.05101; docs/science.md, section 4.
 *
 * Use:
 *     mesaopt_trainer_create(ctx, NULL, model, task, &trainer);
 *     mesaopt_trainer_run(trainer, 1000, NULL, NULL);
 *     mesaopt_trainer_evaluate(trainer, 2560, NULL, &loss);
 *     mesaopt_trainer_save(trainer, "run.safetensors");
 */
#ifndef MESAOPT_TRAINER_H
#define MESAOPT_TRAINER_H

#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mesaopt_trainer mesaopt_trainer;

/* What a callback is told of a step that was just taken. Made by the library; grows at the end
 * only. */
typedef struct mesaopt_step {
    int64_t struct_size;           /* sizeof in the library that made it */
    int64_t step;                  /* steps taken so far, this one included */
    double loss;                   /* training loss of this step's batch, before the update */
    double lr;                     /* learning rate used */
    double grad_norm;              /* global norm of the gradient before clipping */
} mesaopt_step;

/** Called after every step on the caller's thread; non-zero stops the run. Inside, reading
 *  parameters, evaluating, saving and freeing are allowed; stepping returns MESAOPT_E_BUSY. Since
 *  0.1. */
typedef int32_t (*mesaopt_step_fn)(const mesaopt_step *step, void *user);

/** Creates a trainer over a model and a task (counted references on both; scope
 *  MESAOPT_SCOPE_TRAINER, NULL: defaults). Allocates all that steps need. MESAOPT_E_SHAPE: the
 *  widths of task and model do not meet. The caller frees *out.
 *  [scope: settings? TRAINER; keeps: model, task] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_trainer_create(mesaopt_ctx *ctx,
                                                  const mesaopt_settings *settings,
                                                  mesaopt_model *model, mesaopt_task *task,
                                                  mesaopt_trainer **out);

/* Does weight_decay act on a parameter? */
#define MESAOPT_DECAY_STANDARD 0       /* on matrices and lambda; see the top of this page */
#define MESAOPT_DECAY_OFF 1
#define MESAOPT_DECAY_ON 2

/** Says what the steps from now on do to all parameters whose names match `pattern`:
 *  "blocks.0.query", "blocks.0.*", "*.lambda" (`*`: any characters, none too; `?`: one). `factor`,
 *  0 to 1e6, multiplies their learning rate, and with it their weight decay; 0 freezes them: they
 *  and their moments keep every bit, and their gradient takes no part in clip_norm, though a step's
 *  grad_norm counts it. `decay` is a MESAOPT_DECAY_*. Of several patterns that match a name the
 *  latest holds; "*", 1, MESAOPT_DECAY_STANDARD is what a new trainer does. A parameter that thaws
 *  goes on as if the steps it was frozen for had not been. Not in a callback of the trainer
 *  (MESAOPT_E_BUSY). Checkpoints hold what was said, for the log of the one that loads them, and
 *  how long parameters were frozen. MESAOPT_E_ARGUMENT: no name matches, or a number is out of
 *  range. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_trainer_set_parameters(mesaopt_trainer *trainer,
                                                          const char *pattern, double factor,
                                                          int32_t decay);

/** One step. `loss` may be NULL. MESAOPT_E_NONFINITE says at which step and in which tensor;
 *  nothing is changed by a step that fails. MESAOPT_NOT_CONVERGED: the step was taken, see model.h.
 *  Allocates nothing.
 *  [out: loss?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_trainer_step(mesaopt_trainer *trainer, double *loss);

/** Steps until `steps` steps in all have been taken, calling `after` (may be NULL) after each.
 *  MESAOPT_STOPPED: the callback or an interrupt ended it early; MESAOPT_NOT_CONVERGED: some step
 *  was such a one, the text has the last of them.
 *  [calls: after?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_trainer_run(mesaopt_trainer *trainer, int64_t steps,
                                               mesaopt_step_fn after, void *user);

/** mesaopt_model_evaluate on the first `count` sequences of the task's test stream.
 *  [out: by_t?, loss] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_trainer_evaluate(mesaopt_trainer *trainer, int64_t count,
                                                    const mesaopt_view *by_t, double *loss);

/** Steps taken so far, or a negative status. Since 0.1. */
MESAOPT_API int64_t mesaopt_trainer_steps(const mesaopt_trainer *trainer);

/** Writes a checkpoint (safetensors): parameters, AdamW moments, step, seeds, settings, what was
 *  said of parameters, ISA level and lanes, as mesaopt_model_save writes. MESAOPT_E_NONFINITE names
 *  the tensor: no such file would be opened. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_trainer_save(mesaopt_trainer *trainer, const char *path);

/** The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes
 *  that the file would have.
 *  [calls: write] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_trainer_save_to(mesaopt_trainer *trainer, mesaopt_write_fn write,
                                                   void *user);

/** Restores a checkpoint of a trainer with the same model blocks on the same task: all or nothing.
 *  MESAOPT_OTHER_ISA: restored, but the run will not repeat the other machine's bits.
 *  MESAOPT_E_FORMAT: not such a file; the text names what differs. MESAOPT_E_SETTING: its sequences
 *  or tokens were made otherwise; the text names the settings of the task that differ (of own
 *  sequences `data` stands for their numbers). Other settings of the trainer, and what is said of
 *  parameters, are those of this trainer, and what differs is written to the log of the context.
 *  Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_trainer_load(mesaopt_trainer *trainer, const char *path);

/** mesaopt_trainer_load for a run that goes on with other data: settings of the task named in
 *  `change`, "noise,seed" or "all", may differ; the log says which do. NULL or "": none.
 *  [in: change?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_trainer_load_changed(mesaopt_trainer *trainer, const char *path,
                                                        const char *change);

/** mesaopt_trainer_load_changed from the bytes of such a file in memory.
 *  [in: bytes[length]; in: change?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_trainer_load_from(mesaopt_trainer *trainer, const void *bytes,
                                                     int64_t length, const char *change);

/** Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call
 *  works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle,
 *  or freed before. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_trainer_free(mesaopt_trainer *trainer);

#ifdef __cplusplus
}
#endif
#endif
