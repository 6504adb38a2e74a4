/* Normalisation of every token, with a learned gain and, for layer, a bias:
 *
 *     layer   y = gain * (x - mean x) / sqrt(mean (x - mean x)^2 + epsilon) + bias
 *     rms     y = gain * x / sqrt(mean x^2 + epsilon)
 *
 * x, y: T x D panels; gain, bias: 1 x D, at first 1 and 0. Means in two passes: a large offset
 * takes no digits, and equal features, or zeros, give 0 before the bias. Backward, g = gain * dy,
 * h = (y - bias) / gain, r the root:
 *     dx += (g - mean g - h mean(g h)) / r   (rms: without mean g)   dgain += dy h   dbias += dy
 * Sources: Ba et al., arXiv 1607.06450; Zhang and Sennrich, arXiv 1910.07467. */
#ifndef NN_NORM_H
#define NN_NORM_H

#include "nn/block.h"

typedef struct norm {
    int centre;                    /* layer */
    double epsilon;
    const parameter *gain, *bias;  /* bias NULL: none */
} norm;

/* Kept from forward to backward: h [T x D], 1 / r [T]. */
typedef struct normed { void *hat, *inverse; } normed;

normed norm_lay_out(arena *a, const kern *k, int64_t T, int64_t D);
void norm_forward(const pass *p, const norm *n, const normed *r, const void *x, void *y);
/* dx +=, unless it is NULL; scratch: D elements */
void norm_back(const pass *p, const norm *n, const normed *r, const void *dy, void *dx,
               void *scratch);

#endif
