/* mesaopt_lsq by its definition, in double: sums over tokens, a Cholesky factor per token, and the adjoint from the chain rule through
 * every H_t and S_t. All arrays are dense double; a problem for f32 holds numbers that f32 can hold. */
#ifndef TESTS_LSQ_ORACLE_H
#define TESTS_LSQ_ORACLE_H

#include "contexts.h"

/* Inputs, then results; NULL where absent or not wanted. Shapes as in mesaopt/lsq.h. */
enum lsq_array {
    L_Q, L_K, L_V, L_DOUT, L_BETA, L_GATE, L_RIDGE, L_H0, L_S0, L_DHL, L_DSL,
    L_OUT, L_X, L_HL, L_SL, L_DQ, L_DK, L_DV, L_DBETA, L_DGATE, L_DRIDGE, L_DH0, L_DS0,
    L_RESIDUAL, L_ITERATIONS, L_CONDITION, L_U_RESIDUAL, L_ARRAYS
};

typedef struct lsq_case {
    int64_t B, T, H, d, dv;
    int64_t N;                     /* sequences: B, or those of `starts` */
    const int64_t *starts;         /* offsets, N + 1; NULL: none */
    int keep;                      /* the adjoint gets the solution of the forward pass */
    int overflows;                 /* it may say MESAOPT_E_NONFINITE, and leaves its results as they were */
    mesaopt_status forward, adjoint;                   /* of the last lsq_call */
    double *at[L_ARRAYS];
} lsq_case;

enum { LSQ_GATES = 1, LSQ_STATES = 2, LSQ_LAST = 4 };  /* operands: weights and gates; initial states; gradients of final states */

/* Normal queries, keys, values, dout. Keys spread over a decade and a half of scales, the ridge is chosen so that the largest condition number is about kappa. */
lsq_case lsq_case_new(uint64_t seed, int64_t B, int64_t T, int64_t H, int64_t d, int64_t dv, int operands, double kappa);
/* The inputs of `from` (shared), results of its own. */
lsq_case lsq_case_like(const lsq_case *from);
void lsq_case_free_results(lsq_case *c);
void lsq_case_free(lsq_case *c);
int64_t lsq_count(const lsq_case *c, enum lsq_array a);
const char *lsq_name(enum lsq_array a);
void lsq_round(lsq_case *c);                           /* inputs to f32 */

/* Fills every result except for the certificates, of which L_CONDITION gets the condition number itself (sampled); returns the largest. */
double lsq_reference(lsq_case *c);

/* out . dout and, where they are, h_last . d_h_last + s_last . d_s_last; overwrites those results. */
double lsq_loss(lsq_case *c);

/* Forward and adjoint of the library: all results. The larger of the two statuses. */
mesaopt_status lsq_call(mesaopt_ctx *ctx, const char *settings, int32_t dtype, lsq_case *c);

/* |a - b| / |b|, whole arrays. */
double lsq_error(const lsq_case *got, const lsq_case *want, enum lsq_array a);

#endif
