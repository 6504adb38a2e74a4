/* Which solver works on which tokens, and what its solutions are worth. Tokens come in regions of a
 * few hundred.
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
#include "mesa/solve.h"
#include "base/real.h"
#include "kern/panels.h"
#include "mesa/cg.h"
#include "mesa/certify.h"
#include "mesa/segments.h"
#include <float.h>
#include <math.h>

typedef struct region {
    int64_t t, T;                  /* tokens t .. t + T - 1 */
    enum mesa_solver solver;
    int sets;
    mat B[SETS], X[SETS], other, defect;               /* rows from t on */
    int doubtful;                  /* the condition number does not exclude that digits are lost */
    void *xx, *bb;                 /* T */
} region;

/* Of the largest region. Pieces of upcast.c may have shorter chunks than were planned for, of which
 * a region has more, but not more tokens than there are. */
static int64_t region_rows(const layer *l) { return least(l->c.region, l->s.T); }

int64_t solve_bytes(mesa_worker w, const layer *l)
{
    const enum mesa_solver solver = l->o->solver;
    const int tries = solver == MESA_AUTO;
    state_take(&w, l->o->d, l->o->d);
    take(&w, region_rows(l)), take(&w, region_rows(l));
    const int64_t direct =
        tries || !mesa_iterates(solver) ? segments_bytes(w, l, solver) : w.memory.used;
    if (!mesa_iterates(solver)) return direct;
    cg_take(&w, l, tries ? MESA_CG_DIAG : solver, NULL);
    if (!l->o->fallback) return most_bytes(direct, w.memory.used);
    state_take(&w, l->o->d, l->o->d);
    return most_bytes(direct, segments_bytes(w, l, MESA_CHOLESKY));
}

/* ---- rows that missed ---- */

/* Row i of those from t on, lanes counted, with its residual. */
static void note(const kern *k, const layer *l, int64_t t, int64_t i, double residual)
{
    const int64_t at = t * k->lanes + i;
    const double most = k->size == 4 ? (double)FLT_MAX : DBL_MAX,
                 before = kern_real(k, l->m.missed.p, at);
    kern_set_real(k, l->m.missed.p, at,
                  residual < before ? before
                  : residual < most ? residual
                                    : most);
}

/* Rows of a chunk that conjugate gradients missed; those that Cholesky is going to solve only
 * count, unless they are like any other. */
static void note_chunk(const kern *k, const layer *l, const cg *s)
{
    const int fallback = l->o->fallback;
    for (int64_t i = 0; i < s->A.c.C * k->lanes && !(fallback && l->o->solver == MESA_AUTO); i++)
        if (kern_real(k, s->mask, i) != 0)
            note(k, l, s->A.c.t, i, fallback ? MESA_FELL_BACK : kern_real(k, s->missed, i));
}

/* Rows that the mask tells, by Cholesky. */
static void fall_back(mesa_worker w, const layer *l, const cg *s, mat B, mat X)
{
    const kern *k = w.k;
    const int64_t C = s->A.c.C, d = l->o->d;
    const mat P = dense(s->P, d);
    state H = state_take(&w, d, d);
    state_copy(k, s->A.H, &H);
    segments_solve(w, l, MESA_CHOLESKY, s->A.c.t, C, &H, 1, &B, &P);
    k->row_dot(C, d, NULL, P.p, d, P.p, d, s->step, 1);
    for (int64_t i = 0; i < C * k->lanes; i++) {
        if (kern_real(k, s->mask, i) == 0 || isfinite(kern_real(k, s->step, i))) continue;
        kern_set_real(k, s->mask, i, 0);                       /* no better than what there is */
        note(k, l, s->A.c.t, i, kern_real(k, s->missed, i));
    }
    k->row_pick(C, d, s->mask, P.p, d, X.p, X.rs);
    cg_replaced(k, s);
}

/* ---- what solutions are worth ---- */

/* The norm from the squares, where these are in range. */
static double norm_from(const kern *k, double squares, mat m, int64_t d, int64_t i)
{
    return squares > 0x1p-900 && isfinite(squares) ? sqrt(squares) : row_norm(k, m, d, i);
}

/* The share of row i of B that rounding may have lost; 1 and more: X says nothing. */
static double lost(const kern *k, const layer *l, const region *r, int64_t i, double b, mat X)
{
    const double x = norm_from(k, kern_real(k, r->xx, i), X, l->o->d, i),
                 norm = kern_real(k, l->c.norm.p, r->t * k->lanes + i);
    if ((r->doubtful && b != 0 && !isfinite(norm)) || !isfinite(x)) return 1;
    return !r->doubtful || b == 0 ? 0 : rounding(k) * norm * (x / b);
}

/* One set of solutions. Rows that say nothing become 0, and so do their defects. */
static void judge(const kern *k, const layer *l, const region *r, mat B, mat X)
{
    const int64_t d = l->o->d;
    if (!r->doubtful && panels_finite(k, r->T, d, X)) return;
    k->row_dot(r->T, d, NULL, X.p, X.rs, X.p, X.rs, r->xx, 1);
    if (r->doubtful) k->row_dot(r->T, d, NULL, B.p, B.rs, B.p, B.rs, r->bb, 1);
    for (int64_t i = 0; i < r->T * k->lanes; i++) {
        const double b = r->doubtful ? norm_from(k, kern_real(k, r->bb, i), B, d, i) : 1,
                     share = lost(k, l, r, i, b, X);
        const double most = r->doubtful && l->backward && share > 0
                                ? rounding(k) * kern_real(k, l->c.bound.p, r->t * k->lanes + i)
                                : share;
        for (int64_t j = 0; j < d && !(share < 1); j++)
            kern_set_real(k, lane_of(k, X, i), j * k->lanes, 0);
        if (r->defect.p && !(share < 1)) kern_set_real(k, lane_of(k, r->defect, i), 0, 0);
        /* of B: solved by zeros */
        const int zeros = r->doubtful && b == 0;
        if (!(most <= THREE_DIGITS) && !zeros) note(k, l, r->t, i, share < 1 ? most : 1);
    }
}

/* ---- solvers ---- */

/* The solver of a region: where the bound leaves an inverse no digits to refine, a factor takes its
 * place. */
static enum mesa_solver pick(const kern *k, const layer *l, double condition, int64_t n)
{
    enum { SEGMENTS_PAY = 96 };
    static const double FEW_DIGITS = 0x1p-6;
    const enum mesa_solver asked = l->o->solver;
    if (asked != MESA_AUTO && asked != MESA_SEGMENTS && asked != MESA_SHERMAN_MORRISON)
        return asked;
    const double d = (double)l->o->d, C = (double)least(l->o->chunk, n);
    const int few = !(condition * (k->size == 4 ? 0x1p-23 : 0x1p-52) <= FEW_DIGITS);
    if (asked != MESA_AUTO) return few ? MESA_CHOLESKY : asked;
    const double steps = 1 + 0.5 * sqrt(condition) * real_log(2 / l->o->tolerance);
    const enum mesa_solver direct =
        k->size == 4 && !few && d >= SEGMENTS_PAY && d <= SEGMENT_LANES ? MESA_SEGMENTS
                                                                        : MESA_CHOLESKY;
    double cost = d * d * d / 6 + 3 * d * d;
    if (direct == MESA_SEGMENTS) cost = d * d * d / 32 + 9 * d * d;
    else if (k->lanes == 1 && d > SEGMENT_LANES) cost *= 5;
    return steps * 1.5 * (d * d + C * d + 8 * d) < cost ? MESA_CG_DIAG : direct;
}

/* Certificate and defect of direct solvers. */
static void no_steps(const kern *k, const layer *l, const region *r)
{
    const mat steps = rows_from(k, l->m.certificate.iterations, r->t);
    for (int64_t i = 0; i < r->T; i++) {
        if (steps.p) memset(rows_from(k, steps, i).p, 0, bytes_of(k, 1, 1));
        if (r->defect.p) memset(rows_from(k, r->defect, i).p, 0, bytes_of(k, 1, 1));
    }
}

/* The chunk that begins with row i of the region. */
static void iterate_chunk(const mesa_worker *w, const layer *l, const region *r, const cg *s,
                          int64_t i)
{
    const kern *k = w->k;
    const mat steps = rows_from(k, l->m.certificate.iterations, r->t + i);
    for (int j = r->sets - 1; j >= 0; j--) {            /* the first set last: its residuals stay
                                                           for the defect */
        const mat B = rows_from(k, r->B[j], i), X = rows_from(k, r->X[j], i);
        if (cg_solve(w, l, s, B, X) == 0) continue;
        note_chunk(k, l, s);
        if (l->o->fallback) fall_back(*w, l, s, B, X);
    }
    if (steps.p) rows_copy(k, s->A.c.C, 1, dense(s->count, 1), steps);
    if (r->defect.p)
        cg_defect(k, s, rows_from(k, r->other, i), rows_from(k, r->defect, i));
}

static void iterate(mesa_worker w, const layer *l, const region *r, state *H)
{
    cg s = cg_take(&w, l, r->solver, H);
    for (int64_t i = 0; i < r->T && !kern_stopped(w.k); i += s.A.c.C) {
        cg_begin(&w, l, &s, r->t + i, least(l->o->chunk, r->T - i));
        iterate_chunk(&w, l, r, &s, i);
        matvec_advance(&w, &s.A);
    }
}

static void solve_region(const mesa_worker *w, const layer *l, const region *r, state *H)
{
    if (mesa_iterates(r->solver)) {
        iterate(*w, l, r, H);
    } else {
        segments_solve(*w, l, r->solver, r->t, r->T, H, r->sets, r->B, r->X);
        no_steps(w->k, l, r);
    }
    for (int i = 0; i < r->sets; i++) judge(w->k, l, r, r->B[i], r->X[i]);
}

void solve(mesa_worker w, const layer *l, int sets, const mat *B, const mat *X, mat other,
           mat defect)
{
    const kern *k = w.k;
    state H = state_take_in(&w, l->o->T, l->o->d, l->o->d, l->m.HT);
    region r = {.sets = sets, .xx = take(&w, region_rows(l)), .bb = take(&w, region_rows(l))};
    state_set(k, &H, l->m.H0);
    for (int64_t t = 0; t < l->s.T && !kern_stopped(k); t += r.T) {
        const double condition = l->c.most[t / l->c.region];
        r.t = t, r.T = least(l->c.region, l->s.T - t);
        r.solver = pick(k, l, condition, r.T);
        /* f32 solves no such region, see mesa.c */
        r.doubtful = k->size == 8 && !(rounding(k) * condition <= THREE_DIGITS);
        for (int i = 0; i < sets; i++)
            r.B[i] = rows_from(k, B[i], t), r.X[i] = rows_from(k, X[i], t);
        r.other = rows_from(k, other, t), r.defect = rows_from(k, defect, t);
        solve_region(&w, l, &r, &H);
    }
    if (l->m.HT) state_get(k, &H, l->m.HT);
}
