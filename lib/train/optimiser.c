/* See optimiser.h. */
#include "train/optimiser.h"
#include <math.h>
#include <string.h>

enum { PIECE = 4096 };             /* reals; a multiple of every vector */

static const kern *kern_of(const optimiser *o)
{
    return kern_get(o->model->head.ctx, o->model->dtype, 0);
}

/* The piece of the gradient from element `first` on, before `end`, clipped by value; writes its
 * length. */
static void *clipped_piece(const optimiser *o, int64_t first, int64_t end, int64_t *length)
{
    const mesaopt_model *m = o->model;
    *length = end - first < PIECE ? end - first : PIECE;
    memcpy(o->piece, (const char *)m->grads + first * m->size, (size_t)(*length * m->size));
    if (o->recipe.clip_value < INFINITY) kern_of(o)->clamp(*length, o->recipe.clip_value, o->piece);
    return o->piece;
}

static int64_t end_of(const model_parameter *p) { return p->offset + p->rows * p->cols; }

/* Factor that brings the norm of the gradient of what is not frozen, clipped by value, to clip_norm
 * at most. Neighbours are summed as one array. */
static double norm_factor(const optimiser *o)
{
    const mesaopt_model *m = o->model;
    double squares = 0;
    if (o->recipe.clip_norm == INFINITY) return 1;
    for (int64_t i = 0, last; i < m->n_table; i = last + 1) {
        last = i;
        if (update_rule_frozen(&o->rules[i])) continue;
        while (last + 1 < m->n_table && !update_rule_frozen(&o->rules[last + 1])) last++;
        const int64_t end = end_of(&m->table[last]);
        for (int64_t first = m->table[i].offset, n; first < end; first += n) {
            const void *g = clipped_piece(o, first, end, &n);
            squares += kern_of(o)->sum_squares(n, g);
        }
    }
    return adamw_norm_factor(&o->recipe, sqrt(squares));
}

/* Parameter i, with its gradient times `scale`. */
static void update(const optimiser *o, int64_t i, int64_t step, double scale)
{
    const mesaopt_model *m = o->model;
    const model_parameter *p = &m->table[i];
    const update_rule *rule = &o->rules[i];
    const kern *k = kern_of(o);
    const double rate = rule->factor * schedule_rate(&o->recipe.rate, step);
    const double decay = update_rule_decays(m, i, rule) ? o->recipe.weight_decay : 0;
    for (int64_t first = p->offset, n; first < end_of(p); first += n) {
        void *g = clipped_piece(o, first, end_of(p), &n);
        if (scale < 1) k->scale(n, scale, g);
        adamw_update(&o->recipe, k, rate, decay, step + 1 - rule->frozen_steps, n,
                     (char *)m->params + first * m->size, g, (char *)o->m + first * m->size,
                     (char *)o->v + first * m->size);
    }
}

void optimiser_update(optimiser *o, int64_t step)
{
    const double scale = norm_factor(o);
    for (int64_t i = 0; i < o->model->n_table; i++)
        if (update_rule_frozen(&o->rules[i])) o->rules[i].frozen_steps++;
        else update(o, i, step, scale);
}

mesaopt_status optimiser_open(optimiser *o, const adamw *recipe, mesaopt_model *m)
{
    const allocator *a = &m->head.ctx->alloc;
    *o = (optimiser){*recipe,
                     m,
                     alloc_new(a, m->n_table, sizeof *o->rules),
                     alloc_new(a, m->n_params, m->size),
                     alloc_new(a, m->n_params, m->size),
                     alloc_new(a, PIECE, m->size)};
    if (!o->rules || !o->m || !o->v || !o->piece)
        return fail(m->head.ctx, MESAOPT_E_MEMORY,
                    "optimiser: no memory for the moments of %lld parameters",
                    (long long)m->n_params);
    for (int64_t i = 0; i < m->n_table; i++) o->rules[i] = (update_rule){.factor = 1};
    return MESAOPT_OK;
}

void optimiser_close(optimiser *o)
{
    if (!o->model) return;
    const allocator *a = &o->model->head.ctx->alloc;
    alloc_free(a, o->rules);
    alloc_free(a, o->m);
    alloc_free(a, o->v);
    alloc_free(a, o->piece);
}
