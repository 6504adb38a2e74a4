/* Where the elements of views lie in memory, and conversion of the 16-bit types. */
#ifndef TENSOR_LAYOUT_H
#define TENSOR_LAYOUT_H

#include "tensor/view.h"

/* Bytes [low, high) of a view that has elements; 0 when they do not lie in [0, 2^60). */
int view_range(const mesaopt_view *view, int64_t *low, int64_t *high);

/* Do the (non-negative) strides prove the elements of the view apart from each other? */
int view_distinct(const mesaopt_view *view);

/* May an element of one be (part of) an element of the other? 0 only when that is proven
 * impossible. */
int view_may_meet(const mesaopt_view *a, const mesaopt_view *b);

float half_value(uint16_t bits);
float bfloat_value(uint16_t bits);

#endif
