/* mesaopt/attn.h: causal attention on the user's own tensors, forward and backward, without
 * projections.
 *
 *   o_t = sum_{t' <= t} alpha(scale * q_t . k_t') v_t'
 *   linear: alpha = identity; softmax: alpha = softmax over t'
 *   qk_norm=1: of q_t / |q_t| and k_t' / |k_t'|; a row of zeros stays, and its gradient is 0
 *
 * Shapes: q, k [B, T, H, d], v and out [B, T, H, dv], all f32 or all f64, any strides (packed q, k,
 * v slices are fine). What comes out is finite, or the call returns MESAOPT_E_NONFINITE, which
 * names the first element that is not. Softmax weighs as the differences of the scores q_t . k_t'
 * say, of whatever size: rows with scores that f32 does not hold are done in f64, slowly. In f64 a
 * score (or a part of its sum) that overflows is refused. The first call of a shape allocates the
 * workspace; calls of the same or a smaller shape allocate nothing. Memory is linear in T. Source:
 * arXiv 2309.05858 equation 2; docs/science.md, section 3.
 *
 * Use:
 *     mesaopt_view_dense(x, MESAOPT_F32, 4, (const int64_t[]){B, T, H, d}, &q);  // k, v, out
 *     mesaopt_attn_create(ctx, settings, &attn);           // scope MESAOPT_SCOPE_LINEAR, say
 *     status = mesaopt_attn_forward(attn, &q, &k, &v, &out);
 *     mesaopt_attn_free(attn);
 */
#ifndef MESAOPT_ATTN_H
#define MESAOPT_ATTN_H

#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mesaopt_attn mesaopt_attn;

/** Creates an attention operator; the scope of `settings` (MESAOPT_SCOPE_LINEAR or _SOFTMAX) is its
 *  kind; of the keys it uses `scale`, `chunk`, `lanes` and `qk_norm` (extents come from the views).
 *  The caller frees *out.
 *  [scope: settings LINEAR SOFTMAX] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_attn_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                               mesaopt_attn **out);

/** Bytes of workspace that calls of this shape need. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_attn_workspace(const mesaopt_attn *attn, int32_t dtype,
                                                  int64_t batch, int64_t length, int64_t heads,
                                                  int64_t key, int64_t value, int64_t *bytes);

/** out = attention(q, k, v). Outputs must not overlap inputs. MESAOPT_E_NONFINITE: `out` is not
 *  finite.
 *  [in: q, k, v] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_attn_forward(mesaopt_attn *attn, const mesaopt_view *q,
                                                const mesaopt_view *k, const mesaopt_view *v,
                                                const mesaopt_view *out);

/** Gradients dq, dk, dv (shapes of q, k, v; overwritten) of a scalar whose gradient with respect to
 *  out is dout. The forward pass is recomputed inside: nothing needs to be kept from an earlier
 *  call. MESAOPT_E_NONFINITE: a gradient is not finite.
 *  [in: q, k, v, dout; out: dq, dk, dv] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_attn_backward(mesaopt_attn *attn, const mesaopt_view *q,
                                                 const mesaopt_view *k, const mesaopt_view *v,
                                                 const mesaopt_view *dout, const mesaopt_view *dq,
                                                 const mesaopt_view *dk, const mesaopt_view *dv);

/** Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call
 *  works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle,
 *  or freed before. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_attn_free(mesaopt_attn *attn);

#ifdef __cplusplus
}
#endif
#endif
