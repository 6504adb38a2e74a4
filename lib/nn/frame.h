/* What every residual block does around its own function f:
 *
 *     y = clip(u + f(N), +-c),   u = x, or with pe=add x + P
 *                                N = u, or with norm=layer|rms u normalised (norm.h)
 *
 * x, y, u, N, P: T x D; c: residual_clip. Row t of P is the position t: sines and cosines
 * (block.h), or with positions=learned a parameter [longest, D].
 *
 * A kind of residual block is a row of functions like any other (block.h): FRAME in place of stash,
 * scratch, forward and backward, and its function as a `branch`. */
#ifndef NN_FRAME_H
#define NN_FRAME_H

#include "nn/block.h"

typedef struct branch {
    /* NULL for either: none needed. As in block_kind. */
    int64_t (*stash)(const block *b, const kern *k, int64_t T);
    int64_t (*scratch)(const block *b, const kern *k, int64_t T, int backward);
    /* F = f(X), X = N, T x D each, dense */
    void (*forward)(const block *b, const pass *p, mat X, mat F, void *stash);
    /* dX += gradient of X, unless want_dx is 0. dF may be dX: all of it is read before dX
     * changes. */
    void (*backward)(const block *b, const pass *p, mat X, mat dF, mat dX, const void *stash,
                     int want_dx);
    /* As in block_kind; NULL: no heads. */
    void (*weights)(const block *b, const pass *p, const void *stash, int64_t head, mat W);
} branch;

/* Sets width, clip, and the frame's parameters behind those of the branch. */
mesaopt_status frame_plan(mesaopt_ctx *ctx, block *b);
/* Standard deviation of initial weights, and of those that add to the stream. */
double frame_sd(const block *b);
double frame_output_sd(const block *b);

int64_t frame_stash(const block *b, const kern *k, int64_t T);
int64_t frame_scratch(const block *b, const kern *k, int64_t T, int backward);
void frame_forward(const block *b, const pass *p, const void *x, void *y, void *stash);
void *frame_backward(const block *b, const pass *p, const void *x, const void *y, const void *stash,
                     void *dy, void *spare, int want_dx);

/* Rows [T x D] of `to` <- positions; the gradient of learned ones += the sum over lanes of dP,
 * T x D, dense. */
void frame_positions(const block *b, const pass *p, mat to);
void frame_positions_back(const block *b, const pass *p, void *dP);

void frame_weights(const block *b, const pass *p, const void *x, const void *stash, int64_t head,
                   mat W);

#define FRAME frame_stash, frame_scratch, frame_forward, frame_backward

#endif
