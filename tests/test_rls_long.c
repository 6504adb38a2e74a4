/* mesaopt_rls over 200000 rows, with `make check-long` over a million: predictions stay those of a fresh factor of the state that is held, which stays symmetric and positive definite. */
#include "contexts.h"
#include "random_count.h"
#include <math.h>

enum { MOST = 20, DV = 3, BLOCK = 2000 };

typedef struct fit { int d; double L[MOST][MOST], S[MOST][DV]; } fit;

/* L L^T = H + ridge 1, which is that of the settings; 0 if that is not positive definite, or H not symmetric. */
static int factor(fit *f, const double *H)
{
    const int d = f->d;
    for (int j = 0; j < d; j++)
        for (int i = j; i < d; i++) {
            double sum = H[i * d + j] + (i == j);
            if (H[i * d + j] != H[j * d + i]) return 0;
            for (int k = 0; k < j; k++) sum -= f->L[i][k] * f->L[j][k];
            if (i == j && !(sum > 0)) return 0;
            f->L[i][j] = i == j ? sqrt(sum) : sum / f->L[j][j];
        }
    return 1;
}

/* |out - S^T x| / |S^T x|, x = (H + 1)^-1 q */
static double error_of(const fit *f, const double *q, const double *out)
{
    double x[MOST], diff = 0, norm = 0;
    for (int i = 0; i < f->d; i++) {
        x[i] = q[i];
        for (int k = 0; k < i; k++) x[i] -= f->L[i][k] * x[k];
        x[i] /= f->L[i][i];
    }
    for (int i = f->d - 1; i >= 0; i--) {
        for (int k = i + 1; k < f->d; k++) x[i] -= f->L[k][i] * x[k];
        x[i] /= f->L[i][i];
    }
    for (int j = 0; j < DV; j++) {
        double want = 0;
        for (int i = 0; i < f->d; i++) want += f->S[i][j] * x[i];
        diff += pow(out[j] - want, 2), norm += want * want;
    }
    return sqrt(diff / norm);
}

static double element(const void *x, int32_t dtype, int i) { return dtype == MESAOPT_F32 ? (double)((const float *)x)[i] : ((const double *)x)[i]; }

static void check_rows(int d, int32_t dtype, const char *settings, double bound)
{
    static double k[BLOCK * MOST], v[BLOCK * DV], q[BLOCK * MOST], out[BLOCK * DV], H[MOST * MOST], S[MOST * DV];
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_settings *set = settings_from(MESAOPT_SCOPE_LSQ, settings);
    mesaopt_lsq *plan;
    mesaopt_rls *rls;
    const mesaopt_view ks = DENSE(k, dtype, BLOCK, 1, d), vs = DENSE(v, dtype, BLOCK, 1, DV), qs = DENSE(q, dtype, BLOCK, 1, d), os = DENSE(out, dtype, BLOCK, 1, DV);
    const mesaopt_view states[] = {DENSE(H, MESAOPT_F64, 1, d, d), DENSE(S, MESAOPT_F64, 1, d, DV)};
    ck_assert_int_eq(mesaopt_lsq_plan(ctx, set, d, DV, &plan), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_create(plan, 1, NULL, &rls), MESAOPT_OK);
    for (int i = 0; i < random_count(100, 500); i++) {
        mesaopt_rng_normal(ctx, 1, 1, (uint64_t)i * BLOCK, 0.5, 1, &ks), mesaopt_rng_normal(ctx, 1, 2, (uint64_t)i * BLOCK, 0.2, 1, &vs);
        mesaopt_rng_normal(ctx, 1, 3, (uint64_t)i * BLOCK, 0, 1, &qs);
        ck_assert_int_eq(mesaopt_rls_step(rls, &qs, &ks, &vs, NULL, NULL, &os), MESAOPT_OK);
        if (i % 50 != 49 && i != 0) continue;
        fit f = {.d = d};
        double query[MOST], got[DV];
        ck_assert_int_eq(mesaopt_rls_get(rls, 2, (const int32_t[]){MESAOPT_RLS_KEY_STATE, MESAOPT_RLS_VALUE_STATE}, states), MESAOPT_OK);
        ck_assert(factor(&f, H));
        for (int j = 0; j < d * DV; j++) f.S[j / DV][j % DV] = S[j];
        for (int j = 0; j < d; j++) query[j] = element(q, dtype, (BLOCK - 1) * d + j);
        for (int j = 0; j < DV; j++) got[j] = element(out, dtype, (BLOCK - 1) * DV + j);
        const double error = error_of(&f, query, got);
        ck_assert_msg(error <= bound, "%s, d = %d: off by %g after %d rows", settings, d, error, (i + 1) * BLOCK);
    }
    mesaopt_settings_free(set);
    mesaopt_lsq_free(plan);
    mesaopt_rls_free(rls);
    mesaopt_ctx_free(ctx);
}

START_TEST(many_rows)
{
    check_rows(_i / 4 ? MOST : 5, _i % 2 ? MESAOPT_F64 : MESAOPT_F32, _i / 2 % 2 ? "gamma=0.999" : "gamma=1", _i % 2 ? 1e-11 : 1e-6);
}
END_TEST

Suite *test_rls_long_suite(void)
{
    Suite *s = suite_create("rls_long");
    TCase *t = tcase_create("rls_long");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, many_rows, 0, 8);
    suite_add_tcase(s, t);
    return s;
}
