/* All target probes of a linear transformer of six layers on constructed tokens: 7 layers x 50 steps x 256 sequences, fed, fitted and scored. The first layer is of half
 * rank. Counted for each of the regressions, D = 40 features and n = 10 targets: 2 B D^2 for the triangle, 4 B D n for the targets; always in f64, whatever
 * the type of the activations. */
#include "bench/bench.h"
#include "mesaopt/mesaopt.h"
#include "tensor/view.h"
#include <stdlib.h>

enum { LAYERS = 7, BATCH = 256, STEPS = 50, N = 10, D = 4 * N };

static mesaopt_view array(const bench *b, int32_t dtype, int32_t ndim, const int64_t *shape)
{
    mesaopt_view v;
    int64_t count = 1;
    for (int i = 0; i < ndim; i++) count *= shape[i];
    bench_ok(b, mesaopt_view_dense(bench_alloc(count * dtype_size(dtype)), dtype, ndim, shape, &v), "view");
    return v;
}

/* Activations of a model with random weights on the linear task, and the next observations. */
static void run_model(const bench *b, mesaopt_view *activations, mesaopt_view *targets)
{
    static const int64_t blocks[LAYERS] = {-1, 0, 1, 2, 3, 4, 5};
    const mesaopt_view x = array(b, b->dtype, 3, (int64_t[]){BATCH, STEPS + 1, N}), tokens = array(b, b->dtype, 3, (int64_t[]){BATCH, STEPS, D});
    mesaopt_settings *s = NULL;
    mesaopt_task *task = NULL;
    mesaopt_model *model = NULL;
    bench_ok(b, mesaopt_settings_create(MESAOPT_SCOPE_MODEL, NULL, NULL, &s), "settings");
    bench_ok(b, mesaopt_settings_set_text(s, "dtype", dtype_name(b->dtype)), "dtype");
    bench_ok(b, mesaopt_model_create(b->ctx, s, &model), "model");
    bench_ok(b, mesaopt_model_add_text(model, "6 x linear(heads=4,key=20,residual_clip=4,init_sd=0.05)"), "blocks");
    bench_ok(b, mesaopt_task_create(b->ctx, NULL, &task), "task");
    bench_ok(b, mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, &x), "draw");
    bench_ok(b, mesaopt_task_tokens(task, &x, &tokens), "tokens");
    bench_ok(b, mesaopt_model_activations(model, &tokens, LAYERS, blocks, activations), "activations");
    bench_ok(b, mesaopt_probe_targets(b->ctx, NULL, &x, targets), "targets");
    mesaopt_task_free(task);
    mesaopt_model_free(model);
    mesaopt_settings_free(s);
    free(x.data), free(tokens.data);
}

void bench_probe_fit(bench *b)
{
    static const int64_t features[LAYERS] = {D, D, D, D, D, D, D};
    mesaopt_view h[LAYERS], y = array(b, b->dtype, 3, (int64_t[]){BATCH, STEPS, N}), mse = array(b, MESAOPT_F64, 2, (int64_t[]){LAYERS, STEPS});
    mesaopt_probe *probe = NULL;
    for (int l = 0; l < LAYERS; l++) h[l] = array(b, b->dtype, 3, (int64_t[]){BATCH, STEPS, D});
    run_model(b, h, &y);
    bench_ok(b, mesaopt_probe_plan(b->ctx, NULL, LAYERS, features, STEPS, N, &probe), "plan");
    b->flops = (double)LAYERS * STEPS * (2.0 * BATCH * D * D + 4.0 * BATCH * D * N);
    while (bench_again(b)) {
        bench_ok(b, mesaopt_probe_reset(probe, MESAOPT_PROBE_TRAIN), "reset");
        bench_ok(b, mesaopt_probe_feed(probe, MESAOPT_PROBE_TRAIN, h, &y, NULL), "feed");
        bench_ok(b, mesaopt_probe_fit(probe, NULL), "fit");
        bench_ok(b, mesaopt_probe_score(probe, MESAOPT_PROBE_TRAIN, &mse, NULL), "score");
    }
    mesaopt_probe_free(probe);
    for (int l = 0; l < LAYERS; l++) free(h[l].data);
    free(y.data), free(mse.data);
}
