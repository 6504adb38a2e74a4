/* A host allocator that counts, refuses the n-th request, and checks sizes at the end. */
#ifndef TESTS_HOOK_ALLOC_H
#define TESTS_HOOK_ALLOC_H

#include "mesaopt/settings.h"
#include <stdatomic.h>
#include <stdlib.h>

typedef struct hook_alloc {
    atomic_long calls;             /* requests for memory so far, refused ones included */
    atomic_long blocks, bytes;     /* alive */
    atomic_long fail_at;           /* refuses the request of this number (from 1); 0: none */
} hook_alloc;

static inline void *hook_alloc_fn(void *ptr, int64_t old_size, int64_t new_size, void *user)
{
    hook_alloc *h = user;
    if (new_size == 0) {
        if (ptr) atomic_fetch_sub(&h->blocks, 1);
        atomic_fetch_sub(&h->bytes, old_size);
        free(ptr);
        return NULL;
    }
    if (atomic_fetch_add(&h->calls, 1) + 1 == atomic_load(&h->fail_at)) return NULL;
    if (new_size > (int64_t)1 << 35) return NULL;      /* AddressSanitizer would end the process */
    void *p = realloc(ptr, (size_t)new_size);
    if (!p) return NULL;
    if (!ptr) atomic_fetch_add(&h->blocks, 1);
    atomic_fetch_add(&h->bytes, new_size - old_size);
    return p;
}

#endif
