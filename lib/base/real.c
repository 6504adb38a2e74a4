/* exp, expm1, log, log1p, pow, sin, cos, hypot: an argument is brought near 0, where few terms of
 * the Taylor series reach the last bit.
 *
 *     e^x = 2^k e^r,                             k = round(x / ln 2), |r| <= ln 2 / 2
 *     log x = k ln 2 + log(1 + f),               x = 2^k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2)
 *     log(1 + f) = 2 artanh s = f - s (f - R),   s = f / (2 + f),
 *     R = sum_{n >= 1} 2 s^(2n) / (2n + 1)
 *     sin x = +- sin r or +- cos r,              r = x - k pi/2, |r| <= pi/4
 * A number that needs more than 53 bits is a sum of two. Source of the arrangement: fdlibm (Sun
 * Microsystems 1993); of products without rounding: T. J. Dekker, "A floating-point technique for
 * extending the available precision", Numerische Mathematik 18, 1971. */
#include "base/real.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

#define LN2_HIGH 0x1.62e42feep-1             /* 32 bits: times k exact */
#define LN2_LOW 0x1.a39ef35793c76p-33

typedef struct pair { double high, low; } pair;      /* a sum: low is what high leaves out */

static uint64_t bits_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double from_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* -1022 <= k <= 1023 */
static double power_of_2(int64_t k) { return from_bits((uint64_t)(k + 1023) << 52); }

static pair sum(double x, double y)          /* |x| >= |y| */
{
    const double s = x + y;
    return (pair){s, y - (s - x)};
}

/* 26 bits */
static double upper_half(double x) { return from_bits(bits_of(x) & ~(uint64_t)0x7ffffff); }

static pair product(double x, double y)
{
    const double p = x * y, xh = upper_half(x), yh = upper_half(y), xl = x - xh, yl = y - yh;
    return (pair){p, ((xh * yh - p) + xh * yl + xl * yh) + xl * yl};
}

/* c_0 + c_1 x + .. + c_{n-1} x^(n-1), n even; two chains that do not wait for each other. */
static inline double polynomial(double x, const double *c, int n)
{
    const double z = x * x;
    double even = c[n - 2], odd = c[n - 1];
    for (int i = n - 4; i >= 0; i -= 2) even = even * z + c[i], odd = odd * z + c[i + 1];
    return even + x * odd;
}
#define POLYNOMIAL(x, c) polynomial(x, c, sizeof(c) / sizeof *(c))

/* ---- exp ---- */

/* e^(r + low) - 1 for |r| <= ln 2 / 2: r + r^2 sum_{n >= 2} r^(n-2) / n!, and what `low` adds. */
static double expm1_near_0(double r, double low)
{
    static const double c[] = {1 / 2.0, 1 / 6.0, 1 / 24.0, 1 / 120.0, 1 / 720.0, 1 / 5040.0,
                               1 / 40320.0, 1 / 362880.0, 1 / 3628800.0, 1 / 39916800.0,
                               1 / 479001600.0, 1 / 6227020800.0, 1 / 87178291200.0,
                               1 / 1307674368000.0};
    return r + (r * r * POLYNOMIAL(r, c) + (low + r * low));
}

/* x = k ln 2 + r. */
static int64_t reduce(double x, double low, pair *r)
{
    const int64_t k = (int64_t)(x * 0x1.71547652b82fep0 + (x < 0 ? -0.5 : 0.5));
    const double high = x - (double)k * LN2_HIGH, rest = (double)k * LN2_LOW - low;
    r->high = high - rest;
    r->low = (high - r->high) - rest;
    return k;
}

static double exp_of_sum(double x, double low)
{
    pair r;
    if (!(x < 710)) return x > 0 ? INFINITY : x;       /* NaN passes */
    if (x < -746) return 0;
    const int64_t k = reduce(x, low, &r), half = k / 2;
    return (1 + expm1_near_0(r.high, r.low)) * power_of_2(half) * power_of_2(k - half);
}

double real_exp(double x) { return exp_of_sum(x, 0); }

double real_expm1(double x)
{
    pair r;
    if (x == 0) return x;
    if (!(x < 40)) return real_exp(x) - 1;
    if (x < -40) return -1;
    const double scale = power_of_2(reduce(x, 0, &r)), e = expm1_near_0(r.high, r.low);
    return scale * e + (scale - 1);
}

/* ---- log ---- */

/* x = 2^k (1 + f), x > 0 and finite. */
static int64_t split(double x, double *f)
{
    const int tiny = x < 0x1p-1022;
    const uint64_t bits = bits_of(tiny ? x * 0x1p54 : x), fraction = bits & 0xfffffffffffff;
    const int over = fraction > 0x6a09e667f3bcc;       /* sqrt(2) */
    *f = from_bits(fraction | (uint64_t)(1023 - over) << 52) - 1;
    return (int64_t)(bits >> 52) - 1023 + over - (tiny ? 54 : 0);
}

/* 2/3 + 2/5 z + 2/7 z^2 + ..: with z = s^2, 2 artanh s = 2 s + s z times this. */
static const double artanh_tail[] = {2 / 3.0,  2 / 5.0,  2 / 7.0,  2 / 9.0,  2 / 11.0, 2 / 13.0,
                                     2 / 15.0, 2 / 17.0, 2 / 19.0, 2 / 21.0, 2 / 23.0, 2 / 25.0};

/* log(2^k (1 + f)) + low */
static double log_near_1(double f, int64_t k, double low)
{
    const double s = f / (2 + f), z = s * s, half = 0.5 * f * f;
    const double bent = s * (half + z * POLYNOMIAL(z, artanh_tail));
    return (double)k * LN2_HIGH - ((half - (bent + ((double)k * LN2_LOW + low))) - f);
}

double real_log(double x)
{
    double f;
    if (!(x > 0)) return x == 0 ? -INFINITY : NAN;
    if (x == INFINITY) return x;
    const int64_t k = split(x, &f);
    return log_near_1(f, k, 0);
}

double real_log1p(double x)
{
    double f;
    if (x == 0) return x;
    if (-0.29 < x && x < 0.41) return log_near_1(x, 0, 0);
    if (!(x > -1)) return x == -1 ? -INFINITY : NAN;
    if (x == INFINITY) return x;
    const double u = 1 + x, lost = x > 1 ? 1 - (u - x) : x - (u - 1);
    const int64_t k = split(u, &f);
    return log_near_1(f, k, lost / u);
}

/* The same to 65 bits and more: 2 s + 2/3 s^3 as pairs, what follows is small. */
static pair log_pair(double x)
{
    double f;
    const int64_t k = split(x, &f);
    const pair d = sum(2, f), p = product(f / d.high, d.high);
    const double s = f / d.high, low = (((f - p.high) - p.low) - s * d.low) / d.high;
    const pair z = product(s, s), cube = product(s, z.high);
    const double third = 2 / 3.0, third_low = 0x1.5555555555555p-55;
    pair c = product(cube.high, third);
    c.low += cube.high * third_low + third * (cube.low + s * z.low + 3 * z.high * low);
    const pair a = sum(2 * s, c.high), b = sum((double)k * LN2_HIGH, a.high);
    const double tail = s * z.high * z.high * polynomial(z.high, artanh_tail + 1, 10);
    return sum(b.high, b.low + (tail + c.low + 2 * low + a.low + (double)k * LN2_LOW));
}

double real_pow(double x, double y)
{
    const pair log = log_pair(x), p = product(log.high, y);
    if (!(p.high > -746 && p.high < 710)) return exp_of_sum(p.high, 0);
    return exp_of_sum(p.high, p.low + log.low * y);
}

/* ---- sin, cos ---- */

/* Both of r + low, |r| <= pi/4. */
static double sin_near_0(double r, double low)
{
    static const double c[] = {-1 / 6.0, 1 / 120.0, -1 / 5040.0, 1 / 362880.0, -1 / 39916800.0,
                               1 / 6227020800.0, -1 / 1307674368000.0, 1 / 355687428096000.0};
    const double z = r * r;
    return r + (z * r * POLYNOMIAL(z, c) + low * (1 - 0.5 * z));
}

static double cos_near_0(double r, double low)
{
    static const double c[] = {1 / 24.0, -1 / 720.0, 1 / 40320.0, -1 / 3628800.0, 1 / 479001600.0,
                               -1 / 87178291200.0, 1 / 20922789888000.0, -1 / 6402373705728000.0};
    const double z = r * r, half = 0.5 * z, first = 1 - half;
    return first + (((1 - first) - half) + (z * z * POLYNOMIAL(z, c) - r * low));
}

/* sin(x + quarter pi/2); pi/2 in three pieces, of which n times the first two is exact. */
static double sin_of(double x, int64_t quarter)
{
    const int64_t k = (int64_t)(x * 0x1.45f306dc9c883p-1 + (x < 0 ? -0.5 : 0.5));
    const double n = (double)k, high = n * 0x1.921fb54p0, middle = n * 0x1.10b461p-30;
    const double last = n * 0x1.a62633145c06ep-58, a = x - high, b = a - middle, r = b - last;
    const double low = ((a - b) - middle) + ((b - r) - last);
    quarter = (quarter + k) & 3;
    const double s = quarter % 2 ? cos_near_0(r, low) : sin_near_0(r, low);
    return quarter < 2 ? s : -s;
}

double real_sin(double x) { return sin_of(x, 0); }
double real_cos(double x) { return sin_of(x, 1); }

/* ---- hypot ---- */

double real_hypot(double x, double y)
{
    x = x < 0 ? -x : x, y = y < 0 ? -y : y;
    const double large = larger(x, y), small = smaller(x, y);
    const double scale = large > 0x1p500 ? 0x1p-600 : large < 0x1p-400 ? 0x1p600 : 1;
    if (x == INFINITY || y == INFINITY) return INFINITY;
    if (isnan(x) || isnan(y)) return NAN;
    return sqrt(large * scale * (large * scale) + small * scale * (small * scale)) / scale;
}
