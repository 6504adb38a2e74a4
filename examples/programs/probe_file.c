/* probe_file: linear probes of activations that another program wrote, in PyTorch for example
 *
 *     from safetensors.torch import save_file
 *     tensors = {f"activations.{i}": h.contiguous() for i, h in enumerate(layers)}   # [B, T, D]
 *     save_file({**tensors, "targets": y}, "run.safetensors")                         # [B, T, n]
 *
 *   probe_file file=run.safetensors
 *   probe_file file=run.safetensors activations="encoder.*.out" targets=y
 *
 * f64, f32, f16 or bf16; a list of names or one tensor [layers, B, T, D] will do as well, and
 * without the axis T there is one step. The first sequences are fitted, the last `holdout` in a
 * hundred are held out; fit and score by layer and step go to probes.csv and a heat map. Settings
 * of the probes, such as intercept=1 or penalty=0.1, are taken from the command line. */
#include "common.h"
#include <math.h>
#include <string.h>

/* Held-out R2 by layer and step, for a figure; a curve when there is one layer or one step. */
static void draw(const scores *s)
{
    char path[MAX_PATH];
    const int curve = s->layers == 1 || s->steps == 1;
    const int64_t pairs = s->layers * s->steps;
    int gaps = 0;
    out_path("r2.csv", path);
    FILE *f = open_file(path, "w");
    if (curve) fprintf(f, "%s,R2\n", s->steps > 1 ? "step" : "layer");
    for (int64_t i = 0; i < pairs; i++) {
        if (curve) fprintf(f, "%lld,", (long long)i);
        gaps |= isnan(s->of[TEST_R2][i]);
        fprintf(f, "%.6g%c", isnan(s->of[TEST_R2][i]) ? NAN : s->of[TEST_R2][i],
                !curve && (i + 1) % s->steps ? ',' : '\n');
    }
    close_file(f, path);
    if (curve) figure("r2", 1, "Linear probes: held-out R2", s->steps > 1 ? "step" : "layer", "R2");
    else
        heat_map("r2", &(heat){s->layers, s->steps, 0, 0, 1, gaps},
                 "Linear probes: share of the variance explained (R2), held out", "step", "layer");
}

static void report(mesaopt_ctx *ctx, const scores *s, const char *error)
{
    char path[MAX_PATH];
    out_begin(ctx);
    out_path("probes.csv", path);
    FILE *f = open_file(path, "w");
    fputs("layer,step," SCORES_HEADER, f);
    printf("\nerror: %s\n\n%-7s%30s%30s\n%7s%15s%15s%15s%15s%12s%6s\n",
           strcmp(error, "mean") == 0 ? "mean of squared errors over targets"
                                      : "half the sum of squared errors over targets",
           "", "in sample, mean over steps", "held out, mean over steps", "layer", "error", "R2",
           "error", "R2", "best R2", "step");
    for (int64_t l = 0; l < s->layers; l++) {
        const double *r2 = s->of[TEST_R2];
        int64_t best = l * s->steps;
        for (int64_t i = l * s->steps; i < (l + 1) * s->steps; i++) {
            if (r2[i] > r2[best] || isnan(r2[best])) best = i;
            fprintf(f, "%lld,%lld,", (long long)l, (long long)(i % s->steps));
            scores_print(f, s, i);
        }
        printf("%7lld", (long long)l);
        for (int c = 0; c < SCORES; c++)
            printf(c == TRAIN_R2 || c == TEST_R2 ? "%15.4f" : "%15.6g",
                   score_mean(s, c, l, 0, s->steps));
        printf("%12.4f%6lld\n", r2[best], (long long)(best % s->steps));
    }
    close_file(f, path);
    printf("table: %s\n", path);
    draw(s);
}

int main(int argc, char **argv)
{
    own_key own[] = {
        {"file", "", "safetensors file of activations and targets"},
        {"activations", "activations.*", "names of the layers: with a *, a list, or one tensor"},
        {"targets", "targets", "name of the targets"},
        {"weights", "", "name of the sequences' weights, if any"},
        {"holdout", "25", "percent of the sequences, the last ones, that are held out"},
        OUT_KEYS("probe_file.out", "folder for table and figure"),
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

    const char *file = args_text("file"), *activations = args_text("activations"),
               *targets = args_text("targets");
    const char *weights = *args_text("weights") ? args_text("weights") : NULL;
    catch_signals(ctx);
    TRY(ctx, mesaopt_probe_plan_file(ctx, settings, file, activations, targets, &probe, &rows));
    const int64_t fitted = rows - (rows * holdout + 99) / 100;
    printf("%s: %lld sequences, %lld to fit, %lld held out\n", file, (long long)rows,
           (long long)fitted, (long long)(rows - fitted));
    TRY(ctx, mesaopt_probe_feed_file(probe, MESAOPT_PROBE_TRAIN, file, activations, targets,
                                     weights, 0, fitted));
    TRY(ctx, mesaopt_probe_feed_file(probe, MESAOPT_PROBE_TEST, file, activations, targets, weights,
                                     fitted, -1));
    scores s = scores_of(ctx, probe, 0);
    char error[32];
    mesaopt_settings_get_text(settings, "error", error, sizeof error);
    report(ctx, &s, error);

    scores_free(&s);
    mesaopt_probe_free(probe);
    mesaopt_ctx_free(ctx);
    args_free();
    return 0;
}
