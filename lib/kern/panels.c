/* See panels.h. */
#include "kern/panels.h"
#include "base/pool.h"
#include "kern/finite.h"
#include <math.h>

enum { LONG = 1024 };

const kern *panels_kern(const mesaopt_ctx *ctx, int32_t dtype, int64_t setting, int64_t sequences,
                        int64_t T, int wide)
{
    const kern *k = kern_get(ctx, dtype, 0);
    const int one =
        setting == 1 || (setting == 0 && (2 * sequences <= k->width || T > LONG || wide));
    return one ? kern_get(ctx, dtype, 1) : k;
}

static int64_t per_row(const panels *p) { return (p->extent + p->k->lanes - 1) / p->k->lanes; }

panels panels_plan(const mesaopt_ctx *ctx, int32_t dtype, int64_t setting, int64_t B, int64_t H,
                   int64_t T, int wide)
{
    panels p = {.along = H > B, .extent = H > B ? H : B, .others = H > B ? B : H};
    p.k = panels_kern(ctx, dtype, setting, p.extent, T, wide);
    p.count = per_row(&p) * p.others;
    return p;
}

slab slab_of(const mesaopt_view *v, const char *axes)
{
    slab s = {.data = v->data, .rows = 1, .cols = 1, .col = 1};
    for (int i = 0; axes[i]; i++)
        if (axes[i] == 'b' || axes[i] == 'n') s.stride[0] = v->stride[i];
        else if (axes[i] == 'h') s.stride[1] = v->stride[i];
        else if (axes[i] == 't' || axes[i + 1]) s.rows = v->shape[i], s.row = v->stride[i];
        else s.cols = v->shape[i], s.col = v->stride[i];
    return s;
}

int64_t panels_valid(const panels *p, int64_t panel)
{
    const int64_t left = p->extent - panel % per_row(p) * p->k->lanes;
    return left < p->k->lanes ? left : p->k->lanes;
}

void panels_holds(const panels *p, int64_t panel, int64_t *sequence, int64_t *head)
{
    const int64_t per = per_row(p), first = panel % per * p->k->lanes, other = panel / per;
    *sequence = p->along ? other : first, *head = p->along ? first : other;
}

char *panels_first(const panels *p, slab s, int64_t panel)
{
    int64_t sequence, head;
    panels_holds(p, panel, &sequence, &head);
    return s.data + (sequence * s.stride[0] + head * s.stride[1]) * p->k->size;
}

void panels_load(const panels *p, slab s, int64_t panel, mat to)
{
    p->k->load(p->k, s.rows, s.cols, panels_valid(p, panel), panels_first(p, s, panel),
               s.stride[p->along], s.row, s.col, to.p, to.rs);
}

void panels_store(const panels *p, slab s, int64_t panel, mat from)
{
    p->k->store(p->k, s.rows, s.cols, panels_valid(p, panel), from.p, from.rs,
                panels_first(p, s, panel), s.stride[p->along], s.row, s.col);
}

void panels_put_lane(const kern *k, int64_t T, int64_t lane, const double *from, void *panel)
{
    for (int64_t t = 0; t < T; t++)
        if (k->dtype == MESAOPT_F32) ((float *)panel)[t * k->lanes + lane] = (float)from[t];
        else ((double *)panel)[t * k->lanes + lane] = from[t];
}

int panels_finite(const kern *k, int64_t rows, int64_t cols, mat m)
{
    if (rows == 1 || m.rs == cols) return finite_run(k, m.p, rows * cols * k->lanes);
    for (int64_t t = 0; t < rows && !kern_stopped(k); t++)
        if (!finite_run(k, kern_at(k, m.p, t * m.rs), cols * k->lanes)) return 0;
    return 1;
}

void panels_find(const kern *k, int64_t lanes, int64_t rows, int64_t cols, mat m, int64_t at[3])
{
    int64_t i = 0;
    while (i < lanes * rows * cols) {
        at[0] = i / (rows * cols), at[1] = i / cols % rows, at[2] = i % cols;
        i = isfinite(kern_real(k, m.p, (at[1] * m.rs + at[2]) * k->lanes + at[0]))
                ? i + 1
                : INT64_MAX;
    }
}

/* ---- workers ---- */

static int64_t workers(const mesaopt_ctx *ctx, const panel_run *r)
{
    return r->shards < ctx->threads ? r->shards : ctx->threads;
}

/* What is shared, and behind it what each worker has for itself. */
static int64_t lay_out(const mesaopt_ctx *ctx, const panel_run *r, void *memory, char **each)
{
    arena a = {memory, 0};
    arena_take(&a, r->shared, 1);
    *each = arena_take(&a, workers(ctx, r), r->worker);
    return a.used;
}

int64_t panels_bytes(const mesaopt_ctx *ctx, const panel_run *r)
{
    char *each;
    return lay_out(ctx, r, NULL, &each);
}

mesaopt_status panels_reserve(mesaopt_ctx *ctx, panel_memory *m, int64_t bytes, const char *what)
{
    if (bytes >= 0 && bytes <= m->bytes) return MESAOPT_OK;
    void *memory = bytes < 0 ? NULL : alloc_new(&ctx->alloc, 1, bytes);
    if (!memory)
        return fail(ctx, MESAOPT_E_MEMORY, "%s: no memory for a workspace of %lld bytes", what,
                    (long long)bytes);
    alloc_free(&ctx->alloc, m->memory);
    *m = (panel_memory){memory, bytes};
    return MESAOPT_OK;
}

void *panels_shared(const panel_memory *m) { return (char *)m->memory + GAP_BYTES; }

typedef struct running {
    const panel_run *r;
    char *workers;
    panel_body body;
    void *job;
} running;

/* Of all panels, those in front of a shard; their number times it may overflow. */
static int64_t before(const panel_run *r, int64_t shard)
{
    return r->panels / r->shards * shard + r->panels % r->shards * shard / r->shards;
}

static void run_shard(void *data, int64_t worker, int64_t shard)
{
    const running *j = data;
    const panel_run *r = j->r;
    j->body(j->job, (arena){j->workers + worker * r->worker, 0}, shard, before(r, shard),
            before(r, shard + 1));
}

mesaopt_status panels_run(mesaopt_ctx *ctx, const panel_run *r, const panel_memory *m,
                          panel_body body, void *job, const char *what)
{
    running j = {r, NULL, body, job};
    lay_out(ctx, r, m->memory, &j.workers);
    parallel_run(ctx, r->shards, run_shard, &j);
    return ctx_stopped(ctx, what);
}
