/* Direct solvers of the systems: a Cholesky factor for every token, and Sherman-Morrison.
 *
 * Both work on panels of native width, one system per lane. A panel of one lane, a long sequence, is cut: its next `width` segments of
 * a few tokens each become the lanes, each starting from its own H, which products of whole segments advance. */
#include "lsq/systems.h"
#include <string.h>

enum { SEGMENT = 16 };             /* tokens of a segment, at most */

typedef struct workspace {
    void *H, *L, *work;            /* panels of native width: d x rs, d x rs, 4 d */
    void *rows;                    /* the same: right-hand sides of one token, SYSTEMS_RIGHT x d */
    mat D;                         /* of a segment */
    void *weighted, *coefficient;  /* a segment's keys times b w; b w */
    carried state;                 /* H between segments */
    void *K, *B[SYSTEMS_RIGHT], *beta, *high, *low, *ridge;    /* one lane: segments as panels of native width */
} workspace;

static int64_t stride_of(int64_t d) { return d | 1; }          /* odd: rows do not all fall into the same cache sets */
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

/* Tokens of a segment when `left` of them are still to come. */
static int64_t segment_of(const kern *k, int64_t left) { return least(SEGMENT, (left + k->width - 1) / k->width); }

static workspace lay_out(arena *a, const kern *k, const systems *s)
{
    workspace w = {0};
    const int64_t d = s->d, real = k->width * k->size, n = segment_of(k, s->s.T);
    w.H = arena_take(a, d * stride_of(d), real);
    w.L = arena_take(a, d * stride_of(d), real);
    w.work = arena_take(a, 4 * d, real);
    w.rows = arena_take(a, SYSTEMS_RIGHT * d, real);
    w.D = chunk_space(a, k, s->s.high.p != NULL, SEGMENT);
    w.weighted = arena_take(a, SEGMENT * d, k->lanes * k->size);
    w.coefficient = arena_take(a, SEGMENT, k->lanes * k->size);
    w.state = carried_take(a, k, d, d);
    if (k->lanes > 1) return w;
    w.K = arena_take(a, n * d, real);
    for (int i = 0; i < SYSTEMS_RIGHT; i++) w.B[i] = arena_take(a, n * d, real);
    w.beta = arena_take(a, n, real), w.high = arena_take(a, n, real), w.low = arena_take(a, n, real);
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

/* H over the n <= SEGMENT tokens from t on. */
static void advance(const kern *k, const systems *s, void *ps, workspace *w, int64_t t, int64_t n)
{
    const chunk c = chunk_at(k, &s->s, w->D, t, n);
    mat weight = c.w.p ? c.w : c.beta;
    if (c.w.p && c.beta.p) {
        k->row_scale(n, 1, c.beta.p, c.beta.rs, c.w.p, 1, w->coefficient, 1);
        weight = (mat){w->coefficient, 1, 1};
    }
    carried_advance(k, ps, &w->state, c.whole, n, transposed(chunk_weighted(k, n, s->d, weight, c.K, w->weighted)), c.K);
}

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

/* ---- one lane: segments ---- */

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

/* ---- both ---- */

/* n tokens from t on, c per lane; B and X start there. */
static void solve_segments(const kern *k, const systems *s, void *ps, workspace *w, int64_t t, int64_t n, int64_t c, int right,
                           const mat *B, const mat *X)
{
    const kern *wide = k->wide;
    const int64_t d = s->d;
    mat b[SYSTEMS_RIGHT];
    memset(w->H, 0, bytes_of(wide, d, stride_of(d)));
    for (int64_t first = 0, lane = 0; first < n; first += c, lane++) {
        spread(k, d, w->state.now, lane, w->H);
        advance(k, s, ps, w, t + first, least(c, n - first));
    }
    const mat K = gather(k, s->s.K, d, t, n, c, w->K), beta = gather(k, s->s.beta, 1, t, n, c, w->beta);
    const mat high = gather(k, s->s.high, 1, t, n, c, w->high), low = gather(k, s->s.low, 1, t, n, c, w->low);
    for (int i = 0; i < right; i++) b[i] = gather(k, B[i], d, 0, n, c, w->B[i]);
    solve_problem(wide, &(problem){c, d, s->solver, K, beta, high, low, w->ridge}, w, right, b, b);
    for (int i = 0; i < right; i++) scatter(k, b[i], d, 0, n, c, X[i]);
}

static void solve_wide(const kern *k, const systems *s, void *ps, workspace *w, int64_t t, int64_t n, int right, const mat *B, const mat *X)
{
    const int64_t d = s->d, rs = stride_of(d);
    const problem p = {n, d, s->solver, rows_from(k, s->s.K, t), rows_from(k, s->s.beta, t), rows_from(k, s->s.high, t), rows_from(k, s->s.low, t), s->ridge};
    copy_lower(k, d, w->state.now, d, w->H, rs, 0);
    solve_problem(k, &p, w, right, B, X);
    if (s->solver != MESA_SHERMAN_MORRISON) copy_lower(k, d, w->H, rs, w->state.now, d, 1);
    else for (int64_t i = 0, m; i < n; i += m) advance(k, s, ps, w, t + i, m = least(SEGMENT, n - i));
}

void direct_solve(const kern *k, const systems *s, void *ps, void *scratch, int64_t t, int64_t n, const carried *before, carried *after, int right,
                  const mat *B, const mat *X)
{
    arena a = {scratch, 0};
    workspace w = lay_out(&a, k, s);
    carried_copy(k, before, &w.state);
    if (k->lanes > 1) {
        solve_wide(k, s, ps, &w, t, n, right, B, X);
    } else {
        k->wide->load(1, s->d, k->width, s->ridge, 0, 0, 1, w.ridge, s->d);
        for (int64_t i = 0, m, c; i < n; i += m) {
            mat b[SYSTEMS_RIGHT], x[SYSTEMS_RIGHT];
            c = segment_of(k, n - i);
            m = least(n - i, c * k->width);
            for (int r = 0; r < right; r++) b[r] = rows_from(k, B[r], i), x[r] = rows_from(k, X[r], i);
            solve_segments(k, s, ps, &w, t + i, m, c, right, b, x);
        }
    }
    if (after) carried_copy(k, &w.state, after);
}
