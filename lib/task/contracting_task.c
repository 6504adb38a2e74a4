/* task=contracting: linear dynamics with W = U diag(d) U^-1, U Gaussian, d_1 .. d_{n-1} uniform in
 * [0.3, 0.9), d_n = 0.9, all anew for every sequence; clip +-2. The columns of a Gaussian U are
 * exchangeable, so the paper's permutation of d changes no distribution and is left out.
 * Source: arXiv 2309.05858, appendix; docs/science.md, section 2. */
#include "task/linear_dynamics.h"

/* U [n][n][lane], d [n][lane] */
typedef struct pieces { linear_pieces linear; void *U, *d; } pieces;

static pieces take(arena *a, const kern *k, int64_t n)
{
    pieces p = {.linear = linear_take(a, k, n)};
    p.U = arena_take(a, n * n, k->width * k->size);
    p.d = arena_take(a, n, k->width * k->size);
    return p;
}

static int64_t scratch(const mesaopt_task *task, const kern *k)
{
    arena a = {0};
    take(&a, k, task->shape.dim);
    return a.used;
}

static void draw(const drawing *d)
{
    arena a = {.base = d->scratch};
    const int64_t n = d->task->shape.dim;
    const int64_t at = linear_lay_positions(n, d->task->shape.length).spectrum;
    const pieces p = take(&a, d->k, n);
    draw_normal(d, 0, n * n, 0, 1, p.U);
    draw_uniform(d, at, n - 1, .3, .9, p.d);
    draw_normal(d, at, 1, .9, 0, wide_at(d->k, p.d, n - 1));   /* .9 in every lane */
    d->k->similarity(d->k, n, p.U, p.d, p.linear.W, p.linear.work);
    linear_run(d, n, p.linear.W, d->x);
}

const task_kind contracting_task = {
    .clip = 2, .start = 1, .positions = linear_end, .scratch = scratch, .draw = draw};
