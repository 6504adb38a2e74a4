/* Predictions and their standard errors, see online.h. */
#include "lsq/online_parts.h"
#include <math.h>

/* out = S_t^T x for a x, over the first n rows of the buffer */
static void output(const online_plan *p, const workspace *w, const online *o, int64_t n, const double *ax, double *out)
{
    p->k->combine(p->d, p->dv, 1, ax, 0, o->S, p->dv, 0, out, 0);
    if (n == 0) return;
    buffer_dots(p, n, 1, o->Kt, ax, w->dots);
    p->k->multiply(n, w->dots, o->weight, w->dots);
    p->k->combine(n, p->dv, 1, w->dots, 0, o->V, p->dv, 1, out, 0);
}

/* ---- spread ---- */

/* A row more of the buffer: spread_j += (length v_j - p^T S_j)^2, S over the rows before. All is ready; nothing has been forgotten or has left. */
static void follow_row(const online_plan *p, const workspace *w, online *o)
{
    const int64_t n = o->followed++, dv = p->dv;
    const double *row = o->P + n * p->d, *value = o->V + n * dv;
    output(p, w, o, n, row, w->St);
    for (int64_t j = 0; j < dv; j++) {
        const double left = o->length[n] * value[j] - w->St[j];
        o->spread[j] += left * left;
    }
}

/* S_t / a */
static void sum_of_values(const online_plan *p, void *ps, const workspace *w, const online *o)
{
    const int64_t d = p->d, dv = p->dv, n = o->filled;
    memcpy(w->St, o->S, (size_t)(d * dv) * sizeof(double));
    if (n == 0) return;
    p->k->row_scale(n, d, o->weight, 1, o->K, d, w->weighted, d);
    p->k->product(p->k, ps, PRODUCT_LANE, TRI_NONE, 1, d, dv, n, (mat){w->weighted, 1, d}, dense_mat(o->V, dv), dense_mat(w->St, dv));
}

/* spread_j = squares_j - s_j^T (H_t + Lambda)^-1 s_j >= 0 */
static void fill_spread(const online_plan *p, void *ps, const workspace *w, online *o)
{
    const int64_t d = p->d, dv = p->dv;
    inverse_prepare(p, ps, w, o);
    if (o->followed >= 0 && o->a == 1) while (o->followed < o->filled) follow_row(p, w, o);
    if (o->followed == o->filled) return;
    sum_of_values(p, ps, w, o);
    double *s = w->given + d;
    for (int64_t j = 0; j < dv; j++) {
        for (int64_t i = 0; i < d; i++) s[i] = w->St[i * dv + j];
        const double size = inverse_solve(p, ps, w, o, s);
        o->spread[j] = fmax(0, o->squares[j] - o->a * size * vector_dot(p, w->given, w->turned) * size);
    }
    o->followed = o->filled;
}

/* ---- predictions ---- */

void online_predict(const online_plan *p, void *ps, void *scratch, online *o, const double *q, double *out, double *error)
{
    arena a = {scratch, 0};
    const workspace w = online_lay_out(p, &a);
    if (error) fill_spread(p, ps, &w, o);
    const double size = inverse_solve(p, ps, &w, o, q);
    output(p, &w, o, o->filled, w.turned, out);
    p->k->scale(p->dv, size, out);
    const double leverage = error ? vector_dot(p, w.given, w.turned) / o->a : 0;
    for (int64_t j = 0; error && j < p->dv; j++) error[j] = o->total > 0 ? size * sqrt(leverage * (o->spread[j] / o->total)) : NAN;
}
