/* Learning rates against optax; powers against repeated multiplication. */
#include "oracle/golden_schedule.h"
#include "train/schedule.h"

#include <check.h>
#include <math.h>

START_TEST(agrees_with_optax)
{
    for (size_t i = 0; i < sizeof golden_schedule / sizeof *golden_schedule; i++) {
        schedule s = {golden_schedule[i].peak, golden_schedule[i].end, golden_schedule[i].warmup, golden_schedule[i].cosine_steps};
        double rate = schedule_rate(&s, golden_schedule[i].step);
        ck_assert_msg(fabs(rate - golden_schedule[i].rate) <= 1e-15 * s.peak, "row %d: %.17g, expected %.17g", (int)i, rate,
                      golden_schedule[i].rate);
    }
}
END_TEST

START_TEST(ends_exactly)
{
    schedule fixed = {1e-4, 1e-5, 1000, 0}, s = {3e-4, 1e-5, 1000, 20000};
    for (int64_t step = 0; step < 100000; step += 777) ck_assert(schedule_rate(&fixed, step) == 1e-4);
    ck_assert(schedule_rate(&s, 0) == 0 && schedule_rate(&s, 1000) == 3e-4 && schedule_rate(&s, 20000) == 1e-5);
    for (int64_t step = 1000; step < 20000; step++) ck_assert(schedule_rate(&s, step + 1) <= schedule_rate(&s, step));
}
END_TEST

START_TEST(powers)
{
    ck_assert(power(0.9, 0) == 1 && power(0.9, 1) == 0.9 && power(0.5, 10) == 1.0 / 1024 && power(0, 3) == 0);
    double product = 1;
    for (int n = 1; n <= 5000; n++) {
        product *= 0.999;
        ck_assert(fabs(power(0.999, n) - product) <= 1e-12 * product);
    }
    ck_assert(power(0.999, INT64_C(1) << 60) == 0);
}
END_TEST

Suite *test_schedule_suite(void)
{
    Suite *s = suite_create("schedule");
    TCase *c = tcase_create("schedule");
    tcase_add_test(c, agrees_with_optax);
    tcase_add_test(c, ends_exactly);
    tcase_add_test(c, powers);
    suite_add_tcase(s, c);
    return s;
}
