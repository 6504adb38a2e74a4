/* Training: step s takes the gradient of the loss on sequences s batch .. (s + 1) batch - 1 of the
 * training stream and hands it to AdamW (optimiser.h). */
#include "train/trainer_impl.h"
#include "base/options.h"
#include "train/batch.h"
#include "train/steps.h"
#include <inttypes.h>
#include <stdio.h>

int trainer_steps_fit(const mesaopt_trainer *t, int64_t steps)
{
    int64_t sequences;
    return size_mul(steps, t->batch, &sequences);
}

mesaopt_status trainer_step(mesaopt_trainer *t, call *c, mesaopt_step *report)
{
    mesaopt_model *m = t->model;
    mesaopt_ctx *ctx = t->head.ctx;
    const int64_t step = atomic_load(&t->step), T = t->task->shape.length;
    if (step == INT64_MAX || !trainer_steps_fit(t, step + 1))
        return fail(ctx, MESAOPT_E_STATE,
                    "step: %" PRId64 " of batch %" PRId64 ", the stream of sequences ends here",
                    step, t->batch);
    const batch b = {.B = t->batch,
                     .T = T,
                     .task = t->task,
                     .stream = MESAOPT_STREAM_TRAIN,
                     .first = step * t->batch};
    char what[32];
    double loss, norm;
    snprintf(what, sizeof what, "step %" PRId64, step);
    mesaopt_status status = task_prepare(t->task, c, b.stream, b.first, b.B, m->dtype);
    if (status == MESAOPT_OK)
        status = batch_pass(m, &b, &(wanted){.gradient = 1, .loss = &loss, .norm = &norm}, what);
    if (status < 0) return status;
    *report = (mesaopt_step){sizeof *report, step + 1, loss,
                             schedule_rate(&t->adam.recipe.rate, step), norm};
    optimiser_update(&t->adam, step);
    atomic_store(&t->step, step + 1);
    return status;
}

static mesaopt_status step_of(void *trainer, call *c, mesaopt_step *report)
{
    return trainer_step(trainer, c, report);
}

mesaopt_status trainer_run(mesaopt_trainer *t, call *c, int64_t steps, mesaopt_step_fn after,
                           void *user)
{
    return steps_run(&(learner){t, &t->step, step_of}, c, steps, after, user);
}

static void destroy(object *o)
{
    mesaopt_trainer *t = (mesaopt_trainer *)o;
    optimiser_close(&t->adam);
    atomic_fetch_sub(&t->model->trainers, 1);
    object_release(&t->model->head);
    object_release(&t->task->head);
}

/* All that steps need: moments, pieces, the pass's workspace, room for the sequences of a callback.
 */
static mesaopt_status reserve(mesaopt_trainer *t, const adamw *recipe)
{
    mesaopt_model *m = t->model;
    const batch b = {.B = t->batch, .T = t->task->shape.length, .task = t->task};
    mesaopt_status status = optimiser_open(&t->adam, recipe, m);
    if (status == MESAOPT_OK) status = task_reserve(t->task, t->batch, m->dtype);
    return status == MESAOPT_OK ? batch_plan(m, &b, &(wanted){.gradient = 1}) : status;
}

mesaopt_status trainer_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                              mesaopt_model *model, mesaopt_task *task, mesaopt_trainer **out)
{
    adamw recipe;
    mesaopt_status status = adamw_read(ctx, settings, MESAOPT_SCOPE_TRAINER, &recipe);
    if (status == MESAOPT_OK) status = model_check_whole(model);
    if (status == MESAOPT_OK) status = batch_check_task(model, task);
    if (status != MESAOPT_OK) return status;
    mesaopt_trainer *t = object_new(ctx, OBJECT_TRAINER, sizeof *t, destroy);
    if (!t) return MESAOPT_E_MEMORY;
    if (settings) t->settings = *settings;
    else options_init(&t->settings, MESAOPT_SCOPE_TRAINER);
    t->model = model;
    t->task = task;
    object_retain(&model->head);
    object_retain(&task->head);
    atomic_fetch_add(&model->trainers, 1);
    t->batch = option_int(settings, MESAOPT_SCOPE_TRAINER, MESAOPT_KEY_BATCH);
    status = reserve(t, &recipe);
    if (status != MESAOPT_OK) object_release(&t->head);
    else *out = t;
    return status;
}
