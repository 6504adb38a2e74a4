/* The base: sums over rows, see regression.h. */
#include "base/real.h"
#include "rls/worker.h"
#include <math.h>

static const double LOST_DIGITS = 1e3, STRAINED_DIGITS = 4;

void base_empty(const online_plan *p, online *o)
{
    const int64_t d = p->d;
    memset(o->H, 0, (size_t)(d * d) * sizeof(double));
    memset(o->S, 0, (size_t)(d * p->dv) * sizeof(double));
    memset(o->R, 0, (size_t)(d * d) * sizeof(double));
    for (int64_t i = 0; i < d; i++) o->R[i * (d + 1)] = o->diagonal[i] = 1 / o->ridge[i];
    memset(o->squares, 0, (size_t)p->dv * sizeof(double));
    o->filled = o->ready = o->updates = o->kept = o->first = o->since = 0;
    o->a = 1;
    o->fresh = o->whole = 1;
    o->young = p->window == 0;
    o->singular = 0;
    o->strain = o->shrunk = 1;
    o->total = o->clock = 0;
    residual_empty(p, o);
    base_set_peaks(p, o);
}

/* ---- digits that a window loses ----
 *
 * Judged by the sums of weights, of squares of each value and of squares of each key: an element of
 * H or S is at most the root of two of the last. What values leave beside a map has sums of its
 * own. */

void base_set_peaks(const online_plan *p, online *o)
{
    double *values = o->peak + 1, *keys = values + p->dv, *left = keys + p->d;
    o->peak[0] = o->total;
    memcpy(values, o->squares, (size_t)p->dv * sizeof(double));
    for (int64_t i = 0; i < p->d; i++) keys[i] = o->H[i * (p->d + 1)];
    memcpy(left, o->left, (size_t)p->dv * sizeof(double));
    o->lost = 0;
}

/* Raises a peak; 1 when x has fallen far below. */
static int fallen(double x, double *peak, double digits)
{
    if (x > *peak) *peak = x;
    return !(x * digits >= *peak);
}

void base_judge(const online_plan *p, online *o)
{
    o->lost |= fallen(o->total, &o->peak[0], LOST_DIGITS);
    for (int64_t c = 0; c < p->dv; c++)
        o->lost |= fallen(o->squares[c], &o->peak[1 + c], LOST_DIGITS);
}

/* Peaks of the squares of keys and of what values leave, before the buffer enters: whatever order
 * its rows came in. */
static void raise_peaks(const online_plan *p, online *o)
{
    double *keys = o->peak + 1 + p->dv, *left = keys + p->d;
    const double *u = o->referred ? o->U : o->V;
    for (int64_t j = 0; j < p->dv; j++) {
        double most = o->left[j];
        for (int64_t i = 0; i < o->filled; i++)
            most += fabs(o->weight[i]) * u[i * p->dv + j] * u[i * p->dv + j];
        fallen(most, &left[j], LOST_DIGITS);
    }
    for (int64_t i = 0; i < p->d; i++) {
        double most = o->H[i * (p->d + 1)];
        for (int64_t j = 0; j < o->filled; j++)
            most += fabs(o->weight[j]) * o->Kt[i * p->rows + j] * o->Kt[i * p->rows + j];
        fallen(most, &keys[i], LOST_DIGITS);
    }
}

static int sums_fallen(const online_plan *p, online *o)
{
    /* solutions lose enough */
    const double digits = o->strain > STRAINED ? STRAINED_DIGITS : LOST_DIGITS;
    int any = 0;
    for (int64_t j = 0; j < p->dv; j++)
        any |= fallen(o->left[j], &o->peak[1 + p->dv + p->d + j], LOST_DIGITS);
    for (int64_t i = 0; i < p->d; i++)
        any |= fallen(o->H[i * (p->d + 1)], &o->peak[1 + p->dv + i], digits);
    return any;
}

/* ---- sums ---- */

mat base_add_rows(const online_plan *p, void *ps, const workspace *w, online *o, const online *from,
                  int64_t n, double c)
{
    const int64_t d = p->d, dv = p->dv;
    const mat wKt = {w->weighted, 1, d};
    p->k->row_scale(n, d, from->weight, 1, from->K, d, w->weighted, d);
    if (c != 1) p->k->scale(n * d, c, w->weighted);
    p->k->product(p->k, ps, PRODUCT_LANE, TRI_C_LOWER, 1, d, d, n, wKt, dense_mat(from->K, d),
                  dense_mat(o->H, d));
    o->whole = 0;
    p->k->product(p->k, ps, PRODUCT_LANE, TRI_NONE, 1, d, dv, n, wKt, dense_mat(from->V, dv),
                  dense_mat(o->S, dv));
    return wKt;
}

void base_output(const online_plan *p, const workspace *w, const online *o, int64_t n,
                 const double *S, const double *V, const double *x, double *out)
{
    p->k->combine(p->d, p->dv, 1, x, 0, S, p->dv, 0, out, 0);
    if (n == 0) return;
    buffer_dots(p, n, 1, o->Kt, x, w->dots);
    p->k->multiply(n, w->dots, o->weight, w->dots);
    p->k->combine(n, p->dv, 1, w->dots, 0, V, p->dv, 1, out, 0);
}

void base_count_row(const online_plan *p, online *o, const double *value, double weight)
{
    o->total += weight;
    for (int64_t c = 0; c < p->dv; c++) o->squares[c] += weight * value[c] * value[c];
}

void base_form_anew(const online_plan *p, void *ps, const workspace *w, online *o)
{
    const int64_t d = p->d, dv = p->dv;
    memset(o->H, 0, (size_t)(d * d) * sizeof(double));
    memset(o->S, 0, (size_t)(d * dv) * sizeof(double));
    memset(o->squares, 0, (size_t)dv * sizeof(double));
    residual_scale(p, o, 0);
    memset(o->noise, 0, (size_t)dv * sizeof(double));
    o->total = 0;
    for (int64_t i = 0, n = 0; i < o->kept; i++) {
        const online_row r = online_row_at(p, o, i);
        memcpy(o->K + n * d, r.key, (size_t)d * sizeof(double));
        memcpy(o->V + n * dv, r.value, (size_t)dv * sizeof(double));
        o->weight[n] = *r.weight * real_exp(*r.clock = o->clock - *r.clock);
        *r.clock = -*r.clock;
        base_count_row(p, o, r.value, o->weight[n]);
        residual_row(p, o, n++);
        if (n < p->rows && i + 1 < o->kept) continue;
        residual_add_rows(p, ps, o, n, base_add_rows(p, ps, w, o, o, n, 1));
        n = 0;
    }
    o->clock = 0;
    base_set_peaks(p, o);
    o->since = 0;
    o->fresh = 0;
}

void base_flush(const online_plan *p, void *ps, const workspace *w, online *o)
{
    const int64_t d = p->d;
    if (o->filled == 0 && o->a == 1 && !o->lost) return;
    if (p->window > 0) raise_peaks(p, o);
    else residual_flush(p, ps, w, o);
    if (o->followed < o->filled) o->followed = -1;
    if (o->followed > 0) o->followed = 0;
    if (o->filled > 0) {
        inverse_update(p, ps, w, o);
        residual_add_rows(p, ps, o, o->filled, base_add_rows(p, ps, w, o, o, o->filled, 1));
        if (o->fresh) inverse_strain(p, o);
    }
    if (o->a != 1) {
        p->k->scale(d * d, o->a, o->H);
        p->k->scale(d * p->dv, o->a, o->S);
        residual_scale(p, o, o->a);
        p->k->scale(d + p->dv, o->a, o->peak + 1 + p->dv);
        o->fresh = 0;
    }
    o->a = 1;
    o->filled = o->ready = 0;
    if (p->window == 0) return;
    if (sums_fallen(p, o) || o->lost ||
        o->since > (o->strain > STRAINED ? 2 * p->window + 64 : 4 * p->window + 1024))
        base_form_anew(p, ps, w, o);
}
