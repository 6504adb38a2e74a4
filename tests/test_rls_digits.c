/* mesaopt_rls where its own sums and inverse lose digits: after every row, prediction and standard error are as exact as rls.h promises, against a
 * direct solution from the list of all rows (rls_oracle.h). */
#include "contexts.h"
#include "random_count.h"
#include "rls_oracle.h"
#include <math.h>
#include <stdio.h>

enum { D = 3, MOST_ROWS = 3000 };

/* Rows like these: keys scale_i (offset + normal), `growth` times as large in every row (0: 1), values value + normal, a weight of `heavy` in one row of
 * `period`; asked after one row of `every` (0: 1). */
typedef struct rows_like {
    const char *name;
    int d, window, rows, period, every;
    double gamma, offset, growth, scale[D], ridge[D], heavy, value, far;
} rows_like;

static const rows_like likes[] = {
    /* Weights rise and fall by less than what has sums formed anew at once, over and over: what each time leaves adds up. */
    {.name = "heavy rows leave a window", .d = 1, .window = 2, .rows = 2500, .period = 4, .gamma = 1, .scale = {1}, .ridge = {1e-6}, .heavy = 240, .far = 1},
    {.name = "heavier rows leave a window", .d = 1, .window = 2, .rows = 2500, .period = 4, .gamma = 1, .scale = {1}, .ridge = {1e-6}, .heavy = 900, .far = 1},
    /* What is left of an equation counts in each channel's own scale. */
    {.name = "channels of unlike scales are forgotten", .d = 3, .rows = 200, .period = 1000,
     .gamma = 0.97, .scale = {1e8, 1, 1e-8}, .ridge = {1, 10, 1e-15}, .heavy = 1, .far = 1},
    /* M's condition grows with rows that wait, not with the base alone. */
    {.name = "heavy rows on keys far from 0", .d = 3, .rows = 300, .period = 140,
     .gamma = 0.95, .offset = 250, .scale = {1, 1, 1}, .ridge = {1e-2, 1e-2, 1e-2}, .heavy = 2000, .far = 1000},
    /* One row takes away some of the digits of M^-1, and many in a row all of them; */
    {.name = "keys that grow", .d = 1, .rows = 90, .period = 1000, .gamma = 1, .growth = 3.1, .scale = {1}, .ridge = {1e-3}, .heavy = 1, .far = 1},
    {.name = "keys that grow while rows are forgotten", .d = 1, .rows = 90, .period = 1000,
     .gamma = 0.97, .growth = 4, .scale = {1}, .ridge = {1e-3}, .heavy = 1, .far = 1},
    {.name = "keys that grow, far from 0", .d = 2, .rows = 78, .period = 1000, .every = 7,
     .gamma = 1, .offset = 1e3, .growth = 10, .scale = {1, 1}, .ridge = {1, 1}, .heavy = 1, .value = 2e4, .far = 1},
    /* and so do rows that it took in long ago. */
    {.name = "heavy rows on keys far from 0, not forgotten", .d = 2, .rows = 120, .period = 37,
     .gamma = 1, .offset = 40, .scale = {1, 1}, .ridge = {1e-2, 1e-2}, .heavy = 2000, .far = 30},
    /* The map moves towards the minimum, and is not there at once. */
    {.name = "keys and values far from 0 in a window", .d = 3, .window = 9, .rows = 200, .period = 1000,
     .gamma = 1, .offset = 3e5, .scale = {1, 1, 1}, .ridge = {1e-8, 1e-8, 1e-8}, .heavy = 1, .value = 3e6, .far = 1},
    {.name = "keys and values far from 0, first rows", .d = 3, .rows = 20, .period = 1000,
     .gamma = 1, .offset = 3e5, .scale = {1, 1, 1}, .ridge = {1e-8, 1e-8, 1e-8}, .heavy = 1, .value = 3e6, .far = 1},
};

typedef struct list { double k[MOST_ROWS * D], v[MOST_ROWS], beta[MOST_ROWS]; } list;

static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53;
}
static double normal(uint64_t *state)
{
    const double r = sqrt(-2 * log(1 - uniform(state)));
    return r * cos(6.283185307179586 * uniform(state));
}

static oracle solve(const rows_like *y, const list *l, int rows)
{
    static wide weight[MOST_ROWS];
    const int from = y->window && rows > y->window ? rows - y->window : 0;
    wide gate = 1;
    for (int t = rows - 1; t >= from; t--, gate *= (wide)expl((long double)log(y->gamma))) weight[t] = gate * l->beta[t];
    return oracle_of(&(oracle_rows){y->d, 1, rows - from, l->k + from * y->d, l->v + from, y->ridge, weight + from});
}

/* Errors of a prediction and its standard error beside what rls.h promises. */
static void compare(const rows_like *y, const list *l, int rows, const double *q, double out, double error, double worst[2])
{
    double want, deviation, length, leverage;
    oracle o = solve(y, l, rows);
    oracle_predict(&o, q, &want, &deviation, &length, &leverage);
    const double lost = y->d * o.condition * (y->window ? 0x1p-42 : 0x1p-46), rms = sqrt((double)(o.squares[0] / o.total));
    worst[0] = fmax(worst[0], fabs(out - want) / (lost * (o.fit + sqrt((double)o.squares[0])) * length));
    worst[1] = fmax(worst[1], fabs(error - deviation) / (deviation * (1e-6 + lost) + 0x1p-46 * sqrt(o.condition) * rms * leverage));
    oracle_free(&o);
}

START_TEST(digits)
{
    const rows_like *y = &likes[_i];
    static list l;
    uint64_t g = random_seed(_i) + 77;
    double worst[2] = {0, 0}, q[D], out, error, grown = 1;
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    char text[64];
    mesaopt_lsq *plan;
    mesaopt_rls *rls;
    int said = 0;
    snprintf(text, sizeof text, "window=%d gamma=%.17g", y->window, y->gamma);
    mesaopt_settings *settings = settings_from(MESAOPT_SCOPE_LSQ, text);
    const mesaopt_view ridge = DENSE((void *)y->ridge, MESAOPT_F64, 1, y->d), qs = DENSE(q, MESAOPT_F64, 1, 1, y->d);
    const mesaopt_view outs = DENSE(&out, MESAOPT_F64, 1, 1, 1), errors = DENSE(&error, MESAOPT_F64, 1, 1, 1);
    ck_assert_int_eq(mesaopt_lsq_plan(ctx, settings, y->d, 1, &plan), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_create(plan, 1, &ridge, &rls), MESAOPT_OK);
    for (int t = 0; t < y->rows; t++, grown *= y->growth ? y->growth : 1) {
        double *k = l.k + t * y->d, *v = l.v + t, *beta = l.beta + t;
        const mesaopt_view ks = DENSE(k, MESAOPT_F64, 1, 1, y->d), vs = DENSE(v, MESAOPT_F64, 1, 1, 1), bs = DENSE(beta, MESAOPT_F64, 1, 1);
        for (int i = 0; i < y->d; i++) k[i] = grown * y->scale[i] * (y->offset + normal(&g));
        for (int i = 0; i < y->d; i++) q[i] = grown * y->scale[i] * (y->far == 1 ? y->offset + normal(&g) : y->far * normal(&g));
        *v = y->value + normal(&g), *beta = t % y->period == 0 ? y->heavy : 1;
        ck_assert_int_eq(mesaopt_rls_update(rls, &ks, &vs, &bs, NULL), MESAOPT_OK);
        if (y->every && t % y->every) continue;
        const mesaopt_status status = mesaopt_rls_predict(rls, &qs, &outs, &errors);
        said += status == MESAOPT_NOT_CONVERGED;
        if (status != MESAOPT_NOT_CONVERGED) ck_assert_int_eq(status, MESAOPT_OK);
        if (status == MESAOPT_OK) compare(y, &l, t + 1, q, out, error, worst);
    }
    ck_assert_msg(worst[0] <= 1 && worst[1] <= 1 && said < y->rows / 2, "%s: errors %g and %g of what is promised, %d of %d not converged", y->name, worst[0], worst[1], said,
                  y->rows);
    mesaopt_rls_free(rls), mesaopt_settings_free(settings), mesaopt_lsq_free(plan), mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_rls_digits_suite(void)
{
    Suite *s = suite_create("rls_digits");
    TCase *t = tcase_create("rls_digits");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, digits, 0, (int)(sizeof likes / sizeof *likes));
    suite_add_tcase(s, t);
    return s;
}
