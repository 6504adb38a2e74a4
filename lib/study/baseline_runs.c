/* Runs of a baseline: over the user's sequences, over a task, and the line search (baselines.h).
 *
 * Panels of a task come in blocks of SLOTS; panel i of every block adds its sums to slot i, block
 * after block, and slots are added in order: the sums are the same bits for any number of threads,
 * and memory does not grow with the number of sequences. The line search tries a whole grid of
 * values on each panel it draws, then a finer grid around the best one. Where it looks follows the
 * data: a ridge has the scale of the mean square of inputs, eta and beta have its inverse. */
#include "study/baseline_run.h"
#include "base/choices.h"
#include "base/number.h"
#include "base/options.h"
#include "base/pool.h"
#include "base/real.h"
#include "kern/panels.h"
#include <math.h>
#include <string.h>

enum { SLOTS = 32, GRID = 13, PASSES = 4 };            /* 6 decades are searched to half a per
                                                          cent */
typedef baseline_run run;

/* Numbers of a row of what `body` writes. */
static int64_t width(const run *r) { return r->of_inputs ? r->m : r->n; }

/* What a worker needs, in memory of its own. */
static baseline_problem lay_out(const run *r, arena *a, void **task_memory)
{
    const int64_t vector = r->k->lanes * r->k->size;
    int64_t x = -1, out = -1;
    baseline_problem p = {.k = r->k,
                          .b = r->b,
                          .task = r->teacher,
                          .m = r->m,
                          .n = r->n,
                          .T = r->T,
                          .value = r->b->value};
    p.x = arena_take(a, size_mul(r->T + 1, r->n, &x) ? x : -1, vector);
    p.out = arena_take(a, size_mul(r->T + 1, r->m > r->n ? r->m : r->n, &out) ? out : -1, vector);
    p.weights = arena_take(a, r->T, vector);
    p.row = arena_take(a, r->T, sizeof(double));
    p.work = arena_take(a, r->work(&p), 1);
    if (r->gradients) p.gradient = arena_take(a, r->gradients, vector);
    *task_memory = arena_take(a, r->task ? task_scratch(r->task, r->k) : 0, 1);
    baseline_take_inputs(&p, a);
    return p;
}

/* For runs of at most `items` items. */
static mesaopt_status allocate(run *r, int64_t items)
{
    mesaopt_ctx *ctx = r->b->head.ctx;
    const int64_t workers = ctx->threads < items ? ctx->threads : items;
    arena plan = {0};
    void *task_memory;
    lay_out(r, &plan, &task_memory);
    r->worker_bytes = plan.used;
    r->memory = plan.used < 0 ? NULL : alloc_new(&ctx->alloc, workers, plan.used);
    if (r->memory) return MESAOPT_OK;
    return fail(ctx, MESAOPT_E_MEMORY, "%s: no memory for %d x %lld bytes (length %lld, dim %lld)",
                r->what, (int)workers, (long long)plan.used, (long long)r->T, (long long)r->n);
}

static mesaopt_status run_items(run *r, int64_t items, parallel_body body)
{
    mesaopt_ctx *ctx = r->b->head.ctx;
    parallel_run(ctx, items, body, r);
    return ctx_stopped(ctx, r->what);
}

static int64_t panels_of(const kern *k, int64_t count) { return (count + k->lanes - 1) / k->lanes; }
static int64_t valid_lanes(const kern *k, int64_t left)
{
    return left < k->lanes ? left : k->lanes;
}

/* ---- the user's sequences ---- */

static mesaopt_view slice(const mesaopt_view *v, int64_t first, int64_t count)
{
    mesaopt_view part = *v;
    part.data = (char *)v->data + first * v->stride[0] * dtype_size(v->dtype);
    part.shape[0] = count;
    return part;
}

/* `valid` lanes of a panel [T][n][lane] as a view [valid, T, n]. */
static mesaopt_view lanes_view(const kern *k, const void *panel, int64_t valid, int64_t T,
                               int64_t n)
{
    return (mesaopt_view){.data = (void *)panel,
                          .shape = {valid, T, n},
                          .stride = {1, n * k->lanes, k->lanes},
                          .ndim = 3,
                          .dtype = k->dtype};
}

static void predict_item(void *data, int64_t worker, int64_t item)
{
    const run *r = data;
    const kern *k = r->k;
    arena a = {r->memory + worker * r->worker_bytes, 0};
    void *task_memory;
    const baseline_problem p = lay_out(r, &a, &task_memory);
    const int64_t first = item * k->lanes, valid = valid_lanes(k, r->out->shape[0] - first);
    if (valid < k->lanes) memset(p.x, 0, (size_t)((p.T + 1) * p.n * k->lanes * k->size));
    const mesaopt_view from = slice(r->sequences, first, valid), to = slice(r->out, first, valid);
    const mesaopt_view x = lanes_view(k, p.x, valid, from.shape[1], p.n),
                       out = lanes_view(k, p.out, valid, p.T, width(r));
    view_copy_while(r->b->head.ctx, &from, &x);
    baseline_fill_inputs(&p, from.shape[1]);
    r->body(&p);
    view_copy_while(r->b->head.ctx, &out, &to);
}

static mesaopt_status predict_all(run *r)
{
    if (r->b->pairs == PAIRS_SCORED)
        return fail(r->b->head.ctx, MESAOPT_E_STATE,
                    "pairs: scored of sequences without weights, expected all of them");
    if (view_count(r->out) == 0) return MESAOPT_OK;
    r->k = kern_get(r->b->head.ctx, MESAOPT_F64, 0), r->T = r->out->shape[1];
    r->n = r->sequences->shape[2], r->m = baseline_width(r->b, r->n);
    const int64_t items = panels_of(r->k, r->out->shape[0]);
    mesaopt_status status = allocate(r, items);
    if (status == MESAOPT_OK) status = run_items(r, items, predict_item);
    alloc_free(&r->b->head.ctx->alloc, r->memory);
    return status;
}

mesaopt_status baseline_predict(const mesaopt_baseline *b, const mesaopt_task *task,
                                const mesaopt_view *sequences, const mesaopt_view *out)
{
    return predict_all(&(run){.b = b,
                              .what = "predict",
                              .teacher = task,
                              .sequences = sequences,
                              .out = out,
                              .work = b->method->work,
                              .body = b->method->predict});
}

static int64_t precondition_work(const baseline_problem *p)
{
    const preconditioner how = baseline_preconditioner(p->b, p->value);
    arena a = {0};
    conditioning_lay_out(&a, p->k, &how, p->m, p->n);
    return a.used;
}

static void precondition(const baseline_problem *p)
{
    const preconditioner how = baseline_preconditioner(p->b, p->value);
    const conditioning c = conditioning_lay_out(&(arena){p->work, 0}, p->k, &how, p->m, p->n);
    precondition_panel(&c, p->T, p->z, p->x, p->out);
}

mesaopt_status baseline_precondition(const mesaopt_baseline *b, const mesaopt_task *task,
                                     const mesaopt_view *sequences, const mesaopt_view *out)
{
    return predict_all(&(run){.b = b,
                              .what = "precondition",
                              .teacher = task,
                              .of_inputs = 1,
                              .sequences = sequences,
                              .out = out,
                              .work = precondition_work,
                              .body = precondition});
}

/* ---- a task ---- */

static int64_t slot_size(const run *r) { return r->values * r->T + r->gradients; }

static void measure_item(void *data, int64_t worker, int64_t item)
{
    const run *r = data;
    const kern *k = r->k;
    arena a = {r->memory + worker * r->worker_bytes, 0};
    void *task_memory;
    baseline_problem p = lay_out(r, &a, &task_memory);
    double *sums = r->sums + item * slot_size(r);
    const int64_t at = r->start + item * k->lanes, valid = valid_lanes(k, r->count - at),
                  n = width(r);
    task_panel(r->task, k, r->stream, r->first + at, valid, task_memory, p.x);
    memset(p.weights, 0, (size_t)(r->T * k->lanes * k->size));
    for (int64_t l = 0; l < valid; l++) {
        const int64_t steps = task_weights(r->task, r->stream, r->first + at + l, p.row);
        panels_put_lane(k, r->T, l, p.row, p.weights);
        for (int64_t i = (steps + 1) * r->n; i < (r->T + 1) * r->n; i++)
            kern_set_real(k, p.x, i * k->lanes + l, 0);
    }
    baseline_drop_prompt(&p);
    baseline_fill_inputs(&p, p.T + 1);
    if (!r->of_inputs) baseline_leave_out(&p);
    if (r->gradients) memset(p.gradient, 0, (size_t)(r->gradients * k->lanes * k->size));
    for (int64_t v = 0; v < r->values && !kern_stopped(k); v++, sums += r->T) {
        p.value = r->value[v];
        r->body(&p);
        k->squared_error(r->T, n, p.weights, p.out, n, r->of_inputs ? p.z : kern_at(k, p.x, n), n,
                         0, sums, NULL);
    }
    for (int64_t i = 0; i < r->gradients; i++)
        for (int64_t l = 0; l < k->lanes; l++)
            sums[i] += ((const double *)p.gradient)[i * k->lanes + l];
}

void baseline_run_close(baseline_run *r)
{
    alloc_free(&r->b->head.ctx->alloc, r->weights);
    alloc_free(&r->b->head.ctx->alloc, r->sums);
    alloc_free(&r->b->head.ctx->alloc, r->memory);
}

mesaopt_status baseline_run_open(run *r, int64_t count)
{
    mesaopt_ctx *ctx = r->b->head.ctx;
    r->k = kern_get(ctx, MESAOPT_F64, 0), r->n = r->task->shape.dim, r->T = r->task->shape.length;
    r->m = baseline_width(r->b, r->n), r->teacher = r->task;
    r->work = r->b->method->work, r->body = r->b->method->predict;
    const int64_t block = SLOTS * r->k->lanes;
    mesaopt_status status = allocate(r, panels_of(r->k, count < block ? count : block));
    if (status != MESAOPT_OK) return status;
    r->sums = alloc_new(&ctx->alloc, SLOTS * slot_size(r), sizeof *r->sums);
    r->weights = alloc_new(&ctx->alloc, 2 * r->T, sizeof *r->weights);
    if (r->sums && r->weights) return MESAOPT_OK;
    baseline_run_close(r);
    return fail(ctx, MESAOPT_E_MEMORY, "%s: no memory for the errors of %lld steps", r->what,
                (long long)r->T);
}

/* Of the steps of all sequences, into r->weights and r->weight. */
static void sum_weights(run *r)
{
    double *row = r->weights + r->T;
    r->weight = 0;
    for (int64_t t = 0; t < r->T; t++)
        r->weights[t] = task_weighted(r->task) ? 0 : (double)r->count;
    for (int64_t i = 0; task_weighted(r->task) && i < r->count && !kern_stopped(r->k); i++)
        for (int64_t t = 0, steps = task_weights(r->task, r->stream, r->first + i, row); t < steps;
             t++)
            r->weights[t] += row[t];
    /* a prefix alone says nothing of the first observation */
    if (r->task->shape.layout.prefix > 0) r->weights[r->task->shape.layout.prefix - 1] = 0;
    for (int64_t t = 0; t < r->T; t++) r->weight += r->weights[t];
}

mesaopt_status baseline_run_measure(run *r, call *c, int64_t first, int64_t count,
                                    const double *value, double *sums)
{
    const int64_t block = SLOTS * r->k->lanes, size = slot_size(r);
    mesaopt_status status = MESAOPT_OK;
    r->first = first, r->count = count, r->value = value;
    sum_weights(r);
    memset(r->sums, 0, (size_t)(SLOTS * size) * sizeof *r->sums);
    for (r->start = 0; status == MESAOPT_OK && r->start < count; r->start += block) {
        const int64_t left = count - r->start, now = left < block ? left : block;
        status = task_prepare(r->task, c, r->stream, first + r->start, now, r->k->dtype);
        if (status == MESAOPT_OK) status = run_items(r, panels_of(r->k, now), measure_item);
    }
    for (int64_t i = 0; status == MESAOPT_OK && i < size; i++) {
        double sum = 0;
        for (int64_t s = 0; s < SLOTS; s++) sum += r->sums[s * size + i];
        sums[i] = sum;
    }
    for (int64_t v = 0; status == MESAOPT_OK && v < r->values; v++)
        baseline_place(r->task, sums + v * r->T);
    return status;
}

mesaopt_status baseline_evaluate(const mesaopt_baseline *b, call *c, mesaopt_task *task,
                                 int32_t stream, int64_t first, int64_t count, double *by_t,
                                 double *loss)
{
    const double value = b->value;
    run r = {.b = b, .what = "evaluate", .task = task, .stream = stream, .values = 1};
    mesaopt_status status = baseline_run_open(&r, count);
    if (status != MESAOPT_OK) return status;
    status = baseline_run_measure(&r, c, first, count, &value, by_t);
    const double result = status == MESAOPT_OK ? baseline_run_loss(&r, by_t) : 0;
    for (int64_t t = 0; t < r.T && status == MESAOPT_OK; t++) by_t[t] /= r.weights[t];
    baseline_run_close(&r);
    if (status != MESAOPT_OK) return status;
    if (!isfinite(result))
        return fail(b->head.ctx, MESAOPT_E_NONFINITE,
                    "evaluate: the loss is %s, expected a finite number", number_text(result).text);
    *loss = result;
    return MESAOPT_OK;
}

/* ---- line search ---- */

/* out [T][m] = 0 */
static void predict_nothing(const baseline_problem *p)
{
    memset(p->out, 0, (size_t)(p->T * p->m * p->k->lanes * p->k->size));
}

/* Mean square of the inputs z_t of steps as their weights are; 1 when there is none to go by: they
 * are all 0, or it overflows. */
static mesaopt_status mean_square(run *r, call *c, int64_t count, double *sums, double *square)
{
    run nothing = *r;
    nothing.values = 1, nothing.body = predict_nothing, nothing.of_inputs = 1;
    const mesaopt_status status = baseline_run_measure(&nothing, c, 0, count, &(double){0}, sums);
    if (status != MESAOPT_OK) return status;
    *square = 2 * baseline_run_loss(&nothing, sums) / (double)r->m;
    if (!(*square > 0) || isinf(*square)) *square = 1;
    return MESAOPT_OK;
}

static double within(const option_row *o, double x)
{
    return smaller(larger(x, o->lowest), o->highest);
}

/* GRID values from low to high, evenly spaced in their logarithm; best: the first of lowest loss.
 */
static mesaopt_status try_grid(run *r, call *c, int64_t count, double low, double high,
                               double *value, double *sums, int64_t *best)
{
    for (int64_t i = 0; i < GRID; i++)
        value[i] = i == GRID - 1 ? high : low * real_pow(high / low, (double)i / (GRID - 1));
    mesaopt_status status = baseline_run_measure(r, c, 0, count, value, sums);
    double lowest = INFINITY;
    *best = -1;
    for (int64_t i = 0; status == MESAOPT_OK && i < GRID; i++) {
        const double loss = baseline_run_loss(r, sums + i * r->T);
        if (loss < lowest) lowest = loss, *best = i;
    }
    if (status != MESAOPT_OK || *best >= 0) return status;
    return fail(r->b->head.ctx, MESAOPT_E_NONFINITE,
                "search: the loss is not finite for any %s from %s to %s, expected a finite number",
                options_find(0, r->b->method->key)->name, number_text(low).text,
                number_text(high).text);
}

static mesaopt_status search(run *r, call *c, int64_t count, double *sums, double *found)
{
    const baseline_method *method = r->b->method;
    const option_row *o = options_find(MESAOPT_SCOPE_BASELINE, method->key);
    double value[GRID], square;
    int64_t best = 0;
    mesaopt_status status = mean_square(r, c, count, sums, &square);
    if (status != MESAOPT_OK) return status;
    const double unit = method->key == MESAOPT_KEY_RIDGE ? square : 1 / square;
    const double lowest = within(o, method->lowest * unit),
                 highest = within(o, method->highest * unit);
    double low = lowest, high = highest;
    for (int pass = 0; pass < PASSES; pass++) {
        status = try_grid(r, c, count, low, high, value, sums, &best);
        if (status != MESAOPT_OK) return status;
        low = value[best > 0 ? best - 1 : 0];
        high = value[best < GRID - 1 ? best + 1 : GRID - 1];
    }
    *found = value[best];
    if (lowest < *found && *found < highest) return MESAOPT_OK;
    return fail(r->b->head.ctx, MESAOPT_AT_BOUND,
                "search: the best %s is %s, the bound of the range %s..%s, expected one inside",
                o->name, number_text(*found).text, number_text(lowest).text,
                number_text(highest).text);
}

mesaopt_status baseline_search(mesaopt_baseline *b, call *c, mesaopt_task *task, int64_t count)
{
    mesaopt_ctx *ctx = b->head.ctx;
    run r = {
        .b = b, .what = "search", .task = task, .stream = MESAOPT_STREAM_SEARCH, .values = GRID};
    double *sums = alloc_new(&ctx->alloc, GRID * task->shape.length, sizeof *sums);
    mesaopt_status status =
        sums ? baseline_run_open(&r, count)
              : fail(ctx, MESAOPT_E_MEMORY, "search: no memory for the errors of %lld steps",
                     (long long)task->shape.length);
    if (status == MESAOPT_OK) {
        status = search(&r, c, count, sums, &b->value);
        baseline_run_close(&r);
    }
    alloc_free(&ctx->alloc, sums);
    return status;
}
