/* Whole training steps of the paper's models (drawing a batch, forward, backward, clip, AdamW) and the drawing alone; an update of the 12
 * coefficients of six Chebyshev steps; and a step of reverse engineering, which trains and interpolates.
 *
 * Counted per layer and sequence, T = 50, D = 40, H = 4 heads, d = dv = 20, causal halves skipped:
 *     queries, keys, values 2 T D 3 H d;   scores and their sums over values 2 H d T (T + 1) / 2 each;   output 2 T H d D
 * and three times that for a training step (the products with respect to either factor): 1.30 GFLOP a layer for 256 sequences. Softmax,
 * the embedding and the read-out of the softmax model are not counted. */
#include "bench/bench.h"
#include "mesaopt/mesaopt.h"
#include "tensor/view.h"
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 256, T = 50, N = 10, D = 4 * N, HEADS = 4, KEY = 20 };

static double layer_flops(void)
{
    const double projections = 2.0 * T * D * 3 * HEADS * KEY, attention = 2 * 2.0 * HEADS * KEY * T * (T + 1) / 2;
    const double output = 2.0 * T * HEADS * KEY * D;
    return 3 * BATCH * (projections + attention + output);
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

static mesaopt_task *task_of(const bench *b, const char *tokens)
{
    mesaopt_task *task = NULL;
    mesaopt_settings *s = settings_of(b, MESAOPT_SCOPE_TASK, (pair[]){{"dim", "10"}, {"length", "50"}, {"tokens", tokens}, {NULL, NULL}});
    bench_ok(b, mesaopt_task_create(b->ctx, s, &task), "task");
    mesaopt_settings_free(s);
    return task;
}

typedef struct trained { mesaopt_task *task; mesaopt_model *model; mesaopt_trainer *trainer; } trained;

static trained start(const bench *b, const char *tokens, const char *inputs, const char *blocks)
{
    const char *dtype = b->dtype == MESAOPT_F64 ? "f64" : "f32";
    mesaopt_settings *m = settings_of(b, MESAOPT_SCOPE_MODEL, (pair[]){{"inputs", inputs}, {"outputs", "10"}, {"dtype", dtype}, {NULL, NULL}});
    mesaopt_settings *r = settings_of(b, MESAOPT_SCOPE_TRAINER, (pair[]){{"batch", "256"}, {"lr", "3e-4"}, {NULL, NULL}});
    trained t = {.task = task_of(b, tokens)};
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

static void step(bench *b, const char *tokens, const char *inputs, const char *blocks, int layers)
{
    trained t = start(b, tokens, inputs, blocks);
    b->flops = layers * layer_flops();
    while (bench_again(b)) bench_ok(b, mesaopt_trainer_step(t.trainer, NULL), "step");
    finish(&t);
}

#define LINEAR "linear(heads=4,key=20,residual_clip=1.5)"
#define MESA "mesa(heads=4,key=20)"
#define SOFTMAX "softmax(heads=4,key=20,init_sd=0.05)"

void bench_lsa1_step(bench *b) { step(b, "constructed", "40", LINEAR, 1); }
void bench_lsa2_step(bench *b) { step(b, "constructed", "40", "2 x " LINEAR, 2); }
void bench_lsa6_step(bench *b) { step(b, "constructed", "40", "6 x " LINEAR, 6); }

void bench_mesa1_step(bench *b) { step(b, "constructed", "40", MESA, 1); }

void bench_softmax7_step(bench *b)
{
    step(b, "raw", "10",
         "dense(outputs=40,init_sd=0.05); softmax(heads=4,key=20,init_sd=0.05,pe=qk); 6 x " SOFTMAX "; dense(outputs=10,init_sd=0.05)", 7);
}

void bench_draw_batch(bench *b)
{
    const int64_t shape[] = {BATCH, T + 1, N};
    mesaopt_task *task = task_of(b, "constructed");
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
    mesaopt_task *task = task_of(b, "constructed");
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
    trained t = start(b, "constructed", "40", "6 x " LINEAR);
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
