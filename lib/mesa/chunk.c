/* See chunk.h. */
#include "mesa/chunk.h"

mat chunk_space(mesa_worker *w, const tokens *s, int64_t C)
{
    return s->gamma.high ? take_rows(w, C + 1, C + 1) : (mat){NULL, 0, 0};
}

chunk chunk_at(const kern *k, const tokens *s, mat space, int64_t t, int64_t C)
{
    if (C > s->T - t) C = s->T - t;
    chunk c = {.t = t,
               .C = C,
               .K = rows_from(k, s->K, t),
               .beta = rows_from(k, s->beta, t)};
    if (!s->gamma.high) return c;
    const gates g = gates_from(k, s->gamma, t);
    k->decay(C, g.high, g.low, 1, space.p, space.rs);
    c.D = (mat){kern_at(k, space.p, 1), space.rs, 1};
    c.a = (mat){space.p, space.rs, 1};
    c.w = (mat){kern_at(k, space.p, (C - 1) * space.rs + 1), 1, 1};
    c.whole = (gates){kern_at(k, space.p, (C - 1) * space.rs), kern_at(k, space.p, C * space.rs)};
    return c;
}

mat chunk_weighted(const kern *k, int64_t C, int64_t n, mat c, mat X, void *space)
{
    if (!c.p) return X;
    k->row_scale(C, n, c.p, c.rs, X.p, X.rs, space, n);
    return dense(space, n);
}

void chunk_scores(const mesa_worker *w, const chunk *c, int64_t n, mat A, mat B, int more, mat S)
{
    product(w, TRI_C_LOWER, more, c->C, c->C, n, A, transposed(B), S);
    if (c->D.p) w->k->mask(c->C, c->D.p, c->D.rs, S.p, S.rs);
}
