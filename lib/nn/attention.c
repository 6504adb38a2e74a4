/* The residual block of linear or softmax self-attention: frame.h and heads.h around O_h = attention(Q_h, K_h,
 * V_h), attention.h, for every head. */
#include "nn/attention.h"
#include "nn/heads.h"
#include <math.h>

/* The attention of one head, as the settings have it. */
static const attention_kind *kind_of(const block *b)
{
    return b->kind->scope == MESAOPT_SCOPE_SOFTMAX ? &softmax_attention : &linear_attention;
}

double attention_scale(const block *b)
{
    const double scale = option_float(&b->settings, b->kind->scope, MESAOPT_KEY_SCALE);
    if (scale != 0 || b->kind->scope == MESAOPT_SCOPE_LINEAR) return scale != 0 ? scale : 1;
    return 1 / sqrt((double)option_int(&b->settings, b->kind->scope, MESAOPT_KEY_KEY));
}

static head head_of(const block *b, const extents *e)
{
    return (head){
        e->T, e->d, e->dv,
        attention_chunk(option_int(&b->settings, b->kind->scope, MESAOPT_KEY_CHUNK), e->T),
        attention_scale(b)};
}

static int64_t stash_bytes(const block *b, const kern *k, int64_t T)
{
    arena a = {0};
    const extents e = heads_extents(b, T);
    heads_lay_out(&a, k, &e);
    heads_input(&a, b, k, &e, (mat){0});
    return a.used;
}

/* Gradients of the heads' panels; scratch of the attention kind. */
typedef struct work { heads d; void *core; } work;
static work lay_out_scratch(arena *a, const block *b, const kern *k, const extents *e, int backward)
{
    const head h = head_of(b, e);
    work w = {0};
    if (backward) w.d = heads_lay_out(a, k, e);
    w.core = arena_take(a, kind_of(b)->scratch(k, &h, backward), 1);
    return w;
}

static int64_t scratch_bytes(const block *b, const kern *k, int64_t T, int backward)
{
    arena a = {0};
    const extents e = heads_extents(b, T);
    lay_out_scratch(&a, b, k, &e, backward);
    return a.used;
}

static void forward(const block *b, const pass *p, mat X, mat F, void *stash)
{
    const kern *k = p->k;
    const extents e = heads_extents(b, p->T);
    const head one = head_of(b, &e);
    arena as = {stash, 0}, aw = {p->scratch, 0};
    const heads h = heads_lay_out(&as, k, &e);
    const mat Xq = heads_input(&as, b, k, &e, X);
    const work w = lay_out_scratch(&aw, b, k, &e, 0);
    heads_project(b, p, &e, X, Xq, &h);
    for (int64_t i = 0; i < e.heads && !kern_stopped(k); i++)
        kind_of(b)->forward(k, &one, p->product_scratch, w.core, columns(k, h.q, i * e.d),
                            columns(k, h.k, i * e.d), columns(k, h.v, i * e.dv),
                            columns(k, h.o, i * e.dv));
    heads_output(b, p, &e, h.o, F);
}

static void backward(const block *b, const pass *p, mat X, mat dF, mat dX, const void *stash,
                     int want_dx)
{
    const kern *k = p->k;
    const extents e = heads_extents(b, p->T);
    const head one = head_of(b, &e);
    arena as = {(void *)stash, 0}, aw = {p->scratch, 0};
    const heads h = heads_lay_out(&as, k, &e);
    const mat Xq = heads_input(&as, b, k, &e, X);
    const work w = lay_out_scratch(&aw, b, k, &e, 1);
    heads_output_back(b, p, &e, h.o, dF, w.d.o);
    for (int64_t i = 0; i < e.heads && !kern_stopped(k); i++) /* O_h = attention(Q_h, K_h, V_h) */
        kind_of(b)->backward(k, &one, p->product_scratch, w.core, columns(k, h.q, i * e.d),
                             columns(k, h.k, i * e.d), columns(k, h.v, i * e.dv),
                             columns(k, w.d.o, i * e.dv), columns(k, w.d.q, i * e.d),
                             columns(k, w.d.k, i * e.d), columns(k, w.d.v, i * e.dv));
    heads_project_back(b, p, &e, X, Xq, &h, &w.d, dX, want_dx);
}

static void weights(const block *b, const pass *p, const void *x, const void *stash, int64_t i,
                    mat W)
{
    (void)x;
    const extents e = heads_extents(b, p->T);
    const head one = head_of(b, &e);
    arena as = {(void *)stash, 0};
    const heads h = heads_lay_out(&as, p->k, &e);
    kind_of(b)->weights(p->k, &one, p->product_scratch, columns(p->k, h.q, i * e.d),
                        columns(p->k, h.k, i * e.d), W);
}

static mesaopt_status plan(mesaopt_ctx *ctx, block *b)
{
    const mesaopt_status status = heads_plan(ctx, b);
    return status == MESAOPT_OK ? frame_plan(ctx, b) : status;
}

static const branch attention = {stash_bytes, scratch_bytes, forward, backward};
const block_kind linear_block = {MESAOPT_SCOPE_LINEAR, plan, FRAME, weights, &attention};
const block_kind softmax_block = {MESAOPT_SCOPE_SOFTMAX, plan, FRAME, weights, &attention};
