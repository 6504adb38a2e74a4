/* Which solver works on which tokens, what its solutions are worth, and their certificates. Tokens
 * come in regions of a few hundred.
 *
 * MESA_AUTO picks for each of them. (tr H_t + max l) / min l bounds the condition number there, so
 * sqrt of it half the steps of conjugate gradients a factor of e needs; where those are cheap they
 * solve, elsewhere a direct solver does. Costs are in multiply-adds per row, with what the kernels
 * reach of the peak taken into account.
 *
 * A solver leaves a residual of a few roundings of |A| |x| (Higham, Accuracy and Stability of
 * Numerical Algorithms, theorem 10.4), and the sums in A are as exact as that. So |A| |x| / |b|,
 * which is at most the condition number, says how much of b is lost: a row of which less than three
 * digits are left has not converged. The condition number alone would say so of every row that
 * follows a large key. It does in the adjoint, whose gradients weigh solutions themselves, not only
 * what they explain of b. */
#include "base/real.h"
#include "mesa/operator.h"
#include "mesa/systems.h"
#include <float.h>
#include <math.h>
#include <string.h>

typedef struct workspace {
    carried H;
    mat D;                         /* of a chunk, for certificates */
    operation_space operation;
    void *AX, *rr;                 /* C x d, C */
    void *xx, *bb;                 /* region */
    void *core;
} workspace;

enum { REGION = 256 };
static const double THREE_DIGITS = 0x1p-10;

int64_t systems_region(int64_t chunk) { return (REGION + chunk - 1) / chunk * chunk; }

static systems with_solver(const systems *s, enum mesa_solver solver)
{
    systems other = *s;
    other.silent = s->silent || s->solver == MESA_AUTO;
    other.solver = solver;
    return other;
}

static workspace lay_out(arena *a, const kern *k, const systems *s)
{
    workspace w = {0};
    const int64_t real = k->lanes * k->size, C = s->chunk, d = s->d;
    w.H = carried_take(a, k, d, d);
    if (s->certificate.residual.p) {
        w.D = chunk_space(a, k, s->s.high.p != NULL, C);
        w.operation = operation_take(a, k, C, d);
        w.AX = arena_take(a, C * d, real);
        w.rr = arena_take(a, C, real);
    }
    w.xx = arena_take(a, systems_region(C), real), w.bb = arena_take(a, systems_region(C), real);
    const systems trial = with_solver(s, MESA_CG_DIAG);
    const int64_t direct =
        s->solver == MESA_AUTO || !mesa_iterates(s->solver) ? direct_scratch(k, s) : 0;
    const int64_t iterative =
        mesa_iterates(s->solver) ? iterative_scratch(k, s->solver == MESA_AUTO ? &trial : s) : 0;
    w.core = arena_take(a, direct > iterative ? direct : iterative,
                        direct < 0 || iterative < 0 ? -1 : 1);
    return w;
}

int64_t systems_scratch(const kern *k, const systems *s)
{
    arena a = {0};
    lay_out(&a, k, s);
    return a.used;
}

double systems_most(const kern *k, const void *column, int64_t n)
{
    const float *single = column;
    const double *wide = column;
    float most = 0;
    double most_wide = 0;
    if (k->size == 4) {
        for (int64_t i = 0; i < n * k->lanes; i++)
            most = single[i] <= most ? most : single[i] == single[i] ? single[i] : INFINITY;
        return (double)most;
    }
    for (int64_t i = 0; i < n * k->lanes; i++)
        most_wide = wide[i] <= most_wide ? most_wide
                    : wide[i] == wide[i] ? wide[i]
                                         : (double)INFINITY;
    return most_wide;
}

/* ---- certificates ---- */

/* Residuals of one chunk's rows: that of rows that did not converge is no less than what rounding
 * hides. */
static void certify(const kern *k, const systems *s, void *ps, const workspace *w,
                    const operation *o, mat B, mat X)
{
    const int64_t C = o->c->C, d = s->d, t = o->c->t;
    const mat AX = {w->AX, d, 1};
    operation_apply(k, ps, o, X, AX);
    k->residuals(C, d, B.p, B.rs, AX.p, d, w->rr);
    for (int64_t i = 0; i < C * k->lanes; i++) {
        const double seen = kern_real(k, w->rr, i),
                     least = kern_real(k, s->missed.p, t * k->lanes + i);
        if (!(seen >= least)) kern_set_real(k, w->rr, i, least);
    }
    rows_copy(k, C, 1, (mat){w->rr, 1, 1}, rows_from(k, s->certificate.residual, t));
}

void systems_certify(const kern *k, const systems *s, void *ps, void *scratch, mat B, mat X)
{
    arena a = {scratch, 0};
    workspace w = lay_out(&a, k, s);
    carried_set(k, &w.H, s->H0);
    for (int64_t t = 0, C; t < s->s.T && !kern_stopped(k); t += C) {
        C = s->s.T - t < s->chunk ? s->s.T - t : s->chunk;
        const chunk c = chunk_at(k, &s->s, w.D, t, C);
        const operation o = operation_of(k, &w.operation, s->d, &c, &w.H, s->ridge);
        certify(k, s, ps, &w, &o, rows_from(k, B, t), rows_from(k, X, t));
        operation_advance(k, ps, &o, &w.H);
    }
    if (s->HT) carried_get(k, &w.H, s->HT);
}

/* ---- what solutions are worth ---- */

void systems_missed(const kern *k, const systems *s, int64_t t, int64_t i, double residual)
{
    const int64_t at = t * k->lanes + i;
    const double most = k->size == 4 ? (double)FLT_MAX : DBL_MAX,
                 before = kern_real(k, s->missed.p, at);
    kern_set_real(k, s->missed.p, at,
                  residual < before ? before
                  : residual < most ? residual
                                    : most);
}

/* Row i (lanes counted) of m. */
static void *lane_of(const kern *k, mat m, int64_t i)
{
    return (char *)kern_at(k, m.p, i / k->lanes * m.rs) + i % k->lanes * k->size;
}

/* Whether its elements are finite; their squares are not. */
static int finite_row(const kern *k, mat m, int64_t d, int64_t i)
{
    for (int64_t j = 0; j < d; j++)
        if (!isfinite(kern_real(k, lane_of(k, m, i), j * k->lanes))) return 0;
    return 1;
}

/* The share of row i of B that rounding may have lost; 1 and more: X says nothing. doubtful: the
 * condition number does not exclude it. */
static double lost(const kern *k, const systems *s, const workspace *w, int64_t t, int64_t i,
                   int doubtful, mat X)
{
    const double xx = kern_real(k, w->xx, i), bb = doubtful ? kern_real(k, w->bb, i) : 1,
                 norm = kern_real(k, s->norm.p, t * k->lanes + i);
    if ((doubtful && bb != 0 && !isfinite(norm)) || (!isfinite(xx) && !finite_row(k, X, s->d, i)))
        return 1;
    return !doubtful || bb == 0 ? 0 : systems_rounding(k) * norm * (sqrt(xx) / sqrt(bb));
}

/* One set of solutions of a region. Rows that say nothing become 0, and so do their defects. */
static void judge(const kern *k, const systems *s, const workspace *w, int64_t t, int64_t n,
                  int doubtful, mat B, mat X, mat defect)
{
    k->row_dot(n, s->d, NULL, X.p, X.rs, X.p, X.rs, w->xx, 1);
    if (doubtful) k->row_dot(n, s->d, NULL, B.p, B.rs, B.p, B.rs, w->bb, 1);
    for (int64_t i = 0; i < n * k->lanes; i++) {
        if (!doubtful && isfinite(kern_real(k, w->xx, i))) continue;
        const double share = lost(k, s, w, t, i, doubtful, X);
        const double most =
            doubtful && s->adjoint && share > 0
                ? systems_rounding(k) * kern_real(k, s->condition.p, t * k->lanes + i)
                : share;
        for (int64_t j = 0; j < s->d && !(share < 1); j++)
            kern_set_real(k, lane_of(k, X, i), j * k->lanes, 0);
        if (defect.p && !(share < 1)) kern_set_real(k, lane_of(k, defect, i), 0, 0);
        /* of B: solved by zeros */
        const int zeros = doubtful && kern_real(k, w->bb, i) == 0;
        if (!(most <= THREE_DIGITS) && !zeros) systems_missed(k, s, t, i, share < 1 ? most : 1);
    }
}

/* ---- solvers ---- */

/* The solver of a region: where the bound leaves an inverse no digits to refine, a factor takes its
 * place. */
static enum mesa_solver pick(const kern *k, const systems *s, double condition, int64_t n)
{
    enum { SEGMENTS_PAY = 96 };
    static const double FEW_DIGITS = 0x1p-6;
    if (s->solver != MESA_AUTO && s->solver != MESA_SEGMENTS && s->solver != MESA_SHERMAN_MORRISON)
        return s->solver;
    const double d = (double)s->d, C = (double)(s->chunk < n ? s->chunk : n);
    const int lost = !(condition * (k->size == 4 ? 0x1p-23 : 0x1p-52) <= FEW_DIGITS);
    if (s->solver != MESA_AUTO) return lost ? MESA_CHOLESKY : s->solver;
    const double steps = 1 + 0.5 * sqrt(condition) * real_log(2 / s->tolerance);
    const enum mesa_solver direct =
        k->size == 4 && !lost && s->d >= SEGMENTS_PAY && s->d <= SYSTEMS_LANES ? MESA_SEGMENTS
                                                                               : MESA_CHOLESKY;
    double cost = d * d * d / 6 + 3 * d * d;
    if (direct == MESA_SEGMENTS) cost = d * d * d / 32 + 9 * d * d;
    else if (k->lanes == 1 && s->d > SYSTEMS_LANES) cost *= 5;
    return steps * 1.5 * (d * d + C * d + 8 * d) < cost ? MESA_CG_DIAG : direct;
}

/* Certificate and defect of direct solvers. */
static void no_steps(const kern *k, const systems *s, int64_t t, int64_t n, mat defect)
{
    for (int64_t i = t; i < t + n; i++) {
        if (s->certificate.iterations.p)
            memset(rows_from(k, s->certificate.iterations, i).p, 0, bytes_of(k, 1, 1));
        if (defect.p) memset(rows_from(k, defect, i).p, 0, bytes_of(k, 1, 1));
    }
}

/* Tokens t .. t + n - 1 by one solver. */
static void solve_region(const kern *k, const systems *all, void *ps, workspace *w, int64_t t,
                         int64_t n, int right, const mat *B, const mat *X, mat other, mat defect)
{
    const double condition = systems_most(k, rows_from(k, all->condition, t).p, n);
    const systems s = with_solver(all, pick(k, all, condition, n));
    mat b[SYSTEMS_RIGHT], x[SYSTEMS_RIGHT];
    for (int i = 0; i < right; i++) b[i] = rows_from(k, B[i], t), x[i] = rows_from(k, X[i], t);
    if (mesa_iterates(s.solver)) {
        iterative_solve(k, &s, ps, w->core, t, n, &w->H, right, b, x, rows_from(k, other, t),
                        rows_from(k, defect, t));
    } else {
        direct_solve(k, &s, ps, w->core, t, n, &w->H, &w->H, right, b, x);
        no_steps(k, &s, t, n, defect);
    }
    /* f32 solves no such region, see mesa.c */
    const int doubtful = k->size == 8 && !(systems_rounding(k) * condition <= THREE_DIGITS);
    for (int i = 0; i < right; i++)
        judge(k, &s, w, t, n, doubtful, b[i], x[i], rows_from(k, defect, t));
}

void systems_solve(const kern *k, const systems *s, void *ps, void *scratch, int n, const mat *B,
                   const mat *X, mat other, mat defect)
{
    arena a = {scratch, 0};
    workspace w = lay_out(&a, k, s);
    const int64_t T = s->s.T, region = systems_region(s->chunk);
    carried_set(k, &w.H, s->H0);
    for (int64_t t = 0, m; t < T && !kern_stopped(k); t += m) {
        m = T - t < region ? T - t : region;
        solve_region(k, s, ps, &w, t, m, n, B, X, other, defect);
    }
    if (s->HT) carried_get(k, &w.H, s->HT);
}
