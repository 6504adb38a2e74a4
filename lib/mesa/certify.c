/* See certify.h. */
#include "mesa/certify.h"
#include "mesa/matvec.h"

typedef struct space { state H; matvec A; mat AX; void *share; } space;    /* C x d, C */

static void take_space(mesa_worker *w, const layer *l, space *s)
{
    const int64_t C = l->o->chunk, d = l->o->d;
    s->H = state_take(w, d, d);
    s->A = matvec_take(w, &l->s, C, l->m.ridge, &s->H);
    s->AX = take_rows(w, C, d);
    s->share = take(w, C);
}

int64_t certify_bytes(mesa_worker w, const layer *l)
{
    space s;
    take_space(&w, l, &s);
    return w.memory.used;
}

/* Of one chunk. What rounding hides does not count as seen. */
static void certify_chunk(const mesa_worker *w, const layer *l, const space *s, mat B, mat X)
{
    const kern *k = w->k;
    const int64_t C = s->A.c.C, d = l->o->d, t = s->A.c.t;
    matvec_apply(w, &s->A, X, s->AX);
    k->residuals(C, d, B.p, B.rs, s->AX.p, d, s->share);
    for (int64_t i = 0; i < C * k->lanes; i++) {
        const double seen = kern_real(k, s->share, i),
                     missed = kern_real(k, l->m.missed.p, t * k->lanes + i);
        if (missed > MESA_FELL_BACK && !(seen >= missed)) kern_set_real(k, s->share, i, missed);
    }
    rows_copy(k, C, 1, dense(s->share, 1), rows_from(k, l->m.certificate.residual, t));
}

void certify(mesa_worker w, const layer *l, mat B, mat X, void *HT)
{
    const kern *k = w.k;
    space s;
    take_space(&w, l, &s);
    state_set(k, &s.H, l->m.H0);
    for (int64_t t = 0; t < l->s.T && !kern_stopped(k); t += l->o->chunk) {
        matvec_begin(k, &s.A, t, l->o->chunk);
        certify_chunk(&w, l, &s, rows_from(k, B, t), rows_from(k, X, t));
        matvec_advance(&w, &s.A);
    }
    if (HT) state_get(k, &s.H, HT);
}
