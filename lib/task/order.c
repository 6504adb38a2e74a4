/* A fresh random order of 0 .. count-1 every pass, without storing it.
 *
 * Row of index i = p count + r: a keyed bijection of 0 .. count-1, new for every pass p, applied to
 * r. Elements are pairs (left, right) of an a x b grid, a = ceil(sqrt(count)), b = ceil(count / a);
 * each round adds to one coordinate a Philox word of the other one, modulo its extent (a Feistel
 * network on mixed radices: Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA
 * 2002). The grid has fewer than a elements too many: a result beyond count goes through the rounds
 * again (cycle walking).
 *
 * Such a network cannot make all orders of few rows, and not equally often those it makes. Fewer
 * than SHUFFLED rows are shuffled instead (Durstenfeld, "Algorithm 235: Random permutation", CACM
 * 7, 1964): all orders are equally likely, but for 2^-59. */
#include "base/philox.h"
#include "task/sequences.h"

enum { ROUNDS = 8, SHUFFLED = 32 };

static uint64_t root_up(uint64_t x)
{
    uint64_t low = 0, high = (uint64_t)1 << 32;                  /* low^2 < x <= high^2 */
    while (high - low > 1) {
        uint64_t middle = low + (high - low) / 2;
        if (middle * middle < x) low = middle;
        else high = middle;
    }
    return high;
}

static int64_t shuffled_row(uint64_t seed, uint32_t n, uint64_t pass, int64_t i)
{
    uint8_t row[SHUFFLED];
    for (uint32_t j = 0; j < n; j++) row[j] = (uint8_t)j;
    for (uint32_t j = n - 1; j > 0; j--) {
        uint32_t w[4];
        philox_block(seed, DRAW_ORDER + ROUNDS, pass, j, w);
        const uint64_t other = ((uint64_t)w[0] << 32 | w[1]) % (j + 1);
        const uint8_t kept = row[j];
        row[j] = row[other], row[other] = kept;
    }
    return row[i];
}

int64_t order_row(uint64_t seed, int64_t count, int64_t index)
{
    uint64_t n = (uint64_t)count, pass = (uint64_t)index / n, x = (uint64_t)index % n;
    if (n < SHUFFLED) return shuffled_row(seed, (uint32_t)n, pass, (int64_t)x);
    uint64_t a = root_up(n), b = (n + a - 1) / a;
    do {
        uint64_t left = x % a, right = x / a;
        for (uint32_t round = 0; round < ROUNDS; round += 2) {
            uint32_t w[4];
            philox_block(seed, DRAW_ORDER + round, pass, (uint32_t)right, w);
            left = (left + ((uint64_t)w[0] << 32 | w[1]) % a) % a;
            philox_block(seed, DRAW_ORDER + round + 1, pass, (uint32_t)left, w);
            right = (right + ((uint64_t)w[0] << 32 | w[1]) % b) % b;
        }
        x = right * a + left;
    } while (x >= n);
    return (int64_t)x;
}
