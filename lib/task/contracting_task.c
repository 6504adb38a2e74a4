/* task=contracting: linear dynamics with W = U diag(d) U^-1, U Gaussian, d_1 .. d_{n-1} uniform in
 * [0.3, 0.9), d_n = 0.9, all anew for every sequence; clip +-2. The columns of a Gaussian U are
 * exchangeable, so the paper's permutation of d changes no distribution and is left out.
 * Source: arXiv 2309.05858, appendix; docs/science.md, section 2. */
#include "task/linear_dynamics.h"

static void draw(const drawing *d)
{
    const int64_t n = d->task->shape.dim, at = linear_lay_positions(&d->task->shape).spectrum;
    const linear_pieces p = linear_lay_out(d);
    draw_normal(d, 0, n * n, 0, 1, p.U);
    draw_uniform(d, at, n - 1, .3, .9, p.d);
    draw_normal(d, at, 1, .9, 0, wide_at(d->k, p.d, n - 1));   /* .9 in every lane */
    d->k->similarity(d->k, n, p.U, p.d, p.W, p.work);
    linear_run(d, p.W);
}

const task_kind contracting_task = {2, linear_end, NULL, linear_scratch, draw};
