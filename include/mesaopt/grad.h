/* mesaopt/grad.h: compares a gradient, of the library or of the user, with finite differences.
 *
 * Use:
 *     mesaopt_view_dense(x, MESAOPT_F64, 1, &n, &parameters);
 *     mesaopt_view_dense(g, MESAOPT_F64, 1, &n, &gradient);  // that is claimed
 *     mesaopt_grad_check(ctx, my_loss, user, &parameters, &gradient, 1e-5, &error);
 */
#ifndef MESAOPT_GRAD_H
#define MESAOPT_GRAD_H

#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Writes the loss at the present values of the checked tensor; non-zero return: it failed. It may
 *  call the library on the same context. Since 0.1. */
typedef int32_t (*mesaopt_loss_fn)(double *loss, void *user);

/** Moves every element of `x` (f32 or f64) by +-h and +-2h in turn, takes the fourth-order central
 *  difference (8 (L(+h) - L(-h)) - (L(+2h) - L(-2h))) / 12h, puts the element back bit for bit, and
 *  writes to `error` the norm of (difference - gradient) over the larger of their norms (0 when
 *  both are 0). `gradient` has the shape of x. h > 0; 1e-3 suits f64. MESAOPT_E_SOURCE when the
 *  callback failed.
 *  [calls: loss; inout: x; in: gradient; out: error] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_grad_check(mesaopt_ctx *ctx, mesaopt_loss_fn loss, void *user,
                                              const mesaopt_view *x, const mesaopt_view *gradient,
                                              double h, double *error);

#ifdef __cplusplus
}
#endif
#endif
