/* See state.h. */
#include "mesa/state.h"
#include "kern/dense.h"

state state_take(mesa_worker *w, int64_t rows, int64_t cols)
{
    state s = {rows, cols, take(w, rows * cols), NULL, NULL};
    if (w->k->lanes > 1) return s;
    s.exact = arena_take(&w->memory, rows * cols, sizeof(double));
    s.added = take(w, rows * cols);
    return s;
}

state state_take_in(mesa_worker *w, int64_t rows, int64_t cols, void *place)
{
    if (w->k->lanes > 1 && place) return (state){rows, cols, place, NULL, NULL};
    return state_take(w, rows, cols);
}

void state_set(const kern *k, state *s, const void *from)
{
    const int64_t n = s->rows * s->cols;
    if (from == s->now && k->lanes > 1) return;
    if (from) memcpy(s->now, from, bytes_of(k, s->rows, s->cols));
    else memset(s->now, 0, bytes_of(k, s->rows, s->cols));
    if (k->lanes > 1) return;
    memset(s->exact, 0, (size_t)n * sizeof(double));
    k->carry(n, 0, s->now, s->exact, s->now);
}

void state_advance(const mesa_worker *w, state *s, decay a, int64_t K, mat A, mat B)
{
    const kern *k = w->k;
    const int64_t n = s->rows * s->cols;
    if (k->lanes > 1) {
        if (a.lanes) k->row_scale(1, n, a.lanes, 1, s->now, n, s->now, n);
        product(w, TRI_NONE, 1, s->rows, s->cols, K, A, B, state_mat(s));
    } else {
        product(w, TRI_NONE, 0, s->rows, s->cols, K, A, B, dense(s->added, s->cols));
        k->carry(n, a.one, s->added, s->exact, s->now);
    }
}

void state_advance_symmetric(const mesa_worker *w, state *s, decay a, int64_t K, mat A, mat B,
                             void *outer)
{
    const kern *k = w->k;
    const int64_t n = s->rows * s->cols;
    product(w, TRI_NONE, 0, s->rows, s->cols, K, A, B, dense(outer, s->cols));
    if (k->lanes > 1) {
        if (a.lanes) k->row_scale(1, n, a.lanes, 1, s->now, n, s->now, n);
        k->add_transposed(s->rows, outer, s->now);
    } else {
        memset(s->added, 0, bytes_of(k, s->rows, s->cols));
        k->add_transposed(s->rows, outer, s->added);
        k->carry(n, a.one, s->added, s->exact, s->now);
    }
}

void state_advance_lower(const mesa_worker *w, state *s, decay a, int64_t K, mat A, mat B, void *to)
{
    const kern *k = w->k;
    const int64_t d = s->rows;
    product(w, TRI_C_LOWER, 0, d, d, K, A, B, dense(s->added, d));
    for (int64_t i = 0; i < d; i++)
        k->carry(i + 1, a.one, kern_at(k, s->added, i * d), s->exact + i * d,
                 kern_at(k, to, i * d));
    s->now = to;
}

void state_mirror(const kern *k, state *s)
{
    dense_mirror(s->rows, k->size, s->now);
    dense_mirror(s->rows, sizeof(double), s->exact);
}

void state_copy(const kern *k, const state *from, state *to)
{
    memcpy(to->now, from->now, bytes_of(k, to->rows, to->cols));
    if (k->lanes == 1)
        memcpy(to->exact, from->exact, (size_t)(to->rows * to->cols) * sizeof(double));
}

void state_get(const kern *k, const state *s, void *out)
{
    if (out != s->now) memcpy(out, s->now, bytes_of(k, s->rows, s->cols));
}
