/* Sizes of memory that do not overflow. */
#ifndef BASE_SIZE_H
#define BASE_SIZE_H

#include <stdint.h>

/* a * b and a + b of non-negative numbers; 0 and *out untouched when the result does not fit into
 * int64_t (or an argument is negative). */
static inline int size_mul(int64_t a, int64_t b, int64_t *out)
{
    int64_t r;
    if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, &r)) return 0;
    *out = r;
    return 1;
}

static inline int size_add(int64_t a, int64_t b, int64_t *out)
{
    int64_t r;
    if (a < 0 || b < 0 || __builtin_add_overflow(a, b, &r)) return 0;
    *out = r;
    return 1;
}

#endif
