/* Workspaces (arena.h).
 *
 *     without gaps:       [ piece ....pad | piece ..pad | ]
 *     with gaps:    [ gap | piece ....    | gap | piece ..    | gap ]    pads are poisoned too
 *
 * A gap holds the base of the arena that made it. Taking a piece of what holds gaps of an older
 * layout, of the same arena or of one that a piece was, cleans them; one of an arena further out,
 * or of the block, is the end of what was planned, and is touched, so that AddressSanitizer stops
 * there. */
#include "base/arena.h"
#include "base/size.h"
#include <string.h>

enum { LINE = 64 };

#ifdef ARENA_GAPS
#include <sanitizer/asan_interface.h>

typedef struct gap { uint64_t sign; const void *base; } gap;
static const uint64_t SIGN = 0x70616720616e6572;

static int64_t whole_lines(int64_t bytes) { return (bytes + LINE - 1) / LINE * LINE; }

/* From the end of a piece to a line of 64 bytes and `end` behind it. */
static void lay_gap(char *from, char *end, const void *base)
{
    const gap g = {SIGN, base};
    __asan_unpoison_memory_region(end - GAP_BYTES, GAP_BYTES);
    memcpy(end - GAP_BYTES, &g, sizeof g);
    __asan_poison_memory_region(from, (size_t)(end - from));
}

void arena_guard(char *block, int64_t bytes)
{
    lay_gap(block + bytes, block + whole_lines(bytes) + GAP_BYTES, NULL);
}

void arena_unguard(void *from, int64_t bytes)
{
    __asan_unpoison_memory_region(from, (size_t)bytes);
}

static gap gap_at(char *line)
{
    gap g;
    __asan_unpoison_memory_region(line, sizeof g);
    memcpy(&g, line, sizeof g);
    __asan_poison_memory_region(line, sizeof g);
    return g;
}

/* The first poisoned byte, or NULL. A little at a time: AddressSanitizer finds out at once that
 * there is one, but looks for it byte by byte. */
static char *first_poisoned(char *from, char *end)
{
    enum { STEP = 1024 };
    char *p = NULL;
    for (; from < end && !p; from += STEP)
        p = __asan_region_is_poisoned(from, (size_t)(end - from < STEP ? end - from : STEP));
    return p;
}

/* Stops at the end of what holds this arena. */
static void stay_inside(const arena *a, char *from, char *end)
{
    char *p;
    while ((p = first_poisoned(from, end))) {
        char *line = a->base + whole_lines(p - a->base);
        const gap g = gap_at(line);                    /* a pad's own may lie behind the end */
        if (g.sign != SIGN || (const char *)g.base < a->base) *(volatile char *)p = 0;
        from = line + LINE;
    }
}

static void lay_gaps(const arena *a, int64_t start, int64_t bytes, int64_t end)
{
    const int64_t first = start == GAP_BYTES ? 0 : start;
    stay_inside(a, a->base + first, a->base + end);
    if (first == 0) lay_gap(a->base, a->base + GAP_BYTES, a->base);
    __asan_unpoison_memory_region(a->base + start, (size_t)bytes);
    lay_gap(a->base + start + bytes, a->base + end, a->base);
}
#else
void arena_guard(char *block, int64_t bytes) { (void)block, (void)bytes; }
void arena_unguard(void *from, int64_t bytes) { (void)from, (void)bytes; }
static void lay_gaps(const arena *a, int64_t start, int64_t bytes, int64_t end)
{
    (void)a, (void)start, (void)bytes, (void)end;
}
#endif

void *arena_take(arena *a, int64_t count, int64_t size)
{
    int64_t bytes, lines, end;
    const int64_t start = a->used == 0 ? GAP_BYTES : a->used;
    if (start < 0 || !size_mul(count, size, &bytes) || !size_add(bytes, LINE - 1, &lines) ||
        !size_add(start, lines / LINE * LINE, &end) || !size_add(end, GAP_BYTES, &end)) {
        a->used = -1;
        return NULL;
    }
    a->used = end;
    if (!a->base) return NULL;
    lay_gaps(a, start, bytes, end);
    return a->base + start;
}
