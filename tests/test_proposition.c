/* Proposition 1 of arXiv 2309.05858: with the right weights one linear self-attention layer takes one step of gradient descent.
 *
 * Tokens (rows) [Phi0 s_t, s_t, s_{t-1}], s_0 = 0. The first slot of the output is (Phi0 - eta grad L_t(Phi0)) s_t,
 * L_t(Phi) = 1/2 sum_{i=2..t} |s_i - Phi s_{i-1}|^2, which the test works out with a plain double loop.
 * Proposition 2: a deep linear model is "Proposition 2 with K steps", the baseline (which the tests of preconditioning compare with NumPy). */
#include "contexts.h"
#include <math.h>
#include <stdio.h>

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

static mesaopt_model *layer_of(mesaopt_ctx *ctx, problem *p, const char *settings)
{
    mesaopt_model *model;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_MODEL, settings);
    const mesaopt_view phi = DENSE(p->phi, MESAOPT_F64, N, N);
    OK(mesaopt_revalg_proposition1(ctx, s, p->eta, &phi, &model));
    mesaopt_settings_free(s);
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
    char settings[64];
    snprintf(settings, sizeof settings, "inputs=15 outputs=5 dtype=%s lanes=%d", dtype == MESAOPT_F32 ? "f32" : "f64", (int)lanes);
    mesaopt_model *model = layer_of(ctx, p, settings);
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

/* A model of the scalars of `model` predicts the same, to 1e-12. */
static void rebuilding_is_exact(mesaopt_model *model, const mesaopt_view *tokens, const mesaopt_view *prediction)
{
    mesaopt_revalg *r;
    mesaopt_model *rebuilt;
    double explained, off = 0, size = 0;
    const int64_t count = prediction->shape[0] * prediction->shape[1] * prediction->shape[2];
    double *out = malloc((size_t)count * sizeof *out);
    mesaopt_view to = *prediction;
    to.data = out;
    OK(mesaopt_revalg_extract(model, &r));
    OK(mesaopt_revalg_summary(r, NULL, &explained));
    ck_assert_double_eq_tol(explained, 1, 1e-14);
    OK(mesaopt_revalg_rebuild(r, &rebuilt));
    OK(mesaopt_model_forward(rebuilt, tokens, &to));
    for (int64_t i = 0; i < count; i++) {
        const double e = ((const double *)prediction->data)[i];
        off += (out[i] - e) * (out[i] - e), size += e * e;
    }
    ck_assert_msg(sqrt(off / size) <= 1e-12, "the rebuilt model is off by %g", sqrt(off / size));
    free(out);
    OK(mesaopt_model_free(rebuilt));
    OK(mesaopt_revalg_free(r));
}

enum { SEQUENCES = 21, LENGTH = 50, DIM = 10, SLOTS = 6 };     /* of the default task */
typedef struct drawn { double x[SEQUENCES][LENGTH + 1][DIM], constructed[SEQUENCES][LENGTH][4 * DIM], slots[SEQUENCES][LENGTH][SLOTS * DIM]; } drawn;

static void draw_all(mesaopt_ctx *ctx, drawn *d)
{
    mesaopt_task *task;
    const mesaopt_view x = DENSE(d->x, MESAOPT_F64, SEQUENCES, LENGTH + 1, DIM), tokens = DENSE(d->constructed, MESAOPT_F64, SEQUENCES, LENGTH, 4 * DIM);
    OK(mesaopt_task_create(ctx, NULL, &task));
    OK(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, &x));
    OK(mesaopt_task_tokens(task, &x, &tokens));
    OK(mesaopt_task_free(task));
    for (int b = 0; b < SEQUENCES; b++)
        for (int t = 0; t < LENGTH; t++)
            for (int s = 0; s < SLOTS; s++)
                for (int j = 0; j < DIM; j++) d->slots[b][t][s * DIM + j] = s == 0 ? 0 : s != 2 ? d->x[b][t][j] : t ? d->x[b][t - 1][j] : 0;
}

/* Proposition 1 with Phi0 = a multiple of the identity, on 3 and on 4 slots. */
START_TEST(layers_rebuilt_from_their_scalars)
{
    static drawn d;
    static double out[SEQUENCES][LENGTH][DIM];
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    double phi[DIM][DIM] = {{0}};
    for (int i = 0; i < DIM; i++) phi[i][i] = 0.3;
    const mesaopt_view phi0 = DENSE(phi, MESAOPT_F64, DIM, DIM), prediction = DENSE(out, MESAOPT_F64, SEQUENCES, LENGTH, DIM);
    draw_all(ctx, &d);
    for (int slots = 3; slots <= 4; slots++) {
        char text[64];
        snprintf(text, sizeof text, "inputs=%d outputs=10 dtype=f64", slots * DIM);
        mesaopt_settings *s = settings_from(MESAOPT_SCOPE_MODEL, text);
        mesaopt_model *model;
        mesaopt_view tokens = DENSE(d.constructed, MESAOPT_F64, SEQUENCES, LENGTH, 4 * DIM);
        if (slots == 3) tokens.data = (double *)tokens.data + DIM, tokens.shape[2] = 3 * DIM;       /* any tokens will do */
        OK(mesaopt_revalg_proposition1(ctx, s, 0.02, &phi0, &model));
        OK(mesaopt_model_forward(model, &tokens, &prediction));
        rebuilding_is_exact(model, &tokens, &prediction);
        OK(mesaopt_model_free(model));
        mesaopt_settings_free(s);
    }
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

static void depth_is_iteration(mesaopt_ctx *ctx, drawn *d, const char *baseline, int slots, const char *dtype, double tol)
{
    static double expected[SEQUENCES][LENGTH][DIM], out[SEQUENCES][LENGTH][DIM];
    static float tokens_f32[SEQUENCES * LENGTH * 4 * DIM], out_f32[SEQUENCES * LENGTH * DIM];
    const int single = strcmp(dtype, "f32") == 0;
    const mesaopt_view x = DENSE(d->x, MESAOPT_F64, SEQUENCES, LENGTH + 1, DIM), e = DENSE(expected, MESAOPT_F64, SEQUENCES, LENGTH, DIM);
    const mesaopt_view f64_tokens = DENSE(slots == 4 ? (double *)d->constructed : (double *)d->slots, MESAOPT_F64, SEQUENCES, LENGTH, slots * DIM);
    const mesaopt_view tokens = single ? DENSE(tokens_f32, MESAOPT_F32, SEQUENCES, LENGTH, slots * DIM) : f64_tokens;
    const mesaopt_view f64_out = DENSE(out, MESAOPT_F64, SEQUENCES, LENGTH, DIM), prediction = single ? DENSE(out_f32, MESAOPT_F32, SEQUENCES, LENGTH, DIM) : f64_out;
    char text[64];
    snprintf(text, sizeof text, "inputs=%d outputs=10 dtype=%s", slots * DIM, dtype);
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_BASELINE, baseline), *m = settings_from(MESAOPT_SCOPE_MODEL, text);
    mesaopt_baseline *b;
    mesaopt_model *model;
    mesaopt_view v;
    OK(mesaopt_baseline_create(ctx, s, &b));
    if (mesaopt_baseline_coefficients(b, &v) == MESAOPT_OK)
        for (int64_t i = 0; i < v.shape[0] * v.shape[1]; i++) ((double *)v.data)[i] = i < v.shape[1] ? 1.1 + 0.2 * (double)i : 0.3 + 0.1 * (double)(i - v.shape[1]);
    OK(mesaopt_baseline_predict(b, &x, &e));
    OK(mesaopt_revalg_proposition2(ctx, m, b, &model));
    if (single) OK(mesaopt_tensor_copy(ctx, &f64_tokens, &tokens));
    OK(mesaopt_model_forward(model, &tokens, &prediction));
    if (single) OK(mesaopt_tensor_copy(ctx, &prediction, &f64_out));
    double off = 0, size = 0;
    for (int i = 0; i < SEQUENCES * LENGTH * DIM; i++) {
        const double a = (&out[0][0][0])[i], w = (&expected[0][0][0])[i];
        off += (a - w) * (a - w), size += w * w;
    }
    ck_assert_msg(sqrt(off / size) <= tol, "%s, %d slots, %s: off by %g", baseline, slots, dtype, sqrt(off / size));
    if (!single) rebuilding_is_exact(model, &tokens, &prediction);
    OK(mesaopt_model_free(model));
    OK(mesaopt_baseline_free(b));
    mesaopt_settings_free(s);
    mesaopt_settings_free(m);
}

START_TEST(deep_models_are_iterations)
{
    static drawn d;
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    draw_all(ctx, &d);
    depth_is_iteration(ctx, &d, "baseline=chebyshev iterations=5 divisor=70", 4, "f64", 1e-12);
    depth_is_iteration(ctx, &d, "baseline=chebyshev iterations=3 divisor=90 ridge=2.5", 6, "f64", 1e-12);
    depth_is_iteration(ctx, &d, "baseline=richardson iterations=4 divisor=70 ridge=0.5", 4, "f64", 1e-12);
    depth_is_iteration(ctx, &d, "baseline=neumann iterations=6 divisor=120", 6, "f64", 1e-12);
    depth_is_iteration(ctx, &d, "baseline=gd eta=0.01 iterations=4", 4, "f64", 1e-12);
    depth_is_iteration(ctx, &d, "baseline=gd eta=0.03", 4, "f64", 1e-12);
    depth_is_iteration(ctx, &d, "baseline=chebyshev iterations=5 divisor=70", 4, "f32", 2e-5);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

START_TEST(what_weights_cannot_form)
{
    static const struct { const char *baseline, *said; } rows[] = {
        {"baseline=chebyshev", "baseline: divisor 0"}, {"baseline=neumann divisor=70 newest_pair=0", "baseline: newest_pair 0"}, {"baseline=newton", "baseline: newton"},
        {"baseline=lsq", "baseline: lsq"}, {"baseline=kernel", "baseline: kernel"}};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_model *none = NULL;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mesaopt_settings *s = settings_from(MESAOPT_SCOPE_BASELINE, rows[i].baseline);
        mesaopt_baseline *b;
        OK(mesaopt_baseline_create(ctx, s, &b));
        REFUSED(ctx, MESAOPT_E_UNSUPPORTED, rows[i].said, mesaopt_revalg_proposition2(ctx, NULL, b, &none));
        OK(mesaopt_baseline_free(b));
        mesaopt_settings_free(s);
    }
    ck_assert_ptr_null(none);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* f32 is the default: step sizes and coefficients that it cannot hold. */
START_TEST(numbers_too_large)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_BASELINE, "baseline=chebyshev divisor=70 iterations=3");
    mesaopt_baseline *b;
    mesaopt_model *m = NULL;
    mesaopt_view a;
    REFUSED(ctx, MESAOPT_E_NONFINITE, "eta, phi0: weights that are not finite as f32", mesaopt_revalg_proposition1(ctx, NULL, 1e300, NULL, &m));
    OK(mesaopt_baseline_create(ctx, s, &b));
    OK(mesaopt_baseline_coefficients(b, &a));
    ((double *)a.data)[1] = NAN;
    REFUSED(ctx, MESAOPT_E_NONFINITE, "baseline: coefficients, ridge, divisor: weights that are not finite", mesaopt_revalg_proposition2(ctx, NULL, b, &m));
    ck_assert_ptr_null(m);
    ((double *)a.data)[1] = 1;
    OK(mesaopt_revalg_proposition2(ctx, NULL, b, &m));
    OK(mesaopt_model_free(m));
    OK(mesaopt_baseline_free(b));
    mesaopt_settings_free(s);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

Suite *test_proposition_suite(void)
{
    Suite *suite = suite_create("proposition");
    TCase *one = tcase_create("one"), *two = tcase_create("two");
    tcase_add_test(one, one_layer_is_one_gradient_step);
    tcase_add_test(one, step_from_zero_is_the_gd_baseline);
    tcase_add_test(one, layers_rebuilt_from_their_scalars);
    tcase_add_test(two, deep_models_are_iterations);
    tcase_add_test(two, what_weights_cannot_form);
    tcase_add_test(two, numbers_too_large);
    suite_add_tcase(suite, one);
    suite_add_tcase(suite, two);
    return suite;
}
