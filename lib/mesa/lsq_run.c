/* The mesa layer of a batch of heads on strided views. A panel takes as many heads as there are
 * lanes, along the batch or along the heads, whichever is longer; few, or long ones, go one by one,
 * in place where their channels are adjacent. With offsets every sequence is a batch of its own. */
#include "mesa/lsq_plan.h"
#include "base/pool.h"
#include "base/real.h"
#include "kern/finite.h"
#include "mesa/carried.h"
#include <math.h>
#include <string.h>

typedef struct plan {
    const kern *k;
    mesa_head h;
    int along;                     /* lanes run along 0: the batch, 1: the heads */
    int64_t extent, others;        /* of that axis, of the other */
    int64_t panels, workers, worker_bytes;      /* panels: of one batch */
    int64_t partial;               /* bytes for the ridge's gradient of every sequence and head */
} plan;

/* A view as sequences x heads x rows x columns: strides in elements. */
typedef struct slab { char *data; int64_t rows, cols, stride[2], row, col; } slab;

typedef struct job {
    const mesaopt_lsq *l;
    const lsq_shape *s;
    const lsq_views *v;
    plan p;
    char *memory, *partial;        /* partial: [N, H, d], dense */
    atomic_llong missed, fell_back, first;             /* rows that did not converge; of these,
                                                          solved by Cholesky; the first of [B, T,
                                                          H] */
} job;

/* ---- views as slabs ---- */

/* Of [B, T, H, n] and [B, T, H]; `sequence` with its rows when there are offsets. */
static slab tokens_of(const job *j, const mesaopt_view *v, int64_t sequence)
{
    slab s = {v->data,
              v->shape[1],
              v->ndim == 4 ? v->shape[3] : 1,
              {v->stride[0], v->stride[2]},
              v->stride[1],
              v->ndim == 4 ? v->stride[3] : 1};
    const mesaopt_view *offsets = j->v->op[MESAOPT_LSQ_OFFSETS];
    if (!offsets) return s;
    s.data += lsq_offset(offsets, sequence) * s.row * dtype_size(v->dtype);
    s.rows = lsq_offset(offsets, sequence + 1) - lsq_offset(offsets, sequence);
    return s;
}

/* Of [N, H, d, n]. */
static slab state_of(const job *j, const mesaopt_view *v, int64_t sequence)
{
    slab s = {v->data,      v->shape[2], v->shape[3], {v->stride[0], v->stride[1]},
              v->stride[2], v->stride[3]};
    if (j->v->op[MESAOPT_LSQ_OFFSETS]) s.data += sequence * v->stride[0] * dtype_size(v->dtype);
    return s;
}

/* Where the heads of a panel start, and how many there are. */
static char *first_head(const plan *p, const slab *s, int64_t panel, int64_t *valid)
{
    const int64_t per = (p->extent + p->k->lanes - 1) / p->k->lanes,
                  first = panel % per * p->k->lanes, left = p->extent - first;
    *valid = left < p->k->lanes ? left : p->k->lanes;
    return s->data +
           (first * s->stride[p->along] + panel / per * s->stride[1 - p->along]) * p->k->size;
}

static void load(const plan *p, slab s, int64_t panel, mat to)
{
    int64_t valid;
    const char *x = first_head(p, &s, panel, &valid);
    p->k->load(p->k, s.rows, s.cols, valid, x, s.stride[p->along], s.row, s.col, to.p, to.rs);
}

static void store(const plan *p, slab s, int64_t panel, mat from)
{
    int64_t valid;
    char *x = first_head(p, &s, panel, &valid);
    p->k->store(p->k, s.rows, s.cols, valid, from.p, from.rs, x, s.stride[p->along], s.row, s.col);
}

/* ---- operands of a panel ---- */

static int in_place(const plan *p, const mesaopt_view *v)
{
    return p->k->lanes == 1 && (v->ndim == 3 || v->stride[3] == 1 || v->shape[3] <= 1) &&
           v->stride[1] >= 0;
}

static mat space(arena *a, const plan *p, int64_t rows, int64_t cols)
{
    char *space = arena_take(a, rows * cols, p->k->lanes * p->k->size);
    return (mat){a->base ? space : "", cols, 1};       /* planning: anything but NULL */
}

/* A T x cols operand: where it is, or a copy to be filled (or stored later). */
static mat take_tokens(arena *a, const job *j, const plan *p, const mesaopt_view *v,
                       int64_t sequence, int64_t panel, int input)
{
    int64_t valid;
    if (!v) return (mat){NULL, 0, 0};
    const int64_t cols = v->ndim == 4 ? v->shape[3] : 1;
    if (in_place(p, v)) {
        if (!a->base) return (mat){"", v->stride[1], 1};
        const slab s = tokens_of(j, v, sequence);
        return (mat){first_head(p, &s, panel, &valid), s.row, 1};
    }
    const mat to = space(a, p, p->h.T, cols);
    if (a->base && input) load(p, tokens_of(j, v, sequence), panel, to);
    return to;
}

static void *take_state(arena *a, const job *j, const plan *p, const mesaopt_view *v,
                        int64_t sequence, int64_t panel, int input)
{
    if (!v) return NULL;
    const mat to = space(a, p, v->shape[2], v->shape[3]);
    if (a->base && input) load(p, state_of(j, v, sequence), panel, to);
    return to.p;
}

/* Lanes that hold no sequence get the same: they compute something finite. */
static void *take_ridge(arena *a, const job *j, const plan *p, int64_t panel)
{
    const mesaopt_view *v = j->v->op[MESAOPT_LSQ_RIDGE];
    const mat to = space(a, p, 1, j->l->d);
    if (!a->base) return to.p;
    fill(p->k, j->l->d * p->k->lanes, v ? 1 : j->l->ridge, to.p);
    if (!v) return to.p;
    int64_t valid;
    const slab s = {v->data, 1, v->shape[1], {0, v->stride[0]}, 0, v->stride[1]};
    const char *x = first_head(p, &s, panel, &valid);
    const int64_t lane = p->k->lanes == 1 ? 0 : s.stride[p->along];
    for (int64_t i = 0; i < s.cols; i++)
        for (int64_t n = 0; n < valid; n++)
            memcpy((char *)kern_at(p->k, to.p, i) + n * p->k->size,
                   x + (n * lane + i * s.col) * p->k->size, (size_t)p->k->size);
    return to.p;
}

/* Without an operand, gamma of the settings; 1 needs none, unless its gradient is wanted. */
static mat take_gate(arena *a, const job *j, const plan *p, int64_t sequence, int64_t panel)
{
    const mesaopt_view *v = j->v->op[MESAOPT_LSQ_LOG_GAMMA];
    if (v || (j->l->gamma == 1 && !j->v->op[MESAOPT_LSQ_D_LOG_GAMMA]))
        return take_tokens(a, j, p, v, sequence, panel, 1);
    const mat to = space(a, p, p->h.T, 1);
    if (a->base) fill(p->k, p->h.T * p->k->lanes, real_log(j->l->gamma), to.p);
    return to;
}

/* Plans (a->base NULL) or lays out and loads. */
static mesa_operands lay_out(arena *a, const job *j, const plan *p, int64_t sequence, int64_t panel)
{
    const lsq_views *v = j->v;
    const mesaopt_view *const *op = v->op;
    const int adjoint = v->dout != NULL;
    mesa_operands operands = {0}, *m = &operands;
    m->Q = take_tokens(a, j, p, v->q, sequence, panel, 1);
    m->K = take_tokens(a, j, p, v->k, sequence, panel, 1);
    m->V = take_tokens(a, j, p, v->v, sequence, panel, 1);
    m->beta = take_tokens(a, j, p, op[MESAOPT_LSQ_BETA], sequence, panel, 1);
    m->log_gamma = take_gate(a, j, p, sequence, panel);
    m->ridge = take_ridge(a, j, p, panel);
    m->H0 = take_state(a, j, p, op[MESAOPT_LSQ_H0], sequence, panel, 1);
    m->S0 = take_state(a, j, p, op[MESAOPT_LSQ_S0], sequence, panel, 1);
    m->X = take_tokens(a, j, p, op[MESAOPT_LSQ_SOLUTION], sequence, panel, adjoint);
    m->O = take_tokens(a, j, p, v->out, sequence, panel, 0);
    m->HT = take_state(a, j, p, op[MESAOPT_LSQ_H_LAST], sequence, panel, 0);
    m->ST = take_state(a, j, p, op[MESAOPT_LSQ_S_LAST], sequence, panel, 0);
    m->certificate.residual = take_tokens(a, j, p, op[MESAOPT_LSQ_RESIDUAL], sequence, panel, 0);
    m->certificate.iterations =
        take_tokens(a, j, p, op[MESAOPT_LSQ_ITERATIONS], sequence, panel, 0);
    m->certificate.condition = take_tokens(a, j, p, op[MESAOPT_LSQ_CONDITION], sequence, panel, 0);
    m->missed = space(a, p, p->h.T, 1);
    m->dO = take_tokens(a, j, p, v->dout, sequence, panel, 1);
    m->dHT = take_state(a, j, p, op[MESAOPT_LSQ_D_H_LAST], sequence, panel, 1);
    m->dST = take_state(a, j, p, op[MESAOPT_LSQ_D_S_LAST], sequence, panel, 1);
    m->dQ = take_tokens(a, j, p, v->dq, sequence, panel, 0);
    m->dK = take_tokens(a, j, p, v->dk, sequence, panel, 0);
    m->dV = take_tokens(a, j, p, v->dv, sequence, panel, 0);
    m->dbeta = take_tokens(a, j, p, op[MESAOPT_LSQ_D_BETA], sequence, panel, 0);
    m->dlog_gamma = take_tokens(a, j, p, op[MESAOPT_LSQ_D_LOG_GAMMA], sequence, panel, 0);
    m->dH0 = take_state(a, j, p, op[MESAOPT_LSQ_D_H0], sequence, panel, 0);
    m->dS0 = take_state(a, j, p, op[MESAOPT_LSQ_D_S0], sequence, panel, 0);
    if (op[MESAOPT_LSQ_D_RIDGE]) m->dridge = space(a, p, 1, j->l->d).p;
    return operands;
}

static void store_tokens(const job *j, const plan *p, const mesaopt_view *v, int64_t sequence,
                         int64_t panel, mat from)
{
    if (v && !in_place(p, v)) store(p, tokens_of(j, v, sequence), panel, from);
}

static void store_state(const job *j, const plan *p, const mesaopt_view *v, int64_t sequence,
                        int64_t panel, void *from)
{
    if (v) store(p, state_of(j, v, sequence), panel, (mat){from, v->shape[3], 1});
}

static void store_all(const job *j, const plan *p, int64_t sequence, int64_t panel,
                      const mesa_operands *m)
{
    const lsq_views *v = j->v;
    const mesaopt_view *const *op = v->op;
    store_tokens(j, p, v->out, sequence, panel, m->O);
    if (!v->dout) store_tokens(j, p, op[MESAOPT_LSQ_SOLUTION], sequence, panel, m->X);
    store_tokens(j, p, op[MESAOPT_LSQ_RESIDUAL], sequence, panel, m->certificate.residual);
    store_tokens(j, p, op[MESAOPT_LSQ_ITERATIONS], sequence, panel, m->certificate.iterations);
    store_tokens(j, p, op[MESAOPT_LSQ_CONDITION], sequence, panel, m->certificate.condition);
    store_state(j, p, op[MESAOPT_LSQ_H_LAST], sequence, panel, m->HT);
    store_state(j, p, op[MESAOPT_LSQ_S_LAST], sequence, panel, m->ST);
    store_tokens(j, p, v->dq, sequence, panel, m->dQ);
    store_tokens(j, p, v->dk, sequence, panel, m->dK);
    store_tokens(j, p, v->dv, sequence, panel, m->dV);
    store_tokens(j, p, op[MESAOPT_LSQ_D_BETA], sequence, panel, m->dbeta);
    store_tokens(j, p, op[MESAOPT_LSQ_D_LOG_GAMMA], sequence, panel, m->dlog_gamma);
    store_state(j, p, op[MESAOPT_LSQ_D_H0], sequence, panel, m->dH0);
    store_state(j, p, op[MESAOPT_LSQ_D_S0], sequence, panel, m->dS0);
    if (!m->dridge) return;
    const int64_t d = j->l->d, H = j->s->H;
    store(p, (slab){j->partial + sequence * H * d * p->k->size, 1, d, {H * d, d}, 0, 1}, panel,
          (mat){m->dridge, d, 1});
}

/* ---- the whole batch ---- */

static plan plan_of(const job *j)
{
    const mesaopt_lsq *l = j->l;
    const lsq_shape *s = j->s;
    const mesaopt_ctx *ctx = l->head.ctx;
    const kern *wide = kern_get(ctx, s->dtype, 0);
    plan p = {.along = s->H > s->B};
    p.extent = p.along ? s->H : s->B, p.others = p.along ? s->B : s->H;
    const int one = l->lanes == 1 || (l->lanes == 0 && (2 * p.extent <= wide->width ||
                                                        s->T > 1024 || l->d > 256 || l->dv > 256));
    p.k = kern_get(ctx, s->dtype, one);
    p.h = (mesa_head){s->T,         l->d,          l->dv,       l->chunk, l->solver,
                      l->tolerance, l->iterations, l->fallback, 0};
    p.panels = (p.extent + p.k->lanes - 1) / p.k->lanes * p.others;
    arena a = {0};
    const mesa_operands m = lay_out(&a, j, &p, 0, 0);
    mesa_plan(p.k, &p.h, &m);
    arena_take(&a, mesa_scratch(p.k, &p.h, &m, j->v->dout != NULL), 1);
    arena_take(&a, kern_product_scratch(p.k), 1);
    p.worker_bytes = a.used;
    const int64_t items = p.panels * (j->v->op[MESAOPT_LSQ_OFFSETS] ? s->N : 1);
    p.workers = items < ctx->threads ? items : ctx->threads;
    arena partial = {0};
    if (j->v->op[MESAOPT_LSQ_D_RIDGE]) arena_take(&partial, s->N * s->H, l->d * p.k->size);
    p.partial = partial.used;
    return p;
}

static int64_t plan_bytes(const plan *p)
{
    int64_t bytes;
    return size_mul(p->worker_bytes, p->workers, &bytes) && size_add(bytes, p->partial, &bytes)
               ? bytes
               : -1;
}

int64_t lsq_bytes(const mesaopt_lsq *l, const lsq_shape *s, const lsq_views *v)
{
    const job j = {.l = l, .s = s, .v = v};
    const plan p = plan_of(&j);
    return plan_bytes(&p);
}

/* Counts the rows of a panel that did not converge. */
static void count_missed(job *j, const plan *p, int64_t sequence, int64_t panel, mat missed)
{
    const int64_t lanes = p->k->lanes, per = (p->extent + lanes - 1) / lanes,
                  first = panel % per * lanes, other = panel / per;
    const mesaopt_view *offsets = j->v->op[MESAOPT_LSQ_OFFSETS];
    for (int64_t t = 0; t < p->h.T; t++)
        for (int64_t l = 0; l < lanes && first + l < p->extent; l++) {
            const double x = kern_real(p->k, missed.p, t * missed.rs * lanes + l);
            if (x == 0) continue;
            const int64_t b = p->along ? other : first + l, h = p->along ? first + l : other,
                          token = t + (offsets ? lsq_offset(offsets, sequence) : 0);
            const long long at = (b * j->s->T + token) * j->s->H + h;
            long long seen = atomic_load(&j->first);
            while (at < seen && !atomic_compare_exchange_weak(&j->first, &seen, at)) continue;
            atomic_fetch_add(&j->missed, 1);
            if (x == MESA_FELL_BACK) atomic_fetch_add(&j->fell_back, 1);
        }
}

static void run_item(void *data, int64_t worker, int64_t item)
{
    job *j = data;
    plan p = j->p;
    const int64_t sequence = item / p.panels, panel = item % p.panels;
    const int adjoint = j->v->dout != NULL;
    p.h.T = tokens_of(j, j->v->q, sequence).rows;
    if (p.h.chunk > p.h.T) p.h.chunk = p.h.T > 0 ? p.h.T : 1;
    arena a = {j->memory + worker * p.worker_bytes, 0};
    const mesa_operands m = lay_out(&a, j, &p, sequence, panel);
    void *core = arena_take(&a, mesa_scratch(p.k, &p.h, &m, adjoint), 1);
    void *product = arena_take(&a, kern_product_scratch(p.k), 1);
    const int64_t missed = adjoint ? mesa_backward(p.k, &p.h, product, core, &m)
                                   : mesa_forward(p.k, &p.h, product, core, &m);
    if (missed) count_missed(j, &p, sequence, panel, m.missed);
    store_all(j, &p, sequence, panel, &m);
}

/* Gradient of the ridge: sequences one after the other, in double. */
static void sum_ridge(const job *j)
{
    const mesaopt_view *v = j->v->op[MESAOPT_LSQ_D_RIDGE];
    const int64_t n = j->s->H * j->l->d;
    for (int64_t i = 0; v && i < n; i++) {
        double sum = 0;
        for (int64_t s = 0; s < j->s->N; s++)
            sum += kern_real(j->p.k, j->partial, s * n + i);
        view_set(v, (int64_t[]){i / j->l->d, i % j->l->d}, sum);
    }
}

static mesaopt_status convergence(mesaopt_ctx *ctx, const job *j)
{
    const long long missed = atomic_load(&j->missed), fell_back = atomic_load(&j->fell_back);
    if (missed == 0) return MESAOPT_OK;
    const int64_t at = atomic_load(&j->first), H = j->s->H, T = j->s->T;
    const list_text first = view_list(3, (int64_t[]){at / H / T, at / H % T, at % H});
    if (fell_back == missed)
        return fail(ctx, MESAOPT_NOT_CONVERGED,
                    "tolerance: missed by %lld rows within the iterations, the first at %s, which "
                    "Cholesky solved instead",
                    missed, first.text);
    if (mesa_iterates(j->p.h.solver) && !j->l->fallback)
        return fail(ctx, MESAOPT_NOT_CONVERGED,
                    "tolerance: missed by %lld rows within the iterations, the first at %s, which "
                    "stay as they are",
                    missed, first.text);
    return fail(ctx, MESAOPT_NOT_CONVERGED,
                "ridge: lost beside the keys in %lld rows, the first at %s, of which double has "
                "not three digits left",
                missed, first.text);
}

/* Everything that is written is finite. */
static mesaopt_status check_outputs(mesaopt_ctx *ctx, const lsq_views *v)
{
    static const struct { int32_t which; const char *name;
    } more[] = {{MESAOPT_LSQ_H_LAST, "h_last"},
                {MESAOPT_LSQ_S_LAST, "s_last"},
                {MESAOPT_LSQ_SOLUTION, "solution"},
                {MESAOPT_LSQ_RESIDUAL, "residual"},
                {MESAOPT_LSQ_CONDITION, "condition"},
                {MESAOPT_LSQ_D_BETA, "d_beta"},
                {MESAOPT_LSQ_D_LOG_GAMMA, "d_log_gamma"},
                {MESAOPT_LSQ_D_RIDGE, "d_ridge"},
                {MESAOPT_LSQ_D_H0, "d_h0"},
                {MESAOPT_LSQ_D_S0, "d_s0"}};
    const struct {
        const mesaopt_view *v;
        const char *name;
    } always[] = {{v->out, "out"}, {v->dq, "dq"}, {v->dk, "dk"}, {v->dv, "dv"}};
    int64_t at[MESAOPT_MAX_RANK];
    const size_t n = sizeof always / sizeof *always;
    for (size_t i = 0; i < n + sizeof more / sizeof *more; i++) {
        const mesaopt_view *out = i < n ? always[i].v : v->op[more[i - n].which];
        const char *name = i < n ? always[i].name : more[i - n].name;
        if (out && finite_check(ctx, out, at))
            return fail(ctx, MESAOPT_E_NONFINITE,
                        "%s: not finite at %s, expected results that its type can hold", name,
                        view_list(out->ndim, at).text);
    }
    return MESAOPT_OK;
}

mesaopt_status lsq_run(mesaopt_lsq *l, const lsq_shape *s, const lsq_views *v)
{
    mesaopt_ctx *ctx = l->head.ctx;
    job j = {.l = l, .s = s, .v = v, .first = INT64_MAX};
    j.p = plan_of(&j);
    const int64_t bytes = plan_bytes(&j.p);
    if (bytes < 0 || bytes > l->bytes) {
        void *memory = bytes < 0 ? NULL : alloc_new(&ctx->alloc, 1, bytes);
        if (!memory)
            return fail(ctx, MESAOPT_E_MEMORY, "lsq: no memory for a workspace of %lld bytes",
                        (long long)bytes);
        alloc_free(&ctx->alloc, l->memory);
        l->memory = memory;
        l->bytes = bytes;
    }
    j.memory = l->memory;
    j.partial = j.memory + j.p.workers * j.p.worker_bytes;
    parallel_run(ctx, j.p.panels * (v->op[MESAOPT_LSQ_OFFSETS] ? s->N : 1), run_item, &j);
    mesaopt_status status = ctx_stopped(ctx, "lsq");
    if (status != MESAOPT_OK) return status;
    sum_ridge(&j);
    status = check_outputs(ctx, v);
    return status == MESAOPT_OK ? convergence(ctx, &j) : status;
}
