/* task=linear: linear dynamics with W Haar orthogonal (a rotation or reflection), another one for
 * every sequence; clip +-10. Source: arXiv 2309.05858, section 3; docs/science.md, section 2. */
#include "task/linear_dynamics.h"

static void draw(const drawing *d)
{
    arena a = {.base = d->scratch};
    const int64_t n = d->task->shape.dim;
    const linear_pieces p = linear_take(&a, d->k, n);
    linear_rotation(d, n, &p);
    linear_run(d, n, p.W, d->x);
}

const task_kind linear_task = {.clip = 10,
                               .start = 1,
                               .positions = linear_end,
                               .scratch = linear_scratch,
                               .draw = draw};
