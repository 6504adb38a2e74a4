/* Gated linear attention, chunkwise. With C rows, entry state Z, D_ij = g_{j+1} .. g_i (i >= j),
 * a_i = g_1 .. g_i, w_j = g_{j+1} .. g_C:
 *
 *     O = (D o X K^T) diag(b) V + diag(a) X Z      Y = (D o dO V^T diag(b)) K + diag(a) dO Z^T
 *     Z' = a_C Z + (diag(w) K)^T diag(b) V
 *
 * and from the last chunk to the first, with P and R2 = R + R^T of what follows the chunk, and W =
 * -U:
 *
 *     dV = diag(b) [(D o X K^T)^T dO + diag(w) K P]
 *     dK = diag(b) [E^T X + (D o X K^T)^T W + diag(w) (V P^T + K R2)],   E = D o (dO V^T + W K^T)
 *     P' = a_C P + (diag(a) X)^T dO                  R2' = a_C R2 + W^T diag(a) X + its transpose
 *
 * D comes from products of gates, so a gate of 0 cuts exactly. b dbeta = (k . dK + v . dV) / 2,
 * before dK and dV are multiplied by b.
 * Source: arXiv 2506.05233 section 3 and appendix; docs/science.md, section 3. */
#include "mesa/gated.h"
#include <string.h>

typedef struct workspace {
    mat D;                         /* of the chunk */
    void *scores;                  /* chunk x chunk */
    void *left, *right;            /* chunk x max(d, dv), chunk x dv: rows times their
                                      coefficients */
    void *minus_u;                 /* chunk x d */
    carried P, R2;                 /* d x dv: Z, or P; d x d */
    void *outer;                   /* d x d */
    void *dot;                     /* 2 chunk */
} workspace;

static workspace lay_out(arena *a, const kern *k, const gated *g, int backward)
{
    workspace w = {0};
    const int64_t real = k->lanes * k->size, C = g->chunk, d = g->d,
                  wide = g->d > g->dv ? g->d : g->dv;
    w.D = chunk_space(a, k, g->s.high.p != NULL, C);
    w.scores = arena_take(a, C * C, real);
    w.left = arena_take(a, C * wide, real);
    w.right = arena_take(a, C * g->dv, real);
    w.P = carried_take(a, k, d, g->dv);
    if (!backward) return w;
    w.minus_u = arena_take(a, C * d, real);
    w.R2 = carried_take(a, k, d, d);
    w.outer = arena_take(a, d * d, real);
    w.dot = arena_take(a, 2 * C, real);
    return w;
}

int64_t gated_scratch(const kern *k, const gated *g, int backward)
{
    arena a = {0};
    lay_out(&a, k, g, backward);
    return a.used;
}

static chunk at(const kern *k, const gated *g, const workspace *w, int64_t t)
{
    return chunk_at(k, &g->s, w->D, t, g->s.T - t < g->chunk ? g->s.T - t : g->chunk);
}

/* Z <- a_C Z + (diag(w) K)^T BV, unless nobody wants it any more. */
static void advance(const kern *k, const gated *g, void *ps, workspace *w, const chunk *c, mat BV)
{
    const int last = c->t + c->C == g->s.T;
    if (last && !g->ST) return;
    carried_advance(k, ps, &w->P, c->whole, c->C,
                    transposed(chunk_weighted(k, c->C, g->d, c->w, c->K, w->left)), BV);
    if (last) carried_get(k, &w->P, g->ST);
}

void gated_forward(const kern *k, const gated *g, void *ps, void *scratch, mat X, mat O)
{
    arena a = {scratch, 0};
    workspace w = lay_out(&a, k, g, 0);
    carried_set(k, &w.P, g->S0);
    for (int64_t t = 0; t < g->s.T && !kern_stopped(k); t += g->chunk) {
        const chunk c = at(k, g, &w, t);
        const int has_state = t > 0 || g->S0;
        const mat x = rows_from(k, X, t), o = rows_from(k, O, t), S = {w.scores, c.C, 1};
        const mat BV = chunk_weighted(k, c.C, g->dv, c.beta, rows_from(k, g->V, t), w.right);
        chunk_scores(k, ps, &c, g->d, x, c.K, 0, S);
        k->product(k, ps, PRODUCT_LANE, TRI_A_LOWER, 0, c.C, g->dv, c.C, S, BV, o);
        if (has_state)
            k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, c.C, g->dv, g->d,
                       chunk_weighted(k, c.C, g->d, c.a, x, w.left), carried_mat(&w.P), o);
        advance(k, g, ps, &w, &c, BV);
    }
}

/* g->dscores <- dO V^T of the chunk (lower triangle). */
static mat output_scores(const kern *k, const gated *g, void *ps, const chunk *c, mat go)
{
    const mat E = {g->dscores, c->C, 1};
    k->product(k, ps, PRODUCT_LANE, TRI_C_LOWER, 0, c->C, c->C, g->dv, go,
               transposed(rows_from(k, g->V, c->t)), E);
    return E;
}

void gated_query_gradient(const kern *k, const gated *g, void *ps, void *scratch, mat dO, mat Y)
{
    arena a = {scratch, 0};
    workspace w = lay_out(&a, k, g, 1);
    carried_set(k, &w.P, g->S0);
    for (int64_t t = 0; t < g->s.T && !kern_stopped(k); t += g->chunk) {
        const chunk c = at(k, g, &w, t);
        const int has_state = t > 0 || g->S0;
        const mat go = rows_from(k, dO, t), y = rows_from(k, Y, t), masked = {w.scores, c.C, 1};
        mat E = output_scores(k, g, ps, &c, go);
        if (c.D.p)
            rows_copy(k, c.C, c.C, E, masked), k->mask(c.C, c.D.p, c.D.rs, masked.p, masked.rs),
                E = masked;
        /* O = (D o X K^T) BV + diag(a) X Z */
        k->product(k, ps, PRODUCT_LANE, TRI_A_LOWER, 0, c.C, g->d, c.C, E,
                   chunk_weighted(k, c.C, g->d, c.beta, c.K, w.left), y);
        if (has_state)
            k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, c.C, g->d, g->dv,
                       chunk_weighted(k, c.C, g->dv, c.a, go, w.left),
                       transposed(carried_mat(&w.P)), y);
        advance(k, g, ps, &w, &c,
                chunk_weighted(k, c.C, g->dv, c.beta, rows_from(k, g->V, t), w.right));
    }
}

/* What the future says about the state at the end of the last chunk; 0 when it says nothing. */
static int last_gradients(const kern *k, const gated *g, const gated_adjoint *b, workspace *w)
{
    carried_set(k, &w->P, b->dST);
    memset(w->outer, 0, bytes_of(k, g->d, g->d));
    if (b->dHT) k->add_transposed(g->d, b->dHT, w->outer);
    carried_set(k, &w->R2, w->outer);
    return b->dST || b->dHT;
}

/* dbeta = (k . dK + v . dV) / 2 of gradients that are not multiplied by b yet; then they are. */
static void input_gate(const kern *k, const gated *g, const workspace *w, const chunk *c, mat dbeta,
                       mat dK, mat dV)
{
    const int64_t C = c->C, d = g->d, dv = g->dv;
    if (dbeta.p) {
        const mat V = rows_from(k, g->V, c->t);
        void *second = kern_at(k, w->dot, C);
        k->row_dot(C, d, NULL, c->K.p, c->K.rs, dK.p, dK.rs, w->dot, 1);
        k->row_dot(C, dv, NULL, V.p, V.rs, dV.p, dV.rs, second, 1);
        k->add(C * k->lanes, second, w->dot);
        k->scale(C * k->lanes, 0.5, w->dot);
        rows_copy(k, C, 1, (mat){w->dot, 1, 1}, rows_from(k, dbeta, c->t));
    }
    if (c->beta.p) {
        k->row_scale(C, d, c->beta.p, c->beta.rs, dK.p, dK.rs, dK.p, dK.rs);
        k->row_scale(C, dv, c->beta.p, c->beta.rs, dV.p, dV.rs, dV.p, dV.rs);
    }
}

/* Gradients of one chunk; W: minus U. */
static void chunk_gradients(const kern *k, const gated *g, void *ps, const gated_adjoint *b,
                            const workspace *w, const chunk *c, mat W, int later)
{
    const int64_t C = c->C, d = g->d, dv = g->dv;
    const mat x = rows_from(k, b->X, c->t), go = rows_from(k, b->dO, c->t),
              dK = rows_from(k, b->dK, c->t), dV = rows_from(k, b->dV, c->t);
    const mat V = rows_from(k, g->V, c->t), S = {w->scores, C, 1}, P = carried_mat(&w->P),
              R2 = carried_mat(&w->R2);
    chunk_scores(k, ps, c, d, x, c->K, 0, S);
    /* of a single chunk: as the query's gradient has left it */
    const mat E = C == g->s.T ? (mat){g->dscores, C, 1} : output_scores(k, g, ps, c, go);
    chunk_scores(k, ps, c, d, W, c->K, 1, E);
    /* O = (D o X K^T) BV */
    k->product(k, ps, PRODUCT_LANE, TRI_A_UPPER, 0, C, dv, C, transposed(S), go, dV);
    /* Q = X Lambda + (D o X K^T) BK */
    k->product(k, ps, PRODUCT_LANE, TRI_A_UPPER, 0, C, d, C, transposed(E), x, dK);
    k->product(k, ps, PRODUCT_LANE, TRI_A_UPPER, 1, C, d, C, transposed(S), W, dK);
    if (later) {                                        /* Z' = (diag(w) K)^T BV, H' = (diag(w) K)^T
                                                           BK */
        const mat wK = chunk_weighted(k, C, d, c->w, c->K, w->left),
                  wV = chunk_weighted(k, C, dv, c->w, V, w->right);
        k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, C, dv, d, wK, P, dV);
        k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, C, d, dv, wV, transposed(P), dK);
        k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, C, d, d, wK, R2, dK);
    }
    input_gate(k, g, w, c, b->dbeta, dK, dV);
}

/* P and R2 at the start of the chunk. */
static void retreat(const kern *k, const gated *g, void *ps, const gated_adjoint *b, workspace *w,
                    const chunk *c, mat W)
{
    const mat xa = chunk_weighted(k, c->C, g->d, c->a, rows_from(k, b->X, c->t), w->left);
    carried_advance(k, ps, &w->P, c->whole, c->C, transposed(xa), rows_from(k, b->dO, c->t));
    carried_advance_symmetric(k, ps, &w->R2, c->whole, c->C, transposed(W), xa, w->outer);
}

void gated_backward(const kern *k, const gated *g, void *ps, void *scratch, const gated_adjoint *b)
{
    arena a = {scratch, 0};
    workspace w = lay_out(&a, k, g, 1);
    const int64_t chunks = (g->s.T + g->chunk - 1) / g->chunk;
    int later = last_gradients(k, g, b, &w);
    for (int64_t i = chunks - 1; i >= 0 && !kern_stopped(k); i--) {
        const chunk c = at(k, g, &w, i * g->chunk);
        const mat W = {w.minus_u, g->d, 1};
        rows_copy(k, c.C, g->d, rows_from(k, b->U, c.t), W);
        k->scale(c.C * g->d * k->lanes, -1, W.p);
        chunk_gradients(k, g, ps, b, &w, &c, W, later);
        if (i == 0 && !b->dS0 && !b->dH0) break;
        retreat(k, g, ps, b, &w, &c, W);
        later = 1;
    }
    if (b->dS0) carried_get(k, &w.P, b->dS0);
    if (b->dH0) {
        carried_get(k, &w.R2, b->dH0);
        k->scale(g->d * g->d * k->lanes, 0.5, b->dH0);
    }
}
