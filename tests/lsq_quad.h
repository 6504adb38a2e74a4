/* mesaopt_lsq by its definition in 113 bits, and how far results may be from it: what mesaopt/lsq.h promises, row by row. */
#ifndef TESTS_LSQ_QUAD_H
#define TESTS_LSQ_QUAD_H

#include "lsq_oracle.h"

/* Exact results of a case without states, rounded to double, and per row (of the ridge: per head) the size that its error is a share of; condition: (tr H_t + max l) / min l.
 * Gradients' sizes are sums over later tokens of share[t] times the sizes of their terms, share[t] being what `share_of` makes of the condition. */
typedef struct lsq_exact {
    lsq_case result;
    double *size[L_ARRAYS];        /* L_OUT, L_X: without the share; gradients: with it */
    double *condition;             /* [B, T, H] */
    double *room;                  /* [B, T, H]: |q_t| / min l */
} lsq_exact;

lsq_exact lsq_exact_new(const lsq_case *c, double (*share_of)(double condition));
void lsq_exact_free(lsq_exact *e);

/* |(H_t + diag l) x - q_t| / |q_t| of the x in `got`, and (tr H_t + max l) |x| / |q_t|; 0 where q_t is 0. */
void lsq_exact_residuals(const lsq_case *got, double *residual, double *size);

/* The largest |got - exact| / bound over the rows of an array, skip[row] 0 or skip NULL. Bounds are for results of a type: rounding to f32 comes on top. */
double lsq_excess(const lsq_exact *e, const lsq_case *got, enum lsq_array a, int32_t dtype, const double *bound, const char *skip);

#endif
