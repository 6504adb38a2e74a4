/* predict: a trained model predicts the rows of a series as they come, through a decoder: memory
 * and time of a row do not grow with the rows before it (softmax layers keep `capacity` of them).
 *
 *   predict model=own_data.out/checkpoint.safetensors file=weather.csv ignore=date
 *   tail -f sensors.csv | predict model=... predictions=- save=state
 *   predict model=... file=half.csv ahead=12 predictions=ahead.csv
 *
 * model= is a checkpoint of own_data or train: rows become tokens as its task made them, and the
 * scale of the columns that own_data keeps with the model is applied and undone. After every row
 * the model says the next `ahead` of them: the first from the rows so far, the others from its own
 * predictions (closed loop). What is scored is each prediction beside the row that came, and beside
 * persistence, which says that nothing changes.
 *
 * A model knows sequences as long as those it was trained on, and may be of no use beyond. So it
 * sees `context` rows at most: then it begins anew, from the last half of them.
 *
 * Input: rows as rows.h reads them; with id= or blank lines (sequences=1) sequences, each of which
 * begins anew. With save=FILE the state goes to FILE at the end, after Ctrl-C and before a line
 * that will not do; the same command with load=FILE goes on from there, and adds to the
 * predictions; errors are counted from there. */
#include "common.h"
#include "stream_files.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_AHEAD = 1000 };

typedef struct predictor {
    mesaopt_ctx *ctx;
    mesaopt_model *model;
    mesaopt_task *task;                /* how rows become tokens */
    mesaopt_decoder *decoder, *loop;   /* of rows; of predictions behind them, ahead > 1 */
    row_reader in;
    int sequences;
    int64_t n, width, slots, ahead;    /* columns, of a token; rows that a token is made of */
    int64_t rows, held, every, next;   /* rows so far, and in `recent`; of reports */
    int64_t context, trained;          /* rows that it sees at most, 0: any number; that it was
                                          trained on, 0: unknown */
    int64_t seen, keep, kept;          /* rows it has seen; those that it begins anew from */
    double *again;                     /* [keep, n], of the model's units, the oldest first */
    double *mean, *sd;                 /* of own_data; 0 and 1 */
    mesaopt_tensor *of[3];             /* recent rows [slots + ahead, n], tokens of them, y [n] */
    mesaopt_view recent, tokens, y;
    double *guess;                     /* [ahead, ahead, n]: place t % ahead has those made at t */
    double *squares[2];                /* [ahead] sums of the model's and persistence's errors */
    int64_t *scored, since;            /* [ahead]; rows of this sequence */
    double shown;                      /* when something was said last */
    double *past;                      /* [ahead, n] rows, likewise */
    FILE *predictions, *curve;
    char curve_path[MAX_PATH];
} predictor;

static double *numbers(int64_t n)
{
    double *x = must_alloc(NULL, (size_t)(n + 1) * sizeof(double));
    memset(x, 0, (size_t)(n + 1) * sizeof(double));
    return x;
}

/* ---- the model and what its file says ---- */

enum { LINE = 1024 };

/* Tokens as the model's task makes them: those of its settings that are about tokens; and how long
 * its sequences were. */
static void open_task(predictor *p, const char *path)
{
    static const char *const keys[] = {"tokens", "slots", "dim"};
    char text[LINE], *rest = text, *word;
    mesaopt_settings *s = NULL;
    file_text(p->ctx, path, "mesaopt.task", text, LINE);
    TRY(p->ctx, mesaopt_settings_create(MESAOPT_SCOPE_TASK, NULL, NULL, NULL, &s));
    if (!*text) die("%s: does not say which task it is of, expected a checkpoint", path);
    while ((word = strtok_r(rest, " ", &rest))) {
        char *value = strchr(word, '=');
        if (!value) continue;
        *value++ = 0;
        for (int i = 0; i < 3; i++)
            if (!strcmp(word, keys[i]))
                must(p->ctx, mesaopt_settings_set_text(s, word, value), word);
        if (!strcmp(word, "length")) p->trained = strtoll(value, NULL, 10);
    }
    TRY(p->ctx, mesaopt_task_create(p->ctx, s, &p->task));
    TRY(p->ctx, mesaopt_task_shape(p->task, &p->n, NULL, &p->width, NULL));
    p->slots = p->width / p->n;
    mesaopt_settings_free(s);
}

/* Means and deviations that own_data keeps with its models. */
static void open_scale(predictor *p, const char *path)
{
    char *const text = must_alloc(NULL, (size_t)(64 * (p->n + 1))), *at = text;
    const int64_t size = mesaopt_file_note(p->ctx, path, "own_data.scale", text, 64 * (p->n + 1));
    p->mean = numbers(p->n), p->sd = numbers(p->n);
    if (size < 0) must(p->ctx, (mesaopt_status)size, "mesaopt_file_note");
    for (int64_t j = 0; j < 2 * p->n; j++) {
        char *end = at;
        const double x = size > 0 ? strtod(at, &end) : (double)(j % 2);
        if ((size > 0 && end == at) || !isfinite(x) || (j % 2 && !(x > 0)))
            die("%s: own_data.scale is '%.60s', expected means and deviations of %lld columns",
                path, text, (long long)p->n);
        *(j % 2 ? &p->sd[j / 2] : &p->mean[j / 2]) = x;
        at = end;
    }
    free(text);
}

static mesaopt_tensor *tensor(predictor *p, int64_t rows, int64_t cols, mesaopt_view *view)
{
    mesaopt_tensor *t = NULL;
    mesaopt_view weight;
    TRY(p->ctx,
        mesaopt_model_parameter(p->model, mesaopt_model_parameter_name(p->model, 0), &weight));
    TRY(p->ctx,
        mesaopt_tensor_create(p->ctx, weight.dtype, 3, (const int64_t[]){1, rows, cols}, &t));
    TRY(p->ctx, mesaopt_tensor_view(t, view));
    return t;
}

/* Predictions behind the last row that fits need room of their own. */
static void open_loop(predictor *p, mesaopt_settings *decoder)
{
    int64_t capacity = 0;
    TRY(p->ctx, mesaopt_settings_get_int(decoder, MESAOPT_KEY_CAPACITY, &capacity));
    must(p->ctx, mesaopt_settings_set_int(decoder, MESAOPT_KEY_CAPACITY, capacity + p->ahead),
         "capacity");
    TRY(p->ctx, mesaopt_decoder_create(p->model, decoder, &p->loop));
    must(p->ctx, mesaopt_settings_set_int(decoder, MESAOPT_KEY_CAPACITY, capacity), "capacity");
}

static void open_model(predictor *p, mesaopt_settings *decoder)
{
    const char *const path = args_text("model"), *const state = args_text("load");
    int64_t last = 0;
    TRY(p->ctx, mesaopt_model_open(p->ctx, path, &p->model));
    open_task(p, path);
    open_scale(p, path);
    TRY(p->ctx, mesaopt_model_width(p->model, -1, &last));
    if (last != p->width)
        die("%s: tokens of %lld features, expected the %lld of its task", path, (long long)last,
            (long long)p->width);
    if (*state) must(p->ctx, mesaopt_decoder_open(p->model, decoder, state, &p->decoder), state);
    else TRY(p->ctx, mesaopt_decoder_create(p->model, decoder, &p->decoder));
    if (p->ahead > 1) open_loop(p, decoder);
    p->of[0] = tensor(p, p->slots + p->ahead + 1, p->n, &p->recent);
    p->of[1] = tensor(p, p->slots + p->ahead, p->width, &p->tokens);
    p->of[2] = tensor(p, 1, p->n, &p->y);
}

/* ---- a row ---- */

static double get(const mesaopt_view *v, int64_t i)
{
    return v->dtype == MESAOPT_F64 ? ((double *)v->data)[i] : (double)((float *)v->data)[i];
}

static void set(const mesaopt_view *v, int64_t i, double x)
{
    if (v->dtype == MESAOPT_F64) ((double *)v->data)[i] = x;
    else ((float *)v->data)[i] = (float)x;
}

/* Rows first .. first + count - 1. */
static mesaopt_view part(mesaopt_view v, int64_t first, int64_t count)
{
    v.data = (char *)v.data + first * v.stride[1] * (v.dtype == MESAOPT_F64 ? 8 : 4);
    v.shape[1] = count;
    return v;
}

/* A row of the model's units behind those in `recent`, which then are `held`, to a decoder; the
 * prediction of the next one is left in y. */
static void step(predictor *p, mesaopt_decoder *d, const double *row, int64_t held)
{
    for (int64_t j = 0; j < p->n; j++) set(&p->recent, (held - 1) * p->n + j, row[j]);
    const int64_t T = held < p->slots ? held : p->slots;
    const mesaopt_view rows = part(p->recent, held - T, T + 1), all = part(p->tokens, 0, T),
                       token = part(p->tokens, T - 1, 1);
    TRY(p->ctx, mesaopt_task_tokens(p->task, &rows, &all));    /* the last row of it is not used */
    char where[64];
    snprintf(where, sizeof where, "row %lld", (long long)p->rows);
    must(p->ctx, mesaopt_decoder_step(d, &token, &p->y), where);
}

/* What a sequence begins with. Tokens that are to stand in front of its first row, a prompt, would
 * go to the decoder here. */
static void begin_decoder(predictor *p)
{
    p->held = p->seen = 0;
    TRY(p->ctx, mesaopt_decoder_reset(p->decoder, 0));
}

static void begin_sequence(predictor *p)
{
    p->since = p->kept = 0;
    begin_decoder(p);
}

static void feed(predictor *p, const double *row)
{
    if (p->held == p->slots) {                         /* the oldest goes */
        for (int64_t i = p->n; i < p->slots * p->n; i++)
            set(&p->recent, i - p->n, get(&p->recent, i));
        p->held--;
    }
    step(p, p->decoder, row, ++p->held);
    p->seen++;
}

static void feed_next(predictor *p, const double *row)
{
    if (p->context > 0 && p->seen >= p->context) {
        begin_decoder(p);
        for (int64_t i = 0; i < p->kept; i++) feed(p, p->again + i * p->n);
    }
    feed(p, row);
    if (p->keep == 0) return;
    const size_t size = (size_t)p->n * sizeof(double);
    if (p->kept == p->keep) memmove(p->again, p->again + p->n, (size_t)--p->kept * size);
    memcpy(p->again + p->kept++ * p->n, row, size);
}

/* The next `ahead` rows, into the place of guesses of this row. */
static void look_ahead(predictor *p, double *row)
{
    double *const guess = p->guess + p->since % p->ahead * p->ahead * p->n;
    feed_next(p, row);
    if (p->ahead > 1) TRY(p->ctx, mesaopt_decoder_copy(p->loop, p->decoder));
    for (int64_t h = 0; h < p->ahead; h++) {
        for (int64_t j = 0; j < p->n; j++) row[j] = get(&p->y, j);
        for (int64_t j = 0; j < p->n; j++)
            guess[h * p->n + j] = p->mean[j] + p->sd[j] * row[j];
        if (h + 1 < p->ahead) step(p, p->loop, row, p->held + h + 1);
    }
}

static void write_predictions(predictor *p)
{
    const double *const guess = p->guess + p->since % p->ahead * p->ahead * p->n;
    for (int64_t h = 0; p->predictions && h < p->ahead; h++) {
        fprintf(p->predictions, "%lld,%lld", (long long)(p->rows + h + 1), (long long)h + 1);
        for (int64_t j = 0; j < p->n; j++) fprintf(p->predictions, ",%.9g", guess[h * p->n + j]);
        fputc('\n', p->predictions);
    }
}

/* Those of the last rows for this one. */
static void score(predictor *p, const double *row)
{
    for (int64_t h = 0; h < p->ahead && h < p->since; h++) {
        const int64_t at = (p->since - 1 - h) % p->ahead;
        const double *const guess = p->guess + (at * p->ahead + h) * p->n,
                     *const past = p->past + at * p->n;
        for (int64_t j = 0; j < p->n; j++) {
            p->squares[0][h] += (guess[j] - row[j]) * (guess[j] - row[j]);
            p->squares[1][h] += (past[j] - row[j]) * (past[j] - row[j]);
        }
        p->scored[h]++;
    }
}

static double rmse(const predictor *p, int of, int64_t h)
{
    return sqrt(p->squares[of][h] / (double)(p->scored[h] * p->n));
}

static void report(predictor *p)
{
    if (p->scored[0] == 0) return;
    if (p->curve)
        fprintf(p->curve, "%lld,%.9g,%.9g\n", (long long)p->rows, rmse(p, 0, 0), rmse(p, 1, 0));
    const int told = p->every > 0 || seconds() - p->shown > 2;
    if (told) p->shown = seconds();
    if (told)
        say("row %lld  rmse %.5g, persistence %.5g", (long long)p->rows, rmse(p, 0, 0),
            rmse(p, 1, 0));
    p->next = p->rows + (p->every > 0 ? p->every : 1 + p->rows / 50);
}

static void take(predictor *p, double *row)
{
    if (p->sequences && p->in.starts && p->rows > 0) begin_sequence(p);
    score(p, row);
    memcpy(p->past + p->since % p->ahead * p->n, row, (size_t)p->n * sizeof(double));
    p->rows++;
    for (int64_t j = 0; j < p->n; j++) row[j] = (row[j] - p->mean[j]) / p->sd[j];
    look_ahead(p, row);
    write_predictions(p);
    p->since++;
    if (p->rows >= p->next) report(p);
}

/* ---- states ---- */

/* Note of a state: rows so far and seen; those that tokens are made of; those to begin anew
 * from. */
#define NOTE "predict"

static void save(predictor *p, const char *file)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f) die("no memory for a state");
    fprintf(f, "%lld %lld %lld %lld", (long long)p->rows, (long long)p->seen, (long long)p->held,
            (long long)p->kept);
    for (int64_t i = 0; i < p->held * p->n; i++) fprintf(f, " %.17g", get(&p->recent, i));
    for (int64_t i = 0; i < p->kept * p->n; i++) fprintf(f, " %.17g", p->again[i]);
    if (fclose(f) != 0) die("no memory for a state");
    TRY(p->ctx, mesaopt_decoder_set_note(p->decoder, NOTE, text));
    TRY(p->ctx, mesaopt_decoder_save(p->decoder, file));
    free(text);
    fprintf(stderr, "state after row %lld: %s\n", (long long)p->rows, file);
}

static void load(predictor *p, const char *file)
{
    const int64_t room = 128 + 32 * (p->slots + p->keep) * p->n;
    char *const text = must_alloc(NULL, (size_t)room), *at = text, *end;
    const int64_t size = mesaopt_file_note(p->ctx, file, NOTE, text, room);
    if (size < 0) must(p->ctx, (mesaopt_status)size, "mesaopt_file_note");
    if (size == 0) die("%s: without the note " NOTE ", expected a state of this program", file);
    p->rows = strtoll(at, &at, 10), p->seen = strtoll(at, &at, 10);
    p->held = strtoll(at, &at, 10), p->kept = strtoll(at, &at, 10);
    if (p->kept > p->keep || size > room)
        die("%s: %lld rows to begin anew from, expected at most the %lld of context=%lld", file,
            (long long)p->kept, (long long)p->keep, (long long)p->context);
    if (p->rows < 1 || p->seen < 1 || p->held < 1 || p->held > p->slots || p->kept < 0)
        die("%s: damaged: expected the numbers of rows", file);
    for (int64_t i = 0; i < (p->held + p->kept) * p->n; i++, at = end) {
        const double x = strtod(at, &end);
        if (end == at || !isfinite(x)) die("%s: damaged: expected a finite number", file);
        if (i < p->held * p->n) set(&p->recent, i, x);
        else p->again[i - p->held * p->n] = x;
    }
    free(text);
}

/* ---- all of it ---- */

static const char *column(const predictor *p, int64_t j)
{
    for (int64_t i = 0; i < p->in.columns; i++)
        if (p->in.place[i] == j) return p->in.name[i];
    return "";
}

/* With predictions=- they have standard output for themselves. */
static void open_predictions(predictor *p)
{
    const char *const path = args_text("predictions");
    if (!*path) return;
    if (strcmp(path, "-") == 0) {
        p->predictions = fdopen(dup(STDOUT_FILENO), "w");
        if (!p->predictions || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
            die("cannot open standard output: %s", strerror(errno));
    } else {
        p->predictions = open_file(path, *args_text("load") ? "a" : "w");
    }
    if (*args_text("load")) return;
    fputs("row,ahead", p->predictions);
    for (int64_t j = 0; j < p->n; j++) {
        fputc(',', p->predictions);
        rows_write_name(p->predictions, column(p, j));
    }
    fputc('\n', p->predictions);
}

/* context=: as many as the model was trained on, unless told. */
static void open_context(predictor *p)
{
    p->context = p->trained;
    if (*args_text("context")) p->context = args_int("context", 0, 1 << 30);
    if (p->context == 1) args_refuse("context", "0, or at least 2");
    p->keep = p->context / 2;
    p->again = numbers(p->keep * p->n);
    if (p->trained > 0 && p->context != p->trained)
        note("the model was trained on sequences of %lld rows", (long long)p->trained);
}

static void begin(predictor *p, mesaopt_settings *decoder)
{
    open_model(p, decoder);
    open_context(p);
    rows_open(&p->in, args_text("file"), p->sequences ? "id" : NULL, 0);
    if (p->in.used != p->n)
        die("%s: %lld columns of numbers, expected the %lld that the model was trained on "
            "(ignore= leaves some out)", p->in.path, (long long)p->in.used, (long long)p->n);
    p->guess = numbers(p->ahead * p->ahead * p->n), p->past = numbers(p->ahead * p->n);
    for (int k = 0; k < 2; k++) p->squares[k] = numbers(p->ahead);
    p->scored = must_alloc(NULL, (size_t)p->ahead * sizeof *p->scored);
    memset(p->scored, 0, (size_t)p->ahead * sizeof *p->scored);
    if (*args_text("load")) load(p, args_text("load"));
    open_predictions(p);
    if (!*args_text("out")) return;
    out_begin(p->ctx);
    out_path("error.csv", p->curve_path);
    p->curve = open_file(p->curve_path, "w");
    fputs("row,model,persistence\n", p->curve);
}

/* A block of rows ends where a reader would have to wait. */
static void run(predictor *p)
{
    double *const row = numbers(p->n);
    for (int more = 1; more && !rows_stopped();) {
        while (!rows_stopped() && rows_next(&p->in, row)) take(p, row);
        if (p->predictions) flush_file(p->predictions, args_text("predictions"));
        if (p->in.bad && p->rows > 0 && *args_text("save")) save(p, args_text("save"));
        more = rows_fill(&p->in);
    }
    free(row);
}

/* Errors by how far ahead they were made, and the figures. */
static void tables(predictor *p)
{
    char path[MAX_PATH];
    FILE *f = NULL;
    report(p);
    printf("\nroot mean square error by rows ahead, %lld rows, all columns in their units\n\n"
           "%-8s%16s%16s%10s\n", (long long)p->rows, "ahead", "model", "persistence", "ratio");
    if (p->curve) out_path("ahead.csv", path), f = open_file(path, "w");
    if (f) fputs("ahead,model,persistence\n", f);
    for (int64_t h = 0; h < p->ahead && p->scored[h] > 0; h++) {
        const double a = rmse(p, 0, h), b = rmse(p, 1, h);
        printf("%-8lld%16.9g%16.9g%10.4g\n", (long long)h + 1, a, b, b > 0 ? a / b : 0);
        if (f) fprintf(f, "%lld,%.9g,%.9g\n", (long long)h + 1, a, b);
    }
    if (!p->curve) return;
    close_file(p->curve, p->curve_path), close_file(f, path);
    printf("\ntable: %s\nrunning error: %s\n", path, p->curve_path);
    figure("error", 2, "Predictions of the next row, all rows so far", "row",
           "root mean square error");
    if (p->ahead > 1)
        figure("ahead", 2, "Predictions in closed loop", "rows ahead", "root mean square error");
}

static void end(predictor *p)
{
    if (p->predictions) close_file(p->predictions, args_text("predictions"));
    if (p->scored[0] > 0) tables(p);
    else if (p->rows > 0) printf("rows: %lld, none of them predicted before\n", (long long)p->rows);
    else if (!rows_stopped()) die("%s: no rows, expected some", p->in.path);
    if (*args_text("save") && p->rows > 0) save(p, args_text("save"));
    if (rows_stopped()) fprintf(stderr, "stopped after row %lld\n", (long long)p->rows);
    rows_close(&p->in);
    double *const all[] = {p->mean, p->sd,         p->guess,     p->past,
                           p->again, p->squares[0], p->squares[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    free(p->scored);
    for (int i = 0; i < 3; i++) mesaopt_tensor_free(p->of[i]);
    mesaopt_decoder_free(p->decoder), mesaopt_decoder_free(p->loop);
    mesaopt_task_free(p->task), mesaopt_model_free(p->model);
}

int main(int argc, char **argv)
{
    own_key own[] = {
        {"model", "", "checkpoint of own_data or train"},
        {"file", "-", "rows, the oldest first; -: standard input"},
        {"ahead", "1", "rows that are predicted at every row, in closed loop"},
        {"context", "",
         "rows that the model sees at most, before it begins anew from the last half of them; 0: "
         "all; empty: as many as it was trained on"},
        {"sequences", "0", "1: several sequences, each of which begins anew"},
        {"id", "", "with sequences=1: column that names them; empty: a blank line ends one"},
        ROWS_KEYS,
        {"predictions", "",
         "file for predictions of every row before it comes; -: standard output"},
        {"every", "0", "rows between two reports; 0: more and more"},
        {"save", "", "file for the state at the end"},
        {"load", "", "state to go on from"},
        OUT_KEYS("predict.out", "folder for error.csv, ahead.csv and figures; empty: none"),
        {NULL, NULL, NULL}};
    predictor p = {0};
    args_begin(argc, argv, "Predicts rows as they come with a trained model.", own);
    args_hide(" streams ");
    p.ctx = args_ctx();
    mesaopt_settings *decoder = args_settings(MESAOPT_SCOPE_DECODER, "");
    p.ahead = args_int("ahead", 1, MOST_AHEAD), p.sequences = (int)args_int("sequences", 0, 1);
    p.every = args_int("every", 0, INT64_MAX / 4);
    args_end();
    if (!*args_text("model")) args_refuse("model", "a checkpoint of own_data or train");
    stream_files_check();
    p.shown = seconds();
    begin(&p, decoder);
    run(&p);
    end(&p);
    mesaopt_ctx_free(p.ctx);
    args_free();
    return rows_stopped() ? 130 : 0;
}
