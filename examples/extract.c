/* extract: which algorithm do a trained layer's weights run?
 *
 * Trains one layer of linear attention, and reads it off the weights: every n x n block of the
 * products W_q W_k^T and W_v P becomes one number, the mean of its diagonal. Prints how much of the
 * products these numbers explain, the layer in closed form, where one product of them is the step
 * size of gradient descent, and the losses of the layer and of a model rebuilt from the numbers. */
#include <mesaopt/mesaopt.h>
#include <stdio.h>
#include <stdlib.h>

static mesaopt_ctx *ctx;

static void ok(mesaopt_status status)
{
    char text[256] = "";
    if (status == MESAOPT_OK) return;
    mesaopt_ctx_error(ctx, text, sizeof text);
    fprintf(stderr, "%s: %s\n", mesaopt_status_name(status), text);
    if (status < 0) exit(1);
}

static double loss(mesaopt_model *model, mesaopt_task *task)
{
    double loss;
    ok(mesaopt_model_evaluate(model, task, MESAOPT_STREAM_TEST, 0, 512, NULL, &loss));
    return loss;
}

int main(void)
{
    double explained, form[6], eta;                /* form: alpha, eta, beta, gamma, p1, p2 */
    mesaopt_settings *settings;
    mesaopt_task *task;
    mesaopt_model *model, *rebuilt;
    mesaopt_trainer *trainer;
    mesaopt_revalg *revalg;
    mesaopt_baseline *gd;
    mesaopt_view v;

    ok(mesaopt_ctx_create(NULL, &ctx));
    ok(mesaopt_task_create(ctx, NULL, &task));
    ok(mesaopt_model_create(ctx, NULL, &model));
    ok(mesaopt_model_add_text(model, "mask(first=20); linear(heads=1,key=20,init_sd=0.05)"));
    ok(mesaopt_settings_create(MESAOPT_SCOPE_TRAINER, NULL, NULL, &settings));
    ok(mesaopt_settings_set_text(settings, "lr", "3e-3"));
    ok(mesaopt_settings_set_int(settings, MESAOPT_KEY_BATCH, 64));
    ok(mesaopt_trainer_create(ctx, settings, model, task, &trainer));
    ok(mesaopt_trainer_run(trainer, 300, NULL, NULL));

    ok(mesaopt_revalg_extract(model, &revalg));
    ok(mesaopt_revalg_summary(revalg, NULL, &explained));
    ok(mesaopt_view_dense(form, MESAOPT_F64, 2, (const int64_t[]){1, 6}, &v));
    ok(mesaopt_revalg_closed_form(revalg, &v));
    ok(mesaopt_revalg_rebuild(revalg, &rebuilt));

    printf("share of the products explained: %.3f\n", explained);
    printf("prediction = sum over t' <= t of\n  (x_t . (%.3f x_t' + %.3f x_{t'-1})", form[0],
           form[1]);
    printf(" + x_{t-1} . (%.3f x_t' + %.3f x_{t'-1}))\n", form[2], form[3]);
    printf("  (%.3f x_t' + %.3f x_{t'-1})\n", form[4], form[5]);
    ok(mesaopt_baseline_create(ctx, NULL, &gd));
    ok(mesaopt_baseline_search(gd, task, 256, &eta));
    printf("step size: read off %.4f, best for gradient descent %.4f\n", form[1] * form[4], eta);
    printf("loss: layer %.3f, rebuilt %.3f\n", loss(model, task), loss(rebuilt, task));

    mesaopt_revalg_free(revalg);
    mesaopt_model_free(rebuilt);
    mesaopt_baseline_free(gd);
    mesaopt_trainer_free(trainer);
    mesaopt_model_free(model);
    mesaopt_task_free(task);
    mesaopt_settings_free(settings);
    mesaopt_ctx_free(ctx);
    if (fflush(stdout) == 0) return 0;
    perror("extract: standard output");
    return 1;
}
