/* The branch (frame.h) of every residual attention block, around its heads:
 *
 *     Q = X W_q, K = X W_k, V = X W_v (heads side by side)        F = O P
 *
 * X, F: T x D; W_q, W_k: D x H d; W_v: D x H dv; P: H dv x D. With pe=qk, X in Q and K is [X,
 * positions], and W_q, W_k have 2 D rows. With qk_norm=1 every head's queries and keys are scaled
 * to length 1; one of zeros stays, and has no gradient.
 * Source: arXiv 2309.05858 equation 1; docs/science.md, section 3. */
#ifndef NN_HEADS_H
#define NN_HEADS_H

#include "nn/frame.h"

enum { QUERY, KEY, VALUE, OUTPUT, HEADS_PARAMS };      /* parameters of such a block, before its
                                                          own */

/* Extents: heads, their widths, the stream, the input of Q and K, all heads' keys, all heads'
 * values; qk_norm. */
typedef struct extents { int64_t T, heads, d, dv, D, Dq, qk, hv, qk_norm; } extents;

/* Panels of all heads, or their gradients; with qk_norm 1 / length of queries and keys, T x H; of
 * gradients: that of learned positions. */
typedef struct heads { mat q, k, v, o, q_inverse, k_inverse, positions; } heads;

/* Extents are checked, and parameters set; what its kind adds, and frame_plan, come behind. */
mesaopt_status heads_plan(mesaopt_ctx *ctx, block *b);
extents heads_extents(const block *b, int64_t T);

double attention_scale(const block *b);                /* factor of the logits of a linear or
                                                          softmax block */

heads heads_lay_out(arena *a, const kern *k, const extents *e);
heads heads_lay_out_gradients(arena *a, const block *b, const kern *k, const extents *e);
/* The input of Q and K: X, or with positions a panel of the stash. */
mat heads_input(arena *stash, const block *b, const kern *k, const extents *e, mat X);

void heads_project(const block *b, const pass *p, const extents *e, mat X, mat Xq, const heads *h);
/* dX += ...; h: of the forward pass, d: its gradients */
void heads_project_back(const block *b, const pass *p, const extents *e, mat X, mat Xq,
                        const heads *h, const heads *d, mat dX, int want_dx);
void heads_output(const block *b, const pass *p, const extents *e, mat O, mat F);
void heads_output_back(const block *b, const pass *p, const extents *e, mat O, mat dF, mat dO);

static inline mat columns(const kern *k, mat m, int64_t first)
{
    return (mat){kern_at(k, m.p, first), m.rs, m.cs};
}

#endif
