/* Recursive least squares of one stream of rows: state, one row more, a prediction. Everything in
 * double, on kernels for one lane.
 *
 * Rows wait in a buffer and enter the base of the state together, in products. With a = product of
 * the gates since then and the buffer's weights w:
 *
 *     H_t = a (H + sum_j w_j k_j k_j^T)      S_t = a (S + sum_j w_j k_j v_j^T)
 *     (H_t + Lambda) x = q      is      (M + e Lambda) a x = q,
 *     M = H + Lambda + sum_j w_j k_j k_j^T,      e = 1/a - 1
 *     M^-1 = R - sum_j s_j p_j p_j^T,
 *     R = (H + Lambda)^-1,  p_j from Sherman and Morrison's formula
 *
 * Without forgetting e is 0 and M^-1 q is the answer; with it, conjugate gradients preconditioned
 * by M^-1 need one product with M^-1 a step and few steps, since all eigenvalues of M^-1 (M + e
 * Lambda) lie in [1, 1/a]. R comes from a Cholesky factor when gates or many rows have changed the
 * base, and when a row would cost it digits.
 *
 * The weighted squared error of the fit, ridge included, is sum_j w_j v_j^2 - S_t^T (H_t +
 * Lambda)^-1 S_t; without forgetting a row adds to it, with W of the rows before, w_j (v_j - W^T
 * k_j)^2 / (1 + w_j k_j . M^-1 k_j) = (length_j v_j - S^T p_j)^2. Where these would cancel, values
 * count from a map that fits about: residual.c.
 *
 * A window takes the row that leaves it out again as a row of negative weight; when sums have lost
 * digits that way (after a row far larger than what is left), or after some windows, they are
 * formed anew from the rows, which are kept. Source: docs/science.md, section 3; Golub and Van
 * Loan, Matrix Computations, section 6.5. */
#ifndef RLS_REGRESSION_H
#define RLS_REGRESSION_H

#include "kern/kern.h"

typedef struct online_plan {
    const kern *k;                 /* f64, one lane */
    int64_t d, dv, window;         /* window: rows, 0 for all */
    int64_t rows;                  /* of the buffer */
    int64_t ring;                  /* rows that are kept: those of the window, or the first ones */
} online_plan;

/* Rows as they came. */
typedef struct online_row { double *key, *value, *weight, *log_gate, *clock; } online_row;

typedef struct online {
    double *ridge;                 /* d */
    double *H, *S, *R;             /* d x d (lower triangle), d x dv, d x d: the base */
    double *K, *V, *weight;        /* rows x d, rows x dv, rows: the buffer */
    double *P, *sign, *length;     /* rows x d, rows, rows: of the first `ready` rows; p_j =
                                      length_j M^-1 k_j over the rows before j */
    double *Kt, *Pt;               /* d x rows: K and P transposed, for products with a vector */
    int64_t filled, ready;
    double a;
    int fresh;                     /* R belongs to the base */
    int whole;                     /* H has both triangles */
    double *diagonal, shrunk;      /* d: of R less the rows that are ready; the most that it has
                                      shrunk by since R was formed */
    double strain;                 /* about the condition number of what R is the inverse of:
                                      woodbury.c */
    int singular;                  /* to rounding: R has hardly a digit in some direction */
    int64_t updates;               /* rows that R took in since it was factored */
    double total, *squares;        /* sum of weights, of weighted squares of values (dv) */
    double decay, clock;           /* sum of log gates: since the start, and since the last gate of
                                      0 */
    int64_t count;                 /* rows so far */
    double most;                   /* no sum of squares is larger, whatever rows came */
    double *ring;                  /* p->ring x (d + dv + 3) */
    int64_t first, kept;
    int young;                     /* no window, and all rows so far are kept */
    double *peak;                  /* 1 + dv + d + dv: the largest `total`, `squares`, diagonal of H
                                      and `left` since they were formed from rows */
    int lost;                      /* one of the first two is far below its peak: the next flush
                                      forms all sums anew */
    int64_t since;                 /* rows since then */
    /* For standard errors, residual.c: */
    double *spread;                /* dv: weighted squared error of the fit over the base and the
                                      first `followed` rows of the buffer */
    int64_t followed;              /* -1: not known */
    int referred;                  /* W, G and U are in use; W is 0 otherwise, so G is S and U is
                                      V */
    double *W, *G, *U;             /* d x dv, d x dv, rows x dv */
    double *left, *held;           /* dv each: of the base; of the ridge */
    double *floor;                 /* dv: what the spread cannot have fallen below */
    double *noise, *blur;          /* dv: what rounding may have done to `left` so far; to
                                      `spread` */
    int blurred;                   /* that is more than it may be */
} online;

online_plan online_plan_of(const kern *k, int64_t d, int64_t dv, int64_t window);
void online_take(const online_plan *p, arena *a, online *o);
int64_t online_scratch(const online_plan *p);          /* bytes */
void online_begin(const online_plan *p, void *scratch);        /* once, before scratch is used */
int64_t online_product_scratch(const online_plan *p);

void online_clear(const online_plan *p, online *o);    /* no rows; the ridge stays */

/* What a row may hold: sqrt(weight) |key_i|, sqrt(weight) |value_j|, |key_i| and |value_j| up to
 * ONLINE_MOST, so that its squares are at most ONLINE_SQUARE, and those of 2^53 rows are finite. */
#define ONLINE_MOST 0x1p480
#define ONLINE_SQUARE 0x1p960
#define ONLINE_SUM 0x1p1021        /* of `most` */

/* A row: key, value, weight, log of the gate. Key and value of a row of weight 0 may be anything.
 */
void online_push(const online_plan *p, void *ps, void *scratch, online *o, const double *key,
                 const double *value, double weight, double log_gate);

/* out = S_t^T x, x = (H_t + Lambda)^-1 q. error (NULL: not wanted): sqrt(q.x spread / total), NaN
 * while there are no weights. */
void online_predict(const online_plan *p, void *ps, void *scratch, online *o, const double *q,
                    double *out, double *error);

/* Brings all rows into the base: H (both triangles then) and S are the state. */
void online_flush(const online_plan *p, void *ps, void *scratch, online *o);
/* The same, and forms windowed sums anew, and forgets R and the spread: a state that goes on as one
 * read from what it holds now. */
void online_settle(const online_plan *p, void *ps, void *scratch, online *o);
/* A caller has written to H, S, total, squares, young and the kept rows. spread: dv, NaN where it
 * is not known. */
void online_given(const online_plan *p, void *ps, void *scratch, online *o, const double *spread);
int online_young(const online_plan *p, const online *o); /* of a file; kept rows are all that came,
                                                            or nothing came */
/* o->spread of all rows */
void online_spread(const online_plan *p, void *ps, void *scratch, online *o);

/* into <- its rows, then those of `from`. */
void online_merge(const online_plan *p, void *ps, void *scratch, online *into, const online *from);

/* i-th oldest kept row, 0 <= i < p->ring */
online_row online_row_at(const online_plan *p, const online *o, int64_t i);

#endif
