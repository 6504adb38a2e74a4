/* mesaopt_attn: gradients against finite differences; causality, chunks, lanes, ISA levels, strides and overlap. */
#include "contexts.h"
#include <math.h>

enum { B = 3, T = 11, H = 2, D = 3, DV = 4 };

static mesaopt_attn *open_attn(mesaopt_ctx *ctx, int32_t scope, int64_t lanes, int64_t chunk, double scale, int64_t qk_norm)
{
    mesaopt_settings *s;
    mesaopt_attn *a;
    ck_assert_int_eq(mesaopt_settings_create(scope, NULL, NULL, &s), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_LANES, lanes), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_CHUNK, chunk), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_float(s, MESAOPT_KEY_SCALE, scale), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_QK_NORM, qk_norm), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_attn_create(ctx, s, &a), MESAOPT_OK);
    mesaopt_settings_free(s);
    return a;
}

/* Everything of one call: q, k, v, out and their gradients, f64 or f32, dense [B, T, H, d]. */
typedef struct problem {
    mesaopt_view q, k, v, out, dout, dq, dk, dv;
    mesaopt_ctx *ctx;
    mesaopt_attn *attn;
} problem;

static mesaopt_view view(int32_t dtype, int64_t t, int64_t d, uint64_t seed, mesaopt_ctx *ctx)
{
    mesaopt_view v;
    const int64_t shape[] = {B, t, H, d};
    void *p = malloc((size_t)(B * t * H * d) * sizeof(double));
    ck_assert_int_eq(mesaopt_view_dense(p, dtype, 4, shape, &v), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, seed, 9, 0, 0, 1, &v), MESAOPT_OK);
    return v;
}

static problem make(mesaopt_ctx *ctx, int32_t dtype, int64_t t)
{
    problem p = {.ctx = ctx};
    p.q = view(dtype, t, D, 1, ctx), p.k = view(dtype, t, D, 2, ctx), p.v = view(dtype, t, DV, 3, ctx), p.dout = view(dtype, t, DV, 4, ctx);
    p.out = view(dtype, t, DV, 5, ctx), p.dq = view(dtype, t, D, 6, ctx), p.dk = view(dtype, t, D, 7, ctx), p.dv = view(dtype, t, DV, 8, ctx);
    return p;
}

static void drop(problem *p)
{
    mesaopt_view *all[] = {&p->q, &p->k, &p->v, &p->out, &p->dout, &p->dq, &p->dk, &p->dv};
    for (int i = 0; i < 8; i++) free(all[i]->data);
}

static void run(problem *p)
{
    ck_assert_int_eq(mesaopt_attn_forward(p->attn, &p->q, &p->k, &p->v, &p->out), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_attn_backward(p->attn, &p->q, &p->k, &p->v, &p->dout, &p->dq, &p->dk, &p->dv), MESAOPT_OK);
}

static int64_t count(const mesaopt_view *v) { return v->shape[0] * v->shape[1] * v->shape[2] * v->shape[3]; }
static double at(const mesaopt_view *v, int64_t i) { return v->dtype == MESAOPT_F32 ? (double)((float *)v->data)[i] : ((double *)v->data)[i]; }

/* |a - b| / |b| over all elements of dense views. */
static double distance(const mesaopt_view *a, const mesaopt_view *b)
{
    double diff = 0, norm = 0;
    for (int64_t i = 0; i < count(b); i++) diff += pow(at(a, i) - at(b, i), 2), norm += pow(at(b, i), 2);
    return sqrt(diff / norm);
}

/* sum(dout * out): its gradient with respect to out is dout. */
static int32_t inner(double *loss, void *user)
{
    problem *p = user;
    const mesaopt_status status = mesaopt_attn_forward(p->attn, &p->q, &p->k, &p->v, &p->out);
    *loss = 0;
    for (int64_t i = 0; i < count(&p->out); i++) *loss += at(&p->out, i) * at(&p->dout, i);
    return status;
}

static void check_gradients(mesaopt_ctx *ctx, int32_t scope, int64_t lanes, int64_t chunk, double scale, int64_t qk_norm)
{
    problem p = make(ctx, MESAOPT_F64, T);
    p.attn = open_attn(ctx, scope, lanes, chunk, scale, qk_norm);
    run(&p);
    const mesaopt_view *x[] = {&p.q, &p.k, &p.v}, *g[] = {&p.dq, &p.dk, &p.dv};
    for (int i = 0; i < 3; i++) {
        double error = 1;
        ck_assert_int_eq(mesaopt_grad_check(ctx, inner, &p, x[i], g[i], 1e-3, &error), MESAOPT_OK);
        ck_assert_double_le(error, 1e-9);
    }
    ck_assert_int_eq(mesaopt_attn_free(p.attn), MESAOPT_OK);
    drop(&p);
}

START_TEST(gradients)
{
    for (int32_t isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
        mesaopt_ctx *ctx = context_at(isa, 1);
        if (!ctx) continue;
        for (int32_t scope = MESAOPT_SCOPE_LINEAR; scope <= MESAOPT_SCOPE_SOFTMAX; scope++)
            for (int64_t lanes = 1; lanes <= 2; lanes++) {
                check_gradients(ctx, scope, lanes, 0, 0, 0);
                check_gradients(ctx, scope, lanes, 4, 0.37, 0);
                check_gradients(ctx, scope, lanes, 4, 0.37, 1);
            }
        ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
    }
}
END_TEST

/* f32 and f64, lanes, chunk sizes and ISA levels agree to rounding. */
START_TEST(agreement)
{
    for (int32_t scope = MESAOPT_SCOPE_LINEAR; scope <= MESAOPT_SCOPE_SOFTMAX; scope++) {
        mesaopt_ctx *base = context_at(MESAOPT_ISA_BASELINE, 1);
        problem ref = make(base, MESAOPT_F64, 70);
        ref.attn = open_attn(base, scope, 2, 70, 0, 0);
        run(&ref);
        for (int32_t isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
            mesaopt_ctx *ctx = context_at(isa, 2);
            if (!ctx) continue;
            for (int c = 0; c < 12; c++) {
                const int32_t dtype = c & 1 ? MESAOPT_F64 : MESAOPT_F32;
                problem p = make(base, dtype, 70);                  /* equal draws */
                p.attn = open_attn(ctx, scope, c & 2 ? 1 : 2, (int64_t[]){0, 16, 33}[c / 4], 0, 0);
                run(&p);
                const double bound = dtype == MESAOPT_F64 ? 1e-13 : 1e-5;
                ck_assert_double_le(distance(&p.out, &ref.out), bound);
                ck_assert_double_le(distance(&p.dq, &ref.dq), bound);
                ck_assert_double_le(distance(&p.dk, &ref.dk), bound);
                ck_assert_double_le(distance(&p.dv, &ref.dv), bound);
                mesaopt_attn_free(p.attn);
                drop(&p);
            }
            mesaopt_ctx_free(ctx);
        }
        mesaopt_attn_free(ref.attn);
        drop(&ref);
        mesaopt_ctx_free(base);
    }
}
END_TEST

/* Changing keys, values and queries from step t on leaves outputs before t as they were, bit for bit. */
START_TEST(causality)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    for (int c = 0; c < 4; c++) {
        problem p = make(ctx, MESAOPT_F32, T);
        const int64_t t = 6;
        p.attn = open_attn(ctx, c & 1 ? MESAOPT_SCOPE_SOFTMAX : MESAOPT_SCOPE_LINEAR, 1 + c / 2, 4, 0, 0);
        run(&p);
        float *before = malloc((size_t)count(&p.out) * sizeof(float));
        memcpy(before, p.out.data, (size_t)count(&p.out) * sizeof(float));
        for (int64_t b = 0; b < B; b++) {
            const mesaopt_view *x[] = {&p.q, &p.k, &p.v};
            for (int i = 0; i < 3; i++)
                for (int64_t e = t * H * x[i]->shape[3]; e < T * H * x[i]->shape[3]; e++) ((float *)x[i]->data)[b * T * H * x[i]->shape[3] + e] += 1;
        }
        run(&p);
        for (int64_t b = 0; b < B; b++) {
            const size_t row = T * H * DV, head = (size_t)t * H * DV;
            ck_assert_int_eq(memcmp(before + (size_t)b * row, (float *)p.out.data + (size_t)b * row, head * sizeof(float)), 0);
            ck_assert_int_ne(memcmp(before + (size_t)b * row, (float *)p.out.data + (size_t)b * row, row * sizeof(float)), 0);
        }
        free(before);
        mesaopt_attn_free(p.attn);
        drop(&p);
    }
    mesaopt_ctx_free(ctx);
}
END_TEST

/* q, k, v packed in one array, reversed time, broadcast keys; gradients into packed slices. */
START_TEST(strides)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_attn *a = open_attn(ctx, MESAOPT_SCOPE_SOFTMAX, 0, 0, 0, 0);
    enum { P = 3 * D };
    double packed[B * T * H * P], grads[B * T * H * P], out[B * T * H * D], dense_out[B * T * H * D], dense[3][B * T * H * D], dg[3][B * T * H * D];
    mesaopt_view all, q[3], g[3], x[3], dx[3], o, o2;
    ck_assert_int_eq(mesaopt_view_dense(packed, MESAOPT_F64, 4, (int64_t[]){B, T, H, P}, &all), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 3, 1, 0, 0, 1, &all), MESAOPT_OK);
    for (int i = 0; i < 3; i++) {
        q[i] = all, q[i].data = packed + i * D, q[i].shape[3] = D;
        g[i] = q[i], g[i].data = grads + i * D;
        mesaopt_view_dense(dense[i], MESAOPT_F64, 4, (int64_t[]){B, T, H, D}, &x[i]);
        mesaopt_view_dense(dg[i], MESAOPT_F64, 4, (int64_t[]){B, T, H, D}, &dx[i]);
        ck_assert_int_eq(mesaopt_tensor_copy(ctx, &q[i], &x[i]), MESAOPT_OK);
    }
    mesaopt_view_dense(out, MESAOPT_F64, 4, (int64_t[]){B, T, H, D}, &o);
    mesaopt_view_dense(dense_out, MESAOPT_F64, 4, (int64_t[]){B, T, H, D}, &o2);
    ck_assert_int_eq(mesaopt_attn_forward(a, &q[0], &q[1], &q[2], &o), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_attn_forward(a, &x[0], &x[1], &x[2], &o2), MESAOPT_OK);
    ck_assert_int_eq(memcmp(out, dense_out, sizeof out), 0);
    ck_assert_int_eq(mesaopt_attn_backward(a, &q[0], &q[1], &q[2], &o, &g[0], &g[1], &g[2]), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_attn_backward(a, &x[0], &x[1], &x[2], &o, &dx[0], &dx[1], &dx[2]), MESAOPT_OK);
    for (int i = 0; i < 3; i++) {
        double copy[B * T * H * D];
        mesaopt_view c;
        mesaopt_view_dense(copy, MESAOPT_F64, 4, (int64_t[]){B, T, H, D}, &c);
        ck_assert_int_eq(mesaopt_tensor_copy(ctx, &g[i], &c), MESAOPT_OK);
        ck_assert_int_eq(memcmp(copy, dg[i], sizeof copy), 0);
    }
    mesaopt_view key = q[1];                                   /* one key for all steps: uniform weights */
    key.stride[1] = 0;
    ck_assert_int_eq(mesaopt_attn_forward(a, &q[0], &key, &q[2], &o), MESAOPT_OK);
    for (int64_t i = 0; i < H * D; i++) {
        const int64_t head = i / D, j = i % D;
        double mean = 0;
        for (int64_t t = 0; t < T; t++) mean += packed[(t * H + head) * P + 2 * D + j] / T;
        ck_assert_double_eq_tol(out[(T - 1) * H * D + i], mean, 1e-14);
    }
    ck_assert_int_eq(mesaopt_attn_backward(a, &q[0], &q[1], &q[2], &o, &g[0], &g[0], &g[2]), MESAOPT_E_OVERLAP);
    ck_assert_int_eq(mesaopt_attn_forward(a, &q[0], &q[1], &q[2], &q[2]), MESAOPT_E_OVERLAP);
    mesaopt_attn_free(a);
    mesaopt_ctx_free(ctx);
}
END_TEST

START_TEST(empty)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_attn *a = open_attn(ctx, MESAOPT_SCOPE_LINEAR, 0, 0, 0, 0);
    mesaopt_view v;
    int64_t bytes = -1;
    mesaopt_view_dense(NULL, MESAOPT_F32, 4, (int64_t[]){0, 5, 2, 3}, &v);
    ck_assert_int_eq(mesaopt_attn_forward(a, &v, &v, &v, &v), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_attn_workspace(a, MESAOPT_F32, 4, 4096, 2, 16, 16, &bytes), MESAOPT_OK);
    int64_t twice = -1;
    ck_assert_int_eq(mesaopt_attn_workspace(a, MESAOPT_F32, 4, 8192, 2, 16, 16, &twice), MESAOPT_OK);
    ck_assert(twice < 2 * bytes + 1);                          /* memory is linear in T */
    mesaopt_attn_free(a);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Two tokens, of which the second has a score of unit^2 times the sum of `keys` and then 1, in f32 or f64; v and dout are the same. */
typedef struct two_tokens { mesaopt_ctx *ctx; mesaopt_attn *attn; double q[8], k[8], v[8], out[8], d[3][8]; mesaopt_view of[7]; } two_tokens;

static int open_two_tokens(two_tokens *w, int32_t isa, int32_t dtype, int64_t lanes, double scale, double unit, const double *keys)
{
    static const double v[8] = {1, 2, 3, 4, 5, 6, 7, 8};
    double k[8] = {0}, q[8];
    memset(w, 0, sizeof *w);
    w->ctx = context_at(isa, 1);
    if (!w->ctx) return 0;
    w->attn = open_attn(w->ctx, MESAOPT_SCOPE_SOFTMAX, lanes, 0, scale, 0);
    for (int j = 0; j < 8; j++) q[j] = j % 4 < 3 ? unit : 1;
    for (int j = 0; j < 4; j++) k[4 + j] = j < 3 ? keys[j] * unit : 1;
    double *const data[] = {w->q, w->k, w->v, w->out, w->d[0], w->d[1], w->d[2]};
    const double *const from[] = {q, k, v};
    for (int i = 0; i < 7; i++) {
        w->of[i] = (mesaopt_view)DENSE(data[i], dtype, 1, 2, 1, 4);
        for (int j = 0; j < 8 && i < 3; j++)
            if (dtype == MESAOPT_F32) ((float *)data[i])[j] = (float)from[i][j];
            else data[i][j] = from[i][j];
    }
    return 1;
}

static const double signs[3][3] = {{1, 0, 0}, {1, -1, 1}, {-1, 1, -1}};

/* Beyond f32 as well scores weigh as their differences say: here one token has it all. */
START_TEST(scores_beyond_f32)
{
    for (int32_t isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++)
        for (int i = 0; i < 12; i++) {
            two_tokens w;
            const double scale = i < 6 ? 1 : -1;
            if (!open_two_tokens(&w, isa, MESAOPT_F32, 1 + i / 3 % 2, scale, 1e20, signs[i % 3])) continue;
            const mesaopt_view *v = w.of;
            const int winner = (i % 3 < 2) == (scale > 0);
            const float *out = v[3].data, *dq = v[4].data, *dk = v[5].data, *dv = v[6].data;
            ck_assert_int_eq(mesaopt_attn_forward(w.attn, &v[0], &v[1], &v[2], &v[3]), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_attn_backward(w.attn, &v[0], &v[1], &v[2], &v[2], &v[4], &v[5], &v[6]), MESAOPT_OK);
            for (int j = 0; j < 4; j++) {
                const float first = (float)(1 + j), second = (float)(5 + j);
                ck_assert(out[j] == first && out[4 + j] == (winner ? second : first));
                ck_assert(dv[j] == first + (winner ? 0 : second) && dv[4 + j] == (winner ? second : 0));
                ck_assert(dq[j] == 0 && dq[4 + j] == 0 && dk[j] == 0 && dk[4 + j] == 0);
            }
            mesaopt_attn_free(w.attn);
            mesaopt_ctx_free(w.ctx);
        }
}
END_TEST

/* Keys and queries of 1e19: of scores of 1e38 and more the largest has all the weight, so gradients of queries and keys are 0, and no
 * rest of a difference that rounding left is multiplied by 1e19. */
START_TEST(winners_leave_no_rest)
{
    enum { WB = 17, WT = 37, D = 5, DV = 3 };
    static float q[WB][WT][1][D], k[WB][WT][1][D], v[WB][WT][1][DV], g[WB][WT][1][DV], dq[WB][WT][1][D], dk[WB][WT][1][D], dv[WB][WT][1][DV];
    mesaopt_view in[] = {DENSE(q, MESAOPT_F32, WB, WT, 1, D), DENSE(k, MESAOPT_F32, WB, WT, 1, D), DENSE(v, MESAOPT_F32, WB, WT, 1, DV), DENSE(g, MESAOPT_F32, WB, WT, 1, DV)},
                 out[] = {DENSE(dq, MESAOPT_F32, WB, WT, 1, D), DENSE(dk, MESAOPT_F32, WB, WT, 1, D), DENSE(dv, MESAOPT_F32, WB, WT, 1, DV)};
    for (int32_t isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++)
        for (int lanes = 1; lanes <= 2; lanes++) {
            mesaopt_ctx *ctx = context_at(isa, 1);
            if (!ctx) continue;
            mesaopt_settings *s = settings_from(MESAOPT_SCOPE_SOFTMAX, lanes == 1 ? "lanes=1" : "lanes=2");
            mesaopt_attn *attn;
            for (int i = 0; i < 4; i++) ck_assert_int_eq(mesaopt_rng_uniform(ctx, 9 + i, 20, 0, i < 2 ? -1e20 : -1, i < 2 ? 1e20 : 1, &in[i]), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_attn_create(ctx, s, &attn), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_attn_backward(attn, &in[0], &in[1], &in[2], &in[3], &out[0], &out[1], &out[2]), MESAOPT_OK);
            for (int i = 0; i < WB * WT * D; i++) {
                const int b = i / (WT * D), t = i / D % WT, j = i % D;
                ck_assert_msg(dq[b][t][0][j] == 0 && dk[b][t][0][j] == 0, "dq %g, dk %g", dq[b][t][0][j], dk[b][t][0][j]);
            }
            mesaopt_attn_free(attn);
            mesaopt_settings_free(s);
            mesaopt_ctx_free(ctx);
        }
}
END_TEST

/* In f64 scores that overflow, and such as have in their sum, are refused: their distances are lost. */
START_TEST(scores_that_overflow)
{
    for (int32_t isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++)
        for (int i = 0; i < 12; i++) {
            two_tokens w;
            if (!open_two_tokens(&w, isa, MESAOPT_F64, 1 + i / 3 % 2, i < 6 ? 1 : -1, 1e160, signs[i % 3])) continue;
            const mesaopt_view *v = w.of;
            REFUSED(w.ctx, MESAOPT_E_NONFINITE, "out: element [0,1,0,0] is nan", mesaopt_attn_forward(w.attn, &v[0], &v[1], &v[2], &v[3]));
            REFUSED(w.ctx, MESAOPT_E_NONFINITE, "dq: element [0,1,0,0] is nan",
                    mesaopt_attn_backward(w.attn, &v[0], &v[1], &v[2], &v[2], &v[4], &v[5], &v[6]));
            mesaopt_attn_free(w.attn);
            mesaopt_ctx_free(w.ctx);
        }
}
END_TEST

Suite *test_attention_suite(void)
{
    Suite *s = suite_create("attention");
    TCase *t = tcase_create("attention");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, gradients);
    tcase_add_test(t, agreement);
    tcase_add_test(t, causality);
    tcase_add_test(t, strides);
    tcase_add_test(t, scores_beyond_f32);
    tcase_add_test(t, winners_leave_no_rest);
    tcase_add_test(t, scores_that_overflow);
    tcase_add_test(t, empty);
    suite_add_tcase(s, t);
    return s;
}
