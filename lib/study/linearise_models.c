/* Models of a linearisation: copies, students, and the teacher with students in their places. */
#include "study/linearise_impl.h"
#include "base/options.h"
#include <string.h>

/* Settings of block i of a model that is made. */
typedef const mesaopt_settings *(*settings_of)(const void *from, int64_t i);

static mesaopt_status make(mesaopt_ctx *ctx, const mesaopt_settings *settings, int64_t count,
                           settings_of of, const void *from, mesaopt_model **out)
{
    const mesaopt_settings **list = alloc_new(&ctx->alloc, count, sizeof *list);
    mesaopt_model *m = NULL;
    if (!list)
        return fail(ctx, MESAOPT_E_MEMORY, "model: no memory for the settings of %lld blocks",
                    (long long)count);
    for (int64_t i = 0; i < count; i++) list[i] = of(from, i);
    mesaopt_status status = model_create(ctx, settings, &m);
    if (status == MESAOPT_OK) status = model_add(m, list, count);
    alloc_free(&ctx->alloc, list);
    if (status == MESAOPT_OK) *out = m;
    else if (m) object_release(&m->head);
    return status;
}

/* Parameters of block i of `from` become those of block j of `to`, which has the same settings. */
static void copy_block(const mesaopt_model *from, int64_t i, mesaopt_model *to, int64_t j)
{
    const block *b = &from->blocks[i];
    for (int p = 0; p < b->n_params; p++)
        memcpy((char *)to->params + to->blocks[j].param[p].offset * to->size,
               (char *)from->params + b->param[p].offset * from->size,
               (size_t)(b->param[p].rows * b->param[p].cols * from->size));
}

/* ---- copies ---- */

static const mesaopt_settings *same(const void *from, int64_t i)
{
    return &((const mesaopt_model *)from)->blocks[i].settings;
}

mesaopt_status linearise_copy(const mesaopt_model *m, mesaopt_model **out)
{
    const mesaopt_status status = make(m->head.ctx, &m->settings, m->n_blocks, same, m, out);
    for (int64_t i = 0; status == MESAOPT_OK && i < m->n_blocks; i++) copy_block(m, i, *out, i);
    return status;
}

/* ---- students ---- */

/* Linear, with every setting that the kinds have in common, except for the scale of the logits,
 * which is that of linear attention, and for how the work is cut up. */
static void as_block(const mesaopt_settings *block, mesaopt_settings *out)
{
    options_init(out, MESAOPT_SCOPE_LINEAR);
    const option_row *row;
    for (int32_t i = 0; (row = options_at(MESAOPT_SCOPE_LINEAR, i)); i++)
        if (options_find(block->scope, row->key) && row->key != MESAOPT_KEY_SCALE &&
            row->key != MESAOPT_KEY_CHUNK && row->key != MESAOPT_KEY_LANES)
            out->value[row->key] = block->value[row->key];
}

static const mesaopt_settings *only(const void *from, int64_t i) { return (void)i, from; }

mesaopt_status linearise_student(const mesaopt_model *m, int64_t i, const mesaopt_settings *block,
                                 mesaopt_model **out)
{
    mesaopt_settings model = m->settings, own;
    const int64_t width = m->blocks[i].in;
    if (block) own = *block;
    else as_block(&m->blocks[i].settings, &own);
    model.value[MESAOPT_KEY_INPUTS] = model.value[MESAOPT_KEY_OUTPUTS] = (double)width;
    return make(m->head.ctx, &model, 1, only, &own, out);
}

int64_t linearise_find(const mesaopt_linearise *l, int64_t block)
{
    for (int64_t i = 0; i < l->count; i++)
        if (l->students[i].block == block) return i;
    return -1;
}

/* ---- in their places ---- */

typedef struct placed { const mesaopt_linearise *l; int64_t student; } placed;

/* The student that stands in for a block, or NULL. */
static const student *stand_in(const placed *p, int64_t block)
{
    const int64_t i = linearise_find(p->l, block);
    return i >= 0 && (p->student < 0 || p->student == i) ? &p->l->students[i] : NULL;
}

static const mesaopt_settings *placed_settings(const void *from, int64_t i)
{
    const placed *p = from;
    const student *s = stand_in(p, i);
    return s ? &s->model->blocks[0].settings : &p->l->teacher->blocks[i].settings;
}

mesaopt_status linearise_model(const mesaopt_linearise *l, int64_t i, mesaopt_model **out)
{
    const placed p = {l, i};
    const mesaopt_model *t = l->teacher;
    const mesaopt_status status =
        make(l->head.ctx, &t->settings, t->n_blocks, placed_settings, &p, out);
    for (int64_t b = 0; status == MESAOPT_OK && b < t->n_blocks; b++) {
        const student *s = stand_in(&p, b);
        if (s) copy_block(s->model, 0, *out, b);
        else copy_block(t, b, *out, b);
    }
    return status;
}
