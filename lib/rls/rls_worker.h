/* What every file of this folder shares: the extents of a regression, and what one thread works
 * with. All in double, on kernels for one lane.
 *
 * Calls point down: estimator (the only one that calls all) > residual > woodbury > window > sums.
 */
#ifndef RLS_WORKER_H
#define RLS_WORKER_H

#include "kern/kern.h"
#include <string.h>

typedef struct rls_plan {
    const kern *k;                 /* f64, one lane */
    int64_t d, dv, window;         /* window: rows, 0 for all */
    int64_t rows;                  /* that wait at most */
    int64_t ring;                  /* rows that are kept: those of the window, or the first ones */
} rls_plan;

typedef struct rls_worker {
    const rls_plan *p;
    void *product, *dense;         /* scratch of kernels */
    double *U, *inverse;           /* d x d: Cholesky's factor, and U^-T */
    double *weighted;              /* rows x d: waiting rows, times weights or signs */
    double *St;                    /* d x dv: S_t / a */
    double *dots;                  /* 2 x rows: waiting rows times one vector or two */
    double *given, *turned;        /* 2 x d each: one vector or two, and M^-1 times them; what is to
                                      be solved comes first */
    /* d each: of conjugate gradients */
    double *residual, *solved, *direction, *M_direction, *A_direction;
    double *defect, *correction;   /* d each: of a solution */
    double *HD, *rest;             /* d x dv, rows x dv: of a map that moves */
    double *total, *left, *now;    /* dv each */
    double *key, *query;           /* d each: a row as it comes */
    double *value, *out, *error;   /* dv each */
} rls_worker;

rls_plan rls_plan_of(const kern *k, int64_t d, int64_t dv, int64_t window);
rls_worker rls_worker_take(const rls_plan *p, arena *a);        /* keeps p */

static inline mat dense_mat(double *x, int64_t cols) { return (mat){x, cols, 1}; }

/* C [M x N] (+)= A [M x K] B [K x N] */
static inline void matrix_product(const rls_worker *w, enum triangle tri, int accumulate, int64_t M,
                                  int64_t N, int64_t K, mat A, mat B, mat C)
{
    w->p->k->product(w->p->k, w->product, PRODUCT_LANE, tri, accumulate, M, N, K, A, B, C);
}

static inline double vector_dot(const rls_plan *p, const double *x, const double *y)
{
    double sum;
    p->k->row_dot(1, p->d, NULL, x, 0, y, 0, &sum, 1);
    return sum;
}

/* c = X x for `sets` vectors x, X the first n of the waiting rows, stored by columns (and a few
 * numbers more). */
static inline void column_dots(const rls_plan *p, int64_t n, int sets, const double *Xt,
                               const double *x, double *c)
{
    const int64_t whole = n + 7 < p->rows ? (n + 7) / 8 * 8 : p->rows;
    p->k->combine(p->d, whole, sets, x, p->d, Xt, p->rows, 0, c, p->rows);
}

static inline void column_set(const rls_plan *p, double *Xt, int64_t j, const double *x)
{
    for (int64_t i = 0; i < p->d; i++) Xt[i * p->rows + j] = x[i];
}

static inline double *take_reals(arena *a, int64_t count)
{
    return arena_take(a, count, sizeof(double));
}

#endif
