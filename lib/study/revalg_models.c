/* Models made of scalars, and of the products of two models.
 *
 * Rebuilt: per head W_q = Q o I, W_k = I, W_v = V o I, P = I, where S o I has the blocks s_ij I:
 * then W_q W_k^T = Q o I and W_v P = V o I. Average: products add when keys and values stand side
 * by side. With W_q = [s_a/2 W_q,a | s_b/2 W_q,b], W_k = [W_k,a | W_k,b], scale 1, the logits are
 * the mean of the scaled logits; with W_v = [W_v,a | W_v,b], P = [P_a; P_b] / 2 one attention
 * multiplies both values, and the activations are the average's own. Source: arXiv 2309.05858
 * appendix (interpolation); docs/science.md, section 6. */
#include "study/revalg_impl.h"
#include <math.h>
#include <string.h>

mesaopt_status model_of_zeros(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                              const mesaopt_settings *const *blocks, int64_t count,
                              mesaopt_model **out)
{
    mesaopt_model *m;
    mesaopt_status status = model_create(ctx, settings, &m);
    if (status != MESAOPT_OK) return status;
    status = model_add(m, blocks, count);
    if (status != MESAOPT_OK) {
        object_release(&m->head);
        return status;
    }
    memset(m->params, 0, (size_t)(m->n_params * m->size));
    *out = m;
    return MESAOPT_OK;
}

mesaopt_status model_finished(mesaopt_model *m, const char *what, mesaopt_model **out)
{
    if (kern_get(m->head.ctx, m->dtype, 1)->first_nonfinite(m->n_params, m->params) < 0) {
        *out = m;
        return MESAOPT_OK;
    }
    const mesaopt_status status =
        fail(m->head.ctx, MESAOPT_E_NONFINITE,
             "%s: weights that are not finite as %s, expected finite and smaller numbers", what,
             dtype_name(m->dtype));
    object_release(&m->head);
    return status;
}

/* A model with settings_of(user, i) as block i. */
typedef void (*block_settings_fn)(const void *user, int64_t i, mesaopt_settings *out);
static mesaopt_status model_of_blocks(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                      int64_t count, block_settings_fn settings_of,
                                      const void *user, mesaopt_model **out)
{
    mesaopt_settings *each = alloc_new(&ctx->alloc, count, sizeof *each);
    const mesaopt_settings **list = alloc_new(&ctx->alloc, count, sizeof *list);
    mesaopt_status status = MESAOPT_OK;
    if (!each || !list)
        status = fail(ctx, MESAOPT_E_MEMORY, "model: no memory for the settings of %lld blocks",
                      (long long)count);
    for (int64_t i = 0; status == MESAOPT_OK && i < count; i++) {
        settings_of(user, i, &each[i]);
        list[i] = &each[i];
    }
    if (status == MESAOPT_OK) status = model_of_zeros(ctx, settings, list, count, out);
    alloc_free(&ctx->alloc, each);
    alloc_free(&ctx->alloc, list);
    return status;
}

/* ---- rebuilt ---- */

static void set_scalars(const mesaopt_view *v, int64_t first, int64_t n, int64_t in, int64_t out,
                        const double *scalars)
{
    for (int64_t a = 0; a < in; a++)
        for (int64_t b = 0; b < out; b++)
            matrix_set_identity(v, a * n, first + b * n, n, scalars[a * out + b]);
}

static void rebuilt_block(const void *user, int64_t i, mesaopt_settings *out)
{
    *out = ((const mesaopt_revalg *)user)->blocks[i].settings;
}

mesaopt_status revalg_rebuild(const mesaopt_revalg *r, mesaopt_model **out)
{
    mesaopt_model *m;
    const int64_t n = r->n;
    const mesaopt_status status =
        model_of_blocks(r->head.ctx, &r->settings, r->n_blocks, rebuilt_block, r, &m);
    if (status != MESAOPT_OK) return status;
    for (int64_t i = 0; i < r->n_blocks; i++) {
        const revalg_block *b = &r->blocks[i];
        const mesaopt_view first = parameter_view(m, i, 0);
        const int64_t D = b->in * n, each = b->in * b->out;
        if (b->products == 1) set_scalars(&first, 0, n, b->in, b->out, b->scalars[0]);
        if (b->products < 2) continue;
        const mesaopt_view key = parameter_view(m, i, KEY), value = parameter_view(m, i, VALUE),
                           output = parameter_view(m, i, OUTPUT);
        for (int64_t h = 0; h < b->heads; h++) {
            set_scalars(&first, h * D, n, b->in, b->out, b->scalars[0] + h * each);
            matrix_set_identity(&key, 0, h * D, D, 1);
            set_scalars(&value, h * D, n, b->in, b->out, b->scalars[1] + h * each);
            matrix_set_identity(&output, h * D, 0, D, 1);
        }
    }
    return model_finished(m, "revalg: scalars", out);
}

/* ---- average ---- */

typedef struct both { const mesaopt_model *a, *b; } both;

/* Keys and values of both side by side. */
static mesaopt_status widen(mesaopt_settings *s, const block *a, const block *b)
{
    const extents ea = heads_extents(a, 0), eb = heads_extents(b, 0);
    const mesaopt_status status = settings_set(s, MESAOPT_KEY_KEY, ea.d + eb.d);
    return status == MESAOPT_OK ? settings_set(s, MESAOPT_KEY_VALUE, ea.dv + eb.dv)
                                : status;
}

static void averaged_block(const void *user, int64_t i, mesaopt_settings *out)
{
    const both *p = user;
    const block *a = &p->a->blocks[i], *b = &p->b->blocks[i];
    *out = a->settings;
    if (!is_attention(a->kind)) return;
    widen(out, a, b);
    settings_set(out, MESAOPT_KEY_SCALE, 1);
}

/* What two blocks differ in that an average cannot bridge; NULL: nothing. */
static const char *difference(const block *a, const block *b)
{
    if (a->kind != b->kind) return "kind";
    if (a->in != b->in || a->out != b->out) return "width";
    if (a->kind->scope == MESAOPT_SCOPE_MASK &&
        option_int(&a->settings, MESAOPT_SCOPE_MASK, MESAOPT_KEY_FIRST) !=
            option_int(&b->settings, MESAOPT_SCOPE_MASK, MESAOPT_KEY_FIRST))
        return "first";
    if (!is_attention(a->kind)) return NULL;
    if (heads_extents(a, 0).heads != heads_extents(b, 0).heads) return "heads";
    mesaopt_settings both = a->settings;
    if (widen(&both, a, b) != MESAOPT_OK) return "key (side by side they are too wide)";
    return a->clip != b->clip ? "residual_clip" : NULL;
}

static mesaopt_status check_alike(const mesaopt_model *a, const mesaopt_model *b)
{
    mesaopt_ctx *ctx = a->head.ctx;
    if (a->inputs != b->inputs || a->outputs != b->outputs || a->n_blocks != b->n_blocks)
        return fail(
            ctx, MESAOPT_E_UNSUPPORTED,
            "b: %lld blocks, inputs %lld, outputs %lld, expected %lld, %lld and %lld as in a",
            (long long)b->n_blocks, (long long)b->inputs, (long long)b->outputs,
            (long long)a->n_blocks, (long long)a->inputs, (long long)a->outputs);
    for (int64_t i = 0; i < a->n_blocks; i++) {
        const char *beyond[] = {revalg_beyond(&a->blocks[i]), revalg_beyond(&b->blocks[i])};
        if (beyond[0] || beyond[1])
            return fail(ctx, MESAOPT_E_UNSUPPORTED, "%s: block %lld has %s", beyond[0] ? "a" : "b",
                        (long long)i, beyond[0] ? beyond[0] : beyond[1]);
        const char *differs = difference(&a->blocks[i], &b->blocks[i]),
                   *name = options_scope_name(a->blocks[i].kind->scope);
        if (differs)
            return fail(ctx, MESAOPT_E_UNSUPPORTED,
                        "b: block %lld differs in its %s, expected blocks like those of a",
                        (long long)i, differs);
        if (!is_attention(a->blocks[i].kind) && a->blocks[i].kind->scope != MESAOPT_SCOPE_DENSE &&
            a->blocks[i].kind->scope != MESAOPT_SCOPE_MASK)
            return fail(ctx, MESAOPT_E_UNSUPPORTED,
                        "a: block %lld is %s, expected linear, softmax, dense or mask",
                        (long long)i, name);
    }
    return MESAOPT_OK;
}

/* Columns (axis 1) or rows (0) of head h of `from`, scaled, to the place of part `first` .. of the
 * wider head of `to`. k: of the call that may end here. */
static void copy_head(const kern *k, const mesaopt_view *from, const mesaopt_view *to, int axis,
                      int64_t h, int64_t d, int64_t wide, int64_t first, double scale)
{
    for (int64_t i = 0; i < from->shape[1 - axis] && !kern_stopped(k); i++)
        for (int64_t c = 0; c < d; c++) {
            const int64_t source = h * d + c, target = h * wide + first + c;
            if (axis) matrix_set(to, i, target, scale * matrix_get(from, i, source));
            else matrix_set(to, target, i, scale * matrix_get(from, source, i));
        }
}

/* Half of the products of block i of m, beside or on what is there: second 0 or 1. */
static void add_half(const kern *k, const mesaopt_model *m, const mesaopt_model *average, int64_t i,
                     int second)
{
    const block *b = &m->blocks[i];
    mesaopt_view from[HEADS_PARAMS], to[HEADS_PARAMS];
    for (int p = 0; p < b->n_params; p++)
        from[p] = parameter_view(m, i, p), to[p] = parameter_view(average, i, p);
    if (!is_attention(b->kind)) {
        for (int64_t r = 0; b->n_params && r < from[0].shape[0] && !kern_stopped(k); r++)
            for (int64_t c = 0; c < from[0].shape[1]; c++)
                matrix_set(&to[0], r, c,
                           0.5 * matrix_get(&from[0], r, c) +
                               (second ? matrix_get(&to[0], r, c) : 0));
        return;
    }
    const extents e = heads_extents(b, 0), wide = heads_extents(&average->blocks[i], 0);
    const int64_t key = second ? wide.d - e.d : 0, value = second ? wide.dv - e.dv : 0;
    for (int64_t h = 0; h < e.heads; h++) {
        copy_head(k, &from[QUERY], &to[QUERY], 1, h, e.d, wide.d, key, 0.5 * attention_scale(b));
        copy_head(k, &from[KEY], &to[KEY], 1, h, e.d, wide.d, key, 1);
        copy_head(k, &from[VALUE], &to[VALUE], 1, h, e.dv, wide.dv, value, 1);
        copy_head(k, &from[OUTPUT], &to[OUTPUT], 0, h, e.dv, wide.dv, value, 0.5);
    }
}

static void fill_average(const kern *k, mesaopt_model *average, const mesaopt_model *a,
                         const mesaopt_model *b)
{
    for (int64_t i = 0; i < a->n_blocks; i++) {
        add_half(k, a, average, i, 0);
        add_half(k, b, average, i, 1);
    }
}

mesaopt_status revalg_average(const mesaopt_model *a, const mesaopt_model *b, mesaopt_model **out)
{
    mesaopt_ctx *ctx = a->head.ctx;
    mesaopt_model *m;
    mesaopt_status status = check_alike(a, b);
    if (status == MESAOPT_OK)
        status =
            model_of_blocks(ctx, &a->settings, a->n_blocks, averaged_block, &(both){a, b}, &m);
    if (status != MESAOPT_OK) return status;
    fill_average(kern_get(ctx, MESAOPT_F64, 1), m, a, b);
    status = ctx_stopped(ctx, "average");
    if (status == MESAOPT_OK) *out = m;
    else object_release(&m->head);
    return status;
}

mesaopt_status revalg_average_update(mesaopt_model *average, const mesaopt_model *a,
                                     const mesaopt_model *b)
{
    const both p = {a, b};
    mesaopt_status status = check_alike(a, b);
    if (status != MESAOPT_OK) return status;
    int same = average->n_blocks == a->n_blocks && average->inputs == a->inputs &&
               average->outputs == a->outputs;
    for (int64_t i = 0; same && i < a->n_blocks; i++) {
        mesaopt_settings s;
        averaged_block(&p, i, &s);
        same = average->blocks[i].kind == a->blocks[i].kind &&
               !memcmp(s.value, average->blocks[i].settings.value, sizeof s.value);
    }
    if (!same)
        return fail(a->head.ctx, MESAOPT_E_STATE,
                    "average: no average of models like a and b, expected what "
                    "mesaopt_revalg_average made of such");
    fill_average(kern_unstopped(a->head.ctx), average, a, b);      /* all of it, or nothing */
    return MESAOPT_OK;
}
