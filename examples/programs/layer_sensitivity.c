/* layer_sensitivity: on which tokens does the stream depend, layer by layer?
 *
 * Trains a model by recipe, or takes one from a checkpoint, and takes the exact derivatives of the
 * stream after every block at some steps t with respect to the tokens of all steps t': the mean
 * over sequences, features and these t of their norm, by lag t - t'.
 *
 *   layer_sensitivity                    a softmax model after 3000 steps: sensitivity_tf
 *   layer_sensitivity recipe=sensitivity_mesa
 *   layer_sensitivity model=checkpoint.safetensors at=30,50
 *
 * Claim 7 of docs/science.md, section 7: the first layer binds neighbours, so what comes out of it
 * depends on the two newest tokens alone. Source: arXiv 2309.05858, appendix. */
#include "common.h"
#include "runs.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LAYERS = 256, DRAWN = 9, SHOWN = 8, MOST_STEPS = 64 };
typedef struct study {
    runs r;
    int64_t T, count, layers, blocks[MOST_LAYERS];
    int steps;
    int64_t at[MOST_STEPS], lags; /* t counted from 1; the last of them has so many lags */
    double *norm;                 /* [layers, lags] */
} study;

static double at_lag(const study *s, int64_t layer, int64_t lag)
{
    return s->norm[layer * s->lags + lag];
}

/* The tokens, and the stream behind every block but the read-out. */
static void choose_blocks(study *s)
{
    mesaopt_model *m = runs_of(&s->r, 0, 0)->model;
    const int64_t blocks = mesaopt_model_blocks(m);
    for (int64_t b = 0; b < blocks && s->layers < MOST_LAYERS; b++) s->blocks[s->layers++] = b;
}

static void write_table(const study *s)
{
    char path[MAX_PATH];
    out_path("sensitivity.csv", path);
    FILE *f = open_file(path, "w");
    fputs("lag", f);
    for (int64_t l = 0; l < s->layers; l++) fprintf(f, ",block %lld", (long long)s->blocks[l]);
    fputc('\n', f);
    for (int64_t lag = 0; lag < s->lags; lag++) {
        fprintf(f, "%lld", (long long)lag);
        for (int64_t l = 0; l < s->layers; l++) fprintf(f, ",%.9g", at_lag(s, l, lag));
        fputc('\n', f);
    }
    close_file(f, path);
    printf(
        "\nnorm of the derivative of the stream at steps t = %s with respect to the token of t - "
        "lag, mean over features, these t and %lld sequences\n\n%7s",
        args_text("at"), (long long)s->count, "block");
    for (int64_t lag = 0; lag < s->lags && lag < SHOWN; lag++)
        printf("  lag %-4lld", (long long)lag);
    for (int64_t l = 0; l < s->layers; l++) {
        printf("\n%7lld", (long long)s->blocks[l]);
        for (int64_t lag = 0; lag < s->lags && lag < SHOWN; lag++)
            printf("%10.5f", at_lag(s, l, lag));
    }
    printf("\ntable: %s\n", path);
}

/* The first block of attention. */
static int64_t first_layer(const study *s)
{
    int64_t heads = 0;
    for (int64_t l = 0; l < s->layers; l++) {
        TRY(s->r.ctx, mesaopt_study_heads(runs_of(&s->r, 0, 0)->model, s->blocks[l], &heads));
        if (heads > 0) return l;
    }
    die("the model has no block of attention");
}

static void judge(const study *s)
{
    const int64_t l = first_layer(s);
    double newest = INFINITY, old = 0;
    for (int64_t lag = 0; lag < s->lags; lag++) {
        if (lag < 2) newest = fmin(newest, at_lag(s, l, lag));
        if (lag > 3) old = fmax(old, at_lag(s, l, lag));
    }
    claim("7. the first layer depends on the two newest tokens alone",
          "sensitivity above 0.9 for both of them, below 0.05 for those older than three steps",
          newest > 0.9 && old < 0.05, "block %lld: at least %.4f, at most %.4f",
          (long long)s->blocks[l], newest, old);
}

/* Adds one step to the sums, and counts for every lag the steps that have it. */
static void add_step(study *s, int64_t at, double *all, double *counts)
{
    const training *t = runs_of(&s->r, 0, 0);
    mesaopt_view out;
    TRY(t->ctx, mesaopt_view_dense(all, MESAOPT_F64, 2, (int64_t[]){s->layers, s->T}, &out));
    TRY(t->ctx, mesaopt_study_sensitivity(t->model, s->layers, s->blocks, t->test,
                                          MESAOPT_STREAM_TEST, 0, s->count, at - 1, &out));
    for (int64_t lag = 0; lag < at; lag++) {
        counts[lag]++;
        for (int64_t l = 0; l < s->layers; l++)
            s->norm[l * s->lags + lag] += all[l * s->T + at - 1 - lag];
    }
}

static void find_sensitivity(study *s)
{
    double *all = must_alloc(NULL, (size_t)(s->layers * s->T) * sizeof(double)),
           *counts = must_alloc(NULL, (size_t)s->lags * sizeof(double));
    s->norm = must_alloc(NULL, (size_t)(s->layers * s->lags) * sizeof(double));
    for (int64_t i = 0; i < s->lags; i++) counts[i] = 0;
    for (int64_t i = 0; i < s->layers * s->lags; i++) s->norm[i] = 0;
    for (int i = 0; i < s->steps; i++) {
        if (signalled()) stop();
        add_step(s, s->at[i], all, counts);
    }
    for (int64_t i = 0; i < s->layers * s->lags; i++) s->norm[i] /= counts[i % s->lags];
    free(all);
    free(counts);
}

static void report(study *s)
{
    char title[160];
    find_sensitivity(s);
    write_table(s);
    snprintf(title, sizeof title, "%s: sensitivity of the stream to earlier tokens",
             s->r.of[0]->name);
    figure("sensitivity", s->layers < DRAWN ? (int)s->layers : DRAWN, title, "lag",
           "mean norm of the derivative");
    if (strstr(s->r.of[0]->task, "tokens=raw")) judge(s);
    free(s->norm);
}

/* "10,20,30"; empty: a fifth of the sequence, two fifths, .. */
static void read_steps(study *s)
{
    static char usual[128];
    for (int64_t i = 1; i <= 5; i++)
        snprintf(usual + strlen(usual), sizeof usual - strlen(usual), "%s%lld", i > 1 ? "," : "",
                 (long long)(s->T < 5 ? s->T : i * s->T / 5));
    if (!*args_text("at")) args_default("at", usual);
    for (const char *at = args_text("at");; at++) {
        char *end;
        const int64_t step = strtoll(at, &end, 10);
        if (end == at || step < 1 || step > s->T || (*end && *end != ',') || s->steps == MOST_STEPS)
            args_refuse("at", "steps of a sequence, such as 10,20,30");
        s->at[s->steps++] = step;
        if (step > s->lags) s->lags = step;
        at = end;
        if (!*at) return;
    }
}

int main(int argc, char **argv)
{
    own_key own[] = {RUN_KEYS("sensitivity_tf", "layer_sensitivity.out"),
                     {"at", "",
                      "steps whose stream is looked at, counted from 1; empty: five, up to the "
                      "last"},
                     {"sequences", "64", "test sequences that the mean is of"},
                     {"test", "2560", "test sequences behind a row of loss.csv"},
                     {NULL, NULL, NULL}};
    args_begin(argc, argv, "Takes derivatives of the stream: on which tokens does it depend?", own);
    args_hide(" inputs outputs first ");
    study s = {.r = runs_begin(NULL)};
    s.count = args_int("sequences", 1, 1 << 24);
    args_end();
    runs_expect_one(&s.r);
    runs_create(&s.r);
    TRY(s.r.ctx, mesaopt_task_shape(runs_of(&s.r, 0, 0)->test, NULL, &s.T, NULL, NULL));
    read_steps(&s);
    choose_blocks(&s);
    catch_signals(s.r.ctx);
    const mesaopt_status status = runs_train(&s.r);
    if (status == MESAOPT_OK) {
        out_begin(s.r.ctx);
        report(&s);
    }
    catch_signals(NULL);
    runs_free(&s.r);
    return status == MESAOPT_OK ? claims_status() : 130;
}
