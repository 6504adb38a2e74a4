/* tour: a layer of linear attention is trained, its step size read off, and a regression streamed.
 *
 * The same program stands in docs/cxx.md, python.md, rust.md and julia.md. Prints the test loss
 * after 200 steps, eta of the closed form that the weights have taken, and the prediction of a
 * regression that was fed row by row; beside each number its bits, the same from every language.
 */
#include <mesaopt/mesaopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static mesaopt_ctx *ctx;

static void ok(mesaopt_status status)
{
    char text[256] = "";
    if (status == MESAOPT_OK) return;
    mesaopt_ctx_error(ctx, text, sizeof text);
    fprintf(stderr, "%s: %s\n", mesaopt_status_name(status), text);
    if (status < 0) exit(1);
}

static void say(const char *what, double x)
{
    unsigned long long bits;
    memcpy(&bits, &x, sizeof bits);
    printf("%-22s %9.6f  %016llx\n", what, x, bits);
}

/* Trains the layer; the loss on 256 test sequences, and sum over heads of eta p1. */
static void train(double *loss, double *eta)
{
    double form[2][6];                 /* of each head: alpha, eta, beta, gamma, p1, p2 */
    mesaopt_settings *settings;
    mesaopt_task *task;
    mesaopt_model *model;
    mesaopt_trainer *trainer;
    mesaopt_revalg *revalg;
    mesaopt_view out;
    ok(mesaopt_task_create(ctx, NULL, &task));
    ok(mesaopt_model_create(ctx, NULL, &model));
    ok(mesaopt_model_add_text(model, "mask(first=20); linear(heads=2,key=20,residual_clip=4)"));
    ok(mesaopt_settings_create(MESAOPT_SCOPE_TRAINER, NULL, NULL, &settings));
    ok(mesaopt_settings_set_text(settings, "lr", "0.003"));
    ok(mesaopt_settings_set_text(settings, "batch", "64"));
    ok(mesaopt_trainer_create(ctx, settings, model, task, &trainer));
    ok(mesaopt_trainer_run(trainer, 200, NULL, NULL));
    ok(mesaopt_trainer_evaluate(trainer, 256, NULL, loss));
    ok(mesaopt_revalg_extract(model, &revalg));
    ok(mesaopt_view_dense(form, MESAOPT_F64, 2, (const int64_t[]){2, 6}, &out));
    ok(mesaopt_revalg_closed_form(revalg, &out));
    *eta = form[0][1] * form[0][4] + form[1][1] * form[1][4];
    mesaopt_revalg_free(revalg), mesaopt_trainer_free(trainer);
    mesaopt_model_free(model), mesaopt_task_free(task), mesaopt_settings_free(settings);
}

/* Rows k, v = 2 k_0 - 3 k_1, one by one; the prediction for q = (0.25, -0.5), and its error. */
static void stream(double *prediction, double *error)
{
    double key[2], value, query[2] = {0.25, -0.5};
    mesaopt_lsq *plan;
    mesaopt_rls *rls;
    mesaopt_view k, v, q, out, sd;
    ok(mesaopt_lsq_plan(ctx, NULL, 2, 1, &plan));
    ok(mesaopt_rls_create(plan, 1, NULL, &rls));
    ok(mesaopt_view_dense(key, MESAOPT_F64, 3, (const int64_t[]){1, 1, 2}, &k));
    ok(mesaopt_view_dense(query, MESAOPT_F64, 3, (const int64_t[]){1, 1, 2}, &q));
    ok(mesaopt_view_dense(&value, MESAOPT_F64, 3, (const int64_t[]){1, 1, 1}, &v));
    ok(mesaopt_view_dense(prediction, MESAOPT_F64, 3, (const int64_t[]){1, 1, 1}, &out));
    ok(mesaopt_view_dense(error, MESAOPT_F64, 3, (const int64_t[]){1, 1, 1}, &sd));
    for (int t = 0; t < 100; t++) {
        key[0] = t * 37 % 101 / 101.0 - 0.5;
        key[1] = t * 53 % 103 / 103.0 - 0.5;
        value = 2 * key[0] - 3 * key[1];
        ok(mesaopt_rls_update(rls, &k, &v, NULL, NULL));
    }
    ok(mesaopt_rls_predict(rls, &q, &out, &sd));
    mesaopt_rls_free(rls), mesaopt_lsq_free(plan);
}

int main(void)
{
    double loss, eta, prediction, error;
    ok(mesaopt_ctx_create(NULL, &ctx));
    train(&loss, &eta);
    stream(&prediction, &error);
    say("loss after 200 steps", loss);
    say("eta", eta);
    say("prediction", prediction);
    say("its standard error", error);
    mesaopt_ctx_free(ctx);
    if (fflush(stdout) == 0) return 0;
    perror("tour: standard output");
    return 1;
}
