/* Sensitivity: every kind of block against central differences, one step against all of them, threads, interrupts, memory. */
#include "kind_texts.h"
#undef fail
#include "training_setup.h"
#include <math.h>

#define OK(call) ck_assert_int_eq(call, MESAOPT_OK)

enum { T = 5, N = 3, WIDTH = 4, OUT = 2, COUNT = 3, LAYERS = 4 };

static const int64_t all[LAYERS] = {-1, 0, 1, 2};

/* Raw tokens of the caller's own, and a model of this kind between two dense blocks; NULL when its settings refuse each other. */
typedef struct problem { mesaopt_ctx *ctx; mesaopt_model *model; mesaopt_task *task; int64_t widths[LAYERS]; double x[COUNT][T + 1][N]; } problem;

static mesaopt_task *own_task(mesaopt_ctx *ctx, double *x)
{
    const mesaopt_view v = DENSE(x, MESAOPT_F64, COUNT, T + 1, N);
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, "tokens=raw");
    mesaopt_tensor *t;
    mesaopt_task *task;
    OK(mesaopt_rng_normal(ctx, 3, 20, 0, 0, 1, &v));
    OK(mesaopt_tensor_wrap(ctx, &v, NULL, NULL, &t));
    OK(mesaopt_task_from_tensor(ctx, s, t, &task));
    mesaopt_tensor_free(t), mesaopt_settings_free(s);
    return task;
}

static int start(problem *p, int isa, const char *dtype, int lanes, const char *kind)
{
    char settings[100], text[800];
    if (!(p->ctx = context_at(isa, 1))) return 0;
    snprintf(settings, sizeof settings, "inputs=%d outputs=%d seed=4 dtype=%s lanes=%d", N, OUT, dtype, lanes);
    snprintf(text, sizeof text, "dense(outputs=%d,init_sd=0.5); %s; dense(outputs=%d,init_sd=0.5)", WIDTH, kind, OUT);
    p->model = model_from(p->ctx, settings, "dense(outputs=4,init_sd=0.5)");
    const mesaopt_status status = mesaopt_model_add_text(p->model, text + strlen("dense(outputs=4,init_sd=0.5); "));
    ck_assert(status == MESAOPT_OK || status == MESAOPT_E_UNSUPPORTED);
    p->task = own_task(p->ctx, p->x[0][0]);
    for (int l = 0; l < LAYERS && status == MESAOPT_OK; l++) OK(mesaopt_model_width(p->model, all[l], &p->widths[l]));
    for (int l = 0; l < LAYERS; l++) ck_assert_int_le(p->widths[l], WIDTH);
    return status == MESAOPT_OK;
}

static void end(problem *p)
{
    if (!p->ctx) return;
    mesaopt_model_free(p->model), mesaopt_task_free(p->task), mesaopt_ctx_free(p->ctx);
}

/* The stream after every block of `all`, with a feature of one step of all sequences moved. */
static void streams(problem *p, int t, int i, double by, double (*h)[COUNT][T][WIDTH])
{
    static double x[COUNT][T][N], out[LAYERS][COUNT * T * WIDTH];
    mesaopt_view outs[LAYERS];
    const mesaopt_view tokens = DENSE(x, MESAOPT_F64, COUNT, T, N);
    for (int b = 0; b < COUNT; b++) memcpy(x[b], p->x[b], sizeof x[b]), x[b][t][i] += by;
    for (int l = 0; l < LAYERS; l++) outs[l] = DENSE(out[l], MESAOPT_F64, COUNT, T, p->widths[l]);
    ck_assert_int_ge(mesaopt_model_activations(p->model, &tokens, LAYERS, all, outs), 0);
    for (int l = 0; l < LAYERS; l++)
        for (int e = 0; e < COUNT * T * p->widths[l]; e++) h[l][e / (T * p->widths[l])][e / p->widths[l] % T][e % p->widths[l]] = out[l][e];
}

static void by_differences(problem *p, double (*out)[T][T])
{
    static double up[LAYERS][COUNT][T][WIDTH], down[LAYERS][COUNT][T][WIDTH], square[LAYERS][COUNT][T][WIDTH][T];
    const double step = 1e-5;
    memset(square, 0, sizeof square);
    memset(out, 0, LAYERS * sizeof *out);
    for (int u = 0; u < T; u++)
        for (int i = 0; i < N; i++) {
            streams(p, u, i, step, up), streams(p, u, i, -step, down);
            for (int l = 0; l < LAYERS; l++)
                for (int b = 0; b < COUNT; b++)
                    for (int t = 0; t < T; t++)
                        for (int j = 0; j < p->widths[l]; j++) square[l][b][t][j][u] += pow((up[l][b][t][j] - down[l][b][t][j]) / (2 * step), 2);
        }
    for (int l = 0; l < LAYERS; l++)
        for (int b = 0; b < COUNT; b++)
            for (int t = 0; t < T; t++)
                for (int j = 0; j < p->widths[l]; j++)
                    for (int u = 0; u < T; u++) out[l][t][u] += sqrt(square[l][b][t][j][u]) / COUNT / (double)p->widths[l];
}

static mesaopt_status sensitivity(problem *p, double (*out)[T][T])
{
    const mesaopt_view v = DENSE(out, MESAOPT_F64, LAYERS, T, T);
    return mesaopt_study_sensitivity(p->model, LAYERS, all, p->task, MESAOPT_STREAM_TEST, 0, COUNT, -1, &v);
}

static void compare(problem *p, const char *kind, double tolerance)
{
    static double got[LAYERS][T][T], expected[LAYERS][T][T];
    if (sensitivity(p, got) != MESAOPT_OK) return;     /* an iterative solver stopped before its end */
    by_differences(p, expected);
    for (int e = 0; e < LAYERS * T * T; e++) {
        const int l = e / (T * T), t = e / T % T, u = e % T;
        ck_assert_msg(fabs(got[l][t][u] - expected[l][t][u]) < tolerance, "%s: layer %d, step %d to %d: %.12g, expected %.12g", kind, l, t, u, got[l][t][u], expected[l][t][u]);
        if (u > t) ck_assert_double_eq(got[l][t][u], 0);
    }
    for (int t = 0; t < T; t++) ck_assert_double_eq_tol(got[0][t][t], 1, 1e-14);         /* a token to itself */
}

START_TEST(differences)
{
    char kind[600];
    for (int variant = 0; kind_text(block_kind_at(_i), variant, kind, sizeof kind); variant++) {
        problem p = {0};
        if (start(&p, MESAOPT_ISA_BASELINE + variant % 3, "f64", 1 + variant % 2, kind)) compare(&p, kind, 1e-7);
        end(&p);
    }
}
END_TEST

/* f32 and f64, a step alone, and layers in any order. */
START_TEST(agreement)
{
    static double f64[LAYERS][T][T], f32[LAYERS][T][T], alone[3][T];
    for (int lanes = 1; lanes < 3; lanes++) {
        problem p = {0}, q = {0};
        ck_assert(start(&p, MESAOPT_ISA_AUTO, "f64", lanes, "softmax(heads=2,key=3,init_sd=0.5,pe=qk)"));
        ck_assert(start(&q, MESAOPT_ISA_AUTO, "f32", lanes, "softmax(heads=2,key=3,init_sd=0.5,pe=qk)"));
        OK(sensitivity(&p, f64));
        OK(sensitivity(&q, f32));
        for (int e = 0; e < LAYERS * T * T; e++) ck_assert_double_eq_tol(f64[e / (T * T)][e / T % T][e % T], f32[e / (T * T)][e / T % T][e % T], 1e-5);
        const mesaopt_view v = DENSE(alone, MESAOPT_F64, 3, T);
        for (int t = 0; t < T; t++) {
            OK(mesaopt_study_sensitivity(p.model, 3, (int64_t[]){2, -1, 2}, p.task, MESAOPT_STREAM_TEST, 0, COUNT, t, &v));
            ck_assert_mem_eq(alone[0], f64[3][t], sizeof alone[0]);
            ck_assert_mem_eq(alone[1], f64[0][t], sizeof alone[0]);
            ck_assert_mem_eq(alone[2], f64[3][t], sizeof alone[0]);
        }
        end(&p), end(&q);
    }
}
END_TEST

/* Steps count what the task says: a sequence that does not count at step t is not in row t. */
START_TEST(weights)
{
    static double whole[LAYERS][T][T], first[LAYERS][T][T];
    problem p = {0};
    double w[COUNT][T];
    const mesaopt_view weights = DENSE(w, MESAOPT_F64, COUNT, T), v = DENSE(first, MESAOPT_F64, LAYERS, T, T);
    ck_assert(start(&p, MESAOPT_ISA_AUTO, "f64", 2, "softmax(heads=2,key=3,init_sd=0.5,pe=qk)"));
    OK(mesaopt_study_sensitivity(p.model, LAYERS, all, p.task, MESAOPT_STREAM_TEST, 0, 1, -1, &v));
    for (int e = 0; e < COUNT * T; e++) w[e / T][e % T] = e < T ? 2 : e % T == 1 ? 1 : 0;
    for (int b = 1; b < COUNT; b++) w[b][0] = 1e-12;   /* some step of each has to count */
    OK(mesaopt_task_set_weights(p.task, &weights));
    OK(sensitivity(&p, whole));
    for (int l = 0; l < LAYERS; l++)
        for (int t = 2; t < T; t++)
            for (int u = 0; u < T; u++) ck_assert_double_eq_tol(whole[l][t][u], first[l][t][u], 1e-12);
    ck_assert_double_gt(fabs(whole[2][1][0] - first[2][1][0]), 1e-6);
    end(&p);
}
END_TEST

/* One dense block of weights 3, 4 in a column: the norm is 5 times whatever they are times, also where squares would vanish or overflow. */
START_TEST(derivatives_of_any_size)
{
    static const double sizes[] = {1e-300, 1e-170, 1, 1e170, 1e300};
    double x[COUNT][T + 1][N], out[T];
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_model *model = model_from(ctx, "inputs=3 outputs=1 dtype=f64", "dense(outputs=1)");
    mesaopt_task *task = own_task(ctx, x[0][0]);
    const mesaopt_view v = DENSE(out, MESAOPT_F64, 1, T);
    mesaopt_view weight;
    OK(mesaopt_model_parameter(model, "blocks.0.weight", &weight));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        double *w = weight.data;
        w[0] = 3 * sizes[i], w[1] = 0, w[2] = -4 * sizes[i];
        OK(mesaopt_study_sensitivity(model, 1, &(int64_t){0}, task, MESAOPT_STREAM_TEST, 0, COUNT, 2, &v));
        for (int t = 0; t < T; t++) ck_assert_double_eq_tol(out[t] / sizes[i], (t == 2 ? 5 : 0), 1e-14);
    }
    mesaopt_model_free(model), mesaopt_task_free(task), mesaopt_ctx_free(ctx);
}
END_TEST

static const recipe small = {"inputs=3 outputs=3 seed=5", "dense(outputs=6,init_sd=0.4); softmax(heads=2,key=3,init_sd=0.4,pe=qk); mesa(heads=1,key=4,init_sd=0.4,gates=sigmoid)",
                             "dim=3 length=9 tokens=raw seed=11", "batch=4", NULL};
enum { SIZE = 2 * 9 * 9 };

static mesaopt_status of_setup(setup *s, int64_t count, double *out)
{
    const mesaopt_view v = DENSE(out, MESAOPT_F64, 2, 9, 9);
    return mesaopt_study_sensitivity(s->model, 2, (int64_t[]){1, 2}, s->task, MESAOPT_STREAM_TEST, 4, count, -1, &v);
}

/* More sequences than a batch holds, any number of threads; the model's gradient stays as it was. */
START_TEST(threads)
{
    static double one[SIZE], two[SIZE];
    setup a = setup_start(context_at(MESAOPT_ISA_AUTO, 1), &small), b = setup_start(context_at(MESAOPT_ISA_AUTO, 2), &small);
    mesaopt_view g;
    double loss, before[4];
    OK(mesaopt_trainer_step(a.trainer, &loss));
    OK(mesaopt_trainer_step(b.trainer, &loss));
    OK(mesaopt_model_parameter_gradient(a.model, "blocks.1.query", &g));
    memcpy(before, g.data, sizeof before);
    OK(of_setup(&a, 300, one));
    OK(of_setup(&b, 300, two));
    ck_assert_mem_eq(one, two, sizeof one);
    ck_assert_mem_eq(before, g.data, sizeof before);
    mesaopt_ctx *x = a.ctx, *y = b.ctx;
    setup_end(&a), setup_end(&b);
    mesaopt_ctx_free(x), mesaopt_ctx_free(y);
}
END_TEST

static mesaopt_ctx *looped;
static void interrupting_loop(void (*body)(void *, int64_t), void *job, int64_t n, void *user)
{
    (void)user;
    for (int64_t i = 0; i < n; i++) {
        body(job, i);
        if (looped) mesaopt_ctx_interrupt(looped);
    }
}

START_TEST(interrupts)
{
    static double out[SIZE], again[SIZE];
    mesaopt_ctx *ctx = context_with(2, interrupting_loop, NULL);
    setup s = setup_start(ctx, &small);
    looped = NULL;
    OK(of_setup(&s, 40, again));
    looped = ctx;
    ck_assert_int_eq(of_setup(&s, 40, out), MESAOPT_E_INTERRUPTED);
    looped = NULL;
    OK(of_setup(&s, 40, out));
    ck_assert_mem_eq(out, again, sizeof out);
    setup_end(&s);
    mesaopt_ctx_free(ctx);
}
END_TEST

START_TEST(memory_that_runs_short)
{
    static double out[SIZE], few[SIZE];
    hook_alloc hook = {0};
    mesaopt_ctx *ctx = context_hooked(&hook, "threads=2");
    setup s = setup_start(ctx, &small);
    const long before = hook.blocks;
    mesaopt_status status = MESAOPT_E_MEMORY;
    for (long n = 1; status != MESAOPT_OK; n++) {
        ck_assert_int_lt(n, 60);
        hook.fail_at = hook.calls + n;
        status = of_setup(&s, 20, out);
        ck_assert(status == MESAOPT_OK || status == MESAOPT_E_MEMORY);
        ck_assert_int_le(hook.blocks, before + 1);     /* the pool stays */
    }
    hook.fail_at = 0;
    OK(of_setup(&s, 20, few));
    ck_assert_mem_eq(out, few, sizeof out);
    OK(of_setup(&s, 300, out));
    const long full = hook.bytes;
    OK(of_setup(&s, 900, out));
    ck_assert_int_eq(hook.bytes, full);
    setup_end(&s);
    mesaopt_ctx_free(ctx);
    ck_assert_int_eq(hook.blocks, 0);
}
END_TEST

Suite *test_sensitivity_suite(void)
{
    int kinds = 0;
    while (block_kind_at(kinds)) kinds++;
    Suite *s = suite_create("sensitivity");
    TCase *t = tcase_create("sensitivity");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, differences, 0, kinds);
    tcase_add_test(t, agreement);
    tcase_add_test(t, weights);
    tcase_add_test(t, derivatives_of_any_size);
    tcase_add_test(t, threads);
    tcase_add_test(t, interrupts);
    tcase_add_test(t, memory_that_runs_short);
    suite_add_tcase(s, t);
    return s;
}
