/* Weights of steps: a ragged batch is its sequences one by one, what lies behind their ends changes no bit, and a loss is the weighted
 * mean of errors that are computed here from the predictions. */
#include "contexts.h"
#include <math.h>
#include <stdio.h>

enum { B = 11, T = 9, IN = 6, N = 2 };

static const int lengths[B] = {9, 1, 4, 7, 2, 9, 3, 3, 8, 5, 6};
static const char *const blocks = "dense(outputs=6,init_sd=0.5); softmax(heads=2,key=3,pe=qk,init_sd=0.4); linear(heads=1,key=2,init_sd=0.4,residual_clip=2); "
                                  "mesa(heads=2,key=3,init_sd=0.4,gates=sigmoid); dense(outputs=2,init_sd=0.5)";

typedef struct problem {
    mesaopt_ctx *ctx;
    mesaopt_model *m;
    double x[B][T][IN], y[B][T][N], w[B][T], dx[B][T][IN], out[B][T][N];
    mesaopt_view tokens, targets, weights, dtokens, predictions;
} problem;

/* `fraction`: weights are of all sizes and some in the middle 0; else 1 up to the end of a sequence. */
static void make(problem *p, mesaopt_ctx *ctx, int lanes, int fraction)
{
    char text[64];
    snprintf(text, sizeof text, "dtype=f64 inputs=6 outputs=2 seed=3 lanes=%d", lanes);
    p->ctx = ctx;
    p->m = model_from(ctx, text, blocks);
    p->tokens = DENSE(p->x, MESAOPT_F64, B, T, IN), p->targets = DENSE(p->y, MESAOPT_F64, B, T, N), p->weights = DENSE(p->w, MESAOPT_F64, B, T);
    p->dtokens = DENSE(p->dx, MESAOPT_F64, B, T, IN), p->predictions = DENSE(p->out, MESAOPT_F64, B, T, N);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 1, 20, 0, 0, 1, &p->tokens), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 2, 20, 0, 0, 1, &p->targets), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_uniform(ctx, 3, 20, 0, 0.1, 3, &p->weights), MESAOPT_OK);
    for (int b = 0; b < B; b++)
        for (int t = 0; t < T; t++)
            if (t >= lengths[b] || (fraction && t % 3 == 1 && t + 1 < lengths[b])) p->w[b][t] = 0;
            else if (!fraction) p->w[b][t] = 1;
}

static void spoil(problem *p, double x)
{
    for (int b = 0; b < B; b++)
        for (int t = 0; t < T; t++) {
            for (int j = 0; j < N && p->w[b][t] == 0; j++) p->y[b][t][j] = x;
            for (int j = 0; j < IN && t >= lengths[b]; j++) p->x[b][t][j] = x;
        }
}

static double weight_of(const problem *p)
{
    double sum = 0;
    for (int b = 0; b < B; b++)
        for (int t = 0; t < T; t++) sum += p->w[b][t];
    return sum;
}

static mesaopt_view gradient_of(problem *p, int64_t i)
{
    mesaopt_view g;
    ck_assert_int_eq(mesaopt_model_parameter_gradient(p->m, mesaopt_model_parameter_name(p->m, i), &g), MESAOPT_OK);
    return g;
}

/* The whole batch against every sequence alone, cut at its end. */
START_TEST(ragged_is_one_by_one)
{
    static problem p;
    static double sums[4096], dx[T][IN];
    for (int c = 0; c < 6; c++) {
        mesaopt_ctx *ctx = context_from((const char *[]){"isa=baseline", "isa=avx2", "isa=avx512"}[c / 2]);
        if (!ctx) continue;
        make(&p, ctx, 1 + c % 2, 0);
        spoil(&p, NAN);
        double loss = 0, sum = 0, one = 0, scale = 0, off = 0;
        int64_t at = 0;
        memset(sums, 0, sizeof sums);
        for (int b = 0; b < B; b++) {
            const int L = lengths[b];
            const double share = L / weight_of(&p);
            mesaopt_view x = DENSE(p.x[b], MESAOPT_F64, 1, L, IN), y = DENSE(p.y[b], MESAOPT_F64, 1, L, N), d = DENSE(dx, MESAOPT_F64, 1, L, IN);
            ck_assert_int_eq(mesaopt_model_gradient(p.m, &x, &y, NULL, &one, &d), MESAOPT_OK);
            sum += one * share;
            at = 0;
            for (int64_t i = 0; i < mesaopt_model_parameters(p.m); i++) {
                const mesaopt_view g = gradient_of(&p, i);
                for (int64_t e = 0; e < g.shape[0] * g.shape[1]; e++) sums[at++] += share * ((double *)g.data)[e];
            }
            for (int t = 0; t < T; t++)
                for (int j = 0; j < IN; j++) p.dx[b][t][j] = t < L ? share * dx[t][j] : 0;
        }
        static double apart[B][T][IN];
        memcpy(apart, p.dx, sizeof apart);
        ck_assert_int_eq(mesaopt_model_gradient(p.m, &p.tokens, &p.targets, &p.weights, &loss, &p.dtokens), MESAOPT_OK);
        ck_assert_double_eq_tol(loss, sum, 1e-12 * sum);
        at = 0;
        for (int64_t i = 0; i < mesaopt_model_parameters(p.m); i++) {
            const mesaopt_view g = gradient_of(&p, i);
            for (int64_t e = 0; e < g.shape[0] * g.shape[1]; e++, at++) {
                scale = fmax(scale, fabs(sums[at]));
                off = fmax(off, fabs(sums[at] - ((double *)g.data)[e]));
            }
        }
        for (int b = 0; b < B; b++)
            for (int t = 0; t < T; t++)
                for (int j = 0; j < IN; j++) off = fmax(off, fabs(apart[b][t][j] - p.dx[b][t][j]));
        ck_assert_msg(off <= 1e-12 * scale, "%g of %g", off, scale);
        ck_assert_double_gt(scale, 1e-3);
        mesaopt_model_free(p.m);
        mesaopt_ctx_free(ctx);
    }
}
END_TEST

/* Bit for bit, for either type, also where a sequence's end is inside a panel; threads do not matter. */
START_TEST(ends_change_no_bit)
{
    static problem p, q;
    for (int lanes = 1; lanes <= 2; lanes++) {
        mesaopt_ctx *ctx = context_from("threads=1"), *two = context_from("threads=2");
        double loss = 0, spoilt = 1, alone = 2;
        make(&p, ctx, lanes, 1);
        make(&q, two, lanes, 1);
        ck_assert_int_eq(mesaopt_model_gradient(p.m, &p.tokens, &p.targets, &p.weights, &loss, &p.dtokens), MESAOPT_OK);
        spoil(&q, NAN);
        ck_assert_int_eq(mesaopt_model_gradient(q.m, &q.tokens, &q.targets, &q.weights, &spoilt, &q.dtokens), MESAOPT_OK);
        ck_assert(loss == spoilt);
        ck_assert_mem_eq(p.dx, q.dx, sizeof p.dx);
        for (int64_t i = 0; i < mesaopt_model_parameters(p.m); i++) {
            const mesaopt_view g = gradient_of(&p, i), h = gradient_of(&q, i);
            ck_assert_mem_eq(g.data, h.data, sizeof(double) * (size_t)(g.shape[0] * g.shape[1]));
        }
        ck_assert_int_eq(mesaopt_model_loss(q.m, &q.tokens, &q.targets, &q.weights, &alone), MESAOPT_OK);
        ck_assert(alone == loss);
        mesaopt_model_free(p.m);
        mesaopt_model_free(q.m);
        mesaopt_ctx_free(ctx);
        mesaopt_ctx_free(two);
    }
}
END_TEST

static int32_t weighted_loss(double *out, void *user)
{
    problem *p = user;
    return mesaopt_model_loss(p->m, &p->tokens, &p->targets, &p->weights, out);
}

/* The loss from the predictions, its gradients from differences, and weights of 1 are none. */
START_TEST(weighted_mean)
{
    static problem p;
    mesaopt_ctx *ctx = context_from("threads=2");
    for (int lanes = 1; lanes <= 2; lanes++) {
        double sum = 0, loss = 0, again = 1, error = 1;
        make(&p, ctx, lanes, 1);
        ck_assert_int_eq(mesaopt_model_forward(p.m, &p.tokens, &p.predictions), MESAOPT_OK);
        for (int b = 0; b < B; b++)
            for (int t = 0; t < T; t++)
                for (int j = 0; j < N; j++) sum += p.w[b][t] * pow(p.out[b][t][j] - p.y[b][t][j], 2) / 2;
        ck_assert_int_eq(mesaopt_model_gradient(p.m, &p.tokens, &p.targets, &p.weights, &loss, &p.dtokens), MESAOPT_OK);
        ck_assert_double_eq_tol(loss, sum / weight_of(&p), 1e-13 * loss);
        for (int64_t i = 0; i < mesaopt_model_parameters(p.m); i++) {
            mesaopt_view x, g = gradient_of(&p, i);
            ck_assert_int_eq(mesaopt_model_parameter(p.m, mesaopt_model_parameter_name(p.m, i), &x), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_grad_check(ctx, weighted_loss, &p, &x, &g, 1e-4, &error), MESAOPT_OK);
            ck_assert_double_le(error, 1e-8);
        }
        ck_assert_int_eq(mesaopt_grad_check(ctx, weighted_loss, &p, &p.tokens, &p.dtokens, 1e-4, &error), MESAOPT_OK);
        ck_assert_double_le(error, 1e-8);
        for (int b = 0; b < B; b++)
            for (int t = 0; t < T; t++) p.w[b][t] = 1;
        ck_assert_int_eq(mesaopt_model_loss(p.m, &p.tokens, &p.targets, &p.weights, &loss), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_model_loss(p.m, &p.tokens, &p.targets, NULL, &again), MESAOPT_OK);
        ck_assert(loss == again);
        mesaopt_model_free(p.m);
    }
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- tasks ---- */

typedef struct lists { double x[B][T + 1][N]; mesaopt_tensor *tensor[B]; } lists;

static mesaopt_task *ragged(mesaopt_ctx *ctx, lists *l)
{
    mesaopt_task *task;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, "tokens=slots slots=3 seed=4");
    mesaopt_view all = DENSE(l->x, MESAOPT_F64, B, T + 1, N);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 7, 20, 0, 0, 1, &all), MESAOPT_OK);
    for (int b = 0; b < B; b++) {
        mesaopt_view v = DENSE(l->x[b], MESAOPT_F64, lengths[b] + 1, N);
        ck_assert_int_eq(mesaopt_tensor_wrap(ctx, &v, NULL, NULL, &l->tensor[b]), MESAOPT_OK);
    }
    ck_assert_int_eq(mesaopt_task_from_tensors(ctx, s, B, l->tensor, &task), MESAOPT_OK);
    for (int b = 0; b < B; b++) ck_assert_int_eq(mesaopt_tensor_free(l->tensor[b]), MESAOPT_OK);
    mesaopt_settings_free(s);
    return task;
}

START_TEST(sequences_of_any_length)
{
    static lists l;
    static double drawn[B][T + 1][N], tokens[B][T][3 * N], y[B][T][N], w[B][T], by_t[T];
    mesaopt_ctx *ctx = context_from("threads=2");
    mesaopt_task *task = ragged(ctx, &l);
    mesaopt_model *m = model_from(ctx, "dtype=f64 inputs=6 outputs=2 seed=3", blocks);
    mesaopt_view out = DENSE(drawn, MESAOPT_F64, B, T + 1, N), x = DENSE(tokens, MESAOPT_F64, B, T, 3 * N), targets = DENSE(y, MESAOPT_F64, B, T, N),
                 weights = DENSE(w, MESAOPT_F64, B, T), errors = DENSE(by_t, MESAOPT_F64, T);
    int64_t length, count;
    double loss, same;
    ck_assert_int_eq(mesaopt_task_shape(task, NULL, &length, NULL, &count), MESAOPT_OK);
    ck_assert_int_eq(length, T);
    ck_assert_int_eq(count, B);
    ck_assert_int_eq(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, &out), MESAOPT_OK);
    for (int b = 0; b < B; b++)
        for (int t = 0; t <= T; t++)
            for (int j = 0; j < N; j++) ck_assert(drawn[b][t][j] == (t <= lengths[b] ? l.x[b][t][j] : 0));
    ck_assert_int_eq(mesaopt_task_tokens(task, &out, &x), MESAOPT_OK);
    for (int scored = 0; scored < 2; scored++) {       /* all steps, then those that are even */
        for (int b = 0; b < B; b++)
            for (int t = 0; t < T; t++) {
                w[b][t] = t < lengths[b] && !(scored && t % 2);
                for (int j = 0; j < N; j++) y[b][t][j] = drawn[b][t + 1][j];
            }
        if (scored) {
            static const double even[T] = {1, 0, 1, 0, 1, 0, 1, 0, 1};
            mesaopt_view v = DENSE((void *)even, MESAOPT_F64, T);
            ck_assert_int_eq(mesaopt_task_set_weights(task, &v), MESAOPT_OK);
        }
        ck_assert_int_eq(mesaopt_model_loss(m, &x, &targets, &weights, &same), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_model_evaluate(m, task, MESAOPT_STREAM_TEST, 0, B, &errors, &loss), MESAOPT_OK);
        ck_assert_double_eq_tol(loss, same, 1e-12 * same);
        for (int t = 0; t < T; t++) ck_assert_int_eq(isnan(by_t[t]), scored && t % 2);
        ck_assert_int_eq(mesaopt_model_evaluate(m, task, MESAOPT_STREAM_TEST, 3 * B, 2 * B, NULL, &loss), MESAOPT_OK);
        ck_assert_double_eq_tol(loss, same, 1e-12 * same);       /* twice the same sequences */
    }
    mesaopt_task_free(task);
    mesaopt_model_free(m);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* A step of a trainer is a gradient on the same sequences; baselines weigh alike. */
START_TEST(trained_and_compared)
{
    static lists l;
    static double drawn[B][T + 1][N], tokens[B][T][3 * N], w[B][T], predictions[B][T][N];
    mesaopt_ctx *ctx = context_from("threads=2");
    mesaopt_task *task = ragged(ctx, &l);
    mesaopt_model *m = model_from(ctx, "dtype=f64 inputs=6 outputs=2 seed=3", blocks);
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TRAINER, "batch=11 lr=1e-3"), *b = settings_from(MESAOPT_SCOPE_BASELINE, "baseline=lsq ridge=0.1");
    mesaopt_view out = DENSE(drawn, MESAOPT_F64, B, T + 1, N), x = DENSE(tokens, MESAOPT_F64, B, T, 3 * N), weights = DENSE(w, MESAOPT_F64, B, T),
                 guess = DENSE(predictions, MESAOPT_F64, B, T, N), targets = out;
    targets.data = drawn[0][1], targets.shape[1] = T;
    double loss = 0, sum = 0, weight = 0;
    ck_assert_int_eq(mesaopt_task_draw(task, MESAOPT_STREAM_TRAIN, 0, &out), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_tokens(task, &out, &x), MESAOPT_OK);
    for (int i = 0; i < B; i++)
        for (int t = 0; t < T; t++) weight += w[i][t] = drawn[i][t + 1][0] != 0;
    ck_assert_int_eq(mesaopt_model_loss(m, &x, &targets, &weights, &loss), MESAOPT_OK);
    mesaopt_trainer *trainer;
    double step;
    ck_assert_int_eq(mesaopt_trainer_create(ctx, s, m, task, &trainer), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_trainer_step(trainer, &step), MESAOPT_OK);
    ck_assert_double_eq_tol(step, loss, 1e-12 * loss);

    mesaopt_baseline *lsq;
    ck_assert_int_eq(mesaopt_baseline_create(ctx, b, &lsq), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_predict(lsq, &out, &guess), MESAOPT_OK);
    for (int i = 0; i < B; i++)
        for (int t = 0; t < T; t++)
            for (int j = 0; j < N; j++) sum += w[i][t] * pow(predictions[i][t][j] - drawn[i][t + 1][j], 2) / 2;
    ck_assert_int_eq(mesaopt_baseline_evaluate(lsq, task, MESAOPT_STREAM_TEST, 0, B, NULL, &loss), MESAOPT_OK);
    ck_assert_double_eq_tol(loss, sum / weight, 1e-12 * loss);
    mesaopt_baseline_free(lsq);
    mesaopt_trainer_free(trainer);
    mesaopt_model_free(m);
    mesaopt_task_free(task);
    mesaopt_settings_free(s);
    mesaopt_settings_free(b);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* What studies, probes and baselines say of a task: an attention map, a sensitivity, scores, coefficients that have moved. */
enum { SAYS = 2 * T * T + T + T + 2 * 6 };
static void ask(mesaopt_ctx *ctx, mesaopt_model *m, mesaopt_task *task, double *said)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_PROBE, "penalty=0.1 filter=1.2"), *c = settings_from(MESAOPT_SCOPE_BASELINE, "baseline=chebyshev batch=11");
    mesaopt_probe *probe;
    mesaopt_baseline *baseline;
    const mesaopt_view map = DENSE(said, MESAOPT_F64, 2, T, T), row = DENSE(said + 2 * T * T, MESAOPT_F64, 1, T), mse = DENSE(said + 2 * T * T + T, MESAOPT_F64, 1, T);
    mesaopt_view v;
    ck_assert_int_eq(mesaopt_study_attention_map(m, 1, task, MESAOPT_STREAM_TEST, 0, B, &map), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_study_sensitivity(m, 1, (int64_t[]){2}, task, MESAOPT_STREAM_TEST, 0, B, T - 1, &row), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_probe_plan(ctx, s, 1, (int64_t[]){6}, T, N, &probe), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_probe_feed_model(probe, MESAOPT_PROBE_TRAIN, m, (int64_t[]){1}, task, MESAOPT_STREAM_TEST, 0, B), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_probe_fit(probe, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_probe_score(probe, MESAOPT_PROBE_TRAIN, &mse, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_create(ctx, c, &baseline), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_train(baseline, task, 1, NULL, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_train(baseline, task, 2, NULL, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_coefficients(baseline, &v), MESAOPT_OK);
    memcpy(said + 2 * T * T + 2 * T, v.data, 2 * 6 * sizeof *said);
    mesaopt_probe_free(probe), mesaopt_baseline_free(baseline), mesaopt_settings_free(s), mesaopt_settings_free(c);
}

/* What stands behind the last scored step of a task's own sequences changes no bit, also where it is more than a pass can bear. */
START_TEST(ends_of_tasks_change_no_bit)
{
    static double x[B][T + 1][N], w[B][T], once[4096], says[2][SAYS];
    const mesaopt_view sequences = DENSE(x, MESAOPT_F64, B, T + 1, N), weights = DENSE(w, MESAOPT_F64, B, T);
    for (int lanes = 1; lanes <= 2; lanes++)
        for (int end = 0; end < 3; end++) {
            mesaopt_ctx *ctx = context_from("threads=1");
            char text[64];
            snprintf(text, sizeof text, "dtype=f64 inputs=6 outputs=2 seed=3 lanes=%d", lanes);
            mesaopt_model *m = model_from(ctx, text, blocks);
            mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TRAINER, "batch=11"), *slots = settings_from(MESAOPT_SCOPE_TASK, "tokens=slots slots=3");
            mesaopt_tensor *tensor;
            mesaopt_task *task;
            mesaopt_trainer *trainer;
            int64_t at = 0;
            ck_assert_int_eq(mesaopt_rng_normal(ctx, 7, 20, 0, 0, 1, &sequences), MESAOPT_OK);
            for (int b = 0; b < B; b++)
                for (int t = 0; t < T; t++) {
                    w[b][t] = t < lengths[b];
                    for (int j = 0; j < N && t > lengths[b]; j++) x[b][t][j] = (const double[]){0, 1e3, 1e160}[end];
                }
            ck_assert_int_eq(mesaopt_tensor_wrap(ctx, &sequences, NULL, NULL, &tensor), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_task_from_tensor(ctx, slots, tensor, &task), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_task_set_weights(task, &weights), MESAOPT_OK);
            ask(ctx, m, task, says[end > 0]);
            ck_assert(end == 0 || memcmp(says[0], says[1], sizeof *says) == 0);
            ck_assert_int_eq(mesaopt_trainer_create(ctx, s, m, task, &trainer), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_trainer_step(trainer, NULL), MESAOPT_OK);
            for (int64_t i = 0; i < mesaopt_model_parameters(m); i++) {
                mesaopt_view g;
                ck_assert_int_eq(mesaopt_model_parameter_gradient(m, mesaopt_model_parameter_name(m, i), &g), MESAOPT_OK);
                for (int64_t e = 0; e < g.shape[0] * g.shape[1]; e++, at++) {
                    if (end == 0) once[at] = ((double *)g.data)[e];
                    ck_assert(((double *)g.data)[e] == once[at]);
                }
            }
            mesaopt_trainer_free(trainer), mesaopt_task_free(task), mesaopt_tensor_free(tensor), mesaopt_model_free(m);
            mesaopt_settings_free(s), mesaopt_settings_free(slots), mesaopt_ctx_free(ctx);
        }
}
END_TEST

/* Weights at t of sequences whose target's norm is 1.2 standard deviations above the mean of those that are scored: 0. */
static void leave_out(int t, int count, double (*x)[T + 1][N], double (*w)[T])
{
    double norm[64], mean = 0, square = 0, scored = 0;
    for (int i = 0; i < count; i++) {
        norm[i] = hypot(x[i][t + 1][0], x[i][t + 1][1]);
        scored += w[i][t], mean += w[i][t] * norm[i], square += w[i][t] * norm[i] * norm[i];
    }
    mean /= scored;
    const double sd = sqrt(square / scored - mean * mean);
    for (int i = 0; i < count; i++)
        if (norm[i] >= mean + 1.2 * sd) w[i][t] = 0;
}

/* A probe fed from a model on the task is the probe of activations, targets and weights. */
START_TEST(probed)
{
    enum { SEEN = 4 * B };
    static lists l;
    static double drawn[SEEN][T + 1][N], tokens[SEEN][T][3 * N], w[SEEN][T], stream[SEEN][T][6], one[T], two[T];
    mesaopt_ctx *ctx = context_from("threads=2");
    mesaopt_task *task = ragged(ctx, &l);
    mesaopt_model *m = model_from(ctx, "dtype=f64 inputs=6 outputs=2 seed=3", blocks);
    mesaopt_view out = DENSE(drawn, MESAOPT_F64, SEEN, T + 1, N), x = DENSE(tokens, MESAOPT_F64, SEEN, T, 3 * N), weights = DENSE(w, MESAOPT_F64, SEEN, T),
                 activations = DENSE(stream, MESAOPT_F64, SEEN, T, 6), a = DENSE(one, MESAOPT_F64, 1, T), b = DENSE(two, MESAOPT_F64, 1, T), targets = out;
    targets.data = drawn[0][1], targets.shape[1] = T;
    const int64_t block = 1;
    for (int i = 0; i < SEEN; i++)
        for (int t = 0; t < T; t++) w[i][t] = t < lengths[i % B];
    ck_assert_int_eq(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, &out), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_tokens(task, &out, &x), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_activations(m, &x, 1, &block, &activations), MESAOPT_OK);
    for (int filter = 0; filter < 2; filter++) {
        mesaopt_settings *s = settings_from(MESAOPT_SCOPE_PROBE, filter ? "penalty=0.1 filter=1.2" : "penalty=0.1");
        for (int t = 0; t < T && filter; t++) leave_out(t, SEEN, drawn, w);
        mesaopt_probe *fed, *apart;
        ck_assert_int_eq(mesaopt_probe_plan(ctx, s, 1, (int64_t[]){6}, T, N, &fed), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_probe_plan(ctx, s, 1, (int64_t[]){6}, T, N, &apart), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_probe_feed_model(fed, MESAOPT_PROBE_TRAIN, m, &block, task, MESAOPT_STREAM_TEST, 0, SEEN), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_probe_feed(apart, MESAOPT_PROBE_TRAIN, &activations, &targets, &weights), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_probe_fit(fed, NULL), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_probe_fit(apart, NULL), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_probe_score(fed, MESAOPT_PROBE_TRAIN, &a, NULL), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_probe_score(apart, MESAOPT_PROBE_TRAIN, &b, NULL), MESAOPT_OK);
        for (int t = 0; t < T; t++) ck_assert_double_eq_tol(one[t], two[t], 1e-10 * two[t]);
        mesaopt_probe_free(fed);
        mesaopt_probe_free(apart);
        mesaopt_settings_free(s);
    }
    mesaopt_task_free(task);
    mesaopt_model_free(m);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* The scale of weights does not matter, for f32 either. */
START_TEST(scale_of_weights)
{
    static float x[B][T][IN], y[B][T][N];
    static double w[B][T];
    static const double scale[] = {1, 0.3e-19, 0.3e20};
    mesaopt_ctx *ctx = context_from("threads=1");
    mesaopt_model *m = model_from(ctx, "dtype=f32 inputs=6 outputs=2 seed=3", blocks);
    mesaopt_view tokens = DENSE(x, MESAOPT_F32, B, T, IN), targets = DENSE(y, MESAOPT_F32, B, T, N), weights = DENSE(w, MESAOPT_F64, B, T), g;
    double loss[3], first[3];
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 1, 20, 0, 0, 1, &tokens), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 2, 20, 0, 0, 1, &targets), MESAOPT_OK);
    for (int c = 0; c < 3; c++) {
        for (int i = 0; i < B * T; i++) w[i / T][i % T] = scale[c] * (1 + i % 3);
        ck_assert_int_eq(mesaopt_model_gradient(m, &tokens, &targets, &weights, &loss[c], NULL), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_model_parameter_gradient(m, "blocks.0.weight", &g), MESAOPT_OK);
        first[c] = (double)((float *)g.data)[3];
        ck_assert_double_eq_tol(loss[c], loss[0], 1e-6 * loss[0]);
        ck_assert_double_eq_tol(first[c], first[0], 1e-5 * fabs(first[0]));
    }
    mesaopt_model_free(m);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* A callback that plans for more of the task that it fills: refused, its memory stays. */
static int32_t plans_meanwhile(int32_t stream, int64_t first, const mesaopt_view *out, void *user)
{
    mesaopt_trainer *trainer = NULL;
    problem *p = user;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TRAINER, "batch=4096");
    (void)stream, (void)first;
    mesaopt_task *task = (mesaopt_task *)p->tokens.data;
    ck_assert_int_eq(mesaopt_trainer_create(p->ctx, s, p->m, task, &trainer), MESAOPT_E_BUSY);
    mesaopt_settings_free(s);
    for (int64_t i = 0; i < out->shape[0] * out->shape[1] * out->shape[2]; i++) ((double *)out->data)[i] = 1;
    return 0;
}

START_TEST(planned_while_filled)
{
    static problem p;
    double loss;
    p.ctx = context_from("threads=1");
    p.m = model_from(p.ctx, "dtype=f64 inputs=2 outputs=2", "dense(outputs=2)");
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, "dim=2 length=5 tokens=raw");
    mesaopt_task *task;
    ck_assert_int_eq(mesaopt_task_from_callback(p.ctx, s, plans_meanwhile, NULL, &p, &task), MESAOPT_OK);
    p.tokens.data = task;
    ck_assert_int_eq(mesaopt_model_evaluate(p.m, task, MESAOPT_STREAM_TEST, 0, 8, NULL, &loss), MESAOPT_OK);
    mesaopt_settings_free(s);
    mesaopt_task_free(task);
    mesaopt_model_free(p.m);
    mesaopt_ctx_free(p.ctx);
}
END_TEST

START_TEST(bad_weights)
{
    static problem p;
    static lists l;
    mesaopt_ctx *ctx = context_from("threads=1");
    mesaopt_task *task = ragged(ctx, &l), *own = task_from(ctx, "dim=2 length=9");
    double loss = 5;
    make(&p, ctx, 0, 0);
    const mesaopt_view w = p.weights, flat = DENSE(p.w, MESAOPT_F64, T), wrong = DENSE(p.w, MESAOPT_F64, B, T - 1);
    REFUSED(ctx, MESAOPT_E_SHAPE, "weights: ", mesaopt_model_loss(p.m, &p.tokens, &p.targets, &wrong, &loss));
    REFUSED(ctx, MESAOPT_E_SHAPE, "weights: ", mesaopt_task_set_weights(task, &wrong));
    REFUSED(ctx, MESAOPT_E_SHAPE, "weights: ", mesaopt_task_set_weights(own, &w));       /* it has no end */
    p.w[2][1] = -1;
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "weights: -1 at [2,1]", mesaopt_model_loss(p.m, &p.tokens, &p.targets, &w, &loss));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "weights: -1 at [2,1]", mesaopt_task_set_weights(task, &w));
    p.w[2][1] = NAN;
    REFUSED(ctx, MESAOPT_E_NONFINITE, "weights: ", mesaopt_model_loss(p.m, &p.tokens, &p.targets, &w, &loss));
    REFUSED(ctx, MESAOPT_E_NONFINITE, "weights: ", mesaopt_task_set_weights(task, &w));
    p.w[2][1] = 1e-30;                                 /* an f32 model could not tell it from 0 */
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "weights: 1e-30 at [2,1]", mesaopt_model_loss(p.m, &p.tokens, &p.targets, &w, &loss));
    p.w[2][1] = 1e21;
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "weights: 1e21 at [2,1]", mesaopt_task_set_weights(task, &w));
    memset(p.w, 0, sizeof p.w);
    p.w[1][1] = 1;                                     /* behind the end of sequence 1 */
    p.w[0][0] = 1;
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "weights: all 0 in the 1 steps of sequence 1", mesaopt_task_set_weights(task, &w));
    p.w[0][0] = p.w[1][1] = 0;
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "weights: all 0", mesaopt_model_loss(p.m, &p.tokens, &p.targets, &w, &loss));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "weights: all 0 in the 9 steps", mesaopt_task_set_weights(own, &flat));
    ck_assert(loss == 5);
    mesaopt_task_free(task);
    mesaopt_task_free(own);
    mesaopt_model_free(p.m);
    mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_weights_suite(void)
{
    Suite *s = suite_create("weights of steps");
    TCase *c = tcase_create("weights");
    suite_add_tcase(s, c);
    tcase_set_timeout(c, 120);
    tcase_add_test(c, ragged_is_one_by_one);
    tcase_add_test(c, ends_change_no_bit);
    tcase_add_test(c, weighted_mean);
    tcase_add_test(c, sequences_of_any_length);
    tcase_add_test(c, trained_and_compared);
    tcase_add_test(c, ends_of_tasks_change_no_bit);
    tcase_add_test(c, probed);
    tcase_add_test(c, scale_of_weights);
    tcase_add_test(c, planned_while_filled);
    tcase_add_test(c, bad_weights);
    return s;
}
