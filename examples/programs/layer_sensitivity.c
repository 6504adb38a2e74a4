/* layer_sensitivity: on which tokens does the stream depend, layer by layer?
 *
 * Trains a model by recipe, or takes one from a checkpoint, and takes the exact derivatives of the
 * stream after every block at step `at` with respect to the token of every step t': the mean over
 * sequences and features of their norm. Table and figure have it by lag, t - t'.
 *
 *   layer_sensitivity                    a softmax model after 3000 steps: sensitivity_tf
 *   layer_sensitivity recipe=sensitivity_mesa
 *   layer_sensitivity model=checkpoint.safetensors at=30
 *
 * Claim 7 of docs/science.md, section 7: the first layer binds neighbours, so what comes out of it
 * depends on the two newest tokens alone. Source: arXiv 2309.05858, appendix. */
#include "common.h"
#include "runs.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LAYERS = 256, DRAWN = 9, SHOWN = 8 };
typedef struct study {
    runs r;
    int64_t T, at, count, layers, blocks[MOST_LAYERS];
    double *norm; /* [layers, T] */
} study;

/* By lag, at most `at` - 1. */
static double at_lag(const study *s, int64_t layer, int64_t lag)
{
    return s->norm[layer * s->T + s->at - 1 - lag];
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
    for (int64_t lag = 0; lag < s->at; lag++) {
        fprintf(f, "%lld", (long long)lag);
        for (int64_t l = 0; l < s->layers; l++) fprintf(f, ",%.9g", at_lag(s, l, lag));
        fputc('\n', f);
    }
    close_file(f, path);
    printf("\nnorm of the derivative with respect to the token of step %lld - lag, mean over "
           "features and %lld sequences\n\n%7s",
           (long long)s->at, (long long)s->count, "block");
    for (int64_t lag = 0; lag < s->at && lag < SHOWN; lag++) printf("  lag %-4lld", (long long)lag);
    for (int64_t l = 0; l < s->layers; l++) {
        printf("\n%7lld", (long long)s->blocks[l]);
        for (int64_t lag = 0; lag < s->at && lag < SHOWN; lag++)
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
    for (int64_t lag = 0; lag < s->at; lag++) {
        if (lag < 2) newest = fmin(newest, at_lag(s, l, lag));
        if (lag > 3) old = fmax(old, at_lag(s, l, lag));
    }
    claim("7. the first layer depends on the two newest tokens alone",
          "sensitivity above 0.9 for both of them, below 0.05 for those older than three steps",
          newest > 0.9 && old < 0.05, "block %lld: at least %.4f, at most %.4f",
          (long long)s->blocks[l], newest, old);
}

static void report(study *s)
{
    const training *t = runs_of(&s->r, 0, 0);
    char title[160];
    mesaopt_view out;
    s->norm = must_alloc(NULL, (size_t)(s->layers * s->T) * sizeof(double));
    TRY(t->ctx, mesaopt_view_dense(s->norm, MESAOPT_F64, 2, (int64_t[]){s->layers, s->T}, &out));
    TRY(t->ctx, mesaopt_study_sensitivity(t->model, s->layers, s->blocks, t->test,
                                          MESAOPT_STREAM_TEST, 0, s->count, s->at - 1, &out));
    write_table(s);
    snprintf(title, sizeof title, "%s: sensitivity of the stream at step %lld to earlier tokens",
             s->r.of[0]->name, (long long)s->at);
    figure("sensitivity", s->layers < DRAWN ? (int)s->layers : DRAWN, title, "lag",
           "mean norm of the derivative");
    if (strstr(s->r.of[0]->task, "tokens=raw")) judge(s);
    free(s->norm);
}

int main(int argc, char **argv)
{
    own_key own[] = {RUN_KEYS("sensitivity_tf", "layer_sensitivity.out"),
                     {"at", "0", "step whose stream is looked at; 0: the last"},
                     {"sequences", "64", "test sequences that the mean is of"},
                     {"test", "2560", "test sequences behind a row of loss.csv"},
                     {NULL, NULL, NULL}};
    args_begin(argc, argv, "Takes derivatives of the stream: on which tokens does it depend?", own);
    args_hide(" inputs outputs first ");
    study s = {.r = runs_begin()};
    s.count = args_int("sequences", 1, 1 << 24);
    args_int("at", 0, 1 << 24);
    args_end();
    if (s.r.count > 1) args_refuse("recipe", "one of them");
    runs_create(&s.r);
    TRY(s.r.ctx, mesaopt_task_shape(runs_of(&s.r, 0, 0)->test, NULL, &s.T, NULL, NULL));
    s.at = args_int("at", 0, s.T);
    if (s.at == 0) s.at = s.T;
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
