/* Fits and scores of probes (probes.h), from the kept triangles.
 *
 *     mse = |e|^2 / sum w, halved or divided by the number of targets;
 *     r2 = 1 - |e|^2 / |y - mean y|^2 */
#include "study/probes.h"
#include "base/choices.h"
#include "base/pool.h"
#include <float.h>
#include <math.h>
#include <string.h>

/* ---- fit ---- */

typedef struct fitting { mesaopt_probe *p; int intercept; double penalty, rcond; } fitting;

static void fit_item(void *data, int64_t worker, int64_t item)
{
    const fitting *f = data;
    mesaopt_probe *p = f->p;
    const probe_item i = probe_item_of(p, worker, item);
    const regression r = probe_regression(p, &i, p->set[MESAOPT_PROBE_TRAIN].now);
    const int64_t *count = probe_counts(p->set[MESAOPT_PROBE_TRAIN].now), n = i.group->features;
    double rcond[16] __attribute__((aligned(64))) = {0}, rank[16] __attribute__((aligned(64)));
    for (int64_t l = 0; l < i.valid; l++) {
        const int64_t rows = count[i.t + l] + (f->penalty > 0 ? n : 0);
        rcond[l] = f->rcond > 0 ? f->rcond : DBL_EPSILON * (double)(rows > n ? rows : n);
    }
    regression_solve(&r, &i.work, f->intercept, f->penalty, rcond, probe_map(&i, p->fit.next),
                     rank);
    if (kern_stopped(i.group->k)) return;              /* a rank may be no number */
    for (int64_t l = 0; l < i.valid; l++)
        probe_counts(p->fit.next)[i.group->layer * p->steps + i.t + l] = (int64_t)rank[l];
}

static mesaopt_status check_rows(const mesaopt_probe *p, const fitting *f)
{
    const int64_t *count = probe_counts(p->set[MESAOPT_PROBE_TRAIN].now);
    for (int64_t l = 0; l < p->layers; l++)
        for (int64_t t = 0; t < p->steps; t++) {
            const int64_t needed = f->penalty > 0 ? 1 : probe_features(p, l) + f->intercept;
            if (count[t] >= needed) continue;
            return fail(p->head.ctx, MESAOPT_E_STATE,
                        "fit: %lld sequences at step %lld, expected at least %lld for layer %lld%s",
                        (long long)count[t], (long long)t, (long long)needed, (long long)l,
                        f->penalty > 0 ? ""
                        : f->intercept ? " (its features and the intercept), or a penalty"
                                       : " (its features), or a penalty");
        }
    return MESAOPT_OK;
}

mesaopt_status probe_fit(mesaopt_probe *p, const mesaopt_settings *settings)
{
    mesaopt_ctx *ctx = p->head.ctx;
    if (!settings) settings = &p->settings;
    fitting f = {.p = p,
                 .intercept = (int)option_int(settings, MESAOPT_SCOPE_PROBE, MESAOPT_KEY_INTERCEPT),
                 .penalty = option_float(settings, MESAOPT_SCOPE_PROBE, MESAOPT_KEY_PENALTY),
                 .rcond = option_float(settings, MESAOPT_SCOPE_PROBE, MESAOPT_KEY_RCOND)};
    mesaopt_status status = check_rows(p, &f);
    if (status != MESAOPT_OK) return status;
    parallel_run(ctx, p->items, fit_item, &f);
    status = ctx_stopped(ctx, "fit");
    if (status != MESAOPT_OK) return status;
    char *now = p->fit.next;
    p->fit.next = p->fit.now, p->fit.now = now;
    p->fitted = 1;
    return MESAOPT_OK;
}

/* ---- scores ---- */

typedef struct scoring { mesaopt_probe *p; char *store; } scoring;

static void score_item(void *data, int64_t worker, int64_t item)
{
    const scoring *s = data;
    const mesaopt_probe *p = s->p;
    const probe_item i = probe_item_of(p, worker, item);
    const regression r = probe_regression(p, &i, s->store);
    const int64_t m = p->targets, lanes = i.group->k->lanes, pairs = p->layers * p->steps;
    /* x holds 1 + n + m columns of at least 8 vectors */
    double total[16], *error = i.work.x, *spread = error + m * lanes;
    regression_errors(&r, &i.work, probe_map(&i, p->fit.now), error, spread, total);
    for (int64_t l = 0; l < i.valid; l++) {
        const int64_t pair = i.group->layer * p->steps + i.t + l;
        for (int64_t j = 0; j < m; j++) {
            p->scores[pair * m + j] = error[j * lanes + l];
            p->scores[(pairs + pair) * m + j] = spread[j * lanes + l];
        }
        p->scores[2 * pairs * m + pair] = total[l];
    }
}

/* Sum of `count` squared errors relative to their spread; targets that vary by no more than
 * rounding have no R2. */
static double r2_of(const double *error, const double *spread, int64_t count)
{
    double e = 0, s = 0;
    for (int64_t j = 0; j < count; j++) e += error[j], s += spread[j];
    return s > 0 ? 1 - e / s : NAN;
}

static double mse_of(const double *error, double total, int64_t count, int mean)
{
    double e = 0;
    for (int64_t j = 0; j < count; j++) e += error[j];
    return e / total / (mean ? (double)count : 2);
}

/* [L, T], or [L, T, m]: one target each. */
static void write_scores(const mesaopt_probe *p, const mesaopt_view *out, int r2)
{
    const int mean =
        option_int(&p->settings, MESAOPT_SCOPE_PROBE, MESAOPT_KEY_ERROR) == ERROR_MEAN;
    const int64_t m = p->targets, pairs = p->layers * p->steps, count = out->ndim == 2 ? m : 1;
    for (int64_t pair = 0; pair < pairs; pair++)
        for (int64_t j = 0; j < m; j += count) {
            const double *error = p->scores + pair * m + j, *spread = error + pairs * m;
            view_set(out, (int64_t[]){pair / p->steps, pair % p->steps, j},
                     r2 ? r2_of(error, spread, count)
                        : mse_of(error, p->scores[2 * pairs * m + pair], count, mean));
        }
}

mesaopt_status probe_score(mesaopt_probe *p, int32_t set, const mesaopt_view *mse,
                           const mesaopt_view *r2)
{
    mesaopt_ctx *ctx = p->head.ctx;
    scoring s = {p, p->set[set].now};
    for (int64_t t = 0; t < p->steps; t++)
        if (!s.store || probe_counts(s.store)[t] == 0)
            return fail(ctx, MESAOPT_E_STATE,
                        "score: no sequence of the %s set at step %lld, expected at least one",
                        set == MESAOPT_PROBE_TEST ? "test" : "training", (long long)t);
    parallel_run(ctx, p->items, score_item, &s);
    const mesaopt_status status = ctx_stopped(ctx, "score");
    if (status != MESAOPT_OK) return status;
    if (mse) write_scores(p, mse, 0);
    if (r2) write_scores(p, r2, 1);
    return MESAOPT_OK;
}
