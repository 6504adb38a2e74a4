/* The certificate of solutions: |b - A x| / |b|. */
#ifndef MESA_CERTIFY_H
#define MESA_CERTIFY_H

#include "mesa/layer.h"

int64_t certify_bytes(mesa_worker w, const layer *l);
/* Of X for B, all tokens, to m.certificate.residual: no less than m.missed. HT: H behind the last
 * token, or NULL. */
void certify(mesa_worker w, const layer *l, mat B, mat X, void *HT);
/* Norm of row i (lanes counted) of m, d elements, whose squares may be beyond the type's range. */
double row_norm(const kern *k, mat m, int64_t d, int64_t i);

#endif
