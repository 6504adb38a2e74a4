/* See chunk.h. */
#include "mesa/chunk.h"
#include <string.h>

mat chunk_space(arena *a, const kern *k, int gates, int64_t C)
{
    if (!gates) return (mat){NULL, 0, 0};
    return (mat){arena_take(a, C * (C + 1), k->lanes * k->size), C + 1, 1};
}

chunk chunk_at(const kern *k, const stream *s, mat space, int64_t t, int64_t C)
{
    chunk c = {.t = t,
               .C = C,
               .K = rows_from(k, s->K, t),
               .beta = rows_from(k, s->beta, t),
               .whole = {NULL, 1}};
    if (!s->high.p) return c;
    const mat high = rows_from(k, s->high, t), low = rows_from(k, s->low, t);
    k->decay(C, high.p, low.p, high.rs, space.p, space.rs);
    c.D = (mat){kern_at(k, space.p, 1), space.rs, 1};
    c.a = (mat){space.p, space.rs, 1};
    c.whole.lanes = kern_at(k, space.p, (C - 1) * space.rs);
    if (k->lanes == 1) c.whole.one = gates_product(k, C, high, low);
    c.w = (mat){kern_at(k, c.whole.lanes, 1), 1, 1};
    return c;
}

mat chunk_weighted(const kern *k, int64_t C, int64_t n, mat c, mat X, void *space)
{
    if (!c.p) return X;
    k->row_scale(C, n, c.p, c.rs, X.p, X.rs, space, n);
    return (mat){space, n, 1};
}

void chunk_scores(const kern *k, void *ps, const chunk *c, int64_t n, mat A, mat B, int more, mat S)
{
    k->product(k, ps, PRODUCT_LANE, TRI_C_LOWER, more, c->C, c->C, n, A, transposed(B), S);
    if (c->D.p) k->mask(c->C, c->D.p, c->D.rs, S.p, S.rs);
}

void rows_copy(const kern *k, int64_t C, int64_t n, mat from, mat to)
{
    for (int64_t i = 0; i < C; i++)
        memcpy(kern_at(k, to.p, i * to.rs), kern_at(k, from.p, i * from.rs), bytes_of(k, 1, n));
}
