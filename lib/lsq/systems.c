/* Which solver works on which tokens, and certificates of what it found. Tokens come in regions of a few hundred.
 *
 * MESA_AUTO picks for each of them. (tr H_t + max l) / min l bounds the condition number there, so sqrt of it half the steps of conjugate gradients
 * a factor of e needs; where those are cheap they solve, elsewhere a direct solver does. Costs are in multiply-adds per row, with what the
 * kernels reach of the peak taken into account. */
#include "base/real.h"
#include "lsq/operator.h"
#include "lsq/systems.h"
#include <math.h>
#include <string.h>

typedef struct workspace {
    carried H;
    mat D;                         /* of a chunk, for certificates */
    operation_space operation;
    void *AX;                      /* C x d */
    void *rr, *norm, *one;         /* C, region + 1, 1 */
    void *core;
} workspace;

enum { REGION = 256 };

static int is_direct(enum mesa_solver solver) { return solver == MESA_CHOLESKY || solver == MESA_SHERMAN_MORRISON || solver == MESA_SEGMENTS; }
static int iterates(enum mesa_solver solver) { return !is_direct(solver); }       /* MESA_AUTO may */

static systems with_solver(const systems *s, enum mesa_solver solver)
{
    systems other = *s;
    other.solver = solver;
    return other;
}

static workspace lay_out(arena *a, const kern *k, const systems *s)
{
    workspace w = {0};
    const int64_t real = k->lanes * k->size, C = s->chunk, d = s->d;
    w.H = carried_take(a, k, d, d);
    if (s->certificate.residual.p || s->certificate.condition.p) {
        w.D = chunk_space(a, k, s->s.high.p != NULL, C);
        w.operation = operation_take(a, k, C, d);
        w.AX = arena_take(a, C * d, real);
        w.rr = arena_take(a, C, real);
    }
    w.norm = arena_take(a, C + REGION + 1, real), w.one = arena_take(a, 1, real);
    const systems trial = with_solver(s, MESA_JACOBI);
    const int64_t direct = s->solver == MESA_AUTO || is_direct(s->solver) ? direct_scratch(k, s) : 0;
    const int64_t iterative = iterates(s->solver) ? iterative_scratch(k, s->solver == MESA_AUTO ? &trial : s) : 0;
    w.core = arena_take(a, direct > iterative ? direct : iterative, direct < 0 || iterative < 0 ? -1 : 1);
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
    for (int64_t t = 0, C; t < s->s.T && !stream_stopped(&s->s); t += C) {
        C = s->s.T - t < s->chunk ? s->s.T - t : s->chunk;
        const chunk c = chunk_at(k, &s->s, w->D, t, C);
        const operation o = operation_of(k, &w->operation, s->d, &c, &w->H, s->ridge);
        certify(k, s, ps, w, &o, rows_from(k, B, t), rows_from(k, X, t));
        operation_advance(k, ps, &o, &w->H);
    }
}

double systems_condition(const kern *k, int64_t n, int64_t d, mat K, mat beta, mat high, mat low, const void *H, int64_t rs, const void *ridge, void *space)
{
    void *norm = space, *one = kern_at(k, space, n);
    double most = 1;
    k->norms(n, d, K.p, K.rs, beta.p, beta.rs, high.p, low.p, high.rs, H, rs, ridge, norm, one);
    for (int64_t i = 0; i < n; i++) {
        k->ratio(k->lanes, kern_at(k, norm, i), one, kern_at(k, norm, i));
        for (int l = 0; l < k->lanes; l++) {
            const double c = kern_real(k, norm, i * k->lanes + l);
            if (c > most) most = c;
        }
    }
    return most;
}

/* The solver of a region: where the bound leaves an inverse no digits to refine, a factor takes its place. */
static enum mesa_solver pick(const kern *k, const systems *s, const workspace *w, int64_t t, int64_t n)
{
    enum { SEGMENTS_PAY = 96 };
    static const double FEW_DIGITS = 0x1p-6;
    if (s->solver != MESA_AUTO && s->solver != MESA_SEGMENTS && s->solver != MESA_SHERMAN_MORRISON) return s->solver;
    const double d = (double)s->d, C = (double)(s->chunk < n ? s->chunk : n);
    const double condition = systems_condition(k, n, s->d, rows_from(k, s->s.K, t), rows_from(k, s->s.beta, t), rows_from(k, s->s.high, t), rows_from(k, s->s.low, t),
                                               w->H.now, s->d, s->ridge, w->norm);
    const int lost = condition * (k->size == 4 ? 0x1p-23 : 0x1p-52) > FEW_DIGITS;
    if (s->solver != MESA_AUTO) return lost ? MESA_CHOLESKY : s->solver;
    const double steps = 1 + 0.5 * sqrt(condition) * real_log(2 / s->tolerance);
    const enum mesa_solver direct = k->size == 4 && !lost && s->d >= SEGMENTS_PAY && s->d <= SYSTEMS_LANES ? MESA_SEGMENTS : MESA_CHOLESKY;
    double cost = d * d * d / 6 + 3 * d * d;
    if (direct == MESA_SEGMENTS) cost = d * d * d / 32 + 9 * d * d;
    else if (k->lanes == 1 && s->d > SYSTEMS_LANES) cost *= 5;
    return steps * 1.5 * (d * d + C * d + 8 * d) < cost ? MESA_JACOBI : direct;
}

/* Certificate and defect of direct solvers. */
static void no_steps(const kern *k, const systems *s, int64_t t, int64_t n, mat defect)
{
    for (int64_t i = t; i < t + n; i++) {
        if (s->certificate.iterations.p) memset(rows_from(k, s->certificate.iterations, i).p, 0, bytes_of(k, 1, 1));
        if (defect.p) memset(rows_from(k, defect, i).p, 0, bytes_of(k, 1, 1));
    }
}

/* Rows that are no numbers: a direct solver breaks down where the ridge is lost in the rounding of H. */
static int64_t broken_rows(const kern *k, const systems *s, const workspace *w, int64_t n, int right, const mat *X)
{
    int64_t broken = 0;
    for (int r = 0; r < right; r++) {
        k->row_dot(n, s->d, NULL, X[r].p, X[r].rs, X[r].p, X[r].rs, w->norm, 1);
        for (int64_t i = 0; i < n * k->lanes; i++) broken += !isfinite(kern_real(k, w->norm, i));
    }
    return broken;
}

/* Tokens t .. t + n - 1 by one solver. */
static int64_t solve_region(const kern *k, const systems *all, void *ps, workspace *w, enum mesa_solver solver, int64_t t, int64_t n, int right,
                            const mat *B, const mat *X, mat other, mat defect)
{
    const systems s = with_solver(all, solver);
    mat b[SYSTEMS_RIGHT], x[SYSTEMS_RIGHT];
    for (int i = 0; i < right; i++) b[i] = rows_from(k, B[i], t), x[i] = rows_from(k, X[i], t);
    if (iterates(solver)) return iterative_solve(k, &s, ps, w->core, t, n, &w->H, right, b, x, rows_from(k, other, t), rows_from(k, defect, t));
    direct_solve(k, &s, ps, w->core, t, n, &w->H, &w->H, right, b, x);
    no_steps(k, &s, t, n, defect);
    return broken_rows(k, &s, w, n, right, x);
}

int64_t systems_solve(const kern *k, const systems *s, void *ps, void *scratch, int n, const mat *B, const mat *X, mat other, mat defect)
{
    arena a = {scratch, 0};
    workspace w = lay_out(&a, k, s);
    const int64_t T = s->s.T, region = (REGION + s->chunk - 1) / s->chunk * s->chunk;
    int64_t failed = 0;
    carried_set(k, &w.H, s->H0);
    for (int64_t t = 0, m; t < T && !stream_stopped(&s->s); t += m) {
        m = T - t < region ? T - t : region;
        failed += solve_region(k, s, ps, &w, pick(k, s, &w, t, m), t, m, n, B, X, other, defect);
    }
    if (s->HT) carried_get(k, &w.H, s->HT);
    if (s->certificate.residual.p || s->certificate.condition.p) certify_all(k, s, ps, &w, B[0], X[0]);
    return failed;
}
