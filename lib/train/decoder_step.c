/* A step of a decoder: tokens of all streams go through all blocks, panel by panel in parallel, and
 * in each a few tokens at a time; see decoder_impl.h. Lanes without a stream get tokens of 0, and
 * no state. */
#include "kern/finite.h"
#include "train/batch.h"
#include "train/decoder_impl.h"
#include <string.h>

/* What may be not finite: the tokens; BLOCKS + i: what block i gives out; STATES + i: what it
 * keeps. */
enum { NONE, TOKENS, BLOCKS, STATES = BLOCKS + MODEL_MOST_BLOCKS };

/* What all workers share. */
typedef struct results {
    int64_t *first;                /* [panels]: the first of these that is not finite .. */
    int64_t *bad;                  /* .. and whether that shows in what is given out, or kept */
    int64_t *at;                   /* [panels, 3]: of tokens, stream, token and feature */
    int64_t *failed;               /* [panels, blocks]: rows that missed their tolerance */
} results;

typedef struct worker {
    void *x[2];                    /* the stream before and after a block: piece x width */
    void *stash, *scratch, *product;
    void **positions;              /* [blocks], shared by blocks of a width; NULL: none */
    int64_t *steps;                /* [lanes], as the panel goes on */
    void *mask;                    /* an element: 1 in lanes that hold a stream */
} worker;

typedef struct job {
    mesaopt_decoder *d;
    const mesaopt_view *tokens, *out;
    int64_t L, depth;              /* tokens of a stream; blocks that run */
    results r;
} job;

static results take_results(arena *a, const mesaopt_decoder *d)
{
    return (results){arena_take(a, d->p.count, sizeof(int64_t)),
                     arena_take(a, d->p.count, sizeof(int64_t)),
                     arena_take(a, 3 * d->p.count, sizeof(int64_t)),
                     arena_take(a, d->p.count * d->model->n_blocks, sizeof(int64_t))};
}

/* The first block that wants positions of the width of block i, which wants some. */
static int64_t first_alike(const mesaopt_model *m, int64_t i)
{
    int64_t j = 0;
    while (!m->blocks[j].positions || m->blocks[j].in != m->blocks[i].in) j++;
    return j;
}

static worker take_worker(arena *a, const mesaopt_decoder *d)
{
    const mesaopt_model *m = d->model;
    const int64_t real = d->p.k->lanes * d->p.k->size;
    worker w = {.stash = NULL};
    int64_t width = m->inputs;
    for (int64_t i = 0; i < m->n_blocks; i++)
        if (m->blocks[i].out > width) width = m->blocks[i].out;
    for (int i = 0; i < 2; i++) w.x[i] = arena_take(a, d->piece * width, real);
    w.stash = arena_take(a, d->stash, 1);
    w.scratch = arena_take(a, d->scratch, 1);
    w.product = arena_take(a, kern_product_scratch(d->p.k), 1);
    w.steps = arena_take(a, d->p.k->lanes, sizeof(int64_t));
    w.mask = arena_take(a, 1, real);
    w.positions = arena_take(a, m->n_blocks, sizeof(void *));
    for (int64_t i = 0; i < m->n_blocks; i++) {
        const int64_t first = m->blocks[i].positions ? first_alike(m, i) : -1;
        void *p = first == i ? arena_take(a, d->piece * m->blocks[i].in, real) : NULL;
        if (w.positions) w.positions[i] = first == i || first < 0 ? p : w.positions[first];
    }
    return w;
}

panel_run decoder_run(const mesaopt_decoder *d)
{
    arena shared = {0}, one = {0};
    take_results(&shared, d);
    take_worker(&one, d);
    return (panel_run){d->p.count, d->p.count, shared.used, one.used};
}

/* ---- a panel ---- */

static slab piece_of(const mesaopt_view *v, int64_t t, int64_t n)
{
    slab s = slab_of(v, "btd");
    s.data += t * s.row * (v->dtype == MESAOPT_F32 ? 4 : 8);
    s.rows = n;
    return s;
}

static void suspect(const job *j, int64_t panel, int64_t stage, int finite)
{
    if (!finite && j->r.first[panel] == NONE) j->r.first[panel] = stage;
}

static void check_state(const job *j, int64_t panel, int64_t i, const void *state)
{
    const kern *k = j->d->p.k;
    const int64_t n = block_state(&j->d->model->blocks[i], k) * k->lanes;
    if (!state || finite_run(k, state, n)) return;
    suspect(j, panel, STATES + i, 0);
    j->r.bad[panel] = 1;
}

static int64_t most_of(const kern *k, const int64_t *steps)
{
    int64_t most = steps[0];
    for (int64_t l = 1; l < k->lanes; l++)
        if (steps[l] > most) most = steps[l];
    return most;
}

/* n tokens of the panel, in w->x[0], through all blocks; returns where the last one's output is.
 * `first`: they are the first of the step; `last`: what a state is after them, which is near now,
 * is kept. */
static void *run_blocks(const job *j, const worker *w, int64_t panel, int64_t n, int first,
                        int last)
{
    const mesaopt_decoder *d = j->d;
    const mesaopt_model *m = d->model;
    const kern *k = d->p.k;
    void *x = w->x[0], *y = w->x[1];
    arena a = decoder_kept(d, panel);
    for (int64_t i = 0; i < j->depth && !kern_stopped(k); i++) {
        const block *b = &m->blocks[i];
        const block_memory r = decoder_kept_take(&a, d, b);
        const history h = {.steps = w->steps,
                           .most = most_of(k, w->steps),
                           .before = r.state[first ? d->now : !d->now],
                           .after = r.state[!d->now],
                           .cache = r.cache,
                           .capacity = d->capacity};
        const pass p = {.k = k,
                        .T = n,
                        .params = m->params,
                        .positions = w->positions[i],
                        .scratch = w->scratch,
                        .product_scratch = w->product,
                        .failed = &j->r.failed[panel * m->n_blocks + i],
                        .history = &h};
        b->kind->forward(b, &p, x, y, w->stash);
        suspect(j, panel, BLOCKS + i, finite_run(k, y, n * b->out * k->lanes));
        if (last) check_state(j, panel, i, h.after);
        void *spare = x;
        x = y, y = spare;
    }
    return x;
}

static void suspect_tokens(const job *j, int64_t panel, int64_t t, int64_t n, mat x)
{
    const panels *p = &j->d->p;
    const int64_t inputs = j->d->model->inputs;
    int64_t *at = &j->r.at[3 * panel];
    const int finite = finite_run(p->k, x.p, n * inputs * p->k->lanes);
    if (!finite && j->r.first[panel] == NONE) {
        panels_find(p->k, panels_valid(p, panel), n, inputs, x, at);
        at[0] += panel * p->k->lanes, at[1] += t;
    }
    suspect(j, panel, TOKENS, finite);
}

/* Tokens t .. t + n - 1 of the step. */
static void run_piece(const job *j, const worker *w, int64_t panel, int64_t t, int64_t n)
{
    const mesaopt_decoder *d = j->d;
    const mesaopt_model *m = d->model;
    const kern *k = d->p.k;
    panels_load(&d->p, piece_of(j->tokens, t, n), panel, (mat){w->x[0], m->inputs, 1});
    suspect_tokens(j, panel, t, n, (mat){w->x[0], m->inputs, 1});
    for (int64_t i = 0; i < j->depth; i++)
        if (w->positions[i] && first_alike(m, i) == i)
            positions_fill(k, n, m->blocks[i].in, w->steps, w->positions[i]);
    const mat y = {run_blocks(j, w, panel, n, t == 0, t + n == j->L),
                   model_width(m, j->depth - 1), 1};
    for (int64_t l = 0; l < k->lanes; l++) w->steps[l] += n;
    if (!j->out) return;
    panels_store(&d->p, piece_of(j->out, t, n), panel, y);
    if (!panels_finite(k, n, m->outputs, y)) j->r.bad[panel] = 1;
}

/* Rows of a cache that the step wrote: those behind the lane that had fewest. */
static int cache_finite(const job *j, const worker *w, int64_t panel, mat rows, int64_t cols)
{
    const mesaopt_decoder *d = j->d;
    const kern *k = d->p.k;
    const int64_t *steps = d->steps + panel * k->lanes, end = most_of(k, w->steps);
    int64_t begin = steps[0];
    for (int64_t l = 1; l < k->lanes; l++)
        if (steps[l] < begin) begin = steps[l];
    return finite_run(k, kern_at(k, rows.p, begin * cols), (end - begin) * cols * k->lanes);
}

/* Lanes without a stream keep nothing; and what a cache keeps is finite. */
static void finish_panel(const job *j, const worker *w, int64_t panel)
{
    const mesaopt_decoder *d = j->d;
    const kern *k = d->p.k;
    const int64_t valid = panels_valid(&d->p, panel);
    arena a = decoder_kept(d, panel);
    for (int64_t l = 0; l < k->lanes; l++) kern_set_real(k, w->mask, l, l < valid);
    for (int64_t i = 0; i < d->model->n_blocks && !kern_stopped(k); i++) {
        const block *b = &d->model->blocks[i];
        const block_memory r = decoder_kept_take(&a, d, b);
        void *state = r.state[!d->now];
        const int64_t numbers = block_state(b, k);
        int finite = 1;
        if (state && valid < k->lanes)
            k->row_scale(1, numbers, w->mask, 1, state, numbers, state, numbers);
        for (int64_t h = 0; r.cache && h < b->cache.heads; h++)
            finite = finite &&
                     cache_finite(j, w, panel, cache_keys(b, k, r.cache, d->capacity, h),
                                  b->cache.key) &&
                     cache_finite(j, w, panel, cache_values(b, k, r.cache, d->capacity, h),
                                  b->cache.value);
        suspect(j, panel, STATES + i, finite);
        if (!finite) j->r.bad[panel] = 1;
    }
}

static void run_panel(void *data, arena a, int64_t shard, int64_t panel, int64_t end)
{
    (void)shard, (void)end;
    const job *j = data;
    const mesaopt_decoder *d = j->d;
    const kern *k = d->p.k;
    const worker w = take_worker(&a, d);
    memcpy(w.steps, d->steps + panel * k->lanes, (size_t)k->lanes * sizeof *w.steps);
    for (int64_t t = 0, n; t < j->L && !kern_stopped(k); t += n) {
        n = j->L - t < d->piece ? j->L - t : d->piece;
        run_piece(j, &w, panel, t, n);
    }
    finish_panel(j, &w, panel);
}

/* ---- the whole step ---- */

static mesaopt_status check_finite(const job *j)
{
    mesaopt_ctx *ctx = j->d->head.ctx;
    for (int64_t i = 0; i < j->d->p.count; i++) {
        const long long first = j->r.first[i];
        if (!j->r.bad[i]) continue;
        if (first == TOKENS)
            return fail(ctx, MESAOPT_E_NONFINITE, "step: the tokens are not finite at %s",
                        view_list(3, &j->r.at[3 * i]).text);
        if (first >= STATES)
            return fail(ctx, MESAOPT_E_NONFINITE, "step: the state of block %lld is not finite",
                        first - STATES);
        return fail(ctx, MESAOPT_E_NONFINITE, "step: the output of block %lld is not finite",
                    first - BLOCKS);
    }
    return MESAOPT_OK;
}

/* Rows of a cache that nobody is to see: they have to be finite. */
static void clear_rows(const mesaopt_decoder *d, int64_t panel, int64_t L, int64_t cols, mat rows)
{
    const kern *k = d->p.k;
    const int64_t *steps = d->steps + panel * k->lanes;
    for (int64_t l = 0; l < k->lanes; l++)
        for (int64_t i = steps[l] * cols; i < (steps[l] + L) * cols; i++)
            kern_set_real(k, kern_at(k, rows.p, i), l, 0);
}

static void undo(const job *j)
{
    const mesaopt_decoder *d = j->d;
    const kern *k = d->p.k;
    for (int64_t panel = 0; panel < d->p.count; panel++) {
        arena a = decoder_kept(d, panel);
        for (int64_t i = 0; i < d->model->n_blocks; i++) {
            const block *b = &d->model->blocks[i];
            const block_memory r = decoder_kept_take(&a, d, b);
            for (int64_t h = 0; h < b->cache.heads; h++) {
                clear_rows(d, panel, j->L, b->cache.key,
                           cache_keys(b, k, r.cache, d->capacity, h));
                clear_rows(d, panel, j->L, b->cache.value,
                           cache_values(b, k, r.cache, d->capacity, h));
            }
        }
    }
}

static mesaopt_status check_room(const mesaopt_decoder *d, int64_t L)
{
    for (int64_t s = 0; s < d->streams; s++)
        if (L > d->most - d->steps[s])
            return fail(d->head.ctx, MESAOPT_E_STATE,
                        "decoder: stream %lld has had %lld tokens, and %lld more, expected at most "
                        "%lld in all (capacity, longest, positions)",
                        (long long)s, (long long)d->steps[s], (long long)L, (long long)d->most);
    return MESAOPT_OK;
}

/* Blocks up to the last one that has to run. */
static int64_t depth(const mesaopt_model *m, int gives_out)
{
    int64_t n = m->n_blocks;
    while (!gives_out && n > 0 && m->blocks[n - 1].state == 0 && m->blocks[n - 1].cache.heads == 0)
        n--;
    return n;
}

mesaopt_status decoder_step(mesaopt_decoder *d, const mesaopt_view *tokens,
                            const mesaopt_view *out)
{
    const mesaopt_model *m = d->model;
    arena shared = {panels_shared(&d->memory), 0};
    const job j = {.d = d,
                   .tokens = tokens,
                   .out = out,
                   .L = tokens->shape[1],
                   .depth = depth(m, out != NULL),
                   .r = take_results(&shared, d)};
    mesaopt_status status = check_room(d, j.L);
    if (status != MESAOPT_OK || j.L == 0) return status;
    memset(j.r.first, 0, (size_t)d->p.count * sizeof(int64_t));
    memset(j.r.bad, 0, (size_t)d->p.count * sizeof(int64_t));
    memset(j.r.failed, 0, (size_t)(d->p.count * m->n_blocks) * sizeof(int64_t));
    status = panels_run(d->head.ctx, &d->run, &d->memory, run_panel, (void *)&j, "step");
    if (status == MESAOPT_OK) status = check_finite(&j);
    if (status != MESAOPT_OK) {
        undo(&j);
        return status;
    }
    d->now = !d->now;
    for (int64_t i = 0; i < d->p.count * d->p.k->lanes; i++) d->steps[i] += j.L;
    return batch_tell_failed(m, d->p.count, j.r.failed, "step");
}
