/* UTF-8 text. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdint.h>

/* Bytes of the character at p (left > 0 bytes remain); 0: malformed, overlong, a surrogate, or
 * beyond U+10FFFF. */
int utf8_length(const unsigned char *p, int64_t left);
int utf8_valid(const char *text, int64_t bytes);

#endif
