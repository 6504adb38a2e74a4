/* RevAlg against NumPy (oracle/revalg.py), on trained models, and on weights and files of the user. */
#include "train/safetensors.h"
#include "training_setup.h"
#include "oracle/golden_revalg.h"
#include <math.h>
#include <stdint.h>

#define OK(call) ck_assert_int_eq((call), MESAOPT_OK)
enum { LAYER_BLOCKS = 4, PREDICTIONS = REV_B * REV_T * REV_N };

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

static mesaopt_settings *layer_settings(const char *kind)
{
    mesaopt_settings *s = settings_from(strcmp(kind, "linear") ? MESAOPT_SCOPE_SOFTMAX : MESAOPT_SCOPE_LINEAR, "heads=2 key=5 value=3");
    OK(mesaopt_settings_set_text(s, "residual_clip", REV_CLIP));
    return s;
}

static mesaopt_settings *golden_settings(const char *dtype)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_MODEL, "inputs=8 outputs=2");
    OK(mesaopt_settings_set_text(s, "dtype", dtype));
    return s;
}

/* Views of golden weights: query, key, value, output of both layers. */
static void golden_views(int second, mesaopt_view v[LAYER_BLOCKS * REV_LAYERS])
{
    for (int i = 0; i < REV_LAYERS; i++) {
        v[4 * i] = DENSE((double *)(second ? rev_second_query : rev_first_query)[i], MESAOPT_F64, REV_D, REV_HEADS * REV_KEY);
        v[4 * i + 1] = DENSE((double *)(second ? rev_second_key : rev_first_key)[i], MESAOPT_F64, REV_D, REV_HEADS * REV_KEY);
        v[4 * i + 2] = DENSE((double *)(second ? rev_second_value : rev_first_value)[i], MESAOPT_F64, REV_D, REV_HEADS * REV_VALUE);
        v[4 * i + 3] = DENSE((double *)(second ? rev_second_output : rev_first_output)[i], MESAOPT_F64, REV_HEADS * REV_VALUE, REV_D);
    }
}

static mesaopt_model *golden_model(mesaopt_ctx *ctx, const char *kind, int second, const char *dtype)
{
    mesaopt_settings *s = golden_settings(dtype), *layer = layer_settings(kind);
    mesaopt_view v[LAYER_BLOCKS * REV_LAYERS];
    mesaopt_model *m;
    golden_views(second, v);
    OK(mesaopt_revalg_import(ctx, s, layer, REV_LAYERS, v, &m));
    mesaopt_settings_free(s);
    mesaopt_settings_free(layer);
    return m;
}

static void check_predictions(mesaopt_model *m, const double *expected, const char *what)
{
    double out[PREDICTIONS];
    const mesaopt_view tokens = DENSE((double *)rev_tokens, MESAOPT_F64, REV_B, REV_T, REV_D), to = DENSE(out, MESAOPT_F64, REV_B, REV_T, REV_N);
    OK(mesaopt_model_forward(m, &tokens, &to));
    const double off = relative(out, expected, PREDICTIONS);
    ck_assert_msg(off <= 1e-12, "%s: off by %g", what, off);
}

START_TEST(scalars_and_models_are_those_of_numpy)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    const char *kind = _i ? "softmax" : "linear";
    mesaopt_model *a = golden_model(ctx, kind, 0, "f64"), *b = golden_model(ctx, kind, 1, "f64"), *rebuilt, *average;
    mesaopt_revalg *r;
    double weights, explained;
    check_predictions(a, _i ? &rev_softmax_model[0][0][0] : &rev_linear_model[0][0][0], "model");
    OK(mesaopt_revalg_extract(a, &r));
    for (int i = 0; i < REV_LAYERS; i++)
        for (int p = 0; p < 2; p++) {
            mesaopt_view s, e;
            OK(mesaopt_revalg_scalars(r, i, p, &s));
            OK(mesaopt_revalg_residuals(r, i, p, &e));
            ck_assert(s.ndim == 3 && s.shape[0] == REV_HEADS && s.shape[1] == REV_SLOTS && s.shape[2] == REV_SLOTS);
            ck_assert_double_le(relative(s.data, &rev_scalars[i][p][0][0][0], REV_HEADS * REV_SLOTS * REV_SLOTS), 1e-14);
            ck_assert_double_le(relative(e.data, &rev_residuals[i][p][0][0][0], REV_HEADS * REV_SLOTS * REV_SLOTS), 1e-14);
            ck_assert(e.flags == MESAOPT_VIEW_READONLY && s.flags == 0);
        }
    OK(mesaopt_revalg_summary(r, &weights, &explained));
    ck_assert_double_eq_tol(explained, rev_explained, 1e-14);
    ck_assert_double_eq_tol(weights, 2.0 * REV_SLOTS * REV_SLOTS / (2 * REV_D * (REV_KEY + REV_VALUE)), 1e-15);
    OK(mesaopt_revalg_rebuild(r, &rebuilt));
    check_predictions(rebuilt, _i ? &rev_softmax_rebuilt[0][0][0] : &rev_linear_rebuilt[0][0][0], "rebuilt");
    OK(mesaopt_revalg_average(a, b, &average));
    check_predictions(average, _i ? &rev_softmax_mean[0][0][0] : &rev_linear_mean[0][0][0], "average");
    OK(mesaopt_revalg_average_update(average, b, a));
    check_predictions(average, _i ? &rev_softmax_mean[0][0][0] : &rev_linear_mean[0][0][0], "average, the other way round");
    OK(mesaopt_model_free(average));
    OK(mesaopt_revalg_average(rebuilt, a, &average));              /* keys of 8 and 5, scales of 1/sqrt(5) */
    check_predictions(average, _i ? &rev_softmax_with_rebuilt[0][0][0] : &rev_linear_with_rebuilt[0][0][0], "average with the rebuilt");
    OK(mesaopt_model_free(average));
    OK(mesaopt_revalg_free(r));                                    /* the rebuilt model stands on its own */
    OK(mesaopt_revalg_extract(rebuilt, &r));                       /* and is its own extraction, to the last bit but one */
    OK(mesaopt_revalg_summary(r, NULL, &explained));
    ck_assert_double_eq_tol(explained, 1, 1e-14);
    mesaopt_view s;
    OK(mesaopt_revalg_scalars(r, 1, MESAOPT_REVALG_VALUES, &s));
    ck_assert_double_le(relative(s.data, &rev_scalars[1][1][0][0][0], REV_HEADS * REV_SLOTS * REV_SLOTS), 1e-14);
    OK(mesaopt_revalg_free(r));
    OK(mesaopt_model_free(rebuilt));
    OK(mesaopt_model_free(a));
    OK(mesaopt_model_free(b));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* The mean of a model with itself is the model, whatever its blocks; for f32, too. */
START_TEST(average_of_equals)
{
    static const struct { const char *settings, *blocks; double tol; } rows[] = {
        {"inputs=12 outputs=3 dtype=f64", "mask(first=6); linear(heads=2,key=4,value=3,init_sd=0.3,scale=0.7)", 1e-14},
        {"inputs=12 outputs=3 dtype=f64", "dense(outputs=9,init_sd=0.3); 2 x softmax(heads=3,key=4,init_sd=0.5,residual_clip=0.8); dense(outputs=3,init_sd=0.3)", 1e-14},
        {"inputs=12 outputs=3", "2 x linear(heads=2,key=4,init_sd=0.3)", 2e-6}};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    mesaopt_task *task = task_from(ctx, "dim=3 length=20");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mesaopt_model *m = model_from(ctx, rows[i].settings, rows[i].blocks), *average;
        double loss[2];
        OK(mesaopt_revalg_average(m, m, &average));
        OK(mesaopt_model_evaluate(m, task, MESAOPT_STREAM_TEST, 0, 77, NULL, &loss[0]));
        OK(mesaopt_model_evaluate(average, task, MESAOPT_STREAM_TEST, 0, 77, NULL, &loss[1]));
        ck_assert_double_eq_tol(loss[0], loss[1], rows[i].tol * loss[0]);
        OK(mesaopt_model_initialise(m, 9));
        OK(mesaopt_model_evaluate(m, task, MESAOPT_STREAM_TEST, 0, 77, NULL, &loss[0]));
        ck_assert(fabs(loss[0] - loss[1]) > 1e-3 * loss[0]);
        OK(mesaopt_revalg_average_update(average, m, m));
        OK(mesaopt_model_evaluate(average, task, MESAOPT_STREAM_TEST, 0, 77, NULL, &loss[1]));
        ck_assert_double_eq_tol(loss[0], loss[1], rows[i].tol * loss[0]);
        OK(mesaopt_model_free(m));
        OK(mesaopt_model_free(average));
    }
    OK(mesaopt_task_free(task));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* The product of a head: of golden weights, by the definition. */
START_TEST(products)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_model *m = golden_model(ctx, "linear", 0, "f64"), *d = model_from(ctx, "inputs=8 outputs=2 dtype=f64", "dense(outputs=6,init_sd=1)");
    double out[REV_D][REV_D];
    const mesaopt_view transposed = {out, {REV_D, REV_D}, {1, REV_D}, 2, MESAOPT_F64, 0, 0}, small = DENSE(out, MESAOPT_F64, REV_D, 6);
    for (int h = 0; h < REV_HEADS; h++)
        for (int p = 0; p < 2; p++) {
            OK(mesaopt_revalg_product(m, 1, p, h, &transposed));
            for (int i = 0; i < REV_D; i++)
                for (int j = 0; j < REV_D; j++) {
                    double want = 0;
                    for (int k = 0; k < (p ? REV_VALUE : REV_KEY); k++)
                        want += p ? rev_first_value[1][i][h * REV_VALUE + k] * rev_first_output[1][h * REV_VALUE + k][j]
                                  : rev_first_query[1][i][h * REV_KEY + k] * rev_first_key[1][j][h * REV_KEY + k];
                    ck_assert_double_eq_tol(out[j][i], want, 1e-14);
                }
        }
    mesaopt_view w;
    OK(mesaopt_model_parameter(d, "blocks.0.weight", &w));
    OK(mesaopt_revalg_product(d, 0, MESAOPT_REVALG_WEIGHT, 0, &small));
    ck_assert_mem_eq(out, w.data, REV_D * 6 * sizeof(double));
    OK(mesaopt_model_free(m));
    OK(mesaopt_model_free(d));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* ---- one layer ---- */

/* The six scalars, put into their formula, predict what the rebuilt model predicts; the mask is heeded. */
static void check_closed_form(mesaopt_ctx *ctx, const char *blocks, int softmax, int first_slot)
{
    enum { N = 3, T = 7, HEADS = 2 };
    mesaopt_model *m = model_from(ctx, "inputs=12 outputs=3 dtype=f64", blocks), *rebuilt;
    mesaopt_task *task = task_from(ctx, "dim=3 length=7");
    mesaopt_revalg *r;
    double c[HEADS][6], x[T + 2][N] = {{0}}, out[T][N];        /* x[t] is x_t, x[0] = 0 */
    double tokens[T * 4 * N];
    const mesaopt_view to = DENSE(c, MESAOPT_F64, HEADS, 6), sequence = DENSE(x[1], MESAOPT_F64, 1, T + 1, N), in = DENSE(tokens, MESAOPT_F64, 1, T, 4 * N),
                       prediction = DENSE(out, MESAOPT_F64, 1, T, N);
    OK(mesaopt_revalg_extract(m, &r));
    OK(mesaopt_revalg_closed_form(r, &to));
    OK(mesaopt_revalg_rebuild(r, &rebuilt));
    OK(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, &sequence));
    OK(mesaopt_task_tokens(task, &sequence, &in));
    OK(mesaopt_model_forward(rebuilt, &in, &prediction));
    for (int t = 1; t <= T; t++)
        for (int j = 0; j < N; j++) {
            double want = 0;
            for (int h = 0; h < HEADS; h++) {
                double sum = 0, top = 0;
                for (int s = 1; s <= t; s++) {
                    double logit = 0;
                    for (int i = 0; i < N; i++)
                        logit += x[t][i] * (c[h][0] * x[s][i] + c[h][1] * x[s - 1][i]) + x[t - 1][i] * (c[h][2] * x[s][i] + c[h][3] * x[s - 1][i]);
                    const double weight = softmax ? exp(logit / sqrt(4)) : logit;
                    top += weight * (c[h][4] * x[s][j] + c[h][5] * x[s - 1][j]);
                    sum += weight;
                }
                want += softmax ? top / sum : top;
            }
            ck_assert_double_eq_tol(out[t - 1][j], want, 1e-13);
        }
    mesaopt_view v;
    OK(mesaopt_revalg_scalars(r, first_slot > 1 ? 1 : 0, MESAOPT_REVALG_VALUES, &v));
    if (first_slot > 1) ck_assert_double_eq(c[1][4], ((double *)v.data)[16 + 8]);
    OK(mesaopt_revalg_free(r));
    OK(mesaopt_model_free(m));
    OK(mesaopt_model_free(rebuilt));
    OK(mesaopt_task_free(task));
}

START_TEST(closed_form)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    check_closed_form(ctx, "mask(first=6); linear(heads=2,key=4,init_sd=0.5)", 0, 2);
    check_closed_form(ctx, "linear(heads=2,key=4,init_sd=0.5)", 0, 1);
    check_closed_form(ctx, "mask(first=6); softmax(heads=2,key=4,init_sd=0.5)", 1, 2);
    static const char *const others[] = {"2 x linear(key=4)", "mask(first=6)", "mask(first=5); linear(key=4)", "linear(key=4); mask(first=1)", "dense(outputs=12); linear(key=4)"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        mesaopt_model *m = model_from(ctx, "inputs=12 outputs=3", others[i]);
        mesaopt_revalg *r;
        double c[24];
        const mesaopt_view to = DENSE(c, MESAOPT_F64, 4, 6);
        OK(mesaopt_revalg_extract(m, &r));
        REFUSED(ctx, MESAOPT_E_UNSUPPORTED, "revalg: ", mesaopt_revalg_closed_form(r, &to));
        OK(mesaopt_revalg_free(r));
        OK(mesaopt_model_free(m));
    }
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* ---- training ---- */

typedef struct interpolation { mesaopt_model *model, *rebuilt, *average; mesaopt_task *task; double loss[3]; int calls; } interpolation;

static int32_t interpolate(const mesaopt_step *step, void *user)
{
    interpolation *p = user;
    mesaopt_model *const models[3] = {p->model, p->rebuilt, p->average};
    if (step->step % 50) return 0;
    ck_assert_int_eq(mesaopt_revalg_average_update(p->model, p->model, p->rebuilt), MESAOPT_E_STATE);
    OK(mesaopt_revalg_average_update(p->average, p->model, p->rebuilt));
    for (int i = 0; i < 3; i++) OK(mesaopt_model_evaluate(models[i], p->task, MESAOPT_STREAM_TEST, 0, 256, NULL, &p->loss[i]));
    p->calls++;
    return 0;
}

/* One layer, trained: its products become blocks of scaled identity, the model of their scalars is as good as it is, and when it is trained anew from the
 * same start the average of both tracks it. */
START_TEST(trained_layer_is_its_scalars)
{
    static const recipe one = {"inputs=12 outputs=3 seed=5", "mask(first=6); linear(heads=2,key=6,residual_clip=4,init_sd=2e-4)", "dim=3 length=20 seed=11",
                               "batch=64 lr=3e-3 weight_decay=0.05", NULL};
    enum { STEPS = 300 };                                            /* many more, and with 3 dimensions it finds something better */
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    setup s = setup_start(ctx, &one);
    mesaopt_revalg *r;
    interpolation p = {0};
    double before, after;
    OK(mesaopt_revalg_extract(s.model, &r));
    OK(mesaopt_revalg_summary(r, NULL, &before));
    OK(mesaopt_revalg_free(r));
    OK(mesaopt_trainer_run(s.trainer, STEPS, NULL, NULL));
    OK(mesaopt_revalg_extract(s.model, &r));
    OK(mesaopt_revalg_summary(r, NULL, &after));
    OK(mesaopt_revalg_rebuild(r, &p.rebuilt));
    ck_assert_msg(before < 0.5 && after > 0.95, "explained: %g at first, %g in the end", before, after);
    setup_end(&s);
    s = setup_start(ctx, &one);
    p.model = s.model, p.task = s.task;
    OK(mesaopt_revalg_average(s.model, p.rebuilt, &p.average));
    OK(mesaopt_trainer_run(s.trainer, STEPS, interpolate, &p));
    ck_assert_int_eq(p.calls, STEPS / 50);
    for (int i = 1; i < 3; i++)
        ck_assert_msg(fabs(p.loss[i] - p.loss[0]) <= 0.02 * p.loss[0], "%s: loss %g, the model's is %g", i == 1 ? "rebuilt" : "average", p.loss[i], p.loss[0]);
    OK(mesaopt_model_free(p.average));
    OK(mesaopt_model_free(p.rebuilt));
    OK(mesaopt_revalg_free(r));
    setup_end(&s);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* ---- the user's weights ---- */

/* bf16 with its bits cut. */
static uint16_t bfloat(double x)
{
    const float f = (float)x;
    uint32_t bits;
    memcpy(&bits, &f, 4);
    return (uint16_t)(bits >> 16);
}

START_TEST(weights_of_any_layout_and_type)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_settings *s = golden_settings("f64"), *layer = layer_settings("linear");
    mesaopt_view v[LAYER_BLOCKS * REV_LAYERS], got;
    mesaopt_model *m;
    golden_views(0, v);
    float key[REV_HEADS * REV_KEY][REV_D];                         /* as PyTorch's Linear has it: transposed */
    uint16_t value[REV_D][REV_HEADS * REV_VALUE];
    for (int i = 0; i < REV_D; i++) {
        for (int j = 0; j < REV_HEADS * REV_KEY; j++) key[j][i] = (float)rev_first_key[1][i][j];
        for (int j = 0; j < REV_HEADS * REV_VALUE; j++) value[i][j] = bfloat(rev_first_value[1][i][j]);
    }
    v[5] = (mesaopt_view){key, {REV_D, REV_HEADS * REV_KEY}, {1, REV_D}, 2, MESAOPT_F32, MESAOPT_VIEW_READONLY, 0};
    v[6] = DENSE(value, MESAOPT_BF16, REV_D, REV_HEADS * REV_VALUE);
    OK(mesaopt_revalg_import(ctx, s, layer, REV_LAYERS, v, &m));
    OK(mesaopt_model_parameter(m, "blocks.1.key", &got));
    for (int i = 0; i < REV_D * REV_HEADS * REV_KEY; i++) ck_assert_double_eq(((double *)got.data)[i], (float)(&rev_first_key[1][0][0])[i]);
    OK(mesaopt_model_parameter(m, "blocks.1.value", &got));
    for (int i = 0; i < REV_D * REV_HEADS * REV_VALUE; i++) ck_assert_double_eq_tol(((double *)got.data)[i], (&rev_first_value[1][0][0])[i], 0.02);
    OK(mesaopt_model_free(m));

    mesaopt_view wide = v[7];
    v[7].shape[1] = REV_D - 1;
    REFUSED(ctx, MESAOPT_E_SHAPE, "weights: layer 1, output: shape [6,7], expected [6,8]", mesaopt_revalg_import(ctx, s, layer, REV_LAYERS, v, &m));
    v[7] = wide;
    key[3][2] = NAN;
    REFUSED(ctx, MESAOPT_E_NONFINITE, "weights: layer 1, key: not finite at [2,3]", mesaopt_revalg_import(ctx, s, layer, REV_LAYERS, v, &m));
    key[3][2] = 0;
    v[2].dtype = MESAOPT_I64;
    REFUSED(ctx, MESAOPT_E_DTYPE, "weights: layer 0, value: dtype i64, expected f64, f32, f16 or bf16", mesaopt_revalg_import(ctx, s, layer, REV_LAYERS, v, &m));
    mesaopt_settings_free(s);
    mesaopt_settings_free(layer);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* A file of the golden weights as another program would write it, with tensors left out, added or renamed. */
static void write_file(mesaopt_ctx *ctx, const char *path, int leave_out, const char *extra)
{
    static const char *const names[] = {"query", "key", "value", "output"};
    mesaopt_view v[LAYER_BLOCKS * REV_LAYERS];
    saved_tensor tensors[LAYER_BLOCKS * REV_LAYERS + 1];
    char name[LAYER_BLOCKS * REV_LAYERS][32];
    int64_t count = 0;
    golden_views(0, v);
    for (int i = 0; i < LAYER_BLOCKS * REV_LAYERS; i++) {
        snprintf(name[i], sizeof name[i], "blocks.%d.%s", i / 4, names[i % 4]);
        if (i != leave_out) tensors[count++] = (saved_tensor){name[i], MESAOPT_F64, 2, {v[i].shape[0], v[i].shape[1]}, v[i].data};
    }
    if (extra) tensors[count++] = (saved_tensor){extra, MESAOPT_F64, 2, {1, 1}, v[0].data};
    OK(tensor_file_write(ctx, path, 0, NULL, count, tensors));
}

START_TEST(files)
{
    char folder[64], path[96];
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_settings *s = golden_settings("f64"), *layer = layer_settings("softmax");
    mesaopt_model *m;
    folder_make(folder);
    snprintf(path, sizeof path, "%s/weights.safetensors", folder);
    write_file(ctx, path, -1, NULL);
    OK(mesaopt_revalg_import_file(ctx, s, layer, path, &m));
    check_predictions(m, &rev_softmax_model[0][0][0], "file");
    OK(mesaopt_model_free(m));

    static const struct { int leave_out; const char *extra, *said; } rows[] = {
        {6, NULL, "tensor 'blocks.1.value'"}, {0, NULL, "tensor 'blocks.0.query'"}, {-1, "adamw.m.blocks.0.key", "tensor 'adamw.m.blocks.0.key': not expected"},
        {-1, "blocks.1.weight", "tensor 'blocks.1.weight': not expected"}, {-1, "blocks.query", "tensor 'blocks.query': not expected"},
        {-1, "blocks.2.query", "tensor 'blocks.2.query'"}, {-1, "blocks.00.query", "tensor 'blocks.00.query': not expected"}, {-1, "blocks.999999.query", "expected"}, {-1, "blocks.9999999.query", "not expected"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_file(ctx, path, rows[i].leave_out, rows[i].extra);
        ck_assert_int_eq(mesaopt_revalg_import_file(ctx, s, layer, path, &m), MESAOPT_E_FORMAT);
        SAID(ctx, rows[i].said);
    }
    write_file(ctx, path, -1, NULL);
    OK(mesaopt_settings_set_text(layer, "key", "4"));
    ck_assert_int_eq(mesaopt_revalg_import_file(ctx, s, layer, path, &m), MESAOPT_E_FORMAT);
    SAID(ctx, "tensor 'blocks.0.query'");
    unlink(path);
    ck_assert_int_eq(mesaopt_revalg_import_file(ctx, s, layer, path, &m), MESAOPT_E_IO);
    rmdir(folder);
    mesaopt_settings_free(s);
    mesaopt_settings_free(layer);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* ---- what does not fit ---- */

START_TEST(models_that_do_not_fit)
{
    static const struct { const char *settings, *blocks, *said; } alone[] = {
        {"inputs=12 outputs=3", "mesa(heads=2,key=4)", "block 0 is mesa, expected linear, softmax, dense or mask"},
        {"inputs=12 outputs=3", "linear(key=4); softmax(key=4,pe=qk)", "block 1 has positions"},
        {"inputs=12 outputs=3", "linear(key=4); dense(outputs=12,bias=1)", "block 1 has a bias, expected bias=0"},
        {"inputs=12 outputs=3", "linear(key=4); linear(key=4,norm=rms)", "block 1 has normalised inputs, expected norm=none"},
        {"inputs=12 outputs=3", "linear(key=4); softmax(key=4,qk_norm=1)", "block 1 has queries and keys of length 1, expected qk_norm=0"},
        {"inputs=13 outputs=3", "linear(key=4)", "block 0 maps 13 features to 13, expected multiples of the 3"},
        {"inputs=12 outputs=3", "dense(outputs=10)", "block 0 maps 12 features to 10"}};
    static const struct { const char *settings, *blocks, *said; } pairs[] = {
        {"inputs=12 outputs=3", "linear(key=4,heads=2); linear(key=4)", "b: 2 blocks, inputs 12, outputs 3, expected 1, 12 and 3"},
        {"inputs=16 outputs=4", "linear(key=4,heads=2)", "inputs 16, outputs 4"},
        {"inputs=12 outputs=3", "softmax(key=4,heads=2)", "block 0 differs in its kind"},
        {"inputs=12 outputs=3", "linear(key=4,heads=3)", "block 0 differs in its heads"},
        {"inputs=12 outputs=3", "linear(key=4,heads=2,qk_norm=1)", "b: block 0 has queries and keys of length 1"},
        {"inputs=12 outputs=3", "linear(key=4,heads=2,residual_clip=3)", "block 0 differs in its residual_clip"}};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_model *a = model_from(ctx, "inputs=12 outputs=3", "linear(key=4,heads=2)"), *m, *average, *none = NULL;
    mesaopt_revalg *r = NULL;
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++) {
        m = model_from(ctx, alone[i].settings, alone[i].blocks);
        REFUSED(ctx, MESAOPT_E_UNSUPPORTED, alone[i].said, mesaopt_revalg_extract(m, &r));
        OK(mesaopt_model_free(m));
    }
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        m = model_from(ctx, pairs[i].settings, pairs[i].blocks);
        REFUSED(ctx, MESAOPT_E_UNSUPPORTED, pairs[i].said, mesaopt_revalg_average(a, m, &none));
        OK(mesaopt_model_free(m));
    }
    m = model_from(ctx, "inputs=12 outputs=3", "mesa(key=4,heads=2)");
    REFUSED(ctx, MESAOPT_E_UNSUPPORTED, "a: block 0 is mesa", mesaopt_revalg_average(m, m, &none));
    OK(mesaopt_model_free(m));
    OK(mesaopt_revalg_average(a, a, &average));
    m = model_from(ctx, "inputs=12 outputs=3", "linear(key=5,heads=2)");
    REFUSED(ctx, MESAOPT_E_STATE, "average: no average of models like a and b", mesaopt_revalg_average_update(average, a, m));
    OK(mesaopt_model_free(m));
    ck_assert_ptr_null(r);
    ck_assert_ptr_null(none);
    OK(mesaopt_model_free(average));
    OK(mesaopt_model_free(a));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* Scalars that the user wrote and that no model can have. */
START_TEST(scalars_that_are_none)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_model *m = model_from(ctx, "inputs=12 outputs=3", "linear(key=4,heads=2)"), *none = NULL;
    mesaopt_revalg *r;
    mesaopt_view scalars;
    static const double bad[] = {NAN, 1e39, -INFINITY};
    OK(mesaopt_revalg_extract(m, &r));
    OK(mesaopt_revalg_scalars(r, 0, MESAOPT_REVALG_VALUES, &scalars));
    for (int i = 0; i < 3; i++) {
        ((double *)scalars.data)[20] = bad[i];
        REFUSED(ctx, MESAOPT_E_NONFINITE, "revalg: scalars: weights that are not finite as f32", mesaopt_revalg_rebuild(r, &none));
    }
    ((double *)scalars.data)[20] = 0.25;
    OK(mesaopt_revalg_rebuild(r, &none));
    OK(mesaopt_model_free(none));
    OK(mesaopt_model_free(m));
    OK(mesaopt_revalg_free(r));
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* The n-th block of memory is refused, for every n: nothing is lost. */
START_TEST(memory_runs_short)
{
    hook_alloc hook = {0};
    mesaopt_ctx *ctx = context_hooked(&hook, "");
    mesaopt_model *a = golden_model(ctx, "softmax", 0, "f32"), *made = NULL;
    mesaopt_revalg *r = NULL;
    mesaopt_baseline *b;
    double out[REV_D * REV_D];
    const mesaopt_view to = DENSE(out, MESAOPT_F64, REV_D, REV_D);
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_BASELINE, "baseline=neumann divisor=9 iterations=2");
    OK(mesaopt_baseline_create(ctx, s, &b));
    mesaopt_settings_free(s);
    OK(mesaopt_revalg_extract(a, &r));
    for (int call = 0; call < 6; call++) {
        mesaopt_revalg *again = NULL;
        int n = 0;
        for (mesaopt_status status = MESAOPT_E_MEMORY; status != MESAOPT_OK; n++) {
            const long blocks = hook.blocks;
            hook.fail_at = hook.calls + n + 1;
            status = call == 0 ? mesaopt_revalg_extract(a, &again) : call == 1 ? mesaopt_revalg_rebuild(r, &made) : call == 2 ? mesaopt_revalg_average(a, a, &made)
                   : call == 3 ? mesaopt_revalg_product(a, 0, 0, 0, &to) : call == 4 ? mesaopt_revalg_proposition1(ctx, NULL, 1, NULL, &made)
                               : mesaopt_revalg_proposition2(ctx, NULL, b, &made);
            hook.fail_at = 0;
            OK(mesaopt_model_free(made));
            OK(mesaopt_revalg_free(again));
            made = NULL, again = NULL;
            ck_assert_int_eq(hook.blocks, blocks);
            ck_assert(status == MESAOPT_OK || status == MESAOPT_E_MEMORY);
        }
        ck_assert_int_ge(n, 2);
    }
    OK(mesaopt_baseline_free(b));
    OK(mesaopt_revalg_free(r));
    OK(mesaopt_model_free(a));
    OK(mesaopt_ctx_free(ctx));
    ck_assert_int_eq(hook.blocks, 0);
}
END_TEST

/* A weight of 1e160 is a number, the squared norm of the products is none. */
START_TEST(products_that_overflow)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_model *m = model_from(ctx, "dtype=f64 inputs=4 outputs=2", "dense(outputs=4)");
    mesaopt_revalg *r = NULL;
    mesaopt_view w;
    char text[512];
    OK(mesaopt_model_parameter(m, "blocks.0.weight", &w));
    for (int i = 0; i < 2; i++) {
        *(double *)w.data = i ? NAN : 1e160;
        ck_assert_int_eq(mesaopt_revalg_extract(m, &r), MESAOPT_E_NONFINITE);
        ck_assert_ptr_null(r);
        mesaopt_ctx_error(ctx, text, sizeof text);
        ck_assert_str_eq(text, i ? "model: the squared norm of its products is nan, expected a finite number" : "model: the squared norm of its products is inf, expected a finite number");
    }
    mesaopt_model_free(m);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* One block [3 0; 0 1] of size whatever: scalar 2, residual sqrt(2), of the squared norm 8/10; also where its square would vanish. */
START_TEST(small_products)
{
    static const double sizes[] = {1, 1e-100, 1e-170, 1e-300};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_model *m = model_from(ctx, "dtype=f64 inputs=2 outputs=2", "dense(outputs=2)");
    mesaopt_view w, scalar, residual;
    OK(mesaopt_model_parameter(m, "blocks.0.weight", &w));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        mesaopt_revalg *r;
        double explained, *x = w.data;
        x[0] = 3 * sizes[i], x[1] = x[2] = 0, x[3] = sizes[i];
        OK(mesaopt_revalg_extract(m, &r));
        OK(mesaopt_revalg_scalars(r, 0, MESAOPT_REVALG_WEIGHT, &scalar));
        OK(mesaopt_revalg_residuals(r, 0, MESAOPT_REVALG_WEIGHT, &residual));
        OK(mesaopt_revalg_summary(r, NULL, &explained));
        ck_assert_double_eq_tol(*(double *)scalar.data / sizes[i], 2, 1e-14);
        ck_assert_double_eq_tol(*(double *)residual.data / sizes[i], sqrt(2), 1e-14);
        ck_assert_double_eq_tol(explained, 0.8, 1e-14);
        OK(mesaopt_revalg_free(r));
    }
    mesaopt_model_free(m);
    mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_revalg_suite(void)
{
    Suite *suite = suite_create("revalg");
    TCase *golden = tcase_create("golden"), *use = tcase_create("use");
    tcase_add_loop_test(golden, scalars_and_models_are_those_of_numpy, 0, 2);
    tcase_add_test(golden, products);
    tcase_add_test(golden, products_that_overflow);
    tcase_add_test(golden, small_products);
    tcase_add_test(golden, average_of_equals);
    tcase_add_test(golden, closed_form);
    tcase_add_test(use, trained_layer_is_its_scalars);
    tcase_add_test(use, weights_of_any_layout_and_type);
    tcase_add_test(use, files);
    tcase_add_test(use, models_that_do_not_fit);
    tcase_add_test(use, scalars_that_are_none);
    tcase_add_test(use, memory_runs_short);
    tcase_set_timeout(use, 60);
    suite_add_tcase(suite, golden);
    suite_add_tcase(suite, use);
    return suite;
}
