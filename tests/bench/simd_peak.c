/* Chains of multiply-add on registers alone: what an ISA level can do at most (baseline x86-64: multiplication and addition apart). */
#include "bench/peak.h"
#include "kern/simd.h"

/* Latency times throughput is 8 on today's cores (12 where it takes two instructions), and 16 registers hold no more. */
enum { CHAINS = 12 };

double NAME(peak)(int64_t iterations)
{
    vec x = splat((real)0.5), y = splat((real)0.25), chain[CHAINS];
    __asm__("" : "+m"(x), "+m"(y));                    /* values unknown to the compiler */
    for (int i = 0; i < CHAINS; i++) chain[i] = x * (real)i;
    for (int64_t n = 0; n < iterations; n++) {
#pragma GCC unroll 16
        for (int i = 0; i < CHAINS; i++) chain[i] = chain[i] * x + y;
    }
    vec sum = chain[0];
    for (int i = 1; i < CHAINS; i++) sum += chain[i];
    volatile real kept = sum_lanes(sum);
    (void)kept;
    return 2.0 * CHAINS * LANES * (double)iterations;
}
