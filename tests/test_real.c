/* Elementary functions against the long double ones of libm, in units of the last place. */
#include "base/real.h"
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

static uint64_t state = 88172645463325252u;

static double uniform(double low, double high)
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return low + (high - low) * (double)(state >> 11) * 0x1p-53;
}

/* Of either sign, with an evenly spread exponent. */
static double spread(int lowest, int highest)
{
    const double x = ldexp(uniform(1, 2), (int)floor(uniform(lowest, highest + 1)));
    return uniform(-1, 1) < 0 ? -x : x;
}

static double ulps(double got, long double want)
{
    if (isinf(got) && fabsl(want) > (long double)DBL_MAX) return 0;
    const int exponent = fabsl(want) < 0x1p-1022L ? -1022 : ilogbl(want);
    return (double)(fabsl((long double)got - want) / ldexpl(1, exponent - 52));
}

#define WORST 1.5
#define NEAR(got, want, x, y)                                                                      \
    do {                                                                                           \
        const double got_ = (got), off_ = ulps(got_, (want));                                      \
        ck_assert_msg(off_ <= WORST, #got ": %.3f units off: %a (%a, %a)", off_, got_, x, y);      \
    } while (0)

enum { TRIALS = 200000 };

START_TEST(functions_of_one_number)
{
    for (int i = 0; i < TRIALS; i++) {
        const double x = i % 2 ? uniform(-746, 710) : spread(-60, 9);
        NEAR(real_exp(x), expl(x), x, 0.0);
        NEAR(real_expm1(x), expm1l(x), x, 0.0);
        const double y = fabs(i % 4 == 0 ? spread(-1074, 1023)
                              : i % 4 == 1 ? 1 + spread(-52, -2) : uniform(0, 5));
        NEAR(real_log(y), logl(y), y, 0.0);
        const double z = i % 2 ? fmax(spread(-60, 2), -0x1.fffffffffffffp-1) : y;
        NEAR(real_log1p(z), log1pl(z), z, 0.0);
        const double angle = i % 2 ? uniform(-0x1p25, 0x1p25) : spread(-40, 8);
        NEAR(real_sin(angle), sinl(angle), angle, 0.0);
        NEAR(real_cos(angle), cosl(angle), angle, 0.0);
    }
}
END_TEST

START_TEST(functions_of_two_numbers)
{
    for (int i = 0; i < TRIALS; i++) {
        const double x = fabs(i % 3 ? spread(-3, 14) : spread(-1074, 1023));
        const double most = 745 / fmax(fabs(log(x)), 1e-3), y = uniform(-most, most);
        const double z = i / (double)TRIALS;
        NEAR(real_pow(x, y), powl(x, y), x, y);
        NEAR(real_pow(10000, z), powl(10000, z), 10000.0, z);
        const double a = spread(-1074, 1023), b = i % 2 ? a * uniform(0, 1) : spread(-1074, 1023);
        NEAR(real_hypot(a, b), hypotl(a, b), a, b);
    }
}
END_TEST

START_TEST(special_arguments)
{
    ck_assert(isnan(real_exp(NAN)) && isnan(real_expm1(NAN)) && isnan(real_log(NAN)));
    ck_assert(isnan(real_log1p(NAN)) && isnan(real_hypot(NAN, 1)) && isnan(real_hypot(1, NAN)));
    ck_assert(real_exp(0) == 1 && real_exp(-0.0) == 1 && real_exp(1e300) == INFINITY);
    ck_assert(real_exp(INFINITY) == INFINITY && real_exp(-INFINITY) == 0 && real_exp(-745.14) == 0);
    ck_assert(real_exp(709.782712893384) < INFINITY && real_exp(709.7827128933841) == INFINITY);
    ck_assert(real_exp(-745.1332191019411) > 0);
    ck_assert(real_expm1(INFINITY) == INFINITY && real_expm1(-INFINITY) == -1);
    ck_assert(signbit(real_expm1(-0.0)) && signbit(real_log1p(-0.0)));
    ck_assert(real_log(0) == -INFINITY && real_log(INFINITY) == INFINITY && real_log(1) == 0);
    ck_assert(isnan(real_log(-1)) && real_log(5e-324) < -744);
    ck_assert(real_log1p(-1) == -INFINITY && real_log1p(INFINITY) == INFINITY);
    ck_assert(isnan(real_log1p(-1.5)) && real_log1p(5e-324) == 5e-324);
    ck_assert(real_pow(1, 1e300) == 1 && real_pow(2, 10) == 1024);
    ck_assert(real_pow(2, -1074) == 0x1p-1074 && real_pow(0.5, 1e308) == 0);
    ck_assert(real_pow(10, 400) == INFINITY && real_pow(10, -400) == 0);
    ck_assert(real_pow(3, 0) == 1 && real_pow(10000, 0.5) == 100);
    ck_assert(real_sin(0) == 0 && real_cos(0) == 1);
    ck_assert(real_hypot(INFINITY, NAN) == INFINITY && real_hypot(3, -4) == 5);
    ck_assert(real_hypot(0, 0) == 0 && real_hypot(3e300, 4e300) == 5e300);
    ck_assert(larger(1, 2) == 2 && smaller(1, 2) == 1);
    ck_assert(isnan(larger(NAN, 1)) && isnan(smaller(NAN, 1)));
}
END_TEST

Suite *test_real_suite(void)
{
    Suite *suite = suite_create("real");
    TCase *tc = tcase_create("real");
    tcase_add_test(tc, functions_of_one_number);
    tcase_add_test(tc, functions_of_two_numbers);
    tcase_add_test(tc, special_arguments);
    tcase_set_timeout(tc, 60);
    suite_add_tcase(suite, tc);
    return suite;
}
