/* See segments.h: a Cholesky factor for every token; or (MESA_SEGMENTS, MESA_SHERMAN_MORRISON) one
 * for a whole segment, see inverse.h.
 *
 * They work on panels of native width, one system per lane. A panel of one lane, a long sequence,
 * is cut: its next `width` segments become the lanes, each starting from its own H, which products
 * of whole segments advance. Matrices too large for that are factored one by one. */
#include "mesa/segments.h"
#include "kern/dense.h"

/* Tokens of a segment, at most; of one that no gate shortens, on panels. What rounding leaves in H
 * or its inverse grows from token to token, in one direction where keys repeat: between segments H
 * is a sum of whole products. */
enum { SEGMENT = 16, LONG_SEGMENT = 64 };

typedef struct space {
    mat D;                         /* of a segment */
    void *weighted, *coefficient;  /* a segment's keys times b w; b w */
    segment s;
    void *rows;                    /* right-hand sides of a segment: segment x SETS x d */
    void *stage;                   /* one lane: H before each segment, width x stage_of(d) */
    void *K, *beta, *bound, *ridge;/* the same: segments as panels of native width */
    gates gamma;
    void *M, *U, *columns, *dense; /* one lane, large matrices: H, its factor, d x SETS, scratch */
} space;

static int64_t stage_of(int64_t d) { return d * d + 16; }      /* not all in the same cache sets */

/* Tokens of a segment when `left` of them are still to come. */
static int64_t segment_of(const kern *k, int64_t left)
{
    return least(SEGMENT, (left + k->width - 1) / k->width);
}

/* Longest segment of this call. */
static int64_t longest(const kern *k, const layer *l, enum mesa_solver solver)
{
    return k->lanes > 1 && solver != MESA_CHOLESKY && !l->s.gamma.high ? LONG_SEGMENT : SEGMENT;
}

static int one_by_one(const kern *k, const layer *l)
{
    return k->lanes == 1 && l->o->d > SEGMENT_LANES;
}

static void take_dense(mesa_worker *w, int64_t d, space *s)
{
    s->M = take(w, d * d);
    s->U = take(w, d * d);
    s->columns = take(w, SETS * d);
    s->dense = arena_take(&w->memory, dense_scratch(w->k, d, d), 1);
}

static space take_space(mesa_worker *w, const layer *l, enum mesa_solver solver, int sets)
{
    space s = {0};
    const int64_t d = l->o->d, rows = longest(w->k, l, solver);
    s.D = chunk_space(w, &l->s, SEGMENT);
    s.weighted = take(w, rows * d);
    s.coefficient = take(w, rows);
    if (one_by_one(w->k, l)) {
        take_dense(w, d, &s);
        return s;
    }
    if (w->k->lanes == 1) s.stage = take(w, w->k->width * stage_of(d));
    mesa_worker panel = {w->k->lanes == 1 ? w->k->wide : w->k, w->product, w->memory};
    s.s = segment_take(&panel, l, solver, sets);
    s.rows = take(&panel, SEGMENT * SETS * d);
    if (w->k->lanes == 1) {
        s.K = take(&panel, SEGMENT * d);
        s.beta = take(&panel, SEGMENT);
        s.bound = take(&panel, SEGMENT);
        s.gamma = gates_take(&panel, l->s.gamma.high != NULL, SEGMENT);
        s.ridge = take(&panel, d);
    }
    w->memory = panel.memory;
    return s;
}

int64_t segments_bytes(mesa_worker w, const layer *l, enum mesa_solver solver)
{
    take_space(&w, l, solver, SETS);
    return w.memory.used;
}

/* The lower triangle of H. */
static void copy_lower(const kern *k, const state *H, void *to, int64_t to_rs)
{
    for (int64_t i = 0; i < H->rows; i++)
        memcpy(kern_at(k, to, i * to_rs), kern_at(k, H->now, i * H->cols), bytes_of(k, 1, i + 1));
}

/* H over the n tokens of a segment from t on; `lower`: only its lower triangle. */
static void advance(const mesa_worker *w, const layer *l, const space *s, state *H, int64_t t,
                    int64_t n, int lower)
{
    const kern *k = w->k;
    const chunk c = chunk_at(k, &l->s, s->D, t, n);
    mat weight = c.w.p ? c.w : c.beta;
    if (c.w.p && c.beta.p) {
        k->row_scale(n, 1, c.beta.p, c.beta.rs, c.w.p, 1, s->coefficient, 1);
        weight = dense(s->coefficient, 1);
    }
    const mat wKt = transposed(chunk_weighted(k, n, l->o->d, weight, c.K, s->weighted));
    if (lower) state_advance_lower(w, H, c.whole, n, wKt, c.K);
    else state_advance(w, H, c.whole, n, wKt, c.K);
}

static void rows_of_sets(const kern *k, int sets, const mat *from, int64_t t, mat *to)
{
    for (int i = 0; i < sets; i++) to[i] = rows_from(k, from[i], t);
}

/* ---- panels of native width ---- */

static void solve_panel(const mesa_worker *w, const layer *l, space *s, int64_t t0, int64_t n,
                        state *H, const mat *B, const mat *X)
{
    const kern *k = w->k;
    segment *p = &s->s;
    const int64_t most = longest(k, l, p->solver), d = p->d, rs = p->sets * d;
    for (int64_t t = 0; t < n && !kern_stopped(k); t += p->T) {
        mat b[SETS], x[SETS];
        p->T = least(most, n - t);
        p->K = rows_from(k, l->s.K, t0 + t), p->beta = rows_from(k, l->s.beta, t0 + t);
        p->gamma = gates_from(k, l->s.gamma, t0 + t);
        p->bound = rows_from(k, l->c.bound, t0 + t);
        copy_lower(k, H, p->H, p->rs);
        rows_of_sets(k, p->sets, B, t, b), rows_of_sets(k, p->sets, X, t, x);
        if (most == LONG_SEGMENT) {                     /* nothing but inverses: rows stay where
                                                           they are */
            segment_inverse(k, p, b, x);
        } else {
            for (int i = 0; i < p->sets; i++)
                rows_copy(k, p->T, d, b[i], dense(kern_at(k, s->rows, i * d), rs));
            segment_solve(k, p, s->rows);
            for (int i = 0; i < p->sets; i++)
                rows_copy(k, p->T, d, dense(kern_at(k, s->rows, i * d), rs), x[i]);
        }
        if (t0 + t + p->T < l->s.T || l->m.HT) advance(w, l, s, H, t0 + t, p->T, 0);
    }
}

/* ---- one lane: segments ---- */

/* H of lane `lane`. */
static void *staged(const kern *k, const layer *l, const space *s, int64_t lane)
{
    return kern_at(k, s->stage, lane * stage_of(l->o->d));
}

/* Rows i + lane * c, i < c, of the n rows of a one-lane operand, as a panel; the last lane may have
 * fewer. */
static mat gather(const kern *k, mat x, int64_t cols, int64_t n, int64_t c, void *panel,
                  int64_t panel_rs)
{
    const kern *native = k->wide;
    const int64_t segments = (n + c - 1) / c, full = n - (segments - 1) * c;
    if (!x.p) return x;
    native->load(native, full, cols, segments, x.p, c * x.rs, x.rs, x.cs, panel, panel_rs);
    native->load(native, c - full, cols, segments - 1, kern_at(k, x.p, full * x.rs), c * x.rs, x.rs,
                 x.cs, kern_at(native, panel, full * panel_rs), panel_rs);
    return dense(panel, panel_rs);
}

static void scatter(const kern *k, mat from, int64_t cols, int64_t n, int64_t c, mat x)
{
    const kern *native = k->wide;
    const int64_t segments = (n + c - 1) / c, full = n - (segments - 1) * c;
    native->store(native, full, cols, segments, from.p, from.rs, x.p, c * x.rs, x.rs, x.cs);
    native->store(native, c - full, cols, segments - 1, kern_at(native, from.p, full * from.rs),
                  from.rs, kern_at(k, x.p, full * x.rs), c * x.rs, x.rs, x.cs);
}

/* Where a lane has no token its gate is 1 (it was loaded as 0). */
static gates gather_gates(const kern *k, gates g, int64_t n, int64_t c, gates panel)
{
    const kern *native = k->wide;
    if (!g.high) return g;
    gather(k, dense(g.high, 1), 1, n, c, panel.high, 1);
    gather(k, dense(g.low, 1), 1, n, c, panel.low, 1);
    for (int64_t t = n; t < c * native->lanes; t++)
        fill(native, 1, 1, (char *)kern_at(native, panel.high, t % c) + t / c * native->size);
    return panel;
}

/* n tokens from t on, c per lane; B and X start there. */
static void solve_lanes(const mesa_worker *w, const layer *l, space *s, int64_t t, int64_t n,
                        int64_t c, state *H, const mat *B, const mat *X)
{
    const kern *k = w->k, *native = k->wide;
    segment *p = &s->s;
    const int64_t d = p->d, rs = p->sets * d, lanes = (n + c - 1) / c;
    for (int64_t i = 0; i < lanes; i++) {
        copy_lower(k, H, staged(k, l, s, i), d);
        advance(w, l, s, H, t + i * c, least(c, n - i * c), 1);
    }
    for (int64_t i = 0; i < d; i++)
        native->load(native, 1, i + 1, lanes, kern_at(k, s->stage, i * d), stage_of(d), 0, 1,
                     kern_at(native, p->H, i * p->rs), 0);
    p->T = c, p->ridge = s->ridge;
    p->K = gather(k, rows_from(k, l->s.K, t), d, n, c, s->K, d);
    p->beta = gather(k, rows_from(k, l->s.beta, t), 1, n, c, s->beta, 1);
    p->bound = gather(k, rows_from(k, l->c.bound, t), 1, n, c, s->bound, 1);
    p->gamma = gather_gates(k, gates_from(k, l->s.gamma, t), n, c, s->gamma);
    for (int i = 0; i < p->sets; i++)
        gather(k, B[i], d, n, c, kern_at(native, s->rows, i * d), rs);
    segment_solve(native, p, s->rows);
    for (int i = 0; i < p->sets; i++)
        scatter(k, dense(kern_at(native, s->rows, i * d), rs), d, n, c, X[i]);
}

static void solve_cut(const mesa_worker *w, const layer *l, space *s, int64_t t, int64_t n,
                      state *H, const mat *B, const mat *X)
{
    const kern *k = w->k;
    const int64_t d = l->o->d;
    k->wide->load(k->wide, 1, d, k->width, l->m.ridge, 0, 0, 1, s->ridge, d);
    for (int64_t i = 0, m, c; i < n && !kern_stopped(k); i += m) {
        mat b[SETS], x[SETS];
        c = segment_of(k, n - i);
        m = least(n - i, c * k->width);
        rows_of_sets(k, s->s.sets, B, i, b), rows_of_sets(k, s->s.sets, X, i, x);
        solve_lanes(w, l, s, t + i, m, c, H, b, x);
    }
    state_mirror(k, H);
}

/* ---- one lane: wide matrices, one by one ---- */

static void solve_dense(const mesa_worker *w, const layer *l, const space *s, int64_t t, int sets,
                        const mat *B, const mat *X)
{
    const kern *k = w->k;
    const int64_t d = l->o->d;
    const mat key = rows_from(k, l->s.K, t);
    const void *beta = rows_from(k, l->s.beta, t).p;
    if (l->s.gamma.high)
        k->scale(d * d, kern_real(k, l->s.gamma.high, t) + kern_real(k, l->s.gamma.low, t), s->M);
    memcpy(s->weighted, key.p, bytes_of(k, 1, d));
    if (beta) k->row_scale(1, d, beta, 1, key.p, d, s->weighted, d);
    k->row_add(d, d, s->weighted, 1, key.p, 0, s->M, d);
    memcpy(s->U, s->M, bytes_of(k, d, d));
    dense_cholesky(k, w->product, s->dense, d, l->m.ridge, s->U, d);
    for (int i = 0; i < sets; i++)
        k->store(k, 1, d, 1, B[i].p, d, kern_at(k, s->columns, i), 0, 0, sets);
    dense_solve(k, w->product, s->dense, d, s->U, d, sets, s->columns, sets);
    for (int i = 0; i < sets; i++)
        k->load(k, 1, d, 1, kern_at(k, s->columns, i), 0, 0, sets, X[i].p, d);
}

static void solve_large(const mesa_worker *w, const layer *l, const space *s, int64_t t0, int64_t n,
                        state *H, int sets, const mat *B, const mat *X)
{
    const kern *k = w->k;
    for (int64_t i = 0, m; i < n && !kern_stopped(k); i += m) {
        m = least(SEGMENT, n - i);
        memcpy(s->M, H->now, bytes_of(k, H->rows, H->cols));
        for (int64_t j = i; j < i + m && !kern_stopped(k); j++) {
            mat b[SETS], x[SETS];
            rows_of_sets(k, sets, B, j, b), rows_of_sets(k, sets, X, j, x);
            solve_dense(w, l, s, t0 + j, sets, b, x);
        }
        advance(w, l, s, H, t0 + i, m, 0);
    }
}

void segments_solve(mesa_worker w, const layer *l, enum mesa_solver solver, int64_t t, int64_t n,
                    state *H, int sets, const mat *B, const mat *X)
{
    space s = take_space(&w, l, solver, sets);
    if (w.k->lanes > 1) solve_panel(&w, l, &s, t, n, H, B, X);
    else if (one_by_one(w.k, l)) solve_large(&w, l, &s, t, n, H, sets, B, X);
    else solve_cut(&w, l, &s, t, n, H, B, X);
}
