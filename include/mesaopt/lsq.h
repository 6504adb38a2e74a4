/* mesaopt/lsq.h: recursive least squares: one linear map for every step of a sequence, the best one
 * for the steps so far, applied to a query.
 *
 *     H_t = g_t H_{t-1} + b_t k_t k_t^T      S_t = g_t S_{t-1} + b_t k_t v_t^T
 *     o_t = S_t^T (H_t + diag l)^-1 q_t
 *
 * Phi_t = S_t^T (H_t + diag l)^-1 minimises  sum_{s<=t} (g_{s+1} .. g_t) b_s |v_s - Phi k_s|^2 +
 * sum_j l_j |Phi_.j|^2: ridge regression of values on keys with sample weights b in [0, 1],
 * forgetting factors g in [0, 1], and a ridge l > 0 per key channel that is not forgotten. Without
 * weights and gates it is the mesa layer of arXiv 2309.05858 (l = 1/lambda), with them that of
 * arXiv 2506.05233.
 *
 * q, k: [B, T, H, d]; v, out: [B, T, H, dv]: B sequences of T steps with H heads, each head a
 * regression of its own. f32 or f64, all of one type, any strides. Further operands go by number,
 * in any order: `which[i]` says what `views[i]` is.
 *
 * What MESAOPT_OK promises, row by row, with c_t = (tr H_t + max l) / min l, a bound of the
 * condition number, and no tolerance asked for:
 *
 *     |(H_t + diag l) x_t - q_t| <= e_t |q_t|
 *     |out_t - exact| <= e_t |q_t| (|Phi_t| + n_t / (tr H_t + max l))
 *     |x_t - exact| <= e_t |x_t|
 *     e_t = 2^-45 c_t in f64, and in f32 where c_t is above 2^14;      2^-20 c_t in f32 elsewhere
 *     n_t = sum of weights times |k_s| |v_s|
 *
 * and that e_t is at most 2^-9 where it stands before |q_t|. f32 is solved in f64 where c_t is
 * above 2^14, for every solver, forward and adjoint; rounding to f32 is all that is added then,
 * 2^-22 of a result. Gradients are off by no more than e_t times the sizes of their terms, summed
 * over later steps (docs/mesa-layer.md); what f32 loses of D_LOG_GAMMA does not add up over steps:
 * sums start anew every few of them. With a tolerance, it comes on top of e_t before |q_t|. This
 * holds for sequences of any length.
 *
 * MESAOPT_NOT_CONVERGED: some rows keep less: double has not three digits of q_t left beside |H_t +
 * diag l| |x_t| (in the adjoint: beside c_t), or an iterative solver missed its tolerance. Rows
 * whose MESAOPT_LSQ_RESIDUAL is above the tolerance, for direct solvers above 2^-10, are the ones;
 * the context's text names the first and says how many. All are finite and can be used: they hold
 * what was found, x_t = 0 where that has no digit at all; where an iterative solver gave up, what
 * Cholesky found (setting fallback). A solution with such rows is an input of mesaopt_lsq_adjoint
 * like any other, which solves rows anew where c_t is above 2^14 in f32. MESAOPT_E_NONFINITE: a
 * result is beyond the range of its type.
 *
 * Use:
 *     mesaopt_lsq_plan(ctx, settings, d, dv, &lsq);          // ridge=1 solver=auto ...
 *     mesaopt_lsq_forward(lsq, &q, &k, &v, &out, 0, NULL, NULL);
 *     which = MESAOPT_LSQ_CONDITION;                         // with one more operand:
 *     mesaopt_lsq_forward(lsq, &q, &k, &v, &out, 1, &which, &condition);
 */
#ifndef MESAOPT_LSQ_H
#define MESAOPT_LSQ_H

#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mesaopt_lsq mesaopt_lsq;

/* Further inputs: */
#define MESAOPT_LSQ_BETA 1             /* [B, T, H]: sample weights b in [0, 1]; without: 1 */
#define MESAOPT_LSQ_LOG_GAMMA 2        /* [B, T, H]: log g <= 0, minus infinity included; without:
                                          the setting gamma */
#define MESAOPT_LSQ_RIDGE 3            /* [H, d]: l > 0; without: the setting ridge */
#define MESAOPT_LSQ_H0 4               /* [N, H, d, d]: H before the first step, symmetric, positive
                                          semidefinite; without: 0. N: B, or the sequences of
                                          OFFSETS */
#define MESAOPT_LSQ_S0 5               /* [N, H, d, dv]: S before the first step; without: 0 */
#define MESAOPT_LSQ_OFFSETS 6          /* i64 or i32 [N + 1], rising from 0 to T, B = 1: sequence n
                                          is steps offsets[n] .. offsets[n+1] - 1; nothing crosses a
                                          boundary */
/* Further outputs of mesaopt_lsq_forward: */
#define MESAOPT_LSQ_H_LAST 7           /* [N, H, d, d]: H after the last step */
#define MESAOPT_LSQ_S_LAST 8           /* [N, H, d, dv] */
#define MESAOPT_LSQ_SOLUTION 9         /* [B, T, H, d]: x_t = (H_t + diag l)^-1 q_t; an input of
                                          mesaopt_lsq_adjoint, which then solves half as much */
/* Certificates of x (forward) and of the adjoint's solution: */
#define MESAOPT_LSQ_RESIDUAL 10        /* [B, T, H]: |b - A x| / |b|, A = H_t + diag l of the keys
                                          as they are, in double, x before it is rounded to f32 */
#define MESAOPT_LSQ_ITERATIONS 11      /* [B, T, H]: 0 for direct solvers */
#define MESAOPT_LSQ_CONDITION 12       /* [B, T, H]: (tr H_t + max l) / min l, an upper bound of the
                                          condition number */
/* Further inputs of mesaopt_lsq_adjoint: */
#define MESAOPT_LSQ_D_H_LAST 13        /* gradients with respect to H_LAST and S_LAST */
#define MESAOPT_LSQ_D_S_LAST 14
/* Further outputs of mesaopt_lsq_adjoint: */
#define MESAOPT_LSQ_D_BETA 15          /* [B, T, H]; without BETA: at 1 */
#define MESAOPT_LSQ_D_LOG_GAMMA 16     /* [B, T, H]; 0 where g = 0; without LOG_GAMMA: at the
                                          setting gamma */
#define MESAOPT_LSQ_D_RIDGE 17         /* [H, d] */
#define MESAOPT_LSQ_D_H0 18            /* [N, H, d, d]: symmetric, so that a symmetric change of H0
                                          changes the loss by its inner product with this */
#define MESAOPT_LSQ_D_S0 19            /* [N, H, d, dv] */

/** Plans a solver (scope MESAOPT_SCOPE_LSQ, NULL: defaults) for keys of d_key and values of d_val
 *  channels. The setting window matters only to a mesaopt_rls of the plan: mesaopt_lsq_forward and
 *  mesaopt_lsq_adjoint ignore it. The caller frees *out.
 *  [scope: settings? LSQ] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_lsq_plan(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                            int64_t d_key, int64_t d_val, mesaopt_lsq **out);

/** Channels of keys and of values, as planned. Each pointer may be NULL.
 *  [out: d_key?, d_val?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_lsq_shape(const mesaopt_lsq *lsq, int64_t *d_key,
                                             int64_t *d_val);

/** Bytes of workspace that calls of this shape need, with every operand there is, of the adjoint
 *  when `adjoint` is not 0. sequences: how many MESAOPT_LSQ_OFFSETS make of a batch of 1; 0:
 *  without offsets. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_lsq_workspace(const mesaopt_lsq *lsq, int32_t dtype,
                                                 int64_t batch, int64_t length, int64_t heads,
                                                 int64_t sequences, int32_t adjoint,
                                                 int64_t *bytes);

/** out [B, T, H, dv] for all steps, and what else `which` asks for. Outputs must not overlap inputs
 *  or each other. MESAOPT_NOT_CONVERGED: see above; the context's text says how many rows, and
 *  which is the first.
 *  [in: q, k, v, which[count]; inout: views[count]] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_lsq_forward(mesaopt_lsq *lsq, const mesaopt_view *q,
                                               const mesaopt_view *k, const mesaopt_view *v,
                                               const mesaopt_view *out, int64_t count,
                                               const int32_t *which, const mesaopt_view *views);

/** Gradients dq, dk, dv (shapes of q, k, v; overwritten) of a scalar whose gradient with respect to
 *  out is dout, and what else `which` asks for. The forward pass is recomputed inside.
 *  [in: q, k, v, dout, which[count]; out: dq, dk, dv; inout: views[count]] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_lsq_adjoint(mesaopt_lsq *lsq, const mesaopt_view *q,
                                               const mesaopt_view *k, const mesaopt_view *v,
                                               const mesaopt_view *dout, const mesaopt_view *dq,
                                               const mesaopt_view *dk, const mesaopt_view *dv,
                                               int64_t count, const int32_t *which,
                                               const mesaopt_view *views);

/** Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call
 *  works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle,
 *  or freed before. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_lsq_free(mesaopt_lsq *lsq);

#ifdef __cplusplus
}
#endif
#endif
