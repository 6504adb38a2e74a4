/* Direct solvers of the systems, segment by segment: a Cholesky factor for every token;
 * Sherman-Morrison; or (MESA_SEGMENTS) one factor for a whole segment, whose inverse follows the
 * keys by Sherman-Morrison, and the gates by Chebyshev's iteration on a spectrum that is known
 * beforehand (kern/simd_mesa.c). What an inverse gives is refined once where the condition is not
 * small, above all in the adjoint: its solutions are small along the keys, and gradients weigh just
 * these.
 *
 * They work on panels of native width, one system per lane. A panel of one lane, a long sequence,
 * is cut: its next `width` segments become the lanes, each starting from its own H, which products
 * of whole segments advance. Matrices too wide for that are factored one by one. */
#include "kern/dense.h"
#include "mesa/systems.h"
#include <string.h>

/* Tokens of a segment, at most; of one that no gate shortens, on panels. What rounding leaves in H
 * or its inverse grows from token to token, in one direction where keys repeat: between segments H
 * is a sum of whole products. */
enum { SEGMENT = 16, LONG_SEGMENT = 64, WORK = 15 };
static const double LEAST_GATE = 0.2;                  /* below, factors for every token are cheaper
                                                          than the iteration */
/* Refinement: bounds of the condition number from which on solutions need it, u of the adjoint and
 * x. An inverse leaves kappa^2 roundings in a gradient by u where a factor leaves kappa, and a few
 * times the roundings in outputs by x. */
static const double REFINE_U = 32, REFINE_X = 256;

typedef struct workspace {
    void *H, *L, *work;            /* panels of native width: d x rs, d x rs, WORK d */
    void *kept;                    /* d x rs: H beside its inverse, to refine with */
    void *rows;                    /* the same: right-hand sides of a segment, segment x
                                      SYSTEMS_RIGHT x d */
    mat D;                         /* of a segment */
    void *weighted, *coefficient;  /* a segment's keys times b w; b w */
    carried state;                 /* H between segments */
    void *M, *U, *columns, *dense; /* one lane, wide matrices: H, its factor, d x SYSTEMS_RIGHT,
                                      scratch */
    void *stage;                                       /* one lane: H before each segment, (width +
                                                          1) x stage */
    void *K, *beta, *high, *low, *condition, *ridge;   /* the same: segments as panels of native
                                                          width */
} workspace;

static int64_t stride_of(int64_t d) { return d | 1; }   /* odd: rows do not all fall into the same
                                                           cache sets */
static int64_t stage_of(int64_t d) { return d * d + 16; }      /* likewise, matrices */
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Tokens of a segment when `left` of them are still to come. */
static int64_t segment_of(const kern *k, int64_t left)
{
    return least(SEGMENT, (left + k->width - 1) / k->width);
}

/* Longest segment of this call. */
static int64_t longest(const kern *k, const systems *s)
{
    return k->lanes > 1 && s->solver != MESA_CHOLESKY && !s->s.high.p ? LONG_SEGMENT : SEGMENT;
}

static int one_by_one(const kern *k, const systems *s)
{
    return k->lanes == 1 && s->d > SYSTEMS_LANES;
}

static workspace lay_out(arena *a, const kern *k, const systems *s)
{
    workspace w = {0};
    const int64_t d = s->d, real = k->width * k->size;
    if (one_by_one(k, s)) {
        w.state = carried_take(a, k, d, d);
        w.D = chunk_space(a, k, s->s.high.p != NULL, SEGMENT);
        w.weighted = arena_take(a, SEGMENT * d, k->size);
        w.coefficient = arena_take(a, SEGMENT, k->size);
        w.M = arena_take(a, d * d, k->size), w.U = arena_take(a, d * d, k->size),
        w.columns = arena_take(a, SYSTEMS_RIGHT * d, k->size);
        w.dense = arena_take(a, dense_scratch(k, d, d), 1);
        return w;
    }
    w.H = arena_take(a, d * stride_of(d), real);
    w.L = arena_take(a, d * stride_of(d), real);
    w.work = arena_take(a, WORK * d, real);
    if (s->solver != MESA_CHOLESKY) w.kept = arena_take(a, d * stride_of(d), real);
    w.rows = arena_take(a, SEGMENT * SYSTEMS_RIGHT * d, real);
    w.D = chunk_space(a, k, s->s.high.p != NULL, SEGMENT);
    w.weighted = arena_take(a, longest(k, s) * d, k->lanes * k->size);
    w.coefficient = arena_take(a, longest(k, s), k->lanes * k->size);
    w.state = carried_take(a, k, d, d);
    if (k->lanes > 1) return w;
    w.stage = arena_take(a, (k->width + 1) * stage_of(d), k->size);
    w.K = arena_take(a, SEGMENT * d, real);
    w.beta = arena_take(a, SEGMENT, real), w.high = arena_take(a, SEGMENT, real),
    w.low = arena_take(a, SEGMENT, real);
    w.condition = arena_take(a, SEGMENT, real);
    w.ridge = arena_take(a, d, real);
    return w;
}

int64_t direct_scratch(const kern *k, const systems *s)
{
    arena a = {0};
    lay_out(&a, k, s);
    return a.used;
}

static void *row(const kern *k, mat m, int64_t t) { return m.p ? kern_at(k, m.p, t * m.rs) : NULL; }

/* H over the n tokens of a segment from t on; to: where its working copy goes, or NULL. */
static void advance(const kern *k, const systems *s, void *ps, workspace *w, int64_t t, int64_t n,
                    void *to)
{
    const chunk c = chunk_at(k, &s->s, w->D, t, n);
    mat weight = c.w.p ? c.w : c.beta;
    if (c.w.p && c.beta.p) {
        k->row_scale(n, 1, c.beta.p, c.beta.rs, c.w.p, 1, w->coefficient, 1);
        weight = (mat){w->coefficient, 1, 1};
    }
    const mat wKt = transposed(chunk_weighted(k, n, s->d, weight, c.K, w->weighted));
    if (to) carried_advance_lower(k, ps, &w->state, c.whole, n, wKt, c.K, to);
    else carried_advance(k, ps, &w->state, c.whole, n, wKt, c.K);
}

/* ---- panels of native width ---- */

/* The lower triangle of a dense panel matrix. */
static void copy_lower(const kern *k, int64_t d, const void *from, void *to, int64_t to_rs)
{
    for (int64_t i = 0; i < d; i++)
        memcpy(kern_at(k, to, i * to_rs), kern_at(k, from, i * d), bytes_of(k, 1, i + 1));
}

/* One segment on a panel of native width, whose starting H is in the workspace; rows [T][n][d]:
 * right-hand sides, then solutions. */
typedef struct problem {
    int64_t T, d;
    enum mesa_solver solver;
    mat K, beta, high, low, condition;
    const void *ridge;
    int n, adjoint;
    void *rows;
} problem;

/* Moves H on, factors, solves, token by token. */
static void cholesky_rows(const kern *k, const problem *p, const workspace *w)
{
    const int64_t d = p->d, rs = stride_of(d);
    for (int64_t t = 0; t < p->T && !kern_stopped(k); t++) {
        void *rows = kern_at(k, p->rows, t * p->n * d);
        k->cholesky(k, d, w->H, rs, row(k, p->K, t), row(k, p->beta, t), row(k, p->high, t),
                    row(k, p->low, t), p->ridge, w->L, rs);
        k->cholesky_solve(k, d, w->L, rs, p->n, rows, d, rows, d);
    }
}

/* w->H <- (H + Lambda)^-1 */
static void invert(const kern *k, int64_t d, const void *ridge, const workspace *w)
{
    const int64_t rs = stride_of(d);
    k->cholesky(k, d, w->H, rs, NULL, NULL, NULL, NULL, ridge, w->L, rs);
    if (d >= 20) {
        k->cholesky_inverse(k, d, w->L, rs, w->H, rs);
        return;
    }
    memset(w->H, 0, bytes_of(k, d, rs));
    for (int64_t i = 0; i < d; i++) fill(k, k->lanes, 1, kern_at(k, w->H, i * (rs + 1)));
    k->cholesky_solve(k, d, w->L, rs, d, w->H, rs, w->H, rs);
}

/* From one inverse on. */
static void inverse_rows(const kern *k, const problem *p, const workspace *w, const mat *B,
                         const mat *X)
{
    const int64_t d = p->d, rs = stride_of(d);
    const double condition = systems_most(k, p->condition.p, p->T);
    const int refined = condition > REFINE_X ? p->n : condition > REFINE_U && p->adjoint ? 1 : 0;
    if (refined) memcpy(w->kept, w->H, bytes_of(k, d, rs));
    invert(k, d, p->ridge, w);
    k->inverse_steps(k, p->T, d, w->H, w->kept, rs, p->K, p->beta, p->high, p->low, p->ridge, p->n,
                     refined, B, X, w->work);
}

/* Smallest product of the gates of a lane. */
static double least_gate(const kern *k, const problem *p)
{
    double least = 1;
    for (int l = 0; l < k->lanes; l++) {
        double a = 1;
        for (int64_t t = 0; t < p->T; t++)
            a *= kern_real(k, p->high.p, t * p->high.rs * k->lanes + l);
        if (a < least) least = a;
    }
    return least;
}

static void solve_problem(const kern *k, const problem *p, const workspace *w)
{
    const mat rows[] = {{p->rows, p->n * p->d, 1}, {kern_at(k, p->rows, p->d), p->n * p->d, 1}};
    if (p->solver != MESA_CHOLESKY && (!p->high.p || least_gate(k, p) >= LEAST_GATE))
        inverse_rows(k, p, w, rows, rows);
    else cholesky_rows(k, p, w);
}

/* ---- one lane: segments ---- */

/* H of lane `lane`; one more for what comes behind the last. */
static void *staged(const kern *k, const systems *s, const workspace *w, int64_t lane)
{
    return kern_at(k, w->stage, lane * stage_of(s->d));
}

/* Rows t0 + i + lane * c of a one-lane operand, c of them per lane, as a panel; the last lane may
 * have fewer. */
static mat gather(const kern *k, mat m, int64_t cols, int64_t t0, int64_t n, int64_t c, void *panel,
                  int64_t panel_rs)
{
    const kern *wide = k->wide;
    const mat x = rows_from(k, m, t0), to = {m.p ? panel : NULL, panel_rs, 1};
    const int64_t segments = (n + c - 1) / c, full = n - (segments - 1) * c;
    if (!m.p) return to;
    wide->load(wide, full, cols, segments, x.p, c * m.rs, m.rs, m.cs, panel, panel_rs);
    wide->load(wide, c - full, cols, segments - 1, kern_at(k, x.p, full * m.rs), c * m.rs, m.rs,
               m.cs, kern_at(wide, panel, full * panel_rs), panel_rs);
    return to;
}

static void scatter(const kern *k, mat from, int64_t cols, int64_t t0, int64_t n, int64_t c, mat m)
{
    const kern *wide = k->wide;
    const mat x = rows_from(k, m, t0);
    const int64_t segments = (n + c - 1) / c, full = n - (segments - 1) * c;
    wide->store(wide, full, cols, segments, from.p, from.rs, x.p, c * m.rs, m.rs, m.cs);
    wide->store(wide, c - full, cols, segments - 1, kern_at(wide, from.p, full * from.rs), from.rs,
                kern_at(k, x.p, full * m.rs), c * m.rs, m.rs, m.cs);
}

/* Where a lane has no token its gate is 1 (it was loaded as 0). */
static void open_gates(const kern *wide, int64_t n, int64_t c, const mat *high)
{
    for (int64_t t = n; t < c * wide->lanes; t++)
        fill(wide, 1, 1, (char *)kern_at(wide, high->p, t % c) + t / c * wide->size);
}

/* ---- one lane: wide matrices, one by one ---- */

static void solve_dense(const kern *k, const systems *s, void *ps, const workspace *w, int64_t t,
                        int64_t i, int right, const mat *B, const mat *X)
{
    const int64_t d = s->d;
    const mat key = rows_from(k, s->s.K, t);
    const void *beta = row(k, s->s.beta, t);
    if (s->s.high.p)
        k->scale(d * d, gates_product(k, 1, rows_from(k, s->s.high, t), rows_from(k, s->s.low, t)),
                 w->M);
    memcpy(w->weighted, key.p, bytes_of(k, 1, d));
    if (beta) k->row_scale(1, d, beta, 1, key.p, d, w->weighted, d);
    k->row_add(d, d, w->weighted, 1, key.p, 0, w->M, d);
    memcpy(w->U, w->M, bytes_of(k, d, d));
    dense_cholesky(k, ps, w->dense, d, s->ridge, w->U, d);
    for (int r = 0; r < right; r++)
        k->store(k, 1, d, 1, row(k, B[r], i), d, kern_at(k, w->columns, r), 0, 0, right);
    dense_solve(k, ps, w->dense, d, w->U, d, right, w->columns, right);
    for (int r = 0; r < right; r++)
        k->load(k, 1, d, 1, kern_at(k, w->columns, r), 0, 0, right, row(k, X[r], i), d);
}

static void solve_one_by_one(const kern *k, const systems *s, void *ps, workspace *w, int64_t t0,
                             int64_t n, int right, const mat *B, const mat *X)
{
    for (int64_t i = 0, m; i < n && !kern_stopped(k); i += m) {
        m = least(SEGMENT, n - i);
        memcpy(w->M, w->state.now, bytes_of(k, s->d, s->d));
        for (int64_t j = i; j < i + m && !kern_stopped(k); j++)
            solve_dense(k, s, ps, w, t0 + j, j, right, B, X);
        advance(k, s, ps, w, t0 + i, m, NULL);
    }
}

/* ---- all ---- */

/* n tokens from t on, c per lane; B and X start there. */
static void solve_segments(const kern *k, const systems *s, void *ps, workspace *w, int64_t t,
                           int64_t n, int64_t c, int right, const mat *B, const mat *X)
{
    const kern *wide = k->wide;
    const int64_t d = s->d;
    const int64_t lanes = (n + c - 1) / c;
    for (int64_t i = 0; i < lanes; i++)
        advance(k, s, ps, w, t + i * c, least(c, n - i * c), staged(k, s, w, i + 1));
    for (int64_t i = 0; i < d; i++)
        wide->load(wide, 1, i + 1, lanes, kern_at(k, w->stage, i * d), stage_of(d), 0, 1,
                   kern_at(wide, w->H, i * stride_of(d)), 0);
    const mat K = gather(k, s->s.K, d, t, n, c, w->K, d),
              beta = gather(k, s->s.beta, 1, t, n, c, w->beta, 1);
    const mat condition = gather(k, s->condition, 1, t, n, c, w->condition, 1);
    mat high = gather(k, s->s.high, 1, t, n, c, w->high, 1),
        low = gather(k, s->s.low, 1, t, n, c, w->low, 1);
    if (high.p) open_gates(wide, n, c, &high);
    for (int i = 0; i < right; i++)
        gather(k, B[i], d, 0, n, c, kern_at(wide, w->rows, i * d), right * d);
    solve_problem(wide,
                  &(problem){c, d, s->solver, K, beta, high, low, condition, w->ridge, right,
                             s->adjoint, w->rows},
                  w);
    for (int i = 0; i < right; i++)
        scatter(k, (mat){kern_at(wide, w->rows, i * d), right * d, 1}, d, 0, n, c, X[i]);
    memcpy(w->stage, w->state.now, bytes_of(k, d, d));
}

static void solve_wide(const kern *k, const systems *s, void *ps, workspace *w, int64_t t0,
                       int64_t n, int right, const mat *B, const mat *X)
{
    const int64_t d = s->d, rs = stride_of(d);
    const int straight = longest(k, s) == LONG_SEGMENT; /* nothing but inverses: rows stay where
                                                           they are */
    problem p = {.d = d,
                 .solver = s->solver,
                 .ridge = s->ridge,
                 .n = right,
                 .adjoint = s->adjoint,
                 .rows = w->rows};
    for (int64_t t = 0; t < n && !kern_stopped(k); t += p.T) {
        mat b[SYSTEMS_RIGHT], x[SYSTEMS_RIGHT];
        p.T = least(longest(k, s), n - t);
        p.K = rows_from(k, s->s.K, t0 + t), p.beta = rows_from(k, s->s.beta, t0 + t);
        p.high = rows_from(k, s->s.high, t0 + t), p.low = rows_from(k, s->s.low, t0 + t);
        p.condition = rows_from(k, s->condition, t0 + t);
        copy_lower(k, d, w->state.now, w->H, rs);
        for (int i = 0; i < right; i++) b[i] = rows_from(k, B[i], t), x[i] = rows_from(k, X[i], t);
        if (straight) {
            inverse_rows(k, &p, w, b, x);
        } else {
            for (int i = 0; i < right; i++)
                rows_copy(k, p.T, d, b[i], (mat){kern_at(k, p.rows, i * d), right * d, 1});
            solve_problem(k, &p, w);
            for (int i = 0; i < right; i++)
                rows_copy(k, p.T, d, (mat){kern_at(k, p.rows, i * d), right * d, 1}, x[i]);
        }
        advance(k, s, ps, w, t0 + t, p.T, NULL);
    }
}

void direct_solve(const kern *k, const systems *s, void *ps, void *scratch, int64_t t, int64_t n,
                  const carried *before, carried *after, int right, const mat *B, const mat *X)
{
    arena a = {scratch, 0};
    workspace w = lay_out(&a, k, s);
    carried_copy(k, before, &w.state);
    if (k->lanes > 1) {
        solve_wide(k, s, ps, &w, t, n, right, B, X);
    } else if (one_by_one(k, s)) {
        solve_one_by_one(k, s, ps, &w, t, n, right, B, X);
    } else {
        void *now = w.state.now;
        memcpy(w.stage, now, bytes_of(k, s->d, s->d));
        k->wide->load(k->wide, 1, s->d, k->width, s->ridge, 0, 0, 1, w.ridge, s->d);
        for (int64_t i = 0, m, c; i < n && !kern_stopped(k); i += m) {
            mat b[SYSTEMS_RIGHT], x[SYSTEMS_RIGHT];
            c = segment_of(k, n - i);
            m = least(n - i, c * k->width);
            for (int r = 0; r < right; r++)
                b[r] = rows_from(k, B[r], i), x[r] = rows_from(k, X[r], i);
            solve_segments(k, s, ps, &w, t + i, m, c, right, b, x);
        }
        memcpy(now, w.stage, bytes_of(k, s->d, s->d));
        w.state.now = now;
        carried_mirror(k, &w.state);
    }
    if (after) carried_copy(k, &w.state, after);
}
