/* The residual self-attention block, whatever its attention kind:
 *
 *     Q = X W_q, K = X W_k, V = X W_v (heads side by side),  O_h = attention(Q_h, K_h, V_h),  Y = clip(X + O P, +-c)
 *
 * X, Y: T x D; W_q, W_k: D x H d; W_v: D x H dv; P: H dv x D. With pe=qk, X in Q and K is [X, positions], and W_q, W_k have 2 D rows.
 * Source: arXiv 2309.05858 equation 1; SCIENCE section 3. */
#include "nn/attention.h"
#include "nn/block.h"
#include <math.h>
#include <string.h>

enum { QUERY, KEY, VALUE, OUTPUT };

/* The block's settings, and everything that follows from them and T. */
typedef struct layer {
    const attention_kind *kind;
    head head;
    int64_t heads, D, Dq, qk, hv;  /* width of the stream, of the input of Q and K, of all heads' keys, of all heads' values */
} layer;

static layer layer_of(const block *b, int64_t T)
{
    const int32_t scope = b->kind->scope;
    const int64_t heads = option_int(&b->settings, scope, MESAOPT_KEY_HEADS), d = option_int(&b->settings, scope, MESAOPT_KEY_KEY);
    const int64_t value = option_int(&b->settings, scope, MESAOPT_KEY_VALUE), dv = value ? value : d;
    double scale = option_float(&b->settings, scope, MESAOPT_KEY_SCALE);
    if (scale == 0) scale = scope == MESAOPT_SCOPE_SOFTMAX ? 1 / sqrt((double)d) : 1;
    return (layer){scope == MESAOPT_SCOPE_SOFTMAX ? &softmax_attention : &linear_attention,
                   {T, d, dv, attention_chunk(option_int(&b->settings, scope, MESAOPT_KEY_CHUNK), T), scale},
                   heads, b->in, (1 + b->positions) * b->in, heads * d, heads * dv};
}

static mesaopt_status plan(mesaopt_ctx *ctx, block *b)
{
    const double clip = option_float(&b->settings, b->kind->scope, MESAOPT_KEY_RESIDUAL_CLIP);
    b->out = b->in;
    b->clip = clip > 0 ? clip : INFINITY;
    b->positions = option_int(&b->settings, b->kind->scope, MESAOPT_KEY_PE) == 1;
    const layer a = layer_of(b, 0);
    int64_t size;
    if (!size_mul(2 * (a.qk + a.hv), 2 * b->in, &size)) return fail(ctx, MESAOPT_E_MEMORY, "heads, key: sizes overflow");
    b->n_params = 4;
    b->param[QUERY] = (parameter){"query", a.Dq, a.qk, 0};
    b->param[KEY] = (parameter){"key", a.Dq, a.qk, 0};
    b->param[VALUE] = (parameter){"value", a.D, a.hv, 0};
    b->param[OUTPUT] = (parameter){"output", a.hv, a.D, 0};
    return MESAOPT_OK;
}

/* Panels of all heads, side by side. */
typedef struct heads { mat q, k, v, o; } heads;

static heads lay_out_heads(arena *a, const kern *k, const layer *l)
{
    const int64_t real = k->lanes * k->size, T = l->head.T;
    return (heads){{arena_take(a, T * l->qk, real), l->qk, 1}, {arena_take(a, T * l->qk, real), l->qk, 1},
                   {arena_take(a, T * l->hv, real), l->hv, 1}, {arena_take(a, T * l->hv, real), l->hv, 1}};
}

static mat head_columns(const kern *k, mat m, int64_t i, int64_t d) { return (mat){kern_at(k, m.p, i * d), m.rs, m.cs}; }

/* Kept from forward to backward. */
typedef struct kept { heads h; void *xp; } kept;
static kept lay_out_stash(arena *a, const block *b, const kern *k, const layer *l)
{
    kept r = {lay_out_heads(a, k, l), NULL};
    if (b->positions) r.xp = arena_take(a, l->head.T * l->Dq, k->lanes * k->size);
    return r;
}

static int64_t stash_bytes(const block *b, const kern *k, int64_t T)
{
    arena a = {0};
    const layer l = layer_of(b, T);
    lay_out_stash(&a, b, k, &l);
    return a.used;
}

/* Gradients of the heads' panels; scratch of the attention kind. */
typedef struct work { heads d; void *core; } work;
static work lay_out_scratch(arena *a, const kern *k, const layer *l, int backward)
{
    work r = {0};
    if (backward) r.d = lay_out_heads(a, k, l);
    r.core = arena_take(a, l->kind->scratch(k, &l->head, backward), 1);
    return r;
}

static int64_t scratch_bytes(const block *b, const kern *k, int64_t T, int backward)
{
    arena a = {0};
    const layer l = layer_of(b, T);
    lay_out_scratch(&a, k, &l, backward);
    return a.used;
}

/* [X, positions] row by row. */
static void concatenate(const kern *k, int64_t T, int64_t D, const void *x, const void *positions, void *out)
{
    const size_t row = (size_t)(D * k->lanes * k->size);
    for (int64_t t = 0; t < T; t++) {
        memcpy(kern_at(k, out, t * 2 * D), kern_at(k, x, t * D), row);
        memcpy(kern_at(k, out, t * 2 * D + D), kern_at(k, positions, t * D), row);
    }
}

static void forward(const block *b, const pass *p, const void *x, void *y, void *stash)
{
    const kern *k = p->k;
    const layer l = layer_of(b, p->T);
    arena as = {stash, 0}, aw = {p->scratch, 0};
    const kept r = lay_out_stash(&as, b, k, &l);
    const work w = lay_out_scratch(&aw, k, &l, 0);
    const int64_t T = p->T, d = l.head.d, dv = l.head.dv;
    const mat X = {(void *)x, l.D, 1}, Xq = b->positions ? (mat){r.xp, l.Dq, 1} : X, Y = {y, l.D, 1};
    void *ps = p->product_scratch;
    if (b->positions) concatenate(k, T, l.D, x, p->positions, r.xp);
    k->product(k, ps, PRODUCT_SHARED, TRI_NONE, 0, T, l.qk, l.Dq, Xq, param_mat(k, p->params, &b->param[QUERY]), r.h.q);
    k->product(k, ps, PRODUCT_SHARED, TRI_NONE, 0, T, l.qk, l.Dq, Xq, param_mat(k, p->params, &b->param[KEY]), r.h.k);
    k->product(k, ps, PRODUCT_SHARED, TRI_NONE, 0, T, l.hv, l.D, X, param_mat(k, p->params, &b->param[VALUE]), r.h.v);
    for (int64_t i = 0; i < l.heads; i++)
        l.kind->forward(k, &l.head, ps, w.core, head_columns(k, r.h.q, i, d), head_columns(k, r.h.k, i, d),
                        head_columns(k, r.h.v, i, dv), head_columns(k, r.h.o, i, dv));
    k->product(k, ps, PRODUCT_SHARED, TRI_NONE, 0, T, l.D, l.hv, r.h.o, param_mat(k, p->params, &b->param[OUTPUT]), Y);
    k->residual(T * l.D * k->lanes, x, y, b->clip, y);
}

static void *backward(const block *b, const pass *p, const void *x, const void *y, const void *stash, void *dy, void *spare, int want_dx)
{
    (void)spare;
    const kern *k = p->k;
    const layer l = layer_of(b, p->T);
    arena as = {(void *)stash, 0}, aw = {p->scratch, 0};
    const kept r = lay_out_stash(&as, b, k, &l);
    const work w = lay_out_scratch(&aw, k, &l, 1);
    const int64_t T = p->T, d = l.head.d, dv = l.head.dv;
    const mat X = {(void *)x, l.D, 1}, Xq = b->positions ? (mat){r.xp, l.Dq, 1} : X, dY = {dy, l.D, 1};
    void *ps = p->product_scratch;

    k->residual_back(T * l.D * k->lanes, y, b->clip, dy);                                               /* Y = clip(X + O P) */
    k->product(k, ps, PRODUCT_SUM, TRI_NONE, 1, l.hv, l.D, T, mat_transposed(r.h.o), dY, param_mat(k, p->grads, &b->param[OUTPUT]));
    k->product(k, ps, PRODUCT_SHARED, TRI_NONE, 0, T, l.hv, l.D, dY, mat_transposed(param_mat(k, p->params, &b->param[OUTPUT])), w.d.o);
    for (int64_t i = 0; i < l.heads; i++)                                                               /* O_h = attention(Q_h, K_h, V_h) */
        l.kind->backward(k, &l.head, ps, w.core, head_columns(k, r.h.q, i, d), head_columns(k, r.h.k, i, d), head_columns(k, r.h.v, i, dv),
                         head_columns(k, w.d.o, i, dv), head_columns(k, w.d.q, i, d), head_columns(k, w.d.k, i, d), head_columns(k, w.d.v, i, dv));
    const mat in[3] = {Xq, Xq, X}, grad[3] = {w.d.q, w.d.k, w.d.v};
    for (int i = 0; i < 3; i++) {                                                                       /* Q = X W_q, K = X W_k, V = X W_v */
        const parameter *m = &b->param[QUERY + i];
        k->product(k, ps, PRODUCT_SUM, TRI_NONE, 1, m->rows, m->cols, T, mat_transposed(in[i]), grad[i], param_mat(k, p->grads, m));
        if (want_dx) k->product(k, ps, PRODUCT_SHARED, TRI_NONE, 1, T, l.D, m->cols, grad[i], mat_transposed(param_mat(k, p->params, m)), dY);
    }
    return dy;
}

const block_kind linear_block = {MESAOPT_SCOPE_LINEAR, plan, stash_bytes, scratch_bytes, forward, backward};
const block_kind softmax_block = {MESAOPT_SCOPE_SOFTMAX, plan, stash_bytes, scratch_bytes, forward, backward};
