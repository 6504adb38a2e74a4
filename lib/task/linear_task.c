/* task=linear: linear dynamics with W Haar orthogonal (a rotation or reflection), another one for
 * every sequence; clip +-10. Source: arXiv 2309.05858, section 3; docs/science.md, section 2. */
#include "task/linear_dynamics.h"

static void draw(const drawing *d)
{
    const linear_pieces p = linear_lay_out(d);
    d->k->orthogonal(d->k, d->task->seed, (uint32_t)d->stream, d->first, 0, d->task->shape.dim,
                     p.W, p.work);
    linear_run(d, p.W);
}

const task_kind linear_task = {10, linear_end, NULL, linear_scratch, draw};
