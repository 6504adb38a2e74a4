/* Element types of views: MESAOPT_F32 and the like. */
#ifndef TENSOR_DTYPE_H
#define TENSOR_DTYPE_H

#include <stdint.h>

int64_t dtype_size(int32_t dtype);                     /* bytes; 0 for an unknown type */
const char *dtype_name(int32_t dtype);                 /* "f32"; "?" */
int dtype_counts(int32_t dtype);                       /* an integer or a truth value */

float half_value(uint16_t bits);
float bfloat_value(uint16_t bits);

#endif
