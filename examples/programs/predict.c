/* predict: a trained model predicts the rows of a series as they come, through a decoder: memory
 * and time of a row do not grow with the rows before it (softmax layers keep `capacity` of them).
 *
 *   predict model=own_data.out/checkpoint.safetensors file=weather.csv ignore=date
 *   tail -f sensors.csv | predict model=... predictions=- save=state
 *   predict model=... file=half.csv ahead=12 predictions=ahead.csv
 *   predict model=... file=examples.csv pairs=1 prompt=few_shot.out/prompt.safetensors
 *
 * model= is a checkpoint of own_data or train: rows become tokens as its task made them, and the
 * scale of the columns that own_data keeps with the model is applied and undone. After every row
 * the model says the next `ahead` of them: the first from the rows so far, the others from its own
 * predictions (closed loop), as far as they stay finite. What is scored is each prediction beside
 * the row that came, and beside persistence, which says that nothing changes.
 *
 * A model knows sequences as long as those it was trained on, and may be of no use beyond. So it
 * sees `context` rows at most: then it begins anew, from the last half of them.
 *
 * With pairs=1 rows are x_1, y_1, x_2, y_2, .. as few_shot has them: what is predicted and scored
 * is every y when its x has come (persistence: the y before, at first the mean). prompt=FILE has
 * the vectors that few_shot learned stand in front of a sequence (prefix) and behind its pairs
 * (separator). They count among the rows of `context`.
 *
 * Input: rows as rows.h reads them; with id= or blank lines (sequences=1) sequences, each of which
 * begins anew. With save=FILE the state goes to FILE at the end, after Ctrl-C and before a line
 * that will not do or that the model cannot take; the same command with load=FILE goes on from
 * there, within the sequence unless its end has been read, and adds to predictions and errors.
 * Names in the first line have to be those of the training. */
#include "own_scale.h"
#include "predict_model.h"
#include "stream_files.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_AHEAD = 1000 };

/* Before the first of pairs nothing is known but the mean, 0 in the model's units. */
static void begin_past(predictor *p)
{
    if (p->pairs) memcpy(p->past, p->mean, (size_t)p->n * sizeof(double));
}

static mesaopt_status begin_sequence(predictor *p)
{
    p->since = p->kept = 0;
    p->sequence++, p->first = p->rows;
    begin_past(p);
    return predictor_begin(p);
}

/* The next `ahead` rows, from the prediction in y on, into the place of guesses of this row: as
 * many as the model can say, for a closed loop may run away. */
static mesaopt_status look_ahead(predictor *p, double *row)
{
    const int64_t at = p->since % p->ahead;
    double *const guess = p->guess + at * p->ahead * p->n;
    mesaopt_status status = MESAOPT_OK;
    if (p->ahead > 1) TRY(p->ctx, mesaopt_decoder_copy(p->loop, p->decoder));
    for (int64_t h = 0; h < p->ahead && status >= 0; h++) {
        for (int64_t j = 0; j < p->n; j++) row[j] = predictor_get(&p->y, j);
        for (int64_t j = 0; j < p->n; j++)
            guess[h * p->n + j] = p->mean[j] + p->sd[j] * row[j];
        p->made[at] = (double)(h + 1);
        if (h + 1 < p->ahead) status = predictor_step(p, p->loop, row, p->held + h + 1);
    }
    if (status != MESAOPT_E_NONFINITE) return status;
    if (p->short_of++ == 0)
        note("row %lld: the model's own predictions run away after %lld rows ahead, out of %lld",
             (long long)p->rows, (long long)p->made[at], (long long)p->ahead);
    return MESAOPT_OK;
}

static void begin_predictions(predictor *p)
{
    predictions_clear(p->predictions);
    fputs(p->sequences ? "sequence,row,ahead" : "row,ahead", p->predictions);
    for (int64_t j = 0; j < p->n; j++) {
        fputc(',', p->predictions);
        rows_write_name(p->predictions, rows_name(&p->in, j));
    }
    fputc('\n', p->predictions);
}

static void write_predictions(predictor *p)
{
    if (p->predictions && p->rows == 1) begin_predictions(p);
    const int64_t at = p->since % p->ahead;
    const double *const guess = p->guess + at * p->ahead * p->n;
    for (int64_t h = 0; p->predictions && h < (int64_t)p->made[at]; h++) {
        if (p->sequences) fprintf(p->predictions, "%lld,", (long long)p->sequence);
        fprintf(p->predictions, "%lld,%lld", (long long)(p->rows - p->first + h + 1),
                (long long)h + 1);
        for (int64_t j = 0; j < p->n; j++) fprintf(p->predictions, ",%.9g", guess[h * p->n + j]);
        fputc('\n', p->predictions);
    }
}

/* Those of the last rows for this one. */
static void score(predictor *p, const double *row)
{
    for (int64_t h = 0; h < p->ahead && h < p->since; h++) {
        const int64_t at = (p->since - 1 - h) % p->ahead;
        if (h >= (int64_t)p->made[at]) continue;
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
    p->reported = p->rows;
    p->next = p->rows + (p->every > 0 ? p->every : 1 + p->rows / 50);
}

/* A row that the model cannot take has not come: nothing of it is counted. */
static mesaopt_status take(predictor *p, const double *row)
{
    const int of_pair = p->pairs && p->since % 2 == 0;         /* x, which has no past of its own */
    mesaopt_status status = MESAOPT_OK;
    if (p->sequences && p->in.starts && p->rows > 0) status = begin_sequence(p);
    for (int64_t j = 0; j < p->n; j++) p->unit[j] = (row[j] - p->mean[j]) / p->sd[j];
    if (status >= 0) status = predictor_feed(p, p->unit);
    if (status < 0) return status;
    score(p, row);
    if (!of_pair)
        memcpy(p->past + p->since % p->ahead * p->n, row, (size_t)p->n * sizeof(double));
    p->rows++;
    p->made[p->since % p->ahead] = 0;
    if (!p->pairs || of_pair) status = look_ahead(p, p->unit);
    write_predictions(p);
    p->since++;
    if (p->rows >= p->next) report(p);
    return status;
}

/* ---- all of it ---- */

static void open_rows(predictor *p)
{
    rows_open(&p->in, args_text("file"), p->sequences ? "id" : NULL, 0);
    const char **name = must_alloc(NULL, (size_t)p->in.used * sizeof *name);
    for (int64_t j = 0; j < p->in.used; j++) name[j] = rows_name(&p->in, j);
    if (p->in.named) names_check(p->ctx, args_text("model"), p->in.path, p->in.used, name);
    free(name);
    if (p->in.used != p->n)
        die("%s: %lld columns of numbers, expected the %lld that the model was trained on "
            "(ignore= leaves some out)", p->in.path, (long long)p->in.used, (long long)p->n);
}

static void begin_decoder(predictor *p)
{
    const mesaopt_status status = predictor_begin(p);
    if (status < 0) give_up_on(status);
}

static void begin(predictor *p, mesaopt_settings *decoder)
{
    p->sequence = 1;
    predictor_open_model(p, decoder);
    predictor_open_prompt(p);
    predictor_open_context(p);
    open_rows(p);
    p->guess = zeros(p->ahead * p->ahead * p->n), p->past = zeros(p->ahead * p->n);
    p->made = zeros(p->ahead);
    for (int k = 0; k < 2; k++) p->squares[k] = zeros(p->ahead);
    p->scored = zeros(p->ahead), p->unit = zeros(p->n);
    if (*args_text("save")) predictor_check_save(p);
    begin_past(p);
    if (*args_text("load")) predictor_load(p, args_text("load"));
    else begin_decoder(p);
    const int out = *args_text("out") != 0;
    if (out) out_begin(p->ctx);        /* predictions= may lie in it */
    p->predictions = predictions_open();
    if (!out) return;
    out_path("error.csv", p->curve_path);
    p->curve = open_file(p->curve_path, "w");
    fputs("row,model,persistence\n", p->curve);
}

/* A block of rows ends where a reader would have to wait. Returns the status of the row that ended
 * them. */
static mesaopt_status run(predictor *p)
{
    double *const row = zeros(p->n);
    mesaopt_status status = MESAOPT_OK;
    for (int more = 1; more && status >= 0 && !rows_stopped();) {
        while (status >= 0 && !rows_stopped() && rows_next(&p->in, row)) status = take(p, row);
        const int written = !p->predictions || flushed(p->predictions);
        if (p->rows > 0) out_keep();
        more = written && status >= 0 && !p->in.bad && rows_fill(&p->in);
    }
    free(row);
    return status;
}

/* Errors by how far ahead they were made, and the figures. */
static void tables(predictor *p)
{
    char path[MAX_PATH];
    FILE *f = NULL;
    if (p->rows > p->reported) report(p);
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

/* What there is, whether all rows have come or something ends the program. The state comes first:
 * a file that cannot be written is not to lose it. */
static void finish(predictor *p, mesaopt_status status)
{
    if (*args_text("save") && p->rows > 0) predictor_save(p, args_text("save"));
    if (p->predictions && p->rows > 0) close_file(p->predictions, args_text("predictions"));
    if (p->scored[0] > 0) tables(p);
    else if (p->rows > 0) printf("rows: %lld, none of them predicted before\n", (long long)p->rows);
    if (p->short_of > 0)
        note("%lld rows have fewer predictions ahead than asked", (long long)p->short_of);
    if (status < 0) give_up_on(status);
    if (p->in.bad) rows_fill(&p->in);                  /* says why, and ends the program */
    if (p->rows == 0 && !rows_stopped()) die("%s: no rows, expected some", p->in.path);
    if (rows_stopped()) fprintf(stderr, "stopped after row %lld\n", (long long)p->rows);
}

static void end(predictor *p)
{
    rows_close(&p->in);
    double *const all[] = {p->mean,   p->sd,         p->guess,      p->made, p->past,   p->again,
                           p->scored, p->squares[0], p->squares[1], p->unit, p->vectors};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
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
        {"pairs", "0", "1: rows are x, y, x, y, ..: predictions are of y"},
        {"prompt", "", "vectors that few_shot has learned"},
        {"prefix", "",
         "1: those of the prompt stand in front of every sequence; empty: 1 with prompt="},
        {"separator", "",
         "1: that of the prompt stands behind every pair; empty: 1 with prompt= and pairs=1"},
        {"sequences", "0", "1: several sequences, each of which begins anew"},
        {"id", "", "with sequences=1: column that names them; empty: a blank line ends one"},
        ROWS_KEYS,
        {"predictions", "",
         "file for predictions of every row before it comes; -: standard output; with sequences=1 "
         "each has the number of its sequence, and of the row in it"},
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
    p.every = args_int("every", 0, INT64_MAX / 4), p.pairs = (int)args_int("pairs", 0, 1);
    args_end();
    if (!*args_text("model")) args_refuse("model", "a checkpoint of own_data or train");
    if (p.pairs && p.ahead > 1) args_refuse("ahead", "1 with pairs=1: x is not predicted");
    if (*args_text("id") && !p.sequences) args_refuse("id", "sequences=1 as well");
    stream_files_check();
    p.shown = seconds();
    begin(&p, decoder);
    finish(&p, run(&p));
    end(&p);
    mesaopt_ctx_free(p.ctx);
    args_free();
    return rows_stopped() ? 130 : 0;
}
