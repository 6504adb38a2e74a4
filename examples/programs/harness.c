/* harness: the library as a guest in somebody else's program: the host's allocator counts every
 * block, the host's parallel loop runs the jobs (here one after the other and backwards, the least
 * favourable order), a callback stops training, a checkpoint is saved, everything is freed, and a
 * second life on the library's own threads resumes it. The end compares the parameters with those
 * of a run in one piece: the same bits. */
#include "common.h"
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* atomic: handles may be freed from any thread */
typedef struct memory { _Atomic int64_t now, peak, calls; } memory;

/* One function for malloc, realloc and free, which is told both sizes. */
static void *count_memory(void *ptr, int64_t old_size, int64_t new_size, void *user)
{
    memory *m = user;
    void *p = NULL;
    if (new_size == 0) free(ptr);
    else if (!(p = realloc(ptr, (size_t)new_size))) return NULL;
    const int64_t change = new_size - (ptr ? old_size : 0),
                  now = atomic_fetch_add(&m->now, change) + change;
    if (now > m->peak) m->peak = now;
    m->calls++;
    return p;
}

/* Any loop will do that runs every job once: a thread pool, a task scheduler, or this. */
static void backwards(void (*body)(void *job, int64_t i), void *job, int64_t n, void *user)
{
    *(int64_t *)user += n;
    while (n-- > 0) body(job, n);
}

static int32_t stop_early(const mesaopt_step *step, void *user)
{
    return step->step == *(const int64_t *)user;   /* a host's own rule: a loss reached, a deadline,
                                                      a button */
}

typedef struct life {
    mesaopt_ctx *ctx;
    mesaopt_task *task;
    mesaopt_model *model;
    mesaopt_trainer *trainer;
} life;

/* A one-layer model and its trainer, on the host's memory (m not NULL) and the host's loop (jobs
 * not NULL). */
static life begin(memory *m, int64_t *jobs)
{
    life l = {0};
    mesaopt_settings *settings = NULL;
    TRY(NULL, mesaopt_settings_create(MESAOPT_SCOPE_CTX, m ? count_memory : NULL, m, &settings));
    TRY(NULL, mesaopt_settings_set_int(settings, MESAOPT_KEY_THREADS, 2));
    TRY(NULL, mesaopt_settings_set_parallel(settings, jobs ? backwards : NULL, jobs));
    TRY(NULL, mesaopt_ctx_create(settings, &l.ctx));
    mesaopt_settings_free(settings);
    TRY(l.ctx, mesaopt_task_create(l.ctx, NULL, &l.task));
    TRY(l.ctx, mesaopt_model_create(l.ctx, NULL, &l.model));
    TRY(l.ctx,
        mesaopt_model_add_text(l.model, "mask(first=20); linear(heads=2,key=20,residual_clip=4)"));
    TRY(l.ctx, mesaopt_trainer_create(l.ctx, NULL, l.model, l.task, &l.trainer));
    return l;
}

static void end(life *l)
{
    mesaopt_ctx_free(l->ctx);                      /* any order: the context goes when its last
                                                      handle goes */
    mesaopt_model_free(l->model);
    mesaopt_task_free(l->task);
    mesaopt_trainer_free(l->trainer);
}

static int same_bits(const life *a, const life *b)
{
    for (int64_t i = 0; i < mesaopt_model_parameters(a->model); i++) {
        mesaopt_view x, y;
        const char *name = mesaopt_model_parameter_name(a->model, i);
        TRY(a->ctx, mesaopt_model_parameter(a->model, name, &x));
        TRY(b->ctx, mesaopt_model_parameter(b->model, name, &y));
        if (memcmp(x.data, y.data, (size_t)(x.shape[0] * x.shape[1]) * sizeof(float)) != 0)
            return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    own_key own[] = {{"steps", "60", "training steps in all"},
                     {"stop", "25", "step after which the first life ends"},
                     OUT_KEYS("harness.out", "folder for the checkpoint; made when missing"),
                     {NULL, NULL, NULL}};
    static memory m;
    int64_t jobs = 0;
    char path[4096];

    args_begin(argc, argv,
               "Trains inside a host that brings its own memory and threads, stops, resumes, and "
               "compares.",
               own);
    const int64_t steps = args_int("steps", 2, 1 << 20), stop = args_int("stop", 1, steps - 1);
    args_end();
    out_path("harness.safetensors", path);

    life first = begin(&m, &jobs);
    out_begin(first.ctx);
    TRY(first.ctx, mesaopt_trainer_step(first.trainer, NULL));
    const int64_t calls = m.calls;
    const mesaopt_status status =
        mesaopt_trainer_run(first.trainer, steps, stop_early, (void *)&stop);
    must(first.ctx, status, "mesaopt_trainer_run");
    printf("first life:  %s after step %d; the host ran %d jobs and gave at most %.1f MB\n",
           mesaopt_status_name(status), (int)mesaopt_trainer_steps(first.trainer), (int)jobs,
           (double)m.peak / 1e6);
    printf("             calls of its allocator from the second step on: %d\n",
           (int)(m.calls - calls));
    TRY(first.ctx, mesaopt_trainer_save(first.trainer, path));
    end(&first);
    printf("             bytes left when all was freed: %d\n", (int)m.now);

    life second = begin(NULL, NULL), straight = begin(NULL, NULL);
    TRY(second.ctx, mesaopt_trainer_load(second.trainer, path));
    printf("second life: goes on from step %d on two threads of the library\n",
           (int)mesaopt_trainer_steps(second.trainer));
    TRY(second.ctx, mesaopt_trainer_run(second.trainer, steps, NULL, NULL));
    TRY(straight.ctx, mesaopt_trainer_run(straight.trainer, steps, NULL, NULL));
    const int same = same_bits(&second, &straight);
    printf("%d steps in two lives and in one: %s\n", (int)steps,
           same ? "the same bits" : "DIFFERENT parameters");
    end(&second);
    end(&straight);
    args_free();
    return same && m.now == 0 ? 0 : 1;
}
