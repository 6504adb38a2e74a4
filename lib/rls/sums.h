/* Sums over the rows of one regression, and the rows that wait to enter them together, in products.
 * With a = product of the gates since the base was formed, and the waiting rows' weights w:
 *
 *     H_t = a (H + sum_j w_j k_j k_j^T)      S_t = a (S + sum_j w_j k_j v_j^T)
 */
#ifndef RLS_SUMS_H
#define RLS_SUMS_H

#include "rls/rls_worker.h"

typedef struct sums {
    double *ridge;                 /* d */
    double *H, *S;                 /* d x d (lower triangle), d x dv: the base */
    int whole;                     /* H has both triangles */
    double *K, *V, *weight;        /* rows x d, rows x dv, rows: those that wait */
    double *Kt;                    /* d x rows: K transposed, for products with a vector */
    int64_t filled;                /* rows that wait */
    double a;
    double total, *squares;        /* sum of weights, of weighted squares of values (dv) */
} sums;

void sums_take(const rls_plan *p, arena *a, sums *s);
void sums_empty(const rls_plan *p, sums *s);           /* no rows; the ridge stays */
double sums_largest(const rls_plan *p, const sums *s); /* of base, total and squares */

/* A row, of any weight, waits. */
void sums_append(const rls_plan *p, sums *s, const double *key, const double *value, double weight);
/* into `total` and `squares` */
static inline void sums_count(const rls_plan *p, sums *s, const double *value, double weight)
{
    s->total += weight;
    for (int64_t c = 0; c < p->dv; c++) s->squares[c] += weight * value[c] * value[c];
}
/* A gate; of the waiting rows and the base it is kept in a, or (scaled) they have it. */
void sums_forget(const rls_plan *p, sums *s, double gate, int scaled);
void sums_scale(const rls_plan *p, sums *s, double c);         /* the base */
void sums_mirror(const rls_plan *p, sums *s);                  /* H has both triangles then */
void sums_drop_waiting(sums *s);   /* none wait, a = 1 */
void sums_changed(sums *s);        /* a caller has written to H */

/* Waiting rows enter: H += K^T diag(weight) K (lower triangle), S += K^T diag(weight) V; returns
 * K^T diag(weight). */
mat sums_add_rows(const rls_worker *w, sums *s);
/* Those of `from` after gate times those of `into`; no rows wait in either. */
void sums_merge(const rls_plan *p, sums *into, const sums *from, double gate);
/* out = (S + sum_{i < n} w_i k_i v_i^T)^T x, over waiting rows; S, V: those of `s` or others in
 * their place */
void sums_combine(const rls_worker *w, const sums *s, int64_t n, const double *S, const double *V,
                  const double *x, double *out);

#endif
