/* mesaopt/model.h: a model is a list of blocks over one residual stream.
 *
 * Tokens [B, T, inputs] enter the first block; residual blocks (attention, mlp) add to the stream,
 * dense, mask and norm replace it; the prediction is the first `outputs` features of the last
 * block's output. Loss: sum of squared errors / (2 B T).
 *
 * Calls that run a model give finite numbers or MESAOPT_E_NONFINITE, whose text names the block
 * that went wrong first (or the tokens, targets, a gradient). MESAOPT_NOT_CONVERGED: all is finite,
 * but some least-squares systems of a mesa block missed its tolerance; the text names the first
 * such block and how many rows. After a failure gradients and parameters of the model are as
 * before; what the call was to fill holds anything. A model has at most 4096 blocks.
 *
 * One-line text form:  blocks := block { ";" block },  block := [ count "x" ] kind [ "(" name "="
 * value { "," name "=" value } ")" ] for example  "mask(first=20);
 * linear(heads=2,key=20,residual_clip=4)"  or  "dense(outputs=40); softmax(heads=4,key=20,pe=qk); 6
 * x softmax(heads=4,key=20); dense(outputs=10)". The settings of a kind are the keys of its scope:
 * MESAOPT_SCOPE_LINEAR and so on. The reference (docs/api.md) lists every kind with its parameters
 * and settings, made from the library's table of kinds; the first of them:
 *
 *   linear, softmax, mesa   y = clip(x + sum over heads of o_h P_h),  o_h: attention (attn.h), or
 *                           the least squares of lsq.h, of q_h, k_h, v_h
 *   mlp                     y = clip(x + act(x U + a) W + b)
 *   dense                   y = x W, or x W + b
 *   mask                    y = x with its features 0 .. first - 1 at 0
 *   norm                    y = gain * (x - mean) / deviation + bias, or the root mean square's
 *
 * Parameters are named blocks.I.query [D, H key] (2 D rows with pe=qk), blocks.I.key [D, H key],
 * blocks.I.value [D, H value], blocks.I.output [H value, D] and, for dense, blocks.I.weight [D,
 * outputs]; rows are inputs; head h uses columns h key .. of query and key and rows h value .. of
 * output. mlp: up [D, hidden], up_bias [1, hidden], down [hidden, D], down_bias [1, D]; dense with
 * bias=1: bias [1, outputs]; norm: gain [1, D] and, with kind=layer, bias [1, D]. Of any residual
 * block: with positions=learned positions [longest, D], with norm=layer or rms norm_gain [1, D],
 * and norm_bias [1, D] of layer. A sequence longer than `longest` of any block is refused,
 * MESAOPT_E_SHAPE, before anything is written. A mesa block has, besides those of attention, lambda
 * [1, H] (ridges=head; below 1e-6 the layer and its gradient are those of 1e-6) or theta [H, key]
 * (ridges=channel) and, with gates=sigmoid, beta and gamma [D, H], beta_bias and gamma_bias [1, H]:
 * ridge 1 / lambda, or ridge_min + log(1 + exp(theta)); weight of a step sigmoid(x beta +
 * beta_bias), forgetting factor likewise of gamma. All of one dtype. pe=qk: queries and keys are
 * made of [x_t, p_t] (x_t normalised, with a norm); pe=add: the block sees x_t + p_t in place of
 * x_t, in its residual too. p_t of D features, t from 0, is row t of positions, or p_{t,2i} = sin(t
 * / 10000^(2i/D)), p_{t,2i+1} = cos of the same.
 * Source: arXiv 2309.05858 section 2 and appendix; docs/science.md, section 3.
 *
 * Use:
 *     mesaopt_model_create(ctx, NULL, &model);
 *     mesaopt_model_add_text(model, "mask(first=20); linear(heads=2,key=20,residual_clip=4)");
 *     mesaopt_model_forward(model, &tokens, &out);
 *     mesaopt_model_save(model, "model.safetensors");
 */
#ifndef MESAOPT_MODEL_H
#define MESAOPT_MODEL_H

#include "task.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mesaopt_model mesaopt_model;

/** Creates an empty model (scope MESAOPT_SCOPE_MODEL: inputs, outputs, dtype, seed, lanes). The
 *  caller frees *out.
 *  [scope: settings? MODEL] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                                mesaopt_model **out);

/** Appends a block whose kind is the scope of `settings`, with weights drawn N(0, init_sd^2) from
 *  the model's seed. Views of parameters taken before become invalid. MESAOPT_E_STATE while a
 *  trainer or a decoder holds the model.
 *  [scope: settings BLOCK] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_add(mesaopt_model *model,
                                             const mesaopt_settings *settings);

/** Appends every block of a one-line text (grammar above), or none of them on failure;
 *  MESAOPT_E_FORMAT and MESAOPT_E_SETTING name the place in the text. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_add_text(mesaopt_model *model, const char *blocks);

/** The model's blocks as text that mesaopt_model_add_text takes, at most cap bytes with the final
 *  NUL; returns the bytes the whole text needs, or a negative status. Since 0.1. */
MESAOPT_API int64_t mesaopt_model_text(const mesaopt_model *model, char *buf, int64_t cap);

/** Features of a token, of a prediction, and the type that tokens, predictions and parameters have
 *  (MESAOPT_F32 or MESAOPT_F64). Each pointer may be NULL.
 *  [out: inputs?, outputs?, dtype?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_shape(const mesaopt_model *model, int64_t *inputs,
                                               int64_t *outputs, int32_t *dtype);

/** Number of blocks, and width of the stream after block i (i = -1: the tokens). Since 0.1. */
MESAOPT_API int64_t mesaopt_model_blocks(const mesaopt_model *model);
MESAOPT_API mesaopt_status mesaopt_model_width(const mesaopt_model *model, int64_t block,
                                               int64_t *width);

/** Number of parameter tensors, and the name of the i-th (valid until the next block is added; NULL
 *  past the last).
 *  [borrows: model until add, add_text] Since 0.1. */
MESAOPT_API int64_t mesaopt_model_parameters(const mesaopt_model *model);
MESAOPT_API const char *mesaopt_model_parameter_name(const mesaopt_model *model, int64_t i);

/** View of a parameter by name; writing through it changes the model. Valid while the model lives
 *  and no block is added.
 *  [borrows: model until add, add_text] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_parameter(mesaopt_model *model, const char *name,
                                                   mesaopt_view *out);

/** View of the gradient of a parameter, as the last mesaopt_model_gradient, mesaopt_model_backward
 *  or training step left it (before clipping); zeros before that.
 *  [borrows: model until add, add_text] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_parameter_gradient(mesaopt_model *model, const char *name,
                                                            mesaopt_view *out);

/** Draws all weights anew from `seed`. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_initialise(mesaopt_model *model, int64_t seed);

/** Bytes of workspace that calls of this shape need, gradients included when `training` is not 0.
 *  Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_workspace(const mesaopt_model *model, int64_t batch,
                                                   int64_t length, int32_t training,
                                                   int64_t *bytes);

/** Predictions: tokens [B, T, inputs] -> out [B, T, outputs], dtype of the model.
 *  [in: tokens] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_forward(mesaopt_model *model, const mesaopt_view *tokens,
                                                 const mesaopt_view *out);

/** Activations: the stream after each of `count` blocks (blocks[i] = -1: the tokens), outs[i] [B,
 *  T, width of that block]. One forward pass serves them all.
 *  [in: tokens, blocks[count]; out: outs[count]] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_activations(mesaopt_model *model,
                                                     const mesaopt_view *tokens, int64_t count,
                                                     const int64_t *blocks,
                                                     const mesaopt_view *outs);

/** Loss of predictions against targets [B, T, outputs]: sum of weight * half squared error / sum of
 *  weights. weights [B, T], f32 or f64, 0 or 1e-20 to 1e20, one above 0; NULL: all 1. A step of
 *  weight 0 does not count, whatever its target is; behind the last step that counts of a sequence
 *  tokens and targets may hold anything, NaN too, and cost next to nothing.
 *  [in: tokens, targets, weights?; out: loss] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_loss(mesaopt_model *model, const mesaopt_view *tokens,
                                              const mesaopt_view *targets,
                                              const mesaopt_view *weights, double *loss);

/** Loss and its gradients: of every parameter (mesaopt_model_parameter_gradient) and, unless
 *  dtokens is NULL, of the tokens [B, T, inputs]. MESAOPT_E_NONFINITE names the first tensor that
 *  is not finite.
 *  [in: tokens, targets, weights?; out: loss, dtokens?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_gradient(mesaopt_model *model, const mesaopt_view *tokens,
                                                  const mesaopt_view *targets,
                                                  const mesaopt_view *weights, double *loss,
                                                  const mesaopt_view *dtokens);

/** Gradients of a scalar of the user's own whose gradient with respect to the predictions is dout
 *  [B, T, outputs]; the forward pass is recomputed inside. dtokens may be NULL.
 *  [in: tokens, dout; out: dtokens?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_backward(mesaopt_model *model, const mesaopt_view *tokens,
                                                  const mesaopt_view *dout,
                                                  const mesaopt_view *dtokens);

/** Mean loss on sequences first .. first + count - 1 of a stream of `task`; by_t (f64 [T], NULL:
 *  not wanted) receives the mean squared error at t summed over dimensions, halved, so that its
 *  mean over t is the loss (by the task's weights, mesaopt_task_set_weights). Memory does not grow
 *  with count, which is at least 1.
 *  [in: task; out: by_t?, loss] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_evaluate(mesaopt_model *model, mesaopt_task *task,
                                                  int32_t stream, int64_t first, int64_t count,
                                                  const mesaopt_view *by_t, double *loss);

/** Writes parameters and settings as safetensors: to a temporary file in the same folder, fsynced,
 *  then renamed to what `path` names, links followed and its mode kept. MESAOPT_E_IO says what the
 *  system said. MESAOPT_E_NONFINITE names the parameter: no such file would be opened. Since 0.1.
 */
MESAOPT_API mesaopt_status mesaopt_model_save(mesaopt_model *model, const char *path);

/** The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes
 *  that the file would have.
 *  [calls: write] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_save_to(mesaopt_model *model, mesaopt_write_fn write,
                                                 void *user);

/** Reads parameters by name from a safetensors file (f64, f32, f16 or bf16; other tensors are
 *  ignored). All or nothing. MESAOPT_E_FORMAT names the tensor that is missing, of another shape or
 *  out of bounds. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_load(mesaopt_model *model, const char *path);

/** The same from the bytes of such a file in memory.
 *  [in: bytes[length]] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_load_from(mesaopt_model *model, const void *bytes,
                                                   int64_t length);

/** Keeps a text of the caller's with a model, such as units, scales or the command that made it: it
 *  goes as metadata `key` into files of mesaopt_model_save and mesaopt_trainer_save;
 *  mesaopt_model_open takes it over, and mesaopt_file_note reads it. NULL takes the note away. Both
 *  are UTF-8; key: 1 to 100 bytes that do not begin with "mesaopt."; at most 256 notes of 8 MiB
 *  together.
 *  [in: text?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_set_note(mesaopt_model *model, const char *key,
                                                  const char *text);

/** Copies a text out of the metadata of a safetensors file: a note, or one of the library's own:
 *  "mesaopt.kind" (model, trainer, rls, decoder, prompt), and of models and trainers
 *  "mesaopt.blocks" and "mesaopt.model", which is "inputs=.. outputs=.. dtype=.. ..". Writes at
 *  most `cap` bytes with the final 0, and returns the bytes that all of it needs; 0: there is no
 *  such text; or a negative status. Since 0.1. */
MESAOPT_API int64_t mesaopt_file_note(mesaopt_ctx *ctx, const char *path, const char *key,
                                      char *buf, int64_t cap);

/** The same from the bytes of such a file in memory.
 *  [in: bytes[length]] Since 0.1. */
MESAOPT_API int64_t mesaopt_file_note_from(mesaopt_ctx *ctx, const void *bytes, int64_t length,
                                           const char *key, char *buf, int64_t cap);

/** Creates a model of blocks given as text (mesaopt_model_add_text; `settings` as in
 *  mesaopt_model_create) with weights from elsewhere: tensors[i] becomes the parameter names[i],
 *  f64, f32, f16 or bf16, any strides (a transposed weight is a view with its strides swapped).
 *  Every parameter is given, once, and nothing else. The weights are copied. MESAOPT_E_ARGUMENT,
 *  MESAOPT_E_SHAPE, MESAOPT_E_DTYPE and MESAOPT_E_NONFINITE name the parameter. The caller frees
 *  *out.
 *  [scope: settings? MODEL; in: names[count], tensors[count]] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_import(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                                const char *blocks, int64_t count,
                                                const char *const *names,
                                                const mesaopt_view *tensors, mesaopt_model **out);

/** The same from a safetensors file that holds every parameter by its name and nothing else.
 *  MESAOPT_E_FORMAT names the tensor that is missing, not expected or of another shape. (Files of
 *  this library: mesaopt_model_open. Files with more in them: mesaopt_model_load.)
 *  [scope: settings? MODEL] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_import_file(mesaopt_ctx *ctx,
                                                     const mesaopt_settings *settings,
                                                     const char *blocks, const char *path,
                                                     mesaopt_model **out);

/** The same from the bytes of such a file in memory, which are not kept.
 *  [scope: settings? MODEL; in: bytes[length]] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_import_from(mesaopt_ctx *ctx,
                                                     const mesaopt_settings *settings,
                                                     const char *blocks, const void *bytes,
                                                     int64_t length, mesaopt_model **out);

/** Creates a model from a file that mesaopt_model_save or mesaopt_trainer_save wrote: settings,
 *  blocks, parameters, notes. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_open(mesaopt_ctx *ctx, const char *path,
                                              mesaopt_model **out);

/** The same from the bytes of such a file in memory, which are not kept.
 *  [in: bytes[length]] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_open_from(mesaopt_ctx *ctx, const void *bytes,
                                                   int64_t length, mesaopt_model **out);

/** Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call
 *  works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle,
 *  or freed before. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_model_free(mesaopt_model *model);

#ifdef __cplusplus
}
#endif
#endif
