/* Causal attention of one head on panels, forward and backward, without projections:
 *     O_t = sum_{t' <= t} alpha(scale q_t . k_t') v_t'
 * Q, K: T x d, V, O: T x dv panels with any strides. One file per alpha: linear.c, softmax.c. */
#ifndef NN_ATTENTION_H
#define NN_ATTENTION_H

#include "kern/kern.h"

typedef struct head {
    int64_t T, d, dv;
    int64_t chunk;                 /* rows that are worked on at a time; memory is linear in T for
                                      any */
    double scale;
} head;

typedef struct attention_kind {
    /* bytes, private to the caller */
    int64_t (*scratch)(const kern *k, const head *h, int backward);
    void (*forward)(const kern *k, const head *h, void *product_scratch, void *scratch, mat Q,
                    mat K, mat V, mat O);
    /* dO may be overwritten; dQ, dK, dV are written. */
    void (*backward)(const kern *k, const head *h, void *product_scratch, void *scratch, mat Q,
                     mat K, mat V, mat dO, mat dQ, mat dK, mat dV);
    /* W [T x T], on and below the diagonal: alpha(scale q_t . k_t') */
    void (*weights)(const kern *k, const head *h, void *product_scratch, mat Q, mat K, mat W);
} attention_kind;

extern const attention_kind linear_attention, softmax_attention;

/* Rows per chunk; 0 asks for the default: whole sequences while their score matrix is small. */
int64_t attention_chunk(int64_t chunk, int64_t T);

static inline mat mat_rows(const kern *k, mat m, int64_t row)
{
    return (mat){kern_at(k, m.p, row * m.rs), m.rs, m.cs};
}
static inline mat mat_transposed(mat m) { return (mat){m.p, m.cs, m.rs}; }

#endif
