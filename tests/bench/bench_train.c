/* Whole training steps of the paper's models (drawing a batch, forward, backward, clip, AdamW) and the drawing alone; an update of the 12
 * coefficients of six Chebyshev steps; and a step of reverse engineering, which trains and interpolates.
 *
 * Counted per layer and sequence, T steps, width D, H heads of d = dv, causal halves skipped:
 *     queries, keys, values 2 T D 3 H d;   scores and their sums over values 2 H d T (T + 1) / 2 each;   output 2 T H d D;
 *     perceptron of h hidden units 2 T 2 D h
 * and three times that for a training step (the products with respect to either factor): 1.30 GFLOP a layer for 256 sequences of 50 at D = 40.
 * Softmax and activations, positions, embedding and read-out are not counted. */
#include "bench/bench.h"
#include "mesaopt/mesaopt.h"
#include "tensor/view.h"
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 256, T = 50, N = 10 };

/* What is counted of a model, and its batch. */
typedef struct counted { int layers, D, heads, key, hidden, T, batch; } counted;

static double step_flops(const counted *c)
{
    const double T = c->T, D = c->D, hd = c->heads * c->key;
    return 3.0 * c->layers * c->batch * (2 * T * D * 3 * hd + 2 * 2 * hd * T * (T + 1) / 2 + 2 * T * hd * D + 2 * T * 2 * D * c->hidden);
}

typedef struct pair { const char *name, *value; } pair;

/* Settings from pairs, the last of which has no name. */
static mesaopt_settings *settings_of(const bench *b, int32_t scope, const pair *pairs)
{
    mesaopt_settings *s = NULL;
    bench_ok(b, mesaopt_settings_create(scope, NULL, NULL, &s), "settings");
    for (; pairs->name; pairs++) bench_ok(b, mesaopt_settings_set_text(s, pairs->name, pairs->value), pairs->name);
    return s;
}

static mesaopt_task *task_of(const bench *b, const pair *pairs)
{
    mesaopt_task *task = NULL;
    mesaopt_settings *s = settings_of(b, MESAOPT_SCOPE_TASK, pairs);
    bench_ok(b, mesaopt_task_create(b->ctx, s, &task), "task");
    mesaopt_settings_free(s);
    return task;
}

#define CONSTRUCTED (const pair[]){{"dim", "10"}, {"length", "50"}, {"tokens", "constructed"}, {NULL, NULL}}
#define RAW(...) (const pair[]){{"tokens", "raw"}, __VA_ARGS__, {NULL, NULL}}

typedef struct trained { mesaopt_task *task; mesaopt_model *model; mesaopt_trainer *trainer; } trained;

static trained start(const bench *b, const pair *task, const char *inputs, const char *outputs, const char *batch, const char *blocks)
{
    const char *dtype = b->dtype == MESAOPT_F64 ? "f64" : "f32";
    mesaopt_settings *m = settings_of(b, MESAOPT_SCOPE_MODEL, (pair[]){{"inputs", inputs}, {"outputs", outputs}, {"dtype", dtype}, {NULL, NULL}});
    mesaopt_settings *r = settings_of(b, MESAOPT_SCOPE_TRAINER, (pair[]){{"batch", batch}, {"lr", "3e-4"}, {NULL, NULL}});
    trained t = {.task = task_of(b, task)};
    bench_ok(b, mesaopt_model_create(b->ctx, m, &t.model), "model");
    bench_ok(b, mesaopt_model_add_text(t.model, blocks), blocks);
    bench_ok(b, mesaopt_trainer_create(b->ctx, r, t.model, t.task, &t.trainer), "trainer");
    mesaopt_settings_free(r);
    mesaopt_settings_free(m);
    return t;
}

static void finish(trained *t)
{
    mesaopt_trainer_free(t->trainer);
    mesaopt_model_free(t->model);
    mesaopt_task_free(t->task);
}

static void steps(bench *b, trained t, counted c)
{
    b->flops = step_flops(&c);
    while (bench_again(b)) bench_ok(b, mesaopt_trainer_step(t.trainer, NULL), "step");
    finish(&t);
}

#define LINEAR "linear(heads=4,key=20,residual_clip=1.5)"
#define MESA "mesa(heads=4,key=20)"

static void constructed(bench *b, const char *blocks, int layers)
{
    steps(b, start(b, CONSTRUCTED, "40", "10", "256", blocks), (counted){layers, 40, 4, 20, 0, T, BATCH});
}

void bench_lsa1_step(bench *b) { constructed(b, LINEAR, 1); }
void bench_lsa2_step(bench *b) { constructed(b, "2 x " LINEAR, 2); }
void bench_lsa6_step(bench *b) { constructed(b, "6 x " LINEAR, 6); }
void bench_mesa1_step(bench *b) { constructed(b, MESA, 1); }

/* Whole transformers on raw tokens: positions in the first layer, embedding and read-out. */
#define SOFTMAX(heads, more) "softmax(heads=" heads ",key=20,init_sd=0.05" more ")"
#define DENSE(width) "dense(outputs=" width ",init_sd=0.05)"
#define TF7 DENSE("40") "; " SOFTMAX("4", ",pe=qk") "; 6 x " SOFTMAX("4", "") "; " DENSE("10")

void bench_tf7_step(bench *b) { steps(b, start(b, RAW({"length", "50"}), "10", "10", "256", TF7), (counted){7, 40, 4, 20, 0, T, BATCH}); }

void bench_tf7_step_t224(bench *b)
{
    steps(b, start(b, RAW({"length", "224"}), "10", "10", "128", TF7), (counted){7, 40, 4, 20, 0, 224, 128});
}

void bench_partial_tf_step(bench *b)
{
    const char *blocks = DENSE("80") "; " SOFTMAX("12", ",pe=qk") "; 6 x " SOFTMAX("12", "") "; " DENSE("5");
    steps(b, start(b, RAW({"task", "partial"}, {"dim", "5"}), "5", "5", "256", blocks), (counted){7, 80, 12, 20, 0, T, BATCH});
}

#define MLP "mlp(hidden=300,act=gelu_tanh,init_sd=0.05)"
#define NORMED SOFTMAX("4", ",qk_norm=1") "; " MLP "; "

void bench_nonlinear_tf_step(bench *b)
{
    const char *blocks = DENSE("60") "; " SOFTMAX("4", ",pe=qk") "; " MLP "; " NORMED NORMED NORMED NORMED NORMED NORMED DENSE("10");
    steps(b, start(b, RAW({"task", "nonlinear"}), "10", "10", "256", blocks), (counted){7, 60, 4, 20, 300, T, BATCH});
}

/* Blocks of the width of a small language model. */
void bench_lm_block_step(bench *b)
{
    const pair task[] = {{"dim", "64"}, {"length", "256"}, {"tokens", "constructed"}, {NULL, NULL}};
    steps(b, start(b, task, "256", "64", "16", "4 x softmax(heads=4,key=64,init_sd=0.02)"), (counted){4, 256, 4, 64, 0, 256, 16});
}

void bench_draw_batch(bench *b)
{
    const int64_t shape[] = {BATCH, T + 1, N};
    mesaopt_task *task = task_of(b, CONSTRUCTED);
    mesaopt_view out;
    void *data = bench_alloc(BATCH * (T + 1) * N * dtype_size(b->dtype));
    int64_t first = 0;
    bench_ok(b, mesaopt_view_dense(data, b->dtype, 3, shape, &out), "view");
    for (; bench_again(b); first += BATCH) bench_ok(b, mesaopt_task_draw(task, MESAOPT_STREAM_TRAIN, first, &out), "draw");
    mesaopt_task_free(task);
    free(data);
}

void bench_chebyshev6_update(bench *b)
{
    mesaopt_settings *s = settings_of(b, MESAOPT_SCOPE_BASELINE, (pair[]){{"baseline", "chebyshev"}, {"iterations", "6"}, {"batch", "256"}, {NULL, NULL}});
    mesaopt_task *task = task_of(b, CONSTRUCTED);
    mesaopt_baseline *chebyshev = NULL;
    bench_ok(b, mesaopt_baseline_create(b->ctx, s, &chebyshev), "baseline");
    for (int64_t done = 0; bench_again(b); done++) bench_ok(b, mesaopt_baseline_train(chebyshev, task, done + 1, NULL, NULL), "update");
    mesaopt_baseline_free(chebyshev);
    mesaopt_task_free(task);
    mesaopt_settings_free(s);
}

/* What examples/programs/revalg.c does per step: training, and its share of an evaluation of model and average on 2560 sequences every 100 steps. */
void bench_revalg6_step(bench *b)
{
    enum { SHARE = 26 };
    trained t = start(b, CONSTRUCTED, "40", "10", "256", "6 x " LINEAR);
    mesaopt_revalg *scalars = NULL;
    mesaopt_model *rebuilt = NULL, *average = NULL;
    double loss;
    bench_ok(b, mesaopt_revalg_extract(t.model, &scalars), "extract");
    bench_ok(b, mesaopt_revalg_rebuild(scalars, &rebuilt), "rebuild");
    bench_ok(b, mesaopt_revalg_average(t.model, rebuilt, &average), "average");
    while (bench_again(b)) {
        bench_ok(b, mesaopt_trainer_step(t.trainer, NULL), "step");
        bench_ok(b, mesaopt_model_evaluate(t.model, t.task, MESAOPT_STREAM_TEST, 0, SHARE, NULL, &loss), "model");
        bench_ok(b, mesaopt_revalg_average_update(average, t.model, rebuilt), "update");
        bench_ok(b, mesaopt_model_evaluate(average, t.task, MESAOPT_STREAM_TEST, 0, SHARE, NULL, &loss), "average");
    }
    mesaopt_model_free(average);
    mesaopt_model_free(rebuilt);
    mesaopt_revalg_free(scalars);
    finish(&t);
}
