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

/* What a decoder keeps of the tokens in front of those of a pass, for each lane its own sequence.
 * Of token t the cache has a key and a value of every head in its row t; rows that are not written
 * yet are finite. */
typedef struct history {
    const int64_t *steps;          /* [lanes]: tokens so far */
    int64_t most;                  /* the largest of them */
    const void *before;            /* block_state elements, at first 0 */
    void *after;                   /* likewise, behind the pass's last token; may be `before` */
    void *cache;                   /* block.cache: `capacity` rows */
    int64_t capacity;
} history;

/* What one panel's pass needs. */
typedef struct pass {
    const kern *k;
    int64_t T;
    const void *params;            /* of the whole model */
    int backward;                  /* a backward pass comes, or is it */
    void *grads;                   /* of the parameters, summed into; NULL: not wanted */
    const void *positions;         /* T x in panel of sinusoidal positions, the same in all lanes;
                                      NULL if no block wants it */
    void *scratch, *product_scratch;
    int64_t *failed;               /* += rows whose systems missed their tolerance */
    const history *history;        /* NULL: sequences begin here, and nothing is kept of them; else
                                      without backward, and `positions` are those of each lane */
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
    /* What tokens leave for later ones, of a sequence; 0: nothing, and forward takes each token by
     * itself: numbers that they change, and numbers that each of them adds. The former are sums
     * without end, of which f32 keeps as many numbers more for what is behind their last digits. */
    int64_t state;
    struct { int64_t heads, key, value; } cache;
    /* Of a residual block: its enum pe_choice; learned positions and the gain of its norm, both
     * parameters; 0: none. */
    int pe, learned, norm;
};

/* Numbers of the state of this type. */
static inline int64_t block_state(const block *b, const kern *k)
{
    return k->size == 4 ? 2 * b->state : b->state;
}

const block_kind *block_kind_of(int32_t scope);        /* NULL: no such kind */
const block_kind *block_kind_at(int i);                /* in the order of base/kinds.def; NULL past
                                                          the last */
typedef struct block_names { char text[256]; } block_names;
block_names block_kind_names(void);                    /* "linear, softmax, .. or mask" */
/* first: t of the first row, of each lane; NULL: 0. Up to t = POSITIONS_MOST, where the digits of
 * sines end (base/real.h). */
#define POSITIONS_MOST ((int64_t)1 << 25)
void positions_fill(const kern *k, int64_t T, int64_t width, const int64_t *first, void *panel);

/* Gradients of parameters, where the pass wants them. Of the weight of Y = X W [T x cols]:
 * += X^T dY, over all tokens and lanes. */
void weight_back(const pass *p, const parameter *weight, mat X, mat dY);
/* Of a parameter that is one row, the same for all tokens: every row of Y [T x cols] <- it; its
 * gradient += the sum of all rows of dY, dense. */
void rows_fill(const pass *p, const parameter *row, mat Y);
void rows_sum(const pass *p, const parameter *row, mat dY);

/* Tokens that scratch is laid out for: with a cache, as many as it holds. */
static inline int64_t scratch_rows(const block *b, const pass *p)
{
    return p->history && b->cache.heads > 0 ? p->history->capacity : p->T;
}

/* Elements of a cache; keys and values of a head in it: capacity rows. */
static inline int64_t cache_row(const block *b)
{
    return b->cache.heads * (b->cache.key + b->cache.value);
}
static inline mat cache_keys(const block *b, const kern *k, const void *cache, int64_t capacity,
                             int64_t head)
{
    const int64_t first = head * (b->cache.key + b->cache.value);
    return (mat){(char *)cache + first * capacity * k->lanes * k->size, b->cache.key, 1};
}
static inline mat cache_values(const block *b, const kern *k, const void *cache, int64_t capacity,
                               int64_t head)
{
    const int64_t first = head * (b->cache.key + b->cache.value) + b->cache.key;
    return (mat){(char *)cache + first * capacity * k->lanes * k->size, b->cache.value, 1};
}

static inline mat transposed_mat(mat m) { return (mat){m.p, m.cs, m.rs}; }
static inline mat param_mat(const kern *k, const void *base, const parameter *p)
{
    return (mat){(char *)base + p->offset * k->size, p->cols, 1};
}

#endif
