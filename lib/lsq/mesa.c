/* The mesa layer of one head: systems for x, gated linear attention for o, and the same two for the adjoint:
 *
 *     forward    x_t = (H_t + Lambda)^-1 q_t                o_t = S_t^T x_t
 *     backward   y_t = S_t do_t    u_t = (H_t + Lambda)^-1 y_t    dq_t = u_t    dl = -sum_t u_t o x_t    dk, dv, db: gated_backward
 *                d(log g)_s = sum_{t >= s} c_t,  c_t = sum_j l_j u_tj x_tj + x_t . r_t - b_t db_t  (+ <dS_T, S_T> + <dH_T, H_T> at t = T)
 *
 * r_t = y_t - (H_t + Lambda) u_t is what an iterative solver leaves: with it c_t is do_t . o_t - u_t^T H_t x_t - b_t db_t, whatever the tolerance.
 *
 * Backward runs forward in time once more for y, x and u, then back in time once for the rest: no state per token or per chunk is kept, memory
 * is a few T x d. The systems of x and u have the same matrices: one factorisation serves both. Source: SCIENCE section 3. */
#include "lsq/gated.h"
#include "lsq/systems.h"
#include <string.h>

void mesa_plan(const kern *k, mesa_head *h, const mesa_operands *has)
{
    if (h->chunk == 0) h->chunk = h->T <= 96 ? 96 : 64;
    if (h->chunk > h->T) h->chunk = h->T > 0 ? h->T : 1;
    if (h->solver == MESA_AUTO && !has->log_gamma.p) h->solver = MESA_SHERMAN_MORRISON;
    if (h->tolerance == 0) h->tolerance = k->size == 4 ? 0x1p-22 : 0x1p-46;
    if (h->iterations == 0) h->iterations = 4 * h->d + 16;
}

/* Everything that follows from the operands. */
typedef struct layer {
    gated attention;
    systems system;
    void *high, *low;              /* T */
    mat X, Y;                      /* T x d */
    void *HT, *ST, *dots;          /* for the gradient of the last gate; 2 elements */
    mat defect;                    /* T x 1 */
    void *c;                       /* T */
    mat dbeta;
    void *core;                    /* scratch of systems and of gated attention, one after the other */
} layer;

static layer lay_out(arena *a, const kern *k, const mesa_head *h, const mesa_operands *m, int backward)
{
    const int64_t real = k->lanes * k->size, T = h->T, d = h->d, dv = h->dv;
    layer l = {.X = m->X};
    if (m->log_gamma.p) l.high = arena_take(a, T, real), l.low = arena_take(a, T, real);
    const mat high = {m->log_gamma.p ? (a->base ? l.high : m->log_gamma.p) : NULL, 1, 1}, low = {l.low, 1, 1};
    const int last = backward && m->dlog_gamma.p && (m->dHT || m->dST);
    if (!m->X.p) l.X = (mat){arena_take(a, T * d, real), d, 1};
    if (last) l.HT = arena_take(a, d * d, real), l.ST = arena_take(a, d * dv, real), l.dots = arena_take(a, 2, real);
    void *dscores = backward ? arena_take(a, h->chunk * h->chunk, real) : NULL;
    if (backward) l.Y = (mat){arena_take(a, T * d, real), d, 1};
    l.dbeta = m->dbeta;
    if (backward && m->dlog_gamma.p) {
        l.c = arena_take(a, T, real);
        l.defect = (mat){arena_take(a, T, real), 1, 1};
        if (!m->dbeta.p) l.dbeta = (mat){arena_take(a, T, real), 1, 1};
    }
    const stream s = {T, m->K, m->beta, high, low, h->ctx};
    l.attention = (gated){s, d, dv, h->chunk, m->V, m->S0, backward ? l.ST : m->ST, dscores};
    l.system = (systems){s, d, h->chunk, h->solver, h->tolerance, h->iterations, h->fallback, m->ridge, m->H0, backward ? l.HT : m->HT, m->certificate, backward};
    const int64_t solve = systems_scratch(k, &l.system), attend = gated_scratch(k, &l.attention, backward);
    l.core = arena_take(a, solve > attend ? solve : attend, solve < 0 || attend < 0 ? -1 : 1);
    return l;
}

int64_t mesa_scratch(const kern *k, const mesa_head *h, const mesa_operands *has, int backward)
{
    arena a = {0};
    lay_out(&a, k, h, has, backward);
    return a.used;
}

/* T x 1 gates with any stride into high + low. */
static void split_gates(const kern *k, const mesa_head *h, const mesa_operands *m, const layer *l)
{
    if (!m->log_gamma.p) return;
    for (int64_t t = 0; t < h->T; t++) memcpy(kern_at(k, l->high, t), kern_at(k, m->log_gamma.p, t * m->log_gamma.rs), bytes_of(k, 1, 1));
    k->gates(h->T * k->lanes, l->high, l->high, l->low);
}

/* Without tokens states pass, and so do their gradients. */
static void copy_state(const kern *k, int64_t rows, int64_t cols, const void *from, void *to)
{
    if (!to) return;
    if (from) memcpy(to, from, bytes_of(k, rows, cols));
    else memset(to, 0, bytes_of(k, rows, cols));
}

int64_t mesa_forward(const kern *k, const mesa_head *h, void *ps, void *scratch, const mesa_operands *m)
{
    arena a = {scratch, 0};
    const layer l = lay_out(&a, k, h, m, 0);
    if (h->T == 0) {
        copy_state(k, h->d, h->d, m->H0, m->HT);
        copy_state(k, h->d, h->dv, m->S0, m->ST);
        return 0;
    }
    split_gates(k, h, m, &l);
    const int64_t failed = systems_solve(k, &l.system, ps, l.core, 1, &m->Q, &l.X, (mat){NULL, 0, 0}, (mat){NULL, 0, 0});
    gated_forward(k, &l.attention, ps, l.core, l.X, m->O);
    return failed;
}

/* d(log g)_s = sum_{t >= s} c_t */
static void forget_gate(const kern *k, const mesa_head *h, const mesa_operands *m, const layer *l)
{
    const int64_t T = h->T, d = h->d, dv = h->dv;
    const void *last = NULL;
    k->row_dot(T, d, m->ridge, m->dQ.p, m->dQ.rs, l->X.p, l->X.rs, l->c, 1);
    k->add(T * k->lanes, l->defect.p, l->c);
    if (m->dST || m->dHT) {
        memset(l->dots, 0, bytes_of(k, 2, 1));
        if (m->dHT) k->row_dot(1, d * d, NULL, m->dHT, 0, l->HT, 0, l->dots, 1);
        if (m->dST) k->row_dot(1, d * dv, NULL, m->dST, 0, l->ST, 0, kern_at(k, l->dots, 1), 1);
        k->add(k->lanes, kern_at(k, l->dots, 1), l->dots);
        last = l->dots;
    }
    k->forget(T, l->c, m->beta.p, m->beta.rs, l->dbeta.p, l->dbeta.rs, l->high, 1, last, m->dlog_gamma.p, m->dlog_gamma.rs);
}

/* dl = -sum_t u_t o x_t, chunk by chunk. */
static void ridge_gradient(const kern *k, const mesa_head *h, const mesa_operands *m, const layer *l)
{
    memset(m->dridge, 0, bytes_of(k, 1, h->d));
    for (int64_t t = 0; t < h->T; t += h->chunk) {
        const int64_t C = h->T - t < h->chunk ? h->T - t : h->chunk;
        k->column_dot(C, h->d, rows_from(k, m->dQ, t).p, m->dQ.rs, rows_from(k, l->X, t).p, l->X.rs, m->dridge);
    }
    k->scale(h->d * k->lanes, -1, m->dridge);
}

int64_t mesa_backward(const kern *k, const mesa_head *h, void *ps, void *scratch, const mesa_operands *m)
{
    arena a = {scratch, 0};
    const layer l = lay_out(&a, k, h, m, 1);
    int64_t failed = 0;
    if (h->T > 0) {
        const mat B[] = {l.Y, m->Q}, X[] = {m->dQ, l.X};
        split_gates(k, h, m, &l);
        gated_query_gradient(k, &l.attention, ps, l.core, m->dO, l.Y);                         /* o_t = S_t^T x_t */
        failed = systems_solve(k, &l.system, ps, l.core, m->X.p ? 1 : 2, B, X, l.X, l.defect);                         /* (H_t + Lambda) x_t = q_t */
        gated_backward(k, &l.attention, ps, l.core, &(gated_adjoint){l.X, m->dQ, m->dO, m->dST, m->dHT, m->dK, m->dV, l.dbeta, m->dS0, m->dH0});
        if (m->dlog_gamma.p) forget_gate(k, h, m, &l);
    } else {
        copy_state(k, h->d, h->dv, m->dST, m->dS0);
        if (m->dH0) memset(m->dH0, 0, bytes_of(k, h->d, h->d));
        if (m->dH0 && m->dHT) k->add_transposed(h->d, m->dHT, m->dH0), k->scale(h->d * h->d * k->lanes, 0.5, m->dH0);
    }
    if (m->dridge) ridge_gradient(k, h, m, &l);
    return failed;
}
