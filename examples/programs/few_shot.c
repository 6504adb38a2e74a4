/* few_shot: does a model that learned to predict sequences learn from examples, without training?
 *
 * Trains a model by recipe on sequences of linear systems, or takes one from a checkpoint, and
 * gives it pairs x_1, y_1, x_2, y_2, .. with y_i = W x_i, a new W in every sequence. Then it tunes,
 * through the model as it is, one vector that separates the pairs, and with that one frozen a
 * prefix of 20, and scores all three, least squares and gradient descent by pair: by the number of
 * whole pairs that came before. At last two maps one after the other.
 *
 *   few_shot                                      tf7_long: a day or more on a core
 *   few_shot model=run/checkpoint.safetensors     a model that is there
 *   few_shot model=.. prompt=few_shot.out/prompt.safetensors     goes on tuning, or only scores
 *
 * Writes pairs.csv and two_tasks.csv, their figures, and prompt.safetensors. Claim 9 of
 * docs/science.md, section 7. Source: arXiv 2309.05858, section 4 (in-context learning). */
#include "common.h"
#include "runs.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PLAIN, SEPARATOR, PREFIX, LSQ_ALL, LSQ_TRUE, GD, CURVES, TWO_CURVES = 3, TEXT = 200 };
static const char *const names[CURVES] = {"model",    "model_separator", "model_prefix",
                                          "lsq_all_pairs", "lsq_true_pairs",  "gd"};
typedef struct few {
    runs r;
    int64_t n, T, count, updates, rows, segment;
    int64_t moved[3];                  /* updates of the vectors of a layout in prompt= */
    mesaopt_prompt *prompt;
    mesaopt_task *layout[3], *two;     /* plain, with a separator, with a prefix as well */
    double *by_t, *error[CURVES];      /* by pair, nan where there is none */
    int64_t pairs[CURVES];
} few;

/* ---- worlds ---- */

static mesaopt_task *task_of(const few *f, const char *more)
{
    char text[TEXT], dim[32], length[32], tokens[32], slots[32], *word;
    mesaopt_settings *s;
    mesaopt_task *task;
    TRY(NULL, mesaopt_settings_create(MESAOPT_SCOPE_TASK, NULL, NULL, &s));
    snprintf(dim, sizeof dim, "%lld", (long long)f->n);
    snprintf(length, sizeof length, "%lld", (long long)f->T);
    mesaopt_settings_get_text(f->r.task, "tokens", tokens, sizeof tokens);
    mesaopt_settings_get_text(f->r.task, "slots", slots, sizeof slots);
    snprintf(text, sizeof text, "task=regression dim=%s length=%s tokens=%s slots=%s%s", dim,
             length, tokens, slots, more);
    for (word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        char *value = strchr(word, '=');
        *value++ = 0;
        if (mesaopt_settings_set_text(s, word, value) != MESAOPT_OK) die("%s=%s", word, value);
    }
    TRY(f->r.ctx, mesaopt_task_create(f->r.ctx, s, &task));
    mesaopt_settings_free(s);
    return task;
}

/* A key that is told says what the prompt has. */
static void expect(const char *key, int64_t expected)
{
    char text[TEXT];
    snprintf(text, sizeof text, "%lld, as the prompt has", (long long)expected);
    if (args_given(key) && args_int(key, 1, 65536) != expected) args_refuse(key, text);
}

/* A number in the texts of the file prompt=, behind `name` if it is not "". */
static int64_t number_of(const few *f, const char *key, const char *name)
{
    char text[1024];
    file_text(f->r.ctx, args_text("prompt"), key, text, sizeof text);
    const char *const at = strstr(text, name);
    return at ? strtoll(at + strlen(name), NULL, 10) : 0;
}

static void open_prompt(few *f)
{
    mesaopt_ctx *ctx = f->r.ctx;
    mesaopt_view v;
    TRY(ctx, mesaopt_prompt_open(ctx, args_text("prompt"), &f->prompt));
    TRY(ctx, mesaopt_prompt_vectors(f->prompt, "prefix", &v));
    if (v.shape[0] < 1) args_refuse("prompt", "one that has a prefix");
    expect("vectors", v.shape[0]);
    expect("tune_batch", number_of(f, "mesaopt.prompt", " batch="));
    f->rows = v.shape[0];
    f->moved[SEPARATOR] = number_of(f, "mesaopt.moved.separator", "");
    f->moved[PREFIX] = number_of(f, "mesaopt.moved.prefix", "");
}

/* The prompt, of prompt= or new, and the tasks that take their vectors from it. */
static void begin(few *f)
{
    mesaopt_ctx *ctx = f->r.ctx;
    char prefix[64], two[TEXT];
    mesaopt_settings *s;
    TRY(ctx, mesaopt_task_shape(runs_of(&f->r, 0, 0)->test, &f->n, &f->T, NULL, NULL));
    TRY(NULL, mesaopt_settings_create(MESAOPT_SCOPE_PROMPT, NULL, NULL, &s));
    TRY(NULL, mesaopt_settings_set_int(s, MESAOPT_KEY_DIM, f->n));
    TRY(NULL, mesaopt_settings_set_int(s, MESAOPT_KEY_PREFIX, f->rows));
    TRY(NULL, mesaopt_settings_set_int(s, MESAOPT_KEY_BATCH, args_int("tune_batch", 1, 65536)));
    if (*args_text("prompt")) open_prompt(f);
    else TRY(ctx, mesaopt_prompt_create(ctx, s, &f->prompt));
    mesaopt_settings_free(s);
    if (f->rows >= f->T) args_refuse("vectors", "fewer than the length of a sequence");
    if (f->segment < f->rows + 2) args_refuse("switch", "room for the prefix and a pair");
    if (f->segment >= f->T)
        note("switch: %lld at length %lld, so two_tasks.csv has one task", (long long)f->segment,
             (long long)f->T);
    snprintf(prefix, sizeof prefix, " separator=1 prefix=%lld", (long long)f->rows);
    snprintf(two, sizeof two, "%s teachers=2 segment=%lld", prefix, (long long)f->segment);
    f->layout[PLAIN] = task_of(f, ""), f->layout[SEPARATOR] = task_of(f, " separator=1");
    f->layout[PREFIX] = task_of(f, prefix), f->two = task_of(f, two);
    TRY(ctx, mesaopt_task_set_prompt(f->layout[SEPARATOR], f->prompt));
    TRY(ctx, mesaopt_task_set_prompt(f->layout[PREFIX], f->prompt));
    TRY(ctx, mesaopt_task_set_prompt(f->two, f->prompt));
}

static void end(few *f)
{
    mesaopt_task_free(f->two);
    for (int i = 0; i < 3; i++) mesaopt_task_free(f->layout[i]);
    mesaopt_prompt_free(f->prompt);
    for (int i = 0; i < CURVES; i++) free(f->error[i]);
    free(f->by_t);
    runs_free(&f->r);
}

/* ---- tuning ---- */

static void save_prompt(const few *f)
{
    char path[MAX_PATH];
    out_path("prompt.safetensors", path);
    TRY(f->r.ctx, mesaopt_prompt_save(f->prompt, path));
    out_keep(), resume_with("prompt", path);
}

/* Until so many updates in all. */
static mesaopt_status tune_layout(few *f, mesaopt_task *layout, int64_t until, progress *p)
{
    const int64_t save = args_int("save", 1, INT64_MAX / 4);
    mesaopt_status status = MESAOPT_OK;
    for (int64_t at = p->first; at < until && status != MESAOPT_STOPPED;
         at = mesaopt_prompt_updates(f->prompt)) {
        const int64_t next = at - at % save + save;
        if (at % save == 0 && at > p->first) save_prompt(f);
        status = must(f->r.ctx,
                      mesaopt_prompt_train(f->prompt, runs_of(&f->r, 0, 0)->model, layout,
                                           next < until ? next : until, show_progress, p),
                      "mesaopt_prompt_train");
    }
    return status;
}

/* The separator, then, with it frozen, the prefix; what each of them lacks of its updates. */
static mesaopt_status tune(few *f)
{
    mesaopt_status status = MESAOPT_OK;
    for (int i = SEPARATOR; i <= PREFIX && status != MESAOPT_STOPPED; i++) {
        const int64_t done = mesaopt_prompt_updates(f->prompt),
                      until = done + f->updates - f->moved[i];
        if (done >= until) continue;
        progress p = progress_begin(done, until);
        printf("tuning the %s\n", i == SEPARATOR ? "separator" : "prefix");
        fflush(stdout);
        TRY(f->r.ctx, mesaopt_prompt_freeze(f->prompt, "separator", i == PREFIX));
        status = tune_layout(f, f->layout[i], until, &p);
    }
    save_prompt(f);
    if (status == MESAOPT_STOPPED) {
        say("stopped after %lld updates", (long long)mesaopt_prompt_updates(f->prompt));
        say_resume();
    }
    return status;
}

/* ---- scores ---- */

/* Of the steps that are scored, one after the other; -> their number. */
static int64_t keep(few *f, double *error)
{
    int64_t pairs = 0;
    for (int64_t t = 0; t < f->T; t++)
        if (!isnan(f->by_t[t])) error[pairs++] = f->by_t[t];
    for (int64_t i = pairs; i < f->T; i++) error[i] = NAN;
    return pairs;
}

static mesaopt_view by_step(few *f)
{
    mesaopt_view v;
    TRY(f->r.ctx, mesaopt_view_dense(f->by_t, MESAOPT_F64, 1, &f->T, &v));
    return v;
}

static int64_t score_model(few *f, mesaopt_task *task, double *error)
{
    double loss;
    const mesaopt_view v = by_step(f);
    TRY(f->r.ctx, mesaopt_model_evaluate(runs_of(&f->r, 0, 0)->model, task, MESAOPT_STREAM_TEST, 0,
                                         f->count, &v, &loss));
    return keep(f, error);
}

/* gd: its step size by line search first. */
static int64_t score_baseline(few *f, int which, mesaopt_task *task, double *error)
{
    mesaopt_ctx *ctx = f->r.ctx;
    double loss;
    mesaopt_settings *s;
    mesaopt_baseline *b;
    const mesaopt_view v = by_step(f);
    TRY(NULL, mesaopt_settings_create(MESAOPT_SCOPE_BASELINE, NULL, NULL, &s));
    TRY(NULL, mesaopt_settings_set_text(s, "baseline", which == GD ? "gd" : "lsq"));
    TRY(NULL, mesaopt_settings_set_text(s, "pairs", which == LSQ_ALL ? "all" : "scored"));
    if (which == LSQ_ALL) TRY(NULL, mesaopt_settings_set_text(s, "ridge", "0.3"));
    TRY(ctx, mesaopt_baseline_create(ctx, s, &b));
    if (which == GD) TRY(ctx, mesaopt_baseline_search(b, task, 1024, NULL));
    TRY(ctx, mesaopt_baseline_evaluate(b, task, MESAOPT_STREAM_TEST, 0, f->count, &v, &loss));
    mesaopt_baseline_free(b), mesaopt_settings_free(s);
    return keep(f, error);
}

static void score(few *f)
{
    for (int i = 0; i < CURVES; i++) {
        if (signalled()) stop();
        f->pairs[i] = i <= PREFIX ? score_model(f, f->layout[i], f->error[i])
                                  : score_baseline(f, i, f->layout[PLAIN], f->error[i]);
    }
}

static void write_csv(const char *name, int curves, const char *const *name_of,
                      double *const *error, int64_t rows)
{
    char path[MAX_PATH], file[64];
    snprintf(file, sizeof file, "%s.csv", name);
    out_path(file, path);
    FILE *f = open_file(path, "w");
    fputs("pair", f);
    for (int i = 0; i < curves; i++) fprintf(f, ",%s", name_of[i]);
    for (int64_t p = 0; p < rows; p++) {
        fprintf(f, "\n%lld", (long long)p);
        for (int i = 0; i < curves; i++) fprintf(f, ",%.9g", error[i][p]);
    }
    fputc('\n', f);
    close_file(f, path);
    printf("table: %s\n", path);
}

static const int64_t shown[] = {1, 5, 10, 20, 60};
enum { SHOWN = sizeof shown / sizeof *shown };

static void report(few *f)
{
    char title[TEXT];
    printf("\nhalf the squared error after so many pairs, mean over %lld sequences\n\n%16s",
           (long long)f->count, "pairs");
    for (int k = 0; k < SHOWN; k++) printf("%8lld", (long long)shown[k]);
    for (int i = 0; i < CURVES; i++) {
        printf("\n%16s", names[i]);
        for (int k = 0; k < SHOWN; k++)
            if (shown[k] < f->pairs[i]) printf("%8.3f", f->error[i][shown[k]]);
    }
    fputs("\n\n", stdout);
    write_csv("pairs", CURVES, names, f->error, f->pairs[PLAIN]);
    snprintf(title, sizeof title, "%s: regression from examples in the context", f->r.of[0]->name);
    figure("pairs", CURVES, title, "pairs before", "half the squared error");
}

/* ---- claims ---- */

static double mean(const few *f, int curve, int64_t first, int64_t end)
{
    double sum = 0;
    for (int64_t i = first; i < end; i++) sum += f->error[curve][i];
    return sum / (double)(end - first);
}

/* Within 20 % after 1 and 5 pairs, 10 % behind. */
static int near(const few *f, int curve, const double known[SHOWN])
{
    int holds = 1;
    for (int k = 0; k < SHOWN; k++) {
        const double most = (shown[k] < 10 ? 0.2 : 0.1) * known[k];
        holds = holds && shown[k] < f->pairs[curve] &&
                fabs(f->error[curve][shown[k]] - known[k]) <= most;
    }
    return holds;
}

static double highest(const few *f, int curve, int64_t first, int64_t end)
{
    double most = 0;
    for (int64_t i = first; i < end; i++) most = fmax(most, f->error[curve][i]);
    return most;
}

static void claim_figures(const few *f)
{
    static const double known[][SHOWN] = {[PLAIN] = {1.69, 1.92, 1.43, 1.04, .755},
                                          [SEPARATOR] = {1.69, 1.82, 1.16, .82, .58},
                                          [PREFIX] = {1.79, 1.47, 1.00, .72, .55},
                                          [LSQ_ALL] = {1.65, 2.16, 1.37, .85, .53}};
    for (int i = PLAIN; i <= LSQ_ALL; i++) {
        const double *e = f->error[i];
        char what[TEXT], expected[TEXT];
        int at = snprintf(expected, sizeof expected, "10 %% (20 %% after 1 and 5 pairs) around");
        for (int k = 0; k < SHOWN; k++)
            at += snprintf(expected + at, sizeof expected - (size_t)at, " %.3g", known[i][k]);
        snprintf(what, sizeof what, "9. %s after 1, 5, 10, 20 and 60 pairs", names[i]);
        claim(what, expected, near(f, i, known[i]), "%.3g %.3g %.3g %.3g %.3g", e[1], e[5], e[10],
              e[20], e[60]);
    }
}

static void judge(const few *f)
{
    const int64_t end = f->pairs[PREFIX];
    if (end <= shown[SHOWN - 1]) return note("fewer than 61 pairs: no claims");
    const double last[] = {mean(f, PLAIN, 10, end), mean(f, SEPARATOR, 10, end),
                           mean(f, PREFIX, 10, end)};
    claim("9. trained on sequences alone, a model solves regression from examples",
          "the error after 60 pairs below half of that after 1",
          f->error[PLAIN][60] < 0.5 * f->error[PLAIN][1], "%.3f, %.3f", f->error[PLAIN][60],
          f->error[PLAIN][1]);
    claim("9. a separator improves it, a prefix more", "falling means over pairs from the 10th on",
          last[0] > last[1] && last[1] > last[2], "%.3f, %.3f, %.3f", last[0], last[1], last[2]);
    claim("9. the error rises before it falls, in the model and in least squares on all pairs",
          "the highest error after 2 to 10 pairs above that after 1, by 5 % at least",
          highest(f, PLAIN, 2, 11) > 1.05 * f->error[PLAIN][1] &&
              highest(f, LSQ_ALL, 2, 11) > 1.05 * f->error[LSQ_ALL][1],
          "%.3f above %.3f; %.3f above %.3f", highest(f, PLAIN, 2, 11), f->error[PLAIN][1],
          highest(f, LSQ_ALL, 2, 11), f->error[LSQ_ALL][1]);
    claim_figures(f);
}

/* ---- two tasks ---- */

static void score_two(few *f)
{
    static const char *const curves[TWO_CURVES] = {"model_prefix", "lsq_all_pairs",
                                                   "lsq_true_pairs"};
    const int64_t first = (f->segment - f->rows) / 3;
    int64_t pairs = 0;
    for (int i = 0; i < TWO_CURVES; i++) {
        if (signalled()) stop();
        pairs = i == 0 ? score_model(f, f->two, f->error[0])
                       : score_baseline(f, i == 1 ? LSQ_ALL : LSQ_TRUE, f->two, f->error[i]);
    }
    write_csv("two_tasks", TWO_CURVES, curves, f->error, pairs);
    figure("two_tasks", TWO_CURVES, "Two maps, one after the other", "pairs before",
           "half the squared error");
    if (first < 2 || pairs < 2 * first) return;
    const double *e = f->error[0];
    claim("9. with two tasks in a row the model learns again",
          "at the switch the error jumps by half at least, and comes back to at most 1.2 of what "
          "it was after as many pairs as the first task had",
          e[first] > 1.5 * e[first - 1] && e[2 * first - 1] < 1.2 * e[first - 1],
          "%.3f before, %.3f behind, %.3f later", e[first - 1], e[first], e[2 * first - 1]);
}

int main(int argc, char **argv)
{
    own_key own[] = {RUN_KEYS("tf7_long", "few_shot.out"),
                     {"updates", "5000", "of the separator, and as many of the prefix"},
                     {"vectors", "20", "of the prefix"},
                     {"tune_batch", "128", "sequences of an update"},
                     {"prompt", "", "file of a prompt to go on from, in place of a new one"},
                     {"switch", "80", "tokens of the first of two tasks"},
                     {"sequences", "4096", "test sequences behind the tables"},
                     {"test", "2560", "test sequences behind a row of loss.csv"},
                     {NULL, NULL, NULL}};
    args_begin(argc, argv, "Regression from examples in the context, with and without a prompt.",
               own);
    args_hide(" inputs outputs first teachers segment ");
    few f = {.r = runs_begin(NULL)};
    f.count = args_int("sequences", 1, 1 << 24), f.updates = args_int("updates", 0, 1 << 24);
    f.rows = args_int("vectors", 1, 4096), f.segment = args_int("switch", 1, 1 << 24);
    args_int("tune_batch", 1, 65536), args_int("save", 1, INT64_MAX / 4);
    args_end();
    runs_expect_one(&f.r);
    runs_create(&f.r);
    begin(&f);
    f.by_t = must_alloc(NULL, (size_t)f.T * sizeof(double));
    for (int i = 0; i < CURVES; i++) f.error[i] = must_alloc(NULL, (size_t)f.T * sizeof(double));
    catch_signals(f.r.ctx);
    mesaopt_status status = runs_train(&f.r);
    if (status != MESAOPT_STOPPED) {
        out_begin(f.r.ctx);
        status = tune(&f);
    }
    if (status != MESAOPT_STOPPED) {
        score(&f), report(&f), judge(&f);
        score_two(&f);
    }
    catch_signals(NULL);
    end(&f);
    return status == MESAOPT_STOPPED ? 130 : claims_status();
}
