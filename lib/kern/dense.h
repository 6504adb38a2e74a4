/* Cholesky of one dense symmetric matrix: A + diag(ridge) = U^T U, A positive semidefinite, ridge >
 * 0. Row-major, row stride rs, upper triangle, on kernels for one lane. U keeps the reciprocals of
 * its diagonal. Pivots are at least the ridge, as they are without rounding. */
#ifndef KERN_DENSE_H
#define KERN_DENSE_H

#include "kern/kern.h"

enum { DENSE_BLOCK = 32 };         /* products are at most so deep, and have no side longer than d
                                      or `columns`; there are none up to d = DENSE_BLOCK */

/* bytes, for solves of up to so many right-hand sides at once */
int64_t dense_scratch(const kern *k, int64_t d, int64_t columns);
/* scratch: columns >= d */
void dense_cholesky(const kern *k, void *product_scratch, void *scratch, int64_t d,
                    const void *ridge, void *A, int64_t rs);
/* B [d x columns] <- U^-T B: half of dense_solve */
void dense_half(const kern *k, void *product_scratch, void *scratch, int64_t d, const void *U,
                int64_t rs, int64_t columns, void *B, int64_t b_rs);
/* B [d x columns] <- A^-1 B */
void dense_solve(const kern *k, void *product_scratch, void *scratch, int64_t d, const void *U,
                 int64_t rs, int64_t columns, void *B, int64_t b_rs);

/* The upper triangle of a dense matrix from its lower one; elements of 4 or 8 bytes. */
void dense_mirror(int64_t d, int64_t size, void *X);

#endif
