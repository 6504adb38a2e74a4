/* Bounds of the systems' condition numbers: tr H_t + max l >= |H_t + diag l|, over min l. */
#ifndef MESA_CONDITION_H
#define MESA_CONDITION_H

#include "mesa/chunk.h"

typedef struct condition {
    mat norm, bound;               /* T x 1: tr H_t + max l, and that over min l */
    void *least;                   /* 1: min l */
    double *most;                  /* the largest bound of every region, all lanes */
    int64_t region;                /* tokens that one solver is picked for */
} condition;

int64_t condition_region(int64_t chunk);
condition condition_take(mesa_worker *w, int64_t T, int64_t chunk);
/* H0: H before the first token; NULL: 0. */
void condition_measure(const kern *k, const condition *c, const tokens *s, const void *ridge,
                       const void *H0);

/* The largest of n elements and all lanes, or 0; infinite when one is no number. */
double largest(const kern *k, const void *column, int64_t n);

/* Share of |A| |x| that the rounding of A and of its solution may leave as a residual. */
static inline double rounding(const kern *k) { return k->size == 4 ? 0x1p-22 : 0x1p-48; }
static const double THREE_DIGITS = 0x1p-10;            /* what a solution has at least */

#endif
