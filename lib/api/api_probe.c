/* mesaopt/probe.h but for what feeds: checks arguments, then delegates to study/. */
#include "api/api_call.h"
#include "api/api_checks.h"
#include "api/api_probe.h"
#include "base/number.h"
#include "study/probes.h"
#include "train/batch.h"
#include <math.h>
#include <stdio.h>

enum { WIDEST = 65536, LONGEST = 16777216, MOST_LAYERS = 65536, SCOPE = MESAOPT_SCOPE_PROBE };

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

mesaopt_status mesaopt_probe_count(const mesaopt_probe *probe, int32_t set, const mesaopt_view *out)
{
    call c;
    mesaopt_status status = call_begin(probe, OBJECT_PROBE, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(probe_check_set(probe->head.ctx, set));
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

/* NaN is an R2: that of targets that do not vary. */
static mesaopt_status check_scores(const mesaopt_probe *p, const mesaopt_view *out,
                                   const char *name, int nan)
{
    int64_t at[MESAOPT_MAX_RANK] = {0};
    for (int64_t i = 0; i < view_count(out); i++, view_next(out, at)) {
        const double x = view_get(out, at);
        if (isfinite(x) || (nan && isnan(x))) continue;
        return fail(p->head.ctx, MESAOPT_E_NONFINITE,
                    "%s: %s at %s, expected errors whose squares are numbers of its type", name,
                    number_text(x).text, view_list(out->ndim, at).text);
    }
    return MESAOPT_OK;
}

mesaopt_status mesaopt_probe_score(mesaopt_probe *probe, int32_t set, const mesaopt_view *mse,
                                   const mesaopt_view *r2)
{
    call c;
    mesaopt_status status = call_begin(probe, OBJECT_PROBE, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    call_views w;
    views_begin(&w, probe->head.ctx);
    CHECK(probe_check_set(probe->head.ctx, set));
    CHECK(take_scores(probe, &w, &mse, "mse"));
    CHECK(take_scores(probe, &w, &r2, "r2"));
    CHECK(views_apart(&w));
    CHECK(check_fitted(probe));
    CHECK(probe_score(probe, set, mse, r2));
    if (mse) CHECK(check_scores(probe, mse, "mse", 0));
    if (r2) CHECK(check_scores(probe, r2, "r2", 1));
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
    const probe_norms norms = {sums, sums + T, sums + 2 * T, targets->dtype};
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
