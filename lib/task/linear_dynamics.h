/* What the tasks with linear dynamics share; they differ in W (docs/science.md, section 2):
 *
 *     x_1 ~ U[-1, 1]^n, neither noised nor clipped
 *     x_{t+1} = clip(W x_t + noise N(0, I)),  t = 1..T;  the clipped value is fed back
 *
 * Positions of a sequence: n^2 Gaussians of W, x_1, n numbers of a spectrum, noise. */
#ifndef TASK_LINEAR_DYNAMICS_H
#define TASK_LINEAR_DYNAMICS_H

#include "task/generated.h"

typedef struct linear_positions { int64_t start, spectrum, noise, end; } linear_positions;
linear_positions linear_lay_positions(const task_shape *s);

/* Scratch: W, U [n][n][lane], d [n][lane]; work of the kernels that make W. */
typedef struct linear_pieces { void *W, *work, *U, *d; } linear_pieces;
linear_pieces linear_lay_out(const drawing *d);

/* Of a task_kind. */
int64_t linear_end(const task_shape *s);
int64_t linear_scratch(const mesaopt_task *task, const kern *k);

void linear_run(const drawing *d, const void *W);      /* fills d->x */

#endif
