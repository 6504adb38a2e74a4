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
#include "mesa/gla.h"
#include "kern/dense.h"

typedef struct sweep {
    mat D;                         /* of the chunk */
    void *scores;                  /* chunk x chunk */
    void *left, *right;            /* chunk x max(d, dv), chunk x dv: rows times their
                                      coefficients */
    void *rows;                    /* chunk x d: b k, or -u */
    state P, R2;                   /* d x dv: Z, or P; d x d: H, or R2 */
    void *outer;                   /* d x d */
    void *dot;                     /* 2 x max(chunk, d) */
} sweep;

static sweep take_sweep(mesa_worker *w, const layer *l)
{
    const int64_t C = l->o->chunk, d = l->o->d, dv = l->o->dv;
    sweep s = {.D = chunk_space(w, &l->s, C)};
    s.scores = take(w, C * C);
    s.left = take(w, C * most_bytes(d, dv));
    s.right = take(w, C * dv);
    s.P = state_take_in(w, l->o->T, d, dv, l->backward ? NULL : l->m.ST);
    if (!l->backward) return s;
    s.rows = take(w, C * d);
    s.R2 = state_take(w, d, d);
    s.outer = take(w, d * d);
    s.dot = take(w, 2 * most_bytes(C, d));
    return s;
}

int64_t gla_bytes(mesa_worker w, const layer *l)
{
    take_sweep(&w, l);
    return w.memory.used;
}

static chunk at(const kern *k, const layer *l, const sweep *s, int64_t t)
{
    return chunk_at(k, &l->s, s->D, t, l->o->chunk);
}

/* Where a state of `size` elements in front of token `end` is kept, or NULL. */
static void *kept(const kern *k, const layer *l, void *states, int64_t end, int64_t size)
{
    const int there = end <= l->kept * l->span && end % l->span == 0;
    return there ? kern_at(k, states, (end / l->span - 1) * size) : NULL;
}

/* Z <- a_C Z + (diag(w) K)^T BV, and H likewise where it is kept; unless nobody wants them any
 * more. */
static void advance(const mesa_worker *w, const layer *l, sweep *s, const chunk *c, mat BV)
{
    const kern *k = w->k;
    const int64_t d = l->o->d, dv = l->o->dv, end = c->t + c->C;
    if (end == l->s.T && !l->m.ST) return;
    const mat wKt = transposed(chunk_weighted(k, c->C, d, c->w, c->K, s->left));
    state_advance(w, &s->P, c->whole, c->C, wKt, BV);
    if (end == l->s.T) state_get(k, &s->P, l->m.ST);
    if (end > l->kept * l->span) return;
    const mat BK = chunk_weighted(k, c->C, d, c->beta, c->K, s->rows);
    if (k->lanes > 1) state_advance(w, &s->R2, c->whole, c->C, wKt, BK);
    else state_advance_lower(w, &s->R2, c->whole, c->C, wKt, BK);
    void *S = kept(k, l, l->S, end, d * dv), *H = kept(k, l, l->H, end, d * d);
    if (!S) return;
    state_get(k, &s->P, S), state_get(k, &s->R2, H);
    if (k->lanes == 1) dense_mirror(d, k->size, H);
}

void gla_forward(mesa_worker w, const layer *l)
{
    const kern *k = w.k;
    const int64_t d = l->o->d, dv = l->o->dv;
    sweep s = take_sweep(&w, l);
    state_set(k, &s.P, l->m.S0);
    for (int64_t t = 0; t < l->s.T && !kern_stopped(k); t += l->o->chunk) {
        const chunk c = at(k, l, &s, t);
        const mat x = rows_from(k, l->m.X, t), o = rows_from(k, l->m.O, t);
        const mat S = dense(s.scores, c.C);
        const mat BV = chunk_weighted(k, c.C, dv, c.beta, rows_from(k, l->m.V, t), s.right);
        chunk_scores(&w, &c, d, x, c.K, 0, S);
        product(&w, TRI_A_LOWER, 0, c.C, dv, c.C, S, BV, o);
        if (t > 0 || l->m.S0)
            product(&w, TRI_NONE, 1, c.C, dv, d, chunk_weighted(k, c.C, d, c.a, x, s.left),
                    state_mat(&s.P), o);
        advance(&w, l, &s, &c, BV);
    }
}

/* dscores <- dO V^T of the chunk (lower triangle). */
static mat output_scores(const mesa_worker *w, const layer *l, const chunk *c)
{
    const mat E = dense(l->dscores, c->C), V = rows_from(w->k, l->m.V, c->t);
    product(w, TRI_C_LOWER, 0, c->C, c->C, l->o->dv, rows_from(w->k, l->m.dO, c->t), transposed(V),
            E);
    return E;
}

void gla_query_gradient(mesa_worker w, const layer *l)
{
    const kern *k = w.k;
    const int64_t d = l->o->d, dv = l->o->dv;
    sweep s = take_sweep(&w, l);
    state_set(k, &s.P, l->m.S0);
    state_set(k, &s.R2, l->m.H0);
    for (int64_t t = 0; t < l->s.T && !kern_stopped(k); t += l->o->chunk) {
        const chunk c = at(k, l, &s, t);
        const mat go = rows_from(k, l->m.dO, t), y = rows_from(k, l->Y, t);
        mat E = output_scores(&w, l, &c);
        if (c.D.p) {
            rows_copy(k, c.C, c.C, E, dense(s.scores, c.C));
            E.p = s.scores;
            k->mask(c.C, c.D.p, c.D.rs, E.p, E.rs);
        }
        /* O = (D o X K^T) BV + diag(a) X Z */
        product(&w, TRI_A_LOWER, 0, c.C, d, c.C, E,
                chunk_weighted(k, c.C, d, c.beta, c.K, s.left), y);
        if (t > 0 || l->m.S0)
            product(&w, TRI_NONE, 1, c.C, d, dv, chunk_weighted(k, c.C, dv, c.a, go, s.left),
                    transposed(state_mat(&s.P)), y);
        advance(&w, l, &s, &c,
                chunk_weighted(k, c.C, dv, c.beta, rows_from(k, l->m.V, t), s.right));
    }
}

/* What the future says about the state at the end of the last chunk; 0 when it says nothing. */
static int last_gradients(const kern *k, const layer *l, sweep *s)
{
    state_set(k, &s->P, l->m.dST);
    memset(s->outer, 0, bytes_of(k, l->o->d, l->o->d));
    if (l->m.dHT) k->add_transposed(l->o->d, l->m.dHT, s->outer);
    state_set(k, &s->R2, s->outer);
    return l->m.dST || l->m.dHT;
}

/* dbeta = (k . dK + v . dV) / 2 of gradients that are not multiplied by b yet; then they are. */
static void input_gate(const kern *k, const layer *l, const sweep *s, const chunk *c, mat dK,
                       mat dV)
{
    const int64_t C = c->C, d = l->o->d, dv = l->o->dv;
    if (l->m.dbeta.p) {
        const mat V = rows_from(k, l->m.V, c->t);
        void *second = kern_at(k, s->dot, C);
        k->row_dot(C, d, NULL, c->K.p, c->K.rs, dK.p, dK.rs, s->dot, 1);
        k->row_dot(C, dv, NULL, V.p, V.rs, dV.p, dV.rs, second, 1);
        k->add(C * k->lanes, second, s->dot);
        k->scale(C * k->lanes, 0.5, s->dot);
        rows_copy(k, C, 1, dense(s->dot, 1), rows_from(k, l->m.dbeta, c->t));
    }
    if (c->beta.p) {
        k->row_scale(C, d, c->beta.p, c->beta.rs, dK.p, dK.rs, dK.p, dK.rs);
        k->row_scale(C, dv, c->beta.p, c->beta.rs, dV.p, dV.rs, dV.p, dV.rs);
    }
}

/* Gradients of one chunk; W: minus U. */
static void chunk_gradients(const mesa_worker *w, const layer *l, const sweep *s, const chunk *c,
                            mat W, int later)
{
    const kern *k = w->k;
    const int64_t C = c->C, d = l->o->d, dv = l->o->dv;
    const mat x = rows_from(k, l->m.X, c->t), go = rows_from(k, l->m.dO, c->t),
              dK = rows_from(k, l->m.dK, c->t), dV = rows_from(k, l->m.dV, c->t);
    const mat V = rows_from(k, l->m.V, c->t), S = dense(s->scores, C);
    chunk_scores(w, c, d, x, c->K, 0, S);
    /* of a single chunk: as the query's gradient has left it */
    const mat E = C == l->s.T ? dense(l->dscores, C) : output_scores(w, l, c);
    chunk_scores(w, c, d, W, c->K, 1, E);
    /* O = (D o X K^T) BV */
    product(w, TRI_A_UPPER, 0, C, dv, C, transposed(S), go, dV);
    /* Q = X Lambda + (D o X K^T) BK */
    product(w, TRI_A_UPPER, 0, C, d, C, transposed(E), x, dK);
    product(w, TRI_A_UPPER, 1, C, d, C, transposed(S), W, dK);
    if (later) {                   /* Z' = (diag(w) K)^T BV, H' = (diag(w) K)^T BK */
        const mat wK = chunk_weighted(k, C, d, c->w, c->K, s->left),
                  wV = chunk_weighted(k, C, dv, c->w, V, s->right);
        product(w, TRI_NONE, 1, C, dv, d, wK, state_mat(&s->P), dV);
        product(w, TRI_NONE, 1, C, d, dv, wV, transposed(state_mat(&s->P)), dK);
        product(w, TRI_NONE, 1, C, d, d, wK, state_mat(&s->R2), dK);
    }
    input_gate(k, l, s, c, dK, dV);
}

/* <P, S> + <R, H> in front of token `end`, where they are kept; P and R2 are there. */
static void sum_behind(const kern *k, const layer *l, const sweep *s, int64_t end)
{
    const int64_t d = l->o->d, dv = l->o->dv;
    const int last = end == l->s.T;
    const void *S = last ? l->m.ST : kept(k, l, l->S, end, d * dv),
               *H = last ? l->m.HT : kept(k, l, l->H, end, d * d);
    if (!S) return;
    k->row_dot(d, dv, NULL, s->P.now, dv, S, dv, s->dot, 1);
    k->row_dot(d, d, NULL, s->R2.now, d, H, d, kern_at(k, s->dot, d), 1);
    for (int64_t lane = 0; lane < k->lanes; lane++) {
        double sum = 0;
        for (int64_t j = 0; j < d; j++)
            sum += kern_real(k, s->dot, j * k->lanes + lane) +
                   kern_real(k, s->dot, (d + j) * k->lanes + lane) / 2;
        kern_set_real(k, kern_at(k, l->behind, (end - 1) / l->span), lane, sum);
    }
}

/* P and R2 at the start of the chunk. */
static void retreat(const mesa_worker *w, const layer *l, sweep *s, const chunk *c, mat W)
{
    const kern *k = w->k;
    const mat X = rows_from(k, l->m.X, c->t),
              xa = chunk_weighted(k, c->C, l->o->d, c->a, X, s->left);
    state_advance(w, &s->P, c->whole, c->C, transposed(xa), rows_from(k, l->m.dO, c->t));
    state_advance_symmetric(w, &s->R2, c->whole, c->C, transposed(W), xa, s->outer);
}

void gla_backward(mesa_worker w, const layer *l)
{
    const kern *k = w.k;
    const int64_t d = l->o->d, chunk_rows = l->o->chunk;
    sweep s = take_sweep(&w, l);
    int later = last_gradients(k, l, &s);
    for (int64_t t = (l->s.T - 1) / chunk_rows * chunk_rows; t >= 0 && !kern_stopped(k);
         t -= chunk_rows) {
        const chunk c = at(k, l, &s, t);
        const mat W = dense(s.rows, d);
        rows_copy(k, c.C, d, rows_from(k, l->m.dQ, t), W);
        k->scale(c.C * d * k->lanes, -1, W.p);
        sum_behind(k, l, &s, c.t + c.C);
        chunk_gradients(&w, l, &s, &c, W, later);
        if (t == 0 && !l->m.dS0 && !l->m.dH0) break;
        retreat(&w, l, &s, &c, W);
        later = 1;
    }
    if (l->m.dS0) state_get(k, &s.P, l->m.dS0);
    if (l->m.dH0) {
        state_get(k, &s.R2, l->m.dH0);
        k->scale(d * d * k->lanes, 0.5, l->m.dH0);
    }
}
