/* Models: a list of blocks, one table of parameters, and batched passes over panels. */
#ifndef TRAIN_MODEL_IMPL_H
#define TRAIN_MODEL_IMPL_H

#include "base/notes.h"
#include "kern/panels.h"
#include "mesaopt/model.h"
#include "nn/block.h"

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

/* What the positions at the start of the memory are of; they stay while passes agree in it. */
typedef struct filled { int64_t T, lanes, blocks; } filled;

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
    panel_memory memory;           /* of passes, laid out anew by each */
    filled positions;              /* T = 0: none yet */
    notes notes;                   /* of the user's, for files */
    atomic_int trainers, decoders; /* holding the model: no block may be added */
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
/* MESAOPT_E_SHAPE: sequences are longer than a block's positions reach. */
mesaopt_status model_check_length(const mesaopt_model *m, int64_t T);
const model_parameter *model_find(const mesaopt_model *m, const char *name);
mesaopt_view model_matrix(const mesaopt_model *m, const model_parameter *p, void *base);
static inline int64_t model_width(const mesaopt_model *m, int64_t block)
{
    return block < 0 ? m->inputs : m->blocks[block].out;
}

panels model_panels(const mesaopt_model *m, int64_t B, int64_t T);     /* of a pass */

#endif
