/* Targets of probes: observations before and after, and the filter by norm. */
#include "contexts.h"
#include <math.h>
#include <stdio.h>

#define OK(call) ck_assert_int_eq((call), MESAOPT_OK)

START_TEST(observations_as_targets)
{
    enum { S = 3, N = 2, LENGTH = 4 };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    double x[S * (LENGTH + 1) * N];
    for (int i = 0; i < S * (LENGTH + 1) * N; i++) x[i] = (double)(i * 7 % 31 + 1) / 32;      /* all different, none 0 */
    const mesaopt_view sequences = DENSE(x, MESAOPT_F64, S, LENGTH + 1, N);
    for (int lag = -1; lag <= 6; lag++)
        for (int lags = 1; lags <= 3; lags++) {
            float out[S][LENGTH][3 * N];
            char text[32];
            snprintf(text, sizeof text, "lag=%d lags=%d", lag, lags);
            mesaopt_settings *s = settings_from(MESAOPT_SCOPE_PROBE, text);
            const mesaopt_view to = {out, {S, LENGTH, lags * N}, {LENGTH * 3 * N, 3 * N, 1}, 3, MESAOPT_F32, 0, 0};
            OK(mesaopt_probe_targets(ctx, s, &sequences, &to));
            mesaopt_settings_free(s);
            for (int b = 0; b < S; b++)
                for (int t = 0; t < LENGTH; t++)
                    for (int i = 0; i < lags; i++)
                        for (int j = 0; j < N; j++) {
                            const int at = t - lag - i;
                            ck_assert_float_eq(out[b][t][i * N + j], at < 0 ? 0 : (float)x[(b * (LENGTH + 1) + at) * N + j]);
                        }
        }
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

START_TEST(outliers_are_left_out)
{
    enum { S = 9, N = 2, LENGTH = 3 };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    double y[S][LENGTH][N] = {{{0}}};
    float w[S][LENGTH];
    const mesaopt_view targets = DENSE(y, MESAOPT_F64, S, LENGTH, N), out = DENSE(w, MESAOPT_F32, S, LENGTH);
    /* norms at step 0: 1 eight times, and 10: mean 2, sd sqrt(8), z of the last sqrt(8) = 2.83. Step 1: norms 5 all. Step 2: one small norm, no outlier above. */
    for (int b = 0; b < S; b++) {
        y[b][0][0] = b == 8 ? -10 : 1;
        y[b][1][0] = b % 2 ? 3 : -4, y[b][1][1] = b % 2 ? 4 : 3;
        y[b][2][1] = b == 3 ? 0.01 : 7;
    }
    OK(mesaopt_probe_filter(ctx, 2, &targets, &out));
    for (int b = 0; b < S; b++) ck_assert(w[b][0] == (b != 8) && w[b][1] == 1 && w[b][2] == 1);
    OK(mesaopt_probe_filter(ctx, 2.9, &targets, &out));
    ck_assert(w[8][0] == 1);
    OK(mesaopt_probe_filter(ctx, 2.8, &targets, &out));
    ck_assert(w[8][0] == 0);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* Vectors of length 1, but for rounding, have no outliers. */
START_TEST(equal_but_for_rounding)
{
    enum { S = 50, LENGTH = 4, N = 3 };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    double y[S][LENGTH][N], w[S][LENGTH];
    float f[S][LENGTH][N];
    const mesaopt_view targets = DENSE(y, MESAOPT_F64, S, LENGTH, N), single = DENSE(f, MESAOPT_F32, S, LENGTH, N), out = DENSE(w, MESAOPT_F64, S, LENGTH);
    OK(mesaopt_rng_normal(ctx, 5, 20, 0, 0, 1, &targets));
    for (int b = 0; b < S; b++)
        for (int t = 0; t < LENGTH; t++) {
            const double norm = sqrt(y[b][t][0] * y[b][t][0] + y[b][t][1] * y[b][t][1] + y[b][t][2] * y[b][t][2]);
            for (int j = 0; j < N; j++) f[b][t][j] = (float)(y[b][t][j] /= norm);
        }
    for (int i = 0; i < 2; i++) {
        OK(mesaopt_probe_filter(ctx, 1, i ? &single : &targets, &out));
        for (int b = 0; b < S; b++)
            for (int t = 0; t < LENGTH; t++) ck_assert_double_eq(w[b][t], 1);
    }
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* Norms 1 eight times, and 10, times anything, at every step something else. */
START_TEST(outliers_of_any_size)
{
    enum { S = 9, LENGTH = 5 };
    static const double sizes[LENGTH] = {1e-300, 1e-170, 1, 1e170, 1e300};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    double y[S][LENGTH][1], w[S][LENGTH];
    const mesaopt_view targets = DENSE(y, MESAOPT_F64, S, LENGTH, 1), out = DENSE(w, MESAOPT_F64, S, LENGTH);
    for (int b = 0; b < S; b++)
        for (int t = 0; t < LENGTH; t++) y[b][t][0] = sizes[t] * (b == 4 ? -10 : 1);
    OK(mesaopt_probe_filter(ctx, 2.8, &targets, &out));
    for (int b = 0; b < S; b++)
        for (int t = 0; t < LENGTH; t++) ck_assert_double_eq(w[b][t], (b != 4));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

Suite *test_probe_targets_suite(void)
{
    Suite *suite = suite_create("probe_targets");
    TCase *targets = tcase_create("targets");
    tcase_add_test(targets, observations_as_targets);
    tcase_add_test(targets, outliers_are_left_out);
    tcase_add_test(targets, outliers_of_any_size);
    tcase_add_test(targets, equal_but_for_rounding);
    suite_add_tcase(suite, targets);
    return suite;
}
