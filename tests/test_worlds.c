/* The tasks partial and nonlinear, and features. Oracle: the definitions of docs/science.md, section 2, written out with libm in long double, on the random
 * numbers that the kernels of draws give at the positions that the tasks name (tests/test_random.c compares those with Random123). */
#include "task/generated.h"
#include "base/choices.h"
#include "base/philox.h"
#undef fail
#include "contexts.h"
#include <math.h>
#include <stdio.h>

static const int32_t levels[] = {MESAOPT_ISA_BASELINE, MESAOPT_ISA_AVX2, MESAOPT_ISA_AVX512};
enum { MOST = 4096 };

static double *drawn(mesaopt_task *task, int32_t stream, int64_t first, int64_t count)
{
    int64_t n, T;
    ck_assert_int_eq(mesaopt_task_shape(task, &n, &T, NULL, NULL), MESAOPT_OK);
    double *x = malloc((size_t)(count * (T + 1) * n) * sizeof *x);
    const mesaopt_view v = DENSE(x, MESAOPT_F64, count, T + 1, n);
    ck_assert_int_eq(mesaopt_task_draw(task, stream, first, &v), MESAOPT_OK);
    return x;
}

/* ---- random numbers of one sequence ---- */

typedef struct source { const kern *k; uint64_t seed; uint32_t stream; int64_t sequence; } source;

static void lane_0(const kern *k, const double *panel, int64_t count, double *out)
{
    for (int64_t i = 0; i < count; i++) out[i] = panel[i * k->width];
}

static void normals(const source *s, int64_t position, int64_t count, double *out)
{
    static _Alignas(64) double panel[MOST * 8];
    s->k->normal(s->seed, s->stream, s->sequence, position, count, 0, 1, panel);
    lane_0(s->k, panel, count, out);
}

static void uniforms(const source *s, int64_t position, int64_t count, double *out)
{
    static _Alignas(64) double panel[MOST * 8];
    s->k->uniform(s->seed, s->stream, s->sequence, position, count, -1, 1, panel);
    lane_0(s->k, panel, count, out);
}

/* Q of the QR of the n n Gaussians at position 0, diag R > 0: by Gram and Schmidt. */
static void rotation(const source *s, int64_t n, double *W)
{
    double A[MOST];
    normals(s, 0, n * n, A);
    for (int64_t j = 0; j < n; j++) {
        long double c[32], norm = 0;
        for (int64_t i = 0; i < n; i++) c[i] = A[i * n + j];
        for (int twice = 0; twice < 2; twice++)
            for (int64_t p = 0; p < j; p++) {
                long double along = 0;
                for (int64_t i = 0; i < n; i++) along += c[i] * W[i * n + p];
                for (int64_t i = 0; i < n; i++) c[i] -= along * W[i * n + p];
            }
        for (int64_t i = 0; i < n; i++) norm += c[i] * c[i];
        for (int64_t i = 0; i < n; i++) W[i * n + j] = (double)(c[i] / sqrtl(norm));
    }
}

static double times(int64_t n, const double *row, const double *x)
{
    long double s = 0;
    for (int64_t j = 0; j < n; j++) s += (long double)row[j] * x[j];
    return (double)s;
}

static double gelu(double x)
{
    const long double pi = acosl(-1);
    return (double)(x / 2.0L * (1 + tanhl(sqrtl(2 / pi) * (x + 0.044715L * x * x * x))));
}

/* ---- partial ---- */

enum { N = 3, H = 7, T = 12 };

static void partial_oracle(const source *s, double noise, double seen_noise, double map_sd, double start, double clip, double *out)
{
    double W[H * H], x[(T + 1) * H], C[N * H], e[(T + 1) * H];
    const int64_t at_start = 50, at_noise = 50 + 8 + 8, at_C = at_noise + T * H, at_seen = at_C + 22;  /* groups begin at even positions */
    ck_assert_int_eq(at_C % 2, 0);
    rotation(s, H, W);
    uniforms(s, at_start, H, x);
    for (int j = 0; j < H; j++) x[j] *= start;
    normals(s, at_noise, T * H, e);
    for (int t = 0; t < T; t++)
        for (int i = 0; i < H; i++) x[(t + 1) * H + i] = fmin(fmax(times(H, W + i * H, x + t * H) + noise * e[t * H + i], -clip), clip);
    normals(s, at_C, N * H, C);
    normals(s, at_seen, (T + 1) * N, e);
    for (int t = 0; t <= T; t++)
        for (int i = 0; i < N; i++) out[t * N + i] = map_sd * times(H, C + i * H, x + t * H) + seen_noise * e[t * N + i];
}

START_TEST(partial_is_its_definition)
{
    static const struct { const char *settings; double noise, seen, map_sd, start, clip; } rows[] = {
        {"", .01, .01, .5, 1, 10}, {"noise=0 observation_noise=0", 0, 0, .5, 1, 10}, {"noise=0.3 observation_noise=0.2 map_sd=2 start=3 data_clip=1.5", .3, .2, 2, 3, 1.5}};
    for (int i = 0; i < 3; i++)
        for (int r = 0; r < 3; r++) {
            char text[200];
            mesaopt_ctx *ctx = context_at(levels[i], 2);
            if (!ctx) continue;
            snprintf(text, sizeof text, "task=partial dim=3 hidden=7 length=12 seed=8 %s", rows[r].settings);
            mesaopt_task *task = task_from(ctx, text);
            double *x = drawn(task, MESAOPT_STREAM_TEST, 40, 11), want[(T + 1) * N];
            for (int64_t b = 0; b < 11; b++) {
                const source s = {kern_get(ctx, MESAOPT_F64, 0), 8, MESAOPT_STREAM_TEST, 40 + b};
                partial_oracle(&s, rows[r].noise, rows[r].seen, rows[r].map_sd, rows[r].start, rows[r].clip, want);
                for (int j = 0; j < (T + 1) * N; j++) ck_assert_double_eq_tol(x[b * (T + 1) * N + j], want[j], 1e-12);
            }
            free(x);
            mesaopt_task_free(task);
            mesaopt_ctx_free(ctx);
        }
}
END_TEST

/* Largest residual of the least squares z_{t+1} = Phi z_t over t = k .. of tokens [steps][m], by Gram and Schmidt on the rows' functions of t: every entry of
 * z_{t+1} lies in the span of the columns of z. */
static double off_span(int64_t rows, int64_t m, const double *z)
{
    static long double q[64][128];
    double worst = 0;
    int64_t rank = 0;
    for (int64_t j = 0; j < 2 * m; j++) {              /* columns of z_t, then of z_{t+1} */
        long double c[128], size = 0, left = 0;
        for (int64_t t = 0; t < rows; t++) c[t] = z[(t + j / m) * m + j % m], size += c[t] * c[t];
        for (int twice = 0; twice < 2; twice++)
            for (int64_t p = 0; p < rank; p++) {
                long double along = 0;
                for (int64_t t = 0; t < rows; t++) along += q[p][t] * c[t];
                for (int64_t t = 0; t < rows; t++) c[t] -= along * q[p][t];
            }
        for (int64_t t = 0; t < rows; t++) left += c[t] * c[t];
        if (j >= m) worst = fmax(worst, (double)sqrtl(left / size));
        else if (left > 1e-20L * size) {
            for (int64_t t = 0; t < rows; t++) q[rank][t] = c[t] / sqrtl(left);
            rank++;
        }
    }
    return worst;
}

/* docs/science.md, section 2: the last k observations obey a linear map exactly if and only if k n >= hidden. */
START_TEST(slots_are_linear_when_they_hold_the_state)
{
    static const struct { int64_t hidden, n, k; int linear; } rows[] = {{6, 2, 3, 1}, {6, 2, 2, 0}, {7, 2, 4, 1}, {7, 2, 3, 0}, {5, 5, 1, 1}, {15, 5, 3, 1}, {15, 5, 2, 0}, {6, 2, 5, 1}};
    mesaopt_ctx *ctx = context_from("");
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        enum { STEPS = 60, COUNT = 5 };
        char text[200];
        const int64_t n = rows[r].n, k = rows[r].k, m = k * n;
        snprintf(text, sizeof text, "task=partial hidden=%d dim=%d length=%d tokens=slots slots=%d noise=0 observation_noise=0", (int)rows[r].hidden, (int)n, STEPS, (int)k);
        mesaopt_task *task = task_from(ctx, text);
        double *x = drawn(task, MESAOPT_STREAM_TRAIN, 0, COUNT), *z = malloc(sizeof *z * (size_t)(COUNT * STEPS * m));
        const mesaopt_view from = DENSE(x, MESAOPT_F64, COUNT, STEPS + 1, n), to = DENSE(z, MESAOPT_F64, COUNT, STEPS, m);
        ck_assert_int_eq(mesaopt_task_tokens(task, &from, &to), MESAOPT_OK);
        for (int64_t b = 0; b < COUNT; b++) {
            const double *first = z + b * STEPS * m, *full = first + (k - 1) * m;
            for (int64_t t = 0; t < STEPS; t++)
                for (int64_t j = 0; j < m; j++) ck_assert(first[t * m + j] == (t >= j / n ? x[(b * (STEPS + 1) + t - j / n) * n + j % n] : 0));
            const double off = off_span(STEPS - k, m, full);
            if (rows[r].linear) ck_assert_double_le(off, 1e-9);
            else ck_assert_double_ge(off, 1e-3);
        }
        free(x), free(z);
        mesaopt_task_free(task);
    }
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- nonlinear ---- */

static void mlp(int64_t n, int64_t h, const double *A, const double *B, const double *x, double *f)
{
    double units[64];
    for (int64_t j = 0; j < h; j++) {
        long double s = 0;
        for (int64_t i = 0; i < n; i++) s += (long double)x[i] * A[i * h + j];
        units[j] = gelu((double)s);
    }
    for (int64_t j = 0; j < n; j++) {
        long double s = 0;
        for (int64_t i = 0; i < h; i++) s += (long double)units[i] * B[i * n + j];
        f[j] = (double)s;
    }
}

/* A [n][h], B [h][n] of a seed. */
static void teacher(const kern *k, uint64_t seed, int64_t n, int64_t h, double map_sd, double *A, double *B)
{
    const source s = {k, seed, DRAW_TEACHER, 0};
    double both[MOST];
    normals(&s, 0, 2 * n * h, both);
    for (int64_t i = 0; i < n * h; i++) A[i] = map_sd * both[i], B[i] = map_sd * both[n * h + i];
}

START_TEST(nonlinear_is_its_definition)
{
    static const struct { const char *settings; int64_t h; double noise, map_sd, start, clip; } rows[] = {
        {"", 4 * N, .01, 1.1, .25, INFINITY}, {"noise=0 hidden=5 map_sd=0.5 start=1", 5, 0, .5, 1, INFINITY}, {"noise=0.2 data_clip=0.6", 4 * N, .2, 1.1, .25, .6}};
    for (int i = 0; i < 3; i++)
        for (int r = 0; r < 3; r++) {
            char text[200];
            mesaopt_ctx *ctx = context_at(levels[i], 2);
            if (!ctx) continue;
            snprintf(text, sizeof text, "task=nonlinear dim=3 length=12 seed=8 %s", rows[r].settings);
            mesaopt_task *task = task_from(ctx, text);
            const kern *k = kern_get(ctx, MESAOPT_F64, 0);
            double *x = drawn(task, MESAOPT_STREAM_TEST, 40, 11), A[64], B[64], W[N * N], e[T * N], y[(T + 1) * N], f[N];
            teacher(k, 8, N, rows[r].h, rows[r].map_sd, A, B);
            for (int64_t b = 0; b < 11; b++) {
                const source s = {k, 8, MESAOPT_STREAM_TEST, 40 + b};
                rotation(&s, N, W);
                uniforms(&s, 10, N, y);                /* 9 of W, 3 of x_1, 3 of no spectrum; even */
                normals(&s, 18, T * N, e);
                for (int j = 0; j < N; j++) y[j] *= rows[r].start;
                for (int t = 0; t < T; t++) {
                    mlp(N, rows[r].h, A, B, y + t * N, f);
                    const double norm = sqrt(times(N, f, f));
                    for (int j = 0; j < N; j++)
                        y[(t + 1) * N + j] = fmin(fmax(times(N, W + j * N, f) / norm + rows[r].noise * e[t * N + j], -rows[r].clip), rows[r].clip);
                }
                for (int j = 0; j < (T + 1) * N; j++) ck_assert_double_eq_tol(x[b * (T + 1) * N + j], y[j], 1e-10);
            }
            free(x);
            mesaopt_task_free(task);
            mesaopt_ctx_free(ctx);
        }
}
END_TEST

/* Public features are the MLP, of any view of either type; one for all of a seed's sequences, another one for another seed. */
START_TEST(features)
{
    enum { COUNT = 13, STEPS = 21 };
    mesaopt_ctx *ctx = context_from("threads=2");
    const kern *k = kern_get(ctx, MESAOPT_F64, 0);
    for (uint64_t seed = 1; seed <= 2; seed++) {
        char text[99];
        snprintf(text, sizeof text, "task=nonlinear dim=3 length=4 seed=%d", (int)seed);
        mesaopt_task *task = task_from(ctx, text);
        static double x[COUNT][STEPS][N], f[COUNT][STEPS][N];
        static float single[COUNT][STEPS][N], turned[N][STEPS][COUNT];
        double A[64], B[64], want[N];
        const source s = {k, 99, 0, 0};
        normals(&s, 0, COUNT * STEPS * N, &x[0][0][0]);
        for (int i = 0; i < COUNT * STEPS * N; i++) (&single[0][0][0])[i] = (float)(&x[0][0][0])[i];
        const mesaopt_view in = DENSE(x, MESAOPT_F64, COUNT, STEPS, N), out = DENSE(f, MESAOPT_F64, COUNT, STEPS, N), in32 = DENSE(single, MESAOPT_F32, COUNT, STEPS, N);
        mesaopt_view out32 = DENSE(turned, MESAOPT_F32, COUNT, STEPS, N);
        out32.stride[0] = 1, out32.stride[1] = COUNT, out32.stride[2] = COUNT * STEPS;
        ck_assert_int_eq(mesaopt_task_features(task, &in, &out), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_task_features(task, &in32, &out32), MESAOPT_OK);
        teacher(k, seed, N, 4 * N, 1.1, A, B);
        for (int b = 0; b < COUNT; b++)
            for (int t = 0; t < STEPS; t++) {
                mlp(N, 4 * N, A, B, x[b][t], want);
                for (int j = 0; j < N; j++) {
                    ck_assert_double_eq_tol(f[b][t][j], want[j], 1e-12);
                    ck_assert_double_eq_tol(turned[j][t][b], want[j], 2e-5);
                }
            }
        const mesaopt_view none = DENSE(x, MESAOPT_F64, 0, 0, N);
        ck_assert_int_eq(mesaopt_task_features(task, &none, &none), MESAOPT_OK);
        mesaopt_task_free(task);
    }
    mesaopt_ctx_free(ctx);
}
END_TEST

/* The defaults: 15 states, 4 n hidden units, and what they may not be. */
START_TEST(hidden)
{
    mesaopt_ctx *ctx = context_from("");
    static const char *const same[][2] = {{"task=partial dim=5", "task=partial dim=5 hidden=15 map_sd=0.5 start=1 data_clip=10 observation_noise=0.01"},
                                          {"task=nonlinear dim=5", "task=nonlinear dim=5 hidden=20 map_sd=1.1 start=0.25 data_clip=inf"}};
    for (int i = 0; i < 2; i++) {
        mesaopt_task *a = task_from(ctx, same[i][0]), *b = task_from(ctx, same[i][1]);
        double *x = drawn(a, 0, 0, 9), *y = drawn(b, 0, 0, 9);
        ck_assert_mem_eq(x, y, sizeof *x * 9 * 51 * 5);
        ck_assert_str_eq(task_text(a).text, task_text(b).text);
        free(x), free(y);
        mesaopt_task_free(a), mesaopt_task_free(b);
    }
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, "task=partial hidden=1048576");
    mesaopt_task *task = NULL;
    REFUSED(ctx, MESAOPT_E_SETTING, "hidden 1048576", mesaopt_task_create(ctx, s, &task));
    mesaopt_settings_free(s);
    s = settings_from(MESAOPT_SCOPE_TASK, "task=nonlinear dim=10000 hidden=1048576");
    REFUSED(ctx, MESAOPT_E_SETTING, "hidden 1048576", mesaopt_task_create(ctx, s, &task));
    ck_assert_ptr_null(task);
    mesaopt_settings_free(s);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- kernels ---- */

static void fill(const kern *k, void *p, int64_t count, double low, double high)
{
    for (int64_t i = 0; i < count; i++) kern_set_real(k, p, i, low + (high - low) * (double)i / (double)(count - 1));
}

START_TEST(gelu_of_the_kernel)
{
    enum { COUNT = 1001 };
    for (int i = 0; i < 3; i++)
        for (int32_t dtype = MESAOPT_F32; dtype <= MESAOPT_F64; dtype++) {
            mesaopt_ctx *ctx = context_at(levels[i], 1);
            if (!ctx) continue;
            const kern *k = kern_get(ctx, dtype, 1);
            const double tolerance = dtype == MESAOPT_F32 ? 1e-6 : 2e-15; /* of exp: the argument's rounding, times it */
            static double x[COUNT], y[COUNT];
            static const double range[] = {2, 7, 60, 1e30};
            for (int r = 0; r < 4; r++) {
                fill(k, x, COUNT, -range[r], range[r]);
                memset(y, 0x7f, sizeof y);
                memcpy(y, x, (size_t)((COUNT - 4) * k->size));
                k->activate(1, COUNT - 4, ACT_GELU_TANH, NULL, y, NULL);
                for (int e = 0; e < COUNT - 4; e++) {
                    const double v = kern_real(k, x, e), want = gelu(v);
                    ck_assert_double_le(fabs(kern_real(k, y, e) - want), tolerance * (fabs(want) + 1e-3));
                }
                for (int e = COUNT - 4; e < COUNT; e++) ck_assert_int_eq(((unsigned char *)y)[e * k->size], 0x7f);
            }
            mesaopt_ctx_free(ctx);
        }
}
END_TEST

Suite *test_worlds_suite(void)
{
    Suite *s = suite_create("worlds");
    TCase *t = tcase_create("worlds");
    tcase_add_test(t, partial_is_its_definition);
    tcase_add_test(t, slots_are_linear_when_they_hold_the_state);
    tcase_add_test(t, nonlinear_is_its_definition);
    tcase_add_test(t, features);
    tcase_add_test(t, hidden);
    tcase_add_test(t, gelu_of_the_kernel);
    suite_add_tcase(s, t);
    return s;
}
