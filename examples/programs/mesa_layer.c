/* mesa_layer: trains one mesa layer and one linear attention layer on the same sequences, and
 * compares both by t with one step of gradient descent and with exact least squares.
 *
 * One linear layer can take one gradient step on the least-squares problem that a sequence poses; a
 * mesa layer solves that problem outright, at every step. Recipe: constructed tokens, 4 heads, key
 * 20, learning rate 4e-4 (mesa) and 1e-4 (linear). Claim 2 of docs/science.md, section 7; source:
 * arXiv 2309.05858, section 4. A key that both layers have, such as heads or lr, sets both; what is
 * then no more as in the recipe stands above the claim. */
#include "common.h"
#include <stdlib.h>

static training make(mesaopt_ctx *ctx, int64_t run, const char *name, mesaopt_settings *model,
                     mesaopt_settings *task, const mesaopt_settings *layer,
                     mesaopt_settings *trainer)
{
    training t = training_begin(ctx, task, model, run, name);
    int64_t n;
    TRY(ctx, mesaopt_task_shape(t.task, &n, NULL, NULL, NULL));
    training_add_mask(&t, 2 * n);                  /* [0, x_t, x_t, x_{t-1}] -> [0, 0, x_t,
                                                      x_{t-1}] */
    TRY(ctx, mesaopt_model_add(t.model, layer));
    training_create(&t, trainer);
    return t;
}

static void report(const curves *c)
{
    const double mesa = c->of[0].mean, linear = c->of[1].mean, lsq = c->of[3].mean;
    if (*args_changed()) printf("\nnot as in the recipe: %s\n", args_changed());
    claim("2. one mesa layer is far better than one linear layer, and near least squares",
          "mesa below half of linear, and at most 10 % above lsq_newest_off",
          mesa < 0.5 * linear && mesa < 1.1 * lsq,
          "losses: mesa %.4f, linear %.4f, lsq_newest_off %.4f, lsq_newest_on %.4f", mesa, linear,
          lsq, c->of[4].mean);
}

int main(int argc, char **argv)
{
    own_key own[] = {
        SEEDS_KEY, TRAINING_KEYS("5000", "mesa_layer.out"), TEST_KEYS, {NULL, NULL, NULL}};
    mesaopt_status status = MESAOPT_OK;
    curves c = {0};

    args_begin(argc, argv,
               "Trains one mesa layer and one linear layer; compares them with gradient descent "
               "and least squares.\n"
               "A key that both layers have sets both; without it each has its own of the recipe.",
               own);
    args_hide(" inputs outputs first tokens slots pe ");
    mesaopt_ctx *ctx = args_ctx();
    mesaopt_settings *task = args_settings(MESAOPT_SCOPE_TASK, "tokens=constructed"),
                     *model = args_settings(MESAOPT_SCOPE_MODEL, "");
    mesaopt_settings *mesa = args_settings_of("mesa layer", MESAOPT_SCOPE_MESA, "heads=4 key=20");
    mesaopt_settings *linear =
        args_settings_of("linear layer", MESAOPT_SCOPE_LINEAR, "heads=2 key=20 residual_clip=4");
    mesaopt_settings *fast = args_settings_of("training of the mesa layer", MESAOPT_SCOPE_TRAINER,
                                              "batch=256 lr=4e-4 weight_decay=0.1");
    mesaopt_settings *slow = args_settings_of("training of the linear layer", MESAOPT_SCOPE_TRAINER,
                                              "batch=256 lr=1e-4 weight_decay=0.1");
    args_end();

    const int64_t seeds = args_int("seeds", 1, 1000);
    training *all = must_alloc(NULL, (size_t)(2 * seeds) * sizeof *all);
    for (int64_t i = 0; i < seeds; i++) {
        all[2 * i] = make(ctx, i, "", model, task, mesa, fast);
        all[2 * i + 1] = make(ctx, i, "linear-", model, task, linear, slow);
    }
    catch_signals(ctx);
    for (int64_t i = 0; i < 2 * seeds && status == MESAOPT_OK; i++) {
        fprintf(stderr, i % 2 ? "linear layer" : "mesa layer");
        fprintf(stderr, seeds > 1 ? ", seed %lld\n" : "\n", (long long)i / 2);
        status = training_run(&all[i]);
    }
    if (status == MESAOPT_OK) {
        for (int64_t i = 0; i < seeds; i++, curves_again(&c)) {
            curves_model(&c, "mesa", &all[2 * i]);
            curves_model(&c, "linear", &all[2 * i + 1]);
            if (i == 0) curves_baselines(&c, &all[0]);
        }
        curves_report(&c, "One mesa layer, one linear layer, gradient descent, least squares: "
                          "error of the next observation by t");
        figure("linear-loss", 2, "Loss of the linear layer while training", "step", LOSS_LABEL);
        report(&c);
    }
    catch_signals(NULL);
    for (int64_t i = 0; i < 2 * seeds; i++) training_free(&all[i]);
    free(all);
    mesaopt_ctx_free(ctx);
    args_free();
    return status == MESAOPT_OK ? claims_status() : 130;
}
