/* Inside regression.h: what its files share. sums.c: sums over rows; woodbury.c: R, P and
 * M^-1; residual.c: what the fit leaves; predict.c: predictions; regression.c: rows and
 * whole states. */
#ifndef RLS_WORKER_H
#define RLS_WORKER_H

#include "rls/regression.h"
#include <string.h>

/* At the beginning of the scratch that callers hold. */
typedef struct workspace {
    double *U, *inverse;           /* d x d: Cholesky's factor, and U^-T */
    double *weighted;              /* rows x d: of the buffer, times weights or signs */
    double *St;                    /* d x dv: S_t / a */
    double *dots;                  /* 2 x rows: rows of the buffer times one vector or two */
    double *given, *turned;        /* 2 x d each: one vector or two, and M^-1 times them; what is to
                                      be solved comes first */
    /* d each: of conjugate gradients */
    double *residual, *solved, *direction, *M_direction, *A_direction;
    double *defect, *correction;   /* d each: of a solution */
    void *dense;
    double *HD, *rest;             /* d x dv, rows x dv: of a map that moves */
    double *total, *left, *now;    /* dv each */
} workspace;


/* ---- sums.c ---- */

void base_empty(const online_plan *p, online *o);              /* no rows: R = Lambda^-1 */
/* H += c K^T diag(weight) K (lower triangle) and S += c K^T diag(weight) V over the first n rows of
 * the buffer of `from`; returns c K^T diag(weight). */
mat base_add_rows(const online_plan *p, void *ps, const workspace *w, online *o, const online *from,
                  int64_t n, double c);
/* out = (S + sum_{i < n} w_i k_i v_i^T)^T x, over rows of the buffer; S, V: those of `o` or others
 * in their place */
void base_output(const online_plan *p, const workspace *w, const online *o, int64_t n,
                 const double *S, const double *V, const double *x, double *out);
void base_set_peaks(const online_plan *p, online *o);          /* from the sums as they are */
void base_judge(const online_plan *p, online *o);       /* have `total` and `squares` of a window
                                                           lost digits? */
/* into `total` and `squares` */
void base_count_row(const online_plan *p, online *o, const double *value, double weight);
/* sums from the kept rows; the buffer is empty */
void base_form_anew(const online_plan *p, void *ps, const workspace *w, online *o);
/* the buffer into the base */
void base_flush(const online_plan *p, void *ps, const workspace *w, online *o);

/* ---- residual.c ---- */

void residual_empty(const online_plan *p, online *o);
void residual_row(const online_plan *p, online *o, int64_t i); /* u of a row of the buffer */
/* the first n rows of the buffer enter the base */
void residual_add_rows(const online_plan *p, void *ps, online *o, int64_t n, mat wKt);
void residual_scale(const online_plan *p, online *o, double c);        /* the base */
/* before the buffer enters the base; not of a window */
void residual_flush(const online_plan *p, void *ps, const workspace *w, online *o);
/* o->spread of all rows; M^-1 is at hand then */
void residual_spread(const online_plan *p, void *ps, const workspace *w, online *o);
/* the spread of all rows; none are kept any longer */
void residual_grow_up(const online_plan *p, void *ps, const workspace *w, online *o);
/* Before H and S of `from` are added to gate times those of `into`, whose buffer is empty. */
void residual_merge(const online_plan *p, void *ps, const workspace *w, online *into,
                    const online *from, double gate);
/* Of sums that were given, H whole, with their spread (NaN: not known). */
void residual_restore(const online_plan *p, void *ps, const workspace *w, online *o,
                      const double *spread);

/* ---- woodbury.c ---- */

#define STRAINED 1e5                                    /* of o->strain: from here on solutions are
                                                           corrected */
/* R of the base; its factor is in w->U then */
void inverse_form(const online_plan *p, void *ps, const workspace *w, online *o);
void inverse_strain(const online_plan *p, online *o);          /* R belongs to the base */

/* M^-1 is at hand: R is fresh, all rows are ready */
void inverse_prepare(const online_plan *p, void *ps, const workspace *w, online *o);
/* R takes in the buffer, or is no longer fresh */
void inverse_update(const online_plan *p, void *ps, const workspace *w, online *o);
/* Returns s; w->given = q / s, of size 1, w->turned = (M + e Lambda)^-1 of it; all rows are ready
 * then. */
double inverse_solve(const online_plan *p, void *ps, const workspace *w, online *o,
                     const double *q);

/* c = X x for `sets` vectors x, X the first n rows of a buffer that is stored by columns (and a few
 * numbers more). */
static inline void buffer_dots(const online_plan *p, int64_t n, int sets, const double *Xt,
                               const double *x, double *c)
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
