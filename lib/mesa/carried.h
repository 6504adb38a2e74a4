/* A matrix that is carried from chunk to chunk: X <- a X + A B, a: product of the chunk's gates.
 *
 * In a panel of native width it is a panel matrix. In a panel of one lane, a long sequence, it is
 * kept in double beside its working copy: thousands of chunks add up to no more than the rounding
 * of one, and gates within a rounding of 1 still count. */
#ifndef MESA_CARRIED_H
#define MESA_CARRIED_H

#include "kern/kern.h"

typedef struct carried {
    int64_t rows, cols;
    void *now;                     /* dense, [row][column][lane]; what products read */
    double *exact;                 /* one lane only */
    void *added;                   /* one lane only: A B */
} carried;

/* a: per lane (NULL: 1); of the one lane */
typedef struct decays { const void *lanes; double one; } decays;

carried carried_take(arena *a, const kern *k, int64_t rows, int64_t cols);
void carried_set(const kern *k, carried *c, const void *from);          /* NULL: zeros */
void carried_advance(const kern *k, void *ps, carried *c, decays a, int64_t K, mat A, mat B);
/* X <- a X + A B + (A B)^T; outer: of X's size */
void carried_advance_symmetric(const kern *k, void *ps, carried *c, decays a, int64_t K, mat A,
                               mat B, void *outer);
/* One lane, X symmetric: only its lower triangle, and that of the working copy goes to `to`, which
 * is c->now afterwards. */
void carried_advance_lower(const kern *k, void *ps, carried *c, decays a, int64_t K, mat A, mat B,
                           void *to);
void carried_mirror(const kern *k, carried *c);         /* one lane: the upper triangle from the
                                                           lower one */
void carried_copy(const kern *k, const carried *from, carried *to);
void carried_get(const kern *k, const carried *c, void *out);

static inline mat carried_mat(const carried *c) { return (mat){c->now, c->cols, 1}; }

/* Product of C gates (high absent: 1) of a panel of one lane. */
double gates_product(const kern *k, int64_t C, mat high, mat low);

static inline mat rows_from(const kern *k, mat m, int64_t row)
{
    return m.p ? (mat){kern_at(k, m.p, row * m.rs), m.rs, m.cs} : m;
}
static inline mat transposed(mat m) { return (mat){m.p, m.cs, m.rs}; }
static inline size_t bytes_of(const kern *k, int64_t rows, int64_t columns)
{
    return (size_t)(rows * columns * k->lanes * k->size);
}

/* n numbers, lanes counted. */
static inline void fill(const kern *k, int64_t n, double x, void *to)
{
    for (int64_t i = 0; i < n; i++) kern_set_real(k, to, i, x);
}

#endif
