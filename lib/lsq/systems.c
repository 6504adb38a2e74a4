/* Which solver works on which tokens, and certificates of what it found. */
#include "lsq/operator.h"
#include "lsq/systems.h"
#include <string.h>

typedef struct workspace {
    carried H;
    mat D;                         /* of a chunk, for certificates */
    operation_space operation;
    void *AX;                      /* C x d */
    void *rr, *bb, *norm, *one;    /* C, C, C, 1 */
    void *core;
} workspace;

static int is_direct(const systems *s) { return s->solver == MESA_CHOLESKY || s->solver == MESA_SHERMAN_MORRISON || s->solver == MESA_SEGMENTS; }

static workspace lay_out(arena *a, const kern *k, const systems *s)
{
    workspace w = {0};
    const int64_t real = k->lanes * k->size, C = s->chunk, d = s->d;
    w.H = carried_take(a, k, d, d);
    if (s->certificate.residual.p || s->certificate.condition.p) {
        w.D = chunk_space(a, k, s->s.high.p != NULL, C);
        w.operation = operation_take(a, k, C, d);
        w.AX = arena_take(a, C * d, real);
        w.rr = arena_take(a, C, real), w.bb = arena_take(a, C, real), w.norm = arena_take(a, C, real), w.one = arena_take(a, 1, real);
    }
    w.core = arena_take(a, is_direct(s) ? direct_scratch(k, s) : iterative_scratch(k, s), 1);
    return w;
}

int64_t systems_scratch(const kern *k, const systems *s)
{
    arena a = {0};
    lay_out(&a, k, s);
    return a.used;
}

/* Residual and condition bound of one chunk's rows. */
static void certify(const kern *k, const systems *s, void *ps, const workspace *w, const operation *o, mat B, mat X)
{
    const chunk *c = o->c;
    const int64_t C = c->C, d = s->d;
    const mat high = rows_from(k, s->s.high, c->t), low = rows_from(k, s->s.low, c->t), AX = {w->AX, d, 1};
    const mesa_certificate *out = &s->certificate;
    if (out->condition.p) {
        k->norms(C, d, c->K.p, c->K.rs, c->beta.p, c->beta.rs, high.p, low.p, high.rs, o->H->now, d, s->ridge, w->norm, w->one);
        for (int64_t i = 0; i < C; i++) k->ratio(k->lanes, kern_at(k, w->norm, i), w->one, kern_at(k, w->norm, i));
        rows_copy(k, C, 1, (mat){w->norm, 1, 1}, rows_from(k, out->condition, c->t));
    }
    if (out->residual.p) {
        operation_apply(k, ps, o, X, AX);
        k->residuals(C, d, B.p, B.rs, AX.p, d, w->rr);
        rows_copy(k, C, 1, (mat){w->rr, 1, 1}, rows_from(k, out->residual, c->t));
    }
}

static void certify_all(const kern *k, const systems *s, void *ps, workspace *w, mat B, mat X)
{
    carried_set(k, &w->H, s->H0);
    for (int64_t t = 0, C; t < s->s.T; t += C) {
        C = s->s.T - t < s->chunk ? s->s.T - t : s->chunk;
        const chunk c = chunk_at(k, &s->s, w->D, t, C);
        const operation o = operation_of(k, &w->operation, s->d, &c, &w->H, s->ridge);
        certify(k, s, ps, w, &o, rows_from(k, B, t), rows_from(k, X, t));
        operation_advance(k, ps, &o, &w->H);
    }
}

int64_t systems_solve(const kern *k, const systems *s, void *ps, void *scratch, int n, const mat *B, const mat *X, mat other, mat defect)
{
    arena a = {scratch, 0};
    workspace w = lay_out(&a, k, s);
    int64_t failed = 0;
    carried_set(k, &w.H, s->H0);
    if (is_direct(s)) {
        direct_solve(k, s, ps, w.core, 0, s->s.T, &w.H, &w.H, n, B, X);
        for (int64_t t = 0; s->certificate.iterations.p && t < s->s.T; t++) memset(rows_from(k, s->certificate.iterations, t).p, 0, bytes_of(k, 1, 1));
        for (int64_t t = 0; defect.p && t < s->s.T; t++) memset(rows_from(k, defect, t).p, 0, bytes_of(k, 1, 1));
    } else {
        failed = iterative_solve(k, s, ps, w.core, 0, s->s.T, &w.H, n, B, X, other, defect);
    }
    if (s->HT) carried_get(k, &w.H, s->HT);
    if (s->certificate.residual.p || s->certificate.condition.p) certify_all(k, s, ps, &w, B[0], X[0]);
    return failed;
}
