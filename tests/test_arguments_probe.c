/* Bad arguments of mesaopt/probe.h; files that are not what they should be: test_probe_file.c. See arguments.h. */
#include "arguments.h"

static const int64_t features[] = {3, 3};
static const char nowhere[] = "/nonexistent/x.safetensors";

/* Two layers of three features, two steps, two targets. Views over f->in: activations and targets of three sequences, weights; outputs over f->out.block. */
typedef struct probed {
    mesaopt_ctx *ctx, *elsewhere;
    mesaopt_settings *settings;
    mesaopt_probe *p;
    mesaopt_model *model, *empty, *foreign_model;
    mesaopt_task *task, *foreign_task;
    mesaopt_baseline *gd, *kernel, *foreign;
    mesaopt_view h[2], y, each, w, steps, mse, r2, count, rank, sequences, targets, kept;
} probed;

static void views_start(probed *g)
{
    for (int l = 0; l < 2; l++) mesaopt_view_dense(f->in, MESAOPT_F64, 3, (int64_t[]){3, 2, 3}, &g->h[l]);
    mesaopt_view_dense(f->in + 20, MESAOPT_F64, 3, (int64_t[]){3, 2, 2}, &g->y);
    mesaopt_view_dense(f->in + 20, MESAOPT_F64, 4, (int64_t[]){2, 3, 2, 2}, &g->each);
    mesaopt_view_dense(f->in + 40, MESAOPT_F64, 1, (int64_t[]){3}, &g->w);
    mesaopt_view_dense(f->in + 40, MESAOPT_F64, 2, (int64_t[]){3, 2}, &g->steps);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 2, (int64_t[]){2, 2}, &g->mse);
    mesaopt_view_dense(f->out.block + 8, MESAOPT_F64, 3, (int64_t[]){2, 2, 2}, &g->r2);
    mesaopt_view_dense(f->out.block + 20, MESAOPT_I64, 1, (int64_t[]){2}, &g->count);
    mesaopt_view_dense(f->out.block + 24, MESAOPT_I64, 2, (int64_t[]){2, 2}, &g->rank);
    mesaopt_view_dense(f->in, MESAOPT_F64, 3, (int64_t[]){3, 3, 2}, &g->sequences);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 3, (int64_t[]){3, 2, 2}, &g->targets);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 2, (int64_t[]){3, 2}, &g->kept);
}

static mesaopt_model *model_of(mesaopt_ctx *ctx, const char *blocks)
{
    mesaopt_model *m;
    mesaopt_settings *s = settings_of(f, MESAOPT_SCOPE_MODEL);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_INPUTS, 3), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_OUTPUTS, 3), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_create(ctx, s, &m), MESAOPT_OK);
    if (blocks) ck_assert_int_eq(mesaopt_model_add_text(m, blocks), MESAOPT_OK);
    mesaopt_settings_free(s);
    return m;
}

static mesaopt_task *task_of(mesaopt_ctx *ctx, int64_t dim, int64_t length)
{
    mesaopt_task *t;
    mesaopt_settings *s = settings_of(f, MESAOPT_SCOPE_TASK);
    ck_assert_int_eq(mesaopt_settings_set_text(s, "tokens", "raw"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_DIM, dim), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_LENGTH, length), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_create(ctx, s, &t), MESAOPT_OK);
    mesaopt_settings_free(s);
    return t;
}

static mesaopt_baseline *baseline_of(mesaopt_ctx *ctx, const char *kind)
{
    mesaopt_baseline *b;
    mesaopt_settings *s = settings_of(f, MESAOPT_SCOPE_BASELINE);
    ck_assert_int_eq(mesaopt_settings_set_text(s, "baseline", kind), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_create(ctx, s, &b), MESAOPT_OK);
    mesaopt_settings_free(s);
    return b;
}

static probed probed_start(void)
{
    probed g = {.ctx = f->ctx, .settings = settings_of(f, MESAOPT_SCOPE_PROBE)};
    views_start(&g);
    ck_assert_int_eq(mesaopt_ctx_create(NULL, &g.elsewhere), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_probe_plan(f->ctx, NULL, 2, features, 2, 2, &g.p), MESAOPT_OK);
    g.model = model_of(f->ctx, "linear(heads=1,key=2)"), g.empty = model_of(f->ctx, NULL), g.foreign_model = model_of(g.elsewhere, "linear(heads=1,key=2)");
    g.task = task_of(f->ctx, 3, 2), g.foreign_task = task_of(g.elsewhere, 3, 2);
    g.gd = baseline_of(f->ctx, "gd"), g.kernel = baseline_of(f->ctx, "kernel"), g.foreign = baseline_of(g.elsewhere, "gd");
    return g;
}

static void probed_end(probed *g)
{
    ck_assert_int_eq(mesaopt_probe_free(g->p), MESAOPT_OK);
    mesaopt_model *const models[] = {g->model, g->empty, g->foreign_model};
    mesaopt_baseline *const baselines[] = {g->gd, g->kernel, g->foreign};
    for (int i = 0; i < 3; i++) ck_assert_int_eq(mesaopt_model_free(models[i]), MESAOPT_OK);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(mesaopt_baseline_free(baselines[i]), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_free(g->task), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_free(g->foreign_task), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_free(g->elsewhere), MESAOPT_OK);
    mesaopt_settings_free(g->settings);
}

START_TEST(plan_rows)
{
    probed g = probed_start();
    mesaopt_ctx *c = f->ctx;
    mesaopt_probe **out = &f->out.probe;
    static const int64_t none[] = {3, 0}, wide[] = {65537, 1};
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_probe_plan(NULL, NULL, 2, features, 2, 2, out));
    BAD(MESAOPT_E_ARGUMENT, "ctx: a probe, expected a live ctx", mesaopt_probe_plan((mesaopt_ctx *)g.p, NULL, 2, features, 2, 2, out));
    BAD(MESAOPT_E_SETTING, "settings: settings of scope trainer, expected scope probe", mesaopt_probe_plan(c, f->trainer_settings, 2, features, 2, 2, out));
    BAD(MESAOPT_E_ARGUMENT, "layers: 0, expected 1 to", mesaopt_probe_plan(c, NULL, 0, features, 2, 2, out));
    BAD(MESAOPT_E_ARGUMENT, "layers: -3, expected 1 to", mesaopt_probe_plan(c, NULL, -3, features, 2, 2, out));
    BAD(MESAOPT_E_ARGUMENT, "layers: 9223372036854775807, expected 1 to", mesaopt_probe_plan(c, NULL, INT64_MAX, features, 2, 2, out));
    BAD(MESAOPT_E_ARGUMENT, "features: NULL", mesaopt_probe_plan(c, NULL, 2, NULL, 2, 2, out));
    BAD(MESAOPT_E_ARGUMENT, "features[1]: 0, expected 1 to", mesaopt_probe_plan(c, NULL, 2, none, 2, 2, out));
    BAD(MESAOPT_E_ARGUMENT, "features[0]: 65537, expected 1 to", mesaopt_probe_plan(c, NULL, 2, wide, 2, 2, out));
    BAD(MESAOPT_E_ARGUMENT, "steps: 0, expected 1 to", mesaopt_probe_plan(c, NULL, 2, features, 0, 2, out));
    BAD(MESAOPT_E_ARGUMENT, "targets: -1, expected 1 to", mesaopt_probe_plan(c, NULL, 2, features, 2, -1, out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_probe_plan(c, NULL, 2, features, 2, 2, NULL));
    BAD(MESAOPT_E_MEMORY, "memory: ", (refuse(1), mesaopt_probe_plan(c, NULL, 2, features, 2, 2, out)));
    for (int n = 2; n <= 8; n++) BAD(MESAOPT_E_MEMORY, "layers, features, steps, targets: no memory", (refuse(n), mesaopt_probe_plan(c, NULL, 2, features, 2, 2, out)));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_probe_workspace(NULL, NULL, 2, features, 2, 2, &f->out.whole));
    BAD(MESAOPT_E_SETTING, "settings: ", mesaopt_probe_workspace(c, f->trainer_settings, 2, features, 2, 2, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "steps: 0, expected", mesaopt_probe_workspace(c, NULL, 2, features, 0, 2, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "bytes: NULL", mesaopt_probe_workspace(c, NULL, 2, features, 2, 2, NULL));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_probe_plan_file(NULL, NULL, nowhere, "h*", "y", out, &f->out.whole));
    BAD(MESAOPT_E_SETTING, "settings: ", mesaopt_probe_plan_file(c, f->trainer_settings, nowhere, "h*", "y", out, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "path: NULL", mesaopt_probe_plan_file(c, NULL, NULL, "h*", "y", out, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "activations: NULL", mesaopt_probe_plan_file(c, NULL, nowhere, NULL, "y", out, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "targets: NULL", mesaopt_probe_plan_file(c, NULL, nowhere, "h*", NULL, out, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_probe_plan_file(c, NULL, nowhere, "h*", "y", NULL, &f->out.whole));
    BAD(MESAOPT_E_IO, "/nonexistent/x.safetensors: opening", mesaopt_probe_plan_file(c, NULL, nowhere, "h*", "y", out, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_probe_plan_from(NULL, NULL, f->in, 64, "h*", "y", out, &f->out.whole));
    BAD(MESAOPT_E_SETTING, "settings: ", mesaopt_probe_plan_from(c, f->trainer_settings, f->in, 64, "h*", "y", out, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "bytes: NULL", mesaopt_probe_plan_from(c, NULL, NULL, 64, "h*", "y", out, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "length: -1", mesaopt_probe_plan_from(c, NULL, f->in, -1, "h*", "y", out, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "activations: NULL", mesaopt_probe_plan_from(c, NULL, f->in, 64, NULL, "y", out, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "targets: NULL", mesaopt_probe_plan_from(c, NULL, f->in, 64, "h*", NULL, out, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_probe_plan_from(c, NULL, f->in, 64, "h*", "y", NULL, &f->out.whole));
    BAD(MESAOPT_E_FORMAT, "memory: header of", mesaopt_probe_plan_from(c, NULL, f->in, 64, "h*", "y", out, &f->out.whole));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_probe_shape(NULL, &f->out.whole, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "probe: a task, expected a live probe", mesaopt_probe_shape((mesaopt_probe *)g.task, &f->out.whole, NULL, NULL));
    BAD(MESAOPT_OK, NULL, mesaopt_probe_shape(g.p, NULL, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_probe_features(NULL, 0, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "layer: 2, expected 0 to 1", mesaopt_probe_features(g.p, 2, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "features: NULL", mesaopt_probe_features(g.p, 0, NULL));
    BAD(MESAOPT_OK, NULL, mesaopt_probe_free(NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_probe_free((mesaopt_probe *)g.task));
    probed_end(&g);
}
END_TEST

START_TEST(feed_rows)
{
    probed g = probed_start();
    mesaopt_probe *p = g.p;
    const mesaopt_view *h = g.h, *y = &g.y, *w = &g.w;
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_probe_feed(NULL, 0, h, y, w));
    BAD(MESAOPT_E_ARGUMENT, "probe: a task, expected a live probe", mesaopt_probe_feed((mesaopt_probe *)g.task, 0, h, y, w));
    BAD(MESAOPT_E_ARGUMENT, "set: 2, expected 0 (train) or 1 (test)", mesaopt_probe_feed(p, 2, h, y, w));
    BAD(MESAOPT_E_ARGUMENT, "set: -1, expected", mesaopt_probe_feed(p, -1, h, y, w));
    BAD(MESAOPT_E_ARGUMENT, "activations: NULL", mesaopt_probe_feed(p, 0, NULL, y, w));
    BAD(MESAOPT_E_SHAPE, "activations[0]: shape [3,2], expected [*,2,3]", mesaopt_probe_feed(p, 0, VIEW(with_rank(h[0], 2), h[1]), y, w));
    BAD(MESAOPT_E_SHAPE, "activations[0]: shape [3,1,3], expected [*,2,3]", mesaopt_probe_feed(p, 0, VIEW(with_extent(h[0], 1, 1), h[1]), y, w));
    BAD(MESAOPT_E_SHAPE, "activations[1]: shape [3,2,2], expected [3,2,3]", mesaopt_probe_feed(p, 0, VIEW(h[0], with_extent(h[1], 2, 2)), y, w));
    BAD(MESAOPT_E_SHAPE, "activations[1]: shape [2,2,3], expected [3,2,3]", mesaopt_probe_feed(p, 0, VIEW(h[0], with_extent(h[1], 0, 2)), y, w));
    BAD(MESAOPT_E_SHAPE, "activations[1]: shape [-3,2,3], expected extents >= 0", mesaopt_probe_feed(p, 0, VIEW(h[0], with_extent(h[1], 0, -3)), y, w));
    BAD(MESAOPT_E_SHAPE, "overflows", mesaopt_probe_feed(p, 0, VIEW(with_extent(h[0], 0, INT64_MAX), h[1]), y, w));
    BAD(MESAOPT_E_DTYPE, "activations[0]: dtype 5 (f16), expected f32 or f64", mesaopt_probe_feed(p, 0, VIEW(with_dtype(h[0], MESAOPT_F16), h[1]), y, w));
    BAD(MESAOPT_E_ARGUMENT, "activations[0]: data NULL", mesaopt_probe_feed(p, 0, VIEW(with_data(h[0], NULL), h[1]), y, w));
    BAD(MESAOPT_E_ARGUMENT, "activations[1]: flags", mesaopt_probe_feed(p, 0, VIEW(h[0], with_reserved(h[1])), y, w));
    BAD(MESAOPT_E_ARGUMENT, "targets: NULL", mesaopt_probe_feed(p, 0, h, NULL, w));
    BAD(MESAOPT_E_SHAPE, "targets: shape [2,2,2], expected [3,2,2]", mesaopt_probe_feed(p, 0, h, VIEW(with_extent(*y, 0, 2)), w));
    BAD(MESAOPT_E_SHAPE, "targets: shape [3,2,3], expected [3,2,2]", mesaopt_probe_feed(p, 0, h, VIEW(with_extent(*y, 2, 3)), w));
    BAD(MESAOPT_E_SHAPE, "targets: shape [1,3,2,2], expected [2,3,2,2]", mesaopt_probe_feed(p, 0, h, VIEW(with_extent(g.each, 0, 1)), w));
    BAD(MESAOPT_E_DTYPE, "targets: dtype 5 (f16), expected f32 or f64", mesaopt_probe_feed(p, 0, h, VIEW(with_dtype(*y, MESAOPT_F16)), w));
    BAD(MESAOPT_E_SHAPE, "weights: shape [2], expected [3]", mesaopt_probe_feed(p, 0, h, y, VIEW(with_extent(*w, 0, 2))));
    BAD(MESAOPT_E_SHAPE, "weights: shape [3,1], expected [3,2]", mesaopt_probe_feed(p, 0, h, y, VIEW(with_extent(g.steps, 1, 1))));
    BAD(MESAOPT_E_SHAPE, "weights: shape [], expected [3,2]", mesaopt_probe_feed(p, 0, h, y, VIEW(with_rank(*w, 0))));
    BAD(MESAOPT_E_DTYPE, "weights: dtype 3 (i32)", mesaopt_probe_feed(p, 0, h, y, VIEW(with_dtype(*w, MESAOPT_I32))));
    for (int n = 1; n <= 2; n++) BAD(MESAOPT_E_MEMORY, "feed: no memory", (refuse(n), mesaopt_probe_feed(p, 1, h, y, w)));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_probe_reset(NULL, 0));
    BAD(MESAOPT_E_ARGUMENT, "set: 7, expected", mesaopt_probe_reset(p, 7));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_probe_count(NULL, 0, &g.count));
    BAD(MESAOPT_E_ARGUMENT, "set: 7, expected", mesaopt_probe_count(p, 7, &g.count));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_probe_count(p, 0, NULL));
    BAD(MESAOPT_E_SHAPE, "out: shape [3], expected [2]", mesaopt_probe_count(p, 0, VIEW(with_extent(g.count, 0, 3))));
    BAD(MESAOPT_E_DTYPE, "out: dtype 2 (f64), expected i64", mesaopt_probe_count(p, 0, VIEW(with_dtype(g.count, MESAOPT_F64))));
    probed_end(&g);
}
END_TEST

static int32_t fill(const mesaopt_view *sequences, const mesaopt_view *targets, void *user) { (void)sequences, (void)targets, (void)user; return 1; }

START_TEST(source_rows)
{
    probed g = probed_start();
    mesaopt_probe *p = g.p, *three;
    mesaopt_model *m = g.model, *narrow = model_of(f->ctx, "dense(outputs=4)");
    mesaopt_task *t = g.task, *longer = task_of(f->ctx, 3, 5), *wider = task_of(f->ctx, 4, 2);
    static const int64_t beyond[] = {-1, 1}, whole[] = {-1, 0};
    BAD(MESAOPT_E_ARGUMENT, "probe: NULL, expected a live probe", mesaopt_probe_feed_model(NULL, 0, m, NULL, t, 1, 0, 4));
    BAD(MESAOPT_E_ARGUMENT, "set: 5, expected", mesaopt_probe_feed_model(p, 5, m, NULL, t, 1, 0, 4));
    BAD(MESAOPT_E_ARGUMENT, "model: NULL, expected", mesaopt_probe_feed_model(p, 0, NULL, NULL, t, 1, 0, 4));
    BAD(MESAOPT_E_ARGUMENT, "model: a task, expected", mesaopt_probe_feed_model(p, 0, (mesaopt_model *)t, NULL, t, 1, 0, 4));
    BAD(MESAOPT_E_ARGUMENT, "model: of another context", mesaopt_probe_feed_model(p, 0, g.foreign_model, NULL, t, 1, 0, 4));
    BAD(MESAOPT_E_STATE, "model: no blocks", mesaopt_probe_feed_model(p, 0, g.empty, NULL, t, 1, 0, 4));
    BAD(MESAOPT_E_ARGUMENT, "task: NULL", mesaopt_probe_feed_model(p, 0, m, NULL, NULL, 1, 0, 4));
    BAD(MESAOPT_E_ARGUMENT, "task: a model, expected a live task", mesaopt_probe_feed_model(p, 0, m, NULL, (mesaopt_task *)m, 1, 0, 4));
    BAD(MESAOPT_E_ARGUMENT, "task: of another context", mesaopt_probe_feed_model(p, 0, m, NULL, g.foreign_task, 1, 0, 4));
    BAD(MESAOPT_E_SHAPE, "task: tokens of width 4 and targets of 4, expected 3 and 3", mesaopt_probe_feed_model(p, 0, m, NULL, wider, 1, 0, 4));
    BAD(MESAOPT_E_ARGUMENT, "blocks: 1, expected -1 to 0", mesaopt_probe_feed_model(p, 0, m, beyond, t, 1, 0, 4));
    BAD(MESAOPT_E_SHAPE, "blocks[1]: block 0 has 4 features, expected 3 as planned", mesaopt_probe_feed_model(p, 0, narrow, whole, t, 1, 0, 4));
    BAD(MESAOPT_E_SHAPE, "task: length 5, expected 2 steps as planned", mesaopt_probe_feed_model(p, 0, m, NULL, longer, 1, 0, 4));
    BAD(MESAOPT_E_SHAPE, "task: it gives 3 targets, expected 2 as planned", mesaopt_probe_feed_model(p, 0, m, NULL, t, 1, 0, 4));
    ck_assert_int_eq(mesaopt_probe_plan(f->ctx, NULL, 2, features, 2, 3, &three), MESAOPT_OK);
    BAD(MESAOPT_E_ARGUMENT, "stream: 9, expected", mesaopt_probe_feed_model(three, 0, m, NULL, t, 9, 0, 4));
    BAD(MESAOPT_E_ARGUMENT, "first: -1, expected", mesaopt_probe_feed_model(three, 0, m, NULL, t, 1, -1, 4));
    BAD(MESAOPT_E_ARGUMENT, "count: -4, expected", mesaopt_probe_feed_model(three, 0, m, NULL, t, 1, 0, -4));
    BAD(MESAOPT_E_MEMORY, "feed_model: no memory", (refuse(1), mesaopt_probe_feed_model(three, 0, m, NULL, t, 1, 0, 4)));
    BAD(MESAOPT_E_MEMORY, "feed: no memory", (refuse(2), mesaopt_probe_feed_model(three, 0, m, NULL, t, 1, 0, 4)));
    BAD(MESAOPT_E_MEMORY, "no workspace", (refuse(3), mesaopt_probe_feed_model(three, 0, m, NULL, t, 1, 0, 4)));
    ck_assert_int_eq(mesaopt_probe_free(three), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_probe_plan(f->ctx, NULL, 1, features, 2, 3, &three), MESAOPT_OK);
    BAD(MESAOPT_E_ARGUMENT, "blocks: NULL, expected a list", mesaopt_probe_feed_model(three, 0, m, NULL, t, 1, 0, 4));
    ck_assert_int_eq(mesaopt_probe_free(three), MESAOPT_OK);

    BAD(MESAOPT_E_ARGUMENT, "probe: NULL, expected a live probe", mesaopt_probe_feed_control(NULL, 0, g.gd, t, 1, 0, 4));
    BAD(MESAOPT_E_ARGUMENT, "set: -1, expected", mesaopt_probe_feed_control(p, -1, g.gd, t, 1, 0, 4));
    BAD(MESAOPT_E_ARGUMENT, "conditioner: NULL, expected", mesaopt_probe_feed_control(p, 0, NULL, t, 1, 0, 4));
    BAD(MESAOPT_E_ARGUMENT, "conditioner: a task, expected a live baseline", mesaopt_probe_feed_control(p, 0, (mesaopt_baseline *)t, t, 1, 0, 4));
    BAD(MESAOPT_E_ARGUMENT, "conditioner: of another context", mesaopt_probe_feed_control(p, 0, g.foreign, t, 1, 0, 4));
    BAD(MESAOPT_E_STATE, "conditioner: kernel, expected", mesaopt_probe_feed_control(p, 0, g.kernel, t, 1, 0, 4));
    BAD(MESAOPT_E_ARGUMENT, "task: NULL", mesaopt_probe_feed_control(p, 0, g.gd, NULL, 1, 0, 4));
    BAD(MESAOPT_E_SHAPE, "probe: 2 layers, the first of 3 features, expected one of the 3 that conditioner has", mesaopt_probe_feed_control(p, 0, g.gd, t, 1, 0, 4));
    ck_assert_int_eq(mesaopt_probe_plan(f->ctx, NULL, 1, features, 2, 3, &three), MESAOPT_OK);
    BAD(MESAOPT_E_SHAPE, "probe: 1 layers, the first of 3 features, expected one of the 4", mesaopt_probe_feed_control(three, 0, g.gd, wider, 1, 0, 4));
    BAD(MESAOPT_E_SHAPE, "task: length 5, expected 2 steps as planned", mesaopt_probe_feed_control(three, 0, g.gd, longer, 1, 0, 4));
    BAD(MESAOPT_E_ARGUMENT, "stream: 9, expected", mesaopt_probe_feed_control(three, 0, g.gd, t, 9, 0, 4));
    BAD(MESAOPT_E_MEMORY, "feed: no memory", (refuse(1), mesaopt_probe_feed_control(three, 0, g.gd, t, 1, 0, 4)));
    ck_assert_int_eq(mesaopt_probe_free(three), MESAOPT_OK);

    BAD(MESAOPT_E_ARGUMENT, "probe: NULL, expected a live probe", mesaopt_probe_set_targets(NULL, g.gd, NULL, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "conditioner, fill: both", mesaopt_probe_set_targets(p, g.gd, fill, release, f));
    BAD(MESAOPT_E_ARGUMENT, "release: given without fill, expected NULL", mesaopt_probe_set_targets(p, NULL, NULL, release, f));
    BAD(MESAOPT_E_ARGUMENT, "conditioner: a task, expected a live baseline", mesaopt_probe_set_targets(p, (mesaopt_baseline *)t, NULL, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "conditioner: of another context", mesaopt_probe_set_targets(p, g.foreign, NULL, NULL, NULL));
    BAD(MESAOPT_E_STATE, "conditioner: kernel, expected", mesaopt_probe_set_targets(p, g.kernel, NULL, NULL, NULL));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_probe_feed_file(NULL, 0, nowhere, "h*", "y", NULL, 0, -1));
    BAD(MESAOPT_E_ARGUMENT, "set: 2, expected", mesaopt_probe_feed_file(p, 2, nowhere, "h*", "y", NULL, 0, -1));
    BAD(MESAOPT_E_ARGUMENT, "path: NULL", mesaopt_probe_feed_file(p, 0, NULL, "h*", "y", NULL, 0, -1));
    BAD(MESAOPT_E_ARGUMENT, "activations: NULL", mesaopt_probe_feed_file(p, 0, nowhere, NULL, "y", NULL, 0, -1));
    BAD(MESAOPT_E_ARGUMENT, "targets: NULL", mesaopt_probe_feed_file(p, 0, nowhere, "h*", NULL, NULL, 0, -1));
    BAD(MESAOPT_E_ARGUMENT, "first: -1, expected", mesaopt_probe_feed_file(p, 0, nowhere, "h*", "y", NULL, -1, -1));
    BAD(MESAOPT_E_ARGUMENT, "count: -2, expected", mesaopt_probe_feed_file(p, 0, nowhere, "h*", "y", NULL, 0, -2));
    BAD(MESAOPT_E_IO, "/nonexistent/x.safetensors: opening", mesaopt_probe_feed_file(p, 0, nowhere, "h*", "y", NULL, 0, -1));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_probe_feed_from(NULL, 0, f->in, 64, "h*", "y", NULL, 0, -1));
    BAD(MESAOPT_E_ARGUMENT, "set: 2, expected", mesaopt_probe_feed_from(p, 2, f->in, 64, "h*", "y", NULL, 0, -1));
    BAD(MESAOPT_E_ARGUMENT, "bytes: NULL", mesaopt_probe_feed_from(p, 0, NULL, 64, "h*", "y", NULL, 0, -1));
    BAD(MESAOPT_E_ARGUMENT, "length: -1", mesaopt_probe_feed_from(p, 0, f->in, -1, "h*", "y", NULL, 0, -1));
    BAD(MESAOPT_E_ARGUMENT, "activations: NULL", mesaopt_probe_feed_from(p, 0, f->in, 64, NULL, "y", NULL, 0, -1));
    BAD(MESAOPT_E_ARGUMENT, "targets: NULL", mesaopt_probe_feed_from(p, 0, f->in, 64, "h*", NULL, NULL, 0, -1));
    BAD(MESAOPT_E_ARGUMENT, "first: -1, expected", mesaopt_probe_feed_from(p, 0, f->in, 64, "h*", "y", NULL, -1, -1));
    BAD(MESAOPT_E_ARGUMENT, "count: -2, expected", mesaopt_probe_feed_from(p, 0, f->in, 64, "h*", "y", NULL, 0, -2));
    BAD(MESAOPT_E_FORMAT, "memory: header of", mesaopt_probe_feed_from(p, 0, f->in, 64, "h*", "y", NULL, 0, -1));
    ck_assert_int_eq(mesaopt_model_free(narrow), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_free(longer), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_free(wider), MESAOPT_OK);
    probed_end(&g);
}
END_TEST

START_TEST(result_rows)
{
    probed g = probed_start();
    mesaopt_probe *p = g.p;
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_probe_fit(NULL, NULL));
    BAD(MESAOPT_E_SETTING, "settings: ", mesaopt_probe_fit(p, f->trainer_settings));
    BAD(MESAOPT_E_STATE, "fit: 0 sequences at step 0, expected at least 3 for layer 0 (its features), or a penalty", mesaopt_probe_fit(p, NULL));
    BAD(MESAOPT_E_STATE, "probe: not fitted", mesaopt_probe_score(p, 0, &g.mse, &g.r2));
    BAD(MESAOPT_E_STATE, "probe: not fitted", mesaopt_probe_weights(p, 0, 0, &f->out.view, NULL));
    BAD(MESAOPT_E_STATE, "probe: not fitted", mesaopt_probe_rank(p, &g.rank));
    for (int i = 0; i < 64; i++) f->in[i] = i + 1;
    ck_assert_int_eq(mesaopt_probe_feed(p, 0, g.h, &g.y, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(g.settings, MESAOPT_KEY_INTERCEPT, 1), MESAOPT_OK);
    BAD(MESAOPT_E_STATE, "fit: 3 sequences at step 0, expected at least 4 for layer 0 (its features and the intercept)", mesaopt_probe_fit(p, g.settings));
    ck_assert_int_eq(mesaopt_probe_fit(p, NULL), MESAOPT_OK);

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_probe_score(NULL, 0, &g.mse, &g.r2));
    BAD(MESAOPT_E_ARGUMENT, "set: 2, expected", mesaopt_probe_score(p, 2, &g.mse, &g.r2));
    BAD(MESAOPT_E_STATE, "score: no sequence of the test set at step 0", mesaopt_probe_score(p, 1, &g.mse, &g.r2));
    BAD(MESAOPT_E_SHAPE, "mse: shape [2,1], expected [2,2]", mesaopt_probe_score(p, 0, VIEW(with_extent(g.mse, 1, 1)), NULL));
    BAD(MESAOPT_E_SHAPE, "mse: shape [2], expected [2,2]", mesaopt_probe_score(p, 0, VIEW(with_rank(g.mse, 1)), NULL));
    BAD(MESAOPT_E_SHAPE, "r2: shape [2,2,1], expected [2,2,2]", mesaopt_probe_score(p, 0, NULL, VIEW(with_extent(g.r2, 2, 1))));
    BAD(MESAOPT_E_DTYPE, "mse: dtype 4 (i64), expected f32 or f64", mesaopt_probe_score(p, 0, VIEW(with_dtype(g.mse, MESAOPT_I64)), NULL));
    BAD(MESAOPT_E_ARGUMENT, "r2: a READONLY view", mesaopt_probe_score(p, 0, NULL, VIEW(with_flags(g.r2, MESAOPT_VIEW_READONLY))));
    BAD(MESAOPT_E_OVERLAP, "mse: strides [0,1]", mesaopt_probe_score(p, 0, VIEW(with_stride(g.mse, 0, 0)), NULL));
    BAD(MESAOPT_E_OVERLAP, "mse: may share elements with r2", mesaopt_probe_score(p, 0, &g.mse, &g.mse));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_probe_weights(NULL, 0, 0, &f->out.view, NULL));
    BAD(MESAOPT_E_ARGUMENT, "layer: 2, expected 0 to 1", mesaopt_probe_weights(p, 2, 0, &f->out.view, NULL));
    BAD(MESAOPT_E_ARGUMENT, "layer: -1, expected 0 to 1", mesaopt_probe_weights(p, -1, 0, &f->out.view, NULL));
    BAD(MESAOPT_E_ARGUMENT, "step: 2, expected 0 to 1", mesaopt_probe_weights(p, 0, 2, &f->out.view, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_probe_rank(NULL, &g.rank));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_probe_rank(p, NULL));
    BAD(MESAOPT_E_SHAPE, "out: shape [1,2], expected [2,2]", mesaopt_probe_rank(p, VIEW(with_extent(g.rank, 0, 1))));
    probed_end(&g);
}
END_TEST

START_TEST(target_rows)
{
    probed g = probed_start();
    mesaopt_ctx *c = f->ctx;
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_probe_targets(NULL, NULL, &g.sequences, &g.targets));
    BAD(MESAOPT_E_SETTING, "settings: ", mesaopt_probe_targets(c, f->trainer_settings, &g.sequences, &g.targets));
    BAD(MESAOPT_E_ARGUMENT, "sequences: NULL", mesaopt_probe_targets(c, NULL, NULL, &g.targets));
    BAD(MESAOPT_E_SHAPE, "sequences: shape [3,0,2], expected [B,T+1,n]", mesaopt_probe_targets(c, NULL, VIEW(with_extent(g.sequences, 1, 0)), &g.targets));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_probe_targets(c, NULL, &g.sequences, NULL));
    BAD(MESAOPT_E_SHAPE, "out: shape [3,1,2], expected [3,2,2]", mesaopt_probe_targets(c, NULL, &g.sequences, VIEW(with_extent(g.targets, 1, 1))));
    BAD(MESAOPT_E_OVERLAP, "out: may share elements with sequences", mesaopt_probe_targets(c, NULL, &g.sequences, VIEW(with_data(g.targets, f->in + 4))));
    ck_assert_int_eq(mesaopt_settings_set_int(g.settings, MESAOPT_KEY_LAGS, 3), MESAOPT_OK);
    BAD(MESAOPT_E_SHAPE, "out: shape [3,2,2], expected [3,2,6]", mesaopt_probe_targets(c, g.settings, &g.sequences, &g.targets));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_probe_filter(NULL, 2, &g.y, &g.kept));
    BAD(MESAOPT_E_ARGUMENT, "limit: 0, expected a number above 0", mesaopt_probe_filter(c, 0, &g.y, &g.kept));
    BAD(MESAOPT_E_ARGUMENT, "limit: nan, expected a number above 0", mesaopt_probe_filter(c, NAN, &g.y, &g.kept));
    BAD(MESAOPT_E_ARGUMENT, "targets: NULL", mesaopt_probe_filter(c, 2, NULL, &g.kept));
    BAD(MESAOPT_E_SHAPE, "targets: shape [3,2], expected [*,*,*]", mesaopt_probe_filter(c, 2, VIEW(with_rank(g.y, 2)), &g.kept));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_probe_filter(c, 2, &g.y, NULL));
    BAD(MESAOPT_E_SHAPE, "out: shape [3,1], expected [3,2]", mesaopt_probe_filter(c, 2, &g.y, VIEW(with_extent(g.kept, 1, 1))));
    BAD(MESAOPT_E_OVERLAP, "out: may share elements with targets", mesaopt_probe_filter(c, 2, &g.y, VIEW(with_data(g.kept, f->in + 20))));
    BAD(MESAOPT_E_MEMORY, "filter: no memory", (refuse(1), mesaopt_probe_filter(c, 2, &g.y, &g.kept)));
    probed_end(&g);
}
END_TEST

Suite *test_arguments_probe_suite(void)
{
    const TTest *const tables[] = {plan_rows, feed_rows, source_rows, result_rows, target_rows};
    return arguments_suite("arguments of probes", sizeof tables / sizeof *tables, tables);
}
