/* Preconditioned predictors against whole-matrix NumPy and JAX (oracle/preconditioning.py), and by their properties. */
#include "contexts.h"
#include "oracle/golden_preconditioning.h"
#include <math.h>

#define OK(call) ck_assert_int_eq((call), MESAOPT_OK)
enum { GOLDEN = PRE_B * PRE_T * PRE_N };

static mesaopt_baseline *make(mesaopt_ctx *ctx, const char *kind, const char *settings)
{
    mesaopt_baseline *b;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_BASELINE, settings);
    OK(mesaopt_settings_set_text(s, "baseline", kind));
    OK(mesaopt_baseline_create(ctx, s, &b));
    mesaopt_settings_free(s);
    return b;
}

/* a and b, as many rows of them as the baseline has. */
static void set_coefficients(mesaopt_baseline *b, const double *ab, int64_t steps)
{
    mesaopt_view v;
    OK(mesaopt_baseline_coefficients(b, &v));
    ck_assert_int_eq(v.ndim, 2);
    ck_assert_int_eq(v.shape[1], steps);
    for (int64_t i = 0; i < v.shape[0]; i++)
        for (int64_t k = 0; k < steps; k++) ((double *)v.data)[i * v.stride[0] + k * v.stride[1]] = ab[i * steps + k];
}

/* |a - b| / |b| */
static double relative(const double *a, const double *b, int64_t count)
{
    double off = 0, size = 0;
    for (int64_t i = 0; i < count; i++) {
        off += (a[i] - b[i]) * (a[i] - b[i]);
        size += b[i] * b[i];
    }
    return sqrt(off / size);
}

START_TEST(iterations_are_those_of_numpy)
{
    mesaopt_ctx *ctx = context_at(_i, 1);
    if (!ctx) return;
    double out[GOLDEN], inputs[PRE_B][PRE_T][PRE_N];
    const mesaopt_view x = DENSE((double *)pre_x, MESAOPT_F64, PRE_B, PRE_T + 1, PRE_N), to = DENSE(out, MESAOPT_F64, PRE_B, PRE_T, PRE_N);
    const mesaopt_view in = DENSE(inputs, MESAOPT_F64, PRE_B, PRE_T, PRE_N);
    for (int s = 0; s < PRE_B; s++) memcpy(inputs[s], pre_x[s], sizeof inputs[s]);
    for (size_t i = 0; i < sizeof pre_rows / sizeof *pre_rows; i++) {
        mesaopt_baseline *b = make(ctx, pre_rows[i].kind, pre_rows[i].settings);
        const int learned = !strcmp(pre_rows[i].kind, "chebyshev") || !strcmp(pre_rows[i].kind, "richardson");
        if (learned) set_coefficients(b, &pre_ab[0][0], PRE_K);
        OK(mesaopt_baseline_predict(b, &x, &to));
        double off = relative(out, &pre_rows[i].p[0][0][0], GOLDEN);
        ck_assert_msg(off <= 1e-12, "%s %s: predictions are off by %g", pre_rows[i].kind, pre_rows[i].settings, off);
        if (pre_rows[i].has_u) {
            OK(mesaopt_baseline_precondition(b, &in, &to));
            off = relative(out, &pre_rows[i].u[0][0][0], GOLDEN);
            ck_assert_msg(off <= 1e-12, "%s %s: what it makes of x_t is off by %g", pre_rows[i].kind, pre_rows[i].settings, off);
        }
        OK(mesaopt_baseline_free(b));
    }
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

Suite *test_precondition_suite(void)
{
    Suite *suite = suite_create("precondition");
    TCase *predictions = tcase_create("predictions");
    tcase_add_loop_test(predictions, iterations_are_those_of_numpy, MESAOPT_ISA_BASELINE, MESAOPT_ISA_AVX512 + 1);
    suite_add_tcase(suite, predictions);
    return suite;
}
