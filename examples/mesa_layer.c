/* mesa_layer: trains one mesa layer and one linear attention layer on the same sequences, and compares both by t with one step of gradient
 * descent and with exact least squares.
 *
 * One linear layer can take one gradient step on the least-squares problem that a sequence poses; a mesa layer solves that problem outright, at every
 * step. Recipe: constructed tokens, 4 heads, key 20, learning rate 4e-4 (mesa) and 1e-4 (linear). Claim 2 of SCIENCE section 7; source: arXiv
 * 2309.05858, section 4. A key that both layers have, such as heads or lr, sets both; what is then no more as in the recipe stands above the claim. */
#include "common.h"

static training make(mesaopt_ctx *ctx, const char *prefix, mesaopt_settings *model, const mesaopt_settings *task, const mesaopt_settings *layer,
                     mesaopt_settings *trainer)
{
    training t = {.ctx = ctx, .prefix = prefix};
    int64_t n, width;
    TRY(ctx, mesaopt_task_create(ctx, task, &t.task));
    t.test = t.task;
    TRY(ctx, mesaopt_task_shape(t.task, &n, NULL, &width, NULL));
    mesaopt_settings_set_int(model, MESAOPT_KEY_INPUTS, width);
    mesaopt_settings_set_int(model, MESAOPT_KEY_OUTPUTS, n);
    TRY(ctx, mesaopt_model_create(ctx, model, &t.model));
    training_add_mask(&t, 2 * n);                  /* [0, x_t, x_t, x_{t-1}] -> [0, 0, x_t, x_{t-1}] */
    TRY(ctx, mesaopt_model_add(t.model, layer));
    training_create(&t, trainer);
    return t;
}

static void report(const curves *c)
{
    const double mesa = c->of[0].mean, linear = c->of[1].mean, lsq = c->of[3].mean;
    if (*args_changed()) printf("\nnot as in the recipe: %s\n", args_changed());
    claim("2. one mesa layer is far better than one linear layer, and near least squares", "mesa below half of linear, and at most 10 % above lsq_newest_off",
          mesa < 0.5 * linear && mesa < 1.1 * lsq, "losses: mesa %.4f, linear %.4f, lsq_newest_off %.4f, lsq_newest_on %.4f", mesa, linear, lsq, c->of[4].mean);
}

int main(int argc, char **argv)
{
    own_key own[] = {TRAINING_KEYS("5000", "mesa_layer.out"), TEST_KEYS, {NULL, NULL, NULL}};
    mesaopt_status status;
    curves c = {0};

    args_begin(argc, argv, "Trains one mesa layer and one linear layer; compares them with gradient descent and least squares.\n"
                           "A key that both layers have sets both; without it each has its own of the recipe.", own);
    args_hide(" inputs outputs first tokens slots pe ");
    mesaopt_ctx *ctx = args_ctx();
    mesaopt_settings *task = args_settings(MESAOPT_SCOPE_TASK, "tokens=constructed"), *model = args_settings(MESAOPT_SCOPE_MODEL, "");
    mesaopt_settings *mesa = args_settings_of("mesa layer", MESAOPT_SCOPE_MESA, "heads=4 key=20");
    mesaopt_settings *linear = args_settings_of("linear layer", MESAOPT_SCOPE_LINEAR, "heads=2 key=20 residual_clip=4");
    mesaopt_settings *fast = args_settings_of("training of the mesa layer", MESAOPT_SCOPE_TRAINER, "batch=256 lr=4e-4 weight_decay=0.1");
    mesaopt_settings *slow = args_settings_of("training of the linear layer", MESAOPT_SCOPE_TRAINER, "batch=256 lr=1e-4 weight_decay=0.1");
    args_end();

    training a = make(ctx, NULL, model, task, mesa, fast), b = make(ctx, "linear-", model, task, linear, slow);
    catch_signals(ctx);
    fprintf(stderr, "mesa layer\n");
    status = training_run(&a);
    if (status == MESAOPT_OK) fprintf(stderr, "linear layer\n"), status = training_run(&b);
    if (status == MESAOPT_OK) {
        curves_model(&c, "mesa", &a);
        curves_model(&c, "linear", &b);
        curves_baselines(&c, &a);
        curves_report(&c, "One mesa layer, one linear layer, gradient descent, least squares: error of the next observation by t");
        figure("linear-loss", 2, "Loss of the linear layer while training", "step", LOSS_LABEL);
        report(&c);
    }
    catch_signals(NULL);
    training_free(&a);
    training_free(&b);
    mesaopt_ctx_free(ctx);
    args_free();
    return status == MESAOPT_OK ? claims_status() : 130;
}
