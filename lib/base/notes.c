/* Notes of an object: a short sorted list; see notes.h. */
#include "base/notes.h"
#include "base/utf8.h"
#include <string.h>

static const char reserved[] = "mesaopt.";

int notes_reserved(const char *key) { return strncmp(key, reserved, sizeof reserved - 1) == 0; }

static mesaopt_status check(mesaopt_ctx *ctx, const char *key, const char *text)
{
    mesaopt_status status = check_not_null(ctx, key, "key");
    if (status != MESAOPT_OK) return status;
    const size_t n = strnlen(key, NOTES_MOST_KEY + 1);
    if (n == 0 || n > NOTES_MOST_KEY || !utf8_valid(key, (int64_t)n) || notes_reserved(key))
        return fail(ctx, MESAOPT_E_ARGUMENT,
                    "key: '%.*s', expected 1 to %d bytes of UTF-8 that do not begin with %s",
                    (int)n, key, NOTES_MOST_KEY, reserved);
    if (text && !utf8_valid(text, (int64_t)strlen(text)))
        return fail(ctx, MESAOPT_E_ARGUMENT, "text: of note '%s' is not UTF-8, expected UTF-8",
                    key);
    return MESAOPT_OK;
}

static int64_t bytes_of(const note *n) { return (int64_t)(strlen(n->key) + strlen(n->text)); }

/* Both texts in one block; NULL: no memory. */
static char *copy(const allocator *a, const char *key, const char *text)
{
    const size_t k = strlen(key) + 1, n = strlen(text) + 1;
    char *block = alloc_new(a, (int64_t)(k + n), 1);
    if (!block) return NULL;
    memcpy(block, key, k);
    memcpy(block + k, text, n);
    return block;
}

static void take_away(const allocator *a, notes *n, int64_t i)
{
    n->bytes -= bytes_of(&n->item[i]);
    alloc_free(a, (void *)n->item[i].key);
    n->count--;
    memmove(n->item + i, n->item + i + 1, (size_t)(n->count - i) * sizeof *n->item);
}

mesaopt_status notes_set(mesaopt_ctx *ctx, notes *n, const char *key, const char *text)
{
    const allocator *a = &ctx->alloc;
    int64_t i = 0;
    const mesaopt_status status = check(ctx, key, text);
    if (status != MESAOPT_OK) return status;
    while (i < n->count && strcmp(n->item[i].key, key) < 0) i++;
    const int found = i < n->count && strcmp(n->item[i].key, key) == 0;
    if (!text) {
        if (found) take_away(a, n, i);
        return MESAOPT_OK;
    }
    const int64_t bytes =
        n->bytes - (found ? bytes_of(&n->item[i]) : 0) + (int64_t)(strlen(key) + strlen(text));
    if (bytes > NOTES_MOST_BYTES || n->count + !found > NOTES_MOST)
        return fail(ctx, MESAOPT_E_ARGUMENT,
                    "text: %lld notes of %lld bytes, expected at most %d of %d",
                    (long long)n->count + !found, (long long)bytes, NOTES_MOST, NOTES_MOST_BYTES);
    if (!n->item) n->item = alloc_new(a, NOTES_MOST, sizeof *n->item);
    char *block = n->item ? copy(a, key, text) : NULL;
    if (!block)
        return fail(ctx, MESAOPT_E_MEMORY, "no memory for a note of %lld bytes",
                    (long long)strlen(text));
    if (found) take_away(a, n, i);
    memmove(n->item + i + 1, n->item + i, (size_t)(n->count - i) * sizeof *n->item);
    n->item[i] = (note){block, block + strlen(key) + 1};
    n->count++;
    n->bytes = bytes;
    return MESAOPT_OK;
}

void notes_drop(const allocator *a, notes *n)
{
    while (n->count > 0) take_away(a, n, n->count - 1);
    alloc_free(a, n->item);
    *n = (notes){0};
}
