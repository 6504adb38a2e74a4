/* mesaopt/baseline.h: the optimisers a trained model is compared with, written down.
 *
 * A baseline predicts x_{t+1} from x_1 .. x_t. Its pairs are (z_{i-1}, x_i), i <= t (newest_pair
 * on) or i <= t - 1 (off, as the paper does); with them A_t = sum z_{i-1} z_{i-1}^T + ridge I and
 * G_t = sum z_{i-1} x_i^T. The input z_t of m numbers is, by the setting space,
 *
 * observations  x_t, m = n
 * slots         [x_t, x_{t-1}, ..., x_{t-k+1}], k = `slots`, m = k n; observations before the first
 *               are 0
 * features      f(x_t) / |f(x_t)|, f the features of a task (mesaopt_task_features), m = n: of the
 *               one that mesaopt_baseline_set_task gave, or else of the one at hand
 *
 * The setting pairs=scored, for sequences of a task, leaves out the pairs (z_{i-1}, x_i) of steps
 * whose weight is 0: of few-shot regression those whose x_i no map makes of z_{i-1}. Vectors of a
 * prompt are in no pair: a baseline sees the sequence without them, and its errors stand at the
 * steps where they belong, which are those before what is predicted. Nothing predicts the first
 * observation behind a prefix: the step before it is not scored.
 *
 * gd       k = `iterations` steps of gradient descent of size eta from Phi = 0, one by default: eta
 *          G_t^T z_t. It always includes the newest pair.
 * lsq      ridge regression: G_t^T inv(A_t) z_t, computed without forming A_t.
 * kernel   kernel regression: average of x_i with the weights softmax(beta z_{i-1} . z_t). It
 *          always includes the newest pair.
 * neumann, newton, richardson, chebyshev:  K = `iterations` steps towards inv(A_t), then one step
 * of gradient descent: G_t^T X z_t ("Proposition 2 with
 *          K steps"). Chebyshev: with Ab = A_t / c, c = `divisor` or the Frobenius norm of A_t,
 *          from X = X' = T = I
 *              T <- T (I - a_k Ab);   X, X' <- X + T + b_k (X - X'), X;   at the end X / c
 *          richardson: b = 0; neumann: a = 1, b = 0; newton: X = I / tr A_t, X <- X (2 I - A_t X).
 * Source: arXiv 2309.05858 section 3, proposition 2 and appendix; docs/science.md, section 5.
 *
 * Use:
 *     mesaopt_baseline_create(ctx, NULL, &baseline);         // one step of gradient descent
 *     mesaopt_baseline_search(baseline, task, 2560, &eta);
 *     mesaopt_baseline_evaluate(baseline, task, MESAOPT_STREAM_TEST, 0, 2560, NULL, &loss);
 *     mesaopt_baseline_free(baseline);
 */
#ifndef MESAOPT_BASELINE_H
#define MESAOPT_BASELINE_H

#include "trainer.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mesaopt_baseline mesaopt_baseline;

/** Creates a baseline (scope MESAOPT_SCOPE_BASELINE, NULL: defaults). The caller frees *out.
 *  [scope: settings? BASELINE] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_baseline_create(mesaopt_ctx *ctx,
                                                   const mesaopt_settings *settings,
                                                   mesaopt_baseline **out);

/** Predictions of x_2 .. x_{T+1}: sequences [B, T+1, n] -> out [B, T, n], f32 or f64; computed in
 *  f64. MESAOPT_E_STATE: space=features without mesaopt_baseline_set_task. MESAOPT_E_NONFINITE:
 *  `out` is not finite; the text names the place.
 *  [in: sequences] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_baseline_predict(mesaopt_baseline *baseline,
                                                    const mesaopt_view *sequences,
                                                    const mesaopt_view *out);

/** Gives a baseline of space=features the task whose features are its inputs (a counted reference
 *  is kept; NULL: none), which then go before those of the task that it is evaluated, searched or
 *  trained on, and which mesaopt_baseline_predict and mesaopt_baseline_precondition need: sequences
 *  do not say whose they are. MESAOPT_E_STATE: another space, or the task has no features.
 *  [keeps: task?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_baseline_set_task(mesaopt_baseline *baseline,
                                                     mesaopt_task *task);

/** What the preconditioner makes of z_t: sequences [B, T, n] -> out [B, T, m], inv(A_t) z_t exactly
 *  for lsq, approximately for the others (gd: without ridge). MESAOPT_E_STATE: kernel has none, or
 *  as in mesaopt_baseline_predict.
 *  MESAOPT_E_NONFINITE as above.
 *  [in: sequences] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_baseline_precondition(mesaopt_baseline *baseline,
                                                         const mesaopt_view *sequences,
                                                         const mesaopt_view *out);

/** View of the coefficients of richardson (f64 [1, K]: a) or chebyshev ([2, K]: a, b), at first a =
 *  1, b = 0; writing through it changes the baseline. Valid while the baseline lives.
 *  MESAOPT_E_STATE: the baseline has none.
 *  [borrows: baseline] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_baseline_coefficients(mesaopt_baseline *baseline,
                                                         mesaopt_view *out);

/** Learns the coefficients of richardson (a) or chebyshev (a, b): AdamW on the autoregressive loss,
 *  update s on sequences s batch .. (s + 1) batch - 1 of the training stream, until `updates`
 *  updates in all have been taken (0: 20000, with K = 2 80000), calling `after` (may be NULL) after
 *  each, as mesaopt_trainer_run; batch, learning rates and clips are settings of the baseline.
 *  MESAOPT_STOPPED: the callback or an interrupt ended it early. MESAOPT_E_NONFINITE: a loss or
 *  gradient is not finite; that update was not made. MESAOPT_E_STATE: the baseline has no
 *  coefficients.
 *  [in: task; calls: after?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_baseline_train(mesaopt_baseline *baseline, mesaopt_task *task,
                                                  int64_t updates, mesaopt_step_fn after,
                                                  void *user);

/** Updates taken so far, or a negative status. Since 0.1. */
MESAOPT_API int64_t mesaopt_baseline_updates(const mesaopt_baseline *baseline);

/** Mean loss and error by t, as mesaopt_model_evaluate; count >= 1. MESAOPT_E_STATE:
 *  space=features, and neither the baseline nor `task` has them. MESAOPT_E_NONFINITE: the loss
 *  overflows.
 *  [in: task; out: by_t?, loss] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_baseline_evaluate(mesaopt_baseline *baseline, mesaopt_task *task,
                                                     int32_t stream, int64_t first, int64_t count,
                                                     const mesaopt_view *by_t, double *loss);

/** Line search: sets eta (gd: 1e-5..0.1), beta (kernel: 0.01..100) or ridge (others: 1e-5..10) to
 *  the value of lowest loss on `count` sequences of the search stream, on a logarithmic grid
 *  refined around its best point to half a per cent. The ranges hold for inputs z of mean square
 *  1; with mean square s that of ridge is multiplied, those of eta and beta are divided by
 *  s. `best` (may be NULL) receives the value. MESAOPT_AT_BOUND: it is set, and is an end of the
 *  range, as when there is nothing to learn from the pairs or no noise in them; the text has the
 *  range. MESAOPT_E_NONFINITE: no value gives a finite loss.
 *  [in: task; out: best?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_baseline_search(mesaopt_baseline *baseline, mesaopt_task *task,
                                                   int64_t count, double *best);

/** Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call
 *  works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle,
 *  or freed before. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_baseline_free(mesaopt_baseline *baseline);

#ifdef __cplusplus
}
#endif
#endif
