/* Memory: the host's allocator behind overflow-checked, 64-byte aligned blocks. */
#ifndef BASE_ALLOC_H
#define BASE_ALLOC_H

#include "base/arena.h"
#include "base/exact.h"
#include "base/size.h"
#include "mesaopt/settings.h"
#include <stddef.h>

typedef struct allocator {
    mesaopt_alloc_fn fn;           /* never NULL: alloc_default() stands in */
    void *user;
} allocator;

allocator alloc_default(void);     /* calloc, realloc, free */

/* count * size bytes, zeroed, aligned to 64; NULL on overflow or when memory is short. Zero bytes
 * give a valid block. */
void *alloc_new(const allocator *a, int64_t count, int64_t size);
void alloc_free(const allocator *a, void *block);

/* A number that says 1 in this process and 0 in every child that a fork makes of it, whatever their
 * pids; a page of its own, not the host's. NULL where the system has no such pages. */
volatile int *alloc_mark(void);
void alloc_mark_free(volatile int *mark);

#endif
