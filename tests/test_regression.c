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
    refused(ctx, MESAOPT_E_SETTING, "segment: 9 with one teacher, of no use there, expected the default, 0", "task=regression segment=9");
    refused(ctx, MESAOPT_E_SETTING, "segment: 9 with task=linear, of no use there, expected the default, 0", "task=linear segment=9");
    refused(ctx, MESAOPT_E_SETTING, "slots: 4 with tokens other than slots, of no use there, expected the default, 16", "task=regression tokens=raw slots=4");
    refused(ctx, MESAOPT_E_SETTING, "prefix: 50 with task=linear, of no use there, expected the default, 0", "task=linear prefix=50 teachers=2");
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- own pairs ---- */

static mesaopt_tensor *tensor_of(mesaopt_ctx *ctx, int32_t dtype, int64_t count, int64_t pairs, uint64_t seed)
{
    mesaopt_tensor *t;
    mesaopt_view v;
    ck_assert_int_eq(mesaopt_tensor_create(ctx, dtype, 3, (int64_t[]){count, pairs, N}, &t), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_view(t, &v), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, seed, 20, 0, 0, 1, &v), MESAOPT_OK);
    return t;
}

/* The user's own pairs, f32 inputs and f64 outputs, stand where the written-out layout has them, the prompt's vectors between them. */
START_TEST(own_pairs)
{
    const layout_case *c = &cases[_i];
    char copy[200], *rest = copy, *word;
    int pairs = 0, t = 0;
    strcpy(copy, c->places);
    while ((word = strtok_r(rest, " ", &rest)))
        if (word[0] == 'y') pairs = atoi(word + 1) + 1;
    if (c->places[strlen(c->places) - 2] == 'x') return;       /* ends with an input alone */
    mesaopt_ctx *ctx = context_from("");
    mesaopt_tensor *x = tensor_of(ctx, MESAOPT_F32, 3, pairs, 1), *y = tensor_of(ctx, MESAOPT_F64, 3, pairs, 2);
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, c->settings), *p = settings_from(MESAOPT_SCOPE_PROMPT, "dim=3");
    mesaopt_task *task;
    mesaopt_prompt *prompt = NULL;
    mesaopt_view vx, vy, vs, vp;
    int64_t length, prefix = 0, count;
    ck_assert_int_eq(mesaopt_task_from_pairs(ctx, s, x, y, &task), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_shape(task, NULL, &length, NULL, &count), MESAOPT_OK);
    ck_assert_int_eq(length, c->length - (c->places[strlen(c->places) - 1] == 's'));
    ck_assert_int_eq(count, 3);
    ck_assert_int_eq(mesaopt_settings_get_int(s, MESAOPT_KEY_PREFIX, &prefix), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(p, MESAOPT_KEY_PREFIX, prefix), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_prompt_create(ctx, p, &prompt), MESAOPT_OK);
    if (prefix || strstr(c->settings, "separator")) ck_assert_int_eq(mesaopt_task_set_prompt(task, prompt), MESAOPT_OK);
    mesaopt_tensor_view(x, &vx), mesaopt_tensor_view(y, &vy), mesaopt_prompt_vectors(prompt, "separator", &vs), mesaopt_prompt_vectors(prompt, "prefix", &vp);
    static double drawn[5][32][N];
    double weights[32];
    const mesaopt_view v = dense(drawn, MESAOPT_F64, 3, (int64_t[]){5, length + 1, N});
    ck_assert_int_eq(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 1, &v), MESAOPT_OK);       /* rows 1, 2, 0, 1, 2 */
    task_weights(task, MESAOPT_STREAM_TEST, 1, weights);
    strcpy(copy, c->places);
    for (rest = copy; t <= length; t++) {
        word = strtok_r(rest, " ", &rest);
        const int at = atoi(word + 1);
        if (t < length) ck_assert(weights[t] == (strchr(word, '?') != NULL));
        for (int i = 0; i < 5; i++)
            for (int j = 0; j < N; j++) {
                const int64_t row = ((1 + i) % 3 * pairs + at) * N + j;
                const double want = word[0] == 'x' ? ((float *)vx.data)[row] : word[0] == 'y' ? ((double *)vy.data)[row] : word[0] == 's' ? ((double *)vs.data)[j] : ((double *)vp.data)[(at - 1) * N + j];
                ck_assert(((double *)drawn)[(i * (length + 1) + t) * N + j] == want);
            }
    }
    mesaopt_settings_free(s), mesaopt_settings_free(p);
    mesaopt_tensor_free(x), mesaopt_tensor_free(y), mesaopt_task_free(task), mesaopt_prompt_free(prompt);
    mesaopt_ctx_free(ctx);
}
END_TEST

enum { LISTED = 5, MOST_PAIRS = 6, PREFIX = 2 };
static const int64_t listed[LISTED] = {3, MOST_PAIRS, 1, 4, 2};

/* Layouts with the prompt's vectors where they have some. */
static mesaopt_task *of_pairs(mesaopt_ctx *ctx, const char *layout, int64_t count, mesaopt_tensor *const *x, mesaopt_tensor *const *y, mesaopt_prompt *prompt)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, layout);
    mesaopt_task *task;
    ck_assert_int_eq(count ? mesaopt_task_from_pair_tensors(ctx, s, count, x, y, &task) : mesaopt_task_from_pairs(ctx, s, *x, *y, &task), MESAOPT_OK);
    if (strstr(layout, "separator") || strstr(layout, "prefix")) ck_assert_int_eq(mesaopt_task_set_prompt(task, prompt), MESAOPT_OK);
    mesaopt_settings_free(s);
    return task;
}

/* Gradients of the prompt, [1 + PREFIX][N], of `count` sequences, times the steps that are scored; returns the loss, likewise. */
static double prompt_sums(mesaopt_prompt *prompt, mesaopt_model *m, mesaopt_task *task, int64_t count, double scored, double *sums)
{
    double loss = 0, g[(1 + PREFIX) * N] = {0};
    const mesaopt_view separator = dense(g, MESAOPT_F64, 2, (int64_t[]){1, N}), prefix = dense(g + N, MESAOPT_F64, 2, (int64_t[]){PREFIX, N});
    if (task->prompt) ck_assert_int_eq(mesaopt_prompt_gradient(prompt, m, task, MESAOPT_STREAM_TEST, 0, count, &separator, task->shape.layout.prefix ? &prefix : NULL, &loss), MESAOPT_OK);
    else ck_assert_int_eq(mesaopt_model_evaluate(m, task, MESAOPT_STREAM_TEST, 0, count, NULL, &loss), MESAOPT_OK);
    for (int i = 0; i < (1 + PREFIX) * N; i++) sums[i] += scored * g[i];
    return scored * loss;
}

/* Pairs of unequal number: every sequence is the one of its pairs alone, 0 behind its end, and losses and gradients are those of all of them. */
START_TEST(lists_of_pairs)
{
    static const char *const layouts[] = {"tokens=raw", "tokens=raw prefix=2", "tokens=raw separator=1 prefix=2", "tokens=raw teachers=2 segment=7 separator=1 prefix=2", "tokens=raw teachers=3 segment=4"};
    static double drawn[2 * LISTED][32][N], alone[32][N], w[32], by_t[32], sums[(1 + PREFIX) * N], all[(1 + PREFIX) * N];
    const char *layout = layouts[_i];
    mesaopt_ctx *ctx = context_from("threads=2");
    mesaopt_settings *p = settings_from(MESAOPT_SCOPE_PROMPT, "dim=3 prefix=2");
    mesaopt_prompt *prompt;
    mesaopt_tensor *x[LISTED], *y[LISTED];
    mesaopt_model *m = model_from(ctx, "dtype=f64 inputs=3 outputs=3 seed=3", "softmax(heads=1,key=2,init_sd=0.5); dense(outputs=3)");
    int64_t T, own;
    double total = 0, loss = 0, evaluated;
    ck_assert_int_eq(mesaopt_prompt_create(ctx, p, &prompt), MESAOPT_OK);
    for (int i = 0; i < LISTED; i++) {
        mesaopt_tensor **const of[] = {&x[i], &y[i]};
        for (int part = 0; part < 2; part++) {
            mesaopt_view v;
            ck_assert_int_eq(mesaopt_tensor_create(ctx, part ? MESAOPT_F32 : MESAOPT_F64, 2, (int64_t[]){listed[i], N}, of[part]), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_tensor_view(*of[part], &v), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_rng_normal(ctx, 40 + 2 * i + part, 0, 0, 0, 1, &v), MESAOPT_OK);
        }
    }
    mesaopt_task *task = of_pairs(ctx, layout, LISTED, x, y, prompt);
    ck_assert_int_eq(mesaopt_task_shape(task, NULL, &T, NULL, &own), MESAOPT_OK);
    ck_assert_int_eq(own, LISTED);
    const mesaopt_view v = dense(drawn, MESAOPT_F64, 3, (int64_t[]){2 * LISTED, T + 1, N});
    ck_assert_int_eq(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, &v), MESAOPT_OK);
    const double *const seen = (const double *)drawn;
    for (int i = 0; i < LISTED; i++) {
        mesaopt_view vx, vy;
        mesaopt_tensor *ox, *oy;
        int64_t length, scored = 0;
        mesaopt_tensor_view(x[i], &vx), mesaopt_tensor_view(y[i], &vy);
        const mesaopt_view sx = dense(vx.data, MESAOPT_F64, 3, (int64_t[]){1, listed[i], N}), sy = dense(vy.data, MESAOPT_F32, 3, (int64_t[]){1, listed[i], N});
        ck_assert_int_eq(mesaopt_tensor_wrap(ctx, &sx, NULL, NULL, &ox), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_tensor_wrap(ctx, &sy, NULL, NULL, &oy), MESAOPT_OK);
        mesaopt_task *one = of_pairs(ctx, layout, 0, &ox, &oy, prompt);
        ck_assert_int_eq(mesaopt_task_shape(one, NULL, &length, NULL, NULL), MESAOPT_OK);
        const mesaopt_view u = dense(alone, MESAOPT_F64, 3, (int64_t[]){1, length + 1, N});
        ck_assert_int_eq(mesaopt_task_draw(one, MESAOPT_STREAM_TEST, 0, &u), MESAOPT_OK);
        for (int copy = 0; copy < 2; copy++)
            for (int64_t t = 0; t <= T; t++)
                for (int j = 0; j < N; j++)
                    ck_assert(seen[((i + copy * LISTED) * (T + 1) + t) * N + j] == (t <= length ? ((double *)alone)[t * N + j] : 0));
        task_weights(task, MESAOPT_STREAM_TEST, i, w);
        for (int64_t t = 0; t < T; t++) scored += w[t] > 0, ck_assert(t < length || w[t] == 0);
        total += (double)scored;
        loss += prompt_sums(prompt, m, one, 1, (double)scored, sums);
        mesaopt_task_free(one), mesaopt_tensor_free(ox), mesaopt_tensor_free(oy);
    }
    ck_assert_double_eq_tol(prompt_sums(prompt, m, task, LISTED, total, all), loss, 1e-12 * loss);
    for (int i = 0; i < (1 + PREFIX) * N; i++) ck_assert_double_eq_tol(all[i], sums[i], 1e-12);
    const mesaopt_view errors = dense(by_t, MESAOPT_F64, 1, &T);
    ck_assert_int_eq(mesaopt_model_evaluate(m, task, MESAOPT_STREAM_TRAIN, 0, LISTED, &errors, &evaluated), MESAOPT_OK);
    ck_assert_double_eq_tol(total * evaluated, loss, 1e-12 * loss);
    for (int i = 0; i < LISTED; i++) mesaopt_tensor_free(x[i]), mesaopt_tensor_free(y[i]);
    mesaopt_settings_free(p), mesaopt_prompt_free(prompt), mesaopt_task_free(task), mesaopt_model_free(m);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- baselines ---- */

/* Errors of a baseline at the queries, one after the other; returns their number. */
static int errors_of(mesaopt_ctx *ctx, const char *baseline, mesaopt_task *task, int64_t count, double *errors)
{
    static double by_t[256];
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_BASELINE, baseline);
    mesaopt_baseline *b;
    int64_t length;
    int n = 0;
    double loss, mean = 0;
    mesaopt_task_shape(task, NULL, &length, NULL, NULL);
    const mesaopt_view v = DENSE(by_t, MESAOPT_F64, length);
    ck_assert_int_eq(mesaopt_baseline_create(ctx, s, &b), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, count, &v, &loss), MESAOPT_OK);
    for (int64_t t = 0; t < length; t++)
        if (!isnan(by_t[t])) mean += errors[n++] = by_t[t];
    ck_assert_double_le(fabs(loss - mean / n), 1e-12 * loss);
    mesaopt_settings_free(s), mesaopt_baseline_free(b);
    return n;
}

/* Vectors of a prompt are in no regression: errors are the same bits with them and without, pair by pair; then of every observation but the first, also
 * where a separator stands between. */
START_TEST(baselines_skip_prompts)
{
    static const char *const baselines[] = {"baseline=lsq", "baseline=lsq newest_pair=0", "baseline=gd iterations=3", "baseline=lsq pairs=scored", "baseline=gd pairs=scored",
                                            "baseline=neumann pairs=scored", "baseline=kernel", "baseline=lsq space=slots slots=3"};
    mesaopt_ctx *ctx = context_from("threads=2");
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_PROMPT, "dim=3 prefix=2");
    mesaopt_task *plain = task_from(ctx, "task=regression dim=3 length=23 tokens=raw"), *full = task_from(ctx, "task=regression dim=3 length=36 tokens=raw separator=1 prefix=2");
    mesaopt_prompt *p;
    ck_assert_int_eq(mesaopt_prompt_create(ctx, s, &p), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_set_prompt(full, p), MESAOPT_OK);
    for (int every = 0; every < 2; every++) {
        const int scored = every ? 23 : 12;
        double w[36];
        const mesaopt_view of_plain = DENSE(w, MESAOPT_F64, 23), of_full = DENSE(w, MESAOPT_F64, 36);
        for (int t = 0; t < 36; t++) w[t] = 1;
        if (every) ck_assert_int_eq(mesaopt_task_set_weights(plain, &of_plain), MESAOPT_OK);
        for (int t = 0; t < 36; t++) w[t] = t > 0 && t % 3 != 0;       /* followed by no vector of the prompt */
        if (every) ck_assert_int_eq(mesaopt_task_set_weights(full, &of_full), MESAOPT_OK);
        for (size_t i = 0; i < sizeof baselines / sizeof *baselines; i++) {
            double a[64], b[64];
            ck_assert_int_eq(errors_of(ctx, baselines[i], plain, 70, a), scored);
            ck_assert_int_eq(errors_of(ctx, baselines[i], full, 70, b), scored);
            ck_assert_msg(memcmp(a, b, (size_t)scored * sizeof *a) == 0, "%s", baselines[i]);
        }
    }
    mesaopt_settings_free(s);
    mesaopt_task_free(plain), mesaopt_task_free(full), mesaopt_prompt_free(p);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Solves A u = b of N numbers by elimination; A is positive definite. */
static void solve(double A[N][N], double *b)
{
    for (int i = 0; i < N; i++)
        for (int r = i + 1; r < N; r++) {
            const double q = A[r][i] / A[i][i];
            for (int c = i; c < N; c++) A[r][c] -= q * A[i][c];
            b[r] -= q * b[i];
        }
    for (int i = N - 1; i >= 0; i--) {
        for (int c = i + 1; c < N; c++) b[i] -= A[i][c] * b[c];
        b[i] /= A[i][i];
    }
}

/* Least squares and gradient descent on true pairs, written down here; on all of them the spurious ones are in. */
START_TEST(true_pairs)
{
    static double x[COUNT][T + 1][N];
    mesaopt_ctx *ctx = context_from("");
    mesaopt_task *task = task_from(ctx, "task=regression tokens=raw dim=3 length=23 noise=0.2");
    for (int all = 0; all < 2; all++) {
        double least[64], descent[64], want[2][64] = {{0}};
        ck_assert_int_eq(errors_of(ctx, all ? "baseline=lsq ridge=0.1" : "baseline=lsq ridge=0.1 pairs=scored", task, COUNT, least), 12);
        ck_assert_int_eq(errors_of(ctx, all ? "baseline=gd eta=0.05" : "baseline=gd eta=0.05 pairs=scored", task, COUNT, descent), 12);
        draw(task, MESAOPT_STREAM_TEST, x);
        for (int s = 0; s < COUNT; s++) {
            double A[N][N] = {{0}}, G[N][N] = {{0}};
            for (int i = 0; i < N; i++) A[i][i] = 0.1;
            for (int t = 0; t < T; t++) {
                for (int i = 0; i < N * N && t > 0 && (all || t % 2 == 1); i++)          /* the pair (x_{t-1}, x_t) */
                    A[i / N][i % N] += x[s][t - 1][i / N] * x[s][t - 1][i % N], G[i / N][i % N] += x[s][t - 1][i / N] * x[s][t][i % N];
                if (t % 2) continue;
                double B[N][N], u[N];
                memcpy(B, A, sizeof B), memcpy(u, x[s][t], sizeof u);
                solve(B, u);
                for (int j = 0; j < N; j++) {
                    double p[2] = {0, 0};
                    for (int i = 0; i < N; i++) p[0] += u[i] * G[i][j], p[1] += 0.05 * x[s][t][i] * G[i][j];
                    for (int k = 0; k < 2; k++) want[k][t / 2] += pow(p[k] - x[s][t + 1][j], 2) / 2 / COUNT;
                }
            }
        }
        for (int i = 0; i < 12; i++) {
            ck_assert_double_le(fabs(least[i] - want[0][i]), 1e-10 * want[0][i]);
            ck_assert_double_le(fabs(descent[i] - want[1][i]), 1e-12 * want[1][i]);
        }
    }
    mesaopt_task_free(task);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* The figures of docs/science.md: least squares on all pairs gets worse before it gets better; on true pairs it does not. */
START_TEST(early_ascent)
{
    static const int at[] = {1, 5, 10, 20, 60};
    static const double known[] = {1.65, 2.16, 1.37, 0.85, 0.53};
    mesaopt_ctx *ctx = context_from("");
    mesaopt_task *task = task_from(ctx, "task=regression tokens=raw length=123");
    double all[64], true_ones[64];
    ck_assert_int_eq(errors_of(ctx, "baseline=lsq ridge=0.3", task, 4096, all), 62);
    ck_assert_int_eq(errors_of(ctx, "baseline=lsq pairs=scored", task, 1024, true_ones), 62);
    for (int i = 0; i < 5; i++) ck_assert_double_le(fabs(all[at[i]] - known[i]), (at[i] < 10 ? 0.2 : 0.1) * known[i]);
    for (int i = 0; i < 12; i++) ck_assert_double_lt(true_ones[i + 1], true_ones[i]);
    ck_assert_double_lt(true_ones[20], 0.01);
    mesaopt_task_free(task);
    mesaopt_ctx_free(ctx);
}
END_TEST

START_TEST(bad_pairs)
{
    mesaopt_ctx *ctx = context_from("");
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_BASELINE, "baseline=kernel pairs=scored");
    mesaopt_baseline *b = NULL;
    static double x[2][4][N], out[2][3][N];
    const mesaopt_view v = DENSE(x, MESAOPT_F64, 2, 4, N), o = DENSE(out, MESAOPT_F64, 2, 3, N);
    REFUSED(ctx, MESAOPT_E_SETTING, "pairs: scored", mesaopt_baseline_create(ctx, s, &b));
    ck_assert_int_eq(mesaopt_settings_set_text(s, "baseline", "lsq"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_create(ctx, s, &b), MESAOPT_OK);
    REFUSED(ctx, MESAOPT_E_STATE, "pairs: scored", mesaopt_baseline_predict(b, &v, &o));
    mesaopt_settings_free(s), mesaopt_baseline_free(b);
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
    tcase_add_loop_test(t, own_pairs, 0, CASES);
    tcase_add_loop_test(t, lists_of_pairs, 0, 5);
    tcase_add_test(t, baselines_skip_prompts);
    tcase_add_test(t, true_pairs);
    tcase_add_test(t, early_ascent);
    tcase_add_test(t, bad_pairs);
    suite_add_tcase(s, t);
    return s;
}
