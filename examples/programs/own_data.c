/* own_data: trains attention on sequences from a CSV file, and says how well it predicts the next
 * row on the held-out last part of the sequences, beside persistence (the next row is like this
 * one), one step of gradient descent, and least squares without and with an intercept.
 *
 * The file: one row per time step, read as rows.h says; a blank line ends a sequence. With id= a
 * column names the sequence instead, which ends where the name changes; window= cuts long sequences
 * into several. Sequences may be of any lengths (lengths=cut or refuse: all of one); every row that
 * is predicted counts the same. `own_data make=FILE` writes such a file, to look at and to try.
 *
 * Any units will do: every column is standardised by its mean and standard deviation in the part
 * that is trained on, all predictors work on that, and errors are in the file's units again. Means
 * and deviations are a note of the checkpoint, and of a run that resumes from it. The model sees
 * [x_t, x_{t-1}, ..] and ends with a dense read-out that starts as persistence, so training goes on
 * from there. */
#include "own_sequences.h"
#include "own_scale.h"
#include "common.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Sequences of a task as such a file: rotations in 3 dimensions unless told otherwise. */
static int make_file(mesaopt_ctx *ctx, const char *path)
{
    mesaopt_settings *settings = args_settings(MESAOPT_SCOPE_TASK, "dim=3 length=30");
    mesaopt_task *task = NULL;
    mesaopt_view view;
    int64_t n, length;
    args_end();
    TRY(ctx, mesaopt_task_create(ctx, settings, &task));
    TRY(ctx, mesaopt_task_shape(task, &n, &length, NULL, NULL));
    const int64_t count = args_int("count", 2, 1 << 24), shape[] = {1, length + 1, n};
    double *row = must_alloc(NULL, (size_t)((length + 1) * n) * sizeof(double));
    struct stat there;
    if (stat(path, &there) == 0 && S_ISREG(there.st_mode) && !args_int("overwrite", 0, 1))
        args_refuse("make", "a file that is not there yet, or overwrite=1");
    FILE *f = open_file(path, "w");
    TRY(ctx, mesaopt_view_dense(row, MESAOPT_F64, 3, shape, &view));
    for (int64_t i = 0; i < count; i++) {
        TRY(ctx, mesaopt_task_draw(task, MESAOPT_STREAM_TRAIN, i, &view));
        if (i > 0) fputc('\n', f);
        for (int64_t j = 0; j < (length + 1) * n; j++)
            fprintf(f, "%.6f%c", row[j], j % n == n - 1 ? '\n' : ',');
    }
    close_file(f, path);
    printf("%lld sequences of %lld rows and %lld columns: %s\n", (long long)count,
           (long long)length + 1, (long long)n, path);
    free(row);
    mesaopt_task_free(task);
    return 0;
}

/* ---- scale ---- */

/* Row i of all rows of a table: NULL behind the end of its sequence. */
static double *row_at(const table *t, int64_t i)
{
    return i % t->rows < t->length[i / t->rows] ? t->value + i * t->columns : NULL;
}

/* Mean and standard deviation of every column over the first `sequences`; a constant column keeps
 * its units. */
static void find_scale(table *t, int64_t sequences)
{
    const int64_t rows = sequences * t->rows;
    for (int64_t j = 0; j < t->columns; j++) {
        double mean = 0, squares = 0, count = 0;
        const double *x;
        for (int64_t i = 0; i < rows; i++)
            if ((x = row_at(t, i))) mean += (x[j] - mean) / ++count;
        for (int64_t i = 0; i < rows; i++)
            if ((x = row_at(t, i))) squares += (x[j] - mean) * (x[j] - mean) / count;
        t->mean[j] = mean;
        t->sd[j] = squares > 0 ? sqrt(squares) : 1;
    }
}

/* That of an earlier run, of the same columns, from its checkpoint. */
static void take_scale(mesaopt_ctx *ctx, table *t, const char *checkpoint)
{
    if (t->named)
        names_check(ctx, checkpoint, args_text("file"), t->columns, (const char *const *)t->name);
    if (!scale_read(ctx, checkpoint, t->columns, t->mean, t->sd))
        die("%s: without means and deviations, expected a checkpoint of own_data", checkpoint);
}

static void standardise(mesaopt_ctx *ctx, table *t, int64_t kept)
{
    const int64_t n = t->columns;
    t->mean = must_alloc(NULL, (size_t)n * sizeof(double)),
    t->sd = must_alloc(NULL, (size_t)n * sizeof(double));
    if (!*args_text("resume")) find_scale(t, kept);
    else take_scale(ctx, t, args_text("resume"));
    for (int64_t i = 0; i < t->sequences * t->rows; i++) {
        double *x = row_at(t, i);
        for (int64_t j = 0; x && j < n; j++) x[j] = (x[j] - t->mean[j]) / t->sd[j];
    }
}

/* ---- predictors ---- */

enum { CHUNK = 64 };

/* `count` sequences [T + 1, n], of which some may end earlier */
typedef struct part {
    mesaopt_ctx *ctx;
    const table *of;
    const double *value;
    const int64_t *length;             /* rows of each */
    int64_t count, T, n;
} part;

static part part_of(mesaopt_ctx *ctx, const table *t, int64_t first, int64_t count)
{
    return (part){ctx,   t,           t->value + first * t->rows * t->columns, t->length + first,
                  count, t->rows - 1, t->columns};
}

static mesaopt_view view_of(const part *p, double *x, int64_t B, int64_t T, int64_t n)
{
    mesaopt_view v;
    TRY(p->ctx, mesaopt_view_dense(x, MESAOPT_F64, 3, (const int64_t[]){B, T, n}, &v));
    return v;
}

static mesaopt_task *task_of(const part *p, const mesaopt_settings *settings)
{
    mesaopt_tensor **all = must_alloc(NULL, (size_t)p->count * sizeof *all);
    mesaopt_task *task = NULL;
    for (int64_t i = 0; i < p->count; i++) {
        const int64_t shape[] = {p->length[i], p->n};
        double *x = (double *)p->value + i * (p->T + 1) * p->n;
        mesaopt_view view;
        TRY(p->ctx, mesaopt_view_dense(x, MESAOPT_F64, 2, shape, &view));
        TRY(p->ctx, mesaopt_tensor_wrap(p->ctx, &view, NULL, NULL, &all[i]));
    }
    TRY(p->ctx, mesaopt_task_from_tensors(p->ctx, settings, p->count, all, &task));
    for (int64_t i = 0; i < p->count; i++) mesaopt_tensor_free(all[i]);    /* the task holds them */
    free(all);
    return task;
}

/* A tensor of the model's dtype. */
static mesaopt_tensor *scratch(const training *t, int64_t B, int64_t T, int64_t n,
                               mesaopt_view *view)
{
    mesaopt_tensor *tensor = NULL;
    mesaopt_view weight;
    TRY(t->ctx,
        mesaopt_model_parameter(t->model, mesaopt_model_parameter_name(t->model, 0), &weight));
    TRY(t->ctx,
        mesaopt_tensor_create(t->ctx, weight.dtype, 3, (const int64_t[]){B, T, n}, &tensor));
    TRY(t->ctx, mesaopt_tensor_view(tensor, view));
    return tensor;
}

static void predict_model(const training *t, const part *p, double *out)
{
    int64_t width;
    TRY(p->ctx, mesaopt_task_shape(t->test, NULL, NULL, &width, NULL));
    for (int64_t i = 0; i < p->count; i += CHUNK) {
        const int64_t B = p->count - i < CHUNK ? p->count - i : CHUNK;
        const mesaopt_view from = view_of(p, (double *)p->value + i * (p->T + 1) * p->n, B,
                                          p->T + 1, p->n),
                           to = view_of(p, out + i * p->T * p->n, B, p->T, p->n);
        mesaopt_view x, tokens, y;
        mesaopt_tensor *all[] = {scratch(t, B, p->T + 1, p->n, &x),
                                 scratch(t, B, p->T, width, &tokens),
                                 scratch(t, B, p->T, p->n, &y)};
        TRY(p->ctx, mesaopt_tensor_copy(p->ctx, &from, &x));
        TRY(p->ctx, mesaopt_task_tokens(t->test, &x, &tokens));
        TRY(p->ctx, mesaopt_model_forward(t->model, &tokens, &y));
        TRY(p->ctx, mesaopt_tensor_copy(p->ctx, &y, &to));
        for (int k = 0; k < 3; k++) mesaopt_tensor_free(all[k]);
    }
}

static void predict_persistence(const part *p, double *out)
{
    const int64_t one = p->T * p->n;
    for (int64_t i = 0; i < p->count; i++)
        memcpy(out + i * one, p->value + i * (one + p->n), (size_t)one * sizeof(double));
}

static mesaopt_status predict_baseline(const part *p, mesaopt_task *training_task, int64_t kept,
                                       const char *settings, double *best, double *out)
{
    mesaopt_baseline *baseline = NULL;
    const mesaopt_view from = view_of(p, (double *)p->value, p->count, p->T + 1, p->n),
                       to = view_of(p, out, p->count, p->T, p->n);
    TRY(p->ctx, mesaopt_baseline_create(p->ctx, args_preset(MESAOPT_SCOPE_BASELINE, settings),
                                        &baseline));
    const mesaopt_status status =
        TRY(p->ctx, mesaopt_baseline_search(baseline, training_task, kept, best));
    TRY(p->ctx, mesaopt_baseline_predict(baseline, &from, &to));
    mesaopt_baseline_free(baseline);
    return status;
}

/* Least squares from (x_{t-1}, 1) to x_t, as the mesa layer has it: keys, values and queries [B, T,
 * 1, n + 1 or n]. */
static void predict_intercept(const part *p, double ridge, double *out)
{
    const int64_t rows = p->count * p->T, n = p->n, keys[] = {p->count, p->T, 1, n + 1},
                  values[] = {p->count, p->T, 1, n};
    double *k = must_alloc(NULL, (size_t)(rows * (n + 1)) * sizeof(double)),
           *q = must_alloc(NULL, (size_t)(rows * (n + 1)) * sizeof(double));
    const mesaopt_view v = {.data = (double *)p->value,
                            .shape = {p->count, p->T, 1, n},
                            .stride = {(p->T + 1) * n, n, n, 1},
                            .ndim = 4,
                            .dtype = MESAOPT_F64};
    mesaopt_view kv, qv, to;
    mesaopt_settings *settings = args_settings(MESAOPT_SCOPE_LSQ, "");
    mesaopt_lsq *lsq = NULL;
    for (int64_t i = 0; i < rows; i++) {
        const double *x = p->value + (i / p->T * (p->T + 1) + i % p->T) * n;
        const int first = i % p->T == 0;           /* before x_1 there is nothing: no pair */
        for (int64_t j = 0; j <= n; j++)
            q[i * (n + 1) + j] = j < n ? x[j] : 1, k[i * (n + 1) + j] = first   ? 0
                                                                        : j < n ? x[j - n]
                                                                                : 1;
    }
    TRY(p->ctx, mesaopt_settings_set_float(settings, MESAOPT_KEY_RIDGE, ridge));
    TRY(p->ctx, mesaopt_lsq_plan(p->ctx, settings, n + 1, n, &lsq));
    TRY(p->ctx, mesaopt_view_dense(k, MESAOPT_F64, 4, keys, &kv));
    TRY(p->ctx, mesaopt_view_dense(q, MESAOPT_F64, 4, keys, &qv));
    TRY(p->ctx, mesaopt_view_dense(out, MESAOPT_F64, 4, values, &to));
    TRY(p->ctx, mesaopt_lsq_forward(lsq, &qv, &kv, &v, &to, 0, NULL, NULL));
    mesaopt_lsq_free(lsq);
    free(k), free(q);
}

/* ---- errors, in the file's units ---- */

/* Half the sum of squared errors by t, mean over the sequences that go on: into by_t unless NULL;
 * root mean square error of every column likewise. Returns the mean over all rows predicted. */
static double score(const part *p, const double *out, double *by_t, double *by_column)
{
    const int64_t n = p->n;
    double sum = 0, rows = 0;
    for (int64_t j = 0; by_column && j < n; j++) by_column[j] = 0;
    for (int64_t t = 0; t < p->T; t++) {
        double error = 0, count = 0;
        for (int64_t i = 0; i < p->count; i++) {
            if (t + 1 >= p->length[i]) continue;
            const double *guess = out + (i * p->T + t) * n,
                         *x = p->value + (i * (p->T + 1) + t + 1) * n;
            for (int64_t j = 0; j < n; j++) {
                const double d = (guess[j] - x[j]) * p->of->sd[j];
                error += d * d / 2;
                if (by_column) by_column[j] += d * d;
            }
            count++;
        }
        if (by_t) by_t[t] = error / count;
        sum += error, rows += count;
    }
    for (int64_t j = 0; by_column && j < n; j++) by_column[j] = sqrt(by_column[j] / rows);
    return sum / rows;
}

/* The ridge that predicts the training part best, in half powers of ten. */
static double search_intercept(const part *p, double *out)
{
    double best = 0, least = INFINITY;
    for (int i = -8; i <= 8; i++) {
        const double ridge = pow(10, i / 2.0);
        predict_intercept(p, ridge, out);
        const double error = score(p, out, NULL, NULL);
        if (error < least) least = error, best = ridge;
    }
    return best;
}

enum { MODEL, PERSISTENCE, GD, LSQ, INTERCEPT, PREDICTORS };

static void report_columns(const part *p, double *const rmse[PREDICTORS], const curves *c)
{
    char path[MAX_PATH];
    out_path("columns.csv", path);
    FILE *f = open_file(path, "w");
    fputs("column,mean,sd", f);
    for (int i = 0; i < PREDICTORS; i++) fprintf(f, ",%s", c->of[i].name);
    printf("\nroot mean square error of every column\n\n%-20s%14s%14s%14s%14s%14s\n", "column",
           "mean", "sd", "model", "persistence", "lsq_intercept");
    for (int64_t j = 0; j < p->n; j++) {
        fputc('\n', f);
        rows_write_name(f, p->of->name[j]);
        fprintf(f, ",%.9g,%.9g", p->of->mean[j], p->of->sd[j]);
        for (int i = 0; i < PREDICTORS; i++) fprintf(f, ",%.9g", rmse[i][j]);
        printf("%-20.20s%14.6g%14.6g%14.6g%14.6g%14.6g\n", p->of->name[j], p->of->mean[j],
               p->of->sd[j], rmse[MODEL][j], rmse[PERSISTENCE][j], rmse[INTERCEPT][j]);
    }
    fputc('\n', f);
    close_file(f, path);
    printf("table: %s\n", path);
}

/* Steps of the longest sequence. */
static int64_t steps_of(const part *p)
{
    int64_t most = 0;
    for (int64_t i = 0; i < p->count; i++)
        if (p->length[i] - 1 > most) most = p->length[i] - 1;
    return most;
}

static void report(const training *t, const part *train, const part *test)
{
    static const char *const names[] = {"model", "persistence", "gd", "lsq", "lsq_intercept"},
                             *const numbers[] = {NULL, NULL, "eta", "ridge", "ridge"};
    const int64_t most = train->count > test->count ? train->count : test->count;
    double *out = must_alloc(NULL, (size_t)(most * test->T * test->n) * sizeof(double)),
           *rmse[PREDICTORS];
    curves c = {.length = steps_of(test),
                .dim = test->n,
                .count = PREDICTORS,
                .loss = "Loss while training, of standardised columns"};
    for (int i = 0; i < PREDICTORS; i++) {
        double best = 0;
        int at_bound = 0;
        if (i == MODEL) predict_model(t, test, out);
        if (i == PERSISTENCE) predict_persistence(test, out);
        if (i == GD)
            at_bound = predict_baseline(test, t->task, train->count, "baseline=gd", &best, out) ==
                       MESAOPT_AT_BOUND;
        if (i == LSQ)
            at_bound = predict_baseline(test, t->task, train->count, "baseline=lsq newest_pair=1",
                                        &best, out) == MESAOPT_AT_BOUND;
        if (i == INTERCEPT) best = search_intercept(train, out), predict_intercept(test, best, out);
        c.of[i].name = names[i], c.of[i].number = numbers[i], c.of[i].best = best,
        c.of[i].at_bound = at_bound, c.of[i].runs = 1;
        c.of[i].by_t = must_alloc(NULL, (size_t)test->T * sizeof(double)),
        rmse[i] = must_alloc(NULL, (size_t)test->n * sizeof(double));
        c.of[i].mean = score(test, out, c.of[i].by_t, rmse[i]);
    }
    curves_report(&c, "Error of the next row by t, on the sequences held out, in the file's units");
    report_columns(test, rmse, &c);
    if (c.of[PERSISTENCE].mean > 0 && c.of[INTERCEPT].mean > 0)
        printf("\nthe model's error is %.3g of persistence's, and %.3g of that of least squares "
               "with an intercept\n",
               c.of[MODEL].mean / c.of[PERSISTENCE].mean, c.of[MODEL].mean / c.of[INTERCEPT].mean);
    else
        printf("\npersistence or least squares makes no error here: no share of it can be told\n");
    for (int i = 0; i < PREDICTORS; i++) free(rmse[i]);
    free(out);
}

/* ---- training ---- */

/* The read-out as persistence: the token's first slot, x_t. */
static void start_from_persistence(const training *t, int64_t layers)
{
    char name[64];
    mesaopt_view w;
    snprintf(name, sizeof name, "blocks.%lld.weight", (long long)layers);
    TRY(t->ctx, mesaopt_model_parameter(t->model, name, &w));
    double *start = must_alloc(NULL, (size_t)(w.shape[0] * w.shape[1]) * sizeof(double));
    for (int64_t i = 0; i < w.shape[0] * w.shape[1]; i++)
        start[i] = i / w.shape[1] == i % w.shape[1];
    mesaopt_view from;
    TRY(t->ctx, mesaopt_view_dense(start, MESAOPT_F64, 2, w.shape, &from));
    TRY(t->ctx, mesaopt_tensor_copy(t->ctx, &from, &w));
    free(start);
}

static int is_even(const table *t)
{
    int64_t i = 0;
    while (i < t->sequences && t->length[i] == t->rows) i++;
    return i == t->sequences;
}

static mesaopt_status train(mesaopt_ctx *ctx)
{
    training t = {.ctx = ctx};
    int64_t width;
    mesaopt_settings *task = args_settings(MESAOPT_SCOPE_TASK, "tokens=slots slots=4"),
                     *model = args_settings(MESAOPT_SCOPE_MODEL, "");
    mesaopt_settings *layer = args_settings(args_block_scope("kind"), "heads=2 key=20"),
                     *dense = args_settings(MESAOPT_SCOPE_DENSE, "");
    mesaopt_settings *trainer = args_settings(MESAOPT_SCOPE_TRAINER, "lr=1e-3 warmup=100 batch=64");
    const int64_t layers = args_int("layers", 1, 1000), percent = args_int("holdout", 1, 99);
    args_int("count", 2, 1 << 24), args_int("save", 1, INT64_MAX / 4), args_int("keep", 0, 1),
        args_int("steps", 0, INT64_MAX / 4),
        args_int("every", 1, INT64_MAX / 4), args_int("window", 0, 1 << 30), error_text();
    args_end();
    if (!*args_text("file"))
        args_refuse("file", "a CSV file of sequences (own_data make=FILE writes one to try)");
    table data = read_table(args_text("file"), 2);         /* some to train on, some held out */
    const int64_t held_out =
                      data.sequences * percent / 100 > 0 ? data.sequences * percent / 100 : 1,
                  kept = data.sequences - held_out;
    standardise(ctx, &data, kept);

    const part first = part_of(ctx, &data, 0, kept), last = part_of(ctx, &data, kept, held_out);
    t.task = task_of(&first, task);
    t.test = task_of(&last, task);
    TRY(ctx, mesaopt_task_shape(t.task, NULL, NULL, &width, NULL));
    must(ctx, mesaopt_settings_set_int(model, MESAOPT_KEY_INPUTS, width), "inputs");
    must(ctx, mesaopt_settings_set_int(model, MESAOPT_KEY_OUTPUTS, data.columns), "outputs");
    must(ctx, mesaopt_settings_set_int(dense, MESAOPT_KEY_OUTPUTS, data.columns), "outputs");
    TRY(ctx, mesaopt_model_create(ctx, model, &t.model));
    for (int64_t i = 0; i < layers; i++) TRY(ctx, mesaopt_model_add(t.model, layer));
    TRY(ctx, mesaopt_model_add(t.model, dense));
    start_from_persistence(&t, layers);
    scale_keep(ctx, t.model, data.columns, data.mean, data.sd);
    if (data.named) names_keep(ctx, t.model, data.columns, (const char *const *)data.name);
    training_create(&t, trainer);
    printf("%lld sequences of %s%lld rows and %lld columns to train on, %lld held out\n",
           (long long)kept, is_even(&data) ? "" : "up to ", (long long)data.rows,
           (long long)data.columns, (long long)held_out);

    catch_signals(ctx);
    const mesaopt_status status = training_run(&t);
    if (status == MESAOPT_OK) report(&t, &first, &last);
    catch_signals(NULL);
    training_free(&t);
    table_free(&data);
    return status;
}

int main(int argc, char **argv)
{
    own_key own[] = {
        {"file", "", "CSV file of sequences"},
        SEQUENCES_KEYS,
        {"holdout", "20", "per cent of the sequences that are held out, the last ones"},
        {"kind", "mesa", "attention of the layers: linear, softmax or mesa"},
        {"layers", "1", "layers of attention"},
        {"make", "", "writes an example of such a file there, and does nothing else"},
        {"count", "500", "sequences that make=FILE writes"},
        TRAINING_KEYS("2000", "own_data.out"),
        ERROR_KEY,
        {NULL, NULL, NULL}};
    args_begin(argc, argv,
               "Trains attention on your own sequences; compares it with persistence, gradient "
               "descent and least squares.",
               own);
    mesaopt_ctx *ctx = args_ctx();
    const char *make = args_text("make");
    if (*make) args_default("out", "");            /* nothing goes there */
    args_hide(*make ? " tokens slots "
                    : " task dim length noise data_clip start hidden map_sd observation_noise "
                      "teachers segment tokens inputs outputs first pe ");
    const int result = *make ? make_file(ctx, make) : train(ctx) != MESAOPT_OK ? 130 : 0;
    mesaopt_ctx_free(ctx);
    args_free();
    return result;
}
