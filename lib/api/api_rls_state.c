/* mesaopt/rls.h, whole states: merged, cleared, and their parts read and written. */
#include "api/api_call.h"
#include "api/api_checks.h"
#include "base/number.h"
#include "train/rls_file.h"
#include <math.h>
#include <string.h>

static double least(double a, double b) { return a < b ? a : b; }

static mesaopt_status check_alike(mesaopt_rls *r, const mesaopt_rls *from)
{
    mesaopt_ctx *ctx = r->head.ctx;
    const rls_options *a = &r->options, *b = &from->options;
    if (r == from)
        return fail(ctx, MESAOPT_E_ARGUMENT, "from: the same handle, expected another one");
    if (a->d != b->d || a->dv != b->dv || a->window != b->window || a->gamma != b->gamma ||
        r->streams != from->streams)
        return fail(ctx, MESAOPT_E_ARGUMENT,
                    "from: %lld streams of d_key %lld, d_val %lld, window %lld, gamma %s, expected "
                    "%lld of %lld, %lld, %lld, %s",
                    (long long)from->streams, (long long)b->d, (long long)b->dv,
                    (long long)b->window, number_text(b->gamma).text, (long long)r->streams,
                    (long long)a->d, (long long)a->dv, (long long)a->window,
                    number_text(a->gamma).text);
    if (a->missing != b->missing)
        return fail(ctx, MESAOPT_E_ARGUMENT, "from: missing=%s, expected missing=%s",
                    mesaopt_settings_word(MESAOPT_KEY_MISSING, (int32_t)b->missing),
                    mesaopt_settings_word(MESAOPT_KEY_MISSING, (int32_t)a->missing));
    for (int64_t n = 0; n < r->count; n++)
        if (!(r->o[n].most + from->o[n].most <= SQUARES_MOST))
            return fail(ctx, MESAOPT_E_ARGUMENT,
                        "from: sums of %s might not be finite together, expected smaller states",
                        rls_name_of(r, n).text);
    for (int64_t n = 0; n < r->count; n++)
        for (int64_t i = 0; i < a->d; i++)
            if (r->o[n].sums.ridge[i] != from->o[n].sums.ridge[i])
                return fail(ctx, MESAOPT_E_ARGUMENT,
                            "from: ridge %s at [%lld,%lld], expected %s as here",
                            number_text(from->o[n].sums.ridge[i]).text, (long long)(n / r->split),
                            (long long)i, number_text(r->o[n].sums.ridge[i]).text);
    return MESAOPT_OK;
}

/* Begins a call on the other context that `from` is of, too: then nothing else works on it. */
static mesaopt_status enter_other(mesaopt_rls *r, mesaopt_rls *from, call *other)
{
    const mesaopt_status status = ctx_enter(from->head.ctx, CALL_IN_CALLBACK, other);
    if (status != MESAOPT_OK)
        return fail(r->head.ctx, status,
                    "from: its context is inside another call, expected one call at a time");
    call_hold(other, from);
    return MESAOPT_OK;
}

mesaopt_status mesaopt_rls_merge(mesaopt_rls *r, mesaopt_rls *from)
{
    call c, other;
    mesaopt_status status = call_begin(r, OBJECT_RLS, CALL_IN_CALLBACK, &c, from);
    if (status != MESAOPT_OK) return status;
    const int foreign = handle_ok(from, OBJECT_RLS) && from->head.ctx != r->head.ctx;
    if (!foreign) status = check_handle(r->head.ctx, from, OBJECT_RLS, "from");
    else if ((status = enter_other(r, from, &other)) != MESAOPT_OK) return call_end(&c, status);
    CHECK(check_alike(r, from));
    CHECK(rls_merge(r, from));
    if (foreign) ctx_leave(&other, status);
    return call_end(&c, status);
}

mesaopt_status mesaopt_rls_shape(const mesaopt_rls *r, int64_t *streams, int64_t *d_key,
                                 int64_t *d_val)
{
    const mesaopt_status status = check_kind(OBJECT_RLS, r);
    if (status != MESAOPT_OK) return status;
    if (streams) *streams = r->streams;
    if (d_key) *d_key = r->options.d;
    if (d_val) *d_val = r->options.dv;
    return MESAOPT_OK;
}

mesaopt_status mesaopt_rls_clear(mesaopt_rls *r)
{
    call c;
    mesaopt_status status = call_begin(r, OBJECT_RLS, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    rls_clear(r);
    return call_end(&c, status);
}

static const char *part_name(int32_t which)
{
    static const char *const names[] = {"",        "key_state", "value_state", "weight",
                                        "squares", "rows",      "residual",    "missing"};
    return names[which];
}

/* Has every estimator one (all outputs of a stream together, or each its own), or every output? */
static int of_estimators(int32_t which)
{
    return which == MESAOPT_RLS_KEY_STATE || which == MESAOPT_RLS_WEIGHT;
}

/* Shape of a part of the state: [streams], then [d_val] where outputs have their own, .. */
static mesaopt_status part_of(mesaopt_rls *r, int32_t which, int64_t i, int output, view_want *want)
{
    const int64_t d = r->p.d, dv = r->options.dv;
    if (which < MESAOPT_RLS_KEY_STATE || which > MESAOPT_RLS_MISSING)
        return fail(r->head.ctx, MESAOPT_E_ARGUMENT, "which[%lld]: %d, expected a MESAOPT_RLS_*",
                    (long long)i, (int)which);
    if (!output && (which == MESAOPT_RLS_ROWS || which == MESAOPT_RLS_MISSING))
        return fail(r->head.ctx, MESAOPT_E_ARGUMENT, "which[%lld]: %s, expected what can be set",
                    (long long)i, part_name(which));
    *want = (view_want){part_name(which), 1, {r->streams}, 0, output};
    if (of_estimators(which) && r->options.missing == MISSING_OUTPUT)
        want->shape[want->ndim++] = dv;
    if (which == MESAOPT_RLS_KEY_STATE || which == MESAOPT_RLS_VALUE_STATE)
        want->shape[want->ndim++] = d;
    if (which == MESAOPT_RLS_KEY_STATE) want->shape[want->ndim++] = d;
    else if (which != MESAOPT_RLS_WEIGHT && which != MESAOPT_RLS_ROWS)
        want->shape[want->ndim++] = dv;
    return MESAOPT_OK;
}

static mesaopt_status take_parts(mesaopt_rls *r, call_views *w, int64_t count, const int32_t *which,
                                 const mesaopt_view *views, int output)
{
    mesaopt_ctx *ctx = r->head.ctx;
    views_begin(w, ctx);
    mesaopt_status status = count >= 0 && count <= MESAOPT_RLS_MISSING
                                ? MESAOPT_OK
                                : fail(ctx, MESAOPT_E_ARGUMENT, "count: %lld, expected 0 to %d",
                                       (long long)count, MESAOPT_RLS_MISSING);
    if (count > 0) CHECK(check_not_null(ctx, which, "which"));
    if (count > 0) CHECK(check_not_null(ctx, views, "views"));
    for (int64_t i = 0; i < count && status == MESAOPT_OK; i++) {
        view_want want = {.name = ""};
        status = part_of(r, which[i], i, output, &want);
        const mesaopt_view *part = &views[i];
        CHECK(views_take(w, &part, &want));
        for (int64_t j = 0; j < i && status == MESAOPT_OK; j++)
            if (which[j] == which[i])
                status = fail(ctx, MESAOPT_E_ARGUMENT,
                              "which[%lld]: %s a second time, expected each part once",
                              (long long)i, want.name);
    }
    CHECK(views_apart(w));
    return status;
}

/* Elements of one estimator's part in row-major order. */
static double *own(estimator *o, int32_t which)
{
    switch (which) {
    case MESAOPT_RLS_KEY_STATE: return o->sums.H;
    case MESAOPT_RLS_VALUE_STATE: return o->sums.S;
    case MESAOPT_RLS_WEIGHT: return &o->sums.total;
    case MESAOPT_RLS_RESIDUAL: return o->residual.spread;
    default: return o->sums.squares;
    }
}

/* Element i in row-major order of a part that has `each` of them a stream: where estimators keep
 * it. */
static estimator *place(mesaopt_rls *r, int32_t which, int64_t i, int64_t each, int64_t *at)
{
    const int64_t s = i / each, e = i % each, own = each / r->split, dv = r->options.dv;
    const int64_t output = of_estimators(which) ? e / own : e % dv / r->p.dv;
    *at = of_estimators(which) ? e % own : e / dv * r->p.dv + e % dv % r->p.dv;
    return &r->o[s * r->split + output];
}

/* NaN: there is none. */
static double element(estimator *o, int32_t which, int64_t at)
{
    switch (which) {
    case MESAOPT_RLS_ROWS: return (double)o->count;
    case MESAOPT_RLS_MISSING: return (double)o->missing;
    case MESAOPT_RLS_RESIDUAL: return o->residual.blurred ? NAN : own(o, which)[at];
    default: return own(o, which)[at];
    }
}

static mesaopt_status get_part(mesaopt_rls *r, int32_t which, const mesaopt_view *v)
{
    const int64_t total = view_count(v), each = total / r->streams;
    int64_t index[MESAOPT_MAX_RANK] = {0};
    for (int64_t n = 0; n < total && !ctx_interrupted(r->head.ctx); n++, view_next(v, index)) {
        int64_t at;
        estimator *o = place(r, which, n, each, &at);
        const double x = element(o, which, at);
        view_set(v, index, x);
        if (fabs(x) > check_most(v))
            return fail(r->head.ctx, MESAOPT_E_NONFINITE,
                        "%s: %s at %s, expected a number that f32 has: ask for f64",
                        part_name(which), number_text(x).text, view_list(v->ndim, index).text);
    }
    return ctx_stopped(r->head.ctx, part_name(which));
}

mesaopt_status mesaopt_rls_get(mesaopt_rls *r, int64_t count, const int32_t *which,
                               const mesaopt_view *views)
{
    call c;
    call_views w;
    mesaopt_status status = call_begin(r, OBJECT_RLS, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(take_parts(r, &w, count, which, views, 1));
    for (int64_t i = 0; i < count && status == MESAOPT_OK; i++)
        if (which[i] == MESAOPT_RLS_RESIDUAL) status = rls_spread(r);
    if (count > 0) CHECK(rls_flush(r));
    for (int64_t i = 0; i < count; i++) CHECK(get_part(r, which[i], &w.own[i]));
    return call_end(&c, status);
}

/* Rows can still be added to them. */
static mesaopt_status check_sums(mesaopt_ctx *ctx, const mesaopt_view *v, const char *name)
{
    const double most = least(check_most(v), SQUARES_MOST / 2);
    return check_range(ctx, v, name, -most, most,
                       "a sum that leaves room for rows, at most 2^1020");
}

static mesaopt_status check_new_state(mesaopt_rls *r, int64_t count, const int32_t *which,
                                      const mesaopt_view *views)
{
    mesaopt_ctx *ctx = r->head.ctx;
    mesaopt_status status = MESAOPT_OK;
    int found = 0;
    if (r->p.window > 0)
        return fail(ctx, MESAOPT_E_UNSUPPORTED,
                    "set: on a state with a window of %lld rows, expected one without",
                    (long long)r->p.window);
    for (int64_t i = 0; i < count && status == MESAOPT_OK; i++) {
        const int sum = which[i] != MESAOPT_RLS_KEY_STATE && which[i] != MESAOPT_RLS_VALUE_STATE;
        const char *name = part_name(which[i]);
        if (sum)
            status =
                check_range(ctx, &views[i], name, 0, check_most(&views[i]), "a finite number >= 0");
        else if (which[i] == MESAOPT_RLS_KEY_STATE) status = check_symmetric(ctx, &views[i], name);
        else status = check_finite(ctx, &views[i], name);
        CHECK(check_sums(ctx, &views[i], name));
        if (!sum) found++;
    }
    if (status == MESAOPT_OK && found < 2)
        status =
            fail(ctx, MESAOPT_E_ARGUMENT, "which: without key_state or value_state, expected both");
    return status;
}

typedef struct new_state {
    int64_t count;
    const int32_t *which;
    const mesaopt_view *views;
} new_state;

/* Residuals that are not given are not known. */
static void write_state(mesaopt_rls *r, const void *data)
{
    const new_state *s = data;
    for (int64_t i = 0; i < r->count * r->p.dv; i++)
        r->o[i / r->p.dv].residual.spread[i % r->p.dv] = NAN;
    for (int64_t i = 0; i < s->count; i++) {
        const mesaopt_view *v = &s->views[i];
        const int64_t total = view_count(v), each = total / r->streams;
        int64_t index[MESAOPT_MAX_RANK] = {0};
        for (int64_t n = 0; n < total && !kern_stopped(r->p.k); n++, view_next(v, index)) {
            int64_t at;
            estimator *o = place(r, s->which[i], n, each, &at);
            own(o, s->which[i])[at] = view_get(v, index);
        }
    }
}

mesaopt_status mesaopt_rls_set(mesaopt_rls *r, int64_t count, const int32_t *which,
                               const mesaopt_view *views)
{
    call c;
    call_views w;
    mesaopt_status status = call_begin(r, OBJECT_RLS, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(take_parts(r, &w, count, which, views, 0));
    CHECK(check_new_state(r, count, which, w.own));
    CHECK(rls_replace(r, write_state, &(new_state){count, which, w.own}));
    return call_end(&c, status);
}
