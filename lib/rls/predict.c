/* Predictions and their standard errors, see regression.h. */
#include "rls/worker.h"
#include <math.h>

void online_predict(const online_plan *p, void *ps, void *scratch, online *o, const double *q,
                    double *out, double *error)
{
    const workspace *w = scratch;
    if (error) residual_spread(p, ps, w, o);
    const double size = inverse_solve(p, ps, w, o, q);
    base_output(p, w, o, o->filled, o->S, o->V, w->turned, out);
    p->k->scale(p->dv, size, out);
    const double leverage = error ? vector_dot(p, w->given, w->turned) / o->a : 0;
    for (int64_t j = 0; error && j < p->dv; j++)
        error[j] = o->total > 0 ? size * sqrt(leverage * (o->spread[j] / o->total)) : NAN;
}
