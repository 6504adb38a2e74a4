/* Iterative solvers, see cg.h: every step is a handful of products.
 *
 *     conjugate gradients   p = z + (r.z / r'.z') p',  x += (r.z / p.Ap) p,  r -= (r.z / p.Ap) A p,
 *                           z = M^-1 r
 *     Neumann               x += s r,  r = b - A x,  s = 1 / (tr H + max l) <= 1 / |A|
 *
 * M: nothing, the diagonal of each row's own matrix, or the matrix of the chunk's middle row,
 * factored once for every set of right-hand sides. Rows are divided by their largest element first,
 * and the tolerance is relative to each row: there is no absolute threshold, so a loss scaled by a
 * power of 2 scales gradients bit for bit. A row is done when its residual is small, and does not
 * move any more.
 *
 * The residual of the recursion drifts away from the true one by roundings of |A| |x| (Greenbaum,
 * SIAM J. Matrix Anal. Appl. 18, 1997), and tends to 0 whatever the true one does. So it only says
 * when to look: b - A x is evaluated, rows that miss the tolerance go on from there, and what they
 * miss in the end is what counts. Source: Hestenes and Stiefel 1952; Saad, Iterative Methods for
 * Sparse Linear Systems, sections 6.7 and 9.2; arXiv 2506.05233 section 4. */
#include "mesa/cg.h"
#include "kern/dense.h"
#include <math.h>

cg cg_take(mesa_worker *w, const layer *l, enum mesa_solver solver, state *H)
{
    const int64_t C = l->o->chunk, d = l->o->d;
    cg s = {.solver = solver};
    void **rows[] = {&s.X, &s.R, &s.P, &s.AP, &s.Z};
    void **scalars[] = {&s.size, &s.rz,    &s.rr,   &s.bb,     &s.pap,
                        &s.step, &s.minus, &s.mask, &s.missed, &s.count};
    s.A = matvec_take(w, &l->s, C, l->m.ridge, H);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) *rows[i] = take(w, C * d);
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++) *scalars[i] = take(w, C);
    if (solver == MESA_CG_DIAG) s.inverse = take(w, C * d);
    if (solver == MESA_CG_CHUNK) {
        s.inverse = take(w, d * d);
        s.factor = take(w, d * d);
        if (w->k->lanes == 1) s.dense = arena_take(&w->memory, dense_scratch(w->k, d, d), 1);
    }
    return s;
}

/* ---- preconditioners ---- */

/* s->inverse <- (H_t + Lambda)^-1 of the chunk's middle row. */
static void invert_middle(const mesa_worker *w, const layer *l, const cg *s)
{
    const kern *k = w->k;
    const chunk *c = &s->A.c;
    const int64_t d = l->o->d, n = d * d, m = (c->C - 1) / 2;
    const mat decay = c->D.p ? (mat){kern_at(k, c->D.p, m * c->D.rs), 1, 1} : (mat){NULL, 0, 0};
    const mat M = dense(s->factor, d),
              K = chunk_weighted(k, m + 1, d, decay, c->K, s->A.weighted);
    memcpy(M.p, s->A.H->now, bytes_of(k, d, d));
    if (c->a.p) k->row_scale(1, n, kern_at(k, c->a.p, m * c->a.rs), 1, M.p, n, M.p, n);
    product(w, TRI_NONE, 1, d, d, m + 1, transposed(K), s->A.BK, M);
    memset(s->inverse, 0, bytes_of(k, d, d));
    for (int64_t i = 0; i < d; i++) fill(k, k->lanes, 1, kern_at(k, s->inverse, i * (d + 1)));
    if (k->lanes > 1) {
        k->cholesky(k, d, M.p, d, NULL, NULL, NULL, NULL, l->m.ridge, M.p, d);
        k->cholesky_solve(k, d, M.p, d, d, s->inverse, d, s->inverse, d);
    } else {
        dense_cholesky(k, w->product, s->dense, d, l->m.ridge, M.p, d);
        dense_solve(k, w->product, s->dense, d, M.p, d, d, s->inverse, d);
    }
}

void cg_begin(const mesa_worker *w, const layer *l, cg *s, int64_t t, int64_t C)
{
    const kern *k = w->k;
    const chunk *c = &s->A.c;
    matvec_begin(k, &s->A, t, C);
    if (s->solver == MESA_CG_CHUNK) invert_middle(w, l, s);
    if (s->solver == MESA_CG_DIAG) {
        const gates g = gates_from(k, l->s.gamma, t);
        k->row_diagonal(c->C, l->o->d, c->K.p, c->K.rs, c->beta.p, c->beta.rs, g.high, g.low, 1,
                        s->A.H->now, l->o->d, l->m.ridge, s->inverse);
    }
}

/* Z = M^-1 R; R itself without M. */
static void *precondition(const mesa_worker *w, const cg *s, int64_t C, int64_t d)
{
    if (s->solver == MESA_CG_DIAG) w->k->multiply(C * d * w->k->lanes, s->R, s->inverse, s->Z);
    else if (s->solver == MESA_CG_CHUNK)
        product(w, TRI_NONE, 0, C, d, d, dense(s->R, d), dense(s->inverse, d), dense(s->Z, d));
    else return s->R;
    return s->Z;
}

/* ---- one set of right-hand sides ---- */

static void dot(const kern *k, int64_t C, int64_t d, const void *x, const void *y, void *out)
{
    k->row_dot(C, d, NULL, x, d, y, d, out, 1);
}

/* R = B / size */
static void divide(const kern *k, const cg *s, int64_t C, int64_t d, mat B)
{
    fill(k, C * k->lanes, 1, s->mask);
    k->ratio(C * k->lanes, s->mask, s->size, s->step);
    k->row_scale(C, d, s->step, 1, B.p, B.rs, s->R, d);
}

/* X = 0; rows of zeros are done already. */
static void begin_set(const kern *k, const cg *s, int64_t C, int64_t d, mat B)
{
    k->row_max(C, d, B.p, B.rs, s->size);
    divide(k, s, C, d, B);
    memset(s->X, 0, bytes_of(k, C, d));
    memset(s->count, 0, bytes_of(k, C, 1));
    dot(k, C, d, s->R, s->R, s->rr);
    memcpy(s->bb, s->rr, bytes_of(k, C, 1));
}

/* P <- Z + (r.z / r'.z') P, and the step along it. */
static void next_direction(const mesa_worker *w, const cg *s, int first)
{
    const kern *k = w->k;
    const int64_t C = s->A.c.C, d = s->A.s->d, n = C * k->lanes;
    const void *Z = precondition(w, s, C, d);
    memcpy(s->pap, s->rz, bytes_of(k, C, 1));
    dot(k, C, d, s->R, Z, s->rz);
    if (first) {
        memcpy(s->P, Z, bytes_of(k, C, d));
    } else {
        k->ratio(n, s->rz, s->pap, s->step);
        k->row_scale(C, d, s->step, 1, s->P, d, s->P, d);
        k->add(n * d, Z, s->P);
    }
    matvec_apply(w, &s->A, dense(s->P, d), dense(s->AP, d));
    dot(k, C, d, s->P, s->AP, s->pap);
    k->ratio(n, s->rz, s->pap, s->step);
}

/* Neumann: P = R, and the step is 1 / norm. */
static void residual_direction(const mesa_worker *w, const layer *l, const cg *s)
{
    const kern *k = w->k;
    const int64_t C = s->A.c.C, d = l->o->d;
    memcpy(s->P, s->R, bytes_of(k, C, d));
    matvec_apply(w, &s->A, dense(s->P, d), dense(s->AP, d));
    k->ratio(C * k->lanes, s->mask, rows_from(k, l->c.norm, s->A.c.t).p, s->step);
}

/* Steps of the rows that `mask` tells from number i on, until their recursion says that they are
 * done; returns the number of the next one. */
static int64_t iterate(const mesa_worker *w, const layer *l, const cg *s, int64_t i)
{
    const kern *k = w->k;
    const int64_t C = s->A.c.C, d = l->o->d, n = C * k->lanes;
    const double target = l->o->strict ? 0.75 * l->o->tolerance : l->o->tolerance;
    for (int64_t first = i;; i++) {
        const int64_t left = k->above(n, s->rr, s->bb, target * target, s->mask, s->count);
        if (left == 0 || i == l->o->iterations || kern_stopped(k)) break;
        if (s->solver == MESA_NEUMANN) residual_direction(w, l, s);
        else next_direction(w, s, i == first);
        k->multiply(n, s->step, s->mask, s->step);
        memcpy(s->minus, s->step, bytes_of(k, C, 1));
        k->scale(n, -1, s->minus);
        k->row_add(C, d, s->step, 1, s->P, d, s->X, d);
        k->row_add(C, d, s->minus, 1, s->AP, d, s->R, d);
        dot(k, C, d, s->R, s->R, s->rr);
    }
    memcpy(s->minus, s->mask, bytes_of(k, C, 1));
    k->scale(n, -1, s->minus);
    k->add(n, s->minus, s->count);                             /* the last one was not made */
    return i;
}

/* R = B / size - A X; `mask` tells the rows where it is above the tolerance, `missed` its share of
 * B. With a tolerance that was asked for, what rounding may hide counts as well; without one, it is
 * what cannot be mended. */
static int64_t look(const mesa_worker *w, const layer *l, const cg *s, mat B)
{
    const kern *k = w->k;
    const int64_t C = s->A.c.C, d = l->o->d, n = C * k->lanes;
    const double tolerance = l->o->tolerance;
    int64_t left = 0;
    matvec_apply(w, &s->A, dense(s->X, d), dense(s->AP, d));
    divide(k, s, C, d, B);
    fill(k, n, -1, s->minus);
    k->row_add(C, d, s->minus, 1, s->AP, d, s->R, d);
    dot(k, C, d, s->R, s->R, s->rr);
    dot(k, C, d, s->X, s->X, s->step);
    for (int64_t i = 0; i < n; i++) {
        const double r = sqrt(kern_real(k, s->rr, i)), b = sqrt(kern_real(k, s->bb, i)),
                     norm = kern_real(k, l->c.norm.p, s->A.c.t * k->lanes + i);
        const double hidden = rounding(k) * norm * sqrt(kern_real(k, s->step, i));
        const double seen = l->o->strict ? r + 0.25 * hidden : r;
        const int done = seen <= tolerance * b + (l->o->strict ? 0 : hidden);
        kern_set_real(k, s->mask, i, !done);
        kern_set_real(k, s->missed, i, seen / b);
        left += !done;
    }
    return left;
}

int64_t cg_solve(const mesa_worker *w, const layer *l, const cg *s, mat B, mat X)
{
    enum { LOOKS = 4 };
    const int64_t C = s->A.c.C, d = l->o->d;
    int64_t left = 1;
    begin_set(w->k, s, C, d, B);
    for (int64_t i = 0, looks = 0; looks < LOOKS; looks++) {
        i = iterate(w, l, s, i);
        left = look(w, l, s, B);
        if (left == 0 || i == l->o->iterations) break;
    }
    w->k->row_scale(C, d, s->size, 1, s->X, d, X.p, X.rs);
    return left;
}

void cg_replaced(const kern *k, const cg *s)
{
    const int64_t C = s->A.c.C, d = s->A.s->d;
    memset(s->P, 0, bytes_of(k, C, d));
    k->row_pick(C, d, s->mask, s->P, d, s->R, d);
}

void cg_defect(const kern *k, const cg *s, mat other, mat out)
{
    const int64_t C = s->A.c.C, d = s->A.s->d;
    k->row_scale(C, d, s->size, 1, s->R, d, s->R, d);
    k->row_dot(C, d, NULL, other.p, other.rs, s->R, d, out.p, out.rs);
}
