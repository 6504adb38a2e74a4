/* mesaopt/study.h: what a trained model does with its tokens.
 *
 * Studies take any model, of the library's own training or of imported weights, and sequences
 * first .. first + count - 1 of a stream of a task, of which only the width of its tokens has to
 * fit the model: tokens of the caller's own are a task of mesaopt_task_from_tensor. Sequences are
 * drawn batch by batch; memory does not grow with their number. In a mean over sequences each of
 * them counts at step t what the task says (mesaopt_task_set_weights); where none does it is 0.
 * Results are the same bits for any number of threads. After a failure the output holds anything.
 * Source: arXiv 2309.05858 section 4; docs/science.md, section 6.
 *
 * Use:
 *     mesaopt_study_heads(model, 1, &heads);
 *     mesaopt_view_dense(map, MESAOPT_F64, 3, shape, &out);             // shape: heads, T, T
 *     mesaopt_study_attention_map(model, 1, task, MESAOPT_STREAM_TEST, 0, 2048, &out);
 *     if (map[1 * 50 + 0] > map[1 * 50 + 1]) puts("head 0 looks one token back");
 */
#ifndef MESAOPT_STUDY_H
#define MESAOPT_STUDY_H

#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Heads of a block, 0 when it is none of attention.
 *  [in: model] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_study_heads(const mesaopt_model *model, int64_t block,
                                               int64_t *heads);

/** Attention map of every head of a block: mean over sequences of the weights w_ts with which the
 *  output of the head at step t sums the values of steps s <= t, o_t = sum_s w_ts v_s. linear:
 *  scale q_t . k_s; softmax: softmax over s of that; mesa: (beta_s gamma_{s+1} .. gamma_t) k_s^T
 *  (H_t + diag l)^-1 q_t. out [H, T, T], f32 or f64, 0 above the diagonal. MESAOPT_E_UNSUPPORTED:
 *  the block has no heads; MESAOPT_NOT_CONVERGED: see model.h. May be called in a callback.
 *  [in: model, task] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_study_attention_map(mesaopt_model *model, int64_t block,
                                                       mesaopt_task *task, int32_t stream,
                                                       int64_t first, int64_t count,
                                                       const mesaopt_view *out);

/** Sensitivity of the stream to the tokens: mean over sequences and over the features j of the
 *  stream after blocks[l] (-1: the tokens) of the norm of d f_{t,j} / d e_{t'}, e_{t'} the token of
 *  step t', f_t the stream at step t. Exact, by a backward pass for every feature and step. step
 *  -1: out [layers, T, T], 0 where t' > t; step 0 .. T - 1: of that t alone, out [layers, T] (of
 *  t'), in a T-th of the time or less. f32 or f64. May be called in a callback.
 *  [in: model, blocks[layers], task] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_study_sensitivity(mesaopt_model *model, int64_t layers,
                                                     const int64_t *blocks, mesaopt_task *task,
                                                     int32_t stream, int64_t first, int64_t count,
                                                     int64_t step, const mesaopt_view *out);

#ifdef __cplusplus
}
#endif
#endif
