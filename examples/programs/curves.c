/* curves.c: errors by t of models and baselines: table, by_t.csv, figures; see curves.h. */
#include "curves.h"
#include "args.h"
#include "errors.h"
#include "figures.h"
#include "progress.h"
#include "stopping.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    TRY(t->ctx, mesaopt_baseline_create(t->ctx, args_preset(MESAOPT_SCOPE_BASELINE, settings),
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

int64_t chebyshev_updates(int64_t steps) { return steps == 2 ? 80000 : 20000; }

mesaopt_baseline *learn_chebyshev(const training *t, const char *settings, int64_t updates)
{
    char text[256];
    mesaopt_baseline *b = NULL;
    mesaopt_view v;
    snprintf(text, sizeof text, "baseline=chebyshev %s", settings);
    TRY(t->ctx, mesaopt_baseline_create(t->ctx, args_preset(MESAOPT_SCOPE_BASELINE, text), &b));
    TRY(t->ctx, mesaopt_baseline_coefficients(b, &v));
    const int64_t steps = v.shape[1];
    progress shown = progress_begin(0, updates > 0 ? updates : chebyshev_updates(steps));
    say("learning %lld Chebyshev step%s", (long long)steps, steps == 1 ? "" : "s");
    const mesaopt_status status =
        mesaopt_baseline_train(b, t->task, updates, show_progress, &shown);
    TRY(t->ctx, status);
    if (status == MESAOPT_STOPPED) stop();
    return b;
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

/* Steps that the task does not score have no error, and no row. */
static int is_scored(const curves *c, int64_t t) { return !isnan(c->of[0].by_t[t - 1]); }

static void write_curves(const curves *c, const char *path)
{
    FILE *f = open_file(path, "w");
    fputc('t', f);
    for (int i = 0; i < c->count; i++) fprintf(f, ",%s", c->of[i].name);
    fputc('\n', f);
    for (int64_t t = 1; t <= c->length; t++) {
        if (!is_scored(c, t)) continue;
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

static int is_round(int64_t t)
{
    while (t % 10 == 0) t /= 10;
    return t == 1 || t == 2 || t == 5;
}

/* Rows t = 1, 2, 5, 10, 20, 50, .., or the next that is scored, the last one, and means. */
static void print_curves(const curves *c, const char *title)
{
    int due = 0;
    printf("\n%s\n(%s)\n\n%6s", title, error_text(), "t");
    for (int i = 0; i < c->count; i++) printf("  %14s", c->of[i].name);
    putchar('\n');
    for (int64_t t = 1; t <= c->length; t++) {
        due |= is_round(t) || t == c->length;
        if (!due || !is_scored(c, t)) continue;
        due = 0;
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
    out_path("loss.csv", path);                    /* not there when nothing was trained */
    if (access(path, F_OK) == 0)
        figure("loss", 2, c->loss ? c->loss : "Loss while training", "step", LOSS_LABEL);
    for (int i = 0; i < c->count; i++) free(c->of[i].by_t);
}
