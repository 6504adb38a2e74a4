/* See streams.h. */
#include "rls/streams.h"
#include "base/arena.h"
#include "base/pool.h"
#include "base/real.h"
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#ifdef ARENA_GAPS
#include <sanitizer/asan_interface.h>
#endif

int64_t rls_split(const rls_options *options)
{
    return options->missing == MISSING_OUTPUT ? options->dv : 1;
}

rls_name rls_name_of(const mesaopt_rls *r, int64_t n)
{
    rls_name name;
    const char *format = r->split > 1 ? "stream %lld, output %lld" : "stream %lld";
    snprintf(name.text, sizeof name.text, format, (long long)(n / r->split),
             (long long)(n % r->split));
    return name;
}

static void set_ridge(mesaopt_rls *r, const mesaopt_view *ridge)
{
    for (int64_t n = 0; n < r->count; n++)
        for (int64_t i = 0; i < r->p.d; i++)
            r->o[n].sums.ridge[i] =
                ridge ? view_get(ridge, (int64_t[]){n / r->split, i}) : r->options.ridge;
}

/* Scratch of as many workers as may run at once. 0: no memory. */
static int build_workers(mesaopt_rls *r)
{
    mesaopt_ctx *ctx = r->head.ctx;
    const int64_t workers = r->count < ctx->threads ? r->count : ctx->threads;
    arena one = {0};
    int64_t bytes = -1;
    rls_worker_take(&r->p, &one);
    if (one.used >= 0 && size_mul(one.used, workers, &bytes))
        r->scratch = alloc_new(&ctx->alloc, 1, bytes);
    r->worker = alloc_new(&ctx->alloc, workers, sizeof *r->worker);
    arena a = {r->scratch, 0};
    for (int64_t i = 0; r->scratch && r->worker && i < workers; i++)
        r->worker[i] = rls_worker_take(&r->p, &a);
    return r->scratch && r->worker;
}

mesaopt_status rls_build(mesaopt_rls *r, const rls_options *options, int64_t streams,
                         const mesaopt_view *ridge)
{
    mesaopt_ctx *ctx = r->head.ctx;
    arena one = {0};
    estimator counted;
    r->split = rls_split(options);
    r->p = rls_plan_of(kern_unstopped(ctx), options->d, options->dv / r->split, options->window);
    r->streams = streams;
    r->count = streams * r->split;
    estimator_take(&r->p, &one, &counted);
    if (one.used >= 0 && size_mul(one.used, r->count, &r->bytes))
        r->memory = alloc_new(&ctx->alloc, 1, r->bytes);
    r->o = alloc_new(&ctx->alloc, r->count, sizeof *r->o);
    r->done = alloc_new(&ctx->alloc, r->count, 1);
    if (!r->memory || !build_workers(r) || !r->o || !r->done)
        return fail(ctx, MESAOPT_E_MEMORY, "streams: no memory for %lld states of %lld bytes",
                    (long long)r->count, (long long)one.used);
    r->options = *options;
    object_retain(options->plan);
    for (int64_t n = 0; n < r->count; n++)
        estimator_take(&r->p, &(arena){r->memory + n * one.used, 0}, &r->o[n]);
    set_ridge(r, ridge);
    rls_clear(r);
    return MESAOPT_OK;
}

void rls_drop(mesaopt_rls *r)
{
    const allocator *a = &r->head.ctx->alloc;
    alloc_free(a, r->memory);
    alloc_free(a, r->before);
    alloc_free(a, r->scratch);
    alloc_free(a, r->worker);
    alloc_free(a, r->o);
    alloc_free(a, r->done);
    notes_drop(a, &r->notes);
    if (r->options.plan) object_release(r->options.plan);
}

void rls_clear(mesaopt_rls *r)
{
    for (int64_t n = 0; n < r->count; n++) estimator_clear(&r->p, &r->o[n]);
}

/* ---- rows ---- */

/* Elements first .. first + n - 1 of the row. */
static void read_row(const mesaopt_view *v, int64_t t, int64_t s, int64_t first, int64_t n,
                     double *out)
{
    const int64_t step = v->stride[2], at = t * v->stride[0] + s * v->stride[1] + first * step;
    if (v->dtype == MESAOPT_F32)
        for (int64_t i = 0; i < n; i++) out[i] = (double)((const float *)v->data)[at + i * step];
    else for (int64_t i = 0; i < n; i++) out[i] = ((const double *)v->data)[at + i * step];
}

static void write_row(const mesaopt_view *v, int64_t t, int64_t s, int64_t first, int64_t n,
                      const double *x)
{
    const int64_t step = v->stride[2], at = t * v->stride[0] + s * v->stride[1] + first * step;
    if (v->dtype == MESAOPT_F32)
        for (int64_t i = 0; i < n; i++) ((float *)v->data)[at + i * step] = (float)x[i];
    else for (int64_t i = 0; i < n; i++) ((double *)v->data)[at + i * step] = x[i];
}

static double element(const mesaopt_view *v, int64_t at)
{
    return v->dtype == MESAOPT_F32 ? (double)((const float *)v->data)[at]
                                   : ((const double *)v->data)[at];
}

static double scalar(const mesaopt_view *v, int64_t t, int64_t s, double otherwise)
{
    return v ? element(v, t * v->stride[0] + s * v->stride[1]) : otherwise;
}

double rls_weight(const mesaopt_view *beta, int64_t t, int64_t s) { return scalar(beta, t, s, 1); }

double rls_most(double weight) { return weight > 1 ? ROW_MOST / sqrt(weight) : ROW_MOST; }

/* Are n adjacent numbers at most `most`, and none of them NaN? */
static int row_within(const kern *k, const void *x, int64_t n, double most)
{
    double top = 0;                                    /* or, in its place, a float */
    if (k->first_nonfinite(n, x) >= 0) return 0;
    k->row_max(1, n, x, n, &top);
    return kern_real(k, &top, 0) <= most;
}

int64_t rls_outside(const mesaopt_rls *r, const mesaopt_view *v, int64_t t, int64_t s, double most,
                    int may_miss)
{
    const kern *k = kern_get(r->head.ctx, v->dtype, 1);
    const int64_t first = t * v->stride[0] + s * v->stride[1], step = v->stride[2], n = v->shape[2];
    if (step == 1 && row_within(k, (const char *)v->data + first * k->size, n, most)) return -1;
    for (int64_t i = 0; i < n; i++) {
        const double x = element(v, first + i * step);
        if (!(fabs(x) <= most) && !(may_miss && isnan(x))) return i;
    }
    return -1;
}

typedef struct job {
    mesaopt_rls *r;
    const rls_rows *rows;
    int64_t T;
    double log_gamma;
    int stops;
} job;

/* Of an estimator in a call; of several the last is told. */
enum { DONE = 1, BLURRED, DOUBTFUL, NOT_FINITE };

/* Are these finite in the view's type? */
static int holds(const mesaopt_view *v, const double *x, int64_t n)
{
    const double most = v->dtype == MESAOPT_F32 ? (double)FLT_MAX : DBL_MAX;
    int all = 1;
    for (int64_t i = 0; i < n; i++) all &= fabs(x[i]) <= most;
    return all;
}

/* One estimator in a call: output `first` of stream s, and those behind it. */
typedef struct run {
    const job *j;
    const rls_worker *w;
    estimator *o;
    int64_t s, first;
} run;

/* A row comes; one whose value is missing has no weight. */
static void take_in(const run *x, int64_t t)
{
    const rls_rows *rows = x->j->rows;
    const rls_worker *w = x->w;
    double weight = rls_weight(rows->beta, t, x->s);
    read_row(rows->k, t, x->s, 0, w->p->d, w->key);
    read_row(rows->v, t, x->s, x->first, w->p->dv, w->value);
    if (x->j->r->options.missing == MISSING_OUTPUT && weight > 0 && isnan(w->value[0])) {
        weight = 0;
        x->o->missing++;
    }
    estimator_push(w, x->o, w->key, w->value, weight,
                   scalar(rows->log_gamma, t, x->s, x->j->log_gamma));
}

/* Returns what is to be said of it, or 0. */
static int predict(const run *x, int64_t t)
{
    const rls_rows *rows = x->j->rows;
    const rls_worker *w = x->w;
    const int64_t dv = w->p->dv;
    read_row(rows->q, t, x->s, 0, w->p->d, w->query);
    estimator_predict(w, x->o, w->query, w->out, rows->error ? w->error : NULL);
    write_row(rows->out, t, x->s, x->first, dv, w->out);
    if (rows->error) write_row(rows->error, t, x->s, x->first, dv, w->error);
    if (!holds(rows->out, w->out, dv)) return NOT_FINITE;
    if (x->o->inverse.singular) return DOUBTFUL;
    return rows->error && x->o->residual.blurred ? BLURRED : 0;
}

static void run_estimator(void *data, int64_t worker, int64_t n)
{
    const job *j = data;
    mesaopt_rls *r = j->r;
    const run x = {j, &r->worker[worker], &r->o[n], n / r->split, n % r->split * r->p.dv};
    int64_t t = 0;
    int worst = 0;
    for (; t < j->T && !(j->stops && ctx_interrupted(r->head.ctx)); t++) {
        if (j->rows->k) take_in(&x, t);
        const int what = j->rows->q ? predict(&x, t) : 0;
        if (what > worst) worst = what;
    }
    r->done[n] = (char)(worst == 0 && t == j->T ? DONE : worst);
}

/* ---- long calls ---- */

static int is_long(const mesaopt_rls *r, int64_t T, const rls_rows *rows)
{
    const double d = (double)r->p.d, count = (double)r->count;
    const int64_t come = rows->k ? T : 0;
    double factors = 0;
    if ((double)come * count * (256 + d * (d + (double)r->p.dv)) > 0x1p26)
        return 1;                                              /* some 50 milliseconds */
    for (int64_t n = 0; count * d * d * d > 0x1p31 && n < r->count; n++)
        factors += estimator_may_factor(&r->p, &r->o[n], come, rows->q != NULL);
    return factors * d * d * d > 0x1p31;                       /* some 200 */
}

/* Arrays of estimators to where they are kept, or back; the gaps between them stay. */
static void copy_arrays(char *to, const char *from, int64_t bytes)
{
#ifdef ARENA_GAPS
    for (int64_t i = 0; i < bytes; i++)
        if (!__asan_address_is_poisoned(to + i) && !__asan_address_is_poisoned(from + i))
            to[i] = from[i];
#else
    memcpy(to, from, (size_t)bytes);
#endif
}

/* Keeps the state, so that kernels may leave their work unfinished. 0 when memory is short: then
 * the call just takes its time. */
static int keep_state(mesaopt_rls *r)
{
    const allocator *a = &r->head.ctx->alloc;
    const int64_t own = r->count * (int64_t)sizeof *r->o;
    int64_t bytes;
    if (!r->before && size_add(r->bytes, own, &bytes)) r->before = alloc_new(a, 1, bytes);
    if (!r->before) return 0;
    copy_arrays(r->before, r->memory, r->bytes);
    memcpy(r->before + r->bytes, r->o, (size_t)own);
    r->p.k = kern_get(r->head.ctx, MESAOPT_F64, 1);
    return 1;
}

/* MESAOPT_OK, or the state is what it was. */
static mesaopt_status state_kept(mesaopt_rls *r)
{
    const mesaopt_status status = ctx_stopped(r->head.ctx, "rls");
    r->p.k = kern_unstopped(r->head.ctx);
    if (status == MESAOPT_OK) return status;
    copy_arrays(r->memory, r->before, r->bytes);
    memcpy(r->o, r->before + r->bytes, (size_t)r->count * sizeof *r->o);
    return status;
}

static void run_all(job *j)
{
    enum { WORTH_THREADS = 1 << 20 };
    mesaopt_rls *r = j->r;
    memset(r->done, 0, (size_t)r->count);
    if (r->count > 1 &&
        (double)j->T * (double)r->count * (double)(r->p.d * r->p.d) > WORTH_THREADS)
        parallel_run(r->head.ctx, r->count, run_estimator, j);
    for (int64_t n = 0; n < r->count; n++)
        if (!r->done[n]) run_estimator(j, 0, n);               /* also what an interrupt left out */
}

/* What became of the predictions, of the first estimator with the worst. */
static mesaopt_status tell(mesaopt_rls *r)
{
    static const char *const text[] = {
        [BLURRED] = "standard errors are lost in the rounding of sums of squares, expected "
                    "MESAOPT_RLS_RESIDUAL beside what was set, and rows in all directions before",
        [DOUBTFUL] = "the ridge is lost in the rounding of the keys' sums of squares, expected "
                     "keys that are centred and of like size, or a larger ridge",
        [NOT_FINITE] = "predictions are not finite, expected finite ones in the type of out: "
                       "smaller queries, or a larger ridge"};
    int64_t worst = 0;
    for (int64_t n = 1; n < r->count; n++) if (r->done[n] > r->done[worst]) worst = n;
    const int what = r->done[worst];
    if (what <= DONE) return MESAOPT_OK;
    return fail(r->head.ctx, what == NOT_FINITE ? MESAOPT_E_NONFINITE : MESAOPT_NOT_CONVERGED,
                "%s: %s", rls_name_of(r, worst).text, text[what]);
}

mesaopt_status rls_run(mesaopt_rls *r, int64_t T, const rls_rows *rows)
{
    mesaopt_ctx *ctx = r->head.ctx;
    mesaopt_status status = ctx_stopped(ctx, "rls");
    if (status != MESAOPT_OK) return status;
    const int kept = is_long(r, T, rows) && keep_state(r);
    job j = {r, rows, T, real_log(r->options.gamma), kept || !rows->k};
    run_all(&j);
    if (kept) status = state_kept(r);
    else if (!rows->k) status = ctx_stopped(ctx, "rls");
    if (status != MESAOPT_OK) return status;
    return tell(r);
}

/* ---- whole states ---- */

/* Before every estimator costs some `factors` of d x d: 1 when an interrupt can end that, which
 * end_change then looks for. */
static int begin_change(mesaopt_rls *r, double factors)
{
    const double d = (double)r->p.d, each = factors * d * d * (d + (double)r->p.dv);
    return (double)r->count * each > 0x1p30 && keep_state(r);
}

static mesaopt_status end_change(mesaopt_rls *r, int kept)
{
    return kept ? state_kept(r) : MESAOPT_OK;
}

static mesaopt_status for_all(mesaopt_rls *r, double factors,
                              void (*f)(const rls_worker *, estimator *))
{
    const int kept = begin_change(r, factors);
    for (int64_t n = 0; n < r->count && !kern_stopped(r->p.k); n++) f(r->worker, &r->o[n]);
    return end_change(r, kept);
}

/* Matrices of `rows` rows, as factors */
static double factors_of(const mesaopt_rls *r, int64_t rows)
{
    return (double)rows / (double)r->p.d;
}

mesaopt_status rls_flush(mesaopt_rls *r)
{
    return for_all(r, factors_of(r, r->p.rows), estimator_flush);
}
mesaopt_status rls_settle(mesaopt_rls *r)
{
    return for_all(r, 3 + factors_of(r, r->p.ring), estimator_settle);
}
mesaopt_status rls_spread(mesaopt_rls *r) { return for_all(r, 2, estimator_spread); }

mesaopt_status rls_replace(mesaopt_rls *r, void (*write)(mesaopt_rls *, const void *),
                           const void *data)
{
    const int kept = begin_change(r, 2);
    rls_clear(r);
    write(r, data);
    for (int64_t n = 0; n < r->count && !kern_stopped(r->p.k); n++)
        rls_given(r, n, r->o[n].residual.spread);
    return end_change(r, kept);
}

void rls_given(mesaopt_rls *r, int64_t n, const double *spread)
{
    estimator_given(r->worker, &r->o[n], spread);
}

/* `from` is kept as it was while its estimators are merged. */
mesaopt_status rls_merge(mesaopt_rls *r, mesaopt_rls *from)
{
    const allocator *a = &r->head.ctx->alloc;
    const int64_t each = from->bytes / from->count;
    char *kept = alloc_new(a, 1, each);
    if (!kept)
        return fail(r->head.ctx, MESAOPT_E_MEMORY, "merge: no memory for a state of %lld bytes",
                    (long long)each);
    const int stops = begin_change(r, 6);
    for (int64_t n = 0; n < r->count && !kern_stopped(r->p.k); n++) {
        const estimator was = from->o[n];
        copy_arrays(kept, from->memory + n * each, each);
        estimator_merge(r->worker, &r->o[n], &from->o[n]);
        copy_arrays(from->memory + n * each, kept, each);
        from->o[n] = was;
    }
    alloc_free(a, kept);
    return end_change(r, stops);
}
