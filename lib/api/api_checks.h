/* Checks that more than one header takes: of a number, and of the elements of views, which name the
 * argument, the element and its place; MESAOPT_E_NONFINITE for NaN and for infinities out of range,
 * MESAOPT_E_ARGUMENT for other numbers. */
#ifndef API_CHECKS_H
#define API_CHECKS_H

#include "tensor/view.h"

/* mesaopt_tensor_wrap inside a call: api_tensor.c. */
mesaopt_status tensor_wrap(mesaopt_ctx *ctx, const mesaopt_view *view, mesaopt_release_fn release,
                           void *user, mesaopt_tensor **out);

mesaopt_status check_extent(mesaopt_ctx *ctx, int64_t x, int64_t low, int64_t high,
                            const char *name);

double check_most(const mesaopt_view *v);        /* the largest number of its type */
mesaopt_status check_range(mesaopt_ctx *ctx, const mesaopt_view *v, const char *name, double low,
                           double high, const char *expected);
mesaopt_status check_finite(mesaopt_ctx *ctx, const mesaopt_view *v, const char *name);
mesaopt_status check_beta(mesaopt_ctx *ctx, const mesaopt_view *v);              /* 0..1 */
/* of steps: 0..1e30 */
mesaopt_status check_weights(mesaopt_ctx *ctx, const mesaopt_view *v);
/* <= 0, also -inf */
mesaopt_status check_log_gamma(mesaopt_ctx *ctx, const mesaopt_view *v);
/* a positive normal number */
mesaopt_status check_ridge(mesaopt_ctx *ctx, const mesaopt_view *v);

/* Matrices [.., d, d] of rank >= 2: finite, symmetric to rounding, no negative diagonal. */
mesaopt_status check_symmetric(mesaopt_ctx *ctx, const mesaopt_view *v, const char *name);

#endif
