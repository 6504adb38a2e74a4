/* The mesa layer of a batch of heads on strided views, in panels (panels.h): with offsets every
 * sequence is a batch of its own. */
#include "mesa/lsq_plan.h"
#include "base/real.h"
#include "mesa/worker.h"

#define IN (FORWARD_IN | BACKWARD_IN)
#define CERTIFIES (FORWARD_OUT | BACKWARD_OUT | IN_PLACE)
#define PLACE(member) offsetof(mesa_operands, member)
const operand lsq_operands[LSQ_OPERANDS] = {
    [LSQ_Q] = {"q", "bthd", IN | IN_PLACE, PLACE(Q)},
    [LSQ_K] = {"k", "bthd", IN | IN_PLACE, PLACE(K)},
    [LSQ_V] = {"v", "bthv", IN | IN_PLACE, PLACE(V)},
    [LSQ_OUT] = {"out", "bthv", FORWARD_OUT | IN_PLACE, PLACE(O)},
    [LSQ_DOUT] = {"dout", "bthv", BACKWARD_IN | IN_PLACE, PLACE(dO)},
    [LSQ_DQ] = {"dq", "bthd", BACKWARD_OUT | IN_PLACE, PLACE(dQ)},
    [LSQ_DK] = {"dk", "bthd", BACKWARD_OUT | IN_PLACE, PLACE(dK)},
    [LSQ_DV] = {"dv", "bthv", BACKWARD_OUT | IN_PLACE, PLACE(dV)},
    [LSQ_ROW(BETA)] = {"beta", "bth", IN | IN_PLACE, PLACE(beta)},
    [LSQ_ROW(LOG_GAMMA)] = {"log_gamma", "bth", IN | IN_PLACE, PLACE(log_gamma)},
    [LSQ_ROW(RIDGE)] = {"ridge", "hd", IN, PLACE(ridge)},
    [LSQ_ROW(H0)] = {"h0", "nhdd", IN, PLACE(H0)},
    [LSQ_ROW(S0)] = {"s0", "nhdv", IN, PLACE(S0)},
    [LSQ_ROW(OFFSETS)] = {"offsets", "", IN, 0},
    [LSQ_ROW(H_LAST)] = {"h_last", "nhdd", FORWARD_OUT, PLACE(HT)},
    [LSQ_ROW(S_LAST)] = {"s_last", "nhdv", FORWARD_OUT, PLACE(ST)},
    [LSQ_ROW(SOLUTION)] = {"solution", "bthd", FORWARD_OUT | BACKWARD_IN | IN_PLACE, PLACE(X)},
    [LSQ_ROW(RESIDUAL)] = {"residual", "bth", CERTIFIES, PLACE(certificate.residual)},
    [LSQ_ROW(ITERATIONS)] = {"iterations", "bth", CERTIFIES, PLACE(certificate.iterations)},
    [LSQ_ROW(CONDITION)] = {"condition", "bth", CERTIFIES, PLACE(certificate.condition)},
    [LSQ_ROW(D_H_LAST)] = {"d_h_last", "nhdd", BACKWARD_IN, PLACE(dHT)},
    [LSQ_ROW(D_S_LAST)] = {"d_s_last", "nhdv", BACKWARD_IN, PLACE(dST)},
    [LSQ_ROW(D_BETA)] = {"d_beta", "bth", BACKWARD_OUT | IN_PLACE, PLACE(dbeta)},
    [LSQ_ROW(D_LOG_GAMMA)] = {"d_log_gamma", "bth", BACKWARD_OUT | IN_PLACE, PLACE(dlog_gamma)},
    [LSQ_ROW(D_RIDGE)] = {"d_ridge", "hd", BACKWARD_OUT, PLACE(dridge)},
    [LSQ_ROW(D_H0)] = {"d_h0", "nhdd", BACKWARD_OUT, PLACE(dH0)},
    [LSQ_ROW(D_S0)] = {"d_s0", "nhdv", BACKWARD_OUT, PLACE(dS0)},
};

typedef struct job {
    const mesaopt_lsq *l;
    const operands *o;
    panels p;                      /* of one batch */
    mesa_options options;
    panel_run run;
    char *partial;                 /* [N, H, d], dense: the ridge's gradient */
    atomic_llong missed, fell_back, first;             /* rows that did not converge; of these,
                                                          solved by Cholesky; the first of [B, T,
                                                          H] */
    atomic_int bad;                /* something that was written is not finite */
} job;

static int64_t extent(const job *j, char letter) { return operands_extent(j->o, letter); }

/* ---- a panel ---- */

static mat space(arena *a, const job *j, int64_t rows, int64_t cols)
{
    return (mat){arena_take(a, rows * cols, j->p.k->lanes * j->p.k->size), cols, 1};
}

/* Of the settings where there is no operand. Lanes that hold no sequence get 1: they compute
 * something finite. */
static void complete_ridge(const job *j, const piece *at, arena *a, mesa_operands *m)
{
    const kern *k = j->p.k;
    const int given = operand_there(j->o, LSQ_ROW(RIDGE));
    void *ridge = given ? (void *)m->ridge : space(a, j, 1, j->l->d).p;
    if (!a->base) return;
    m->ridge = ridge;
    if (!given) fill(k, j->l->d * k->lanes, j->l->ridge, ridge);
    for (int64_t i = 0; given && i < j->l->d; i++)
        for (int64_t l = panels_valid(&j->p, at->panel); l < k->lanes; l++)
            kern_set_real(k, ridge, i * k->lanes + l, 1);
}

/* gamma of the settings where there is no operand; 1 needs none, unless its gradient is wanted. */
static int has_gate(const job *j)
{
    return operand_there(j->o, LSQ_ROW(LOG_GAMMA)) || j->l->gamma != 1 ||
           operand_there(j->o, LSQ_ROW(D_LOG_GAMMA));
}

static void complete_gate(const job *j, const piece *at, arena *a, mesa_operands *m)
{
    if (operand_there(j->o, LSQ_ROW(LOG_GAMMA)) || !has_gate(j)) return;
    m->log_gamma = space(a, j, at->rows, 1);
    if (a->base) fill(j->p.k, at->rows * j->p.k->lanes, real_log(j->l->gamma), m->log_gamma.p);
}

static mesa_operands lay_out(const job *j, const piece *at, arena *a)
{
    mesa_operands m = {0};
    operands_lay_out(j->o, &j->p, at, a, &m);
    complete_ridge(j, at, a, &m);
    complete_gate(j, at, a, &m);
    m.missed = space(a, j, at->rows, 1);
    return m;
}

static mesa_presence presence(const job *j)
{
    mesa_presence has = MESA_HAS(missed);
    for (int i = 0; i < LSQ_OPERANDS; i++)
        if (operand_there(j->o, i) && lsq_operands[i].axes[0])
            has |= mesa_has_at(lsq_operands[i].place);
    return has_gate(j) ? has | MESA_HAS(log_gamma) : has;
}

/* Counts the rows of a panel that did not converge. */
static void count_missed(job *j, const piece *at, mat missed)
{
    const kern *k = j->p.k;
    const int64_t valid = panels_valid(&j->p, at->panel), T = extent(j, 't'), H = extent(j, 'h');
    int64_t b, h;
    panels_holds(&j->p, at->panel, &b, &h);
    for (int64_t t = 0; t < at->rows; t++)
        for (int64_t l = 0; l < valid; l++) {
            const double x = kern_real(k, missed.p, t * missed.rs * k->lanes + l);
            if (x == 0) continue;
            const long long first = (b * T + t + at->start) * H + h,
                            row = first + l * (j->p.along ? 1 : T * H);
            long long seen = atomic_load(&j->first);
            while (row < seen && !atomic_compare_exchange_weak(&j->first, &seen, row)) continue;
            atomic_fetch_add(&j->missed, 1);
            if (x == MESA_FELL_BACK) atomic_fetch_add(&j->fell_back, 1);
        }
}

/* An item is a panel of a batch; with offsets, of a sequence. */
static piece piece_of(const job *j, int64_t item)
{
    const mesaopt_view *offsets = j->o->view[LSQ_ROW(OFFSETS)];
    if (!offsets) return (piece){.panel = item, .rows = extent(j, 't')};
    const int64_t n = item / j->p.count, start = lsq_offset(offsets, n);
    return (piece){item % j->p.count, n, start, lsq_offset(offsets, n + 1) - start};
}

static void run_item(void *data, arena a, int64_t shard, int64_t item, int64_t end)
{
    (void)shard, (void)end;
    job *j = data;
    const kern *k = j->p.k;
    const piece at = piece_of(j, item);
    mesa_options o = j->options;
    o.T = at.rows;
    if (o.chunk > o.T) o.chunk = o.T > 0 ? o.T : 1;
    const mesa_operands m = lay_out(j, &at, &a);
    void *product = arena_take(&a, kern_product_scratch(k), 1);
    const mesa_worker w = {k, product, a};
    if (j->o->backward ? mesa_backward(w, &o, &m) : mesa_forward(w, &o, &m))
        count_missed(j, &at, m.missed);
    if (!operands_store(j->o, &j->p, &at, &m)) atomic_store(&j->bad, 1);
    if (!m.dridge) return;
    const int64_t d = j->l->d, row = extent(j, 'h') * d;
    panels_store(&j->p, (slab){j->partial + at.state * row * k->size, 1, d, {row, d}, 0, 1},
                 at.panel, (mat){m.dridge, d, 1});
}

/* ---- the whole batch ---- */

static job job_of(const mesaopt_lsq *l, const operands *o)
{
    enum { WIDE = 256 };
    job j = {.l = l, .o = o, .first = INT64_MAX};
    const int64_t B = extent(&j, 'b'), T = extent(&j, 't'), H = extent(&j, 'h'),
                  N = extent(&j, 'n');
    j.p = panels_plan(l->head.ctx, o->dtype, l->lanes, B, H, T, l->d > WIDE || l->dv > WIDE);
    j.options = (mesa_options){.T = T,
                               .d = l->d,
                               .dv = l->dv,
                               .chunk = l->chunk,
                               .solver = l->solver,
                               .tolerance = l->tolerance,
                               .iterations = l->iterations,
                               .fallback = l->fallback};
    arena worker = {0}, partial = {0};
    lay_out(&j, &(piece){.rows = T}, &worker);
    const mesa_presence has = presence(&j);
    mesa_plan(j.p.k, &j.options, has);
    arena_take(&worker, mesa_scratch(j.p.k, &j.options, has, o->backward), 1);
    arena_take(&worker, kern_product_scratch(j.p.k), 1);
    if (operand_there(o, LSQ_ROW(D_RIDGE))) arena_take(&partial, N * H, l->d * j.p.k->size);
    const int64_t items = j.p.count * (operand_there(o, LSQ_ROW(OFFSETS)) ? N : 1);
    j.run = (panel_run){items, items, partial.used, worker.used};
    return j;
}

int64_t lsq_bytes(const mesaopt_lsq *l, const operands *o)
{
    const job j = job_of(l, o);
    return panels_bytes(l->head.ctx, &j.run);
}

/* Gradient of the ridge: sequences one after the other, in double. */
static void sum_ridge(job *j)
{
    const mesaopt_view *v = j->o->view[LSQ_ROW(D_RIDGE)];
    const int64_t d = j->l->d, n = extent(j, 'h') * d;
    for (int64_t i = 0; v && i < n; i++) {
        double sum = 0;
        for (int64_t s = 0; s < extent(j, 'n'); s++)
            sum += kern_real(j->p.k, j->partial, s * n + i);
        view_set(v, (int64_t[]){i / d, i % d}, sum);
    }
    int64_t at[MESAOPT_MAX_RANK];
    if (v && view_first_nonfinite(v, at)) j->bad = 1;
}

static mesaopt_status convergence(mesaopt_ctx *ctx, const job *j)
{
    const long long missed = atomic_load(&j->missed), fell_back = atomic_load(&j->fell_back);
    if (missed == 0) return MESAOPT_OK;
    const int64_t at = atomic_load(&j->first), H = extent(j, 'h'), T = extent(j, 't');
    const list_text first = view_list(3, (int64_t[]){at / H / T, at / H % T, at % H});
    if (fell_back == missed)
        return fail(ctx, MESAOPT_NOT_CONVERGED,
                    "tolerance: missed by %lld rows within the iterations, the first at %s, which "
                    "Cholesky solved instead",
                    missed, first.text);
    if (mesa_iterates(j->options.solver) && !j->l->fallback)
        return fail(ctx, MESAOPT_NOT_CONVERGED,
                    "tolerance: missed by %lld rows within the iterations, the first at %s, which "
                    "stay as they are",
                    missed, first.text);
    return fail(ctx, MESAOPT_NOT_CONVERGED,
                "ridge: lost beside the keys in %lld rows, the first at %s, of which double has "
                "not three digits left",
                missed, first.text);
}

/* Everything that was written is finite. */
static mesaopt_status check_outputs(mesaopt_ctx *ctx, const job *j)
{
    int64_t at[MESAOPT_MAX_RANK];
    const int row = atomic_load(&j->bad) ? operands_nonfinite(j->o, at) : -1;
    if (row < 0) return ctx_stopped(ctx, "lsq");
    return fail(ctx, MESAOPT_E_NONFINITE,
                "%s: not finite at %s, expected results that its type can hold",
                lsq_operands[row].name, view_list(j->o->view[row]->ndim, at).text);
}

mesaopt_status lsq_run(mesaopt_lsq *l, const operands *o)
{
    mesaopt_ctx *ctx = l->head.ctx;
    job j = job_of(l, o);
    mesaopt_status status = panels_reserve(ctx, &l->memory, panels_bytes(ctx, &j.run), "lsq");
    if (status != MESAOPT_OK) return status;
    j.partial = panels_shared(&l->memory);
    status = panels_run(ctx, &j.run, &l->memory, run_item, &j, "lsq");
    if (status != MESAOPT_OK) return status;
    sum_ridge(&j);
    status = check_outputs(ctx, &j);
    return status == MESAOPT_OK ? convergence(ctx, &j) : status;
}
