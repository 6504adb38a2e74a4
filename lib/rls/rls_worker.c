/* Extents and scratch: see worker.h. */
#include "rls/rls_worker.h"
#include "kern/dense.h"

rls_plan rls_plan_of(const kern *k, int64_t d, int64_t dv, int64_t window)
{
    const int64_t rows = d < 48 ? 16 : d < 96 ? 32 : 64;
    return (rls_plan){k, d, dv, window, rows, window > 0 ? window : 2 * d + rows};
}

static int64_t product_scratch(const rls_plan *p)
{
    const int64_t side = p->d > p->dv ? p->d : p->dv, depth = p->d > p->rows ? p->d : p->rows;
    return kern_product_scratch_up_to(p->k, side, depth);  /* those of dense.h are no deeper than d
                                                            */
}

rls_worker rls_worker_take(const rls_plan *p, arena *a)
{
    const int64_t d = p->d, dv = p->dv, n = p->rows;
    rls_worker w = {.p = p};
    w.product = arena_take(a, product_scratch(p), 1);
    w.dense = arena_take(a, dense_scratch(p->k, d, d > dv ? d : dv), 1);
    w.U = take_reals(a, d * d), w.inverse = take_reals(a, d * d);
    w.weighted = take_reals(a, n * d), w.dots = take_reals(a, 2 * n);
    w.given = take_reals(a, 2 * d), w.turned = take_reals(a, 2 * d);
    w.residual = take_reals(a, d), w.solved = take_reals(a, d);
    w.direction = take_reals(a, d), w.M_direction = take_reals(a, d);
    w.A_direction = take_reals(a, d);
    w.defect = take_reals(a, d), w.correction = take_reals(a, d);
    w.St = take_reals(a, d * dv), w.HD = take_reals(a, d * dv), w.rest = take_reals(a, n * dv);
    w.total = take_reals(a, dv), w.left = take_reals(a, dv), w.now = take_reals(a, dv);
    w.key = take_reals(a, d), w.query = take_reals(a, d);
    w.value = take_reals(a, dv), w.out = take_reals(a, dv), w.error = take_reals(a, dv);
    return w;
}
