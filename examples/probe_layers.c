/* probe_layers: what can be read off the activations of a model by linear maps, layer by layer and step by step.
 *
 * Trains a model, or takes one from a checkpoint, and fits probes from the stream after each block, the embedded input included, to
 *   target    the next observation x_{t+1}
 *   inverse   inv(S_{t-1} S_{t-1}^T + ridge I) x_t, what preconditioning makes of x_t: by default six Chebyshev steps with learned coefficients;
 *             conditioner=lsq: the exact inverse, which is not linearly decodable. Outliers are left out (filter=).
 * and, as a control, from the preconditioned x_t to x_{t+1}. Scores are of sequences that were not fitted.
 *
 *   probe_layers                                  LSA-6 by the paper's recipe, 15000 steps
 *   probe_layers model=checkpoint.safetensors     a model of train_lsa and the like; settings of the task as it was trained with
 *   probe_layers tokens=raw steps=10000 lr=8e-4 cosine_steps=30000 weight_decay=0.05 \
 *                blocks="dense(outputs=40); softmax(heads=4,key=20,pe=qk); 6 x softmax(heads=4,key=20); dense(outputs=10)"
 *
 * Claim 5 of SCIENCE section 7; source: arXiv 2309.05858, section 4. */
#include "common.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LAYERS = 256 };
typedef struct probed { const char *name; double *mse, *r2; } probed;     /* [layers, T] each, held out */
typedef struct study {
    training t;
    int64_t layers, T, n, count, blocks[MOST_LAYERS], features[MOST_LAYERS];
    double filter;
    probed target, inverse, control;       /* the last has one layer */
} study;

/* ---- probes ---- */

static probed room(const study *s, const char *name, int64_t layers, mesaopt_view *mse, mesaopt_view *r2)
{
    const int64_t shape[] = {layers, s->T};
    probed p = {name, must_alloc(NULL, (size_t)(layers * s->T) * sizeof(double)), must_alloc(NULL, (size_t)(layers * s->T) * sizeof(double))};
    TRY(s->t.ctx, mesaopt_view_dense(p.mse, MESAOPT_F64, 2, shape, mse));
    TRY(s->t.ctx, mesaopt_view_dense(p.r2, MESAOPT_F64, 2, shape, r2));
    return p;
}

/* Of the model's layers, while it runs: fitted on the search stream, scored on the test stream. */
static probed probe(const study *s, const char *name, const mesaopt_settings *settings, mesaopt_baseline *conditioner)
{
    mesaopt_ctx *ctx = s->t.ctx;
    mesaopt_probe *p = NULL;
    mesaopt_view mse, r2;
    const probed out = room(s, name, s->layers, &mse, &r2);
    TRY(ctx, mesaopt_probe_plan(ctx, settings, s->layers, s->features, s->T, s->n, &p));
    TRY(ctx, mesaopt_probe_set_targets(p, conditioner, NULL, NULL));
    TRY(ctx, mesaopt_probe_feed_model(p, MESAOPT_PROBE_TRAIN, s->t.model, s->blocks, s->t.task, MESAOPT_STREAM_SEARCH, 0, s->count));
    TRY(ctx, mesaopt_probe_feed_model(p, MESAOPT_PROBE_TEST, s->t.model, s->blocks, s->t.task, MESAOPT_STREAM_TEST, 0, s->count));
    TRY(ctx, mesaopt_probe_fit(p, NULL));
    TRY(ctx, mesaopt_probe_score(p, MESAOPT_PROBE_TEST, &mse, &r2));
    mesaopt_probe_free(p);
    return out;
}

/* A probe of arrays of one's own: from the preconditioned x_t to x_{t+1}. */
static probed probe_control(const study *s, mesaopt_baseline *conditioner)
{
    enum { SEQUENCES, CONDITIONED, NEXT, WEIGHTS };
    const int64_t shapes[][3] = {{s->count, s->T + 1, s->n}, {s->count, s->T, s->n}, {s->count, s->T, s->n}, {s->count, s->T, 1}};
    mesaopt_ctx *ctx = s->t.ctx;
    mesaopt_probe *p = NULL;
    mesaopt_view v[4], inputs, mse, r2;
    const probed out = room(s, "control", 1, &mse, &r2);
    for (int i = 0; i < 4; i++) {
        void *data = must_alloc(NULL, (size_t)(shapes[i][0] * shapes[i][1] * shapes[i][2]) * sizeof(double));
        TRY(ctx, mesaopt_view_dense(data, MESAOPT_F64, i == WEIGHTS ? 2 : 3, shapes[i], &v[i]));
    }
    TRY(ctx, mesaopt_probe_plan(ctx, NULL, 1, &s->n, s->T, s->n, &p));
    for (int set = MESAOPT_PROBE_TRAIN; set <= MESAOPT_PROBE_TEST; set++) {
        TRY(ctx, mesaopt_task_draw(s->t.task, set == MESAOPT_PROBE_TEST ? MESAOPT_STREAM_TEST : MESAOPT_STREAM_SEARCH, 0, &v[SEQUENCES]));
        inputs = v[SEQUENCES], inputs.shape[1] = s->T;
        TRY(ctx, mesaopt_baseline_precondition(conditioner, &inputs, &v[CONDITIONED]));
        TRY(ctx, mesaopt_probe_targets(ctx, NULL, &v[SEQUENCES], &v[NEXT]));
        if (s->filter > 0) TRY(ctx, mesaopt_probe_filter(ctx, s->filter, &v[CONDITIONED], &v[WEIGHTS]));
        TRY(ctx, mesaopt_probe_feed(p, set, &v[CONDITIONED], &v[NEXT], s->filter > 0 ? &v[WEIGHTS] : NULL));
    }
    TRY(ctx, mesaopt_probe_fit(p, NULL));
    TRY(ctx, mesaopt_probe_score(p, MESAOPT_PROBE_TEST, &mse, &r2));
    mesaopt_probe_free(p);
    for (int i = 0; i < 4; i++) free(v[i].data);
    return out;
}

/* ---- report ---- */

static double mean(const double *row, int64_t first, int64_t last)
{
    double sum = 0;
    for (int64_t t = first; t < last; t++) sum += row[t];
    return sum / (double)(last - first);
}

/* Table on the terminal, name.csv (layer, block, t, mse, r2), and a heat map of the share that is not explained. */
static void print_probe(const study *s, const probed *p, const char *title)
{
    char path[MAX_PATH], file[64], map[64];
    snprintf(file, sizeof file, "%s.csv", p->name);
    snprintf(map, sizeof map, "%s_map.csv", p->name);
    out_path(file, path);
    FILE *f = open_file(path, "w");
    fputs("layer,block,t,mse,r2\n", f);
    printf("\n%s: held-out error (half the sum of squares), mean of t > %lld, and at t\n\n%6s%6s%10s", p->name, (long long)s->T / 2, "layer", "block", "");
    for (int64_t t = 5; t <= s->T; t *= 2) printf("%10lld", (long long)t);
    for (int64_t l = 0; l < s->layers; l++) {
        const double *mse = p->mse + l * s->T, *r2 = p->r2 + l * s->T;
        printf("\n%6lld%6lld%10.5f", (long long)l, (long long)s->blocks[l], mean(mse, s->T / 2, s->T));
        for (int64_t t = 5; t <= s->T; t *= 2) printf("%10.5f", mse[t - 1]);
        for (int64_t t = 0; t < s->T; t++) fprintf(f, "%lld,%lld,%lld,%.9g,%.9g\n", (long long)l, (long long)s->blocks[l], (long long)t + 1, mse[t], r2[t]);
    }
    close_file(f, path);
    printf("\ntable: %s\n", path);
    out_path(map, path);
    f = open_file(path, "w");
    for (int64_t i = 0; i < s->layers * s->T; i++) fprintf(f, "%.6g%c", 1 - p->r2[i], (i + 1) % s->T ? ',' : '\n');
    close_file(f, path);
    *strrchr(map, '.') = 0;
    heat_map(map, s->layers * s->T, title, "t - 1", "layer", 0, 1);
}

/* Means over late steps by layer, as text; returns that of layer l. */
static double by_layer(const study *s, const probed *p, int64_t l, char text[1024])
{
    size_t used = 0;
    for (int64_t i = 0; i < s->layers && used < 1000; i++)
        used += (size_t)snprintf(text + used, 1024 - used, "%s%.4f", i ? ", " : "by layer ", mean(p->mse + i * s->T, s->T / 2, s->T));
    return mean(p->mse + l * s->T, s->T / 2, s->T);
}

static void judge(const study *s)
{
    const int64_t T = s->T, last = s->layers - 1, deep = (2 * last + 2) / 3;
    const double *row = s->target.mse + last * T, *flat = s->control.mse, early = mean(row, T / 10, T / 5 + 1), late = mean(row, T / 2, T);
    char text[1024];
    double first = by_layer(s, &s->target, 0, text);
    claim("5. target probes improve with depth", "the last layer's error at most 0.9 of the first's", late < 0.9 * first, "%s", text);
    claim("5. target probes improve with context length", "at the last layer, late steps at most 0.9 of early ones", late < 0.9 * early,
          "t from %lld to %lld: %.4f, t > %lld: %.4f", (long long)T / 10 + 1, (long long)T / 5 + 1, early, (long long)T / 2, late);
    first = by_layer(s, &s->inverse, 0, text);
    const double middle = by_layer(s, &s->inverse, deep, text), end = by_layer(s, &s->inverse, last, text);
    char expected[160];
    snprintf(expected, sizeof expected, "layer %lld at most 0.9 of layer 0; from there on at most a quarter of that improvement more", (long long)deep);
    claim("5. preconditioning probes improve up to about two thirds of the depth, and are then flat", expected,
          middle < 0.9 * first && middle - end < 0.25 * (first - middle), "%s", text);
    claim("5. the control stays flat", "less than 15 % between the second and the last quarter of the steps",
          fabs(mean(flat, 3 * T / 4, T) / mean(flat, T / 4, T / 2) - 1) < 0.15, "%.4f and %.4f", mean(flat, T / 4, T / 2), mean(flat, 3 * T / 4, T));
}

/* ---- what is probed ---- */

/* The blocks whose stream is as wide as it gets: no read-out, no raw tokens in front of an embedding. */
static void choose_blocks(study *s)
{
    int64_t width = 0, widest = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t b = -1; b < mesaopt_model_blocks(s->t.model); b++) {
            TRY(s->t.ctx, mesaopt_model_width(s->t.model, b, &width));
            if (pass == 0 && width > widest) widest = width;
            if (pass == 1 && width == widest && s->layers < MOST_LAYERS) s->blocks[s->layers] = b, s->features[s->layers++] = width;
        }
}

/* Trained here, or taken from a file. */
static mesaopt_status get_model(study *s, mesaopt_settings *model, mesaopt_settings *trainer)
{
    training *t = &s->t;
    int64_t width;
    TRY(t->ctx, mesaopt_task_shape(t->task, &s->n, &s->T, &width, NULL));
    make_folder(args_text("out"));
    if (*args_text("model")) {
        TRY(t->ctx, mesaopt_model_open(t->ctx, args_text("model"), &t->model));
        return MESAOPT_OK;
    }
    mesaopt_settings_set_int(model, MESAOPT_KEY_INPUTS, width);
    mesaopt_settings_set_int(model, MESAOPT_KEY_OUTPUTS, s->n);
    TRY(t->ctx, mesaopt_model_create(t->ctx, model, &t->model));
    TRY(t->ctx, mesaopt_model_add_text(t->model, args_text("blocks")));
    training_create(t, trainer);
    return training_run(t);
}

/* Its coefficients are learned, if it has any. */
static mesaopt_baseline *get_conditioner(const training *t, const mesaopt_settings *settings)
{
    const int64_t updates = args_int("updates", 0, INT64_MAX / 4);
    mesaopt_baseline *b = NULL;
    mesaopt_view coefficients;
    TRY(t->ctx, mesaopt_baseline_create(t->ctx, settings, &b));
    if (mesaopt_baseline_coefficients(b, &coefficients) != MESAOPT_OK) return b;
    progress shown = progress_begin(0, updates > 0 ? updates : 20000);
    note("learning the coefficients of the preconditioner");
    const mesaopt_status status = mesaopt_baseline_train(b, t->task, updates, show_progress, &shown);
    TRY(t->ctx, status);
    if (status == MESAOPT_STOPPED) exit(130);
    return b;
}

static void study_run(study *s, const mesaopt_settings *target, const mesaopt_settings *inverse, const mesaopt_settings *conditioning)
{
    choose_blocks(s);
    mesaopt_baseline *conditioner = get_conditioner(&s->t, conditioning);
    s->target = probe(s, "target", target, NULL);
    s->inverse = probe(s, "inverse", inverse, conditioner);
    s->control = probe_control(s, conditioner);
    print_probe(s, &s->target, "Linear probes of the next observation: share not explained, held out");
    print_probe(s, &s->inverse, "Linear probes of the preconditioned input: share not explained, held out");
    judge(s);
    const probed *all[] = {&s->target, &s->inverse, &s->control};
    for (int i = 0; i < 3; i++) free(all[i]->mse), free(all[i]->r2);
    mesaopt_baseline_free(conditioner);
}

int main(int argc, char **argv)
{
    own_key own[] = {{"blocks", "6 x linear(heads=4,key=20,residual_clip=4)", "the model's blocks"},
                     {"model", "", "checkpoint of the model; then nothing is trained"},
                     {"sequences", "2048", "sequences that probes are fitted to; as many others are for scoring"},
                     {"conditioner", "chebyshev", "chebyshev, richardson, neumann, newton or lsq (exact)"},
                     {"updates", "0", "of the conditioner's coefficients; 0: the recipe's 20000"},
                     {"ridge", "0.001", "of the conditioner; the contracting task has 1.33"},
                     {"filter", "2", "z-score of the norm from which a preconditioned input is left out; 0: none"},
                     TRAINING_KEYS("15000", "probe_layers.out"), TEST_KEYS, {NULL, NULL, NULL}};
    study s = {0};
    mesaopt_settings *conditioning = NULL;
    args_begin(argc, argv, "Reads the next observation and the preconditioned input off a model's activations, layer by layer.", own);
    args_hide(" inputs outputs lag lags error ");
    s.t.ctx = args_ctx();
    mesaopt_settings *task = args_settings(MESAOPT_SCOPE_TASK, "tokens=constructed"), *model = args_settings(MESAOPT_SCOPE_MODEL, "");
    mesaopt_settings *trainer = args_settings(MESAOPT_SCOPE_TRAINER, "batch=256 lr=1e-4 weight_decay=0.1");
    mesaopt_settings *target = args_settings(MESAOPT_SCOPE_PROBE, ""), *inverse = args_settings(MESAOPT_SCOPE_PROBE, "");
    args_end();
    s.count = args_int("sequences", 1, 1 << 24);
    must(NULL, mesaopt_settings_create(MESAOPT_SCOPE_BASELINE, NULL, NULL, &conditioning), "mesaopt_settings_create");
    if (mesaopt_settings_set_text(conditioning, "baseline", args_text("conditioner"))) args_refuse("conditioner", "a baseline that preconditions");
    if (mesaopt_settings_set_text(conditioning, "ridge", args_text("ridge"))) args_refuse("ridge", "a number above 0");
    if (mesaopt_settings_set_text(inverse, "filter", args_text("filter"))) args_refuse("filter", "a number of at least 0");
    mesaopt_settings_get_float(inverse, MESAOPT_KEY_FILTER, &s.filter);

    TRY(s.t.ctx, mesaopt_task_create(s.t.ctx, task, &s.t.task));
    s.t.test = s.t.task;
    catch_signals(s.t.ctx);
    const mesaopt_status status = get_model(&s, model, trainer);
    if (status == MESAOPT_OK) study_run(&s, target, inverse, conditioning);
    catch_signals(NULL);
    mesaopt_settings_free(conditioning);
    training_free(&s.t);
    mesaopt_ctx_free(s.t.ctx);
    args_free();
    return status == MESAOPT_OK ? 0 : 130;
}
