/* revalg: trains an attention-only model, reads its algorithm off the weights (RevAlg-d: one number
 * per n x n block of the products W_q W_k^T and W_v P of every head), rebuilds a model from these
 * numbers alone, trains again from the same start on the same data, and shows on the way that the
 * average of the products of both is as good as either: the numbers are what the network computes.
 *
 *   revalg                          one linear layer: 32 numbers per head
 *   revalg layers=1,2,4,6 seeds=5
 *           by depth, mean and standard deviation over seeds, of which there are 3 when nothing is
 *           said (the paper's recipes: hours;
 *                                   seeds.csv grows with every seed)
 *   revalg layers=6 kind=softmax    softmax attention
 *   revalg weights=FILE
 *           weights that were trained elsewhere: a checkpoint of this library (train and the
 *           like), which says all of itself, or a
 *                                   safetensors file of blocks.I.query, .key, .value, .output
 *                                   (export_torch.py). inputs= and outputs= say how many features a
 *                                   token and a prediction have, data=FILE (pairs.h) brings tokens
 *                                   and targets of one's own instead of a task's
 *
 * Tokens [0, x_t, x_t, x_{t-1}], and one layer sees [0, 0, x_t, x_{t-1}]; or tokens=slots. While
 * the network trains, described-N.csv has its loss, that of the model of its scalars, and the share
 * of the products that they explain: where do the scalars describe it, and until when? Recipes
 * (first training, second training): one layer 2500 and 3500 steps, key 20, 2 heads, batch 256, lr
 * 2e-4, weight decay 0.05; more layers 3500 and 4500, key 40, 4 heads, batch 512, lr 1e-4, weight
 * decay 0.1. Softmax layers learn at 8e-4, with a cosine. Claims 1, 3 and 4 of docs/science.md,
 * section 7; source: arXiv 2309.05858, section 3 and appendix. */
#include "algorithm.h"
#include "own_sequences.h"
#include "revalg_study.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- while it trains ---- */

/* One row of the description: losses of the network and of the model of its scalars, and the share
 * that they explain. */
static void describe(study *s, int64_t step)
{
    mesaopt_revalg *r;
    mesaopt_model *rebuilt;
    double share = 0;
    TRY(s->ctx, mesaopt_revalg_extract(s->model, &r));
    TRY(s->ctx, mesaopt_revalg_rebuild(r, &rebuilt));
    TRY(s->ctx, mesaopt_revalg_summary(r, NULL, &share));
    const double model = study_loss(s, s->model, s->tests), loss = study_loss(s, rebuilt, s->tests);
    if (step == 0) s->start = model;
    if (losses_near(loss, model) && learned(model, s->start)) s->until = step;
    fprintf(s->rows, "%lld,%.9g,%.9g,%.9g\n", (long long)step, model, loss, share);
    keep_rows(s->rows, s->path);
    mesaopt_model_free(rebuilt);
    mesaopt_revalg_free(r);
}

static int32_t describe_step(const mesaopt_step *step, void *user)
{
    study *s = user;
    if (s->rows && (step->step % s->every == 0 || step->step == s->first)) describe(s, step->step);
    return show_progress(step, &s->shown);
}

/* One row of the interpolation: the losses of the model as it is, of the rebuilt one, of the
 * average of their products. */
static int32_t interpolate(const mesaopt_step *step, void *user)
{
    study *s = user;
    if (s->rows && (step->step % s->every == 0 || step->step == s->steps)) {
        TRY(s->ctx, mesaopt_revalg_average_update(s->average, s->model, s->rebuilt));
        fprintf(s->rows, "%lld,%.9g,%.9g,%.9g\n", (long long)step->step,
                study_loss(s, s->model, s->tests), s->rebuilt_loss,
                study_loss(s, s->average, s->tests));
        keep_rows(s->rows, s->path);
    }
    return show_progress(step, &s->shown);
}

/* s->model: new, from this seed. */
static void new_model(study *s, int64_t seed)
{
    char mask[64], tokens[32];
    mesaopt_settings_set_int(s->model_settings, MESAOPT_KEY_SEED, seed);
    TRY(s->ctx, mesaopt_model_create(s->ctx, s->model_settings, &s->model));
    snprintf(mask, sizeof mask, "mask(first=%lld)", (long long)(2 * s->n));
    mesaopt_settings_get_text(s->task_settings, "tokens", tokens, sizeof tokens);
    if (s->layers == 1 && strcmp(tokens, "constructed") == 0)
        TRY(s->ctx, mesaopt_model_add_text(s->model, mask));
    for (int64_t i = 0; i < s->layers; i++) TRY(s->ctx, mesaopt_model_add(s->model, s->layer));
}

static void train(study *s, int64_t steps, mesaopt_step_fn after, void *user)
{
    mesaopt_trainer *trainer;
    TRY(s->ctx, mesaopt_trainer_create(s->ctx, s->trainer_settings, s->model, s->task, &trainer));
    s->shown = progress_begin(0, steps);
    const mesaopt_status status = mesaopt_trainer_run(trainer, steps, after, user);
    TRY(s->ctx, status);
    if (status == MESAOPT_STOPPED) stop();
    mesaopt_trainer_free(trainer);
}

/* ---- a depth ---- */

/* A table of what goes on, N its number of layers: of the first seed only. */
static void begin_rows(study *s, const char *name, const char *header, int64_t seed)
{
    char file[64];
    snprintf(file, sizeof file, "%s-%lld.csv", name, (long long)s->layers);
    out_path(file, s->path);
    s->rows = seed == 0 ? open_file(s->path, "w") : NULL;
    if (s->rows) fputs(header, s->rows);
}

static int end_rows(study *s, const char *name, char figure_name[64])
{
    if (!s->rows) return 0;
    close_file(s->rows, s->path);
    s->rows = NULL;
    snprintf(figure_name, 64, "%s-%lld", name, (long long)s->layers);
    return 1;
}

static void say_seed(const study *s, int64_t seed, const char *what)
{
    fprintf(stderr, "%lld layer%s, seed %lld: %s\n", (long long)s->layers, s->layers > 1 ? "s" : "",
            (long long)seed, what);
}

/* Trains s->model, and reads off its scalars; tables and pictures come from the first seed. */
static void train_and_read(study *s, int64_t seed, result *out)
{
    char name[64], title[128];
    say_seed(s, seed, "training, then reading off");
    new_model(s, seed);
    begin_rows(s, "described", "step,model,rebuilt,explained\n", seed);
    s->until = -1;
    if (s->rows) describe(s, 0);
    train(s, s->first, describe_step, s);
    snprintf(title, sizeof title, "%lld layer%s: the network and the model of its scalars",
             (long long)s->layers, s->layers > 1 ? "s" : "");
    if (end_rows(s, "described", name))
        figure_right(name, 3, title, "step", LOSS_LABEL, "share of the products explained");
    algorithm a = algorithm_read(s->ctx, s->model);
    TRY(s->ctx, mesaopt_revalg_rebuild(a.scalars, &s->rebuilt));
    if (seed == 0) {
        TRY(s->ctx, mesaopt_revalg_summary(a.scalars, &out->weights, &out->explained));
        out->until = s->until, out->last = s->first;
        algorithm_print(&a);
        algorithm_draw(&a);
    }
    algorithm_free(&a);
    mesaopt_model_free(s->model);
}

/* Trains again from the same start; the losses in the end. */
static void run_seed(study *s, int64_t seed, double loss[LOSSES], result *out)
{
    char name[64], title[128];
    mesaopt_settings_set_int(s->task_settings, MESAOPT_KEY_SEED, seed);
    TRY(s->ctx, mesaopt_task_create(s->ctx, s->task_settings, &s->task));
    train_and_read(s, seed, out);
    say_seed(s, seed, "training again, with interpolation");
    new_model(s, seed);
    TRY(s->ctx, mesaopt_revalg_average(s->model, s->rebuilt, &s->average));
    s->rebuilt_loss = study_loss(s, s->rebuilt, s->tests);
    begin_rows(s, "interpolation", "step,model,rebuilt,average of products\n", seed);
    train(s, s->steps, interpolate, s);
    TRY(s->ctx, mesaopt_revalg_average_update(s->average, s->model, s->rebuilt));
    mesaopt_model *const models[LOSSES] = {s->model, s->rebuilt, s->average};
    for (int i = 0; i < LOSSES; i++) loss[i] = study_loss(s, models[i], s->finals);
    fprintf(s->each, "%lld,%lld,%.9g,%.9g,%.9g\n", (long long)s->layers, (long long)seed,
            loss[MODEL], loss[REBUILT], loss[AVERAGE]);
    keep_rows(s->each, s->each_path);
    snprintf(title, sizeof title, "RevAlg-%lld: test loss while training again",
             (long long)s->layers);
    if (end_rows(s, "interpolation", name)) figure(name, LOSSES, title, "step", LOSS_LABEL);
    s->nothing = study_loss_of_nothing(s, s->average);
    for (int i = 0; i < LOSSES; i++) mesaopt_model_free(models[i]);
    mesaopt_task_free(s->task);
}

static result run_depth(study *s)
{
    result out = {0};
    double *loss = must_alloc(NULL, (size_t)(s->seeds * LOSSES) * sizeof *loss);
    for (int64_t seed = 0; seed < s->seeds; seed++) run_seed(s, seed, loss + seed * LOSSES, &out);
    for (int i = 0; i < LOSSES; i++) {
        for (int64_t seed = 0; seed < s->seeds; seed++)
            out.mean[i] += loss[seed * LOSSES + i] / (double)s->seeds;
        for (int64_t seed = 0; seed < s->seeds; seed++)
            out.sd[i] += pow(loss[seed * LOSSES + i] - out.mean[i], 2);
        out.sd[i] = s->seeds > 1 ? sqrt(out.sd[i] / (double)(s->seeds - 1)) : 0;
    }
    free(loss);
    return out;
}

/* ---- the whole ---- */

static void train_depths(study *s, int count, const int64_t *layers,
                         mesaopt_settings *const layer[2], mesaopt_settings *const trainer[2])
{
    const int64_t first = s->first, steps = s->steps;      /* 0: the recipe's */
    result of[MAX_DEPTHS];
    out_path("seeds.csv", s->each_path);
    s->each = open_file(s->each_path, "w");
    fputs("layers,seed,model,rebuilt,average\n", s->each);
    for (int i = 0; i < count; i++) {
        const int deep = layers[i] > 1;
        s->layers = layers[i], s->layer = layer[deep], s->trainer_settings = trainer[deep];
        s->first = first  ? first
                   : deep ? 3500
                          : 2500,
        s->steps = steps  ? steps
                   : deep ? 4500
                          : 3500;
        of[i] = run_depth(s);
    }
    close_file(s->each, s->each_path);
    study_report(s, count, layers, of);
}

/* "1,2,4" */
static int read_layers(int64_t layers[MAX_DEPTHS])
{
    int count = 0;
    for (const char *at = args_text("layers"); count < MAX_DEPTHS; at++) {
        char *end;
        layers[count] = strtoll(at, &end, 10);
        if (end == at || layers[count] < 1 || layers[count] > 1000 || (*end && *end != ','))
            args_refuse("layers", "numbers of layers such as 1,2,4");
        count++;
        if (!*end) return count;
        at = end;
    }
    args_refuse("layers", "at most 16 numbers");
}

int main(int argc, char **argv)
{
    own_key own[] = {
        {"kind", "linear", "kind of the attention layers: linear, softmax"},
        {"layers", "1", "numbers of layers, such as 1,2,4,6"},
        {"weights", "",
         "file of weights to read, instead of training: a checkpoint of this library, or "
         "blocks.I.query and so on"},
        {"inputs", "",
         "features of a token of weights= from elsewhere; empty: 4 times as many as a prediction"},
        {"outputs", "", "features of a prediction of weights= from elsewhere; empty: dim"},
        {"data", "",
         "with weights=: tokens and targets, in a safetensors file or as rows of both; empty: "
         "sequences of the task"},
        SEQUENCES_KEYS,
        {"seeds", "3", "models of each depth, from seeds 0, 1, .."},
        {"first", "0", "steps before the scalars are read off; 0: the recipe's"},
        {"steps", "0", "steps of the second training; 0: the recipe's"},
        {"every", "100", "steps between two rows of described and interpolation"},
        OUT_KEYS("revalg.out", "folder for tables and figures; made when missing"),
        {"test", "2560", "test sequences behind a row of described and interpolation"},
        {"final", "32768", "test sequences behind the table"},
        {NULL, NULL, NULL}};
    static const char *const of_rows[] = {"id",      "ignore", "delimiter", "header",
                                          "missing", "window", "lengths",   NULL};
    static const char *const layer_recipe[2] = {"heads=2 key=20 init_sd=2e-4 residual_clip=4",
                                                "heads=4 key=40 init_sd=2e-4 residual_clip=4"};
    static const char *const trainer_recipe[2][2] = {
        {"batch=256 lr=2e-4 weight_decay=0.05", "batch=512 lr=1e-4 weight_decay=0.1"},
        {"batch=256 lr=8e-4 cosine_steps=30000 weight_decay=0.05",
         "batch=512 lr=8e-4 cosine_steps=30000 weight_decay=0.05"}};
    study s = {0};
    mesaopt_settings *layer[2], *trainer[2];
    int64_t layers[MAX_DEPTHS], inputs;

    args_begin(argc, argv,
               "Trains attention-only models and reads their algorithm off the weights.", own);
    args_hide(" first pe seed value scale ");
    s.ctx = args_ctx();
    s.task_settings = args_settings(MESAOPT_SCOPE_TASK, "tokens=constructed"),
    s.model_settings = args_settings(MESAOPT_SCOPE_MODEL, "");
    const int32_t kind = args_block_scope("kind");
    const int softmax = kind == MESAOPT_SCOPE_SOFTMAX;
    if (kind != MESAOPT_SCOPE_LINEAR && !softmax) args_refuse("kind", "linear or softmax");
    for (int i = 0; i < 2; i++) {
        layer[i] = args_settings_of(i ? "several layers" : "one layer", kind, layer_recipe[i]);
        trainer[i] = args_settings_of(i ? "training of several layers" : "training of one layer",
                                      MESAOPT_SCOPE_TRAINER, trainer_recipe[softmax][i]);
    }
    s.seeds = args_int("seeds", 1, 1000), s.every = args_int("every", 1, INT64_MAX / 4);
    s.first = args_int("first", 0, INT64_MAX / 4), s.steps = args_int("steps", 0, INT64_MAX / 4);
    s.tests = args_int("test", 1, 1 << 30), s.finals = args_int("final", 1, 1 << 30);
    const int count = read_layers(layers);
    for (const char *const *k = (const char *const[]){"inputs", "outputs", "data", NULL}; *k; k++)
        if (!*args_text("weights") && *args_text(*k)) args_refuse(*k, "none without weights=");
    for (const char *const *k = of_rows; *k && !*args_text("data"); k++)
        if (args_given(*k)) args_refuse(*k, "none without data=");
    args_end();
    catch_signals(s.ctx);
    if (*args_text("weights")) s.layer = layer[1], study_read_weights(&s);
    else {
        TRY(s.ctx, mesaopt_task_create(s.ctx, s.task_settings, &s.task));
        TRY(s.ctx, mesaopt_task_shape(s.task, &s.n, NULL, &inputs, NULL));
        mesaopt_task_free(s.task);
        mesaopt_settings_set_int(s.model_settings, MESAOPT_KEY_INPUTS, inputs);
        mesaopt_settings_set_int(s.model_settings, MESAOPT_KEY_OUTPUTS, s.n);
        out_begin(s.ctx);
        train_depths(&s, count, layers, layer, trainer);
    }
    catch_signals(NULL);
    mesaopt_ctx_free(s.ctx);
    args_free();
    return claims_status();
}
