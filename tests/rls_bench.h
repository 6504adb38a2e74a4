/* Rows of one regression, what they give by the definition (sums over all rows, and Gaussian elimination with pivoting), and a handle that is held against it. */
#ifndef TESTS_RLS_BENCH_H
#define TESTS_RLS_BENCH_H

#include "rls/streams.h"
#undef fail                        /* Check's; here it is the library's */
#include "contexts.h"
#include <math.h>

enum { D = 5, DV = 3, ROWS = 200 };

/* Rows of one regression as they come. */
typedef struct rows { double k[ROWS][D], v[ROWS][DV], q[ROWS][D], beta[ROWS], log_gamma[ROWS], ridge[D]; } rows;

static inline rows draw(uint64_t seed, mesaopt_ctx *ctx)
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
static inline fit fit_of(const rows *r, int from, int to)
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

static inline void solve(const fit *f, const double *b, double *x)
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

static inline void expect(const fit *f, const double *q, double *out, double *error)
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

static inline void close_to(const double *x, const double *y, int n, double bound, const char *what, int t)
{
    double diff = 0, norm = 0;
    for (int i = 0; i < n; i++) diff += pow(x[i] - y[i], 2), norm += y[i] * y[i];
    ck_assert_msg(sqrt(diff) <= bound * (sqrt(norm) + 1e-3), "%s at row %d: off by %g of %g", what, t, sqrt(diff), sqrt(norm));
}

typedef struct bench { mesaopt_ctx *ctx; mesaopt_lsq *plan; mesaopt_rls *rls; rows r; } bench;

static inline bench open_bench(const char *settings, uint64_t seed)
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
static inline void renew(bench *b)
{
    const mesaopt_view ridge = DENSE(b->r.ridge, MESAOPT_F64, 1, D);
    ck_assert_int_eq(mesaopt_rls_free(b->rls), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_create(b->plan, 1, &ridge, &b->rls), MESAOPT_OK);
}

static inline void close_bench(bench *b)
{
    ck_assert_int_eq(mesaopt_lsq_free(b->plan), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_free(b->ctx), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_free(b->rls), MESAOPT_OK);
}

/* Rows from .. to - 1 through update. */
static inline void update(mesaopt_rls *rls, rows *r, int from, int to)
{
    const mesaopt_view k = DENSE(r->k[from], MESAOPT_F64, to - from, 1, D), v = DENSE(r->v[from], MESAOPT_F64, to - from, 1, DV);
    const mesaopt_view beta = DENSE(r->beta + from, MESAOPT_F64, to - from, 1), gate = DENSE(r->log_gamma + from, MESAOPT_F64, to - from, 1);
    ck_assert_int_eq(mesaopt_rls_update(rls, &k, &v, &beta, &gate), MESAOPT_OK);
}

/* Row t through step, or update and predict; checks prediction and error against rows from .. t. bound infinite: rounding may leave nothing, and say so. */
static inline void check_row(bench *b, int t, int from, int by_step, int with_error, double bound)
{
    rows *r = &b->r;
    mesaopt_status status;
    double out[DV], error[DV], want[DV], want_error[DV];
    const mesaopt_view q = DENSE(r->q[t], MESAOPT_F64, 1, 1, D), o = DENSE(out, MESAOPT_F64, 1, 1, DV), e = DENSE(error, MESAOPT_F64, 1, 1, DV);
    if (by_step) {
        const mesaopt_view k = DENSE(r->k[t], MESAOPT_F64, 1, 1, D), v = DENSE(r->v[t], MESAOPT_F64, 1, 1, DV);
        const mesaopt_view beta = DENSE(r->beta + t, MESAOPT_F64, 1, 1), gate = DENSE(r->log_gamma + t, MESAOPT_F64, 1, 1);
        status = mesaopt_rls_step(b->rls, &q, &k, &v, &beta, &gate, &o);
    } else {
        update(b->rls, r, t, t + 1);
        status = mesaopt_rls_predict(b->rls, &q, &o, with_error ? &e : NULL);
    }
    ck_assert(status == MESAOPT_OK || (isinf(bound) && status == MESAOPT_NOT_CONVERGED));
    const fit f = fit_of(r, from, t + 1);
    expect(&f, r->q[t], want, want_error);
    close_to(out, want, DV, bound, "prediction", t);
    if (with_error && !by_step) close_to(error, want_error, DV, 1e-6, "error", t);
}

enum gating { ALL_ONE, SLOW, FAST, WITH_ZEROS };
static inline void set_gates(rows *r, enum gating g)
{
    for (int t = 0; t < ROWS; t++) {
        if (g == ALL_ONE) r->log_gamma[t] = 0;
        if (g == SLOW) r->log_gamma[t] /= 50;
        if (g == FAST && t % 3 == 0) r->log_gamma[t] *= 20;
        if (g == WITH_ZEROS && t % 41 == 40) r->log_gamma[t] = -INFINITY;
    }
}

typedef struct state { double H[D][D], S[D][DV], weight, squares[DV], rows; mesaopt_view view[5]; int32_t which[5]; } state;

static inline void views_of(state *s)
{
    const mesaopt_view v[] = {DENSE(s->H, MESAOPT_F64, 1, D, D), DENSE(s->S, MESAOPT_F64, 1, D, DV), DENSE(&s->weight, MESAOPT_F64, 1),
                              DENSE(s->squares, MESAOPT_F64, 1, DV), DENSE(&s->rows, MESAOPT_F64, 1)};
    memcpy(s->view, v, sizeof v);
    for (int32_t i = 0; i < 5; i++) s->which[i] = MESAOPT_RLS_KEY_STATE + i;
}

#endif
