/* See text.h. The last text is kept like this: a writer takes the oldest slot, by making its
 * version odd, fills it and gives it a version above all others; a reader copies the newest whole
 * slot, and copies again when the version has changed meanwhile. Words are stored with release and
 * loaded with acquire order: who sees a word of a newer text also sees its odd version. */
#include "base/text.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the character that starts at p, 0 when none does. Source: Unicode 15, table 3-7. */
static int character(const unsigned char *p)
{
    const int bytes = p[0] < 0x80   ? 1
                      : p[0] < 0xc2 ? 0
                      : p[0] < 0xe0 ? 2
                      : p[0] < 0xf0 ? 3
                      : p[0] < 0xf5 ? 4
                                    : 0;
    for (int i = 1; i < bytes; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if (p[0] == 0xe0 && p[1] < 0xa0) return 0;         /* longer than it need be */
    if (p[0] == 0xed && p[1] > 0x9f) return 0;         /* half of a pair of UTF-16 */
    if (p[0] == 0xf0 && p[1] < 0x90) return 0;
    if (p[0] == 0xf4 && p[1] > 0x8f) return 0;         /* beyond U+10FFFF */
    return bytes;
}

/* The largest n <= bytes such that no character of `text` is cut behind its first n bytes. */
static int64_t whole(const char *text, int64_t bytes)
{
    while (bytes > 0 && ((unsigned char)text[bytes] & 0xc0) == 0x80) bytes--;
    return bytes;
}

void text_format(char *out, int64_t cap, const char *format, va_list args)
{
    const int keep = errno;
    const int needed = vsnprintf(out, (size_t)cap, format, args);
    errno = keep;
    char *to = out;
    for (const char *p = out; *p;) {
        const int bytes = character((const unsigned char *)p);
        if (bytes == 1) {
            *to++ = (unsigned char)*p < ' ' || *p == 127 ? ' ' : *p;
            p++;
        } else if (bytes > 1) {
            memmove(to, p, (size_t)bytes);
            to += bytes, p += bytes;
        } else {
            while (((unsigned char)*++p & 0xc0) == 0x80) continue;
            if (*p || needed < cap) *to++ = '?';       /* else it was cut */
        }
    }
    *to = 0;
}

int64_t text_out(const char *text, char *buf, int64_t cap)
{
    const int64_t needed = (int64_t)strlen(text) + 1;
    if (cap <= 0) return needed;
    const int64_t bytes = needed <= cap ? needed - 1 : whole(text, cap - 1);
    memcpy(buf, text, (size_t)bytes);
    buf[bytes] = 0;
    return needed;
}

/* Behind a star that does not reach far enough it is made a character longer: only the last one
 * ever has to be. */
int text_matches(const char *text, const char *pattern)
{
    const char *star = NULL, *from = NULL;
    while (*text) {
        if (*pattern == '*') {
            star = ++pattern, from = text;
        } else if (*pattern == '?' || *pattern == *text) {
            pattern++, text++;
        } else if (star) {
            pattern = star, text = ++from;
        } else {
            return 0;
        }
    }
    while (*pattern == '*') pattern++;
    return *pattern == 0;
}

/* ---- the last text ---- */

static unsigned long long version_of(const struct text_slot *s)
{
    return atomic_load_explicit(&s->version, memory_order_acquire);
}

/* Of the slots that are whole, the oldest (newest: 0) or newest one, and its version; NULL when all
 * are being written. */
static struct text_slot *pick(last_text *t, int newest, unsigned long long *version)
{
    struct text_slot *found = NULL;
    for (int i = 0; i < TEXT_SLOTS; i++) {
        const unsigned long long v = version_of(&t->slot[i]);
        if (v % 2 == 0 && (!found || (newest ? v > *version : v < *version)))
            found = &t->slot[i], *version = v;
    }
    return found;
}

void last_text_set(last_text *t, const char text[TEXT_BYTES])
{
    const unsigned long long number =
        atomic_fetch_add_explicit(&t->written, 1, memory_order_relaxed) + 1;
    unsigned long long version = 0;
    struct text_slot *s;
    do {
        s = pick(t, 0, &version);
        if (!s) return;
    } while (!atomic_compare_exchange_strong_explicit(&s->version, &version, version | 1,
                                                      memory_order_acq_rel, memory_order_relaxed));
    const int64_t words = ((int64_t)strlen(text) + 8) / 8;
    for (int64_t i = 0; i < words; i++) {
        uint64_t word;
        memcpy(&word, text + 8 * i, 8);
        atomic_store_explicit(&s->word[i], word, memory_order_release);
    }
    atomic_store_explicit(&s->version, 2 * number, memory_order_release);
}

void last_text_get(const last_text *t, char text[TEXT_BYTES])
{
    unsigned long long version = 0;
    struct text_slot *s;
    do {
        memset(text, 0, TEXT_BYTES);
        s = pick((last_text *)t, 1, &version);
        for (int64_t i = 0; s && i < TEXT_BYTES / 8; i++) {
            const uint64_t word = atomic_load_explicit(&s->word[i], memory_order_acquire);
            memcpy(text + 8 * i, &word, 8);
            if (memchr(&word, 0, 8)) break;
        }
    } while (s && version_of(s) != version);
}
