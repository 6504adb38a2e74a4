/* See state.h. */
#include "mesa/state.h"
#include "kern/dense.h"
#include <math.h>

/* Doubles of `exact` for a number: f64 has two, the second of what is behind the first one's last
 * digit. */
static int64_t exact_numbers(const kern *k) { return k->size == 8 ? 2 : 1; }

/* One lane: exact <- a exact + added, and its rounding. What rounds in f64 is the sum in long
 * double, which has at least eleven digits more where it has any. */
static void carry(const kern *k, int64_t n, long double a, const void *added, double *exact,
                  void *now)
{
    const double *x = added;
    double *y = now;
    if (k->size == 4) k->carry(n, (double)a, added, exact, now);
    for (int64_t i = 0; k->size == 8 && i < n; i++, exact += 2) {
        const long double sum =
            a * ((long double)exact[0] + (long double)exact[1]) + (long double)x[i];
        y[i] = exact[0] = (double)sum;
        exact[1] = isfinite(y[i]) ? (double)(sum - (long double)y[i]) : 0;
    }
}

state state_take_in(mesa_worker *w, int64_t rows, int64_t cols, void *place)
{
    const int panel = w->k->lanes > 1;
    void *own = panel && place ? place : take(w, rows * cols);
    state s = {rows, cols, own, own, NULL, NULL};
    if (panel) return s;
    s.exact = arena_take(&w->memory, rows * cols * exact_numbers(w->k), sizeof(double));
    s.added = take(w, rows * cols);
    return s;
}

state state_take(mesa_worker *w, int64_t rows, int64_t cols)
{
    return state_take_in(w, rows, cols, NULL);
}

void state_set(const kern *k, state *s, const void *from)
{
    const int64_t n = s->rows * s->cols;
    s->now = from && k->lanes > 1 ? (void *)from : s->own;
    if (!from) memset(s->own, 0, bytes_of(k, s->rows, s->cols));
    if (k->lanes > 1) return;
    if (from) memcpy(s->own, from, bytes_of(k, s->rows, s->cols));
    memset(s->exact, 0, (size_t)(n * exact_numbers(k)) * sizeof(double));
    carry(k, n, 0, s->now, s->exact, s->now);
}

/* A panel's X <- a X, in the place of its own. */
static void decay_own(const kern *k, state *s, const void *a)
{
    const int64_t n = s->rows * s->cols;
    if (a) k->row_scale(1, n, a, 1, s->now, n, s->own, n);
    else if (s->now != s->own) memcpy(s->own, s->now, bytes_of(k, s->rows, s->cols));
    s->now = s->own;
}

void state_advance(const mesa_worker *w, state *s, decay a, int64_t K, mat A, mat B)
{
    const kern *k = w->k;
    if (k->lanes == 1) {
        product(w, TRI_NONE, 0, s->rows, s->cols, K, A, B, dense(s->added, s->cols));
        carry(k, s->rows * s->cols, a.one, s->added, s->exact, s->now);
    } else if (k->size == 8 && K == 1) {               /* a token of a decoder: X is read once and
                                                          written once */
        k->rank_one_twice(s->rows, s->cols, a.lanes, NULL, NULL, s->now, A.p, A.rs, B.p, B.cs,
                          s->own);
        s->now = s->own;
    } else {
        decay_own(k, s, a.lanes);
        product(w, TRI_NONE, 1, s->rows, s->cols, K, A, B, state_mat(s));
    }
}

void state_advance_symmetric(const mesa_worker *w, state *s, decay a, int64_t K, mat A, mat B,
                             void *outer)
{
    const kern *k = w->k;
    if (k->lanes > 1) decay_own(k, s, a.lanes);        /* it may have been set from `outer` */
    product(w, TRI_NONE, 0, s->rows, s->cols, K, A, B, dense(outer, s->cols));
    if (k->lanes > 1) {
        k->add_transposed(s->rows, outer, s->now);
    } else {
        memset(s->added, 0, bytes_of(k, s->rows, s->cols));
        k->add_transposed(s->rows, outer, s->added);
        carry(k, s->rows * s->cols, a.one, s->added, s->exact, s->now);
    }
}

void state_advance_lower(const mesa_worker *w, state *s, decay a, int64_t K, mat A, mat B, void *to)
{
    const kern *k = w->k;
    const int64_t d = s->rows;
    product(w, TRI_C_LOWER, 0, d, d, K, A, B, dense(s->added, d));
    for (int64_t i = 0; i < d; i++)
        carry(k, i + 1, a.one, kern_at(k, s->added, i * d), s->exact + i * d * exact_numbers(k),
              kern_at(k, to, i * d));
    s->now = to;
}

void state_mirror(const kern *k, state *s)
{
    dense_mirror(s->rows, k->size, s->now);
    dense_mirror(s->rows, exact_numbers(k) * (int64_t)sizeof(double), s->exact);
}

void state_copy(const kern *k, const state *from, state *to)
{
    to->now = to->own;
    memcpy(to->now, from->now, bytes_of(k, to->rows, to->cols));
    if (k->lanes == 1)
        memcpy(to->exact, from->exact,
               (size_t)(to->rows * to->cols * exact_numbers(k)) * sizeof(double));
}

void state_get(const kern *k, const state *s, void *out)
{
    if (out != s->now) memcpy(out, s->now, bytes_of(k, s->rows, s->cols));
}
