/* See state.h. */
#include "mesa/state.h"
#include "kern/dense.h"

state state_take_in(mesa_worker *w, int64_t T, int64_t rows, int64_t cols, void *place)
{
    state s = {.rows = rows, .cols = cols, .own = place ? place : take(w, rows * cols)};
    s.now = s.own;
    if (T == 1 && w->k->size == 8 && w->k->lanes > 1) return s;
    s.own_low = take(w, rows * cols);
    s.added = take(w, rows * cols);
    return s;
}

state state_take(mesa_worker *w, int64_t rows, int64_t cols)
{
    return state_take_in(w, INT64_MAX, rows, cols, NULL);
}

void state_set(const kern *k, state *s, const void *from)
{
    s->now = from ? (void *)from : s->own;
    s->low = NULL;
    if (!from) memset(s->own, 0, bytes_of(k, s->rows, s->cols));
}

enum { PIECE = 64 };               /* tokens that one product sums, in the digits of its type */

/* Columns of A from i on. */
static mat steps_from(const kern *k, mat A, int64_t i)
{
    return transposed(rows_from(k, transposed(A), i));
}

/* X <- a X + added, `count` elements from element `at` on. */
static void carry(const kern *k, const state *s, gates a, int64_t at, int64_t count)
{
    k->carry(count, a.high, a.low, kern_at(k, s->added, at), kern_at(k, s->now, at),
             s->low ? kern_at(k, s->low, at) : NULL, kern_at(k, s->own, at),
             kern_at(k, s->own_low, at));
}

static void moved(state *s) { s->now = s->own, s->low = s->own_low; }

/* TRI_C_LOWER: of a square X only what is on and below the diagonal. */
static void advance(const mesa_worker *w, state *s, enum triangle tri, gates a, int64_t K, mat A,
                    mat B)
{
    enum { WHOLE = 16 };                               /* numbers of a vector: what is more is
                                                          above the diagonal, and nothing's */
    const kern *k = w->k;
    const int64_t rows = s->rows, cols = s->cols;
    for (int64_t i = 0; i < K; i += PIECE, a = (gates){NULL, NULL}) {
        product(w, tri, 0, rows, cols, least(PIECE, K - i), steps_from(k, A, i),
                rows_from(k, B, i), dense(s->added, cols));
        if (tri == TRI_NONE) carry(k, s, a, 0, rows * cols);
        for (int64_t r = 0; tri == TRI_C_LOWER && r < rows; r++)
            carry(k, s, a, r * cols, least(cols, (r / WHOLE + 1) * WHOLE));
        moved(s);
    }
}

void state_advance(const mesa_worker *w, state *s, gates a, int64_t K, mat A, mat B)
{
    const kern *k = w->k;
    if (!s->own_low) {                                 /* a decoder's token: X is read once and
                                                          written once */
        k->rank_one_twice(s->rows, s->cols, a.high, a.low, NULL, s->now, A.p, A.rs, B.p, B.cs,
                          s->own);
        moved(s);
        return;
    }
    advance(w, s, TRI_NONE, a, K, A, B);
}

void state_advance_symmetric(const mesa_worker *w, state *s, gates a, int64_t K, mat A, mat B,
                             void *outer)
{
    const kern *k = w->k;
    if (s->now == outer) s->now = memcpy(s->own, outer, bytes_of(k, s->rows, s->cols));
    for (int64_t i = 0; i < K; i += PIECE, a = (gates){NULL, NULL}) {
        product(w, TRI_NONE, 0, s->rows, s->cols, least(PIECE, K - i), steps_from(k, A, i),
                rows_from(k, B, i), dense(outer, s->cols));
        memset(s->added, 0, bytes_of(k, s->rows, s->cols));
        k->add_transposed(s->rows, outer, s->added);
        carry(k, s, a, 0, s->rows * s->cols);
        moved(s);
    }
}

void state_advance_lower(const mesa_worker *w, state *s, gates a, int64_t K, mat A, mat B)
{
    advance(w, s, TRI_C_LOWER, a, K, A, B);
}

void state_mirror(const kern *k, state *s)
{
    if (s->now != s->own) return;                      /* what it was set from has both */
    dense_mirror(s->rows, k->size, s->now);
    if (s->low) dense_mirror(s->rows, k->size, s->low);
}

void state_copy(const kern *k, const state *from, state *to)
{
    const size_t bytes = bytes_of(k, to->rows, to->cols);
    to->now = memcpy(to->own, from->now, bytes);
    to->low = from->low ? memcpy(to->own_low, from->low, bytes) : NULL;
}

void state_get(const kern *k, const state *s, void *out)
{
    if (out != s->now) memcpy(out, s->now, bytes_of(k, s->rows, s->cols));
}
