/* Number text that does not depend on the locale, the rounding mode or errno of the host.
 *
 * The C library is asked only for texts without a decimal separator: "%e" output is read digit by
 * digit and laid out anew, and "12.5e-3" is handed to strtod as "125e-4". */
#include "base/number.h"
#include "base/pool.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 800 };             /* 767 decide the rounding of any double; the rest only whether
                                      they are all zero */

/* 0.d1 d2 d3 ... x 10^exponent, without leading zeros */
typedef struct decimal {
    char digit[DIGITS + 1];
    int count, negative;
    int64_t exponent;
} decimal;

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static void push(decimal *d, char c)
{
    if (d->count < DIGITS) d->digit[d->count++] = c;
    else if (c != '0') d->digit[DIGITS - 1] = '1';     /* not a tie any more */
}

/* Optional sign and decimal exponent; limits it to +-1e9, far outside of what a double holds. */
static const char *read_exponent(const char *p, int64_t *exponent)
{
    int negative = *p == '-';
    if (*p == '-' || *p == '+') p++;
    if (!is_digit(*p)) return NULL;
    int64_t e = 0;
    for (; is_digit(*p); p++)
        if (e < 1000000000) e = e * 10 + (*p - '0');
    *exponent += negative ? -e : e;
    return p;
}

static int read_decimal(const char *p, decimal *d)
{
    int any = 0, point = 0;
    *d = (decimal){.negative = *p == '-'};
    if (*p == '-' || *p == '+') p++;
    for (; is_digit(*p) || (*p == '.' && !point); p++) {
        if (*p == '.') {
            point = 1;
            continue;
        }
        any = 1;
        if (*p == '0' && d->count == 0) {              /* leading zero */
            if (point) d->exponent--;
            continue;
        }
        push(d, *p);
        if (!point) d->exponent++;
    }
    if (!any) return 0;
    if (*p == 'e' || *p == 'E') p = read_exponent(p + 1, &d->exponent);
    return p && *p == 0;
}

static double decimal_value(decimal *d)
{
    char text[DIGITS + 32];
    snprintf(text, sizeof text, "%s%.*se%lld", d->negative ? "-" : "", d->count ? d->count : 1,
             d->count ? d->digit : "0", (long long)(d->exponent - d->count));
    return strtod(text, NULL);
}

static int infinity(const char *text, double *out)
{
    int negative = *text == '-';
    if (*text == '-' || *text == '+') text++;
    if (strcmp(text, "inf") && strcmp(text, "infinity")) return 0;
    *out = negative ? -INFINITY : INFINITY;
    return 1;
}

int number_read(const char *text, double *out)
{
    decimal d;
    if (infinity(text, out)) return 1;
    if (!read_decimal(text, &d)) return 0;
    int keep = errno;
    uint64_t fp = fp_default();
    double x = decimal_value(&d);
    fp_restore(fp);
    errno = keep;
    if (isinf(x)) return 0;                            /* too large */
    *out = x;
    return 1;
}

int number_read_int(const char *text, int64_t *out)
{
    int64_t x = 0;
    int negative = *text == '-';
    if (*text == '-' || *text == '+') text++;
    if (!*text) return 0;
    for (; *text; text++) {
        int64_t c = *text - '0';
        if (!is_digit(*text) || __builtin_mul_overflow(x, 10, &x) ||
            __builtin_add_overflow(x, negative ? -c : c, &x))
            return 0;
    }
    *out = x;
    return 1;
}

void number_digits(const char *scientific, char *digits, int *exponent)
{
    const char *e = strchr(scientific, 'e');
    for (const char *p = scientific; p < e; p++)
        if (is_digit(*p)) *digits++ = *p;
    *digits = 0;
    int64_t x = 0;
    read_exponent(e + 1, &x);
    *exponent = (int)x;
}

/* Fewest digits that read back as |x|; 17 always do. */
static void shortest(double x, char *digits, int *exponent)
{
    for (int n = 1; n <= 17; n++) {
        char text[48];
        snprintf(text, sizeof text, "%.*e", n - 1, x);
        number_digits(text, digits, exponent);
        decimal d = {.count = n, .exponent = *exponent + 1};
        memcpy(d.digit, digits, (size_t)n);
        if (decimal_value(&d) == x) return;
    }
}

static char *put(char *p, const char *from, int count)
{
    for (int i = 0; i < count; i++) *p++ = from[i];
    return p;
}

/* 1200, 12.5, 0.00012, 1.2e-5; whole numbers up to 2^53 without an exponent, as number_read_int
 * wants them */
static void lay_out(char *p, const char *digits, int e)
{
    int n = (int)strlen(digits), whole = e + 1;
    if (e >= 0 && e <= 15) {
        p = put(p, digits, n < whole ? n : whole);
        p = put(p, "000000000000000", whole - n);
        if (n > whole) *p++ = '.';
        p = put(p, digits + whole, n - whole);
    } else if (e < 0 && e >= -4) {
        p = put(p, "0.000", 1 - e);
        p = put(p, digits, n);
    } else {
        *p++ = digits[0];
        if (n > 1) *p++ = '.';
        p = put(p, digits + 1, n - 1);
        *p++ = 'e';
        if (e < 0) *p++ = '-';
        for (int ten = 100, a = e < 0 ? -e : e; ten; ten /= 10)
            if (a >= ten || ten == 1) *p++ = (char)('0' + a / ten % 10);
    }
    *p = 0;
}

number number_text(double x)
{
    number out;
    char digits[32], *p = out.text;
    int e;
    if (isnan(x)) return (number){"nan"};
    if (signbit(x)) *p++ = '-';
    if (isinf(x)) {
        strcpy(p, "inf");
        return out;
    }
    int keep = errno;
    uint64_t fp = fp_default();
    shortest(fabs(x), digits, &e);
    fp_restore(fp);
    errno = keep;
    lay_out(p, digits, e);
    return out;
}
