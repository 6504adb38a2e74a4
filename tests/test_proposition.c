/* Proposition 1 of arXiv 2309.05858: with the right weights one linear self-attention layer takes one step of gradient descent.
 *
 * Tokens (rows) [Phi0 s_t, s_t, s_{t-1}], s_0 = 0; one head with W_q W_k^T = I at (slot 1, slot 2) and W_v W_o = eta I at (slot 1, slot 0),
 * -eta Phi0^T at (slot 2, slot 0). The first slot of the output is then (Phi0 - eta grad L_t(Phi0)) s_t,
 * L_t(Phi) = 1/2 sum_{i=2..t} |s_i - Phi s_{i-1}|^2, which the test works out with a plain double loop. */
#include "contexts.h"
#include <math.h>

#define OK(call) ck_assert_int_eq((call), MESAOPT_OK)
enum { B = 19, T = 33, N = 5, D = 3 * N };

typedef struct problem {
    double eta, phi[N][N], s[B][T + 1][N];             /* s[b][0] = 0, s[b][t] = s_t */
    double expected[B][T][N];
} problem;

/* Multiples of 2^-20 in [-1, 1): the same numbers in f32 and f64. */
static double draw(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 43) / 0x1p20 - 1;
}

static void make_problem(problem *p, double eta, double phi_size, uint64_t seed)
{
    p->eta = eta;
    for (int i = 0; i < N * N; i++) p->phi[i / N][i % N] = phi_size * draw(&seed);
    for (int b = 0; b < B; b++)
        for (int t = 0; t <= T; t++)
            for (int j = 0; j < N; j++) p->s[b][t][j] = t ? draw(&seed) : 0;
}

/* Phi s, row by row. */
static double apply(double phi[N][N], const double *s, int j)
{
    double sum = 0;
    for (int i = 0; i < N; i++) sum += phi[j][i] * s[i];
    return sum;
}

static void gradient_step(problem *p)
{
    for (int b = 0; b < B; b++)
        for (int t = 1; t <= T; t++) {
            double step[N][N];
            for (int j = 0; j < N; j++)
                for (int l = 0; l < N; l++) step[j][l] = p->phi[j][l];
            for (int i = 2; i <= t; i++)
                for (int j = 0; j < N; j++)
                    for (int l = 0; l < N; l++) step[j][l] += p->eta * (p->s[b][i][j] - apply(p->phi, p->s[b][i - 1], j)) * p->s[b][i - 1][l];
            for (int j = 0; j < N; j++) p->expected[b][t - 1][j] = apply(step, p->s[b][t], j);
        }
}

static void put(mesaopt_view *v, int64_t i, int64_t j, double x)
{
    int64_t at = i * v->stride[0] + j * v->stride[1];
    if (v->dtype == MESAOPT_F32) ((float *)v->data)[at] = (float)x;
    else ((double *)v->data)[at] = x;
}

static mesaopt_view parameter(mesaopt_model *model, const char *name, int64_t rows, int64_t cols)
{
    mesaopt_view v;
    OK(mesaopt_model_parameter(model, name, &v));
    ck_assert_int_eq(v.ndim, 2);
    ck_assert_int_eq(v.shape[0], rows);
    ck_assert_int_eq(v.shape[1], cols);
    for (int64_t i = 0; i < rows * cols; i++) put(&v, i / cols, i % cols, 0);
    return v;
}

static mesaopt_model *proposition1(mesaopt_ctx *ctx, problem *p, const char *dtype, int64_t lanes)
{
    mesaopt_model *model;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_MODEL, "inputs=15 outputs=5");
    OK(mesaopt_settings_set_int(s, MESAOPT_KEY_LANES, lanes));
    OK(mesaopt_settings_set_text(s, "dtype", dtype));
    OK(mesaopt_model_create(ctx, s, &model));
    mesaopt_settings_free(s);
    OK(mesaopt_model_add_text(model, "linear(heads=1,key=5,residual_clip=0)"));
    mesaopt_view query = parameter(model, "blocks.0.query", D, N), key = parameter(model, "blocks.0.key", D, N);
    mesaopt_view value = parameter(model, "blocks.0.value", D, N), output = parameter(model, "blocks.0.output", N, D);
    for (int j = 0; j < N; j++) {
        put(&query, N + j, j, 1);
        put(&key, 2 * N + j, j, 1);
        put(&value, N + j, j, p->eta);
        for (int l = 0; l < N; l++) put(&value, 2 * N + l, j, -p->eta * p->phi[j][l]);
        put(&output, j, j, 1);
    }
    return model;
}

/* Largest |got - expected| over the norm of expected per sequence. */
static double deviation(const problem *p, const void *got, int32_t dtype)
{
    double worst = 0;
    for (int b = 0; b < B; b++) {
        double off = 0, size = 0;
        for (int t = 0; t < T; t++)
            for (int j = 0; j < N; j++) {
                int i = (b * T + t) * N + j;
                double x = dtype == MESAOPT_F32 ? ((const float *)got)[i] : ((const double *)got)[i], e = p->expected[b][t][j];
                off += (x - e) * (x - e);
                size += e * e;
            }
        worst = fmax(worst, sqrt(off / size));
    }
    return worst;
}

static void layer_is_a_step(problem *p, int32_t dtype, int64_t lanes, double tol)
{
    static double tokens[B * T * D], out[B * T * N];
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    const mesaopt_view in = DENSE(tokens, dtype, B, T, D), prediction = DENSE(out, dtype, B, T, N);
    for (int b = 0; b < B; b++)
        for (int t = 0; t < T; t++)
            for (int j = 0; j < D; j++) {
                double x = j < N ? apply(p->phi, p->s[b][t + 1], j) : j < 2 * N ? p->s[b][t + 1][j - N] : p->s[b][t][j - 2 * N];
                int i = (b * T + t) * D + j;
                if (dtype == MESAOPT_F32) ((float *)tokens)[i] = (float)x;
                else tokens[i] = x;
            }
    mesaopt_model *model = proposition1(ctx, p, dtype == MESAOPT_F32 ? "f32" : "f64", lanes);
    OK(mesaopt_model_forward(model, &in, &prediction));
    double off = deviation(p, out, dtype);
    ck_assert_msg(off <= tol, "lanes %d: off by %g, allowed %g", (int)lanes, off, tol);
    OK(mesaopt_model_free(model));
    OK(mesaopt_ctx_free(ctx));
}

START_TEST(one_layer_is_one_gradient_step)
{
    static problem p;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        make_problem(&p, 0.0625 * (double)seed, 0.75, seed);
        gradient_step(&p);
        for (int64_t lanes = 1; lanes <= 2; lanes++) {
            layer_is_a_step(&p, MESAOPT_F64, lanes, 1e-12);
            layer_is_a_step(&p, MESAOPT_F32, lanes, 1e-5);
        }
    }
}
END_TEST

/* With Phi0 = 0 the step is the baseline GD-1. */
START_TEST(step_from_zero_is_the_gd_baseline)
{
    static problem p;
    static double x[B][T + 1][N], out[B * T * N];
    make_problem(&p, 0.03125, 0, 4);
    gradient_step(&p);
    for (int b = 0; b < B; b++)
        for (int t = 0; t <= T; t++)
            for (int j = 0; j < N; j++) x[b][t][j] = t < T ? p.s[b][t + 1][j] : 0;     /* the last observation is target only */

    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_BASELINE, "baseline=gd eta=0.03125");
    mesaopt_baseline *gd;
    OK(mesaopt_baseline_create(ctx, s, &gd));
    mesaopt_settings_free(s);
    const mesaopt_view in = DENSE(x, MESAOPT_F64, B, T + 1, N), prediction = DENSE(out, MESAOPT_F64, B, T, N);
    OK(mesaopt_baseline_predict(gd, &in, &prediction));
    ck_assert_double_le(deviation(&p, out, MESAOPT_F64), 1e-13);
    OK(mesaopt_baseline_free(gd));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

Suite *test_proposition_suite(void)
{
    Suite *suite = suite_create("proposition");
    TCase *one = tcase_create("one");
    tcase_add_test(one, one_layer_is_one_gradient_step);
    tcase_add_test(one, step_from_zero_is_the_gd_baseline);
    suite_add_tcase(suite, one);
    return suite;
}
