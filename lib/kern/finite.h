/* Are all elements of a view finite? At the speed of memory where they are adjacent. */
#ifndef KERN_FINITE_H
#define KERN_FINITE_H

#include "kern/kern.h"
#include "tensor/view.h"

/* n adjacent elements, lanes counted; 1 also when the call is to end. */
int finite_run(const kern *k, const void *x, int64_t n);

/* As view_first_nonfinite; 0 also when the call is to end (ctx_stopped). */
int finite_check(const mesaopt_ctx *ctx, const mesaopt_view *view, int64_t *index);

/* MESAOPT_OK, MESAOPT_E_NONFINITE that names the first element of `name` that is not finite, or
 * MESAOPT_E_INTERRUPTED. */
mesaopt_status finite_require(mesaopt_ctx *ctx, const mesaopt_view *view, const char *name);

#endif
