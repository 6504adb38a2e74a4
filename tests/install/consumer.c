/* What a user's program does with the installed library. Built by .ci/run through pkg-config as C and as C++, dynamic and static. */
#include <mesaopt/mesaopt.h>
#include <stdio.h>

#define TRY(call) do { mesaopt_status s = (call); if (s < 0) { printf("%s: %s\n", #call, mesaopt_status_name(s)); return 1; } } while (0)

int main(void)
{
    mesaopt_ctx *ctx = NULL;
    mesaopt_settings *settings = NULL;
    mesaopt_task *task = NULL;
    mesaopt_model *model = NULL;
    mesaopt_trainer *trainer = NULL;
    double before = 0, after = 0;
    int64_t width = 0;

    if (mesaopt_version_number() != MESAOPT_VERSION) return printf("library %s, headers %d\n", mesaopt_version_text(), (int)MESAOPT_VERSION), 1;
    TRY(mesaopt_ctx_create(NULL, &ctx));
    TRY(mesaopt_settings_create(MESAOPT_SCOPE_TASK, NULL, NULL, &settings));
    TRY(mesaopt_settings_set_text(settings, "tokens", "constructed"));
    TRY(mesaopt_task_create(ctx, settings, &task));
    mesaopt_settings_free(settings);
    TRY(mesaopt_task_shape(task, NULL, NULL, &width, NULL));
    TRY(mesaopt_settings_create(MESAOPT_SCOPE_MODEL, NULL, NULL, &settings));
    TRY(mesaopt_settings_set_int(settings, MESAOPT_KEY_INPUTS, width));
    TRY(mesaopt_model_create(ctx, settings, &model));
    mesaopt_settings_free(settings);
    TRY(mesaopt_model_add_text(model, "linear(heads=2,key=20,init_sd=0.05)"));
    TRY(mesaopt_settings_create(MESAOPT_SCOPE_TRAINER, NULL, NULL, &settings));
    TRY(mesaopt_settings_set_text(settings, "lr", "3e-3"));
    TRY(mesaopt_trainer_create(ctx, settings, model, task, &trainer));
    mesaopt_settings_free(settings);
    TRY(mesaopt_trainer_evaluate(trainer, 256, NULL, &before));
    TRY(mesaopt_trainer_run(trainer, 20, NULL, NULL));
    TRY(mesaopt_trainer_evaluate(trainer, 256, NULL, &after));
    printf("libmesaopt %s: test loss %.4f before, %.4f after 20 steps\n", mesaopt_version_text(), before, after);
    mesaopt_ctx_free(ctx);         /* any order is fine */
    mesaopt_trainer_free(trainer);
    mesaopt_model_free(model);
    mesaopt_task_free(task);
    return after > 0 && after < 0.98 * before ? 0 : 1;
}
