/* Floor 0 without a context: blocks and arenas, number text, the floating-point environment. */
#include "base/alloc.h"
#include "base/number.h"
#include "base/pool.h"
#include "hook_alloc.h"

#include <check.h>
#include <errno.h>
#include <fenv.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- memory ---- */

START_TEST(blocks_are_aligned_and_zero)
{
    hook_alloc hook = {0};
    allocator a[] = {{hook_alloc_fn, &hook}, alloc_default()};
    for (int k = 0; k < 2; k++)
        for (int64_t n = 0; n < 300; n += 7) {
            char *block[4];
            for (int i = 0; i < 4; i++) {
                block[i] = alloc_new(&a[k], n, 3);
                ck_assert_ptr_nonnull(block[i]);
                ck_assert_uint_eq((uintptr_t)block[i] % 64, 0);
                for (int64_t j = 0; j < 3 * n; j++) ck_assert_int_eq(block[i][j], 0);
                memset(block[i], 0x55, (size_t)(3 * n));
            }
            for (int i = 0; i < 4; i++) alloc_free(&a[k], block[(i + 2) % 4]);
        }
    alloc_free(&a[0], NULL);
    ck_assert_int_eq(hook.blocks, 0);
    ck_assert_int_eq(hook.bytes, 0);                   /* every block went with the size it came with */
}
END_TEST

static void *refuse(void *ptr, int64_t old_size, int64_t new_size, void *user)
{
    (void)ptr, (void)old_size, (void)new_size, (void)user;
    errno = ENOMEM;
    return NULL;
}

START_TEST(sizes_that_overflow)
{
    hook_alloc hook = {0};
    allocator a = {hook_alloc_fn, &hook};
    const int64_t most = INT64_MAX;
    ck_assert_ptr_null(alloc_new(&a, most, 2));
    ck_assert_ptr_null(alloc_new(&a, most - 70, 1));
    ck_assert_ptr_null(alloc_new(&a, 1ll << 32, 1ll << 31));
    ck_assert_ptr_null(alloc_new(&a, -1, 8));
    ck_assert_ptr_null(alloc_new(&a, 8, -1));
    ck_assert_int_eq(hook.calls, 0);
    errno = EDOM;
    ck_assert_ptr_null(alloc_new(&(allocator){refuse, NULL}, 1, 8));
    ck_assert_int_eq(errno, EDOM);

    int64_t out = 5;
    ck_assert(!size_mul(most, 2, &out) && !size_mul(-1, 1, &out) && !size_mul(1, -1, &out) && !size_add(most, 1, &out) && !size_add(-1, 1, &out));
    ck_assert_int_eq(out, 5);
    ck_assert(size_mul(1ll << 31, 1ll << 31, &out) && out == 1ll << 62);
    ck_assert(size_add(most - 1, 1, &out) && out == most);
}
END_TEST

START_TEST(arena_plans_and_lays_out)
{
    char *base = alloc_new(&(allocator){alloc_default().fn, NULL}, 16384, 1);
    arena plan = {NULL, 0}, real = {base, 0};
    int64_t used = GAP_BYTES;
    for (int64_t n = 0; n < 40; n++) {
        ck_assert_ptr_null(arena_take(&plan, n, 5));
        char *p = arena_take(&real, n, 5);
        ck_assert_ptr_eq(p, base + used);
        used += (5 * n + 63) / 64 * 64 + GAP_BYTES;
        ck_assert_int_eq(plan.used, used);
        ck_assert_int_eq(real.used, used);
    }
    ck_assert_ptr_null(arena_take(&plan, INT64_MAX, 8));
    ck_assert_int_eq(plan.used, -1);
    ck_assert_ptr_null(arena_take(&plan, 1, 8));
    ck_assert_int_eq(plan.used, -1);
    arena close = {NULL, INT64_MAX - 63};
    arena_take(&close, 1, 64);
    ck_assert_int_eq(close.used, -1);
    alloc_free(&(allocator){alloc_default().fn, NULL}, base);
}
END_TEST

#ifdef ARENA_GAPS
#include <sanitizer/asan_interface.h>

/* Planned sizes are enough, whatever was laid out before; every byte of a piece can be used, and those around it not. */
START_TEST(gaps_around_pieces)
{
    const allocator a = alloc_default();
    static const int64_t sizes[] = {1, 7, 8, 63, 64, 65, 100, 0, 640};
    arena plan = {0};
    for (int i = 0; i < 9; i++) arena_take(&plan, sizes[i], 1);
    char *memory = alloc_new(&a, 1, plan.used);
    for (int turn = 0; turn < 200; turn++) {
        arena outer = {memory, 0}, counted = {0};
        char *piece = NULL;
        for (int i = 0; i < 9; i++) {
            const int64_t bytes = sizes[(i * (turn % 4 * 2 + 1) + turn) % 9];
            arena_take(&counted, bytes, 1);
            if (counted.used > plan.used) break;
            piece = arena_take(&outer, bytes, 1);
            memset(piece, i, (size_t)bytes);
            ck_assert(__asan_address_is_poisoned(piece - 1) && __asan_address_is_poisoned(piece + bytes));
            for (arena inner = {piece, 0}; inner.used + 200 < bytes;) memset(arena_take(&inner, 9, 1), 1, 9);
        }
    }
    ck_assert(__asan_address_is_poisoned(memory + plan.used));
    for (int64_t bytes = 640; bytes >= 0; bytes -= 67) {       /* its new gap lies on the line of the old pad */
        arena again = {memory, 0};
        memset(arena_take(&again, bytes, 1), 1, (size_t)bytes);
    }
    alloc_free(&a, memory);
}
END_TEST

/* Ends the process: an arena inside a piece takes more than the piece has, or than the block has. */
START_TEST(arenas_that_are_too_small)
{
    const allocator a = alloc_default();
    arena plan = {0}, one = {0};
    arena_take(&one, 100, 1);
    for (int i = 0; i < 2; i++) arena_take(&plan, 1, one.used);
    char *memory = alloc_new(&a, 1, plan.used);
    arena outer = {memory, 0};
    char *first = arena_take(&outer, 1, one.used), *second = arena_take(&outer, 1, one.used);
    arena inner = {_i ? second : first, 0};
    arena_take(&inner, 100, 1);
    arena_take(&inner, 1, 1);
}
END_TEST
#endif

/* ---- number text ---- */

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13, *state ^= *state >> 7, *state ^= *state << 17;
    return *state;
}

static double from_bits(uint64_t bits)
{
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void check_shortest(double x)
{
    number n = number_text(x);
    double back = 0;
    ck_assert_msg(number_read(n.text, &back) && !memcmp(&back, &x, sizeof x), "%a became %s", x, n.text);
    ck_assert_msg(strtod(n.text, NULL) == x, "%a became %s, which strtod reads otherwise", x, n.text);
    int digits = 0, zeros = 0, started = 0;            /* significant digits: from the first to the last that is not 0 */
    for (const char *p = n.text; *p && *p != 'e'; p++) {
        if (*p < '0' || *p > '9') continue;
        started |= *p != '0';
        if (!started) continue;
        zeros = *p == '0' ? zeros + 1 : 0;
        digits++;
    }
    digits -= zeros;
    char fewer[64];
    if (digits > 1) {
        snprintf(fewer, sizeof fewer, "%.*e", digits - 2, x);
        ck_assert_msg(strtod(fewer, NULL) != x, "%s, but %s does", n.text, fewer);
    }
}

START_TEST(numbers_round_trip)
{
    static const double some[] = {0.1, 1.0 / 3, 1e23, 9007199254740993.0, DBL_MAX, DBL_MIN, 5e-324, 1e-5, 123456789012345680.0, 0.00012345, 2e-4, 4503599627370496.5};
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) check_shortest(some[i]), check_shortest(-some[i]);
    uint64_t state = 0x9e3779b97f4a7c15u;
    for (int i = 0; i < 5000; i++) {
        double x = from_bits(next(&state));
        if (isfinite(x)) check_shortest(x);
        check_shortest((double)(float)(next(&state) >> 40) / 1024);
    }
}
END_TEST

START_TEST(numbers_look_as_expected)
{
    static const struct { double x; const char *text; } rows[] = {
        {0, "0"}, {-0.0, "-0"}, {1, "1"}, {-2.5, "-2.5"}, {100, "100"}, {1e15, "1000000000000000"}, {9007199254740992.0, "9007199254740992"},
        {1e16, "1e16"}, {1e22, "1e22"}, {0.1, "0.1"}, {0.0003, "0.0003"}, {2e-4, "0.0002"}, {1e-5, "1e-5"}, {1.25e-30, "1.25e-30"},
        {DBL_MAX, "1.7976931348623157e308"}, {5e-324, "5e-324"}, {-DBL_MIN, "-2.2250738585072014e-308"}, {INFINITY, "inf"}, {-INFINITY, "-inf"}, {NAN, "nan"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) ck_assert_str_eq(number_text(rows[i].x).text, rows[i].text);
}
END_TEST

START_TEST(numbers_read_as_strtod_does)
{
    static const char *const good[] = {"1", "+1", "-1.5", ".5", "5.", "1e3", "1E+03", "1e-3", "00012", "0.0000", "-0", "0e9999999999", "1e-9999999999", "3.4e38",
        "2.2250738585072011e-308", "179769313486231580793728971405301e276", "9007199254740993", "9007199254740992.99999999999999999999999999"};
    static const char *const bad[] = {"", "+", "-", ".", "e5", "1e", "1e+", "1.2.3", "1,5", " 1", "1 ", "0x10", "1f", "nan", "1e999", "-1e309", "--1", "1e5.0", "infi", "12_3"};
    double x;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_msg(number_read(good[i], &x), "%s", good[i]);
        double expected = strtod(good[i], NULL);
        ck_assert_msg(!memcmp(&x, &expected, sizeof x), "%s read as %.17g", good[i], x);
    }
    x = 7;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) ck_assert_msg(!number_read(bad[i], &x) && x == 7, "%s", bad[i]);
    ck_assert(number_read("inf", &x) && x == INFINITY && number_read("-infinity", &x) && x == -INFINITY && number_read("+inf", &x) && x == INFINITY);
    errno = EDOM;
    ck_assert(number_read("1e-400", &x) && x == 0 && errno == EDOM);
}
END_TEST

/* Halfway between 1 and the next double, with a digit that decides only far behind: 1 + 2^-53 has 53 digits. */
START_TEST(numbers_of_many_digits)
{
    char text[4000] = "1.00000000000000011102230246251565404236316680908203125";
    double x;
    ck_assert(number_read(text, &x) && x == 1);
    size_t n = strlen(text);
    memset(text + n, '0', 3000);
    strcpy(text + n + 3000, "1");
    ck_assert(number_read(text, &x) && x == 1 + DBL_EPSILON);
    strcpy(text, "0.");
    memset(text + 2, '0', 3000);
    strcpy(text + 3002, "12345e3003");
    ck_assert(number_read(text, &x) && x == 123.45);
}
END_TEST

START_TEST(integers)
{
    int64_t i = 5;
    static const char *const bad[] = {"", "-", "1.0", "1e3", " 1", "1 ", "9223372036854775808", "-9223372036854775809", "99999999999999999999999", "x"};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) ck_assert_msg(!number_read_int(bad[k], &i) && i == 5, "%s", bad[k]);
    ck_assert(number_read_int("-9223372036854775808", &i) && i == INT64_MIN);
    ck_assert(number_read_int("9223372036854775807", &i) && i == INT64_MAX);
    ck_assert(number_read_int("+0012", &i) && i == 12);
}
END_TEST

/* Any separator that a locale may put between the digits, of any number of bytes. */
START_TEST(digits_of_any_locale)
{
    static const char *const texts[] = {"1.25e-03", "1,25e-03", ("1\xd9\xab" "25e-03"), "1'25e-3"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char digits[32];
        int e = 0;
        number_digits(texts[i], digits, &e);
        ck_assert_str_eq(digits, "125");
        ck_assert_int_eq(e, -3);
    }
}
END_TEST

/* A locale with a decimal comma: one that is installed, or one made for this test where the sources of locales are. */
static int comma_locale(char *folder)
{
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "nl_NL.UTF-8", "de_DE"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (setlocale(LC_ALL, names[i])) return 1;
    char command[200];
    if (!mkdtemp(folder)) return 0;
    snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 --no-archive %s/de_DE.UTF-8 >/dev/null 2>&1", folder);
    return system(command) >= 0 && setenv("LOCPATH", folder, 1) == 0 && setlocale(LC_ALL, "de_DE.UTF-8");
}

START_TEST(comma_is_no_point)
{
    char folder[] = "/tmp/mesaopt_locale_XXXXXX", command[100], text[16];
    double x = 0;
    if (comma_locale(folder)) {
        snprintf(text, sizeof text, "%.1f", 0.5);
        ck_assert_str_eq(text, "0,5");                 /* the host prints commas, */
        ck_assert_str_eq(number_text(0.5).text, "0.5");/* the library does not */
        ck_assert_str_eq(number_text(1.25e-30).text, "1.25e-30");
        ck_assert(number_read("0.5", &x) && x == 0.5 && number_read("12.5e-1", &x) && x == 1.25);
        ck_assert(!number_read("0,5", &x));
    }
    setlocale(LC_ALL, "C");
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (!strstr(folder, "XXXXXX")) ck_assert_int_eq(system(command), 0);
}
END_TEST

/* ---- floating-point environment ---- */

START_TEST(default_environment_and_back)
{
    volatile double tiny = DBL_MIN, one = 1, three = 3;
    volatile double third = one / three;
    fesetround(FE_UPWARD);
#if defined(__x86_64__)
    __builtin_ia32_ldmxcsr(__builtin_ia32_stmxcsr() | 0x8040);         /* flush to zero, subnormals are zeros */
#endif
    fenv_t before, after;
    fegetenv(&before);
    fesetenv(&before);                                 /* fegetenv masks the x87 exceptions on some machines */
    uint64_t fp = fp_default();
    volatile double subnormal = tiny / three, nearest = one / three;   /* volatile: computed here, not when they are compared */
    fp_restore(fp);
    fegetenv(&after);
    volatile double up = one / three;
#if defined(__x86_64__)
    ck_assert(tiny / three == 0);
#endif
    ck_assert_int_eq(fegetround(), FE_UPWARD);
    fesetenv(FE_DFL_ENV);
    ck_assert_mem_eq(&before, &after, sizeof before);
    ck_assert(subnormal > 0 && nearest == third && up > third);
}
END_TEST

/* Text and values do not depend on the rounding mode of the host, and no flag of its is raised. */
START_TEST(numbers_in_a_strange_environment)
{
    double x = 0;
    feclearexcept(FE_ALL_EXCEPT);
    fesetround(FE_DOWNWARD);
    int read = number_read("0.1", &x);
    number n = number_text(0.3);
    int mode = fegetround(), flags = fetestexcept(FE_ALL_EXCEPT);
    fesetround(FE_TONEAREST);
    ck_assert(read && x == 0.1);
    ck_assert_str_eq(n.text, "0.3");
    ck_assert_int_eq(mode, FE_DOWNWARD);
    ck_assert_int_eq(flags, 0);
}
END_TEST

Suite *test_base_suite(void)
{
    Suite *s = suite_create("base");
    TCase *memory = tcase_create("memory"), *numbers = tcase_create("numbers"), *fp = tcase_create("fp"), *comma = tcase_create("comma");
    tcase_add_test(memory, blocks_are_aligned_and_zero);
    tcase_add_test(memory, sizes_that_overflow);
    tcase_add_test(memory, arena_plans_and_lays_out);
#ifdef ARENA_GAPS
    tcase_add_test(memory, gaps_around_pieces);
    tcase_add_loop_exit_test(memory, arenas_that_are_too_small, 1, 0, 2);      /* as AddressSanitizer exits */
#endif
    tcase_add_test(numbers, numbers_round_trip);
    tcase_add_test(numbers, numbers_look_as_expected);
    tcase_add_test(numbers, numbers_read_as_strtod_does);
    tcase_add_test(numbers, numbers_of_many_digits);
    tcase_add_test(numbers, integers);
    tcase_add_test(numbers, digits_of_any_locale);
    tcase_add_test(comma, comma_is_no_point);
    tcase_set_timeout(comma, 60);                      /* it may have to build a locale */
    tcase_add_test(fp, default_environment_and_back);
    tcase_add_test(fp, numbers_in_a_strange_environment);
    suite_add_tcase(s, memory);
    suite_add_tcase(s, numbers);
    suite_add_tcase(s, comma);
    suite_add_tcase(s, fp);
    return s;
}
