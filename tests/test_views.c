/* Calls on views of any strides: an extent of 1 may come with any stride, as DLPack producers emit them, and a view without elements with any stride and
 * address. Every call gives the bits that it gives on dense views (run under make ubsan as well). Calls on zero extents do what the formulas say. */
#include "contexts.h"
#include <math.h>
#include <stdio.h>

enum { ROOM = 4096 };

/* Views over one block after the other, each of reals drawn from one sequence; wild: strides of extents of 1 and of empty views are none of the elements'. */
typedef struct space {
    double block[ROOM];
    int64_t used;
    uint64_t state;
    int wild;
} space;

static uint64_t next(space *s) { return s->state = s->state * 6364136223846793005u + 1442695040888963407u; }

static mesaopt_view take(space *s, int32_t ndim, const int64_t *shape)
{
    static const int64_t strides[] = {INT64_MAX, INT64_MIN, 1ll << 60, -(1ll << 60), 0, -1, 3};
    mesaopt_view v;
    int64_t count = 1;
    for (int32_t k = 0; k < ndim; k++) count *= shape[k];
    ck_assert(s->used + count <= ROOM);
    ck_assert_int_eq(mesaopt_view_dense(s->block + s->used, MESAOPT_F64, ndim, shape, &v), MESAOPT_OK);
    for (int64_t i = 0; i < count; i++) s->block[s->used++] = (double)(next(s) >> 11) / 0x1p52 - 1;
    for (int32_t k = 0; s->wild && k < ndim; k++)
        if (count == 0 || shape[k] == 1) v.stride[k] = strides[(uint64_t)(k + s->used) % (sizeof strides / sizeof *strides)];
    if (s->wild && count == 0) v.data = NULL;
    return v;
}
#define TAKE(s, ...) take(s, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

/* ---- calls of one shape: B sequences of T steps with H heads, n and m features ---- */

typedef struct extents { int64_t B, T, H, n, m; } extents;

static void draws(mesaopt_ctx *ctx, space *s, extents e)
{
    mesaopt_view v = TAKE(s, e.B, e.T, e.n), square = TAKE(s, e.B, e.n, e.n), copy = TAKE(s, e.B, e.T, e.n);
    ck_assert_int_eq(mesaopt_rng_uniform(ctx, 1, 2, 3, -1, 1, &v), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_orthogonal(ctx, 1, 2, 3, &square), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_copy(ctx, &v, &copy), MESAOPT_OK);
}

static void attention(mesaopt_ctx *ctx, space *s, extents e)
{
    for (int softmax = 0; softmax < 2; softmax++) {
        mesaopt_settings *settings = settings_from(softmax ? MESAOPT_SCOPE_SOFTMAX : MESAOPT_SCOPE_LINEAR, "");
        mesaopt_attn *a;
        ck_assert_int_eq(mesaopt_attn_create(ctx, settings, &a), MESAOPT_OK);
        mesaopt_view q = TAKE(s, e.B, e.T, e.H, e.n), k = TAKE(s, e.B, e.T, e.H, e.n), v = TAKE(s, e.B, e.T, e.H, e.m), out = TAKE(s, e.B, e.T, e.H, e.m);
        mesaopt_view dq = TAKE(s, e.B, e.T, e.H, e.n), dk = TAKE(s, e.B, e.T, e.H, e.n), dv = TAKE(s, e.B, e.T, e.H, e.m);
        ck_assert_int_eq(mesaopt_attn_forward(a, &q, &k, &v, &out), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_attn_backward(a, &q, &k, &v, &out, &dq, &dk, &dv), MESAOPT_OK);
        mesaopt_attn_free(a);
        mesaopt_settings_free(settings);
    }
}

static void least_squares(mesaopt_ctx *ctx, space *s, extents e)
{
    if (e.n == 0 || e.m == 0) return;                  /* refused */
    static const int32_t which[] = {MESAOPT_LSQ_H_LAST, MESAOPT_LSQ_CONDITION}, back[] = {MESAOPT_LSQ_D_H0, MESAOPT_LSQ_D_RIDGE};
    mesaopt_lsq *l;
    ck_assert_int_eq(mesaopt_lsq_plan(ctx, NULL, e.n, e.m, &l), MESAOPT_OK);
    mesaopt_view q = TAKE(s, e.B, e.T, e.H, e.n), k = TAKE(s, e.B, e.T, e.H, e.n), v = TAKE(s, e.B, e.T, e.H, e.m), out = TAKE(s, e.B, e.T, e.H, e.m);
    mesaopt_view dq = TAKE(s, e.B, e.T, e.H, e.n), dk = TAKE(s, e.B, e.T, e.H, e.n), dv = TAKE(s, e.B, e.T, e.H, e.m);
    mesaopt_view more[] = {TAKE(s, e.B, e.H, e.n, e.n), TAKE(s, e.B, e.T, e.H)}, gradients[] = {TAKE(s, e.B, e.H, e.n, e.n), TAKE(s, e.H, e.n)};
    ck_assert_int_eq(mesaopt_lsq_forward(l, &q, &k, &v, &out, 2, which, more), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_lsq_adjoint(l, &q, &k, &v, &out, &dq, &dk, &dv, 2, back, gradients), MESAOPT_OK);
    if (e.H > 0) {
        mesaopt_rls *r;
        mesaopt_view keys = TAKE(s, e.T, e.H, e.n), values = TAKE(s, e.T, e.H, e.m), predictions = TAKE(s, e.T, e.H, e.m), errors = TAKE(s, e.T, e.H, e.m);
        ck_assert_int_eq(mesaopt_rls_create(l, e.H, NULL, &r), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_rls_step(r, &keys, &keys, &values, NULL, NULL, &predictions), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_rls_predict(r, &keys, &predictions, &errors), MESAOPT_OK);
        mesaopt_rls_free(r);
    }
    mesaopt_lsq_free(l);
}

static void models(mesaopt_ctx *ctx, space *s, extents e)
{
    if (e.n == 0 || e.m == 0) return;
    char text[64];
    snprintf(text, sizeof text, "dtype=f64 inputs=%d outputs=%d", (int)e.n, (int)e.m);
    mesaopt_model *model = model_from(ctx, text, "softmax(heads=1,key=2); dense(outputs=3)");
    mesaopt_view tokens = TAKE(s, e.B, e.T, e.n), out = TAKE(s, e.B, e.T, e.m), dtokens = TAKE(s, e.B, e.T, e.n), each[] = {TAKE(s, e.B, e.T, e.n), TAKE(s, e.B, e.T, e.n)};
    ck_assert_int_eq(mesaopt_model_forward(model, &tokens, &out), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_backward(model, &tokens, &out, &dtokens), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_activations(model, &tokens, 2, (int64_t[]){-1, 0}, each), MESAOPT_OK);
    mesaopt_model_free(model);
}

static void studies(mesaopt_ctx *ctx, space *s, extents e)
{
    mesaopt_baseline *b;
    mesaopt_view sequences = TAKE(s, e.B, e.T + 1, e.n), out = TAKE(s, e.B, e.T, e.n), next_ones = TAKE(s, e.B, e.T, e.n), weights = TAKE(s, e.B, e.T);
    ck_assert_int_eq(mesaopt_baseline_create(ctx, NULL, &b), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_predict(b, &sequences, &out), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_probe_targets(ctx, NULL, &sequences, &next_ones), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_probe_filter(ctx, 2, &next_ones, &weights), MESAOPT_OK);
    mesaopt_baseline_free(b);
    if (e.n == 0 || e.m == 0 || e.T == 0) return;
    mesaopt_probe *p;
    mesaopt_settings *ridge = settings_from(MESAOPT_SCOPE_PROBE, "penalty=0.1");
    mesaopt_view x = TAKE(s, e.B, e.T, e.n), y = TAKE(s, e.B, e.T, e.m), scores = TAKE(s, 1, e.T, e.m);
    ck_assert_int_eq(mesaopt_probe_plan(ctx, ridge, 1, &e.n, e.T, e.m, &p), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_probe_feed(p, MESAOPT_PROBE_TRAIN, &x, &y, &weights), MESAOPT_OK);
    if (e.B > 0) {
        ck_assert_int_eq(mesaopt_probe_fit(p, ridge), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, &scores, NULL), MESAOPT_OK);
    }
    mesaopt_probe_free(p);
    mesaopt_settings_free(ridge);
}

/* ---- tests ---- */

static const int64_t low[] = {1, 0};                   /* of extents of tests 0 and 1 */

START_TEST(strides_that_reach_no_element)
{
    static void (*const calls[])(mesaopt_ctx *, space *, extents) = {draws, attention, least_squares, models, studies};
    static space plain, wild;
    for (int32_t isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
        mesaopt_ctx *ctx = context_at(isa, 1);
        for (int64_t i = 0; ctx && i < 32; i++)
            for (size_t c = 0; c < sizeof calls / sizeof *calls; c++) {
                const int64_t few = low[_i];
                const extents e = {i & 1 ? few : 9, i & 2 ? few : 5, i & 4 ? few : 2, i & 8 ? few : 3, i & 16 ? few : 2};
                memset(&plain, 0, sizeof plain), memset(&wild, 0, sizeof wild);
                wild.wild = 1;
                calls[c](ctx, &plain, e), calls[c](ctx, &wild, e);
                ck_assert_msg(memcmp(plain.block, wild.block, sizeof plain.block) == 0, "call %zu, extents %lld: other bits", c, (long long)i);
            }
        mesaopt_ctx_free(ctx);
    }
}
END_TEST

/* ---- zero extents ---- */

#define F64S(data, ...) DENSE(data, MESAOPT_F64, __VA_ARGS__)

/* Norms of no features are 0, and none of them is above the mean. */
START_TEST(filter_of_no_features)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    double weights[6] = {NAN, NAN, NAN, NAN, NAN, NAN};
    const mesaopt_view targets = F64S(NULL, 3, 2, 0), out = F64S(weights, 3, 2);
    ck_assert_int_eq(mesaopt_probe_filter(ctx, 2, &targets, &out), MESAOPT_OK);
    for (int i = 0; i < 6; i++) ck_assert_double_eq(weights[i], 1);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Products of no features are 0: linear attention gives 0, softmax the mean of the values so far. */
START_TEST(attention_of_no_features)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    for (int softmax = 0; softmax < 2; softmax++) {
        double x[6] = {1, 4, 2, 7, -3, 5}, y[6], dv[6];
        const mesaopt_view none = F64S(NULL, 1, 3, 1, 0), v = F64S(x, 1, 3, 1, 2), out = F64S(y, 1, 3, 1, 2), to = F64S(dv, 1, 3, 1, 2);
        mesaopt_settings *s = settings_from(softmax ? MESAOPT_SCOPE_SOFTMAX : MESAOPT_SCOPE_LINEAR, "");
        mesaopt_attn *a;
        memset(y, 0xff, sizeof y), memset(dv, 0xff, sizeof dv);
        ck_assert_int_eq(mesaopt_attn_create(ctx, s, &a), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_attn_forward(a, &none, &none, &v, &out), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_attn_backward(a, &none, &none, &v, &v, &none, &none, &to), MESAOPT_OK);
        for (int t = 0; t < 3; t++)
            for (int j = 0; j < 2; j++) {
                double mean = 0, back = 0;             /* dv_t = sum_{s >= t} dout_s / (s + 1) */
                for (int i = 0; i <= t; i++) mean += x[2 * i + j] / (t + 1);
                for (int i = t; i < 3; i++) back += x[2 * i + j] / (i + 1);
                ck_assert_double_eq_tol(y[2 * t + j], softmax ? mean : 0, 1e-15);
                ck_assert_double_eq_tol(dv[2 * t + j], softmax ? back : 0, 1e-15);
            }
        mesaopt_attn_free(a);
        mesaopt_settings_free(s);
    }
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Without steps the last state is the first one, and so are their gradients. */
START_TEST(least_squares_of_no_steps)
{
    static const int32_t which[] = {MESAOPT_LSQ_H0, MESAOPT_LSQ_S0, MESAOPT_LSQ_H_LAST, MESAOPT_LSQ_S_LAST};
    static const int32_t back[] = {MESAOPT_LSQ_D_H_LAST, MESAOPT_LSQ_D_S_LAST, MESAOPT_LSQ_D_H0, MESAOPT_LSQ_D_S0, MESAOPT_LSQ_D_RIDGE};
    double H[8] = {2, 1, 1, 3, 4, -1, -1, 5}, S[4] = {1, 2, 3, 4}, H_last[8], S_last[4], dH[8], dS[4], ridge[4];
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_lsq *l;
    const mesaopt_view q = F64S(NULL, 1, 0, 2, 2), v = F64S(NULL, 1, 0, 2, 1);
    const mesaopt_view forward[] = {F64S(H, 1, 2, 2, 2), F64S(S, 1, 2, 2, 1), F64S(H_last, 1, 2, 2, 2), F64S(S_last, 1, 2, 2, 1)};
    const mesaopt_view adjoint[] = {forward[0], forward[1], F64S(dH, 1, 2, 2, 2), F64S(dS, 1, 2, 2, 1), F64S(ridge, 2, 2)};
    ck_assert_int_eq(mesaopt_lsq_plan(ctx, NULL, 2, 1, &l), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_lsq_forward(l, &q, &q, &v, &v, 4, which, forward), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_lsq_adjoint(l, &q, &q, &v, &v, &q, &q, &v, 5, back, adjoint), MESAOPT_OK);
    ck_assert(memcmp(H_last, H, sizeof H) == 0 && memcmp(S_last, S, sizeof S) == 0 && memcmp(dH, H, sizeof H) == 0 && memcmp(dS, S, sizeof S) == 0);
    for (int i = 0; i < 4; i++) ck_assert_double_eq(ridge[i], 0);
    mesaopt_lsq_free(l);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* A sum over no sequences is 0. */
START_TEST(gradient_of_no_sequences)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_model *m = model_from(ctx, "dtype=f64 inputs=2 outputs=2", "dense(outputs=2)");
    double x[4] = {1, 2, 3, 4};
    mesaopt_view some = F64S(x, 1, 2, 2), none = F64S(NULL, 0, 2, 2), gradient;
    ck_assert_int_eq(mesaopt_model_backward(m, &some, &some, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_parameter_gradient(m, mesaopt_model_parameter_name(m, 0), &gradient), MESAOPT_OK);
    ck_assert_double_ne(*(double *)gradient.data, 0);
    ck_assert_int_eq(mesaopt_model_backward(m, &none, &none, NULL), MESAOPT_OK);
    for (int i = 0; i < 4; i++) ck_assert_double_eq(((double *)gradient.data)[i], 0);
    mesaopt_model_free(m);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Copies of a list of views need memory: each request in turn is refused, and the call says so and can be repeated. */
START_TEST(memory_runs_short)
{
    hook_alloc hook = {0};
    mesaopt_ctx *ctx = context_with(1, NULL, &hook);
    mesaopt_model *m = model_from(ctx, "dtype=f64 inputs=2 outputs=2", "dense(outputs=3); linear(heads=1,key=2)");
    double x[12] = {1, 2, 3, 4, 5, 6, 7, 8}, y[18];
    const mesaopt_view tokens = F64S(x, 2, 3, 2), outs = F64S(y, 2, 3, 3);
    mesaopt_status status = MESAOPT_E_MEMORY;
    long refused = 0;
    for (; status == MESAOPT_E_MEMORY; refused++) {
        const long blocks = hook.blocks;
        hook.fail_at = hook.calls + 1 + refused;
        status = mesaopt_model_activations(m, &tokens, 1, (int64_t[]){1}, &outs);
        if (status == MESAOPT_E_MEMORY) ck_assert_int_eq(hook.blocks, blocks);
    }
    ck_assert_int_eq(status, MESAOPT_OK);
    ck_assert_int_ge(refused, 3);                      /* the list, the workspace; then none */
    mesaopt_model_free(m);
    mesaopt_ctx_free(ctx);
    ck_assert_int_eq(hook.blocks, 0);
}
END_TEST

Suite *test_views_suite(void)
{
    Suite *s = suite_create("views");
    TCase *t = tcase_create("views");
    tcase_add_loop_test(t, strides_that_reach_no_element, 0, 2);
    tcase_add_test(t, filter_of_no_features);
    tcase_add_test(t, attention_of_no_features);
    tcase_add_test(t, least_squares_of_no_steps);
    tcase_add_test(t, gradient_of_no_sequences);
    tcase_add_test(t, memory_runs_short);
    suite_add_tcase(s, t);
    return s;
}
