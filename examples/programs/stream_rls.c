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
 * Input: rows of numbers as rows.h reads them, with or without a line of names. With save=FILE the
 * state goes to FILE at the end, after Ctrl-C and before a line that will not do; the same command
 * with load=FILE goes on from there, and adds to the predictions. Settings gamma (forgetting),
 * window (only the last rows count) and ridge: mesaopt/rls.h. */
#include "common.h"
#include "stream_files.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NOTE "stream_rls"               /* in a state: all that the state itself does not hold */
#define FORMAT "stream_rls 3"

enum { BLOCK = 256, RLS = 0, PERSISTENCE = 1, KINDS = 2 };
static const double ABSURD = 1e100;            /* no prediction of numbers up to 1e50; the sum of
                                                  its squares would soon be infinite */

typedef struct stream {
    mesaopt_ctx *ctx;
    mesaopt_lsq *lsq;
    mesaopt_rls *rls;
    row_reader in;
    int64_t n, m, lags, d;             /* columns, those predicted (the first ones), rows in a key,
                                          numbers in a key */
    int from_last, intercept, errors;
    double ridge;
    int ridge_told;                    /* on the command line; a state knows its own */
    int unsolved;                      /* the library has no solution of full precision */
    double *first;                     /* the first row: from here on it is subtracted from every
                                          row */
    double *key;                       /* BLOCK + 1 keys, each the newest row first: that of the
                                          last row before the block, then its rows' */
    double *value;                     /* BLOCK x m: what there was to predict; NaN: nothing */
    char *gap;                         /* (BLOCK + 1) x n, missing=output: is a number of the newest
                                          row that of the row before it? */
    double *ahead, *error;             /* (BLOCK + 1) x m: predictions from these keys, and standard
                                          errors */
    int64_t rows, scored;              /* so far */
    double *seen;                      /* m: numbers that were scored */
    double all, late;                  /* of all columns; since the last report */
    double *squares[KINDS];            /* m: sums of squared errors */
    double sum[KINDS], reported[KINDS];        /* over all columns; at the last report */
    int64_t every, next, last;         /* rows between reports (0: more and more), scored rows at
                                          the next and at the last */
    double shown;
    FILE *predictions, *curve;
    char curve_path[MAX_PATH];
} stream;

static const char *const same_as_saved[] = {"lags", "intercept", "toward", "targets", "ignore"};
enum { SAME = sizeof same_as_saved / sizeof *same_as_saved };

static double *numbers(int64_t n)
{
    double *x = must_alloc(NULL, (size_t)n * sizeof(double));
    memset(x, 0, (size_t)n * sizeof(double));
    return x;
}

/* A view [T, 1, width] of rows that are `stride` apart. */
static mesaopt_view rows_view(double *x, int64_t T, int64_t width, int64_t stride)
{
    return (mesaopt_view){.data = x,
                          .shape = {T, 1, width},
                          .stride = {stride, stride, 1},
                          .ndim = 3,
                          .dtype = MESAOPT_F64};
}

static const char *target_name(const stream *s, int64_t j)
{
    for (int64_t i = 0; i < s->in.columns; i++)
        if (s->in.place[i] == j) return s->in.name[i];
    return "";
}

/* ---- reports ---- */

static double rms(double squares, double n) { return sqrt(squares / n); }

/* A row of error.csv and perhaps a line for people: errors so far, and since the last report. */
static void report(stream *s)
{
    const double now = seconds(),
                 so_far[] = {rms(s->sum[RLS], s->all), rms(s->sum[PERSISTENCE], s->all)};
    double lately[KINDS];
    for (int k = 0; k < KINDS; k++)
        lately[k] = rms(s->sum[k] - s->reported[k], s->late), s->reported[k] = s->sum[k];
    if (s->curve)
        fprintf(s->curve, "%lld,%.9g,%.9g,%.9g,%.9g\n", (long long)s->rows, so_far[RLS],
                so_far[PERSISTENCE], lately[RLS], lately[PERSISTENCE]);
    if (s->every > 0 || now - s->shown > 2) {
        s->shown = now;
        fprintf(stderr, "row %lld  rmse %.5g, persistence %.5g; of the last %lld: %.5g, %.5g\n",
                (long long)s->rows, so_far[RLS], so_far[PERSISTENCE],
                (long long)(s->scored - s->last), lately[RLS], lately[PERSISTENCE]);
    }
    s->last = s->scored;
    s->late = 0;
    s->next = s->scored + (s->every > 0 ? s->every : 1 + s->scored / 50);
}

static void table_row(const char *name, double rls, double persistence)
{
    printf("%-20s%16.9g%16.9g", name, rls, persistence);
    if (persistence > 0) printf("%10.4g\n", rls / persistence);
    else printf("%10s\n", "-");
}

/* Root of the mean over columns of squared errors, each in units of persistence's; 0: there is no
 * column that changes. */
static double relative(const stream *s)
{
    double sum = 0;
    int64_t n = 0;
    for (int64_t j = 0; j < s->m; j++)
        if (s->squares[PERSISTENCE][j] > 0)
            sum += s->squares[RLS][j] / s->squares[PERSISTENCE][j], n++;
    return n ? sqrt(sum / (double)n) : 0;
}

static void table(const stream *s)
{
    const double units = relative(s);
    printf("\nroot mean square error of predictions of the next row, %lld rows\n\n",
           (long long)s->scored);
    printf("%-20s%16s%16s%10s\n", "column", "rls", "persistence", "ratio");
    for (int64_t j = 0; j < s->m; j++)
        table_row(target_name(s, j), rms(s->squares[RLS][j], s->seen[j]),
                  rms(s->squares[PERSISTENCE][j], s->seen[j]));
    table_row("all", rms(s->sum[RLS], s->all), rms(s->sum[PERSISTENCE], s->all));
    if (units > 0) table_row("all_relative", units, 1);
    if (units > 0)
        puts("\nall is in the columns' units, the largest first; all_relative counts every column "
             "in units of persistence's error");
}

static void end_reports(stream *s)
{
    if (s->scored > s->last) report(s);
    table(s);
    if (!s->curve) return;
    close_file(s->curve, s->curve_path);
    printf("\nrunning error: %s\n", s->curve_path);
    figure("error", 2, "Predictions of the next row, all rows so far", "row",
           "root mean square error");
}

/* ---- predictions ---- */

/* With predictions=- they have standard output for themselves: everything else goes to standard
 * error. After load= they go on where those of the saved run ended, with the row after the next:
 * the file is added to. */
static void open_predictions(stream *s)
{
    const char *path = args_text("predictions");
    const int more = *args_text("load") != 0;
    struct stat file;
    if (!*path) return;
    if (strcmp(path, "-") == 0) {
        s->predictions = fdopen(dup(STDOUT_FILENO), "w");
        if (!s->predictions || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
            die("cannot open standard output: %s", strerror(errno));
    } else {
        s->predictions = open_file(path, more ? "a" : "w");
    }
    if (more && !(strcmp(path, "-") != 0 && fstat(fileno(s->predictions), &file) == 0 &&
                  S_ISREG(file.st_mode) && file.st_size == 0))
        return;
    fputs("row", s->predictions);
    for (int se = 0; se <= s->errors; se++)
        for (int64_t j = 0; j < s->m; j++) {
            char name[256];
            snprintf(name, sizeof name, se ? "%.250s_se" : "%.250s", target_name(s, j));
            fputc(',', s->predictions);
            rows_write_name(s->predictions, name);
        }
    fputc('\n', s->predictions);
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
        if (s->scored >= s->next) report(s);
    }
    s->rows = rows + count;
    memcpy(s->key, s->key + count * s->d, (size_t)s->d * sizeof(double));
    memcpy(s->ahead, s->ahead + count * s->m, (size_t)s->m * sizeof(double));
    if (s->predictions) flush_file(s->predictions, args_text("predictions"));
}

/* ---- saved states: files of mesaopt_rls_save, with everything else in a note ---- */

static void write_numbers(FILE *f, const double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) fprintf(f, "%.17g%c", x[i], i + 1 < n ? ' ' : '\n');
}

static void save(stream *s, const char *file)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f) die("no memory for a state");
    fputs(FORMAT "\n", f);
    for (int i = 0; i < SAME; i++)
        fprintf(f, "%s=%s\n", same_as_saved[i], args_text(same_as_saved[i]));
    fprintf(f, "ridge=%.15g\n%lld columns\n", s->ridge, (long long)s->in.columns);
    for (int64_t i = 0; i < s->in.columns; i++) fprintf(f, "%s\n", s->in.name[i]);
    fprintf(f, "%lld rows, %lld scored\n", (long long)s->rows, (long long)s->scored);
    write_numbers(f, s->first, s->n);
    write_numbers(f, s->key, s->d);
    for (int k = 0; k < KINDS; k++) write_numbers(f, s->squares[k], s->m);
    if (fclose(f) != 0) die("no memory for a state");
    TRY(s->ctx, mesaopt_rls_set_note(s->rls, NOTE, text));
    TRY(s->ctx, mesaopt_rls_save(s->rls, file));
    free(text);
    fprintf(stderr, "state after row %lld: %s\n", (long long)s->rows, file);
}

/* A state that is being read: what is left of its note. */
typedef struct saved { const char *file; char *text, *rest; } saved;

static void read_numbers(saved *in, double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        char *end;
        x[i] = strtod(in->rest, &end);
        if (end == in->rest || !isfinite(x[i]))
            die("%s: damaged: expected a finite number", in->file);
        in->rest = end;
    }
}

/* The next line; it has to be `text` unless that is NULL. */
static const char *saved_line(saved *in, const char *text)
{
    char *const line = in->rest, *const end = strchr(line, '\n');
    if (end) *end = 0;
    if (!end || (text && strcmp(line, text) != 0))
        die("%s: '%.80s', expected '%s' as in this command and its input", in->file,
            end ? line : "the end", text ? text : "a name");
    in->rest = end + 1;
    return line;
}

/* The note up to the names of columns, which an input without names takes over. */
static saved load_names(stream *s, const char *file)
{
    char text[MAX_PATH];
    const int64_t bytes = mesaopt_file_note(s->ctx, file, NOTE, NULL, 0);
    saved in = {.file = file};
    must(s->ctx, bytes < 0 ? (mesaopt_status)bytes : MESAOPT_OK, "mesaopt_file_note");
    if (bytes == 0) die("%s: without the note " NOTE ", expected a state of this program", file);
    in.text = in.rest = must_alloc(NULL, (size_t)bytes);
    if (mesaopt_file_note(s->ctx, file, NOTE, in.text, bytes) != bytes)
        die("%s: has changed meanwhile", file);
    saved_line(&in, FORMAT);
    for (int i = 0; i < SAME; i++) {
        snprintf(text, sizeof text, "%s=%s", same_as_saved[i], args_text(same_as_saved[i]));
        saved_line(&in, text);
    }
    snprintf(text, sizeof text, "ridge=%.15g", s->ridge);
    if (sscanf(saved_line(&in, s->ridge_told ? text : NULL), "ridge=%lf", &s->ridge) != 1)
        die("%s: damaged: expected ridge=", file);
    snprintf(text, sizeof text, "%lld columns", (long long)s->in.columns);
    saved_line(&in, text);
    for (int64_t i = 0; i < s->in.columns; i++) {
        const char *const name = saved_line(&in, s->in.named ? s->in.name[i] : NULL);
        s->in.name[i] = must_alloc(s->in.name[i], strlen(name) + 1);
        strcpy(s->in.name[i], name);
    }
    return in;
}

static void load(stream *s, saved *in)
{
    long long rows = 0, scored = 0;
    double count = 0, *const missing = s->seen;
    if (sscanf(saved_line(in, NULL), "%lld rows, %lld scored", &rows, &scored) != 2 || rows < 1 ||
        scored != (rows > s->lags ? rows - s->lags : 0))
        die("%s: damaged: expected the numbers of rows", in->file);
    read_numbers(in, s->first, s->n);
    read_numbers(in, s->key, s->d);
    for (int k = 0; k < KINDS; k++) {
        read_numbers(in, s->squares[k], s->m);
        for (int64_t j = 0; j < s->m; j++) s->sum[k] += s->squares[k][j];
        s->reported[k] = s->sum[k];
    }
    free(in->text);
    TRY(s->ctx, mesaopt_rls_open(s->lsq, in->file, &s->rls));
    const mesaopt_view seen = {
        .data = &count, .shape = {1}, .stride = {1}, .ndim = 1, .dtype = MESAOPT_F64};
    TRY(s->ctx, mesaopt_rls_get(s->rls, 1, (const int32_t[]){MESAOPT_RLS_ROWS}, &seen));
    const mesaopt_view gaps = {
        .data = missing, .shape = {1, s->m}, .stride = {s->m, 1}, .ndim = 2, .dtype = MESAOPT_F64};
    TRY(s->ctx, mesaopt_rls_get(s->rls, 1, (const int32_t[]){MESAOPT_RLS_MISSING}, &gaps));
    for (int64_t j = 0; j < s->m; j++) s->all += s->seen[j] = (double)scored - missing[j];
    for (int64_t j = 0; j < s->n; j++) s->in.last[j] = s->first[j] + s->key[j];
    if (count != (double)scored)
        die("%s: damaged: a note of %lld predicted rows with a state of %.0f", in->file, scored,
            count);
    s->rows = rows, s->scored = s->last = scored;
}

/* ---- all of it ---- */

/* To the end of the rows. A block ends where a reader would have to wait. The state of the rows
 * before a line that ends the program is a good one. */
static void run(stream *s)
{
    const int64_t loaded = s->rows;
    int64_t count = 0;
    for (int more = 1; more && !rows_stopped();) {
        while (count < BLOCK && rows_next(&s->in, s->key + (count + 1) * s->d)) stack(s, ++count);
        const int full = count == BLOCK;
        if (count > 0) absorb(s, count);
        count = 0;
        if (s->in.bad && s->rows > loaded && *args_text("save")) save(s, args_text("save"));
        if (!full) more = rows_fill(&s->in);
    }
}

static void begin(stream *s, const mesaopt_settings *settings)
{
    const char *out = args_text("out"), *from = args_text("load");
    saved in = {0};
    rows_open(&s->in, args_text("file"), NULL, 1);
    if (*from) in = load_names(s, from);
    s->n = s->in.used;
    s->m = rows_first(&s->in, "targets");
    s->d = s->lags * s->n + s->intercept;
    s->first = numbers(s->n), s->key = numbers((BLOCK + 1) * s->d),
    s->value = numbers(BLOCK * s->m), s->seen = numbers(s->m);
    s->gap = must_alloc(NULL, (size_t)((BLOCK + 1) * s->n));
    memset(s->gap, 0, (size_t)((BLOCK + 1) * s->n));
    s->ahead = numbers((BLOCK + 1) * s->m), s->error = numbers((BLOCK + 1) * s->m);
    for (int k = 0; k < KINDS; k++) s->squares[k] = numbers(s->m);
    for (int64_t i = 1; i <= BLOCK + 1 && s->intercept; i++) s->key[i * s->d - 1] = 1;
    TRY(s->ctx, mesaopt_lsq_plan(s->ctx, settings, s->d, s->m, &s->lsq));
    if (*from) load(s, &in);
    else TRY(s->ctx, mesaopt_rls_create(s->lsq, 1, NULL, &s->rls));
    s->next = s->scored + (s->every > 0 ? s->every : 1);
    s->shown = seconds();
    open_predictions(s);
    if (s->rows >= s->lags) {
        predict(s, 0);
        finish_prediction(s, 0, s->rows + 1, 1);
    }
    if (!*out) return;
    out_begin(s->ctx);
    out_path("error.csv", s->curve_path);
    s->curve = open_file(s->curve_path, "w");
    fputs("row,rls,persistence,rls_lately,persistence_lately\n", s->curve);
}

static void end(stream *s)
{
    if (s->scored == 0 && !rows_stopped())
        die("%s: %lld row%s, expected at least %lld: one more than lags", s->in.path,
            (long long)s->rows, s->rows == 1 ? "" : "s", (long long)s->lags + 1);
    if (s->predictions) close_file(s->predictions, args_text("predictions"));
    if (s->scored > 0) end_reports(s);
    if (*args_text("save") && s->rows > 0) save(s, args_text("save"));
    if (rows_stopped()) fprintf(stderr, "stopped after row %lld\n", (long long)s->rows);
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
    end(&s);
    mesaopt_ctx_free(s.ctx);
    args_free();
    return rows_stopped() ? 130 : 0;
}
