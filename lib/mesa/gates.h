/* Forget gates, high + low: to twice the precision near 1, where thousands of them multiply. */
#ifndef MESA_GATES_H
#define MESA_GATES_H

#include "mesa/worker.h"

typedef struct gates { void *high, *low; } gates;      /* T, adjacent; NULL: nothing is forgotten */

gates gates_take(mesa_worker *w, int there, int64_t T);
void gates_split(const kern *k, int64_t T, mat log_gamma, gates g);
gates gates_from(const kern *k, gates g, int64_t t);

#endif
