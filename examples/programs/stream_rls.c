/* stream_rls: predicts the next row of a time series from the rows before it, by recursive least
 * squares in f64, row by row as they come.
 *
 *   stream_rls file=weather.csv lags=3 gamma=0.999
 *   tail -f sensors.csv | stream_rls predictions=-
 *
 * All columns count from the first row: x_t is row t minus row 1 (which predictions add again), for
 * sums of squares in double would leave no digits to a column that is large beside its changes, a
 * time in seconds, say. The key of a row is the last `lags` of these rows and a constant 1; of
 * x_{t+1} it predicts the change from x_t (toward=last) or x_{t+1} itself (toward=zero), which is
 * what the ridge pulls to 0. The ridge counts in squares of the data's units: above it, the sum of
 * squares of a column decides. What is scored is the prediction that was made before a row was
 * there, beside persistence, which says x_{t+1} = x_t. Memory does not grow with the rows.
 *
 * Input: rows of numbers as rows.h reads them, with or without a line of names. With missing=output
 * a gap is the value before in keys, and nothing that its column learns or is scored on. With
 * save=FILE the state goes to FILE at the end, after Ctrl-C and before a line that will not do; the
 * same command with load=FILE goes on from there, and adds to the predictions. Settings gamma
 * (forgetting), window (only the last rows count) and ridge: mesaopt/rls.h. */
#include "stream_files.h"
#include "stream_state.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const double ABSURD = 1e100;            /* no prediction of numbers up to 1e50; the sum of
                                                  its squares would soon be infinite */

/* A view [T, 1, width] of rows that are `stride` apart. */
static mesaopt_view rows_view(double *x, int64_t T, int64_t width, int64_t stride)
{
    return (mesaopt_view){.data = x,
                          .shape = {T, 1, width},
                          .stride = {stride, stride, 1},
                          .ndim = 3,
                          .dtype = MESAOPT_F64};
}

/* ---- predictions ---- */

static void write_names(stream *s)
{
    fputs("row", s->predictions);
    for (int se = 0; se <= s->errors; se++)
        for (int64_t j = 0; j < s->m; j++) {
            char name[256];
            snprintf(name, sizeof name, se ? "%.250s_se" : "%.250s", rows_name(&s->in, j));
            fputc(',', s->predictions);
            rows_write_name(s->predictions, name);
        }
    fputc('\n', s->predictions);
}

/* After load= they go on where those of the saved run ended, with the row after the next: the file
 * is added to. */
static void open_predictions(stream *s)
{
    struct stat file;
    s->predictions = predictions_open();
    if (s->predictions && *args_text("load") && strcmp(args_text("predictions"), "-") != 0 &&
        fstat(fileno(s->predictions), &file) == 0 && S_ISREG(file.st_mode) && file.st_size == 0)
        write_names(s);
}

/* What was predicted for that row from key i of the block. */
static void write_prediction(stream *s, int64_t i, int64_t row)
{
    if (!s->predictions) return;
    fprintf(s->predictions, "%lld", (long long)row);
    for (int64_t j = 0; j < s->m; j++)
        fprintf(s->predictions, ",%.15g", s->first[j] + s->ahead[i * s->m + j]);
    for (int64_t j = 0; j < s->m && s->errors; j++)
        fprintf(s->predictions, ",%.6g", s->error[i * s->m + j]);
    fputc('\n', s->predictions);
}

/* Completes the prediction of this row from key i, the last one so far when `last`. */
static void finish_prediction(stream *s, int64_t i, int64_t row, int last)
{
    int good = !(last && s->unsolved);
    for (int64_t j = 0; j < s->m; j++) {
        if (s->from_last) s->ahead[i * s->m + j] += s->key[i * s->d + j];
        good &= fabs(s->ahead[i * s->m + j]) < ABSURD;             /* nan is not */
    }
    if (!good)
        die("%s: no prediction of row %lld: the sums over the rows before it leave no digits "
            "beside ridge=; expected a larger ridge, or ignore= with a "
            "column that is much larger than the others or depends on them",
            s->in.path, (long long)row);
}

/* What TRY does, and keeps in mind when there was no solution: finish_prediction knows the row. */
static void solve(stream *s, mesaopt_status status, const char *call)
{
    if (status != MESAOPT_E_NONFINITE) must(s->ctx, status, call);
    s->unsolved |= status == MESAOPT_NOT_CONVERGED || status == MESAOPT_E_NONFINITE;
}

/* From key i alone, on all pairs so far. */
static void predict(stream *s, int64_t i)
{
    const mesaopt_view q = rows_view(s->key + i * s->d, 1, s->d, s->d),
                       out = rows_view(s->ahead + i * s->m, 1, s->m, s->m);
    const mesaopt_view error = rows_view(s->error + i * s->m, 1, s->m, s->m);
    solve(s, mesaopt_rls_predict(s->rls, &q, &out, s->errors ? &error : NULL),
          "mesaopt_rls_predict");
}

/* Takes in the pairs of keys first .. last - 1 and the rows after them, and predicts from keys
 * first + 1 .. last. */
static void learn(stream *s, int64_t first, int64_t last)
{
    const int64_t step = s->errors ? 1 : last - first;         /* standard errors come one by one */
    for (int64_t i = first; i < last; i++)
        for (int64_t j = 0; j < s->m; j++)
            s->value[i * s->m + j] =
                s->gap[(i + 1) * s->n + j]
                    ? NAN
                    : s->key[(i + 1) * s->d + j] - (s->from_last ? s->key[i * s->d + j] : 0);
    for (int64_t i = first; i < last; i += step) {
        const mesaopt_view k = rows_view(s->key + i * s->d, step, s->d, s->d),
                           q = rows_view(s->key + (i + 1) * s->d, step, s->d, s->d);
        const mesaopt_view v = rows_view(s->value + i * s->m, step, s->m, s->m),
                           out = rows_view(s->ahead + (i + 1) * s->m, step, s->m, s->m);
        if (!s->errors) {
            solve(s, mesaopt_rls_step(s->rls, &q, &k, &v, NULL, NULL, &out), "mesaopt_rls_step");
        } else {
            solve(s, mesaopt_rls_update(s->rls, &k, &v, NULL, NULL), "mesaopt_rls_update");
            predict(s, i + 1);
        }
    }
}

/* ---- rows ---- */

/* The prediction from key i beside the row after it. */
static void score(stream *s, int64_t i)
{
    const double *x = s->key + (i + 1) * s->d, *before = s->key + i * s->d,
                 *ahead = s->ahead + i * s->m;
    double sum[KINDS] = {0};
    for (int64_t j = 0; j < s->m; j++) {
        const double e = ahead[j] - x[j], p = before[j] - x[j];
        if (s->gap[(i + 1) * s->n + j]) continue;
        s->seen[j]++, s->all++, s->late++;
        s->squares[RLS][j] += e * e, s->squares[PERSISTENCE][j] += p * p;
        sum[RLS] += e * e, sum[PERSISTENCE] += p * p;
    }
    for (int k = 0; k < KINDS; k++) s->sum[k] += sum[k];
    s->scored++;
}

/* A key whose row has been read: that row minus the first one, and the rows before it. (The 1 at
 * its end stays.) */
static void stack(stream *s, int64_t i)
{
    double *const row = s->key + i * s->d;
    if (s->in.outputs) memcpy(s->gap + i * s->n, s->in.gap, (size_t)s->n);
    if (s->rows + i == 1) memcpy(s->first, row, (size_t)s->n * sizeof(double));
    for (int64_t j = 0; j < s->n; j++) row[j] -= s->first[j];
    memcpy(row + s->n, s->key + (i - 1) * s->d, (size_t)((s->lags - 1) * s->n) * sizeof(double));
}

/* The first `count` rows of the block. */
static void absorb(stream *s, int64_t count)
{
    /* first key with all its rows */
    const int64_t complete = s->rows >= s->lags ? 0 : s->lags - s->rows;
    if (s->predictions && s->rows == 0) predictions_clear(s->predictions), write_names(s);
    if (complete > 0 && complete <= count) predict(s, complete);
    if (complete < count) learn(s, complete, count);
    for (int64_t i = complete > 0 ? complete : 1; i <= count; i++) {
        finish_prediction(s, i, s->rows + i + 1, i == count);
        write_prediction(s, i, s->rows + i + 1);
    }
    const int64_t rows = s->rows;
    for (int64_t i = complete; i < count; i++) {
        s->rows = rows + i + 1;
        score(s, i);
        if (s->scored >= s->next) stream_report(s);
    }
    s->rows = rows + count;
    memcpy(s->key, s->key + count * s->d, (size_t)s->d * sizeof(double));
    memcpy(s->ahead, s->ahead + count * s->m, (size_t)s->m * sizeof(double));
}

/* ---- all of it ---- */

/* To the end of the rows, or to a line that will not do. A block ends where a reader would have to
 * wait. */
static void run(stream *s)
{
    int64_t count = 0;
    for (int more = 1; more && !rows_stopped();) {
        while (count < BLOCK && rows_next(&s->in, s->key + (count + 1) * s->d)) stack(s, ++count);
        const int full = count == BLOCK;
        if (count > 0) absorb(s, count);
        count = 0;
        if (s->scored > 0) out_keep();
        more = !s->predictions || flushed(s->predictions);
        if (!full && more) more = !s->in.bad && rows_fill(&s->in);
    }
}

static void begin(stream *s, const mesaopt_settings *settings)
{
    const char *out = args_text("out"), *from = args_text("load");
    saved in = {0};
    rows_open(&s->in, args_text("file"), NULL, 1);
    if (*from) in = stream_load_names(s, from);
    s->n = s->in.used;
    s->m = rows_first(&s->in, "targets");
    s->d = s->lags * s->n + s->intercept;
    s->first = zeros(s->n), s->key = zeros((BLOCK + 1) * s->d),
    s->value = zeros(BLOCK * s->m), s->seen = zeros(s->m);
    s->gap = must_alloc(NULL, (size_t)((BLOCK + 1) * s->n));
    memset(s->gap, 0, (size_t)((BLOCK + 1) * s->n));
    s->ahead = zeros((BLOCK + 1) * s->m), s->error = zeros((BLOCK + 1) * s->m);
    for (int k = 0; k < KINDS; k++) s->squares[k] = zeros(s->m);
    for (int64_t i = 1; i <= BLOCK + 1 && s->intercept; i++) s->key[i * s->d - 1] = 1;
    TRY(s->ctx, mesaopt_lsq_plan(s->ctx, settings, s->d, s->m, &s->lsq));
    if (*from) stream_load(s, &in);
    else TRY(s->ctx, mesaopt_rls_create(s->lsq, 1, NULL, &s->rls));
    s->next = s->scored + (s->every > 0 ? s->every : 1);
    s->shown = seconds();
    if (*out) out_begin(s->ctx);       /* predictions= may lie in it */
    open_predictions(s);
    if (s->rows >= s->lags) {
        predict(s, 0);
        finish_prediction(s, 0, s->rows + 1, 1);
    }
    if (!*out) return;
    out_path("error.csv", s->curve_path);
    s->curve = open_file(s->curve_path, "w");
    fputs("row,rls,persistence,rls_lately,persistence_lately\n", s->curve);
}

/* What there is, whether all rows have come or something ends the program. The state comes first:
 * a file that cannot be written is not to lose it. */
static void finish(stream *s)
{
    if (s->scored == 0 && !rows_stopped() && !s->in.bad)
        die("%s: %lld row%s, expected at least %lld: one more than lags", s->in.path,
            (long long)s->rows, s->rows == 1 ? "" : "s", (long long)s->lags + 1);
    if (*args_text("save") && s->rows > 0) stream_save(s, args_text("save"));
    if (s->predictions && s->rows > 0) close_file(s->predictions, args_text("predictions"));
    if (s->scored > 0) stream_end_reports(s);
    if (s->in.bad) rows_fill(&s->in);                  /* says why, and ends the program */
    if (rows_stopped()) fprintf(stderr, "stopped after row %lld\n", (long long)s->rows);
}

static void end(stream *s)
{
    rows_close(&s->in);
    double *const all[] = {s->first, s->key,  s->value,        s->ahead,
                           s->error, s->seen, s->squares[RLS], s->squares[PERSISTENCE]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    free(s->gap);
    mesaopt_rls_free(s->rls);
    mesaopt_lsq_free(s->lsq);
}

int main(int argc, char **argv)
{
    own_key own[] = {
        {"file", "-", "time series, oldest row first; -: standard input"},
        {"targets", "", "columns to predict, names or numbers: a,b or 1,3; empty: all"},
        ROWS_TABLE_KEYS,
        {"missing", "refuse",
         "gaps (empty, NA, NaN, null): refuse, skip (the row), hold (the value before) or output "
         "(the value before in keys, and nothing to learn for its column)"},
        {"lags", "1", "rows that a prediction is made from"},
        {"intercept", "1", "1: and from a constant (columns count from the first row)"},
        {"toward", "last",
         "what the ridge pulls a prediction to: last (the row before) or zero (of columns that "
         "count from the first row)"},
        {"predictions", "",
         "file for a prediction of every row before it comes (with load=, added to it); -: "
         "standard output"},
        {"errors", "0", "1: with their standard errors (of the mean: rows scatter about it)"},
        {"every", "0", "rows between two reports; 0: more and more"},
        {"save", "", "file for the state at the end"},
        {"load", "", "state to go on from"},
        OUT_KEYS("stream_rls.out",
                 "folder for error.csv and figure, made when missing; empty: none"),
        {NULL, NULL, NULL}};
    stream s = {0};
    args_begin(argc, argv,
               "Predicts the next row of a time series as its rows come in, and compares with "
               "persistence.",
               own);
    args_hide(" lanes chunk solver tolerance iterations fallback missing ");
    s.ctx = args_ctx();
    const mesaopt_settings *settings = args_settings(
        MESAOPT_SCOPE_LSQ, strcmp(args_text("missing"), "output") == 0 ? "missing=output" : "");
    TRY(s.ctx, mesaopt_settings_get_float(settings, MESAOPT_KEY_RIDGE, &s.ridge));
    s.ridge_told = args_given("ridge");
    s.lags = args_int("lags", 1, 1000), s.intercept = (int)args_int("intercept", 0, 1);
    s.errors = (int)args_int("errors", 0, 1), s.every = args_int("every", 0, INT64_MAX / 4);
    s.from_last = strcmp(args_text("toward"), "last") == 0;
    if (!s.from_last && strcmp(args_text("toward"), "zero") != 0)
        args_refuse("toward", "last or zero");
    if (s.errors && !*args_text("predictions")) args_refuse("errors", "predictions= as well");
    args_end();

    stream_files_check();
    begin(&s, settings);
    run(&s);
    finish(&s);
    end(&s);
    mesaopt_ctx_free(s.ctx);
    args_free();
    return rows_stopped() ? 130 : 0;
}
