/* Tasks over the user's own sequences, as a tensor or from a callback. */
#include "task/sequences.h"
#include "contexts.h"
#include "hook_alloc.h"
#include <math.h>

/* ---- a tensor of sequences ---- */

enum { ROWS = 23, LENGTH = 3, DIM = 2 };

static double value(int64_t row, int64_t t, int64_t j) { return (double)row + (double)t / 16 + (double)j / 128; }

static mesaopt_task *task_over(mesaopt_ctx *ctx, mesaopt_view *view, const char *settings)
{
    mesaopt_tensor *tensor = NULL;
    mesaopt_task *task = NULL;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, settings);
    ck_assert_int_eq(mesaopt_tensor_wrap(ctx, view, NULL, NULL, &tensor), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_from_tensor(ctx, s, tensor, &task), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_free(tensor), MESAOPT_OK);     /* the task holds it */
    mesaopt_settings_free(s);
    return task;
}

/* Rows of stream positions first .. first + count - 1, read off sequences of one input whose observations are all the row. */
static void rows_of(mesaopt_task *task, int32_t stream, int64_t first, int64_t count, float *rows)
{
    float *x = malloc((size_t)(2 * count) * sizeof *x);
    mesaopt_view v = DENSE(x, MESAOPT_F32, count, 2, 1);
    ck_assert_int_eq(mesaopt_task_draw(task, stream, first, &v), MESAOPT_OK);
    for (int64_t i = 0; i < count; i++) {
        ck_assert_float_eq(x[2 * i], x[2 * i + 1]);
        rows[i] = x[2 * i];
    }
    free(x);
}

static mesaopt_task *numbered(mesaopt_ctx *ctx, int64_t count, double *data, const char *settings)
{
    for (int64_t i = 0; i < 2 * count; i++) data[i] = (double)(i / 2);
    mesaopt_view v = DENSE(data, MESAOPT_F64, count, 2, 1);
    return task_over(ctx, &v, settings);
}

/* Every pass of the training stream holds every row once, in another order; the other streams go through the rows in order. */
START_TEST(passes_are_permutations)
{
    static const int64_t counts[] = {1, 2, 3, 4, 7, 16, 17, 100, 1023, 5000};
    static double data[10000];
    static float rows[15000], again[15000];
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    for (int c = 0; c < 10; c++) {
        const int64_t N = counts[c];
        mesaopt_task *task = numbered(ctx, N, data, "seed=12"), *other = numbered(ctx, N, data, "seed=13");
        int64_t own, moved = 0, fixed = 0, same = 0;
        ck_assert_int_eq(mesaopt_task_shape(task, NULL, NULL, NULL, &own), MESAOPT_OK);
        ck_assert_int_eq(own, N);
        rows_of(task, MESAOPT_STREAM_TRAIN, 0, 3 * N, rows);
        for (int64_t pass = 0; pass < 3; pass++) {
            int seen[5000] = {0};
            for (int64_t i = 0; i < N; i++) seen[(int)rows[pass * N + i]]++;
            for (int64_t i = 0; i < N; i++) ck_assert_int_eq(seen[i], 1);
        }
        for (int64_t i = 0; i < N; i++) {
            moved += rows[i] != rows[N + i];
            fixed += rows[i] == (float)i;
        }
        ck_assert(N < 16 || (moved > N / 2 && fixed < N / 2));
        rows_of(other, MESAOPT_STREAM_TRAIN, 0, N, again);
        for (int64_t i = 0; i < N; i++) same += rows[i] == again[i];
        ck_assert(N < 16 || same < N / 2);
        rows_of(task, MESAOPT_STREAM_TRAIN, N - 1, N + 1, again);          /* a part, across passes */
        ck_assert_mem_eq(again, rows + N - 1, sizeof *rows * (size_t)(N + 1));
        for (int stream = MESAOPT_STREAM_TEST; stream <= MESAOPT_STREAM_SEARCH; stream++) {
            rows_of(task, stream, 5, 2 * N, rows);
            for (int64_t i = 0; i < 2 * N; i++) ck_assert_float_eq(rows[i], (float)((5 + i) % N));
        }
        mesaopt_task_free(task);
        mesaopt_task_free(other);
    }
    mesaopt_ctx_free(ctx);
}
END_TEST

/* All 24 orders of four rows are equally frequent, and neighbouring passes independent (chi-squared, p = 0.001: 49.7 for 23 degrees). */
START_TEST(orders_are_uniform)
{
    enum { PASSES = 24000 };
    int count[256] = {0}, first_to_first[16] = {0}, last = 0;
    for (int64_t p = 0; p < PASSES; p++) {
        int code = 0;
        for (int64_t i = 0; i < 4; i++) code = code * 4 + (int)order_row(99, 4, 4 * p + i);
        count[code]++;
        first_to_first[last * 4 + (code >> 6)]++;
        last = code >> 6;
    }
    double chi = 0, pairs = 0;
    int orders = 0;
    for (int c = 0; c < 256; c++)
        if (count[c]) {
            chi += pow(count[c] - PASSES / 24, 2) / (PASSES / 24);
            orders++;
        }
    for (int c = 0; c < 16; c++) pairs += pow(first_to_first[c] - PASSES / 16, 2) / (PASSES / 16);
    ck_assert_int_eq(orders, 24);
    ck_assert_double_le(chi, 49.7);
    ck_assert_double_le(pairs, 37.7);                  /* 15 degrees */
}
END_TEST

/* Chi-squared of `cells` counts that should all be `each`. */
static double chi_squared(const int *count, int cells, double each)
{
    double chi = 0;
    for (int c = 0; c < cells; c++) chi += pow(count[c] - each, 2) / each;
    return chi;
}

/* All 720 orders of six rows (719 degrees: 843 at p = 0.001), and where two neighbours come of up to 33. */
START_TEST(orders_of_few_are_uniform)
{
    enum { EACH = 100, MOST = 33 };
    int count[720] = {0}, pairs[MOST * MOST];
    for (int64_t p = 0; p < 720 * EACH; p++) {
        int code = 0, row[6];
        for (int i = 0; i < 6; i++) row[i] = (int)order_row(5, 6, 6 * p + i);
        for (int i = 0; i < 5; i++) {                  /* Lehmer's code */
            int smaller = 0;
            for (int j = i + 1; j < 6; j++) smaller += row[j] < row[i];
            code = code * (6 - i) + smaller;
        }
        count[code]++;
    }
    ck_assert_double_le(chi_squared(count, 720, EACH), 843);
    for (int64_t n = 2; n <= MOST; n++) {
        const int cells = (int)(n * (n - 1));
        memset(pairs, 0, sizeof pairs);
        for (int64_t p = 0; p < cells * EACH / 5; p++) {
            const int a = (int)order_row(7, n, n * p), b = (int)order_row(7, n, n * p + n - 1);
            pairs[a * (n - 1) + b - (b > a)]++;
        }
        ck_assert_double_le(chi_squared(pairs, cells, EACH / 5.0), cells + 4.5 * sqrt(2.0 * cells) + 8);
    }
}
END_TEST

START_TEST(orders_of_large_sets)
{
    const int64_t N = INT64_MAX;                       /* no overflow, inside the range, no two alike among neighbours */
    for (int64_t i = 0; i < 300; i++) {
        int64_t a = order_row(1, N, i), b = order_row(1, N, i + 1), c = order_row(1, (int64_t)1 << 62, i);
        ck_assert(a >= 0 && a < N && b >= 0 && a != b);
        ck_assert(c >= 0 && c < (int64_t)1 << 62);
    }
}
END_TEST

/* Values, with every element type of data and of draws, any strides, any lanes; zeros in other lanes. */
START_TEST(values_of_own_sequences)
{
    double wide[2 * ROWS * (LENGTH + 1) * DIM];
    float narrow[2 * ROWS * (LENGTH + 1) * DIM];
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    for (int from = MESAOPT_F32; from <= MESAOPT_F64; from++) {
        mesaopt_view v = {.data = from == MESAOPT_F32 ? (void *)narrow : wide, .shape = {ROWS, LENGTH + 1, DIM}, .ndim = 3, .dtype = from};
        int64_t stride[3] = {2, 2 * ROWS, 2 * ROWS * (LENGTH + 1)};            /* Fortran order with gaps */
        memcpy(v.stride, stride, sizeof stride);
        for (int64_t r = 0; r < ROWS; r++)
            for (int64_t t = 0; t <= LENGTH; t++)
                for (int64_t j = 0; j < DIM; j++) view_set(&v, (int64_t[]){r, t, j}, value(r, t, j));
        mesaopt_task *task = task_over(ctx, &v, "tokens=raw");
        for (int to = MESAOPT_F32; to <= MESAOPT_F64; to++)
            for (int one = 0; one < 2; one++) {
                const kern *k = kern_get(ctx, to, one);
                const int64_t valid = one ? 1 : k->lanes - 1, elements = (LENGTH + 1) * DIM;
                char raw[64 * (LENGTH + 1) * DIM] __attribute__((aligned(64)));
                memset(raw, 0x55, sizeof raw);
                ck_assert_int_eq(task_scratch(task, k), 0);
                task_panel(task, k, MESAOPT_STREAM_TEST, 20, valid, NULL, raw);
                for (int64_t e = 0; e < elements; e++)
                    for (int64_t l = 0; l < k->lanes; l++) {
                        double x = to == MESAOPT_F32 ? ((float *)raw)[e * k->lanes + l] : ((double *)raw)[e * k->lanes + l];
                        ck_assert_double_eq(x, l < valid ? value((20 + l) % ROWS, e / DIM, e % DIM) : 0);
                    }
            }
        mesaopt_task_free(task);
    }
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- a callback ---- */

typedef struct host {
    mesaopt_task *task;
    int calls, answer, bad_row, skip;
    int64_t first, rows, most;
    int32_t stream;
    mesaopt_status nested;
} host;

static int32_t fill(int32_t stream, int64_t first, const mesaopt_view *out, void *user)
{
    host *h = user;
    h->calls++;
    h->stream = stream;
    h->first = first;
    h->rows = out->shape[0];
    if (h->rows > h->most) h->most = h->rows;
    ck_assert(out->ndim == 3 && out->shape[1] == LENGTH + 1 && out->shape[2] == DIM);
    if (h->task && h->nested == MESAOPT_OK) {
        double x[(LENGTH + 1) * DIM];
        mesaopt_view v = DENSE(x, MESAOPT_F64, 1, LENGTH + 1, DIM);
        h->nested = mesaopt_task_draw(h->task, 0, 0, &v);
    }
    for (int64_t r = 0; r < out->shape[0]; r++)
        for (int64_t t = 0; t <= LENGTH; t++)
            for (int64_t j = h->skip; j < DIM; j++) {
                int bad = h->bad_row == r + 1 && t == 2 && j == 1;
                view_set(out, (int64_t[]){r, t, j}, bad ? INFINITY : value(first + r, t, j) + 1000 * stream);
            }
    return h->answer;
}

static mesaopt_task *task_calling(mesaopt_ctx *ctx, host *h)
{
    mesaopt_task *task = NULL;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, "dim=2 length=3");
    ck_assert_int_eq(mesaopt_task_from_callback(ctx, s, fill, NULL, h, &task), MESAOPT_OK);
    mesaopt_settings_free(s);
    return task;
}

START_TEST(values_of_a_callback)
{
    enum { COUNT = 600 };
    host h = {0};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 3);
    mesaopt_task *task = task_calling(ctx, &h);
    int64_t count;
    ck_assert_int_eq(mesaopt_task_shape(task, NULL, NULL, NULL, &count), MESAOPT_OK);
    ck_assert_int_eq(count, 0);
    float x[COUNT * (LENGTH + 1) * DIM];
    double y[(LENGTH + 1) * DIM];
    mesaopt_view v = DENSE(x, MESAOPT_F32, COUNT, LENGTH + 1, DIM), w = DENSE(y, MESAOPT_F64, 1, LENGTH + 1, DIM);
    ck_assert_int_eq(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 30, &v), MESAOPT_OK);
    for (int64_t i = 0; i < COUNT * (LENGTH + 1) * DIM; i++)
        ck_assert_float_eq(x[i], (float)(value(30 + i / ((LENGTH + 1) * DIM), i / DIM % (LENGTH + 1), i % DIM) + 1000));
    ck_assert_int_eq(h.stream, MESAOPT_STREAM_TEST);
    ck_assert_int_eq(h.first + h.rows, 30 + COUNT);
    ck_assert_int_eq(mesaopt_task_draw(task, MESAOPT_STREAM_TRAIN, 7, &w), MESAOPT_OK);
    for (int64_t i = 0; i < (LENGTH + 1) * DIM; i++) ck_assert_double_eq(y[i], value(7, i / DIM, i % DIM));
    int calls = h.calls;
    v.shape[0] = 0;
    ck_assert_int_eq(mesaopt_task_draw(task, MESAOPT_STREAM_TRAIN, 7, &v), MESAOPT_OK);
    ck_assert_int_eq(h.calls, calls);                  /* nothing to ask for */
    mesaopt_task_free(task);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* task.h: a training step asks for its batch, every other call for at most 4096 sequences at once. */
START_TEST(largest_batches_of_a_callback)
{
    enum { COUNT = 5000, MOST = 4096 };
    host h = {0};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_task *task = task_calling(ctx, &h);
    mesaopt_settings *of_model = settings_from(MESAOPT_SCOPE_MODEL, "inputs=8 outputs=2"), *of_trainer = settings_from(MESAOPT_SCOPE_TRAINER, "batch=4500");
    mesaopt_model *model = NULL;
    mesaopt_trainer *trainer = NULL;
    mesaopt_baseline *gd = NULL;
    double loss, *x = malloc(COUNT * (LENGTH + 1) * DIM * sizeof *x);
    mesaopt_view v = DENSE(x, MESAOPT_F64, COUNT, LENGTH + 1, DIM);
    ck_assert_int_eq(mesaopt_model_create(ctx, of_model, &model), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_add_text(model, "dense(outputs=2)"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_create(ctx, NULL, &gd), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, &v), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_evaluate(gd, task, MESAOPT_STREAM_TEST, 0, COUNT, NULL, &loss), MESAOPT_OK);
    ck_assert_int_ge(mesaopt_baseline_search(gd, task, COUNT, NULL), MESAOPT_OK);
    ck_assert_int_le(h.most, MOST);
    ck_assert_int_eq(mesaopt_model_evaluate(model, task, MESAOPT_STREAM_TEST, 0, COUNT, NULL, &loss), MESAOPT_OK);
    ck_assert_int_eq(h.most, MOST);
    ck_assert_int_eq(mesaopt_trainer_create(ctx, of_trainer, model, task, &trainer), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_trainer_step(trainer, NULL), MESAOPT_OK);
    ck_assert_int_eq(h.most, 4500);
    free(x);
    mesaopt_settings_free(of_model);
    mesaopt_settings_free(of_trainer);
    mesaopt_trainer_free(trainer);
    mesaopt_model_free(model);
    mesaopt_baseline_free(gd);
    mesaopt_task_free(task);
    mesaopt_ctx_free(ctx);
}
END_TEST

START_TEST(callbacks_that_fail)
{
    host h = {.answer = 3};
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_task *task = task_calling(ctx, &h);
    float x[4 * (LENGTH + 1) * DIM] = {0};
    mesaopt_view v = DENSE(x, MESAOPT_F32, 4, LENGTH + 1, DIM);
    REFUSED(ctx, MESAOPT_E_SOURCE, "fill: returned 3 for sequences 5..8 of stream 2",
            mesaopt_task_draw(task, MESAOPT_STREAM_SEARCH, 5, &v));
    h = (host){.bad_row = 3};
    REFUSED(ctx, MESAOPT_E_NONFINITE, "fill: element [2,2,1] of sequences 5.. of stream 2 is inf",
            mesaopt_task_draw(task, MESAOPT_STREAM_SEARCH, 5, &v));
    h = (host){.skip = 1};                             /* elements that the host leaves out */
    REFUSED(ctx, MESAOPT_E_NONFINITE, "fill: element [0,0,0]", mesaopt_task_draw(task, MESAOPT_STREAM_SEARCH, 5, &v));
    h = (host){.task = task};
    ck_assert_int_eq(mesaopt_task_draw(task, MESAOPT_STREAM_TRAIN, 0, &v), MESAOPT_OK);
    ck_assert_int_eq(h.nested, MESAOPT_E_BUSY);
    ck_assert_float_eq(x[0], 0);
    ck_assert_float_eq(x[(LENGTH + 1) * DIM], 1);
    mesaopt_task_free(task);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* A batch is allocated once; smaller ones after it take no memory. */
START_TEST(batches_are_kept)
{
    hook_alloc hook = {0};
    host h = {0};
    mesaopt_settings *s = NULL;
    mesaopt_ctx *ctx = NULL;
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_CTX, hook_alloc_fn, &hook, &s), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_create(s, &ctx), MESAOPT_OK);
    mesaopt_settings_free(s);
    mesaopt_task *task = task_calling(ctx, &h);
    call c;
    ck_assert_int_eq(ctx_enter(ctx, CALL_NORMAL, &c), MESAOPT_OK);
    ck_assert_int_eq(task_prepare(task, &c, 0, 0, 100, MESAOPT_F64), MESAOPT_OK);
    long calls = atomic_load(&hook.calls);
    for (int64_t count = 100; count > 0; count -= 30)
        ck_assert_int_eq(task_prepare(task, &c, 0, count, count, count % 20 ? MESAOPT_F32 : MESAOPT_F64), MESAOPT_OK);
    ck_assert_int_eq(task_prepare(task, &c, 0, 0, 200, MESAOPT_F32), MESAOPT_OK);
    ck_assert_int_eq(atomic_load(&hook.calls), calls);
    ck_assert_int_eq(task_prepare(task, &c, 0, 0, INT64_MAX / 8, MESAOPT_F32), MESAOPT_E_MEMORY);
    ck_assert_int_eq(ctx_leave(&c, MESAOPT_OK), MESAOPT_OK);
    mesaopt_task_free(task);
    mesaopt_ctx_free(ctx);
    ck_assert_int_eq(atomic_load(&hook.blocks), 0);
    ck_assert_int_eq(atomic_load(&hook.bytes), 0);
}
END_TEST

/* Refusing the n-th request for memory, for every n: an error or a result, and nothing leaks. */
START_TEST(out_of_memory)
{
    for (long n = 1;; n++) {
        hook_alloc hook = {0};
        mesaopt_settings *s = NULL, *fixed = settings_from(MESAOPT_SCOPE_TASK, "task=fixed_teacher dim=4");
        mesaopt_ctx *ctx = NULL;
        mesaopt_task *task = NULL;
        double q[2 * 16], x[2 * 51 * 4], tokens[2 * 50 * 16];
        mesaopt_view matrices = DENSE(q, MESAOPT_F64, 2, 4, 4), sequences = DENSE(x, MESAOPT_F64, 2, 51, 4);
        mesaopt_view to = DENSE(tokens, MESAOPT_F64, 2, 50, 16);
        ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_CTX, hook_alloc_fn, &hook, &s), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_ctx_create(s, &ctx), MESAOPT_OK);
        mesaopt_settings_free(s);
        long before = atomic_load(&hook.calls);
        atomic_store(&hook.fail_at, before + n);
        mesaopt_status status = mesaopt_rng_orthogonal(ctx, 1, 0, 0, &matrices);
        if (status == MESAOPT_OK) status = mesaopt_task_create(ctx, fixed, &task);
        if (status == MESAOPT_OK) status = mesaopt_task_draw(task, 0, 0, &sequences);
        if (status == MESAOPT_OK) status = mesaopt_task_tokens(task, &sequences, &to);
        int refused = atomic_load(&hook.calls) >= before + n;
        ck_assert_int_eq(status, refused ? MESAOPT_E_MEMORY : MESAOPT_OK);
        mesaopt_task_free(task);
        mesaopt_ctx_free(ctx);
        mesaopt_settings_free(fixed);
        ck_assert_int_eq(atomic_load(&hook.blocks), 0);
        if (!refused) {
            ck_assert_int_ge(n, 6);
            break;
        }
    }
}
END_TEST

START_TEST(bad_arguments)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1), *elsewhere = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_settings *wrong = settings_from(MESAOPT_SCOPE_CTX, "");
    mesaopt_tensor *flat = NULL, *ids = NULL, *good = NULL, *foreign = NULL, *brief = NULL, *none = NULL, *broken = NULL;
    mesaopt_task *out = NULL;
    const int64_t shape[] = {3, 4, 2}, one_row[] = {3, 1, 2}, no_rows[] = {0, 4, 2};
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 2, shape, &flat), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_I32, 3, shape, &ids), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 3, shape, &good), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_create(elsewhere, MESAOPT_F32, 3, shape, &foreign), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 3, one_row, &brief), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 3, no_rows, &none), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 3, shape, &broken), MESAOPT_OK);
    view_set(&broken->view, (int64_t[]){1, 3, 0}, NAN);
    ck_assert_int_eq(mesaopt_task_from_tensor(NULL, NULL, good, &out), MESAOPT_E_ARGUMENT);
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "out", mesaopt_task_from_tensor(ctx, NULL, good, NULL));
    REFUSED(ctx, MESAOPT_E_SETTING, "settings", mesaopt_task_from_tensor(ctx, wrong, good, &out));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "sequences", mesaopt_task_from_tensor(ctx, NULL, NULL, &out));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "sequences", mesaopt_task_from_tensor(ctx, NULL, (mesaopt_tensor *)ctx, &out));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "sequences", mesaopt_task_from_tensor(ctx, NULL, foreign, &out));
    REFUSED(ctx, MESAOPT_E_SHAPE, "sequences", mesaopt_task_from_tensor(ctx, NULL, flat, &out));
    REFUSED(ctx, MESAOPT_E_SHAPE, "sequences: shape [3,1,2]", mesaopt_task_from_tensor(ctx, NULL, brief, &out));
    REFUSED(ctx, MESAOPT_E_SHAPE, "sequences: shape [0,4,2]", mesaopt_task_from_tensor(ctx, NULL, none, &out));
    REFUSED(ctx, MESAOPT_E_DTYPE, "sequences", mesaopt_task_from_tensor(ctx, NULL, ids, &out));
    REFUSED(ctx, MESAOPT_E_NONFINITE, "sequences: element [1,3,0] is nan", mesaopt_task_from_tensor(ctx, NULL, broken, &out));
    ck_assert_int_eq(mesaopt_task_from_callback(NULL, NULL, fill, NULL, NULL, &out), MESAOPT_E_ARGUMENT);
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "fill", mesaopt_task_from_callback(ctx, NULL, NULL, NULL, NULL, &out));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "out", mesaopt_task_from_callback(ctx, NULL, fill, NULL, NULL, NULL));
    REFUSED(ctx, MESAOPT_E_SETTING, "settings", mesaopt_task_from_callback(ctx, wrong, fill, NULL, NULL, &out));
    ck_assert_ptr_null(out);
    static const char *const unused[] = {"task=contracting", "noise=0.5", "data_clip=3", "hidden=2", "map_sd=2", "start=0.5", "observation_noise=0",
                                         "separator=1", "prefix=1", "teachers=2", "segment=3"};
    for (int i = 0; i < 11; i++) {
        mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, unused[i]);
        REFUSED(ctx, MESAOPT_E_SETTING, "with sequences of one's own, of no use there", mesaopt_task_from_tensor(ctx, s, good, &out));
        REFUSED(ctx, MESAOPT_E_SETTING, "with sequences of one's own", mesaopt_task_from_tensors(ctx, s, 1, &flat, &out));
        REFUSED(ctx, MESAOPT_E_SETTING, "with a callback", mesaopt_task_from_callback(ctx, s, fill, NULL, NULL, &out));
        if (i < 7) REFUSED(ctx, MESAOPT_E_SETTING, "with pairs of one's own", mesaopt_task_from_pairs(ctx, s, good, good, &out));
        mesaopt_settings_free(s);
    }
    ck_assert_ptr_null(out);
    ck_assert_int_eq(mesaopt_task_from_tensor(ctx, NULL, good, &out), MESAOPT_OK);
    REFUSED(ctx, MESAOPT_E_OVERLAP, "out", mesaopt_task_draw(out, MESAOPT_STREAM_TEST, 0, &good->view));
    mesaopt_task_free(out);
    mesaopt_tensor *all[] = {flat, ids, good, foreign, brief, none, broken};
    for (int i = 0; i < 7; i++) ck_assert_int_eq(mesaopt_tensor_free(all[i]), MESAOPT_OK);
    mesaopt_settings_free(wrong);
    mesaopt_ctx_free(ctx);
    mesaopt_ctx_free(elsewhere);
}
END_TEST

Suite *test_task_own_suite(void)
{
    Suite *s = suite_create("own sequences");
    TCase *t = tcase_create("own");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, passes_are_permutations);
    tcase_add_test(t, orders_are_uniform);
    tcase_add_test(t, orders_of_few_are_uniform);
    tcase_add_test(t, orders_of_large_sets);
    tcase_add_test(t, values_of_own_sequences);
    tcase_add_test(t, values_of_a_callback);
    tcase_add_test(t, largest_batches_of_a_callback);
    tcase_add_test(t, callbacks_that_fail);
    tcase_add_test(t, batches_are_kept);
    tcase_add_test(t, out_of_memory);
    tcase_add_test(t, bad_arguments);
    suite_add_tcase(s, t);
    return s;
}
