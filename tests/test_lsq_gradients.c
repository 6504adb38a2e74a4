/* mesaopt_lsq: every gradient against finite differences in f64, for every operand there is, on every ISA level, by lanes, chunks and solvers. The function
 * that is differentiated is the definition (lsq_oracle.h), which one set of differences for all levels and solvers takes. */
#include "lsq_oracle.h"
#include <math.h>
#include <stdio.h>

static const double BOUND = 1e-7;
static const enum lsq_array inputs[] = {L_Q, L_K, L_V, L_BETA, L_GATE, L_RIDGE, L_H0, L_S0}, gradients[] = {L_DQ, L_DK, L_DV, L_DBETA, L_DGATE, L_DRIDGE, L_DH0, L_DS0};
enum { INPUTS = sizeof inputs / sizeof *inputs };

static const char *const gated[] = {"auto", "cholesky", "segments", "cg", "cg_diag", "cg_chunk", "neumann", NULL};
static const char *const ungated[] = {"sherman_morrison", "cholesky", "segments", "cg_chunk", NULL};

/* d loss / d x[i], fourth order; y: another element that moves along, or NULL. */
static double difference(lsq_case *c, double *x, double *y, double step)
{
    const double at = *x, weights[] = {1, -8, 8, -1}, moves[] = {-2, -1, 1, 2};
    double sum = 0;
    for (int i = 0; i < 4; i++) {
        *x = at + moves[i] * step;
        if (y) *y = *x;
        sum += weights[i] * lsq_loss(c);
    }
    *x = at;
    if (y) *y = at;
    return sum / (12 * step);
}

/* Gradients of `c` by differences, H0 as a symmetric matrix. */
static lsq_case differences(lsq_case *c)
{
    lsq_case g = lsq_case_like(c), scratch = lsq_case_like(c);
    const int64_t d = c->d;
    for (int a = 0; a < INPUTS; a++) {
        double *x = c->at[inputs[a]], square = 0;
        const int64_t n = x ? lsq_count(c, inputs[a]) : 0;
        for (int64_t i = 0; i < n; i++) square += x[i] * x[i];
        const double step = n ? 1e-4 * sqrt(square / (double)n) : 0;
        for (int64_t i = 0; i < n; i++) {
            const int64_t row = i / d % d, column = i % d;
            double *mirror = inputs[a] == L_H0 && row != column ? x + (i - row * d - column) + column * d + row : NULL;
            if (mirror && row > column) continue;
            g.at[gradients[a]][i] = difference(&scratch, x + i, mirror, step) / (mirror ? 2 : 1);
            if (mirror) g.at[gradients[a]][mirror - x] = g.at[gradients[a]][i];
        }
    }
    lsq_case_free_results(&scratch);
    return g;
}

/* Every solver on every level, one head in a panel or several. */
static void check(lsq_case *c, int64_t chunk)
{
    lsq_case want = differences(c);
    for (int32_t isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
        mesaopt_ctx *ctx = context_at(isa, 1);
        for (const char *const *solver = c->at[L_GATE] ? gated : ungated; ctx && *solver; solver++)
            for (int way = 0; way < 4; way++) {
                char settings[128];
                snprintf(settings, sizeof settings, "solver=%s lanes=%d chunk=%d iterations=%d", *solver, 1 + way % 2, (int)chunk, strcmp(*solver, "neumann") ? 0 : 60000);
                c->keep = way / 2;
                ck_assert_int_eq(lsq_call(ctx, settings, MESAOPT_F64, c), MESAOPT_OK);
                for (int a = 0; a < INPUTS; a++) {
                    if (!c->at[gradients[a]] || (inputs[a] == L_GATE && c->T == 1 && !c->at[L_H0])) continue;      /* which is 0 */
                    const double error = lsq_error(c, &want, gradients[a]);
                    if (!(error <= BOUND)) ck_abort_msg("%s: %s is off by %g", settings, lsq_name(gradients[a]), error);
                }
            }
        if (ctx) ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
    }
    lsq_case_free_results(&want);
}

/* Every combination of operands. */
START_TEST(operands)
{
    const int64_t T = 1 + _i % 9;
    lsq_case c = lsq_case_new(20 + (uint64_t)_i, 3, T, 2, 4, 3, _i % 8, 20);
    check(&c, _i / 8 ? 4 : 0);
    lsq_case_free(&c);
}
END_TEST

START_TEST(offsets)
{
    static const int64_t starts[] = {0, 3, 3, 4, 11};
    lsq_case c = lsq_case_new(40, 4, 11, 2, 4, 3, LSQ_STATES | LSQ_LAST | (_i ? LSQ_GATES : 0), 20);
    c.B = 1, c.starts = starts;
    check(&c, 4);
    lsq_case_free(&c);
}
END_TEST

/* Long enough for several segments in every lane, and for chunks that end in their middle. */
START_TEST(long_sequence)
{
    lsq_case c = lsq_case_new(50, 1, 91, 1, 4, 3, LSQ_STATES | LSQ_LAST | LSQ_GATES, 20);
    check(&c, 13);
    lsq_case_free(&c);
}
END_TEST

/* Wide enough for blocked inverses, and with condition numbers that have them refined. */
START_TEST(wide_keys)
{
    lsq_case c = lsq_case_new(60, 1, 18, 1, 22, 5, LSQ_LAST | (_i ? LSQ_GATES : 0), 150);
    check(&c, 0);
    lsq_case_free(&c);
}
END_TEST

Suite *test_lsq_gradients_suite(void)
{
    Suite *s = suite_create("lsq_gradients");
    TCase *t = tcase_create("lsq_gradients");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, operands, 0, 16);
    tcase_add_loop_test(t, offsets, 0, 2);
    tcase_add_test(t, long_sequence);
    tcase_add_loop_test(t, wide_keys, 0, 2);
    suite_add_tcase(s, t);
    return s;
}
