/* Baselines in other spaces than that of the observations, and probes of features. Oracles: whole-matrix NumPy and JAX (oracle/spaces.py); ridge regression by
 * elimination in long double; the same thing put together by hand from public calls. */
#include "study/baseline_run.h"
#include "training_setup.h"
#include "oracle/golden_spaces.h"
#include <math.h>

#define OK(call) ck_assert_int_eq((call), MESAOPT_OK)

static mesaopt_baseline *make(mesaopt_ctx *ctx, const char *kind, const char *settings)
{
    char text[250];
    mesaopt_baseline *b;
    snprintf(text, sizeof text, "baseline=%s %s", kind, settings);
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_BASELINE, text);
    OK(mesaopt_baseline_create(ctx, s, &b));
    mesaopt_settings_free(s);
    return b;
}

static mesaopt_baseline *make_golden(mesaopt_ctx *ctx, const char *kind, const char *settings)
{
    char text[200];
    mesaopt_view v;
    snprintf(text, sizeof text, SPACE_SETTINGS "%s", settings);
    mesaopt_baseline *b = make(ctx, kind, text);
    if (strcmp(kind, "chebyshev") && strcmp(kind, "richardson")) return b;
    OK(mesaopt_baseline_coefficients(b, &v));
    for (int64_t i = 0; i < v.shape[0]; i++)
        for (int64_t k = 0; k < SPACE_K; k++) ((double *)v.data)[i * v.stride[0] + k] = space_ab[i][k];
    return b;
}

/* |a - b| / |b| */
static double relative(const double *a, const double *b, int64_t count)
{
    double off = 0, size = 0;
    for (int64_t i = 0; i < count; i++) off += (a[i] - b[i]) * (a[i] - b[i]), size += b[i] * b[i];
    return sqrt(off / size);
}

START_TEST(slots_are_those_of_numpy)
{
    mesaopt_ctx *ctx = context_at(_i, 2);
    if (!ctx) return;
    double out[SPACE_B * SPACE_T * SPACE_M], inputs[SPACE_B][SPACE_T][SPACE_N];
    const mesaopt_view x = DENSE((double *)space_x, MESAOPT_F64, SPACE_B, SPACE_T + 1, SPACE_N), in = DENSE(inputs, MESAOPT_F64, SPACE_B, SPACE_T, SPACE_N);
    const mesaopt_view to = DENSE(out, MESAOPT_F64, SPACE_B, SPACE_T, SPACE_N), wide = DENSE(out, MESAOPT_F64, SPACE_B, SPACE_T, SPACE_M);
    for (int s = 0; s < SPACE_B; s++) memcpy(inputs[s], space_x[s], sizeof inputs[s]);
    for (size_t i = 0; i < sizeof space_rows / sizeof *space_rows; i++) {
        mesaopt_baseline *b = make_golden(ctx, space_rows[i].kind, space_rows[i].settings);
        OK(mesaopt_baseline_predict(b, &x, &to));
        double off = relative(out, &space_rows[i].p[0][0][0], SPACE_B * SPACE_T * SPACE_N);
        ck_assert_msg(off <= 1e-10, "%s %s: predictions are off by %g", space_rows[i].kind, space_rows[i].settings, off);
        if (space_rows[i].has_u) {
            OK(mesaopt_baseline_precondition(b, &in, &wide));
            off = relative(out, &space_rows[i].u[0][0][0], SPACE_B * SPACE_T * SPACE_M);
            ck_assert_msg(off <= 1e-10, "%s %s: what it makes of z_t is off by %g", space_rows[i].kind, space_rows[i].settings, off);
        }
        OK(mesaopt_baseline_free(b));
    }
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* One step has no pairs: every baseline predicts 0, in every space that needs no task. */
START_TEST(one_step_has_no_pairs)
{
    static const char *const kinds[] = {"gd", "lsq", "kernel", "neumann", "newton", "richardson", "chebyshev"};
    mesaopt_ctx *ctx = context_at(_i, 1);
    if (!ctx) return;
    for (int m = 0; m < 14; m++) {
        double x[3][2][2] = {{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}, {{9, 1}, {2, 3}}}, out[3][1][2];
        const mesaopt_view in = DENSE(x, MESAOPT_F64, 3, 2, 2), to = DENSE(out, MESAOPT_F64, 3, 1, 2);
        mesaopt_baseline *b = make(ctx, kinds[m / 2], m % 2 ? "space=slots slots=3" : "");
        memset(out, 0x7f, sizeof out);
        OK(mesaopt_baseline_predict(b, &in, &to));
        for (int i = 0; i < 6; i++) ck_assert((&out[0][0][0])[i] == 0);
        OK(mesaopt_baseline_free(b));
    }
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* A task of the user's sequences [count, steps + 1, n]. */
static mesaopt_task *own_task(mesaopt_ctx *ctx, const double *x, int64_t count, int64_t steps, int64_t n)
{
    mesaopt_tensor *tensor;
    mesaopt_task *task;
    const mesaopt_view v = DENSE((double *)x, MESAOPT_F64, count, steps + 1, n);
    OK(mesaopt_tensor_wrap(ctx, &v, NULL, NULL, &tensor));
    OK(mesaopt_task_from_tensor(ctx, NULL, tensor, &task));
    OK(mesaopt_tensor_free(tensor));
    return task;
}

START_TEST(gradients_are_those_of_jax)
{
    mesaopt_ctx *ctx = context_at(_i, 2);
    if (!ctx) return;
    mesaopt_task *task = own_task(ctx, &space_x[0][0][0], SPACE_B, SPACE_T, SPACE_N);
    for (size_t i = 0; i < sizeof space_gradients / sizeof *space_gradients; i++) {
        call c;
        double sums[SPACE_T + 2 * SPACE_K];
        mesaopt_baseline *b = make_golden(ctx, "chebyshev", space_gradients[i].settings);
        baseline_run r = {.b = b, .what = "test", .task = task, .stream = MESAOPT_STREAM_TEST, .values = 1, .gradients = 2 * SPACE_K};
        OK(ctx_enter(ctx, CALL_NORMAL, &c));
        OK(baseline_run_open(&r, SPACE_B));
        OK(baseline_run_measure(&r, &c, 0, SPACE_B, &(double){b->value}, sums));
        baseline_run_close(&r);
        OK(ctx_leave(&c, MESAOPT_OK));
        for (int j = 0; j < 2 * SPACE_K; j++) sums[SPACE_T + j] /= r.weight;
        ck_assert_double_eq_tol(baseline_run_loss(&r, sums), space_gradients[i].loss, 1e-12 * space_gradients[i].loss);
        ck_assert_double_le(relative(sums + SPACE_T, &space_gradients[i].gradient[0][0], 2 * SPACE_K), 1e-11);
        OK(mesaopt_baseline_free(b));
    }
    OK(mesaopt_task_free(task));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* ---- features ---- */

enum { N = 4, T = 13, COUNT = 9 };
#define WORLD "task=nonlinear dim=4 length=13 noise=0.05 seed=7"

typedef struct world { mesaopt_task *task; double x[COUNT][T + 1][N], z[COUNT][T + 1][N]; mesaopt_view sequences; } world;

/* Sequences and their features of length 1. */
static void world_start(mesaopt_ctx *ctx, world *w)
{
    w->task = task_from(ctx, WORLD);
    w->sequences = DENSE(w->x, MESAOPT_F64, COUNT, T + 1, N);
    const mesaopt_view f = DENSE(w->z, MESAOPT_F64, COUNT, T + 1, N);
    OK(mesaopt_task_draw(w->task, MESAOPT_STREAM_TEST, 0, &w->sequences));
    OK(mesaopt_task_features(w->task, &w->sequences, &f));
    for (int b = 0; b < COUNT; b++)
        for (int t = 0; t <= T; t++) {
            double norm = 0;
            for (int j = 0; j < N; j++) norm += w->z[b][t][j] * w->z[b][t][j];
            for (int j = 0; j < N; j++) w->z[b][t][j] /= sqrt(norm);
        }
}

/* u = (sum over i < pairs of z_i z_i^T + ridge I)^-1 v, by elimination. */
static void solve(int64_t pairs, double (*z)[N], double ridge, const double *v, long double *u)
{
    long double a[N][N + 1];
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < N; j++) {
            a[i][j] = i == j ? ridge : 0;
            for (int64_t p = 0; p < pairs; p++) a[i][j] += (long double)z[p][i] * z[p][j];
        }
        a[i][N] = v[i];
    }
    for (int k = 0; k < N; k++)
        for (int i = 0; i < N; i++) {
            const long double factor = a[i][k] / a[k][k];
            for (int j = k; j <= N && i != k; j++) a[i][j] -= factor * a[k][j];
        }
    for (int i = 0; i < N; i++) u[i] = a[i][N] / a[i][i];
}

START_TEST(features_are_regressed_on)
{
    static const double ridge = 0.02, eta = 0.3;
    mesaopt_ctx *ctx = context_at(_i, 2);
    if (!ctx) return;
    static world w;
    world_start(ctx, &w);
    mesaopt_baseline *b[2] = {make(ctx, "lsq", "space=features ridge=0.02 newest_pair=0"), make(ctx, "gd", "space=features eta=0.3")};
    static double p[COUNT][T][N], u[COUNT][T][N];
    const mesaopt_view to = DENSE(p, MESAOPT_F64, COUNT, T, N), solved = DENSE(u, MESAOPT_F64, COUNT, T, N);
    mesaopt_view inputs = w.sequences;
    inputs.shape[1] = T;
    for (int m = 0; m < 2; m++) {
        double loss = 0, measured, given;
        REFUSED(ctx, MESAOPT_E_STATE, "space: features without a task", mesaopt_baseline_predict(b[m], &w.sequences, &to));
        REFUSED(ctx, MESAOPT_E_STATE, "space: features without a task", mesaopt_baseline_precondition(b[m], &inputs, &solved));
        OK(mesaopt_baseline_evaluate(b[m], w.task, MESAOPT_STREAM_TEST, 0, COUNT, NULL, &measured));  /* the task at hand has them */
        OK(mesaopt_baseline_set_task(b[m], w.task));
        OK(mesaopt_baseline_predict(b[m], &w.sequences, &to));
        OK(mesaopt_baseline_precondition(b[m], &inputs, &solved));
        for (int s = 0; s < COUNT; s++)
            for (int t = 0; t < T; t++) {
                long double v[N];
                const int64_t pairs = m ? t : t > 0 ? t - 1 : 0;
                if (m) for (int j = 0; j < N; j++) v[j] = eta * w.z[s][t][j];
                else solve(pairs, w.z[s], ridge, w.z[s][t], v);
                for (int j = 0; j < N; j++) {
                    long double want = 0, along;
                    for (int64_t i = 0; i < pairs; i++) {
                        along = 0;
                        for (int l = 0; l < N; l++) along += w.z[s][i][l] * v[l];
                        want += along * w.x[s][i + 1][j];
                    }
                    ck_assert_double_eq_tol(p[s][t][j], (double)want, 1e-10);
                    ck_assert_double_eq_tol(u[s][t][j], (double)v[j], 1e-9);
                    loss += (double)((want - w.x[s][t + 1][j]) * (want - w.x[s][t + 1][j]) / (2 * COUNT * T));
                }
            }
        mesaopt_task *own = own_task(ctx, &w.x[0][0][0], COUNT, T, N);
        OK(mesaopt_baseline_evaluate(b[m], own, MESAOPT_STREAM_TEST, 0, COUNT, NULL, &given));        /* the baseline's own */
        ck_assert_double_eq_tol(measured, loss, 1e-10);
        ck_assert_double_eq_tol(given, loss, 1e-10);
        OK(mesaopt_baseline_set_task(b[m], NULL));
        REFUSED(ctx, MESAOPT_E_STATE, "space: features: task own", mesaopt_baseline_evaluate(b[m], own, MESAOPT_STREAM_TEST, 0, COUNT, NULL, &given));
        OK(mesaopt_task_free(own));
        OK(mesaopt_baseline_free(b[m]));
    }
    OK(mesaopt_task_free(w.task));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* docs/science.md, section 7: in the right space least squares finds what it cannot find among observations. */
START_TEST(the_right_space_is_right)
{
    static const struct { const char *task, *wrong, *right; double factor; } rows[] = {
        {"task=partial dim=5", "newest_pair=0 ridge=10", "newest_pair=0 ridge=10 space=slots", 1.5}, {"task=nonlinear", "newest_pair=0", "newest_pair=0 space=features", 3}};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    for (int r = 0; r < 2; r++) {
        mesaopt_task *task = task_from(ctx, rows[r].task);
        double loss[2], best;
        for (int right = 0; right < 2; right++) {
            mesaopt_baseline *b = make(ctx, "lsq", right ? rows[r].right : rows[r].wrong);
            OK(mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, 256, NULL, &loss[right]));
            if (right) ck_assert_int_ge(mesaopt_baseline_search(b, task, 64, &best), 0);
            OK(mesaopt_baseline_free(b));
        }
        ck_assert_msg(loss[0] > rows[r].factor * loss[1], "%s: %g and %g", rows[r].task, loss[0], loss[1]);
        OK(mesaopt_task_free(task));
    }
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* ---- probes ---- */

static void check_scores(mesaopt_probe *p, mesaopt_probe *q)
{
    mesaopt_probe *both[2] = {p, q};
    double mse[2][T];
    for (int i = 0; i < 2; i++) {
        const mesaopt_view out = DENSE(mse[i], MESAOPT_F64, 1, T);
        OK(mesaopt_probe_fit(both[i], NULL));
        OK(mesaopt_probe_score(both[i], MESAOPT_PROBE_TRAIN, &out, NULL));
        OK(mesaopt_probe_free(both[i]));
    }
    for (int t = 0; t < T; t++) {
        ck_assert_double_eq_tol(mse[0][t], mse[1][t], 1e-9);
        ck_assert(t < 2 || mse[0][t] > 1e-6);          /* before, observations may be missing */
    }
}

/* Targets from a model's run, and by hand: `features` of x_{t - lag}, what a conditioner makes of slots or features. */
START_TEST(probe_targets_of_features)
{
    enum { MANY = 60, SLOTS = 3, M = SLOTS * N };
    static const char *const settings[] = {"target=features lag=0", "target=unit_features", "target=features lag=1 lags=2", "", ""};
    static const char *const spaces[] = {NULL, NULL, NULL, "space=slots slots=3", "space=features"};
    static const int64_t wide[] = {N, N, 2 * N, M, N};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    mesaopt_task *task = task_from(ctx, WORLD " tokens=raw"), *linear = task_from(ctx, "dim=4 length=13 tokens=raw");
    mesaopt_model *model = model_from(ctx, "inputs=4 outputs=4 dtype=f64", "softmax(heads=2,key=3,pe=qk)");
    static double x[MANY][T + 1][N], f[MANY][T + 1][N], y[MANY * T * M], h[MANY][T][N];
    const mesaopt_view sequences = DENSE(x, MESAOPT_F64, MANY, T + 1, N), features = DENSE(f, MESAOPT_F64, MANY, T + 1, N), activations = DENSE(h, MESAOPT_F64, MANY, T, N);
    mesaopt_view inputs = sequences;
    inputs.shape[1] = T;
    OK(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 5, &sequences));
    OK(mesaopt_model_activations(model, &inputs, 1, (int64_t[]){0}, &activations));
    for (int i = 0; i < 5; i++) {
        mesaopt_probe *p, *q;
        mesaopt_baseline *b = spaces[i] ? make(ctx, "chebyshev", spaces[i]) : NULL;
        mesaopt_settings *s = settings_from(MESAOPT_SCOPE_PROBE, settings[i]);
        const mesaopt_view targets = DENSE(y, MESAOPT_F64, MANY, T, wide[i]);
        OK(mesaopt_probe_plan(ctx, s, 1, (int64_t[]){N}, T, wide[i], &p));
        OK(mesaopt_probe_plan(ctx, s, 1, (int64_t[]){N}, T, wide[i], &q));
        OK(mesaopt_probe_set_targets(p, b, NULL, NULL, NULL));
        if (i != 3) REFUSED(ctx, MESAOPT_E_STATE, "features: task linear", mesaopt_probe_feed_model(p, MESAOPT_PROBE_TRAIN, model, (int64_t[]){0}, linear, MESAOPT_STREAM_TEST, 5, MANY));
        OK(mesaopt_probe_feed_model(p, MESAOPT_PROBE_TRAIN, model, (int64_t[]){0}, task, MESAOPT_STREAM_TEST, 5, MANY));
        if (b) {
            if (i == 4) OK(mesaopt_baseline_set_task(b, task));
            OK(mesaopt_baseline_precondition(b, &inputs, &targets));
        } else {
            REFUSED(ctx, MESAOPT_E_SETTING, "target: ", mesaopt_probe_targets(ctx, s, &sequences, &targets));
            OK(mesaopt_task_features(task, &sequences, &features));
            for (int64_t row = 0; i == 1 && row < MANY * (T + 1); row++) {
                double *v = &f[0][0][0] + row * N, norm = 0;
                for (int j = 0; j < N; j++) norm += v[j] * v[j];
                for (int j = 0; j < N; j++) v[j] /= sqrt(norm);
            }
            OK(mesaopt_settings_set_text(s, "target", "observations"));
            OK(mesaopt_probe_targets(ctx, s, &features, &targets));
        }
        OK(mesaopt_probe_feed(q, MESAOPT_PROBE_TRAIN, &activations, &targets, NULL));
        mesaopt_settings_free(s);
        check_scores(p, q);
        if (b) OK(mesaopt_baseline_free(b));
    }
    OK(mesaopt_model_free(model));
    OK(mesaopt_task_free(task));
    OK(mesaopt_task_free(linear));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* A control of space=features sees what the task's features are conditioned to. */
START_TEST(control_of_features)
{
    enum { MANY = 40 };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_task *task = task_from(ctx, WORLD);
    mesaopt_baseline *b = make(ctx, "chebyshev", "space=features");
    mesaopt_probe *p, *q;
    static double x[MANY][T + 1][N], u[MANY][T][N], y[MANY][T][N];
    const mesaopt_view sequences = DENSE(x, MESAOPT_F64, MANY, T + 1, N), seen = DENSE(u, MESAOPT_F64, MANY, T, N), targets = DENSE(y, MESAOPT_F64, MANY, T, N);
    mesaopt_view inputs = sequences;
    inputs.shape[1] = T;
    OK(mesaopt_probe_plan(ctx, NULL, 1, (int64_t[]){N}, T, N, &p));
    OK(mesaopt_probe_plan(ctx, NULL, 1, (int64_t[]){N}, T, N, &q));
    OK(mesaopt_probe_feed_control(p, MESAOPT_PROBE_TRAIN, b, task, MESAOPT_STREAM_TEST, 0, MANY));
    OK(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, &sequences));
    OK(mesaopt_baseline_set_task(b, task));
    OK(mesaopt_baseline_precondition(b, &inputs, &seen));
    OK(mesaopt_probe_targets(ctx, NULL, &sequences, &targets));
    OK(mesaopt_probe_feed(q, MESAOPT_PROBE_TRAIN, &seen, &targets, NULL));
    check_scores(p, q);
    OK(mesaopt_baseline_free(b));
    OK(mesaopt_task_free(task));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

Suite *test_spaces_suite(void)
{
    Suite *suite = suite_create("spaces");
    TCase *t = tcase_create("spaces");
    tcase_add_loop_test(t, slots_are_those_of_numpy, MESAOPT_ISA_BASELINE, MESAOPT_ISA_AVX512 + 1);
    tcase_add_loop_test(t, one_step_has_no_pairs, MESAOPT_ISA_BASELINE, MESAOPT_ISA_AVX512 + 1);
    tcase_add_loop_test(t, gradients_are_those_of_jax, MESAOPT_ISA_BASELINE, MESAOPT_ISA_AVX512 + 1);
    tcase_add_loop_test(t, features_are_regressed_on, MESAOPT_ISA_BASELINE, MESAOPT_ISA_AVX512 + 1);
    tcase_add_test(t, the_right_space_is_right);
    tcase_add_test(t, probe_targets_of_features);
    tcase_add_test(t, control_of_features);
    tcase_set_timeout(t, 60);
    suite_add_tcase(suite, t);
    return suite;
}
