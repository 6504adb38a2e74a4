/* The residual block of linear or softmax self-attention: frame.h and heads.h around O_h =
 * attention(Q_h, K_h, V_h), attention.h, for every head. */
#include "nn/attention.h"
#include "nn/heads.h"
#include <math.h>
#include <string.h>

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
    return (head){.T = e->T,
                  .d = e->d,
                  .dv = e->dv,
                  .chunk = option_int(&b->settings, b->kind->scope, MESAOPT_KEY_CHUNK),
                  .scale = attention_scale(b)};
}

/* Kept from forward to backward: panels of the heads, the input of Q and K, what the attention kind
 * keeps of every row of a head. */
typedef struct stash_panels { heads h; mat Xq; void *kept; } stash_panels;

static stash_panels lay_out_stash(arena *a, const block *b, const kern *k, const extents *e, mat X)
{
    stash_panels s = {.h = heads_lay_out(a, k, e)};
    s.Xq = heads_input(a, b, k, e, X);
    s.kept = arena_take(a, e->heads * e->T * kind_of(b)->kept, k->lanes * k->size);
    return s;
}

static int64_t stash_bytes(const block *b, const kern *k, int64_t T)
{
    arena a = {0};
    const extents e = heads_extents(b, T);
    lay_out_stash(&a, b, k, &e, (mat){0});
    return a.used;
}

/* Gradients of the heads' panels; scratch of the attention kind. */
typedef struct work { heads d; void *core; } work;
static work lay_out_scratch(arena *a, const block *b, const kern *k, const extents *e, int backward)
{
    const head h = head_of(b, e);
    work w = {0};
    if (backward) w.d = heads_lay_out_gradients(a, b, k, e);
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

/* Head i; d: gradients. */
static head_mats mats_of(const block *b, const kern *k, const extents *e, const stash_panels *s,
                         int64_t i, const heads *d)
{
    const int64_t key = i * e->d, value = i * e->dv;
    return (head_mats){.q = columns(k, s->h.q, key),
                       .k = columns(k, s->h.k, key),
                       .v = columns(k, s->h.v, value),
                       .o = columns(k, s->h.o, value),
                       .dq = columns(k, d->q, key),
                       .dk = columns(k, d->k, key),
                       .dv = columns(k, d->v, value),
                       .dout = columns(k, d->o, value),
                       .kept = kern_at(k, s->kept, i * e->T * kind_of(b)->kept)};
}

/* Are all lanes as far as the first? */
static int together(const kern *k, const history *y)
{
    int64_t l = 1;
    while (l < k->lanes && y->steps[l] == y->steps[0]) l++;
    return l == k->lanes;
}

/* Rows [T x cols] of each lane's own sequence, behind those that are there. */
static void append(const pass *p, int64_t cols, mat from, mat to)
{
    const kern *k = p->k;
    const int64_t *steps = p->history->steps, real = k->size, row = cols * k->lanes * real,
                  lanes = together(k, p->history) ? 1 : k->lanes, n = row / (lanes * real);
    for (int64_t t = 0; t < p->T; t++)
        for (int64_t l = 0; l < lanes; l++) {
            char *x = kern_at(k, to.p, (steps[l] + t) * to.rs);
            const char *y = kern_at(k, from.p, t * from.rs);
            if (lanes == 1) memcpy(x, y, (size_t)row);
            for (int64_t i = 0; lanes > 1 && i < n; i++)
                memcpy(x + (i * lanes + l) * real, y + (i * lanes + l) * real, (size_t)real);
        }
}

/* Head i of a decoder. */
static void recall(const block *b, const pass *p, const extents *e, int64_t i, head_mats *m)
{
    const kern *k = p->k;
    const history *y = p->history;
    if (b->state) {
        const int64_t at = i * (block_state(b, k) / e->heads);
        m->first = kern_at(k, y->before, at), m->last = kern_at(k, y->after, at);
        return;
    }
    const mat K = cache_keys(b, k, y->cache, y->capacity, i),
              V = cache_values(b, k, y->cache, y->capacity, i);
    append(p, e->d, m->k, K), append(p, e->dv, m->v, V);
    m->k = K, m->v = V;
}

static head head_of_pass(const block *b, const pass *p, const extents *e)
{
    head h = head_of(b, e);
    if (p->history && !b->state)
        h.before = p->history->most, h.capacity = p->history->capacity,
        h.steps = p->history->steps;
    return h;
}

static void forward(const block *b, const pass *p, mat X, mat F, void *stash)
{
    const kern *k = p->k;
    const extents e = heads_extents(b, p->T);
    const head one = head_of_pass(b, p, &e);
    arena as = {stash, 0}, aw = {p->scratch, 0};
    const stash_panels s = lay_out_stash(&as, b, k, &e, X);
    const extents room = heads_extents(b, scratch_rows(b, p));
    const work w = lay_out_scratch(&aw, b, k, &room, 0);
    heads_project(b, p, &e, X, s.Xq, &s.h);
    for (int64_t i = 0; i < e.heads && !kern_stopped(k); i++) {
        head_mats m = mats_of(b, k, &e, &s, i, &w.d);
        if (p->history) recall(b, p, &e, i, &m);
        kind_of(b)->forward(k, &one, p->product_scratch, w.core, &m);
    }
    heads_output(b, p, &e, s.h.o, F);
}

static void backward(const block *b, const pass *p, mat X, mat dF, mat dX, const void *stash,
                     int want_dx)
{
    const kern *k = p->k;
    const extents e = heads_extents(b, p->T);
    const head one = head_of(b, &e);
    arena as = {(void *)stash, 0}, aw = {p->scratch, 0};
    const stash_panels s = lay_out_stash(&as, b, k, &e, X);
    const work w = lay_out_scratch(&aw, b, k, &e, 1);
    heads_output_back(b, p, &e, s.h.o, dF, w.d.o);
    for (int64_t i = 0; i < e.heads && !kern_stopped(k); i++) { /* O_h = attention(Q_h, K_h, V_h) */
        const head_mats m = mats_of(b, k, &e, &s, i, &w.d);
        kind_of(b)->backward(k, &one, p->product_scratch, w.core, &m);
    }
    heads_project_back(b, p, &e, X, s.Xq, &s.h, &w.d, dX, want_dx);
}

static void weights(const block *b, const pass *p, const void *stash, int64_t i, mat W)
{
    const extents e = heads_extents(b, p->T);
    const head one = head_of(b, &e);
    arena as = {(void *)stash, 0};
    const stash_panels s = lay_out_stash(&as, b, p->k, &e, (mat){0});
    const head_mats m = mats_of(b, p->k, &e, &s, i, &s.h);
    kind_of(b)->weights(p->k, &one, p->product_scratch, &m, W);
}

static mesaopt_status plan(mesaopt_ctx *ctx, block *b)
{
    const mesaopt_status status = heads_plan(ctx, b);
    const extents e = heads_extents(b, 0);
    if (status != MESAOPT_OK) return status;
    if (b->kind->scope == MESAOPT_SCOPE_LINEAR) {
        b->state = e.heads * e.d * e.dv;
    } else {
        b->cache.heads = e.heads;
        b->cache.key = e.d, b->cache.value = e.dv;
    }
    return frame_plan(ctx, b);
}

static const branch attention = {stash_bytes, scratch_bytes, forward, backward, weights};
const block_kind linear_block = {MESAOPT_SCOPE_LINEAR, plan, FRAME, frame_weights, &attention};
const block_kind softmax_block = {MESAOPT_SCOPE_SOFTMAX, plan, FRAME, frame_weights, &attention};
