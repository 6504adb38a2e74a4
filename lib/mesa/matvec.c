/* See matvec.h. */
#include "mesa/matvec.h"

matvec matvec_take(mesa_worker *w, const tokens *s, int64_t C, const void *ridge, state *H)
{
    matvec A = {.s = s, .ridge = ridge, .H = H, .D = chunk_space(w, s, C)};
    A.keys = take(w, C * s->d);
    A.scores = take(w, C * C);
    A.weighted = take(w, C * s->d);
    return A;
}

void matvec_begin(const kern *k, matvec *A, int64_t t, int64_t C)
{
    A->c = chunk_at(k, A->s, A->D, t, C);
    A->BK = chunk_weighted(k, A->c.C, A->s->d, A->c.beta, A->c.K, A->keys);
}

void matvec_apply(const mesa_worker *w, const matvec *A, mat X, mat Y)
{
    const chunk *c = &A->c;
    const int64_t C = c->C, d = A->s->d;
    const mat S = dense(A->scores, C);
    product(w, TRI_NONE, 0, C, d, d, chunk_weighted(w->k, C, d, c->a, X, A->weighted),
            state_mat(A->H), Y);
    chunk_scores(w, c, d, X, c->K, 0, S);
    product(w, TRI_A_LOWER, 1, C, d, C, S, A->BK, Y);
    w->k->row_ridge(C, d, A->ridge, X.p, X.rs, Y.p, Y.rs);
}

void matvec_advance(const mesa_worker *w, const matvec *A)
{
    const chunk *c = &A->c;
    const mat wK = chunk_weighted(w->k, c->C, A->s->d, c->w, c->K, A->weighted);
    state_advance(w, A->H, c->whole, c->C, transposed(wK), A->BK);
}
