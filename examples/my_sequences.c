/* my_sequences: a model on sequences of one's own, from an array in memory.
 *
 * 400 sine waves of 25 points, each of a frequency and a phase of its own: what comes next depends
 * on the last two points and on the frequency, which has to be found in the sequence. The task
 * keeps the array without a copy and makes tokens [x_t, x_{t-1}, x_{t-2}] of it. Prints the loss of
 * a mesa layer before and after training, and that of persistence, which says x_{t+1} = x_t. */
#include <math.h>
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

enum { SEQUENCES = 400, T = 24, SLOTS = 3 };
static double wave[SEQUENCES][T + 1];

/* The waves; half the mean square of a step, which is what persistence is off. */
static double make_waves(void)
{
    double sum = 0;
    for (int s = 0; s < SEQUENCES; s++)
        for (int t = 0; t <= T; t++) {
            wave[s][t] = sin(0.3 + 0.002 * s + (0.4 + 0.5 * (s % 20) / 20) * t);
            if (t > 0) sum += (wave[s][t] - wave[s][t - 1]) * (wave[s][t] - wave[s][t - 1]);
        }
    return sum / 2 / SEQUENCES / T;
}

/* Settings of one key. */
static mesaopt_settings *with(int32_t scope, const char *name, const char *value)
{
    mesaopt_settings *s;
    ok(mesaopt_settings_create(scope, NULL, NULL, &s));
    ok(mesaopt_settings_set_text(s, name, value));
    return s;
}

int main(void)
{
    const int64_t shape[] = {SEQUENCES, T + 1, 1};
    const double persistence = make_waves();
    double before, after;
    mesaopt_tensor *sequences;
    mesaopt_task *task;
    mesaopt_model *model;
    mesaopt_trainer *trainer;
    mesaopt_view v;

    ok(mesaopt_ctx_create(NULL, &ctx));
    ok(mesaopt_view_dense(wave, MESAOPT_F64, 3, shape, &v));
    ok(mesaopt_tensor_wrap(ctx, &v, NULL, NULL, &sequences));       /* NULL: nothing to release */
    mesaopt_settings *in_slots = with(MESAOPT_SCOPE_TASK, "tokens", "slots"),
                     *of_model = with(MESAOPT_SCOPE_MODEL, "outputs", "1"),
                     *of_trainer = with(MESAOPT_SCOPE_TRAINER, "lr", "1e-2");
    ok(mesaopt_settings_set_int(in_slots, MESAOPT_KEY_SLOTS, SLOTS));
    ok(mesaopt_settings_set_int(of_model, MESAOPT_KEY_INPUTS, SLOTS));
    ok(mesaopt_settings_set_int(of_trainer, MESAOPT_KEY_BATCH, 50));
    ok(mesaopt_task_from_tensor(ctx, in_slots, sequences, &task));
    ok(mesaopt_model_create(ctx, of_model, &model));
    ok(mesaopt_model_add_text(model, "mesa(heads=2,key=3,init_sd=0.3)"));
    ok(mesaopt_trainer_create(ctx, of_trainer, model, task, &trainer));

    ok(mesaopt_trainer_evaluate(trainer, SEQUENCES, NULL, &before));
    ok(mesaopt_trainer_run(trainer, 400, NULL, NULL));
    ok(mesaopt_trainer_evaluate(trainer, SEQUENCES, NULL, &after));
    printf("loss %.5f before training, %.5f after; persistence %.5f\n", before, after, persistence);

    mesaopt_settings_free(in_slots), mesaopt_settings_free(of_model);
    mesaopt_settings_free(of_trainer), mesaopt_tensor_free(sequences), mesaopt_task_free(task);
    mesaopt_model_free(model), mesaopt_trainer_free(trainer), mesaopt_ctx_free(ctx);
    if (fflush(stdout) == 0) return 0;
    perror("my_sequences: standard output");
    return 1;
}
