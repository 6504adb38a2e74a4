/* Notes: texts of the user's that an object keeps, by key, and that go with it into files. */
#ifndef BASE_NOTES_H
#define BASE_NOTES_H

#include "base/object.h"

/* of an object; escaped in a file at most 6 times as many */
enum { NOTES_MOST = 256, NOTES_MOST_KEY = 100, NOTES_MOST_BYTES = 8 << 20 };

typedef struct note { const char *key, *text; } note;   /* both in the block that `key` begins */
typedef struct notes {
    int64_t count, bytes;
    note *item;                    /* room for NOTES_MOST, by key, rising bytes; NULL: none yet */
} notes;

/* Sets the note `key`, or takes it away (text NULL). MESAOPT_E_ARGUMENT names what will not do,
 * MESAOPT_E_MEMORY; nothing changes then. */
mesaopt_status notes_set(mesaopt_ctx *ctx, notes *n, const char *key, const char *text);
int notes_reserved(const char *key);   /* the library's own texts in a file have such keys */
void notes_drop(const allocator *a, notes *n);

#endif
