/* Few-shot regression: layouts against written-out small cases, what a task of pairs draws, and where its errors count. */
#include "task/sequences.h"
#include "base/options.h"
#undef fail
#include "contexts.h"
#include <math.h>
#include <stdio.h>

/* ---- layouts ---- */

typedef struct layout_case { const char *settings; int length; const char *places; } layout_case;

/* p1, p2: the prefix; s: the separator; a space between observations, ? behind those whose step is scored. */
static const layout_case cases[] = {
    {"", 6, "x0? y0 x1? y1 x2? y2 x3"},
    {"", 5, "x0? y0 x1? y1 x2? y2"},
    {"separator=1", 8, "x0? y0 s x1? y1 s x2? y2 s"},
    {"separator=1", 7, "x0? y0 s x1? y1 s x2? y2"},
    {"separator=1", 6, "x0? y0 s x1? y1 s x2"},
    {"prefix=2", 5, "p1 p2 x0? y0 x1? y1"},
    {"prefix=2", 4, "p1 p2 x0? y0 x1"},
    {"prefix=2 separator=1", 9, "p1 p2 x0? y0 s x1? y1 s x2? y2"},
    {"prefix=4", 5, "p1 p2 p3 p4 x0? y0"},
    {"teachers=2 segment=4", 8, "x0? y0 x1? y1 x2? y2 x3? y3 x4"},
    {"teachers=2 segment=3", 8, "x0? y0 x1 x2? y2 x3? y3 x4? y4"},
    {"teachers=3 segment=2", 8, "x0? y0 x1? y1 x2? y2 x3? y3 x4"},
    {"teachers=2 segment=5 prefix=2 separator=1", 12, "p1 p2 x0? y0 s p1 p2 x1? y1 s x2? y2 s"},
    {"teachers=2 segment=6 prefix=2 separator=1", 12, "p1 p2 x0? y0 s x1 p1 p2 x2? y2 s x3? y3"},
    {"teachers=2 segment=100 prefix=1", 4, "p1 x0? y0 x1? y1"},
};
enum { CASES = sizeof cases / sizeof *cases };

static pair_layout layout_of(mesaopt_ctx *ctx, const char *text)
{
    pair_layout l;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, text);
    ck_assert_int_eq(pair_layout_read(ctx, s, &l), MESAOPT_OK);
    mesaopt_settings_free(s);
    return l;
}

START_TEST(layouts)
{
    mesaopt_ctx *ctx = context_from("");
    const layout_case *c = &cases[_i];
    const pair_layout l = layout_of(ctx, c->settings);
    char text[400] = "";
    int most = -1;
    for (int t = 0; t <= c->length; t++) {
        const int64_t row = pair_layout_row(&l, t);
        char place[32];
        if (row == -1) strcpy(place, "s");
        else if (row < 0) snprintf(place, sizeof place, "p%d", (int)~row);
        else snprintf(place, sizeof place, "%c%d", row % 2 ? 'y' : 'x', (int)row / 2);
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s%s", t ? " " : "", place,
                 t < c->length && pair_layout_asks(&l, t) ? "?" : "");
        if (row > most) most = (int)row;
    }
    ck_assert_str_eq(text, c->places);
    ck_assert_int_eq(pair_layout_pairs(&l, c->length), most / 2 + 1);
    if (most % 2) ck_assert_int_eq(pair_layout_length(&l, most / 2 + 1), c->length - (c->places[strlen(c->places) - 1] == 's'));
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Those of the paper: how many pairs are scored, and where the first and last of them stand. */
START_TEST(lengths)
{
    static const struct { const char *settings; int scored, first, last; } known[] = {
        {"", 112, 0, 222}, {"separator=1", 75, 0, 222}, {"separator=1 prefix=20", 68, 20, 221}, {"separator=1 prefix=20 teachers=2 segment=80", 20 + 42, 20, 223}};
    mesaopt_ctx *ctx = context_from("");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char text[128];
        snprintf(text, sizeof text, "task=regression tokens=raw length=224 %s", known[i].settings);
        mesaopt_task *task = task_from(ctx, text);
        double w[224];
        int scored = 0, first = -1, last = -1;
        ck_assert_int_eq(task_weights(task, MESAOPT_STREAM_TEST, 0, w), known[i].last + 1);
        for (int t = 0; t < 224; t++) {
            ck_assert(w[t] == 0 || w[t] == 1);
            if (w[t] == 0) continue;
            scored++, last = t;
            if (first < 0) first = t;
        }
        ck_assert_int_eq(scored, known[i].scored);
        ck_assert_int_eq(first, known[i].first);
        ck_assert_int_eq(last, known[i].last);
        mesaopt_task_free(task);
    }
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- what is drawn ---- */

enum { N = 3, T = 23, COUNT = 300 };

static void draw(mesaopt_task *task, int32_t stream, void *out)
{
    const mesaopt_view v = DENSE(out, MESAOPT_F64, COUNT, T + 1, N);
    ck_assert_int_eq(mesaopt_task_draw(task, stream, 0, &v), MESAOPT_OK);
}

static double dot(const double *a, const double *b)
{
    double sum = 0;
    for (int j = 0; j < N; j++) sum += a[j] * b[j];
    return sum;
}

/* Without noise y = W x with an orthogonal W, the same for all pairs of a teacher, another one for every teacher and sequence; x is uniform in
 * [-start, start]. */
START_TEST(pairs)
{
    static double x[COUNT][T + 1][N];
    mesaopt_ctx *ctx = context_from("");
    mesaopt_task *task = task_from(ctx, "task=regression tokens=raw dim=3 length=23 noise=0 teachers=2 segment=12 start=0.5 seed=5");
    double sum = 0, square = 0, highest = 0;
    draw(task, MESAOPT_STREAM_TRAIN, x);
    for (int s = 0; s < COUNT; s++)
        for (int t = 0; t <= T; t += 2) {
            for (int j = 0; j < N; j++) {
                sum += x[s][t][j], square += x[s][t][j] * x[s][t][j];
                highest = fmax(highest, fabs(x[s][t][j]));
            }
            for (int u = 0; u <= t; u += 2) {
                const double difference = fabs(dot(x[s][t + 1], x[s][u + 1]) - dot(x[s][t], x[s][u]));
                if ((t < 12) == (u < 12)) ck_assert_double_lt(difference, 1e-14);
                else if (t == 12 && u == 0) ck_assert_double_gt(difference, 0);
            }
        }
    const double count = COUNT * (T + 1) / 2 * N;
    ck_assert_double_le(highest, 0.5);
    ck_assert_double_gt(highest, 0.499);
    ck_assert_double_le(fabs(sum / count), 4 * sqrt(0.25 / 3 / count));
    ck_assert_double_le(fabs(square / count - 0.25 / 3), 4 * 0.25 * sqrt(4.0 / 45 / count));
    ck_assert_double_gt(fabs(dot(x[0][1], x[1][1])), 0);
    mesaopt_task_free(task);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Noise is of y alone, with its standard deviation; the clip, too. */
START_TEST(noise)
{
    static double x[COUNT][T + 1][N], clean[COUNT][T + 1][N], clipped[COUNT][T + 1][N];
    mesaopt_ctx *ctx = context_from("");
    mesaopt_task *a = task_from(ctx, "task=regression tokens=raw dim=3 length=23 noise=0.1"), *b = task_from(ctx, "task=regression tokens=raw dim=3 length=23 noise=0"),
                 *c = task_from(ctx, "task=regression tokens=raw dim=3 length=23 noise=0 data_clip=0.25");
    double square = 0;
    draw(a, MESAOPT_STREAM_TEST, x), draw(b, MESAOPT_STREAM_TEST, clean), draw(c, MESAOPT_STREAM_TEST, clipped);
    for (int s = 0; s < COUNT; s++)
        for (int t = 0; t <= T; t++)
            for (int j = 0; j < N; j++) {
                const double difference = x[s][t][j] - clean[s][t][j];
                if (t % 2 == 0) ck_assert(difference == 0 && clipped[s][t][j] == clean[s][t][j]);
                else ck_assert(clipped[s][t][j] == fmin(0.25, fmax(-0.25, clean[s][t][j])));
                square += difference * difference;
            }
    const double count = COUNT * (T + 1) / 2 * N;
    ck_assert_double_le(fabs(square / count - 0.01), 4 * 0.01 * sqrt(2 / count));
    mesaopt_task_free(a), mesaopt_task_free(b), mesaopt_task_free(c);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* A longer sequence begins as a shorter one, and one that is cut differently has the same pairs. */
START_TEST(layouts_have_the_same_pairs)
{
    static double x[COUNT][T + 1][N], cut[COUNT][T + 1][N], longer[COUNT][T + 9][N];
    mesaopt_ctx *ctx = context_from("");
    mesaopt_task *a = task_from(ctx, "task=regression tokens=raw dim=3 length=23 teachers=2 segment=100"),
                 *b = task_from(ctx, "task=regression tokens=raw dim=3 length=23 teachers=2 segment=7"), *c = task_from(ctx, "task=regression tokens=raw dim=3 length=31 teachers=2 segment=100");
    const mesaopt_view v = DENSE(longer, MESAOPT_F64, COUNT, T + 9, N);
    draw(a, MESAOPT_STREAM_TEST, x), draw(b, MESAOPT_STREAM_TEST, cut);
    ck_assert_int_eq(mesaopt_task_draw(c, MESAOPT_STREAM_TEST, 0, &v), MESAOPT_OK);
    for (int s = 0; s < COUNT; s++) {
        ck_assert_mem_eq(x[s], longer[s], sizeof x[s]);
        ck_assert_mem_eq(x[s], cut[s], 7 * sizeof x[s][0]);                 /* x0 y0 x1 y1 x2 y2 x3 | x4 y4 .. */
        for (int t = 7; t <= T - 1; t += 2) ck_assert_mem_eq(x[s][t + 1], cut[s][t], sizeof x[s][0]);
    }
    mesaopt_task_free(a), mesaopt_task_free(b), mesaopt_task_free(c);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Errors by t are numbers at the queries, and nowhere else. */
START_TEST(scores)
{
    mesaopt_ctx *ctx = context_from("");
    mesaopt_task *task = task_from(ctx, "task=regression tokens=raw dim=3 length=10 teachers=2 segment=5");
    mesaopt_model *model = model_from(ctx, "inputs=3 outputs=3 dtype=f64", "softmax(heads=1,key=2,pe=qk,init_sd=0.1)");
    double by_t[10], loss, mean = 0;
    const mesaopt_view v = DENSE(by_t, MESAOPT_F64, 10);
    ck_assert_int_eq(mesaopt_model_evaluate(model, task, MESAOPT_STREAM_TEST, 0, 40, &v, &loss), MESAOPT_OK);
    for (int t = 0; t < 10; t++) {                     /* x0 y0 x1 y1 x2 | x3 y3 x4 y4 x5 y5 */
        ck_assert_int_eq(!isnan(by_t[t]), t == 0 || t == 2 || t == 5 || t == 7 || t == 9);
        if (!isnan(by_t[t])) mean += by_t[t] / 5;
    }
    ck_assert_double_le(fabs(loss - mean), 1e-14);
    mesaopt_model_free(model), mesaopt_task_free(task);
    mesaopt_ctx_free(ctx);
}
END_TEST

static void refused(mesaopt_ctx *ctx, mesaopt_status status, const char *word, const char *text)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, text);
    mesaopt_task *task = NULL;
    REFUSED(ctx, status, word, mesaopt_task_create(ctx, s, &task));
    ck_assert_ptr_null(task);
    mesaopt_settings_free(s);
}

START_TEST(bad_layouts)
{
    mesaopt_ctx *ctx = context_from("");
    refused(ctx, MESAOPT_E_SETTING, "prefix: 50 at length 50, expected at most 49", "task=regression prefix=50");
    refused(ctx, MESAOPT_E_SETTING, "segment: 0 for 2 teachers, expected at least 2", "task=regression teachers=2");
    refused(ctx, MESAOPT_E_SETTING, "segment: 6 for 2 teachers, expected at least 7", "task=regression teachers=2 segment=6 prefix=5");
    refused(ctx, MESAOPT_E_SETTING, "dim: 1048576 at length 1 takes", "task=regression dim=1048576 length=1 teachers=65536 segment=2");
    mesaopt_task_free(task_from(ctx, "task=regression length=1"));
    mesaopt_task_free(task_from(ctx, "task=linear prefix=50 teachers=2"));  /* leaves them alone */
    mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_regression_suite(void)
{
    Suite *s = suite_create("regression");
    TCase *t = tcase_create("regression");
    tcase_add_loop_test(t, layouts, 0, CASES);
    tcase_add_test(t, lengths);
    tcase_add_test(t, pairs);
    tcase_add_test(t, noise);
    tcase_add_test(t, layouts_have_the_same_pairs);
    tcase_add_test(t, scores);
    tcase_add_test(t, bad_layouts);
    suite_add_tcase(s, t);
    return s;
}
