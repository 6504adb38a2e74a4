/* Reading an algorithm off the weights of an attention-only model; see include/mesaopt/revalg.h.
 * Arguments are valid except where it says so. */
#ifndef STUDY_REVALG_IMPL_H
#define STUDY_REVALG_IMPL_H

#include "mesaopt/revalg.h"
#include "nn/heads.h"
#include "study/baselines.h"
#include "train/model_impl.h"
#include "train/safetensors.h"

enum { REVALG_PRODUCTS = 2 };      /* of a block at most */

typedef struct revalg_block {
    const block_kind *kind;
    mesaopt_settings settings;     /* of the block that a rebuilt model gets */
    int64_t heads, in, out;        /* slots of the stream before and after; heads 0: no product */
    int products;
    int64_t size;                  /* scalars of one product, all heads */
    double *scalars[REVALG_PRODUCTS], *residuals[REVALG_PRODUCTS];      /* [heads][in][out] */
    int64_t weights;               /* that they stand for */
} revalg_block;

struct mesaopt_revalg {
    object head;
    mesaopt_settings settings;     /* of the model */
    int64_t n, n_blocks;
    revalg_block *blocks;
    double *memory;                /* of scalars and residuals */
    double explained;
};

/* Index of a product in its block; -1: the block has no such product. */
int revalg_product_index(const block_kind *kind, int32_t product);

/* What of a block its products do not describe, and the setting without it: "positions, expected
 * pe=none"; NULL: nothing. */
const char *revalg_beyond(const block *b);

/* MESAOPT_E_UNSUPPORTED: a block that does not fit. */
mesaopt_status revalg_extract(const mesaopt_model *m, mesaopt_revalg **out);
mesaopt_status revalg_product(const mesaopt_model *m, int64_t block, int product, int64_t head,
                              const mesaopt_view *out);
double revalg_share(const mesaopt_revalg *r);

/* Is it one layer of 4 slots? Its heads, or MESAOPT_E_UNSUPPORTED. out [heads, 6] */
mesaopt_status revalg_one_layer(const mesaopt_revalg *r, int64_t *heads);
void revalg_closed_form(const mesaopt_revalg *r, const mesaopt_view *out);

mesaopt_status revalg_rebuild(const mesaopt_revalg *r, mesaopt_model **out);

/* MESAOPT_E_UNSUPPORTED: blocks that do not agree. Update: MESAOPT_E_STATE when `average` is no
 * average of such models. */
mesaopt_status revalg_average(const mesaopt_model *a, const mesaopt_model *b, mesaopt_model **out);
mesaopt_status revalg_average_update(mesaopt_model *average, const mesaopt_model *a,
                                     const mesaopt_model *b);

/* MESAOPT_E_SHAPE: `inputs` does not fit `outputs`. */
mesaopt_status proposition1(mesaopt_ctx *ctx, const mesaopt_settings *settings, double eta,
                            const mesaopt_view *phi0, mesaopt_model **out);
mesaopt_status proposition2(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                            const preconditioner *p, mesaopt_model **out);

/* Views and their shapes are checked here, since they follow from the settings. */
mesaopt_status revalg_import(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                             const mesaopt_settings *block, int64_t layers,
                             const mesaopt_view *weights, mesaopt_model **out);
mesaopt_status revalg_import_file(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                  const mesaopt_settings *block, const storage *from,
                                  mesaopt_model **out);

/* Parameters of a block by their index there, and their elements. */
static inline mesaopt_view parameter_view(const mesaopt_model *m, int64_t block, int index)
{
    const parameter *p = &m->blocks[block].param[index];
    return (mesaopt_view){.data = (char *)m->params + p->offset * m->size,
                          .shape = {p->rows, p->cols},
                          .stride = {p->cols, 1},
                          .ndim = 2,
                          .dtype = m->dtype};
}

static inline double matrix_get(const mesaopt_view *v, int64_t i, int64_t j)
{
    return view_get(v, (int64_t[]){i, j});
}
static inline void matrix_set(const mesaopt_view *v, int64_t i, int64_t j, double x)
{
    view_set(v, (int64_t[]){i, j}, x);
}

/* x I in the n x n block at (row, column) of v. */
static inline void matrix_set_identity(const mesaopt_view *v, int64_t row, int64_t column,
                                       int64_t n, double x)
{
    for (int64_t i = 0; i < n; i++) matrix_set(v, row + i, column + i, x);
}

static inline int is_attention(const block_kind *kind)
{
    return kind->scope == MESAOPT_SCOPE_LINEAR || kind->scope == MESAOPT_SCOPE_SOFTMAX;
}

/* A model with `count` blocks, all weights 0. */
mesaopt_status model_of_zeros(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                              const mesaopt_settings *const *blocks, int64_t count,
                              mesaopt_model **out);

/* *out = m; or MESAOPT_E_NONFINITE, and m is gone, when numbers of the user (`what`) made weights
 * that are not finite in the model's type. */
mesaopt_status model_finished(mesaopt_model *m, const char *what, mesaopt_model **out);

#endif
