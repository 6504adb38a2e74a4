/* feature_probes: when do the features of a nonlinear world come up in a model, and where?
 *
 * The observations of task=nonlinear are a rotation of f(x_t) / |f(x_t)|, f an MLP that all
 * sequences share and the rotation new in each. A model that is to find the rotation by linear
 * regression has to have learned f in its weights first. Linear probes from the stream behind every
 * block to these features say how much of them is there: R2, held out, at every checkpoint of a
 * training.
 *
 *   feature_probes                               nonlinear_tf by recipe, a checkpoint every 1000
 *                                                steps
 *   feature_probes model=step1000-checkpoint.safetensors,step2000-checkpoint.safetensors
 *
 * Source: arXiv 2309.05858, section 4; docs/science.md, section 6. */
#include "common.h"
#include "runs.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_LAYERS = 256, DRAWN = 16 };
typedef struct study {
    runs r;
    mesaopt_settings *probing;
    int64_t n, T, count, layers, blocks[MOST_LAYERS], features[MOST_LAYERS];
    FILE *rows;
    char path[MAX_PATH];
} study;

/* The blocks whose stream is as wide as it gets. */
static void choose_blocks(study *s)
{
    mesaopt_model *m = runs_of(&s->r, 0, 0)->model;
    int64_t width = 0, widest = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t b = 0; b < mesaopt_model_blocks(m); b++) {
            TRY(s->r.ctx, mesaopt_model_width(m, b, &width));
            if (pass == 0 && width > widest) widest = width;
            if (pass == 1 && width == widest && s->layers < MOST_LAYERS)
                s->blocks[s->layers] = b, s->features[s->layers++] = width;
        }
}

/* A task without features is refused before anything is trained. */
static void check_features(const study *s)
{
    const training *t = runs_of(&s->r, 0, 0);
    double *x = must_alloc(NULL, (size_t)(2 * s->n) * sizeof *x);
    mesaopt_view from, to;
    for (int64_t i = 0; i < 2 * s->n; i++) x[i] = 0;
    TRY(t->ctx, mesaopt_view_dense(x, MESAOPT_F64, 3, (int64_t[]){1, 1, s->n}, &from));
    TRY(t->ctx, mesaopt_view_dense(x + s->n, MESAOPT_F64, 3, (int64_t[]){1, 1, s->n}, &to));
    TRY(t->ctx, mesaopt_task_features(t->test, &from, &to));
    free(x);
}

/* R2 behind every block, mean over t > T / 2: a line of the tables. */
static void probe_model(study *s, mesaopt_model *model, int64_t step)
{
    mesaopt_ctx *ctx = s->r.ctx;
    mesaopt_task *task = runs_of(&s->r, 0, 0)->test;
    mesaopt_probe *p = NULL;
    if (signalled()) stop();
    TRY(ctx, mesaopt_probe_plan(ctx, s->probing, s->layers, s->features, s->T, s->n, &p));
    TRY(ctx, mesaopt_probe_feed_model(p, MESAOPT_PROBE_TRAIN, model, s->blocks, task,
                                      MESAOPT_STREAM_SEARCH, 0, s->count));
    TRY(ctx, mesaopt_probe_feed_model(p, MESAOPT_PROBE_TEST, model, s->blocks, task,
                                      MESAOPT_STREAM_TEST, 0, s->count));
    scores r2 = scores_of(ctx, p, 0);
    printf("\n%8lld", (long long)step);
    fprintf(s->rows, "%lld", (long long)step);
    for (int64_t l = 0; l < s->layers; l++) {
        const double mean = score_mean(&r2, TEST_R2, l, s->T / 2, s->T);
        printf("%9.4f", mean);
        fprintf(s->rows, ",%.9g", mean);
    }
    fputc('\n', s->rows);
    keep_rows(s->rows, s->path);
    scores_free(&r2);
    mesaopt_probe_free(p);
}

/* The step that a checkpoint was saved after; -1: it does not say. */
static int64_t step_of(const study *s, const char *path)
{
    char text[64] = "";
    const int64_t size = mesaopt_file_note(s->r.ctx, path, "mesaopt.step", text, sizeof text);
    return size > 0 ? strtoll(text, NULL, 10) : -1;
}

static void probe_file(study *s, const char *path)
{
    mesaopt_model *model = NULL;
    TRY(s->r.ctx, mesaopt_model_open(s->r.ctx, path, &model));
    probe_model(s, model, step_of(s, path));
    mesaopt_model_free(model);
}

/* Those of a training that were kept on the way, then the model as it is. */
static void probe_training(study *s)
{
    const training *t = runs_of(&s->r, 0, 0);
    const int64_t save = args_int("save", 1, INT64_MAX / 4),
                  last = mesaopt_trainer_steps(t->trainer);
    char name[64], path[MAX_PATH];
    for (int64_t step = save; step < last; step += save) {
        snprintf(name, sizeof name, "step%lld-" CHECKPOINT, (long long)step);
        out_path(name, path);
        if (access(path, F_OK) == 0) probe_file(s, path);
    }
    probe_model(s, t->model, last);
}

static void report(study *s)
{
    char title[160];
    out_path("features.csv", s->path);
    s->rows = open_file(s->path, "w");
    printf(
        "\nfeatures of the task in the stream behind a block: R2 of linear probes, held out, mean "
        "over t > %lld\n\n%8s",
        (long long)s->T / 2, "step");
    fputs("step", s->rows);
    for (int64_t l = 0; l < s->layers; l++) {
        printf("%9lld", (long long)s->blocks[l]);
        fprintf(s->rows, ",block %lld", (long long)s->blocks[l]);
    }
    fputc('\n', s->rows);
    for (int i = 0; s->r.file[i]; i++) probe_file(s, s->r.file[i]);
    if (!s->r.file[0]) probe_training(s);
    close_file(s->rows, s->path);
    printf("\ntable: %s\n", s->path);
    snprintf(title, sizeof title, "%s: features of the task in the stream", s->r.of[0]->name);
    figure("features", s->layers < DRAWN ? (int)s->layers : DRAWN, title, "step", "R2, held out");
}

int main(int argc, char **argv)
{
    own_key own[] = {RUN_KEYS("nonlinear_tf", "feature_probes.out"),
                     {"sequences", "2048",
                      "sequences that probes are fitted to; as many others are for scoring"},
                     {"test", "2560", "test sequences behind a row of loss.csv"},
                     {NULL, NULL, NULL}};
    args_begin(argc, argv,
               "Probes the features of a nonlinear task at every checkpoint: when and where do "
               "they come up?",
               own);
    args_hide(" inputs outputs first target lag lags error filter ");
    if (!args_given("keep")) args_default("keep", "1");
    study s = {.r = runs_begin(NULL)};
    s.probing = args_settings(MESAOPT_SCOPE_PROBE, "target=unit_features lag=0 lags=1");
    s.count = args_int("sequences", 1, 1 << 24);
    args_end();
    if (s.r.count > 1) args_refuse("recipe", "one of them");
    runs_create(&s.r);
    TRY(s.r.ctx, mesaopt_task_shape(runs_of(&s.r, 0, 0)->test, &s.n, &s.T, NULL, NULL));
    choose_blocks(&s);
    check_features(&s);
    if (s.count <= s.features[0]) args_refuse("sequences", "more than the features of a layer");
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
