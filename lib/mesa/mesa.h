/* The mesa layer of one head on panels, forward and backward, without projections. Per sequence,
 * that is per lane:
 *
 *     H_t = g_t H_{t-1} + b_t k_t k_t^T      S_t = g_t S_{t-1} + b_t k_t v_t^T
 *     x_t = (H_t + diag l)^-1 q_t      o_t = S_t^T x_t
 *
 * T x d queries and keys, T x dv values and outputs, T x 1 gates, on panels with any row stride and
 * adjacent columns (cs = 1). Without gates it is the original form (arXiv 2309.05858, l =
 * 1/lambda), with gates the general one (arXiv 2506.05233). Works on panels of native width and of
 * one lane alike; memory is linear in T. A block calls it once per head:
 *
 *     mesa_plan(k, &o, has);       once, when shapes and settings are known
 *     bytes = mesa_scratch(k, &o, has, backward)
 *     `has` says which operands will be there
 *     mesa_forward((mesa_worker){k, product_scratch, {scratch, 0}}, &o, &m)
 *     writes m.O and, unless m.X.p is NULL, m.X: keep it, and backward solves half as much
 *     mesa_backward(...)
 *     reads Q, K, V, gates, ridge, dO (and X); writes every d* that is not NULL
 *
 * Where (tr H_t + max l) / min l leaves f32 no three digits, or numbers of H are out of its range,
 * a region of tokens is solved in f64 (upcast.h).
 *
 * Source: docs/science.md, section 3; docs/mesa-layer.md derives the adjoint. */
#ifndef MESA_MESA_H
#define MESA_MESA_H

#include "base/choices.h"
#include "kern/kern.h"

/* The words of the setting, base/choices.def.
 * MESA_CHOLESKY: a factor for every token. MESA_SEGMENTS: one for every few tokens, see segments.c.
 * MESA_CG and MESA_CG_DIAG: conjugate gradients without and with the diagonal as preconditioner;
 * MESA_CG_CHUNK: with one Cholesky factor per chunk, which the systems of x and u share;
 * MESA_NEUMANN: x <- q + (I - A) x on an operator scaled to norm <= 1. */

/* Not the direct ones; MESA_AUTO may. */
static inline int mesa_iterates(enum mesa_solver s)
{
    return s != MESA_CHOLESKY && s != MESA_SHERMAN_MORRISON && s != MESA_SEGMENTS;
}

/* What one thread works with: kernels, scratch of products, memory. Whoever is called gets a copy,
 * and takes what is left. */
typedef struct mesa_worker { const kern *k; void *product; arena memory; } mesa_worker;

typedef struct mesa_options {
    int64_t T, d, dv;
    int64_t chunk;                 /* rows of the chunkwise products */
    enum mesa_solver solver;
    double tolerance;              /* iterative solvers: |q - A x| <= tolerance |q|, per row */
    int64_t iterations;            /* at most */
    int fallback;                  /* rows that do not get there are solved by Cholesky */
    int strict;                    /* from mesa_plan: the tolerance was asked for, and is to be met;
                                      otherwise as far as rounding lets it */
} mesa_options;

/* when none is asked for */
static const double MESA_TOLERANCE_F32 = 0x1p-22, MESA_TOLERANCE_F64 = 0x1p-46;

static const double MESA_FELL_BACK = 0x1p-126;         /* a row that missed the tolerance, and that
                                                          Cholesky solved */

/* What is known about each solved row; T x 1, p NULL where not wanted. */
typedef struct mesa_certificate {
    mat residual;                  /* |b - A x| / |b|, of the result, in double; 0 where b is 0 */
    mat iterations;                /* 0 for direct solvers */
    mat condition;                 /* (tr H_t + max l) / min l, which bounds the condition number of
                                      H_t + diag l */
} mesa_certificate;

/* Operands and results; p NULL where absent, except for Q, K, V, ridge and O or dO, dQ, dK, dV.
 * States are dense, [row][column][lane]. */
typedef struct mesa_operands {
    mat Q, K, V;
    mat beta, log_gamma;           /* T x 1: b, absent: 1; log g <= 0, minus infinity too, absent:
                                      0 */
    const void *ridge;             /* d elements (per lane): l > 0 */
    const void *H0, *S0;           /* d x d (symmetric), d x dv; absent: zeros */
    void *HT, *ST;                 /* likewise, after the last token; may be H0 and S0 */
    int64_t twice;                 /* forward in f32: each of these four is there, followed by as
                                      many numbers, to be added, that make twice its precision */
    mat O, X;                      /* T x dv; T x d */
    mesa_certificate certificate;  /* of x in forward, of u in backward */
    mat missed;                    /* T x 1, rs 1: 0, MESA_FELL_BACK, or the residual of rows that
                                      did not converge: above the tolerance, or above 2^-10 after
                                      all that f64 can do. X is finite there as elsewhere: the best
                                      there is, or zeros where that is not finite */
    mat dO;
    const void *dHT, *dST;         /* gradients of final states; absent: zeros */
    mat dQ, dK, dV;                /* distinct from every input */
    mat dbeta, dlog_gamma;         /* T x 1; the second is 0 where g is 0 */
    void *dridge;                  /* d elements, written */
    void *dH0, *dS0;               /* dH0 symmetric: half of what H_ij = H_ji together change */
} mesa_operands;

/* Which operands a call will have, a bit for each; those that are never absent count by
 * themselves. */
typedef uint64_t mesa_presence;
#define MESA_HAS(member) mesa_has_at(offsetof(mesa_operands, member))
static inline mesa_presence mesa_has_at(size_t place) { return 1ull << place / sizeof(void *); }
_Static_assert(sizeof(mesa_operands) <= 64 * sizeof(void *), "a bit for each member");

/* Replaces chunk 0, tolerance 0 and iterations 0 by what suits the shape, and MESA_AUTO where
 * nothing is forgotten; otherwise solve.c picks as it goes. The tolerance of a region that is
 * solved in f64 suits f64. */
void mesa_plan(const kern *k, mesa_options *o, mesa_presence has);

/* bytes */
int64_t mesa_scratch(const kern *k, const mesa_options *o, mesa_presence has, int backward);
/* Both return the number of rows that did not converge; when kern_stopped(k), any number, with
 * results unfinished. */
int64_t mesa_forward(mesa_worker w, const mesa_options *o, const mesa_operands *m);
int64_t mesa_backward(mesa_worker w, const mesa_options *o, const mesa_operands *m);

#endif
