/* A pass of a model over a batch; see batch.h. */
#include "train/batch.h"
#include "base/pool.h"
#include <math.h>
#include <string.h>

enum { MAX_SHARDS = 16, SHARD_MEMORY = 1 << 26, SUM_CHUNK = 1 << 14 };

/* Layout of the workspace: shared pieces, then one per worker. Made once per pass from shapes alone. */
typedef struct layout {
    const kern *k;
    int64_t panels, shards, workers, width;    /* width: widest stream */
    void *grads;                               /* shards x n_params */
    double *by_t;                              /* shards x T */
    int64_t *bad;                              /* shards: first stage that is not finite, or -1 */
    void **positions;                          /* per block, or NULL */
    char *worker;                              /* workers x worker_bytes */
    int64_t worker_bytes, bytes;
} layout;

typedef struct worker {
    void **stream, **stash;                    /* n_blocks + 1, n_blocks */
    void *target, *d[2], *scratch, *product_scratch, *task_scratch;
} worker;

typedef struct job { mesaopt_model *m; const batch *b; const wanted *w; layout l; } job;

static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }

static worker lay_out_worker(arena *a, const mesaopt_model *m, const batch *b, const layout *l, int gradient)
{
    const kern *k = l->k;
    const int64_t real = k->lanes * k->size, T = b->T;
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
        if (gradient) scratch = max64(scratch, kind->scratch(&m->blocks[i], k, T, 1));
    }
    w.target = arena_take(a, (T + 1) * max64(m->outputs, 1), real);
    for (int i = 0; i < 2; i++) w.d[i] = arena_take(a, gradient ? T * l->width : 0, real);
    w.scratch = arena_take(a, scratch, 1);
    w.product_scratch = arena_take(a, kern_product_scratch(k), 1);
    w.task_scratch = arena_take(a, b->task ? task_scratch(b->task, k) : 0, 1);
    return w;
}

static layout lay_out(void *base, const mesaopt_model *m, const batch *b, int gradient)
{
    layout l = {.k = model_kern(m, b->B, b->T), .workers = m->head.ctx->threads};
    arena a = {base, 0}, one = {0};
    l.panels = (b->B + l.k->lanes - 1) / l.k->lanes;
    const int64_t room = max64(1, SHARD_MEMORY / max64(1, m->n_params * m->size));
    l.shards = l.panels < MAX_SHARDS ? max64(1, l.panels) : MAX_SHARDS;
    if (gradient && l.shards > room) l.shards = room;
    if (l.workers > l.shards) l.workers = l.shards;
    for (int64_t i = -1; i < m->n_blocks; i++) l.width = max64(l.width, model_width(m, i));
    l.positions = arena_take(&a, m->n_blocks, sizeof(void *));
    for (int64_t i = 0; i < m->n_blocks; i++) {
        void *p = arena_take(&a, m->blocks[i].positions ? b->T * m->blocks[i].in : 0, l.k->lanes * l.k->size);
        if (l.positions) l.positions[i] = m->blocks[i].positions ? p : NULL;
    }
    l.grads = arena_take(&a, gradient ? l.shards * m->n_params : 0, m->size);
    l.by_t = arena_take(&a, l.shards * b->T, sizeof(double));
    l.bad = arena_take(&a, l.shards, sizeof(int64_t));
    lay_out_worker(&one, m, b, &l, gradient);
    l.worker_bytes = one.used;
    l.worker = arena_take(&a, l.workers, max64(l.worker_bytes, 0));
    l.bytes = one.used < 0 ? -1 : a.used;
    return l;
}

int64_t batch_bytes(const mesaopt_model *m, const batch *b, int gradient) { return lay_out(NULL, m, b, gradient).bytes; }

mesaopt_status batch_plan(mesaopt_model *m, const batch *b, int gradient)
{
    workspace *w = &m->work;
    const allocator *alloc = &m->head.ctx->alloc;
    const int64_t bytes = batch_bytes(m, b, gradient);
    if (bytes >= 0 && bytes <= w->bytes) return MESAOPT_OK;
    void *memory = bytes < 0 ? NULL : alloc_new(alloc, 1, bytes);
    if (!memory)
        return fail(m->head.ctx, MESAOPT_E_MEMORY, "workspace: no memory for %lld bytes (batch %lld, length %lld)", (long long)bytes, (long long)b->B, (long long)b->T);
    alloc_free(alloc, w->memory);
    *w = (workspace){.memory = memory, .bytes = bytes};
    return MESAOPT_OK;
}

/* Positions stand first in the workspace: passes of one length find those of the pass before, unless blocks came between. */
static void fill_positions(mesaopt_model *m, int64_t T, const layout *l)
{
    workspace *w = &m->work;
    if (w->T == T && w->lanes == l->k->lanes && w->blocks == m->n_blocks) return;
    for (int64_t i = 0; i < m->n_blocks; i++)
        if (l->positions[i]) positions_fill(l->k, T, m->blocks[i].in, l->positions[i]);
    w->T = T, w->lanes = l->k->lanes, w->blocks = m->n_blocks;
}

static void load_view(const kern *k, const mesaopt_view *v, int64_t first, int64_t valid, void *panel)
{
    const char *x = (const char *)v->data + first * v->stride[0] * k->size;
    k->load(v->shape[1], v->shape[2], valid, x, v->stride[0], v->stride[1], v->stride[2], panel, v->shape[2]);
}

static void store_view(const kern *k, const mesaopt_view *v, int64_t first, int64_t valid, const void *panel, int64_t rs)
{
    char *x = (char *)v->data + first * v->stride[0] * k->size;
    k->store(v->shape[1], v->shape[2], valid, panel, rs, x, v->stride[0], v->stride[1], v->stride[2]);
}

/* Tokens into stream 0, targets (if any) into w->target; returns where the targets of t = 1 start. */
static const void *fill(const job *j, const worker *w, int64_t first, int64_t valid)
{
    const kern *k = j->l.k;
    const batch *b = j->b;
    if (b->task) {
        task_panel(b->task, k, b->stream, b->first + first, valid, w->task_scratch, w->target);
        tokens_panel(b->task, k, w->target, w->stream[0]);
        return kern_at(k, w->target, j->m->outputs);               /* raw observations, one time step on */
    }
    load_view(k, b->tokens, first, valid, w->stream[0]);
    if (!b->targets) return NULL;
    load_view(k, b->targets, first, valid, w->target);
    return w->target;
}

/* First stage of a panel that is not finite: 0 tokens, 1 targets, 2 + i stream after block i; -1: all are finite. */
static int64_t find_bad(const job *j, const worker *w, const void *target)
{
    const kern *k = j->l.k;
    const int64_t lanes = k->lanes, T = j->b->T;
    if (k->first_nonfinite(T * j->m->inputs * lanes, w->stream[0]) >= 0) return 0;
    if (target && k->first_nonfinite(T * j->m->outputs * lanes, target) >= 0) return 1;
    for (int64_t i = 0; i < j->m->n_blocks; i++)
        if (k->first_nonfinite(T * j->m->blocks[i].out * lanes, w->stream[i + 1]) >= 0) return 2 + i;
    return -1;
}

/* Gradient of the predictions, in the first `outputs` columns of d. */
static void start_backward(const job *j, const worker *w, int64_t first, int64_t valid, const void *target, double *by_t)
{
    const kern *k = j->l.k;
    const int64_t T = j->b->T, n = j->m->outputs, rs = model_width(j->m, j->m->n_blocks - 1);
    const void *pred = w->stream[j->m->n_blocks];
    if (j->w->gradient && rs > n) memset(w->d[0], 0, (size_t)(T * rs * k->lanes * k->size));
    if (j->w->dout) {
        const mesaopt_view *v = j->w->dout;
        k->load(T, n, valid, (const char *)v->data + first * v->stride[0] * k->size, v->stride[0], v->stride[1], v->stride[2], w->d[0], rs);
    } else if (target)
        k->squared_error(T, n, valid, pred, rs, target, n, 1 / ((double)j->b->B * (double)T), by_t, j->w->gradient ? w->d[0] : NULL);
}

static pass pass_of(const job *j, const worker *w, int64_t shard, int64_t i)
{
    void *grads = j->w->gradient ? (char *)j->l.grads + shard * j->m->n_params * j->m->size : NULL;
    return (pass){j->l.k, j->b->T, j->m->params, grads, j->l.positions[i], w->scratch, w->product_scratch};
}

static void run_panel(const job *j, const worker *w, int64_t shard, int64_t panel)
{
    const mesaopt_model *m = j->m;
    const kern *k = j->l.k;
    const int64_t first = panel * k->lanes, left = j->b->B - first, valid = left < k->lanes ? left : k->lanes, T = j->b->T;
    double *by_t = j->l.by_t + shard * T;
    const void *target = fill(j, w, first, valid);
    for (int64_t i = 0; i < m->n_blocks; i++) {
        const pass p = pass_of(j, w, shard, i);
        m->blocks[i].kind->forward(&m->blocks[i], &p, w->stream[i], w->stream[i + 1], w->stash[i]);
    }
    if (j->w->out) store_view(k, j->w->out, first, valid, w->stream[m->n_blocks], model_width(m, m->n_blocks - 1));
    for (int64_t i = 0; i < j->w->count; i++)
        store_view(k, &j->w->outs[i], first, valid, w->stream[j->w->blocks[i] + 1], model_width(m, j->w->blocks[i]));
    start_backward(j, w, first, valid, target, by_t);
    double sum = 0;
    for (int64_t t = 0; t < T; t++) sum += by_t[t];
    if (!isfinite(sum)) {
        if (j->l.bad[shard] < 0) j->l.bad[shard] = find_bad(j, w, target);
        return;
    }
    if (!j->w->gradient) return;
    void *dy = w->d[0], *spare = w->d[1];
    for (int64_t i = m->n_blocks - 1; i >= 0; i--) {
        const pass p = pass_of(j, w, shard, i);
        void *dx = m->blocks[i].kind->backward(&m->blocks[i], &p, w->stream[i], w->stream[i + 1], w->stash[i], dy, spare, i > 0 || j->w->dtokens != NULL);
        if (dx == spare) spare = dy, dy = dx;
    }
    if (j->w->dtokens) store_view(k, j->w->dtokens, first, valid, dy, m->inputs);
}

static void run_shard(void *data, int64_t worker_id, int64_t shard)
{
    const job *j = data;
    const layout *l = &j->l;
    arena a = {l->worker + worker_id * l->worker_bytes, 0};
    const worker w = lay_out_worker(&a, j->m, j->b, l, j->w->gradient);
    if (j->w->gradient) memset((char *)l->grads + shard * j->m->n_params * j->m->size, 0, (size_t)(j->m->n_params * j->m->size));
    memset(l->by_t + shard * j->b->T, 0, (size_t)j->b->T * sizeof(double));
    l->bad[shard] = -1;
    for (int64_t p = l->panels * shard / l->shards; p < l->panels * (shard + 1) / l->shards && !ctx_interrupted(j->m->head.ctx); p++)
        run_panel(j, &w, shard, p);
}

static void sum_chunk(void *data, int64_t worker_id, int64_t i)
{
    (void)worker_id;
    const job *j = data;
    const int64_t first = i * SUM_CHUNK, left = j->m->n_params - first, n = left < SUM_CHUNK ? left : SUM_CHUNK;
    j->l.k->sum_parts(n, j->l.shards, j->m->n_params, (char *)j->l.grads + first * j->m->size, (char *)j->m->grads + first * j->m->size);
}

static mesaopt_status check_finite(const job *j, const char *what)
{
    const mesaopt_model *m = j->m;
    mesaopt_ctx *ctx = m->head.ctx;
    for (int64_t s = 0; s < j->l.shards; s++) {
        double sum = 0;
        for (int64_t t = 0; t < j->b->T; t++) sum += j->l.by_t[s * j->b->T + t];
        if (isfinite(sum)) continue;
        const int64_t bad = j->l.bad[s];
        if (bad >= 2) return fail(ctx, MESAOPT_E_NONFINITE, "%s: the output of block %lld is not finite", what, (long long)(bad - 2));
        return fail(ctx, MESAOPT_E_NONFINITE, "%s: %s not finite", what, bad == 0 ? "the tokens are" : bad == 1 ? "the targets are" : "the loss is");
    }
    if (!j->w->gradient) return MESAOPT_OK;
    const int64_t at = j->l.k->first_nonfinite(m->n_params, m->grads);
    if (at < 0) return MESAOPT_OK;
    int64_t i = 0;
    while (i + 1 < m->n_table && m->table[i + 1].offset <= at) i++;
    return fail(ctx, MESAOPT_E_NONFINITE, "%s: the gradient of %s is not finite", what, m->table[i].name);
}

mesaopt_status batch_check_task(const mesaopt_model *m, const mesaopt_task *task)
{
    const task_shape shape = task->shape;
    if (shape.width != m->inputs || shape.dim != m->outputs)
        return fail(m->head.ctx, MESAOPT_E_SHAPE, "task: tokens of width %lld and targets of %lld, expected %lld and %lld",
                    (long long)shape.width, (long long)shape.dim, (long long)m->inputs, (long long)m->outputs);
    return MESAOPT_OK;
}

mesaopt_status batch_pass(mesaopt_model *m, const batch *b, const wanted *w, const char *what)
{
    mesaopt_ctx *ctx = m->head.ctx;
    mesaopt_status status = batch_plan(m, b, w->gradient);
    if (status != MESAOPT_OK) return status;
    job j = {m, b, w, lay_out(m->work.memory, m, b, w->gradient)};
    fill_positions(m, b->T, &j.l);
    parallel_run(ctx, j.l.shards, run_shard, &j);
    if (w->gradient) parallel_run(ctx, (m->n_params + SUM_CHUNK - 1) / SUM_CHUNK, sum_chunk, &j);
    if (ctx_interrupted(ctx)) {                        /* either loop may have left items out */
        ctx_interrupt_taken(ctx);
        return fail(ctx, MESAOPT_E_INTERRUPTED, "%s: interrupted", what);
    }
    if (w->by_t || w->gradient) status = check_finite(&j, what);
    if (w->by_t && status == MESAOPT_OK)
        for (int64_t s = 0; s < j.l.shards; s++)
            for (int64_t t = 0; t < b->T; t++) w->by_t[t] += j.l.by_t[s * b->T + t];
    return status;
}
