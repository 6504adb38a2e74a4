/* Start, noise and recursion of linear dynamics; see linear_dynamics.h. */
#include "task/linear_dynamics.h"
#include <string.h>

linear_positions linear_lay_positions(const task_shape *s)
{
    linear_positions p;
    p.start = even(s->dim * s->dim);
    p.spectrum = p.start + even(s->dim);
    p.noise = p.spectrum + even(s->dim);
    p.end = p.noise + s->length * s->dim;
    return p;
}

int64_t linear_end(const task_shape *s) { return linear_lay_positions(s).end; }

static linear_pieces lay_out(arena *a, const mesaopt_task *task, const kern *k)
{
    const int64_t n = task->shape.dim, vector = k->width * k->size;
    linear_pieces p;
    p.W = arena_take(a, n * n, vector);
    p.work = arena_take(a, 2 * n * n + n, vector);
    p.U = arena_take(a, n * n, vector);
    p.d = arena_take(a, n, vector);
    return p;
}

int64_t linear_scratch(const mesaopt_task *task, const kern *k)
{
    arena a = {0};
    lay_out(&a, task, k);
    return a.used;
}

linear_pieces linear_lay_out(const drawing *d)
{
    arena a = {.base = d->scratch};
    return lay_out(&a, d->task, d->k);
}

void linear_run(const drawing *d, const void *W)
{
    const kern *k = d->k;
    const int64_t n = d->task->shape.dim, T = d->task->shape.length;
    const linear_positions at = linear_lay_positions(&d->task->shape);
    void *noise = wide_at(k, d->x, n);
    draw_uniform(d, at.start, n, -1, 1, d->x);
    if (d->task->noise > 0) draw_normal(d, at.noise, T * n, 0, d->task->noise, noise);
    else memset(noise, 0, (size_t)(T * n * k->width * k->size));
    k->recursion(k, n, T, W, d->task->clip, d->x);
}
