/* UTF-8: lengths of characters, checked; see RFC 3629. */
#include "base/utf8.h"

int utf8_length(const unsigned char *p, int64_t left)
{
    const int n = p[0] < 0x80                   ? 1
                  : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
                  : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
                  : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                                : 0;
    if (n > left) return 0;
    for (int i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80) return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f)) return 0;
    if ((p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f)) return 0;
    return n;
}

int utf8_valid(const char *text, int64_t bytes)
{
    for (int64_t i = 0, n; i < bytes; i += n)
        if ((n = utf8_length((const unsigned char *)text + i, bytes - i)) == 0) return 0;
    return 1;
}
