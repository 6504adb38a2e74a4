/* Baselines against NumPy (oracle/baselines.py), by their properties, and against the losses of docs/science.md, section 7. */
#include "contexts.h"
#include "oracle/golden_baselines.h"
#include <math.h>

#define OK(call) ck_assert_int_eq((call), MESAOPT_OK)

/* ---- small helpers ---- */

typedef struct host { int64_t jobs; } host;

/* A host loop that runs its jobs last to first. */
static void backwards(void (*body)(void *job, int64_t i), void *job, int64_t n, void *user)
{
    ((host *)user)->jobs += n;
    for (int64_t i = n - 1; i >= 0; i--) body(job, i);
}

static mesaopt_ctx *context_with_loop(host *loop, int32_t jobs)
{
    mesaopt_ctx *ctx;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_CTX, "");
    OK(mesaopt_settings_set_int(s, MESAOPT_KEY_THREADS, jobs));
    OK(mesaopt_settings_set_parallel(s, backwards, NULL, loop));
    OK(mesaopt_ctx_create(s, &ctx));
    mesaopt_settings_free(s);
    return ctx;
}

static mesaopt_baseline *make_baseline(mesaopt_ctx *ctx, const char *name, double value, int newest)
{
    mesaopt_settings *s;
    mesaopt_baseline *b;
    OK(mesaopt_settings_create(MESAOPT_SCOPE_BASELINE, NULL, NULL, &s));
    OK(mesaopt_settings_set_text(s, "baseline", name));
    OK(mesaopt_settings_set_float(s, strcmp(name, "gd") ? MESAOPT_KEY_RIDGE : MESAOPT_KEY_ETA, value));
    OK(mesaopt_settings_set_int(s, MESAOPT_KEY_NEWEST_PAIR, newest));
    OK(mesaopt_baseline_create(ctx, s, &b));
    mesaopt_settings_free(s);
    return b;
}

/* Predictions of x [B, T + 1, n] into out [B, T, n], both double. */
static void predict(mesaopt_ctx *ctx, const char *name, double value, int newest, int64_t B, int64_t T, int64_t n, double *x, double *out)
{
    mesaopt_baseline *b = make_baseline(ctx, name, value, newest);
    const mesaopt_view in = DENSE(x, MESAOPT_F64, B, T + 1, n), to = DENSE(out, MESAOPT_F64, B, T, n);
    for (int64_t i = 0; i < B * T * n; i++) out[i] = NAN;
    OK(mesaopt_baseline_predict(b, &in, &to));
    OK(mesaopt_baseline_free(b));
}

static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 0x1p52 - 1;
}

static double *random_array(int64_t count, uint64_t seed)
{
    double *x = malloc((size_t)count * sizeof *x);
    for (int64_t i = 0; i < count; i++) x[i] = uniform(&seed);
    return x;
}

/* |a - b| / |b| */
static double relative(const double *a, const double *b, int64_t count)
{
    double off = 0, size = 0;
    for (int64_t i = 0; i < count; i++) {
        off += (a[i] - b[i]) * (a[i] - b[i]);
        size += b[i] * b[i];
    }
    return sqrt(off / size);
}

/* ---- predictions ---- */

enum { GOLDEN = GOLDEN_B * GOLDEN_T * GOLDEN_N };

static void golden_at(mesaopt_ctx *ctx)
{
    double out[GOLDEN];
    predict(ctx, "gd", 1, 1, GOLDEN_B, GOLDEN_T, GOLDEN_N, (double *)golden_x, out);
    ck_assert_double_le(relative(out, &golden_gd[0][0][0], GOLDEN), 1e-14);
    predict(ctx, "gd", 0.25, 0, GOLDEN_B, GOLDEN_T, GOLDEN_N, (double *)golden_x, out);     /* newest_pair does not concern gd */
    for (int i = 0; i < GOLDEN; i++) out[i] *= 4;
    ck_assert_double_le(relative(out, &golden_gd[0][0][0], GOLDEN), 1e-14);
    for (size_t i = 0; i < sizeof golden_lsq / sizeof *golden_lsq; i++) {
        const double *want = &golden_lsq[i].p[0][0][0];
        predict(ctx, "lsq", golden_lsq[i].ridge, golden_lsq[i].newest, GOLDEN_B, GOLDEN_T, GOLDEN_N, (double *)golden_x, out);
        double off = relative(out, want, GOLDEN);
        ck_assert_msg(off <= 1e-13, "ridge %g, newest_pair %d: off by %g", golden_lsq[i].ridge, golden_lsq[i].newest, off);
        for (int t = 0; t < (golden_lsq[i].newest ? 1 : 2); t++)
            for (int j = 0; j < GOLDEN_N; j++) ck_assert_double_eq(out[t * GOLDEN_N + j], 0);  /* no pairs yet */
    }
}

START_TEST(predictions_are_those_of_numpy)
{
    for (int32_t isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
        mesaopt_ctx *ctx = context_at(isa, 1);
        if (!ctx) continue;
        golden_at(ctx);
        OK(mesaopt_ctx_free(ctx));
    }
}
END_TEST

/* f32 sequences laid out [n][T+1][B], read backwards; f32 predictions. */
START_TEST(any_layout_and_type)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    static float x[GOLDEN_N][GOLDEN_T + 1][GOLDEN_B], out[GOLDEN_N][GOLDEN_T][GOLDEN_B];
    for (int b = 0; b < GOLDEN_B; b++)
        for (int t = 0; t <= GOLDEN_T; t++)
            for (int j = 0; j < GOLDEN_N; j++) x[j][t][GOLDEN_B - 1 - b] = (float)golden_x[b][t][j];
    mesaopt_view in = {&x[0][0][GOLDEN_B - 1], {GOLDEN_B, GOLDEN_T + 1, GOLDEN_N}, {-1, GOLDEN_B, GOLDEN_B * (GOLDEN_T + 1)},
                       3, MESAOPT_F32, MESAOPT_VIEW_READONLY, 0};
    mesaopt_view to = {out, {GOLDEN_B, GOLDEN_T, GOLDEN_N}, {1, GOLDEN_B, GOLDEN_B * GOLDEN_T}, 3, MESAOPT_F32, 0, 0};
    mesaopt_baseline *b = make_baseline(ctx, "lsq", golden_lsq[5].ridge, golden_lsq[5].newest);
    OK(mesaopt_baseline_predict(b, &in, &to));
    for (int s = 0; s < GOLDEN_B; s++)
        for (int t = 0; t < GOLDEN_T; t++)
            for (int j = 0; j < GOLDEN_N; j++) ck_assert_double_eq_tol(out[j][t][s], golden_lsq[5].p[s][t][j], 1e-6);

    in.shape[0] = to.shape[0] = 0;                     /* nothing to do is fine */
    OK(mesaopt_baseline_predict(b, &in, &to));
    in.shape[1] = 1, to.shape[1] = 0;
    OK(mesaopt_baseline_predict(b, &in, &to));
    OK(mesaopt_baseline_free(b));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* A sequence's predictions do not depend on its neighbours, its place in the batch or the number of threads, to the last bit; and what comes
 * later changes nothing before. */
static void independence(const char *name, double value, int newest)
{
    enum { B = 21, T = 11, N = 6, ROW = (T + 1) * N };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 3);
    double *x = random_array(B * ROW, 7), *turned = random_array(B * ROW, 8), *all = random_array(B * T * N, 9), *other = random_array(B * T * N, 10);
    predict(ctx, name, value, newest, B, T, N, x, all);
    for (int b = 0; b < B; b++) {
        predict(ctx, name, value, newest, 1, T, N, x + b * ROW, other);
        ck_assert_mem_eq(other, all + b * T * N, T * N * sizeof *x);
        memcpy(turned + (B - 1 - b) * ROW, x + b * ROW, ROW * sizeof *x);
    }
    predict(ctx, name, value, newest, B, T, N, turned, other);
    for (int b = 0; b < B; b++) ck_assert_mem_eq(other + (B - 1 - b) * T * N, all + b * T * N, T * N * sizeof *x);
    for (int from = 0; from <= T; from++) {            /* other observations from x_{from+1} on */
        memcpy(turned, x, B * ROW * sizeof *x);
        for (int b = 0; b < B; b++)
            for (int i = from * N; i < ROW; i++) turned[b * ROW + i] *= -1.5;
        predict(ctx, name, value, newest, B, T, N, turned, other);
        for (int b = 0; b < B; b++) ck_assert_mem_eq(other + b * T * N, all + b * T * N, (size_t)(from < T ? from : T) * N * sizeof *x);
        if (from > 1 && from < T) ck_assert_mem_ne(other + from * N, all + from * N, N * sizeof *x);
    }
    free(x), free(turned), free(all), free(other);
    OK(mesaopt_ctx_free(ctx));
}

START_TEST(sequences_do_not_meet_and_time_goes_one_way)
{
    independence("gd", 0.1, 1);
    independence("lsq", 0.001, 1);
    independence("lsq", 0.001, 0);
}
END_TEST

/* A large ridge leaves nothing, and what it leaves is the gradient step: ridge * lsq -> gd with eta = 1. */
START_TEST(large_ridge_is_a_small_gradient_step)
{
    enum { B = 5, T = 20, N = 7 };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    double *x = random_array(B * (T + 1) * N, 3), *lsq = random_array(B * T * N, 4), *gd = random_array(B * T * N, 5);
    predict(ctx, "lsq", 1e9, 1, B, T, N, x, lsq);
    predict(ctx, "gd", 1, 1, B, T, N, x, gd);
    for (int i = 0; i < B * T * N; i++) {
        ck_assert_double_le(fabs(lsq[i]), 1e-7);
        lsq[i] *= 1e9;
    }
    ck_assert_double_le(relative(lsq, gd, B * T * N), 1e-7);
    free(x), free(lsq), free(gd);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* x_{t+1} = W x_t without noise: once there are n pairs, least squares knows W, even at the smallest ridge. */
START_TEST(noiseless_systems_are_learned)
{
    enum { T = 40, N = 12 };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    double *W = random_array(N * N, 6), *x = random_array((T + 1) * N, 7), *out = random_array(T * N, 8);
    for (int t = 0; t < T; t++) {
        double size = 0;
        for (int i = 0; i < N; i++) {
            x[(t + 1) * N + i] = 0;
            for (int j = 0; j < N; j++) x[(t + 1) * N + i] += W[i * N + j] * x[t * N + j] / 2;
            size += x[(t + 1) * N + i] * x[(t + 1) * N + i];
        }
        ck_assert(size > 1e-6 && size < 1e6);
    }
    for (int newest = 0; newest <= 1; newest++) {
        predict(ctx, "lsq", 1e-9, newest, 1, T, N, x, out);
        for (int t = N + 1 - newest; t < T; t++) ck_assert_double_le(relative(out + t * N, x + (t + 1) * N, N), 1e-3);
        ck_assert_double_ge(relative(out + (N - 2) * N, x + (N - 1) * N, N), 1e-2);
    }
    free(W), free(x), free(out);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* ---- tasks ---- */

static mesaopt_task *linear_task(mesaopt_ctx *ctx)
{
    mesaopt_task *task;
    OK(mesaopt_task_create(ctx, NULL, &task));
    return task;
}

enum { N0 = 10, T0 = 50 };                             /* of the default task */

/* Loss and by_t of `count` sequences by drawing and predicting them. */
static double direct_loss(mesaopt_task *task, mesaopt_baseline *b, int32_t stream, int64_t first, int64_t count, double by_t[T0])
{
    double *x = malloc((size_t)count * (T0 + 1) * N0 * sizeof *x), *p = malloc((size_t)count * T0 * N0 * sizeof *p), sum = 0;
    const mesaopt_view in = DENSE(x, MESAOPT_F64, count, T0 + 1, N0), out = DENSE(p, MESAOPT_F64, count, T0, N0);
    OK(mesaopt_task_draw(task, stream, first, &in));
    OK(mesaopt_baseline_predict(b, &in, &out));
    for (int t = 0; t < T0; t++) {
        by_t[t] = 0;
        for (int64_t s = 0; s < count; s++)
            for (int j = 0; j < N0; j++) {
                double d = p[(s * T0 + t) * N0 + j] - x[(s * (T0 + 1) + t + 1) * N0 + j];
                by_t[t] += d * d / (2 * (double)count);
            }
        sum += by_t[t];
    }
    free(x), free(p);
    return sum / T0;
}

START_TEST(evaluation_is_the_mean_over_sequences)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    mesaopt_task *task = linear_task(ctx);
    mesaopt_baseline *b[] = {make_baseline(ctx, "gd", 0.03, 1), make_baseline(ctx, "lsq", 0.001, 1), make_baseline(ctx, "lsq", 0.1, 0)};
    for (int i = 0; i < 3; i++) {
        double want[T0], by_t[2 * T0], loss = NAN, part[3];
        mesaopt_view every_other = {by_t, {T0}, {2}, 1, MESAOPT_F64, 0, 0};
        double expected = direct_loss(task, b[i], MESAOPT_STREAM_TEST, 5, 601, want);
        OK(mesaopt_baseline_evaluate(b[i], task, MESAOPT_STREAM_TEST, 5, 601, &every_other, &loss));
        ck_assert_double_eq_tol(loss, expected, 1e-13);
        for (int t = 0; t < T0; t++) ck_assert_double_eq_tol(by_t[2 * t], want[t], 1e-13);
        OK(mesaopt_baseline_evaluate(b[i], task, MESAOPT_STREAM_TEST, 5, 1, NULL, &part[0]));
        OK(mesaopt_baseline_evaluate(b[i], task, MESAOPT_STREAM_TEST, 6, 600, NULL, &part[1]));
        ck_assert_double_eq_tol((part[0] + 600 * part[1]) / 601, loss, 1e-13);
        OK(mesaopt_baseline_evaluate(b[i], task, MESAOPT_STREAM_TRAIN, 5, 1, NULL, &part[2]));
        ck_assert_double_ne(part[0], part[2]);
        OK(mesaopt_baseline_free(b[i]));
    }
    OK(mesaopt_task_free(task));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* Evaluation and search with 1 and 3 threads and with a host loop that runs its jobs in reverse: equal bits. */
START_TEST(threads_change_no_bit)
{
    double first[T0 + 3] = {0};
    host loop = {0};
    for (int i = 0; i < 3; i++) {
        double got[T0 + 3];
        mesaopt_ctx *ctx = i == 2 ? context_with_loop(&loop, 3) : context_at(MESAOPT_ISA_AUTO, i ? 3 : 1);
        mesaopt_task *task = linear_task(ctx);
        mesaopt_baseline *lsq = make_baseline(ctx, "lsq", 0.01, 1), *gd = make_baseline(ctx, "gd", 0.01, 1);
        const mesaopt_view by_t = DENSE(got, MESAOPT_F64, T0);
        OK(mesaopt_baseline_evaluate(lsq, task, MESAOPT_STREAM_TEST, 0, 777, &by_t, &got[T0]));
        OK(mesaopt_baseline_search(gd, task, 333, &got[T0 + 1]));
        OK(mesaopt_baseline_evaluate(gd, task, MESAOPT_STREAM_TEST, 0, 777, NULL, &got[T0 + 2]));
        if (i == 0) memcpy(first, got, sizeof got);
        ck_assert_mem_eq(first, got, sizeof got);
        OK(mesaopt_baseline_free(lsq));
        OK(mesaopt_baseline_free(gd));
        OK(mesaopt_task_free(task));
        OK(mesaopt_ctx_free(ctx));
    }
    ck_assert_int_gt(loop.jobs, 0);
}
END_TEST

static int32_t fill_from_array(int32_t stream, int64_t first, const mesaopt_view *out, void *user)
{
    const double *x = user;
    (void)stream;
    for (int64_t b = 0; b < out->shape[0]; b++)
        for (int64_t t = 0; t < out->shape[1]; t++)
            for (int64_t j = 0; j < out->shape[2]; j++)
                ((double *)out->data)[b * out->stride[0] + t * out->stride[1] + j * out->stride[2]] =
                    x[((first + b) * out->shape[1] + t) * out->shape[2] + j];
    return 0;
}

/* Own data as a tensor and through a callback give the same loss, and search works on either. */
START_TEST(own_data)
{
    enum { COUNT = 600, T = 9, N = 4 };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    double *x = random_array(COUNT * (T + 1) * N, 12), loss[2], best[2];
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, "dim=4 length=9");
    mesaopt_tensor *tensor;
    mesaopt_task *task[2];
    const mesaopt_view view = DENSE(x, MESAOPT_F64, COUNT, T + 1, N);
    OK(mesaopt_tensor_wrap(ctx, &view, NULL, NULL, &tensor));
    OK(mesaopt_task_from_tensor(ctx, NULL, tensor, &task[0]));
    OK(mesaopt_task_from_callback(ctx, s, fill_from_array, NULL, x, &task[1]));
    mesaopt_settings_free(s);
    for (int i = 0; i < 2; i++) {
        mesaopt_baseline *b = make_baseline(ctx, "lsq", 0.5, 1);
        OK(mesaopt_baseline_evaluate(b, task[i], MESAOPT_STREAM_TEST, 10, COUNT - 10, NULL, &loss[i]));
        ck_assert_int_eq(mesaopt_baseline_search(b, task[i], COUNT, &best[i]), MESAOPT_AT_BOUND);      /* noise has nothing to learn */
        SAID(ctx, "the best ridge is");
        OK(mesaopt_baseline_free(b));
        OK(mesaopt_task_free(task[i]));
    }
    ck_assert_double_eq(loss[0], loss[1]);
    ck_assert_double_eq(best[0], best[1]);
    double squares = 0;
    for (int64_t i = 0; i < COUNT * (T + 1) * N; i++) squares += i / N % (T + 1) < T ? x[i] * x[i] : 0;
    ck_assert_double_eq_tol(best[0], 10 * squares / (COUNT * T * N), 1e-12);      /* the end of the range */
    OK(mesaopt_tensor_free(tensor));
    free(x);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* Where a search looks for a ridge goes by the inputs: the outputs of pairs may be of any size, as the best ridge is the same. */
START_TEST(outputs_of_any_size)
{
    enum { COUNT = 300, P = 8, N = 3 };
    static const double sizes[] = {1, 1024, 0x1p-20};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    double *x = random_array(COUNT * P * N, 31), *noise = random_array(COUNT * P * N, 32), *y = malloc(COUNT * P * N * sizeof *y), best[3];
    const mesaopt_view inputs = DENSE(x, MESAOPT_F64, COUNT, P, N), outputs = DENSE(y, MESAOPT_F64, COUNT, P, N);
    mesaopt_tensor *tensor[2];
    OK(mesaopt_tensor_wrap(ctx, &inputs, NULL, NULL, &tensor[0]));
    OK(mesaopt_tensor_wrap(ctx, &outputs, NULL, NULL, &tensor[1]));
    for (int i = 0; i < 3; i++) {
        mesaopt_settings *s = settings_from(MESAOPT_SCOPE_BASELINE, "baseline=lsq pairs=scored");
        mesaopt_baseline *b;
        mesaopt_task *task;
        for (int64_t e = 0; e < COUNT * P * N; e++) y[e] = sizes[i] * (x[e / N * N + (e + 1) % N] + noise[e]);
        OK(mesaopt_task_from_pairs(ctx, NULL, tensor[0], tensor[1], &task));
        OK(mesaopt_baseline_create(ctx, s, &b));
        OK(mesaopt_baseline_search(b, task, COUNT, &best[i]));
        ck_assert_double_eq_tol(best[i], best[0], 1e-9);
        mesaopt_baseline_free(b), mesaopt_task_free(task), mesaopt_settings_free(s);
    }
    mesaopt_tensor_free(tensor[0]), mesaopt_tensor_free(tensor[1]);
    free(x), free(noise), free(y);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

static double loss_at(mesaopt_ctx *ctx, mesaopt_task *task, const char *name, double value, int64_t count)
{
    double loss;
    mesaopt_baseline *b = make_baseline(ctx, name, value, 1);
    OK(mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_SEARCH, 0, count, NULL, &loss));
    OK(mesaopt_baseline_free(b));
    return loss;
}

static mesaopt_task *seeded_task(mesaopt_ctx *ctx, int64_t seed)
{
    mesaopt_task *task;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, "");
    OK(mesaopt_settings_set_int(s, MESAOPT_KEY_SEED, seed));
    OK(mesaopt_task_create(ctx, s, &task));
    mesaopt_settings_free(s);
    return task;
}

/* The loss of gd is a parabola in eta, known from three points; that of lsq must rise on both sides of what is found. Several small samples, so
 * that the best value lies left and right of the grids' points. */
START_TEST(line_search_finds_the_lowest_loss)
{
    enum { COUNT = 48 };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    for (int64_t seed = 1; seed <= 6; seed++) {
        mesaopt_task *task = seeded_task(ctx, seed);
        double at0 = loss_at(ctx, task, "gd", 0, COUNT), at1 = loss_at(ctx, task, "gd", 1, COUNT), at2 = loss_at(ctx, task, "gd", 2, COUNT);
        double curve = (at2 - 2 * at1 + at0) / 2, slope = at1 - at0 - curve, best, after;
        mesaopt_baseline *b = make_baseline(ctx, "gd", 0.5, 1);
        OK(mesaopt_baseline_search(b, task, COUNT, &best));
        ck_assert_double_eq_tol(best, -slope / (2 * curve), 0.002 * best);
        OK(mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_SEARCH, 0, COUNT, NULL, &after));
        ck_assert_double_eq(after, loss_at(ctx, task, "gd", best, COUNT));     /* the baseline took the value */
        OK(mesaopt_baseline_free(b));

        b = make_baseline(ctx, "lsq", 5, 1);
        OK(mesaopt_baseline_search(b, task, COUNT, &best));
        double lowest = loss_at(ctx, task, "lsq", best, COUNT);
        ck_assert_double_lt(lowest, loss_at(ctx, task, "lsq", best * 1.008, COUNT));
        ck_assert_double_lt(lowest, loss_at(ctx, task, "lsq", best / 1.008, COUNT));
        OK(mesaopt_baseline_search(b, task, COUNT, NULL));
        OK(mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_SEARCH, 0, COUNT, NULL, &after));
        ck_assert_double_eq(lowest, after);
        OK(mesaopt_baseline_free(b));
        OK(mesaopt_task_free(task));
    }
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* The same sequences in other units: ridges go with their square, step sizes and beta with its inverse, and what is predicted is the same. */
START_TEST(line_search_follows_the_scale_of_the_data)
{
    enum { COUNT = 64, T = 30, N = 3 };
    static const char *const name[] = {"gd", "lsq", "kernel", "newton"};
    const double units[] = {1, 15, 1e-9, 3e12};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    mesaopt_task *drawn = task_from(ctx, "dim=3 length=30 noise=0.3");
    double *x = calloc(COUNT * (T + 1) * N, sizeof *x), *y = calloc(COUNT * (T + 1) * N, sizeof *y);
    const mesaopt_view in = DENSE(x, MESAOPT_F64, COUNT, T + 1, N), scaled = DENSE(y, MESAOPT_F64, COUNT, T + 1, N);
    OK(mesaopt_task_draw(drawn, MESAOPT_STREAM_TEST, 0, &in));
    for (int i = 0; i < 4; i++) {
        double first = 0, loss_first = 0;
        for (int u = 0; u < 4; u++) {
            double best, loss;
            mesaopt_tensor *tensor;
            mesaopt_task *task;
            for (int64_t e = 0; e < COUNT * (T + 1) * N; e++) y[e] = x[e] * units[u];
            OK(mesaopt_tensor_wrap(ctx, &scaled, NULL, NULL, &tensor));
            OK(mesaopt_task_from_tensor(ctx, NULL, tensor, &task));
            mesaopt_baseline *b = make_baseline(ctx, name[i], 1, 1);
            OK(mesaopt_baseline_search(b, task, COUNT, &best));
            OK(mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, COUNT, NULL, &loss));
            const double square = units[u] * units[u], unit = i % 2 ? square : 1 / square;
            if (u == 0) first = best, loss_first = loss;
            ck_assert_double_eq_tol(best / unit, first, 1e-9 * first);
            ck_assert_double_eq_tol(loss / square, loss_first, 1e-9 * loss_first);
            OK(mesaopt_baseline_free(b));
            OK(mesaopt_task_free(task));
            OK(mesaopt_tensor_free(tensor));
        }
    }
    OK(mesaopt_task_free(drawn));
    free(x), free(y);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* docs/science.md, section 7, claim 1, which holds for 32768 sequences: gd 0.900 with eta 0.032, lsq 0.211 and 0.184. Of 4096 sequences the mean of gd has a
 * standard deviation of 0.006, that of lsq of 0.001. */
START_TEST(losses_are_those_of_the_paper)
{
    enum { COUNT = 4096 };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    mesaopt_task *task = linear_task(ctx);
    double eta, gd, paper, newest;
    mesaopt_baseline *b = make_baseline(ctx, "gd", 1, 1);
    OK(mesaopt_baseline_search(b, task, 2048, &eta));
    OK(mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, COUNT, NULL, &gd));
    OK(mesaopt_baseline_free(b));
    ck_assert_double_eq_tol(eta, 0.032, 0.002);
    ck_assert_double_eq_tol(gd, 0.900, 0.020);

    b = make_baseline(ctx, "lsq", 0.001, 0);
    OK(mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, COUNT, NULL, &paper));
    OK(mesaopt_baseline_free(b));
    b = make_baseline(ctx, "lsq", 0.001, 1);
    OK(mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, COUNT, NULL, &newest));
    OK(mesaopt_baseline_free(b));
    ck_assert_double_eq_tol(paper, 0.211, 0.005);
    ck_assert_double_eq_tol(newest, 0.184, 0.004);
    OK(mesaopt_task_free(task));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

Suite *test_baseline_suite(void)
{
    Suite *suite = suite_create("baseline");
    TCase *predictions = tcase_create("predictions"), *tasks = tcase_create("tasks");
    tcase_add_test(predictions, predictions_are_those_of_numpy);
    tcase_add_test(predictions, any_layout_and_type);
    tcase_add_test(predictions, sequences_do_not_meet_and_time_goes_one_way);
    tcase_add_test(predictions, large_ridge_is_a_small_gradient_step);
    tcase_add_test(predictions, noiseless_systems_are_learned);
    tcase_add_test(tasks, evaluation_is_the_mean_over_sequences);
    tcase_add_test(tasks, threads_change_no_bit);
    tcase_add_test(tasks, own_data);
    tcase_add_test(tasks, outputs_of_any_size);
    tcase_add_test(tasks, line_search_finds_the_lowest_loss);
    tcase_add_test(tasks, line_search_follows_the_scale_of_the_data);
    tcase_add_test(tasks, losses_are_those_of_the_paper);
    tcase_set_timeout(tasks, 60);
    suite_add_tcase(suite, predictions);
    suite_add_tcase(suite, tasks);
    return suite;
}
