/* Token probes of models that see raw tokens, with every kind of block: what a layer holds of x_t, x_{t-1} and x_{t-2}, in R2 and squared error. */
#include "kind_texts.h"
#undef fail
#include "training_setup.h"
#include <math.h>

#define OK(call) ck_assert_int_eq(call, MESAOPT_OK)

enum { N = 3, T = 6, LAGS = 3, TARGETS = LAGS * N, COUNT = 260, LAYERS = 3 };

typedef struct scored { double mse[LAYERS][T], r2[LAYERS][T], each[LAYERS][T][TARGETS]; } scored;

static mesaopt_model *network(mesaopt_ctx *ctx, const char *kind)
{
    char text[800];
    snprintf(text, sizeof text, "dense(outputs=8,init_sd=0.5); %s", kind);
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_MODEL, "inputs=3 outputs=3 seed=6 dtype=f64");
    mesaopt_model *m;
    OK(mesaopt_model_create(ctx, s, &m));
    mesaopt_settings_free(s);
    const mesaopt_status status = mesaopt_model_add_text(m, text);
    ck_assert_msg(status == MESAOPT_OK || status == MESAOPT_E_UNSUPPORTED, "%s: %s", text, error_of(ctx));
    int64_t width = 0;
    if (status == MESAOPT_OK) OK(mesaopt_model_width(m, 1, &width));
    if (width >= 3) return m;
    mesaopt_model_free(m);                             /* settings that refuse each other, or too narrow for a prediction */
    return NULL;
}

/* A probe of the tokens, the embedding and the block. */
static mesaopt_probe *plan(mesaopt_ctx *ctx, mesaopt_model *m)
{
    mesaopt_probe *p;
    int64_t features[LAYERS];
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_PROBE, "lag=0 lags=3 error=mean");
    for (int l = 0; l < LAYERS; l++) OK(mesaopt_model_width(m, l - 1, &features[l]));
    OK(mesaopt_probe_plan(ctx, s, LAYERS, features, T, TARGETS, &p));
    mesaopt_settings_free(s);
    return p;
}

static void score(mesaopt_probe *p, scored *out)
{
    const mesaopt_view mse = DENSE(out->mse, MESAOPT_F64, LAYERS, T), r2 = DENSE(out->r2, MESAOPT_F64, LAYERS, T), each = DENSE(out->each, MESAOPT_F64, LAYERS, T, TARGETS);
    OK(mesaopt_probe_fit(p, NULL));
    OK(mesaopt_probe_score(p, MESAOPT_PROBE_TEST, &mse, &r2));
    OK(mesaopt_probe_score(p, MESAOPT_PROBE_TEST, NULL, &each));
}

/* The same by hand: sequences of a stream, activations, targets. */
static void feed_by_hand(mesaopt_ctx *ctx, mesaopt_probe *p, int32_t set, mesaopt_model *m, mesaopt_task *task, int32_t stream)
{
    static double x[COUNT * (T + 1) * N], y[COUNT * T * TARGETS], h[LAYERS][COUNT * T * 8];
    mesaopt_view outs[LAYERS];
    int64_t width;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_PROBE, "lag=0 lags=3");
    const mesaopt_view sequences = DENSE(x, MESAOPT_F64, COUNT, T + 1, N), tokens = {x, {COUNT, T, N}, {(T + 1) * N, N, 1}, 3, MESAOPT_F64, 0, 0};
    const mesaopt_view targets = DENSE(y, MESAOPT_F64, COUNT, T, TARGETS);
    for (int l = 0; l < LAYERS; l++) {
        OK(mesaopt_model_width(m, l - 1, &width));
        outs[l] = DENSE(h[l], MESAOPT_F64, COUNT, T, width);
    }
    OK(mesaopt_task_draw(task, stream, 0, &sequences));
    ck_assert_int_ge(mesaopt_model_activations(m, &tokens, LAYERS, (int64_t[]){-1, 0, 1}, outs), 0);
    OK(mesaopt_probe_targets(ctx, s, &sequences, &targets));
    OK(mesaopt_probe_feed(p, set, outs, &targets, NULL));
    mesaopt_settings_free(s);
}

static void check_kind(mesaopt_ctx *ctx, const char *kind)
{
    static scored run, hand;
    mesaopt_model *m = network(ctx, kind);
    if (!m) return;
    mesaopt_task *task = task_from(ctx, "dim=3 length=6 tokens=raw seed=2");
    mesaopt_probe *a = plan(ctx, m), *b = plan(ctx, m);
    for (int set = 0; set < 2; set++) {
        const int32_t stream = set ? MESAOPT_STREAM_TEST : MESAOPT_STREAM_TRAIN;
        ck_assert_int_ge(mesaopt_probe_feed_model(a, set, m, NULL, task, stream, 0, COUNT), 0);
        feed_by_hand(ctx, b, set, m, task, stream);
    }
    score(a, &run), score(b, &hand);
    for (int l = 0; l < LAYERS; l++)
        for (int t = 0; t < T; t++) {
            ck_assert_msg(fabs(run.mse[l][t] - hand.mse[l][t]) < 1e-9, "%s: layer %d, step %d: %g and %g", kind, l, t, run.mse[l][t], hand.mse[l][t]);
            for (int j = 0; j < TARGETS; j++)
                if (!isnan(hand.each[l][t][j])) ck_assert_double_eq_tol(run.each[l][t][j], hand.each[l][t][j], 1e-7);
        }
    for (int l = 0; l < 2; l++)                        /* tokens and embedding: x_t itself, and nothing of the steps before it */
        for (int t = LAGS; t < T; t++)
            for (int j = 0; j < TARGETS; j++)
                if (j < N) ck_assert_double_gt(hand.each[l][t][j], 1 - 1e-9);
                else ck_assert_double_lt(hand.each[l][t][j], 0.9);
    mesaopt_probe_free(a), mesaopt_probe_free(b), mesaopt_model_free(m), mesaopt_task_free(task);
}

START_TEST(every_kind)
{
    char kind[600];
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    for (int variant = 0; kind_text(block_kind_at(_i), variant, kind, sizeof kind); variant++) check_kind(ctx, kind);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* A first layer that copies the step before: positions alone make its logits. Then x_{t-1} is there, and x_{t-2} is not. */
START_TEST(a_layer_that_binds)
{
    enum { D = 2 * N };
    static scored s;
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_task *task = task_from(ctx, "dim=3 length=6 tokens=raw seed=2");
    mesaopt_model *m = model_from(ctx, "inputs=3 outputs=3 dtype=f64", "dense(outputs=6,init_sd=0); softmax(heads=1,key=2,value=3,init_sd=0,pe=qk)");
    mesaopt_view w;
    OK(mesaopt_model_parameter(m, "blocks.0.weight", &w));
    for (int j = 0; j < N; j++) ((double *)w.data)[j * D + j] = 1;
    /* q_t: the position of t - 1, turned; k_t: that of t. Features 0 and 1 of positions are sin t and cos t. */
    OK(mesaopt_model_parameter(m, "blocks.1.query", &w));
    const double turn[2][2] = {{cos(1), sin(1)}, {-sin(1), cos(1)}};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) ((double *)w.data)[(D + i) * 2 + j] = 60 * turn[i][j];
    OK(mesaopt_model_parameter(m, "blocks.1.key", &w));
    for (int i = 0; i < 2; i++) ((double *)w.data)[(D + i) * 2 + i] = 1;
    OK(mesaopt_model_parameter(m, "blocks.1.value", &w));
    for (int j = 0; j < N; j++) ((double *)w.data)[j * N + j] = 1;
    OK(mesaopt_model_parameter(m, "blocks.1.output", &w));
    for (int j = 0; j < N; j++) ((double *)w.data)[j * D + N + j] = 1;
    mesaopt_probe *p = plan(ctx, m);
    for (int set = 0; set < 2; set++) OK(mesaopt_probe_feed_model(p, set, m, NULL, task, set ? MESAOPT_STREAM_TEST : MESAOPT_STREAM_TRAIN, 0, COUNT));
    score(p, &s);
    for (int t = LAGS; t < T; t++)
        for (int j = 0; j < TARGETS; j++) {
            if (j < 2 * N) ck_assert_double_gt(s.each[2][t][j], 1 - 1e-6);
            else ck_assert_double_lt(s.each[2][t][j], 0.9);
            if (j >= N) ck_assert_double_lt(s.each[1][t][j], 0.9);
        }
    double map[T][T];
    const mesaopt_view v = DENSE(map, MESAOPT_F64, 1, T, T);
    OK(mesaopt_study_attention_map(m, 1, task, MESAOPT_STREAM_TEST, 0, 20, &v));
    for (int t = 1; t < T; t++) ck_assert_double_gt(map[t][t - 1], 0.999);
    mesaopt_probe_free(p), mesaopt_model_free(m), mesaopt_task_free(task), mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_probe_raw_suite(void)
{
    int kinds = 0;
    while (block_kind_at(kinds)) kinds++;
    Suite *s = suite_create("probe raw");
    TCase *t = tcase_create("probe raw");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, every_kind, 0, kinds);
    tcase_add_test(t, a_layer_that_binds);
    suite_add_tcase(s, t);
    return s;
}
