/* mesa_layer: trains one mesa layer and one linear attention layer on the same sequences, and
 * compares both by t with one step of gradient descent and with exact least squares.
 *
 * One linear layer can take one gradient step on the least-squares problem that a sequence poses; a
 * mesa layer solves that problem outright, at every step. Recipes mesa1 and lsa1; a key that both
 * layers have, such as heads or lr, sets both. Claim 2 of docs/science.md, section 7; source: arXiv
 * 2309.05858, section 4. */
#include "common.h"
#include "runs.h"

static void report(const curves *c)
{
    const double mesa = c->of[0].mean, linear = c->of[1].mean, lsq = c->of[3].mean;
    claim("2. one mesa layer is far better than one linear layer, and near least squares",
          "mesa below half of linear, and at most 10 % above lsq_newest_off",
          mesa < 0.5 * linear && mesa < 1.1 * lsq,
          "losses: mesa %.4f, linear %.4f, lsq_newest_off %.4f, lsq_newest_on %.4f", mesa, linear,
          lsq, c->of[4].mean);
}

int main(int argc, char **argv)
{
    own_key own[] = {
        SEEDS_KEY, MODEL_KEY, TRAINING_KEYS("", "mesa_layer.out"), TEST_KEYS, {NULL, NULL, NULL}};
    curves c = {0};

    args_begin(argc, argv,
               "Trains one mesa layer and one linear layer; compares them with gradient descent "
               "and least squares.\n"
               "A key that both layers have sets both; without it each has its own of the recipe.",
               own);
    args_hide(" inputs outputs first tokens slots pe ");
    runs r = runs_begin("mesa1,lsa1");
    args_end();
    runs_create(&r);
    runs_expect_kinds(&r, 1);
    catch_signals(r.ctx);
    const mesaopt_status status = runs_train(&r);
    if (status == MESAOPT_OK) {
        out_begin(r.ctx);
        for (int64_t i = 0; i < r.seeds; i++, curves_again(&c)) {
            curves_model(&c, "mesa", runs_of(&r, i, 0));
            curves_model(&c, "linear", runs_of(&r, i, 1));
            if (i == 0) curves_baselines(&c, r.run);
        }
        curves_report(&c, "One mesa layer, one linear layer, gradient descent, least squares: "
                          "error of the next observation by t");
        if (!r.file[0])
            figure("lsa1-loss", 2, "Loss of the linear layer while training", "step", LOSS_LABEL);
        report(&c);
    }
    catch_signals(NULL);
    runs_free(&r);
    return status == MESAOPT_OK ? claims_status() : 130;
}
