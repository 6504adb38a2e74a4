/* Rows that mesaopt_rls takes and those that it refuses: weights of any size, numbers at the ends of double. */
#include "rls_bench.h"
#include "rls_oracle.h"
#include <stdio.h>
#include <unistd.h>

/* A window that holds rows of weight 0: of an outlier that has left nothing remains, by whatever calls the rows came. */
START_TEST(window_with_weightless_rows)
{
    static const int window[] = {2, 3, 7};
    for (int i = 0; i < 3; i++)
        for (int way = 0; way < 3; way++) {
            char text[32];
            snprintf(text, sizeof text, "window=%d", window[i]);
            bench b = open_bench(text, 110);
            set_gates(&b.r, ALL_ONE);
            for (int t = 0; t < ROWS; t++) {
                if (t % 3 == 1) b.r.beta[t] = 0;
                for (int j = 0; t % 17 == 3 && j < DV; j++) b.r.v[t][j] *= 1e15;
            }
            for (int t = 0; t < ROWS; t++) {
                const int from = t + 1 > window[i] ? t + 1 - window[i] : 0, age = (t + 17 - 3) % 17;
                check_row(&b, t, from, way == 0 || (way == 1 && t % 2), way == 2, age < window[i] ? INFINITY : 1e-9);
            }
            close_bench(&b);
        }
}
END_TEST

/* The smallest such case: 1 and a row without weight in a window of two, after 10^n. */
START_TEST(window_of_one_row_with_weight)
{
    for (int exponent = 0; exponent <= 18; exponent += 3) {
        mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
        mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LSQ, "window=2 ridge=1");
        mesaopt_lsq *plan;
        mesaopt_rls *rls;
        double k[] = {1, 1, 1}, v[] = {pow(10, exponent), 1, 0}, beta[] = {1, 1, 0}, out[3];
        const mesaopt_view ks = DENSE(k, MESAOPT_F64, 3, 1, 1), vs = DENSE(v, MESAOPT_F64, 3, 1, 1);
        const mesaopt_view bs = DENSE(beta, MESAOPT_F64, 3, 1), os = DENSE(out, MESAOPT_F64, 3, 1, 1);
        ck_assert_int_eq(mesaopt_lsq_plan(ctx, s, 1, 1, &plan), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_rls_create(plan, 1, NULL, &rls), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_rls_step(rls, &ks, &ks, &vs, &bs, NULL, &os), MESAOPT_OK);
        ck_assert_double_eq_tol(out[2], 0.5, 1e-15);
        mesaopt_rls_free(rls), mesaopt_lsq_free(plan), mesaopt_settings_free(s), mesaopt_ctx_free(ctx);
    }
}
END_TEST

/* A weight of n is n rows, as users weigh by counts; with forgetting and a window of all of them too. */
START_TEST(weights_are_counts)
{
    static const char *const settings[] = {"", "gamma=0.99", "window=200"};
    for (int i = 0; i < 3; i++) {
        bench b = open_bench(settings[i], 111);
        set_gates(&b.r, i == 1 ? SLOW : ALL_ONE);
        for (int t = 0; t < ROWS; t++) b.r.beta[t] = t % 5 == 4 ? 0 : t % 7 == 0 ? 1e6 : t % 7;
        for (int t = 0; t < ROWS; t++) check_row(&b, t, 0, t % 2, t % 3 == 0, 1e-9);
        close_bench(&b);
    }
}
END_TEST

/* Rows of weight 0 may hold anything: the others' predictions are the same bits without them. */
START_TEST(weightless_rows)
{
    for (int window = 0; window < 2; window++) {
        bench with = open_bench(window ? "window=1000" : "", 112), without = open_bench(window ? "window=1000" : "", 112);
        set_gates(&with.r, ALL_ONE), set_gates(&without.r, ALL_ONE);
        for (int t = 0; t < ROWS; t++) {
            double nothing[D] = {NAN, INFINITY, -INFINITY, NAN, 1e308}, out[2][DV], zero = 0;
            const mesaopt_view n = DENSE(nothing, MESAOPT_F64, 1, 1, D), m = DENSE(nothing, MESAOPT_F64, 1, 1, DV);
            const mesaopt_view q = DENSE(with.r.q[t], MESAOPT_F64, 1, 1, D), z = DENSE(&zero, MESAOPT_F64, 1, 1);
            const mesaopt_view o[] = {DENSE(out[0], MESAOPT_F64, 1, 1, DV), DENSE(out[1], MESAOPT_F64, 1, 1, DV)};
            update(with.rls, &with.r, t, t + 1), update(without.rls, &without.r, t, t + 1);
            ck_assert_int_eq(mesaopt_rls_step(with.rls, &q, &n, &m, &z, NULL, &o[0]), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_rls_update(with.rls, &n, &m, &z, NULL), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_rls_predict(without.rls, &q, &o[1], NULL), MESAOPT_OK);
            ck_assert_int_eq(memcmp(out[0], out[1], sizeof out[0]), 0);
        }
        close_bench(&with), close_bench(&without);
    }
}
END_TEST

typedef struct scalars { mesaopt_ctx *ctx; mesaopt_lsq *plan; mesaopt_rls *rls; } scalars;

static scalars open_scalars(const char *settings)
{
    scalars x = {.ctx = context_at(MESAOPT_ISA_AUTO, 1)};
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LSQ, settings);
    ck_assert_int_eq(mesaopt_lsq_plan(x.ctx, s, 1, 1, &x.plan), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_create(x.plan, 1, NULL, &x.rls), MESAOPT_OK);
    mesaopt_settings_free(s);
    return x;
}

static void close_scalars(scalars *x) { mesaopt_rls_free(x->rls), mesaopt_lsq_free(x->plan), mesaopt_ctx_free(x->ctx); }

static mesaopt_status update_scalars(mesaopt_rls *rls, double k, double v, double beta)
{
    const mesaopt_view ks = DENSE(&k, MESAOPT_F64, 1, 1, 1), vs = DENSE(&v, MESAOPT_F64, 1, 1, 1), bs = DENSE(&beta, MESAOPT_F64, 1, 1);
    return mesaopt_rls_update(rls, &ks, &vs, &bs, NULL);
}

static void sums_of(mesaopt_rls *rls, double x[5])
{
    mesaopt_view view[5];
    int32_t which[5];
    for (int32_t i = 0; i < 5; i++) {
        const mesaopt_view part[] = {DENSE(x + i, MESAOPT_F64, 1), DENSE(x + i, MESAOPT_F64, 1, 1), DENSE(x + i, MESAOPT_F64, 1, 1, 1)};
        which[i] = MESAOPT_RLS_KEY_STATE + i;
        view[i] = part[i < 2 ? 2 : i == 3];
    }
    ck_assert_int_eq(mesaopt_rls_get(rls, 5, which, view), MESAOPT_OK);
}

/* Queries far off the span of the keys, whose condition number is 1e12 to 1e16: as exact as a factor of the same sums is, or not converged. The other
 * direction, and a shift of keys that is no round number, likewise. Row by row the inverse alone is off by up to 7e-4
 * (condition 5e12 times 2^-53 is 5.6e-4): solutions are corrected by what they leave, until little is left. How little follows the order of
 * roundings, 5e-11 with contracted products and 4e-6 without. */
START_TEST(far_off_the_span)
{
    enum { MOST = 15 };
    static const struct { double shift, ridge; int rows, period; } cases[] = {
        {1e6, 1, 5, 0}, {1234567.25, 1, 5, 0}, {3e5, 1, 5, 0}, {8e5, 1, 11, 3}, {1.3e6, 0x1p-6, 15, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int by_step = 0; by_step < 2; by_step++) {
            mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
            mesaopt_lsq *plan;
            mesaopt_rls *rls;
            const double shift = cases[i].shift, ridge[] = {cases[i].ridge, cases[i].ridge};
            double k[MOST][2], v[MOST], q[2] = {-shift, shift}, out;
            wide weight[MOST];
            const int T = cases[i].rows;
            for (int t = 0; t < T; t++) {
                const int along = cases[i].period ? t % cases[i].period : t > 2;
                k[t][0] = shift + along, k[t][1] = shift - along, v[t] = 1 + along, weight[t] = 1;
            }
            const mesaopt_view qs = DENSE(q, MESAOPT_F64, 1, 1, 2), os = DENSE(&out, MESAOPT_F64, 1, 1, 1), ls = DENSE((void *)ridge, MESAOPT_F64, 1, 2);
            ck_assert_int_eq(mesaopt_lsq_plan(ctx, NULL, 2, 1, &plan), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_rls_create(plan, 1, &ls, &rls), MESAOPT_OK);
            for (int t = 0; t < T; t++) {
                const mesaopt_view ks = DENSE(k[t], MESAOPT_F64, 1, 1, 2), vs = DENSE(v + t, MESAOPT_F64, 1, 1, 1);
                if (by_step) mesaopt_rls_step(rls, &qs, &ks, &vs, NULL, NULL, &os);
                else ck_assert_int_eq(mesaopt_rls_update(rls, &ks, &vs, NULL, NULL), MESAOPT_OK);
            }
            const mesaopt_status status = mesaopt_rls_predict(rls, &qs, &os, NULL);
            oracle o = oracle_of(&(oracle_rows){2, 1, T, k[0], v, ridge, weight});
            double want, error, length, leverage;
            oracle_predict(&o, q, &want, &error, &length, &leverage);
            ck_assert_msg(status == MESAOPT_OK && fabs(out - want) < (by_step ? 1e-4 : 1e-3) * fabs(want), "shift %g, %d rows: status %d, %.9g, expected %.9g", shift, T, (int)status, out, want);
            oracle_free(&o);
            mesaopt_rls_free(rls), mesaopt_lsq_free(plan), mesaopt_ctx_free(ctx);
        }
}
END_TEST

/* What the sums cannot hold is refused before anything changes; what they can is saved, and opens. */
START_TEST(what_sums_can_hold)
{
    static const struct { double k, v, beta; const char *word; } rows[] = {
        {1e160, 1, 1, "k: 1e160 at [0,0,0], expected at most"}, {1, -1e160, 1, "v: -1e160 at [0,0,0], expected at most"},
        {1e100, 1, 1e100, "k: 1e100 at [0,0,0], expected at most"}, {1, 1e100, 1e100, "v: 1e100 at [0,0,0], expected at most"},
        {1, 1, 1e300, "beta: 1e300 at [0,0], expected a weight"},
        {3e144, 1, 1, NULL}, {1, 3e144, 1, NULL}, {3e144, 3e144, 1, NULL}, {1, 1, 9e288, NULL}, {1e144, 1e-144, 9, NULL},
        {1e-300, 1e-300, 1, NULL}, {1e100, 1e100, 1e-300, NULL},
    };
    for (int windowed = 0; windowed < 2; windowed++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            scalars x = open_scalars(windowed ? "window=9" : "");
            double before[5], after[5];
            char path[64];
            mesaopt_rls *again;
            snprintf(path, sizeof path, "/tmp/mesaopt-rls-rows-%ld.safetensors", (long)getpid());
            for (int n = 0; n < 3; n++) ck_assert_int_eq(update_scalars(x.rls, n + 1, 2 - n, 1), MESAOPT_OK);
            sums_of(x.rls, before);
            if (rows[i].word) REFUSED(x.ctx, MESAOPT_E_ARGUMENT, rows[i].word, update_scalars(x.rls, rows[i].k, rows[i].v, rows[i].beta));
            else for (int n = 0; n < 20; n++) ck_assert_int_eq(update_scalars(x.rls, rows[i].k, rows[i].v, rows[i].beta), MESAOPT_OK);
            sums_of(x.rls, after);
            if (rows[i].word) ck_assert_int_eq(memcmp(before, after, sizeof before), 0);
            ck_assert_int_eq(mesaopt_rls_save(x.rls, path), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_rls_open(x.plan, path, &again), MESAOPT_OK);
            for (int j = 0; j < 5; j++) ck_assert(isfinite(after[j]));
            unlink(path);
            mesaopt_rls_free(again);
            close_scalars(&x);
        }
}
END_TEST

/* Merged and merged again, sums would overflow: that is refused while both states are still good. */
START_TEST(merged_sums)
{
    scalars x = open_scalars(""), y = {x.ctx, x.plan, NULL};
    double state[] = {0x1p1019}, last[5];
    const mesaopt_view H = DENSE(state, MESAOPT_F64, 1, 1, 1);
    int merges = 0;
    ck_assert_int_eq(mesaopt_rls_create(x.plan, 1, NULL, &y.rls), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_set(x.rls, 2, (int32_t[]){MESAOPT_RLS_KEY_STATE, MESAOPT_RLS_VALUE_STATE}, (mesaopt_view[]){H, H}), MESAOPT_OK);
    for (mesaopt_status status = MESAOPT_OK; status == MESAOPT_OK && merges < 100; merges++) status = mesaopt_rls_merge(y.rls, x.rls);
    ck_assert_int_le(merges, 5);
    SAID(x.ctx, "from: sums of stream 0 might not be finite together, expected");
    sums_of(y.rls, last);
    ck_assert_double_eq(last[0], 0x1p1019 * (merges - 1));
    REFUSED(x.ctx, MESAOPT_E_ARGUMENT, "key_state: ", (state[0] = 1e308, mesaopt_rls_set(x.rls, 2, (int32_t[]){1, 2}, (mesaopt_view[]){H, H})));
    mesaopt_rls_free(y.rls);
    close_scalars(&x);
}
END_TEST

/* A regression of one number needs kilobytes. */
START_TEST(memory_follows_dimensions)
{
    hook_alloc hook = {0};
    mesaopt_ctx *ctx = context_with(1, NULL, &hook);
    mesaopt_lsq *plan;
    mesaopt_rls *rls;
    ck_assert_int_eq(mesaopt_lsq_plan(ctx, NULL, 1, 1, &plan), MESAOPT_OK);
    const long before = hook.bytes;
    ck_assert_int_eq(mesaopt_rls_create(plan, 1, NULL, &rls), MESAOPT_OK);
    ck_assert_int_le(hook.bytes - before, 40000);
    mesaopt_rls_free(rls), mesaopt_lsq_free(plan), mesaopt_ctx_free(ctx);
}
END_TEST

/* Predictions that have no number in the type of their array: an error, as everywhere, and all is written; the row of a step is in. */
START_TEST(predictions_not_finite)
{
    scalars x = open_scalars("");
    double far = 1e300, near = 1, value = 1e100, out = 0, sums[5];
    float narrow = 0;
    const mesaopt_view f = DENSE(&far, MESAOPT_F64, 1, 1, 1), n = DENSE(&near, MESAOPT_F64, 1, 1, 1), v = DENSE(&value, MESAOPT_F64, 1, 1, 1);
    const mesaopt_view wide = DENSE(&out, MESAOPT_F64, 1, 1, 1), small = DENSE(&narrow, MESAOPT_F32, 1, 1, 1);
    ck_assert_int_eq(update_scalars(x.rls, 1, 1e100, 1), MESAOPT_OK);
    REFUSED(x.ctx, MESAOPT_E_NONFINITE, "stream 0: predictions are not finite", mesaopt_rls_predict(x.rls, &f, &wide, NULL));
    ck_assert(isinf(out));
    REFUSED(x.ctx, MESAOPT_E_NONFINITE, "stream 0: predictions are not finite", mesaopt_rls_predict(x.rls, &n, &small, NULL));
    ck_assert(isinf(narrow));
    REFUSED(x.ctx, MESAOPT_E_NONFINITE, "stream 0: predictions are not finite", mesaopt_rls_step(x.rls, &f, &n, &v, NULL, NULL, &wide));
    sums_of(x.rls, sums);
    ck_assert_double_eq(sums[4], 2);
    ck_assert_int_eq(mesaopt_rls_predict(x.rls, &n, &wide, NULL), MESAOPT_OK);
    ck_assert_double_le(fabs(out / 1e100 - 2. / 3), 1e-15);
    close_scalars(&x);
}
END_TEST

Suite *test_rls_rows_suite(void)
{
    Suite *s = suite_create("rls_rows");
    TCase *t = tcase_create("rls_rows");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, window_with_weightless_rows);
    tcase_add_test(t, window_of_one_row_with_weight);
    tcase_add_test(t, weights_are_counts);
    tcase_add_test(t, weightless_rows);
    tcase_add_test(t, far_off_the_span);
    tcase_add_test(t, what_sums_can_hold);
    tcase_add_test(t, merged_sums);
    tcase_add_test(t, memory_follows_dimensions);
    tcase_add_test(t, predictions_not_finite);
    suite_add_tcase(s, t);
    return s;
}
