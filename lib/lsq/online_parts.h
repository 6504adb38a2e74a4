/* Inside online.h: what its files share. online_base.c: sums over rows; online_inverse.c: R, P and M^-1; online_predict.c: predictions;
 * online.c: rows and whole states. */
#ifndef LSQ_ONLINE_PARTS_H
#define LSQ_ONLINE_PARTS_H

#include "lsq/online.h"
#include <string.h>

typedef struct workspace {
    double *U;                     /* d x d: Cholesky's factor */
    double *weighted;              /* rows x d: of the buffer, times weights or signs */
    double *St;                    /* d x dv: S_t / a */
    double *dots;                  /* 2 x rows: rows of the buffer times one vector or two */
    double *given, *turned;        /* 2 x d each: one vector or two, and M^-1 times them; what is to be solved comes first */
    double *residual, *solved, *direction, *M_direction, *A_direction;    /* d each: of conjugate gradients */
    void *dense;
} workspace;

workspace online_lay_out(const online_plan *p, arena *a);
void online_changed(const online_plan *p, online *o);          /* H, S, ... are others: what was derived from them is not known */

/* ---- online_base.c ---- */

void base_empty(const online_plan *p, online *o);              /* no rows: R = Lambda^-1 */
/* H += c K^T diag(weight) K (lower triangle) and S += c K^T diag(weight) V over the first n rows of the buffer of `from`. */
void base_add_rows(const online_plan *p, void *ps, const workspace *w, online *o, const online *from, int64_t n, double c);
void base_set_peaks(const online_plan *p, online *o);          /* from the sums as they are */
void base_judge(const online_plan *p, online *o);              /* have `total` and `squares` of a window lost digits? */
void base_count_row(const online_plan *p, online *o, const double *value, double weight);     /* into `total` and `squares` */
void base_form_anew(const online_plan *p, void *ps, const workspace *w, online *o);            /* a window's sums from its rows; the buffer is empty */
void base_flush(const online_plan *p, void *ps, const workspace *w, online *o);                /* the buffer into the base */

/* ---- online_inverse.c ---- */

void inverse_prepare(const online_plan *p, void *ps, const workspace *w, online *o);           /* M^-1 is at hand: R is fresh, all rows are ready */
void inverse_update(const online_plan *p, void *ps, const workspace *w, online *o);            /* R takes in the buffer, or is no longer fresh */
/* Returns s; w->given = q / s, of size 1, w->turned = (M + e Lambda)^-1 of it; all rows are ready then. */
double inverse_solve(const online_plan *p, void *ps, const workspace *w, online *o, const double *q);

/* c = X x for `sets` vectors x, X the first n rows of a buffer that is stored by columns (and a few numbers more). */
static inline void buffer_dots(const online_plan *p, int64_t n, int sets, const double *Xt, const double *x, double *c)
{
    const int64_t whole = n + 7 < p->rows ? (n + 7) / 8 * 8 : p->rows;
    p->k->combine(p->d, whole, sets, x, p->d, Xt, p->rows, 0, c, p->rows);
}

static inline void buffer_column(const online_plan *p, double *Xt, int64_t j, const double *x)
{
    for (int64_t i = 0; i < p->d; i++) Xt[i * p->rows + j] = x[i];
}

static inline mat dense_mat(double *x, int64_t cols) { return (mat){x, cols, 1}; }

static inline double vector_dot(const online_plan *p, const double *x, const double *y)
{
    double sum;
    p->k->row_dot(1, p->d, NULL, x, 0, y, 0, &sum, 1);
    return sum;
}

#endif
