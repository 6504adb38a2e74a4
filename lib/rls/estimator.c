/* See estimator.h. */
#include "rls/estimator.h"
#include "base/real.h"
#include <math.h>

static const double LEAST_GATE = 0.5;

void estimator_take(const rls_plan *p, arena *a, estimator *o)
{
    sums_take(p, a, &o->sums);
    woodbury_take(p, a, &o->inverse);
    residual_take(p, a, &o->residual);
    window_take(p, a, &o->window);
}

static void count_exact(const rls_plan *p, estimator *o)
{
    window_exact(p, &o->window, &o->sums, o->residual.left);
}

static void empty(const rls_plan *p, estimator *o)
{
    sums_empty(p, &o->sums);
    woodbury_empty(p, &o->inverse, o->sums.ridge);
    residual_empty(p, &o->residual);
    window_empty(p, &o->window);
    count_exact(p, o);
}

void estimator_clear(const rls_plan *p, estimator *o)
{
    empty(p, o);
    o->decay = 0;
    o->count = o->missing = 0;
    o->most = 0;
}

/* ---- the base ---- */

static void drop_waiting(estimator *o)
{
    sums_drop_waiting(&o->sums);
    woodbury_drop_waiting(&o->inverse);
}

/* The waiting rows are in the base then. */
static void add_waiting(const rls_worker *w, estimator *o)
{
    sums *s = &o->sums;
    residual_add_rows(w, &o->residual, s, sums_add_rows(w, s));
}

/* The base times c, a product of gates. */
static void scale_base(const rls_plan *p, estimator *o, double c)
{
    sums_scale(p, &o->sums, c);
    residual_scale(p, &o->residual, c);
    woodbury_stale(&o->inverse);
}

/* Sums from the kept rows; none waits. */
static void form_anew(const rls_worker *w, estimator *o)
{
    const rls_plan *p = w->p;
    sums *s = &o->sums;
    sums_empty(p, s);
    residual_form_anew(p, &o->residual);
    for (int64_t i = 0; i < o->window.kept; i++) {
        const kept_row row = window_row(p, &o->window, i);
        const double weight = window_weight(&o->window, &row);
        sums_append(p, s, row.key, row.value, weight);
        sums_count(p, s, row.value, weight);
        residual_append(p, &o->residual, s);
        if (s->filled < p->rows && i + 1 < o->window.kept) continue;
        add_waiting(w, o);
        sums_drop_waiting(s);
    }
    window_formed(p, &o->window, s, o->residual.left);
    woodbury_stale(&o->inverse);
}

static void flush(const rls_worker *w, estimator *o)
{
    const rls_plan *p = w->p;
    sums *s = &o->sums;
    residual *r = &o->residual;
    if (s->filled == 0 && s->a == 1 && !o->window.lost) return;
    if (p->window == 0 && !o->window.young) residual_before_flush(w, r, s);
    residual_flushed(r, s);
    if (s->filled > 0) {
        woodbury_update(w, &o->inverse, s);
        add_waiting(w, o);
        woodbury_entered(p, &o->inverse, s);
    }
    if (s->a != 1) scale_base(p, o, s->a);
    drop_waiting(o);
    if (p->window > 0 && window_worn(p, &o->window, woodbury_strained(&o->inverse)))
        form_anew(w, o);
}

/* ---- all rows ---- */

static void form_inverse(const rls_worker *w, estimator *o)
{
    flush(w, o);
    woodbury_form(w, &o->inverse, &o->sums);
}

/* M^-1 is at hand */
static void prepare(const rls_worker *w, estimator *o)
{
    if (o->window.lost || !woodbury_ready(w, &o->inverse, &o->sums)) form_inverse(w, o);
}

/* As woodbury_solve, whatever the state. */
static double solve(const rls_worker *w, estimator *o, const double *q)
{
    const double c = o->window.lost ? 0 : woodbury_solve(w, &o->inverse, &o->sums, q);
    if (c != 0) return c;
    form_inverse(w, o);
    return woodbury_solve(w, &o->inverse, &o->sums, q);
}

/* W moves to the minimum, and all sums are formed anew from the kept rows. */
static void refer_kept(const rls_worker *w, estimator *o)
{
    do {
        if (!residual_refer(w, &o->residual, &o->inverse, &o->sums)) return;
        drop_waiting(o);
        form_anew(w, o);
        prepare(w, o);
        residual_measure(w, &o->residual, &o->inverse, &o->sums);
    } while (residual_far(w, &o->residual, &o->sums));
}

void estimator_spread(const rls_worker *w, estimator *o)
{
    const rls_plan *p = w->p;
    sums *s = &o->sums;
    residual *r = &o->residual;
    const int kept = p->window > 0 || o->window.young;
    prepare(w, o);
    residual_follow(w, r, &o->inverse, s);
    if (!kept && s->filled > 0 && residual_surprising(w, r, s)) {
        flush(w, o);
        prepare(w, o);
    }
    residual_measure(w, r, &o->inverse, s);
    if (kept && residual_surprising(w, r, s)) refer_kept(w, o);
    residual_judge(p, r, &o->inverse, s);
}

void estimator_predict(const rls_worker *w, estimator *o, const double *q, double *out,
                        double *error)
{
    const rls_plan *p = w->p;
    const sums *s = &o->sums;
    if (error) estimator_spread(w, o);
    const double c = solve(w, o, q);
    sums_combine(w, s, s->filled, s->S, s->V, w->turned, out);
    p->k->scale(p->dv, c, out);
    const double leverage = error ? vector_dot(p, w->given, w->turned) / s->a : 0;
    for (int64_t j = 0; error && j < p->dv; j++)
        error[j] = s->total > 0 ? c * sqrt(leverage * (o->residual.spread[j] / s->total)) : NAN;
}

/* ---- rows ---- */

static void append(const rls_plan *p, estimator *o, const double *key, const double *value,
                   double weight)
{
    sums *s = &o->sums;
    if (weight == 0) return;
    sums_append(p, s, key, value, weight);
    sums_count(p, s, value, weight);
    residual_append(p, &o->residual, s);
    if (p->window > 0)
        window_count(p, &o->window, key, value,
                     residual_waiting(&o->residual, s) + (s->filled - 1) * p->dv, weight);
}

/* The oldest row leaves, with what its weight has become. */
static void leave(const rls_plan *p, estimator *o)
{
    const kept_row row = window_leave(p, &o->window);
    append(p, o, row.key, row.value, -window_weight(&o->window, &row));
}

static void forget(const rls_worker *w, estimator *o, double log_gate)
{
    const rls_plan *p = w->p;
    const double gate = real_exp(log_gate);
    const int scaled = o->sums.a * gate < LEAST_GATE;
    o->decay += log_gate;
    if (gate == 0) {
        empty(p, o);
        return;
    }
    if (scaled) flush(w, o), scale_base(p, o, gate);
    sums_forget(p, &o->sums, gate, scaled);
    residual_forget(p, &o->residual, gate);
    window_forget(p, &o->window, log_gate, gate);
}

/* The first rows are not kept any longer; their spread is known then. */
static void grow_up(const rls_worker *w, estimator *o)
{
    estimator_spread(w, o);
    window_grow_up(&o->window);
}

void estimator_push(const rls_worker *w, estimator *o, const double *key, const double *value,
                     double weight, double log_gate)
{
    const rls_plan *p = w->p;
    window *kept = &o->window;
    if (log_gate != 0) forget(w, o, log_gate);
    const int full = window_full(p, kept);
    const int leaves = full && *window_row(p, kept, 0).weight > 0;
    if (o->sums.filled + (weight > 0) + leaves > p->rows) flush(w, o);
    if (full || log_gate != 0) residual_lose(&o->residual);
    if (full) leave(p, o);
    append(p, o, key, value, weight);
    if (p->window > 0 || kept->young) window_keep(p, kept, key, value, weight, log_gate);
    if (p->window > 0) window_judge(p, kept, &o->sums);
    else if (kept->young && kept->kept == p->ring) grow_up(w, o);
    o->count++;
    o->most += ROW_SQUARE;
}

int estimator_may_factor(const rls_plan *p, const estimator *o, int64_t T, int queries)
{
    const int grows_up = T > 0 && o->window.young && o->window.kept + T >= p->ring;
    return grows_up || (queries && (!woodbury_usable(&o->inverse, &o->sums) || o->window.lost ||
                                    o->inverse.refuses));
}

/* ---- whole states ---- */

/* Kept rows are all that came, or nothing came. */
static int is_young(const rls_plan *p, const estimator *o)
{
    return p->window == 0 &&
           (o->window.kept > 0 || (o->count == 0 && sums_largest(p, &o->sums) == 0));
}

/* H, S, .. are others: what was derived from them is not known. */
static void changed(const rls_plan *p, estimator *o)
{
    sums_changed(&o->sums);
    woodbury_stale(&o->inverse);
    residual_lose(&o->residual);
    count_exact(p, o);
}

static void restore(const rls_worker *w, estimator *o)
{
    woodbury_form(w, &o->inverse, &o->sums);
    residual_restore(w, &o->residual, &o->inverse, &o->sums, w->now);
}

void estimator_flush(const rls_worker *w, estimator *o)
{
    flush(w, o);
    sums_mirror(w->p, &o->sums);
}

void estimator_settle(const rls_worker *w, estimator *o)
{
    const rls_plan *p = w->p;
    residual *r = &o->residual;
    o->window.young = is_young(p, o);
    const int kept = p->window > 0 || o->window.young;
    if (!kept) estimator_spread(w, o);
    flush(w, o);
    if (kept) residual_empty(p, r), form_anew(w, o);
    changed(p, o);
    sums_mirror(p, &o->sums);
    for (int64_t j = 0; j < p->dv; j++) w->now[j] = r->blurred ? NAN : r->spread[j];
    if (!kept) restore(w, o);
}

void estimator_given(const rls_worker *w, estimator *o, const double *spread)
{
    const rls_plan *p = w->p;
    memcpy(w->now, spread, (size_t)p->dv * sizeof(double));      /* it may be that of o */
    o->window.young = is_young(p, o);
    o->most = sums_largest(p, &o->sums) + (double)o->window.kept * ROW_SQUARE;
    residual_of_squares(p, &o->residual, &o->sums);
    changed(p, o);
    if (p->window == 0 && !o->window.young) restore(w, o);
}

static void merge_rows(const rls_worker *w, estimator *into, const estimator *from)
{
    for (int64_t i = 0; i < from->window.kept; i++) {
        const kept_row row = window_row(w->p, &from->window, i);
        estimator_push(w, into, row.key, row.value, *row.weight, *row.log_gate);
    }
    into->count += from->count - from->window.kept;
    into->most += from->most;
}

/* No rows wait, none are kept, and W fits where that is known. */
static void refit(const rls_worker *w, estimator *o)
{
    grow_up(w, o);
    flush(w, o);
    woodbury_form(w, &o->inverse, &o->sums);
    if (!o->residual.blurred && !o->inverse.singular)
        residual_refit(w, &o->residual, &o->inverse, &o->sums);
}

void estimator_merge(const rls_worker *w, estimator *into, estimator *from)
{
    const rls_plan *p = w->p;
    into->missing += from->missing;
    if (p->window > 0 || from->window.young) {
        merge_rows(w, into, from);
        return;
    }
    const double gate = real_exp(from->decay);
    refit(w, into);
    refit(w, from);
    residual_merge(w, &into->residual, &into->sums, &from->residual, &from->sums, gate);
    sums_merge(p, &into->sums, &from->sums, gate);
    into->decay += from->decay;
    into->count += from->count;
    into->most += from->most;
    changed(p, into);
}
