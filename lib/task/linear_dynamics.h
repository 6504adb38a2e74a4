/* What the tasks with linear dynamics of n numbers share; they differ in W (docs/science.md,
 * section 2):
 *
 *     x_1 ~ U[-start, start]^n, neither noised nor clipped
 *     x_{t+1} = clip(W x_t + noise N(0, I)),  t = 1..T;  the clipped value is fed back
 *
 * Positions of a sequence: n^2 Gaussians of W, x_1, n numbers of a spectrum, noise. */
#ifndef TASK_LINEAR_DYNAMICS_H
#define TASK_LINEAR_DYNAMICS_H

#include "task/generated.h"

typedef struct linear_positions { int64_t start, spectrum, noise, end; } linear_positions;
linear_positions linear_lay_positions(int64_t n, int64_t T);

/* W [n][n][lane]; work of the kernels that make it. */
typedef struct linear_pieces { void *W, *work; } linear_pieces;
linear_pieces linear_take(arena *a, const kern *k, int64_t n);

/* Of a task_kind that shows the state, n = dim, and takes nothing else. */
int64_t linear_end(const task_shape *s);
int64_t linear_scratch(const mesaopt_task *task, const kern *k);

void linear_rotation(const drawing *d, int64_t n, const linear_pieces *p);     /* W Haar */
/* x [T+1][n]: x_1, and in the other rows their noise. */
void linear_start(const drawing *d, int64_t n, void *x);
void linear_run(const drawing *d, int64_t n, const void *W, void *x);  /* start, recursion */

#endif
