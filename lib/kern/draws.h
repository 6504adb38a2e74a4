/* Random draws into views; row i along the first axis is sequence first + i (base/philox.h), its
 * elements in row-major order are its positions. */
#ifndef KERN_DRAWS_H
#define KERN_DRAWS_H

#include "kern/kern.h"
#include "tensor/view.h"

/* `out`: rank >= 1, f32 or f64, valid as an output, at most PHILOX_POSITIONS elements per row. In
 * parallel; nothing is allocated. The caller looks with ctx_stopped afterwards. */
void draw_uniform(mesaopt_ctx *ctx, uint64_t seed, uint32_t stream, uint64_t first, double low,
                  double high, const mesaopt_view *out);
void draw_normal(mesaopt_ctx *ctx, uint64_t seed, uint32_t stream, uint64_t first, double mean,
                 double sd, const mesaopt_view *out);

/* `out` [N, n, n]: Haar. MESAOPT_E_MEMORY with the text set; the caller looks with ctx_stopped
 * afterwards. */
mesaopt_status draw_orthogonal(mesaopt_ctx *ctx, uint64_t seed, uint32_t stream, uint64_t first,
                               const mesaopt_view *out);

#endif
