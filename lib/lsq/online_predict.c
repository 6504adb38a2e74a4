/* Predictions and their standard errors, see online.h. */
#include "lsq/online_parts.h"
#include <math.h>

/* out = S_t^T x for a x */
static void output(const online_plan *p, const workspace *w, const online *o, const double *ax, double *out)
{
    p->k->combine(p->d, p->dv, 1, ax, 0, o->S, p->dv, 0, out, 0);
    if (o->filled == 0) return;
    buffer_dots(p, o->filled, 1, o->Kt, ax, w->dots);
    p->k->multiply(o->filled, w->dots, o->weight, w->dots);
    p->k->combine(o->filled, p->dv, 1, w->dots, 0, o->V, p->dv, 1, out, 0);
}

/* spread_j = sum of weighted squares of what the fit leaves of value j, and of the ridge: squares_j - s_j^T (H_t + Lambda)^-1 s_j >= 0. */
static void fill_spread(const online_plan *p, void *ps, const workspace *w, online *o)
{
    const int64_t d = p->d, dv = p->dv;
    if (o->spread_version == o->version) return;
    base_flush(p, ps, w, o);
    inverse_prepare(p, ps, w, o);
    double *s = w->given, *x = w->turned;
    for (int64_t j = 0; j < dv; j++) {
        for (int64_t i = 0; i < d; i++) s[i] = o->S[i * dv + j];
        inverse_apply(p, w, o, s, x);
        o->spread[j] = fmax(0, o->squares[j] - vector_dot(p, s, x));
    }
    o->spread_version = o->version;
}

void online_predict(const online_plan *p, void *ps, void *scratch, online *o, const double *q, double *out, double *error)
{
    arena a = {scratch, 0};
    const workspace w = online_lay_out(p, &a);
    if (error) fill_spread(p, ps, &w, o);
    inverse_prepare(p, ps, &w, o);
    double *x = w.turned;
    inverse_solve(p, &w, o, q, x);
    output(p, &w, o, x, out);
    for (int64_t j = 0; error && j < p->dv; j++) error[j] = o->total > 0 ? sqrt(vector_dot(p, q, x) / o->a * o->spread[j] / o->total) : NAN;
}

void online_step(const online_plan *p, void *ps, void *scratch, online *o, const double *key, const double *value, double weight, double log_gate,
                 const double *q, double *out)
{
    online_push(p, ps, scratch, o, key, value, weight, log_gate);
    if (!o->fresh || o->a != 1 || o->ready + 1 != o->filled) {
        online_predict(p, ps, scratch, o, q, out, NULL);
        return;
    }
    arena a = {scratch, 0};
    const workspace w = online_lay_out(p, &a);
    const int64_t d = p->d, n = o->ready;
    double *r = w.turned, *x = w.turned + d;
    memcpy(w.given, o->K + n * d, (size_t)d * sizeof(double));
    memcpy(w.given + d, q, (size_t)d * sizeof(double));
    p->k->combine(d, d, 2, w.given, d, o->R, d, 0, w.turned, d);          /* R k and R q */
    if (n > 0) buffer_dots(p, n, 2, o->Pt, w.given, w.dots);
    if (!inverse_prepare_row(p, o, w.dots, r)) {
        online_predict(p, ps, scratch, o, q, out, NULL);
        return;
    }
    double *c = w.dots + p->rows;
    c[n] = vector_dot(p, o->P + n * d, q);
    inverse_subtract_rows(p, n + 1, o, c, x);
    output(p, &w, o, x, out);
}
