/* Blocks of the host's allocator, zeroed and aligned to 64 bytes.
 *
 *     host block:  [ ... padding ... | header | content ]
 *     content = first multiple of 64 behind base + sizeof header
 *
 * The header sits directly in front of the content and remembers what the host gave and was asked
 * for, since the host is told the old size again when the block goes. errno is left alone: malloc
 * sets it, and the library's callers must not see that. */
#include "base/alloc.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ALIGNMENT = 64 };

typedef struct header { void *base; int64_t size; } header;

static void *default_fn(void *ptr, int64_t old_size, int64_t new_size, void *user)
{
    (void)old_size, (void)user;
    if (new_size) return ptr ? realloc(ptr, (size_t)new_size) : calloc(1, (size_t)new_size);
    free(ptr);
    return NULL;
}

allocator alloc_default(void)
{
    return (allocator){default_fn, NULL};
}

void *alloc_new(const allocator *a, int64_t count, int64_t size)
{
    int64_t bytes, total;
    const int64_t around = (int64_t)sizeof(header) + ALIGNMENT - 1 + 2 * GAP_BYTES;
    if (!size_mul(count, size, &bytes) || !size_add(bytes, around, &total)) return NULL;
    int keep = errno;
    char *base = a->fn(NULL, 0, total, a->user);
    errno = keep;
    if (!base) return NULL;
    char *content = base + sizeof(header);
    content += -(uintptr_t)content % ALIGNMENT;
    memcpy(content - sizeof(header), &(header){base, total}, sizeof(header));
    /* calloc leaves fresh pages untouched */
    if (a->fn != default_fn) memset(content, 0, (size_t)bytes);
    arena_guard(content, bytes);
    return content;
}

void alloc_free(const allocator *a, void *block)
{
    if (!block) return;
    header h;
    memcpy(&h, (char *)block - sizeof h, sizeof h);
    arena_unguard(h.base, h.size);
    int keep = errno;
    a->fn(h.base, h.size, 0, a->user);
    errno = keep;
}

#ifdef MADV_WIPEONFORK
static int wipe_on_fork(void *page, size_t bytes)
{
    return madvise(page, bytes, MADV_WIPEONFORK) == 0;
}
#else
static int wipe_on_fork(void *page, size_t bytes) { return (void)page, (void)bytes, 0; }
#endif

static size_t page_bytes(void)
{
    const long bytes = sysconf(_SC_PAGESIZE);
    return bytes > 0 ? (size_t)bytes : 4096;
}

volatile int *alloc_mark(void)
{
    const int keep = errno;
    const size_t bytes = page_bytes();
    int *mark = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mark == MAP_FAILED) mark = NULL;
    if (mark && !wipe_on_fork(mark, bytes)) munmap(mark, bytes), mark = NULL;
    if (mark) *mark = 1;
    errno = keep;
    return mark;
}

void alloc_mark_free(volatile int *mark)
{
    const int keep = errno;
    if (mark) munmap((void *)mark, page_bytes());
    errno = keep;
}
