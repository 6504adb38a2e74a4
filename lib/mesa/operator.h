/* All systems of one chunk as one operator, one system per row: A(X) = diag(a) X H + (D o X K^T)
 * diag(b) K + X Lambda, H at the start of the chunk. */
#ifndef MESA_OPERATOR_H
#define MESA_OPERATOR_H

#include "mesa/chunk.h"

typedef struct operation {
    int64_t d;
    const chunk *c;
    const carried *H;
    const void *ridge;
    mat BK;                        /* diag(b) K */
    void *scores, *weighted;       /* C x C, C x d */
} operation;

typedef struct operation_space { void *BK, *scores, *weighted; } operation_space;
operation_space operation_take(arena *a, const kern *k, int64_t C, int64_t d);
operation operation_of(const kern *k, const operation_space *space, int64_t d, const chunk *c,
                       const carried *H, const void *ridge);
void operation_apply(const kern *k, void *product_scratch, const operation *o, mat X, mat Y);

/* H <- H behind the chunk. */
void operation_advance(const kern *k, void *product_scratch, const operation *o, carried *H);

#endif
