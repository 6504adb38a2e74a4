/* How many configurations the random tests try: a few in `make check`, many in `make check-long`, which runs the suites tests/test_*_random.c. One configuration
 * is one iteration of a loop test, tcase_add_loop_test(t, f, 0, random_count(20, 2000)), so that none of them comes near the timeout, and a
 * failure names its number. */
#ifndef TESTS_RANDOM_COUNT_H
#define TESTS_RANDOM_COUNT_H

#include <stdint.h>
#include <stdlib.h>

static inline int random_count(int few, int many) { return getenv("CHECK_LONG") ? many : few; }

/* Of configuration i; `make check-long seed=7` tries others. */
static inline uint64_t random_seed(int i)
{
    const char *seed = getenv("CHECK_SEED");
    return (seed ? strtoull(seed, NULL, 10) : 0) * 1000003u + (uint64_t)i;
}

#endif
