/* Preconditioned predictors against whole-matrix NumPy and JAX (oracle/preconditioning.py), and by their properties. */
#include "study/baseline_run.h"
#include "training_setup.h"
#include "oracle/golden_preconditioning.h"
#include <math.h>

#define OK(call) ck_assert_int_eq((call), MESAOPT_OK)
enum { GOLDEN = PRE_B * PRE_T * PRE_N };

static mesaopt_baseline *make(mesaopt_ctx *ctx, const char *kind, const char *settings)
{
    mesaopt_baseline *b;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_BASELINE, settings);
    OK(mesaopt_settings_set_text(s, "baseline", kind));
    OK(mesaopt_baseline_create(ctx, s, &b));
    mesaopt_settings_free(s);
    return b;
}

/* a and b, as many rows of them as the baseline has. */
static void set_coefficients(mesaopt_baseline *b, const double *ab, int64_t steps)
{
    mesaopt_view v;
    OK(mesaopt_baseline_coefficients(b, &v));
    ck_assert_int_eq(v.ndim, 2);
    ck_assert_int_eq(v.shape[1], steps);
    for (int64_t i = 0; i < v.shape[0]; i++)
        for (int64_t k = 0; k < steps; k++) ((double *)v.data)[i * v.stride[0] + k * v.stride[1]] = ab[i * steps + k];
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

static double draw(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 0x1p52 - 1;
}

START_TEST(iterations_are_those_of_numpy)
{
    mesaopt_ctx *ctx = context_at(_i, 1);
    if (!ctx) return;
    double out[GOLDEN], inputs[PRE_B][PRE_T][PRE_N];
    const mesaopt_view x = DENSE((double *)pre_x, MESAOPT_F64, PRE_B, PRE_T + 1, PRE_N), to = DENSE(out, MESAOPT_F64, PRE_B, PRE_T, PRE_N);
    const mesaopt_view in = DENSE(inputs, MESAOPT_F64, PRE_B, PRE_T, PRE_N);
    for (int s = 0; s < PRE_B; s++) memcpy(inputs[s], pre_x[s], sizeof inputs[s]);
    for (size_t i = 0; i < sizeof pre_rows / sizeof *pre_rows; i++) {
        mesaopt_baseline *b = make(ctx, pre_rows[i].kind, pre_rows[i].settings);
        const int learned = !strcmp(pre_rows[i].kind, "chebyshev") || !strcmp(pre_rows[i].kind, "richardson");
        if (learned) set_coefficients(b, &pre_ab[0][0], PRE_K);
        OK(mesaopt_baseline_predict(b, &x, &to));
        double off = relative(out, &pre_rows[i].p[0][0][0], GOLDEN);
        ck_assert_msg(off <= 1e-12, "%s %s: predictions are off by %g", pre_rows[i].kind, pre_rows[i].settings, off);
        if (pre_rows[i].has_u) {
            OK(mesaopt_baseline_precondition(b, &in, &to));
            off = relative(out, &pre_rows[i].u[0][0][0], GOLDEN);
            ck_assert_msg(off <= 1e-12, "%s %s: what it makes of x_t is off by %g", pre_rows[i].kind, pre_rows[i].settings, off);
        }
        OK(mesaopt_baseline_free(b));
    }
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* Sequences do not meet and time goes one way, to the last bit: each alone, with others after time `t`, with more threads. */
START_TEST(sequences_and_time)
{
    static const struct { const char *kind, *settings; } rows[] = {
        {"gd", "eta=0.1 iterations=3"}, {"kernel", "beta=2"}, {"neumann", ""}, {"newton", "iterations=3"}, {"richardson", "newest_pair=0"}, {"chebyshev", "divisor=12"}};
    enum { B = 21, T = 11, N = 6, ROW = (T + 1) * N };
    static double x[B * ROW], other[B * ROW], all[B * T * N], out[B * T * N];
    uint64_t state = 7;
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 3);
    for (int i = 0; i < B * ROW; i++) x[i] = draw(&state);
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        mesaopt_baseline *b = make(ctx, rows[r].kind, rows[r].settings);
        const mesaopt_view in = DENSE(x, MESAOPT_F64, B, T + 1, N), to = DENSE(all, MESAOPT_F64, B, T, N), changed = DENSE(other, MESAOPT_F64, B, T + 1, N),
                           again = DENSE(out, MESAOPT_F64, B, T, N);
        OK(mesaopt_baseline_predict(b, &in, &to));
        for (int s = 0; s < B; s++) {
            const mesaopt_view one = DENSE(x + s * ROW, MESAOPT_F64, 1, T + 1, N), single = DENSE(out, MESAOPT_F64, 1, T, N);
            OK(mesaopt_baseline_predict(b, &one, &single));
            ck_assert_mem_eq(out, all + s * T * N, T * N * sizeof *x);
        }
        for (int from = 1; from <= T; from++) {
            memcpy(other, x, sizeof x);
            for (int s = 0; s < B; s++)
                for (int i = from * N; i < ROW; i++) other[s * ROW + i] *= -1.5;
            OK(mesaopt_baseline_predict(b, &changed, &again));
            for (int s = 0; s < B; s++) ck_assert_mem_eq(out + s * T * N, all + s * T * N, (size_t)from * N * sizeof *x);
            if (from > 1 && from < T) ck_assert_mem_ne(out + from * N, all + from * N, N * sizeof *x);
        }
        OK(mesaopt_baseline_free(b));
    }
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* ---- gradients of the coefficients ---- */

/* pre_x through a tensor: a task of PRE_B sequences. */
static mesaopt_task *golden_task(mesaopt_ctx *ctx)
{
    mesaopt_tensor *tensor;
    mesaopt_task *task;
    const mesaopt_view x = DENSE((double *)pre_x, MESAOPT_F64, PRE_B, PRE_T + 1, PRE_N);
    OK(mesaopt_tensor_wrap(ctx, &x, NULL, NULL, &tensor));
    OK(mesaopt_task_from_tensor(ctx, NULL, tensor, &task));
    OK(mesaopt_tensor_free(tensor));
    return task;
}

/* Loss and gradient [2 K] on the first `count` sequences of the test stream. */
static double gradient_of(mesaopt_baseline *b, mesaopt_task *task, int64_t count, double *gradient)
{
    call c;
    double *sums = calloc((size_t)(task->shape.length + 2 * b->iterations), sizeof *sums);
    baseline_run r = {.b = b, .what = "test", .task = task, .stream = MESAOPT_STREAM_TEST, .values = 1, .gradients = 2 * b->iterations};
    OK(ctx_enter(b->head.ctx, CALL_NORMAL, &c));
    OK(baseline_run_open(&r, count));
    OK(baseline_run_measure(&r, &c, 0, count, &(double){b->value}, sums));
    baseline_run_close(&r);
    OK(ctx_leave(&c, MESAOPT_OK));
    for (int64_t i = 0; i < r.gradients; i++) gradient[i] = sums[r.T + i] / r.weight;
    const double loss = baseline_run_loss(&r, sums);
    free(sums);
    return loss;
}

START_TEST(gradients_are_those_of_jax)
{
    mesaopt_ctx *ctx = context_at(_i, 2);
    if (!ctx) return;
    mesaopt_task *task = golden_task(ctx);
    for (size_t i = 0; i < sizeof pre_gradients / sizeof *pre_gradients; i++) {
        double gradient[2 * PRE_K];
        mesaopt_baseline *b = make(ctx, "chebyshev", pre_gradients[i].settings);
        set_coefficients(b, &pre_ab[0][0], PRE_K);
        ck_assert_double_eq_tol(gradient_of(b, task, PRE_B, gradient), pre_gradients[i].loss, 1e-12 * pre_gradients[i].loss);
        const double off = relative(gradient, &pre_gradients[i].gradient[0][0], 2 * PRE_K);
        ck_assert_msg(off <= 1e-12, "%s: the gradient is off by %g", pre_gradients[i].settings, off);
        OK(mesaopt_baseline_free(b));
    }
    OK(mesaopt_task_free(task));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

typedef struct checked { mesaopt_baseline *b; mesaopt_task *task; int64_t count; } checked;

static int32_t loss_of(double *loss, void *user)
{
    const checked *c = user;
    return mesaopt_baseline_evaluate(c->b, c->task, MESAOPT_STREAM_TEST, 0, c->count, NULL, loss);
}

/* The default task, of odd and even dimensions, with a last panel that is not full. */
START_TEST(gradients_are_finite_differences)
{
    static const struct { const char *task, *baseline; int64_t K; } rows[] = {
        {"seed=3", "", 6}, {"dim=7 length=23", "iterations=3 newest_pair=0 ridge=0.1", 3}, {"dim=1 length=5", "iterations=1", 1},
        {"dim=13 task=contracting", "iterations=9 divisor=70", 9}, {"dim=3 hidden=5 length=11 task=partial", "iterations=3 ridge=0.1 space=slots slots=3", 3},
        {"dim=4 length=11 task=nonlinear", "iterations=4 space=features", 4}};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double gradient[18], error;
        uint64_t state = 5 + i;
        mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, rows[i].task);
        checked c = {make(ctx, "chebyshev", rows[i].baseline), NULL, 21};
        mesaopt_view v;
        OK(mesaopt_task_create(ctx, s, &c.task));
        mesaopt_settings_free(s);
        double weights[50];
        const mesaopt_view w = DENSE(weights, MESAOPT_F64, c.task->shape.length);
        for (int64_t t = 0; t < c.task->shape.length; t++) weights[t] = (double)(t % 3);
        if (i % 2) OK(mesaopt_task_set_weights(c.task, &w));
        OK(mesaopt_baseline_coefficients(c.b, &v));
        for (int64_t j = 0; j < 2 * rows[i].K; j++) ((double *)v.data)[j] += 0.3 * draw(&state);
        gradient_of(c.b, c.task, c.count, gradient);
        const mesaopt_view g = DENSE(gradient, MESAOPT_F64, 2, rows[i].K);
        OK(mesaopt_grad_check(ctx, loss_of, &c, &v, &g, 1e-3, &error));
        ck_assert_msg(error <= 1e-8, "%s %s: off by %g", rows[i].task, rows[i].baseline, error);
        OK(mesaopt_baseline_free(c.b));
        OK(mesaopt_task_free(c.task));
    }
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* ---- learning ---- */

static mesaopt_task *default_task(mesaopt_ctx *ctx)
{
    mesaopt_task *task;
    OK(mesaopt_task_create(ctx, NULL, &task));
    return task;
}

/* Coefficients after 20 updates in one run with one thread, in three runs with two, and by plain AdamW on the checked gradient. */
START_TEST(updates_are_adamw)
{
    enum { K = 4, BATCH = 43, UPDATES = 20 };
    const char *settings = "iterations=4 batch=43 lr=0.01 warmup=5 cosine_steps=30 clip_value=0.02 clip_norm=0.03";
    double first[2 * K], again[2 * K], plain[2 * K], m[2 * K] = {0}, v[2 * K] = {0};
    for (int threads = 1; threads <= 2; threads++) {
        mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, threads);
        mesaopt_task *task = default_task(ctx);
        mesaopt_baseline *b = make(ctx, "chebyshev", settings);
        mesaopt_view view;
        ck_assert_int_eq(mesaopt_baseline_updates(b), 0);
        for (int part = threads == 1 ? UPDATES : 7; mesaopt_baseline_updates(b) < UPDATES; part += 7)
            OK(mesaopt_baseline_train(b, task, part < UPDATES ? part : UPDATES, NULL, NULL));
        OK(mesaopt_baseline_train(b, task, 3, NULL, NULL));                      /* nothing is left to do */
        ck_assert_int_eq(mesaopt_baseline_updates(b), UPDATES);
        OK(mesaopt_baseline_coefficients(b, &view));
        memcpy(threads == 1 ? first : again, view.data, sizeof first);

        for (int i = 0; i < 2 * K; i++) ((double *)view.data)[i] = plain[i] = i < K;
        for (int step = 0; threads == 1 && step < UPDATES; step++) {
            double x[2 * K], norm = 0;
            double *batch = malloc(sizeof(double) * BATCH * 51 * 10);
            const mesaopt_view sequences = DENSE(batch, MESAOPT_F64, BATCH, 51, 10);
            mesaopt_tensor *tensor;
            mesaopt_task *own;
            OK(mesaopt_task_draw(task, MESAOPT_STREAM_TRAIN, step * BATCH, &sequences));
            OK(mesaopt_tensor_wrap(ctx, &sequences, free, batch, &tensor));
            OK(mesaopt_task_from_tensor(ctx, NULL, tensor, &own));
            OK(mesaopt_tensor_free(tensor));
            gradient_of(b, own, BATCH, x);
            OK(mesaopt_task_free(own));
            for (int i = 0; i < 2 * K; i++) x[i] = fmin(fmax(x[i], -0.02), 0.02), norm += x[i] * x[i];
            norm = sqrt(norm);
            const double lr = step < 5 ? 0.01 * step / 5 : 1e-5 + (0.01 - 1e-5) * (1 + cos(acos(-1) * (step - 5) / 25)) / 2;
            for (int i = 0; i < 2 * K; i++) {
                const double g = norm > 0.03 ? x[i] * 0.03 / norm : x[i];
                m[i] = 0.9 * m[i] + 0.1 * g, v[i] = 0.999 * v[i] + 0.001 * g * g;
                plain[i] -= lr * (m[i] / (1 - pow(0.9, step + 1)) / (sqrt(v[i] / (1 - pow(0.999, step + 1))) + 1e-8) + 0.05 * plain[i]);
                ((double *)view.data)[i] = plain[i];
            }
        }
        if (threads == 1) ck_assert_double_le(relative(first, plain, 2 * K), 1e-12);
        OK(mesaopt_baseline_free(b));
        OK(mesaopt_task_free(task));
        OK(mesaopt_ctx_free(ctx));
    }
    ck_assert_mem_eq(first, again, sizeof first);
    ck_assert_double_ge(fabs(first[2 * K - 1]), 1e-3);
}
END_TEST

/* Learned steps beat Neumann's, and momentum beats Richardson's, which learn a only: 300 updates at a high rate come close to what the recipe reaches (0.231). */
START_TEST(learning_lowers_the_loss)
{
    enum { TESTS = 2048 };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    mesaopt_task *task = default_task(ctx);
    const char *recipe = "newest_pair=0 lr=0.03 warmup=20 cosine_steps=300 batch=64";
    double neumann, richardson, chebyshev, paper;
    mesaopt_view v;
    mesaopt_baseline *b = make(ctx, "neumann", "newest_pair=0");
    OK(mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, TESTS, NULL, &neumann));
    OK(mesaopt_baseline_free(b));
    b = make(ctx, "richardson", recipe);
    OK(mesaopt_baseline_train(b, task, 300, NULL, NULL));
    OK(mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, TESTS, NULL, &richardson));
    OK(mesaopt_baseline_coefficients(b, &v));
    ck_assert_int_eq(v.shape[0], 1);
    OK(mesaopt_baseline_free(b));
    b = make(ctx, "chebyshev", recipe);
    OK(mesaopt_baseline_train(b, task, 300, NULL, NULL));
    OK(mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, TESTS, NULL, &chebyshev));
    OK(mesaopt_baseline_free(b));
    b = make(ctx, "lsq", "newest_pair=0");
    OK(mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, TESTS, NULL, &paper));
    OK(mesaopt_baseline_free(b));
    ck_assert_msg(richardson < 0.97 * neumann && chebyshev < 0.85 * richardson && chebyshev < 1.25 * paper && chebyshev > paper,
                  "neumann %g, richardson %g, chebyshev %g, least squares %g", neumann, richardson, chebyshev, paper);
    OK(mesaopt_task_free(task));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

typedef struct watcher { mesaopt_ctx *ctx; mesaopt_baseline *b; mesaopt_task *task; int64_t seen, stop_at; } watcher;

static int32_t watch(const mesaopt_step *step, void *user)
{
    watcher *w = user;
    double loss;
    ck_assert_int_eq(step->step, ++w->seen);
    ck_assert_int_eq(step->struct_size, sizeof *step);
    ck_assert(step->loss > 0 && step->grad_norm > 0);
    OK(mesaopt_baseline_evaluate(w->b, w->task, MESAOPT_STREAM_TEST, 0, 3, NULL, &loss));
    ck_assert_int_eq(mesaopt_baseline_updates(w->b), w->seen);
    ck_assert_int_eq(mesaopt_baseline_train(w->b, w->task, 99, NULL, NULL), MESAOPT_E_BUSY);
    if (w->seen == 5) mesaopt_ctx_interrupt(w->ctx);
    return w->seen == w->stop_at;
}

START_TEST(callbacks_and_interrupts_stop_cleanly)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    watcher w = {ctx, make(ctx, "chebyshev", "batch=5 warmup=0"), default_task(ctx), 0, 3};
    ck_assert_int_eq(mesaopt_baseline_train(w.b, w.task, 9, watch, &w), MESAOPT_STOPPED);
    ck_assert_int_eq(mesaopt_baseline_updates(w.b), 3);
    ck_assert_int_eq(mesaopt_baseline_train(w.b, w.task, 9, watch, &w), MESAOPT_STOPPED);
    ck_assert_int_eq(mesaopt_baseline_updates(w.b), 5);
    OK(mesaopt_baseline_train(w.b, w.task, 9, watch, &w));
    ck_assert_int_eq(w.seen, 9);
    OK(mesaopt_baseline_free(w.b));
    OK(mesaopt_task_free(w.task));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* Coefficients that blow up: the step is named, nothing moves, and good ones go on. */
START_TEST(losses_that_are_not_finite)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_task *task = default_task(ctx);
    mesaopt_baseline *b = make(ctx, "chebyshev", "batch=5");
    mesaopt_view v;
    OK(mesaopt_baseline_coefficients(b, &v));
    double *a = v.data;
    OK(mesaopt_baseline_train(b, task, 2, NULL, NULL));
    const double kept = a[0];
    a[1] = 1e300;
    ck_assert_int_eq(mesaopt_baseline_train(b, task, 4, NULL, NULL), MESAOPT_E_NONFINITE);
    char text[512];
    mesaopt_ctx_error(ctx, text, sizeof text);
    ck_assert_str_eq(text, "step 2: the loss is not finite");
    ck_assert(a[0] == kept && a[1] == 1e300);
    ck_assert_int_eq(mesaopt_baseline_updates(b), 2);
    a[1] = 1;
    OK(mesaopt_baseline_train(b, task, 4, NULL, NULL));
    OK(mesaopt_baseline_free(b));
    OK(mesaopt_task_free(task));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* Memory that runs short at the n-th block: the call fails, nothing is lost; and updates need no memory. */
START_TEST(memory)
{
    hook_alloc hook = {0};
    mesaopt_ctx *ctx = context_hooked(&hook, "");
    mesaopt_task *task = default_task(ctx);
    mesaopt_baseline *b = make(ctx, "chebyshev", "batch=5");
    int failures = 0;
    for (;; failures++) {
        const long blocks = hook.blocks;
        hook.fail_at = hook.calls + failures + 1;
        const mesaopt_status status = mesaopt_baseline_train(b, task, 1, NULL, NULL);
        hook.fail_at = 0;
        ck_assert_int_eq(hook.blocks, blocks);
        if (status == MESAOPT_OK) break;
        ck_assert_int_eq(status, MESAOPT_E_MEMORY);
        ck_assert_int_eq(mesaopt_baseline_updates(b), 0);
    }
    ck_assert_int_ge(failures, 3);
    long before = hook.calls;
    OK(mesaopt_baseline_train(b, task, 2, NULL, NULL));
    const long few = hook.calls - before;
    before = hook.calls;
    OK(mesaopt_baseline_train(b, task, 12, NULL, NULL));
    ck_assert_int_eq(hook.calls - before, few);
    OK(mesaopt_baseline_free(b));
    OK(mesaopt_task_free(task));
    OK(mesaopt_ctx_free(ctx));
    ck_assert_int_eq(hook.blocks, 0);
}
END_TEST

Suite *test_precondition_suite(void)
{
    Suite *suite = suite_create("precondition");
    TCase *golden = tcase_create("golden"), *learning = tcase_create("learning");
    tcase_add_loop_test(golden, iterations_are_those_of_numpy, MESAOPT_ISA_BASELINE, MESAOPT_ISA_AVX512 + 1);
    tcase_add_test(golden, sequences_and_time);
    tcase_add_loop_test(golden, gradients_are_those_of_jax, MESAOPT_ISA_BASELINE, MESAOPT_ISA_AVX512 + 1);
    tcase_add_test(golden, gradients_are_finite_differences);
    tcase_add_test(learning, updates_are_adamw);
    tcase_add_test(learning, learning_lowers_the_loss);
    tcase_add_test(learning, callbacks_and_interrupts_stop_cleanly);
    tcase_add_test(learning, losses_that_are_not_finite);
    tcase_add_test(learning, memory);
    tcase_set_timeout(learning, 60);
    suite_add_tcase(suite, golden);
    suite_add_tcase(suite, learning);
    return suite;
}
