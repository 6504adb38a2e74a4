/* Start, noise and recursion of linear dynamics; see linear_dynamics.h. */
#include "task/linear_dynamics.h"
#include <string.h>

linear_positions linear_lay_positions(int64_t n, int64_t T)
{
    linear_positions p;
    p.start = even(n * n);
    p.spectrum = p.start + even(n);
    p.noise = p.spectrum + even(n);
    p.end = p.noise + T * n;
    return p;
}

int64_t linear_end(const task_shape *s) { return linear_lay_positions(s->dim, s->length).end; }

linear_pieces linear_take(arena *a, const kern *k, int64_t n)
{
    const int64_t vector = k->width * k->size;
    linear_pieces p;
    p.W = arena_take(a, n * n, vector);
    p.work = arena_take(a, 2 * n * n + n, vector);
    return p;
}

int64_t linear_scratch(const mesaopt_task *task, const kern *k)
{
    arena a = {0};
    linear_take(&a, k, task->shape.dim);
    return a.used;
}

void linear_rotation(const drawing *d, int64_t n, const linear_pieces *p)
{
    d->k->orthogonal(d->k, d->task->seed, (uint32_t)d->stream, d->first, 0, n, p->W, p->work);
}

void linear_start(const drawing *d, int64_t n, void *x)
{
    const int64_t T = d->task->shape.length;
    const linear_positions at = linear_lay_positions(n, T);
    draw_uniform(d, at.start, n, -d->task->start, d->task->start, x);
    draw_noise(d, at.noise, T * n, d->task->noise, wide_at(d->k, x, n));
}

void linear_run(const drawing *d, int64_t n, const void *W, void *x)
{
    linear_start(d, n, x);
    d->k->recursion(d->k, n, d->task->shape.length, W, d->task->clip, x);
}
