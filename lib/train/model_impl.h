/* Models: a list of blocks, one table of parameters, and batched passes over panels. */
#ifndef TRAIN_MODEL_IMPL_H
#define TRAIN_MODEL_IMPL_H

#include "base/notes.h"
#include "mesaopt/model.h"
#include "nn/block.h"
#include "tensor/view.h"

enum { MODEL_MOST_BLOCKS = 4096 };                     /* what a file may ask for, and a model
                                                          have */

/* One parameter of the model: block and index there; all of them lie in one array, in this order.
 */
typedef struct model_parameter {
    char name[48];                 /* "blocks.0.query" */
    int64_t block;
    int index;
    int64_t rows, cols, offset;    /* offset in reals */
} model_parameter;

/* Memory of passes, laid out anew by each; positions at its start stay while passes agree in what
 * they depend on. */
typedef struct workspace {
    void *memory;
    int64_t bytes;                 /* of memory */
    int64_t T, lanes, blocks;      /* that the positions are of; T = 0: none yet */
} workspace;

struct mesaopt_model {
    object head;
    mesaopt_settings settings;     /* a copy */
    int32_t dtype;
    int64_t size;                  /* bytes of a real */
    int64_t inputs, outputs;
    block *blocks;
    int64_t n_blocks;
    model_parameter *table;
    int64_t n_table;
    void *params, *grads;          /* n_params reals each */
    int64_t n_params;
    int64_t most_params;           /* model_add refuses to go beyond: what a file can hold while a
                                      model is opened from it */
    workspace work;
    notes notes;                   /* of the user's, for files */
    atomic_int trainers;           /* holding the model: no block may be added */
};

mesaopt_status model_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                            mesaopt_model **out);
/* all or none */
mesaopt_status model_add(mesaopt_model *m, const mesaopt_settings *const *settings, int64_t count);
mesaopt_status model_add_text(mesaopt_model *m, const char *text);
int64_t model_text(const mesaopt_model *m, char *buf, int64_t cap);
mesaopt_status model_initialise(mesaopt_model *m, int64_t seed);      /* unchanged on failure */
mesaopt_status model_check_whole(const mesaopt_model *m); /* it has blocks, and features enough for
                                                             the prediction */
const model_parameter *model_find(const mesaopt_model *m, const char *name);
mesaopt_view model_matrix(const mesaopt_model *m, const model_parameter *p, void *base);
static inline int64_t model_width(const mesaopt_model *m, int64_t block)
{
    return block < 0 ? m->inputs : m->blocks[block].out;
}

/* Table of kernels for a pass of this shape: panels of native width, or of one lane. */
const kern *model_kern(const mesaopt_model *m, int64_t B, int64_t T);

#endif
