/* Direct solvers of the systems: a Cholesky factor for every token, and Sherman-Morrison.
 *
 * Both work on panels of native width, one system per lane. A panel of one lane, a long sequence, is cut: its next `width` segments of
 * a few tokens each become the lanes, each starting from its own H, which products of whole segments advance. H is kept in double
 * there, so that what a long sequence adds up does not drift. */
#include "lsq/systems.h"
#include <string.h>

enum { SEGMENT = 16 };             /* tokens of a segment, at most */

typedef struct workspace {
    void *H, *L, *work;            /* panels of native width: d x rs, d x rs, 4 d */
    void *rows;                    /* the same: right-hand sides of one token, SYSTEMS_RIGHT x d */
    void *weighted;                /* a segment's keys times b w */
    /* one lane: */
    carried state;                 /* d x d: H between segments */
    mat D;                         /* segment x (segment + 1) */
    void *coefficient;             /* segment */
    void *K, *B[SYSTEMS_RIGHT], *beta, *high, *low, *ridge;    /* segments as panels of native width */
} workspace;

static int64_t stride_of(int64_t d) { return d | 1; }          /* odd: rows do not all fall into the same cache sets */
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Tokens of a segment when `left` of them are still to come. */
static int64_t segment_of(const kern *k, int64_t left) { return least(SEGMENT, (left + k->width - 1) / k->width); }

static workspace lay_out(arena *a, const kern *k, const systems *s)
{
    workspace w = {0};
    const int64_t d = s->d, real = k->width * k->size, n = segment_of(k, s->T);
    w.H = arena_take(a, d * stride_of(d), real);
    w.L = arena_take(a, d * stride_of(d), real);
    w.work = arena_take(a, 4 * d, real);
    w.rows = arena_take(a, SYSTEMS_RIGHT * d, real);
    w.weighted = arena_take(a, SEGMENT * d, k->lanes * k->size);
    if (k->lanes > 1) return w;
    w.state = carried_take(a, k, d, d);
    w.D = (mat){arena_take(a, n * (n + 1), k->size), n + 1, 1};
    w.coefficient = arena_take(a, n, k->size);
    w.K = arena_take(a, n * d, real);
    for (int i = 0; i < SYSTEMS_RIGHT; i++) w.B[i] = arena_take(a, n * d, real);
    w.beta = arena_take(a, n, real), w.high = arena_take(a, n, real), w.low = arena_take(a, n, real);
    w.ridge = arena_take(a, d, real);
    return w;
}

int64_t systems_scratch(const kern *k, const systems *s)
{
    arena a = {0};
    lay_out(&a, k, s);
    return a.used;
}

static void *row(const kern *k, mat m, int64_t t) { return m.p ? kern_at(k, m.p, t * m.rs) : NULL; }

/* ---- panels of native width ---- */

/* Copies the lower triangle of a symmetric panel matrix, or (full) mirrors it into a dense one. */
static void copy_lower(const kern *k, int64_t d, const void *from, int64_t from_rs, void *to, int64_t to_rs, int full)
{
    const size_t real = (size_t)(k->lanes * k->size);
    for (int64_t i = 0; i < d; i++) {
        memcpy(kern_at(k, to, i * to_rs), kern_at(k, from, i * from_rs), (size_t)(i + 1) * real);
        for (int64_t j = 0; full && j < i; j++) memcpy(kern_at(k, to, j * to_rs + i), kern_at(k, from, i * from_rs + j), real);
    }
}

/* One problem on a panel of native width, whose starting H is in the workspace. */
typedef struct problem {
    int64_t T, d;
    enum mesa_solver solver;
    mat K, beta, high, low;
    const void *ridge;
} problem;

/* Token by token: moves H on, factors, solves. */
static void cholesky_rows(const kern *k, const problem *p, const workspace *w, int n, const mat *B, const mat *X)
{
    const int64_t d = p->d, rs = stride_of(d);
    for (int64_t t = 0; t < p->T; t++) {
        k->cholesky(d, w->H, rs, row(k, p->K, t), row(k, p->beta, t), row(k, p->high, t), row(k, p->low, t), p->ridge, w->L, rs);
        for (int i = 0; i < n; i++) memcpy(kern_at(k, w->rows, i * d), row(k, B[i], t), bytes_of(k, 1, d));
        k->cholesky_solve(d, w->L, rs, n, w->rows, d, w->rows, d);
        for (int i = 0; i < n; i++) memcpy(row(k, X[i], t), kern_at(k, w->rows, i * d), bytes_of(k, 1, d));
    }
}

static void set_identity(const kern *k, int64_t d, void *H)
{
    memset(H, 0, bytes_of(k, d, stride_of(d)));
    for (int64_t i = 0; i < d * k->lanes; i++) {
        void *one = kern_at(k, H, i / k->lanes * (stride_of(d) + 1));
        if (k->size == 4) ((float *)one)[i % k->lanes] = 1;
        else ((double *)one)[i % k->lanes] = 1;
    }
}

/* From R = (H + Lambda)^-1, which waits in w->L for the second set. */
static void sherman_morrison_rows(const kern *k, const problem *p, const workspace *w, int n, const mat *B, const mat *X)
{
    const int64_t d = p->d, rs = stride_of(d);
    k->cholesky(d, w->H, rs, NULL, NULL, NULL, NULL, p->ridge, w->L, rs);
    set_identity(k, d, w->H);
    k->cholesky_solve(d, w->L, rs, d, w->H, rs, w->H, rs);
    if (n > 1) memcpy(w->L, w->H, bytes_of(k, d, rs));
    for (int i = 0; i < n; i++) {
        if (i > 0) memcpy(w->H, w->L, bytes_of(k, d, rs));
        k->sherman_morrison(p->T, d, w->H, rs, p->K.p, p->K.rs, p->beta.p, p->beta.rs, B[i].p, B[i].rs, X[i].p, X[i].rs, w->work);
    }
}

static void solve_problem(const kern *k, const problem *p, const workspace *w, int n, const mat *B, const mat *X)
{
    if (p->solver == MESA_SHERMAN_MORRISON) sherman_morrison_rows(k, p, w, n, B, X);
    else cholesky_rows(k, p, w, n, B, X);
}

/* H_T = H_0 + K^T diag(b) K, without gates. */
static void sum_of_keys(const kern *k, const systems *s, void *ps, const workspace *w)
{
    const int64_t d = s->d;
    if (s->H0) memcpy(s->HT, s->H0, bytes_of(k, d, d));
    else memset(s->HT, 0, bytes_of(k, d, d));
    for (int64_t t = 0, n; t < s->T; t += n) {
        n = least(SEGMENT, s->T - t);
        const mat K = rows_from(k, s->K, t), beta = rows_from(k, s->beta, t), BK = beta.p ? (mat){w->weighted, d, 1} : K;
        if (beta.p) k->row_scale(n, d, beta.p, beta.rs, K.p, K.rs, BK.p, d);
        k->product(k, ps, PRODUCT_LANE, TRI_NONE, 1, d, d, n, transposed(BK), K, (mat){s->HT, d, 1});
    }
}

static void solve_wide(const kern *k, const systems *s, void *ps, const workspace *w, int n, const mat *B, const mat *X)
{
    const int64_t d = s->d, rs = stride_of(d);
    const problem p = {s->T, d, s->solver, s->K, s->beta, s->high, s->low, s->ridge};
    if (s->H0) copy_lower(k, d, s->H0, d, w->H, rs, 0);
    else memset(w->H, 0, bytes_of(k, d, rs));
    solve_problem(k, &p, w, n, B, X);
    if (!s->HT) return;
    if (s->solver == MESA_SHERMAN_MORRISON) sum_of_keys(k, s, ps, w);
    else copy_lower(k, d, w->H, rs, s->HT, d, 1);
}

/* ---- one lane ---- */

/* The d x d of `from` into lane `lane` of the wide panel. */
static void spread(const kern *k, int64_t d, const void *from, int64_t lane, void *H)
{
    const int64_t rs = stride_of(d), W = k->width;
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j <= i; j++) {
            if (k->size == 4) ((float *)H)[(i * rs + j) * W + lane] = ((const float *)from)[i * d + j];
            else ((double *)H)[(i * rs + j) * W + lane] = ((const double *)from)[i * d + j];
        }
}

/* H over the n tokens from t on. */
static void advance(const kern *k, const systems *s, void *ps, workspace *w, int64_t t, int64_t n)
{
    const int64_t d = s->d;
    const mat K = rows_from(k, s->K, t), beta = rows_from(k, s->beta, t), high = rows_from(k, s->high, t), low = rows_from(k, s->low, t);
    mat c = beta;
    if (high.p) {
        k->decay(n, high.p, low.p, high.rs, w->D.p, w->D.rs);
        c = (mat){kern_at(k, w->D.p, (n - 1) * w->D.rs + 1), 1, 1};
        if (beta.p) {
            k->row_scale(n, 1, beta.p, beta.rs, c.p, 1, w->coefficient, 1);
            c.p = w->coefficient;
        }
    }
    const mat cK = c.p ? (mat){w->weighted, d, 1} : K;
    if (c.p) k->row_scale(n, d, c.p, c.rs, K.p, K.rs, cK.p, d);
    carried_advance(k, ps, &w->state, (decays){NULL, gates_product(k, n, high, low)}, n, transposed(cK), K);
}

/* Rows t0 + i + lane * c of a one-lane operand, c of them per lane, as a panel; the last lane may have fewer. */
static mat gather(const kern *k, mat m, int64_t cols, int64_t t0, int64_t n, int64_t c, void *panel)
{
    const kern *wide = k->wide;
    const mat x = rows_from(k, m, t0), to = {m.p ? panel : NULL, cols, 1};
    const int64_t segments = (n + c - 1) / c, full = n - (segments - 1) * c;
    if (!m.p) return to;
    wide->load(full, cols, segments, x.p, c * m.rs, m.rs, m.cs, panel, cols);
    wide->load(c - full, cols, segments - 1, kern_at(k, x.p, full * m.rs), c * m.rs, m.rs, m.cs, kern_at(wide, panel, full * cols), cols);
    return to;
}

static void scatter(const kern *k, mat from, int64_t cols, int64_t t0, int64_t n, int64_t c, mat m)
{
    const kern *wide = k->wide;
    const mat x = rows_from(k, m, t0);
    const int64_t segments = (n + c - 1) / c, full = n - (segments - 1) * c;
    wide->store(full, cols, segments, from.p, cols, x.p, c * m.rs, m.rs, m.cs);
    wide->store(c - full, cols, segments - 1, kern_at(wide, from.p, full * cols), cols, kern_at(k, x.p, full * m.rs), c * m.rs, m.rs, m.cs);
}

static void broadcast_ridge(const kern *k, const systems *s, const workspace *w)
{
    k->wide->load(1, s->d, k->width, s->ridge, 0, 0, 1, w->ridge, s->d);
}

/* n tokens from t on, c per lane. */
static void solve_segments(const kern *k, const systems *s, void *ps, workspace *w, int64_t t, int64_t n, int64_t c, int right, const mat *B, const mat *X)
{
    const kern *wide = k->wide;
    const int64_t d = s->d;
    mat b[SYSTEMS_RIGHT];
    memset(w->H, 0, bytes_of(wide, d, stride_of(d)));
    for (int64_t first = 0, lane = 0; first < n; first += c, lane++) {
        if (right) spread(k, d, w->state.now, lane, w->H);
        if (t + first + c < s->T || s->HT) advance(k, s, ps, w, t + first, least(c, n - first));
    }
    if (!right) return;
    const mat K = gather(k, s->K, d, t, n, c, w->K), beta = gather(k, s->beta, 1, t, n, c, w->beta);
    const mat high = gather(k, s->high, 1, t, n, c, w->high), low = gather(k, s->low, 1, t, n, c, w->low);
    for (int i = 0; i < right; i++) b[i] = gather(k, B[i], d, t, n, c, w->B[i]);
    solve_problem(wide, &(problem){c, d, s->solver, K, beta, high, low, w->ridge}, w, right, b, b);
    for (int i = 0; i < right; i++) scatter(k, b[i], d, t, n, c, X[i]);
}

void systems_solve(const kern *k, const systems *s, void *ps, void *scratch, int n, const mat *B, const mat *X)
{
    arena a = {scratch, 0};
    workspace w = lay_out(&a, k, s);
    if (k->lanes > 1) {
        solve_wide(k, s, ps, &w, n, B, X);
        return;
    }
    carried_set(k, &w.state, s->H0);
    broadcast_ridge(k, s, &w);
    for (int64_t t = 0, m; t < s->T; t += m) {
        const int64_t c = segment_of(k, s->T - t);
        m = least(s->T - t, c * k->width);
        solve_segments(k, s, ps, &w, t, m, c, n, B, X);
    }
    if (s->HT) carried_get(k, &w.state, s->HT);
}
