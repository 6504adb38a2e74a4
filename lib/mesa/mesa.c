/* The mesa layer of one head: systems for x, gated linear attention for o, and the same two for the
 * adjoint:
 *
 *     forward    x_t = (H_t + Lambda)^-1 q_t                o_t = S_t^T x_t
 *     backward      y_t = S_t do_t      u_t = (H_t + Lambda)^-1 y_t      dq_t = u_t
 *     dl = -sum_t u_t o x_t      dk, dv, db: gated_backward
 *                d(log g)_s = sum_{t >= s} c_t,  c_t = sum_j l_j u_tj x_tj + x_t . r_t - b_t db_t
 *                (+ <dS_T, S_T> + <dH_T, H_T> at t = T)
 *
 * r_t = y_t - (H_t + Lambda) u_t is what an iterative solver leaves: with it c_t is do_t . o_t -
 * u_t^T H_t x_t - b_t db_t, whatever the tolerance.
 *
 * Backward runs forward in time once more for y, x and u, then back in time once for the rest: no
 * state per token or per chunk is kept, memory is a few T x d. The systems of x and u have the same
 * matrices: one factorisation serves both.
 *
 * f32 does what leaves it three digits: forward all tokens in front of the first region that does
 * not, backward all or none, since later tokens weigh on the gradients of earlier ones. Source:
 * docs/science.md, section 3. */
#include "mesa/gated.h"
#include "mesa/systems.h"
#include "mesa/widened.h"
#include <float.h>
#include <string.h>

/* Bounds of the condition number up to which f32 solves, and of the ridge: its numbers and those of
 * H stay in 2^-66 .. 2^66. */
static const double MOST_CONDITION = 0x1p14, MOST_RIDGE = 0x1p52, LEAST_RIDGE = 0x1p-66;
static const double STRICT_SHARE = 0x1p19;             /* a tolerance that is asked for can be met
                                                          and seen in f32 while it is this many
                                                          times the condition's reciprocal */

void mesa_plan(const kern *k, mesa_head *h, const mesa_operands *has)
{
    if (h->chunk == 0) h->chunk = h->T <= 96 ? 96 : 64;
    if (h->chunk > h->T) h->chunk = h->T > 0 ? h->T : 1;
    if (h->solver == MESA_AUTO && !has->log_gamma.p) h->solver = MESA_SHERMAN_MORRISON;
    h->strict = h->tolerance > 0;
    if (!h->strict) h->tolerance = k->size == 4 ? MESA_TOLERANCE_F32 : MESA_TOLERANCE_F64;
    if (h->iterations == 0) h->iterations = 4 * h->d + 16;
}

/* Everything that follows from the operands. */
typedef struct layer {
    gated attention;
    systems system;
    mesa_operands m;               /* with what is not asked for but needed */
    void *high, *low;              /* T */
    void *lowest;                  /* 1: the least ridge */
    mat X, Y;                      /* T x d */
    void *HT, *ST, *dots;          /* for the gradient of the last gate; 2 elements */
    mat defect;                    /* T x 1 */
    void *c;                       /* T */
    mat dbeta;
    void *core;                    /* scratch of systems, of gated attention, of what f64 does, one
                                      after the other */
} layer;

static mat take_rows(arena *a, const kern *k, int64_t rows, int64_t cols)
{
    return (mat){arena_take(a, rows * cols, k->lanes * k->size), cols, 1};
}

static int64_t larger(int64_t a, int64_t b) { return a < 0 || b < 0 ? -1 : a > b ? a : b; }

static layer lay_out(arena *a, const kern *k, const mesa_head *h, const mesa_operands *m,
                     int backward)
{
    static const char present;     /* stands for what is not laid out yet */
    const int64_t real = k->lanes * k->size, T = h->T, d = h->d, dv = h->dv;
    layer l = {.X = m->X, .m = *m};
    if (m->log_gamma.p) l.high = arena_take(a, T, real), l.low = arena_take(a, T, real);
    const mat high = {m->log_gamma.p ? (a->base ? l.high : m->log_gamma.p) : NULL, 1, 1},
              low = {l.low, 1, 1};
    const int last = backward && m->dlog_gamma.p && (m->dHT || m->dST);
    const mat norm = take_rows(a, k, T, 1), condition = take_rows(a, k, T, 1);
    l.lowest = arena_take(a, 1, real);
    if (!m->missed.p) l.m.missed = take_rows(a, k, T, 1);
    if (!m->X.p) l.X = take_rows(a, k, T, d);
    if (last)
        l.HT = arena_take(a, d * d, real), l.ST = arena_take(a, d * dv, real),
        l.dots = arena_take(a, 2, real);
    void *dscores = backward ? arena_take(a, h->chunk * h->chunk, real) : NULL;
    if (backward) l.Y = take_rows(a, k, T, d);
    l.dbeta = m->dbeta;
    if (backward && m->dlog_gamma.p) {
        l.c = arena_take(a, T, real);
        l.defect = take_rows(a, k, T, 1);
        if (!m->dbeta.p) l.dbeta = take_rows(a, k, T, 1);
    }
    const stream s = {T, m->K, m->beta, high, low};
    l.attention = (gated){s, d, dv, h->chunk, m->V, m->S0, backward ? l.ST : m->ST, dscores};
    l.system = (systems){.s = s,
                         .d = d,
                         .chunk = h->chunk,
                         .solver = h->solver,
                         .tolerance = h->tolerance,
                         .strict = h->strict,
                         .iterations = h->iterations,
                         .fallback = h->fallback,
                         .ridge = m->ridge,
                         .H0 = m->H0,
                         .HT = backward ? l.HT : m->HT,
                         .norm = norm,
                         .condition = condition,
                         .certificate = m->certificate,
                         .missed = l.m.missed,
                         .adjoint = backward};
    int64_t core = larger(systems_scratch(k, &l.system), gated_scratch(k, &l.attention, backward));
    if (!a->base && !l.m.missed.p) l.m.missed.p = (void *)&present;
    if (k->size == 4) core = larger(core, widened_scratch(k, h, &l.m, backward));
    l.core = arena_take(a, core, core < 0 ? -1 : 1);
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
    for (int64_t t = 0; t < h->T; t++)
        memcpy(kern_at(k, l->high, t), kern_at(k, m->log_gamma.p, t * m->log_gamma.rs),
               bytes_of(k, 1, 1));
    k->gates(h->T * k->lanes, l->high, l->high, l->low);
}

/* The largest number there is in place of what is none. */
static void finite_bounds(const kern *k, void *x)
{
    const double most = k->size == 4 ? (double)FLT_MAX : DBL_MAX;
    for (int i = 0; i < k->lanes; i++)
        if (!(kern_real(k, x, i) <= most)) kern_set_real(k, x, i, most);
}

/* tr H_t + max l, and the bound of the condition number. */
static void measure(const kern *k, const mesa_head *h, const mesa_operands *m, const layer *l)
{
    const systems *s = &l->system;
    const stream *t = &s->s;
    k->norms(h->T, h->d, t->K.p, t->K.rs, t->beta.p, t->beta.rs, t->high.p, t->low.p, t->high.rs,
             m->H0, h->d, m->ridge, s->norm.p, l->lowest);
    for (int64_t i = 0; i < h->T; i++)
        k->ratio(k->lanes, kern_at(k, s->norm.p, i), l->lowest, kern_at(k, s->condition.p, i));
    if (m->certificate.condition.p) {
        rows_copy(k, h->T, 1, s->condition, m->certificate.condition);
        for (int64_t i = 0; i < h->T; i++)
            finite_bounds(k,
                          kern_at(k, m->certificate.condition.p, i * m->certificate.condition.rs));
    }
    memset(l->m.missed.p, 0, bytes_of(k, h->T, 1));
}

/* Tokens in front of the first region that takes f64. */
static int64_t tokens_of_f32(const kern *k, const mesa_head *h, const layer *l)
{
    const int64_t region = systems_region(h->chunk);
    const double bound =
        h->strict && mesa_iterates(h->solver) && h->tolerance * STRICT_SHARE < MOST_CONDITION
            ? h->tolerance * STRICT_SHARE
            : MOST_CONDITION;
    if (k->size == 8) return h->T;
    for (int i = 0; i < k->lanes; i++)
        if (!(kern_real(k, l->lowest, i) >= LEAST_RIDGE &&
              kern_real(k, l->lowest, i) <= MOST_RIDGE))
            return 0;
    for (int64_t t = 0; t < h->T; t += region) {
        const int64_t n = h->T - t < region ? h->T - t : region;
        if (!(systems_most(k, kern_at(k, l->system.condition.p, t), n) <= bound)) return t;
    }
    return h->T;
}

static int64_t rows_missed(const kern *k, const mesa_head *h, const layer *l)
{
    int64_t missed = 0;
    if (systems_most(k, l->m.missed.p, h->T) == 0) return 0;
    for (int64_t i = 0; i < h->T * k->lanes; i++) missed += kern_real(k, l->m.missed.p, i) != 0;
    return missed;
}

/* Without tokens states pass, and so do their gradients. */
static void copy_state(const kern *k, int64_t rows, int64_t cols, const void *from, void *to)
{
    if (!to) return;
    if (from) memcpy(to, from, bytes_of(k, rows, cols));
    else memset(to, 0, bytes_of(k, rows, cols));
}

static void certify(const kern *k, const mesa_head *h, void *ps, const layer *l, mat B, mat X,
                    int64_t T)
{
    if (!l->m.certificate.residual.p || T == 0) return;
    systems without = l->system;
    without.HT = NULL;
    if (k->size == 4) widened_certify(k, h, l->core, &l->m, B, X, T);
    else systems_certify(k, &without, ps, l->core, B, X);
}

int64_t mesa_forward(const kern *k, const mesa_head *h, void *ps, void *scratch,
                     const mesa_operands *m)
{
    arena a = {scratch, 0};
    layer l = lay_out(&a, k, h, m, 0);
    if (h->T == 0) {
        copy_state(k, h->d, h->d, m->H0, m->HT);
        copy_state(k, h->d, h->dv, m->S0, m->ST);
        return 0;
    }
    split_gates(k, h, m, &l);
    measure(k, h, m, &l);
    const int64_t T = tokens_of_f32(k, h, &l);
    l.attention.s.T = l.system.s.T = T;
    if (T < h->T) l.attention.ST = l.system.HT = NULL;
    if (T > 0) {
        systems_solve(k, &l.system, ps, l.core, 1, &m->Q, &l.X, (mat){NULL, 0, 0},
                      (mat){NULL, 0, 0});
        gated_forward(k, &l.attention, ps, l.core, l.X, m->O);
        certify(k, h, ps, &l, m->Q, l.X, T);
    }
    if (T < h->T) widened_forward(k, h, l.core, &l.m, T);
    return rows_missed(k, h, &l);
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
    k->forget(T, l->c, m->beta.p, m->beta.rs, l->dbeta.p, l->dbeta.rs, l->high, 1, last,
              m->dlog_gamma.p, m->dlog_gamma.rs);
}

/* dl = -sum_t u_t o x_t, chunk by chunk. */
static void ridge_gradient(const kern *k, const mesa_head *h, const mesa_operands *m,
                           const layer *l)
{
    memset(m->dridge, 0, bytes_of(k, 1, h->d));
    for (int64_t t = 0; t < h->T; t += h->chunk) {
        const int64_t C = h->T - t < h->chunk ? h->T - t : h->chunk;
        k->column_dot(C, h->d, rows_from(k, m->dQ, t).p, m->dQ.rs, rows_from(k, l->X, t).p, l->X.rs,
                      m->dridge);
    }
    k->scale(h->d * k->lanes, -1, m->dridge);
}

/* All tokens in the type of the operands. */
static void backward(const kern *k, const mesa_head *h, void *ps, const mesa_operands *m,
                     const layer *l)
{
    const mat B[] = {l->Y, m->Q}, X[] = {m->dQ, l->X};
    /* o_t = S_t^T x_t */
    gated_query_gradient(k, &l->attention, ps, l->core, m->dO, l->Y);
    /* (H_t + Lambda) x_t = q_t */
    systems_solve(k, &l->system, ps, l->core, m->X.p ? 1 : 2, B, X, l->X, l->defect);
    certify(k, h, ps, l, l->Y, m->dQ, h->T);
    gated_backward(k, &l->attention, ps, l->core,
                   &(gated_adjoint){l->X, m->dQ, m->dO, m->dST, m->dHT, m->dK, m->dV, l->dbeta,
                                    m->dS0, m->dH0});
    if (m->dlog_gamma.p) forget_gate(k, h, m, l);
    if (m->dridge) ridge_gradient(k, h, m, l);
}

int64_t mesa_backward(const kern *k, const mesa_head *h, void *ps, void *scratch,
                      const mesa_operands *m)
{
    arena a = {scratch, 0};
    const layer l = lay_out(&a, k, h, m, 1);
    if (h->T == 0) {
        copy_state(k, h->d, h->dv, m->dST, m->dS0);
        if (m->dH0) memset(m->dH0, 0, bytes_of(k, h->d, h->d));
        if (m->dH0 && m->dHT)
            k->add_transposed(h->d, m->dHT, m->dH0), k->scale(h->d * h->d * k->lanes, 0.5, m->dH0);
        if (m->dridge) memset(m->dridge, 0, bytes_of(k, 1, h->d));
        return 0;
    }
    split_gates(k, h, m, &l);
    measure(k, h, m, &l);
    if (tokens_of_f32(k, h, &l) < h->T) widened_backward(k, h, l.core, &l.m);
    else backward(k, h, ps, m, &l);
    return rows_missed(k, h, &l);
}
