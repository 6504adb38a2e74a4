/* Probes of safetensors files: every way to name layers, every type, row ranges, pieces, and files that are not what they should be. */
#include "train/safetensors.h"
#include "contexts.h"
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#define OK(call) ck_assert_int_eq((call), MESAOPT_OK)

enum { L = 3, B = 40, T = 4, D = 5, M = 2 };
static double h[L][B][T][D], y[B][T][M], w[B][T];
static char folder[64], path[96];
static mesaopt_ctx *ctx;

static double uniform(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) / 0x1p52 - 1;
}

static void setup(void)
{
    uint64_t state = 7;
    for (int i = 0; i < L * B * T * D; i++) (&h[0][0][0][0])[i] = floor(64 * uniform(&state)) / 64;        /* every type holds these */
    for (int i = 0; i < B * T * M; i++) (&y[0][0][0])[i] = floor(64 * uniform(&state)) / 64;
    for (int i = 0; i < B * T; i++) (&w[0][0])[i] = i % 3 ? 1 : 0;
    ctx = context_at(MESAOPT_ISA_AUTO, 2);
    strcpy(folder, "/tmp/mesaopt-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/probe.safetensors", folder);
}

static void teardown(void)
{
    unlink(path);
    rmdir(folder);
    mesaopt_ctx_free(ctx);
}

static uint16_t half_of(double x)      /* exact for k / 64, |k| <= 64 */
{
    int e;
    if (x == 0) return 0;
    const double m = frexp(fabs(x), &e);
    return (uint16_t)((x < 0) << 15 | (e + 14) << 10 | (int)((2 * m - 1) * 1024));
}

/* Numbers as a tensor of a type; the caller frees data. */
static saved_tensor tensor(const char *name, int32_t dtype, const double *x, int32_t ndim, const int64_t *shape)
{
    saved_tensor t = {.name = name, .dtype = dtype, .ndim = ndim};
    int64_t n = 1;
    for (int k = 0; k < ndim; k++) n *= t.shape[k] = shape[k];
    void *data = malloc((size_t)n * 8);
    for (int64_t i = 0; i < n; i++)
        switch (dtype) {
        case MESAOPT_F64: ((double *)data)[i] = x[i]; break;
        case MESAOPT_F32: ((float *)data)[i] = (float)x[i]; break;
        case MESAOPT_I64: ((int64_t *)data)[i] = (int64_t)x[i]; break;
        case MESAOPT_I32: ((int32_t *)data)[i] = (int32_t)x[i]; break;
        case MESAOPT_BOOL: ((uint8_t *)data)[i] = x[i] != 0; break;
        case MESAOPT_F16: ((uint16_t *)data)[i] = half_of(x[i]); break;
        default: {
            const float f = (float)x[i];
            uint32_t bits;
            memcpy(&bits, &f, 4);
            ((uint16_t *)data)[i] = (uint16_t)(bits >> 16);
        }
        }
    t.data = data;
    return t;
}
#define TENSOR(name, dtype, x, ...) tensor(name, dtype, x, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

static void write_file(int count, saved_tensor *t)
{
    OK(tensor_file_write(ctx, path, 0, NULL, count, t));
    for (int i = 0; i < count; i++) free((void *)t[i].data);
}

/* Layers h.first .. and targets y, all of one type. */
static void write_layers(int32_t dtype, int first)
{
    char name[L][16];
    saved_tensor t[L + 2];
    for (int l = 0; l < L; l++) {
        snprintf(name[l], sizeof *name, "h.%d.out", first + l);
        t[l] = TENSOR(name[l], dtype, &h[l][0][0][0], B, T, D);
    }
    t[L] = TENSOR("y", dtype, &y[0][0][0], B, T, M);
    t[L + 1] = TENSOR("w", dtype, &w[0][0], B, T);
    write_file(L + 2, t);
}

static mesaopt_probe *plan(void)
{
    mesaopt_probe *p;
    OK(mesaopt_probe_plan(ctx, NULL, L, (int64_t[]){D, D, D}, T, M, &p));
    return p;
}

static void feed_views(mesaopt_probe *p, int32_t set, int first, int count, int weighted)
{
    mesaopt_view v[L];
    const mesaopt_view targets = DENSE(&y[first][0][0], MESAOPT_F64, count, T, M), weights = DENSE(&w[first][0], MESAOPT_F64, count, T);
    for (int l = 0; l < L; l++) v[l] = DENSE(&h[l][first][0][0], MESAOPT_F64, count, T, D);
    OK(mesaopt_probe_feed(p, set, v, &targets, weighted ? &weights : NULL));
}

/* Scores of both sets are the same numbers. */
static void check_same(mesaopt_probe *p, mesaopt_probe *q)
{
    double a[2][L][T], b[2][L][T];
    OK(mesaopt_probe_fit(p, NULL));
    OK(mesaopt_probe_fit(q, NULL));
    for (int set = 0; set < 2; set++) {
        const mesaopt_view x = DENSE(a[set], MESAOPT_F64, L, T), z = DENSE(b[set], MESAOPT_F64, L, T);
        OK(mesaopt_probe_score(p, set, &x, NULL));
        OK(mesaopt_probe_score(q, set, &z, NULL));
    }
    for (int i = 0; i < 2 * L * T; i++) ck_assert_double_eq_tol((&a[0][0][0])[i], (&b[0][0][0])[i], 1e-13);
}

START_TEST(every_type_and_every_name)
{
    static const int32_t types[] = {MESAOPT_F64, MESAOPT_F32, MESAOPT_F16, MESAOPT_BF16};
    static const char *const names[] = {"h.*.out", "h.4.out,h.5.out,h.6.out"};
    for (int type = 0; type < 4; type++)
        for (int i = 0; i < 2; i++) {
            static char bytes[1 << 17];
            mesaopt_probe *p, *q = plan();
            int64_t rows = 0, layers, steps, targets;
            write_layers(types[type], 4);
            FILE *f = fopen(path, "rb");
            const int64_t length = (int64_t)fread(bytes, 1, sizeof bytes, f);
            ck_assert(length < (int64_t)sizeof bytes);
            fclose(f);
            if (i) OK(mesaopt_probe_plan_from(ctx, NULL, bytes, length, names[i], "y", &p, &rows));
            else OK(mesaopt_probe_plan_file(ctx, NULL, path, names[i], "y", &p, &rows));
            OK(mesaopt_probe_shape(p, &layers, &steps, &targets));
            ck_assert(rows == B && layers == L && steps == T && targets == M);
            if (i) OK(mesaopt_probe_feed_from(p, MESAOPT_PROBE_TRAIN, bytes, length, names[i], "y", "w", 0, 30));
            else OK(mesaopt_probe_feed_file(p, MESAOPT_PROBE_TRAIN, path, names[i], "y", NULL, 0, 30));
            OK(mesaopt_probe_feed_file(p, MESAOPT_PROBE_TEST, path, names[i], "y", NULL, 30, -1));
            feed_views(q, MESAOPT_PROBE_TRAIN, 0, 30, i);
            feed_views(q, MESAOPT_PROBE_TEST, 30, 10, 0);
            check_same(p, q);
            OK(mesaopt_probe_free(p));
            OK(mesaopt_probe_free(q));
        }
}
END_TEST

/* Integers and truth values count as the numbers that they are, from views and from files. */
START_TEST(targets_that_count)
{
    static const int32_t types[] = {MESAOPT_I32, MESAOPT_I64, MESAOPT_BOOL};
    int32_t words[B][T][M];
    int64_t longs[B][T][M];
    uint8_t truths[B][T][M];
    void *const data[] = {words, longs, truths};
    for (int type = 0; type < 3; type++) {
        mesaopt_probe *p = plan(), *q = plan(), *r = plan();
        for (int i = 0; i < B * T * M; i++) {
            const int n = (i * 7 + i / 5) % 11 - 5;
            (&y[0][0][0])[i] = type == 2 ? n > 0 : n;
            (&words[0][0][0])[i] = n, (&longs[0][0][0])[i] = n, (&truths[0][0][0])[i] = n > 0 ? 255 : 0;
        }
        write_file(4, (saved_tensor[]){TENSOR("h1", MESAOPT_F64, &h[0][0][0][0], B, T, D),
                                       TENSOR("h2", MESAOPT_F64, &h[1][0][0][0], B, T, D),
                                       TENSOR("h3", MESAOPT_F64, &h[2][0][0][0], B, T, D),
                                       TENSOR("y", types[type], &y[0][0][0], B, T, M)});
        for (int set = 0; set < 2; set++) {
            mesaopt_view v[L];
            const mesaopt_view targets = DENSE(data[type], types[type], B, T, M);
            for (int l = 0; l < L; l++) v[l] = DENSE(&h[l][0][0][0], MESAOPT_F64, B, T, D);
            feed_views(p, set, 0, B, 0);
            OK(mesaopt_probe_feed(q, set, v, &targets, NULL));
            OK(mesaopt_probe_feed_file(r, set, path, "h*", "y", NULL, 0, -1));
        }
        check_same(p, q);
        check_same(p, r);
        OK(mesaopt_probe_free(p));
        OK(mesaopt_probe_free(q));
        OK(mesaopt_probe_free(r));
    }
}
END_TEST

/* One tensor of all layers; tensors without steps; weights for all steps. */
START_TEST(stacked_and_flat)
{
    double first[B][D], last[B][M], weight[B];
    mesaopt_probe *p, *q = plan();
    write_file(2, (saved_tensor[]){TENSOR("all", MESAOPT_F64, &h[0][0][0][0], L, B, T, D), TENSOR("y", MESAOPT_F32, &y[0][0][0], B, T, M)});
    OK(mesaopt_probe_plan_file(ctx, NULL, path, "all", "y", &p, NULL));
    OK(mesaopt_probe_feed_file(p, MESAOPT_PROBE_TRAIN, path, "all", "y", NULL, 3, 37));
    OK(mesaopt_probe_feed_file(p, MESAOPT_PROBE_TEST, path, "all", "y", NULL, 0, 9));
    feed_views(q, MESAOPT_PROBE_TRAIN, 3, 37, 0);
    feed_views(q, MESAOPT_PROBE_TEST, 0, 9, 0);
    check_same(p, q);
    OK(mesaopt_probe_free(p));
    OK(mesaopt_probe_free(q));

    for (int b = 0; b < B; b++) {
        memcpy(first[b], h[0][b][0], sizeof first[b]), memcpy(last[b], y[b][0], sizeof last[b]);
        weight[b] = b % 4 ? 2 : 0;
    }
    write_file(3, (saved_tensor[]){TENSOR("h", MESAOPT_F64, first[0], B, D), TENSOR("y", MESAOPT_F64, last[0], B, M), TENSOR("w", MESAOPT_F32, weight, B)});
    const mesaopt_view hv = DENSE(first, MESAOPT_F64, B, 1, D), yv = DENSE(last, MESAOPT_F64, B, 1, M), wv = DENSE(weight, MESAOPT_F64, B);
    double a, b;
    const mesaopt_view av = DENSE(&a, MESAOPT_F64, 1, 1), bv = DENSE(&b, MESAOPT_F64, 1, 1);
    OK(mesaopt_probe_plan_file(ctx, NULL, path, "h", "y", &p, NULL));
    OK(mesaopt_probe_plan_file(ctx, NULL, path, "h", "y", &q, NULL));
    OK(mesaopt_probe_feed_file(p, MESAOPT_PROBE_TRAIN, path, "h", "y", "w", 0, -1));
    OK(mesaopt_probe_feed(q, MESAOPT_PROBE_TRAIN, &hv, &yv, &wv));
    OK(mesaopt_probe_fit(p, NULL));
    OK(mesaopt_probe_fit(q, NULL));
    OK(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, &av, NULL));
    OK(mesaopt_probe_score(q, MESAOPT_PROBE_TRAIN, &bv, NULL));
    ck_assert_double_eq_tol(a, b, 1e-14);
    OK(mesaopt_probe_free(p));
    OK(mesaopt_probe_free(q));
}
END_TEST

/* A file of several pieces; NaN in a later one changes nothing, and is named. */
START_TEST(pieces)
{
    enum { ROWS = 9000, WIDE = 90 };
    static double x[ROWS][WIDE], z[ROWS];
    uint64_t state = 3;
    mesaopt_probe *p, *q;
    double a, b;
    const mesaopt_view av = DENSE(&a, MESAOPT_F64, 1, 1), bv = DENSE(&b, MESAOPT_F64, 1, 1), xv = DENSE(x, MESAOPT_F64, ROWS, 1, WIDE), zv = DENSE(z, MESAOPT_F64, ROWS, 1, 1);
    for (int r = 0; r < ROWS; r++) {
        for (int j = 0; j < WIDE; j++) x[r][j] = uniform(&state);
        z[r] = x[r][1] + 0.1 * uniform(&state);
    }
    write_file(2, (saved_tensor[]){TENSOR("x", MESAOPT_F64, x[0], ROWS, WIDE), TENSOR("z", MESAOPT_F64, z, ROWS, 1)});
    OK(mesaopt_probe_plan_file(ctx, NULL, path, "x", "z", &p, NULL));
    OK(mesaopt_probe_plan_file(ctx, NULL, path, "x", "z", &q, NULL));
    OK(mesaopt_probe_feed_file(p, MESAOPT_PROBE_TRAIN, path, "x", "z", NULL, 0, -1));
    OK(mesaopt_probe_feed(q, MESAOPT_PROBE_TRAIN, &xv, &zv, NULL));
    OK(mesaopt_probe_fit(p, NULL));
    OK(mesaopt_probe_fit(q, NULL));
    OK(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, &av, NULL));
    OK(mesaopt_probe_score(q, MESAOPT_PROBE_TRAIN, &bv, NULL));
    ck_assert_double_eq_tol(a, b, 1e-10 * b);

    x[8765][43] = NAN;
    write_file(2, (saved_tensor[]){TENSOR("x", MESAOPT_F64, x[0], ROWS, WIDE), TENSOR("z", MESAOPT_F64, z, ROWS, 1)});
    REFUSED(ctx, MESAOPT_E_NONFINITE, "probe.safetensors: tensor 'x': element [8765,43] is nan", mesaopt_probe_feed_file(p, MESAOPT_PROBE_TRAIN, path, "x", "z", NULL, 0, -1));
    OK(mesaopt_probe_fit(p, NULL));
    OK(mesaopt_probe_score(p, MESAOPT_PROBE_TRAIN, &bv, NULL));
    ck_assert_double_eq(a, b);
    OK(mesaopt_probe_free(p));
    OK(mesaopt_probe_free(q));
}
END_TEST

#define FEED(activations, targets, weights) mesaopt_probe_feed_file(p, 0, path, activations, targets, weights, 0, -1)

START_TEST(files_that_do_not_fit)
{
    mesaopt_probe *p = plan(), *out = NULL;
    write_layers(MESAOPT_F32, 0);
    REFUSED(ctx, MESAOPT_E_FORMAT, "tensor 'h.7.out': it is missing", FEED("h.0.out,h.7.out,h.2.out", "y", NULL));
    REFUSED(ctx, MESAOPT_E_FORMAT, "tensor 'g.*': no tensor has such a name", FEED("g.*", "y", NULL));
    REFUSED(ctx, MESAOPT_E_FORMAT, "tensor 'target': it is missing", FEED("h.*.out", "target", NULL));
    REFUSED(ctx, MESAOPT_E_FORMAT, "tensor 'weights': it is missing", FEED("h.*.out", "y", "weights"));
    REFUSED(ctx, MESAOPT_E_FORMAT, "tensor 'y': shape [40,4,2], expected [40] or [40,4]", FEED("h.*.out", "y", "y"));
    REFUSED(ctx, MESAOPT_E_FORMAT, "tensor 'h.1.out': it is the last layer, number 1, expected 3 layers", FEED("h.0.out,h.1.out", "y", NULL));
    REFUSED(ctx, MESAOPT_E_FORMAT, "tensor 'h.0.out': it is layer 3, expected 3 layers", FEED("h.0.out,h.1.out,h.2.out,h.0.out", "y", NULL));
    REFUSED(ctx, MESAOPT_E_FORMAT, "tensor 'y': 4 steps of 2, expected 4 of 5 as planned", FEED("h.0.out,y,h.2.out", "y", NULL));
    REFUSED(ctx, MESAOPT_E_FORMAT, "tensor 'h.0.out': 4 steps of 5, expected 4 of 2 as planned", FEED("h.*.out", "h.0.out", NULL));
    REFUSED(ctx, MESAOPT_E_FORMAT, "tensor 'w': 40 sequences of 1 steps, expected 40 of 4", FEED("h.*.out", "w", NULL));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "first, count: 41, -1, expected rows of the 40", mesaopt_probe_feed_file(p, 0, path, "h.*.out", "y", NULL, 41, -1));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "first, count: 30, 11, expected rows of the 40", mesaopt_probe_feed_file(p, 0, path, "h.*.out", "y", NULL, 30, 11));
    OK(mesaopt_probe_feed_file(p, 0, path, "h.*.out", "y", NULL, 40, -1));              /* nothing is fine */

    write_file(5, (saved_tensor[]){TENSOR("h1", MESAOPT_F64, &h[0][0][0][0], B, T, D), TENSOR("h2", MESAOPT_F64, &h[0][0][0][0], B, T, D), TENSOR("h4", MESAOPT_F64, &h[0][0][0][0], B, T, D),
                                   TENSOR("i", MESAOPT_I64, &h[0][0][0][0], B, T, D), TENSOR("y", MESAOPT_F64, &y[0][0][0], B, T, M)});
    REFUSED(ctx, MESAOPT_E_FORMAT, "tensor 'h*': number 3 is missing", FEED("h*", "y", NULL));
    REFUSED(ctx, MESAOPT_E_FORMAT, "tensor 'i': not of a type that can be read as numbers", FEED("h1,i,h2", "y", NULL));
    write_file(4, (saved_tensor[]){TENSOR("h1", MESAOPT_F64, &h[0][0][0][0], B, T, D), TENSOR("h01", MESAOPT_F64, &h[0][0][0][0], B, T, D), TENSOR("h2", MESAOPT_F64, &h[0][0][0][0], B, T, D),
                                   TENSOR("y", MESAOPT_F64, &y[0][0][0], B, T, M)});
    REFUSED(ctx, MESAOPT_E_FORMAT, "number 1 is there twice", FEED("h*", "y", NULL));
    REFUSED(ctx, MESAOPT_E_FORMAT, "number 1 is there twice", mesaopt_probe_plan_file(ctx, NULL, path, "h*", "y", &out, NULL));
    write_file(4, (saved_tensor[]){TENSOR("h1", MESAOPT_F64, &h[0][0][0][0], B, T, D), TENSOR("h2", MESAOPT_F64, &h[0][0][0][0], B - 1, T, D), TENSOR("h3", MESAOPT_F64, &h[0][0][0][0], B, T * D, 1, 1, 1),
                                   TENSOR("y", MESAOPT_F64, &y[0][0][0], B, T, M)});
    REFUSED(ctx, MESAOPT_E_FORMAT, "tensor 'h2': 39 sequences of 4 steps, expected 40 of 4 as in 'h1'", FEED("h1,h2,h1", "y", NULL));
    REFUSED(ctx, MESAOPT_E_FORMAT, "tensor 'h3': shape [40,20,1,1,1], expected [B,T,D] or [B,D]", FEED("h1,h3,h1", "y", NULL));
    REFUSED(ctx, MESAOPT_E_FORMAT, "tensor 'h3': shape [40,20,1,1,1], expected", mesaopt_probe_plan_file(ctx, NULL, path, "h1", "h3", &out, NULL));
    ck_assert_ptr_null(out);
    FILE *f = fopen(path, "w");
    fputs("not such a file", f);
    fclose(f);
    ck_assert_int_eq(FEED("h1", "y", NULL), MESAOPT_E_FORMAT);
    OK(mesaopt_probe_free(p));
}
END_TEST

START_TEST(numbers_that_are_none)
{
    mesaopt_probe *p = plan();
    h[1][17][2][3] = INFINITY;
    write_file(2, (saved_tensor[]){TENSOR("all", MESAOPT_F32, &h[0][0][0][0], L, B, T, D), TENSOR("y", MESAOPT_F32, &y[0][0][0], B, T, M)});
    REFUSED(ctx, MESAOPT_E_NONFINITE, "tensor 'all': element [1,17,2,3] is inf", FEED("all", "y", NULL));
    write_layers(MESAOPT_BF16, 1);
    REFUSED(ctx, MESAOPT_E_NONFINITE, "tensor 'h.2.out': element [17,2,3] is inf", FEED("h.*.out", "y", NULL));
    REFUSED(ctx, MESAOPT_E_NONFINITE, "tensor 'h.2.out': element [17,2,3] is inf", mesaopt_probe_feed_file(p, 0, path, "h.*.out", "y", NULL, 15, 10));
    OK(mesaopt_probe_feed_file(p, 0, path, "h.*.out", "y", NULL, 18, -1));              /* other rows are fine */
    h[1][17][2][3] = 0;
    y[0][1][1] = NAN, w[39][3] = -0.5;
    write_layers(MESAOPT_F64, 1);
    REFUSED(ctx, MESAOPT_E_NONFINITE, "tensor 'y': element [0,1,1] is nan", FEED("h.*.out", "y", NULL));
    REFUSED(ctx, MESAOPT_E_FORMAT, "tensor 'w': row 39 holds -0.5, expected a weight", FEED("h.*.out", "y", "w"));
    OK(mesaopt_probe_free(p));
}
END_TEST

Suite *test_probe_file_suite(void)
{
    Suite *suite = suite_create("probe_file");
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, setup, teardown);
    tcase_add_test(files, every_type_and_every_name);
    tcase_add_test(files, targets_that_count);
    tcase_add_test(files, stacked_and_flat);
    tcase_add_test(files, pieces);
    tcase_add_test(files, files_that_do_not_fit);
    tcase_add_test(files, numbers_that_are_none);
    suite_add_tcase(suite, files);
    return suite;
}
