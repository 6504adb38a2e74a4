/* proposition2: does a trained model of k layers do what k - 1 steps of preconditioning and one
 * step of gradient descent do?
 *
 * Trains LSA-k (constructed tokens) by the paper's recipe, learns the coefficients of k - 1
 * Chebyshev steps on the same task, and compares both by t with one gradient step and with least
 * squares. Then it builds proposition 2 itself: a deep linear model whose weights carry out the
 * learned iteration, and checks that it predicts the same numbers. The newest pair is left out
 * where models are compared, as the paper does; weights cannot leave it out.
 *
 *   proposition2                    2 layers and 1 step; layers=6: 6 layers and 5 steps
 *
 * Recipes lsa2, lsa4 (3 and 4 layers) and lsa6. Claim 6 of docs/science.md, section 7; source:
 * arXiv 2309.05858, proposition 2, section 3 and appendix. */
#include "common.h"
#include "runs.h"
#include <math.h>
#include <stdlib.h>

static void print_coefficients(const training *t, mesaopt_baseline *b)
{
    mesaopt_view v;
    TRY(t->ctx, mesaopt_baseline_coefficients(b, &v));
    for (int64_t row = 0; row < 2; row++, putchar('\n')) {
        printf("%s", row ? "b" : "\nlearned coefficients\na");
        for (int64_t k = 0; k < v.shape[1]; k++)
            printf(" %8.4f", ((double *)v.data)[row * v.stride[0] + k]);
    }
}

/* Proposition 2 as weights, in f64, beside the iteration that it carries out. */
static void check_construction(const training *t, mesaopt_baseline *b, int64_t n, int64_t width)
{
    enum { COUNT = 256 };
    mesaopt_settings *s = NULL;
    mesaopt_model *model = NULL;
    double model_loss = 0, loss = 0;
    char text[4096];
    must(NULL, mesaopt_settings_create(MESAOPT_SCOPE_MODEL, NULL, NULL, &s),
         "mesaopt_settings_create");
    mesaopt_settings_set_int(s, MESAOPT_KEY_INPUTS, width);
    mesaopt_settings_set_int(s, MESAOPT_KEY_OUTPUTS, n);
    mesaopt_settings_set_text(s, "dtype", "f64");
    TRY(t->ctx, mesaopt_revalg_proposition2(t->ctx, s, b, &model));
    TRY(t->ctx,
        mesaopt_model_evaluate(model, t->task, MESAOPT_STREAM_TEST, 0, COUNT, NULL, &model_loss));
    TRY(t->ctx, mesaopt_baseline_evaluate(b, t->task, MESAOPT_STREAM_TEST, 0, COUNT, NULL, &loss));
    mesaopt_model_text(model, text, sizeof text);
    printf("\nproposition 2 as weights: %s\n", text);
    claims_changed("");                            /* true of any recipe */
    claim("proposition 2: a deep linear model carries out the iteration",
          "equal losses on the same sequences, to rounding", fabs(model_loss / loss - 1) < 1e-9,
          "model %.12f, iteration %.12f", model_loss, loss);
    mesaopt_model_free(model);
    mesaopt_settings_free(s);
}

static void report(const training *t, int64_t seeds, int64_t layers, int64_t updates, int64_t n,
                   int64_t width)
{
    curves c = {0};
    char name[2][32], title[128];
    char settings[2][64];
    snprintf(settings[0], sizeof settings[0], "iterations=%lld newest_pair=0",
             (long long)layers - 1);
    snprintf(settings[1], sizeof settings[1], "iterations=%lld divisor=70", (long long)layers - 1);
    mesaopt_baseline *learned = learn_chebyshev(t, settings[0], updates),
                     *fixed = learn_chebyshev(t, settings[1], updates);
    snprintf(name[0], sizeof name[0], "LSA-%lld", (long long)layers);
    snprintf(name[1], sizeof name[1], "Chebyshev-%lld", (long long)layers - 1);
    snprintf(title, sizeof title,
             "%lld layers and %lld steps of preconditioning: error of the next observation by t",
             (long long)layers, (long long)layers - 1);
    for (int64_t i = 0; i < seeds; i++, curves_again(&c)) {
        curves_model(&c, name[0], &t[i]);
        if (i > 0) continue;
        curves_baseline(&c, name[1], learned, t);
        curves_baselines(&c, t);
    }
    curves_report(&c, title);
    print_coefficients(t, learned);
    const double model = c.of[0].mean, steps = c.of[1].mean, gd = c.of[2].mean, lsq = c.of[3].mean;
    claim("6. k layers match k - 1 steps of preconditioning and one step of gradient descent",
          "at most 5 % above the learned steps, and nearer to them than to one gradient step",
          model < 1.05 * steps && fabs(model - steps) < fabs(model - gd),
          "losses: model %.4f, learned steps %.4f, one gradient step %.4f, least squares %.4f "
          "(newest pair left out)",
          model, steps, gd, lsq);
    check_construction(t, fixed, n, width);
    mesaopt_baseline_free(learned);
    mesaopt_baseline_free(fixed);
}

int main(int argc, char **argv)
{
    own_key own[] = {{"layers", "2", "layers of the model, one more than steps of preconditioning"},
                     {"updates", "0", "updates of the coefficients; 0: the recipe's"},
                     SEEDS_KEY,
                     MODEL_KEY,
                     TRAINING_KEYS("", "proposition2.out"),
                     TEST_KEYS,
                     {NULL, NULL, NULL}};
    int64_t n, width;
    args_begin(argc, argv,
               "Compares a trained deep linear model with learned preconditioning and one step of "
               "gradient descent.",
               own);
    args_hide(" inputs outputs first tokens slots pe baseline iterations divisor newest_pair ");
    const int64_t layers = args_int("layers", 2, 1000),
                  updates = args_int("updates", 0, INT64_MAX / 4);
    runs r = runs_begin(layers == 2 ? "lsa2" : layers <= 4 ? "lsa4" : "lsa6");
    args_end();
    r.heeded = " layers test ";
    runs_create(&r);
    runs_expect_kinds(&r, layers);
    TRY(r.ctx, mesaopt_task_shape(r.run[0].task, &n, NULL, &width, NULL));
    if (width != 4 * n && width != 6 * n)
        args_refuse("model", "networks that see tokens of 4 or 6 slots");
    catch_signals(r.ctx);
    const mesaopt_status status = runs_train(&r);
    if (status == MESAOPT_OK) {
        out_begin(r.ctx);
        report(r.run, r.seeds, layers, updates, n, width);
    }
    catch_signals(NULL);
    runs_free(&r);
    return status == MESAOPT_OK ? claims_status() : 130;
}
