/* The mesa layer of one head: systems for x, gated linear attention for o, and the same two for the
 * adjoint:
 *
 *     forward    x_t = (H_t + Lambda)^-1 q_t                o_t = S_t^T x_t
 *     backward      y_t = S_t do_t      u_t = (H_t + Lambda)^-1 y_t      dq_t = u_t
 *     dl = -sum_t u_t o x_t      dk, dv, db: gla_backward
 *                d(log g)_s = sum_{s <= t <= e} c_t + <dS_e, S_e> + <dH_e, H_e>,
 *                c_t = sum_j l_j u_tj x_tj + x_t . r_t - b_t db_t
 *
 * r_t = y_t - (H_t + Lambda) u_t is what an iterative solver leaves: with it c_t is do_t . o_t -
 * u_t^T H_t x_t - b_t db_t, whatever the tolerance. Any e >= s will do, dS_e and dH_e being the
 * gradients of the states behind it; but what is left when the c_t of many tokens cancel is their
 * roundings. So in f32 states are kept behind every few tokens, and sums start there.
 *
 * Backward runs forward in time once more for y, x and u, then back in time once for the rest:
 * memory is a few T x d. The systems of x and u have the same
 * matrices: one factorisation serves both. Source: docs/science.md, section 3. */
#include "mesa/layer.h"
#include "mesa/certify.h"
#include "mesa/gla.h"
#include "mesa/solve.h"
#include <float.h>

layer layer_take(mesa_worker *w, const mesa_options *o, const mesa_operands *m, int backward)
{
    const int64_t T = o->T, d = o->d;
    layer l = {.o = o, .m = *m, .backward = backward, .sets = backward && !m->X.p ? 2 : 1};
    l.s = (tokens){T, d, m->K, m->beta, gates_take(w, m->log_gamma.p != NULL, T)};
    l.c = condition_take(w, T, o->chunk);
    if (!m->missed.p) l.m.missed = take_rows(w, T, 1);
    if (!m->X.p) l.m.X = take_rows(w, T, d);
    if (!backward) return l;
    l.m.HT = l.m.ST = NULL;
    l.Y = take_rows(w, T, d);
    l.dscores = take(w, o->chunk * o->chunk);
    if (!m->dlog_gamma.p) return l;
    /* in f32, with no more memory than keys and values; f64 has digits to spare */
    l.span = w->k->size == 4 ? (d + o->chunk - 1) / o->chunk * o->chunk : T;
    l.kept = T > 0 ? (T - 1) / l.span : 0;
    l.H = take(w, l.kept * d * d), l.S = take(w, l.kept * d * o->dv);
    l.behind = take(w, l.kept + 1);
    if (m->dHT || m->dST) l.m.HT = take(w, d * d), l.m.ST = take(w, d * o->dv);
    if (!m->dbeta.p) l.m.dbeta = take_rows(w, T, 1);
    l.change = take(w, T);
    l.defect = take_rows(w, T, 1);
    return l;
}

int64_t layer_bytes(mesa_worker w, const layer *l)
{
    const int64_t bytes = most_bytes(solve_bytes(w, l), gla_bytes(w, l));
    return l->m.certificate.residual.p ? most_bytes(bytes, certify_bytes(w, l)) : bytes;
}

/* The largest number there is in place of what is none. */
static void copy_bounds(const kern *k, int64_t T, mat from, mat to)
{
    const double most = k->size == 4 ? (double)FLT_MAX : DBL_MAX;
    for (int64_t i = 0; i < T * k->lanes; i++) {
        const double x = kern_real(k, from.p, i);
        kern_set_real(k, kern_at(k, to.p, i / k->lanes * to.rs), i % k->lanes,
                      x <= most ? x : most);
    }
}

void layer_measure(const mesa_worker *w, const layer *l)
{
    const kern *k = w->k;
    gates_split(k, l->s.T, l->m.log_gamma, l->s.gamma);
    condition_measure(k, &l->c, &l->s, l->m.ridge, l->m.H0);
    if (l->m.certificate.condition.p)
        copy_bounds(k, l->s.T, l->c.bound, l->m.certificate.condition);
    memset(l->m.missed.p, 0, bytes_of(k, l->s.T, 1));
}

/* That of f32 is made in f64, see mesa.c. */
static void certify_own(const mesa_worker *w, const layer *l, mat B, mat X)
{
    if (w->k->size == 8 && l->m.certificate.residual.p) certify(*w, l, B, X, NULL);
}

void layer_forward(const mesa_worker *w, const layer *l)
{
    const mat none = {NULL, 0, 0};
    solve(*w, l, 1, &l->m.Q, &l->m.X, none, none);
    gla_forward(*w, l);
    certify_own(w, l, l->m.Q, l->m.X);
}

/* d(log g), span by span. */
static void forget_gate(const kern *k, const layer *l)
{
    const mesa_operands *m = &l->m;
    const int64_t T = l->s.T, d = l->o->d;
    k->row_dot(T, d, m->ridge, m->dQ.p, m->dQ.rs, m->X.p, m->X.rs, l->change, 1);
    k->add(T * k->lanes, l->defect.p, l->change);
    for (int64_t t = 0, i = 0; t < T; t += l->span, i++) {
        const mat beta = rows_from(k, m->beta, t), dbeta = rows_from(k, m->dbeta, t),
                  out = rows_from(k, m->dlog_gamma, t);
        k->forget(least(l->span, T - t), kern_at(k, l->change, t), beta.p, beta.rs, dbeta.p,
                  dbeta.rs, gates_from(k, l->s.gamma, t).high, 1,
                  i < l->kept || m->ST ? kern_at(k, l->behind, i) : NULL, out.p, out.rs);
    }
}

/* dl = -sum_t u_t o x_t, chunk by chunk. */
static void ridge_gradient(const kern *k, const layer *l)
{
    const mesa_operands *m = &l->m;
    const int64_t d = l->o->d, chunk = l->o->chunk;
    memset(m->dridge, 0, bytes_of(k, 1, d));
    for (int64_t t = 0; t < l->s.T; t += chunk)
        k->column_dot(least(chunk, l->s.T - t), d, rows_from(k, m->dQ, t).p, m->dQ.rs,
                      rows_from(k, m->X, t).p, m->X.rs, m->dridge);
    k->scale(d * k->lanes, -1, m->dridge);
}

void layer_backward(const mesa_worker *w, const layer *l)
{
    const mesa_operands *m = &l->m;
    const mat B[] = {l->Y, m->Q}, X[] = {m->dQ, m->X};
    /* o_t = S_t^T x_t */
    gla_query_gradient(*w, l);
    /* (H_t + Lambda) x_t = q_t */
    solve(*w, l, l->sets, B, X, m->X, l->defect);
    gla_backward(*w, l);
    if (m->dlog_gamma.p) forget_gate(w->k, l);
    if (m->dridge) ridge_gradient(w->k, l);
    certify_own(w, l, l->Y, m->dQ);
}
