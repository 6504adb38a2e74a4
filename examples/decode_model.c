/* decode_model: a trained model predicts as observations arrive, then goes on by itself.
 *
 * Trains a mesa layer on random rotations for 200 steps, shows a decoder 40 observations of a new
 * one, one by one, and from there feeds it its own predictions (closed loop). Prints how far they
 * are off, and the largest difference from one pass over the whole sequence: roundings. */
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

enum { T = 50, SHOWN = 40, N = 10 };
static float x[(T + 1) * N], all[T * 4 * N], whole[T * N], token[4 * N], y[N];

static mesaopt_view rows(float *at, int64_t count, int64_t width)
{
    mesaopt_view v;
    ok(mesaopt_view_dense(at, MESAOPT_F32, 3, (const int64_t[]){1, count, width}, &v));
    return v;
}

/* The token of an observation: 0, twice itself, the one before. */
static void observe(const float *now)
{
    for (int i = 0; i < N; i++) token[3 * N + i] = token[N + i];
    for (int i = 0; i < N; i++) token[N + i] = token[2 * N + i] = now[i];
}

int main(void)
{
    mesaopt_settings *settings;
    mesaopt_task *task;
    mesaopt_model *model;
    mesaopt_trainer *trainer;
    mesaopt_decoder *decoder;
    double most = 0;

    ok(mesaopt_ctx_create(NULL, &ctx));
    ok(mesaopt_settings_create(MESAOPT_SCOPE_TRAINER, NULL, NULL, &settings));
    ok(mesaopt_settings_set_text(settings, "lr", "5e-3"));
    ok(mesaopt_settings_set_text(settings, "batch", "64"));
    ok(mesaopt_task_create(ctx, NULL, &task));
    ok(mesaopt_model_create(ctx, NULL, &model));
    ok(mesaopt_model_add_text(model, "mask(first=20); mesa(heads=2,key=20,init_sd=0.05)"));
    ok(mesaopt_trainer_create(ctx, settings, model, task, &trainer));
    ok(mesaopt_trainer_run(trainer, 200, NULL, NULL));

    mesaopt_view sequence = rows(x, T + 1, N), tokens = rows(all, T, 4 * N),
                 out = rows(whole, T, N), now = rows(token, 1, 4 * N), next = rows(y, 1, N);
    ok(mesaopt_task_draw(task, MESAOPT_STREAM_TEST, 0, &sequence));
    ok(mesaopt_task_tokens(task, &sequence, &tokens));
    ok(mesaopt_model_forward(model, &tokens, &out));   /* to compare with */

    ok(mesaopt_decoder_create(model, NULL, &decoder));
    for (int t = 0; t < T; t++) {
        double off = 0;
        observe(t < SHOWN ? x + t * N : y);            /* or what was predicted */
        ok(mesaopt_decoder_step(decoder, &now, &next));
        for (int i = 0; i < N; i++) {
            off += pow(y[i] - x[(t + 1) * N + i], 2);
            if (t < SHOWN) most = fmax(most, fabs(y[i] - whole[t * N + i]));
        }
        if (t % 5 == 4)
            printf("t = %2d%s: %.3f off\n", t + 1, t < SHOWN ? "" : ", closed loop", sqrt(off));
    }
    printf("one by one or in one pass: at most %.0e apart\n", most);

    mesaopt_decoder_free(decoder);
    mesaopt_trainer_free(trainer);
    mesaopt_model_free(model);
    mesaopt_task_free(task);
    mesaopt_settings_free(settings);
    mesaopt_ctx_free(ctx);
    if (fflush(stdout) == 0) return 0;
    perror("decode_model: standard output");
    return 1;
}
