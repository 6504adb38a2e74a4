/* mesaopt_rls, row by row, against the definition: rls_bench.h. */
#include "rls_bench.h"
#include <stdio.h>

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

/* Neither errors nor reading the state make a row cost more than O(d^2): the inverse is factored at most once for many rows, here when the first 40 or so have
 * taken away some of its digits. */
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
            factors += b.rls->o[0].inverse.updates < rows;
            rows = b.rls->o[0].inverse.updates;
        }
        ck_assert_double_le(factors, 1);
        ck_assert_int_ge(rows, ROWS - 64 - b.rls->p.rows - 1);         /* one row has no weight */
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

/* Small ridges and keys that stand out, row by row: M^-1 falls by many powers of ten there. From row 4 D on; before that the problem itself is worse. */
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

/* One value, one element of a key in a channel of its own scale, or one weight that is far larger than the others passes through and leaves nothing
 * behind. */
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
    const mesaopt_view bs = DENSE(beta, MESAOPT_F32, T, H), gs = DENSE(gate, MESAOPT_F32, T, H);
    const mesaopt_view ls = DENSE(ridge, MESAOPT_F32, H, K), os = DENSE(out, MESAOPT_F32, T, H, V);
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

/* Keys far from 0 beside their spread: a prediction without a word is right, one that rounding has spoiled comes with NOT_CONVERGED; centred, all are right. */
START_TEST(keys_far_from_zero)
{
    static const double offset[] = {0, 1e3, 1e5, 1e8, 1e10};
    for (int i = 0; i < 5; i++)
        for (int by_step = 0; by_step < 2; by_step++) {
            bench b = open_bench("", 60);
            int said = 0;
            set_gates(&b.r, ALL_ONE);
            for (int t = 0; t < ROWS; t++) {
                double out[DV], want = 0, norm = 0;
                for (int j = 0; j < 3; j++) b.r.k[t][j] += offset[i], b.r.q[t][j] += offset[i];
                for (int j = 0; j < DV; j++) b.r.v[t][j] = b.r.k[t][0] - b.r.k[t][1] + 2 * b.r.k[t][3];      /* of size 1, whatever the offset */
                const mesaopt_view q = DENSE(b.r.q[t], MESAOPT_F64, 1, 1, D), k = DENSE(b.r.k[t], MESAOPT_F64, 1, 1, D), v = DENSE(b.r.v[t], MESAOPT_F64, 1, 1, DV),
                                   o = DENSE(out, MESAOPT_F64, 1, 1, DV);
                mesaopt_status status;
                if (by_step) {
                    status = mesaopt_rls_step(b.rls, &q, &k, &v, NULL, NULL, &o);
                } else {
                    ck_assert_int_eq(mesaopt_rls_update(b.rls, &k, &v, NULL, NULL), MESAOPT_OK);
                    status = mesaopt_rls_predict(b.rls, &q, &o, NULL);
                }
                want = b.r.q[t][0] - b.r.q[t][1] + 2 * b.r.q[t][3];
                norm = fabs(want) + 1;
                said += status == MESAOPT_NOT_CONVERGED;
                if (status == MESAOPT_OK && t > 100)
                    for (int j = 0; j < DV; j++) ck_assert_msg(fabs(out[j] - want) < 0.1 * norm, "offset %g, row %d: %g for %g", offset[i], t, out[j], want);
            }
            ck_assert_msg(offset[i] <= 1e5 ? said == 0 : said > 100, "offset %g: %d of %d", offset[i], said, (int)ROWS);
            close_bench(&b);
        }
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
    tcase_add_test(t, prefill_and_decode);
    tcase_add_test(t, keys_far_from_zero);
    suite_add_tcase(s, t);
    return s;
}
