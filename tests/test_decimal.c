/* The number reader of the examples (examples/programs/decimal.c) against strtod of the C library: the same bits, and the same end of the number. */
#include "../examples/programs/decimal.c"
#include <check.h>
#include <math.h>
#include <stdio.h>

enum { DRAWS = 100000 };

static uint64_t state;

static uint64_t draw(void)             /* xorshift64* */
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return state * 2685821657736338717u;
}

static void as_strtod(const char *text)
{
    char *end;
    double x = NAN;
    const double expected = strtod(text, &end);
    const char *found = decimal_read(text, &x);
    ck_assert_msg(found == end && memcmp(&x, &expected, sizeof x) == 0, "%s: %a and %td characters, expected %a and %td", text, x, found - text, expected,
                  end - text);
}

START_TEST(shortest_and_longest_texts)
{
    static const char *const texts[] = {
        "0", "-0", "+1", "1.", "-.5", ".5e1", "1,2", "7 ", "1e5x", "1e22", "1e23", "-1E-22", "1e-27", "1e-28", "9007199254740993",
        "9007199254740992.5", "9007199254740991e22", "18446744073709551615", "9999999999999999999", "9999999999999999999e-27",
        "99999999999999999999", "123456789012345678901234567890", "0.0000000000000000000000000001234567890123456",
        "000000000000000000000000001.5", "0.000e5", "0e-25", "-0e-27", "0.000000000000000000000000", "0e999999", "1e400", "1e-400",
        "4.9e-324", "2.4703282292062327e-324", "1.7976931348623159e308", "1e99999999999999999999", "1e-99999999999999999999",
        "00.00000000000000000000000000000000000000000001e44"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) as_strtod(texts[i]);
}
END_TEST

START_TEST(what_is_no_number)
{
    static const char *const texts[] = {"", " 1", ".", "-", "e5", "1e", "1e+", "nan", "inf", "-inf", "+-1", "-e3", "x", "\n"};
    double x = 5;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) ck_assert_msg(decimal_read(texts[i], &x) == NULL, "'%s' was taken for a number", texts[i]);
    ck_assert(x == 5);
    ck_assert_str_eq(decimal_read("0x1p3", &x), "x1p3");
}
END_TEST

/* All bit patterns, in the formats that programs write. */
START_TEST(drawn_numbers)
{
    char text[512];
    state = 88172645463325252u;
    for (int i = 0; i < DRAWS; i++) {
        const uint64_t bits = draw();
        const double part = (double)(int64_t)bits * 0x1p-63;
        double any;
        memcpy(&any, &bits, sizeof any);
        if (isfinite(any)) {
            snprintf(text, sizeof text, "%.17g", any), as_strtod(text);
            snprintf(text, sizeof text, "%.15g", any), as_strtod(text);
        }
        snprintf(text, sizeof text, "%.*f", (int)(draw() % 18), 1000 * part), as_strtod(text);
        snprintf(text, sizeof text, "%.18e", part), as_strtod(text);
        snprintf(text, sizeof text, "%llue%d", (unsigned long long)(bits >> draw() % 64), (int)(draw() % 60) - 30), as_strtod(text);
    }
}
END_TEST

/* Numbers of 54 bits, which lie half-way between two doubles, and their neighbours in the last digit. */
START_TEST(half_way)
{
    char text[64];
    state = 1;
    for (int i = 0; i < DRAWS; i++) {
        const uint64_t odd = draw() >> 10 | 1 | (uint64_t)1 << 53;
        uint64_t five = 1;
        int n = 1 + (int)(draw() % 4);                 /* odd 2^-n is odd 5^n 10^-n */
        for (int k = 0; k < n; k++) five *= 5;
        if (odd > UINT64_MAX / five) continue;
        for (int k = -1; k <= 1; k++) snprintf(text, sizeof text, "%llue-%d", (unsigned long long)(odd * five) + (unsigned long long)k, n), as_strtod(text);
    }
}
END_TEST

Suite *test_decimal_suite(void);
Suite *test_decimal_suite(void)
{
    Suite *s = suite_create("decimal");
    TCase *t = tcase_create("decimal");
    tcase_add_test(t, shortest_and_longest_texts);
    tcase_add_test(t, what_is_no_number);
    tcase_add_test(t, drawn_numbers);
    tcase_add_test(t, half_way);
    suite_add_tcase(s, t);
    return s;
}
