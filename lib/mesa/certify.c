/* See certify.h. */
#include "mesa/certify.h"
#include "mesa/matvec.h"
#include <math.h>

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

double row_norm(const kern *k, mat m, int64_t d, int64_t i)
{
    const void *row = lane_of(k, m, i);
    double most = 0, sum = 0;
    for (int64_t j = 0; j < d; j++) {
        const double x = fabs(kern_real(k, row, j * k->lanes));
        if (!isfinite(x)) return INFINITY;
        most = x > most ? x : most;
    }
    for (int64_t j = 0; j < d && most > 0; j++) {
        const double x = kern_real(k, row, j * k->lanes) / most;
        sum += x * x;
    }
    return most * sqrt(sum);
}

/* |b - A x| / |b| of row i, whose squares are beyond the type's range; AX <- b - A x. */
static double share_of(const kern *k, int64_t d, mat B, mat AX, int64_t i)
{
    const double b = row_norm(k, B, d, i);
    const void *from = lane_of(k, B, i);
    void *rest = lane_of(k, AX, i);
    for (int64_t j = 0; j < d * k->lanes; j += k->lanes)
        kern_set_real(k, rest, j, kern_real(k, from, j) - kern_real(k, rest, j));
    return b > 0 ? row_norm(k, AX, d, i) / b : 0;
}

/* Of one chunk. What rounding hides does not count as seen. */
static void certify_chunk(const mesa_worker *w, const layer *l, const space *s, mat B, mat X)
{
    const kern *k = w->k;
    const int64_t C = s->A.c.C, d = l->o->d, t = s->A.c.t;
    matvec_apply(w, &s->A, X, s->AX);
    k->residuals(C, d, B.p, B.rs, s->AX.p, d, s->share);
    for (int64_t i = 0; i < C * k->lanes; i++) {
        const double missed = kern_real(k, l->m.missed.p, t * k->lanes + i);
        double seen = kern_real(k, s->share, i);
        if (seen == 0 || !isfinite(seen)) seen = share_of(k, d, B, s->AX, i);
        kern_set_real(k, s->share, i, seen);
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
