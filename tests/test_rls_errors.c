/* Standard errors of mesaopt_rls where almost all of the values' squares cancels: values far from 0, or explained by keys. Against rls_oracle.h. */
#include "contexts.h"
#include "rls_oracle.h"
#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum { MOST_D = 3, MOST_ROWS = 400 };

/* Rows with one value each, and their regression. */
typedef struct data { int d, rows; double k[MOST_ROWS * MOST_D], v[MOST_ROWS], ridge[MOST_D], q[MOST_D]; } data;

/* The mean of 1e8, 1e8 + 2, 1e8, ...: a key of 1. */
static void fill_mean(data *x)
{
    *x = (data){.d = 1, .rows = 100, .ridge = {1e-20}, .q = {1}};
    for (int i = 0; i < x->rows; i++) x->k[i] = 1, x->v[i] = 1e8 + i % 2 * 2;
}

/* An intercept, a trend and a wave, 1e8 times what is left of them. */
static void fill_trend(data *x)
{
    *x = (data){.d = 3, .rows = MOST_ROWS, .ridge = {1e-16, 1e-16, 1e-16}, .q = {1, 1.5, -0.5}};
    for (int i = 0; i < x->rows; i++) {
        double *k = x->k + 3 * i;
        k[0] = 1, k[1] = i / 200., k[2] = sin(i * 0.7);
        x->v[i] = 1e8 * (1 + 0.3 * k[1] - 0.2 * k[2]) + sin(i * i * 1.3);
    }
}

/* Nothing for a hundred rows, then another key, whose values are large. */
static void fill_switch(data *x)
{
    *x = (data){.d = 2, .rows = 230, .ridge = {1e-3, 1e-12}, .q = {0.5, 1}};
    for (int i = 0; i < x->rows; i++) {
        const int late = i >= 100;
        x->k[2 * i + late] = 1 + 0.1 * cos(i);
        x->v[i] = late ? 1e8 * x->k[2 * i + 1] + sin(i * 1.7) : sin(i * 0.9);
    }
}

static void (*const fills[])(data *) = {fill_mean, fill_trend, fill_switch};

typedef struct trial { data x; mesaopt_ctx *ctx; mesaopt_lsq *plan; int window; double gamma; } trial;

static void open_trial(trial *y, void (*fill)(data *), int window, double gamma)
{
    char text[64];
    fill(&y->x);
    y->ctx = context_at(MESAOPT_ISA_AUTO, 1), y->window = window, y->gamma = gamma;
    snprintf(text, sizeof text, "window=%d gamma=%.17g", window, gamma);
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LSQ, text);
    ck_assert_int_eq(mesaopt_lsq_plan(y->ctx, s, y->x.d, 1, &y->plan), MESAOPT_OK);
    mesaopt_settings_free(s);
}

static void close_trial(trial *y) { mesaopt_lsq_free(y->plan), mesaopt_ctx_free(y->ctx); }

static mesaopt_rls *new_handle(trial *y)
{
    mesaopt_rls *rls;
    const mesaopt_view ridge = DENSE(y->x.ridge, MESAOPT_F64, 1, y->x.d);
    ck_assert_int_eq(mesaopt_rls_create(y->plan, 1, &ridge, &rls), MESAOPT_OK);
    return rls;
}

static double error_now(trial *y, mesaopt_rls *rls)
{
    double out, error;
    const mesaopt_view q = DENSE(y->x.q, MESAOPT_F64, 1, 1, y->x.d), o = DENSE(&out, MESAOPT_F64, 1, 1, 1), e = DENSE(&error, MESAOPT_F64, 1, 1, 1);
    ck_assert_int_eq(mesaopt_rls_predict(rls, &q, &o, &e), MESAOPT_OK);
    return error;
}

/* Of rows 0 .. rows - 1 */
static void check_error(trial *y, mesaopt_rls *rls, int rows, const char *how)
{
    const int from = y->window && rows > y->window ? rows - y->window : 0;
    wide weight[MOST_ROWS], gate = 1;
    double want, error, length, leverage;
    for (int t = rows - 1; t >= 0; t--, gate *= y->gamma) weight[t] = gate;
    oracle o = oracle_of(&(oracle_rows){y->x.d, 1, rows - from, y->x.k + from * y->x.d, y->x.v + from, y->x.ridge, weight + from});
    oracle_predict(&o, y->x.q, &want, &error, &length, &leverage);
    const double seen = error_now(y, rls);
    ck_assert_msg(fabs(seen - error) <= 1e-6 * error, "%s, window %d, gamma %g, %d rows: %.10g, expected %.10g", how, y->window, y->gamma, rows, seen, error);
    oracle_free(&o);
}

static void update(trial *y, mesaopt_rls *rls, int from, int to)
{
    const mesaopt_view k = DENSE(y->x.k + from * y->x.d, MESAOPT_F64, to - from, 1, y->x.d), v = DENSE(y->x.v + from, MESAOPT_F64, to - from, 1, 1);
    ck_assert_int_eq(mesaopt_rls_update(rls, &k, &v, NULL, NULL), MESAOPT_OK);
}

/* Loop over data and kinds of forgetting. */
static void open_item(trial *y, int item)
{
    static const struct { int window; double gamma; } kinds[] = {{0, 1}, {60, 1}, {1000, 1}, {0, 0.9999999}, {0, 0.97}, {90, 0.99}};
    open_trial(y, fills[item / 6], kinds[item % 6].window, kinds[item % 6].gamma);
}
enum { ITEMS = 18 };

/* One by one or together, with and without questions in between. */
START_TEST(groups)
{
    static const int pieces[] = {1, 7, 16, 60, 100, MOST_ROWS};
    static trial y;
    open_item(&y, _i);
    for (int p = 0; p < 6; p++)
        for (int asked = 0; asked < 2; asked++) {
            mesaopt_rls *rls = new_handle(&y);
            for (int t = 0, n; t < y.x.rows; t += n) {
                n = t + pieces[p] < y.x.rows ? pieces[p] : y.x.rows - t;
                update(&y, rls, t, t + n);
                if (asked && t + n > 5) check_error(&y, rls, t + n, "asked in between");
            }
            check_error(&y, rls, y.x.rows, "asked at the end");
            mesaopt_rls_free(rls);
        }
    close_trial(&y);
}
END_TEST

/* Two halves, of which the second is merged while rows wait in it; a chain of many merges. */
START_TEST(merged)
{
    static trial y;
    open_item(&y, _i);
    for (int piece = 3; piece < y.x.rows; piece *= 5) {
        mesaopt_rls *rls = new_handle(&y), *part = new_handle(&y);
        for (int t = 0, n; t < y.x.rows; t += n) {
            n = t + piece < y.x.rows ? piece : y.x.rows - t;
            ck_assert_int_eq(mesaopt_rls_clear(part), MESAOPT_OK);
            update(&y, part, t, t + n);
            ck_assert_int_eq(mesaopt_rls_merge(rls, part), MESAOPT_OK);
        }
        check_error(&y, rls, y.x.rows, "merged");
        mesaopt_rls_free(rls), mesaopt_rls_free(part);
    }
    close_trial(&y);
}
END_TEST

static mesaopt_rls *through_file(trial *y, mesaopt_rls *rls)
{
    char path[64];
    mesaopt_rls *again;
    snprintf(path, sizeof path, "/tmp/mesaopt-rls-errors-%ld.safetensors", (long)getpid());
    ck_assert_int_eq(mesaopt_rls_save(rls, path), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_open(y->plan, path, &again), MESAOPT_OK);
    unlink(path);
    return again;
}

static mesaopt_rls *through_set(trial *y, mesaopt_rls *rls, int parts)
{
    double H[MOST_D * MOST_D], S[MOST_D], total, squares, residual;
    const int32_t which[] = {MESAOPT_RLS_KEY_STATE, MESAOPT_RLS_VALUE_STATE, MESAOPT_RLS_WEIGHT, MESAOPT_RLS_SQUARES, MESAOPT_RLS_RESIDUAL};
    const mesaopt_view views[] = {DENSE(H, MESAOPT_F64, 1, y->x.d, y->x.d), DENSE(S, MESAOPT_F64, 1, y->x.d, 1), DENSE(&total, MESAOPT_F64, 1),
                                  DENSE(&squares, MESAOPT_F64, 1, 1), DENSE(&residual, MESAOPT_F64, 1, 1)};
    mesaopt_rls *again = new_handle(y);
    ck_assert_int_eq(mesaopt_rls_get(rls, 5, which, views), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_set(again, parts, which, views), MESAOPT_OK);
    return again;
}

/* Saved and opened, or read and set, now and then. */
START_TEST(renewed)
{
    static trial y;
    open_item(&y, _i);
    for (int way = 0; way < (y.window ? 1 : 2); way++) {
        mesaopt_rls *rls = new_handle(&y);
        for (int t = 0; t < y.x.rows; t += 10) {
            update(&y, rls, t, t + 10);
            if (t % 50 != 40) continue;
            mesaopt_rls *again = way ? through_set(&y, rls, 5) : through_file(&y, rls);
            mesaopt_rls_free(rls);
            rls = again;
            check_error(&y, rls, t + 10, way ? "set" : "opened");
        }
        check_error(&y, rls, y.x.rows, way ? "set" : "opened");
        mesaopt_rls_free(rls);
    }
    close_trial(&y);
}
END_TEST

/* Squares alone do not hold what is left of them: errors of such a state are not taken for right, not after further rows either, and predictions are. */
START_TEST(set_without_residual)
{
    static trial y;
    for (int n = 0; n < 3; n++) {
        double out, error;
        open_trial(&y, fill_trend, 0, 1);
        mesaopt_rls *rls = new_handle(&y);
        update(&y, rls, 0, 200);
        mesaopt_rls *again = through_set(&y, rls, 4), *merged = new_handle(&y);
        const mesaopt_view q = DENSE(y.x.q, MESAOPT_F64, 1, 1, 3), o = DENSE(&out, MESAOPT_F64, 1, 1, 1), e = DENSE(&error, MESAOPT_F64, 1, 1, 1);
        if (n == 1) update(&y, again, 200, 300);
        if (n == 2) ck_assert_int_eq(mesaopt_rls_merge(merged, again), MESAOPT_OK);
        const mesaopt_status status = mesaopt_rls_predict(n == 2 ? merged : again, &q, &o, &e);
        ck_assert_msg(status == MESAOPT_NOT_CONVERGED, "way %d: status %d, error %g", n, (int)status, error);
        SAID(y.ctx, "MESAOPT_RLS_RESIDUAL");
        ck_assert_int_eq(mesaopt_rls_predict(n == 2 ? merged : again, &q, &o, NULL), MESAOPT_OK);
        mesaopt_rls_free(rls), mesaopt_rls_free(again), mesaopt_rls_free(merged);
        close_trial(&y);
    }
}
END_TEST

Suite *test_rls_errors_suite(void)
{
    Suite *s = suite_create("rls_errors");
    TCase *t = tcase_create("rls_errors");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, groups, 0, ITEMS);
    tcase_add_loop_test(t, merged, 0, ITEMS);
    tcase_add_loop_test(t, renewed, 0, ITEMS);
    tcase_add_test(t, set_without_residual);
    suite_add_tcase(s, t);
    return s;
}
