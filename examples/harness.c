/* harness: the library as a guest in a program that brings its own memory and its own threads.
 *
 * The host's allocator counts every byte; the host's loop runs the jobs, here backwards, the least
 * favourable order; a callback stops training; all is saved and freed; a second life on the
 * library's own threads resumes. Prints what the host gave and got back, and whether the
 * parameters are those of a run in one piece, bit for bit. Leaves no file. */
#include <mesaopt/mesaopt.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char file[] = "harness.safetensors";
enum { STEPS = 6, STOP = 2 };
static mesaopt_ctx *ctx;

static void ok(mesaopt_status status)
{
    char text[256] = "";
    if (status == MESAOPT_OK) return;
    mesaopt_ctx_error(ctx, text, sizeof text);
    fprintf(stderr, "%s: %s\n", mesaopt_status_name(status), text);
    if (status < 0) exit(1);
}

static _Atomic int64_t bytes, jobs;    /* atomic: handles may be freed from any thread */

/* malloc, realloc and free in one, told both sizes. */
static void *count_memory(void *ptr, int64_t old_size, int64_t new_size, void *user)
{
    void *const p = new_size ? realloc(ptr, (size_t)new_size) : NULL;
    (void)user;
    if (new_size == 0) free(ptr);
    if (new_size == 0 || p) bytes += new_size - (ptr ? old_size : 0);
    return p;
}

/* Any loop will do that runs every job once: a thread pool, a task scheduler, or this. */
static void backwards(void (*body)(void *job, int64_t i), void *job, int64_t n, void *user)
{
    (void)user, jobs += n;
    while (n-- > 0) body(job, n);
}

/* A host's own rule: a loss reached, a deadline, a button. */
static int32_t stop_early(const mesaopt_step *step, void *user)
{
    return (void)user, step->step == STOP;
}

/* One life: a context with or without the host's hooks, training up to STEPS, or resumed. */
static void live(int hosted, int resume, float *query)
{
    mesaopt_settings *s;
    mesaopt_task *task;
    mesaopt_model *model;
    mesaopt_trainer *trainer;
    mesaopt_view v;
    ok(mesaopt_settings_create(MESAOPT_SCOPE_CTX, hosted ? count_memory : NULL, NULL, &s));
    ok(mesaopt_settings_set_int(s, MESAOPT_KEY_THREADS, 2));
    ok(mesaopt_settings_set_parallel(s, hosted ? backwards : NULL, NULL, NULL));
    ok(mesaopt_ctx_create(s, &ctx));
    ok(mesaopt_task_create(ctx, NULL, &task));
    ok(mesaopt_model_create(ctx, NULL, &model));
    ok(mesaopt_model_add_text(model, "mask(first=20); linear(heads=2,key=20)"));
    ok(mesaopt_trainer_create(ctx, NULL, model, task, &trainer));
    if (resume) ok(mesaopt_trainer_load(trainer, file));
    const mesaopt_status status =
        mesaopt_trainer_run(trainer, STEPS, hosted ? stop_early : NULL, NULL);
    if (status != MESAOPT_STOPPED) ok(status);
    printf("%s after step %d; %d jobs and %s by the host\n", mesaopt_status_name(status),
           (int)mesaopt_trainer_steps(trainer), (int)jobs, bytes ? "memory" : "no memory");
    if (hosted) ok(mesaopt_trainer_save(trainer, file));
    ok(mesaopt_model_parameter(model, "blocks.1.query", &v));
    memcpy(query, v.data, 40 * 40 * sizeof(float));
    mesaopt_ctx_free(ctx), mesaopt_settings_free(s);       /* any order */
    mesaopt_model_free(model), mesaopt_task_free(task), mesaopt_trainer_free(trainer);
}

int main(void)
{
    static float first[40 * 40], resumed[40 * 40], straight[40 * 40];
    live(1, 0, first);
    printf("bytes left when all was freed: %d\n", (int)bytes);
    jobs = 0;
    live(0, 1, resumed);
    live(0, 0, straight);
    const int same = memcmp(resumed, straight, sizeof straight) == 0;
    printf("in two lives and in one: %s\n", same ? "the same bits" : "DIFFERENT parameters");
    remove(file);
    if (fflush(stdout) == 0) return same && bytes == 0 ? 0 : 1;
    perror("harness: standard output");
    return 1;
}
