/* mesaopt/decoder.h: a model that goes through sequences step by step.
 *
 * A decoder runs a whole model, of blocks of every kind, on `streams` sequences side by side, token
 * by token or many at a time. It keeps what later tokens need of earlier ones, so that predictions
 * are those of one mesaopt_model_forward on the whole sequences, to rounding, however they are cut
 * (a long piece at first, prefill, and then single tokens, say):
 *
 *     linear blocks    S, the sum of k v^T of every head
 *     mesa blocks      H and S of every head (lsq.h)
 *     softmax blocks   keys and values of all tokens so far, at most `capacity` of them
 *     others           nothing: their tokens do not know of each other
 *
 * S and H are kept in f64, or to twice the precision of f32: sums of a million tokens are as good
 * as those of one.
 *
 * Every stream has its own count of tokens, which its positions (pe) go by, and can begin anew
 * while others go on. A stream takes at most `capacity` tokens when the model has softmax blocks,
 * at most `longest` of blocks with positions=learned, and at most 2^25 where other blocks have
 * positions; otherwise there is no end.
 *
 * Parameters are read at every step: of a model that goes on learning meanwhile, what is kept of
 * earlier tokens stays as it was made. Blocks cannot be added while a decoder holds the model.
 *
 * Use:
 *     mesaopt_decoder_create(model, settings, &decoder);     // streams=16 capacity=224
 *     mesaopt_decoder_step(decoder, &past, NULL);            // [16, 100, inputs]
 *     mesaopt_decoder_step(decoder, &token, &out);           // [16, 1, inputs], [16, 1, outputs]
 */
#ifndef MESAOPT_DECODER_H
#define MESAOPT_DECODER_H

#include "model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mesaopt_decoder mesaopt_decoder;

/** Creates a decoder of a model, which it keeps alive (scope MESAOPT_SCOPE_DECODER: streams,
 *  capacity). All memory is taken here; steps take none. The caller frees *out.
 *  [scope: settings? DECODER; keeps: model] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_decoder_create(mesaopt_model *model,
                                                  const mesaopt_settings *settings,
                                                  mesaopt_decoder **out);

/** Bytes that such a decoder takes.
 *  [scope: settings? DECODER; in: model] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_decoder_bytes(const mesaopt_model *model,
                                                 const mesaopt_settings *settings, int64_t *bytes);

/** The next L tokens of every stream: tokens [streams, L, inputs] -> predictions out [streams, L,
 *  outputs] (NULL: not wanted), dtype of the model, any L. MESAOPT_E_STATE: a stream has no room
 *  for them. MESAOPT_NOT_CONVERGED as of mesaopt_model_forward: the tokens are in, all is finite.
 *  After any failure all streams are as before.
 *  [in: tokens; out: out?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_decoder_step(mesaopt_decoder *decoder,
                                                const mesaopt_view *tokens,
                                                const mesaopt_view *out);

/** A stream begins anew, or with stream = -1 all of them. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_decoder_reset(mesaopt_decoder *decoder, int64_t stream);

/** All streams become as those of `from`, a decoder of the same model with as many streams; its
 *  capacity may be another one. MESAOPT_E_STATE: they do not fit.
 *  [in: from] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_decoder_copy(mesaopt_decoder *decoder, mesaopt_decoder *from);

/** Tokens of a stream so far, or a negative status. Since 0.1. */
MESAOPT_API int64_t mesaopt_decoder_steps(const mesaopt_decoder *decoder, int64_t stream);

/** Writes all streams as safetensors, as mesaopt_model_save writes. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_decoder_save(mesaopt_decoder *decoder, const char *path);

/** The same to a host's callback instead of a file: what it is given, piece by piece, are the bytes
 *  that the file would have.
 *  [calls: write] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_decoder_save_to(mesaopt_decoder *decoder, mesaopt_write_fn write,
                                                   void *user);

/** Creates a decoder from a file of mesaopt_decoder_save, notes included, of a model with the same
 *  blocks and parameters: MESAOPT_E_FORMAT names what differs. `settings` have the streams of the
 *  file, and room for their tokens. With equal capacity it goes on bit for bit, unless the status
 *  is MESAOPT_OTHER_ISA.
 *  [scope: settings? DECODER; keeps: model] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_decoder_open(mesaopt_model *model,
                                                const mesaopt_settings *settings, const char *path,
                                                mesaopt_decoder **out);

/** The same from the bytes of such a file in memory, which are not kept.
 *  [scope: settings? DECODER; in: bytes[length]; keeps: model] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_decoder_open_from(mesaopt_model *model,
                                                     const mesaopt_settings *settings,
                                                     const void *bytes, int64_t length,
                                                     mesaopt_decoder **out);

/** Keeps a text of the caller's with the streams, as mesaopt_model_set_note does with a model.
 *  [in: text?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_decoder_set_note(mesaopt_decoder *decoder, const char *key,
                                                    const char *text);

/** Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call
 *  works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle,
 *  or freed before. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_decoder_free(mesaopt_decoder *decoder);

#ifdef __cplusplus
}
#endif
#endif
