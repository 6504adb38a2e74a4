/* A number that stands in for many: files name data and parameters by it. */
#ifndef TENSOR_FINGERPRINT_H
#define TENSOR_FINGERPRINT_H

#include "tensor/view.h"

/* Of numbers in row-major order, equal for f32 and f64; goes on from h, that of others or 0. */
uint64_t view_fingerprint(uint64_t h, const mesaopt_view *v);

#endif
