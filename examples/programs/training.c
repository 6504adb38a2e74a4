/* training.c: the training loop with loss.csv and checkpoint; see training.h. */
#include "training.h"
#include "args.h"
#include "curves.h"
#include "errors.h"
#include "progress.h"
#include "stopping.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Path of a training's file in the out folder. */
static void training_path(const training *t, const char *file, char *path)
{
    char name[256];
    snprintf(name, sizeof name, "%s%s", t->prefix, file);
    out_path(name, path);
}

/* loss.csv, with its header; a resumed run keeps the rows before its step. */
static FILE *open_losses(const training *t, int64_t step, char *path)
{
    char row[256];
    training_path(t, "loss.csv", path);
    FILE *f = open_file(path, step > 0 && access(path, F_OK) == 0 ? "r+" : "w+");
    long end = 0;
    if (step > 0)
        while (fgets(row, sizeof row, f) && (end == 0 || strtoll(row, NULL, 10) < step))
            end = ftell(f);
    if (end == 0) fputs("step,train_loss,test_loss\n", f);
    else if (fseek(f, end, SEEK_SET) != 0 || ftruncate(fileno(f), end) != 0)
        die("cannot write %s: %s", path, strerror(errno));
    flush_file(f, path);
    return f;
}

/* The command line goes into the checkpoint, if it is UTF-8. */
static void note_command(const training *t)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    if (!f) die("no memory for a note");
    args_command(f);
    if (fclose(f) != 0) die("no memory for a note");
    const mesaopt_status status = mesaopt_model_set_note(t->model, "command", text + 1);
    if (status != MESAOPT_E_ARGUMENT) must(t->ctx, status, "mesaopt_model_set_note");
    free(text);
}

training training_begin(mesaopt_ctx *ctx, mesaopt_settings *task, mesaopt_settings *model,
                        int64_t run, const char *name)
{
    training t = {.ctx = ctx};
    int64_t n, width, task_seed, model_seed;
    if (run > 0) snprintf(t.prefix, sizeof t.prefix, "seed%lld-%s", (long long)run, name);
    else snprintf(t.prefix, sizeof t.prefix, "%s", name);
    mesaopt_settings_get_int(task, MESAOPT_KEY_SEED, &task_seed);
    mesaopt_settings_get_int(model, MESAOPT_KEY_SEED, &model_seed);
    TRY(ctx, mesaopt_task_create(ctx, task, &t.test));
    t.task = t.test;                               /* training and test sequences are streams of one
                                                      task, of run 0 */
    TRY(ctx, mesaopt_task_shape(t.test, &n, NULL, &width, NULL));
    mesaopt_settings_set_int(task, MESAOPT_KEY_SEED, task_seed + run);
    if (run > 0) TRY(ctx, mesaopt_task_create(ctx, task, &t.task));
    mesaopt_settings_set_int(model, MESAOPT_KEY_INPUTS, width);
    mesaopt_settings_set_int(model, MESAOPT_KEY_OUTPUTS, n);
    mesaopt_settings_set_int(model, MESAOPT_KEY_SEED, model_seed + run);
    TRY(ctx, mesaopt_model_create(ctx, model, &t.model));
    mesaopt_settings_set_int(task, MESAOPT_KEY_SEED, task_seed);
    mesaopt_settings_set_int(model, MESAOPT_KEY_SEED, model_seed);
    return t;
}

int64_t training_steps(const training *t)
{
    return t->steps > 0 ? t->steps : args_int("steps", 0, INT64_MAX / 4);
}

void training_create(training *t, mesaopt_settings *settings)
{
    char old[MAX_PATH];
    int64_t own = 0;
    TRY(t->ctx, mesaopt_trainer_create(t->ctx, settings, t->model, t->task, &t->trainer));
    must(t->ctx, mesaopt_settings_get_int(settings, MESAOPT_KEY_BATCH, &t->batch),
         "mesaopt_settings_get_int");
    TRY(t->ctx, mesaopt_task_shape(t->test, NULL, NULL, NULL, &own));
    t->tests = own > 0 ? own : args_int("test", 1, 1 << 30);
    if (args_has("error")) error_text();           /* a word that is none is found now, not after
                                                      the training */
    training_steps(t), args_int("every", 1, INT64_MAX / 4);
    args_int("save", 1, INT64_MAX / 4), args_int("keep", 0, 1);
    t->finals = own > 0 ? own : args_has("final") ? args_int("final", 1, 1 << 30) : t->tests;
    note_command(t);
    if (!*t->prefix || *args_text("resume")) return;
    training_path(t, CHECKPOINT, old);             /* of an earlier run: the first training of this
                                                      one must not bring it back */
    out_discard(old);
}

void training_add_mask(training *t, int64_t features)
{
    char text[64];
    snprintf(text, sizeof text, "mask(first=%lld)", (long long)features);
    TRY(t->ctx, mesaopt_model_add_text(t->model, text));
}

void training_free(training *t)
{
    mesaopt_trainer_free(t->trainer);
    mesaopt_model_free(t->model);
    if (t->test != t->task) mesaopt_task_free(t->test);
    mesaopt_task_free(t->task);
}

/* Systems of a mesa layer that missed its tolerance are said once; the numbers can be used. */
static mesaopt_status noted(const training *t, mesaopt_status status)
{
    static int said;
    char text[512] = "";
    if (status != MESAOPT_NOT_CONVERGED) return status;
    if (!said++) {
        mesaopt_ctx_error(t->ctx, text, sizeof text);
        note("%s", text);
    }
    return MESAOPT_OK;
}

/* One row of loss.csv: both losses of the present parameters; the training loss on the sequences of
 * the next step. */
static mesaopt_status write_row(const training *t, int64_t step, FILE *f, const char *path)
{
    double train = 0, test = 0;
    mesaopt_status status =
        noted(t, mesaopt_model_evaluate(t->model, t->task, MESAOPT_STREAM_TRAIN, step * t->batch,
                                        t->batch, NULL, &train));
    if (status == MESAOPT_OK)
        status = noted(t, mesaopt_model_evaluate(t->model, t->test, MESAOPT_STREAM_TEST, 0,
                                                 t->tests, NULL, &test));
    if (status == MESAOPT_OK) {
        fprintf(f, "%lld,%.9g,%.9g\n", (long long)step, train, test);
        flush_file(f, path);
    }
    return status;
}

/* What a training goes on from: the first one of a program from resume=, the others from what lies
 * beside it, if it came to them. */
static int find_resume(const training *t, char *path)
{
    const char *given = args_text("resume"), *slash = strrchr(given, '/');
    const int folder = slash ? (int)(slash + 1 - given) : 0;
    const int length =
        *t->prefix ? snprintf(path, MAX_PATH, "%.*s%s%s", folder, given, t->prefix, CHECKPOINT)
                   : snprintf(path, MAX_PATH, "%s", given);
    if (length >= MAX_PATH) args_refuse("resume", "a shorter name");
    return *given && (!*t->prefix || access(path, F_OK) == 0);
}

static void load(const training *t, const char *path)
{
    const mesaopt_status status =
        mesaopt_trainer_load_changed(t->trainer, path, args_text("change"));
    if (status >= 0) return;
    if (status == MESAOPT_E_INTERRUPTED) stop();
    say_failure(t->ctx, status, "mesaopt_trainer_load_changed");
    if (status == MESAOPT_E_SETTING)
        say("change= names what of the task may differ, as in change=seed,noise; change=all: "
            "anything");
    give_up_on(status);
}

/* On the way: what is there when the machine stops, or one of those that show how a model came
 * about. */
static void save_on_the_way(const training *t, int64_t step)
{
    char path[MAX_PATH], name[64] = CHECKPOINT;
    if (args_int("keep", 0, 1))
        snprintf(name, sizeof name, "step%lld-" CHECKPOINT, (long long)step);
    training_path(t, name, path);
    TRY(t->ctx, mesaopt_trainer_save(t->trainer, path));
}

mesaopt_status training_run(training *t)
{
    char checkpoint[MAX_PATH], losses[MAX_PATH], resume[MAX_PATH];
    const int64_t steps = training_steps(t), every = args_int("every", 1, INT64_MAX / 4),
                  save = args_int("save", 1, INT64_MAX / 4);
    training_path(t, CHECKPOINT, checkpoint);
    if (find_resume(t, resume)) load(t, resume);
    int64_t step = mesaopt_trainer_steps(t->trainer);
    if (step > steps)
        die("resume: the checkpoint is at step %lld, expected at most steps=%lld", (long long)step,
            (long long)steps);
    out_begin(t->ctx);
    FILE *f = open_losses(t, step, losses);
    progress p = progress_begin(step, steps);
    mesaopt_status status = MESAOPT_OK;
    while (status == MESAOPT_OK) {
        if (signalled()) status = MESAOPT_STOPPED;
        if (status == MESAOPT_OK && (step % every == 0 || step == steps))
            status = write_row(t, step, f, losses);
        if (step == steps || status != MESAOPT_OK) break;
        if (step % save == 0 && step > p.first) save_on_the_way(t, step);
        const int64_t row = step - step % every + every, kept = step - step % save + save,
                      next = row < kept ? row : kept;
        status = noted(
            t, mesaopt_trainer_run(t->trainer, next < steps ? next : steps, show_progress, &p));
        step = mesaopt_trainer_steps(t->trainer);
        if (status >= 0 && step > p.first) out_keep();
    }
    if (status != MESAOPT_STOPPED && status != MESAOPT_E_INTERRUPTED)
        must(t->ctx, status, "training");
    close_file(f, losses);
    TRY(t->ctx, mesaopt_trainer_save(t->trainer, checkpoint));
    if (status == MESAOPT_OK) return MESAOPT_OK;
    say_stopped(step);
    return MESAOPT_STOPPED;
}
