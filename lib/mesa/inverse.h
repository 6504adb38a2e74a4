/* One segment of tokens on a panel of native width, from H before it: a Cholesky factor for every
 * token, or one inverse that follows the keys. */
#ifndef MESA_INVERSE_H
#define MESA_INVERSE_H

#include "mesa/layer.h"

enum { SETS = 2 };                 /* of right-hand sides that are solved together, at most */

/* Panels of native width. */
typedef struct segment {
    int64_t T, d;
    enum mesa_solver solver;
    mat K, beta, bound;            /* T x d, T x 1, T x 1: of the condition number */
    gates gamma;
    const void *ridge;
    int sets, backward;            /* the first set is u of the adjoint, not x */
    int64_t rs;                    /* of matrices */
    void *H, *L, *work;            /* d x rs, d x rs, WORK d */
    void *kept;                    /* d x rs: H beside its inverse, to refine with */
} segment;

segment segment_take(mesa_worker *w, const layer *l, enum mesa_solver solver, int sets);
/* Rows of [T][sets][d] right-hand sides become solutions. */
void segment_solve(const kern *k, const segment *s, void *rows);
/* From one inverse; X[i] may be B[i]. */
void segment_inverse(const kern *k, const segment *s, const mat *B, const mat *X);

#endif
