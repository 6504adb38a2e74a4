/* See sums.h. */
#include "rls/sums.h"
#include "base/real.h"
#include "kern/dense.h"
#include <math.h>

void sums_take(const rls_plan *p, arena *a, sums *s)
{
    const int64_t d = p->d, dv = p->dv, n = p->rows;
    s->ridge = take_reals(a, d);
    s->H = take_reals(a, d * d), s->S = take_reals(a, d * dv);
    s->K = take_reals(a, n * d), s->V = take_reals(a, n * dv), s->weight = take_reals(a, n);
    s->Kt = take_reals(a, d * n);
    s->squares = take_reals(a, dv);
}

void sums_empty(const rls_plan *p, sums *s)
{
    memset(s->H, 0, (size_t)(p->d * p->d) * sizeof(double));
    memset(s->S, 0, (size_t)(p->d * p->dv) * sizeof(double));
    memset(s->squares, 0, (size_t)p->dv * sizeof(double));
    s->total = 0;
    s->whole = 1;
    sums_drop_waiting(s);
}

double sums_largest(const rls_plan *p, const sums *s)
{
    double most = s->total;
    for (int64_t i = 0; i < p->d * p->d; i++) most = larger(most, fabs(s->H[i]));
    for (int64_t i = 0; i < p->d * p->dv; i++) most = larger(most, fabs(s->S[i]));
    for (int64_t i = 0; i < p->dv; i++) most = larger(most, s->squares[i]);
    return most;
}

void sums_append(const rls_plan *p, sums *s, const double *key, const double *value, double weight)
{
    const int64_t j = s->filled++;
    memcpy(s->K + j * p->d, key, (size_t)p->d * sizeof(double));
    column_set(p, s->Kt, j, key);
    memcpy(s->V + j * p->dv, value, (size_t)p->dv * sizeof(double));
    s->weight[j] = weight / s->a;
}

void sums_forget(const rls_plan *p, sums *s, double gate, int scaled)
{
    if (!scaled) s->a *= gate;
    s->total *= gate;
    for (int64_t c = 0; c < p->dv; c++) s->squares[c] *= gate;
}

void sums_scale(const rls_plan *p, sums *s, double c)
{
    p->k->scale(p->d * p->d, c, s->H);
    p->k->scale(p->d * p->dv, c, s->S);
}

void sums_mirror(const rls_plan *p, sums *s)
{
    if (!s->whole) dense_mirror(p->d, sizeof(double), s->H);
    s->whole = 1;
}

void sums_drop_waiting(sums *s)
{
    s->filled = 0;
    s->a = 1;
}

void sums_changed(sums *s) { s->whole = 0; }

mat sums_add_rows(const rls_worker *w, sums *s)
{
    const int64_t d = w->p->d, dv = w->p->dv, n = s->filled;
    const mat wKt = {w->weighted, 1, d};
    w->p->k->row_scale(n, d, s->weight, 1, s->K, d, w->weighted, d);
    matrix_product(w, TRI_C_LOWER, 1, d, d, n, wKt, dense_mat(s->K, d), dense_mat(s->H, d));
    s->whole = 0;
    matrix_product(w, TRI_NONE, 1, d, dv, n, wKt, dense_mat(s->V, dv), dense_mat(s->S, dv));
    return wKt;
}

void sums_combine(const rls_worker *w, const sums *s, int64_t n, const double *S, const double *V,
                  const double *x, double *out)
{
    const rls_plan *p = w->p;
    p->k->combine(p->d, p->dv, 1, x, 0, S, p->dv, 0, out, 0);
    if (n == 0) return;
    column_dots(p, n, 1, s->Kt, x, w->dots);
    p->k->multiply(n, w->dots, s->weight, w->dots);
    p->k->combine(n, p->dv, 1, w->dots, 0, V, p->dv, 1, out, 0);
}

void sums_merge(const rls_plan *p, sums *into, const sums *from, double gate)
{
    sums_scale(p, into, gate);
    p->k->add(p->d * p->d, from->H, into->H);
    p->k->add(p->d * p->dv, from->S, into->S);
    for (int64_t c = 0; c < p->dv; c++)
        into->squares[c] = gate * into->squares[c] + from->squares[c];
    into->total = gate * into->total + from->total;
}
