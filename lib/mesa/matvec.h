/* All systems of one chunk times rows, one system per row: A(X) = diag(a) X H + (D o X K^T) diag(b)
 * K + X Lambda, H at the start of the chunk. Source: arXiv 2506.05233 section 4; docs/science.md,
 * section 3. */
#ifndef MESA_MATVEC_H
#define MESA_MATVEC_H

#include "mesa/chunk.h"

typedef struct matvec {
    const tokens *s;
    const void *ridge;
    state *H;
    chunk c;
    mat BK;                        /* diag(b) K */
    mat D;                         /* space: C x (C + 1) */
    void *keys, *scores, *weighted;                    /* C x d, C x C, C x d */
} matvec;

matvec matvec_take(mesa_worker *w, const tokens *s, int64_t C, const void *ridge, state *H);
/* Of the chunk that starts at t, where H is. */
void matvec_begin(const kern *k, matvec *A, int64_t t, int64_t C);
void matvec_apply(const mesa_worker *w, const matvec *A, mat X, mat Y);
/* H <- H behind the chunk. */
void matvec_advance(const mesa_worker *w, const matvec *A);

#endif
