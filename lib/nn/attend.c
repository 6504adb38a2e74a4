/* Attention of a whole batch of heads on strided views. Heads are sequences like any other: a panel
 * takes as many of them as there are lanes, along the batch or along the heads, whichever is
 * longer; few long ones go one by one. */
#include "nn/attend.h"
#include "base/pool.h"
#include "kern/finite.h"
#include <math.h>

typedef struct plan {
    const kern *k;
    head h;
    int along;                     /* axis of the views that lanes run along: 0 batch, 2 heads */
    int64_t extent, others;        /* of that axis, of the other */
    int64_t panels, workers, worker_bytes;
} plan;

/* o: the output, or its gradient */
typedef struct work { mat q, k, v, o, dq, dk, dv; void *core, *product; } work;
typedef struct job {
    const mesaopt_attn *a;
    const attend_views *v;
    plan p;
    char *memory;
    _Atomic int bad;               /* something that was stored is not finite */
} job;

static mat take(arena *a, const plan *p, int64_t cols)
{
    return (mat){arena_take(a, p->h.T * cols, p->k->lanes * p->k->size), cols, 1};
}

static work lay_out(arena *a, const mesaopt_attn *attn, const plan *p, int backward)
{
    work w = {take(a, p, p->h.d),
              take(a, p, p->h.d),
              take(a, p, p->h.dv),
              take(a, p, p->h.dv),
              {0},
              {0},
              {0},
              NULL,
              NULL};
    if (backward) w.dq = take(a, p, p->h.d), w.dk = take(a, p, p->h.d), w.dv = take(a, p, p->h.dv);
    w.core = arena_take(a, attn->kind->scratch(p->k, &p->h, backward), 1);
    w.product = arena_take(a, kern_product_scratch(p->k), 1);
    return w;
}

static plan plan_of(const mesaopt_attn *a, const attend_shape *s, int backward)
{
    const kern *wide = kern_get(a->head.ctx, s->dtype, 0);
    plan p = {.along = s->H > s->B ? 2 : 0};
    p.extent = p.along ? s->H : s->B, p.others = p.along ? s->B : s->H;
    const int one = a->lanes == 1 || (a->lanes == 0 && (2 * p.extent <= wide->width ||
                                                        s->T > 1024 || s->d > 256 || s->dv > 256));
    p.k = kern_get(a->head.ctx, s->dtype, one);
    const double own = a->softmax ? 1 / sqrt((double)(s->d > 0 ? s->d : 1)) : 1;
    p.h =
        (head){s->T, s->d, s->dv, attention_chunk(a->chunk, s->T), a->scale == 0 ? own : a->scale};
    p.panels = (p.extent + p.k->lanes - 1) / p.k->lanes * p.others;
    p.workers = p.panels < a->head.ctx->threads ? p.panels : a->head.ctx->threads;
    arena one_worker = {0};
    lay_out(&one_worker, a, &p, backward);
    p.worker_bytes = one_worker.used;
    return p;
}

int64_t attend_bytes(const mesaopt_attn *a, const attend_shape *s, int backward)
{
    const plan p = plan_of(a, s, backward);
    int64_t bytes;
    return p.worker_bytes >= 0 && size_mul(p.worker_bytes, p.workers, &bytes) ? bytes : -1;
}

/* The strided T x cols slices of one panel's heads: first element and the stride from lane to lane.
 */
static char *slice(const plan *p, const mesaopt_view *v, int64_t panel, int64_t *valid)
{
    const int64_t per = (p->extent + p->k->lanes - 1) / p->k->lanes,
                  first = panel % per * p->k->lanes, left = p->extent - first;
    *valid = left < p->k->lanes ? left : p->k->lanes;
    return (char *)v->data +
           (first * v->stride[p->along] + panel / per * v->stride[2 - p->along]) * p->k->size;
}

static void load(const plan *p, const mesaopt_view *v, int64_t panel, mat to)
{
    int64_t valid;
    const char *x = slice(p, v, panel, &valid);
    p->k->load(p->k, p->h.T, v->shape[3], valid, x, v->stride[p->along], v->stride[1], v->stride[3],
               to.p, to.rs);
}

static void store(job *j, const mesaopt_view *v, int64_t panel, mat from)
{
    const plan *p = &j->p;
    int64_t valid;
    if (p->k->first_nonfinite(p->h.T * v->shape[3] * p->k->lanes, from.p) >= 0)
        atomic_store(&j->bad, 1);
    char *x = slice(p, v, panel, &valid);
    p->k->store(p->k, p->h.T, v->shape[3], valid, from.p, from.rs, x, v->stride[p->along],
                v->stride[1], v->stride[3]);
}

static void run_panel(void *data, int64_t worker, int64_t panel)
{
    job *j = data;
    const plan *p = &j->p;
    const int backward = j->v->dout != NULL;
    arena a = {j->memory + worker * p->worker_bytes, 0};
    const work w = lay_out(&a, j->a, p, backward);
    load(p, j->v->q, panel, w.q);
    load(p, j->v->k, panel, w.k);
    load(p, j->v->v, panel, w.v);
    if (!backward) {
        j->a->kind->forward(p->k, &p->h, w.product, w.core, w.q, w.k, w.v, w.o);
        store(j, j->v->out, panel, w.o);
        return;
    }
    load(p, j->v->dout, panel, w.o);
    j->a->kind->backward(p->k, &p->h, w.product, w.core, w.q, w.k, w.v, w.o, w.dq, w.dk, w.dv);
    store(j, j->v->dq, panel, w.dq);
    store(j, j->v->dk, panel, w.dk);
    store(j, j->v->dv, panel, w.dv);
}

static mesaopt_status refuse(mesaopt_ctx *ctx, const attend_views *v)
{
    const mesaopt_view *views[] = {v->out, v->dq, v->dk, v->dv};
    static const char *const names[] = {"out", "dq", "dk", "dv"};
    mesaopt_status status = MESAOPT_OK;
    for (int i = 0; i < 4 && status == MESAOPT_OK; i++)
        if (views[i]) status = finite_require(ctx, views[i], names[i]);
    return status;
}

mesaopt_status attend(mesaopt_attn *a, const attend_shape *s, const attend_views *v)
{
    mesaopt_ctx *ctx = a->head.ctx;
    const int backward = v->dout != NULL;
    const int64_t bytes = attend_bytes(a, s, backward);
    if (s->B == 0 || s->T == 0 || s->H == 0) return MESAOPT_OK;
    if (bytes < 0 || bytes > a->bytes) {
        void *memory = bytes < 0 ? NULL : alloc_new(&ctx->alloc, 1, bytes);
        if (!memory)
            return fail(ctx, MESAOPT_E_MEMORY, "attention: no memory for a workspace of %lld bytes",
                        (long long)bytes);
        alloc_free(&ctx->alloc, a->memory);
        a->memory = memory;
        a->bytes = bytes;
    }
    job j = {a, v, plan_of(a, s, backward), a->memory, 0};
    parallel_run(ctx, j.p.panels, run_panel, &j);
    const mesaopt_status status = ctx_stopped(ctx, "attention");
    return status == MESAOPT_OK && atomic_load(&j.bad) ? refuse(ctx, v) : status;
}
