/* Models: creation, the parameter table, initial weights N(0, init_sd^2). */
#include "base/choices.h"
#include "train/model_impl.h"
#include <stdio.h>
#include <string.h>

enum { STREAM_INIT = 16, OFTEN = 1024 };       /* data streams are below; elements between two looks
                                                  at kern_stopped */

static void destroy(object *o)
{
    mesaopt_model *m = (mesaopt_model *)o;
    const allocator *a = &o->ctx->alloc;
    alloc_free(a, m->blocks);
    alloc_free(a, m->table);
    alloc_free(a, m->params);
    alloc_free(a, m->grads);
    alloc_free(a, m->memory.memory);
    notes_drop(a, &m->notes);
}

mesaopt_status model_create(mesaopt_ctx *ctx, const mesaopt_settings *settings, mesaopt_model **out)
{
    mesaopt_model *m = object_new(ctx, OBJECT_MODEL, sizeof *m, destroy);
    if (!m) return MESAOPT_E_MEMORY;
    if (settings) m->settings = *settings;
    else options_init(&m->settings, MESAOPT_SCOPE_MODEL);
    const int64_t dtype = option_int(settings, MESAOPT_SCOPE_MODEL, MESAOPT_KEY_DTYPE);
    m->dtype = dtype == DTYPE_F64 ? MESAOPT_F64 : MESAOPT_F32;
    m->size = dtype_size(m->dtype);
    m->inputs = option_int(settings, MESAOPT_SCOPE_MODEL, MESAOPT_KEY_INPUTS);
    m->outputs = option_int(settings, MESAOPT_SCOPE_MODEL, MESAOPT_KEY_OUTPUTS);
    m->most_params = INT64_MAX;
    const mesaopt_status status = model_add(m, NULL, 0); /* arrays of no blocks and parameters,
                                                            which are not NULL */
    if (status == MESAOPT_OK) *out = m;
    else object_release(&m->head);
    return status;
}

/* Element e of a parameter is draw 0 of sequence e of the parameter's own stream, made in f64
 * whatever the type. Into `params`, laid out as the model's. */
static void initialise_parameter(const mesaopt_model *m, const block *blocks,
                                 const model_parameter *p, int64_t seed, void *params)
{
    const kern *k = kern_get(m->head.ctx, MESAOPT_F64, 0);
    const parameter *w = &blocks[p->block].param[p->index];
    const uint32_t stream = STREAM_INIT + (uint32_t)(p->block * BLOCK_MAX_PARAMS + p->index);
    _Alignas(64) double draws[16];
    for (int64_t e = 0; e < p->rows * p->cols && !(e % OFTEN == 0 && kern_stopped(k));
         e += k->width) {
        k->normal((uint64_t)seed, stream, e, 0, 1, w->mean, w->sd, draws);
        for (int64_t l = 0; l < k->width && e + l < p->rows * p->cols; l++) {
            if (m->size == 4) ((float *)params)[p->offset + e + l] = (float)draws[l];
            else ((double *)params)[p->offset + e + l] = draws[l];
        }
    }
}

mesaopt_status model_initialise(mesaopt_model *m, int64_t seed)
{
    const allocator *a = &m->head.ctx->alloc;
    void *params = alloc_new(a, m->n_params, m->size);
    if (!params)
        return fail(m->head.ctx, MESAOPT_E_MEMORY, "initialise: no memory for %lld parameters",
                    (long long)m->n_params);
    for (int64_t i = 0; i < m->n_table; i++)
        initialise_parameter(m, m->blocks, &m->table[i], seed, params);
    const mesaopt_status status = ctx_stopped(m->head.ctx, "initialise");
    if (status == MESAOPT_OK) memcpy(m->params, params, (size_t)(m->n_params * m->size));
    alloc_free(a, params);
    return status;
}

/* Plans block i of `blocks` from its settings; widths must meet. */
static mesaopt_status plan_block(mesaopt_model *m, block *blocks, int64_t i,
                                 const mesaopt_settings *settings)
{
    block *b = &blocks[i];
    memset(b, 0, sizeof *b);
    b->kind = block_kind_of(settings->scope);
    b->settings = *settings;
    b->in = i ? blocks[i - 1].out : m->inputs;
    return b->kind->plan(m->head.ctx, b);
}

/* Lays out parameters of all blocks: the table when not NULL, and their number of reals (-1:
 * overflow). */
static int64_t lay_out(block *blocks, int64_t n_blocks, model_parameter *table)
{
    int64_t offset = 0, n = 0;
    for (int64_t i = 0; i < n_blocks; i++)
        for (int j = 0; j < blocks[i].n_params; j++, n++) {
            parameter *p = &blocks[i].param[j];
            int64_t count;
            p->offset = offset;
            if (!size_mul(p->rows, p->cols, &count) || !size_add(offset, count, &offset)) return -1;
            if (!table) continue;
            table[n] = (model_parameter){"", i, j, p->rows, p->cols, p->offset};
            snprintf(table[n].name, sizeof table[n].name, "blocks.%lld.%s", (long long)i, p->name);
        }
    return offset;
}

/* A model with more blocks, until it takes the place of the one that is there. */
typedef struct grown {
    int64_t n_blocks, n_table, n_params;
    block *blocks;
    model_parameter *table;
    void *params, *grads;
} grown;

static mesaopt_status no_memory(mesaopt_model *m, const grown *g)
{
    return fail(m->head.ctx, MESAOPT_E_MEMORY, "model: no memory for %lld blocks",
                (long long)g->n_blocks);
}

static mesaopt_status grow_blocks(mesaopt_model *m, const mesaopt_settings *const *settings,
                                  grown *g)
{
    mesaopt_status status = MESAOPT_OK;
    if (g->n_blocks > MODEL_MOST_BLOCKS)
        return fail(m->head.ctx, MESAOPT_E_ARGUMENT, "blocks: %lld in all, expected at most %d",
                    (long long)g->n_blocks, MODEL_MOST_BLOCKS);
    g->blocks = alloc_new(&m->head.ctx->alloc, g->n_blocks, sizeof *g->blocks);
    if (!g->blocks) return no_memory(m, g);
    if (m->n_blocks) memcpy(g->blocks, m->blocks, (size_t)m->n_blocks * sizeof *g->blocks);
    for (int64_t i = m->n_blocks; i < g->n_blocks && status == MESAOPT_OK; i++)
        status = plan_block(m, g->blocks, i, settings[i - m->n_blocks]);
    return status;
}

static mesaopt_status grow_parameters(mesaopt_model *m, grown *g)
{
    const allocator *a = &m->head.ctx->alloc;
    for (int64_t i = 0; i < g->n_blocks; i++) g->n_table += g->blocks[i].n_params;
    g->table = alloc_new(a, g->n_table, sizeof *g->table);
    if (!g->table || (g->n_params = lay_out(g->blocks, g->n_blocks, g->table)) < 0)
        return no_memory(m, g);
    if (g->n_params > m->most_params)
        return fail(m->head.ctx, MESAOPT_E_FORMAT,
                    "blocks: %lld parameters, expected at most the %lld that the file has room for",
                    (long long)g->n_params, (long long)m->most_params);
    g->params = alloc_new(a, g->n_params, m->size);
    g->grads = alloc_new(a, g->n_params, m->size);
    if (!g->params || !g->grads) return no_memory(m, g);
    if (m->n_params) memcpy(g->params, m->params, (size_t)(m->n_params * m->size));
    for (int64_t i = m->n_table; i < g->n_table; i++)
        initialise_parameter(m, g->blocks, &g->table[i],
                             option_int(&m->settings, MESAOPT_SCOPE_MODEL, MESAOPT_KEY_SEED),
                             g->params);
    return ctx_stopped(m->head.ctx, "add");
}

static void free_pieces(const allocator *a, const grown *g)
{
    alloc_free(a, g->blocks);
    alloc_free(a, g->table);
    alloc_free(a, g->params);
    alloc_free(a, g->grads);
}

mesaopt_status model_add(mesaopt_model *m, const mesaopt_settings *const *settings, int64_t count)
{
    const grown old = {.blocks = m->blocks, .table = m->table, .params = m->params,
                       .grads = m->grads};
    grown g = {.n_blocks = m->n_blocks + count};
    mesaopt_status status = grow_blocks(m, settings, &g);
    if (status == MESAOPT_OK) status = grow_parameters(m, &g);
    free_pieces(&m->head.ctx->alloc, status == MESAOPT_OK ? &old : &g);
    if (status != MESAOPT_OK) return status;
    m->blocks = g.blocks, m->n_blocks = g.n_blocks, m->table = g.table, m->n_table = g.n_table;
    m->params = g.params, m->grads = g.grads, m->n_params = g.n_params;
    return MESAOPT_OK;
}

mesaopt_status model_check_whole(const mesaopt_model *m)
{
    const int64_t width = model_width(m, m->n_blocks - 1);
    if (m->n_blocks == 0)
        return fail(m->head.ctx, MESAOPT_E_STATE, "model: no blocks, expected at least one");
    if (width < m->outputs)
        return fail(
            m->head.ctx, MESAOPT_E_STATE,
            "model: the last block has %lld features, expected at least the %lld of the prediction "
            "(the setting outputs)",
            (long long)width, (long long)m->outputs);
    return MESAOPT_OK;
}

mesaopt_status model_check_length(const mesaopt_model *m, int64_t T)
{
    for (int64_t i = 0; i < m->n_blocks; i++)
        if (m->blocks[i].longest > 0 && T > m->blocks[i].longest)
            return fail(m->head.ctx, MESAOPT_E_SHAPE,
                        "length: %lld tokens, expected at most the %lld of longest of block %lld",
                        (long long)T, (long long)m->blocks[i].longest, (long long)i);
    return MESAOPT_OK;
}

const model_parameter *model_find(const mesaopt_model *m, const char *name)
{
    for (int64_t i = 0; i < m->n_table; i++)
        if (strcmp(m->table[i].name, name) == 0) return &m->table[i];
    return NULL;
}

mesaopt_view model_matrix(const mesaopt_model *m, const model_parameter *p, void *base)
{
    return (mesaopt_view){.data = (char *)base + p->offset * m->size,
                          .shape = {p->rows, p->cols},
                          .stride = {p->cols, 1},
                          .ndim = 2,
                          .dtype = m->dtype};
}

panels model_panels(const mesaopt_model *m, int64_t B, int64_t T)
{
    enum { WIDE = 512, LARGE = 1 << 15 };      /* features of the stream; reals of a sequence */
    int64_t width = m->inputs;
    for (int64_t i = 0; i < m->n_blocks; i++)
        if (m->blocks[i].out > width) width = m->blocks[i].out;
    return panels_plan(m->head.ctx, m->dtype,
                       option_int(&m->settings, MESAOPT_SCOPE_MODEL, MESAOPT_KEY_LANES), B, 1, T,
                       width > WIDE || T > LARGE / width);
}
