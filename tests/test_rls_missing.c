/* mesaopt_rls with missing=output: every output is the regression of its own rows. (In random calls, against a direct solution: test_rls_random.c.) */
#include "contexts.h"
#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum { T = 90, STREAMS = 2, D = 4, DV = 3 };

/* Rows of all streams; half of the values of output 1 are missing, those of output 2 until row 60. */
typedef struct data { double k[T][STREAMS][D], v[T][STREAMS][DV], q[T][STREAMS][D]; } data;

static int is_missing(int t, int s, int j) { return j == 1 ? (t + s) % 2 : j == 2 ? t < 60 : t % 11 == 5; }

static data *draw(mesaopt_ctx *ctx)
{
    data *x = malloc(sizeof *x);
    const mesaopt_view k = DENSE(x->k, MESAOPT_F64, T, STREAMS, D), v = DENSE(x->v, MESAOPT_F64, T, STREAMS, DV), q = DENSE(x->q, MESAOPT_F64, T, STREAMS, D);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 9, 1, 0, 0, 1, &k), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 9, 2, 0, 3, 1, &v), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 9, 3, 0, 0, 1, &q), MESAOPT_OK);
    for (int i = 0; i < T * STREAMS * DV; i++)
        if (is_missing(i / DV / STREAMS, i / DV % STREAMS, i % DV)) x->v[i / DV / STREAMS][i / DV % STREAMS][i % DV] = NAN;
    return x;
}

static mesaopt_lsq *plan_of(mesaopt_ctx *ctx, const char *text, int64_t dv)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LSQ, text);
    mesaopt_lsq *plan;
    ck_assert_int_eq(mesaopt_lsq_plan(ctx, s, D, dv, &plan), MESAOPT_OK);
    mesaopt_settings_free(s);
    return plan;
}

static mesaopt_rls *handle_of(mesaopt_lsq *plan, int64_t streams)
{
    mesaopt_rls *rls;
    ck_assert_int_eq(mesaopt_rls_create(plan, streams, NULL, &rls), MESAOPT_OK);
    return rls;
}

static void take_in(mesaopt_rls *rls, data *x, int from, int to)
{
    const mesaopt_view k = DENSE(x->k[from], MESAOPT_F64, to - from, STREAMS, D), v = DENSE(x->v[from], MESAOPT_F64, to - from, STREAMS, DV);
    ck_assert_int_eq(mesaopt_rls_update(rls, &k, &v, NULL, NULL), MESAOPT_OK);
}

typedef struct answer { double out[STREAMS][DV], error[STREAMS][DV]; } answer;

static answer ask(mesaopt_rls *rls, data *x, int t)
{
    answer a;
    const mesaopt_view q = DENSE(x->q[t], MESAOPT_F64, 1, STREAMS, D), out = DENSE(a.out, MESAOPT_F64, 1, STREAMS, DV);
    const mesaopt_view error = DENSE(a.error, MESAOPT_F64, 1, STREAMS, DV);
    ck_assert_int_eq(mesaopt_rls_predict(rls, &q, &out, &error), MESAOPT_OK);
    return a;
}

/* One output in a handle of its own, fed with the rows where it is there, and no others. */
static void expect_alone(mesaopt_ctx *ctx, data *x, int t, int s, int j, const answer *a)
{
    mesaopt_lsq *plan = plan_of(ctx, "", 1);
    mesaopt_rls *alone = handle_of(plan, 1);
    double out, error;
    const mesaopt_view q = DENSE(x->q[t][s], MESAOPT_F64, 1, 1, D), o = DENSE(&out, MESAOPT_F64, 1, 1, 1), e = DENSE(&error, MESAOPT_F64, 1, 1, 1);
    for (int i = 0; i <= t; i++) {
        const mesaopt_view k = DENSE(x->k[i][s], MESAOPT_F64, 1, 1, D), v = DENSE(&x->v[i][s][j], MESAOPT_F64, 1, 1, 1);
        if (!is_missing(i, s, j)) ck_assert_int_eq(mesaopt_rls_update(alone, &k, &v, NULL, NULL), MESAOPT_OK);
    }
    ck_assert_int_eq(mesaopt_rls_predict(alone, &q, &o, &e), MESAOPT_OK);
    ck_assert_msg(fabs(a->out[s][j] - out) <= 1e-12 * (1 + fabs(out)), "row %d, stream %d, output %d: %.17g, alone %.17g", t, s, j, a->out[s][j], out);
    if (isnan(error)) ck_assert(isnan(a->error[s][j]));
    else ck_assert_double_le(fabs(a->error[s][j] - error), 1e-8 * error);
    mesaopt_rls_free(alone), mesaopt_lsq_free(plan);
}

START_TEST(outputs_are_alone)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_lsq *plan = plan_of(ctx, "missing=output", DV);
    mesaopt_rls *rls = handle_of(plan, STREAMS);
    data *x = draw(ctx);
    for (int t = 0; t < T; t++) {
        take_in(rls, x, t, t + 1);
        if (t % 13 != 7 && t != T - 1) continue;
        const answer a = ask(rls, x, t);
        for (int i = 0; i < STREAMS * DV; i++) expect_alone(ctx, x, t, i / DV, i % DV, &a);
    }
    free(x);
    mesaopt_rls_free(rls), mesaopt_lsq_free(plan), mesaopt_ctx_free(ctx);
}
END_TEST

/* step is update and predict, and the number of threads changes no bit. */
START_TEST(step_and_threads)
{
    answer first = {0};
    for (int i = 0; i < 3; i++) {
        mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, i == 1 ? 3 : 1);
        mesaopt_lsq *plan = plan_of(ctx, "missing=output window=40 gamma=0.99", DV);
        mesaopt_rls *rls = handle_of(plan, STREAMS);
        data *x = draw(ctx);
        static double out[T][STREAMS][DV];
        const mesaopt_view k = DENSE(x->k, MESAOPT_F64, T, STREAMS, D), v = DENSE(x->v, MESAOPT_F64, T, STREAMS, DV), q = DENSE(x->q, MESAOPT_F64, T, STREAMS, D);
        const mesaopt_view o = DENSE(out, MESAOPT_F64, T, STREAMS, DV);
        if (i < 2) ck_assert_int_eq(mesaopt_rls_step(rls, &q, &k, &v, NULL, NULL, &o), MESAOPT_OK);
        else take_in(rls, x, 0, T), memcpy(out[T - 1], ask(rls, x, T - 1).out, sizeof out[T - 1]);
        for (int j = 0; j < STREAMS * DV; j++) {
            const double y = out[T - 1][j / DV][j % DV], z = first.out[j / DV][j % DV];
            if (i == 1) ck_assert_int_eq(memcmp(&y, &z, sizeof y), 0);
            if (i == 2) ck_assert_double_le(fabs(y - z), 1e-12 * (1 + fabs(z)));
        }
        memcpy(first.out, out[T - 1], sizeof first.out);
        free(x);
        mesaopt_rls_free(rls), mesaopt_lsq_free(plan), mesaopt_ctx_free(ctx);
    }
}
END_TEST

static void expect_counts(mesaopt_rls *rls, int from, int to)
{
    double got[STREAMS][DV];
    const mesaopt_view view = DENSE(got, MESAOPT_F64, STREAMS, DV);
    ck_assert_int_eq(mesaopt_rls_get(rls, 1, (const int32_t[]){MESAOPT_RLS_MISSING}, &view), MESAOPT_OK);
    for (int s = 0; s < STREAMS; s++)
        for (int j = 0; j < DV; j++) {
            int want = 0;
            for (int t = from; t < to; t++) want += is_missing(t, s, j);
            ck_assert_double_eq(got[s][j], want);
        }
}

/* A file holds all of it: both go on alike; so do two halves that are merged. */
START_TEST(saved_and_merged)
{
    static const char *const settings[] = {"missing=output", "missing=output window=25", "missing=output gamma=0.97"};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_lsq *plan = plan_of(ctx, settings[_i], DV), *refusing = plan_of(ctx, settings[_i] + strlen("missing=output"), DV);
    mesaopt_rls *rls = handle_of(plan, STREAMS), *half = handle_of(plan, STREAMS), *again, *none = NULL, *other = handle_of(refusing, STREAMS);
    data *x = draw(ctx);
    char path[64];
    snprintf(path, sizeof path, "/tmp/mesaopt-rls-missing-%ld.safetensors", (long)getpid());
    take_in(rls, x, 0, 40);
    ck_assert_int_eq(mesaopt_rls_save(rls, path), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_open(plan, path, &again), MESAOPT_OK);
    REFUSED(ctx, MESAOPT_E_FORMAT, "mesaopt.missing 'output', expected 'refuse'", mesaopt_rls_open(refusing, path, &none));
    expect_counts(again, 0, 40);
    take_in(rls, x, 40, T), take_in(again, x, 40, T);
    const answer a = ask(rls, x, 0), b = ask(again, x, 0);
    ck_assert_int_eq(memcmp(&a, &b, sizeof a), 0);
    expect_counts(again, 0, T);
    ck_assert_int_eq(mesaopt_rls_clear(again), MESAOPT_OK);
    take_in(again, x, 0, 50), take_in(half, x, 50, T);
    ck_assert_int_eq(mesaopt_rls_merge(again, half), MESAOPT_OK);
    expect_counts(again, 0, T);
    const answer c = ask(again, x, 0);
    for (int i = 0; i < STREAMS * DV; i++) ck_assert_double_le(fabs(c.out[i / DV][i % DV] - a.out[i / DV][i % DV]), 1e-12);
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "from: missing=refuse, expected missing=output", mesaopt_rls_merge(again, other));
    ck_assert_int_eq(mesaopt_rls_save(other, path), MESAOPT_OK);
    REFUSED(ctx, MESAOPT_E_FORMAT, "mesaopt.missing 'missing', expected 'output'", mesaopt_rls_open(plan, path, &none));
    unlink(path);
    free(x);
    mesaopt_rls_free(rls), mesaopt_rls_free(half), mesaopt_rls_free(again), mesaopt_rls_free(other);
    mesaopt_lsq_free(plan), mesaopt_lsq_free(refusing), mesaopt_ctx_free(ctx);
}
END_TEST

/* What is read, in the shapes of rls.h, and set again. */
START_TEST(read_and_set)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_lsq *plan = plan_of(ctx, "missing=output", DV);
    mesaopt_rls *rls = handle_of(plan, STREAMS), *other = handle_of(plan, STREAMS);
    data *x = draw(ctx);
    double H[STREAMS][DV][D][D], S[STREAMS][D][DV], weight[STREAMS][DV], squares[STREAMS][DV], residual[STREAMS][DV];
    const int32_t which[] = {MESAOPT_RLS_KEY_STATE, MESAOPT_RLS_VALUE_STATE, MESAOPT_RLS_WEIGHT, MESAOPT_RLS_SQUARES, MESAOPT_RLS_RESIDUAL};
    const mesaopt_view views[] = {DENSE(H, MESAOPT_F64, STREAMS, DV, D, D), DENSE(S, MESAOPT_F64, STREAMS, D, DV), DENSE(weight, MESAOPT_F64, STREAMS, DV),
                                  DENSE(squares, MESAOPT_F64, STREAMS, DV), DENSE(residual, MESAOPT_F64, STREAMS, DV)};
    const mesaopt_view flat = DENSE(H, MESAOPT_F64, STREAMS, D, D);
    take_in(rls, x, 0, T);
    REFUSED(ctx, MESAOPT_E_SHAPE, "key_state: ", mesaopt_rls_get(rls, 1, which, &flat));
    ck_assert_int_eq(mesaopt_rls_get(rls, 5, which, views), MESAOPT_OK);
    for (int s = 0; s < STREAMS; s++)
        for (int j = 0; j < DV; j++) {
            double h = 0, y = 0, n = 0, vv = 0;
            for (int t = 0; t < T; t++)
                if (!is_missing(t, s, j))
                    h += x->k[t][s][1] * x->k[t][s][2], y += x->k[t][s][1] * x->v[t][s][j], n++, vv += x->v[t][s][j] * x->v[t][s][j];
            ck_assert_double_eq(weight[s][j], n);
            ck_assert_double_le(fabs(H[s][j][2][1] - h), 1e-12 * T);
            ck_assert_double_le(fabs(S[s][1][j] - y), 1e-12 * T);
            ck_assert_double_le(fabs(squares[s][j] - vv), 1e-12 * vv);
        }
    ck_assert_int_eq(mesaopt_rls_set(other, 5, which, views), MESAOPT_OK);
    expect_counts(other, 0, 0);
    const answer a = ask(rls, x, 3), b = ask(other, x, 3);
    for (int i = 0; i < STREAMS * DV; i++) {
        ck_assert_double_le(fabs(a.out[i / DV][i % DV] - b.out[i / DV][i % DV]), 1e-12);
        ck_assert_double_le(fabs(a.error[i / DV][i % DV] / b.error[i / DV][i % DV] - 1), 1e-9);
    }
    const int32_t missing = MESAOPT_RLS_MISSING;
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "which[0]: missing, expected what can be set", mesaopt_rls_set(other, 1, &missing, &views[3]));
    free(x);
    mesaopt_rls_free(rls), mesaopt_rls_free(other), mesaopt_lsq_free(plan), mesaopt_ctx_free(ctx);
}
END_TEST

/* NaN under missing=refuse names the option; NaN in keys and infinite values are refused whatever is set; a row of weight 0 counts no values. */
START_TEST(refused)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_lsq *plan = plan_of(ctx, "missing=output", DV), *refusing = plan_of(ctx, "", DV);
    mesaopt_rls *rls = handle_of(plan, STREAMS), *other = handle_of(refusing, STREAMS);
    double key[STREAMS][D] = {{1, 2, 3, 4}, {1}}, value[STREAMS][DV] = {{1, 2, 3}, {4, NAN, 6}}, beta[STREAMS] = {1, 0};
    const mesaopt_view k = DENSE(key, MESAOPT_F64, 1, STREAMS, D), v = DENSE(value, MESAOPT_F64, 1, STREAMS, DV), b = DENSE(beta, MESAOPT_F64, 1, STREAMS);
    REFUSED(ctx, MESAOPT_E_NONFINITE, "v: not finite at [0,1,1], expected finite elements (or the setting missing=output", mesaopt_rls_update(other, &k, &v, NULL, NULL));
    ck_assert_int_eq(mesaopt_rls_update(other, &k, &v, &b, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_update(rls, &k, &v, &b, NULL), MESAOPT_OK);
    double counts[STREAMS][DV];
    const mesaopt_view c = DENSE(counts, MESAOPT_F64, STREAMS, DV);
    const int32_t missing = MESAOPT_RLS_MISSING;
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(mesaopt_rls_get(i ? rls : other, 1, &missing, &c), MESAOPT_OK);
        for (int j = 0; j < STREAMS * DV; j++) ck_assert_double_eq(counts[j / DV][j % DV], 0);
    }
    value[1][2] = INFINITY;
    REFUSED(ctx, MESAOPT_E_NONFINITE, "v: not finite at [0,1,2], expected finite elements", mesaopt_rls_update(rls, &k, &v, NULL, NULL));
    value[1][2] = 6, key[0][1] = NAN;
    REFUSED(ctx, MESAOPT_E_NONFINITE, "k: not finite at [0,0,1], expected finite elements", mesaopt_rls_update(rls, &k, &v, NULL, NULL));
    mesaopt_rls_free(rls), mesaopt_rls_free(other), mesaopt_lsq_free(plan), mesaopt_lsq_free(refusing), mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_rls_missing_suite(void)
{
    Suite *s = suite_create("rls_missing");
    TCase *t = tcase_create("rls_missing");
    tcase_add_test(t, outputs_are_alone);
    tcase_add_test(t, step_and_threads);
    tcase_add_loop_test(t, saved_and_merged, 0, 3);
    tcase_add_test(t, read_and_set);
    tcase_add_test(t, refused);
    suite_add_tcase(s, t);
    return s;
}
