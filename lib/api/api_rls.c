/* mesaopt/rls.h: validates, then delegates to lib/rls and lib/train/rls_file.c. */
#include "api/api_call.h"
#include "api/api_checks.h"
#include "base/number.h"
#include "mesa/lsq_plan.h"
#include "train/rls_file.h"
#include <math.h>
#include <string.h>

static double least(double a, double b) { return a < b ? a : b; }

static void destroy(object *o) { rls_drop((mesaopt_rls *)o); }

/* ---- checks ---- */

/* Rows [*T, streams, n], the first of them says how many. */
static mesaopt_status take_rows(mesaopt_rls *r, call_views *w, const mesaopt_view **v,
                                const char *name, int64_t *T, int64_t n, int output)
{
    mesaopt_status status = views_take(w, v, &(view_want){name, 3, {*T, r->streams, n}, 0, output});
    if (status == MESAOPT_OK && *T == ANY) *T = (*v)->shape[0];
    return status;
}

static mesaopt_status take_gates(mesaopt_rls *r, call_views *w, int64_t T,
                                 const mesaopt_view **beta, const mesaopt_view **log_gamma)
{
    mesaopt_status status = MESAOPT_OK;
    if (*beta) CHECK(views_take(w, beta, &(view_want){"beta", 2, {T, r->streams}, 0, 0}));
    if (*beta)
        CHECK(check_range(w->ctx, *beta, "beta", 0, least(check_most(*beta), ROW_SQUARE),
                          "a weight, which is finite and >= 0"));
    if (*log_gamma)
        CHECK(views_take(w, log_gamma, &(view_want){"log_gamma", 2, {T, r->streams}, 0, 0}));
    if (*log_gamma) CHECK(check_log_gamma(w->ctx, *log_gamma));
    return status;
}

static mesaopt_status refuse_element(mesaopt_ctx *ctx, const mesaopt_view *v, const char *name,
                                     int64_t t, int64_t s, int64_t i, double most)
{
    const int64_t at[] = {t, s, i};
    const double x = view_get(v, at);
    if (isnan(x) && *name == 'v')
        return fail(ctx, MESAOPT_E_NONFINITE,
                    "v: not finite at %s, expected finite elements (or the setting missing=output, "
                    "which leaves outputs that are NaN out of the row)",
                    view_list(3, at).text);
    if (!isfinite(x))
        return fail(ctx, MESAOPT_E_NONFINITE, "%s: not finite at %s, expected finite elements",
                    name, view_list(3, at).text);
    return fail(ctx, MESAOPT_E_ARGUMENT,
                "%s: %s at %s, expected at most %s, so that squares times weights can be summed",
                name, number_text(x).text, view_list(3, at).text, number_text(most).text);
}

/* Rows that the sums can hold; whatever is in those of weight 0 is not looked at. */
static mesaopt_status check_rows(mesaopt_rls *r, int64_t T, const mesaopt_view *k,
                                 const mesaopt_view *v, const mesaopt_view *beta)
{
    mesaopt_ctx *ctx = r->head.ctx;
    const int may_miss = r->options.missing == MISSING_OUTPUT;
    for (int64_t t = 0; t < T; t++)
        for (int64_t s = 0; s < r->streams; s++) {
            const double weight = rls_weight(beta, t, s), most = weight > 0 ? rls_most(weight) : 0;
            int64_t i;
            if (weight == 0) continue;
            if ((i = rls_outside(r, k, t, s, most, 0)) >= 0)
                return refuse_element(ctx, k, "k", t, s, i, most);
            if ((i = rls_outside(r, v, t, s, most, may_miss)) >= 0)
                return refuse_element(ctx, v, "v", t, s, i, most);
        }
    for (int64_t n = 0; n < r->count; n++)
        if (!(r->o[n].most + (double)T * ROW_SQUARE <= SQUARES_MOST))
            return fail(ctx, MESAOPT_E_ARGUMENT,
                        "k: sums of %s might not be finite with %lld rows more, expected a smaller "
                        "state",
                        rls_name_of(r, n).text, (long long)T);
    return MESAOPT_OK;
}

/* ---- creation ---- */

static rls_options options_of(mesaopt_lsq *l)
{
    return (rls_options){&l->head, l->d,     l->dv,
                         l->window, l->ridge, l->gamma, (enum missing_choice)l->missing};
}

/* The end of what makes a handle. */
static mesaopt_status hand_out(mesaopt_rls *r, mesaopt_status status, mesaopt_rls **out)
{
    if (status == MESAOPT_OK) *out = r;
    else if (r) object_release(&r->head);
    return status;
}

mesaopt_status mesaopt_rls_create(mesaopt_lsq *lsq, int64_t streams, const mesaopt_view *ridge,
                                  mesaopt_rls **out)
{
    call c;
    mesaopt_status status = call_begin(lsq, OBJECT_LSQ, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = lsq->head.ctx;
    const rls_options options = options_of(lsq);
    CHECK(check_not_null(ctx, out, "out"));
    CHECK(check_extent(ctx, streams, 1, RLS_MOST_STREAMS, "streams"));
    mesaopt_view own;
    if (ridge)
        CHECK(view_check(ctx, ridge, &(view_want){"ridge", 2, {streams, lsq->d}, 0, 0}, &own));
    if (ridge) CHECK(check_ridge(ctx, &own));
    mesaopt_rls *r = status == MESAOPT_OK ? object_new(ctx, OBJECT_RLS, sizeof *r, destroy) : NULL;
    if (status == MESAOPT_OK)
        status = r ? rls_build(r, &options, streams, ridge ? &own : NULL) : MESAOPT_E_MEMORY;
    return call_end(&c, hand_out(r, status, out));
}

/* ---- rows ---- */

mesaopt_status mesaopt_rls_update(mesaopt_rls *r, const mesaopt_view *k, const mesaopt_view *v,
                                  const mesaopt_view *beta, const mesaopt_view *log_gamma)
{
    call c;
    int64_t T = ANY;
    call_views w;
    mesaopt_status status = call_begin(r, OBJECT_RLS, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    views_begin(&w, r->head.ctx);
    CHECK(take_rows(r, &w, &k, "k", &T, r->p.d, 0));
    CHECK(take_rows(r, &w, &v, "v", &T, r->options.dv, 0));
    CHECK(take_gates(r, &w, T, &beta, &log_gamma));
    CHECK(check_rows(r, T, k, v, beta));
    CHECK(rls_run(r, T, &(rls_rows){.k = k, .v = v, .beta = beta, .log_gamma = log_gamma}));
    return call_end(&c, status);
}

mesaopt_status mesaopt_rls_predict(mesaopt_rls *r, const mesaopt_view *q, const mesaopt_view *out,
                                   const mesaopt_view *error)
{
    call c;
    int64_t T = ANY;
    call_views w;
    mesaopt_status status = call_begin(r, OBJECT_RLS, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    views_begin(&w, r->head.ctx);
    CHECK(take_rows(r, &w, &q, "q", &T, r->p.d, 0));
    CHECK(check_finite(r->head.ctx, q, "q"));
    CHECK(take_rows(r, &w, &out, "out", &T, r->options.dv, 1));
    if (error) CHECK(take_rows(r, &w, &error, "error", &T, r->options.dv, 1));
    CHECK(views_apart(&w));
    CHECK(rls_run(r, T, &(rls_rows){.q = q, .out = out, .error = error}));
    return call_end(&c, status);
}

mesaopt_status mesaopt_rls_step(mesaopt_rls *r, const mesaopt_view *q, const mesaopt_view *k,
                                const mesaopt_view *v, const mesaopt_view *beta,
                                const mesaopt_view *log_gamma, const mesaopt_view *out)
{
    call c;
    int64_t T = ANY;
    call_views w;
    mesaopt_status status = call_begin(r, OBJECT_RLS, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    views_begin(&w, r->head.ctx);
    CHECK(take_rows(r, &w, &q, "q", &T, r->p.d, 0));
    CHECK(check_finite(r->head.ctx, q, "q"));
    CHECK(take_rows(r, &w, &k, "k", &T, r->p.d, 0));
    CHECK(take_rows(r, &w, &v, "v", &T, r->options.dv, 0));
    CHECK(take_gates(r, &w, T, &beta, &log_gamma));
    CHECK(take_rows(r, &w, &out, "out", &T, r->options.dv, 1));
    CHECK(views_apart(&w));
    CHECK(check_rows(r, T, k, v, beta));
    CHECK(rls_run(r, T, &(rls_rows){q, k, v, beta, log_gamma, out, NULL}));
    return call_end(&c, status);
}

/* ---- files ---- */

static mesaopt_status save(mesaopt_rls *r, const storage to)
{
    call c;
    mesaopt_status status = call_begin(r, OBJECT_RLS, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(storage_check(r->head.ctx, &to));
    CHECK(rls_save(r, &to));
    return call_end(&c, status);
}

mesaopt_status mesaopt_rls_save(mesaopt_rls *r, const char *path)
{
    return save(r, at_path(path));
}

mesaopt_status mesaopt_rls_save_to(mesaopt_rls *r, mesaopt_write_fn write, void *user)
{
    return save(r, to_host(write, user));
}

static mesaopt_status open_rls(mesaopt_lsq *lsq, const storage from, mesaopt_rls **out)
{
    call c;
    mesaopt_status status = call_begin(lsq, OBJECT_LSQ, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = lsq->head.ctx;
    const rls_options options = options_of(lsq);
    CHECK(storage_check(ctx, &from));
    CHECK(check_not_null(ctx, out, "out"));
    mesaopt_rls *r = status == MESAOPT_OK ? object_new(ctx, OBJECT_RLS, sizeof *r, destroy) : NULL;
    if (status == MESAOPT_OK) status = r ? rls_read(r, &options, &from) : MESAOPT_E_MEMORY;
    return call_end(&c, hand_out(r, status, out));
}

mesaopt_status mesaopt_rls_open(mesaopt_lsq *lsq, const char *path, mesaopt_rls **out)
{
    return open_rls(lsq, at_path(path), out);
}

mesaopt_status mesaopt_rls_open_from(mesaopt_lsq *lsq, const void *bytes, int64_t length,
                                     mesaopt_rls **out)
{
    return open_rls(lsq, in_memory(bytes, length), out);
}

mesaopt_status mesaopt_rls_set_note(mesaopt_rls *r, const char *key, const char *text)
{
    call c;
    mesaopt_status status = call_begin(r, OBJECT_RLS, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(notes_set(r->head.ctx, &r->notes, key, text));
    return call_end(&c, status);
}

mesaopt_status mesaopt_rls_free(mesaopt_rls *rls)
{
    return object_free(rls, OBJECT_RLS);
}
