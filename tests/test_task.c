/* Generated tasks and tokens. Oracles: the recursion solved back for its matrix, plain loops, statistics. Own data: test_task_own.c. */
#include "task/sequences.h"
#include "contexts.h"
#include <math.h>

static const int32_t levels[] = {MESAOPT_ISA_BASELINE, MESAOPT_ISA_AVX2, MESAOPT_ISA_AVX512};

/* Sequences first .. first + count - 1, [count][T+1][n]; the caller frees them. */
static double *drawn(mesaopt_task *task, int32_t stream, int64_t first, int64_t count)
{
    int64_t n, T;
    ck_assert_int_eq(mesaopt_task_shape(task, &n, &T, NULL, NULL), MESAOPT_OK);
    double *x = malloc((size_t)(count * (T + 1) * n) * sizeof *x + 1);
    mesaopt_view v = DENSE(x, MESAOPT_F64, count, T + 1, n);
    ck_assert_int_eq(mesaopt_task_draw(task, stream, first, &v), MESAOPT_OK);
    return x;
}

static double *drawn_as(mesaopt_ctx *ctx, const char *settings, int32_t stream, int64_t first, int64_t count)
{
    mesaopt_task *task = task_from(ctx, settings);
    double *x = drawn(task, stream, first, count);
    mesaopt_task_free(task);
    return x;
}

/* W with W x_t = x_{t+1} for t = 1..n of one sequence [T+1][n] without noise, by elimination with pivots in long double. */
static void solve_back(int64_t n, const double *x, double *W)
{
    long double a[8][16];                              /* rows: [x_t | x_{t+1}], so that W^T solves them */
    for (int64_t t = 0; t < n; t++)
        for (int64_t j = 0; j < n; j++) {
            a[t][j] = x[t * n + j];
            a[t][n + j] = x[(t + 1) * n + j];
        }
    for (int64_t k = 0; k < n; k++) {
        int64_t p = k;
        for (int64_t i = k; i < n; i++)
            if (fabsl(a[i][k]) > fabsl(a[p][k])) p = i;
        for (int64_t j = 0; j < 2 * n; j++) {
            long double t = a[k][j];
            a[k][j] = a[p][j];
            a[p][j] = t;
        }
        for (int64_t j = 2 * n - 1; j >= k; j--) a[k][j] /= a[k][k];
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 2 * n - 1; j >= k && i != k; j--) a[i][j] -= a[i][k] * a[k][j];
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) W[i * n + j] = (double)a[j][n + i];
}

static double row_times(int64_t n, const double *W, int64_t i, const double *x)
{
    double y = 0;
    for (int64_t j = 0; j < n; j++) y += W[i * n + j] * x[j];
    return y;
}

static double clipped(double x, double c) { return x > c ? c : x < -c ? -c : x; }

/* Worst |x_{t+1} - clip(W x_t)| over a sequence. */
static double violation(int64_t n, int64_t T, const double *W, const double *x, double clip)
{
    double worst = 0;
    for (int64_t t = 0; t < T; t++)
        for (int64_t i = 0; i < n; i++) worst = fmax(worst, fabs(x[(t + 1) * n + i] - clipped(row_times(n, W, i, x + t * n), clip)));
    return worst;
}

static double off_orthogonal(int64_t n, const double *W)
{
    double worst = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double s = -(i == j);
            for (int64_t k = 0; k < n; k++) s += W[k * n + i] * W[k * n + j];
            worst = fmax(worst, fabs(s));
        }
    return worst;
}

static double distance(int64_t count, const double *a, const double *b)
{
    double worst = 0;
    for (int64_t i = 0; i < count; i++) worst = fmax(worst, fabs(a[i] - b[i]));
    return worst;
}

/* ---- the generators ---- */

enum { N = 4, T = 20, SEQ = (T + 1) * N };
#define SHAPE "dim=4 length=20 "

START_TEST(linear_without_noise)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    double *x = drawn_as(ctx, SHAPE "noise=0", MESAOPT_STREAM_TRAIN, 0, 40), W[40][N * N];
    for (int64_t s = 0; s < 40; s++) {
        solve_back(N, x + s * SEQ, W[s]);
        ck_assert_double_le(off_orthogonal(N, W[s]), 1e-9);
        ck_assert_double_le(violation(N, T, W[s], x + s * SEQ, 10), 1e-9);
        for (int64_t r = 0; r < s; r++) ck_assert_double_ge(distance(N * N, W[s], W[r]), .01);       /* fresh for every sequence */
    }
    free(x);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* x_{t+1} - W x_t is white with the standard deviation asked for; W comes from the same sequence without noise. */
START_TEST(noise_of_the_recursion)
{
    enum { COUNT = 2000 };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    double *clean = drawn_as(ctx, SHAPE "noise=0 seed=5", MESAOPT_STREAM_TEST, 0, COUNT);
    double *x = drawn_as(ctx, SHAPE "noise=0.03 seed=5", MESAOPT_STREAM_TEST, 0, COUNT);
    double sum = 0, squares = 0, along = 0, first = 0, first_squares = 0, teacher = 0, start = 0, W[N * N], e[T * N];
    for (int64_t s = 0; s < COUNT; s++) {
        const double *c = clean + s * SEQ, *y = x + s * SEQ;
        solve_back(N, c, W);
        for (int64_t j = 0; j < N; j++) {
            ck_assert_double_eq(c[j], y[j]);           /* x_1 has no noise */
            ck_assert_double_lt(fabs(y[j]), 1);
            first += y[j] / (COUNT * N);
            first_squares += y[j] * y[j] / (COUNT * N);
        }
        if (off_orthogonal(N, W) > 1e-6) continue;     /* a few sequences determine their W badly */
        for (int64_t i = 0; i < T * N; i++) {
            e[i] = y[N + i] - row_times(N, W, i % N, y + i / N * N);
            sum += e[i];
            squares += e[i] * e[i];
            if (i >= N) along += e[i] * e[i - N];
            if (i < N * N) teacher += e[i] * W[i];
            if (i < N) start += e[i] * y[i];
        }
    }
    const double total = COUNT * T * N, se = 6 / sqrt(total);
    ck_assert_double_le(fabs(sum / total), .03 * se);
    ck_assert_double_le(fabs(squares / total - .0009), .0009 * (se * sqrt(2) + .01));
    ck_assert_double_le(fabs(along / total), .0009 * se);
    ck_assert_double_le(fabs(teacher), .03 * 5 * sqrt(COUNT * N));             /* the draws of noise, teacher and x_1 are others */
    ck_assert_double_le(fabs(start), .03 * 5 * sqrt(COUNT * N / 3.));
    ck_assert_double_le(fabs(first), 5 * sqrt(1. / 3 / (COUNT * N)));
    ck_assert_double_le(fabs(first_squares - 1. / 3), 5 * sqrt(4. / 45 / (COUNT * N)));
    free(clean);
    free(x);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* The clipped value is fed back, and x_1 is not clipped. W comes from the same sequence without a clip. */
START_TEST(clip_is_inside_the_recursion)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    double *wide = drawn_as(ctx, SHAPE "noise=0 data_clip=inf", MESAOPT_STREAM_TRAIN, 0, 50);
    double *x = drawn_as(ctx, SHAPE "noise=0 data_clip=0.4", MESAOPT_STREAM_TRAIN, 0, 50);
    int64_t beyond = 0, at_clip = 0;
    for (int64_t s = 0; s < 50; s++) {
        double W[N * N];
        solve_back(N, wide + s * SEQ, W);
        ck_assert_double_le(violation(N, T, W, x + s * SEQ, .4), 1e-9);
        for (int64_t j = 0; j < SEQ; j++) {
            beyond += j < N && fabs(x[s * SEQ + j]) > .4;
            at_clip += fabs(x[s * SEQ + j]) == .4;
            ck_assert(j < N || fabs(x[s * SEQ + j]) <= .4);
        }
    }
    ck_assert_int_ge(beyond, 80);
    ck_assert_int_ge(at_clip, 80);
    free(wide);
    free(x);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* The defaults: clip 10 for linear, 2 for contracting, both reached when the noise is large. */
START_TEST(default_clips)
{
    static const struct { const char *settings; double clip; } cases[] = {
        {SHAPE "noise=30", 10}, {SHAPE "noise=30 task=contracting", 2}, {SHAPE "noise=30 task=fixed_teacher", 10},
        {SHAPE "noise=30 task=contracting data_clip=3", 3}};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    for (int c = 0; c < 4; c++) {
        double *x = drawn_as(ctx, cases[c].settings, MESAOPT_STREAM_TRAIN, 0, 3), most = 0;
        for (int64_t i = 0; i < 3 * SEQ; i++) most = fmax(most, fabs(x[i]));
        ck_assert_double_eq(most, cases[c].clip);
        free(x);
    }
    mesaopt_ctx_free(ctx);
}
END_TEST

/* In two dimensions: eigenvalues of W are .9 and one of [.3, .9), uniform; U varies. */
START_TEST(contracting_spectrum)
{
    enum { COUNT = 4000 };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    double *x = drawn_as(ctx, "dim=2 length=6 noise=0 data_clip=inf task=contracting", MESAOPT_STREAM_TRAIN, 0, COUNT);
    double sum = 0, squares = 0, top = 0;
    int64_t used = 0, asymmetric = 0;
    for (int64_t s = 0; s < COUNT; s++) {
        double W[4];
        solve_back(2, x + s * 14, W);
        double trace = W[0] + W[3], det = W[0] * W[3] - W[1] * W[2], small = trace - .9;
        if (violation(2, 6, W, x + s * 14, INFINITY) > 1e-9 || fabs(small - .9) < .01) continue;    /* x_1, x_2 nearly parallel */
        ck_assert_double_le(fabs(det - .9 * small), 1e-6);
        ck_assert(small > .3 - 1e-6 && small < .9 + 1e-6);
        sum += small;
        squares += small * small;
        top += W[0] > W[3];
        asymmetric += fabs(W[1] - W[2]) > .01;
        used++;
    }
    ck_assert_int_ge(used, COUNT * .95);
    ck_assert_int_ge(asymmetric, used / 2);            /* not normal matrices */
    ck_assert_double_le(fabs(top / used - .5), 3 / sqrt(used));        /* the .9 is in no preferred place */
    ck_assert_double_le(fabs(sum / used - .595), 5 * .6 / sqrt(12. * used));          /* of U[.3, .89) */
    ck_assert_double_le(fabs(squares / used - (.89 * .89 * .89 - .027) / (3 * .59)), .015);
    free(x);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* W U = U diag(d) for the kernel itself, at every level; a singular U gives finite numbers. */
START_TEST(similarity_has_the_eigenpairs)
{
    enum { D = 7 };
    for (int i = 0; i < 3; i++) {
        mesaopt_ctx *ctx = context_at(levels[i], 1);
        for (int dtype = MESAOPT_F32; ctx && dtype <= MESAOPT_F64; dtype++) {
            const kern *k = kern_get(ctx, dtype, 0);
            const int64_t vector = k->width * k->size;
            char *block = aligned_alloc(64, (size_t)((D * D * 4 + 2 * D) * 64)), *U = block, *d = U + D * D * vector;
            char *W = d + D * vector, *work = W + D * D * vector;
            k->normal(5, 0, 0, 0, D * D, 0, 1, U);
            k->uniform(5, 0, 0, 100, D, .3, .9, d);
            k->similarity(k, D, U, d, W, work);
#define AT(p, e) (dtype == MESAOPT_F32 ? ((float *)(p))[(e) * k->width + l] : ((double *)(p))[(e) * k->width + l])
            for (int64_t l = 0; l < k->width; l++)
                for (int64_t a = 0; a < D; a++)
                    for (int64_t b = 0; b < D; b++) {
                        double y = -AT(U, a * D + b) * AT(d, b), size = 1;
                        for (int64_t c = 0; c < D; c++) {
                            y += AT(W, a * D + c) * AT(U, c * D + b);
                            size += fabs(AT(W, a * D + c) * AT(U, c * D + b));
                        }
                        ck_assert_double_le(fabs(y), size * (dtype == MESAOPT_F32 ? 2e-5 : 1e-13));
                    }
            memcpy(U + 2 * vector, U + 3 * vector, (size_t)vector);                    /* two equal entries, then a matrix of rank 0 */
            for (int64_t r = 0; r < D; r++) memcpy(U + (r * D + 2) * vector, U + (r * D + 3) * vector, (size_t)vector);
            for (int round = 0; round < 2; round++) {
                k->similarity(k, D, U, d, W, work);
                for (int64_t l = 0; l < k->width; l++)
                    for (int64_t a = 0; a < D * D; a++) ck_assert(isfinite(AT(W, a)));
                memset(U, 0, (size_t)(D * D * vector));
            }
            free(block);
        }
        if (ctx) mesaopt_ctx_free(ctx);
    }
}
END_TEST

START_TEST(fixed_teacher_is_fixed)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_task *task = task_from(ctx, SHAPE "noise=0 task=fixed_teacher seed=3");
    mesaopt_task *other = task_from(ctx, SHAPE "noise=0 task=fixed_teacher seed=4");
    double *x = drawn(task, MESAOPT_STREAM_TRAIN, 0, 30), *y = drawn(task, MESAOPT_STREAM_TEST, 1000, 5);
    double *z = drawn(other, MESAOPT_STREAM_TRAIN, 0, 1), W[N * N], V[N * N];
    solve_back(N, x, W);
    solve_back(N, z, V);
    ck_assert_double_le(off_orthogonal(N, W), 1e-9);
    for (int64_t s = 0; s < 30; s++) ck_assert_double_le(violation(N, T, W, x + s * SEQ, 10), 1e-8);
    for (int64_t s = 0; s < 5; s++) ck_assert_double_le(violation(N, T, W, y + s * SEQ, 10), 1e-8);
    ck_assert_double_ge(distance(N, x, x + SEQ), .01);             /* the sequences differ all the same */
    ck_assert_double_ge(distance(N * N, W, V), .01);
    free(x);
    free(y);
    free(z);
    mesaopt_task_free(task);
    mesaopt_task_free(other);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- purity ---- */

static const char *const kinds[] = {"dim=5 length=9 task=linear", "dim=5 length=9 task=contracting", "dim=5 length=9 task=fixed_teacher",
                                    "dim=1 length=1", "dim=3 length=2 seed=9007199254740991"};

/* A part equals the whole, streams and seeds differ, threads change nothing: bit for bit. f32 and other ISA levels: to rounding. */
START_TEST(sequences_are_pure_functions)
{
    enum { COUNT = 61 };
    const char *settings = kinds[_i];
    double *before = NULL;
    for (int i = 0; i < 3; i++) {
        mesaopt_ctx *ctx = context_at(levels[i], 1), *many = context_at(levels[i], 3);
        if (!ctx) continue;
        mesaopt_task *task = task_from(ctx, settings), *same = task_from(many, settings);
        int64_t n, length;
        mesaopt_task_shape(task, &n, &length, NULL, NULL);
        const int64_t each = (length + 1) * n;
        double *all = drawn(task, MESAOPT_STREAM_TRAIN, 1000, COUNT), *again = drawn(same, MESAOPT_STREAM_TRAIN, 1000, COUNT);
        double *part = drawn(same, MESAOPT_STREAM_TRAIN, 1007, 12);
        double *test = drawn(task, MESAOPT_STREAM_TEST, 1000, COUNT), *none = drawn(task, MESAOPT_STREAM_TEST, 0, 0);
        ck_assert_mem_eq(all, again, sizeof(double) * (size_t)(COUNT * each));
        ck_assert_mem_eq(all + 7 * each, part, sizeof(double) * (size_t)(12 * each));
        ck_assert_double_ge(distance(COUNT * each, all, test), .1);
        if (before) ck_assert_double_le(distance(COUNT * each, all, before), 1e-10);
        free(before);
        before = all;
        float *single = malloc(sizeof(float) * (size_t)(COUNT * each));
        mesaopt_view v = DENSE(single, MESAOPT_F32, COUNT, length + 1, n);
        ck_assert_int_eq(mesaopt_task_draw(task, MESAOPT_STREAM_TRAIN, 1000, &v), MESAOPT_OK);
        int64_t off = 0;
        for (int64_t e = 0; e < COUNT * each; e++) off += fabs(single[e] - all[e]) > 3e-5;
        ck_assert_int_le(off, _i == 1 ? each : 0);     /* of contracting systems, one in a hundred is ill-conditioned */
        free(single);
        free(again);
        free(part);
        free(test);
        free(none);
        mesaopt_task_free(task);
        mesaopt_task_free(same);
        mesaopt_ctx_free(ctx);
        mesaopt_ctx_free(many);
    }
    free(before);
}
END_TEST

/* Panels of either kind hold the same sequences, zeros in lanes beyond `valid`, and stay inside their scratch. */
START_TEST(panels)
{
    for (int i = 0; i < 3; i++)
        for (int dtype = MESAOPT_F32; dtype <= MESAOPT_F64; dtype++) {
            mesaopt_ctx *ctx = context_at(levels[i], 1);
            if (!ctx) continue;
            mesaopt_task *task = task_from(ctx, kinds[_i]);
            const kern *k = kern_get(ctx, dtype, 0), *one = kern_get(ctx, dtype, 1);
            const int64_t each = (task->shape.length + 1) * task->shape.dim, bytes = task_scratch(task, k);
            const int64_t one_bytes = task_scratch(task, one);
            char *scratch = aligned_alloc(64, (size_t)((bytes > one_bytes ? bytes : one_bytes) + 64));
            char *raw = aligned_alloc(64, (size_t)(each * 64 + 64)), *row = aligned_alloc(64, (size_t)(each * 8 + 63) / 64 * 64);
            const int64_t valid = k->width - 1, vector = k->width * k->size;
            memset(scratch + bytes, 0x55, 64);
            memset(raw + each * vector, 0x55, 64);
            task_panel(task, k, MESAOPT_STREAM_SEARCH, 50, valid, scratch, raw);
            for (int j = 0; j < 64; j++) ck_assert(scratch[bytes + j] == 0x55 && raw[each * vector + j] == 0x55);
            for (int64_t l = 0; l < k->width; l++) {
                memset(row, 0, (size_t)(each * k->size));
                memset(scratch + one_bytes, 0x55, 64);
                if (l < valid) task_panel(task, one, MESAOPT_STREAM_SEARCH, 50 + l, 1, scratch, row);
                for (int64_t e = 0; e < each; e++) ck_assert_mem_eq(row + e * k->size, raw + e * vector + l * k->size, (size_t)k->size);
                for (int j = 0; j < 64; j++) ck_assert(l >= valid || scratch[one_bytes + j] == 0x55);
            }
            free(scratch);
            free(raw);
            free(row);
            mesaopt_task_free(task);
            mesaopt_ctx_free(ctx);
        }
}
END_TEST

/* ---- tokens ---- */

static double token(const char *kind, const double *x, int64_t n, int64_t t, int64_t j)
{
    const int64_t slot = j / n, i = j % n;
    int64_t age = slot;                                /* raw, slots */
    if (!strcmp(kind, "constructed")) age = slot == 0 ? 1000 : slot == 3 ? 1 : 0;
    return t - age < 0 ? 0 : x[(t - age) * n + i];
}

static const struct { const char *kind, *settings; int64_t width; } tokenisers[] = {
    {"raw", "dim=3 length=7 tokens=raw", 3}, {"constructed", "dim=3 length=7 tokens=constructed", 12},
    {"slots", "dim=3 length=7 tokens=slots slots=4", 12},
    {"slots", "dim=3 length=7 tokens=slots slots=1", 3}, {"slots", "dim=3 length=7 tokens=slots slots=9", 27}};

START_TEST(tokens_of_sequences)
{
    enum { COUNT = 21, LENGTH = 7, DIM = 3 };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_task *task = task_from(ctx, tokenisers[_i].settings);
    const int64_t D = tokenisers[_i].width;
    int64_t n, length, width, count;
    ck_assert_int_eq(mesaopt_task_shape(task, &n, &length, &width, &count), MESAOPT_OK);
    ck_assert(n == DIM && length == LENGTH && width == D && count == 0);
    double *x = drawn(task, MESAOPT_STREAM_TEST, 0, COUNT), *tokens = calloc((size_t)(COUNT * LENGTH * D * 2), sizeof *tokens);
    for (int64_t rows = LENGTH; rows >= 0; rows -= LENGTH) {       /* [token][time][sequence], gaps; then one observation each */
        mesaopt_view from = {.data = x, .shape = {COUNT, rows + 1, DIM}, .stride = {(LENGTH + 1) * DIM, DIM, 1}, .ndim = 3,
                             .dtype = MESAOPT_F64};
        mesaopt_view to = {.data = tokens, .shape = {COUNT, rows, D}, .stride = {2, 2 * COUNT, 2 * COUNT * LENGTH}, .ndim = 3,
                           .dtype = MESAOPT_F64};
        ck_assert_int_eq(mesaopt_task_tokens(task, &from, &to), MESAOPT_OK);
        for (int64_t s = 0; s < COUNT; s++)
            for (int64_t t = 0; t < rows; t++)
                for (int64_t j = 0; j < D; j++)
                    ck_assert_double_eq(tokens[2 * (s + COUNT * (t + LENGTH * j))],
                                        token(tokenisers[_i].kind, x + s * (LENGTH + 1) * DIM, DIM, t, j));
    }
    for (int64_t i = 1; i < COUNT * LENGTH * D * 2; i += 2) ck_assert_double_eq(tokens[i], 0);
    for (int one = 0; one < 2; one++) {                /* panels, f32 */
        const kern *k = kern_get(ctx, MESAOPT_F32, one);
        float *raw = aligned_alloc(64, 64 * (LENGTH + 1) * DIM), *panel = aligned_alloc(64, (size_t)(64 * LENGTH * D));
        for (int64_t i = 0; i < (LENGTH + 1) * DIM * k->lanes; i++) raw[i] = (float)(i + 1);
        tokens_panel(task, k, raw, panel);
        for (int64_t l = 0; l < k->lanes; l++) {
            double sequence[(LENGTH + 1) * DIM];
            for (int64_t i = 0; i < (LENGTH + 1) * DIM; i++) sequence[i] = raw[i * k->lanes + l];
            for (int64_t i = 0; i < LENGTH * D; i++)
                ck_assert_double_eq(panel[i * k->lanes + l], token(tokenisers[_i].kind, sequence, DIM, i / D, i % D));
        }
        free(raw);
        free(panel);
    }
    free(x);
    free(tokens);
    mesaopt_task_free(task);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- arguments ---- */

START_TEST(bad_arguments)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_settings *wrong = settings_from(MESAOPT_SCOPE_MODEL, ""), *large = settings_from(MESAOPT_SCOPE_TASK, "dim=1000000");
    mesaopt_settings *slots = settings_from(MESAOPT_SCOPE_TASK, "dim=1000000 length=16000000 tokens=slots slots=1000000");
    mesaopt_task *task = task_from(ctx, "dim=2 length=3"), *out = NULL;
    double x[16] = {0}, tokens[24] = {0};
    mesaopt_view good = DENSE(x, MESAOPT_F64, 2, 4, 2), to = DENSE(tokens, MESAOPT_F64, 2, 3, 8);
    mesaopt_view integers = DENSE(x, MESAOPT_I64, 2, 4, 2), narrow = DENSE(x, MESAOPT_F64, 2, 4, 1);
    mesaopt_view single = DENSE((float *)x, MESAOPT_F32, 2, 3, 8), long_one = DENSE(x, MESAOPT_F64, 1, 5, 2);
    mesaopt_view empty = DENSE(NULL, MESAOPT_F64, 2, 0, 2), inside = DENSE(x, MESAOPT_F64, 1, 1, 8), two = DENSE(x, MESAOPT_F64, 1, 2, 2);
    ck_assert_int_eq(mesaopt_task_create(NULL, NULL, &out), MESAOPT_E_ARGUMENT);
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "out", mesaopt_task_create(ctx, NULL, NULL));
    REFUSED(ctx, MESAOPT_E_SETTING, "settings", mesaopt_task_create(ctx, wrong, &out));
    REFUSED(ctx, MESAOPT_E_SETTING, "dim", mesaopt_task_create(ctx, large, &out));
    REFUSED(ctx, MESAOPT_E_SETTING, "slots", mesaopt_task_from_callback(ctx, slots, (mesaopt_sequence_fn)(void *)abort, NULL, NULL, &out));
    ck_assert_ptr_null(out);
    ck_assert_int_eq(mesaopt_task_shape(NULL, NULL, NULL, NULL, NULL), MESAOPT_E_ARGUMENT);
    ck_assert_int_eq(mesaopt_task_shape(task, NULL, NULL, NULL, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_draw(NULL, 0, 0, &good), MESAOPT_E_ARGUMENT);
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "stream", mesaopt_task_draw(task, 3, 0, &good));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "stream", mesaopt_task_draw(task, -1, 0, &good));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "first", mesaopt_task_draw(task, 0, -1, &good));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "first", mesaopt_task_draw(task, 0, INT64_MAX - 1, &good));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "out", mesaopt_task_draw(task, 0, 0, NULL));
    REFUSED(ctx, MESAOPT_E_DTYPE, "out", mesaopt_task_draw(task, 0, 0, &integers));
    REFUSED(ctx, MESAOPT_E_SHAPE, "out", mesaopt_task_draw(task, 0, 0, &narrow));
    REFUSED(ctx, MESAOPT_E_SHAPE, "out", mesaopt_task_draw(task, 0, 0, &long_one));
    ck_assert_int_eq(mesaopt_task_tokens(NULL, &good, &to), MESAOPT_E_ARGUMENT);
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "sequences", mesaopt_task_tokens(task, NULL, &to));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "out", mesaopt_task_tokens(task, &good, NULL));
    REFUSED(ctx, MESAOPT_E_SHAPE, "sequences", mesaopt_task_tokens(task, &narrow, &to));
    REFUSED(ctx, MESAOPT_E_SHAPE, "sequences", mesaopt_task_tokens(task, &empty, &to));
    REFUSED(ctx, MESAOPT_E_SHAPE, "out", mesaopt_task_tokens(task, &good, &good));
    REFUSED(ctx, MESAOPT_E_DTYPE, "out", mesaopt_task_tokens(task, &good, &single));
    REFUSED(ctx, MESAOPT_E_OVERLAP, "out", mesaopt_task_tokens(task, &two, &inside));
    for (int i = 0; i < 16; i++) ck_assert_double_eq(x[i], 0);
    mesaopt_ctx_interrupt(ctx);
    ck_assert_int_eq(mesaopt_task_draw(task, 0, 0, &good), MESAOPT_E_INTERRUPTED);
    ck_assert_int_eq(mesaopt_task_draw(task, 0, 0, &good), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_free(NULL), MESAOPT_OK);
    mesaopt_task_free(task);
    mesaopt_settings_free(wrong);
    mesaopt_settings_free(large);
    mesaopt_settings_free(slots);
    mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_task_suite(void)
{
    Suite *s = suite_create("task");
    TCase *t = tcase_create("generators");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, linear_without_noise);
    tcase_add_test(t, noise_of_the_recursion);
    tcase_add_test(t, clip_is_inside_the_recursion);
    tcase_add_test(t, default_clips);
    tcase_add_test(t, contracting_spectrum);
    tcase_add_test(t, similarity_has_the_eigenpairs);
    tcase_add_test(t, fixed_teacher_is_fixed);
    tcase_add_loop_test(t, sequences_are_pure_functions, 0, sizeof kinds / sizeof *kinds);
    tcase_add_loop_test(t, panels, 0, sizeof kinds / sizeof *kinds);
    tcase_add_loop_test(t, tokens_of_sequences, 0, sizeof tokenisers / sizeof *tokenisers);
    tcase_add_test(t, bad_arguments);
    suite_add_tcase(s, t);
    return s;
}
