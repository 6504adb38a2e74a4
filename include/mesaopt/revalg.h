/* mesaopt/revalg.h: which algorithm do the weights of an attention-only model run?
 *
 * Tokens are slots of n = `outputs` features, the constructed ones [0, x_t, x_t, x_{t-1}] for
 * example: D = S n. A linear or softmax layer acts through two products of its weights per head:
 * W_q W_k^T (rows: query slot, columns: key slot) and W_v P (rows: value slot, columns: output
 * slot). RevAlg replaces each of their S x S blocks of n x n by the mean of its diagonal times the
 * identity: S S scalars per product describe what the head does. A dense block acts through its
 * weights, which are compressed alike; a mask stays what it is.
 *
 * An extraction (mesaopt_revalg) holds the scalars; a model made of them can be evaluated, probed
 * and saved like any other.
 * Source: arXiv 2309.05858 section 3 and appendix (propositions 1 and 2, RevAlg-d, interpolation);
 * docs/science.md, section 6.
 *
 * Use:
 *     mesaopt_revalg_extract(model, &revalg);
 *     mesaopt_revalg_summary(revalg, &weights, &explained);
 *     mesaopt_revalg_rebuild(revalg, &rebuilt);
 *     mesaopt_model_evaluate(rebuilt, task, MESAOPT_STREAM_TEST, 0, 2560, NULL, &loss);
 */
#ifndef MESAOPT_REVALG_H
#define MESAOPT_REVALG_H

#include "baseline.h"
#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mesaopt_revalg mesaopt_revalg;

/* Products of a block: */
#define MESAOPT_REVALG_LOGITS 0    /* W_q W_k^T of a head of an attention block */
#define MESAOPT_REVALG_VALUES 1    /* W_v P of a head of an attention block */
#define MESAOPT_REVALG_WEIGHT 2    /* the weights of a dense block, as one head */

/** Reads the scalars off a model whose blocks are linear, softmax (without positions), dense or
 *  mask, all of whose widths are multiples of its `outputs`. The model may be in training, and may
 *  change or go afterwards. MESAOPT_E_UNSUPPORTED names the block that does not fit.
 *  MESAOPT_E_NONFINITE: the squared norm of the products overflows. The caller frees *out.
 *  [in: model] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_revalg_extract(mesaopt_model *model, mesaopt_revalg **out);

/** View of the scalars of a product of block i: f64 [heads, S, S'], means of the diagonals of its
 *  blocks; writing through it changes what mesaopt_revalg_rebuild builds. Valid while the
 *  extraction lives. MESAOPT_E_ARGUMENT: the block has no such product.
 *  [borrows: revalg] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_revalg_scalars(mesaopt_revalg *revalg, int64_t block,
                                                  int32_t product, mesaopt_view *out);

/** What the scalars leave out: view, as above, of the Frobenius norms of (block - mean of its
 *  diagonal times the identity).
 *  [borrows: revalg] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_revalg_residuals(mesaopt_revalg *revalg, int64_t block,
                                                    int32_t product, mesaopt_view *out);

/** `weights`: scalars that are not 0, as a share of the weights they stand for; `explained`: share
 *  of the products' squared norm that blocks of scaled identity account for (1: the products are
 *  such; 1/n: they are noise). Each pointer may be NULL.
 *  [out: weights?, explained?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_revalg_summary(mesaopt_revalg *revalg, double *weights,
                                                  double *explained);

/** One attention layer on constructed tokens (S = 4; masks before it are heeded) in closed form:
 *  out f64 [heads, 6] = alpha, eta, beta, gamma, p1, p2,
 *      prediction = sum_h sum_{t' <= t} f(x_t . (alpha x_t' + eta x_{t'-1}) + x_{t-1} . (beta x_t'
 *      + gamma x_{t'-1})) (p1 x_t' + p2 x_{t'-1}),
 *  f the identity or a softmax over t', of its argument times the scale. MESAOPT_E_UNSUPPORTED: not
 *  one such layer. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_revalg_closed_form(mesaopt_revalg *revalg,
                                                      const mesaopt_view *out);

/** A model of the scalars: the same blocks with W_k = P = I (key = value = D), W_q and W_v blocks
 *  of scaled identity; clips and masks as they were, softmax with the scale of the original.
 *  MESAOPT_E_NONFINITE: scalars that were written. The caller frees *out. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_revalg_rebuild(mesaopt_revalg *revalg, mesaopt_model **out);

/** Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call
 *  works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle,
 *  or freed before. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_revalg_free(mesaopt_revalg *revalg);

/** A product itself: W_q W_k^T or W_v P of a head, or a dense block's weights: out [D, D'], f32 or
 *  f64.
 *  [in: model] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_revalg_product(mesaopt_model *model, int64_t block,
                                                  int32_t product, int64_t head,
                                                  const mesaopt_view *out);

/** A model whose products are the means of the products of `a` and `b`: logits (s_a Q_a K_a^T + s_b
 *  Q_b K_b^T) / 2 with their scales s, outputs (attention V_a P_a + attention V_b P_b) / 2 with the
 *  one attention of these logits; of dense blocks the mean weights. The blocks must agree in kind,
 *  heads, width and clip. The caller frees *out.
 *  [in: a, b] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_revalg_average(mesaopt_model *a, mesaopt_model *b,
                                                  mesaopt_model **out);

/** Does it again for new weights of a and b, into a model that mesaopt_revalg_average made of them;
 *  allocates nothing. May be called in a trainer's callback. MESAOPT_E_STATE: a trainer holds
 *  `average`, or it is not such a model.
 *  [inout: average; in: a, b] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_revalg_average_update(mesaopt_model *average, mesaopt_model *a,
                                                         mesaopt_model *b);

/** Proposition 1: one linear layer that is one step of gradient descent of size eta from Phi0 (f32
 *  or f64 [n, n], acting on columns; NULL: 0), on tokens [Phi0 s_t, s_t, s_{t-1}] (`inputs` = 3 n)
 *  or [Phi0 s_t, anything, s_t, s_{t-1}] (4 n; with Phi0 = 0 the constructed tokens); prediction
 *  (Phi0 - eta grad L_t(Phi0)) s_t. `settings`: scope MESAOPT_SCOPE_MODEL. The caller frees *out.
 *  [scope: settings? MODEL; in: phi0?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_revalg_proposition1(mesaopt_ctx *ctx,
                                                       const mesaopt_settings *settings, double eta,
                                                       const mesaopt_view *phi0,
                                                       mesaopt_model **out);

/** Proposition 2: a deep linear model that makes the predictions of `baseline` (neumann, richardson
 *  or chebyshev with a divisor, or gd; newest_pair on): one linear layer and one dense block per
 *  step, and one last linear layer. Tokens: [0, s_t, s_{t-1}, s_t, s_t, s_t] (`inputs` = 6 n), or
 *  the constructed ones (4 n), of which a first dense block makes these. The coefficients are those
 *  of now; MESAOPT_E_NONFINITE: they are not finite. The caller frees *out.
 *  [scope: settings? MODEL; in: baseline] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_revalg_proposition2(mesaopt_ctx *ctx,
                                                       const mesaopt_settings *settings,
                                                       mesaopt_baseline *baseline,
                                                       mesaopt_model **out);

/** A model of the user's own weights: `layers` equal blocks of the kind of `block`, any kind; the
 *  weights are its n parameters in the order of mesaopt_model_parameter_name, weights[n i ..] those
 *  of layer i: of a plain linear or softmax block query [D, H key], key [D, H key], value [D, H
 *  value], output [H value, D]; f64, f32, f16 or bf16, any strides; D = `inputs` of `settings`
 *  (scope MESAOPT_SCOPE_MODEL). The weights are copied. MESAOPT_E_SHAPE and MESAOPT_E_NONFINITE
 *  name the layer and the matrix. Networks of different blocks: mesaopt_model_import. The caller
 *  frees *out.
 *  [scope: settings? MODEL, block BLOCK; in: weights[layers parameters]] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_revalg_import(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                                 const mesaopt_settings *block, int64_t layers,
                                                 const mesaopt_view *weights, mesaopt_model **out);

/** The same from a safetensors file that holds the parameters of such blocks I = 0, 1, ..,
 *  blocks.I.query and so on, and nothing else. MESAOPT_E_FORMAT names the tensor that is
 *  missing, not expected or of another shape. (Files of this library: mesaopt_model_open.)
 *  [scope: settings? MODEL, block BLOCK] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_revalg_import_file(mesaopt_ctx *ctx,
                                                      const mesaopt_settings *settings,
                                                      const mesaopt_settings *block,
                                                      const char *path, mesaopt_model **out);

/** The same from the bytes of such a file in memory, which are not kept.
 *  [scope: settings? MODEL, block BLOCK; in: bytes[length]] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_revalg_import_from(mesaopt_ctx *ctx,
                                                      const mesaopt_settings *settings,
                                                      const mesaopt_settings *block,
                                                      const void *bytes, int64_t length,
                                                      mesaopt_model **out);

#ifdef __cplusplus
}
#endif
#endif
