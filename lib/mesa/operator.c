/* See operator.h. Source: arXiv 2506.05233 section 4; docs/science.md, section 3. */
#include "mesa/operator.h"

operation_space operation_take(arena *a, const kern *k, int64_t C, int64_t d)
{
    const int64_t real = k->lanes * k->size;
    operation_space s;
    s.BK = arena_take(a, C * d, real);
    s.scores = arena_take(a, C * C, real);
    s.weighted = arena_take(a, C * d, real);
    return s;
}

operation operation_of(const kern *k, const operation_space *space, int64_t d, const chunk *c,
                       const carried *H, const void *ridge)
{
    return (operation){d,
                       c,
                       H,
                       ridge,
                       chunk_weighted(k, c->C, d, c->beta, c->K, space->BK),
                       space->scores,
                       space->weighted};
}

void operation_apply(const kern *k, void *ps, const operation *o, mat X, mat Y)
{
    const chunk *c = o->c;
    const mat S = {o->scores, c->C, 1};
    k->product(k, ps, PRODUCT_LANE, TRI_NONE, 0, c->C, o->d, o->d,
               chunk_weighted(k, c->C, o->d, c->a, X, o->weighted), carried_mat(o->H), Y);
    chunk_scores(k, ps, c, o->d, X, c->K, 0, S);
    k->product(k, ps, PRODUCT_LANE, TRI_A_LOWER, 1, c->C, o->d, c->C, S, o->BK, Y);
    k->row_ridge(c->C, o->d, o->ridge, X.p, X.rs, Y.p, Y.rs);
}

void operation_advance(const kern *k, void *ps, const operation *o, carried *H)
{
    const chunk *c = o->c;
    carried_advance(k, ps, H, c->whole, c->C,
                    transposed(chunk_weighted(k, c->C, o->d, c->w, c->K, o->weighted)), o->BK);
}
