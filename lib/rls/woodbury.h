/* The inverse of the sums with the ridge, by Sherman, Morrison and Woodbury's formula:
 *
 *     (H_t + Lambda) x = q      is      (M + e Lambda) a x = q,
 *     M = H + Lambda + sum_j w_j k_j k_j^T,      e = 1/a - 1
 *     M^-1 = R - sum_j s_j p_j p_j^T,      R = (H + Lambda)^-1,  p_j of the waiting rows
 *
 * Without forgetting e is 0 and M^-1 q is the answer; with it, conjugate gradients preconditioned
 * by M^-1 need one product with M^-1 a step and few steps, since all eigenvalues of M^-1 (M + e
 * Lambda) lie in [1, 1/a]. R comes from a Cholesky factor when gates or many rows have changed the
 * base, and when a row would cost it digits. Source: docs/science.md, section 3; Golub and Van
 * Loan, Matrix Computations, section 6.5. */
#ifndef RLS_WOODBURY_H
#define RLS_WOODBURY_H

#include "rls/sums.h"

typedef struct woodbury {
    double *R;                     /* d x d */
    double *P, *sign, *length;     /* rows x d, rows, rows: of the first `ready` waiting rows; p_j =
                                      length_j M^-1 k_j over the rows before j */
    double *Pt;                    /* d x rows: P transposed */
    int64_t ready;
    int fresh;                     /* R belongs to the base */
    int64_t updates;               /* rows that R took in since it was factored */
    double *diagonal, *M;          /* d each: of M^-1 and of M over the rows that are ready */
    double *formed;                /* d: of R when it was factored */
    double *loss, worst;           /* d: roundings that M^-1_ii may be off by since then; the
                                      largest */
    double strain;                 /* the largest M_ii R_ii, how far channel i is explained by the
                                      others: 1 when it is not, and, none being ready, between
                                      kappa / d^2 and kappa, the condition number of M when its
                                      diagonal is scaled to ones */
    int singular;                  /* to rounding: R has hardly a digit in some direction */
    int refuses;                   /* the last row would have cost R digits; the next may, too */
} woodbury;

void woodbury_take(const rls_plan *p, arena *a, woodbury *m);
void woodbury_empty(const rls_plan *p, woodbury *m, const double *ridge);      /* of no rows */
static inline void woodbury_stale(woodbury *m) { m->fresh = 0; }       /* the base has changed */
static inline void woodbury_drop_waiting(woodbury *m) { m->ready = 0; }
int woodbury_strained(const woodbury *m);  /* solutions are corrected */

/* R of the base, none waits; its factor is in w->U then */
void woodbury_form(const rls_worker *w, woodbury *m, sums *s);
/* R takes in the rows that wait, or is no longer fresh; entered: after they are in the base */
void woodbury_update(const rls_worker *w, woodbury *m, const sums *s);
void woodbury_entered(const rls_plan *p, woodbury *m, const sums *s);

/* R is of the base, and has its digits: rows may have brought those of a singular one back. */
static inline int woodbury_usable(const woodbury *m, const sums *s)
{
    return m->fresh && !(m->singular && s->filled > 0);
}
/* M^-1 is at hand: R is usable, all waiting rows are ready. 0: digits would be lost, R has to be
 * formed anew with all rows in the base. */
int woodbury_ready(const rls_worker *w, woodbury *m, const sums *s);
/* Returns c; w->given = q / c, of size 1, w->turned = (M + e Lambda)^-1 of it; all rows are ready
 * then. 0: as woodbury_ready. */
double woodbury_solve(const rls_worker *w, woodbury *m, sums *s, const double *q);

#endif
