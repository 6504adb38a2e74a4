/* revalg: trains an attention-only model, reads its algorithm off the weights (RevAlg-d: one number per n x n block of the products W_q W_k^T and W_v P of
 * every head), rebuilds a model from these numbers alone, trains again from the same start on the same data, and shows on the way that the average of
 * the products of both is as good as either: the numbers are what the network computes.
 *
 *   revalg                          one linear layer: 32 numbers per head
 *   revalg layers=1,2,4,6 seeds=5   by depth, mean and standard deviation over seeds (the paper's recipes: hours; seeds.csv grows with every seed)
 *   revalg layers=6 kind=softmax    softmax attention
 *   revalg weights=FILE             weights that another program trained: a safetensors file of blocks.I.query, .key, .value, .output (export_torch.py)
 *
 * Tokens [0, x_t, x_t, x_{t-1}]; one layer sees [0, 0, x_t, x_{t-1}]. Recipes (first training, second training): one layer 2500 and 3500 steps, key 20, 2 heads,
 * batch 256, lr 2e-4, weight decay 0.05; more layers 3500 and 4500, key 40, 4 heads, batch 512, lr 1e-4, weight decay 0.1.
 * Claims 1, 3 and 4 of SCIENCE section 7; source: arXiv 2309.05858, section 3 and appendix. */
#include "common.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MODEL, REBUILT, AVERAGE, LOSSES, MAX_DEPTHS = 16, SLOTS = 4 };

typedef struct study {
    mesaopt_ctx *ctx;
    mesaopt_settings *model_settings, *layer, *trainer_settings, *task_settings;
    mesaopt_task *task;
    int64_t layers, offset, seeds, first, steps, every, tests, finals, n;      /* offset: blocks before the layers */
    mesaopt_model *model, *rebuilt, *average;      /* of the run that goes on */
    double rebuilt_loss;                           /* of `tests` sequences */
    FILE *rows, *each;                             /* interpolation, or NULL; the losses of every seed */
    char path[MAX_PATH], each_path[MAX_PATH];
    progress shown;
} study;

typedef struct result { double mean[LOSSES], sd[LOSSES], weights, explained; } result;

static double evaluate(const study *s, mesaopt_model *m, int64_t count)
{
    double loss = 0;
    if (signalled()) stop();
    TRY(s->ctx, mesaopt_model_evaluate(m, s->task, MESAOPT_STREAM_TEST, 0, count, NULL, &loss));
    return loss;
}

/* One row of the interpolation: the losses of the model as it is, of the rebuilt one, of the average of their products. */
static int32_t interpolate(const mesaopt_step *step, void *user)
{
    study *s = user;
    if (s->rows && (step->step % s->every == 0 || step->step == s->steps)) {
        TRY(s->ctx, mesaopt_revalg_average_update(s->average, s->model, s->rebuilt));
        fprintf(s->rows, "%lld,%.9g,%.9g,%.9g\n", (long long)step->step, evaluate(s, s->model, s->tests), s->rebuilt_loss, evaluate(s, s->average, s->tests));
        flush_file(s->rows, s->path);
    }
    return show_progress(step, &s->shown);
}

/* s->model: new, from this seed. */
static void new_model(study *s, int64_t seed)
{
    char mask[64];
    mesaopt_settings_set_int(s->model_settings, MESAOPT_KEY_SEED, seed);
    TRY(s->ctx, mesaopt_model_create(s->ctx, s->model_settings, &s->model));
    snprintf(mask, sizeof mask, "mask(first=%lld)", (long long)(2 * s->n));
    s->offset = s->layers == 1;
    if (s->offset) TRY(s->ctx, mesaopt_model_add_text(s->model, mask));
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

/* ---- what the scalars look like ---- */

/* Share of the squared norm of one product that its scalars account for. */
static double explained(int64_t n, const double *scalar, const double *residual)
{
    double kept = 0, left = 0;
    for (int i = 0; i < SLOTS * SLOTS; i++) kept += (double)n * scalar[i] * scalar[i], left += residual[i] * residual[i];
    return kept + left > 0 ? kept / (kept + left) : 1;
}

static void print_scalars(const study *s, mesaopt_revalg *r)
{
    static const char *const names[] = {"W_q W_k^T", "W_v P"};
    char path[MAX_PATH], file[64];
    snprintf(file, sizeof file, "scalars-%lld.csv", (long long)s->layers);
    out_path(file, path);
    FILE *f = open_file(path, "w");
    fputs("layer,head,product,from_slot,to_slot,scalar,residual\n", f);
    for (int64_t i = 0; i < s->layers; i++)
        for (int32_t p = MESAOPT_REVALG_LOGITS; p <= MESAOPT_REVALG_VALUES; p++) {
            mesaopt_view v, e;
            TRY(s->ctx, mesaopt_revalg_scalars(r, s->offset + i, p, &v));
            TRY(s->ctx, mesaopt_revalg_residuals(r, s->offset + i, p, &e));
            printf("\nlayer %lld, %s, rows: slot %s, columns: slot %s\n", (long long)i + 1, names[p], p ? "of the value" : "of the query", p ? "written to" : "of the key");
            const double *scalar = v.data, *residual = e.data;
            for (int64_t row = 0; row < SLOTS; row++, putchar('\n'))
                for (int64_t h = 0; h < v.shape[0]; h++, printf(h < v.shape[0] ? "   |" : ""))
                    for (int64_t col = 0; col < SLOTS; col++) {
                        const int64_t at = (h * SLOTS + row) * SLOTS + col;
                        printf(" %8.4f", fabs(scalar[at]) < 5e-5 ? 0 : scalar[at]);        /* no -0.0000 */
                        fprintf(f, "%lld,%lld,%s,%lld,%lld,%.9g,%.9g\n", (long long)i + 1, (long long)h + 1, names[p], (long long)row, (long long)col, scalar[at], residual[at]);
                    }
            for (int64_t h = 0; h < v.shape[0]; h++)
                printf("%s  explained %22.2f %%", h ? "   |" : "", 100 * explained(s->n, scalar + h * SLOTS * SLOTS, residual + h * SLOTS * SLOTS));
            putchar('\n');
        }
    close_file(f, path);
}

/* All products as one picture: a column of pictures per head, of its logits and then of its values layer by layer, each over its largest element. */
static void picture_blocks(const study *s, int64_t heads)
{
    const int64_t D = SLOTS * s->n, step = D + blocks_gap(D), width = heads * step - blocks_gap(D), height = 2 * s->layers * step - blocks_gap(D);
    char path[MAX_PATH], name[64], file[80];
    double *picture = must_alloc(NULL, (size_t)(height * width) * sizeof *picture);
    snprintf(name, sizeof name, "blocks-%lld", (long long)s->layers);
    snprintf(file, sizeof file, "%s.csv", name);
    out_path(file, path);
    for (int64_t j = 0; j < height * width; j++) picture[j] = NAN;
    for (int64_t i = 0; i < 2 * s->layers * heads; i++) {
        double most = 0, *corner = picture + i / heads * step * width + i % heads * step;
        const mesaopt_view to = {corner, {D, D}, {width, 1}, 2, MESAOPT_F64, 0, 0};
        TRY(s->ctx, mesaopt_revalg_product(s->model, s->offset + i / heads / 2, i / heads % 2 ? MESAOPT_REVALG_VALUES : MESAOPT_REVALG_LOGITS, i % heads, &to));
        for (int64_t e = 0; e < D * D; e++) most = fmax(most, fabs(corner[e / D * width + e % D]));
        for (int64_t e = 0; e < D * D; e++) corner[e / D * width + e % D] /= most > 0 ? most : 1;
    }
    FILE *f = open_file(path, "w");
    for (int64_t j = 0; j < height * width; j++) fprintf(f, "%.3g%c", picture[j], (j + 1) % width ? ',' : '\n');
    close_file(f, path);
    free(picture);
    draw_blocks(name, &(blocks){s->layers, heads, D, SLOTS}, "Products of the weights, each over its largest element");
}

/* ---- a depth ---- */

/* Trains, extracts, trains again; the losses in the end. Tables and pictures come from the first seed. */
static void run_seed(study *s, int64_t seed, double loss[LOSSES], result *out)
{
    char file[64], title[128];
    int64_t heads = 0;
    mesaopt_revalg *r;
    fprintf(stderr, "%lld layer%s, seed %lld: training, then reading off\n", (long long)s->layers, s->layers > 1 ? "s" : "", (long long)seed);
    mesaopt_settings_set_int(s->task_settings, MESAOPT_KEY_SEED, seed);
    TRY(s->ctx, mesaopt_task_create(s->ctx, s->task_settings, &s->task));
    new_model(s, seed);
    train(s, s->first, show_progress, &s->shown);
    TRY(s->ctx, mesaopt_revalg_extract(s->model, &r));
    TRY(s->ctx, mesaopt_revalg_rebuild(r, &s->rebuilt));
    if (seed == 0) {
        mesaopt_settings_get_int(s->layer, MESAOPT_KEY_HEADS, &heads);
        TRY(s->ctx, mesaopt_revalg_summary(r, &out->weights, &out->explained));
        print_scalars(s, r);
        picture_blocks(s, heads);
    }
    mesaopt_model_free(s->model);

    fprintf(stderr, "%lld layer%s, seed %lld: training again, with interpolation\n", (long long)s->layers, s->layers > 1 ? "s" : "", (long long)seed);
    new_model(s, seed);
    TRY(s->ctx, mesaopt_revalg_average(s->model, s->rebuilt, &s->average));
    s->rebuilt_loss = evaluate(s, s->rebuilt, s->tests);
    snprintf(file, sizeof file, "interpolation-%lld.csv", (long long)s->layers);
    out_path(file, s->path);
    s->rows = seed == 0 ? open_file(s->path, "w") : NULL;
    if (s->rows) fputs("step,model,rebuilt,average of products\n", s->rows);
    train(s, s->steps, interpolate, s);
    TRY(s->ctx, mesaopt_revalg_average_update(s->average, s->model, s->rebuilt));
    mesaopt_model *const models[LOSSES] = {s->model, s->rebuilt, s->average};
    for (int i = 0; i < LOSSES; i++) loss[i] = evaluate(s, models[i], s->finals);
    fprintf(s->each, "%lld,%lld,%.9g,%.9g,%.9g\n", (long long)s->layers, (long long)seed, loss[MODEL], loss[REBUILT], loss[AVERAGE]);
    flush_file(s->each, s->each_path);
    if (s->rows) {
        close_file(s->rows, s->path);
        *strrchr(file, '.') = 0;
        snprintf(title, sizeof title, "RevAlg-%lld: test loss while training again", (long long)s->layers);
        figure(file, LOSSES, title, "step", LOSS_LABEL);
    }
    for (int i = 0; i < LOSSES; i++) mesaopt_model_free(models[i]);
    mesaopt_revalg_free(r);
    mesaopt_task_free(s->task);
}

static result run_depth(study *s)
{
    result out = {0};
    double *loss = must_alloc(NULL, (size_t)(s->seeds * LOSSES) * sizeof *loss);
    for (int64_t seed = 0; seed < s->seeds; seed++) run_seed(s, seed, loss + seed * LOSSES, &out);
    for (int i = 0; i < LOSSES; i++) {
        for (int64_t seed = 0; seed < s->seeds; seed++) out.mean[i] += loss[seed * LOSSES + i] / (double)s->seeds;
        for (int64_t seed = 0; seed < s->seeds; seed++) out.sd[i] += pow(loss[seed * LOSSES + i] - out.mean[i], 2);
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
    must(NULL, mesaopt_settings_create(MESAOPT_SCOPE_BASELINE, NULL, NULL, &settings), "mesaopt_settings_create");
    TRY(s->ctx, mesaopt_baseline_create(s->ctx, settings, &gd));
    for (int64_t seed = 0; seed < s->seeds; seed++) {
        mesaopt_settings_set_int(s->task_settings, MESAOPT_KEY_SEED, seed);
        TRY(s->ctx, mesaopt_task_create(s->ctx, s->task_settings, &s->task));
        if (TRY(s->ctx, mesaopt_baseline_search(gd, s->task, s->tests, NULL)) == MESAOPT_AT_BOUND)
            note("seed %lld: the best step size of one gradient step lies at the end of its range", (long long)seed);
        TRY(s->ctx, mesaopt_baseline_evaluate(gd, s->task, MESAOPT_STREAM_TEST, 0, s->finals, NULL, &loss));
        sum += loss / (double)s->seeds;
        mesaopt_task_free(s->task);
    }
    mesaopt_baseline_free(gd);
    mesaopt_settings_free(settings);
    return sum;
}

/* ---- the whole ---- */

static void report(study *s, int count, const int64_t *layers, const result *of)
{
    char path[MAX_PATH], seen[256] = "";
    int falling = count > 1, described = 1;
    out_path("depth.csv", path);
    FILE *f = open_file(path, "w");
    fputs("layers,model,model_sd,rebuilt,rebuilt_sd,average,average_sd,share_of_weights,explained\n", f);
    const int wide = s->seeds > 1 ? 18 : 16;
    printf("\nlosses of the test sequences (half the sum of squared errors over dimensions, mean over t)\n\n%8s  %*s  %*s  %*s  %10s  %10s\n", "layers", wide, "model", wide, "rebuilt", wide, "average", "weights", "explained");
    for (int i = 0; i < count; i++) {
        const result *r = &of[i];
        printf("%8lld", (long long)layers[i]);
        fprintf(f, "%lld", (long long)layers[i]);
        for (int j = 0; j < LOSSES; j++) {
            printf("  %*.5f", s->seeds > 1 ? 8 : wide, r->mean[j]);
            if (s->seeds > 1) printf(" +-%7.5f", r->sd[j]);
            fprintf(f, ",%.9g,%.9g", r->mean[j], r->sd[j]);
        }
        printf("  %8.2f %%  %8.2f %%\n", 100 * r->weights, 100 * r->explained);
        fprintf(f, ",%.9g,%.9g\n", r->weights, r->explained);
        falling = falling && (i == 0 || (layers[i] > layers[i - 1] && r->mean[MODEL] < of[i - 1].mean[MODEL]));
        for (int j = 1; j < LOSSES; j++) described = described && fabs(r->mean[j] / r->mean[MODEL] - 1) < 0.05;
        snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%sLSA-%lld %.4f", i ? ", " : "", (long long)layers[i], r->mean[MODEL]);
    }
    close_file(f, path);
    printf("tables: %s, and seeds, scalars, blocks, interpolation beside it\n", path);
    if (layers[0] == 1 && strcmp(args_text("kind"), "linear") == 0) {
        const double gd = loss_of_gd(s), model = of[0].mean[MODEL];
        claim(CLAIM_1, model <= gd && model > 0.98 * gd, "losses: model %.4f, gradient step %.4f", model, gd);
    }
    if (count > 1) claim("3. depth helps", "loss falls with the number of layers (LSA-6: about 0.216)", falling, "%s", seen);
    else printf("\nclaim 3, that depth helps, needs several depths: layers=1,2,4,6\n");
    claim("4. the scalars describe the trained network", "rebuilt model and average of products within 5 % of the network, at every depth", described,
          "losses: model %.4f, rebuilt %.4f, average %.4f (LSA-%lld)", of[count - 1].mean[MODEL], of[count - 1].mean[REBUILT], of[count - 1].mean[AVERAGE], (long long)layers[count - 1]);
}

/* Somebody else's weights: their scalars, and the losses of the model and of its scalars on this task. */
static void read_weights(study *s)
{
    mesaopt_revalg *r;
    int64_t heads = 0;
    double weights = 0, explained = 0;
    TRY(s->ctx, mesaopt_task_create(s->ctx, s->task_settings, &s->task));
    TRY(s->ctx, mesaopt_revalg_import_file(s->ctx, s->model_settings, s->layer, args_text("weights"), &s->model));
    s->layers = mesaopt_model_blocks(s->model), s->offset = 0;
    TRY(s->ctx, mesaopt_revalg_extract(s->model, &r));
    TRY(s->ctx, mesaopt_revalg_rebuild(r, &s->rebuilt));
    TRY(s->ctx, mesaopt_revalg_summary(r, &weights, &explained));
    mesaopt_settings_get_int(s->layer, MESAOPT_KEY_HEADS, &heads);
    print_scalars(s, r);
    picture_blocks(s, heads);
    const double model = evaluate(s, s->model, s->finals), rebuilt = evaluate(s, s->rebuilt, s->finals);
    printf("\nscalars: %.2f %% of the weights, %.1f %% of the squared norm of the products\n", 100 * weights, 100 * explained);
    claim("4. the scalars describe the trained network", "loss of the rebuilt model within 5 % of the network's", fabs(rebuilt / model - 1) < 0.05,
          "losses: model %.4f, rebuilt %.4f", model, rebuilt);
    mesaopt_revalg_free(r);
    mesaopt_model_free(s->model);
    mesaopt_model_free(s->rebuilt);
    mesaopt_task_free(s->task);
}

static void train_depths(study *s, int count, const int64_t *layers, mesaopt_settings *const layer[2], mesaopt_settings *const trainer[2])
{
    const int64_t first = s->first, steps = s->steps;      /* 0: the recipe's */
    result of[MAX_DEPTHS];
    out_path("seeds.csv", s->each_path);
    s->each = open_file(s->each_path, "w");
    fputs("layers,seed,model,rebuilt,average\n", s->each);
    for (int i = 0; i < count; i++) {
        const int deep = layers[i] > 1;
        s->layers = layers[i], s->layer = layer[deep], s->trainer_settings = trainer[deep];
        s->first = first ? first : deep ? 3500 : 2500, s->steps = steps ? steps : deep ? 4500 : 3500;
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
        if (end == at || layers[count] < 1 || layers[count] > 1000 || (*end && *end != ',')) args_refuse("layers", "numbers of layers such as 1,2,4");
        count++;
        if (!*end) return count;
        at = end;
    }
    args_refuse("layers", "at most 16 numbers");
}

int main(int argc, char **argv)
{
    own_key own[] = {{"kind", "linear", "kind of the attention layers: linear, softmax"}, {"layers", "1", "numbers of layers, such as 1,2,4,6"},
                     {"weights", "", "safetensors file of weights to read, instead of training"}, {"seeds", "1", "models of each depth, from seeds 0, 1, .."}, {"first", "0", "steps before the scalars are read off; 0: the recipe's"},
                     {"steps", "0", "steps of the second training; 0: the recipe's"}, {"every", "100", "steps between two rows of the interpolation"},
                     {"out", "revalg.out", "folder for tables and figures; made when missing"}, TEST_KEYS, {NULL, NULL, NULL}};
    static const char *const layer_recipe[2] = {"heads=2 key=20 init_sd=2e-4 residual_clip=4", "heads=4 key=40 init_sd=2e-4 residual_clip=4"};
    static const char *const trainer_recipe[2] = {"batch=256 lr=2e-4 weight_decay=0.05", "batch=512 lr=1e-4 weight_decay=0.1"};
    study s = {0};
    mesaopt_settings *layer[2], *trainer[2];
    int64_t layers[MAX_DEPTHS];

    args_begin(argc, argv, "Trains attention-only models and reads their algorithm off the weights.", own);
    args_hide(" inputs outputs first tokens slots pe seed value scale ");
    s.ctx = args_ctx();
    s.task_settings = args_settings(MESAOPT_SCOPE_TASK, "tokens=constructed"), s.model_settings = args_settings(MESAOPT_SCOPE_MODEL, "");
    const int32_t kind = args_block_scope("kind");
    if (kind != MESAOPT_SCOPE_LINEAR && kind != MESAOPT_SCOPE_SOFTMAX) args_refuse("kind", "linear or softmax");
    for (int i = 0; i < 2; i++) {
        layer[i] = args_settings_of(i ? "several layers" : "one layer", kind, layer_recipe[i]);
        trainer[i] = args_settings_of(i ? "training of several layers" : "training of one layer", MESAOPT_SCOPE_TRAINER, trainer_recipe[i]);
    }
    s.seeds = args_int("seeds", 1, 1000), s.every = args_int("every", 1, INT64_MAX / 4);
    s.first = args_int("first", 0, INT64_MAX / 4), s.steps = args_int("steps", 0, INT64_MAX / 4);
    s.tests = args_int("test", 1, 1 << 30), s.finals = args_int("final", 1, 1 << 30);
    const int count = read_layers(layers);
    args_end();
    make_folder(args_text("out"));
    mesaopt_settings_get_int(s.task_settings, MESAOPT_KEY_DIM, &s.n);
    mesaopt_settings_set_int(s.model_settings, MESAOPT_KEY_INPUTS, SLOTS * s.n);
    mesaopt_settings_set_int(s.model_settings, MESAOPT_KEY_OUTPUTS, s.n);

    catch_signals(s.ctx);
    if (*args_text("weights")) s.layer = layer[1], read_weights(&s);
    else train_depths(&s, count, layers, layer, trainer);
    catch_signals(NULL);
    mesaopt_ctx_free(s.ctx);
    args_free();
    return claims_status();
}
