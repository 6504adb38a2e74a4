/* Attention of a whole batch of heads on strided views. Heads are sequences like any other. */
#include "nn/attend.h"
#include "kern/finite.h"
#include <math.h>

/* o: the output, or its gradient */
typedef struct mats {
    mat q, k, v, o, dq, dk, dv;
} mats;

#define ROW(name, cols, use, member) \
    { \
        name, "bth" cols, use, offsetof(mats, member) \
    }
const operand attend_operands[ATTEND_OPERANDS] = {
    [ATTEND_Q] = ROW("q", "d", FORWARD_IN | BACKWARD_IN, q),
    [ATTEND_K] = ROW("k", "d", FORWARD_IN | BACKWARD_IN, k),
    [ATTEND_V] = ROW("v", "v", FORWARD_IN | BACKWARD_IN, v),
    [ATTEND_OUT] = ROW("out", "v", FORWARD_OUT, o),
    [ATTEND_DOUT] = ROW("dout", "v", BACKWARD_IN, o),
    [ATTEND_DQ] = ROW("dq", "d", BACKWARD_OUT, dq),
    [ATTEND_DK] = ROW("dk", "d", BACKWARD_OUT, dk),
    [ATTEND_DV] = ROW("dv", "v", BACKWARD_OUT, dv),
};

typedef struct job {
    const mesaopt_attn *a;
    const operands *o;
    panels p;
    head h;
    panel_run run;
    _Atomic int bad; /* something that was stored is not finite */
} job;

/* q_inverse, k_inverse: with qk_norm, 1 / length of queries and keys, T */
typedef struct work {
    mats m;
    void *core, *product, *q_inverse, *k_inverse, *kept;
    mat out; /* backward: the output, when forward is run first */
} work;

static work lay_out(const job *j, int64_t panel, arena *a)
{
    work w = {0};
    operands_lay_out(j->o, &j->p, &(piece){.panel = panel, .rows = j->h.T}, a, &w.m);
    w.core = arena_take(a, j->a->kind->scratch(j->p.k, &j->h, j->o->backward), 1);
    w.product = arena_take(a, kern_product_scratch(j->p.k), 1);
    const int64_t real = j->p.k->lanes * j->p.k->size, kept = j->a->kind->kept;
    w.kept = arena_take(a, j->h.T * kept, real);
    if (j->o->backward && kept) w.out = (mat){arena_take(a, j->h.T * j->h.dv, real), j->h.dv, 1};
    if (!j->a->qk_norm) return w;
    w.q_inverse = arena_take(a, j->h.T, real);
    w.k_inverse = arena_take(a, j->h.T, real);
    return w;
}

static job job_of(const mesaopt_attn *a, const operands *o)
{
    enum { WIDE = 256 };
    const int64_t B = operands_extent(o, 'b'), T = operands_extent(o, 't'),
                  H = operands_extent(o, 'h'), d = operands_extent(o, 'd'),
                  dv = operands_extent(o, 'v');
    job j = {.a = a, .o = o};
    j.p = panels_plan(a->head.ctx, o->dtype, a->lanes, B, H, T, d > WIDE || dv > WIDE);
    const double own = a->softmax ? 1 / sqrt((double)(d > 0 ? d : 1)) : 1;
    j.h = (head){.T = T, .d = d, .dv = dv, .chunk = a->chunk,
                 .scale = a->scale == 0 ? own : a->scale};
    arena one_worker = {0};
    lay_out(&j, 0, &one_worker);
    j.run = (panel_run){.panels = j.p.count, .shards = j.p.count, .worker = one_worker.used};
    return j;
}

int64_t attend_bytes(const mesaopt_attn *a, const operands *o)
{
    const job j = job_of(a, o);
    return panels_bytes(a->head.ctx, &j.run);
}

static void run_panel(void *data, arena worker, int64_t shard, int64_t panel, int64_t end)
{
    (void)shard, (void)end;
    job *j = data;
    const kern *k = j->p.k;
    const work w = lay_out(j, panel, &worker);
    const mats *m = &w.m;
    const int64_t T = j->h.T, d = j->h.d;
    if (j->a->qk_norm) {
        k->row_unit(T, d, m->q.p, m->q.rs, w.q_inverse, 1);
        k->row_unit(T, d, m->k.p, m->k.rs, w.k_inverse, 1);
    }
    const head_mats h = {.q = m->q,
                         .k = m->k,
                         .v = m->v,
                         .o = j->o->backward ? w.out : m->o,
                         .dq = m->dq,
                         .dk = m->dk,
                         .dv = m->dv,
                         .dout = m->o,
                         .kept = w.kept};
    if (!j->o->backward || j->a->kind->kept) j->a->kind->forward(k, &j->h, w.product, w.core, &h);
    if (j->o->backward) j->a->kind->backward(k, &j->h, w.product, w.core, &h);
    if (j->a->qk_norm && j->o->backward) {
        k->row_unit_back(T, d, m->q.p, m->q.rs, w.q_inverse, 1, m->dq.p, m->dq.rs);
        k->row_unit_back(T, d, m->k.p, m->k.rs, w.k_inverse, 1, m->dk.p, m->dk.rs);
    }
    if (!operands_store(j->o, &j->p, &(piece){.panel = panel, .rows = j->h.T}, m))
        atomic_store(&j->bad, 1);
}

mesaopt_status attend(mesaopt_attn *a, const operands *o)
{
    mesaopt_ctx *ctx = a->head.ctx;
    job j = job_of(a, o);
    if (j.p.count == 0 || j.h.T == 0) return MESAOPT_OK;
    mesaopt_status status = panels_reserve(ctx, &a->memory, panels_bytes(ctx, &j.run), "attention");
    if (status == MESAOPT_OK)
        status = panels_run(ctx, &j.run, &a->memory, run_panel, &j, "attention");
    if (status != MESAOPT_OK || !atomic_load(&j.bad)) return status;
    int64_t at[MESAOPT_MAX_RANK];
    const int row = operands_nonfinite(o, at);
    return row < 0 ? ctx_stopped(ctx, "attention")
                   : finite_require(ctx, o->view[row], attend_operands[row].name);
}
