/* mesaopt/baseline.h: the optimisers a trained model is compared with, written down.
 *
 * gd:   prediction at t = eta sum_{i<=t} x_i (x_{i-1} . x_t), x_0 = 0: one gradient step from Phi = 0. It always includes the newest pair.
 * lsq:  ridge regression on the pairs (x_{i-1}, x_i), i <= t (newest_pair on) or i <= t - 1 (off), applied to x_t.
 * Source: arXiv 2309.05858 section 3; SCIENCE section 5. */
#ifndef MESAOPT_BASELINE_H
#define MESAOPT_BASELINE_H

#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mesaopt_baseline mesaopt_baseline;

/** Creates a baseline (scope MESAOPT_SCOPE_BASELINE, NULL: defaults). The caller frees *out. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_baseline_create(mesaopt_ctx *ctx, const mesaopt_settings *settings, mesaopt_baseline **out);

/** Predictions of x_2 .. x_{T+1}: sequences [B, T+1, n] -> out [B, T, n], f32 or f64; computed in f64. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_baseline_predict(mesaopt_baseline *baseline, const mesaopt_view *sequences, const mesaopt_view *out);

/** Mean loss and error by t, as mesaopt_model_evaluate; count >= 1. MESAOPT_E_NONFINITE: the loss overflows. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_baseline_evaluate(mesaopt_baseline *baseline, mesaopt_task *task, int32_t stream, int64_t first, int64_t count, const mesaopt_view *by_t, double *loss);

/** Line search: sets eta (gd: 1e-5..0.1) or ridge (lsq: 1e-5..10) to the value of lowest loss on `count` sequences of the
 *  search stream, on a logarithmic grid refined around its best point to half a per cent. `best` (may be NULL) receives it.
 *  MESAOPT_E_NONFINITE: no value gives a finite loss. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_baseline_search(mesaopt_baseline *baseline, mesaopt_task *task, int64_t count, double *best);

/** Gives up the caller's reference; NULL is fine; safe from any thread. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_baseline_free(mesaopt_baseline *baseline);

#ifdef __cplusplus
}
#endif
#endif
