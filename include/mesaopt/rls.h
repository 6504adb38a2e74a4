/* mesaopt/rls.h: recursive least squares over rows that arrive one by one: forgetting, sample
 * weights, a sliding window, several outputs, predictions with their standard error, merging, saved
 * states. The regression is that of a mesaopt_lsq plan (lsq.h):
 *
 *     H <- g H + b k k^T      S <- g S + b k v^T      prediction for q: S^T (H + diag l)^-1 q
 *
 * A handle holds `streams` such regressions side by side, as the heads of a layer that decodes
 * token by token; one is the usual number elsewhere. Rows are f32 or f64, states are held in
 * double. With the setting window = W exactly the last W rows count.
 *
 * With the setting missing = output a value may be NaN where it was not observed: for that output
 * the row is one of weight 0, for the others it counts, so every output is the regression of d_val
 * = 1 on its own rows. They have sums over keys of their own then: memory, and work for every row,
 * is d_val times that of one output. With missing = refuse, the default, NaN is an error.
 *
 * What is promised, of predictions and errors that come with MESAOPT_OK, with M = H + diag l and
 * kappa the condition number of M when its diagonal is scaled to ones: a prediction S^T M^-1 q =
 * Phi q is off by at most
 *
 *     d kappa 2^-46 |q|' (|Phi|' + sqrt(SQUARES)),
 *     |q|'^2 = sum of q_i^2 / M_ii,  |Phi|'^2 = sum of M_ii Phi_i^2
 *
 * (2^-42 with a window), its standard error by 10^-6 and d kappa 2^-46 of itself and 2^-46
 * sqrt(kappa q^T M^-1 q) of the values' root mean square, so values may be as far from 0 as 10^8
 * times what is left of them. Results are rounded to the type of the array. Of states that were
 * merged, however many, the same is promised as of one that saw all rows. MESAOPT_NOT_CONVERGED (>
 * 0): in some stream, which the context's text names, M has hardly three digits left, because keys
 * are far from 0 beside their spread (they should be centred) and the ridge is small; or so much of
 * the squares was set without the residual, or before keys spanned all directions, that six digits
 * of the errors are not there. MESAOPT_E_NONFINITE (< 0): a prediction is not finite in the type of
 * the array. Either way all rows of the call are in, and all predictions are written: of that
 * stream they are good to few digits or none, of other streams they are as promised.
 *
 * A row and a prediction cost O(d_key (d_key + d_val)) without forgetting and window, with standard
 * errors too, however many rows have been seen. A row whose key stands out by orders of magnitude
 * costs O(d_key^3): the first d_key rows on a ridge far smaller than the keys, say. With forgetting
 * or a window that is the cost of some rows together, and standard errors cost O(d_key^2) for each
 * value.
 *
 * Use:
 *     mesaopt_lsq_plan(ctx, settings, d, dv, &lsq);          // ridge=1 gamma=0.99 window=0 ...
 *     mesaopt_rls_create(lsq, 1, NULL, &rls);
 *     mesaopt_rls_update(rls, &k, &v, NULL, NULL);
 *     mesaopt_rls_predict(rls, &q, &out, NULL);
 */
#ifndef MESAOPT_RLS_H
#define MESAOPT_RLS_H

#include "lsq.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mesaopt_rls mesaopt_rls;

/* What a handle holds, for mesaopt_rls_get and mesaopt_rls_set; with missing = output KEY_STATE is
 * [streams, d_val, d_key, d_key] and WEIGHT [streams, d_val]: */
#define MESAOPT_RLS_KEY_STATE 1        /* [streams, d_key, d_key]: H, symmetric */
#define MESAOPT_RLS_VALUE_STATE 2      /* [streams, d_key, d_val]: S */
#define MESAOPT_RLS_WEIGHT 3           /* [streams]: sum of the weights b, forgotten and windowed as
                                          H */
#define MESAOPT_RLS_SQUARES 4          /* [streams, d_val]: sum of b v^2, likewise */
#define MESAOPT_RLS_ROWS 5             /* [streams]: rows so far; can only be read */
#define MESAOPT_RLS_RESIDUAL 6         /* [streams, d_val]: what is left of SQUARES: sum of b (v -
                                          prediction)^2 + |sqrt(l) Phi|^2, the least that the
                                          regression minimises */
#define MESAOPT_RLS_MISSING 7          /* [streams, d_val]: values so far that were missing in rows
                                          with a weight; can only be read */

/** Creates `streams` regressions without rows of a plan, which they keep alive. ridge [streams,
 *  d_key]: l > 0 (NULL: the plan's setting). The caller frees *out.
 *  [keeps: lsq; in: ridge?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_rls_create(mesaopt_lsq *lsq, int64_t streams,
                                              const mesaopt_view *ridge, mesaopt_rls **out);

/** Takes in rows: k [T, streams, d_key], v [T, streams, d_val], weights beta [T, streams] >= 0
 *  (NULL: 1), log of the gates log_gamma [T, streams] <= 0 (NULL: the plan's setting gamma). A row
 *  of weight 0 adds nothing, and its key and value may hold anything, NaN too; it counts as a row
 *  (in a window it has its place), and its gate forgets. In the others |k|, |v|, sqrt(beta) |k| and
 *  sqrt(beta) |v| are at most 2^480 (3.1e144), so that sums of squares are finite: rows that are
 *  not so are refused before any is taken in.
 *  [in: k, v, beta?, log_gamma?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_rls_update(mesaopt_rls *rls, const mesaopt_view *k,
                                              const mesaopt_view *v, const mesaopt_view *beta,
                                              const mesaopt_view *log_gamma);

/** out [T, streams, d_val] for queries q [T, streams, d_key], all on the rows so far. error (NULL:
 *  not wanted), of the shape of out: the standard error of each prediction, sqrt(s^2 q^T (H + diag
 *  l)^-1 q), s^2 = (sum of b v^2 - S_j^T (H + diag l)^-1 S_j) / sum of b: the posterior deviation
 *  when the ridge is the prior; a new value scatters by sqrt(s^2 + error^2). NaN while the weights
 *  sum to 0.
 *  [in: q; out: error?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_rls_predict(mesaopt_rls *rls, const mesaopt_view *q,
                                               const mesaopt_view *out, const mesaopt_view *error);

/** For every row in turn: takes it in, then predicts for its query, as mesaopt_lsq_forward does for
 *  whole sequences.
 *  [in: q, k, v, beta?, log_gamma?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_rls_step(mesaopt_rls *rls, const mesaopt_view *q,
                                            const mesaopt_view *k, const mesaopt_view *v,
                                            const mesaopt_view *beta, const mesaopt_view *log_gamma,
                                            const mesaopt_view *out);

/** The rows of `from` after those of `rls`: as if one had seen both. Refused when sums might not be
 *  finite. Plans of equal dimensions, window, gamma and missing, and equal ridges; `from` stays as
 *  it is, to the bit. It may be of another context (MESAOPT_E_BUSY: in which a call runs).
 *  [in: from] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_rls_merge(mesaopt_rls *rls, mesaopt_rls *from);

/** Streams side by side, and channels of their keys and values. Each pointer may be NULL.
 *  [out: streams?, d_key?, d_val?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_rls_shape(const mesaopt_rls *rls, int64_t *streams,
                                             int64_t *d_key, int64_t *d_val);

/** Forgets all rows. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_rls_clear(mesaopt_rls *rls);

/** Reads parts of the state: views[i] (f32 or f64) receives which[i], a MESAOPT_RLS_*. RESIDUAL is
 *  NaN where rounding has left less than six digits of it, after a mesaopt_rls_set without it.
 *  [in: which[count]; out: views[count]] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_rls_get(mesaopt_rls *rls, int64_t count, const int32_t *which,
                                           const mesaopt_view *views);

/** Replaces the state: KEY_STATE (symmetric, positive semidefinite) and VALUE_STATE have to be
 *  given, WEIGHT and SQUARES (otherwise 0) may be, and RESIDUAL: without it standard errors are
 *  computed from SQUARES, and where rounding has left less than six digits of them, predictions
 *  with errors come with MESAOPT_NOT_CONVERGED. ROWS and MISSING are 0 then. MESAOPT_E_UNSUPPORTED
 *  with a window: such a state consists of its rows.
 *  [in: which[count], views[count]] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_rls_set(mesaopt_rls *rls, int64_t count, const int32_t *which,
                                           const mesaopt_view *views);

/** Writes the state as safetensors (f64), as mesaopt_model_save writes. This handle and one read
 *  from the file go on alike, bit for bit; what it predicts may differ by roundings from what it
 *  would have predicted without saving, also when that fails. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_rls_save(mesaopt_rls *rls, const char *path);

/** The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes
 *  that the file would have.
 *  [calls: write] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_rls_save_to(mesaopt_rls *rls, mesaopt_write_fn write,
                                               void *user);

/** Creates a handle from a file of mesaopt_rls_save, notes included; `lsq` has to have the
 *  dimensions, window, gamma and missing of its plan.
 *  [keeps: lsq] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_rls_open(mesaopt_lsq *lsq, const char *path, mesaopt_rls **out);

/** The same from the bytes of such a file in memory, which are not kept.
 *  [in: bytes[length]; keeps: lsq] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_rls_open_from(mesaopt_lsq *lsq, const void *bytes,
                                                 int64_t length, mesaopt_rls **out);

/** Keeps a text of the caller's with the state, as mesaopt_model_set_note does with a model. Since
 *  0.1. */
MESAOPT_API mesaopt_status mesaopt_rls_set_note(mesaopt_rls *rls, const char *key,
                                                const char *text);

/** Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call
 *  works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle,
 *  or freed before. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_rls_free(mesaopt_rls *rls);

#ifdef __cplusplus
}
#endif
#endif
