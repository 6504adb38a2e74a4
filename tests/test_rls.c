/* mesaopt_rls against the definition: sums over all rows, and Gaussian elimination with pivoting. */
#include "lsq/rls_state.h"
#include "contexts.h"
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { D = 5, DV = 3, ROWS = 200 };

/* Rows of one regression as they come. */
typedef struct rows { double k[ROWS][D], v[ROWS][DV], q[ROWS][D], beta[ROWS], log_gamma[ROWS], ridge[D]; } rows;

static rows draw(uint64_t seed, mesaopt_ctx *ctx)
{
    rows r;
    double beta[ROWS], gate[ROWS];
    mesaopt_view k = DENSE(r.k, MESAOPT_F64, ROWS, D), v = DENSE(r.v, MESAOPT_F64, ROWS, DV), q = DENSE(r.q, MESAOPT_F64, ROWS, D);
    mesaopt_view b = DENSE(beta, MESAOPT_F64, ROWS), g = DENSE(gate, MESAOPT_F64, ROWS), l = DENSE(r.ridge, MESAOPT_F64, D);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, seed, 1, 0, 0, 1, &k), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, seed, 2, 0, 0, 1, &v), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, seed, 3, 0, 0, 1, &q), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_uniform(ctx, seed, 4, 0, 0, 1, &b), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_uniform(ctx, seed, 5, 0, 0.8, 1, &g), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_uniform(ctx, seed, 6, 0, 0.3, 2, &l), MESAOPT_OK);
    for (int t = 0; t < ROWS; t++) r.beta[t] = beta[t], r.log_gamma[t] = log(gate[t]);
    r.beta[7] = 0;                                             /* a row that does not count */
    memset(r.k[11], 0, sizeof r.k[11]);                        /* a key of zeros */
    memcpy(r.k[13], r.k[12], sizeof r.k[13]);                  /* and one twice */
    return r;
}

typedef struct fit { double A[D][D], S[D][DV], squares[DV], total; } fit;

/* Rows from .. to - 1 by the definition. */
static fit fit_of(const rows *r, int from, int to)
{
    fit f = {0};
    double gate = 1;
    for (int t = to - 1; t >= from; gate *= exp(r->log_gamma[t]), t--) {
        const double w = gate * r->beta[t];
        f.total += w;
        for (int i = 0; i < D; i++) {
            for (int j = 0; j < D; j++) f.A[i][j] += w * r->k[t][i] * r->k[t][j];
            for (int j = 0; j < DV; j++) f.S[i][j] += w * r->k[t][i] * r->v[t][j];
        }
        for (int j = 0; j < DV; j++) f.squares[j] += w * r->v[t][j] * r->v[t][j];
    }
    for (int i = 0; i < D; i++) f.A[i][i] += r->ridge[i];
    return f;
}

static void solve(const fit *f, const double *b, double *x)
{
    double A[D][D + 1];
    for (int i = 0; i < D; i++) memcpy(A[i], f->A[i], sizeof f->A[i]), A[i][D] = b[i];
    for (int c = 0; c < D; c++) {
        int best = c;
        for (int i = c; i < D; i++) if (fabs(A[i][c]) > fabs(A[best][c])) best = i;
        for (int j = 0; j <= D; j++) { const double keep = A[c][j]; A[c][j] = A[best][j]; A[best][j] = keep; }
        for (int i = c + 1; i < D; i++)
            for (int j = D; j >= c; j--) A[i][j] -= A[i][c] / A[c][c] * A[c][j];
    }
    for (int i = D - 1; i >= 0; i--) {
        x[i] = A[i][D];
        for (int j = i + 1; j < D; j++) x[i] -= A[i][j] * x[j];
        x[i] /= A[i][i];
    }
}

static void expect(const fit *f, const double *q, double *out, double *error)
{
    double x[D], column[D], y[D], qx = 0;
    solve(f, q, x);
    for (int i = 0; i < D; i++) qx += q[i] * x[i];
    for (int j = 0; j < DV; j++) {
        double left = f->squares[j];
        out[j] = 0;
        for (int i = 0; i < D; i++) out[j] += f->S[i][j] * x[i], column[i] = f->S[i][j];
        solve(f, column, y);
        for (int i = 0; i < D; i++) left -= column[i] * y[i];
        error[j] = sqrt(qx * left / f->total);
    }
}

static void close_to(const double *x, const double *y, int n, double bound, const char *what, int t)
{
    double diff = 0, norm = 0;
    for (int i = 0; i < n; i++) diff += pow(x[i] - y[i], 2), norm += y[i] * y[i];
    ck_assert_msg(sqrt(diff) <= bound * (sqrt(norm) + 1e-3), "%s at row %d: off by %g of %g", what, t, sqrt(diff), sqrt(norm));
}

typedef struct bench { mesaopt_ctx *ctx; mesaopt_lsq *plan; mesaopt_rls *rls; rows r; } bench;

static bench open_bench(const char *settings, uint64_t seed)
{
    bench b = {.ctx = context_at(MESAOPT_ISA_AUTO, 1)};
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LSQ, settings);
    b.r = draw(seed, b.ctx);
    ck_assert_int_eq(mesaopt_lsq_plan(b.ctx, s, D, DV, &b.plan), MESAOPT_OK);
    const mesaopt_view ridge = DENSE(b.r.ridge, MESAOPT_F64, 1, D);
    ck_assert_int_eq(mesaopt_rls_create(b.plan, 1, &ridge, &b.rls), MESAOPT_OK);
    mesaopt_settings_free(s);
    return b;
}

/* The state anew, after a change of the ridge. */
static void renew(bench *b)
{
    const mesaopt_view ridge = DENSE(b->r.ridge, MESAOPT_F64, 1, D);
    ck_assert_int_eq(mesaopt_rls_free(b->rls), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_create(b->plan, 1, &ridge, &b->rls), MESAOPT_OK);
}

static void close_bench(bench *b)
{
    ck_assert_int_eq(mesaopt_lsq_free(b->plan), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_free(b->ctx), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_free(b->rls), MESAOPT_OK);
}

/* Rows from .. to - 1 through update. */
static void update(mesaopt_rls *rls, rows *r, int from, int to)
{
    const mesaopt_view k = DENSE(r->k[from], MESAOPT_F64, to - from, 1, D), v = DENSE(r->v[from], MESAOPT_F64, to - from, 1, DV);
    const mesaopt_view beta = DENSE(r->beta + from, MESAOPT_F64, to - from, 1), gate = DENSE(r->log_gamma + from, MESAOPT_F64, to - from, 1);
    ck_assert_int_eq(mesaopt_rls_update(rls, &k, &v, &beta, &gate), MESAOPT_OK);
}

/* Row t through step, or update and predict; checks prediction and error against rows from .. t. */
static void check_row(bench *b, int t, int from, int by_step, int with_error, double bound)
{
    rows *r = &b->r;
    double out[DV], error[DV], want[DV], want_error[DV];
    const mesaopt_view q = DENSE(r->q[t], MESAOPT_F64, 1, 1, D), o = DENSE(out, MESAOPT_F64, 1, 1, DV), e = DENSE(error, MESAOPT_F64, 1, 1, DV);
    if (by_step) {
        const mesaopt_view k = DENSE(r->k[t], MESAOPT_F64, 1, 1, D), v = DENSE(r->v[t], MESAOPT_F64, 1, 1, DV);
        const mesaopt_view beta = DENSE(r->beta + t, MESAOPT_F64, 1, 1), gate = DENSE(r->log_gamma + t, MESAOPT_F64, 1, 1);
        ck_assert_int_eq(mesaopt_rls_step(b->rls, &q, &k, &v, &beta, &gate, &o), MESAOPT_OK);
    } else {
        update(b->rls, r, t, t + 1);
        ck_assert_int_eq(mesaopt_rls_predict(b->rls, &q, &o, with_error ? &e : NULL), MESAOPT_OK);
    }
    const fit f = fit_of(r, from, t + 1);
    expect(&f, r->q[t], want, want_error);
    close_to(out, want, DV, bound, "prediction", t);
    if (with_error && !by_step) close_to(error, want_error, DV, 1e-6, "error", t);
}

enum gating { ALL_ONE, SLOW, FAST, WITH_ZEROS };
static void set_gates(rows *r, enum gating g)
{
    for (int t = 0; t < ROWS; t++) {
        if (g == ALL_ONE) r->log_gamma[t] = 0;
        if (g == SLOW) r->log_gamma[t] /= 50;
        if (g == FAST && t % 3 == 0) r->log_gamma[t] *= 20;
        if (g == WITH_ZEROS && t % 41 == 40) r->log_gamma[t] = -INFINITY;
    }
}

/* Every kind of gates, by steps and by updates, with and without errors asked for in between. */
START_TEST(against_definition)
{
    for (enum gating g = ALL_ONE; g <= WITH_ZEROS; g++)
        for (int way = 0; way < 4; way++) {
            bench b = open_bench("", 10 + (uint64_t)g);
            set_gates(&b.r, g);
            for (int t = 0; t < ROWS; t++) check_row(&b, t, 0, way == 0, way == 3 || (way == 1 && t % 7 == 0), 1e-10);
            close_bench(&b);
        }
}
END_TEST

/* Neither errors nor reading the state make a row cost more than O(d^2): the inverse is factored at most once for many rows. */
START_TEST(no_factors)
{
    for (int way = 0; way < 3; way++) {
        bench b = open_bench("", 25);
        double total, factors = 0;
        const mesaopt_view view = DENSE(&total, MESAOPT_F64, 1);
        set_gates(&b.r, ALL_ONE);
        int64_t rows = 0;
        for (int t = 0; t < ROWS; t++) {
            check_row(&b, t, 0, way == 1 && t % 2, way != 2 && t % 2 == 0, 1e-10);
            if (way == 2 && t % 3 == 0) ck_assert_int_eq(mesaopt_rls_get(b.rls, 1, &(int32_t){MESAOPT_RLS_WEIGHT}, &view), MESAOPT_OK);
            factors += b.rls->o[0].updates < rows || !b.rls->o[0].fresh;
            rows = b.rls->o[0].updates;
        }
        ck_assert_double_le(factors, 1);
        ck_assert_int_ge(rows, ROWS - b.rls->p.rows - 1);      /* one row has no weight */
        close_bench(&b);
    }
}
END_TEST

/* Predictions and errors are linear in the query, to the last bit for powers of two, from one end of double to the other. */
START_TEST(scaled_queries)
{
    const char *const settings[] = {"gamma=0.97", "", "window=40"};
    const int power[] = {-600, -990, 530, 900};
    for (int i = 0; i < 3; i++) {
        bench b = open_bench(settings[i], 27);
        if (i) set_gates(&b.r, ALL_ONE);
        update(b.rls, &b.r, 0, 101);
        double q[D], out[2][DV], error[2][DV];
        const mesaopt_view qs = DENSE(q, MESAOPT_F64, 1, 1, D);
        for (int j = -1; j < 4; j++) {
            const int at = j >= 0;
            const mesaopt_view o = DENSE(out[at], MESAOPT_F64, 1, 1, DV), e = DENSE(error[at], MESAOPT_F64, 1, 1, DV);
            for (int c = 0; c < D; c++) q[c] = ldexp(b.r.q[101][c], at ? power[j] : 0);
            ck_assert_int_eq(mesaopt_rls_predict(b.rls, &qs, &o, &e), MESAOPT_OK);
            for (int c = 0; c < DV && at; c++) {
                ck_assert_double_eq(out[1][c], ldexp(out[0][c], power[j]));
                ck_assert_double_eq(error[1][c], ldexp(error[0][c], power[j]));
            }
        }
        close_bench(&b);
    }
}
END_TEST

/* Small ridges and keys that stand out, row by row: M^-1 falls by many powers of ten there. `bound` from row 4 D on; before that the problem itself is worse. */
START_TEST(small_ridges)
{
    const char *const size[] = {"1e-4", "1e-8", "1e-12"};
    for (int i = 0; i < 3; i++)
        for (int outliers = 0; outliers < 2; outliers++) {
            bench b = open_bench("", 20);
            set_gates(&b.r, ALL_ONE);
            for (int j = 0; j < D; j++) b.r.ridge[j] = atof(size[i]);
            for (int t = 36; outliers && t < ROWS; t += 37)
                for (int j = 0; j < D; j++) b.r.k[t][j] *= 100;
            renew(&b);
            for (int t = 0; t < ROWS; t++) check_row(&b, t, 0, 1, 0, t < 4 * D ? INFINITY : 2e-12);
            close_bench(&b);
        }
}
END_TEST

START_TEST(windows)
{
    const int window[] = {1, 2, 9, 50, 150};
    for (int i = 0; i < 5; i++)
        for (int g = ALL_ONE; g <= WITH_ZEROS; g++)
            for (int way = 0; way < 2; way++) {
                char text[32];
                snprintf(text, sizeof text, "window=%d", window[i]);
                bench b = open_bench(text, 30 + (uint64_t)g);
                set_gates(&b.r, (enum gating)g);
                for (int t = 0; t < ROWS; t++) check_row(&b, t, t + 1 > window[i] ? t + 1 - window[i] : 0, way == 0, t % 5 == 0, 1e-9);
                close_bench(&b);
            }
}
END_TEST

/* A row 1e8 times larger passes through the window and leaves nothing behind. */
START_TEST(window_outlier)
{
    bench b = open_bench("window=12", 50);
    set_gates(&b.r, ALL_ONE);
    for (int j = 0; j < D; j++) b.r.k[60][j] *= 1e8;
    for (int t = 0; t < ROWS; t++) {
        const int inside = t >= 60 && t < 72;                  /* nothing of the others is left in double meanwhile */
        check_row(&b, t, t + 1 > 12 ? t - 11 : 0, t % 2, 0, inside ? INFINITY : 1e-9);
    }
    close_bench(&b);
}
END_TEST

typedef struct state { double H[D][D], S[D][DV], weight, squares[DV], rows; mesaopt_view view[5]; int32_t which[5]; } state;

static void views_of(state *s)
{
    const mesaopt_view v[] = {DENSE(s->H, MESAOPT_F64, 1, D, D), DENSE(s->S, MESAOPT_F64, 1, D, DV), DENSE(&s->weight, MESAOPT_F64, 1),
                              DENSE(s->squares, MESAOPT_F64, 1, DV), DENSE(&s->rows, MESAOPT_F64, 1)};
    memcpy(s->view, v, sizeof v);
    for (int32_t i = 0; i < 5; i++) s->which[i] = MESAOPT_RLS_KEY_STATE + i;
}

/* Sums that are read, of rows from .. t, element by element. */
static void check_sums(bench *b, int t, int from)
{
    state s;
    views_of(&s);
    ck_assert_int_eq(mesaopt_rls_get(b->rls, 5, s.which, s.view), MESAOPT_OK);
    const fit f = fit_of(&b->r, from, t + 1);
    ck_assert_double_eq_tol(s.weight, f.total, 1e-11 * f.total);
    for (int j = 0; j < DV; j++) {
        ck_assert_double_eq_tol(s.squares[j], f.squares[j], 1e-11 * f.squares[j]);
        for (int i = 0; i < D; i++)
            ck_assert_double_eq_tol(s.S[i][j], f.S[i][j], 1e-11 * sqrt(f.A[i][i] * f.squares[j]));
    }
    for (int i = 0; i < D; i++)
        for (int j = 0; j < D; j++) ck_assert_double_eq_tol(s.H[i][j], f.A[i][j] - (i == j) * b->r.ridge[i], 1e-11 * sqrt(f.A[i][i] * f.A[j][j]));
}

/* One value, one element of a key in a channel of its own scale, or one weight that is far larger than the others passes through and leaves nothing behind. */
START_TEST(window_outliers_apart)
{
    for (int what = 0; what < 3; what++)
        for (int errors = 0; errors < 2; errors++) {
            bench b = open_bench("window=16", 51);
            set_gates(&b.r, ALL_ONE);
            for (int t = 0; t < ROWS; t++) b.r.beta[t] = what == 2 && t != 60 ? 1e-12 : 1, b.r.k[t][D - 1] *= 1e-6;
            for (int j = 0; j < D; j++) b.r.ridge[j] = what == 2 ? 1e-12 : j == D - 1 ? 1e-14 : 1e-3;
            if (what == 0) for (int j = 0; j < DV; j++) b.r.v[60][j] = 1e9;
            if (what == 1) b.r.k[60][D - 1] = 50;
            renew(&b);
            for (int t = 0; t < ROWS; t++) {
                const int inside = t >= 60 && t < 76, from = t > 15 ? t - 15 : 0;
                check_row(&b, t, from, t % 2, errors && !inside, inside || t < 16 ? INFINITY : 1e-8);
                if (t > 76 && t % 9 == 0) check_sums(&b, t, from);
            }
            close_bench(&b);
        }
}
END_TEST

/* Parts a and b of the rows in two handles, then together, against one pass. */
START_TEST(merging)
{
    const char *const settings[] = {"", "window=30", "window=300"};
    for (int i = 0; i < 3; i++)
        for (int g = ALL_ONE; g <= WITH_ZEROS; g++) {
            bench b = open_bench(settings[i], 70 + (uint64_t)g);
            const mesaopt_view ridge = DENSE(b.r.ridge, MESAOPT_F64, 1, D);
            mesaopt_rls *second;
            double rows = 0;
            const mesaopt_view count = DENSE(&rows, MESAOPT_F64, 1);
            set_gates(&b.r, (enum gating)g);
            ck_assert_int_eq(mesaopt_rls_create(b.plan, 1, &ridge, &second), MESAOPT_OK);
            update(b.rls, &b.r, 0, 77);
            update(second, &b.r, 77, 199);
            ck_assert_int_eq(mesaopt_rls_merge(b.rls, second), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_rls_get(b.rls, 1, &(int32_t){MESAOPT_RLS_ROWS}, &count), MESAOPT_OK);
            ck_assert_double_eq(rows, 199);
            check_row(&b, 199, i == 1 ? 170 : 0, 0, 1, 1e-10);
            ck_assert_int_eq(mesaopt_rls_free(second), MESAOPT_OK);
            close_bench(&b);
        }
}
END_TEST

/* Merged while rows wait in it: `from` goes on with the bits of one that nobody merged. */
START_TEST(merging_leaves_from)
{
    for (int i = 0; i < 4; i++) {
        bench b = open_bench(i % 2 ? "window=30" : "", 75);
        const mesaopt_view ridge = DENSE(b.r.ridge, MESAOPT_F64, 1, D);
        mesaopt_rls *from[2];
        double x[2][2][DV];
        set_gates(&b.r, i / 2 ? SLOW : ALL_ONE);
        for (int n = 0; n < 2; n++) ck_assert_int_eq(mesaopt_rls_create(b.plan, 1, &ridge, &from[n]), MESAOPT_OK);
        for (int t = 0; t < ROWS; t++) {
            for (int n = 0; n < 2; n++) {
                const mesaopt_view q = DENSE(b.r.q[t], MESAOPT_F64, 1, 1, D), o = DENSE(x[n][0], MESAOPT_F64, 1, 1, DV), e = DENSE(x[n][1], MESAOPT_F64, 1, 1, DV);
                update(from[n], &b.r, t, t + 1);
                if (n == 0 && t % 11 == 3) ck_assert_int_eq(mesaopt_rls_merge(b.rls, from[0]), MESAOPT_OK);
                ck_assert_int_eq(mesaopt_rls_predict(from[n], &q, &o, &e), MESAOPT_OK);
            }
            ck_assert_int_eq(memcmp(x[0], x[1], sizeof x[0]), 0);
        }
        for (int n = 0; n < 2; n++) ck_assert_int_eq(mesaopt_rls_free(from[n]), MESAOPT_OK);
        close_bench(&b);
    }
}
END_TEST

typedef struct watch { mesaopt_rls *rls; atomic_int seen, stop; } watch;

static void *watch_use(void *data)
{
    watch *w = data;
    while (!atomic_load(&w->seen) && !atomic_load(&w->stop)) atomic_store(&w->seen, atomic_load(&w->rls->head.in_use) > 0);
    return NULL;
}

/* What is being merged is in use, so that no other thread can free it meanwhile. */
START_TEST(merging_holds_from)
{
    bench b = open_bench("window=150", 76);
    const mesaopt_view ridge = DENSE(b.r.ridge, MESAOPT_F64, 1, D);
    watch w = {.seen = 0};
    pthread_t thread;
    ck_assert_int_eq(mesaopt_rls_create(b.plan, 1, &ridge, &w.rls), MESAOPT_OK);
    update(w.rls, &b.r, 0, ROWS);
    ck_assert_int_eq(pthread_create(&thread, NULL, watch_use, &w), 0);
    for (int i = 0; i < 20000 && !atomic_load(&w.seen); i++) ck_assert_int_eq(mesaopt_rls_merge(b.rls, w.rls), MESAOPT_OK);
    atomic_store(&w.stop, 1);
    pthread_join(thread, NULL);
    ck_assert_int_eq(atomic_load(&w.seen), 1);
    ck_assert_int_eq(mesaopt_rls_free(w.rls), MESAOPT_OK);
    close_bench(&b);
}
END_TEST

/* A state that is read, and set in another handle: both are the definition's, and go on alike. */
START_TEST(get_and_set)
{
    bench b = open_bench("", 80), c = open_bench("", 80);
    state s;
    views_of(&s);
    update(b.rls, &b.r, 0, 90);
    ck_assert_int_eq(mesaopt_rls_get(b.rls, 5, s.which, s.view), MESAOPT_OK);
    fit f = fit_of(&b.r, 0, 90);
    for (int i = 0; i < D; i++) f.A[i][i] -= b.r.ridge[i];
    close_to(s.H[0], f.A[0], D * D, 1e-13, "H", 90);
    close_to(s.S[0], f.S[0], D * DV, 1e-13, "S", 90);
    close_to(s.squares, f.squares, DV, 1e-13, "squares", 90);
    ck_assert_double_eq_tol(s.weight, f.total, 1e-12);
    ck_assert_double_eq(s.rows, 90);
    ck_assert_int_eq(mesaopt_rls_set(c.rls, 4, s.which, s.view), MESAOPT_OK);
    for (int t = 90; t < ROWS; t++) check_row(&c, t, 0, t % 3 == 0, t % 7 == 0, 1e-10);
    ck_assert_int_eq(mesaopt_rls_clear(b.rls), MESAOPT_OK);
    for (int t = 0; t < 40; t++) check_row(&b, t, 0, t % 2, 0, 1e-10);
    close_bench(&b);
    close_bench(&c);
}
END_TEST

/* Saved and read again: both go on with the same bits. */
START_TEST(files)
{
    for (int i = 0; i < 3; i++) {
        bench b = open_bench(i == 2 ? "" : i ? "window=25" : "gamma=0.99", 90);
        if (i == 2) set_gates(&b.r, ALL_ONE);
        mesaopt_rls *again, *none = NULL;
        char path[64];
        snprintf(path, sizeof path, "/tmp/mesaopt-rls-%ld.safetensors", (long)getpid());
        update(b.rls, &b.r, 0, 101);
        const mesaopt_view last = DENSE(b.r.q[100], MESAOPT_F64, 1, 1, D);
        double kept[2][DV];
        const mesaopt_view kept_views[] = {DENSE(kept[0], MESAOPT_F64, 1, 1, DV), DENSE(kept[1], MESAOPT_F64, 1, 1, DV)};
        ck_assert_int_eq(mesaopt_rls_predict(b.rls, &last, &kept_views[0], &kept_views[1]), MESAOPT_OK);     /* its errors know more than the file */
        ck_assert_int_eq(mesaopt_rls_save(b.rls, path), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_rls_open(b.plan, path, &again), MESAOPT_OK);
        for (int t = 101; t < ROWS; t++) {
            double x[DV], y[DV], x_error[DV], y_error[DV];
            const mesaopt_view q = DENSE(b.r.q[t], MESAOPT_F64, 1, 1, D), xs = DENSE(x, MESAOPT_F64, 1, 1, DV), ys = DENSE(y, MESAOPT_F64, 1, 1, DV);
            const mesaopt_view xe = DENSE(x_error, MESAOPT_F64, 1, 1, DV), ye = DENSE(y_error, MESAOPT_F64, 1, 1, DV);
            if (t > 101) update(b.rls, &b.r, t, t + 1), update(again, &b.r, t, t + 1);
            ck_assert_int_eq(mesaopt_rls_predict(b.rls, &q, &xs, &xe), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_rls_predict(again, &q, &ys, &ye), MESAOPT_OK);
            ck_assert_int_eq(memcmp(x, y, sizeof x), 0);
            ck_assert_int_eq(memcmp(x_error, y_error, sizeof x_error), 0);
        }
        mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LSQ, i == 1 ? "window=24" : "gamma=0.98");
        mesaopt_lsq *other;
        ck_assert_int_eq(mesaopt_lsq_plan(b.ctx, s, D, DV, &other), MESAOPT_OK);
        REFUSED(b.ctx, MESAOPT_E_FORMAT, i == 1 ? "kept" : "gamma", mesaopt_rls_open(other, path, &none));
        ck_assert_ptr_null(none);
        ck_assert_int_eq(mesaopt_rls_merge(b.rls, again), MESAOPT_OK);
        mesaopt_settings_free(s);
        mesaopt_lsq_free(other);
        mesaopt_rls_free(again);
        unlink(path);
        close_bench(&b);
    }
}
END_TEST

/* Several heads, prefill in one block and then token by token: the layer's forward pass over all of it. */
START_TEST(prefill_and_decode)
{
    enum { T = 90, FIRST = 37, H = 3, K = 20, V = 12 };
    static float q[T * H * K], k[T * H * K], v[T * H * V], beta[T * H], gate[T * H], ridge[H * K], whole[T * H * V], out[T * H * V];
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LSQ, "");
    mesaopt_lsq *plan;
    mesaopt_rls *rls;
    const mesaopt_view qs = DENSE(q, MESAOPT_F32, T, H, K), ks = DENSE(k, MESAOPT_F32, T, H, K), vs = DENSE(v, MESAOPT_F32, T, H, V);
    const mesaopt_view bs = DENSE(beta, MESAOPT_F32, T, H), gs = DENSE(gate, MESAOPT_F32, T, H), ls = DENSE(ridge, MESAOPT_F32, H, K), os = DENSE(out, MESAOPT_F32, T, H, V);
    mesaopt_rng_normal(ctx, 1, 1, 0, 0, 1, &qs), mesaopt_rng_normal(ctx, 1, 2, 0, 0, 1, &ks), mesaopt_rng_normal(ctx, 1, 3, 0, 0, 1, &vs);
    mesaopt_rng_uniform(ctx, 1, 4, 0, 0, 1, &bs), mesaopt_rng_uniform(ctx, 1, 5, 0, -0.05, -0.001, &gs), mesaopt_rng_uniform(ctx, 1, 6, 0, 1, 2, &ls);
    ck_assert_int_eq(mesaopt_lsq_plan(ctx, s, K, V, &plan), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_create(plan, H, &ls, &rls), MESAOPT_OK);
    const int32_t which[] = {MESAOPT_LSQ_BETA, MESAOPT_LSQ_LOG_GAMMA, MESAOPT_LSQ_RIDGE};
    const mesaopt_view extra[] = {DENSE(beta, MESAOPT_F32, 1, T, H), DENSE(gate, MESAOPT_F32, 1, T, H), ls};
    const mesaopt_view q4 = DENSE(q, MESAOPT_F32, 1, T, H, K), k4 = DENSE(k, MESAOPT_F32, 1, T, H, K), v4 = DENSE(v, MESAOPT_F32, 1, T, H, V),
                       w4 = DENSE(whole, MESAOPT_F32, 1, T, H, V);
    ck_assert_int_eq(mesaopt_lsq_forward(plan, &q4, &k4, &v4, &w4, 3, which, extra), MESAOPT_OK);
    for (int64_t t = 0, n = FIRST; t < T; t += n, n = 1) {
        mesaopt_view part[] = {qs, ks, vs, bs, gs, os};
        for (int i = 0; i < 6; i++) part[i].data = (float *)part[i].data + t * part[i].stride[0], part[i].shape[0] = n;
        ck_assert_int_eq(mesaopt_rls_step(rls, &part[0], &part[1], &part[2], &part[3], &part[4], &part[5]), MESAOPT_OK);
    }
    double diff = 0, norm = 0;
    for (int i = 0; i < T * H * V; i++) diff += pow((double)(out[i] - whole[i]), 2), norm += pow((double)whole[i], 2);
    ck_assert_double_le(sqrt(diff / norm), 2e-6);
    mesaopt_settings_free(s);
    mesaopt_lsq_free(plan);
    mesaopt_rls_free(rls);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Scratch is for the streams that there are, not for threads that have none. */
START_TEST(scratch_of_few_streams)
{
    long bytes[2];
    for (int i = 0; i < 2; i++) {
        hook_alloc hook = {0};
        mesaopt_ctx *ctx = context_with(i ? 8 : 1, NULL, &hook);
        mesaopt_lsq *plan;
        mesaopt_rls *rls;
        ck_assert_int_eq(mesaopt_lsq_plan(ctx, NULL, D, DV, &plan), MESAOPT_OK);
        const long before = hook.bytes;
        ck_assert_int_eq(mesaopt_rls_create(plan, 1, NULL, &rls), MESAOPT_OK);
        bytes[i] = hook.bytes - before;
        mesaopt_rls_free(rls), mesaopt_lsq_free(plan), mesaopt_ctx_free(ctx);
    }
    ck_assert_int_eq(bytes[0], bytes[1]);
}
END_TEST

Suite *test_rls_suite(void)
{
    Suite *s = suite_create("rls");
    TCase *t = tcase_create("rls");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, against_definition);
    tcase_add_test(t, small_ridges);
    tcase_add_test(t, no_factors);
    tcase_add_test(t, scaled_queries);
    tcase_add_test(t, windows);
    tcase_add_test(t, window_outlier);
    tcase_add_test(t, window_outliers_apart);
    tcase_add_test(t, merging);
    tcase_add_test(t, merging_leaves_from);
    tcase_add_test(t, merging_holds_from);
    tcase_add_test(t, get_and_set);
    tcase_add_test(t, files);
    tcase_add_test(t, prefill_and_decode);
    tcase_add_test(t, scratch_of_few_streams);
    suite_add_tcase(s, t);
    return s;
}
