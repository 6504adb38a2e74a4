/* See norm.h. */
#include "nn/norm.h"
#include <string.h>

normed norm_lay_out(arena *a, const kern *k, int64_t T, int64_t D)
{
    return (normed){arena_take(a, T * D, k->lanes * k->size), arena_take(a, T, k->lanes * k->size)};
}

static const void *row_of(const pass *p, const parameter *row)
{
    return row ? param_mat(p->k, p->params, row).p : NULL;
}

void norm_forward(const pass *p, const norm *n, const normed *r, const void *x, void *y)
{
    const int64_t D = n->gain->cols;
    p->k->row_normal(p->T, D, n->centre, n->epsilon, x, r->hat, r->inverse);
    p->k->row_affine(p->T, D, row_of(p, n->gain), row_of(p, n->bias), r->hat, y);
}

void norm_back(const pass *p, const norm *n, const normed *r, const void *dy, void *dx,
               void *scratch)
{
    const kern *k = p->k;
    const int64_t D = n->gain->cols;
    const pass sum = {.k = k, .T = 1, .grads = p->grads, .product_scratch = p->product_scratch};
    memset(scratch, 0, (size_t)(D * k->lanes * k->size));
    if (p->grads) k->column_dot(p->T, D, dy, D, r->hat, D, scratch);   /* y = gain h + bias */
    rows_sum(&sum, n->gain, (mat){scratch, D, 1});
    if (n->bias) rows_sum(p, n->bias, (mat){(void *)dy, D, 1});
    if (dx) k->row_normal_back(p->T, D, n->centre, r->hat, r->inverse, row_of(p, n->gain), dy, dx);
}
