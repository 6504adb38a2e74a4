/* See gates.h. */
#include "mesa/gates.h"

gates gates_take(mesa_worker *w, int there, int64_t T)
{
    gates g = {NULL, NULL};
    if (there) g.high = take(w, T), g.low = take(w, T);
    return g;
}

void gates_split(const kern *k, int64_t T, mat log_gamma, gates g)
{
    if (!g.high) return;
    rows_copy(k, T, 1, log_gamma, dense(g.high, 1));
    k->gates(T * k->lanes, g.high, g.high, g.low);
}

gates gates_from(const kern *k, gates g, int64_t t)
{
    return g.high ? (gates){kern_at(k, g.high, t), kern_at(k, g.low, t)} : g;
}
