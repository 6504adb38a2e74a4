/* revalg_report.c: table and claims of revalg by depth; see revalg_study.h. */
#include "revalg_study.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

int losses_near(double loss, double other) { return fabs(loss / other - 1) < NEAR; }
int learned(double loss, double nothing) { return loss < (1 - NEAR) * nothing; }

double study_loss(const study *s, mesaopt_model *m, int64_t count)
{
    double loss = 0;
    if (signalled()) stop();
    if (s->data.count > 0) return pairs_loss(s->ctx, m, &s->data);
    TRY(s->ctx, mesaopt_model_evaluate(m, s->task, MESAOPT_STREAM_TEST, 0, count, NULL, &loss));
    return loss;
}

double study_loss_of_nothing(const study *s, mesaopt_model *m)
{
    for (int64_t i = 0; i < mesaopt_model_parameters(m); i++) {
        mesaopt_view w;
        TRY(s->ctx, mesaopt_model_parameter(m, mesaopt_model_parameter_name(m, i), &w));
        size_t bytes = w.dtype == MESAOPT_F32 ? sizeof(float) : sizeof(double);
        for (int32_t a = 0; a < w.ndim; a++) bytes *= (size_t)w.shape[a];
        memset(w.data, 0, bytes);
    }
    return study_loss(s, m, s->finals);
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

/* Claim 4, depth by depth: it is one of shallow networks, and of deep ones while they are young. */
static void claim_description(const study *s, int count, const int64_t *layers, const result *of)
{
    for (int i = 0; i < count; i++) {
        const result *r = &of[i];
        char expected[160], seen[160];
        const double model = r->mean[MODEL];
        const int end = learned(model, s->nothing) && losses_near(r->mean[REBUILT], model) &&
                        losses_near(r->mean[AVERAGE], model);
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
              "(described-%lld.csv)%s",
              (long long)layers[i], r->mean[MODEL], r->mean[REBUILT], r->mean[AVERAGE], seen,
              (long long)layers[i],
              learned(model, s->nothing) ? "" : "; the network has learned nothing");
    }
}

void study_report(study *s, int count, const int64_t *layers, const result *of)
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
    claim_description(s, count, layers, of);
}
