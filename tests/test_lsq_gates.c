/* Gradients of forget gates over long sequences, f32 against f64 on the same numbers: as exact as those of other operands, whatever the length, although a
 * gate weighs on everything behind it. `bias` stands in for what trains: the gate is sigmoid(z + bias), so its gradient is a sum of (1 - g) d(log g). */
#include "lsq_oracle.h"
#include <math.h>

static const double BOUND = 1e-6;

/* log sigmoid(4 + sd z), z normal */
static void set_gates(lsq_case *c, double sd)
{
    const int64_t n = lsq_count(c, L_GATE);
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_BASELINE, 1);
    mesaopt_view v = {.data = c->at[L_GATE], .shape = {n}, .stride = {1}, .ndim = 1, .dtype = MESAOPT_F64};
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 5, 0, 0, 0, 1, &v), MESAOPT_OK);
    for (int64_t i = 0; i < n; i++) c->at[L_GATE][i] = -log1p(exp(-(4 + sd * c->at[L_GATE][i])));
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
}

/* Of the bias, per head: |got - want| / |want|. */
static double bias_error(const lsq_case *got, const lsq_case *want)
{
    double difference = 0, size = 0;
    for (int64_t h = 0; h < got->H; h++) {
        double sum = 0, exact = 0;
        for (int64_t i = h; i < lsq_count(got, L_GATE); i += got->H) {
            const double slope = -expm1(got->at[L_GATE][i]);
            sum += slope * got->at[L_DGATE][i], exact += slope * want->at[L_DGATE][i];
        }
        difference += (sum - exact) * (sum - exact), size += exact * exact;
    }
    return sqrt(difference / size);
}

START_TEST(long_sequences)
{
    static const double sds[] = {0.02, 0.3, 1};
    static const char *const settings[] = {"", "chunk=48 solver=cholesky"};
    for (int32_t isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
        mesaopt_ctx *ctx = context_at(isa, 1);
        if (!ctx) continue;
        lsq_case c = lsq_case_new(3, 1, 16384, 2, 16, 16, LSQ_GATES, 50);
        set_gates(&c, sds[_i]);
        lsq_round(&c);
        lsq_case exact = lsq_case_like(&c);
        ck_assert_int_eq(lsq_call(ctx, settings[_i % 2], MESAOPT_F32, &c), MESAOPT_OK);
        ck_assert_int_eq(lsq_call(ctx, "", MESAOPT_F64, &exact), MESAOPT_OK);
        const double bias = bias_error(&c, &exact), all = lsq_error(&c, &exact, L_DGATE);
        if (!(bias <= BOUND && all <= BOUND)) ck_abort_msg("sd %g: gradients of the bias and of all gates are off by %g and %g", sds[_i], bias, all);
        lsq_case_free_results(&exact), lsq_case_free(&c);
        ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
    }
}
END_TEST

Suite *test_lsq_gates_suite(void)
{
    Suite *s = suite_create("lsq_gates");
    TCase *t = tcase_create("lsq_gates");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, long_sequences, 0, 3);
    suite_add_tcase(s, t);
    return s;
}
