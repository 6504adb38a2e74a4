/* probe_file: linear probes of activations that another program wrote, in PyTorch for example
 *
 *     from safetensors.torch import save_file
 *     save_file({**{f"activations.{i}": h.contiguous() for i, h in enumerate(layers)}, "targets": y}, "run.safetensors")     # [B, T, D] each, [B, T, n]
 *
 *   probe_file file=run.safetensors
 *   probe_file file=run.safetensors activations="encoder.*.out" targets=y
 *
 * f64, f32, f16 or bf16; a list of names or one tensor [layers, B, T, D] will do as well, and without the axis T there is one step. The first sequences are
 * fitted, the last `holdout` in a hundred are held out; fit and score by layer and step go to probes.csv and a heat map. Settings of the probes, such as
 * intercept=1 or penalty=0.1, are taken from the command line. */
#include "common.h"
#include <math.h>
#include <stdlib.h>

enum { TRAIN_MSE, TEST_MSE, TEST_R2, COLUMNS };
typedef struct scores { int64_t layers, T, m; double *of[COLUMNS]; int64_t *rank; } scores;

/* Everything is [layers, T]. */
static scores score(mesaopt_ctx *ctx, mesaopt_probe *probe)
{
    scores s = {0};
    mesaopt_view v[COLUMNS], rank;
    TRY(ctx, mesaopt_probe_shape(probe, &s.layers, &s.T, &s.m));
    const int64_t shape[] = {s.layers, s.T};
    const size_t cells = (size_t)(s.layers * s.T);
    for (int i = 0; i < COLUMNS; i++) TRY(ctx, mesaopt_view_dense(s.of[i] = must_alloc(NULL, cells * sizeof(double)), MESAOPT_F64, 2, shape, &v[i]));
    TRY(ctx, mesaopt_view_dense(s.rank = must_alloc(NULL, cells * sizeof(int64_t)), MESAOPT_I64, 2, shape, &rank));
    TRY(ctx, mesaopt_probe_score(probe, MESAOPT_PROBE_TRAIN, &v[TRAIN_MSE], NULL));
    TRY(ctx, mesaopt_probe_score(probe, MESAOPT_PROBE_TEST, &v[TEST_MSE], &v[TEST_R2]));
    TRY(ctx, mesaopt_probe_rank(probe, &rank));
    return s;
}

static void report(const scores *s)
{
    char path[MAX_PATH], map[MAX_PATH];
    make_folder(args_text("out"));
    out_path("probes.csv", path);
    out_path("r2.csv", map);
    const int curve = s->layers == 1 || s->T == 1;     /* no map of a single row */
    FILE *f = open_file(path, "w"), *g = open_file(map, "w");
    if (curve) fprintf(g, "%s,R2\n", s->T > 1 ? "step" : "layer");
    fputs("layer,step,rank,train_mse,test_mse,test_r2\n", f);
    printf("\n%6s%16s%16s%16s%12s%8s\n", "layer", "mean train mse", "mean test mse", "mean test R2", "best R2", "step");
    for (int64_t l = 0; l < s->layers; l++) {
        double sum[COLUMNS] = {0};
        int64_t best = l * s->T;
        for (int64_t i = l * s->T; i < (l + 1) * s->T; i++) {
            for (int c = 0; c < COLUMNS; c++) sum[c] += s->of[c][i] / (double)s->T;
            if (!(s->of[TEST_R2][i] <= s->of[TEST_R2][best])) best = i;
            fprintf(f, "%lld,%lld,%lld,%.9g,%.9g,%.9g\n", (long long)l, (long long)(i % s->T), (long long)s->rank[i], s->of[TRAIN_MSE][i], s->of[TEST_MSE][i], s->of[TEST_R2][i]);
            if (curve) fprintf(g, "%lld,", (long long)i);
            fprintf(g, "%.6g%c", fmax(s->of[TEST_R2][i], 0), !curve && (i + 1) % s->T ? ',' : '\n');
        }
        printf("%6lld%16.6g%16.6g%16.4f%12.4f%8lld\n", (long long)l, sum[TRAIN_MSE], sum[TEST_MSE], sum[TEST_R2], s->of[TEST_R2][best], (long long)(best % s->T));
    }
    close_file(f, path);
    close_file(g, map);
    printf("table: %s\n", path);
    if (curve) figure("r2", 1, "Linear probes: held-out R2", s->T > 1 ? "step" : "layer", "R2");
    else heat_map("r2", s->layers * s->T, "Linear probes: held-out R2", "step", "layer", 0, 1);
}

int main(int argc, char **argv)
{
    own_key own[] = {{"file", "", "safetensors file of activations and targets"}, {"activations", "activations.*", "names of the layers: with a *, a list, or one tensor"},
                     {"targets", "targets", "name of the targets"}, {"weights", "", "name of the sequences' weights, if any"},
                     {"holdout", "25", "percent of the sequences, the last ones, that are held out"}, {"out", "probe_file.out", "folder for table and figure"},
                     {NULL, NULL, NULL}};
    mesaopt_probe *probe = NULL;
    int64_t rows = 0;
    args_begin(argc, argv, "Linear probes of activations in a file: what is where?", own);
    args_hide(" lag lags filter ");
    mesaopt_ctx *ctx = args_ctx();
    mesaopt_settings *settings = args_settings(MESAOPT_SCOPE_PROBE, "");
    const int64_t holdout = args_int("holdout", 1, 99);
    args_end();
    if (!*args_text("file")) args_refuse("file", "the name of a safetensors file");

    const char *file = args_text("file"), *activations = args_text("activations"), *targets = args_text("targets");
    const char *weights = *args_text("weights") ? args_text("weights") : NULL;
    catch_signals(ctx);
    TRY(ctx, mesaopt_probe_plan_file(ctx, settings, file, activations, targets, &probe, &rows));
    const int64_t fitted = rows - (rows * holdout + 99) / 100;
    printf("%s: %lld sequences, %lld to fit, %lld held out\n", file, (long long)rows, (long long)fitted, (long long)(rows - fitted));
    TRY(ctx, mesaopt_probe_feed_file(probe, MESAOPT_PROBE_TRAIN, file, activations, targets, weights, 0, fitted));
    TRY(ctx, mesaopt_probe_feed_file(probe, MESAOPT_PROBE_TEST, file, activations, targets, weights, fitted, -1));
    TRY(ctx, mesaopt_probe_fit(probe, NULL));
    const scores s = score(ctx, probe);
    report(&s);

    for (int i = 0; i < COLUMNS; i++) free(s.of[i]);
    free(s.rank);
    mesaopt_probe_free(probe);
    mesaopt_ctx_free(ctx);
    args_free();
    return 0;
}
