/* RevAlg: of each n x n block B of a product of weights, s = tr B / n and the residual |B - s I|.
 *
 * Products of a head: W_q W_k^T, W_v P, each in x out slots of n features; of a dense block: its
 * weights. All in f64. One layer in closed form, tokens [0, x_t, x_t, x_{t-1}] (a mask before the
 * layer takes slots away): with Q the scalars of the logits and V those of the values, X the slots
 * that hold x_t and Z = 3 the one of x_{t-1},
 *     alpha = sum Q[X][X], eta = sum Q[X][Z], beta = sum Q[Z][X], gamma = Q[Z][Z], p1 = sum
 *     V[X][0], p2 = V[Z][0].
 * Source: arXiv 2309.05858 appendix (CompressedAlg-d); docs/science.md, section 6. */
#include "study/revalg_impl.h"
#include "base/real.h"
#include "nn/attention.h"
#include <float.h>
#include <math.h>
#include <string.h>

int revalg_product_index(const block_kind *kind, int32_t product)
{
    if (is_attention(kind))
        return product == MESAOPT_REVALG_LOGITS || product == MESAOPT_REVALG_VALUES ? product : -1;
    return kind->scope == MESAOPT_SCOPE_DENSE && product == MESAOPT_REVALG_WEIGHT ? 0 : -1;
}

/* ---- products ---- */

/* Rows first .. first + count - 1, or columns, of a matrix. */
static mesaopt_view part(mesaopt_view v, int axis, int64_t first, int64_t count)
{
    v.data = (char *)v.data + first * v.stride[axis] * dtype_size(v.dtype);
    v.shape[axis] = count;
    return v;
}

static mesaopt_view transposed_view(mesaopt_view v)
{
    const int64_t rows = v.shape[0], rs = v.stride[0];
    v.shape[0] = v.shape[1], v.stride[0] = v.stride[1];
    v.shape[1] = rows, v.stride[1] = rs;
    return v;
}

static mesaopt_view f64_matrix(double *data, int64_t rows, int64_t cols)
{
    return (mesaopt_view){
        .data = data, .shape = {rows, cols}, .stride = {cols, 1}, .ndim = 2, .dtype = MESAOPT_F64};
}

/* Memory for one product A B: A [rows, depth], B [depth, cols], the result. */
typedef struct product_work { double *a, *b, *ab; void *scratch; } product_work;

static product_work lay_out(arena *a, const mesaopt_model *m, int64_t i)
{
    const block *b = &m->blocks[i];
    const extents e = is_attention(b->kind) ? heads_extents(b, 0) : (extents){0};
    const int64_t depth = e.d > e.dv ? e.d : e.dv;
    product_work w;
    w.a = arena_take(a, b->in, depth * (int64_t)sizeof *w.a);
    w.b = arena_take(a, b->out, depth * (int64_t)sizeof *w.b);
    w.ab = arena_take(a, b->in, b->out * (int64_t)sizeof *w.ab);
    w.scratch = arena_take(a, kern_product_scratch(kern_get(m->head.ctx, MESAOPT_F64, 1)), 1);
    return w;
}

static int64_t work_bytes(const mesaopt_model *m, int64_t i)
{
    arena a = {0};
    lay_out(&a, m, i);
    return a.used;
}

/* Into w->ab [in, out]. */
static void multiply(const mesaopt_model *m, int64_t i, int product, int64_t head,
                     const product_work *w)
{
    const block *b = &m->blocks[i];
    const kern *k = kern_get(m->head.ctx, MESAOPT_F64, 1);
    const mesaopt_view out = f64_matrix(w->ab, b->in, b->out);
    mesaopt_view A = parameter_view(m, i, 0), B;
    if (!is_attention(b->kind)) {
        view_copy(&A, &out);
        return;
    }
    const extents e = heads_extents(b, 0);
    const int64_t depth = product == MESAOPT_REVALG_LOGITS ? e.d : e.dv;
    if (product == MESAOPT_REVALG_LOGITS) {
        A = part(parameter_view(m, i, QUERY), 1, head * depth, depth);
        B = transposed_view(part(parameter_view(m, i, KEY), 1, head * depth, depth));
    } else {
        A = part(parameter_view(m, i, VALUE), 1, head * depth, depth);
        B = part(parameter_view(m, i, OUTPUT), 0, head * depth, depth);
    }
    const mesaopt_view a = f64_matrix(w->a, b->in, depth), bb = f64_matrix(w->b, depth, b->out);
    view_copy(&A, &a);
    view_copy(&B, &bb);
    k->product(k, w->scratch, PRODUCT_LANE, TRI_NONE, 0, b->in, b->out, depth,
               (mat){w->a, depth, 1}, (mat){w->b, b->out, 1}, (mat){w->ab, b->out, 1});
}

mesaopt_status revalg_product(const mesaopt_model *m, int64_t block, int product, int64_t head,
                              const mesaopt_view *out)
{
    const allocator *alloc = &m->head.ctx->alloc;
    const int64_t bytes = work_bytes(m, block);
    void *memory = bytes < 0 ? NULL : alloc_new(alloc, 1, bytes);
    if (!memory)
        return fail(m->head.ctx, MESAOPT_E_MEMORY, "product: no memory for %lld bytes",
                    (long long)bytes);
    const product_work w = lay_out(&(arena){memory, 0}, m, block);
    multiply(m, block, product, head, &w);
    const mesaopt_view from = f64_matrix(w.ab, out->shape[0], out->shape[1]);
    view_copy(&from, out);
    alloc_free(alloc, memory);
    return ctx_stopped(m->head.ctx, "product");
}

/* Scalar and residual of the block at x, stride rs; returns its norm. Norms of any size: squares of
 * small weights would vanish. */
static double compress(const double *x, int64_t rs, int64_t n, double *scalar, double *residual)
{
    double trace = 0, norm = 0;
    for (int64_t i = 0; i < n; i++) trace += x[i * rs + i];
    *scalar = trace / (double)n;
    *residual = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            const double b = x[i * rs + j];
            norm = real_hypot(norm, b);
            *residual = real_hypot(*residual, i == j ? b - *scalar : b);
        }
    return norm;
}

/* ---- extraction ---- */

static void destroy(object *o)
{
    alloc_free(&o->ctx->alloc, ((mesaopt_revalg *)o)->blocks);
    alloc_free(&o->ctx->alloc, ((mesaopt_revalg *)o)->memory);
}

/* What a rebuilt model gets: keys and values as wide as the stream, and the scale of the original.
 */
static mesaopt_status rebuilt_settings(mesaopt_ctx *ctx, const block *b, revalg_block *r)
{
    r->settings = b->settings;
    if (!is_attention(b->kind)) return MESAOPT_OK;
    settings_set(&r->settings, MESAOPT_KEY_SCALE, attention_scale(b));
    mesaopt_status status = settings_set(&r->settings, MESAOPT_KEY_KEY, b->in);
    if (status == MESAOPT_OK)
        status = settings_set(&r->settings, MESAOPT_KEY_VALUE, b->in);
    return status == MESAOPT_OK
               ? status
               : fail(ctx, MESAOPT_E_UNSUPPORTED, "model: keys as wide as the stream: %.200s",
                      r->settings.text);
}

const char *revalg_beyond(const block *b)
{
    if (b->kind->scope == MESAOPT_SCOPE_DENSE && b->n_params > 1) return "a bias, expected bias=0";
    if (b->pe) return "positions, expected pe=none";
    if (b->norm) return "normalised inputs, expected norm=none";
    if (is_attention(b->kind) && heads_extents(b, 0).qk_norm)
        return "queries and keys of length 1, expected qk_norm=0";
    return NULL;
}

static mesaopt_status plan_block(const mesaopt_model *m, int64_t i, revalg_block *r)
{
    mesaopt_ctx *ctx = m->head.ctx;
    const block *b = &m->blocks[i];
    const char *name = options_scope_name(b->kind->scope);
    const int64_t n = m->outputs;
    r->kind = b->kind, r->in = b->in / n, r->out = b->out / n;
    if (b->in % n || b->out % n)
        return fail(ctx, MESAOPT_E_UNSUPPORTED,
                    "model: block %lld maps %lld features to %lld, expected multiples of the %lld "
                    "of the prediction",
                    (long long)i, (long long)b->in, (long long)b->out, (long long)n);
    if (revalg_beyond(b))
        return fail(ctx, MESAOPT_E_UNSUPPORTED, "model: block %lld has %s", (long long)i,
                    revalg_beyond(b));
    if (b->kind->scope == MESAOPT_SCOPE_MASK) return rebuilt_settings(ctx, b, r);
    if (!is_attention(b->kind) && b->kind->scope != MESAOPT_SCOPE_DENSE)
        return fail(ctx, MESAOPT_E_UNSUPPORTED,
                    "model: block %lld is %s, expected linear, softmax, dense or mask",
                    (long long)i, name);
    r->heads = is_attention(b->kind) ? heads_extents(b, 0).heads : 1;
    r->products = is_attention(b->kind) ? 2 : 1;
    for (int j = 0; j < b->n_params; j++) r->weights += b->param[j].rows * b->param[j].cols;
    if (!size_mul(r->in, r->out, &r->size) || !size_mul(r->size, r->heads, &r->size))
        return fail(ctx, MESAOPT_E_MEMORY, "model: the scalars of block %lld overflow",
                    (long long)i);
    return rebuilt_settings(ctx, b, r);
}

/* All blocks planned, their scalars laid out; writes the bytes of work that products need. */
static mesaopt_status plan(const mesaopt_model *m, mesaopt_revalg *r, int64_t *work)
{
    const allocator *alloc = &m->head.ctx->alloc;
    int64_t total = 0;
    r->blocks = alloc_new(alloc, m->n_blocks, sizeof *r->blocks);
    if (!r->blocks)
        return fail(m->head.ctx, MESAOPT_E_MEMORY, "extract: no memory for %lld blocks",
                    (long long)m->n_blocks);
    for (int64_t i = 0; i < m->n_blocks; i++) {
        revalg_block *b = &r->blocks[i];
        const mesaopt_status status = plan_block(m, i, b);
        if (status != MESAOPT_OK) return status;
        const int64_t bytes = work_bytes(m, i);
        if (bytes < 0 || bytes > *work) *work = bytes;
        if (*work < 0 || !size_add(total, 2 * b->products * b->size, &total))
            return fail(m->head.ctx, MESAOPT_E_MEMORY,
                        "extract: the products of block %lld overflow", (long long)i);
    }
    r->memory = alloc_new(alloc, total, sizeof *r->memory);
    if (!r->memory)
        return fail(m->head.ctx, MESAOPT_E_MEMORY, "extract: no memory for %lld scalars",
                    (long long)total);
    double *next = r->memory;
    for (int64_t i = 0; i < m->n_blocks; i++)
        for (int p = 0; p < r->blocks[i].products; p++, next += 2 * r->blocks[i].size)
            r->blocks[i].scalars[p] = next, r->blocks[i].residuals[p] = next + r->blocks[i].size;
    return MESAOPT_OK;
}

static mesaopt_status extract(const mesaopt_model *m, mesaopt_revalg *r, void *memory)
{
    double norm = 0, kept = 0;
    const int64_t n = m->outputs;
    for (int64_t i = 0; i < m->n_blocks; i++) {
        const revalg_block *b = &r->blocks[i];
        const product_work w = lay_out(&(arena){memory, 0}, m, i);
        for (int p = 0; p < b->products; p++)
            for (int64_t h = 0; h < b->heads; h++) {
                multiply(m, i, p, h, &w);
                for (int64_t s = 0; s < b->in * b->out && !ctx_interrupted(m->head.ctx); s++) {
                    const int64_t at = h * b->in * b->out + s;
                    const double block =
                        compress(w.ab + s / b->out * n * b->out * n + s % b->out * n, b->out * n, n,
                                 &b->scalars[p][at], &b->residuals[p][at]);
                    norm = real_hypot(norm, block);
                    kept = real_hypot(kept, sqrt((double)n) * b->scalars[p][at]);
                }
            }
    }
    if (!(norm * norm <= DBL_MAX))
        return fail(m->head.ctx, MESAOPT_E_NONFINITE,
                    "model: the squared norm of its products is %s, expected a finite number",
                    number_text(norm * norm).text);
    r->explained = norm > 0 ? kept / norm * (kept / norm) : 1;
    return MESAOPT_OK;
}

mesaopt_status revalg_extract(const mesaopt_model *m, mesaopt_revalg **out)
{
    const allocator *alloc = &m->head.ctx->alloc;
    void *memory = NULL;
    int64_t work = 0;
    mesaopt_revalg *r = object_new(m->head.ctx, OBJECT_REVALG, sizeof *r, destroy);
    if (!r) return MESAOPT_E_MEMORY;
    r->settings = m->settings;
    r->n = m->outputs, r->n_blocks = m->n_blocks;
    mesaopt_status status = plan(m, r, &work);
    if (status == MESAOPT_OK && !(memory = alloc_new(alloc, 1, work)))
        status = fail(m->head.ctx, MESAOPT_E_MEMORY, "extract: no memory for %lld bytes",
                      (long long)work);
    if (status == MESAOPT_OK) {
        const mesaopt_status done = extract(m, r, memory);
        status = ctx_stopped(m->head.ctx, "extract");   /* what is unfinished need not be finite */
        if (status == MESAOPT_OK) status = done;
    }
    if (status == MESAOPT_OK) *out = r;
    else object_release(&r->head);
    alloc_free(alloc, memory);
    return status;
}

double revalg_share(const mesaopt_revalg *r)
{
    int64_t kept = 0, weights = 0;
    for (int64_t i = 0; i < r->n_blocks; i++) {
        const revalg_block *b = &r->blocks[i];
        weights += b->weights;
        for (int p = 0; p < b->products; p++)
            for (int64_t s = 0; s < b->size; s++) kept += b->scalars[p][s] != 0;
    }
    return weights > 0 ? (double)kept / (double)weights : 0;
}

/* ---- one layer in closed form ---- */

/* The attention block, and the number of features that masks before it take away. */
static mesaopt_status one_layer(const mesaopt_revalg *r, const revalg_block **layer,
                                int64_t *masked)
{
    *layer = NULL, *masked = 0;
    for (int64_t i = 0; i < r->n_blocks; i++) {
        const revalg_block *b = &r->blocks[i];
        const int64_t first = b->kind->scope == MESAOPT_SCOPE_MASK
                                  ? option_int(&b->settings, MESAOPT_SCOPE_MASK, MESAOPT_KEY_FIRST)
                                  : 0;
        if (*layer || (b->kind->scope != MESAOPT_SCOPE_MASK && !is_attention(b->kind)) ||
            b->in != 4 || first % r->n)
            return fail(r->head.ctx, MESAOPT_E_UNSUPPORTED,
                        "revalg: block %lld does not belong there, expected masks of whole slots "
                        "and then one attention layer of 4 slots",
                        (long long)i);
        if (first > *masked) *masked = first;
        if (is_attention(b->kind)) *layer = b;
    }
    return *layer ? MESAOPT_OK
                  : fail(r->head.ctx, MESAOPT_E_UNSUPPORTED,
                         "revalg: no attention layer, expected one");
}

mesaopt_status revalg_one_layer(const mesaopt_revalg *r, int64_t *heads)
{
    const revalg_block *layer;
    int64_t masked;
    const mesaopt_status status = one_layer(r, &layer, &masked);
    if (status == MESAOPT_OK) *heads = layer->heads;
    return status;
}

void revalg_closed_form(const mesaopt_revalg *r, const mesaopt_view *out)
{
    const revalg_block *layer;
    int64_t masked;
    one_layer(r, &layer, &masked);
    const int64_t x = masked / r->n < 1 ? 1 : masked / r->n; /* slots x .. 2 hold x_t, slot 3 holds
                                                                x_{t-1} */
    for (int64_t h = 0; h < layer->heads; h++) {
        const double *Q = layer->scalars[0] + 16 * h, *V = layer->scalars[1] + 16 * h;
        double c[6] = {0};
        for (int64_t i = x; i < 4; i++)
            for (int64_t j = x; j < 4; j++) c[2 * (i == 3) + (j == 3)] += Q[4 * i + j];
        for (int64_t i = x; i < 4; i++) c[4 + (i == 3)] += V[4 * i];
        for (int64_t j = 0; j < 6; j++) matrix_set(out, h, j, c[j]);
    }
}
