/* A pass of a model over a batch; see batch.h. */
#include "train/batch_impl.h"
#include "base/pool.h"
#include <math.h>
#include <string.h>

enum { MAX_SHARDS = 16, SHARD_MEMORY = 1 << 26, SUM_CHUNK = 1 << 14 };

typedef struct worker {
    void **stream, **stash;                    /* n_blocks + 1, n_blocks */
    void *target, *d[2], *scratch, *product_scratch, *task_scratch, *visitor;
    void *weights;                             /* of steps, T x 1 */
    double *row;                               /* those of one sequence */
    int64_t steps;                             /* of the panel that is run: later ones change
                                                  nothing */
} worker;

static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
/* Blocks that run. */
static int64_t depth(const mesaopt_model *m, const wanted *w)
{
    return w->visitor ? w->visitor->blocks : m->n_blocks;
}
/* Is the loss, or sum(dout * predictions), differentiated? */
static int differentiates(const wanted *w) { return w->gradient || w->dtokens; }
static int goes_back(const wanted *w)
{
    return differentiates(w) || (w->visitor && w->visitor->backward);
}

static worker lay_out_worker(arena *a, const mesaopt_model *m, const batch *b, const layout *l,
                             const wanted *wanted)
{
    const kern *k = l->k;
    const int64_t real = k->lanes * k->size, T = b->T;
    const int back = goes_back(wanted);
    worker w = {0};
    w.stream = arena_take(a, m->n_blocks + 1, sizeof(void *));
    w.stash = arena_take(a, m->n_blocks, sizeof(void *));
    int64_t scratch = 0;
    for (int64_t i = 0; i <= m->n_blocks; i++) {
        void *p = arena_take(a, T * model_width(m, i - 1), real);
        if (w.stream) w.stream[i] = p;
    }
    for (int64_t i = 0; i < m->n_blocks; i++) {
        const block_kind *kind = m->blocks[i].kind;
        void *p = arena_take(a, kind->stash ? kind->stash(&m->blocks[i], k, T) : 0, 1);
        if (w.stash) w.stash[i] = p;
        if (!kind->scratch) continue;
        scratch = max64(scratch, kind->scratch(&m->blocks[i], k, T, 0));
        if (back) scratch = max64(scratch, kind->scratch(&m->blocks[i], k, T, 1));
    }
    w.target = arena_take(a, (T + 1) * max64(m->outputs, 1), real);
    for (int i = 0; i < 2; i++) w.d[i] = arena_take(a, back ? T * l->width : 0, real);
    w.scratch = arena_take(a, scratch, 1);
    w.product_scratch = arena_take(a, kern_product_scratch(k), 1);
    w.weights = arena_take(a, T, real);
    w.row = arena_take(a, T, sizeof(double));
    w.task_scratch = arena_take(a, b->task && !b->drawn ? task_scratch(b->task, k) : 0, 1);
    w.visitor = arena_take(a, wanted->visitor ? wanted->visitor->scratch : 0, 1);
    return w;
}

/* Gradients and a visitor's sums take memory for every shard. */
static int64_t shards_of(const mesaopt_model *m, int64_t panels, const wanted *w)
{
    const int64_t gradient = w->gradient ? m->n_params * m->size : 0,
                  sums = w->visitor ? w->visitor->count * (int64_t)sizeof(double) : 0,
                  room = max64(1, SHARD_MEMORY / max64(1, max64(gradient, sums))),
                  shards = panels < MAX_SHARDS ? max64(1, panels) : MAX_SHARDS;
    return shards > room ? room : shards;
}

static layout lay_out(void *base, const mesaopt_model *m, const batch *b, const wanted *w)
{
    layout l = {.p = model_panels(m, b->B, b->T)};
    arena a = {base, 0}, one = {0};
    l.k = l.p.k;
    const int64_t shards = shards_of(m, l.p.count, w);
    for (int64_t i = -1; i < m->n_blocks; i++) l.width = max64(l.width, model_width(m, i));
    l.positions = arena_take(&a, m->n_blocks, sizeof(void *));
    for (int64_t i = 0; i < m->n_blocks; i++) {
        void *p = arena_take(&a, m->blocks[i].positions ? b->T * m->blocks[i].in : 0,
                             l.k->lanes * l.k->size);
        if (l.positions) l.positions[i] = m->blocks[i].positions ? p : NULL;
    }
    l.grads = arena_take(&a, w->gradient ? shards * m->n_params : 0, m->size);
    l.by_t = arena_take(&a, shards * b->T, sizeof(double));
    l.sums = arena_take(&a, w->visitor ? shards * w->visitor->count : 0, sizeof(double));
    l.weights = arena_take(&a, 2 * b->T, sizeof(double));
    l.faults = arena_take(&a, shards, sizeof *l.faults);
    l.failed = arena_take(&a, shards * m->n_blocks, sizeof(int64_t));
    lay_out_worker(&one, m, b, &l, w);
    l.run = (panel_run){l.p.count, shards, a.used, one.used};
    return l;
}

static int64_t bytes_of(const mesaopt_model *m, const batch *b, const wanted *w)
{
    const layout l = lay_out(NULL, m, b, w);
    return panels_bytes(m->head.ctx, &l.run);
}

static mesaopt_status reserve(mesaopt_model *m, const batch *b, const wanted *w)
{
    const mesaopt_status status = model_check_length(m, b->T);
    if (status != MESAOPT_OK) return status;
    const int64_t bytes = bytes_of(m, b, w);
    if (bytes > m->memory.bytes) m->positions.T = 0;
    return panels_reserve(m->head.ctx, &m->memory, bytes, "model");
}

int64_t batch_bytes(const mesaopt_model *m, const batch *b, const wanted *w)
{
    return bytes_of(m, b, w);
}

mesaopt_status batch_plan(mesaopt_model *m, const batch *b, const wanted *w)
{
    return reserve(m, b, w);
}

/* Positions stand first in the workspace: passes of one length find those of the pass before,
 * unless blocks came between. */
static void fill_positions(mesaopt_model *m, int64_t T, const layout *l)
{
    filled *f = &m->positions;
    if (f->T == T && f->lanes == l->k->lanes && f->blocks == m->n_blocks) return;
    for (int64_t i = 0; i < m->n_blocks; i++)
        if (l->positions[i]) positions_fill(l->k, T, m->blocks[i].in, NULL, l->positions[i]);
    *f = (filled){kern_stopped(l->k) ? 0 : T, l->k->lanes, m->n_blocks};
}

/* ---- weights of steps ---- */

/* Is any weight not 1? */
static int is_weighted(const batch *b, const wanted *w)
{
    return !w->visitor && !b->drawn && (b->weights || (b->task && task_weighted(b->task)));
}

/* Of sequence i; returns its steps up to the last one that counts. */
static int64_t weights_of(const batch *b, int64_t i, double *row)
{
    if (!b->weights) return task_weights(b->task, b->stream, b->first + i, row);
    int64_t steps = 0;
    for (int64_t t = 0; t < b->T; t++)
        if ((row[t] = view_get(b->weights, (int64_t[]){i, t})) > 0) steps = t + 1;
    return steps;
}

/* Sums over sequences into l->weights; returns the sum of all. */
static double sum_weights(const batch *b, const wanted *w, const layout *l)
{
    const int weighted = is_weighted(b, w);
    double *by_t = l->weights, *row = by_t + b->T, sum = 0;
    for (int64_t t = 0; t < b->T; t++) by_t[t] = weighted ? 0 : (double)b->B;
    if (!weighted) return (double)b->B * (double)b->T;
    for (int64_t i = 0; i < b->B && !kern_stopped(l->k); i++)
        for (int64_t t = 0, steps = weights_of(b, i, row); t < steps; t++) by_t[t] += row[t];
    for (int64_t t = 0; t < b->T; t++) sum += by_t[t];
    return sum;
}

/* Weights of a panel, and the steps that any of its sequences takes. */
static void weigh(const job *j, worker *w, int64_t panel)
{
    const kern *k = j->l.k;
    const int64_t T = j->b->T, valid = panels_valid(&j->l.p, panel), first = panel * k->lanes;
    const int weighted = is_weighted(j->b, j->w);
    w->steps = weighted ? 0 : T;
    memset(w->weights, 0, (size_t)(T * k->lanes * k->size));
    for (int64_t t = 0; t < T; t++) w->row[t] = 1;
    for (int64_t l = 0; l < valid; l++) {
        if (weighted) w->steps = max64(w->steps, weights_of(j->b, first + l, w->row));
        panels_put_lane(k, T, l, w->row, w->weights);
    }
}

/* Tokens behind the last step of a sequence may be NaN, or of a size that nothing stands, and are
 * computed as long as others of the panel go on. */
static void clear_ends(const job *j, const worker *w, int64_t panel)
{
    const kern *k = j->l.k;
    const int64_t n = j->m->inputs, valid = panels_valid(&j->l.p, panel);
    for (int64_t l = 0; l < valid && is_weighted(j->b, j->w); l++) {
        const int64_t steps = weights_of(j->b, panel * k->lanes + l, w->row);
        for (int64_t i = steps * n; i < w->steps * n; i++)
            memset((char *)w->stream[0] + (i * k->lanes + l) * k->size, 0, (size_t)k->size);
    }
}

/* ---- panels ---- */

static slab steps_of_view(const mesaopt_view *v, int64_t steps)
{
    slab s = slab_of(v, "btd");
    s.rows = steps;
    return s;
}

static void load_view(const layout *l, const mesaopt_view *v, int64_t panel, int64_t steps,
                      void *to, int64_t rs)
{
    panels_load(&l->p, steps_of_view(v, steps), panel, (mat){to, rs, 1});
}

static void store_view(const layout *l, const mesaopt_view *v, int64_t panel, const void *from,
                       int64_t rs)
{
    panels_store(&l->p, slab_of(v, "btd"), panel, (mat){(void *)from, rs, 1});
}

/* Tokens into stream 0, targets (if any) into w->target; returns where the targets of t = 1 start.
 */
static const void *fill(const job *j, const worker *w, int64_t panel)
{
    const kern *k = j->l.k;
    const batch *b = j->b;
    if (b->drawn) {
        load_view(&j->l, b->drawn, panel, b->T + 1, w->target, j->m->outputs);
        tokens_panel(b->task, k, w->target, w->stream[0]);
        return NULL;
    }
    if (b->task) {
        task_panel(b->task, k, b->stream, b->first + panel * k->lanes,
                   panels_valid(&j->l.p, panel), w->task_scratch, w->target);
        tokens_panel(b->task, k, w->target, w->stream[0]);
        return kern_at(k, w->target, j->m->outputs);    /* raw observations, one time step on */
    }
    load_view(&j->l, b->tokens, panel, w->steps, w->stream[0], j->m->inputs);
    if (!b->targets) return NULL;
    load_view(&j->l, b->targets, panel, w->steps, w->target, j->m->outputs);
    return w->target;
}

/* The fault of a shard, unless it has one already; x [rows, cols]: what was given, or nothing. */
static void set_fault(const job *j, int64_t shard, int64_t panel, int64_t stage, int64_t rows,
                      int64_t cols, mat x)
{
    fault *f = &j->l.faults[shard];
    if (f->stage != NONE) return;
    f->stage = stage;
    if (!x.p) return;
    panels_find(j->l.k, panels_valid(&j->l.p, panel), rows, cols, x, f->at);
    f->at[0] += j->b->first + panel * j->l.k->lanes;
}

/* Targets of steps that are not scored may be anything. */
static void clear_unscored(const kern *k, int64_t T, int64_t n, const void *weights, void *target)
{
    for (int64_t i = 0; i < T * k->lanes; i++)
        for (int64_t c = 0; c < n && !(kern_real(k, weights, i) > 0); c++)
            kern_set_real(k, target, (i / k->lanes * n + c) * k->lanes + i % k->lanes, 0);
}

/* Of a panel in which something is not finite. */
static void find_fault(const job *j, const worker *w, int64_t shard, int64_t panel,
                       const void *target)
{
    const kern *k = j->l.k;
    const mesaopt_model *m = j->m;
    const int64_t lanes = k->lanes, T = w->steps;
    const mat tokens = {w->stream[0], m->inputs, 1}, targets = {(void *)target, m->outputs, 1};
    if (k->first_nonfinite(T * m->inputs * lanes, tokens.p) >= 0) {
        set_fault(j, shard, panel, TOKENS, T, m->inputs, tokens);
        return;
    }
    for (int64_t i = 0; i < depth(m, j->w); i++)
        if (k->first_nonfinite(T * m->blocks[i].out * lanes, w->stream[i + 1]) >= 0)
            set_fault(j, shard, panel, BLOCKS + i, 0, 0, (mat){NULL, 0, 0});
    if (target) clear_unscored(k, T, m->outputs, w->weights, targets.p);
    if (target && k->first_nonfinite(T * m->outputs * lanes, target) >= 0)
        set_fault(j, shard, panel, TARGETS, T, m->outputs, targets);
    set_fault(j, shard, panel, LOSS, 0, 0, (mat){NULL, 0, 0});
}

/* Gradient of the predictions, in the first `outputs` columns of d. */
static void start_backward(const job *j, const worker *w, int64_t panel, const void *target,
                           double *by_t)
{
    const kern *k = j->l.k;
    const int64_t T = w->steps, n = j->m->outputs, rs = model_width(j->m, j->m->n_blocks - 1);
    const void *pred = w->stream[j->m->n_blocks];
    if (differentiates(j->w) && rs > n) memset(w->d[0], 0, (size_t)(T * rs * k->lanes * k->size));
    if (j->w->dout)
        load_view(&j->l, j->w->dout, panel, T, w->d[0], rs);
    else if (target)
        k->squared_error(T, n, w->weights, pred, rs, target, n, 1 / j->weight, by_t,
                         differentiates(j->w) ? w->d[0] : NULL);
}

static pass pass_of(const job *j, const worker *w, int64_t shard, int64_t i)
{
    void *grads = j->w->gradient ? (char *)j->l.grads + shard * j->m->n_params * j->m->size : NULL;
    return (pass){.k = j->l.k,
                  .T = w->steps,
                  .params = j->m->params,
                  .backward = goes_back(j->w),
                  .grads = grads,
                  .positions = j->l.positions[i],
                  .scratch = w->scratch,
                  .product_scratch = w->product_scratch,
                  .failed = j->l.failed + shard * j->m->n_blocks + i};
}

/* Is all that the caller gets of a panel's forward pass finite? */
static int forward_is_finite(const job *j, const worker *w, const double *by_t)
{
    const mesaopt_model *m = j->m;
    const int64_t T = w->steps, last = m->n_blocks - 1;
    double sum = 0;
    int finite = 1;
    for (int64_t t = 0; t < T; t++) sum += by_t[t];
    if (j->w->out || j->w->dout)
        finite = panels_finite(j->l.k, T, m->outputs,
                               (mat){w->stream[last + 1], model_width(m, last), 1});
    for (int64_t i = 0; i < j->w->count; i++) {
        const int64_t b = j->w->blocks[i], width = model_width(m, b);
        finite = finite && panels_finite(j->l.k, T, width, (mat){w->stream[b + 1], width, 1});
    }
    return finite && isfinite(sum);
}

/* From the gradient of the output of block `last`, in d[0], to that of the tokens, which is
 * returned (left unfinished unless want_dx). */
static void *go_back(const job *j, const worker *w, int64_t shard, int64_t last, int want_dx)
{
    const mesaopt_model *m = j->m;
    void *dy = w->d[0], *spare = w->d[1];
    for (int64_t i = last; i >= 0 && !kern_stopped(j->l.k); i--) {
        const pass p = pass_of(j, w, shard, i);
        void *dx = m->blocks[i].kind->backward(&m->blocks[i], &p, w->stream[i], w->stream[i + 1],
                                               w->stash[i], dy, spare, i > 0 || want_dx);
        if (dx == spare) spare = dy, dy = dx;
    }
    return dy;
}

struct visit { const job *j; const worker *w; int64_t shard; };

pass visit_pass(const visited *v, int64_t block)
{
    return pass_of(v->visit->j, v->visit->w, v->visit->shard, block);
}
void *visit_gradient(const visited *v) { return v->visit->w->d[0]; }
const void *visit_back(const visited *v, int64_t block)
{
    return go_back(v->visit->j, v->visit->w, v->visit->shard, block, 1);
}

static void look(const job *j, const worker *w, int64_t shard, int64_t panel)
{
    const visitor *v = j->w->visitor;
    const struct visit visit = {j, w, shard};
    const visited seen = {j->m, j->l.k, j->b->T, panel * j->l.k->lanes,
                          panels_valid(&j->l.p, panel), w->stream, w->stash, w->visitor,
                          j->l.sums + shard * v->count, &visit};
    v->look(v, &seen);
}

static void run_forward(const job *j, const worker *w, int64_t shard, int64_t panel)
{
    const mesaopt_model *m = j->m;
    for (int64_t i = 0; i < depth(m, j->w) && !kern_stopped(j->l.k); i++) {
        const pass p = pass_of(j, w, shard, i);
        m->blocks[i].kind->forward(&m->blocks[i], &p, w->stream[i], w->stream[i + 1], w->stash[i]);
    }
    if (kern_stopped(j->l.k)) return;
    if (j->w->out)
        store_view(&j->l, j->w->out, panel, w->stream[m->n_blocks],
                   model_width(m, m->n_blocks - 1));
    for (int64_t i = 0; j->w->outs && i < j->w->count; i++)
        store_view(&j->l, &j->w->outs[i], panel, w->stream[j->w->blocks[i] + 1],
                   model_width(m, j->w->blocks[i]));
}

/* 0 behind the last step. */
static void store_token_gradient(const job *j, const worker *w, int64_t shard, int64_t panel,
                                 void *dx)
{
    const kern *k = j->l.k;
    const int64_t n = j->m->inputs, T = j->b->T;
    memset(kern_at(k, dx, w->steps * n), 0, (size_t)((T - w->steps) * n * k->lanes * k->size));
    store_view(&j->l, j->w->dtokens, panel, dx, n);
    if (!panels_finite(k, T, n, (mat){dx, n, 1}))
        set_fault(j, shard, panel, TOKEN_GRADIENT, 0, 0, (mat){NULL, 0, 0});
}

static void run_panel(const job *j, worker *w, int64_t shard, int64_t panel)
{
    const mesaopt_model *m = j->m;
    const kern *k = j->l.k;
    const int64_t T = j->b->T, last = m->n_blocks - 1;
    double *by_t = j->l.by_t + shard * T;
    for (int64_t i = 0; j->w->kept && i < j->w->count; i++) {
        const int64_t b = j->w->blocks[i];
        w->stream[b + 1] = (char *)j->w->kept[i] + panel * batch_kept(k, T, model_width(m, b));
    }
    weigh(j, w, panel);
    const void *target = fill(j, w, panel);
    clear_ends(j, w, panel);
    if (w->steps > 0) run_forward(j, w, shard, panel);
    if (kern_stopped(k)) return;
    start_backward(j, w, panel, target, by_t);
    if (!forward_is_finite(j, w, by_t)) {
        find_fault(j, w, shard, panel, target);
        return;
    }
    if (j->w->visitor) look(j, w, shard, panel);
    if (!differentiates(j->w)) return;
    const mat dout = {w->d[0], model_width(m, last), 1};
    if (j->w->dout && !panels_finite(k, T, m->outputs, dout))
        set_fault(j, shard, panel, DOUT, T, m->outputs, dout);
    void *dx = w->steps > 0 ? go_back(j, w, shard, last, j->w->dtokens != NULL) : w->d[0];
    if (j->w->dtokens) store_token_gradient(j, w, shard, panel, dx);
}

static void run_shard(void *data, arena a, int64_t shard, int64_t first, int64_t end)
{
    const job *j = data;
    const layout *l = &j->l;
    worker w = lay_out_worker(&a, j->m, j->b, l, j->w);
    if (j->w->gradient)
        memset((char *)l->grads + shard * j->m->n_params * j->m->size, 0,
               (size_t)(j->m->n_params * j->m->size));
    memset(l->by_t + shard * j->b->T, 0, (size_t)j->b->T * sizeof(double));
    if (j->w->visitor)
        memset(l->sums + shard * j->w->visitor->count, 0,
               (size_t)j->w->visitor->count * sizeof(double));
    l->faults[shard].stage = NONE;
    memset(l->failed + shard * j->m->n_blocks, 0, (size_t)j->m->n_blocks * sizeof(int64_t));
    for (int64_t p = first; p < end && !kern_stopped(l->k); p++) run_panel(j, &w, shard, p);
}

/* The gradients of all shards, into those of the first. */
static void sum_chunk(void *data, int64_t worker_id, int64_t i)
{
    (void)worker_id;
    const job *j = data;
    const int64_t first = i * SUM_CHUNK, left = j->m->n_params - first,
                  n = left < SUM_CHUNK ? left : SUM_CHUNK;
    char *parts = (char *)j->l.grads + first * j->m->size;
    j->l.k->sum_parts(n, j->l.run.shards, j->m->n_params, parts, parts);
}

mesaopt_status batch_check_task(const mesaopt_model *m, const mesaopt_task *task)
{
    const task_shape shape = task->shape;
    if (shape.width != m->inputs || shape.dim != m->outputs)
        return fail(m->head.ctx, MESAOPT_E_SHAPE,
                    "task: tokens of width %lld and targets of %lld, expected %lld and %lld, the "
                    "model's settings inputs and outputs",
                    (long long)shape.width, (long long)shape.dim, (long long)m->inputs,
                    (long long)m->outputs);
    return MESAOPT_OK;
}

mesaopt_status batch_pass(mesaopt_model *m, const batch *b, const wanted *w, const char *what)
{
    mesaopt_ctx *ctx = m->head.ctx;
    mesaopt_status status = reserve(m, b, w);
    if (status != MESAOPT_OK) return status;
    job j = {.m = m, .b = b, .w = w, .l = lay_out(m->memory.memory, m, b, w)};
    j.weight = sum_weights(b, w, &j.l);
    fill_positions(m, b->T, &j.l);
    status = panels_run(ctx, &j.l.run, &m->memory, run_shard, &j, what);
    if (status == MESAOPT_OK && w->gradient) {
        parallel_run(ctx, (m->n_params + SUM_CHUNK - 1) / SUM_CHUNK, sum_chunk, &j);
        status = ctx_stopped(ctx, what);
    }
    return status == MESAOPT_OK ? batch_result(&j, what) : status;
}
