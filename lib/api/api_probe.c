/* mesaopt/probe.h: checks arguments, then delegates to study/. */
#include "api/api_call.h"
#include "api/api_checks.h"
#include "base/number.h"
#include "study/probes.h"
#include "train/batch.h"
#include <math.h>
#include <stdio.h>

enum { WIDEST = 65536, LONGEST = 16777216, MOST_LAYERS = 65536, SCOPE = MESAOPT_SCOPE_PROBE };

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

static mesaopt_status check_set(mesaopt_ctx *ctx, int32_t set)
{
    return set == MESAOPT_PROBE_TRAIN || set == MESAOPT_PROBE_TEST
               ? MESAOPT_OK
               : fail(ctx, MESAOPT_E_ARGUMENT, "set: %d, expected 0 (train) or 1 (test)", (int)set);
}

/* ---- plans ---- */

static mesaopt_status check_plan(mesaopt_ctx *ctx, const mesaopt_settings *settings, int64_t layers,
                                 const int64_t *features, int64_t steps, int64_t targets)
{
    mesaopt_status status = options_check(ctx, settings, SCOPE, "settings");
    CHECK(check_extent(ctx, layers, 1, MOST_LAYERS, "layers"));
    CHECK(check_not_null(ctx, features, "features"));
    for (int64_t l = 0; l < layers && status == MESAOPT_OK; l++) {
        char name[40];
        snprintf(name, sizeof name, "features[%lld]", (long long)l);
        CHECK(check_extent(ctx, features[l], 1, WIDEST, name));
    }
    CHECK(check_extent(ctx, steps, 1, LONGEST, "steps"));
    CHECK(check_extent(ctx, targets, 1, WIDEST, "targets"));
    return status;
}

mesaopt_status mesaopt_probe_plan(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                  int64_t layers, const int64_t *features, int64_t steps,
                                  int64_t targets, mesaopt_probe **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings);
    if (status != MESAOPT_OK) return status;
    CHECK(check_plan(ctx, settings, layers, features, steps, targets));
    CHECK(check_not_null(ctx, out, "out"));
    CHECK(probe_plan(ctx, settings, layers, features, steps, targets, out));
    return ctx_leave(&c, status);
}

mesaopt_status mesaopt_probe_workspace(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                       int64_t layers, const int64_t *features, int64_t steps,
                                       int64_t targets, int64_t *bytes)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings);
    if (status != MESAOPT_OK) return status;
    CHECK(check_plan(ctx, settings, layers, features, steps, targets));
    CHECK(check_not_null(ctx, bytes, "bytes"));
    const int64_t need =
        status == MESAOPT_OK ? probe_bytes(ctx, settings, layers, features, steps, targets) : 0;
    if (need < 0)
        status =
            fail(ctx, MESAOPT_E_MEMORY, "layers, features, steps, targets: the size overflows");
    if (status == MESAOPT_OK) *bytes = need;
    return ctx_leave(&c, status);
}

static mesaopt_status check_names(mesaopt_ctx *ctx, const char *path, const char *activations,
                                  const char *targets)
{
    mesaopt_status status = check_not_null(ctx, path, "path");
    CHECK(check_not_null(ctx, activations, "activations"));
    CHECK(check_not_null(ctx, targets, "targets"));
    return status;
}

mesaopt_status mesaopt_probe_plan_file(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                       const char *path, const char *activations,
                                       const char *targets, mesaopt_probe **out, int64_t *rows)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings);
    if (status != MESAOPT_OK) return status;
    CHECK(options_check(ctx, settings, SCOPE, "settings"));
    CHECK(check_names(ctx, path, activations, targets));
    CHECK(check_not_null(ctx, out, "out"));
    CHECK(probe_plan_file(ctx, settings, path, activations, targets, out, rows));
    return ctx_leave(&c, status);
}

mesaopt_status mesaopt_probe_shape(const mesaopt_probe *probe, int64_t *layers, int64_t *steps,
                                   int64_t *targets)
{
    const mesaopt_status status = check_kind(OBJECT_PROBE, probe);
    if (status != MESAOPT_OK) return status;
    if (layers) *layers = probe->layers;
    if (steps) *steps = probe->steps;
    if (targets) *targets = probe->targets;
    return MESAOPT_OK;
}

mesaopt_status mesaopt_probe_features(const mesaopt_probe *probe, int64_t layer, int64_t *features)
{
    mesaopt_status status = check_kind(OBJECT_PROBE, probe);
    CHECK(check_extent(probe->head.ctx, layer, 0, probe->layers - 1, "layer"));
    CHECK(check_not_null(probe->head.ctx, features, "features"));
    if (status == MESAOPT_OK) *features = probe_features(probe, layer);
    return status;
}

/* ---- feeding ---- */

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
    CHECK(check_set(probe->head.ctx, set));
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
    CHECK(check_set(probe->head.ctx, set));
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
    CHECK(check_set(probe->head.ctx, set));
    CHECK(check_conditioner(probe, conditioner));
    CHECK(check_handle(probe->head.ctx, task, OBJECT_TASK, "task"));
    CHECK(check_control(probe, conditioner, task));
    CHECK(check_task(probe, task));
    CHECK(task_range_check(probe->head.ctx, stream, first, count));
    CHECK(probe_feed_control(probe, &c, set, conditioner, task, stream, first, count));
    return leave_alone(probe, &c, status);
}

mesaopt_status mesaopt_probe_feed_file(mesaopt_probe *probe, int32_t set, const char *path,
                                       const char *activations, const char *targets,
                                       const char *weights, int64_t first, int64_t count)
{
    call c;
    mesaopt_status status = enter_alone(probe, &c, NULL, NULL);
    if (status != MESAOPT_OK) return status;
    CHECK(check_set(probe->head.ctx, set));
    CHECK(check_names(probe->head.ctx, path, activations, targets));
    CHECK(check_extent(probe->head.ctx, first, 0, INT64_MAX, "first"));
    CHECK(check_extent(probe->head.ctx, count, -1, INT64_MAX, "count"));
    CHECK(probe_feed_file(probe, set, path, activations, targets, weights, first, count));
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
    CHECK(check_set(probe->head.ctx, set));
    if (status == MESAOPT_OK) probe_reset(probe, set);
    return leave_alone(probe, &c, status);
}

mesaopt_status mesaopt_probe_count(const mesaopt_probe *probe, int32_t set, const mesaopt_view *out)
{
    call c;
    mesaopt_status status = call_begin(probe, OBJECT_PROBE, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(check_set(probe->head.ctx, set));
    mesaopt_view own;
    CHECK(view_check(
        probe->head.ctx, out,
        &(view_want){
            .name = "out", .ndim = 1, .shape = {probe->steps}, .dtype = MESAOPT_I64, .output = 1},
        &own));
    for (int64_t t = 0; status == MESAOPT_OK && t < probe->steps; t++)
        ((int64_t *)own.data)[t * own.stride[0]] =
            probe->set[set].now ? probe_counts(probe->set[set].now)[t] : 0;
    return call_end(&c, status);
}

/* ---- results ---- */

mesaopt_status mesaopt_probe_fit(mesaopt_probe *probe, const mesaopt_settings *settings)
{
    call c;
    mesaopt_status status = call_begin(probe, OBJECT_PROBE, CALL_IN_CALLBACK, &c, settings);
    if (status != MESAOPT_OK) return status;
    CHECK(options_check(probe->head.ctx, settings, SCOPE, "settings"));
    CHECK(probe_fit(probe, settings));
    return call_end(&c, status);
}

static mesaopt_status check_fitted(const mesaopt_probe *p)
{
    return p->fitted ? MESAOPT_OK
                     : fail(p->head.ctx, MESAOPT_E_STATE,
                            "probe: not fitted, expected mesaopt_probe_fit first");
}

static mesaopt_status take_scores(const mesaopt_probe *p, call_views *w, const mesaopt_view **out,
                                  const char *name)
{
    if (!*out) return MESAOPT_OK;
    return views_take(w, out,
                      &(view_want){.name = name,
                                   .ndim = (*out)->ndim == 3 ? 3 : 2,
                                   .shape = {p->layers, p->steps, p->targets},
                                   .output = 1});
}

mesaopt_status mesaopt_probe_score(mesaopt_probe *probe, int32_t set, const mesaopt_view *mse,
                                   const mesaopt_view *r2)
{
    call c;
    int64_t at[MESAOPT_MAX_RANK];
    mesaopt_status status = call_begin(probe, OBJECT_PROBE, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    call_views w;
    views_begin(&w, probe->head.ctx);
    CHECK(check_set(probe->head.ctx, set));
    CHECK(take_scores(probe, &w, &mse, "mse"));
    CHECK(take_scores(probe, &w, &r2, "r2"));
    CHECK(views_apart(&w));
    CHECK(check_fitted(probe));
    CHECK(probe_score(probe, set, mse, r2));
    if (status == MESAOPT_OK && mse && view_first_nonfinite(mse, at))
        status = fail(probe->head.ctx, MESAOPT_E_NONFINITE,
                      "mse: %s at %s, expected errors whose squares are numbers of its type",
                      number_text(view_get(mse, at)).text, view_list(mse->ndim, at).text);
    return call_end(&c, status);
}

mesaopt_status mesaopt_probe_weights(mesaopt_probe *probe, int64_t layer, int64_t step,
                                     mesaopt_view *weights, mesaopt_view *intercept)
{
    call c;
    mesaopt_status status = call_begin(probe, OBJECT_PROBE, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(check_extent(probe->head.ctx, layer, 0, probe->layers - 1, "layer"));
    CHECK(check_extent(probe->head.ctx, step, 0, probe->steps - 1, "step"));
    CHECK(check_fitted(probe));
    if (status == MESAOPT_OK) {
        const probe_item i = probe_item_at(probe, layer, step);
        const int64_t m = probe->targets, lanes = i.group->k->lanes;
        double *map = probe_map(&i, probe->fit.now) + (step - i.t);
        const mesaopt_view c0 = {.data = map,
                                 .shape = {m},
                                 .stride = {lanes},
                                 .ndim = 1,
                                 .dtype = MESAOPT_F64,
                                 .flags = MESAOPT_VIEW_READONLY};
        const mesaopt_view W = {.data = map + m * lanes,
                                .shape = {i.group->features, m},
                                .stride = {m * lanes, lanes},
                                .ndim = 2,
                                .dtype = MESAOPT_F64,
                                .flags = MESAOPT_VIEW_READONLY};
        if (weights) *weights = W;
        if (intercept) *intercept = c0;
    }
    return call_end(&c, status);
}

mesaopt_status mesaopt_probe_rank(mesaopt_probe *probe, const mesaopt_view *out)
{
    call c;
    mesaopt_status status = call_begin(probe, OBJECT_PROBE, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    mesaopt_view own;
    CHECK(view_check(probe->head.ctx, out,
                     &(view_want){.name = "out",
                                  .ndim = 2,
                                  .shape = {probe->layers, probe->steps},
                                  .dtype = MESAOPT_I64,
                                  .output = 1},
                     &own));
    CHECK(check_fitted(probe));
    for (int64_t i = 0; status == MESAOPT_OK && i < probe->layers * probe->steps; i++)
        ((int64_t *)own.data)[i / probe->steps * own.stride[0] + i % probe->steps * own.stride[1]] =
            probe_counts(probe->fit.now)[i];
    return call_end(&c, status);
}

/* ---- targets ---- */

static mesaopt_status targets_of(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                 const mesaopt_view *sequences, const mesaopt_view *out)
{
    call_views w;
    views_begin(&w, ctx);
    mesaopt_status status = options_check(ctx, settings, SCOPE, "settings");
    CHECK(views_take(&w, &sequences,
                     &(view_want){.name = "sequences", .ndim = 3, .shape = {ANY, ANY, ANY}}));
    if (status != MESAOPT_OK) return status;
    if (option_int(settings, SCOPE, MESAOPT_KEY_TARGET) != TARGET_OBSERVATIONS)
        return fail(ctx, MESAOPT_E_SETTING,
                    "target: %s, expected observations, since sequences do not say whose they are "
                    "(mesaopt_task_features)",
                    options_word(MESAOPT_KEY_TARGET,
                                 option_int(settings, SCOPE, MESAOPT_KEY_TARGET)));
    const int64_t *shape = sequences->shape, wide = probe_observed(settings, shape[2]);
    if (shape[1] < 1)
        return fail(ctx, MESAOPT_E_SHAPE, "sequences: shape %s, expected [B,T+1,n] with T >= 0",
                    view_list(3, shape).text);
    if (wide < 0)
        return fail(ctx, MESAOPT_E_SETTING, "lags: too many for %lld features, expected fewer",
                    (long long)shape[2]);
    CHECK(views_take(
        &w, &out,
        &(view_want){
            .name = "out", .ndim = 3, .shape = {shape[0], shape[1] - 1, wide}, .output = 1}));
    CHECK(views_apart(&w));
    if (status == MESAOPT_OK) probe_observations(ctx, settings, sequences, out);
    CHECK(ctx_stopped(ctx, "targets"));
    return status;
}

mesaopt_status mesaopt_probe_targets(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                     const mesaopt_view *sequences, const mesaopt_view *out)
{
    call c;
    const mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings);
    return status == MESAOPT_OK ? ctx_leave(&c, targets_of(ctx, settings, sequences, out)) : status;
}

static mesaopt_status filter(mesaopt_ctx *ctx, double limit, const mesaopt_view *targets,
                             const mesaopt_view *out)
{
    int64_t at[MESAOPT_MAX_RANK];
    mesaopt_status status = MESAOPT_OK;
    call_views w;
    views_begin(&w, ctx);
    if (!(limit > 0))
        status = fail(ctx, MESAOPT_E_ARGUMENT, "limit: %s, expected a number above 0",
                      number_text(limit).text);
    CHECK(views_take(&w, &targets,
                     &(view_want){.name = "targets", .ndim = 3, .shape = {ANY, ANY, ANY}}));
    CHECK(views_take(&w, &out,
                     &(view_want){.name = "out",
                                  .ndim = 2,
                                  .shape = {targets->shape[0], targets->shape[1]},
                                  .output = 1}));
    CHECK(views_apart(&w));
    if (status == MESAOPT_OK && view_first_nonfinite(targets, at))
        status =
            fail(ctx, MESAOPT_E_NONFINITE, "targets: element %s is %s, expected a finite number",
                 view_list(3, at).text, number_text(view_get(targets, at)).text);
    if (status != MESAOPT_OK || view_count(out) == 0) return status;
    const int64_t T = targets->shape[1];
    double *sums = alloc_new(&ctx->alloc, 3 * T, sizeof *sums);
    if (!sums)
        return fail(ctx, MESAOPT_E_MEMORY, "filter: no memory for the norms of %lld steps",
                    (long long)T);
    const probe_norms norms = {sums, sums + T, sums + 2 * T};
    probe_norms_add(ctx, &norms, targets, NULL);
    probe_norms_filter(ctx, &norms, limit, targets, out);
    alloc_free(&ctx->alloc, sums);
    return ctx_stopped(ctx, "filter");
}

mesaopt_status mesaopt_probe_filter(mesaopt_ctx *ctx, double limit, const mesaopt_view *targets,
                                    const mesaopt_view *out)
{
    call c;
    const mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c);
    return status == MESAOPT_OK ? ctx_leave(&c, filter(ctx, limit, targets, out)) : status;
}

mesaopt_status mesaopt_probe_free(mesaopt_probe *probe)
{
    return object_free(probe, OBJECT_PROBE);
}
