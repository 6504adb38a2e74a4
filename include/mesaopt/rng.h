/* mesaopt/rng.h: counter-based random numbers: Philox4x32-10, equal to Random123 bit for bit.
 *
 * A draw is a pure function of (seed, stream, index): there is no hidden state, any part can be
 * drawn alone, and the f32 and f64 draws are the same real numbers to rounding.
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
 *
 * Use:
 *     mesaopt_view_dense(x, MESAOPT_F64, 2, (const int64_t[]){100, 10}, &out);
 *     mesaopt_rng_normal(ctx, 42, 0, 0, 0, 1, &out);         // seed, stream, first, mean, sd
 */
#ifndef MESAOPT_RNG_H
#define MESAOPT_RNG_H

#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One Philox4x32-10 block: four counter words and two key words in, four random words out.
 *  [in: counter[4], key[2]; out: out[4]] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_rng_philox(const uint32_t *counter, const uint32_t *key,
                                              uint32_t *out);

/** Fills `out` [N, ...] (f32 or f64, strided) with U[low, high): row i along the first axis is a
 *  pure function of (seed, stream, first + i). Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_rng_uniform(mesaopt_ctx *ctx, uint64_t seed, uint32_t stream,
                                               uint64_t first, double low, double high,
                                               const mesaopt_view *out);

/** Fills `out` [N, ...] with N(mean, sd^2); rows as in mesaopt_rng_uniform. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_rng_normal(mesaopt_ctx *ctx, uint64_t seed, uint32_t stream,
                                              uint64_t first, double mean, double sd,
                                              const mesaopt_view *out);

/** Fills `out` [N, n, n] with Haar-distributed orthogonal matrices (QR of a Gaussian, signs fixed
 *  by diag R > 0). Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_rng_orthogonal(mesaopt_ctx *ctx, uint64_t seed, uint32_t stream,
                                                  uint64_t first, const mesaopt_view *out);

#ifdef __cplusplus
}
#endif
#endif
