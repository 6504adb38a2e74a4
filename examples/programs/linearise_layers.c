/* linearise_layers: which layers of a softmax model are nearly linear?
 *
 * Trains a model by recipe, or takes one from a checkpoint, and distils one layer of linear
 * attention for every block of attention: it learns to turn the stream before the block into the
 * stream after it. The table says what the loss of the model becomes, over its own, with the
 * linear layer in place of its block, and what share of the block's own addition to the stream it
 * leaves; the figure shows the ratios while the linear layers learn.
 *
 *   linearise_layers                             tf7 by recipe, 15000 steps of distillation
 *   linearise_layers recipe=linearise            the paper's models for this study
 *   linearise_layers model=checkpoint.safetensors distil=2000
 *
 * Claim 8 of docs/science.md, section 7; source: arXiv 2309.05858, section 4. */
#include "common.h"
#include "runs.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LAYERS = 256, DRAWN = 9 };
typedef struct study {
    runs r;
    mesaopt_settings *settings;
    mesaopt_linearise *linearise;
    int64_t layers, steps, every, count, blocks[MOST_LAYERS];
    double ratio[MOST_LAYERS], error[MOST_LAYERS];
    FILE *rows;
    char path[MAX_PATH];
    progress shown;
} study;

static void choose_blocks(study *s)
{
    mesaopt_model *m = runs_of(&s->r, 0, 0)->model;
    int64_t heads = 0;
    for (int64_t b = 0; b < mesaopt_model_blocks(m) && s->layers < MOST_LAYERS; b++) {
        TRY(s->r.ctx, mesaopt_study_heads(m, b, &heads));
        if (heads > 0) s->blocks[s->layers++] = b;
    }
    if (s->layers == 0) die("the model has no block of attention");
}

/* Ratios and errors as they are, and a row of the table that goes on from step to step. */
static void score(study *s, int64_t step)
{
    mesaopt_view ratio, error;
    TRY(s->r.ctx, mesaopt_view_dense(s->ratio, MESAOPT_F64, 1, &s->layers, &ratio));
    TRY(s->r.ctx, mesaopt_view_dense(s->error, MESAOPT_F64, 1, &s->layers, &error));
    TRY(s->r.ctx, mesaopt_linearise_evaluate(s->linearise, s->count, &ratio, &error));
    fprintf(s->rows, "%lld", (long long)step);
    for (int64_t l = 0; l < s->layers; l++) fprintf(s->rows, ",%.9g", s->ratio[l]);
    fputc('\n', s->rows);
    keep_rows(s->rows, s->path);
}

static int32_t after_step(const mesaopt_step *step, void *user)
{
    study *s = user;
    if (step->step % s->every == 0 || step->step == s->steps) score(s, step->step);
    return show_progress(step, &s->shown);
}

static void distil(study *s)
{
    const training *t = runs_of(&s->r, 0, 0);
    TRY(t->ctx, mesaopt_linearise_create(t->ctx, s->settings, t->model, t->task, s->layers,
                                         s->blocks, NULL, &s->linearise));
    out_path("ratios.csv", s->path);
    s->rows = open_file(s->path, "w");
    fputs("step", s->rows);
    for (int64_t l = 0; l < s->layers; l++)
        fprintf(s->rows, ",block %lld", (long long)s->blocks[l]);
    fputc('\n', s->rows);
    say("distilling %lld linear layer%s", (long long)s->layers, s->layers == 1 ? "" : "s");
    s->shown = progress_begin(0, s->steps);
    const mesaopt_status status = mesaopt_linearise_run(s->linearise, s->steps, after_step, s);
    TRY(t->ctx, status);
    close_file(s->rows, s->path);
    if (status == MESAOPT_STOPPED) stop();
}

/* ---- report ---- */

/* The loss of the model, and with all of its layers replaced, of which each may grow what the one
 * before has grown, beyond all numbers. */
static void print_losses(const study *s)
{
    const training *t = runs_of(&s->r, 0, 0);
    mesaopt_model *linear;
    double own = 0, all = 0;
    int64_t n = 0;
    TRY(t->ctx, mesaopt_task_shape(t->test, &n, NULL, NULL, NULL));
    TRY(t->ctx, mesaopt_linearise_model(s->linearise, -1, &linear));
    TRY(t->ctx,
        mesaopt_model_evaluate(t->model, t->test, MESAOPT_STREAM_TEST, 0, s->count, NULL, &own));
    const mesaopt_status status =
        mesaopt_model_evaluate(linear, t->test, MESAOPT_STREAM_TEST, 0, s->count, NULL, &all);
    if (status != MESAOPT_E_NONFINITE) must(t->ctx, status, "mesaopt_model_evaluate");
    printf("\nlosses: model %.5f (over n: %.6f), all layers linear ", own, own / (double)n);
    if (status == MESAOPT_E_NONFINITE) printf("not finite\n");
    else printf("%.5g\n", all);
    mesaopt_model_free(linear);
}

static void print_layers(const study *s)
{
    char path[MAX_PATH];
    out_path("layers.csv", path);
    FILE *f = open_file(path, "w");
    fputs("layer,block,ratio,error\n", f);
    printf("\nloss with a linear layer in place of the block over that of the model, and squared "
           "error over the square of what the block adds; %lld sequences, %lld steps\n\n"
           "%7s%7s %11s %11s\n",
           (long long)s->count, (long long)s->steps, "layer", "block", "ratio", "error");
    for (int64_t l = 0; l < s->layers; l++) {
        printf("%7lld%7lld %11.5g %11.5g\n", (long long)l + 1, (long long)s->blocks[l], s->ratio[l],
               s->error[l]);
        fprintf(f, "%lld,%lld,%.9g,%.9g\n", (long long)l + 1, (long long)s->blocks[l], s->ratio[l],
                s->error[l]);
    }
    close_file(f, path);
    print_losses(s);
    printf("tables: %s, and ratios.csv beside it\n", path);
}

static void judge(const study *s)
{
    double most = 0;
    for (int64_t l = 2; l < s->layers; l++) most = fmax(most, s->ratio[l]);
    if (s->layers < 3) return;
    claim("8. later softmax layers are nearly linear, the first is not",
          "ratio of layer 1 above 1.5, of layer 3 and later ones below 1.3",
          s->ratio[0] > 1.5 && most < 1.3, "layer 1: %.4f, layers 3 to %lld at most %.4f",
          s->ratio[0], (long long)s->layers, most);
}

int main(int argc, char **argv)
{
    own_key own[] = {RUN_KEYS("tf7", "linearise_layers.out"),
                     {"distil", "15000", "steps of the distillation"},
                     {"sequences", "2560", "test sequences behind the ratios"},
                     {"test", "2560", "test sequences behind a row of loss.csv"},
                     {NULL, NULL, NULL}};
    char title[160];
    args_begin(argc, argv, "Distils linear layers: which layers of a model are nearly linear?",
               own);
    args_hide(" inputs outputs first ");
    study s = {.r = runs_begin(NULL)};
    s.settings =
        args_settings_of("distillation", MESAOPT_SCOPE_TRAINER, "batch=256 lr=1e-3 weight_decay=0");
    s.steps = args_int("distil", 1, INT64_MAX / 4);
    s.count = args_int("sequences", 1, 1 << 24);
    args_end();
    runs_expect_one(&s.r);
    s.r.heeded = " every training ";               /* by the distillation */
    runs_create(&s.r);
    s.every = args_int("every", 1, INT64_MAX / 4);
    choose_blocks(&s);
    catch_signals(s.r.ctx);
    const mesaopt_status status = runs_train(&s.r);
    if (status == MESAOPT_OK) {
        out_begin(s.r.ctx);
        distil(&s);
        print_layers(&s);
        snprintf(title, sizeof title,
                 "%s: loss with a linear layer in place of a block, over its own", s.r.of[0]->name);
        figure("ratios", s.layers < DRAWN ? (int)s.layers : DRAWN, title,
               "step of the distillation", "ratio of losses");
        if (strstr(s.r.of[0]->task, "tokens=raw")) judge(&s);
        mesaopt_linearise_free(s.linearise);
    }
    catch_signals(NULL);
    runs_free(&s.r);
    return status == MESAOPT_OK ? claims_status() : 130;
}
