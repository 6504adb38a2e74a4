/* What values leave beside the fit, for standard errors.
 *
 *     spread_j = min_x J_j(x),   J_j(x) = sum w (v_j - x . k)^2 + x . Lambda x
 *
 * is what remains when almost all of sum w v^2 has cancelled, where values are far from 0 or keys
 * explain them well. So sums are kept of u_j = v_j - W_j . k, W a map that fits about (0 until it
 * matters):
 *
 *     J_j(W_j + y) = left_j + held_j - 2 y . (G_j - Lambda W_j) + y . (H + Lambda) y
 *     left_j = sum w u_j^2,   G_j = sum w k u_j,   held_j = W_j . Lambda W_j
 *
 * where little cancels as long as left + held is not far above the spread. The spread grows with
 * rows and falls by no more than the gates; so `floor`, what it once was, tells when to look at W:
 * just before rows enter the base, so that what they leave is computed from themselves. A window,
 * whose spread may fall, forms the sums anew from its rows; so do the first rows, of which W would
 * have to move far and H, which is rounded, does not say how little that changes for those before.
 * `noise` counts what moves may cost.
 *
 * Without forgetting a row adds to the spread, with W of the rows before, w_j (v_j - W^T k_j)^2 /
 * (1 + w_j k_j . M^-1 k_j) = (length_j v_j - S^T p_j)^2. */
#ifndef RLS_RESIDUAL_H
#define RLS_RESIDUAL_H

#include "rls/woodbury.h"

typedef struct residual {
    double *spread;                /* dv: weighted squared error of the fit over the base and the
                                      first `followed` waiting rows, ridge included */
    int64_t followed;              /* -1: not known */
    int referred;                  /* W, G and U are in use; W is 0 otherwise, so G is S and U is
                                      V */
    double *W, *G, *U;             /* d x dv, d x dv, rows x dv */
    double *left, *held;           /* dv each: of the base; of the ridge */
    double *floor;                 /* dv: what the spread cannot have fallen below */
    double *noise, *blur;          /* dv: what rounding may have done to `left` so far; to
                                      `spread` */
    int blurred;                   /* that is more than it may be */
} residual;

void residual_take(const rls_plan *p, arena *a, residual *r);
void residual_empty(const rls_plan *p, residual *r);
static inline void residual_lose(residual *r) { r->followed = -1; }    /* the spread is not known */
/* What the values of the waiting rows leave; those of rows in the base are in `left`. */
static inline const double *residual_waiting(const residual *r, const sums *s)
{
    return r->referred ? r->U : s->V;
}

void residual_append(const rls_plan *p, residual *r, const sums *s);   /* u of the row that came
                                                                          last */
/* the waiting rows enter the base */
void residual_add_rows(const rls_worker *w, residual *r, const sums *s, mat wKt);
void residual_forget(const rls_plan *p, residual *r, double gate);
void residual_scale(const rls_plan *p, residual *r, double c);         /* the base */
void residual_form_anew(const rls_plan *p, residual *r);       /* the base is 0; W stays */
/* Before waiting rows enter the base; neither of a window nor of one that is young. */
void residual_before_flush(const rls_worker *w, residual *r, sums *s);
void residual_flushed(residual *r, const sums *s);     /* before they are dropped */

/* ---- of all rows, which are ready ---- */

void residual_follow(const rls_worker *w, residual *r, const woodbury *m, const sums *s);
/* Is left + held far above what the spread is known to be? */
int residual_surprising(const rls_worker *w, residual *r, const sums *s);
/* The spread, unless it is known. */
void residual_measure(const rls_worker *w, residual *r, woodbury *m, sums *s);
/* Rows are kept, and the spread would lose digits: W moves to the minimum, and all sums are to be
 * formed anew. 0 where double has no numbers for it. */
int residual_refer(const rls_worker *w, residual *r, woodbury *m, sums *s);
/* After that and residual_measure: is W still far from the minimum, and much nearer than it was? A
 * move is as good as M's condition allows; what it leaves, the next one sees by itself. */
int residual_far(const rls_worker *w, const residual *r, const sums *s);
void residual_judge(const rls_plan *p, residual *r, const woodbury *m, const sums *s);

/* ---- whole states ---- */

/* The spread is known: W moves to the fit of the sums, whose factor is in w->U, where a shift to
 * the fit of other rows costs least. No rows wait. */
void residual_refit(const rls_worker *w, residual *r, const woodbury *m, const sums *s);
/* Before H and S of `from` are added to gate times those of `into`. No rows wait, and H is whole,
 * in either. */
void residual_merge(const rls_worker *w, residual *into, const sums *into_sums,
                    const residual *from, const sums *from_sums, double gate);
/* Nothing but squares is known. */
void residual_of_squares(const rls_plan *p, residual *r, const sums *s);
/* Of sums that were given, whose factor is in w->U, with their spread (NaN: not known). */
void residual_restore(const rls_worker *w, residual *r, const woodbury *m, const sums *s,
                      const double *spread);

#endif
