/* Linearisation: for each of some blocks of attention one block of linear attention f learns what
 * the block does to the stream,
 *
 *     min over f's weights of  E || f(h) - h' ||^2,   h: the stream before the block, h': after it
 *
 * by AdamW, each on its own; one pass of the model a step records h and h' of all of them. Loss as
 * of any model: sum of squares / (2 B T). Source: arXiv 2309.05858 section 4; docs/science.md,
 * section 6. */
#include "study/linearise_impl.h"
#include "base/options.h"
#include "train/steps.h"
#include <math.h>
#include <stdio.h>

mesaopt_status linearise_record(mesaopt_linearise *l, call *c, int32_t stream, int64_t first,
                                int64_t count, const char *what)
{
    mesaopt_model *m = l->teacher;
    const batch b = {.B = count,
                     .T = l->task->shape.length,
                     .task = l->task,
                     .stream = stream,
                     .first = first};
    double *weights = l->weights.data;
    l->weights.shape[0] = count;
    for (int64_t i = 0; i < l->streams; i++) l->recorded[i].shape[0] = count;
    for (int64_t i = 0; i < count; i++) task_weights(l->task, stream, first + i, weights + i * b.T);
    const mesaopt_status status = task_prepare(l->task, c, stream, first, count, m->dtype);
    if (status != MESAOPT_OK) return status;
    return batch_pass(
        m, &b, &(wanted){.count = l->streams, .blocks = l->blocks, .outs = l->recorded}, what);
}

const mesaopt_view *linearise_stream(const mesaopt_linearise *l, const student *s, int after)
{
    return &l->recorded[s->block - 1 + after - l->blocks[0]];
}

/* Where all steps count alike there are no weights to be looked at. */
batch linearise_lesson(const mesaopt_linearise *l, const student *s)
{
    const mesaopt_view *tokens = linearise_stream(l, s, 0);
    return (batch){.B = tokens->shape[0],
                   .T = tokens->shape[1],
                   .tokens = tokens,
                   .targets = linearise_stream(l, s, 1),
                   .weights = task_weighted(l->task) ? &l->weights : NULL};
}

/* The gradient of a student, in its model, and what the report says of it. */
static mesaopt_status learn(const mesaopt_linearise *l, const student *s, int64_t step,
                            mesaopt_step *report)
{
    const batch b = linearise_lesson(l, s);
    double loss = 0, norm = 0;
    char what[64];
    snprintf(what, sizeof what, "step %lld, linear block %lld", (long long)step,
             (long long)s->block);
    const mesaopt_status status =
        batch_pass(s->model, &b, &(wanted){.gradient = 1, .loss = &loss, .norm = &norm}, what);
    report->loss += loss;
    report->grad_norm = sqrt(report->grad_norm * report->grad_norm + norm * norm);
    return status;
}

/* All students, or none: then nothing has changed but their gradients. */
static mesaopt_status take_step(void *of, call *c, mesaopt_step *report)
{
    mesaopt_linearise *l = of;
    const int64_t step = atomic_load(&l->step);
    const adamw *recipe = &l->students[0].adam.recipe;
    char what[32];
    *report = (mesaopt_step){sizeof *report, step + 1, 0, schedule_rate(&recipe->rate, step), 0};
    snprintf(what, sizeof what, "step %lld", (long long)step);
    const mesaopt_status recorded =
        linearise_record(l, c, MESAOPT_STREAM_TRAIN, step * l->batch, l->batch, what);
    if (recorded < 0) return recorded;
    for (int64_t i = 0; i < l->count; i++) {
        const mesaopt_status status = learn(l, &l->students[i], step, report);
        if (status < 0) return status;
    }
    for (int64_t i = 0; i < l->count; i++) optimiser_update(&l->students[i].adam, step);
    atomic_store(&l->step, step + 1);
    return recorded;
}

mesaopt_status linearise_run(mesaopt_linearise *l, call *c, int64_t steps, mesaopt_step_fn after,
                             void *user)
{
    return steps_run(&(learner){l, &l->step, take_step}, c, steps, after, user);
}

/* ---- creation ---- */

static void destroy(object *o)
{
    mesaopt_linearise *l = (mesaopt_linearise *)o;
    const allocator *a = &o->ctx->alloc;
    for (int64_t i = 0; l->students && i < l->count; i++) {
        optimiser_close(&l->students[i].adam);
        if (l->students[i].model) object_release(&l->students[i].model->head);
    }
    alloc_free(a, l->students);
    alloc_free(a, l->memory);
    if (l->teacher) object_release(&l->teacher->head);
    object_release(&l->task->head);
}

static void lay_out(mesaopt_linearise *l, int64_t lowest, arena *a)
{
    const mesaopt_model *m = l->teacher;
    l->blocks = arena_take(a, l->streams, sizeof *l->blocks);
    l->recorded = arena_take(a, l->streams, sizeof *l->recorded);
    l->weights = view_take(a, MESAOPT_F64, l->batch, l->task->shape.length, 1);
    l->weights.ndim = 2;
    for (int64_t i = 0; i < l->streams; i++) {
        const mesaopt_view v =
            view_take(a, m->dtype, l->batch, l->task->shape.length, model_width(m, lowest + i));
        if (l->recorded) l->recorded[i] = v, l->blocks[i] = lowest + i;
    }
}

/* Memory for what is recorded of a batch, and the workspaces of steps. */
static mesaopt_status reserve(mesaopt_linearise *l)
{
    mesaopt_ctx *ctx = l->head.ctx;
    int64_t lowest = l->teacher->n_blocks, highest = -1;
    for (int64_t i = 0; i < l->count; i++) {
        const int64_t block = l->students[i].block;
        if (block - 1 < lowest) lowest = block - 1;
        if (block > highest) highest = block;
    }
    l->streams = highest - lowest + 1;
    arena plan = {0};
    lay_out(l, lowest, &plan);
    l->memory = plan.used < 0 ? NULL : alloc_new(&ctx->alloc, 1, plan.used);
    if (!l->memory)
        return fail(ctx, MESAOPT_E_MEMORY, "linearise: no memory for the stream of %lld sequences",
                    (long long)l->batch);
    lay_out(l, lowest, &(arena){l->memory, 0});
    const batch tokens = {.B = l->batch, .T = l->task->shape.length},
                drawn = {.B = tokens.B, .T = tokens.T, .task = l->task};
    mesaopt_status status = task_reserve(l->task, l->batch, l->teacher->dtype);
    if (status == MESAOPT_OK) status = batch_plan(l->teacher, &drawn, &(wanted){0});
    for (int64_t i = 0; i < l->count && status == MESAOPT_OK; i++)
        status = batch_plan(l->students[i].model, &tokens, &(wanted){.gradient = 1});
    return status;
}

static mesaopt_status make_student(mesaopt_linearise *l, student *s, const adamw *recipe,
                                   const mesaopt_settings *block)
{
    const mesaopt_status status = linearise_student(l->teacher, s->block, block, &s->model);
    return status == MESAOPT_OK ? optimiser_open(&s->adam, recipe, s->model) : status;
}

static mesaopt_status fill(mesaopt_linearise *l, const mesaopt_model *model, const int64_t *blocks,
                           const adamw *recipe, const mesaopt_settings *block)
{
    mesaopt_ctx *ctx = l->head.ctx;
    mesaopt_status status = linearise_copy(model, &l->teacher);
    if (status != MESAOPT_OK) return status;
    if (!(l->students = alloc_new(&ctx->alloc, l->count, sizeof *l->students)))
        return fail(ctx, MESAOPT_E_MEMORY, "linearise: no memory for %lld blocks",
                    (long long)l->count);
    for (int64_t i = 0; i < l->count && status == MESAOPT_OK; i++) {
        l->students[i].block = blocks[i];
        status = make_student(l, &l->students[i], recipe, block);
    }
    return status == MESAOPT_OK ? reserve(l) : status;
}

mesaopt_status linearise_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                const mesaopt_model *model, mesaopt_task *task, int64_t count,
                                const int64_t *blocks, const mesaopt_settings *block,
                                mesaopt_linearise **out)
{
    mesaopt_settings own;
    adamw recipe;
    options_init(&own, MESAOPT_SCOPE_TRAINER);
    own.value[MESAOPT_KEY_LR] = 1e-3, own.value[MESAOPT_KEY_WEIGHT_DECAY] = 0;
    if (settings) own = *settings;
    mesaopt_status status = adamw_read(ctx, &own, MESAOPT_SCOPE_TRAINER, &recipe);
    if (status != MESAOPT_OK) return status;
    mesaopt_linearise *l = object_new(ctx, OBJECT_LINEARISE, sizeof *l, destroy);
    if (!l) return MESAOPT_E_MEMORY;
    l->task = task;
    object_retain(&task->head);
    l->count = count;
    l->batch = option_int(&own, MESAOPT_SCOPE_TRAINER, MESAOPT_KEY_BATCH);
    status = fill(l, model, blocks, &recipe, block);
    if (status == MESAOPT_OK) *out = l;
    else object_release(&l->head);
    return status;
}
