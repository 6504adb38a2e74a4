/* See window.h. */
#include "rls/window.h"
#include "base/real.h"
#include <math.h>

/* Squares of roundings, in units of what a sum is now: 2^8 of them leave three bits of 2^-42 for
 * what the count leaves out. */
static const double MOST_NOISE = 0x1p16, STRAINED_NOISE = 64;

/* Sums whose digits are watched: total, squares, H's diagonal, what values leave. */
static int64_t sizes(const rls_plan *p) { return 1 + p->dv + p->d + p->dv; }

void window_take(const rls_plan *p, arena *a, window *w)
{
    const int64_t width = p->d + p->dv + 3;
    int64_t count = 0;
    if (!size_mul(p->ring, width, &count)) count = -1;
    w->ring = take_reals(a, count);
    w->size = take_reals(a, 3 * sizes(p));
    w->before = w->size + sizes(p), w->noise = w->before + sizes(p);
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
    if (p->window > 0) p->k->scale(2 * sizes(p), gate, w->size);
}

void window_count(const rls_plan *p, window *w, const double *key, const double *value,
                  const double *u, double weight)
{
    double *x = w->size;
    *x++ += weight;
    for (int64_t c = 0; c < p->dv; c++) *x++ += weight * value[c] * value[c];
    for (int64_t i = 0; i < p->d; i++) *x++ += weight * key[i] * key[i];
    for (int64_t c = 0; c < p->dv; c++) *x++ += weight * u[c] * u[c];
}

void window_exact(const rls_plan *p, window *w, const sums *s, const double *left)
{
    double *values = w->size + 1, *keys = values + p->dv;
    w->size[0] = s->total;
    memcpy(values, s->squares, (size_t)p->dv * sizeof(double));
    for (int64_t i = 0; i < p->d; i++) keys[i] = s->H[i * (p->d + 1)];
    memcpy(keys + p->d, left, (size_t)p->dv * sizeof(double));
    memcpy(w->before, w->size, (size_t)sizes(p) * sizeof(double));
    memset(w->noise, 0, (size_t)sizes(p) * sizeof(double));
    w->lost = 0;
}

void window_formed(const rls_plan *p, window *w, const sums *s, const double *left)
{
    for (int64_t i = 0; i < w->kept; i++) *window_row(p, w, i).clock -= w->clock;
    w->clock = 0;
    w->since = 0;
    window_exact(p, w, s, left);
}

/* Sums first .. first + n - 1 have changed: what was noise beside them is noise beside what they
 * are. Returns 1 where that is much. ridge: what a sum counts with beside itself, or NULL */
static int judge(window *w, int64_t first, int64_t n, const double *ridge, double most)
{
    int much = 0;
    for (int64_t i = first; i < first + n; i++) {
        const double more = ridge ? ridge[i - first] : 0, x = w->size[i] + more;
        const double ratio = x == w->before[i] + more ? 1 : (w->before[i] + more) / x;
        const double square = x > 0 || ratio == 1 ? ratio * ratio : INFINITY;
        w->noise[i] = w->noise[i] * square + (square > 1 ? square : 1);
        w->before[i] = w->size[i];
        much |= !(w->noise[i] <= most);
    }
    return much;
}

void window_judge(const rls_plan *p, window *w, const sums *s)
{
    const int64_t keys = 1 + p->dv, leaves = keys + p->d;
    const double most = MOST_NOISE + 4 * (double)p->window;
    w->since++;
    w->lost = judge(w, 0, keys, NULL, most) | judge(w, keys, p->d, s->ridge, most) |
              judge(w, leaves, p->dv, NULL, most);
}

int window_worn(const rls_plan *p, const window *w, int strained)
{
    const double *keys = w->noise + 1 + p->dv, most = STRAINED_NOISE + 2 * (double)p->window;
    int worn = w->lost || w->since > (strained ? 2 * p->window + 64 : 4 * p->window + 1024);
    for (int64_t i = 0; strained && i < p->d; i++) worn |= !(keys[i] <= most);
    return worn;
}
