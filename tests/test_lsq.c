/* mesaopt_lsq against its definition in double (lsq_oracle.h): accuracy by condition number, dimension, solver, lanes and chunk, on every ISA level, and the cases
 * at the edge: gates of 0 and near 1, weights of 0, repeated keys, zeros, one token, none. */
#include "lsq_oracle.h"
#include <math.h>
#include <stdio.h>

/* Which result, and how many times the bound of the forward pass it may be off. */
static const struct { enum lsq_array array; double times; } results[] = {
    {L_OUT, 1}, {L_HL, 1}, {L_SL, 1}, {L_DQ, 10}, {L_DK, 10}, {L_DV, 10}, {L_DBETA, 10}, {L_DGATE, 10}, {L_DRIDGE, 10}, {L_DH0, 10}, {L_DS0, 10}};

static void compare(mesaopt_ctx *ctx, const char *settings, int32_t dtype, const lsq_case *want, double bound)
{
    lsq_case got = lsq_case_like(want);
    if (lsq_call(ctx, settings, dtype, &got) != MESAOPT_OK) ck_abort_msg("%s: did not converge", settings);
    for (size_t i = 0; i < sizeof results / sizeof *results; i++) {
        if (!got.at[results[i].array]) continue;
        const double error = lsq_error(&got, want, results[i].array);
        if (!(error <= results[i].times * bound)) ck_abort_msg("%s of %lld x %lld, %s, f%d: error %.3g, bound %.3g", lsq_name(results[i].array), (long long)want->T,
                      (long long)want->d, settings, dtype == MESAOPT_F32 ? 32 : 64, error, results[i].times * bound);
    }
    lsq_case_free_results(&got);
}

static double f32_bound(double kappa) { return fmax(1e-5, 0.5 * kappa * 0x1p-24); }

/* These settings, both ways to put heads into lanes (which conjugate gradients on wide keys are too slow for); at one level, or at every one of this CPU. */
static void compare_at(int32_t lowest, int32_t highest, int32_t dtype, const lsq_case *want, double bound, const char *const *settings)
{
    for (int32_t isa = lowest; isa <= highest; isa++) {
        mesaopt_ctx *ctx = context_at(isa, 1);
        for (int i = 0; ctx && settings[i]; i++)
            for (int lanes = 1; lanes <= (want->d >= 64 && strstr(settings[i], "cg") ? 1 : 2); lanes++) {
                char text[128];
                snprintf(text, sizeof text, "%s lanes=%d", settings[i], lanes);
                compare(ctx, text, dtype, want, bound);
            }
        if (ctx) ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
    }
}

static void compare_all(int32_t dtype, const lsq_case *want, double bound, const char *const *settings)
{
    compare_at(MESAOPT_ISA_BASELINE, MESAOPT_ISA_AVX512, dtype, want, bound, settings);
}

static const char *const gated[] = {"solver=auto", "solver=auto chunk=37", "solver=cholesky", "solver=segments chunk=48", "solver=cg chunk=50", "solver=cg_diag",
                                    "solver=cg_chunk chunk=32", NULL};
static const char *const gated_wide[] = {"solver=auto", "solver=cholesky chunk=37", "solver=segments chunk=48", "solver=cg_chunk chunk=32", NULL};
static const char *const ungated[] = {"solver=auto", "solver=sherman_morrison chunk=29", "solver=cholesky chunk=40", "solver=segments", "solver=cg_chunk", NULL};

/* ---- accuracy ---- */

static const double kappas[] = {2, 30, 300, 1600};
static const struct { int64_t T, H, d, dv; } shapes[] = {{300, 3, 16, 16}, {150, 1, 64, 40}, {80, 2, 128, 128}};

/* Levels differ in kernels, whatever the condition: every second one of the condition numbers is seen by all of them, the others by the best. */
static void compare_accuracy(int i, const lsq_case *want, double kappa, const char *const *settings)
{
    ck_assert_double_le(fabs(log(kappa / kappas[i % 4])), 0.7);
    if (i % 2) compare_all(MESAOPT_F32, want, f32_bound(kappa), settings);
    else compare_at(MESAOPT_ISA_AUTO, MESAOPT_ISA_AUTO, MESAOPT_F32, want, f32_bound(kappa), settings);
}

START_TEST(accuracy_gated)
{
    const int n = _i / 4;
    lsq_case c = lsq_case_new(100 + (uint64_t)_i, 1, shapes[n].T, shapes[n].H, shapes[n].d, shapes[n].dv, LSQ_GATES, kappas[_i % 4]);
    const double kappa = lsq_reference(&c);
    compare_accuracy(_i, &c, kappa, shapes[n].d > 64 ? gated_wide : gated);
    lsq_case_free(&c);
}
END_TEST

START_TEST(accuracy_ungated)
{
    const int n = _i / 4;
    lsq_case c = lsq_case_new(200 + (uint64_t)_i, 1, shapes[n].T, shapes[n].H, shapes[n].d, shapes[n].dv, 0, kappas[_i % 4]);
    const double kappa = lsq_reference(&c);
    compare_accuracy(_i, &c, kappa, ungated);
    lsq_case_free(&c);
}
END_TEST

/* With initial states and gradients of final ones; and in f64. */
START_TEST(accuracy_states)
{
    const int with_gates = _i % 2, single = _i / 2 % 2;
    lsq_case c = lsq_case_new(300 + (uint64_t)_i, 2, 83, 2, 24, 17, LSQ_STATES | LSQ_LAST | (with_gates ? LSQ_GATES : 0), 300);
    const double kappa = lsq_reference(&c);
    compare_all(single ? MESAOPT_F32 : MESAOPT_F64, &c, single ? f32_bound(kappa) : kappa * 0x1p-46, with_gates ? gated : ungated);
    lsq_case_free(&c);
}
END_TEST

/* ---- edges ---- */

enum edge { REPEATED_KEYS, CLOSED_GATES, NO_WEIGHTS, ZERO_QUERIES, ZERO_KEYS, ONE_TOKEN, NO_TOKEN, SEVENTEEN, TINY, HUGE_ONES, EDGES };

static void change(lsq_case *c, enum edge edge)
{
    const int64_t rows = c->B * c->T * c->H, d = c->d;
    double *const *a = c->at;
    for (int64_t i = 0; i < rows; i++) {
        const int64_t t = i / c->H % c->T;
        if (edge == REPEATED_KEYS) memcpy(a[L_K] + i * d, a[L_K] + i % c->H * d, (size_t)d * sizeof(double)), a[L_GATE][i] = t % 3 ? -0x1p-22 : 0, a[L_BETA][i] = 1;
        if (edge == CLOSED_GATES && (t % 16 == 5 || t == 0 || t == 33)) a[L_GATE][i] = t % 2 ? -INFINITY : t ? -200 : -20;
        if (edge == NO_WEIGHTS && (t < 3 || t % 7 == 1)) a[L_BETA][i] = 0;
        if (edge == ZERO_QUERIES && t % 3 == 0) memset(a[L_Q] + i * d, 0, (size_t)d * sizeof(double));
        if (edge == ZERO_QUERIES && t % 4 == 0) memset(a[L_DOUT] + i * c->dv, 0, (size_t)c->dv * sizeof(double));
        if (edge == ZERO_KEYS && (t < 3 || t % 5 == 0)) memset(a[L_K] + i * d, 0, (size_t)d * sizeof(double));
        for (int64_t j = 0; j < d; j++) {                      /* keys and ridge change together: the condition number stays */
            if (edge == TINY) a[L_K][i * d + j] *= 0x1p-30;
            if (edge == HUGE_ONES) a[L_K][i * d + j] *= 0x1p30;
        }
    }
    for (int64_t i = 0; i < c->H * d && (edge == TINY || edge == HUGE_ONES); i++) a[L_RIDGE][i] *= edge == TINY ? 0x1p-60 : 0x1p60;
}

START_TEST(edges)
{
    const int64_t lengths[EDGES] = {[ONE_TOKEN] = 1, [NO_TOKEN] = 0, [SEVENTEEN] = 17};
    for (int single = 0; single < 2; single++) {
        const int64_t T = _i == ONE_TOKEN || _i == NO_TOKEN || _i == SEVENTEEN ? lengths[_i] : 65;
        const int states = _i == TINY || _i == HUGE_ONES ? 0 : LSQ_STATES | LSQ_LAST;
        lsq_case c = lsq_case_new(400 + (uint64_t)_i, 2, T, 2, 20, 13, LSQ_GATES | states, 30);
        change(&c, (enum edge)_i);
        const double kappa = lsq_reference(&c);
        compare_all(single ? MESAOPT_F32 : MESAOPT_F64, &c, single ? f32_bound(kappa) : kappa * 0x1p-46, gated);
        lsq_case_free(&c);
    }
}
END_TEST

/* The same without gates; keys that repeat make one direction of H large and leave the ridge in all others. */
START_TEST(edges_ungated)
{
    const enum edge list[] = {ZERO_QUERIES, ZERO_KEYS, ONE_TOKEN, NO_TOKEN, SEVENTEEN, TINY, HUGE_ONES};
    for (int single = 0; single < 2; single++) {
        const int64_t T = list[_i] == ONE_TOKEN ? 1 : list[_i] == NO_TOKEN ? 0 : list[_i] == SEVENTEEN ? 17 : 65;
        lsq_case c = lsq_case_new(500 + (uint64_t)_i, 2, T, 2, 20, 13, 0, 30);
        change(&c, list[_i]);
        const double kappa = lsq_reference(&c);
        compare_all(single ? MESAOPT_F32 : MESAOPT_F64, &c, single ? f32_bound(kappa) : kappa * 0x1p-46, ungated);
        lsq_case_free(&c);
    }
}
END_TEST

Suite *test_lsq_suite(void)
{
    Suite *s = suite_create("lsq");
    TCase *t = tcase_create("lsq");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, accuracy_gated, 0, 12);
    tcase_add_loop_test(t, accuracy_ungated, 0, 12);
    tcase_add_loop_test(t, accuracy_states, 0, 4);
    tcase_add_loop_test(t, edges, 0, EDGES);
    tcase_add_loop_test(t, edges_ungated, 0, 7);
    suite_add_tcase(s, t);
    return s;
}
