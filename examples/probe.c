/* probe: what a linear map can read off a model's activations, layer by layer and step by step.
 *
 * The model is one step of gradient descent written down as a linear attention layer (proposition
 * 1), so nothing has to be trained. Probes are fitted to 1000 sequences and scored on 1000 others.
 * Prints the share of the next observation's variance that they explain: hardly any of it stands
 * in the tokens, more and more of it after the layer as the sequence goes on. */
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

enum { LAYERS = 2, T = 50, N = 10, D = 40 };       /* layer 0: the tokens; 1: after the block */

int main(void)
{
    const int64_t features[LAYERS] = {D, D}, shape[] = {LAYERS, T};
    double r2[LAYERS][T];
    mesaopt_settings *settings;
    mesaopt_task *task;
    mesaopt_model *model;
    mesaopt_probe *probe;
    mesaopt_view scores;

    ok(mesaopt_ctx_create(NULL, &ctx));
    ok(mesaopt_task_create(ctx, NULL, &task));
    ok(mesaopt_settings_create(MESAOPT_SCOPE_MODEL, NULL, NULL, &settings));
    ok(mesaopt_settings_set_int(settings, MESAOPT_KEY_INPUTS, D));
    ok(mesaopt_settings_set_int(settings, MESAOPT_KEY_OUTPUTS, N));
    ok(mesaopt_revalg_proposition1(ctx, settings, 0.03, NULL, &model));

    /* Targets are the next observations unless settings or a callback say otherwise. */
    ok(mesaopt_probe_plan(ctx, NULL, LAYERS, features, T, N, &probe));
    ok(mesaopt_probe_feed_model(probe, MESAOPT_PROBE_TRAIN, model, NULL, task,
                                MESAOPT_STREAM_TRAIN, 0, 1000));
    ok(mesaopt_probe_feed_model(probe, MESAOPT_PROBE_TEST, model, NULL, task, MESAOPT_STREAM_TEST,
                                0, 1000));
    ok(mesaopt_probe_fit(probe, NULL));
    ok(mesaopt_view_dense(r2, MESAOPT_F64, 2, shape, &scores));
    ok(mesaopt_probe_score(probe, MESAOPT_PROBE_TEST, NULL, &scores));

    printf("     t    tokens  after the layer\n");
    for (int t = 5; t <= T; t += 15) printf("%6d%10.3f%17.3f\n", t, r2[0][t - 1], r2[1][t - 1]);

    mesaopt_probe_free(probe);
    mesaopt_model_free(model);
    mesaopt_task_free(task);
    mesaopt_settings_free(settings);
    mesaopt_ctx_free(ctx);
    if (fflush(stdout) == 0) return 0;
    perror("probe: standard output");
    return 1;
}
