/* A state, H or S, that goes from chunk to chunk: X <- a X + A B, a: product of the chunk's gates.
 *
 * In a panel of native width it is a panel matrix. In a panel of one lane, a long sequence, it is
 * kept with more digits beside its working copy, in double or a sum of two: thousands of chunks add
 * up to no more than the rounding of one, and gates within a rounding of 1 still count. */
#ifndef MESA_STATE_H
#define MESA_STATE_H

#include "mesa/gates.h"

typedef struct state {
    int64_t rows, cols;
    void *now;                     /* dense, [row][column][lane]; what products read: what it was
                                      set from, until a panel's state advances */
    void *own;                     /* where it is written */
    double *exact;                 /* one lane only */
    void *added;                   /* one lane only: A B */
} state;

state state_take(mesa_worker *w, int64_t rows, int64_t cols);
/* In a panel of native width its numbers lie in `place`, unless that is NULL: where they are wanted
 * in the end, so that nothing has to be copied there. */
state state_take_in(mesa_worker *w, int64_t rows, int64_t cols, void *place);
/* NULL: zeros. A panel's state is not copied: `from` stays as it is until it has advanced. */
void state_set(const kern *k, state *s, const void *from);
void state_advance(const mesa_worker *w, state *s, decay a, int64_t K, mat A, mat B);
/* X <- a X + A B + (A B)^T; outer: of X's size */
void state_advance_symmetric(const mesa_worker *w, state *s, decay a, int64_t K, mat A, mat B,
                             void *outer);
/* One lane, X symmetric: only its lower triangle, and that of the working copy goes to `to`, which
 * is s->now afterwards. */
void state_advance_lower(const mesa_worker *w, state *s, decay a, int64_t K, mat A, mat B,
                         void *to);
/* One lane: the upper triangle from the lower one. */
void state_mirror(const kern *k, state *s);
void state_copy(const kern *k, const state *from, state *to);
void state_get(const kern *k, const state *s, void *out);

static inline mat state_mat(const state *s) { return dense(s->now, s->cols); }

#endif
