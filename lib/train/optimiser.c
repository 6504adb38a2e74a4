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

/* Factor that brings the norm of the gradient, clipped by value, to clip_norm at most. */
static double norm_factor(const optimiser *o)
{
    double squares = 0;
    if (o->recipe.clip_norm == INFINITY) return 1;
    for (int64_t first = 0, n; first < o->model->n_params; first += n) {
        const void *g = clipped_piece(o, first, o->model->n_params, &n);
        squares += kern_of(o)->sum_squares(n, g);
    }
    return adamw_norm_factor(&o->recipe, sqrt(squares));
}

void optimiser_update(const optimiser *o, int64_t step)
{
    const mesaopt_model *m = o->model;
    const kern *k = kern_of(o);
    const double factor = norm_factor(o);
    for (int64_t i = 0; i < m->n_table; i++) {
        const model_parameter *p = &m->table[i];
        const int decays = m->blocks[p->block].param[p->index].decay;
        for (int64_t first = p->offset, end = first + p->rows * p->cols, n; first < end;
             first += n) {
            void *g = clipped_piece(o, first, end, &n);
            if (factor < 1) k->scale(n, factor, g);
            adamw_update(&o->recipe, k, step, decays, n, (char *)m->params + first * m->size, g,
                         (char *)o->m + first * m->size, (char *)o->v + first * m->size);
        }
    }
}

mesaopt_status optimiser_open(optimiser *o, const adamw *recipe, mesaopt_model *m)
{
    const allocator *a = &m->head.ctx->alloc;
    *o = (optimiser){*recipe, m, alloc_new(a, m->n_params, m->size),
                     alloc_new(a, m->n_params, m->size), alloc_new(a, PIECE, m->size)};
    if (o->m && o->v && o->piece) return MESAOPT_OK;
    return fail(m->head.ctx, MESAOPT_E_MEMORY,
                "optimiser: no memory for the moments of %lld parameters", (long long)m->n_params);
}

void optimiser_close(optimiser *o)
{
    if (!o->model) return;
    const allocator *a = &o->model->head.ctx->alloc;
    alloc_free(a, o->m);
    alloc_free(a, o->v);
    alloc_free(a, o->piece);
}
