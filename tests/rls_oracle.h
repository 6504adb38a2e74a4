/* A regression solved directly from the list of its rows, in 113 bits: what mesaopt_rls should say. */
#ifndef TESTS_RLS_ORACLE_H
#define TESTS_RLS_ORACLE_H

#include <stdint.h>

#if defined(__x86_64__)
typedef __float128 wide;
#else
typedef long double wide;
#endif

/* Keys k [rows][d], values v [rows][dv], weight [rows] as it counts by now, 0 included; rows of weight 0 may hold anything. */
typedef struct oracle_rows { int d, dv; int64_t rows; const double *k, *v, *ridge; const wide *weight; } oracle_rows;

typedef struct oracle {
    int d, dv;
    wide *M, *W;                   /* H + diag l, d x d; d x dv */
    wide *squares, *residual;      /* dv: sum of b v^2; of b (v - W k)^2, and of l W^2 */
    wide total;                    /* sum of b */
    double condition;              /* of M scaled to a diagonal of ones, in the norm of largest row sums */
    double fit;                    /* largest over outputs of sqrt(sum_i M_ii W_i^2) */
} oracle;

oracle oracle_of(const oracle_rows *r);
void oracle_free(oracle *o);
/* out, error: dv each; *length: sqrt(sum_i q_i^2 / M_ii); *leverage: sqrt(q . M^-1 q). */
void oracle_predict(const oracle *o, const double *q, double *out, double *error, double *length, double *leverage);

#endif
