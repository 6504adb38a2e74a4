/* Probes of a model while it runs: draw sequences, run the model, make targets, feed, batch by
 * batch; memory does not grow with their number. The model's streams stay in the panels that it
 * wrote, and are read there. Of a control the activations are inv(A_t) x_t, as
 * a preconditioner has it, instead of a model's. A filter needs mean and standard deviation of the
 * norms of all targets (control: activations) first: the sequences are drawn once more for it,
 * without running the model. */
#include "study/probes.h"
#include "train/batch.h"
#include <stdio.h>
#include <string.h>

enum { BATCH = 128, BATCH_BYTES = 1 << 25, BATCH_LEAST = 16 }; /* 16: a multiple of all lanes */

typedef struct running {
    mesaopt_probe *p;
    call *c;
    mesaopt_model *model;          /* or */
    mesaopt_baseline *control;
    mesaopt_task *task;
    int32_t stream;
    int64_t first, count, batch;   /* sequences in all, and at a time */
    const int64_t *blocks;
    mesaopt_view sequences, features, targets, *activations;
    mesaopt_view scored, weights;  /* [B, T]: the task's, those that are fed */
    void **kept;                   /* [L] panels of the model */
    probe_norms norms;
    void *memory;
} running;

/* Room for the panels of a batch or less; layers of one block share them. */
static void *take_kept(const running *r, int64_t l, arena *a)
{
    const int64_t T = r->p->steps, D = probe_features(r->p, l);
    for (int64_t i = 0; i < l; i++)
        if (r->blocks[i] == r->blocks[l]) return r->kept ? r->kept[i] : NULL;
    int64_t most = 0;
    for (int one = 0; one < 2; one++) {
        const kern *k = kern_get(r->p->head.ctx, r->model->dtype, one);
        const int64_t panels = (r->batch + k->lanes - 1) / k->lanes, bytes = batch_kept(k, T, D);
        int64_t all = -1;
        if (!size_mul(panels, bytes, &all)) return arena_take(a, -1, 1);
        if (all > most) most = all;
    }
    return arena_take(a, most, 1);
}

static void lay_out(running *r, arena *a)
{
    const mesaopt_probe *p = r->p;
    const int64_t T = p->steps;
    const int32_t dtype = r->model ? r->model->dtype : MESAOPT_F64;
    r->activations = arena_take(a, p->layers, sizeof *r->activations);
    r->kept = arena_take(a, p->layers, sizeof *r->kept);
    r->norms = (probe_norms){arena_take(a, T, sizeof(double)), arena_take(a, T, sizeof(double)),
                             arena_take(a, T, sizeof(double)),
                             probe_target(p) ? dtype : MESAOPT_F64};
    r->sequences = view_take(a, dtype, r->batch, T + 1, r->task->shape.dim);
    if (probe_target(p)) r->features = view_take(a, dtype, r->batch, T + 1, r->task->shape.dim);
    r->targets = view_take(a, MESAOPT_F64, r->batch, T, p->targets);
    r->weights = view_take(a, MESAOPT_F64, r->batch, T, 1);
    r->scored = view_take(a, MESAOPT_F64, r->batch, T, 1);
    r->weights.ndim = r->scored.ndim = 2;
    for (int64_t l = 0; l < p->layers; l++) {
        if (r->model) {
            void *panels = take_kept(r, l, a);
            if (r->kept) r->kept[l] = panels;
            continue;
        }
        const mesaopt_view v = view_take(a, dtype, r->batch, T, probe_features(p, l));
        if (r->activations) r->activations[l] = v;
    }
}

/* What the model will have written for `count` sequences. */
static mesaopt_view kept_view(const running *r, int64_t l, int64_t count)
{
    const int64_t T = r->p->steps, D = probe_features(r->p, l);
    const panels p = model_panels(r->model, count, T);
    const int64_t lanes = p.k->lanes, panel = batch_kept(p.k, T, D) / p.k->size;
    if (lanes == 1)
        return (mesaopt_view){.data = r->kept[l],
                              .shape = {count, T, D},
                              .stride = {panel, D, 1},
                              .ndim = 3,
                              .dtype = r->model->dtype};
    return (mesaopt_view){.data = r->kept[l],
                          .shape = {p.count, lanes, T, D},
                          .stride = {panel, 1, D * lanes, lanes},
                          .ndim = 4,
                          .dtype = r->model->dtype};
}

static mesaopt_status allocate(running *r)
{
    mesaopt_ctx *ctx = r->p->head.ctx;
    arena full = {0}, plan = {0};
    r->batch = BATCH;
    lay_out(r, &full);
    if (full.used < 0 || full.used > BATCH_BYTES) {
        const int64_t fits = full.used < 0 ? 0 : BATCH_BYTES / (full.used / BATCH);
        r->batch = fits < BATCH_LEAST ? BATCH_LEAST : fits / BATCH_LEAST * BATCH_LEAST;
    }
    if (r->batch > r->count) r->batch = r->count;
    lay_out(r, &plan);
    r->memory = plan.used < 0 ? NULL : alloc_new(&ctx->alloc, 1, plan.used);
    if (!r->memory)
        return fail(ctx, MESAOPT_E_MEMORY,
                    "feed: no memory for activations of %lld sequences (%lld bytes)",
                    (long long)r->batch, (long long)plan.used);
    arena a = {r->memory, 0};
    lay_out(r, &a);
    return MESAOPT_OK;
}

static mesaopt_status ask_host(const running *r, const mesaopt_view *sequences,
                               const mesaopt_view *targets)
{
    const mesaopt_view in = *sequences, out = *targets; /* the host may scribble on its own */
    /* NaN: what the host leaves out is found */
    memset(targets->data, 0xff, (size_t)view_count(targets) * sizeof(double));
    ctx_callback_begin(r->c);
    const int32_t answer = r->p->fill(&in, &out, r->p->fill_user);
    ctx_callback_end(r->c);
    if (!answer) return MESAOPT_OK;
    return fail(r->p->head.ctx, MESAOPT_E_SOURCE, "fill: returned %d, expected 0", (int)answer);
}

/* Sequences done .. done + count - 1 of the feed, their targets, and the activations of a control.
 */
static mesaopt_status draw(running *r, int64_t done, int64_t count)
{
    const mesaopt_probe *p = r->p;
    r->sequences.shape[0] = r->targets.shape[0] = r->weights.shape[0] = r->scored.shape[0] = count;
    r->features.shape[0] = count;
    for (int64_t l = 0; l < p->layers; l++)
        if (r->model) r->activations[l] = kept_view(r, l, count);
        else r->activations[l].shape[0] = count;
    mesaopt_status status = task_draw(r->task, r->c, r->stream, r->first + done, &r->sequences);
    if (status == MESAOPT_OK)
        task_weigh(r->task, r->stream, r->first + done, &r->sequences, r->scored.data);
    mesaopt_view inputs = r->sequences;
    inputs.shape[1] = p->steps;
    if (status == MESAOPT_OK && r->control)
        status = baseline_precondition(r->control, r->task, &inputs, &r->activations[0]);
    if (status != MESAOPT_OK) return status;
    if (p->fill) return ask_host(r, &r->sequences, &r->targets);
    if (p->conditioner)
        return baseline_precondition(p->conditioner, r->task, &inputs, &r->targets);
    if (probe_target(p))
        status = task_features(r->task, &r->sequences, probe_target(p) == TARGET_UNIT_FEATURES,
                               &r->features);
    probe_observations(p->head.ctx, &p->settings, probe_target(p) ? &r->features : &r->sequences,
                       &r->targets);
    return status;
}

static mesaopt_status run_model(const running *r)
{
    const batch b = {.B = r->sequences.shape[0],
                     .T = r->p->steps,
                     .task = r->task,
                     .drawn = &r->sequences};
    return batch_pass(r->model, &b,
                      &(wanted){.count = r->p->layers, .blocks = r->blocks, .kept = r->kept},
                      "feed_model");
}

/* What the filter goes by. */
static const mesaopt_view *filtered(const running *r)
{
    return r->control ? &r->activations[0] : &r->targets;
}

/* The task's weights, without outliers; NULL: all 1. */
static const mesaopt_view *weigh(const running *r, double limit)
{
    double *w = r->weights.data;
    const double *scored = r->scored.data;
    if (limit <= 0) return task_weighted(r->task) ? &r->scored : NULL;
    probe_norms_filter(r->p->head.ctx, &r->norms, limit, filtered(r), &r->weights);
    for (int64_t i = 0; i < view_count(&r->weights); i++) w[i] *= scored[i];
    return &r->weights;
}

static mesaopt_status feed(running *r, int32_t set, int64_t done, double limit)
{
    mesaopt_probe *p = r->p;
    probe_culprit bad;
    const mesaopt_status ran = r->model ? run_model(r) : MESAOPT_OK;
    if (ran < 0 && ran != MESAOPT_E_NONFINITE) return ran; /* what is not finite is found below,
                                                              with its place */
    const probe_input in = {r->targets.shape[0], r->activations, &r->targets,
                            weigh(r, limit)};
    const mesaopt_status status = probe_take(p, set, &in, done == 0, &bad);
    if (status != MESAOPT_E_NONFINITE) return status == MESAOPT_OK ? ran : status;
    char name[96];
    const long long from = r->first + done;
    if (bad.which == 0 && r->control)
        snprintf(name, sizeof name, "preconditioned observations, sequences from %lld on", from);
    else if (bad.which >= 0 && bad.which < p->layers)
        snprintf(name, sizeof name, "activations of block %lld, sequences from %lld on",
                 (long long)r->blocks[bad.which], from);
    else
        snprintf(name, sizeof name, "%s of sequences from %lld on",
                 bad.which < 0 ? "activations and targets" : "targets", from);
    return probe_refuse(p, name, &bad);
}

static mesaopt_status feed_all(running *r, int32_t set)
{
    const double limit = option_float(&r->p->settings, MESAOPT_SCOPE_PROBE, MESAOPT_KEY_FILTER);
    mesaopt_status status = MESAOPT_OK, worth_knowing = MESAOPT_OK;
    for (int pass = limit > 0 ? 0 : 1; pass < 2; pass++)
        for (int64_t done = 0, size; done < r->count && status >= 0; done += size) {
            size = r->count - done < r->batch ? r->count - done : r->batch;
            status = draw(r, done, size);
            if (status == MESAOPT_OK && pass == 0)
                probe_norms_add(r->p->head.ctx, &r->norms, filtered(r), &r->scored);
            if (status == MESAOPT_OK && pass == 1) status = feed(r, set, done, limit);
            if (status > 0) worth_knowing = status;
        }
    return status < 0 ? status : worth_knowing;
}

static mesaopt_status run(running *r, int32_t set)
{
    if (r->count == 0) return MESAOPT_OK;
    mesaopt_status status = probe_begin(r->p, set);
    if (status == MESAOPT_OK) status = allocate(r);
    if (status == MESAOPT_OK) status = feed_all(r, set);
    if (status >= 0) probe_commit(r->p, set);
    alloc_free(&r->p->head.ctx->alloc, r->memory);
    return status;
}

mesaopt_status probe_feed_model(mesaopt_probe *p, call *c, int32_t set, mesaopt_model *model,
                                const int64_t *blocks, mesaopt_task *task, int32_t stream,
                                int64_t first, int64_t count)
{
    return run(&(running){.p = p,
                          .c = c,
                          .model = model,
                          .task = task,
                          .stream = stream,
                          .first = first,
                          .count = count,
                          .blocks = blocks},
               set);
}

mesaopt_status probe_feed_control(mesaopt_probe *p, call *c, int32_t set,
                                  mesaopt_baseline *conditioner, mesaopt_task *task, int32_t stream,
                                  int64_t first, int64_t count)
{
    return run(&(running){.p = p,
                          .c = c,
                          .control = conditioner,
                          .task = task,
                          .stream = stream,
                          .first = first,
                          .count = count},
               set);
}
