/* Iterative solvers: the systems of a chunk, all rows at once. */
#ifndef MESA_CG_H
#define MESA_CG_H

#include "mesa/layer.h"
#include "mesa/matvec.h"

typedef struct cg {
    enum mesa_solver solver;
    matvec A;                      /* of the chunk */
    void *X, *R, *P, *AP, *Z;      /* C x d */
    void *inverse;                 /* inverse of M: C x d diagonals, or d x d */
    void *factor, *dense;          /* its factor, d x d; scratch */
    void *size, *rz, *rr, *bb, *pap, *step, *minus;    /* C scalars */
    void *mask, *missed, *count;   /* likewise: rows that missed the tolerance, residual over
                                      right-hand side of each, steps */
} cg;

cg cg_take(mesa_worker *w, const layer *l, enum mesa_solver solver, state *H);
/* The chunk at t, of at most C tokens; H is there. */
void cg_begin(const mesa_worker *w, const layer *l, cg *s, int64_t t, int64_t C);
/* X for B, rows of the chunk; returns how many missed the tolerance, which `mask` tells. */
int64_t cg_solve(const mesa_worker *w, const layer *l, const cg *s, mat B, mat X);
/* Rows that `mask` tells have got other solutions: no residuals are known. */
void cg_replaced(const kern *k, const cg *s);
/* Of the last right-hand sides: out_t = other_t . r_t */
void cg_defect(const kern *k, const cg *s, mat other, mat out);

#endif
