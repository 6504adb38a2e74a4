/* What tests against the golden values of tests/oracle share. Include behind the header of golden values: hashed inputs, comparison with
 * a record, attention on tensors and whole models for every element type, ISA level of this CPU and number of lanes. */
#ifndef TESTS_GOLDEN_H
#define TESTS_GOLDEN_H

#include "contexts.h"
#include <math.h>
#include <stdio.h>

#define OK(call) ck_assert_int_eq((call), MESAOPT_OK)
enum { MOST = 3 * 70 * 2 * 4 };                        /* elements of the largest tensor */
enum { B = 5, N = 3 };                                 /* of the models */

/* The scripts' inputs: element i of array `seed`. */
static double hashed(uint64_t seed, uint64_t i)
{
    uint64_t z = (seed + 1) * 0x9E3779B97F4A7C15u + i * 0xD1342543DE82EF95u;
    z = (z ^ z >> 29) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 32) * 0x94D049BB133111EBu;
    return (double)((z ^ z >> 30) >> 40) / 0x1p23 - 1;
}

/* A dense array of either type and its view. */
typedef struct array { mesaopt_view view; double room[MOST]; } array;

static double get(const array *a, int64_t i) { return a->view.dtype == MESAOPT_F32 ? ((const float *)a->room)[i] : a->room[i]; }

static void set(array *a, int64_t i, double x)
{
    if (a->view.dtype == MESAOPT_F32) ((float *)a->room)[i] = (float)x;
    else a->room[i] = x;
}

static int64_t shape_array(array *a, int32_t dtype, int32_t ndim, const int64_t *shape)
{
    int64_t count = 1;
    for (int32_t i = 0; i < ndim; i++) count *= shape[i];
    ck_assert_int_le(count, MOST);
    OK(mesaopt_view_dense(a->room, dtype, ndim, shape, &a->view));
    for (int64_t i = 0; i < count; i++) set(a, i, NAN);
    return count;
}

static void fill_hashed(array *a, int32_t dtype, int32_t ndim, const int64_t *shape, uint64_t seed, double factor)
{
    int64_t count = shape_array(a, dtype, ndim, shape);
    for (int64_t i = 0; i < count; i++) set(a, i, factor * hashed(seed, (uint64_t)i));
}

/* Norm, projections and elements of `a` agree with the record `prefix.name` within tol times its norm. */
static void agree(const char *prefix, const char *name, const array *a, double tol)
{
    char full[64];
    snprintf(full, sizeof full, "%s.%s", prefix, name);
    const struct golden *g = NULL;
    for (size_t i = 0; i < sizeof golden / sizeof *golden; i++)
        if (!strcmp(golden[i].name, full)) g = &golden[i];
    ck_assert_msg(g != NULL, "no record %s", full);
    double squares = 0, projection[GOLDEN_PROJECTIONS] = {0};
    for (int64_t i = 0; i < g->size; i++) {
        squares += get(a, i) * get(a, i);
        for (int p = 0; p < GOLDEN_PROJECTIONS; p++) projection[p] += get(a, i) * hashed(GOLDEN_SEED + p, (uint64_t)i);
    }
    double room = tol * g->norm;
    ck_assert_msg(fabs(sqrt(squares) - g->norm) <= room, "%s: norm %.15g, expected %.15g", full, sqrt(squares), g->norm);
    for (int p = 0; p < GOLDEN_PROJECTIONS; p++)
        ck_assert_msg(fabs(projection[p] - g->projection[p]) <= room, "%s: projection %d is %.15g, expected %.15g", full, p, projection[p],
                      g->projection[p]);
    for (int e = 0; e < GOLDEN_ENTRIES; e++) {
        int64_t i = e * (g->size - 1) / (GOLDEN_ENTRIES - 1);
        ck_assert_msg(fabs(get(a, i) - g->entry[e]) <= room, "%s[%d] is %.15g, expected %.15g", full, (int)i, get(a, i), g->entry[e]);
    }
}

/* Every combination of ISA level, element type and lanes. */
typedef void (*combination_fn)(mesaopt_ctx *ctx, int32_t dtype, int64_t lanes);

static void every_combination(combination_fn run)
{
    for (int32_t isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
        mesaopt_ctx *ctx = context_at(isa, 1);
        if (!ctx) continue;
        for (int32_t dtype = MESAOPT_F32; dtype <= MESAOPT_F64; dtype++)
            for (int64_t lanes = 1; lanes <= 2; lanes++) run(ctx, dtype, lanes);
        OK(mesaopt_ctx_free(ctx));
    }
}

/* Records: "linear.7.out" or, with settings, "unit_linear.7.out" and so on. */
static void attention_case(mesaopt_ctx *ctx, const char *settings, int32_t scope, int32_t dtype, int64_t lanes, int64_t length, int64_t chunk)
{
    static array q, k, v, out, dout, dq, dk, dv;
    const int64_t keys[4] = {3, length, 2, 3}, values[4] = {3, length, 2, 4};
    char prefix[32];
    snprintf(prefix, sizeof prefix, "%s%s.%d", *settings ? "unit_" : "", scope == MESAOPT_SCOPE_LINEAR ? "linear" : "softmax", (int)length);
    fill_hashed(&q, dtype, 4, keys, 1, 1);
    fill_hashed(&k, dtype, 4, keys, 2, 1);
    fill_hashed(&v, dtype, 4, values, 3, 1);
    fill_hashed(&dout, dtype, 4, values, 4, 1);
    shape_array(&out, dtype, 4, values);
    shape_array(&dq, dtype, 4, keys);
    shape_array(&dk, dtype, 4, keys);
    shape_array(&dv, dtype, 4, values);

    mesaopt_settings *s = settings_from(scope, settings);
    mesaopt_attn *attn;
    OK(mesaopt_settings_set_int(s, MESAOPT_KEY_LANES, lanes));
    OK(mesaopt_settings_set_int(s, MESAOPT_KEY_CHUNK, chunk));
    OK(mesaopt_attn_create(ctx, s, &attn));
    mesaopt_settings_free(s);
    OK(mesaopt_attn_forward(attn, &q.view, &k.view, &v.view, &out.view));
    OK(mesaopt_attn_backward(attn, &q.view, &k.view, &v.view, &dout.view, &dq.view, &dk.view, &dv.view));
    OK(mesaopt_attn_free(attn));

    double tol = dtype == MESAOPT_F64 ? 1e-13 : 2e-6;
    agree(prefix, "out", &out, tol);
    agree(prefix, "dq", &dq, tol);
    agree(prefix, "dk", &dk, tol);
    agree(prefix, "dv", &dv, tol);
}

/* A model of a script; streams of these blocks are on record as stream.0, stream.1, ... */
typedef struct network { const char *name, *text; int64_t inputs; int streams; int64_t stream[4]; } network;

/* Weights: halved hashes, seeds from 20 in the order of the parameters; lambda: 1 more. */
static void set_weights(mesaopt_ctx *ctx, mesaopt_model *model)
{
    static array w;
    for (int64_t i = 0; i < mesaopt_model_parameters(model); i++) {
        mesaopt_view view;
        OK(mesaopt_model_parameter(model, mesaopt_model_parameter_name(model, i), &view));
        fill_hashed(&w, view.dtype, view.ndim, view.shape, 20 + (uint64_t)i, 0.5);
        for (int64_t e = 0; strstr(mesaopt_model_parameter_name(model, i), "lambda") && e < view.shape[1]; e++) set(&w, e, 1 + get(&w, e));
        OK(mesaopt_tensor_copy(ctx, &w.view, &view));
    }
}

/* Sequences are array 10; targets are x_2 .. x_{T+1}; tokens x_t, or [0, x_t, x_t, x_{t-1}] when four slots wide. */
static void make_data(const network *net, int32_t dtype, int64_t length, array *tokens, array *targets)
{
    const int64_t in[3] = {B, length, net->inputs}, out[3] = {B, length, N};
    shape_array(tokens, dtype, 3, in);
    shape_array(targets, dtype, 3, out);
    for (int64_t b = 0; b < B; b++)
        for (int64_t t = 0; t < length; t++)
            for (int64_t j = 0; j < net->inputs; j++) {
                int64_t slot = net->inputs == N ? 1 : j / N, back = slot == 3, feature = j % N;
                int64_t element = (b * (length + 1) + t - back) * N + feature;
                set(tokens, (b * length + t) * net->inputs + j, slot == 0 || t < back ? 0 : hashed(10, (uint64_t)element));
                if (j < N) set(targets, (b * length + t) * N + j, hashed(10, (uint64_t)((b * (length + 1) + t + 1) * N + j)));
            }
}

static mesaopt_model *make_model(mesaopt_ctx *ctx, const network *net, int32_t dtype, int64_t lanes)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_MODEL, dtype == MESAOPT_F64 ? "dtype=f64" : "dtype=f32");
    mesaopt_model *model;
    OK(mesaopt_settings_set_int(s, MESAOPT_KEY_INPUTS, net->inputs));
    OK(mesaopt_settings_set_int(s, MESAOPT_KEY_OUTPUTS, N));
    OK(mesaopt_settings_set_int(s, MESAOPT_KEY_LANES, lanes));
    OK(mesaopt_model_create(ctx, s, &model));
    mesaopt_settings_free(s);
    OK(mesaopt_model_add_text(model, net->text));
    set_weights(ctx, model);
    return model;
}

static void check_gradients(mesaopt_ctx *ctx, mesaopt_model *model, const char *prefix, double tol)
{
    static array gradient;
    for (int64_t i = 0; i < mesaopt_model_parameters(model); i++) {
        const char *name = mesaopt_model_parameter_name(model, i);
        mesaopt_view view;
        OK(mesaopt_model_parameter_gradient(model, name, &view));
        shape_array(&gradient, view.dtype, view.ndim, view.shape);
        OK(mesaopt_tensor_copy(ctx, &view, &gradient.view));
        agree(prefix, name, &gradient, tol);
    }
}

static void network_case(mesaopt_ctx *ctx, const network *net, int32_t dtype, int64_t lanes, int64_t length)
{
    static array tokens, targets, prediction, dtokens, streams[4], loss;
    const int64_t out[3] = {B, length, N}, in[3] = {B, length, net->inputs}, one = 1;
    double tol = dtype == MESAOPT_F64 ? 1e-12 : 2e-5;
    char prefix[32], name[32];
    snprintf(prefix, sizeof prefix, "%s.%d", net->name, (int)length);
    mesaopt_model *model = make_model(ctx, net, dtype, lanes);
    make_data(net, dtype, length, &tokens, &targets);

    shape_array(&prediction, dtype, 3, out);
    OK(mesaopt_model_forward(model, &tokens.view, &prediction.view));
    agree(prefix, "prediction", &prediction, tol);

    mesaopt_view views[4];
    for (int i = 0; i < net->streams; i++) {
        int64_t shape[3] = {B, length, 0};
        OK(mesaopt_model_width(model, net->stream[i], &shape[2]));
        shape_array(&streams[i], dtype, 3, shape);
        views[i] = streams[i].view;
    }
    OK(mesaopt_model_activations(model, &tokens.view, net->streams, net->stream, views));
    for (int i = 0; i < net->streams; i++) {
        snprintf(name, sizeof name, "stream.%d", i);
        agree(prefix, name, &streams[i], tol);
    }

    shape_array(&dtokens, dtype, 3, in);
    shape_array(&loss, MESAOPT_F64, 1, &one);
    OK(mesaopt_model_loss(model, &tokens.view, &targets.view, NULL, loss.room));
    agree(prefix, "loss", &loss, tol);
    loss.room[0] = NAN;
    OK(mesaopt_model_gradient(model, &tokens.view, &targets.view, NULL, loss.room, &dtokens.view));
    agree(prefix, "loss", &loss, tol);
    agree(prefix, "dtokens", &dtokens, tol);
    check_gradients(ctx, model, prefix, tol);
    OK(mesaopt_model_free(model));
}

#endif
