/* The linear systems of the mesa layer: rows x_t = (H_t + diag l)^-1 b_t for all t, H_t = g_t H_{t-1} + b_t k_t k_t^T. */
#ifndef LSQ_SYSTEMS_H
#define LSQ_SYSTEMS_H

#include "lsq/carried.h"
#include "lsq/mesa.h"

typedef struct systems {
    int64_t T, d;
    enum mesa_solver solver;       /* not MESA_AUTO */
    mat K, beta, high, low;        /* T x d; T x 1, absent where p is NULL; g = high + low */
    const void *ridge, *H0;
    void *HT;
} systems;

enum { SYSTEMS_RIGHT = 2 };        /* sets of right-hand sides that one call solves */

int64_t systems_scratch(const kern *k, const systems *s);

/* X[i] = rows solved for B[i], i < n <= SYSTEMS_RIGHT; X[i] may be B[i]. n = 0 only advances H. */
void systems_solve(const kern *k, const systems *s, void *product_scratch, void *scratch, int n, const mat *B, const mat *X);

#endif
