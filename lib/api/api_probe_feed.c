/* mesaopt/probe.h, what feeds: views, models, controls, files, and where targets come from. */
#include "api/api_call.h"
#include "api/api_checks.h"
#include "api/api_probe.h"
#include "base/number.h"
#include "train/batch.h"
#include <stdio.h>

/* For calls that change a set: a callback of one of them must not begin another. */
static mesaopt_status enter_alone(mesaopt_probe *probe, call *c, const void *first,
                                  const void *second)
{
    const mesaopt_status status =
        call_begin(probe, OBJECT_PROBE, CALL_IN_CALLBACK, c, first, second);
    if (status != MESAOPT_OK) return status;
    if (probe->feeding)
        return call_end(c, fail(probe->head.ctx, MESAOPT_E_BUSY,
                                "probe: inside a call that feeds it, expected another probe"));
    probe->feeding = 1;
    return MESAOPT_OK;
}

static mesaopt_status leave_alone(mesaopt_probe *probe, call *c, mesaopt_status status)
{
    probe->feeding = 0;
    return call_end(c, status);
}

/* *weights <- a view [B, T] of what the user gave. */
static mesaopt_status take_weights(const mesaopt_probe *p, const mesaopt_view *given, int64_t B,
                                   mesaopt_view *weights)
{
    mesaopt_ctx *ctx = p->head.ctx;
    int64_t at[MESAOPT_MAX_RANK];
    const int32_t ndim = given->ndim == 1 ? 1 : 2;
    mesaopt_status status = view_check(
        ctx, given, &(view_want){.name = "weights", .ndim = ndim, .shape = {B, p->steps}}, weights);
    if (status != MESAOPT_OK) return status;
    const double most = given->dtype == MESAOPT_F32 ? 1e30f : PROBE_MOST;
    if (view_first_outside(weights, 0, most, at))
        return fail(ctx, MESAOPT_E_ARGUMENT, "weights: element %s is %s, expected 0 to %s",
                    view_list(ndim, at).text, number_text(view_get(weights, at)).text,
                    number_text(most).text);
    if (ndim == 1) weights->ndim = 2, weights->shape[1] = p->steps, weights->stride[1] = 0;
    return MESAOPT_OK;
}

/* Into p->given and `own`: targets, weights. */
static mesaopt_status take_input(const mesaopt_probe *p, const mesaopt_view *activations,
                                 const mesaopt_view *targets, const mesaopt_view *given,
                                 probe_input *in, mesaopt_view own[2])
{
    mesaopt_ctx *ctx = p->head.ctx;
    mesaopt_status status = check_not_null(ctx, activations, "activations");
    for (int64_t l = 0; l < p->layers && status == MESAOPT_OK; l++) {
        char name[40];
        snprintf(name, sizeof name, "activations[%lld]", (long long)l);
        status = view_check(ctx, &activations[l],
                            &(view_want){.name = name,
                                         .ndim = 3,
                                         .shape = {l ? activations[0].shape[0] : ANY, p->steps,
                                                   probe_features(p, l)}},
                            &p->given[l]);
    }
    if (status != MESAOPT_OK) return status;
    const int64_t B = activations[0].shape[0];
    if (B > INT32_MAX)
        return fail(ctx, MESAOPT_E_SHAPE,
                    "activations[0]: shape %s, expected at most 2147483647 sequences",
                    view_list(3, activations[0].shape).text);
    const int32_t type = targets && dtype_counts(targets->dtype) ? targets->dtype : 0;
    const view_want shared = {
        .name = "targets", .ndim = 3, .shape = {B, p->steps, p->targets}, .dtype = type};
    const view_want each = {
        .name = "targets", .ndim = 4, .shape = {p->layers, B, p->steps, p->targets}, .dtype = type};
    status = view_check(ctx, targets, targets && targets->ndim == 4 ? &each : &shared, &own[0]);
    if (status == MESAOPT_OK && given) status = take_weights(p, given, B, &own[1]);
    *in = (probe_input){B, p->given, &own[0], given ? &own[1] : NULL};
    return status;
}

mesaopt_status mesaopt_probe_feed(mesaopt_probe *probe, int32_t set,
                                  const mesaopt_view *activations, const mesaopt_view *targets,
                                  const mesaopt_view *weights)
{
    call c;
    probe_input in;
    mesaopt_view own[2];
    mesaopt_status status = enter_alone(probe, &c, NULL, NULL);
    if (status != MESAOPT_OK) return status;
    CHECK(probe_check_set(probe->head.ctx, set));
    CHECK(take_input(probe, activations, targets, weights, &in, own));
    CHECK(probe_feed(probe, set, &in));
    return leave_alone(probe, &c, status);
}

static mesaopt_status check_blocks(const mesaopt_probe *p, const mesaopt_model *model,
                                   const int64_t *blocks)
{
    mesaopt_ctx *ctx = p->head.ctx;
    if (!blocks && p->layers != model->n_blocks + 1)
        return fail(ctx, MESAOPT_E_ARGUMENT,
                    "blocks: NULL, expected a list, since the probe has %lld layers and the model "
                    "%lld with its tokens",
                    (long long)p->layers, (long long)model->n_blocks + 1);
    for (int64_t l = 0; l < p->layers; l++) {
        const int64_t block = blocks ? blocks[l] : l - 1;
        mesaopt_status status = check_extent(ctx, block, -1, model->n_blocks - 1, "blocks");
        if (status != MESAOPT_OK) return status;
        if (model_width(model, block) != probe_features(p, l))
            return fail(ctx, MESAOPT_E_SHAPE,
                        "blocks[%lld]: block %lld has %lld features, expected %lld as planned",
                        (long long)l, (long long)block, (long long)model_width(model, block),
                        (long long)probe_features(p, l));
    }
    return MESAOPT_OK;
}

static mesaopt_status check_task(const mesaopt_probe *p, const mesaopt_task *task)
{
    mesaopt_ctx *ctx = p->head.ctx;
    const int64_t wide = p->fill          ? p->targets
                         : p->conditioner ? baseline_width(p->conditioner, task->shape.dim)
                                          : probe_observed(&p->settings, task->shape.dim);
    mesaopt_status status = MESAOPT_OK;
    if (p->conditioner) status = baseline_check_space(p->conditioner, task, task->shape.dim);
    else if (probe_target(p) != TARGET_OBSERVATIONS)
        status = task_check_features(ctx, task, "target: features");
    if (status != MESAOPT_OK) return status;
    if (task->shape.length != p->steps)
        return fail(ctx, MESAOPT_E_SHAPE, "task: length %lld, expected %lld steps as planned",
                    (long long)task->shape.length, (long long)p->steps);
    if (wide != p->targets)
        return fail(ctx, MESAOPT_E_SHAPE, "task: it gives %lld targets, expected %lld as planned",
                    (long long)wide, (long long)p->targets);
    return MESAOPT_OK;
}

/* Layers 0, 1, ... are blocks -1, 0, ... unless told. */
static mesaopt_status feed_model(mesaopt_probe *p, call *c, int32_t set, mesaopt_model *model,
                                 const int64_t *blocks, mesaopt_task *task, int32_t stream,
                                 int64_t first, int64_t count)
{
    const allocator *a = &p->head.ctx->alloc;
    int64_t *own = blocks ? NULL : alloc_new(a, p->layers, sizeof *own);
    if (!blocks && !own)
        return fail(p->head.ctx, MESAOPT_E_MEMORY,
                    "feed_model: no memory for a list of %lld blocks", (long long)p->layers);
    for (int64_t l = 0; own && l < p->layers; l++) own[l] = l - 1;
    const mesaopt_status status =
        probe_feed_model(p, c, set, model, own ? own : blocks, task, stream, first, count);
    alloc_free(a, own);
    return status;
}

mesaopt_status mesaopt_probe_feed_model(mesaopt_probe *probe, int32_t set, mesaopt_model *model,
                                        const int64_t *blocks, mesaopt_task *task, int32_t stream,
                                        int64_t first, int64_t count)
{
    call c;
    mesaopt_status status = enter_alone(probe, &c, model, task);
    if (status != MESAOPT_OK) return status;
    CHECK(probe_check_set(probe->head.ctx, set));
    CHECK(check_handle(probe->head.ctx, model, OBJECT_MODEL, "model"));
    CHECK(model_check_whole(model));
    CHECK(check_handle(probe->head.ctx, task, OBJECT_TASK, "task"));
    CHECK(batch_check_task(model, task));
    CHECK(check_blocks(probe, model, blocks));
    CHECK(check_task(probe, task));
    CHECK(task_range_check(probe->head.ctx, stream, first, count));
    CHECK(feed_model(probe, &c, set, model, blocks, task, stream, first, count));
    return leave_alone(probe, &c, status);
}

static mesaopt_status check_conditioner(const mesaopt_probe *p, const mesaopt_baseline *b)
{
    mesaopt_ctx *ctx = p->head.ctx;
    const mesaopt_status status = check_handle(ctx, b, OBJECT_BASELINE, "conditioner");
    if (status != MESAOPT_OK) return status;
    return b->method->conditions
               ? MESAOPT_OK
               : fail(ctx, MESAOPT_E_STATE,
                      "conditioner: kernel, expected a baseline that has a preconditioner");
}

static mesaopt_status check_control(const mesaopt_probe *p, const mesaopt_baseline *conditioner,
                                    const mesaopt_task *task)
{
    const mesaopt_status status = baseline_check_space(conditioner, task, task->shape.dim);
    if (status != MESAOPT_OK) return status;
    const int64_t m = baseline_width(conditioner, task->shape.dim);
    if (p->layers == 1 && probe_features(p, 0) == m) return MESAOPT_OK;
    return fail(p->head.ctx, MESAOPT_E_SHAPE,
                "probe: %lld layers, the first of %lld features, expected one of the %lld that "
                "conditioner has",
                (long long)p->layers, (long long)probe_features(p, 0), (long long)m);
}

mesaopt_status mesaopt_probe_feed_control(mesaopt_probe *probe, int32_t set,
                                          mesaopt_baseline *conditioner, mesaopt_task *task,
                                          int32_t stream, int64_t first, int64_t count)
{
    call c;
    mesaopt_status status = enter_alone(probe, &c, conditioner, task);
    if (status != MESAOPT_OK) return status;
    CHECK(probe_check_set(probe->head.ctx, set));
    CHECK(check_conditioner(probe, conditioner));
    CHECK(check_handle(probe->head.ctx, task, OBJECT_TASK, "task"));
    CHECK(check_control(probe, conditioner, task));
    CHECK(check_task(probe, task));
    CHECK(task_range_check(probe->head.ctx, stream, first, count));
    CHECK(probe_feed_control(probe, &c, set, conditioner, task, stream, first, count));
    return leave_alone(probe, &c, status);
}

mesaopt_status mesaopt_probe_set_targets(mesaopt_probe *probe, mesaopt_baseline *conditioner,
                                         mesaopt_target_fn fill, mesaopt_release_fn release,
                                         void *user)
{
    call c;
    mesaopt_status status = call_begin(probe, OBJECT_PROBE, CALL_NORMAL, &c, conditioner);
    if (status != MESAOPT_OK) return status;
    mesaopt_release_fn old = NULL;
    void *old_user = NULL;
    if (conditioner && fill)
        status = fail(probe->head.ctx, MESAOPT_E_ARGUMENT,
                      "conditioner, fill: both are set, expected one of them");
    if (release && !fill)
        CHECK(fail(probe->head.ctx, MESAOPT_E_ARGUMENT,
                   "release: given without fill, expected NULL"));
    if (conditioner) CHECK(check_conditioner(probe, conditioner));
    if (status == MESAOPT_OK) {
        if (conditioner) object_retain(&conditioner->head);
        if (probe->conditioner) object_release(&probe->conditioner->head);
        old = probe->release, old_user = probe->fill_user;
        probe->conditioner = conditioner;
        probe->fill = fill;
        probe->release = release;
        probe->fill_user = user;
    }
    status = call_end(&c, status);
    give_back(old, old_user);      /* outside of the call, as all of them */
    return status;
}

mesaopt_status mesaopt_probe_reset(mesaopt_probe *probe, int32_t set)
{
    call c;
    mesaopt_status status = enter_alone(probe, &c, NULL, NULL);
    if (status != MESAOPT_OK) return status;
    CHECK(probe_check_set(probe->head.ctx, set));
    if (status == MESAOPT_OK) probe_reset(probe, set);
    return leave_alone(probe, &c, status);
}

/* ---- files ---- */

static mesaopt_status check_names(mesaopt_ctx *ctx, const storage *from, const char *activations,
                                  const char *targets)
{
    mesaopt_status status = storage_check(ctx, from);
    CHECK(check_not_null(ctx, activations, "activations"));
    CHECK(check_not_null(ctx, targets, "targets"));
    return status;
}

static mesaopt_status plan_stored(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                  const storage from, const char *activations,
                                  const char *targets, mesaopt_probe **out, int64_t *rows)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings);
    if (status != MESAOPT_OK) return status;
    CHECK(options_check(ctx, settings, MESAOPT_SCOPE_PROBE, "settings"));
    CHECK(check_names(ctx, &from, activations, targets));
    CHECK(check_not_null(ctx, out, "out"));
    CHECK(probe_plan_file(ctx, settings, &from, activations, targets, out, rows));
    return ctx_leave(&c, status);
}

mesaopt_status mesaopt_probe_plan_file(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                       const char *path, const char *activations,
                                       const char *targets, mesaopt_probe **out, int64_t *rows)
{
    return plan_stored(ctx, settings, at_path(path), activations, targets, out, rows);
}

mesaopt_status mesaopt_probe_plan_from(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                       const void *bytes, int64_t length, const char *activations,
                                       const char *targets, mesaopt_probe **out, int64_t *rows)
{
    return plan_stored(ctx, settings, in_memory(bytes, length), activations, targets, out, rows);
}

static mesaopt_status feed_stored(mesaopt_probe *probe, int32_t set, const storage from,
                                  const char *activations, const char *targets,
                                  const char *weights, int64_t first, int64_t count)
{
    call c;
    mesaopt_status status = enter_alone(probe, &c, NULL, NULL);
    if (status != MESAOPT_OK) return status;
    CHECK(probe_check_set(probe->head.ctx, set));
    CHECK(check_names(probe->head.ctx, &from, activations, targets));
    CHECK(check_extent(probe->head.ctx, first, 0, INT64_MAX, "first"));
    CHECK(check_extent(probe->head.ctx, count, -1, INT64_MAX, "count"));
    CHECK(probe_feed_file(probe, set, &from, activations, targets, weights, first, count));
    return leave_alone(probe, &c, status);
}

mesaopt_status mesaopt_probe_feed_file(mesaopt_probe *probe, int32_t set, const char *path,
                                       const char *activations, const char *targets,
                                       const char *weights, int64_t first, int64_t count)
{
    return feed_stored(probe, set, at_path(path), activations, targets, weights, first, count);
}

mesaopt_status mesaopt_probe_feed_from(mesaopt_probe *probe, int32_t set, const void *bytes,
                                       int64_t length, const char *activations,
                                       const char *targets, const char *weights, int64_t first,
                                       int64_t count)
{
    return feed_stored(probe, set, in_memory(bytes, length), activations, targets, weights, first,
                       count);
}
