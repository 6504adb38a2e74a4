/* The residual mesa block: frame.h and heads.h around the mesa layer of every head, mesa/mesa.h,
 * which solves a ridge regression of values on keys at each step:
 *
 *     O_h = mesa(Q_h, K_h, V_h; beta, gamma, l)
 *
 * ridges=head     l = 1/lambda, one learned lambda per head (the original form, arXiv 2309.05858)
 * ridges=channel  l = ridge_min + softplus(theta), per head and channel (arXiv 2506.05233)
 * gates=sigmoid   beta_t = sigmoid(x_t W_beta + b_beta), gamma_t = sigmoid(x_t W_gamma + b_gamma),
 *                 one of each per head; gates=none: 1
 *
 * Own parameters: lambda [1, H] or theta [H, d]; beta, gamma [D, H] and beta_bias, gamma_bias [1,
 * H]. Source: docs/science.md, section 3. */
#include "base/choices.h"
#include "base/real.h"
#include "mesa/mesa.h"
#include "nn/heads.h"
#include <math.h>
#include <string.h>

enum { RIDGE = HEADS_PARAMS, GATES };                  /* at GATES: weight and bias of beta, then of
                                                          gamma */
enum { BETA, GAMMA, GATE_KINDS };
static const double FIRST_GATE = 4;                    /* bias: gates start at 0.982 */
static const double LEAST_LAMBDA = 1e-6;

static int64_t choice(const block *b, int32_t key)
{
    return option_int(&b->settings, MESAOPT_SCOPE_MESA, key);
}
static int gated(const block *b) { return choice(b, MESAOPT_KEY_GATES) == GATES_SIGMOID; }
static int by_channel(const block *b) { return choice(b, MESAOPT_KEY_RIDGES) == RIDGES_CHANNEL; }
static double ridge_min(const block *b)
{
    return option_float(&b->settings, MESAOPT_SCOPE_MESA, MESAOPT_KEY_RIDGE_MIN);
}

static mesaopt_status plan(mesaopt_ctx *ctx, block *b)
{
    const mesaopt_status status = heads_plan(ctx, b);
    if (status != MESAOPT_OK) return status;
    if (gated(b) && choice(b, MESAOPT_KEY_SOLVER) == MESA_SHERMAN_MORRISON)
        return fail(ctx, MESAOPT_E_UNSUPPORTED,
                    "solver: sherman_morrison with gates=sigmoid, expected gates=none: with "
                    "forgetting its ridge decays as well");
    const extents e = heads_extents(b, 0);
    b->state = e.heads * e.d * (e.d + e.dv);
    b->param[RIDGE] =
        by_channel(b)
            ? (parameter){"theta", e.heads, e.d, 0, real_log(real_expm1(1 - ridge_min(b))), 0, 0}
            : (parameter){"lambda", 1, e.heads, 0, 1, 0, 1};
    b->n_params = GATES;
    if (!gated(b)) return frame_plan(ctx, b);
    const double sd = frame_sd(b);
    b->param[GATES] = (parameter){"beta", e.D, e.heads, 0, 0, sd, 1};
    b->param[GATES + 1] = (parameter){"beta_bias", 1, e.heads, 0, FIRST_GATE, 0, 0};
    b->param[GATES + 2] = (parameter){"gamma", e.D, e.heads, 0, 0, sd, 1};
    b->param[GATES + 3] = (parameter){"gamma_bias", 1, e.heads, 0, FIRST_GATE, 0, 0};
    b->n_params = GATES + 4;
    return frame_plan(ctx, b);
}

/* Kept from forward to backward. A gate is s = sigmoid(z), c = 1 - s, and its logarithm; T x H
 * each. */
typedef struct gate { mat s, c, log; } gate;
typedef struct kept {
    heads h;                       /* q and k as the mesa layer sees them */
    mat Xq, X;                     /* input of Q and K; solutions (H_t + Lambda)^-1 q_t */
    gate g[GATE_KINDS];
} kept;

static mat take(arena *a, const kern *k, int64_t rows, int64_t cols)
{
    return (mat){arena_take(a, rows * cols, k->lanes * k->size), cols, 1};
}

static kept lay_out_stash(arena *a, const block *b, const kern *k, const extents *e, mat X)
{
    kept r = {.h = heads_lay_out(a, k, e)};
    r.Xq = heads_input(a, b, k, e, X);
    r.X = take(a, k, e->T, e->qk);
    for (int i = 0; gated(b) && i < GATE_KINDS; i++)
        r.g[i] = (gate){take(a, k, e->T, e->heads), take(a, k, e->T, e->heads),
                        take(a, k, e->T, e->heads)};
    return r;
}

static int64_t stash_bytes(const block *b, const kern *k, int64_t T)
{
    arena a = {0};
    const extents e = heads_extents(b, T);
    lay_out_stash(&a, b, k, &e, (mat){0});
    return a.used;
}

/* Private to a call. */
typedef struct work {
    mesa_options options;
    void *ridge, *core;            /* H x d elements; scratch of the layer */
    void *kept;                    /* T: what gates have left of every step */
    heads d;                       /* backward: gradients */
    mat dgate[GATE_KINDS];         /* T x H */
    void *dridge;                  /* H x d */
} work;

static mesa_operands operands(const block *b, const kern *k, const extents *e, const kept *r,
                              const work *w, int64_t i)
{
    mesa_operands m = {.Q = columns(k, r->h.q, i * e->d),
                       .K = columns(k, r->h.k, i * e->d),
                       .V = columns(k, r->h.v, i * e->dv),
                       .O = columns(k, r->h.o, i * e->dv),
                       .X = columns(k, r->X, i * e->d),
                       .ridge = kern_at(k, w->ridge, i * e->d)};
    if (gated(b))
        m.beta = columns(k, r->g[BETA].s, i), m.log_gamma = columns(k, r->g[GAMMA].log, i);
    return m;
}

/* H and S of head i, one behind the other, each in f32 followed by what is behind its last
 * digits. */
static void recall(const block *b, const pass *p, const extents *e, int64_t i, mesa_operands *m)
{
    const history *y = p->history;
    const int64_t twice = p->k->size == 4, H = i * (block_state(b, p->k) / e->heads),
                  S = H + (1 + twice) * e->d * e->d;
    if (!y) return;
    m->H0 = kern_at(p->k, y->before, H), m->S0 = kern_at(p->k, y->before, S);
    m->HT = kern_at(p->k, y->after, H), m->ST = kern_at(p->k, y->after, S);
    m->twice = twice;
}

static void add_gradients(const block *b, const kern *k, const extents *e, const work *w, int64_t i,
                          mesa_operands *m)
{
    m->dO = columns(k, w->d.o, i * e->dv);
    m->dQ = columns(k, w->d.q, i * e->d), m->dK = columns(k, w->d.k, i * e->d),
    m->dV = columns(k, w->d.v, i * e->dv);
    m->dridge = kern_at(k, w->dridge, i * e->d);
    if (gated(b))
        m->dbeta = columns(k, w->dgate[BETA], i), m->dlog_gamma = columns(k, w->dgate[GAMMA], i);
}

static work lay_out_scratch(arena *a, const block *b, const kern *k, const extents *e, int backward)
{
    work w = {.options = {.T = e->T,
                          .d = e->d,
                          .dv = e->dv,
                          .chunk = choice(b, MESAOPT_KEY_CHUNK),
                          .solver = (enum mesa_solver)choice(b, MESAOPT_KEY_SOLVER),
                          .fallback = 1}};
    mesa_presence has = MESA_HAS(X);
    if (gated(b)) has |= MESA_HAS(beta) | MESA_HAS(log_gamma);
    w.ridge = arena_take(a, e->qk, k->lanes * k->size);
    w.kept = arena_take(a, gated(b) ? e->T : 0, k->lanes * k->size);
    if (backward) {
        has |= MESA_HAS(dridge);
        if (gated(b)) has |= MESA_HAS(dbeta) | MESA_HAS(dlog_gamma);
        w.d = heads_lay_out_gradients(a, b, k, e);
        for (int i = 0; gated(b) && i < GATE_KINDS; i++) w.dgate[i] = take(a, k, e->T, e->heads);
        w.dridge = arena_take(a, e->qk, k->lanes * k->size);
    }
    mesa_plan(k, &w.options, has);
    w.core = arena_take(a, mesa_scratch(k, &w.options, has, backward), 1);
    return w;
}

static int64_t scratch_bytes(const block *b, const kern *k, int64_t T, int backward)
{
    arena a = {0};
    const extents e = heads_extents(b, T);
    lay_out_scratch(&a, b, k, &e, backward);
    return a.used;
}

/* ---- ridge: a handful of shared numbers, in double ---- */

/* Below the least lambda the layer and its gradient are those of the least: a step that went too
 * far can be undone. */
static double lambda_of(const block *b, const pass *p, int64_t i)
{
    const double lambda = kern_real(p->k, param_mat(p->k, p->params, &b->param[RIDGE]).p, i);
    return lambda < LEAST_LAMBDA ? LEAST_LAMBDA : lambda;                 /* NaN stays */
}

static void fill_ridge(const block *b, const pass *p, const extents *e, const work *w)
{
    const kern *k = p->k;
    const void *theta = param_mat(k, p->params, &b->param[RIDGE]).p;
    const size_t element = (size_t)(k->lanes * k->size);
    for (int64_t i = 0; i < e->qk; i++) {
        void *l = kern_at(k, w->ridge, i);
        if (!by_channel(b) && i % e->d > 0) {          /* as that of the channel before */
            memcpy(l, kern_at(k, w->ridge, i - 1), element);
            continue;
        }
        const double z = by_channel(b) ? kern_real(k, theta, i) : 0;
        const double ridge = by_channel(b)
                                 ? ridge_min(b) + larger(z, 0) + real_log1p(real_exp(-fabs(z)))
                                 : 1 / lambda_of(b, p, i / e->d);
        for (int64_t lane = 0; lane < k->lanes; lane++) kern_set_real(k, l, lane, ridge);
    }
}

static void ridge_back(const block *b, const pass *p, const extents *e, const work *w)
{
    const kern *k = p->k;
    const void *theta = param_mat(k, p->params, &b->param[RIDGE]).p;
    if (!p->grads) return;
    void *grad = param_mat(k, p->grads, &b->param[RIDGE]).p;
    for (int64_t i = 0; i < e->qk; i++) {
        double dl = 0;
        for (int64_t lane = 0; lane < k->lanes; lane++)
            dl += kern_real(k, w->dridge, i * k->lanes + lane);
        const int64_t at = by_channel(b) ? i : i / e->d;
        const double lambda = by_channel(b) ? 0 : lambda_of(b, p, at);
        const double slope =
            by_channel(b) ? 1 / (1 + real_exp(-kern_real(k, theta, i))) : -1 / (lambda * lambda);
        kern_set_real(k, grad, at, kern_real(k, grad, at) + dl * slope);
    }
}

/* ---- gates ---- */

static void fill_gate(const block *b, const pass *p, const extents *e, mat X, int which,
                      const gate *g)
{
    const kern *k = p->k;
    const parameter *weight = &b->param[GATES + 2 * which];
    rows_fill(p, weight + 1, g->log);
    k->product(k, p->product_scratch, PRODUCT_SHARED, TRI_NONE, 1, e->T, e->heads, e->D, X,
               param_mat(k, p->params, weight), g->log);
    k->sigmoid(e->T * e->heads * k->lanes, g->log.p, g->s.p, g->c.p, g->log.p);
}

/* dz = dbeta s c, or d(log gamma) c; then z = x W + b. */
static void gate_back(const block *b, const pass *p, const extents *e, mat X, const work *w,
                      int which, const gate *g, mat dX, int want_dx)
{
    const kern *k = p->k;
    const parameter *weight = &b->param[GATES + 2 * which];
    const mat dz = w->dgate[which], W = param_mat(k, p->params, weight);
    k->row_scale(e->T * e->heads, 1, g->c.p, 1, dz.p, 1, dz.p, 1);
    if (which == BETA) k->row_scale(e->T * e->heads, 1, g->s.p, 1, dz.p, 1, dz.p, 1);
    weight_back(p, weight, X, dz);
    rows_sum(p, weight + 1, dz);
    if (want_dx)
        k->product(k, p->product_scratch, PRODUCT_SHARED, TRI_NONE, 1, e->T, e->D, e->heads, dz,
                   transposed_mat(W), dX);
}

/* ---- the block ---- */

static void forward(const block *b, const pass *p, mat X, mat F, void *stash)
{
    const kern *k = p->k;
    const extents e = heads_extents(b, p->T);
    arena as = {stash, 0}, aw = {p->scratch, 0};
    const kept r = lay_out_stash(&as, b, k, &e, X);
    const work w = lay_out_scratch(&aw, b, k, &e, 0);
    heads_project(b, p, &e, X, r.Xq, &r.h);
    fill_ridge(b, p, &e, &w);
    for (int i = 0; gated(b) && i < GATE_KINDS; i++) fill_gate(b, p, &e, X, i, &r.g[i]);
    const mesa_worker layer = {k, p->product_scratch, {w.core, 0}};
    for (int64_t i = 0; i < e.heads && !kern_stopped(k); i++) {
        mesa_operands m = operands(b, k, &e, &r, &w, i);
        recall(b, p, &e, i, &m);
        *p->failed += mesa_forward(layer, &w.options, &m);
    }
    heads_output(b, p, &e, r.h.o, F);
}

static void backward(const block *b, const pass *p, mat X, mat dF, mat dX, const void *stash,
                     int want_dx)
{
    const kern *k = p->k;
    const extents e = heads_extents(b, p->T);
    arena as = {(void *)stash, 0}, aw = {p->scratch, 0};
    const kept r = lay_out_stash(&as, b, k, &e, X);
    const work w = lay_out_scratch(&aw, b, k, &e, 1);
    heads_output_back(b, p, &e, r.h.o, dF, w.d.o);
    fill_ridge(b, p, &e, &w);
    const mesa_worker layer = {k, p->product_scratch, {w.core, 0}};
    for (int64_t i = 0; i < e.heads && !kern_stopped(k); i++) { /* O_h = mesa(Q_h, K_h, V_h) */
        mesa_operands m = operands(b, k, &e, &r, &w, i);
        add_gradients(b, k, &e, &w, i, &m);
        *p->failed += mesa_backward(layer, &w.options, &m);
    }
    ridge_back(b, p, &e, &w);
    heads_project_back(b, p, &e, X, r.Xq, &r.h, &w.d, dX, want_dx);
    for (int i = 0; gated(b) && i < GATE_KINDS; i++)
        gate_back(b, p, &e, X, &w, i, &r.g[i], dX, want_dx);
}

/* o_t = sum of w_ts v_s, w_ts = (x_t . k_s) b_s g_{s+1} .. g_t: S_t^T x_t, written out. */
static void weights(const block *b, const pass *p, const void *stash, int64_t i, mat W)
{
    const kern *k = p->k;
    const extents e = heads_extents(b, p->T);
    arena as = {(void *)stash, 0}, aw = {p->scratch, 0};
    const kept r = lay_out_stash(&as, b, k, &e, (mat){0});
    const work w = lay_out_scratch(&aw, b, k, &e, 0);
    k->product(k, p->product_scratch, PRODUCT_LANE, TRI_C_LOWER, 0, e.T, e.T, e.d,
               columns(k, r.X, i * e.d), transposed_mat(columns(k, r.h.k, i * e.d)), W);
    for (int64_t t = 0; gated(b) && t < e.T && !kern_stopped(k); t++) {
        const void *gamma = kern_at(k, r.g[GAMMA].s.p, t * e.heads + i),
                   *beta = kern_at(k, r.g[BETA].s.p, t * e.heads + i);
        void *row = kern_at(k, W.p, t * W.rs);
        k->row_scale(1, t, gamma, 1, w.kept, t, w.kept, t);
        memcpy(kern_at(k, w.kept, t), beta, (size_t)(k->lanes * k->size));
        k->multiply((t + 1) * k->lanes, w.kept, row, row);
    }
}

static const branch mesa = {stash_bytes, scratch_bytes, forward, backward, weights};
const block_kind mesa_block = {MESAOPT_SCOPE_MESA, plan, FRAME, frame_weights, &mesa};
