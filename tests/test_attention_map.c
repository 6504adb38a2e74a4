/* Attention maps: against NumPy, against what the block does with them, and what must not matter: threads, batches, lanes. */
#include "oracle/golden_studies.h"
#include "training_setup.h"
#include <math.h>

#define OK(call) ck_assert_int_eq(call, MESAOPT_OK)

enum { D = 5, T = 23, H = 2, DV = 3, COUNT = 21 };

/* Raw tokens of the caller's own: all but the last of `rows` observations. */
static mesaopt_task *task_of(mesaopt_ctx *ctx, const double *x, int64_t count, int64_t rows, int64_t width)
{
    mesaopt_tensor *t;
    mesaopt_task *task;
    const mesaopt_view v = DENSE((double *)x, MESAOPT_F64, count, rows, width);
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, "tokens=raw");
    OK(mesaopt_tensor_wrap(ctx, &v, NULL, NULL, &t));
    OK(mesaopt_task_from_tensor(ctx, s, t, &task));
    mesaopt_settings_free(s);
    mesaopt_tensor_free(t);
    return task;
}

static void set_parameter(mesaopt_model *m, const char *name, const double *values)
{
    char whole[40];
    mesaopt_view to;
    snprintf(whole, sizeof whole, "blocks.0.%s", name);
    OK(mesaopt_model_parameter(m, whole, &to));
    for (int64_t i = 0; i < to.shape[0] * to.shape[1]; i++)
        if (to.dtype == MESAOPT_F64) ((double *)to.data)[i] = values[i];
        else ((float *)to.data)[i] = (float)values[i];
}

START_TEST(numpy)
{
    enum { ROWS = MAP_T + 1, SIZE = MAP_HEADS * MAP_T * MAP_T };
    const golden_map *g = &golden_maps[_i];
    static double x[MAP_B][ROWS][MAP_D];
    double map[SIZE];
    float map32[SIZE];
    for (int i = 0; i < MAP_B * MAP_T * MAP_D; i++) x[i / (MAP_T * MAP_D)][i / MAP_D % MAP_T][i % MAP_D] = map_tokens[i];
    for (int isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++)
        for (int way = 0; way < 4; way++) {
            mesaopt_ctx *ctx = context_at(isa, 1);
            if (!ctx) continue;
            char settings[80];
            const int f64 = way % 2;
            snprintf(settings, sizeof settings, "inputs=%d outputs=1 lanes=%d dtype=%s", MAP_D, 1 + way / 2, f64 ? "f64" : "f32");
            mesaopt_model *m = model_from(ctx, settings, g->block);
            mesaopt_task *task = task_of(ctx, x[0][0], MAP_B, ROWS, MAP_D);
            for (int i = 0; i < 10 && g->parameter[i].name; i++) set_parameter(m, g->parameter[i].name, g->parameter[i].values);
            const mesaopt_view out = DENSE(f64 ? (void *)map : map32, f64 ? MESAOPT_F64 : MESAOPT_F32, MAP_HEADS, MAP_T, MAP_T);
            int64_t heads = -1;
            OK(mesaopt_study_heads(m, 0, &heads));
            ck_assert_int_eq(heads, MAP_HEADS);
            OK(mesaopt_study_attention_map(m, 0, task, MESAOPT_STREAM_TEST, 0, MAP_B, &out));
            for (int i = 0; i < SIZE; i++) {
                const double got = f64 ? map[i] : map32[i];
                ck_assert_msg(fabs(got - g->map[i]) < (f64 ? 1e-13 : 1e-5), "%s: element %d is %.17g, expected %.17g", g->block, i, got, g->map[i]);
            }
            mesaopt_task_free(task), mesaopt_model_free(m), mesaopt_ctx_free(ctx);
        }
}
END_TEST

/* ---- the output of a block is the sum over heads of (W V) P ---- */

static const char *const blocks[] = {
    "linear(heads=2,key=4,value=3,init_sd=0.4)",
    "linear(heads=2,key=4,value=3,init_sd=0.4,scale=-0.3,pe=qk,chunk=7)",
    "softmax(heads=2,key=4,value=3,init_sd=0.7)",
    "softmax(heads=2,key=4,value=3,init_sd=0.7,scale=2,pe=qk,chunk=5)",
    "mesa(heads=2,key=4,value=3,init_sd=0.4)",
    "mesa(heads=2,key=4,value=3,init_sd=0.4,ridges=channel,qk_norm=1)",
    "mesa(heads=2,key=4,value=3,init_sd=0.4,ridges=channel,gates=sigmoid,pe=qk)",
    "mesa(heads=2,key=4,value=3,init_sd=2,gates=sigmoid,solver=cg_chunk)",
    "linear(heads=2,key=4,value=3,init_sd=0.4,norm=layer,pe=qk,positions=learned,longest=30)",
    "softmax(heads=2,key=4,value=3,init_sd=0.7,norm=rms,qk_norm=1)",
    "mesa(heads=2,key=4,value=3,init_sd=0.4,gates=sigmoid,norm=layer)",
};
enum { BLOCKS = sizeof blocks / sizeof *blocks };

static double at2(const mesaopt_view *v, int64_t i, int64_t j)
{
    const int64_t e = i * v->stride[0] + j * v->stride[1];
    return v->dtype == MESAOPT_F64 ? ((double *)v->data)[e] : (double)((float *)v->data)[e];
}

/* What values are made of: x, or at the first gain and bias its norm. */
static void normalised(const char *block, double (*x)[D], double (*n)[D])
{
    const int layer = strstr(block, "norm=layer") != NULL, rms = strstr(block, "norm=rms") != NULL;
    memcpy(n, x, sizeof(double[T][D]));
    for (int t = 0; t < T && (layer || rms); t++) {
        double mean = 0, square = 0;
        for (int j = 0; j < D && layer; j++) mean += x[t][j] / D;
        for (int j = 0; j < D; j++) square += pow(x[t][j] - mean, 2) / D;
        for (int j = 0; j < D; j++) n[t][j] = (x[t][j] - mean) / sqrt(square + 1e-5);
    }
}

/* x + sum over heads of W_h (n V_h) P_h of one sequence, from its maps. */
static void by_maps(mesaopt_model *m, const char *block, double (*x)[D], double (*w)[T][T], double (*y)[D])
{
    double n[T][D];
    mesaopt_view V, P;
    normalised(block, x, n);
    OK(mesaopt_model_parameter(m, "blocks.0.value", &V));
    OK(mesaopt_model_parameter(m, "blocks.0.output", &P));
    memcpy(y, x, sizeof(double[T][D]));
    for (int h = 0; h < H; h++)
        for (int t = 0; t < T; t++)
            for (int c = h * DV; c < (h + 1) * DV; c++) {
                double o = 0;
                for (int s = 0; s <= t; s++) {
                    double v = 0;
                    for (int j = 0; j < D; j++) v += n[s][j] * at2(&V, j, c);
                    o += w[h][t][s] * v;
                }
                for (int j = 0; j < D; j++) y[t][j] += o * at2(&P, c, j);
            }
}

static void random_tokens(mesaopt_ctx *ctx, double *x, int64_t count)
{
    const mesaopt_view v = DENSE(x, MESAOPT_F64, count, T + 1, D);
    OK(mesaopt_rng_normal(ctx, 7, 20, 0, 0, 1, &v));
}

START_TEST(weights_make_the_output)
{
    static double x[COUNT][T + 1][D], out[COUNT][T][D], w[H][T][T], y[T][D];
    static float x32[COUNT][T][D], out32[COUNT][T][D];
    for (int way = 0; way < 4; way++) {
        mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
        const int f64 = way % 2;
        const double tolerance = f64 ? 1e-12 : 2e-4;
        char settings[80];
        snprintf(settings, sizeof settings, "inputs=%d outputs=%d seed=4 lanes=%d dtype=%s", D, D, 1 + way / 2, f64 ? "f64" : "f32");
        mesaopt_model *m = model_from(ctx, settings, blocks[_i]);
        random_tokens(ctx, x[0][0], COUNT);
        mesaopt_task *task = task_of(ctx, x[0][0], COUNT, T + 1, D);
        for (int i = 0; i < COUNT * T * D; i++) x32[i / (T * D)][i / D % T][i % D] = (float)x[i / (T * D)][i / D % T][i % D];
        mesaopt_view tokens = DENSE(x32, MESAOPT_F32, COUNT, T, D), outs = DENSE(out32, MESAOPT_F32, COUNT, T, D), map = DENSE(w, MESAOPT_F64, H, T, T);
        if (f64) tokens = (mesaopt_view){x, {COUNT, T, D}, {(T + 1) * D, D, 1}, 3, MESAOPT_F64, 0, 0}, outs = DENSE(out, MESAOPT_F64, COUNT, T, D);
        OK(mesaopt_model_forward(m, &tokens, &outs));
        for (int b = 0; b < COUNT; b++) {
            double most = 0;
            OK(mesaopt_study_attention_map(m, 0, task, MESAOPT_STREAM_TEST, b, 1, &map));
            by_maps(m, blocks[_i], x[b], w, y);
            for (int i = 0; i < T * D; i++) most = fmax(most, fabs(y[i / D][i % D]));
            for (int i = 0; i < T * D; i++) {
                const double got = f64 ? out[b][i / D][i % D] : out32[b][i / D][i % D];
                ck_assert_msg(fabs(got - y[i / D][i % D]) <= tolerance * most, "%s: %g and %g", blocks[_i], got, y[i / D][i % D]);
            }
            for (int i = 0; i < H * T * T; i++)
                if (i % T > i / T % T) ck_assert_double_eq(w[i / (T * T)][i / T % T][i % T], 0);
        }
        mesaopt_task_free(task), mesaopt_model_free(m), mesaopt_ctx_free(ctx);
    }
}
END_TEST

/* ---- what must not matter ---- */

static const recipe three = {"inputs=3 outputs=3 seed=5",
                             "dense(outputs=6,init_sd=0.4); softmax(heads=2,key=3,init_sd=0.4,pe=qk); mesa(heads=1,key=4,init_sd=0.4,gates=sigmoid); dense(outputs=3)",
                             "dim=3 length=9 tokens=raw seed=11", "batch=4", NULL};

static void maps_of(setup *s, int64_t block, int64_t first, int64_t count, double *out)
{
    int64_t heads;
    OK(mesaopt_study_heads(s->model, block, &heads));
    const mesaopt_view v = DENSE(out, MESAOPT_F64, heads, 9, 9);
    OK(mesaopt_study_attention_map(s->model, block, s->task, MESAOPT_STREAM_TEST, first, count, &v));
}

/* More sequences than a batch holds; threads; a mean of two parts. */
START_TEST(threads_and_batches)
{
    enum { MANY = 700, PART = 300, SIZE = 2 * 81 };
    mesaopt_ctx *one = context_at(MESAOPT_ISA_AUTO, 1), *two = context_at(MESAOPT_ISA_AUTO, 2);
    setup a = setup_start(one, &three), b = setup_start(two, &three);
    double x[SIZE] = {0}, y[SIZE] = {0}, part[2][SIZE] = {{0}};
    for (int block = 1; block < 3; block++) {
        const int size = block == 1 ? SIZE : SIZE / 2;
        maps_of(&a, block, 5, MANY, x), maps_of(&b, block, 5, MANY, y);
        ck_assert_mem_eq(x, y, (size_t)size * sizeof *x);
        maps_of(&a, block, 5, PART, part[0]), maps_of(&a, block, 5 + PART, MANY - PART, part[1]);
        for (int i = 0; i < size; i++)
            ck_assert_double_eq_tol(x[i], (PART * part[0][i] + (MANY - PART) * part[1][i]) / MANY, 1e-7 * (1 + fabs(x[i])));
    }
    for (int i = 0; i < 9; i++) {
        maps_of(&a, 1, 0, 1 + i, x);
        ck_assert_double_eq_tol(x[0], 1, 1e-6);        /* the first token has nothing else to see */
    }
    setup_end(&a), setup_end(&b);
    mesaopt_ctx_free(one), mesaopt_ctx_free(two);
}
END_TEST

/* Sequences of unequal lengths: row t is the mean of those that have a step t, and steps that do not count are not in it. */
START_TEST(ragged)
{
    enum { MANY = 40, LONG = 9 };
    static double x[MANY][LONG + 1][3];
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    mesaopt_tensor *tensors[MANY];
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, "tokens=raw");
    mesaopt_task *task;
    mesaopt_model *m = model_from(ctx, three.model, three.blocks);
    double map[2 * 81], one[2 * 81], expected[2 * 81] = {0}, w[LONG] = {1, 0, 2, 1, 0.5, 1, 1, 3, 1}, weights[LONG] = {0};
    const mesaopt_view v = DENSE(map, MESAOPT_F64, 2, LONG, LONG), alone = DENSE(one, MESAOPT_F64, 2, LONG, LONG), all = DENSE(x, MESAOPT_F64, MANY, LONG + 1, 3), steps = DENSE(w, MESAOPT_F64, LONG);
    OK(mesaopt_rng_normal(ctx, 7, 20, 0, 0, 1, &all));
    for (int i = 0; i < MANY; i++) {
        const mesaopt_view sequence = DENSE(x[i], MESAOPT_F64, 2 + i * 7 % LONG, 3);
        OK(mesaopt_tensor_wrap(ctx, &sequence, NULL, NULL, &tensors[i]));
    }
    OK(mesaopt_task_from_tensors(ctx, s, MANY, tensors, &task));
    OK(mesaopt_task_set_weights(task, &steps));
    for (int i = 0; i < MANY; i++) {
        const int length = 1 + i * 7 % LONG;
        OK(mesaopt_study_attention_map(m, 1, task, MESAOPT_STREAM_TEST, i, 1, &alone));
        for (int t = 0; t < length; t++) weights[t] += w[t];
        for (int e = 0; e < 2 * 81; e++) {
            const int t = e / LONG % LONG;
            if (t >= length || w[t] == 0) ck_assert_double_eq(one[e], 0);
            else expected[e] += w[t] * one[e];
        }
    }
    OK(mesaopt_study_attention_map(m, 1, task, MESAOPT_STREAM_TEST, 0, MANY, &v));
    for (int e = 0; e < 2 * 81; e++) {
        const double total = weights[e / LONG % LONG];
        ck_assert_double_eq_tol(map[e], total > 0 ? expected[e] / total : 0, 1e-6);
    }
    for (int i = 0; i < MANY; i++) mesaopt_tensor_free(tensors[i]);
    mesaopt_settings_free(s), mesaopt_task_free(task), mesaopt_model_free(m), mesaopt_ctx_free(ctx);
}
END_TEST

typedef struct watch { setup *s; double map[2 * 81]; mesaopt_status inside; } watch;

static int32_t look(const mesaopt_step *step, void *user)
{
    watch *w = user;
    const mesaopt_view v = DENSE(w->map, MESAOPT_F64, 2, 9, 9);
    w->inside = mesaopt_study_attention_map(w->s->model, 1, w->s->task, MESAOPT_STREAM_TEST, 0, 20, &v);
    return step->step == 3;
}

/* In a trainer's callback, which goes on as without. */
START_TEST(while_training)
{
    static bits with, without;
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    setup s = setup_start(ctx, &three), plain = setup_start(ctx, &three);
    watch w = {&s, {0}, -1};
    ck_assert_int_eq(mesaopt_trainer_run(s.trainer, 9, look, &w), MESAOPT_STOPPED);
    OK(w.inside);
    OK(mesaopt_trainer_run(plain.trainer, 3, NULL, NULL));
    bits_read(&s, &with), bits_read(&plain, &without);
    ck_assert(bits_equal(&with, &without));
    setup_end(&s), setup_end(&plain);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- failures ---- */

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
    mesaopt_ctx *ctx = context_with(2, interrupting_loop, NULL);
    setup s = setup_start(ctx, &three);
    double map[2 * 81], again[2 * 81];
    const mesaopt_view v = DENSE(map, MESAOPT_F64, 2, 9, 9);
    looped = NULL;
    maps_of(&s, 1, 0, 500, again);
    looped = ctx;
    ck_assert_int_eq(mesaopt_study_attention_map(s.model, 1, s.task, MESAOPT_STREAM_TEST, 0, 500, &v), MESAOPT_E_INTERRUPTED);
    looped = NULL;
    maps_of(&s, 1, 0, 500, map);
    ck_assert_mem_eq(map, again, sizeof map);
    setup_end(&s);
    mesaopt_ctx_free(ctx);
}
END_TEST

START_TEST(memory_that_runs_short)
{
    hook_alloc hook = {0};
    mesaopt_ctx *ctx = context_hooked(&hook, "threads=2");
    setup s = setup_start(ctx, &three);
    double map[2 * 81], few[2 * 81];
    const mesaopt_view v = DENSE(map, MESAOPT_F64, 2, 9, 9);
    const long before = hook.blocks;
    mesaopt_status status = MESAOPT_E_MEMORY;
    for (long n = 1; status != MESAOPT_OK; n++) {
        ck_assert_int_lt(n, 20);
        hook.fail_at = hook.calls + n;
        status = mesaopt_study_attention_map(s.model, 1, s.task, MESAOPT_STREAM_TEST, 0, 20, &v);
        ck_assert(status == MESAOPT_OK || status == MESAOPT_E_MEMORY);
        ck_assert_int_le(hook.blocks, before + 1);     /* the pool stays */
    }
    hook.fail_at = 0;
    maps_of(&s, 1, 0, 20, few);
    ck_assert_mem_eq(map, few, sizeof map);
    const long most = hook.bytes;                      /* of the workspace that stays */
    maps_of(&s, 1, 0, 400, map);
    const long full = hook.bytes;
    maps_of(&s, 1, 0, 4000, map);
    ck_assert_int_ge(full, most);
    ck_assert_int_eq(hook.bytes, full);
    setup_end(&s);
    mesaopt_ctx_free(ctx);
    ck_assert_int_eq(hook.blocks, 0);
}
END_TEST

START_TEST(a_model_that_runs_away)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    setup s = setup_start(ctx, &three);
    mesaopt_view W;
    double map[81];
    const mesaopt_view v = DENSE(map, MESAOPT_F64, 1, 9, 9);
    OK(mesaopt_model_parameter(s.model, "blocks.1.value", &W));
    ((float *)W.data)[0] = NAN;
    ck_assert_int_eq(mesaopt_study_attention_map(s.model, 2, s.task, MESAOPT_STREAM_TEST, 0, 9, &v), MESAOPT_E_NONFINITE);
    SAID(ctx, "attention_map: the output of block 1 is not finite");
    setup_end(&s);
    mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_attention_map_suite(void)
{
    Suite *s = suite_create("attention_map");
    TCase *t = tcase_create("attention_map");
    tcase_add_loop_test(t, numpy, 0, MAP_KINDS);
    tcase_add_loop_test(t, weights_make_the_output, 0, BLOCKS);
    tcase_add_test(t, threads_and_batches);
    tcase_add_test(t, ragged);
    tcase_add_test(t, while_training);
    tcase_add_test(t, interrupts);
    tcase_add_test(t, memory_that_runs_short);
    tcase_add_test(t, a_model_that_runs_away);
    suite_add_tcase(s, t);
    return s;
}
