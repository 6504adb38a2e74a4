/* fit: one layer of linear attention learns to predict the next observation.
 *
 * A model is a list of blocks in a line of text, a trainer joins it with a task, a callback watches
 * the steps. Prints the training loss as it falls, and the loss on test sequences before and after,
 * beside that of one step of gradient descent on the tokens so far, which the layer becomes. */
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

/* After every step; what is not 0 ends the run. */
static int32_t watch(const mesaopt_step *step, void *user)
{
    (void)user;
    if (step->step % 50 == 0)
        printf("step %3d  loss %.3f  rate %g\n", (int)step->step, step->loss, step->lr);
    return 0;
}

int main(void)
{
    mesaopt_task *task;
    mesaopt_model *model;
    mesaopt_settings *settings;
    mesaopt_trainer *trainer;
    mesaopt_baseline *gd;
    double before, after, eta, one_step;

    ok(mesaopt_ctx_create(NULL, &ctx));
    ok(mesaopt_task_create(ctx, NULL, &task));
    ok(mesaopt_model_create(ctx, NULL, &model));
    ok(mesaopt_model_add_text(model, "mask(first=20); linear(heads=1,key=20,init_sd=0.05)"));
    ok(mesaopt_settings_create(MESAOPT_SCOPE_TRAINER, NULL, NULL, &settings));
    ok(mesaopt_settings_set_text(settings, "lr", "3e-3"));
    ok(mesaopt_settings_set_int(settings, MESAOPT_KEY_BATCH, 64));
    ok(mesaopt_trainer_create(ctx, settings, model, task, &trainer));

    ok(mesaopt_trainer_evaluate(trainer, 512, NULL, &before));
    ok(mesaopt_trainer_run(trainer, 300, watch, NULL));
    ok(mesaopt_trainer_evaluate(trainer, 512, NULL, &after));

    /* The same test sequences for what it is compared with; its step size by line search. */
    ok(mesaopt_baseline_create(ctx, NULL, &gd));
    ok(mesaopt_baseline_search(gd, task, 256, &eta));
    ok(mesaopt_baseline_evaluate(gd, task, MESAOPT_STREAM_TEST, 0, 512, NULL, &one_step));
    printf("test loss %.3f before, %.3f after %d steps\n", before, after,
           (int)mesaopt_trainer_steps(trainer));
    printf("one step of gradient descent of size %.4f: %.3f\n", eta, one_step);

    mesaopt_trainer_free(trainer);
    mesaopt_baseline_free(gd);
    mesaopt_model_free(model);
    mesaopt_task_free(task);
    mesaopt_settings_free(settings);
    mesaopt_ctx_free(ctx);
    if (fflush(stdout) == 0) return 0;
    perror("fit: standard output");
    return 1;
}
