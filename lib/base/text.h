/* Texts of failures: one line of UTF-8 each, and the place where a context keeps its last one. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>

enum { TEXT_BYTES = 512, TEXT_SLOTS = 8 };

/* vsnprintf that makes one line of valid UTF-8, whatever a name from outside holds: control
 * characters become blanks, what is no character '?', and a text too long for `cap` ends with a
 * whole character. */
void text_format(char *out, int64_t cap, const char *format, va_list args);

/* As much of `text` as a caller's buffer of `cap` bytes takes, in whole characters; returns the
 * bytes that all of it needs. */
int64_t text_out(const char *text, char *buf, int64_t cap);

/* Does all of `text` match the pattern? `*` stands for any characters, also none, `?` for one. */
int text_matches(const char *text, const char *pattern);

/* The last text, for writers and readers on any threads. Nobody waits for anybody: a child of a
 * fork may find a write of a thread that it does not have half done. A slot's version is even:
 * twice the number of the text that it holds; odd: being written. */
typedef struct last_text {
    atomic_ullong written;         /* texts so far */
    struct text_slot {
        atomic_ullong version;
        _Atomic uint64_t word[TEXT_BYTES / 8];
    } slot[TEXT_SLOTS];
} last_text;

void last_text_set(last_text *t, const char text[TEXT_BYTES]);
void last_text_get(const last_text *t, char text[TEXT_BYTES]);

#endif
