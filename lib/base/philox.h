/* One block of Philox4x32-10: four counter words and two key words in, four random words out.
 * Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011, section 4.
 *
 * Everywhere in the library the key is the 64-bit seed, low word first, and the counter is
 *     { block, stream, low word of the sequence, high word of the sequence }.
 * Position p of a sequence owns 64 bits: words 2 (p mod 2) (high) and 2 (p mod 2) + 1 (low) of
 * block p / 2. */
#ifndef BASE_PHILOX_H
#define BASE_PHILOX_H

#include <stdint.h>

#define PHILOX_M0 0xD2511F53u          /* multipliers */
#define PHILOX_M1 0xCD9E8D57u
#define PHILOX_W0 0x9E3779B9u          /* steps of the key */
#define PHILOX_W1 0xBB67AE85u
enum { PHILOX_ROUNDS = 10 };
#define PHILOX_POSITIONS ((int64_t)1 << 33)   /* of one sequence */

/* Streams of the library's own draws; a task's sequences use the small numbers of MESAOPT_STREAM_*.
 */
enum {
    DRAW_TEACHER = 0x6d650001,
    DRAW_WEIGHTS = 0x6d650002,
    DRAW_PROMPT = 0x6d650003,
    DRAW_ORDER = 0x6d650100 /* + round */
};

static inline void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3], k0 = key[0],
             k1 = key[1];
    for (int round = 0; round < PHILOX_ROUNDS; round++, k0 += PHILOX_W0, k1 += PHILOX_W1) {
        uint64_t p0 = (uint64_t)c0 * PHILOX_M0, p1 = (uint64_t)c2 * PHILOX_M1;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)p1;
        c3 = (uint32_t)p0;
    }
    out[0] = c0; out[1] = c1; out[2] = c2; out[3] = c3;
}

static inline void philox_block(uint64_t seed, uint32_t stream, uint64_t sequence, uint32_t block,
                                uint32_t out[4])
{
    philox((uint32_t[4]){block, stream, (uint32_t)sequence, (uint32_t)(sequence >> 32)},
           (uint32_t[2]){(uint32_t)seed, (uint32_t)(seed >> 32)}, out);
}

#endif
