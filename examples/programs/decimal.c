/* decimal.c: reads decimal numbers as strtod does in the C locale, correctly rounded, several times
 * faster; see common.h.
 *
 * A number is w 10^e with whole w. Up to w <= 2^53 and |e| <= 22 both w and 10^|e| are doubles, and
 * one multiplication or division rounds once. Up to 19 digits w still fits 64 bits, and for -27 <=
 * e <= 0 so does 5^-e: the quotient w / 5^-e is taken to 63 bits and one more that says whether
 * there was a remainder, which is enough to round it correctly. What remains goes to strtod. */
#include "decimal.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DIGITS = 19, EXACT_TENS = 22, EXACT_FIVES = 27, EXPONENTS = 100000 };

static const double tens[EXACT_TENS + 1] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                            1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                            1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
static const uint64_t fives[EXACT_FIVES + 1] = {1,
                                                5,
                                                25,
                                                125,
                                                625,
                                                3125,
                                                15625,
                                                78125,
                                                390625,
                                                1953125,
                                                9765625,
                                                48828125,
                                                244140625,
                                                1220703125,
                                                6103515625,
                                                30517578125,
                                                152587890625,
                                                762939453125,
                                                3814697265625,
                                                19073486328125,
                                                95367431640625,
                                                476837158203125,
                                                2384185791015625,
                                                11920928955078125,
                                                59604644775390625,
                                                298023223876953125,
                                                1490116119384765625,
                                                7450580596923828125};

/* w / 5^n 2^-n, w > 0. */
static double quotient(uint64_t w, int n)
{
    const int left = __builtin_clzll(w), right = __builtin_clzll(fives[n]);
    const uint64_t a = w << left, b = fives[n] << right;               /* 2^63 <= a, b < 2^64 */
    const unsigned __int128 numerator = (unsigned __int128)a << 63;
    uint64_t q = (uint64_t)(numerator / b);                            /* 2^62 <= q < 2^64 */
    q |= (unsigned __int128)q * b != numerator;
    const uint64_t power = (uint64_t)(1023 - 63 - n + right - left) << 52;
    double scale;
    memcpy(&scale, &power, sizeof scale);
    return (double)q * scale;
}

const char *decimal_read(const char *text, double *out)
{
    const char *c = text + (*text == '-' || *text == '+'), *const first = c;
    uint64_t w = 0;
    for (; (unsigned)(*c - '0') < 10; c++) w = 10 * w + (uint64_t)(*c - '0');
    int64_t digits = c - first, e = 0;
    if (*c == '.') {
        const char *const fraction = ++c;
        for (; (unsigned)(*c - '0') < 10; c++) w = 10 * w + (uint64_t)(*c - '0');
        digits += c - fraction, e = fraction - c;
    }
    if (digits == 0) return NULL;
    if (digits > MOST_DIGITS)                                          /* perhaps zeros ahead */
        for (const char *z = first; *z == '0' || *z == '.'; z++) digits -= *z == '0';
    if (*c == 'e' || *c == 'E') {
        int64_t power = 0;
        const int down = c[1] == '-';
        const char *const start = c += 1 + (c[1] == '-' || c[1] == '+');
        for (; (unsigned)(*c - '0') < 10; c++)
            power = power < EXPONENTS ? 10 * power + (*c - '0') : power;
        if (c == start) return NULL;
        e += down ? -power : power;
    }
    double x;
    if (digits > MOST_DIGITS || e > EXACT_TENS || e < -EXACT_FIVES) {
        *out = strtod(text, NULL);
        return c;
    }
    if (w == 0) x = 0;
    else if (w <= (uint64_t)1 << 53 && e >= -EXACT_TENS)
        x = e < 0 ? (double)w / tens[-e] : (double)w * tens[e];
    else if (e <= 0) x = quotient(w, (int)-e);
    else x = strtod(first, NULL);
    *out = *text == '-' ? -x : x;
    return c;
}
