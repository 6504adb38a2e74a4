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
 *           weights that were trained elsewhere: a checkpoint of this library (train_lsa and the
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
#include "common.h"
#include "pairs.h"
#include "own_sequences.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MODEL, REBUILT, AVERAGE, LOSSES, MAX_DEPTHS = 16 };

typedef struct study {
    mesaopt_ctx *ctx;
    mesaopt_settings *model_settings, *layer, *trainer_settings, *task_settings;
    mesaopt_task *task;
    pairs data;                                    /* data=: instead of the task's sequences; count
                                                      0: none */
    int64_t layers, seeds, first, steps, every, tests, finals, n;
    mesaopt_model *model, *rebuilt, *average;      /* of the run that goes on */
    double rebuilt_loss;                           /* of `tests` sequences */
    FILE *rows, *each;                             /* what goes on from step to step, or NULL; the
                                                      losses of every seed */
    char path[MAX_PATH], each_path[MAX_PATH];
    progress shown;
    double start;                                  /* loss before training */
    int64_t until;                                 /* last step at which the scalars described a
                                                      network that had learned something; -1:
                                                      never */
} study;

typedef struct result {
    double mean[LOSSES], sd[LOSSES], weights, explained;
    int64_t until, last;
} result;

#define NEAR 0.05                                      /* losses that differ by less say the same */
static int near(double loss, double other) { return fabs(loss / other - 1) < NEAR; }

static double evaluate(const study *s, mesaopt_model *m, int64_t count)
{
    double loss = 0;
    if (signalled()) stop();
    if (s->data.count > 0) return pairs_loss(s->ctx, m, &s->data);
    TRY(s->ctx, mesaopt_model_evaluate(m, s->task, MESAOPT_STREAM_TEST, 0, count, NULL, &loss));
    return loss;
}

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
    const double model = evaluate(s, s->model, s->tests), loss = evaluate(s, rebuilt, s->tests);
    if (step == 0) s->start = model;
    if (near(loss, model) && model < (1 - NEAR) * s->start) s->until = step;
    fprintf(s->rows, "%lld,%.9g,%.9g,%.9g\n", (long long)step, model, loss, share);
    flush_file(s->rows, s->path);
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
                evaluate(s, s->model, s->tests), s->rebuilt_loss,
                evaluate(s, s->average, s->tests));
        flush_file(s->rows, s->path);
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
    s->rebuilt_loss = evaluate(s, s->rebuilt, s->tests);
    begin_rows(s, "interpolation", "step,model,rebuilt,average of products\n", seed);
    train(s, s->steps, interpolate, s);
    TRY(s->ctx, mesaopt_revalg_average_update(s->average, s->model, s->rebuilt));
    mesaopt_model *const models[LOSSES] = {s->model, s->rebuilt, s->average};
    for (int i = 0; i < LOSSES; i++) loss[i] = evaluate(s, models[i], s->finals);
    fprintf(s->each, "%lld,%lld,%.9g,%.9g,%.9g\n", (long long)s->layers, (long long)seed,
            loss[MODEL], loss[REBUILT], loss[AVERAGE]);
    flush_file(s->each, s->each_path);
    snprintf(title, sizeof title, "RevAlg-%lld: test loss while training again",
             (long long)s->layers);
    if (end_rows(s, "interpolation", name)) figure(name, LOSSES, title, "step", LOSS_LABEL);
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

/* Mean over the seeds' sequences of one step of gradient descent with the best step size. */
static double loss_of_gd(study *s)
{
    mesaopt_settings *settings = NULL;
    mesaopt_baseline *gd = NULL;
    double loss = 0, sum = 0;
    must(NULL, mesaopt_settings_create(MESAOPT_SCOPE_BASELINE, NULL, NULL, &settings),
         "mesaopt_settings_create");
    TRY(s->ctx, mesaopt_baseline_create(s->ctx, settings, &gd));
    for (int64_t seed = 0; seed < s->seeds; seed++) {
        mesaopt_settings_set_int(s->task_settings, MESAOPT_KEY_SEED, seed);
        TRY(s->ctx, mesaopt_task_create(s->ctx, s->task_settings, &s->task));
        if (TRY(s->ctx, mesaopt_baseline_search(gd, s->task, s->tests, NULL)) == MESAOPT_AT_BOUND)
            note("seed %lld: the best step size of one gradient step lies at the end of its range",
                 (long long)seed);
        TRY(s->ctx,
            mesaopt_baseline_evaluate(gd, s->task, MESAOPT_STREAM_TEST, 0, s->finals, NULL, &loss));
        sum += loss / (double)s->seeds;
        mesaopt_task_free(s->task);
    }
    mesaopt_baseline_free(gd);
    mesaopt_settings_free(settings);
    return sum;
}

/* ---- report ---- */

static void print_depth(const study *s, int64_t layers, const result *r, int wide, FILE *f)
{
    printf("%8lld", (long long)layers);
    fprintf(f, "%lld", (long long)layers);
    for (int j = 0; j < LOSSES; j++) {
        printf("  %*.5f", s->seeds > 1 ? 8 : wide, r->mean[j]);
        if (s->seeds > 1) printf(" +-%7.5f", r->sd[j]);
        fprintf(f, ",%.9g,%.9g", r->mean[j], r->sd[j]);
    }
    printf("  %8.2f %%  %8.2f %%\n", 100 * r->weights, 100 * r->explained);
    fprintf(f, ",%.9g,%.9g\n", r->weights, r->explained);
}

#define CLAIM_4 "4. the scalars describe the trained network"

/* Claim 4, depth by depth: it is one of shallow networks, and of deep ones while they are young. */
static void claim_description(int count, const int64_t *layers, const result *of)
{
    for (int i = 0; i < count; i++) {
        const result *r = &of[i];
        char expected[160], seen[160];
        const int end =
            near(r->mean[REBUILT], r->mean[MODEL]) && near(r->mean[AVERAGE], r->mean[MODEL]);
        snprintf(expected, sizeof expected,
                 layers[i] <= 2 ? "rebuilt model and average of products within 5 %% of the network"
                                : "rebuilt model within 5 %% of the network early in training; a "
                                  "deep one trained to the end is not described");
        if (r->until < 0) snprintf(seen, sizeof seen, "never within 5 %% while it trained");
        else
            snprintf(seen, sizeof seen, "within 5 %% up to step %lld of %lld", (long long)r->until,
                     (long long)r->last);
        claim(CLAIM_4, expected, end || (layers[i] > 2 && r->until >= 0),
              "LSA-%lld: losses in the end: model %.4f, rebuilt %.4f, average %.4f; %s "
              "(described-%lld.csv)",
              (long long)layers[i], r->mean[MODEL], r->mean[REBUILT], r->mean[AVERAGE], seen,
              (long long)layers[i]);
    }
}

static void report(study *s, int count, const int64_t *layers, const result *of)
{
    char path[MAX_PATH], seen[512] = "";
    int falling = count > 1;
    out_path("depth.csv", path);
    FILE *f = open_file(path, "w");
    fputs(
        "layers,model,model_sd,rebuilt,rebuilt_sd,average,average_sd,share_of_weights,explained\n",
        f);
    const int wide = s->seeds > 1 ? 18 : 16;
    printf("\nlosses of the test sequences (half the sum of squared errors over dimensions, mean "
           "over t), mean over %lld seed%s\n\n%8s  %*s  %*s  %*s  %10s  %10s\n",
           (long long)s->seeds, s->seeds > 1 ? "s" : "", "layers", wide, "model", wide, "rebuilt",
           wide, "average", "weights", "explained");
    for (int i = 0; i < count; i++) {
        print_depth(s, layers[i], &of[i], wide, f);
        falling =
            falling &&
            (i == 0 || (layers[i] > layers[i - 1] && of[i].mean[MODEL] < of[i - 1].mean[MODEL]));
        snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%sLSA-%lld %.4f", i ? ", " : "",
                 (long long)layers[i], of[i].mean[MODEL]);
    }
    close_file(f, path);
    printf("tables: %s, and seeds, scalars, blocks, described, interpolation beside it\n", path);
    if (layers[0] == 1 && strcmp(args_text("kind"), "linear") == 0) {
        const double gd = loss_of_gd(s), model = of[0].mean[MODEL];
        claim(CLAIM_1, model <= gd && model > 0.98 * gd, "losses: model %.4f, gradient step %.4f",
              model, gd);
    }
    if (count > 1)
        claim("3. depth helps", "loss falls with the number of layers (LSA-6: about 0.216)",
              falling, "%s", seen);
    else printf("\nclaim 3, that depth helps, needs several depths: layers=1,2,4,6\n");
    claim_description(count, layers, of);
}

/* ---- weights from a file ---- */

/* Tokens and targets of the task have the widths of the model, as far as nothing else was said. */
static void fit_task(study *s, int64_t inputs, int64_t outputs)
{
    if (!args_given("dim")) mesaopt_settings_set_int(s->task_settings, MESAOPT_KEY_DIM, outputs);
    if (args_given("tokens") || inputs == 4 * outputs) return;
    mesaopt_settings_set_text(s->task_settings, "tokens", inputs == outputs ? "raw" : "slots");
    if (!args_given("slots") && inputs % outputs == 0)
        mesaopt_settings_set_int(s->task_settings, MESAOPT_KEY_SLOTS, inputs / outputs);
}

/* Features of a token and of a prediction, of weights that do not say it. */
static void foreign_shape(const study *s, int64_t *inputs, int64_t *outputs)
{
    int64_t n;
    mesaopt_settings_get_int(s->task_settings, MESAOPT_KEY_DIM, &n);
    *outputs = *args_text("outputs") ? args_int("outputs", 1, 1 << 20) : n;
    *inputs = *args_text("inputs") ? args_int("inputs", 1, 1 << 20) : 4 * *outputs;
}

static void open_weights(study *s, const char *file)
{
    int64_t inputs, outputs;
    if (mesaopt_file_note(s->ctx, file, "mesaopt.blocks", NULL, 0) > 0) {
        static const char *const said[] = {"kind",  "heads",  "key",    "residual_clip",
                                           "dtype", "inputs", "outputs"};
        for (size_t i = 0; i < sizeof said / sizeof *said; i++)
            if (args_given(said[i]))
                note("%s: a checkpoint of this library says that itself, and %s= is not heeded",
                     file, said[i]);
        TRY(s->ctx, mesaopt_model_open(s->ctx, file, &s->model));
        return;
    }
    foreign_shape(s, &inputs, &outputs);
    mesaopt_settings_set_int(s->model_settings, MESAOPT_KEY_INPUTS, inputs);
    mesaopt_settings_set_int(s->model_settings, MESAOPT_KEY_OUTPUTS, outputs);
    TRY(s->ctx, mesaopt_revalg_import_file(s->ctx, s->model_settings, s->layer, file, &s->model));
}

/* The scalars of these weights, and the losses of the model and of its scalars on the task, or on
 * the user's data. */
static void read_weights(study *s)
{
    double weights = 0, explained = 0;
    open_weights(s, args_text("weights"));
    algorithm a = algorithm_read(s->ctx, s->model);
    s->layers = a.layers;
    if (*args_text("data")) s->data = pairs_read(args_text("data"), a.features);
    else {
        fit_task(s, a.features, a.n);
        TRY(s->ctx, mesaopt_task_create(s->ctx, s->task_settings, &s->task));
    }
    TRY(s->ctx, mesaopt_revalg_rebuild(a.scalars, &s->rebuilt));
    TRY(s->ctx, mesaopt_revalg_summary(a.scalars, &weights, &explained));
    const double model = evaluate(s, s->model, s->finals),
                 rebuilt = evaluate(s, s->rebuilt, s->finals);
    out_begin(s->ctx);
    algorithm_print(&a);
    algorithm_draw(&a);
    printf("\nscalars: %.2f %% of the weights, %.1f %% of the squared norm of the products\n",
           100 * weights, 100 * explained);
    if (a.layers <= 2 || near(rebuilt, model))
        claim(CLAIM_4, "loss of the rebuilt model within 5 % of the network's",
              near(rebuilt, model), "losses: model %.4f, rebuilt %.4f", model, rebuilt);
    else
        printf("\nclaim 4 is one of networks of one or two layers, or young ones, and this is "
               "none: losses: model %.4f, rebuilt %.4f\n",
               model, rebuilt);
    algorithm_free(&a);
    mesaopt_model_free(s->model);
    mesaopt_model_free(s->rebuilt);
    mesaopt_task_free(s->task);
    if (s->data.count) pairs_free(&s->data);
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
    report(s, count, layers, of);
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
    s.tests = args_int("test", 1, 1 << 30), s.finals = args_int("final", 1, 1 << 30),
    args_int("window", 0, 1 << 30);
    const int count = read_layers(layers);
    for (const char *const *k = (const char *const[]){"inputs", "outputs", "data", NULL}; *k; k++)
        if (!*args_text("weights") && *args_text(*k)) args_refuse(*k, "none without weights=");
    args_end();
    catch_signals(s.ctx);
    if (*args_text("weights")) s.layer = layer[1], read_weights(&s);
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
