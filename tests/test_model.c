/* Models: gradients of every parameter and of the tokens against finite differences, activations, text form, evaluation,
 * and what must not matter: threads, lanes, padding, order of the batch. */
#include "contexts.h"
#include <math.h>
#include <stdio.h>

enum { B = 5, T = 6 };

typedef struct problem {
    mesaopt_ctx *ctx;
    mesaopt_model *model;
    mesaopt_view tokens, targets, dtokens;
    double x[B * T * 8], y[B * T * 2], dx[B * T * 8];
} problem;

static void fill(problem *p, int64_t width)
{
    ck_assert_int_eq(mesaopt_view_dense(p->x, MESAOPT_F64, 3, (int64_t[]){B, T, width}, &p->tokens), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_view_dense(p->dx, MESAOPT_F64, 3, (int64_t[]){B, T, width}, &p->dtokens), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_view_dense(p->y, MESAOPT_F64, 3, (int64_t[]){B, T, 2}, &p->targets), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_normal(p->ctx, 1, 20, 0, 0, 1, &p->tokens), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_normal(p->ctx, 2, 20, 0, 0, 1, &p->targets), MESAOPT_OK);
}

static int32_t loss(double *out, void *user)
{
    problem *p = user;
    return mesaopt_model_loss(p->model, &p->tokens, &p->targets, NULL, out);
}

/* The stack has one of every kind; clips bite for some elements. */
static const char *const stacks[] = {
    "mask(first=2); 2 x linear(heads=2,key=3,init_sd=0.4,residual_clip=1.5)",
    "dense(outputs=6,init_sd=0.5); softmax(heads=2,key=3,value=2,pe=qk,init_sd=0.5); linear(heads=1,key=2,scale=0.5,init_sd=0.5,chunk=4); softmax(heads=1,key=4,init_sd=0.6,residual_clip=2); dense(outputs=2,init_sd=0.5)",
    "mesa(heads=2,key=3,value=2,init_sd=0.5,pe=qk,residual_clip=1.5); mesa(heads=2,key=3,init_sd=0.5,gates=sigmoid,ridges=channel,qk_norm=1,chunk=4); mesa(heads=1,key=2,init_sd=0.4,gates=sigmoid)"};
enum { STACKS = sizeof stacks / sizeof *stacks };

START_TEST(gradients)
{
    for (int c = 0; c < 6 * STACKS; c++) {
        problem p;
        char text[64];
        snprintf(text, sizeof text, "isa=%s threads=2", (const char *[]){"baseline", "avx2", "avx512"}[c / (2 * STACKS)]);
        if (!(p.ctx = context_from(text))) continue;
        snprintf(text, sizeof text, "dtype=f64 inputs=8 outputs=2 seed=3 lanes=%d", 1 + c % 2);
        p.model = model_from(p.ctx, text, stacks[c / 2 % STACKS]);
        fill(&p, 8);
        double value = 0, again = 1, error = 1;
        ck_assert_int_eq(mesaopt_model_gradient(p.model, &p.tokens, &p.targets, NULL, &value, &p.dtokens), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_model_loss(p.model, &p.tokens, &p.targets, NULL, &again), MESAOPT_OK);
        ck_assert(value == again);
        for (int64_t i = 0; i < mesaopt_model_parameters(p.model); i++) {
            mesaopt_view x, g;
            const char *name = mesaopt_model_parameter_name(p.model, i);
            ck_assert_int_eq(mesaopt_model_parameter(p.model, name, &x), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_model_parameter_gradient(p.model, name, &g), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_grad_check(p.ctx, loss, &p, &x, &g, 1e-4, &error), MESAOPT_OK);
            ck_assert_msg(error < 1e-8, "%s: %g", name, error);
        }
        ck_assert_int_eq(mesaopt_grad_check(p.ctx, loss, &p, &p.tokens, &p.dtokens, 1e-4, &error), MESAOPT_OK);
        ck_assert_double_le(error, 1e-8);
        ck_assert_int_eq(mesaopt_model_free(p.model), MESAOPT_OK);
        mesaopt_ctx_free(p.ctx);
    }
}
END_TEST

/* mesaopt_model_backward with the loss's own dout is mesaopt_model_gradient. */
START_TEST(own_loss)
{
    problem p = {.ctx = context_from("")};
    double out[B * T * 2], value, grad[8 * 6], *dx = malloc(sizeof p.dx);
    mesaopt_view o, g;
    p.model = model_from(p.ctx, "dtype=f64 inputs=8 outputs=2 seed=3", stacks[1]);
    fill(&p, 8);
    ck_assert_int_eq(mesaopt_model_gradient(p.model, &p.tokens, &p.targets, NULL, &value, &p.dtokens), MESAOPT_OK);
    memcpy(dx, p.dx, sizeof p.dx);
    mesaopt_model_parameter_gradient(p.model, "blocks.0.weight", &g);
    memcpy(grad, g.data, sizeof grad);
    mesaopt_view_dense(out, MESAOPT_F64, 3, (int64_t[]){B, T, 2}, &o);
    ck_assert_int_eq(mesaopt_model_forward(p.model, &p.tokens, &o), MESAOPT_OK);
    double sum = 0;
    for (int i = 0; i < B * T * 2; i++) out[i] -= p.y[i], sum += out[i] * out[i] / (2 * B * T), out[i] /= B * T;
    ck_assert_double_eq_tol(sum, value, 1e-13);
    ck_assert_int_eq(mesaopt_model_backward(p.model, &p.tokens, &o, &p.dtokens), MESAOPT_OK);
    for (int i = 0; i < B * T * 8; i++) ck_assert_double_eq_tol(dx[i], p.dx[i], 1e-13);
    for (int i = 0; i < 8 * 6; i++) ck_assert_double_eq_tol(grad[i], ((double *)g.data)[i], 1e-13);
    free(dx);
    mesaopt_model_free(p.model);
    mesaopt_ctx_free(p.ctx);
}
END_TEST

/* One lane and many, one thread and three, f32 and f64, whole batch and single sequences agree. */
START_TEST(agreement)
{
    enum { N = 70 };
    mesaopt_ctx *ctx[2] = {context_from("threads=1"), context_from("threads=3")};
    double x[N * T * 8], ref[N * T * 2];
    mesaopt_view tokens, out;
    mesaopt_view_dense(x, MESAOPT_F64, 3, (int64_t[]){N, T, 8}, &tokens);
    mesaopt_rng_normal(ctx[0], 1, 20, 0, 0, 1, &tokens);
    for (int s = 0; s < STACKS; s++) {
        mesaopt_model *m = model_from(ctx[0], "dtype=f64 inputs=8 outputs=2 seed=3 lanes=2", stacks[s]);
        mesaopt_view_dense(ref, MESAOPT_F64, 3, (int64_t[]){N, T, 2}, &out);
        ck_assert_int_eq(mesaopt_model_forward(m, &tokens, &out), MESAOPT_OK);
        mesaopt_model_free(m);
        for (int c = 0; c < 8; c++) {
            char text[80];
            const int f32 = c & 1, lanes = 1 + (c >> 1 & 1);
            snprintf(text, sizeof text, "dtype=%s inputs=8 outputs=2 seed=3 lanes=%d", f32 ? "f32" : "f64", lanes);
            m = model_from(ctx[c >> 2], text, stacks[s]);
            float x32[N * T * 8], y32[N * T * 2];
            double y64[N * T * 2];
            for (int i = 0; i < N * T * 8; i++) x32[i] = (float)x[i];
            for (int64_t i = 0, n; i < N; i += n) {                /* in pieces of 1, 2, 3, ... sequences */
                n = i + 1 < N - i ? i + 1 : N - i;
                mesaopt_view t, o;
                mesaopt_view_dense(f32 ? (void *)(x32 + i * T * 8) : (void *)(x + i * T * 8), f32 ? MESAOPT_F32 : MESAOPT_F64, 3, (int64_t[]){n, T, 8}, &t);
                mesaopt_view_dense(f32 ? (void *)(y32 + i * T * 2) : (void *)(y64 + i * T * 2), f32 ? MESAOPT_F32 : MESAOPT_F64, 3, (int64_t[]){n, T, 2}, &o);
                ck_assert_int_eq(mesaopt_model_forward(m, &t, &o), MESAOPT_OK);
            }
            double error = 0, top = 0;                          /* large logits amplify rounding, alike in both types */
            for (int i = 0; i < N * T * 2; i++) error = fmax(error, fabs((f32 ? y32[i] : y64[i]) - ref[i])), top = fmax(top, fabs(ref[i]));
            ck_assert_double_le(error, 1000 * (f32 ? 0x1p-24 : 0x1p-53) * top);
            mesaopt_model_free(m);
        }
    }
    mesaopt_ctx_free(ctx[0]);
    mesaopt_ctx_free(ctx[1]);
}
END_TEST

static void gradient_bits(mesaopt_ctx *ctx, float *bits, double *value)
{
    enum { N = 203 };
    mesaopt_model *m = model_from(ctx, "inputs=8 outputs=2 seed=3", stacks[0]);
    static float x[N * T * 8], y[N * T * 2];
    mesaopt_view tokens, targets, g;
    mesaopt_view_dense(x, MESAOPT_F32, 3, (int64_t[]){N, T, 8}, &tokens);
    mesaopt_view_dense(y, MESAOPT_F32, 3, (int64_t[]){N, T, 2}, &targets);
    mesaopt_rng_normal(ctx, 1, 20, 0, 0, 1, &tokens);
    mesaopt_rng_normal(ctx, 2, 20, 0, 0, 1, &targets);
    ck_assert_int_eq(mesaopt_model_gradient(m, &tokens, &targets, NULL, value, NULL), MESAOPT_OK);
    mesaopt_model_parameter_gradient(m, "blocks.1.query", &g);
    memcpy(bits, g.data, 48 * sizeof(float));
    mesaopt_model_free(m);
}

static void reversed(void (*body)(void *, int64_t), void *job, int64_t n, void *user)
{
    (void)user;
    for (int64_t i = n - 1; i >= 0; i--) body(job, i);
}

START_TEST(threads)
{
    float bits[5][48];
    double value[5];
    const char *text[] = {"threads=1", "threads=2", "threads=3", "threads=8"};
    for (int i = 0; i < 4; i++) {
        mesaopt_ctx *ctx = context_from(text[i]);
        gradient_bits(ctx, bits[i], &value[i]);
        mesaopt_ctx_free(ctx);
    }
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_CTX, "threads=4");
    mesaopt_ctx *ctx;
    mesaopt_settings_set_parallel(s, reversed, NULL, NULL);
    ck_assert_int_eq(mesaopt_ctx_create(s, &ctx), MESAOPT_OK);
    mesaopt_settings_free(s);
    gradient_bits(ctx, bits[4], &value[4]);
    mesaopt_ctx_free(ctx);
    for (int i = 1; i < 5; i++) {
        ck_assert_int_eq(memcmp(bits[0], bits[i], sizeof bits[0]), 0);
        ck_assert(value[0] == value[i]);
    }
}
END_TEST

START_TEST(activations)
{
    problem p = {.ctx = context_from("")};
    double a[3][B * T * 8], out[B * T * 2];
    mesaopt_view outs[3], o;
    const int64_t blocks[] = {2, -1, 0};
    p.model = model_from(p.ctx, "dtype=f64 inputs=8 outputs=2 seed=3", stacks[0]);
    fill(&p, 8);
    for (int i = 0; i < 3; i++) mesaopt_view_dense(a[i], MESAOPT_F64, 3, (int64_t[]){B, T, 8}, &outs[i]);
    mesaopt_view_dense(out, MESAOPT_F64, 3, (int64_t[]){B, T, 2}, &o);
    ck_assert_int_eq(mesaopt_model_activations(p.model, &p.tokens, 3, blocks, outs), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_forward(p.model, &p.tokens, &o), MESAOPT_OK);
    for (int i = 0; i < B * T; i++)
        for (int j = 0; j < 8; j++) {
            if (j < 2) ck_assert(out[i * 2 + j] == a[0][i * 8 + j]);
            ck_assert(a[1][i * 8 + j] == p.x[i * 8 + j]);
            ck_assert(a[2][i * 8 + j] == (j < 2 ? 0 : p.x[i * 8 + j]));
        }
    const int64_t beyond = 3;
    ck_assert_int_eq(mesaopt_model_activations(p.model, &p.tokens, 1, &beyond, outs), MESAOPT_E_ARGUMENT);
    SAID(p.ctx, "blocks: 3");
    outs[2] = outs[0];
    ck_assert_int_eq(mesaopt_model_activations(p.model, &p.tokens, 3, blocks, outs), MESAOPT_E_OVERLAP);
    mesaopt_model_free(p.model);
    mesaopt_ctx_free(p.ctx);
}
END_TEST

START_TEST(text)
{
    mesaopt_ctx *ctx = context_from("");
    const char *blocks = "mask(first=3); 2 x linear(heads=1,key=2,residual_clip=1.5); dense(outputs=5); softmax(pe=qk)";
    mesaopt_model *m = model_from(ctx, "inputs=8 outputs=2", " mask( first = 3 );2 x linear (heads=1, key=2,residual_clip=1.5)\n; dense(outputs=5);softmax(pe=qk)");
    char buf[200], small[8];
    const int64_t need = mesaopt_model_text(m, NULL, 0);
    ck_assert_int_eq(mesaopt_model_text(m, buf, sizeof buf), need);
    ck_assert_str_eq(buf, blocks);
    ck_assert_int_eq(mesaopt_model_text(m, small, sizeof small), need);
    ck_assert_str_eq(small, "mask(fi");
    const int64_t before = mesaopt_model_blocks(m);
    const struct { const char *blocks, *says; mesaopt_status status; } bad[] = {
        {"lineer(heads=2)", "expected a kind of block", MESAOPT_E_FORMAT},
        {"linear(heads=2); softmax(heds=2)", "heds", MESAOPT_E_SETTING},
        {"linear(heads=0)", "heads", MESAOPT_E_SETTING},
        {"linear(lr=1)", "lr", MESAOPT_E_SETTING},
        {"linear(heads)", "expected '='", MESAOPT_E_FORMAT},
        {"linear(heads=2", "')'", MESAOPT_E_FORMAT},
        {"linear(heads=2) linear", "';'", MESAOPT_E_FORMAT},
        {"0 x linear", "count", MESAOPT_E_FORMAT},
        {"3 linear", "'x'", MESAOPT_E_FORMAT},
        {"9999999 x linear", "count", MESAOPT_E_FORMAT},
        {"", "kind", MESAOPT_E_FORMAT},
        {"linear;", "kind", MESAOPT_E_FORMAT},
        {"linear; mask(first=6)", "first: 6", MESAOPT_E_SETTING}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_int_eq(mesaopt_model_add_text(m, bad[i].blocks), bad[i].status);
        SAID(ctx, bad[i].says);
        ck_assert_int_eq(mesaopt_model_blocks(m), before);
    }
    mesaopt_model_free(m);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Blocks added later leave the weights before them alone, and every route to a model gives the same weights. */
START_TEST(adding)
{
    mesaopt_ctx *ctx = context_from("");
    mesaopt_model *a = model_from(ctx, "inputs=8 outputs=2 seed=5", "2 x linear(heads=1,key=3)"), *b = model_from(ctx, "inputs=8 outputs=2 seed=5", "linear(heads=1,key=3)");
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LINEAR, "heads=1 key=3");
    ck_assert_int_eq(mesaopt_model_add(b, s), MESAOPT_OK);
    mesaopt_settings_free(s);
    ck_assert_int_eq(mesaopt_model_parameters(a), 8);
    double sum = 0, square = 0;
    for (int i = 0; i < 8; i++) {
        mesaopt_view x, y;
        const char *name = mesaopt_model_parameter_name(a, i);
        ck_assert_str_eq(name, mesaopt_model_parameter_name(b, i));
        mesaopt_model_parameter(a, name, &x);
        mesaopt_model_parameter(b, name, &y);
        ck_assert_int_eq(memcmp(x.data, y.data, 24 * sizeof(float)), 0);
        for (int e = 0; e < 24; e++) sum += ((float *)x.data)[e], square += pow(((float *)x.data)[e], 2);
    }
    ck_assert_double_eq_tol(sum / 192, 0, 4 * 2e-4 / sqrt(192));                   /* N(0, 2e-4^2) by default */
    ck_assert_double_eq_tol(sqrt(square / 192), 2e-4, 4 * 2e-4 / sqrt(2 * 192));
    mesaopt_model_free(a);
    mesaopt_model_free(b);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Evaluation over a task equals the loss of the drawn sequences; its memory does not grow with the count. */
START_TEST(evaluation)
{
    enum { N = 100, W = 40, L = 50 };
    mesaopt_ctx *ctx = context_from("threads=2");
    mesaopt_task *task = task_from(ctx, "seed=1");
    mesaopt_model *m = model_from(ctx, "inputs=40 outputs=10 dtype=f64", "linear(heads=2,key=20,init_sd=0.05)");
    mesaopt_tensor *seq, *tok;
    mesaopt_view sequences, tokens, targets, by_t;
    double value, expected, t[L], mean = 0;
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F64, 3, (int64_t[]){N, L + 1, 10}, &seq), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F64, 3, (int64_t[]){N, L, W}, &tok), MESAOPT_OK);
    mesaopt_tensor_view(seq, &sequences);
    mesaopt_tensor_view(tok, &tokens);
    ck_assert_int_eq(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 7, &sequences), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_tokens(task, &sequences, &tokens), MESAOPT_OK);
    targets = sequences;
    targets.data = (double *)targets.data + 10;
    targets.shape[1] = L;
    ck_assert_int_eq(mesaopt_model_loss(m, &tokens, &targets, NULL, &expected), MESAOPT_OK);
    mesaopt_view_dense(t, MESAOPT_F64, 1, (int64_t[]){L}, &by_t);
    ck_assert_int_eq(mesaopt_model_evaluate(m, task, MESAOPT_STREAM_TEST, 7, N, &by_t, &value), MESAOPT_OK);
    ck_assert_double_eq_tol(value, expected, 1e-12);
    for (int i = 0; i < L; i++) mean += t[i] / L;
    ck_assert_double_eq_tol(mean, value, 1e-12);
    ck_assert_int_eq(mesaopt_tensor_free(seq), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_free(tok), MESAOPT_OK);
    mesaopt_task_free(task);
    mesaopt_model_free(m);
    mesaopt_ctx_free(ctx);
}
END_TEST

START_TEST(not_finite)
{
    problem p = {.ctx = context_from("")};
    double value = 7;
    mesaopt_view w;
    p.model = model_from(p.ctx, "dtype=f64 inputs=8 outputs=2 seed=3", stacks[0]);
    fill(&p, 8);
    p.x[13] = NAN;
    ck_assert_int_eq(mesaopt_model_gradient(p.model, &p.tokens, &p.targets, NULL, &value, NULL), MESAOPT_E_NONFINITE);
    SAID(p.ctx, "tokens");
    p.x[13] = 0;
    p.y[3] = INFINITY;
    ck_assert_int_eq(mesaopt_model_loss(p.model, &p.tokens, &p.targets, NULL, &value), MESAOPT_E_NONFINITE);
    SAID(p.ctx, "targets");
    p.y[3] = 0;
    mesaopt_model_parameter(p.model, "blocks.2.value", &w);
    ((double *)w.data)[0] = NAN;
    ck_assert_int_eq(mesaopt_model_loss(p.model, &p.tokens, &p.targets, NULL, &value), MESAOPT_E_NONFINITE);
    SAID(p.ctx, "block 2");
    ck_assert(value == 7);
    mesaopt_model_free(p.model);
    mesaopt_ctx_free(p.ctx);
}
END_TEST

Suite *test_model_suite(void)
{
    Suite *s = suite_create("models");
    TCase *t = tcase_create("models");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, gradients);
    tcase_add_test(t, own_loss);
    tcase_add_test(t, agreement);
    tcase_add_test(t, threads);
    tcase_add_test(t, activations);
    tcase_add_test(t, text);
    tcase_add_test(t, adding);
    tcase_add_test(t, evaluation);
    tcase_add_test(t, not_finite);
    suite_add_tcase(s, t);
    return s;
}
