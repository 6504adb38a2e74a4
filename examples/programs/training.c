/* training.c: the training loop with its progress line, loss.csv and checkpoint, and errors by t;
 * see common.h. */
#include "common.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- progress ---- */

progress progress_begin(int64_t first, int64_t steps)
{
    return (progress){seconds(), seconds(), first, steps, isatty(STDERR_FILENO)};
}

int32_t show_progress(const mesaopt_step *step, void *user)
{
    progress *p = user;
    const double now = seconds(),
                 rate = (double)(step->step - p->first) / fmax(now - p->start, 1e-9);
    if (step->step < p->steps && now - p->shown < (p->terminal ? 0.2 : 5)) return signalled();
    p->shown = now;
    const double left = fmin(round((double)(p->steps - step->step) / rate), 3.6e9);
    fprintf(stderr, "%sstep %lld/%lld  loss %.4f  %.1f steps/s  %.0f:%02.0f left%s",
            p->terminal ? "\r" : "", (long long)step->step, (long long)p->steps, step->loss, rate,
            floor(left / 60), fmod(left, 60), p->terminal ? "   " : "\n");
    unfinished_line = p->terminal && step->step < p->steps;
    if (p->terminal && !unfinished_line) fputc('\n', stderr);
    return signalled();
}

/* ---- training ---- */

/* Path of a training's file in the out folder. */
static void training_path(const training *t, const char *file, char *path)
{
    char name[256];
    snprintf(name, sizeof name, "%s%s", t->prefix, file);
    out_path(name, path);
}

/* loss.csv, with its header; a resumed run keeps the rows before its step. */
static FILE *open_losses(const training *t, int64_t step, char *path)
{
    char row[256];
    training_path(t, "loss.csv", path);
    FILE *f = open_file(path, step > 0 && access(path, F_OK) == 0 ? "r+" : "w+");
    long end = 0;
    if (step > 0)
        while (fgets(row, sizeof row, f) && (end == 0 || strtoll(row, NULL, 10) < step))
            end = ftell(f);
    if (end == 0) fputs("step,train_loss,test_loss\n", f);
    else if (fseek(f, end, SEEK_SET) != 0 || ftruncate(fileno(f), end) != 0)
        die("cannot write %s: %s", path, strerror(errno));
    flush_file(f, path);
    return f;
}

/* The command line goes into the checkpoint, if it is UTF-8. */
static void note_command(const training *t)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f) die("no memory for a note");
    args_command(f);
    if (fclose(f) != 0) die("no memory for a note");
    const mesaopt_status status = mesaopt_model_set_note(t->model, "command", text + 1);
    if (status != MESAOPT_E_ARGUMENT) must(t->ctx, status, "mesaopt_model_set_note");
    free(text);
}

training training_begin(mesaopt_ctx *ctx, mesaopt_settings *task, mesaopt_settings *model,
                        int64_t run, const char *name)
{
    training t = {.ctx = ctx};
    int64_t n, width, task_seed, model_seed;
    if (run > 0) snprintf(t.prefix, sizeof t.prefix, "seed%lld-%s", (long long)run, name);
    else snprintf(t.prefix, sizeof t.prefix, "%s", name);
    mesaopt_settings_get_int(task, MESAOPT_KEY_SEED, &task_seed);
    mesaopt_settings_get_int(model, MESAOPT_KEY_SEED, &model_seed);
    TRY(ctx, mesaopt_task_create(ctx, task, &t.test));
    t.task = t.test;                               /* training and test sequences are streams of one
                                                      task, of run 0 */
    TRY(ctx, mesaopt_task_shape(t.test, &n, NULL, &width, NULL));
    mesaopt_settings_set_int(task, MESAOPT_KEY_SEED, task_seed + run);
    if (run > 0) TRY(ctx, mesaopt_task_create(ctx, task, &t.task));
    mesaopt_settings_set_int(model, MESAOPT_KEY_INPUTS, width);
    mesaopt_settings_set_int(model, MESAOPT_KEY_OUTPUTS, n);
    mesaopt_settings_set_int(model, MESAOPT_KEY_SEED, model_seed + run);
    TRY(ctx, mesaopt_model_create(ctx, model, &t.model));
    mesaopt_settings_set_int(task, MESAOPT_KEY_SEED, task_seed);
    mesaopt_settings_set_int(model, MESAOPT_KEY_SEED, model_seed);
    return t;
}

void training_create(training *t, mesaopt_settings *settings)
{
    char old[MAX_PATH];
    int64_t own = 0;
    TRY(t->ctx, mesaopt_trainer_create(t->ctx, settings, t->model, t->task, &t->trainer));
    must(t->ctx, mesaopt_settings_get_int(settings, MESAOPT_KEY_BATCH, &t->batch),
         "mesaopt_settings_get_int");
    TRY(t->ctx, mesaopt_task_shape(t->test, NULL, NULL, NULL, &own));
    t->tests = own > 0 ? own : args_int("test", 1, 1 << 30);
    error_text();                                  /* a word that is none is found now, not after
                                                      the training */
    t->finals = own > 0 ? own : args_has("final") ? args_int("final", 1, 1 << 30) : t->tests;
    note_command(t);
    if (!*t->prefix || *args_text("resume")) return;
    training_path(t, CHECKPOINT, old);             /* of an earlier run: the first training of this
                                                      one must not bring it back */
    discard_file(old);
}

void training_add_mask(training *t, int64_t features)
{
    char text[64];
    snprintf(text, sizeof text, "mask(first=%lld)", (long long)features);
    TRY(t->ctx, mesaopt_model_add_text(t->model, text));
}

void training_free(training *t)
{
    mesaopt_trainer_free(t->trainer);
    mesaopt_model_free(t->model);
    if (t->test != t->task) mesaopt_task_free(t->test);
    mesaopt_task_free(t->task);
}

/* Systems of a mesa layer that missed its tolerance are said once; the numbers can be used. */
static mesaopt_status noted(const training *t, mesaopt_status status)
{
    static int said;
    char text[512] = "";
    if (status != MESAOPT_NOT_CONVERGED) return status;
    if (!said++) {
        mesaopt_ctx_error(t->ctx, text, sizeof text);
        note("%s", text);
    }
    return MESAOPT_OK;
}

/* One row of loss.csv: both losses of the present parameters; the training loss on the sequences of
 * the next step. */
static mesaopt_status write_row(const training *t, int64_t step, FILE *f, const char *path)
{
    double train = 0, test = 0;
    mesaopt_status status =
        noted(t, mesaopt_model_evaluate(t->model, t->task, MESAOPT_STREAM_TRAIN, step * t->batch,
                                        t->batch, NULL, &train));
    if (status == MESAOPT_OK)
        status = noted(t, mesaopt_model_evaluate(t->model, t->test, MESAOPT_STREAM_TEST, 0,
                                                 t->tests, NULL, &test));
    if (status == MESAOPT_OK) {
        fprintf(f, "%lld,%.9g,%.9g\n", (long long)step, train, test);
        flush_file(f, path);
    }
    return status;
}

/* What a training goes on from: the first one of a program from resume=, the others from what lies
 * beside it, if it came to them. */
static int find_resume(const training *t, char *path)
{
    const char *given = args_text("resume"), *slash = strrchr(given, '/');
    const int folder = slash ? (int)(slash + 1 - given) : 0;
    const int length =
        *t->prefix ? snprintf(path, MAX_PATH, "%.*s%s%s", folder, given, t->prefix, CHECKPOINT)
                   : snprintf(path, MAX_PATH, "%s", given);
    if (length >= MAX_PATH) args_refuse("resume", "a shorter name");
    return *given && (!*t->prefix || access(path, F_OK) == 0);
}

mesaopt_status training_run(training *t)
{
    char checkpoint[MAX_PATH], losses[MAX_PATH], resume[MAX_PATH];
    const int64_t steps = args_int("steps", 0, INT64_MAX / 4),
                  every = args_int("every", 1, INT64_MAX / 4);
    out_begin(t->ctx);
    training_path(t, CHECKPOINT, checkpoint);
    if (find_resume(t, resume))
        TRY(t->ctx, mesaopt_trainer_load_changed(t->trainer, resume, args_text("change")));
    int64_t step = mesaopt_trainer_steps(t->trainer);
    if (step > steps)
        die("resume: the checkpoint is at step %lld, expected at most steps=%lld", (long long)step,
            (long long)steps);
    FILE *f = open_losses(t, step, losses);
    progress p = progress_begin(step, steps);
    mesaopt_status status = MESAOPT_OK;
    while (status == MESAOPT_OK) {
        if (signalled()) status = MESAOPT_STOPPED;
        if (status == MESAOPT_OK && (step % every == 0 || step == steps))
            status = write_row(t, step, f, losses);
        if (step == steps || status != MESAOPT_OK) break;
        const int64_t next = step - step % every + every;
        status = noted(
            t, mesaopt_trainer_run(t->trainer, next < steps ? next : steps, show_progress, &p));
        step = mesaopt_trainer_steps(t->trainer);
    }
    if (status != MESAOPT_STOPPED && status != MESAOPT_E_INTERRUPTED)
        must(t->ctx, status, "training");
    close_file(f, losses);
    TRY(t->ctx, mesaopt_trainer_save(t->trainer, checkpoint));
    if (status == MESAOPT_OK) return MESAOPT_OK;
    say_stopped(step);
    return MESAOPT_STOPPED;
}

/* ---- error by t ---- */

static int error_is_mean(void)
{
    const int mean = strcmp(args_text("error"), "mean") == 0;
    if (!mean && strcmp(args_text("error"), "half_sum") != 0)
        args_refuse("error", "half_sum or mean");
    return mean;
}

const char *error_text(void)
{
    return error_is_mean() ? "mean of squared errors over dimensions"
                           : "half the sum of squared errors over dimensions";
}

double error_factor(int64_t n) { return error_is_mean() ? 2 / (double)n : 1; }

/* Room for one more curve, or one more run of it: a view [T], that curve_end adds to what is there.
 */
static mesaopt_view curve_begin(curves *c, const char *name, const char *number, const training *t)
{
    mesaopt_view by_t;
    if (signalled()) stop();
    TRY(t->ctx, mesaopt_task_shape(t->test, &c->dim, &c->length, NULL, NULL));
    if (c->at == c->count) {
        c->of[c->count].name = name;
        c->of[c->count].number = number;
        c->of[c->count].by_t = must_alloc(NULL, (size_t)c->length * sizeof(double));
        for (int64_t i = 0; i < c->length; i++) c->of[c->count].by_t[i] = 0;
        c->count++;
    }
    TRY(t->ctx, mesaopt_view_dense(must_alloc(NULL, (size_t)c->length * sizeof(double)),
                                   MESAOPT_F64, 1, &c->length, &by_t));
    return by_t;
}

static void curve_end(curves *c, const mesaopt_view *by_t, double mean)
{
    const double *run = by_t->data;
    for (int64_t i = 0; i < c->length; i++) c->of[c->at].by_t[i] += run[i];
    c->of[c->at].mean += mean;
    c->of[c->at].sd += mean * mean;
    c->of[c->at++].runs++;
    free(by_t->data);
}

void curves_again(curves *c) { c->at = 0; }

void curves_model(curves *c, const char *name, const training *t)
{
    const mesaopt_view by_t = curve_begin(c, name, NULL, t);
    double mean = 0;
    TRY(t->ctx,
        mesaopt_model_evaluate(t->model, t->test, MESAOPT_STREAM_TEST, 0, t->finals, &by_t, &mean));
    curve_end(c, &by_t, mean);
}

void curves_baseline(curves *c, const char *name, mesaopt_baseline *baseline, const training *t)
{
    const mesaopt_view by_t = curve_begin(c, name, NULL, t);
    double mean = 0;
    TRY(t->ctx, mesaopt_baseline_evaluate(baseline, t->test, MESAOPT_STREAM_TEST, 0, t->finals,
                                          &by_t, &mean));
    curve_end(c, &by_t, mean);
}

/* eta or ridge by line search on t->task, then the error on the sequences that the model is
 * evaluated on. */
static void add_baseline(curves *c, const char *name, const char *number, const training *t,
                         const char *settings)
{
    const mesaopt_view by_t = curve_begin(c, name, number, t);
    mesaopt_baseline *baseline = NULL;
    int64_t own = 0;
    double mean = 0;
    TRY(t->ctx, mesaopt_task_shape(t->task, NULL, NULL, NULL, &own));
    TRY(t->ctx, mesaopt_baseline_create(t->ctx, args_settings(MESAOPT_SCOPE_BASELINE, settings),
                                        &baseline));
    const mesaopt_status status =
        TRY(t->ctx, mesaopt_baseline_search(baseline, t->task, own > 0 ? own : t->tests,
                                            &c->of[c->at].best));
    c->of[c->at].at_bound = status == MESAOPT_AT_BOUND;
    TRY(t->ctx, mesaopt_baseline_evaluate(baseline, t->test, MESAOPT_STREAM_TEST, 0, t->finals,
                                          &by_t, &mean));
    curve_end(c, &by_t, mean);
    mesaopt_baseline_free(baseline);
}

void curves_baselines(curves *c, const training *t)
{
    add_baseline(c, "gd", "eta", t, "baseline=gd");
    /* without the newest pair, as in the paper */
    add_baseline(c, "lsq_newest_off", "ridge", t, "baseline=lsq newest_pair=0");
    add_baseline(c, "lsq_newest_on", "ridge", t, "baseline=lsq newest_pair=1");
}

/* Means and standard deviations of the sums. */
static void take_means(curves *c)
{
    for (int i = 0; i < c->count; i++) {
        const double runs = (double)c->of[i].runs, mean = c->of[i].mean / runs;
        for (int64_t t = 0; t < c->length; t++) c->of[i].by_t[t] /= runs;
        c->of[i].sd = runs > 1 ? sqrt(fmax(0, c->of[i].sd - runs * mean * mean) / (runs - 1)) : 0;
        c->of[i].mean = mean;
    }
}

/* What all curves are at t, or their means (t = 0), and the end of the line. */
static void print_row(FILE *f, const curves *c, int64_t t, const char *format)
{
    const double factor = error_factor(c->dim);
    for (int i = 0; i < c->count; i++)
        fprintf(f, format, factor * (t > 0 ? c->of[i].by_t[t - 1] : c->of[i].mean));
    fputc('\n', f);
}

/* Why the error of one gradient step grows again, where it does. */
static void explain_rise(const curves *c, const double *by_t)
{
    int64_t least = 0;
    for (int64_t t = 0; t < c->length; t++)
        if (by_t[t] < by_t[least]) least = t;
    if (by_t[c->length - 1] > 1.05 * by_t[least])
        printf("gd is best at t = %lld: its eta is the same at every t, while the X^T X that eta "
               "multiplies grows with t and makes the step too long\n",
               (long long)least + 1);
}

static void write_curves(const curves *c, const char *path)
{
    FILE *f = open_file(path, "w");
    fputc('t', f);
    for (int i = 0; i < c->count; i++) fprintf(f, ",%s", c->of[i].name);
    fputc('\n', f);
    for (int64_t t = 1; t <= c->length; t++) {
        fprintf(f, "%lld", (long long)t);
        print_row(f, c, t, ",%.9g");
    }
    close_file(f, path);
}

/* Of the means of several runs. */
static void print_deviations(const curves *c)
{
    printf("%6s", "sd");
    for (int i = 0; i < c->count; i++)
        if (c->of[i].runs > 1) printf("  %14.5f", error_factor(c->dim) * c->of[i].sd);
        else printf("  %14s", "");
    printf("\n(means and standard deviations over %lld seeds)\n", (long long)c->of[0].runs);
}

/* Rows t = 1, 2, 5, 10, 20, 50, .., the last one, and means. */
static void print_curves(const curves *c, const char *title)
{
    printf("\n%s\n(%s)\n\n%6s", title, error_text(), "t");
    for (int i = 0; i < c->count; i++) printf("  %14s", c->of[i].name);
    putchar('\n');
    for (int64_t t = 1; t <= c->length; t++) {
        int64_t digit = t;
        while (digit % 10 == 0) digit /= 10;
        if (digit != 1 && digit != 2 && digit != 5 && t != c->length) continue;
        printf("%6lld", (long long)t);
        print_row(stdout, c, t, "  %14.5f");
    }
    printf("%6s", "mean");
    print_row(stdout, c, 0, "  %14.5f");
    if (c->of[0].runs > 1) print_deviations(c);
    const char *before = "\nby line search: ";
    for (int i = 0; i < c->count; i++)
        if (c->of[i].number)
            printf("%s%s %s %.4g%s", before, c->of[i].name, c->of[i].number, c->of[i].best,
                   c->of[i].at_bound ? " (the end of its range)" : ""),
                before = ", ";
    putchar('\n');
    for (int i = 0; i < c->count; i++)
        if (strcmp(c->of[i].name, "gd") == 0) explain_rise(c, c->of[i].by_t);
}

void curves_report(curves *c, const char *title)
{
    char path[MAX_PATH];
    out_path("by_t.csv", path);
    take_means(c);
    write_curves(c, path);
    print_curves(c, title);
    printf("tables: %s, and loss.csv beside it\n", path);
    figure("by_t", c->count, title, "t", error_text());
    figure_log("by_t", c->count, title, "t", error_text());
    figure("loss", 2, c->loss ? c->loss : "Loss while training", "step", LOSS_LABEL);
    for (int i = 0; i < c->count; i++) free(c->of[i].by_t);
}
