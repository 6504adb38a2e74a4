/* The mesa layer of one head: f32 where that leaves three digits, f64 elsewhere. Forward f32 does
 * all tokens in front of the first region that it cannot do, backward all or none, since later
 * tokens weigh on the gradients of earlier ones. Its certificates are made in f64, and so are
 * states of twice the precision: what f32 rounds off them, call after call, is soon more than a
 * ridge. */
#include "mesa/mesa.h"
#include "mesa/layer.h"
#include "mesa/upcast.h"

/* Bounds of the condition number up to which f32 solves, and of the ridge: its numbers and those of
 * H stay in 2^-66 .. 2^66. */
static const double MOST_CONDITION = 0x1p14, MOST_RIDGE = 0x1p52, LEAST_RIDGE = 0x1p-66;
enum { FEW = 2 };                                      /* tokens whose factors cost less than an
                                                          inverse to start from */
static const double STRICT_SHARE = 0x1p19;             /* a tolerance that is asked for can be met
                                                          and seen in f32 while it is this many
                                                          times the condition's reciprocal */

void mesa_plan(const kern *k, mesa_options *o, mesa_presence has)
{
    if (o->chunk == 0) o->chunk = o->T <= 96 ? 96 : 64;
    if (o->chunk > o->T) o->chunk = o->T > 0 ? o->T : 1;
    if (o->solver == MESA_AUTO && !(has & MESA_HAS(log_gamma)))
        o->solver = o->T <= FEW ? MESA_CHOLESKY : MESA_SHERMAN_MORRISON;
    o->strict = o->tolerance > 0;
    if (!o->strict) o->tolerance = k->size == 4 ? MESA_TOLERANCE_F32 : MESA_TOLERANCE_F64;
    if (o->iterations == 0) o->iterations = 4 * o->d + 16;
}

/* Operands while bytes are counted, see take() in worker.h. */
static mesa_operands counted(mesa_presence has, int backward)
{
    mesa_operands m = {0};
    has |= MESA_HAS(Q) | MESA_HAS(K) | MESA_HAS(V) | MESA_HAS(ridge);
    has |= backward ? MESA_HAS(dO) | MESA_HAS(dQ) | MESA_HAS(dK) | MESA_HAS(dV) : MESA_HAS(O);
    for (size_t at = 0; at < sizeof m; at += sizeof(void *))
        if (has & mesa_has_at(at)) *(void **)((char *)&m + at) = "";
    return m;
}

int64_t mesa_scratch(const kern *k, const mesa_options *o, mesa_presence has, int backward)
{
    mesa_worker w = {k, NULL, {0}};
    const mesa_operands m = counted(has, backward);
    const layer l = layer_take(&w, o, &m, backward);
    const int64_t bytes = layer_bytes(w, &l);
    return k->size == 4 ? most_bytes(bytes, upcast_bytes(w, &l)) : bytes;
}

/* Tokens in front of the first region that takes f64. */
static int64_t tokens_of_f32(const kern *k, const layer *l)
{
    const mesa_options *o = l->o;
    const double share = o->strict && mesa_iterates(o->solver) ? o->tolerance * STRICT_SHARE
                                                               : MOST_CONDITION,
                 bound = share < MOST_CONDITION ? share : MOST_CONDITION;
    if (k->size == 8) return o->T;
    for (int i = 0; i < k->lanes; i++)
        if (!(kern_real(k, l->c.least, i) >= LEAST_RIDGE &&
              kern_real(k, l->c.least, i) <= MOST_RIDGE))
            return 0;
    for (int64_t t = 0; t < o->T; t += l->c.region)
        if (!(l->c.most[t / l->c.region] <= bound)) return t;
    return o->T;
}

static int64_t rows_missed(const kern *k, const layer *l)
{
    int64_t missed = 0;
    if (largest(k, l->m.missed.p, l->o->T) == 0) return 0;
    for (int64_t i = 0; i < l->o->T * k->lanes; i++) missed += kern_real(k, l->m.missed.p, i) != 0;
    return missed;
}

/* Without tokens states pass, and so do their gradients. */
static void copy_state(const kern *k, int64_t rows, int64_t cols, const void *from, void *to)
{
    if (!to) return;
    if (from) memcpy(to, from, bytes_of(k, rows, cols));
    else memset(to, 0, bytes_of(k, rows, cols));
}

/* One token: a step of a decoder. */
static void advance_twice(const kern *k, const layer *l, const mesa_operands *m)
{
    const int64_t d = l->o->d, dv = l->o->dv;
    const gates g = l->s.gamma;
    k->rank_one_twice(d, d, g.high, g.low, m->beta.p, m->H0, m->K.p, m->K.cs, m->K.p, m->K.cs,
                      m->HT);
    k->rank_one_twice(d, dv, g.high, g.low, m->beta.p, m->S0, m->K.p, m->K.cs, m->V.p, m->V.cs,
                      m->ST);
}

int64_t mesa_forward(mesa_worker w, const mesa_options *o, const mesa_operands *m)
{
    layer l = layer_take(&w, o, m, 0);
    if (o->T == 0) {
        copy_state(w.k, (1 + m->twice) * o->d, o->d, m->H0, m->HT);
        copy_state(w.k, (1 + m->twice) * o->d, o->dv, m->S0, m->ST);
        return 0;
    }
    layer_measure(&w, &l);
    l.s.T = tokens_of_f32(w.k, &l);
    const int wide = l.s.T < o->T || m->twice;
    if (wide) l.m.HT = l.m.ST = NULL;
    if (l.s.T > 0) layer_forward(&w, &l);
    if (l.s.T > 0 && w.k->size == 4) upcast_certify(w, &l, m->Q, l.m.X);
    if (wide && o->T == 1 && l.s.T == 1) advance_twice(w.k, &l, m);
    else if (wide) upcast_forward(w, &l, m);
    return rows_missed(w.k, &l);
}

int64_t mesa_backward(mesa_worker w, const mesa_options *o, const mesa_operands *m)
{
    const kern *k = w.k;
    const layer l = layer_take(&w, o, m, 1);
    if (o->T == 0) {
        copy_state(k, o->d, o->dv, m->dST, m->dS0);
        if (m->dH0) memset(m->dH0, 0, bytes_of(k, o->d, o->d));
        if (m->dH0 && m->dHT)
            k->add_transposed(o->d, m->dHT, m->dH0), k->scale(o->d * o->d * k->lanes, 0.5, m->dH0);
        if (m->dridge) memset(m->dridge, 0, bytes_of(k, 1, o->d));
        return 0;
    }
    layer_measure(&w, &l);
    if (tokens_of_f32(k, &l) < o->T) {
        upcast_backward(w, &l);
    } else {
        layer_backward(&w, &l);
        if (k->size == 4) upcast_certify(w, &l, l.Y, m->dQ);
    }
    return rows_missed(k, &l);
}
