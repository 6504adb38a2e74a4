/* Decoders: what they keep, and where it lies; see decoder_impl.h. */
#include "train/decoder_impl.h"
#include <string.h>

enum { PIECE = 64 };

static int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

static void destroy(object *o)
{
    mesaopt_decoder *d = (mesaopt_decoder *)o;
    const allocator *a = &o->ctx->alloc;
    alloc_free(a, d->steps);
    alloc_free(a, d->kept);
    alloc_free(a, d->memory.memory);
    notes_drop(a, &d->notes);
    atomic_fetch_sub(&d->model->decoders, 1);
    object_release(&d->model->head);
}

/* ---- creation ---- */

/* A stream ends where positions do, or the cache of a block. */
static void plan_capacity(mesaopt_decoder *d, const mesaopt_settings *settings)
{
    const mesaopt_model *m = d->model;
    int cached = 0;
    d->most = INT64_MAX;
    for (int64_t i = 0; i < m->n_blocks; i++) {
        if (m->blocks[i].longest > 0) d->most = min64(d->most, m->blocks[i].longest);
        if (m->blocks[i].positions) d->most = min64(d->most, POSITIONS_MOST);
        cached |= m->blocks[i].cache.heads > 0;
    }
    d->capacity = option_int(settings, MESAOPT_SCOPE_DECODER, MESAOPT_KEY_CAPACITY);
    d->capacity = min64(d->capacity, d->most);
    if (cached) d->most = d->capacity;
    d->piece = min64(PIECE, d->most);
}

/* A block may need more for fewer tokens than for many. */
static void plan_blocks(mesaopt_decoder *d)
{
    const kern *k = d->p.k;
    for (int64_t i = 0; i < d->model->n_blocks; i++) {
        const block *b = &d->model->blocks[i];
        for (int64_t T = 1; T <= d->piece; T++) {
            const int64_t rows = b->cache.heads > 0 ? d->capacity : T;
            if (b->kind->stash) d->stash = max64(d->stash, b->kind->stash(b, k, T));
            if (b->kind->scratch) d->scratch = max64(d->scratch, b->kind->scratch(b, k, rows, 0));
        }
    }
}

/* Everything but memory. */
static void plan(mesaopt_decoder *d, const mesaopt_settings *settings)
{
    arena panel = {0};
    d->streams = option_int(settings, MESAOPT_SCOPE_DECODER, MESAOPT_KEY_STREAMS);
    d->p = model_panels(d->model, d->streams, 1);
    plan_capacity(d, settings);
    plan_blocks(d);
    for (int64_t i = 0; i < d->model->n_blocks; i++)
        decoder_kept_take(&panel, d, &d->model->blocks[i]);
    d->panel_bytes = panel.used;
    d->run = decoder_run(d);
}

/* -1: overflow */
static int64_t kept_bytes(const mesaopt_decoder *d)
{
    int64_t bytes;
    return d->panel_bytes >= 0 && size_mul(d->p.count, d->panel_bytes, &bytes) ? bytes : -1;
}

static mesaopt_status reserve(mesaopt_decoder *d)
{
    mesaopt_ctx *ctx = d->head.ctx;
    const int64_t bytes = kept_bytes(d);
    d->steps = alloc_new(&ctx->alloc, d->p.count * d->p.k->lanes, sizeof *d->steps);
    d->kept = bytes < 0 ? NULL : alloc_new(&ctx->alloc, 1, bytes);
    if (!d->steps || !d->kept)
        return fail(ctx, MESAOPT_E_MEMORY,
                    "streams, capacity: %lld, %lld, no memory for what they keep",
                    (long long)d->streams, (long long)d->capacity);
    return panels_reserve(ctx, &d->memory, panels_bytes(ctx, &d->run), "decoder");
}

mesaopt_status decoder_create(mesaopt_model *model, const mesaopt_settings *settings,
                              mesaopt_decoder **out)
{
    mesaopt_decoder *d = object_new(model->head.ctx, OBJECT_DECODER, sizeof *d, destroy);
    if (!d) return MESAOPT_E_MEMORY;
    d->model = model;
    object_retain(&model->head);
    atomic_fetch_add(&model->decoders, 1);
    plan(d, settings);
    const mesaopt_status status = reserve(d);
    if (status == MESAOPT_OK) *out = d;
    else object_release(&d->head);
    return status;
}

int64_t decoder_bytes(const mesaopt_model *model, const mesaopt_settings *settings)
{
    mesaopt_decoder d = {.head.ctx = model->head.ctx, .model = (mesaopt_model *)model};
    int64_t steps, bytes;
    plan(&d, settings);
    const int64_t kept = kept_bytes(&d), run = panels_bytes(model->head.ctx, &d.run);
    if (kept < 0 || run < 0 || !size_mul(d.p.count * d.p.k->lanes, sizeof *d.steps, &steps) ||
        !size_add(kept, run, &bytes) || !size_add(bytes, steps, &bytes))
        return -1;
    return bytes;
}

/* ---- streams ---- */

int64_t decoder_most_steps(const mesaopt_decoder *d)
{
    int64_t most = 0;
    for (int64_t s = 0; s < d->streams; s++) most = max64(most, d->steps[s]);
    return most;
}

void decoder_align(mesaopt_decoder *d)
{
    const int64_t lanes = d->p.k->lanes, end = d->p.count * lanes;
    for (int64_t s = d->streams; s < end; s++) d->steps[s] = d->steps[end - lanes];
}

/* A lane of n elements; -1: all. */
static void clear(const kern *k, int64_t n, int64_t lane, char *x)
{
    if (lane < 0) memset(x, 0, (size_t)(n * k->lanes * k->size));
    for (int64_t i = 0; lane >= 0 && i < n; i++)
        memset(x + (i * k->lanes + lane) * k->size, 0, (size_t)k->size);
}

static void reset_panel(mesaopt_decoder *d, int64_t panel, int64_t lane)
{
    arena a = decoder_kept(d, panel);
    for (int64_t i = 0; i < d->model->n_blocks; i++) {
        const block *b = &d->model->blocks[i];
        const block_memory r = decoder_kept_take(&a, d, b);
        if (r.state[0]) clear(d->p.k, block_state(b, d->p.k), lane, r.state[d->now]);
    }
}

void decoder_reset(mesaopt_decoder *d, int64_t stream)
{
    const int64_t lanes = d->p.k->lanes;
    if (stream >= 0) reset_panel(d, stream / lanes, stream % lanes);
    for (int64_t i = 0; stream < 0 && i < d->p.count; i++) reset_panel(d, i, -1);
    for (int64_t s = 0; s < d->streams; s++)
        if (stream < 0 || s == stream) d->steps[s] = 0;
    decoder_align(d);
}

/* The first `rows` rows of a cache, which may be of another capacity. */
static void copy_cache(const mesaopt_decoder *d, const mesaopt_decoder *from, const block *b,
                       int64_t rows, void *to, const void *cache)
{
    const kern *k = d->p.k;
    const size_t real = (size_t)(rows * k->lanes * k->size);
    for (int64_t i = 0; i < b->cache.heads; i++) {
        memcpy(cache_keys(b, k, to, d->capacity, i).p,
               cache_keys(b, k, cache, from->capacity, i).p, real * (size_t)b->cache.key);
        memcpy(cache_values(b, k, to, d->capacity, i).p,
               cache_values(b, k, cache, from->capacity, i).p, real * (size_t)b->cache.value);
    }
}

void decoder_copy(mesaopt_decoder *d, const mesaopt_decoder *from)
{
    const kern *k = d->p.k;
    const int64_t rows = decoder_most_steps(from);
    for (int64_t panel = 0; panel < d->p.count; panel++) {
        arena a = decoder_kept(d, panel), f = decoder_kept(from, panel);
        for (int64_t i = 0; i < d->model->n_blocks; i++) {
            const block *b = &d->model->blocks[i];
            const block_memory to = decoder_kept_take(&a, d, b),
                               of = decoder_kept_take(&f, from, b);
            const size_t state = (size_t)(block_state(b, k) * k->lanes * k->size);
            if (to.state[0]) memcpy(to.state[d->now], of.state[from->now], state);
            if (to.cache) copy_cache(d, from, b, rows, to.cache, of.cache);
        }
    }
    memcpy(d->steps, from->steps, (size_t)(d->p.count * k->lanes) * sizeof *d->steps);
}
