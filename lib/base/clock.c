/* Time for what need not be exact: read in nanoseconds, late by some milliseconds. */
#include "base/pool.h"
#include <time.h>

int64_t coarse_time(void)
{
    struct timespec t = {0};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
