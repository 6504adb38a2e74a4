/* See carried.h. */
#include "mesa/carried.h"
#include "kern/dense.h"
#include <string.h>

carried carried_take(arena *a, const kern *k, int64_t rows, int64_t cols)
{
    carried c = {rows, cols, arena_take(a, rows * cols, k->lanes * k->size), NULL, NULL};
    if (k->lanes > 1) return c;
    c.exact = arena_take(a, rows * cols, sizeof(double));
    c.added = arena_take(a, rows * cols, k->size);
    return c;
}

void carried_set(const kern *k, carried *c, const void *from)
{
    const int64_t n = c->rows * c->cols;
    if (from) memcpy(c->now, from, bytes_of(k, c->rows, c->cols));
    else memset(c->now, 0, bytes_of(k, c->rows, c->cols));
    if (k->lanes > 1) return;
    memset(c->exact, 0, (size_t)n * sizeof(double));
    k->carry(n, 0, c->now, c->exact, c->now);
}

void carried_advance(const kern *k, void *ps, carried *c, decays a, int64_t K, mat A, mat B)
{
    const int64_t n = c->rows * c->cols;
    if (k->lanes > 1) {
        if (a.lanes) k->row_scale(1, n, a.lanes, 1, c->now, n, c->now, n);
        k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, c->rows, c->cols, K, A, B, carried_mat(c));
    } else {
        k->product(k, ps, PRODUCT_LANE, TRI_NONE, 0, c->rows, c->cols, K, A, B,
                   (mat){c->added, c->cols, 1});
        k->carry(n, a.one, c->added, c->exact, c->now);
    }
}

void carried_advance_symmetric(const kern *k, void *ps, carried *c, decays a, int64_t K, mat A,
                               mat B, void *outer)
{
    const int64_t n = c->rows * c->cols;
    k->product(k, ps, PRODUCT_LANE, TRI_NONE, 0, c->rows, c->cols, K, A, B,
               (mat){outer, c->cols, 1});
    if (k->lanes > 1) {
        if (a.lanes) k->row_scale(1, n, a.lanes, 1, c->now, n, c->now, n);
        k->add_transposed(c->rows, outer, c->now);
    } else {
        memset(c->added, 0, bytes_of(k, c->rows, c->cols));
        k->add_transposed(c->rows, outer, c->added);
        k->carry(n, a.one, c->added, c->exact, c->now);
    }
}

void carried_advance_lower(const kern *k, void *ps, carried *c, decays a, int64_t K, mat A, mat B,
                           void *to)
{
    const int64_t d = c->rows;
    k->product(k, ps, PRODUCT_LANE, TRI_C_LOWER, 0, d, d, K, A, B, (mat){c->added, d, 1});
    for (int64_t i = 0; i < d; i++)
        k->carry(i + 1, a.one, kern_at(k, c->added, i * d), c->exact + i * d,
                 kern_at(k, to, i * d));
    c->now = to;
}

void carried_mirror(const kern *k, carried *c)
{
    dense_mirror(c->rows, k->size, c->now);
    dense_mirror(c->rows, sizeof(double), c->exact);
}

void carried_copy(const kern *k, const carried *from, carried *to)
{
    memcpy(to->now, from->now, bytes_of(k, to->rows, to->cols));
    if (k->lanes == 1)
        memcpy(to->exact, from->exact, (size_t)(to->rows * to->cols) * sizeof(double));
}

void carried_get(const kern *k, const carried *c, void *out)
{
    memcpy(out, c->now, bytes_of(k, c->rows, c->cols));
}

double gates_product(const kern *k, int64_t C, mat high, mat low)
{
    double a = 1;
    for (int64_t i = 0; high.p && i < C; i++) {
        const int64_t at = i * high.rs;
        a *= k->size == 4 ? (double)((const float *)high.p)[at] + (double)((const float *)low.p)[at]
                          : ((const double *)high.p)[at] + ((const double *)low.p)[at];
    }
    return a;
}
