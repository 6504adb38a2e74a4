/* See window.h. */
#include "rls/window.h"
#include "base/real.h"
#include <math.h>

static const double LOST_DIGITS = 1e3, STRAINED_DIGITS = 4;

void window_take(const rls_plan *p, arena *a, window *w)
{
    const int64_t width = p->d + p->dv + 3;
    int64_t count = 0;
    if (!size_mul(p->ring, width, &count)) count = -1;
    w->ring = take_reals(a, count);
    w->peak = take_reals(a, 1 + p->dv + p->d + p->dv);
}

void window_empty(const rls_plan *p, window *w)
{
    w->kept = w->first = w->since = 0;
    w->young = p->window == 0;
    w->clock = 0;
}

/* ---- rows ---- */

kept_row window_row(const rls_plan *p, const window *w, int64_t i)
{
    double *row = w->ring + (w->first + i) % p->ring * (p->d + p->dv + 3);
    return (kept_row){row, row + p->d, row + p->d + p->dv, row + p->d + p->dv + 1,
                      row + p->d + p->dv + 2};
}

void window_keep(const rls_plan *p, window *w, const double *key, const double *value,
                 double weight, double log_gate)
{
    const kept_row r = window_row(p, w, w->kept++);
    if (weight == 0) {
        memset(r.key, 0, (size_t)(p->d + p->dv) * sizeof(double));     /* the value is behind the
                                                                          key */
    } else {
        memcpy(r.key, key, (size_t)p->d * sizeof(double));
        memcpy(r.value, value, (size_t)p->dv * sizeof(double));
    }
    *r.weight = weight, *r.log_gate = log_gate, *r.clock = w->clock;
}

double window_weight(const window *w, const kept_row *r)
{
    return *r->weight * real_exp(w->clock - *r->clock);
}

kept_row window_leave(const rls_plan *p, window *w)
{
    const kept_row r = window_row(p, w, 0);
    w->first = (w->first + 1) % p->window;
    w->kept--;
    return r;
}

void window_grow_up(window *w) { w->young = 0, w->kept = w->first = 0; }

/* ---- digits ---- */

void window_forget(const rls_plan *p, window *w, double log_gate, double gate)
{
    w->clock += log_gate;
    p->k->scale(1 + p->dv, gate, w->peak);
}

void window_scale(const rls_plan *p, window *w, double c)
{
    p->k->scale(p->d + p->dv, c, w->peak + 1 + p->dv);
}

void window_set_peaks(const rls_plan *p, window *w, const sums *s, const double *left)
{
    double *values = w->peak + 1, *keys = values + p->dv;
    w->peak[0] = s->total;
    memcpy(values, s->squares, (size_t)p->dv * sizeof(double));
    for (int64_t i = 0; i < p->d; i++) keys[i] = s->H[i * (p->d + 1)];
    memcpy(keys + p->d, left, (size_t)p->dv * sizeof(double));
    w->lost = 0;
}

void window_formed(const rls_plan *p, window *w, const sums *s, const double *left)
{
    for (int64_t i = 0; i < w->kept; i++) *window_row(p, w, i).clock -= w->clock;
    w->clock = 0;
    w->since = 0;
    window_set_peaks(p, w, s, left);
}

/* Raises a peak; 1 when x has fallen far below. */
static int fallen(double x, double *peak, double digits)
{
    if (x > *peak) *peak = x;
    return !(x * digits >= *peak);
}

void window_raise_peaks(const rls_plan *p, window *w, const sums *s, const double *left,
                        const double *u)
{
    double *keys = w->peak + 1 + p->dv, *leaves = keys + p->d;
    for (int64_t j = 0; j < p->dv; j++) {
        double most = left[j];
        for (int64_t i = 0; i < s->filled; i++)
            most += fabs(s->weight[i]) * u[i * p->dv + j] * u[i * p->dv + j];
        fallen(most, &leaves[j], LOST_DIGITS);
    }
    for (int64_t i = 0; i < p->d; i++) {
        double most = s->H[i * (p->d + 1)];
        for (int64_t j = 0; j < s->filled; j++)
            most += fabs(s->weight[j]) * s->Kt[i * p->rows + j] * s->Kt[i * p->rows + j];
        fallen(most, &keys[i], LOST_DIGITS);
    }
}

void window_judge(const rls_plan *p, window *w, const sums *s)
{
    w->since++;
    w->lost |= fallen(s->total, &w->peak[0], LOST_DIGITS);
    for (int64_t c = 0; c < p->dv; c++)
        w->lost |= fallen(s->squares[c], &w->peak[1 + c], LOST_DIGITS);
}

int window_worn(const rls_plan *p, window *w, const sums *s, const double *left, int strained)
{
    double *keys = w->peak + 1 + p->dv, *leaves = keys + p->d;
    int worn = w->lost || w->since > (strained ? 2 * p->window + 64 : 4 * p->window + 1024);
    for (int64_t j = 0; j < p->dv; j++) worn |= fallen(left[j], &leaves[j], LOST_DIGITS);
    for (int64_t i = 0; i < p->d; i++)
        worn |= fallen(s->H[i * (p->d + 1)], &keys[i], strained ? STRAINED_DIGITS : LOST_DIGITS);
    return worn;
}
