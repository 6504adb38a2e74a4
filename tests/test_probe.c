/* Probes against NumPy (oracle/probes.py) and by their properties: pieces and whole, planted codes, noise, threads, layouts, settings. */
#include "contexts.h"
#include "oracle/golden_probes.h"
#include <math.h>
#include <stdio.h>

#define OK(call) ck_assert_int_eq((call), MESAOPT_OK)

/* ---- data and small helpers ---- */

static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 0x1p52 - 1;
}

static double *random_array(int64_t count, uint64_t seed)
{
    double *x = malloc((size_t)count * sizeof *x);
    for (int64_t i = 0; i < count; i++) x[i] = uniform(&seed);
    return x;
}

typedef struct golden_data {
    double h[GOLDEN_L][GOLDEN_B][GOLDEN_T][GOLDEN_D], y[GOLDEN_B][GOLDEN_T][GOLDEN_M], weights[3][GOLDEN_B][GOLDEN_T];
} golden_data;

/* As in oracle/probes.py. */
static golden_data draw_golden(void)
{
    static golden_data g;
    uint64_t state = 2309;
    for (int i = 0; i < GOLDEN_L * GOLDEN_B * GOLDEN_T * GOLDEN_D; i++) (&g.h[0][0][0][0])[i] = uniform(&state);
    for (int i = 0; i < GOLDEN_B * GOLDEN_T * GOLDEN_M; i++) (&g.y[0][0][0])[i] = uniform(&state);
    for (int i = 0; i < GOLDEN_B * GOLDEN_T; i++) {
        const double w = uniform(&state) + 1;
        (&g.weights[0][0][0])[i] = 1, (&g.weights[1][0][0])[i] = w > 0.3, (&g.weights[2][0][0])[i] = w;
    }
    for (int b = 0; b < GOLDEN_B; b++)
        for (int t = 0; t < GOLDEN_T; t++) {
            g.h[1][b][t][2] = g.h[1][b][t][0];
            g.h[1][b][t][3] = g.h[1][b][t][0] + g.h[1][b][t][1];
            g.h[1][b][t][4] = 0;
            for (int j = 0; j < GOLDEN_D; j++) g.h[2][b][t][j] = ldexp(g.h[2][b][t][j], -5 * j);
            g.y[b][t][0] = g.y[b][t][0] + (g.h[0][b][t][0] - g.h[0][b][t][1] + 2);
        }
    return g;
}

static mesaopt_probe *plan(mesaopt_ctx *ctx, const char *settings, int64_t layers, const int64_t *features, int64_t steps, int64_t targets)
{
    mesaopt_probe *p = NULL;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_PROBE, settings);
    OK(mesaopt_probe_plan(ctx, s, layers, features, steps, targets, &p));
    mesaopt_settings_free(s);
    return p;
}

static void fit(mesaopt_probe *p, int intercept, double penalty, double rcond)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_PROBE, "");
    OK(mesaopt_settings_set_int(s, MESAOPT_KEY_INTERCEPT, intercept));
    OK(mesaopt_settings_set_float(s, MESAOPT_KEY_PENALTY, penalty));
    OK(mesaopt_settings_set_float(s, MESAOPT_KEY_RCOND, rcond));
    OK(mesaopt_probe_fit(p, s));
    mesaopt_settings_free(s);
}

/* Prediction of target j from features h. */
static double predict(mesaopt_probe *p, int64_t layer, int64_t step, const double *h, int64_t j)
{
    mesaopt_view W, c;
    OK(mesaopt_probe_weights(p, layer, step, &W, &c));
    double y = ((const double *)c.data)[j * c.stride[0]];
    for (int64_t i = 0; i < W.shape[0]; i++) y += h[i] * ((const double *)W.data)[i * W.stride[0] + j * W.stride[1]];
    return y;
}

/* ---- NumPy ---- */

static const int64_t golden_features[] = {GOLDEN_D, GOLDEN_D, GOLDEN_D};
static const int32_t golden_lanes[] = {1, 2, 0};

static void check_golden(mesaopt_probe *p, golden_data *g, size_t c)
{
    const char *name = golden_probes[c].name;
    double mse[GOLDEN_L][GOLDEN_T][GOLDEN_M], sums[GOLDEN_L][GOLDEN_T], r2[GOLDEN_L][GOLDEN_T];
    int64_t rank[GOLDEN_L][GOLDEN_T];
    const mesaopt_view each = DENSE(mse, MESAOPT_F64, GOLDEN_L, GOLDEN_T, GOLDEN_M), sum = DENSE(sums, MESAOPT_F64, GOLDEN_L, GOLDEN_T);
    const mesaopt_view r2_view = DENSE(r2, MESAOPT_F64, GOLDEN_L, GOLDEN_T), rank_view = DENSE(rank, MESAOPT_I64, GOLDEN_L, GOLDEN_T);
    OK(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, &each, &r2_view));
    OK(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, &sum, NULL));
    OK(mesaopt_probe_rank(p, &rank_view));
    for (int l = 0; l < GOLDEN_L; l++)
        for (int t = 0; t < GOLDEN_T; t++) {
            ck_assert_msg(rank[l][t] == golden_probes[c].rank[l][t], "%s: rank %d of layer %d, step %d, expected %d", name, (int)rank[l][t], l, t, golden_probes[c].rank[l][t]);
            for (int b = 0; b < GOLDEN_SHOWN; b++)
                for (int j = 0; j < GOLDEN_M; j++) {
                    const double off = predict(p, l, t, g->h[l][b][t], j) - golden_probes[c].p[l][t][b][j];
                    ck_assert_msg(fabs(off) <= 1e-9, "%s: layer %d, step %d, sequence %d: off by %g", name, l, t, b, off);
                }
            for (int j = 0; j < GOLDEN_M; j++) ck_assert_double_eq_tol(mse[l][t][j], golden_probes[c].error[l][t][j] / 2, 1e-10);
            ck_assert_double_eq_tol(sums[l][t], mse[l][t][0] + mse[l][t][1], 1e-14);
            ck_assert_double_eq_tol(r2[l][t], golden_probes[c].r2[l][t], 1e-9);
        }
}

static void golden_at(mesaopt_ctx *ctx, int32_t lanes)
{
    golden_data g = draw_golden();
    char text[16];
    snprintf(text, sizeof text, "lanes=%d", (int)lanes);
    mesaopt_probe *p = plan(ctx, text, GOLDEN_L, golden_features, GOLDEN_T, GOLDEN_M);
    const mesaopt_view y = DENSE(g.y, MESAOPT_F64, GOLDEN_B, GOLDEN_T, GOLDEN_M);
    mesaopt_view h[GOLDEN_L];
    for (int l = 0; l < GOLDEN_L; l++) h[l] = DENSE(g.h[l], MESAOPT_F64, GOLDEN_B, GOLDEN_T, GOLDEN_D);
    for (size_t c = 0; c < sizeof golden_probes / sizeof *golden_probes; c++) {
        const mesaopt_view w = DENSE(g.weights[golden_probes[c].weights], MESAOPT_F64, GOLDEN_B, GOLDEN_T);
        OK(mesaopt_probe_reset(p, MESAOPT_PROBE_TRAIN));
        OK(mesaopt_probe_feed(p, MESAOPT_PROBE_TRAIN, h, &y, golden_probes[c].weights ? &w : NULL));
        fit(p, golden_probes[c].intercept, golden_probes[c].penalty, golden_probes[c].rcond);
        check_golden(p, &g, c);
    }
    OK(mesaopt_probe_free(p));
}

START_TEST(fits_are_those_of_numpy)
{
    for (int32_t isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
        mesaopt_ctx *ctx = context_at(isa, 1);
        if (!ctx) continue;
        for (int i = 0; i < 3; i++) golden_at(ctx, golden_lanes[i]);
        OK(mesaopt_ctx_free(ctx));
    }
}
END_TEST

/* ---- feeding ---- */

enum { B = 300, T = 13, D0 = 6, D1 = 9, M = 3 };
static const int64_t features[] = {D0, D1};

typedef struct data { double *h0, *h1, *y, *w; } data;
static data draw(uint64_t seed)
{
    data d = {random_array(B * T * D0, seed), random_array(B * T * D1, seed + 1), random_array(B * T * M, seed + 2), random_array(B * T, seed + 3)};
    for (int64_t i = 0; i < B * T; i++) d.w[i] = d.w[i] > 0.5 ? 0 : fabs(d.w[i]);
    return d;
}
static void data_free(data d) { free(d.h0), free(d.h1), free(d.y), free(d.w); }

/* Sequences first .. first + count - 1. */
static mesaopt_status feed(mesaopt_probe *p, int32_t set, data d, int64_t first, int64_t count, int weighted)
{
    const mesaopt_view h[] = {DENSE(d.h0 + first * T * D0, MESAOPT_F64, count, T, D0), DENSE(d.h1 + first * T * D1, MESAOPT_F64, count, T, D1)};
    const mesaopt_view y = DENSE(d.y + first * T * M, MESAOPT_F64, count, T, M), w = DENSE(d.w + first * T, MESAOPT_F64, count, T);
    return mesaopt_probe_feed(p, set, h, &y, weighted ? &w : NULL);
}

/* Everything a fitted probe says: scores on both sets, and predictions for the first sequences. */
enum { SAID = 2 * 2 * 2 * T + 2 * T * M * 4 };
static void ask(mesaopt_probe *p, data d, double *said)
{
    const mesaopt_view a = DENSE(said, MESAOPT_F64, 2, T), b = DENSE(said + 2 * T, MESAOPT_F64, 2, T);
    const mesaopt_view c = DENSE(said + 4 * T, MESAOPT_F64, 2, T), e = DENSE(said + 6 * T, MESAOPT_F64, 2, T);
    OK(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, &a, &b));
    OK(mesaopt_probe_score(p, MESAOPT_PROBE_TEST, &c, &e));
    said += 8 * T;
    for (int s = 0; s < 4; s++)
        for (int t = 0; t < T; t++)
            for (int j = 0; j < M; j++) {
                *said++ = predict(p, 0, t, d.h0 + (s * T + t) * D0, j);
                *said++ = predict(p, 1, t, d.h1 + (s * T + t) * D1, j);
            }
}

/* Fed in pieces of any size, one by one too, on either lanes. */
START_TEST(pieces_are_the_whole)
{
    static const int64_t cuts[][6] = {{300, 0}, {1, 299, 0}, {7, 100, 64, 3, 126, 0}, {0, 150, 150, 0}};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    data train = draw(3), test = draw(30);
    double whole[SAID], said[SAID];
    for (int weighted = 0; weighted < 2; weighted++)
        for (int lanes = 1; lanes <= 2; lanes++)
            for (int cut = 0; cut < 5; cut++) {
                mesaopt_probe *p = plan(ctx, lanes == 1 ? "lanes=1 intercept=1" : "lanes=2 intercept=1", 2, features, T, M);
                int64_t first = 0;
                if (cut == 4) for (; first < B; first++) OK(feed(p, MESAOPT_PROBE_TRAIN, train, first, 1, weighted));
                else
                    for (int i = 0; first < B; first += cuts[cut][i++]) OK(feed(p, MESAOPT_PROBE_TRAIN, train, first, cuts[cut][i], weighted));
                OK(mesaopt_probe_fit(p, NULL));
                OK(feed(p, MESAOPT_PROBE_TEST, test, 0, 17, 0));
                OK(feed(p, MESAOPT_PROBE_TEST, test, 17, B - 17, 0));
                ask(p, train, cut == 0 && lanes == 1 ? whole : said);
                for (int i = 0; (cut > 0 || lanes > 1) && i < SAID; i++) ck_assert_double_eq_tol(said[i], whole[i], 1e-11);
                OK(mesaopt_probe_free(p));
            }
    data_free(train), data_free(test);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

typedef struct host { int64_t jobs; } host;
static void backwards(void (*body)(void *job, int64_t i), void *job, int64_t n, void *user)
{
    ((host *)user)->jobs += n;
    for (int64_t i = n - 1; i >= 0; i--) body(job, i);
}

START_TEST(threads_change_no_bit)
{
    data train = draw(5), test = draw(50);
    double one[SAID], said[SAID];
    host loop = {0};
    for (int threads = 1; threads <= 4; threads++) {
        mesaopt_ctx *ctx;
        mesaopt_settings *s = settings_from(MESAOPT_SCOPE_CTX, "");
        OK(mesaopt_settings_set_int(s, MESAOPT_KEY_THREADS, threads));
        if (threads == 4) OK(mesaopt_settings_set_parallel(s, backwards, NULL, &loop));
        OK(mesaopt_ctx_create(s, &ctx));
        mesaopt_settings_free(s);
        mesaopt_probe *p = plan(ctx, "rcond=0.3", 2, features, T, M);          /* small enough a rank for the search of singular values */
        OK(feed(p, MESAOPT_PROBE_TRAIN, train, 0, 100, 1));
        OK(feed(p, MESAOPT_PROBE_TRAIN, train, 100, 200, 0));
        OK(feed(p, MESAOPT_PROBE_TEST, test, 0, B, 0));
        OK(mesaopt_probe_fit(p, NULL));
        ask(p, train, threads == 1 ? one : said);
        if (threads > 1) ck_assert_mem_eq(one, said, sizeof one);
        OK(mesaopt_probe_free(p));
        OK(mesaopt_ctx_free(ctx));
    }
    ck_assert_int_gt(loop.jobs, 0);
    data_free(train), data_free(test);
}
END_TEST

/* f32 and f64, any order of axes, targets of each layer, weights for all steps: the numbers are what counts. */
START_TEST(any_layout)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    data d = draw(7);
    static float h0[D0][T][B], h1[B][D1][T];
    static double y[2][M][T][B];
    double want[SAID], said[SAID];
    for (int64_t i = 0; i < B * T * D0; i++) d.h0[i] = (float)d.h0[i];
    for (int64_t i = 0; i < B * T * D1; i++) d.h1[i] = (float)d.h1[i];
    for (int b = 0; b < B; b++)
        for (int t = 0; t < T; t++) {
            d.w[b * T + t] = d.w[b * T];
            for (int j = 0; j < D0; j++) h0[j][t][b] = (float)d.h0[(b * T + t) * D0 + j];
            for (int j = 0; j < D1; j++) h1[B - 1 - b][j][t] = (float)d.h1[(b * T + t) * D1 + j];
            for (int j = 0; j < M; j++) y[0][j][t][b] = y[1][j][t][b] = d.y[(b * T + t) * M + j];
        }
    const mesaopt_view h[] = {{h0, {B, T, D0}, {1, B, B * T}, 3, MESAOPT_F32, MESAOPT_VIEW_READONLY, 0},
                              {h1[B - 1], {B, T, D1}, {-D1 * T, 1, T}, 3, MESAOPT_F32, 0, 0}};
    const mesaopt_view targets = {y, {2, B, T, M}, {M * T * B, 1, B, T * B}, 4, MESAOPT_F64, 0, 0}, w = {d.w, {B}, {T}, 1, MESAOPT_F64, 0, 0};
    for (int lanes = 1; lanes <= 2; lanes++)
        for (int odd = 0; odd < 2; odd++) {
            mesaopt_probe *p = plan(ctx, lanes == 1 ? "lanes=1" : "lanes=2", 2, features, T, M);
            if (odd) OK(mesaopt_probe_feed(p, MESAOPT_PROBE_TRAIN, h, &targets, &w));
            else OK(feed(p, MESAOPT_PROBE_TRAIN, d, 0, B, 1));
            OK(feed(p, MESAOPT_PROBE_TEST, d, 0, 9, 0));
            OK(mesaopt_probe_fit(p, NULL));
            ask(p, d, odd ? said : want);
            OK(mesaopt_probe_free(p));
            for (int i = 0; odd && i < SAID; i++) ck_assert_double_eq_tol(said[i], want[i], 1e-12);
        }
    data_free(d);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* The sequences that have weight 0 might as well not be there. */
START_TEST(weight_0_leaves_a_sequence_out)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    data d = draw(8), kept = draw(8);
    double with[SAID], without[SAID];
    int64_t n = 0, count[T];
    const mesaopt_view out = DENSE(count, MESAOPT_I64, T);
    for (int b = 0; b < B; b++) {
        for (int t = 0; t < T; t++) d.w[b * T + t] = b % 3 != 1;
        if (b % 3 == 1) continue;
        memcpy(kept.h0 + n * T * D0, d.h0 + b * T * D0, sizeof(double) * T * D0);
        memcpy(kept.h1 + n * T * D1, d.h1 + b * T * D1, sizeof(double) * T * D1);
        memcpy(kept.y + n++ * T * M, d.y + b * T * M, sizeof(double) * T * M);
    }
    mesaopt_probe *p = plan(ctx, "", 2, features, T, M), *q = plan(ctx, "", 2, features, T, M);
    OK(feed(p, MESAOPT_PROBE_TRAIN, d, 0, B, 1));
    OK(feed(q, MESAOPT_PROBE_TRAIN, kept, 0, n, 0));
    OK(feed(p, MESAOPT_PROBE_TEST, d, 0, B, 1));
    OK(feed(q, MESAOPT_PROBE_TEST, kept, 0, n, 0));
    OK(mesaopt_probe_fit(p, NULL));
    OK(mesaopt_probe_fit(q, NULL));
    ask(p, d, with), ask(q, d, without);
    for (int i = 0; i < SAID; i++) ck_assert_double_eq_tol(with[i], without[i], 1e-12);
    OK(mesaopt_probe_count(p, MESAOPT_PROBE_TRAIN, &out));
    for (int t = 0; t < T; t++) ck_assert_int_eq(count[t], n);
    OK(mesaopt_probe_free(p));
    OK(mesaopt_probe_free(q));
    data_free(d), data_free(kept);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* ---- what probes are for ---- */

/* Targets are a linear map of layer 1 at step 4, and of nothing else: found there, with the planted map, and nowhere else. */
START_TEST(a_planted_code_is_found_where_it_is)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    data d = draw(11), test = draw(110);
    double *map = random_array(D1 * M, 12), r2[2][T], mse[2][T];
    const mesaopt_view r2_view = DENSE(r2, MESAOPT_F64, 2, T), mse_view = DENSE(mse, MESAOPT_F64, 2, T);
    for (int set = 0; set < 2; set++) {
        data *s = set ? &test : &d;
        for (int b = 0; b < B; b++)
            for (int t = 0; t < T; t++)
                for (int j = 0; j < M; j++) {
                    double y = 0;
                    for (int i = 0; i < D1; i++) y += s->h1[(b * T + 4) * D1 + i] * map[i * M + j];
                    s->y[(b * T + t) * M + j] = y;
                }
    }
    mesaopt_probe *p = plan(ctx, "", 2, features, T, M);
    OK(feed(p, MESAOPT_PROBE_TRAIN, d, 0, B, 0));
    OK(feed(p, MESAOPT_PROBE_TEST, test, 0, B, 0));
    OK(mesaopt_probe_fit(p, NULL));
    OK(mesaopt_probe_score(p, MESAOPT_PROBE_TEST, &mse_view, &r2_view));
    for (int l = 0; l < 2; l++)
        for (int t = 0; t < T; t++) {
            if (l == 1 && t == 4) ck_assert(mse[l][t] < 1e-25 && r2[l][t] > 1 - 1e-12);
            else ck_assert_msg(r2[l][t] < 0.05, "layer %d, step %d: R2 %g", l, t, r2[l][t]);
        }
    mesaopt_view W;
    OK(mesaopt_probe_weights(p, 1, 4, &W, NULL));
    for (int i = 0; i < D1; i++)
        for (int j = 0; j < M; j++) ck_assert_double_eq_tol(((const double *)W.data)[i * W.stride[0] + j * W.stride[1]], map[i * M + j], 1e-12);
    ck_assert(W.flags == MESAOPT_VIEW_READONLY);
    OK(mesaopt_probe_free(p));
    data_free(d), data_free(test), free(map);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* Held out, noise explains nothing; in sample it seems to, by a share of D / B. */
START_TEST(noise_has_no_code)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    data d = draw(13), test = draw(130);
    double in[2][T], out[2][T], mean[2] = {0};
    const mesaopt_view in_view = DENSE(in, MESAOPT_F64, 2, T), out_view = DENSE(out, MESAOPT_F64, 2, T);
    mesaopt_probe *p = plan(ctx, "intercept=1", 2, features, T, M);
    OK(feed(p, MESAOPT_PROBE_TRAIN, d, 0, B, 0));
    OK(feed(p, MESAOPT_PROBE_TEST, test, 0, B, 0));
    OK(mesaopt_probe_fit(p, NULL));
    OK(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, NULL, &in_view));
    OK(mesaopt_probe_score(p, MESAOPT_PROBE_TEST, NULL, &out_view));
    for (int l = 0; l < 2; l++)
        for (int t = 0; t < T; t++) {
            ck_assert_double_le(out[l][t], 0.02);
            mean[l] += in[l][t] / T;
        }
    ck_assert_double_eq_tol(mean[0], (double)D0 / B, 0.01);
    ck_assert_double_eq_tol(mean[1], (double)D1 / B, 0.01);
    OK(mesaopt_probe_free(p));
    data_free(d), data_free(test);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* Scores on held-out sequences are those of the predictions. */
START_TEST(held_out_scores_are_those_of_predictions)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    data d = draw(15), test = draw(150);
    for (int mean = 0; mean < 2; mean++)
        for (int intercept = 0; intercept < 2; intercept++) {
            char text[64];
            double mse[2][T][M], sums[2][T], r2[2][T];
            const mesaopt_view each = DENSE(mse, MESAOPT_F64, 2, T, M), sum = DENSE(sums, MESAOPT_F64, 2, T), r2_view = DENSE(r2, MESAOPT_F64, 2, T);
            snprintf(text, sizeof text, "error=%s intercept=%d penalty=%s", mean ? "mean" : "half_sum", intercept, mean ? "2.5" : "0");
            mesaopt_probe *p = plan(ctx, text, 2, features, T, M);
            OK(feed(p, MESAOPT_PROBE_TRAIN, d, 0, 50, 0));
            OK(feed(p, MESAOPT_PROBE_TEST, test, 0, B, 1));
            OK(mesaopt_probe_fit(p, NULL));
            OK(mesaopt_probe_score(p, MESAOPT_PROBE_TEST, &each, NULL));
            OK(mesaopt_probe_score(p, MESAOPT_PROBE_TEST, &sum, &r2_view));
            for (int l = 0; l < 2; l++)
                for (int t = 0; t < T; t++) {
                    double error[M] = {0}, spread = 0, all = 0, total = 0;
                    for (int j = 0; j < M; j++) {
                        double at = 0, weight = 0;
                        for (int b = 0; b < B; b++) at += test.w[b * T + t] * test.y[(b * T + t) * M + j], weight += test.w[b * T + t];
                        for (int b = 0; b < B; b++) {
                            const double y = test.y[(b * T + t) * M + j], w = test.w[b * T + t];
                            const double *h = l ? test.h1 + (b * T + t) * D1 : test.h0 + (b * T + t) * D0;
                            error[j] += w * pow(predict(p, l, t, h, j) - y, 2);
                            spread += w * pow(y - at / weight, 2);
                        }
                        total = weight, all += error[j];
                    }
                    for (int j = 0; j < M; j++) ck_assert_double_eq_tol(mse[l][t][j], error[j] / total / (mean ? 1 : 2), 1e-12);
                    ck_assert_double_eq_tol(sums[l][t], all / total / (mean ? M : 2), 1e-12);
                    ck_assert_double_eq_tol(r2[l][t], 1 - all / spread, 1e-12);
                }
            OK(mesaopt_probe_free(p));
        }
    data_free(d), data_free(test);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* One triangle serves any penalty, with or without intercept; a large penalty leaves the mean, or nothing. */
START_TEST(fits_repeat_with_other_settings)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    data d = draw(17);
    mesaopt_probe *p = plan(ctx, "", 2, features, T, M);
    double first[SAID], again[SAID];
    OK(feed(p, MESAOPT_PROBE_TRAIN, d, 0, B, 0));
    OK(feed(p, MESAOPT_PROBE_TEST, d, 5, 40, 0));
    OK(mesaopt_probe_fit(p, NULL));
    ask(p, d, first);
    fit(p, 1, 1e15, 0);
    for (int t = 0; t < T; t++)
        for (int j = 0; j < M; j++) {
            double mean = 0;
            for (int b = 0; b < B; b++) mean += d.y[(b * T + t) * M + j] / B;
            ck_assert_double_eq_tol(predict(p, 1, t, d.h1, j), mean, 1e-9);
        }
    fit(p, 0, 1e15, 0);
    for (int t = 0; t < T; t++) ck_assert_double_eq_tol(predict(p, 0, t, d.h0, 0), 0, 1e-9);
    OK(mesaopt_probe_fit(p, NULL));
    ask(p, d, again);
    ck_assert_mem_eq(first, again, sizeof first);
    OK(mesaopt_probe_free(p));
    data_free(d);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* Targets that do not vary have no R2; activations of zeros, or a single sequence, are no trouble with a penalty. */
START_TEST(degenerate_data)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    data d = draw(19);
    double r2[2][T], mse[2][T];
    int64_t rank[2][T];
    const mesaopt_view r2_view = DENSE(r2, MESAOPT_F64, 2, T), mse_view = DENSE(mse, MESAOPT_F64, 2, T), rank_view = DENSE(rank, MESAOPT_I64, 2, T);
    memset(d.h0, 0, sizeof(double) * B * T * D0);
    for (int64_t i = 0; i < B * T * M; i++) d.y[i] = 0.1;
    for (int lanes = 1; lanes <= 2; lanes++) {
        mesaopt_probe *p = plan(ctx, lanes == 1 ? "lanes=1" : "lanes=2", 2, features, T, M);
        OK(feed(p, MESAOPT_PROBE_TRAIN, d, 0, B, 0));
        fit(p, 0, 0, 0);
        OK(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, &mse_view, &r2_view));
        OK(mesaopt_probe_rank(p, &rank_view));
        for (int t = 0; t < T; t++) {
            ck_assert(isnan(r2[0][t]) && isnan(r2[1][t]));
            ck_assert_double_eq_tol(mse[0][t], 0.5 * M * 0.01, 1e-14);
            ck_assert(rank[0][t] == 0 && rank[1][t] == D1);
        }
        fit(p, 1, 0, 0);
        OK(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, &mse_view, &r2_view));
        for (int t = 0; t < T; t++) ck_assert(mse[0][t] < 1e-28 && mse[1][t] < 1e-28 && isnan(r2[0][t]));
        OK(mesaopt_probe_reset(p, MESAOPT_PROBE_TRAIN));
        OK(feed(p, MESAOPT_PROBE_TRAIN, d, 0, 1, 0));
        fit(p, 0, 1e-3, 0);
        OK(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, &mse_view, NULL));
        for (int t = 0; t < T; t++) ck_assert_double_lt(mse[1][t], 1e-3 * mse[0][t]);
        OK(mesaopt_probe_free(p));
    }
    data_free(d);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* Activations that are the same in all sequences, whatever they are and however these weigh, say nothing beside an intercept: rank 0, weights 0, R2 0. */
START_TEST(constant_activations)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    data d = draw(23);
    double r2[2][T];
    int64_t rank[2][T];
    const mesaopt_view r2_view = DENSE(r2, MESAOPT_F64, 2, T), rank_view = DENSE(rank, MESAOPT_I64, 2, T);
    for (int64_t i = 0; i < B * T * D0; i++) d.h0[i] = d.h0[i % (T * D0)];
    for (int64_t i = 0; i < B * T * D1; i++) d.h1[i] = i < T * D1 ? 1000 * d.h1[i] : d.h1[i % (T * D1)];
    for (int run = 0; run < 4; run++) {
        mesaopt_probe *p = plan(ctx, run % 2 ? "lanes=1" : "lanes=2", 2, features, T, M);
        OK(feed(p, MESAOPT_PROBE_TRAIN, d, 0, 7, run / 2));
        OK(feed(p, MESAOPT_PROBE_TRAIN, d, 7, B - 7, run / 2));
        fit(p, 1, 0, 0);
        OK(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, NULL, &r2_view));
        OK(mesaopt_probe_rank(p, &rank_view));
        for (int l = 0; l < 2; l++)
            for (int t = 0; t < T; t++) {
                ck_assert_int_eq(rank[l][t], 0);
                ck_assert_double_eq_tol(r2[l][t], 0, 1e-12);
            }
        OK(mesaopt_probe_free(p));
    }
    data_free(d);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* Half the square of 1e20 is 5e39: no number of f32, one of f64. The R2 of errors of 1e20 where targets vary by 1 is likewise none. */
START_TEST(errors_too_large_for_their_type)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_probe *p;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_PROBE, "penalty=1");
    double x[2] = {0, 0}, y[2] = {1e20, 1e20}, wide;
    float narrow;
    const int64_t features = 1;
    const mesaopt_view from = DENSE(x, MESAOPT_F64, 2, 1, 1), to = DENSE(y, MESAOPT_F64, 2, 1, 1);
    const mesaopt_view f64 = DENSE(&wide, MESAOPT_F64, 1, 1), f32 = DENSE(&narrow, MESAOPT_F32, 1, 1);
    ck_assert_int_eq(mesaopt_probe_plan(ctx, s, 1, &features, 1, 1, &p), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_probe_feed(p, MESAOPT_PROBE_TRAIN, &from, &to, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_probe_fit(p, s), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, &f64, NULL), MESAOPT_OK);
    ck_assert_double_eq_tol(wide / 5e39, 1, 1e-12);
    ck_assert_int_eq(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, &f32, NULL), MESAOPT_E_NONFINITE);
    ck_assert_int_eq(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, NULL, &f32), MESAOPT_OK);
    ck_assert(isnan(narrow));
    y[0] = -1, y[1] = 1e20 + 1, x[1] = 1;
    ck_assert_int_eq(mesaopt_probe_reset(p, MESAOPT_PROBE_TRAIN), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_probe_feed(p, MESAOPT_PROBE_TRAIN, &from, &to, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_probe_fit(p, s), MESAOPT_OK);
    y[0] = -1, y[1] = 1;
    ck_assert_int_eq(mesaopt_probe_feed(p, MESAOPT_PROBE_TEST, &from, &to, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_probe_score(p, MESAOPT_PROBE_TEST, NULL, &f64), MESAOPT_OK);
    ck_assert_double_lt(wide, -1e38);
    ck_assert_int_eq(mesaopt_probe_score(p, MESAOPT_PROBE_TEST, NULL, &f32), MESAOPT_E_NONFINITE);
    mesaopt_probe_free(p);
    mesaopt_settings_free(s);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- features far from 0 ---- */

enum { FAR_B = 200, FAR_T = 5, FAR_D = 6 };
typedef struct far_data { double h[2][FAR_B][FAR_T][FAR_D], y[2][FAR_B][FAR_T][1], w[FAR_B][FAR_T]; } far_data;

/* Numbers of ten bits behind the point, so that distances from 0 can be added exactly. Feature 4 does not vary, feature 5 is feature 0. */
static void draw_far(far_data *f, double distance)
{
    uint64_t state = 11;
    for (int i = 0; i < 2 * FAR_B * FAR_T; i++) {
        double *h = f->h[i / FAR_T / FAR_B][i / FAR_T % FAR_B][i % FAR_T], *y = f->y[i / FAR_T / FAR_B][i / FAR_T % FAR_B][i % FAR_T];
        for (int j = 0; j < FAR_D; j++) h[j] = floor(1024 * uniform(&state)) / 1024;
        y[0] = floor(1024 * (h[0] - 2 * h[3] + 0.1 * uniform(&state))) / 1024 + distance / 4;
        h[4] = 0, h[5] = h[0];
        for (int j = 0; j < FAR_D; j++) h[j] += distance * (j + 1);
    }
    for (int i = 0; i < FAR_B * FAR_T; i++) f->w[i / FAR_T][i % FAR_T] = uniform(&state) + 1.1;
}

typedef struct far_fit { double W[FAR_T][FAR_D], mse[2][FAR_T], r2[2][FAR_T]; int64_t rank[FAR_T]; } far_fit;

static far_fit fit_far(mesaopt_ctx *ctx, const char *settings, double distance, double penalty, int weights)
{
    static far_data f;
    far_fit r;
    const int64_t features = FAR_D;
    mesaopt_probe *p = plan(ctx, settings, 1, &features, FAR_T, 1);
    const mesaopt_view w = DENSE(f.w, MESAOPT_F64, FAR_B, FAR_T), rank = DENSE(r.rank, MESAOPT_I64, 1, FAR_T);
    draw_far(&f, distance);
    for (int set = 0; set < 2; set++) {
        const mesaopt_view h = DENSE(f.h[set], MESAOPT_F64, FAR_B, FAR_T, FAR_D), y = DENSE(f.y[set], MESAOPT_F64, FAR_B, FAR_T, 1);
        OK(mesaopt_probe_feed(p, set, &h, &y, weights ? &w : NULL));
    }
    fit(p, 1, penalty, 0);
    OK(mesaopt_probe_rank(p, &rank));
    for (int set = 0; set < 2; set++) {
        const mesaopt_view mse = DENSE(r.mse[set], MESAOPT_F64, 1, FAR_T), r2 = DENSE(r.r2[set], MESAOPT_F64, 1, FAR_T);
        OK(mesaopt_probe_score(p, set, &mse, &r2));
    }
    for (int t = 0; t < FAR_T; t++) {
        mesaopt_view W;
        OK(mesaopt_probe_weights(p, 0, t, &W, NULL));
        for (int i = 0; i < FAR_D; i++) r.W[t][i] = ((const double *)W.data)[i * W.stride[0]];
    }
    OK(mesaopt_probe_free(p));
    return r;
}

/* With an intercept a distance from 0 changes nothing else: neither what a feature says that varies far from 0, nor that one which does not vary says nothing. */
START_TEST(distance_from_0_changes_the_intercept_only)
{
    static const char *const settings[] = {"lanes=1", "lanes=2", "lanes=0"};
    static const double distances[] = {1024, 0x1p17, 0x1p27};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    for (int i = 0; i < 12; i++) {
        const double penalty = i / 3 % 2 ? 0.1 : 0;
        const far_fit near = fit_far(ctx, settings[i % 3], 0, penalty, i / 6);
        for (int t = 0; t < FAR_T; t++) ck_assert_int_eq(near.rank[t], penalty > 0 ? 6 : 4);
        for (int j = 0; j < 3; j++) {
            const far_fit far = fit_far(ctx, settings[i % 3], distances[j], penalty, i / 6);
            for (int t = 0; t < FAR_T; t++) {
                ck_assert_msg(far.rank[t] == near.rank[t], "rank %d at a distance of %g, %d at 0", (int)far.rank[t], distances[j], (int)near.rank[t]);
                for (int k = 0; k < FAR_D; k++) ck_assert_double_eq_tol(far.W[t][k], near.W[t][k], 1e-12);
                for (int set = 0; set < 2; set++) {
                    ck_assert_double_eq_tol(far.mse[set][t], near.mse[set][t], 1e-8);      /* an intercept of 10^8 rounds */
                    ck_assert_double_eq_tol(far.r2[set][t], near.r2[set][t], 1e-8);
                }
            }
        }
    }
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

/* Hundreds of features at one step: panels of one lane; duplicates and all. */
START_TEST(wide_activations)
{
    enum { WIDE = 301, ROWS = 700 };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    double *h = random_array(ROWS * WIDE, 21), *y = malloc(ROWS * sizeof *y), mse = NAN;
    int64_t rank = 0;
    const mesaopt_view mse_view = DENSE(&mse, MESAOPT_F64, 1, 1), rank_view = DENSE(&rank, MESAOPT_I64, 1, 1);
    for (int b = 0; b < ROWS; b++) {
        for (int j = 200; j < WIDE; j++) h[b * WIDE + j] = h[b * WIDE + j - 200] - h[b * WIDE + j - 150];
        y[b] = 0;
        for (int j = 0; j < WIDE; j++) y[b] += h[b * WIDE + j] * (j % 7 - 3);
    }
    mesaopt_probe *p = plan(ctx, "", 1, (int64_t[]){WIDE}, 1, 1);
    const mesaopt_view in = DENSE(h, MESAOPT_F64, ROWS, 1, WIDE), out = DENSE(y, MESAOPT_F64, ROWS, 1, 1);
    OK(mesaopt_probe_feed(p, MESAOPT_PROBE_TRAIN, &in, &out, NULL));
    OK(mesaopt_probe_fit(p, NULL));
    OK(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, &mse_view, NULL));
    OK(mesaopt_probe_rank(p, &rank_view));
    ck_assert_int_eq(rank, 200);
    ck_assert_double_lt(mse, 1e-20);
    OK(mesaopt_probe_free(p));
    free(h), free(y);
    OK(mesaopt_ctx_free(ctx));
}
END_TEST

Suite *test_probe_suite(void)
{
    Suite *suite = suite_create("probe");
    TCase *fits = tcase_create("fits"), *feeding = tcase_create("feeding"), *use = tcase_create("use");
    tcase_add_test(fits, fits_are_those_of_numpy);
    tcase_add_test(fits, fits_repeat_with_other_settings);
    tcase_add_test(fits, degenerate_data);
    tcase_add_test(fits, constant_activations);
    tcase_add_test(fits, wide_activations);
    tcase_add_test(fits, distance_from_0_changes_the_intercept_only);
    tcase_add_test(fits, errors_too_large_for_their_type);
    tcase_add_test(feeding, pieces_are_the_whole);
    tcase_add_test(feeding, threads_change_no_bit);
    tcase_add_test(feeding, any_layout);
    tcase_add_test(feeding, weight_0_leaves_a_sequence_out);
    tcase_add_test(use, a_planted_code_is_found_where_it_is);
    tcase_add_test(use, noise_has_no_code);
    tcase_add_test(use, held_out_scores_are_those_of_predictions);
    suite_add_tcase(suite, fits);
    suite_add_tcase(suite, feeding);
    suite_add_tcase(suite, use);
    return suite;
}
