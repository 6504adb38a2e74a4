/* mesaopt_rls: many states merged, with values and keys far from 0, against a direct solution from all rows (rls_oracle.h) and beside one state that saw
 * them all. */
#include "base/object.h"
#undef fail                        /* Check has a macro of that name */
#include "contexts.h"
#include "rls_oracle.h"
#include <math.h>

enum { STATES = 1000, ROWS = 200, D = 5, QUERIES = 20 };

typedef struct history { double key_offset, noise, gamma; int tree; } history;

/* Four keys about an offset, which they share nearly all of, and a constant; values about 1e8. */
static void draw(const history *h, mesaopt_ctx *ctx, double *k, double *v)
{
    const mesaopt_view ks = DENSE(k, MESAOPT_F64, STATES * ROWS, D), vs = DENSE(v, MESAOPT_F64, STATES * ROWS);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 17, 1, 0, 0, 1, &ks), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 17, 2, 0, 0, 1, &vs), MESAOPT_OK);
    for (int64_t t = 0; t < STATES * ROWS; t++) {
        double fit = 1e8;
        k[t * D + D - 1] = 1;
        for (int i = 0; i < D - 1; i++) k[t * D + i] += h->key_offset, fit += (i + 1) * k[t * D + i];
        v[t] = fit + h->noise * v[t];
    }
}

static mesaopt_rls *state_of(mesaopt_lsq *plan, const double *k, const double *v, int64_t rows)
{
    mesaopt_rls *rls;
    const mesaopt_view ks = DENSE((void *)k, MESAOPT_F64, rows, 1, D), vs = DENSE((void *)v, MESAOPT_F64, rows, 1, 1);
    ck_assert_int_eq(mesaopt_rls_create(plan, 1, NULL, &rls), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_update(rls, &ks, &vs, NULL, NULL), MESAOPT_OK);
    return rls;
}

/* One after the other, or in pairs, pairs of pairs and so on. */
static mesaopt_rls *merge_all(const history *h, mesaopt_lsq *plan, const double *k, const double *v)
{
    static mesaopt_rls *part[STATES];
    for (int i = 0; i < STATES; i++) part[i] = state_of(plan, k + i * ROWS * D, v + i * ROWS, ROWS);
    for (int step = h->tree ? 1 : STATES; step < STATES; step *= 2)
        for (int i = 0; i + step < STATES; i += 2 * step) ck_assert_int_eq(mesaopt_rls_merge(part[i], part[i + step]), MESAOPT_OK);
    for (int i = 1; i < STATES; i++) {
        if (!h->tree) ck_assert_int_eq(mesaopt_rls_merge(part[0], part[i]), MESAOPT_OK);
        mesaopt_rls_free(part[i]);
    }
    return part[0];
}

/* The largest errors of predictions and of standard errors, beside what rls.h promises. */
typedef struct errors { double prediction, deviation; } errors;

static errors errors_of(mesaopt_ctx *ctx, mesaopt_rls *rls, const oracle *o, const double *q)
{
    const double lost = D * o->condition * 0x1p-46;
    errors worst = {0, 0};
    for (int i = 0; i < QUERIES; i++) {
        double out, error, want, deviation, length, leverage;
        const mesaopt_view qs = DENSE((void *)(q + i * D), MESAOPT_F64, 1, 1, D), os = DENSE(&out, MESAOPT_F64, 1, 1, 1), es = DENSE(&error, MESAOPT_F64, 1, 1, 1);
        char text[256];
        const mesaopt_status status = mesaopt_rls_predict(rls, &qs, &os, &es);
        mesaopt_ctx_error(ctx, text, sizeof text);
        ck_assert_msg(status == MESAOPT_OK, "%s", text);
        oracle_predict(o, q + i * D, &want, &deviation, &length, &leverage);
        const double allowed = deviation * (1e-6 + lost) + 0x1p-46 * sqrt(o->condition) * sqrt((double)(o->squares[0] / o->total)) * leverage;
        worst.prediction = fmax(worst.prediction, fabs(out - want) / (lost * (o->fit + sqrt((double)o->squares[0])) * length));
        worst.deviation = fmax(worst.deviation, fabs(error - deviation) / allowed);
    }
    return worst;
}

static const history histories[] = {{0, 1, 1, 0}, {10, 1, 1, 0}, {1e3, 1, 1, 0}, {1e3, 1e-3, 1, 1}, {1e4, 1, 1, 0}, {1e4, 1, 1, 1}, {1e3, 1, 0.9999, 0}};

START_TEST(many_states)
{
    const history *h = &histories[_i];
    static double k[STATES * ROWS * D], v[STATES * ROWS], q[QUERIES * D], ridge[D];
    static wide weight[STATES * ROWS];
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LSQ, "ridge=1e-9");
    mesaopt_lsq *plan;
    ck_assert_int_eq(mesaopt_settings_set_float(s, MESAOPT_KEY_GAMMA, h->gamma), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_lsq_plan(ctx, s, D, 1, &plan), MESAOPT_OK);
    draw(h, ctx, k, v);
    wide gate = 1;
    for (int64_t t = STATES * ROWS - 1; t >= 0; t--, gate *= h->gamma) weight[t] = gate;
    for (int i = 0; i < D; i++) ridge[i] = 1e-9;
    for (int i = 0; i < QUERIES; i++)          /* the weights themselves, then keys as they came */
        for (int j = 0; j < D; j++) q[i * D + j] = i < D ? i == j : k[i * 1000 * D + j];
    oracle o = oracle_of(&(oracle_rows){D, 1, STATES * ROWS, k, v, ridge, weight});
    mesaopt_rls *one = state_of(plan, k, v, STATES * ROWS), *merged = merge_all(h, plan, k, v);
    const errors alone = errors_of(ctx, one, &o, q), together = errors_of(ctx, merged, &o, q);
    ck_assert_msg(together.prediction <= fmax(alone.prediction, 1e-3) && together.deviation <= 1,
                  "keys about %g, gamma %g: merged predictions off by %g of what is promised, of one state by %g; standard errors by %g and %g", h->key_offset, h->gamma,
                  together.prediction, alone.prediction, together.deviation, alone.deviation);
    mesaopt_rls_free(one), mesaopt_rls_free(merged);
    oracle_free(&o);
    mesaopt_settings_free(s), mesaopt_lsq_free(plan), mesaopt_ctx_free(ctx);
}
END_TEST

/* States of other contexts, on every level, with and without kept rows: the same bits as within one context. */
START_TEST(other_contexts)
{
    static const char *const plans[] = {"", "window=40", "gamma=0.99 ridge=0.1"};
    static double k[60 * D], v[60], H[D * D], S[D], other_H[D * D], other_S[D];
    mesaopt_ctx *here = context_at(MESAOPT_ISA_BASELINE + _i / 3, 1), *there = context_at(MESAOPT_ISA_BASELINE + _i / 3, 2);
    if (there) {
        const mesaopt_view ks = DENSE(k, MESAOPT_F64, 60, D), vs = DENSE(v, MESAOPT_F64, 60);
        ck_assert_int_eq(mesaopt_rng_normal(here, 5, 1, 0, 0, 1, &ks), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_rng_normal(here, 5, 2, 0, 0, 1, &vs), MESAOPT_OK);
        mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LSQ, plans[_i % 3]);
        mesaopt_lsq *plan[2];
        ck_assert_int_eq(mesaopt_lsq_plan(here, s, D, 1, &plan[0]) | mesaopt_lsq_plan(there, s, D, 1, &plan[1]), MESAOPT_OK);
        mesaopt_rls *one = state_of(plan[0], k, v, 30), *two = state_of(plan[0], k, v, 30);
        mesaopt_rls *near = state_of(plan[0], k + 30 * D, v + 30, 30), *far = state_of(plan[1], k + 30 * D, v + 30, 30);
        int64_t streams, d, dv;
        ck_assert_int_eq(mesaopt_rls_shape(far, &streams, &d, &dv), MESAOPT_OK);
        ck_assert(streams == 1 && d == D && dv == 1);
        call c;
        ck_assert_int_eq(ctx_enter(there, CALL_NORMAL, &c), MESAOPT_OK);
        REFUSED(here, MESAOPT_E_BUSY, "from: its context is inside another call", mesaopt_rls_merge(two, far));
        ctx_leave(&c, MESAOPT_OK);
        ck_assert_int_eq(mesaopt_rls_merge(one, near), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_rls_merge(two, far), MESAOPT_OK);
        const int32_t which[] = {MESAOPT_RLS_KEY_STATE, MESAOPT_RLS_VALUE_STATE};
        const mesaopt_view state[] = {DENSE(H, MESAOPT_F64, 1, D, D), DENSE(S, MESAOPT_F64, 1, D, 1)};
        const mesaopt_view others[] = {DENSE(other_H, MESAOPT_F64, 1, D, D), DENSE(other_S, MESAOPT_F64, 1, D, 1)};
        ck_assert_int_eq(mesaopt_rls_get(one, 2, which, state) | mesaopt_rls_get(two, 2, which, others), MESAOPT_OK);
        ck_assert_mem_eq(H, other_H, sizeof H);
        ck_assert_mem_eq(S, other_S, sizeof S);
        ck_assert_int_eq(mesaopt_rls_update(far, &(mesaopt_view){.data = k, .shape = {1, 1, D}, .stride = {D, D, 1}, .ndim = 3, .dtype = MESAOPT_F64},
                                            &(mesaopt_view){.data = v, .shape = {1, 1, 1}, .stride = {1, 1, 1}, .ndim = 3, .dtype = MESAOPT_F64}, NULL, NULL), MESAOPT_OK);
        mesaopt_rls_free(one), mesaopt_rls_free(two), mesaopt_rls_free(near), mesaopt_rls_free(far);
        mesaopt_lsq_free(plan[0]), mesaopt_lsq_free(plan[1]), mesaopt_settings_free(s), mesaopt_ctx_free(there), mesaopt_ctx_free(here);
    }
}
END_TEST

Suite *test_rls_merge_suite(void)
{
    Suite *s = suite_create("rls_merge");
    TCase *t = tcase_create("rls_merge");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, many_states, 0, sizeof histories / sizeof *histories);
    tcase_add_loop_test(t, other_contexts, 0, 9);
    suite_add_tcase(s, t);
    return s;
}
