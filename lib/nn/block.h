/* A block of a model: what it does to one panel of the residual stream, forward and backward side
 * by side in one file per kind. A model is a list of blocks; a block knows nothing of models, tasks
 * or threads. */
#ifndef NN_BLOCK_H
#define NN_BLOCK_H

#include "base/options.h"
#include "kern/kern.h"

enum { BLOCK_MAX_PARAMS = 16 };

typedef struct parameter {
    const char *name;              /* "query" */
    int64_t rows, cols;
    int64_t offset;                /* in reals, from the start of the model's parameters */
    double mean, sd;               /* of the initial values */
    int decay;                     /* weight decay applies */
} parameter;

/* What one panel's pass needs. */
typedef struct pass {
    const kern *k;
    int64_t T;
    const void *params;            /* of the whole model */
    void *grads;                   /* summed into; NULL in a forward pass */
    const void *positions;         /* T x in panel of sinusoidal positions, the same in all lanes;
                                      NULL if no block wants it */
    void *scratch, *product_scratch;
    int64_t *failed;               /* += rows whose systems missed their tolerance */
} pass;

typedef struct block block;
typedef struct block_kind {
    int32_t scope;                 /* MESAOPT_SCOPE_*, names the kind */
    mesaopt_status (*plan)(mesaopt_ctx *ctx, block *b); /* from b->settings and b->in: widths,
                                                           parameters; sets the text on failure */
    /* NULL for either: none needed. */
    int64_t (*stash)(const block *b, const kern *k, int64_t T); /* bytes kept from forward to
                                                                   backward */
    /* bytes, private to a call */
    int64_t (*scratch)(const block *b, const kern *k, int64_t T, int backward);
    /* x: T x in, y: T x out */
    void (*forward)(const block *b, const pass *p, const void *x, void *y, void *stash);
    /* dy: gradient of y, may be overwritten; spare: T x max(in, out). Returns whichever of the two
     * holds the gradient of x, which is left unfinished unless want_dx. */
    void *(*backward)(const block *b, const pass *p, const void *x, const void *y,
                      const void *stash, void *dy, void *spare, int want_dx);
    /* Of a block of heads, else NULL. W [T x T] <- how a head weighs the values: its output is o_t
     * = sum over s <= t of W_ts v_s; anything above the diagonal. After forward, with its stash;
     * the scratch is that of forward. */
    void (*weights)(const block *b, const pass *p, const void *x, const void *stash, int64_t head,
                    mat W);
    const struct branch *branch;   /* of a residual block, nn/frame.h, else NULL */
} block_kind;

struct block {
    const block_kind *kind;
    mesaopt_settings settings;     /* a copy; only its values are used */
    int64_t in, out;               /* widths of the stream before and after */
    int n_params;
    parameter param[BLOCK_MAX_PARAMS];
    double clip;                   /* residual clip, infinity for none */
    int positions;                 /* wants pass.positions */
    int64_t longest;               /* sequence that it can take; 0: any */
    /* Of a residual block: its enum pe_choice; learned positions and the gain of its norm, both
     * parameters; 0: none. */
    int pe, learned, norm;
};

const block_kind *block_kind_of(int32_t scope);        /* NULL: no such kind */
const block_kind *block_kind_at(int i);                /* in the order of base/kinds.def; NULL past
                                                          the last */
typedef struct block_names { char text[256]; } block_names;
block_names block_kind_names(void);                    /* "linear, softmax, .. or mask" */
void positions_fill(const kern *k, int64_t T, int64_t width, void *panel);

/* Of a parameter that is one row, the same for all tokens: every row of Y [T x cols] <- it; its
 * gradient += the sum of all rows of dY, dense. */
void rows_fill(const pass *p, const parameter *row, mat Y);
void rows_sum(const pass *p, const parameter *row, mat dY);

static inline mat transposed_mat(mat m) { return (mat){m.p, m.cs, m.rs}; }
static inline mat param_mat(const kern *k, const void *base, const parameter *p)
{
    return (mat){(char *)base + p->offset * k->size, p->cols, 1};
}

#endif
