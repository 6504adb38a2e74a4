/* Workspaces that are planned by the same code that later lays them out. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdint.h>

/* With base NULL take() only counts. Every piece is 64-byte aligned; a piece may be an arena in
 * turn. What is laid out again begins with the arena that holds it: memory is used as pieces, not
 * as what an older layout left of it. */
typedef struct arena {
    char *base;                    /* NULL while planning */
    int64_t used;                  /* bytes so far; -1 after an overflow */
} arena;
void *arena_take(arena *a, int64_t count, int64_t size);   /* NULL while planning */

/* Under AddressSanitizer there is a poisoned gap in front of the first piece, behind each, and
 * behind every block of the allocator: GAP_BYTES there, 0 elsewhere. */
#if defined(__SANITIZE_ADDRESS__)
#define ARENA_GAPS 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_GAPS 1
#endif
#endif
#ifdef ARENA_GAPS
enum { GAP_BYTES = 64 };
#else
enum { GAP_BYTES = 0 };
#endif
void arena_guard(char *block, int64_t bytes);  /* a gap behind the block, which has room for it */
void arena_unguard(void *from, int64_t bytes); /* before memory goes back to the host */

#endif
