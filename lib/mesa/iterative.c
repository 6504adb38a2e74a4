/* Iterative solvers of the systems, all rows of a chunk at once: every step is a handful of
 * products.
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
#include "kern/dense.h"
#include "mesa/operator.h"
#include "mesa/systems.h"
#include <math.h>
#include <string.h>

typedef struct workspace {
    mat D;                         /* of the chunk */
    operation_space operation;
    void *X, *R, *P, *AP, *Z;      /* C x d */
    void *inverse;                 /* inverse of M: C x d diagonals, or d x d */
    void *factor, *dense;          /* its factor, d x d; scratch */
    void *size, *rz, *rr, *bb, *pap, *step, *minus, *mask, *count;             /* C scalars */
    void *direct;                  /* scratch */
} workspace;

static workspace lay_out(arena *a, const kern *k, const systems *s)
{
    workspace w = {0};
    const int64_t real = k->lanes * k->size, C = s->chunk, d = s->d;
    void **rows[] = {&w.X, &w.R, &w.P, &w.AP, &w.Z};
    void **scalars[] = {&w.size, &w.rz, &w.rr, &w.bb, &w.pap, &w.step, &w.minus, &w.mask, &w.count};
    w.D = chunk_space(a, k, s->s.high.p != NULL, C);
    w.operation = operation_take(a, k, C, d);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) *rows[i] = arena_take(a, C * d, real);
    for (size_t i = 0; i < sizeof scalars / sizeof *scalars; i++)
        *scalars[i] = arena_take(a, C, real);
    if (s->solver == MESA_CG_DIAG) w.inverse = arena_take(a, C * d, real);
    if (s->solver == MESA_CG_CHUNK) {
        w.inverse = arena_take(a, d * d, real);
        w.factor = arena_take(a, d * d, real);
        if (k->lanes == 1) w.dense = arena_take(a, dense_scratch(k, d, d), 1);
    }
    if (s->fallback) w.direct = arena_take(a, direct_scratch(k, s), 1);
    return w;
}

int64_t iterative_scratch(const kern *k, const systems *s)
{
    arena a = {0};
    lay_out(&a, k, s);
    return a.used;
}

/* ---- preconditioners ---- */

/* w->inverse <- (H_t + Lambda)^-1 of the chunk's middle row. */
static void invert_middle(const kern *k, const systems *s, void *ps, const workspace *w,
                          const operation *o)
{
    const chunk *c = o->c;
    const int64_t d = s->d, n = d * d, m = (c->C - 1) / 2;
    const mat decay = c->D.p ? (mat){kern_at(k, c->D.p, m * c->D.rs), 1, 1} : (mat){NULL, 0, 0};
    const mat M = {w->factor, d, 1},
              K = chunk_weighted(k, m + 1, d, decay, c->K, w->operation.weighted);
    memcpy(M.p, o->H->now, bytes_of(k, d, d));
    if (c->a.p) k->row_scale(1, n, kern_at(k, c->a.p, m * c->a.rs), 1, M.p, n, M.p, n);
    k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, d, d, m + 1, transposed(K), o->BK, M);
    memset(w->inverse, 0, bytes_of(k, d, d));
    for (int64_t i = 0; i < d; i++) fill(k, k->lanes, 1, kern_at(k, w->inverse, i * (d + 1)));
    if (k->lanes > 1) {
        k->cholesky(k, d, M.p, d, NULL, NULL, NULL, NULL, s->ridge, M.p, d);
        k->cholesky_solve(k, d, M.p, d, d, w->inverse, d, w->inverse, d);
    } else {
        dense_cholesky(k, ps, w->dense, d, s->ridge, M.p, d);
        dense_solve(k, ps, w->dense, d, M.p, d, d, w->inverse, d);
    }
}

static void prepare(const kern *k, const systems *s, void *ps, const workspace *w,
                    const operation *o)
{
    const chunk *c = o->c;
    if (s->solver == MESA_CG_CHUNK) invert_middle(k, s, ps, w, o);
    if (s->solver == MESA_CG_DIAG) {
        const mat high = rows_from(k, s->s.high, c->t), low = rows_from(k, s->s.low, c->t);
        k->row_diagonal(c->C, s->d, c->K.p, c->K.rs, c->beta.p, c->beta.rs, high.p, low.p, high.rs,
                        o->H->now, s->d, s->ridge, w->inverse);
    }
}

/* Z = M^-1 R; R itself without M. */
static void *precondition(const kern *k, const systems *s, void *ps, const workspace *w, int64_t C)
{
    const int64_t d = s->d;
    if (s->solver == MESA_CG_DIAG) k->multiply(C * d * k->lanes, w->R, w->inverse, w->Z);
    else if (s->solver == MESA_CG_CHUNK)
        k->product(k, ps, PRODUCT_LANE, TRI_NONE, 0, C, d, d, (mat){w->R, d, 1},
                   (mat){w->inverse, d, 1}, (mat){w->Z, d, 1});
    else return w->R;
    return w->Z;
}

/* ---- one set of right-hand sides ---- */

static void dot(const kern *k, int64_t C, int64_t d, const void *x, const void *y, void *out)
{
    k->row_dot(C, d, NULL, x, d, y, d, out, 1);
}

/* R = B / size, X = 0; rows of zeros are done already. */
static void begin(const kern *k, const systems *s, const workspace *w, int64_t C, mat B)
{
    const int64_t d = s->d;
    k->row_max(C, d, B.p, B.rs, w->size);
    fill(k, C * k->lanes, 1, w->mask);
    k->ratio(C * k->lanes, w->mask, w->size, w->step);
    k->row_scale(C, d, w->step, 1, B.p, B.rs, w->R, d);
    memset(w->X, 0, bytes_of(k, C, d));
    memset(w->count, 0, bytes_of(k, C, 1));
    dot(k, C, d, w->R, w->R, w->rr);
    memcpy(w->bb, w->rr, bytes_of(k, C, 1));
}

/* P <- Z + (r.z / r'.z') P, and the step along it. */
static void next_direction(const kern *k, const systems *s, void *ps, const workspace *w,
                           const operation *o, int first)
{
    const int64_t C = o->c->C, d = s->d, n = C * k->lanes;
    const void *Z = precondition(k, s, ps, w, C);
    memcpy(w->pap, w->rz, bytes_of(k, C, 1));
    dot(k, C, d, w->R, Z, w->rz);
    if (first) {
        memcpy(w->P, Z, bytes_of(k, C, d));
    } else {
        k->ratio(n, w->rz, w->pap, w->step);
        k->row_scale(C, d, w->step, 1, w->P, d, w->P, d);
        k->add(n * d, Z, w->P);
    }
    operation_apply(k, ps, o, (mat){w->P, d, 1}, (mat){w->AP, d, 1});
    dot(k, C, d, w->P, w->AP, w->pap);
    k->ratio(n, w->rz, w->pap, w->step);
}

/* Neumann: P = R, and the step is 1 / norm. */
static void residual_direction(const kern *k, const systems *s, void *ps, const workspace *w,
                               const operation *o)
{
    const int64_t C = o->c->C, d = s->d;
    memcpy(w->P, w->R, bytes_of(k, C, d));
    operation_apply(k, ps, o, (mat){w->P, d, 1}, (mat){w->AP, d, 1});
    k->ratio(C * k->lanes, w->mask, rows_from(k, s->norm, o->c->t).p, w->step);
}

/* Steps of the rows that `mask` tells from number i on, until their recursion says that they are
 * done; returns the number of the next one. */
static int64_t iterate(const kern *k, const systems *s, void *ps, const workspace *w,
                       const operation *o, int64_t i)
{
    const int64_t C = o->c->C, d = s->d, n = C * k->lanes;
    const double target = s->strict ? 0.75 * s->tolerance : s->tolerance;
    for (int64_t first = i;; i++) {
        const int64_t left = k->above(n, w->rr, w->bb, target * target, w->mask, w->count);
        if (left == 0 || i == s->iterations || kern_stopped(k)) break;
        if (s->solver == MESA_NEUMANN) residual_direction(k, s, ps, w, o);
        else next_direction(k, s, ps, w, o, i == first);
        k->multiply(n, w->step, w->mask, w->step);
        memcpy(w->minus, w->step, bytes_of(k, C, 1));
        k->scale(n, -1, w->minus);
        k->row_add(C, d, w->step, 1, w->P, d, w->X, d);
        k->row_add(C, d, w->minus, 1, w->AP, d, w->R, d);
        dot(k, C, d, w->R, w->R, w->rr);
    }
    memcpy(w->minus, w->mask, bytes_of(k, C, 1));
    k->scale(n, -1, w->minus);
    k->add(n, w->minus, w->count);                             /* the last one was not made */
    return i;
}

/* R = B / size - A X; `mask` tells the rows where it is above the tolerance, `minus` its share of
 * B. With a tolerance that was asked for, what rounding may hide counts as well; without one, it is
 * what cannot be mended. */
static int64_t look(const kern *k, const systems *s, void *ps, const workspace *w,
                    const operation *o, mat B)
{
    const int64_t C = o->c->C, d = s->d, n = C * k->lanes;
    int64_t left = 0;
    operation_apply(k, ps, o, (mat){w->X, d, 1}, (mat){w->AP, d, 1});
    fill(k, n, 1, w->mask);
    k->ratio(n, w->mask, w->size, w->step);
    k->row_scale(C, d, w->step, 1, B.p, B.rs, w->R, d);
    fill(k, n, -1, w->minus);
    k->row_add(C, d, w->minus, 1, w->AP, d, w->R, d);
    dot(k, C, d, w->R, w->R, w->rr);
    dot(k, C, d, w->X, w->X, w->step);
    for (int64_t i = 0; i < n; i++) {
        const double r = sqrt(kern_real(k, w->rr, i)), b = sqrt(kern_real(k, w->bb, i)),
                     norm = kern_real(k, s->norm.p, o->c->t * k->lanes + i);
        const double rounding = systems_rounding(k) * norm * sqrt(kern_real(k, w->step, i));
        const int done =
            s->strict ? r + 0.25 * rounding <= s->tolerance * b : r <= s->tolerance * b + rounding;
        kern_set_real(k, w->mask, i, !done);
        kern_set_real(k, w->minus, i, (s->strict ? r + 0.25 * rounding : r) / b);
        left += !done;
    }
    return left;
}

/* X for B, both divided by `size`; returns the rows that did not converge, which `mask` tells. */
static int64_t solve_set(const kern *k, const systems *s, void *ps, const workspace *w,
                         const operation *o, mat B)
{
    enum { LOOKS = 4 };
    begin(k, s, w, o->c->C, B);
    for (int64_t i = 0, looks = 1;; looks++) {
        i = iterate(k, s, ps, w, o, i);
        const int64_t left = look(k, s, ps, w, o, B);
        if (left == 0 || i == s->iterations || looks == LOOKS) return left;
    }
}

/* ---- chunks ---- */

/* Rows that `mask` tells, by Cholesky. */
static void fall_back(const kern *k, const systems *s, void *ps, const workspace *w,
                      const operation *o, mat B, mat X)
{
    systems direct = *s;
    const int64_t C = o->c->C, d = s->d;
    const mat P = {w->P, d, 1};
    direct.solver = MESA_CHOLESKY;
    direct_solve(k, &direct, ps, w->direct, o->c->t, C, o->H, NULL, 1, &B, &P);
    dot(k, C, d, P.p, P.p, w->step);
    for (int64_t i = 0; i < C * k->lanes; i++) {
        if (kern_real(k, w->mask, i) == 0 || isfinite(kern_real(k, w->step, i))) continue;
        kern_set_real(k, w->mask, i, 0);                       /* no better than what there is */
        systems_missed(k, s, o->c->t, i, kern_real(k, w->minus, i));
    }
    k->row_pick(C, d, w->mask, P.p, d, X.p, X.rs);
    memset(w->P, 0, bytes_of(k, C, d));
    k->row_pick(C, d, w->mask, P.p, d, w->R, d);
}

/* Notes the rows that `mask` tells; those that Cholesky is going to solve only count. */
static void note_missed(const kern *k, const systems *s, const workspace *w, const chunk *c)
{
    for (int64_t i = 0; i < c->C * k->lanes; i++)
        if (kern_real(k, w->mask, i) != 0)
            systems_missed(k, s, c->t, i, s->fallback ? MESA_FELL_BACK : kern_real(k, w->minus, i));
}

static void solve_chunk(const kern *k, const systems *s, void *ps, const workspace *w,
                        const operation *o, int n, const mat *B, const mat *X, mat other,
                        mat defect)
{
    const chunk *c = o->c;
    const int64_t C = c->C, d = s->d;
    prepare(k, s, ps, w, o);
    for (int i = n - 1; i >= 0; i--) {                  /* the first set last: its residuals stay
                                                           for the defect */
        const int64_t left = solve_set(k, s, ps, w, o, B[i]);
        k->row_scale(C, d, w->size, 1, w->X, d, X[i].p, X[i].rs);
        if (left > 0 && !(s->fallback && s->silent)) note_missed(k, s, w, c);
        if (left > 0 && s->fallback) fall_back(k, s, ps, w, o, B[i], X[i]);
    }
    if (s->certificate.iterations.p)
        rows_copy(k, C, 1, (mat){w->count, 1, 1}, rows_from(k, s->certificate.iterations, c->t));
    if (defect.p) {
        k->row_scale(C, d, w->size, 1, w->R, d, w->R, d);
        k->row_dot(C, d, NULL, other.p, other.rs, w->R, d, defect.p, defect.rs);
    }
}

void iterative_solve(const kern *k, const systems *s, void *ps, void *scratch, int64_t t, int64_t n,
                     carried *H, int right, const mat *B, const mat *X, mat other, mat defect)
{
    arena a = {scratch, 0};
    const workspace w = lay_out(&a, k, s);
    for (int64_t i = 0, C; i < n && !kern_stopped(k); i += C) {
        C = n - i < s->chunk ? n - i : s->chunk;
        mat b[SYSTEMS_RIGHT], x[SYSTEMS_RIGHT];
        for (int r = 0; r < right; r++) b[r] = rows_from(k, B[r], i), x[r] = rows_from(k, X[r], i);
        const chunk c = chunk_at(k, &s->s, w.D, t + i, C);
        const operation o = operation_of(k, &w.operation, s->d, &c, H, s->ridge);
        solve_chunk(k, s, ps, &w, &o, right, b, x, rows_from(k, other, i), rows_from(k, defect, i));
        operation_advance(k, ps, &o, H);
    }
}
