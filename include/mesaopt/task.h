/* mesaopt/task.h: where sequences come from, and the tokens that a model sees of them.
 *
 * A task is an endless indexed data set: sequence i of a stream is a pure function of (task,
 * stream, i), so models and baselines are compared on identical sequences without keeping any. A
 * sequence holds T + 1 observations of dimension n: inputs 1..T, targets 2..T+1.
 *
 * Generated sequences (the setting task; the reference, docs/api.md, lists them all): x_1 uniform
 * in [-start, start]^n, neither noised nor clipped; then, for t = 1..T,
 *     x_{t+1} = clip(W x_t + noise N(0, I)),  the clipped value is fed back
 *   linear         W Haar orthogonal (a rotation or reflection), another one for every sequence;
 *                  clip +-10, start 1
 *   contracting    W = U diag(d) U^-1, U Gaussian, d_n = 0.9, the others uniform in [0.3, 0.9),
 *                  likewise for every sequence; clip +-2, start 1
 *   fixed_teacher  W as linear, one for all sequences of all streams; clip +-10, start 1
 *   partial        x as in linear, of `hidden` numbers (15), is not seen; observations are s_t =
 *                  C x_t + observation_noise N(0, I), C n x hidden of entries map_sd N(0, 1) (0.5),
 *                  another one for every sequence; the clip, +-10, is of x
 *   nonlinear      W f(x_t) / |f(x_t)| in place of W x_t; f(x) = B^T gelu(A^T x), A n x hidden
 *                  (4 n), B hidden x n of entries map_sd N(0, 1) (1.1), one f for all sequences of
 *                  all streams; no clip, start 0.25
 *   regression     pairs for few-shot learning: x_i uniform in [-start, start]^n,
 *                  y_i = clip(W x_i + noise N(0, I)), W as linear, another one for every sequence;
 *                  clip +-10, start 1. Observations are x_1 y_1 x_2 y_2 .., and only predictions of
 *                  a y_i are scored (mesaopt_task_set_weights says otherwise). Settings lay pairs
 *                  out: with separator 1 each has a separator behind it; `prefix` vectors come
 *                  first; of several `teachers` each has a W of its own, one after the other: every
 *                  one but the last takes `segment` observations, the prefix in front of it among
 *                  them. A sequence is cut at T + 1. Sequence i has the same pairs in all layouts
 *                  of as many teachers
 * gelu(x) = x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))). The settings data_clip, start,
 * hidden and map_sd give other values. These settings have to stand as they are by default where a
 * task has no use for them, or it is refused (MESAOPT_E_SETTING): hidden, map_sd and
 * observation_noise of other tasks than those above, separator, prefix, teachers and segment where
 * there are no pairs, segment of one teacher, slots where tokens are none; task, noise, data_clip
 * and start, too, of sequences that are not drawn here.
 * (dim, length and seed may be anything; own sequences say themselves how long and wide they are.)
 * Source: arXiv 2309.05858, section 3 and appendix (data); docs/science.md, section 2.
 *
 * Use:
 *     mesaopt_task_create(ctx, NULL, &task);
 *     mesaopt_task_shape(task, &n, &T, &width, NULL);
 *     mesaopt_view_dense(x, MESAOPT_F32, 3, (const int64_t[]){B, T + 1, n}, &out);
 *     mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, &out);
 */
#ifndef MESAOPT_TASK_H
#define MESAOPT_TASK_H

#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MESAOPT_STREAM_TRAIN 0     /* what a trainer draws; own data: rows in a fresh random order
                                      every pass */
#define MESAOPT_STREAM_TEST 1      /* for evaluation; own data: rows in order */
#define MESAOPT_STREAM_SEARCH 2    /* for line searches; own data: rows in order */

typedef struct mesaopt_task mesaopt_task;
typedef struct mesaopt_prompt mesaopt_prompt;          /* prompt.h */

/** Fills `out` [B, T+1, n] (f32 or f64, as its dtype says; strided) with sequences first .. first +
 *  B - 1 of `stream`. B is that of a training step (the setting batch), otherwise at most 4096.
 *  Called on the thread of the call that needs them; everything must be written, and finite. A
 *  non-zero return ends that call with MESAOPT_E_SOURCE. Since 0.1. */
typedef int32_t (*mesaopt_sequence_fn)(int32_t stream, int64_t first, const mesaopt_view *out,
                                       void *user);

/** Creates a generator (scope MESAOPT_SCOPE_TASK; NULL: defaults, the fully observed linear task).
 *  `settings` is copied. The caller frees *out.
 *  [scope: settings? TASK] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_task_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                               mesaopt_task **out);

/** A task over the user's own sequences [N, T+1, n], f32 or f64, finite, N >= 1, T >= 1. The task
 *  keeps a counted reference on `sequences`; of the settings it uses `tokens`, `slots` and `seed`.
 *  MESAOPT_E_NONFINITE names the first bad element.
 *  [scope: settings? TASK; keeps: sequences] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_task_from_tensor(mesaopt_ctx *ctx,
                                                    const mesaopt_settings *settings,
                                                    mesaopt_tensor *sequences, mesaopt_task **out);

/** A task over `count` sequences of the user's own, of any lengths: sequences[i] is [T_i + 1, n],
 *  f32 or f64, finite, T_i >= 1, with one n. T is the largest T_i; steps behind a sequence's end
 *  have the weight 0, and its observations there are given out as 0. Otherwise as
 *  mesaopt_task_from_tensor; the array of handles is not kept.
 *  [scope: settings? TASK; keeps: sequences[count]] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_task_from_tensors(mesaopt_ctx *ctx,
                                                     const mesaopt_settings *settings,
                                                     int64_t count,
                                                     mesaopt_tensor *const *sequences,
                                                     mesaopt_task **out);

/** A task over the user's own pairs: inputs and outputs [N, P, n], f32 or f64, finite, N >= 1, P >=
 *  1, laid out as regression lays out its own (settings separator, prefix, teachers, which only say
 *  where prefixes stand here, and segment). T is what P pairs take: the last output is the last
 *  observation, or the last input where the end of a segment cuts that pair. The task keeps a
 *  counted reference on both tensors; of the settings it also uses `tokens`, `slots` and `seed`.
 *  MESAOPT_E_SHAPE: pairs of unequal number or dimension.
 *  [scope: settings? TASK; keeps: inputs, outputs] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_task_from_pairs(mesaopt_ctx *ctx,
                                                   const mesaopt_settings *settings,
                                                   mesaopt_tensor *inputs, mesaopt_tensor *outputs,
                                                   mesaopt_task **out);

/** A task over `count` sequences of the user's own pairs, of any number of pairs: inputs[i] and
 *  outputs[i] are [P_i, n], f32 or f64, finite, P_i >= 1, with one n. T is the largest that P_i
 *  pairs take; steps behind a sequence's end have the weight 0, and its observations there are
 *  given out as 0. Otherwise as mesaopt_task_from_pairs; the arrays of handles are not kept.
 *  [scope: settings? TASK; keeps: inputs[count], outputs[count]] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_task_from_pair_tensors(mesaopt_ctx *ctx,
                                                          const mesaopt_settings *settings,
                                                          int64_t count,
                                                          mesaopt_tensor *const *inputs,
                                                          mesaopt_tensor *const *outputs,
                                                          mesaopt_task **out);

/** A task over a callback that fills batches; `dim` and `length` of the settings give n and T.
 *  `release` (may be NULL) follows when the last user of the task has gone.
 *  [scope: settings? TASK; keeps: fill, release?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_task_from_callback(mesaopt_ctx *ctx,
                                                      const mesaopt_settings *settings,
                                                      mesaopt_sequence_fn fill,
                                                      mesaopt_release_fn release, void *user,
                                                      mesaopt_task **out);

/** Sets what step t counts in every loss and score that is taken on the task, of models, trainers,
 *  baselines and probes: weights [T], the same for all sequences, or, of own ones, [N, T]; f32 or
 *  f64, 0 or 1e-20 to 1e20, one above 0 in each sequence. Copied. A loss is sum of weight * error /
 *  sum of weights; the error at t the same over sequences, and NaN where none of them is scored.
 *  Steps of weight 0 are neither scored nor trained on; those behind the last scored one of a
 *  sequence change nothing and cost next to nothing.
 *  [in: weights] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_task_set_weights(mesaopt_task *task,
                                                    const mesaopt_view *weights);

/** Gives a task whose layout has a separator or a prefix the prompt that it takes them from (a
 *  counted reference is kept; NULL: none): the vectors as they are whenever sequences are drawn.
 *  Without one such a task draws nothing, MESAOPT_E_STATE. MESAOPT_E_SHAPE: vectors of another
 *  dimension, or a prefix of another length; MESAOPT_E_STATE: the layout has neither. A layout
 *  without a prefix takes the separator alone: one prompt serves several layouts.
 *  [keeps: prompt?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_task_set_prompt(mesaopt_task *task, mesaopt_prompt *prompt);

/** n, T, width D of a token, and the number of own sequences (0: endless). Each pointer may be
 *  NULL.
 *  [out: dim?, length?, width?, count?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_task_shape(const mesaopt_task *task, int64_t *dim,
                                              int64_t *length, int64_t *width, int64_t *count);

/** Writes sequences first .. first + B - 1 of `stream` into `out` [B, T+1, n], f32 or f64. Since
 *  0.1. */
MESAOPT_API mesaopt_status mesaopt_task_draw(mesaopt_task *task, int32_t stream, int64_t first,
                                             const mesaopt_view *out);

/** Tokens of given sequences: [B, T+1, n] -> out [B, T, D], same dtype. raw: x_t; constructed: [0,
 *  x_t, x_t, x_{t-1}]; slots: [x_t, x_{t-1}, ..., x_{t-k+1}]; observations before the first are 0.
 *  [in: sequences] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_task_tokens(mesaopt_task *task, const mesaopt_view *sequences,
                                               const mesaopt_view *out);

/** What a task makes its next observation of: f(x_t) of nonlinear, not normalised, of sequences [B,
 *  T, n] -> out [B, T, n], same dtype. MESAOPT_E_STATE: the task has no features;
 *  MESAOPT_E_NONFINITE: `out` is not finite.
 *  [in: sequences] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_task_features(mesaopt_task *task, const mesaopt_view *sequences,
                                                 const mesaopt_view *out);

/** Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call
 *  works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle,
 *  or freed before. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_task_free(mesaopt_task *task);

#ifdef __cplusplus
}
#endif
#endif
