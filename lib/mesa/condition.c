/* See condition.h. */
#include "mesa/condition.h"
#include <math.h>

enum { REGION = 256 };

int64_t condition_region(int64_t chunk) { return (REGION + chunk - 1) / chunk * chunk; }

condition condition_take(mesa_worker *w, int64_t T, int64_t chunk)
{
    condition c = {.region = condition_region(chunk)};
    c.norm = take_rows(w, T, 1);
    c.bound = take_rows(w, T, 1);
    c.least = take(w, 1);
    c.most = arena_take(&w->memory, (T + c.region - 1) / c.region, sizeof(double));
    return c;
}

void condition_measure(const kern *k, const condition *c, const tokens *s, const void *ridge,
                       const void *H0)
{
    k->norms(s->T, s->d, s->K.p, s->K.rs, s->beta.p, s->beta.rs, s->gamma.high, s->gamma.low, 1, H0,
             s->d, ridge, c->norm.p, c->least);
    for (int64_t i = 0; i < s->T; i++)
        k->ratio(k->lanes, kern_at(k, c->norm.p, i), c->least, kern_at(k, c->bound.p, i));
    for (int64_t t = 0; t < s->T; t += c->region)
        c->most[t / c->region] =
            largest(k, kern_at(k, c->bound.p, t), least(c->region, s->T - t));
}

double largest(const kern *k, const void *column, int64_t n)
{
    double most = 0;
    for (int64_t i = 0; i < n * k->lanes; i++) {
        const double x = kern_real(k, column, i);
        most = x <= most ? most : x == x ? x : (double)INFINITY;
    }
    return most;
}
