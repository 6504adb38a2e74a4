/* A state, H or S, that goes from chunk to chunk: X <- a X + A B, a: product of the chunk's gates.
 * It is kept to twice the precision, kern/simd_twice.c: thousands of chunks add up to no more than
 * the rounding of one, and gates within a rounding of 1 still count. Of a single token in f64, a
 * step of a decoder, nothing is kept behind its numbers. */
#ifndef MESA_STATE_H
#define MESA_STATE_H

#include "mesa/gates.h"

typedef struct state {
    int64_t rows, cols;
    void *now;                     /* dense, [row][column][lane]; what products read: what it was
                                      set from, until the state advances */
    void *low;                     /* what is behind its last digits, or NULL */
    void *own, *own_low;           /* where they are written */
    void *added;                   /* A B */
} state;

state state_take(mesa_worker *w, int64_t rows, int64_t cols);
/* Of T tokens in all. Its numbers lie in `place`, unless that is NULL, from the first chunk on:
 * where they are wanted in the end, so that nothing has to be copied there. */
state state_take_in(mesa_worker *w, int64_t T, int64_t rows, int64_t cols, void *place);
/* NULL: zeros. It is not copied: `from` stays as it is until the state has advanced. */
void state_set(const kern *k, state *s, const void *from);
void state_advance(const mesa_worker *w, state *s, gates a, int64_t K, mat A, mat B);
/* X <- a X + A B + (A B)^T; outer: of X's size, and X may have been set from it */
void state_advance_symmetric(const mesa_worker *w, state *s, gates a, int64_t K, mat A, mat B,
                             void *outer);
/* One lane, X symmetric: only its lower triangle. */
void state_advance_lower(const mesa_worker *w, state *s, gates a, int64_t K, mat A, mat B);
/* One lane: the upper triangle from the lower one. */
void state_mirror(const kern *k, state *s);
void state_copy(const kern *k, const state *from, state *to);
void state_get(const kern *k, const state *s, void *out);

static inline mat state_mat(const state *s) { return dense(s->now, s->cols); }

#endif
