/* mesaopt_lsq in random configurations against its definition (lsq_oracle.h). */
#include "lsq_oracle.h"
#include "random_count.h"
#include <math.h>
#include <stdio.h>

static const char *const solvers[] = {"auto", "cholesky", "segments", "cg", "jacobi", "pcg"};

START_TEST(differential)
{
    const uint64_t seed = random_seed(_i);
    const int single = seed % 2, gates = seed / 2 % 2;
    lsq_case c = lsq_case_new(seed, 1, 1 + (int64_t)(seed % 70), 2, 2 + (int64_t)(seed % 40), 3, gates ? LSQ_GATES : 0, 2 + (double)(seed % 100));
    lsq_case want = lsq_case_like(&c);
    const double kappa = lsq_reference(&want), bound = single ? fmax(1e-5, kappa * 0x1p-22) : kappa * 0x1p-44;
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    char settings[64];
    snprintf(settings, sizeof settings, "solver=%s", solvers[seed % 6]);
    ck_assert_int_eq(lsq_call(ctx, settings, single ? MESAOPT_F32 : MESAOPT_F64, &c), MESAOPT_OK);
    ck_assert_double_le(lsq_error(&c, &want, L_OUT), bound);
    ck_assert_double_le(lsq_error(&c, &want, L_DK), 10 * bound);
    lsq_case_free(&c), lsq_case_free_results(&want);
    ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
}
END_TEST

Suite *test_lsq_random_suite(void)
{
    Suite *s = suite_create("lsq_random");
    TCase *t = tcase_create("lsq_random");
    tcase_add_loop_test(t, differential, 0, random_count(40, 2000));
    suite_add_tcase(s, t);
    return s;
}
