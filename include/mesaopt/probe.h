/* mesaopt/probe.h: linear probes: what a linear map can read off a network's activations, layer by
 * layer and step by step.
 *
 * A probe holds one regression per layer l and step t, over sequences b:
 *     W, c = argmin sum_b w_b |h_b W + c - y_b|^2 + penalty |W|^2,
 *     h_b: activations of layer l at step t, D_l features;  y_b: n targets at step t
 * without c unless the setting `intercept` is 1. Without a penalty it is the minimum-norm
 * least-squares solution that numpy.linalg.lstsq gives at the same rcond, for activations of any
 * rank; with an intercept that of activations less their means, however far these are from 0.
 *
 * Sequences are fed in pieces of any size, by views, from a model while it runs, or from a file.
 * What is kept of them does not grow with their number: triangles of D + n + 1 rows, in double.
 * There are two sets: what is fed to MESAOPT_PROBE_TRAIN is fitted; MESAOPT_PROBE_TEST is for
 * scores only. Score on sequences that were not fitted unless you have a reason not to: in sample,
 * a probe of D features explains noise of B sequences to a share of D / B.
 * Sources: arXiv 2309.05858 section 4; docs/science.md, section 6. docs/reverse-engineering.md
 * shows how to use them.
 *
 * Use:
 *     mesaopt_probe_plan(ctx, NULL, layers, features, steps, n, &probe);
 *     mesaopt_probe_feed(probe, MESAOPT_PROBE_TRAIN, activations, &targets, NULL);
 *     mesaopt_probe_fit(probe, NULL);                        // MESAOPT_PROBE_TEST is fed alike
 *     mesaopt_probe_score(probe, MESAOPT_PROBE_TEST, &mse, &r2);
 */
#ifndef MESAOPT_PROBE_H
#define MESAOPT_PROBE_H

#include "baseline.h"
#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

#define MESAOPT_PROBE_TRAIN 0      /* sequences that are fitted; scores on them are in sample */
#define MESAOPT_PROBE_TEST 1       /* sequences held out */

typedef struct mesaopt_probe mesaopt_probe;

/** Writes targets of sequences [B, T+1, n] (f32 or f64), B at most 128, into `targets` [B, T, m]
 *  (f64): all of them, and finite. A non-zero return ends the call that needs them with
 *  MESAOPT_E_SOURCE.
 *  [in: sequences; out: targets] Since 0.1. */
typedef int32_t (*mesaopt_target_fn)(const mesaopt_view *sequences, const mesaopt_view *targets,
                                     void *user);

/** Plans probes (scope MESAOPT_SCOPE_PROBE, NULL: defaults) of `layers` layers with features[l]
 *  features each, `steps` steps and `targets` targets, and allocates what fits and scores in sample
 *  need. The caller frees *out.
 *  [scope: settings? PROBE; in: features[layers]] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_plan(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                              int64_t layers, const int64_t *features,
                                              int64_t steps, int64_t targets, mesaopt_probe **out);

/** Plans probes of the shapes that a file has; names as in mesaopt_probe_feed_file. `rows` (may be
 *  NULL) receives the number of sequences.
 *  [scope: settings? PROBE; out: rows?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_plan_file(mesaopt_ctx *ctx,
                                                   const mesaopt_settings *settings,
                                                   const char *path, const char *activations,
                                                   const char *targets, mesaopt_probe **out,
                                                   int64_t *rows);

/** The same from the bytes of such a file in memory, which are not kept.
 *  [scope: settings? PROBE; in: bytes[length]; out: rows?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_plan_from(mesaopt_ctx *ctx,
                                                   const mesaopt_settings *settings,
                                                   const void *bytes, int64_t length,
                                                   const char *activations, const char *targets,
                                                   mesaopt_probe **out, int64_t *rows);

/** Bytes that such probes take at most: the test set's come with its first sequences only.
 *  [scope: settings? PROBE; in: features[layers]] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_workspace(mesaopt_ctx *ctx,
                                                   const mesaopt_settings *settings, int64_t layers,
                                                   const int64_t *features, int64_t steps,
                                                   int64_t targets, int64_t *bytes);

/** Layers, steps and targets, and the features of a layer. Each pointer may be NULL.
 *  [out: layers?, steps?, targets?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_shape(const mesaopt_probe *probe, int64_t *layers,
                                               int64_t *steps, int64_t *targets);
MESAOPT_API mesaopt_status mesaopt_probe_features(const mesaopt_probe *probe, int64_t layer,
                                                  int64_t *features);

/** Takes in B sequences: activations[l] [B, T, D_l] for every layer, targets [B, T, n], or [L, B,
 *  T, n] when layers have their own, and weights [B] or [B, T] (NULL: all 1; 0 leaves a sequence
 *  out). f32 or f64 each, targets i32, i64 or bool too (0 or 1), any strides. Numbers are of size
 *  up to 1e100, or MESAOPT_E_NONFINITE names the element; a feature, a target or weights that are
 *  all below 1e-100 may count as 0. All or nothing; allocates only with the first sequences of the
 *  test set.
 *  [in: activations[probe.layers], targets, weights?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_feed(mesaopt_probe *probe, int32_t set,
                                              const mesaopt_view *activations,
                                              const mesaopt_view *targets,
                                              const mesaopt_view *weights);

/** Runs `model` on sequences first .. first + count - 1 of a stream of `task`, batch by batch, and
 *  takes in the stream after blocks[l] (-1: the tokens; blocks NULL: -1, 0, 1, ...) as the
 *  activations of layer l. Targets are those of mesaopt_probe_targets with the settings of the
 *  plan (with target=features of f(x) in place of x: MESAOPT_E_STATE when the task has none),
 *  unless mesaopt_probe_set_targets says otherwise. With the setting `filter`, sequences are
 *  drawn twice. All or nothing. MESAOPT_E_BUSY: called by a callback of a call that feeds the same
 *  probe.
 *  [in: model, blocks[probe.layers]?, task] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_feed_model(mesaopt_probe *probe, int32_t set,
                                                    mesaopt_model *model, const int64_t *blocks,
                                                    mesaopt_task *task, int32_t stream,
                                                    int64_t first, int64_t count);

/** A control: as mesaopt_probe_feed_model, but the activations of the only layer are what
 *  `conditioner` makes of its input at t (mesaopt_baseline_precondition; with space=features of
 *  `task`, unless it has its own), and the setting `filter` goes by their norms.
 *  [in: conditioner, task] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_feed_control(mesaopt_probe *probe, int32_t set,
                                                      mesaopt_baseline *conditioner,
                                                      mesaopt_task *task, int32_t stream,
                                                      int64_t first, int64_t count);

/** Takes in rows first .. first + count - 1 (count -1: to the end) of a safetensors file (f64, f32,
 *  f16 or bf16; targets i64, i32 or bool, too), read piece by piece. `activations`: names of one
 *  tensor [B, T, D] per layer, separated by commas; or one name with a `*` that stands for
 *  consecutive numbers, the lowest being layer 0; or the name of one tensor [L, B, T, D].
 *  `targets`: name of a tensor [B, T, n]. Without the axis T there is one step. `weights`: name of
 *  a tensor [B] or [B, T], or NULL. MESAOPT_E_FORMAT and MESAOPT_E_NONFINITE name the tensor and
 *  the place. All or nothing.
 *  [in: weights?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_feed_file(mesaopt_probe *probe, int32_t set,
                                                   const char *path, const char *activations,
                                                   const char *targets, const char *weights,
                                                   int64_t first, int64_t count);

/** The same from the bytes of such a file in memory, which are not kept.
 *  [in: bytes[length]; in: weights?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_feed_from(mesaopt_probe *probe, int32_t set,
                                                   const void *bytes, int64_t length,
                                                   const char *activations, const char *targets,
                                                   const char *weights, int64_t first,
                                                   int64_t count);

/** Where mesaopt_probe_feed_model takes targets from: what `conditioner` makes of its input at t
 *  (mesaopt_baseline_precondition, m targets; a counted reference is kept), or a callback on the
 *  calling thread; `release` (may be NULL) follows when another call of this function has taken its
 *  place, or when the last user of the probe has gone. Both NULL: as the settings say.
 *  [keeps: conditioner?, fill?, release?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_set_targets(mesaopt_probe *probe,
                                                     mesaopt_baseline *conditioner,
                                                     mesaopt_target_fn fill,
                                                     mesaopt_release_fn release, void *user);

/** Forgets the sequences of a set. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_reset(mesaopt_probe *probe, int32_t set);

/** Sequences of a weight above 0 that a set has at step t: out i64 [T]. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_count(const mesaopt_probe *probe, int32_t set,
                                               const mesaopt_view *out);

/** Fits all probes to the training set, with `intercept`, `penalty` and `rcond` of `settings`
 *  (NULL: of the plan); may be repeated, after more sequences or with other settings.
 *  MESAOPT_E_STATE: fewer sequences at some step than features (and no penalty); the text says
 *  where. Allocates nothing.
 *  [scope: settings? PROBE] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_fit(mesaopt_probe *probe,
                                             const mesaopt_settings *settings);

/** Scores of the fitted maps on a set, f32 or f64; either view may be NULL. mse [L, T]: mean over
 *  sequences of the half squared error, summed over targets (setting error=half_sum), or of the
 *  mean over targets of the squared error (error=mean); [L, T, n]: one target alone, in the same
 *  measure, so that sum or mean over n give [L, T]. r2 [L, T] or [L, T, n]: 1 - squared error /
 *  squared distance from the mean target of the set, sums over targets; NaN where targets do not
 *  vary. No second pass over any data. MESAOPT_E_NONFINITE: an error is too large for the type of
 *  mse or r2.
 *  [out: mse?, r2?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_score(mesaopt_probe *probe, int32_t set,
                                               const mesaopt_view *mse, const mesaopt_view *r2);

/** Views of W [D_l, n] and of the intercept [n] (zeros without one) of a fitted probe, f64,
 *  READONLY, valid until the next fit. Either may be NULL.
 *  [out: weights?, intercept?; borrows: const probe until fit] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_weights(mesaopt_probe *probe, int64_t layer, int64_t step,
                                                 mesaopt_view *weights, mesaopt_view *intercept);

/** Singular values of the activations that rcond left: out i64 [L, T]. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_rank(mesaopt_probe *probe, const mesaopt_view *out);

/** Targets that are observations: of sequences [B, T+1, n] the `lags` ones from x_{t-lag} back, out
 *  [B, T, lags n]: [x_{t-lag}, x_{t-lag-1}, ...]; lag = -1, lags = 1: the next one, which is the
 *  default. Observations before the first are 0. The setting target has to say observations: probes
 *  that are fed from a model have its task to ask for features.
 *  [scope: settings? PROBE; in: sequences] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_targets(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                                 const mesaopt_view *sequences,
                                                 const mesaopt_view *out);

/** Weights that leave outliers out: of targets [B, T, n], out [B, T] is 0 where the norm at t is
 *  `limit` or more standard deviations (of the population of the B norms) above their mean, and 1
 *  elsewhere, and where norms differ by rounding alone.
 *  [in: targets] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_filter(mesaopt_ctx *ctx, double limit,
                                                const mesaopt_view *targets,
                                                const mesaopt_view *out);

/** Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call
 *  works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle,
 *  or freed before. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_probe_free(mesaopt_probe *probe);

#ifdef __cplusplus
}
#endif
#endif
