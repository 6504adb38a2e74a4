/* probe_layers: what can be read off the activations of a model by linear maps, layer by layer and
 * step by step.
 *
 * Trains a model, or takes one from a checkpoint, and fits probes from the stream after each block,
 * the embedded input included, to
 *   target    the next observation x_{t+1}
 *   inverse   inv(S_{t-1} S_{t-1}^T + ridge I) x_t, what preconditioning makes of x_t: by default
 *             six Chebyshev steps with learned coefficients;
 *             conditioner=lsq: the exact inverse, which is not linearly decodable. Outliers are
 *             left out (filter=).
 *   token     the observations x_t, x_{t-1}, .. that a token may have copied: which ones does it
 *             hold?
 * and, as a control, from the preconditioned x_t to x_{t+1}. Scores are of sequences that were not
 * fitted, and beside them of those that were.
 *
 *   probe_layers                                  lsa6 by recipe
 *   probe_layers recipe=tf7                       the softmax model of the paper, on raw tokens
 *   probe_layers model=checkpoint.safetensors     a model of train and the like, on the task it was
 *                                                 trained with
 *
 * Claims 5 and 7 of docs/science.md, section 7; source: arXiv 2309.05858, section 4. */
#include "common.h"
#include "runs.h"
#include <math.h>
#include <string.h>

enum { MOST_LAYERS = 256 };
typedef struct study {
    runs r;
    const training *t;
    mesaopt_settings *next, *preconditioned, *token, *conditioning; /* of probes; the baseline */
    int64_t layers, T, n, inputs, count, back, updates, blocks[MOST_LAYERS], features[MOST_LAYERS];
    scores target, inverse, control; /* the last has one layer */
} study;

/* ---- probes ---- */

/* Of the model's layers, while it runs: fitted on the search stream, held out is the test stream.
 */
static scores probe(const study *s, const mesaopt_settings *settings, int64_t targets,
                    int one_by_one, mesaopt_baseline *conditioner)
{
    mesaopt_ctx *ctx = s->t->ctx;
    mesaopt_probe *p = NULL;
    TRY(ctx, mesaopt_probe_plan(ctx, settings, s->layers, s->features, s->T, targets, &p));
    TRY(ctx, mesaopt_probe_set_targets(p, conditioner, NULL, NULL, NULL));
    TRY(ctx, mesaopt_probe_feed_model(p, MESAOPT_PROBE_TRAIN, s->t->model, s->blocks, s->t->task,
                                      MESAOPT_STREAM_SEARCH, 0, s->count));
    TRY(ctx, mesaopt_probe_feed_model(p, MESAOPT_PROBE_TEST, s->t->model, s->blocks, s->t->task,
                                      MESAOPT_STREAM_TEST, 0, s->count));
    const scores out = scores_of(ctx, p, one_by_one);
    mesaopt_probe_free(p);
    return out;
}

static scores probe_control(const study *s, const mesaopt_settings *settings,
                            mesaopt_baseline *conditioner)
{
    mesaopt_ctx *ctx = s->t->ctx;
    mesaopt_probe *p = NULL;
    TRY(ctx, mesaopt_probe_plan(ctx, settings, 1, &s->inputs, s->T, s->n, &p));
    TRY(ctx, mesaopt_probe_feed_control(p, MESAOPT_PROBE_TRAIN, conditioner, s->t->task,
                                        MESAOPT_STREAM_SEARCH, 0, s->count));
    TRY(ctx, mesaopt_probe_feed_control(p, MESAOPT_PROBE_TEST, conditioner, s->t->task,
                                        MESAOPT_STREAM_TEST, 0, s->count));
    const scores out = scores_of(ctx, p, 0);
    mesaopt_probe_free(p);
    return out;
}

/* ---- report ---- */

static double late(const scores *p, int column, int64_t l)
{
    return score_mean(p, column, l, p->steps / 2, p->steps);
}

/* Table on the terminal, and name.csv. */
static void print_probe(const study *s, const scores *p, const char *name)
{
    char path[MAX_PATH], file[64];
    snprintf(file, sizeof file, "%s.csv", name);
    out_path(file, path);
    FILE *f = open_file(path, "w");
    fputs("layer,block,t," SCORES_HEADER, f);
    printf("\n%s: %s; means of t > %lld, and held out at t\n\n%6s%6s%11s%10s", name, error_text(),
           (long long)s->T / 2, "layer", "block", "in sample", "held out");
    for (int64_t t = 5; t <= s->T; t *= 2) printf("%10lld", (long long)t);
    for (int64_t l = 0; l < p->layers; l++) {
        const double *error = p->of[TEST_ERROR] + l * s->T;
        char block[24] = "-"; /* the control's layer is none of the model's */
        if (p->layers == s->layers) snprintf(block, sizeof block, "%lld", (long long)s->blocks[l]);
        printf("\n%6lld%6s%11.5f%10.5f", (long long)l, block, late(p, TRAIN_ERROR, l),
               late(p, TEST_ERROR, l));
        for (int64_t t = 5; t <= s->T; t *= 2) printf("%10.5f", error[t - 1]);
        for (int64_t t = 0; t < s->T; t++) {
            fprintf(f, "%lld,%s,%lld,", (long long)l, block, (long long)t + 1);
            scores_print(f, p, l * s->T + t);
        }
    }
    close_file(f, path);
    printf("\ntable: %s\n", path);
}

/* name_map.csv, and a heat map of the share that is explained. */
static void draw_probe(const scores *p, const char *name, const char *title)
{
    char path[MAX_PATH], map[64], file[80];
    snprintf(map, sizeof map, "%s_map", name);
    snprintf(file, sizeof file, "%s.csv", map);
    out_path(file, path);
    int gaps = 0;
    FILE *f = open_file(path, "w");
    for (int64_t i = 0; i < p->layers * p->steps; i++) {
        const double r2 = p->of[TEST_R2][i];
        gaps |= isnan(r2);
        /* no -nan */
        fprintf(f, "%.6g%c", isnan(r2) ? NAN : r2, (i + 1) % p->steps ? ',' : '\n');
    }
    close_file(f, path);
    heat_map(map, &(heat){p->layers, p->steps, 1, 0, 1, gaps}, title, "t", "layer");
}

/* Mean squared error of x_{t-lag}, over its features and late steps. */
static double token_error(const study *s, const scores *p, int column, int64_t l, int64_t lag)
{
    double sum = 0;
    for (int64_t t = s->T / 2; t < s->T; t++)
        for (int64_t j = 0; j < s->n; j++)
            sum += p->of[column][(l * s->T + t) * p->each + lag * s->n + j];
    return sum / (double)(s->n * (s->T - s->T / 2));
}

/* Which observations are in the stream: by layer and lag, over late steps. */
static void report_tokens(const study *s, const scores *p)
{
    char path[MAX_PATH], map[MAX_PATH];
    out_path("token.csv", path);
    out_path("token_map.csv", map);
    FILE *f = open_file(path, "w"), *g = open_file(map, "w");
    double most = 0;
    fputs("layer,block,lag,train_mse,test_mse\n", f);
    printf("\ntoken: held-out mean squared error of x_{t-lag}, means of t > %lld, by lag\n\n%6s%6s",
           (long long)s->T / 2, "layer", "block");
    for (int64_t lag = 0; lag < s->back; lag++) printf("%10lld", (long long)lag);
    for (int64_t l = 0; l < s->layers; l++) {
        printf("\n%6lld%6lld", (long long)l, (long long)s->blocks[l]);
        for (int64_t lag = 0; lag < s->back; lag++) {
            const double test = token_error(s, p, TEST_ERROR, l, lag);
            most = fmax(most, test);
            printf("%10.5f", test);
            fprintf(f, "%lld,%lld,%lld,%.9g,%.9g\n", (long long)l, (long long)s->blocks[l],
                    (long long)lag, token_error(s, p, TRAIN_ERROR, l, lag), test);
            fprintf(g, "%.6g%c", test, lag < s->back - 1 ? ',' : '\n');
        }
    }
    close_file(f, path);
    close_file(g, map);
    printf("\ntable: %s\n", path);
    if (s->back > 1)
        heat_map("token_map", &(heat){s->layers, s->back, 0, fmax(most, 0.01), 0, 0},
                 "Linear probes of x_{t-lag}: mean squared error, held out", "lag", "layer");
}

/* The first layer of a model on raw tokens holds the newest observations, and only those. */
static void judge_tokens(const study *s, const scores *p)
{
    int64_t heads = 0, l = 0;
    char seen[256] = "";
    double near = 0;
    const int partial = strstr(s->r.of[0]->task, "task=partial") != NULL, last = partial ? 2 : 1,
              far = partial ? 4 : 2;
    while (l < s->layers && heads == 0) {
        if (s->blocks[l] >= 0)
            TRY(s->t->ctx, mesaopt_study_heads(s->t->model, s->blocks[l], &heads));
        l += heads == 0;
    }
    if (l == s->layers || s->back <= far || !strstr(s->r.of[0]->task, "tokens=raw")) return;
    for (int64_t lag = 0; lag < s->back && lag < 8; lag++) {
        const size_t used = strlen(seen);
        const double error = token_error(s, p, TEST_ERROR, l, lag);
        if (lag <= last) near = fmax(near, error);
        snprintf(seen + used, sizeof seen - used, "%s%.4f", lag ? ", " : "", error);
    }
    const double rest = token_error(s, p, TEST_ERROR, l, far);
    if (partial)
        claim("7. behind the first layer a token holds the observations up to two steps back, and "
              "less of older ones",
              "error below 0.05 for lags 0 to 2, for lag 4 three times as large as for any of them",
              near < 0.05 && rest > 3 * near, "block %lld, by lag: %s", (long long)s->blocks[l],
              seen);
    else
        claim("7. behind the first layer a token holds x_t and x_{t-1}, and not x_{t-2}",
              "error below 0.01 for lags 0 and 1, above 0.05 for lag 2", near < 0.01 && rest > 0.05,
              "block %lld, by lag: %s", (long long)s->blocks[l], seen);
}

/* Means over late steps by layer, as text. */
static void by_layer(const scores *p, char text[1024])
{
    size_t used = 0;
    for (int64_t i = 0; i < p->layers && used < 1000; i++)
        used += (size_t)snprintf(text + used, 1024 - used, "%s%.4g", i ? ", " : "by layer ",
                                 late(p, TEST_ERROR, i));
}

static void judge(const study *s)
{
    const int64_t T = s->T, last = s->layers - 1, deep = (2 * last + 2) / 3;
    char text[1024], expected[160];
    const double first = late(&s->target, TEST_ERROR, 0),
                 early = score_mean(&s->target, TEST_ERROR, last, T / 10, T / 5 + 1),
                 end = late(&s->target, TEST_ERROR, last);
    by_layer(&s->target, text);
    claim("5. target probes improve with depth",
          "the last layer's error at most 0.9 of the first's", end < 0.9 * first, "%s", text);
    claim("5. target probes improve with context length",
          "at the last layer, late steps at most 0.9 of early ones", end < 0.9 * early,
          "t from %lld to %lld: %.4f, t > %lld: %.4f", (long long)T / 10 + 1, (long long)T / 5 + 1,
          early, (long long)T / 2, end);
    const double start = late(&s->inverse, TEST_ERROR, 0),
                 middle = late(&s->inverse, TEST_ERROR, deep),
                 top = late(&s->inverse, TEST_ERROR, last);
    by_layer(&s->inverse, text);
    snprintf(expected, sizeof expected,
             "layer %lld at most 0.9 of layer 0; from there on at most a quarter of that "
             "improvement more",
             (long long)deep);
    claim(
        "5. preconditioning probes improve up to about two thirds of the depth, and are then flat",
        expected, middle < 0.9 * start && middle - top < 0.25 * (start - middle), "%s", text);
    const double second = score_mean(&s->control, TEST_ERROR, 0, T / 4, T / 2),
                 fourth = score_mean(&s->control, TEST_ERROR, 0, 3 * T / 4, T);
    claim("5. the control stays flat",
          "less than 15 % between the second and the last quarter of the steps",
          fabs(fourth / second - 1) < 0.15, "%.4f and %.4f", second, fourth);
}

/* ---- what is probed ---- */

/* The blocks whose stream is as wide as it gets: no read-out, no raw tokens in front of an
 * embedding. */
static void choose_blocks(study *s)
{
    int64_t width = 0, widest = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t b = -1; b < mesaopt_model_blocks(s->t->model); b++) {
            TRY(s->t->ctx, mesaopt_model_width(s->t->model, b, &width));
            if (pass == 0 && width > widest) widest = width;
            if (pass == 1 && width == widest && s->layers < MOST_LAYERS)
                s->blocks[s->layers] = b, s->features[s->layers++] = width;
        }
}

/* What is preconditioned: observations, or what makes the problem linear: five of them beside each
 * other when the state is hidden, the features of a nonlinear system. */
static void choose_space(study *s, mesaopt_settings *conditioning)
{
    const char *task = s->r.of[0]->task;
    const int partial = strstr(task, "task=partial") != NULL;
    s->inputs = partial ? 5 * s->n : s->n;
    if (!partial && !strstr(task, "task=nonlinear")) return;
    must(NULL, mesaopt_settings_set_text(conditioning, "space", partial ? "slots" : "features"),
         "mesaopt_settings_set_text");
    if (partial)
        must(NULL, mesaopt_settings_set_int(conditioning, MESAOPT_KEY_SLOTS, 5),
             "mesaopt_settings_set_int");
}

/* Too few sequences are better found before hours of training than after them. */
static void check_sequences(const study *s, const mesaopt_settings *settings)
{
    char expected[80];
    double penalty = 0;
    must(NULL, mesaopt_settings_get_float(settings, MESAOPT_KEY_PENALTY, &penalty),
         "mesaopt_settings_get_float");
    snprintf(expected, sizeof expected, "more than %lld, the features of a layer, or a penalty",
             (long long)s->features[0]);
    if (penalty == 0 && s->count <= s->features[0]) args_refuse("sequences", expected);
}

/* Its coefficients are learned, if it has any. */
static mesaopt_baseline *get_conditioner(const study *s, const mesaopt_settings *settings)
{
    const training *t = s->t;
    const int64_t updates = s->updates;
    mesaopt_baseline *b = NULL;
    mesaopt_view coefficients;
    TRY(t->ctx, mesaopt_baseline_create(t->ctx, settings, &b));
    if (mesaopt_baseline_coefficients(b, &coefficients) != MESAOPT_OK) return b;
    progress shown = progress_begin(0, updates > 0 ? updates : 20000);
    fprintf(stderr, "learning the coefficients of the preconditioner\n");
    const mesaopt_status status =
        mesaopt_baseline_train(b, t->task, updates, show_progress, &shown);
    TRY(t->ctx, status);
    if (status == MESAOPT_STOPPED) stop();
    return b;
}

static void study_run(study *s)
{
    s->target = probe(s, s->next, s->n, 0, NULL);
    print_probe(s, &s->target, "target");
    draw_probe(
        &s->target, "target",
        "Linear probes of the next observation: share of the variance explained (R2), held out");
    if (s->back > 0) {
        scores tokens = probe(s, s->token, s->back * s->n, 1, NULL);
        report_tokens(s, &tokens);
        judge_tokens(s, &tokens);
        scores_free(&tokens);
    }
    mesaopt_baseline *conditioner = get_conditioner(s, s->conditioning);
    s->inverse = probe(s, s->preconditioned, s->inputs, 0, conditioner);
    s->control = probe_control(s, s->preconditioned, conditioner);
    print_probe(s, &s->inverse, "inverse");
    draw_probe(&s->inverse, "inverse",
               "Linear probes of the preconditioned input: share of the variance explained (R2), "
               "held out");
    print_probe(s, &s->control, "control");
    judge(s);
    scores *all[] = {&s->target, &s->inverse, &s->control};
    for (int i = 0; i < 3; i++) scores_free(all[i]);
    mesaopt_baseline_free(conditioner);
}

/* A setting that an own key says. */
static void set_from(mesaopt_settings *settings, const char *setting, const char *key,
                     const char *expected)
{
    if (mesaopt_settings_set_text(settings, setting, args_text(key)) != MESAOPT_OK)
        args_refuse(key, expected);
}

/* What keys of the program say of settings. */
static void read_keys(study *s)
{
    s->count = args_int("sequences", 1, 1 << 24), s->back = args_int("back", 0, 1024),
    s->updates = args_int("updates", 0, INT64_MAX / 4);
    must(NULL, mesaopt_settings_create(MESAOPT_SCOPE_BASELINE, NULL, NULL, &s->conditioning),
         "mesaopt_settings_create");
    if (strcmp(args_text("conditioner"), "kernel") == 0)
        args_refuse("conditioner", "chebyshev, richardson, neumann, newton or lsq");
    set_from(s->conditioning, "baseline", "conditioner",
             "chebyshev, richardson, neumann, newton or lsq");
    set_from(s->conditioning, "ridge", "ridge", "a number above 0");
    error_text();
    set_from(s->next, "error", "error", "half_sum or mean"),
        set_from(s->preconditioned, "error", "error", "half_sum or mean");
    set_from(s->preconditioned, "filter", "filter", "a number of at least 0");
    if (s->back > 0) set_from(s->token, "lags", "back", "fewer observations");
}

int main(int argc, char **argv)
{
    own_key own[] = {
        RUN_KEYS("lsa6", "probe_layers.out"),
        {"sequences", "2048",
         "sequences that probes are fitted to; as many others are for scoring"},
        {"back", "8", "observations x_t, x_{t-1}, .. that token probes look for; 0: none"},
        {"conditioner", "chebyshev", "chebyshev, richardson, neumann, newton or lsq (exact)"},
        {"updates", "0", "of the conditioner's coefficients; 0: the recipe's 20000"},
        {"ridge", "0.001", "of the conditioner; the contracting task has 1.33"},
        {"filter", "2",
         "z-score of the norm from which a preconditioned input is left out; 0: none"},
        {"test", "2560", "test sequences behind a row of loss.csv"},
        ERROR_KEY,
        {NULL, NULL, NULL}};
    study s = {0};
    args_begin(argc, argv,
               "Reads the next observation, the preconditioned input and earlier observations off "
               "a model's activations, layer by layer.",
               own);
    args_hide(" inputs outputs first target lag lags error ");
    s.r = runs_begin(NULL);
    s.next = args_settings(MESAOPT_SCOPE_PROBE, "");
    s.preconditioned = args_settings(MESAOPT_SCOPE_PROBE, "");
    s.token = args_settings(MESAOPT_SCOPE_PROBE, "lag=0 error=mean");
    args_end();
    read_keys(&s);
    runs_expect_one(&s.r);
    runs_create(&s.r);
    s.t = runs_of(&s.r, 0, 0);
    TRY(s.t->ctx, mesaopt_task_shape(s.t->task, &s.n, &s.T, NULL, NULL));
    choose_space(&s, s.conditioning);
    choose_blocks(&s);
    check_sequences(&s, s.next);
    catch_signals(s.t->ctx);
    const mesaopt_status status = runs_train(&s.r);
    if (status == MESAOPT_OK) out_begin(s.t->ctx);
    if (status == MESAOPT_OK) study_run(&s);
    catch_signals(NULL);
    mesaopt_settings_free(s.conditioning);
    runs_free(&s.r);
    return status == MESAOPT_OK ? claims_status() : 130;
}
