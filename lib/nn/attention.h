/* Causal attention of one head on panels, forward and backward, without projections:
 *     O_t = sum_{t' <= t} alpha(scale q_t . k_t') v_t'
 * Q, K: T x d, V, O: T x dv panels with any strides. One file per alpha: linear.c, softmax.c. */
#ifndef NN_ATTENTION_H
#define NN_ATTENTION_H

#include "kern/kern.h"

typedef struct head {
    int64_t T, d, dv;
    int64_t chunk; /* rows that are worked on at a time; memory is linear in T for
                                      any; 0: as many as suit the kind */
    double scale;
    /* While decoding, else 0: keys and values are those of `capacity` tokens, of which each lane
     * has had `steps`, at most `before`. */
    int64_t before, capacity;
    const int64_t *steps;
} head;

/* Of one head; T rows each. `kept`, T elements for each number of a row, goes from forward to
 * backward. Of a linear head while decoding first and last [d x dv], else NULL: its state in front
 * of the rows, and behind them, in f32 followed by what is behind its last digits; may be one. */
typedef struct head_mats {
    mat q, k, v, o, dq, dk, dv, dout;
    void *kept;
    const void *first;
    void *last;
} head_mats;

typedef struct attention_kind {
    int64_t kept; /* numbers of a row; 0: backward needs nothing of forward */
    /* bytes, private to the caller */
    int64_t (*scratch)(const kern *k, const head *h, int backward);
    /* writes o, kept */
    void (*forward)(const kern *k, const head *h, void *product_scratch, void *scratch,
                    const head_mats *m);
    /* after forward; writes dq, dk, dv; dout may be overwritten */
    void (*backward)(const kern *k, const head *h, void *product_scratch, void *scratch,
                     const head_mats *m);
    /* After forward: W [T x T], on and below the diagonal: alpha(scale q_t . k_t') */
    void (*weights)(const kern *k, const head *h, void *product_scratch, const head_mats *m, mat W);
} attention_kind;

extern const attention_kind linear_attention, softmax_attention;

static inline mat mat_rows(const kern *k, mat m, int64_t row)
{
    return (mat){kern_at(k, m.p, row * m.rs), m.rs, m.cs};
}
static inline mat mat_transposed(mat m) { return (mat){m.p, m.cs, m.rs}; }

#endif
