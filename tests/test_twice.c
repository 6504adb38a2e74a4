/* States without end: every step of the kernels of simd_twice.c against the same in long double. */
#include "kern/kern.h"
#include "contexts.h"
#include <math.h>

enum { MOST_ROWS = 5, MOST_COLS = 21, LANES_AT_MOST = 16, STEPS = 40, STATE_BYTES = 8 * MOST_ROWS * MOST_COLS * LANES_AT_MOST };

static uint64_t seed;
static double uniform(void) { return (double)((seed = seed * 6364136223846793005u + 1442695040888963407u) >> 11) * 0x1p-53; }
static double number(double scale) { return scale * (uniform() < .1 ? 0 : 4 * uniform() - 2) * exp2(floor(8 * uniform())); }

typedef struct vectors { _Alignas(64) char x[8 * MOST_ROWS * LANES_AT_MOST], y[16 * MOST_COLS * LANES_AT_MOST], a[128], low[128], b[128]; } vectors;

static void set(const kern *k, void *p, int64_t n, double scale)
{
    for (int64_t i = 0; i < n; i++) kern_set_real(k, p, i, number(scale));
}

/* n gates, high and low. */
static void set_gates(const kern *k, int64_t n, void *high, void *low)
{
    for (int64_t i = 0; i < n * k->lanes; i++) {
        const double gate = 1 - uniform() / (double)n;
        kern_set_real(k, high, i, gate), kern_set_real(k, low, i, ldexp(gate * (uniform() - .5), k->size == 4 ? -24 : -53));
    }
}

/* A step in a state of m x n; what it should be, and how far off it may be. */
static void check_step(const kern *k, int gated, int weighted, int64_t m, int64_t n, int64_t y_step, vectors *v, const void *from, void *to)
{
    const int64_t lanes = k->lanes, count = m * n * lanes;
    /* a handful of roundings of numbers that are themselves 2^-24 of the sum */
    const long double unit = k->size == 4 ? 0x1p-45L : 0x1p-51L, least = k->size == 4 ? 0x1p-146L : 0;
    const int two = k->size == 4;
    const void *a = gated ? v->a : NULL, *low = gated && two ? v->low : NULL, *b = weighted ? v->b : NULL;
    static _Alignas(64) char own[STATE_BYTES];
    memcpy(own, from, STATE_BYTES);
    k->rank_one_twice(m, n, a, low, b, from, v->x, 1, v->y, y_step, to);
    k->rank_one_twice(m, n, a, low, b, own, v->x, 1, v->y, y_step, own);
    ck_assert_mem_eq(own, to, (size_t)(count * k->size * (1 + two)));
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++)
            for (int64_t l = 0; l < lanes; l++) {
                const int64_t e = (i * n + j) * lanes + l;
                long double gate = gated ? kern_real(k, v->a, l) : 1, before = kern_real(k, from, e);
                if (gated && two) gate += kern_real(k, v->low, l);
                if (two) before += kern_real(k, from, count + e);
                const long double weight = weighted ? kern_real(k, v->b, l) : 1;
                const long double row = weight * kern_real(k, v->x, i * lanes + l);
                const long double added = row * kern_real(k, v->y, j * y_step * lanes + l);
                long double after = kern_real(k, to, e);
                if (two) after += kern_real(k, to, count + e);
                const long double bound = unit * (fabsl(gate * before) + fabsl(added)) + least;
                ck_assert_msg(fabsl(after - (gate * before + added)) <= bound, "%d lanes, %d bytes, rows %d of %d: %Lg, expected %Lg: off by %Lg of %Lg", k->lanes, (int)k->size, (int)m, (int)n, after, gate * before + added, fabsl(after - (gate * before + added)), bound);
                if (two) ck_assert(fabs(kern_real(k, to, count + e)) <= ldexp(fabs(kern_real(k, to, e)), -23) + 0x1p-149);
            }
}

static void check_states(const kern *k, double scale)
{
    static _Alignas(64) char state[2][STATE_BYTES];
    static vectors v;
    for (int64_t m = 1; m <= MOST_ROWS; m += 2)
        for (int64_t n = 1; n <= MOST_COLS; n += 5)
            for (int kind = 0; kind < 8; kind++) {
                const int gated = kind & 1, weighted = kind >> 1 & 1;
                const int64_t y_step = 1 + (kind >> 2);
                memset(state, 0, sizeof state);
                for (int t = 0; t < STEPS; t++) {
                    set(k, v.x, m * k->lanes, scale), set(k, v.y, n * y_step * k->lanes, scale);
                    for (int64_t l = 0; l < k->lanes; l++) {
                        kern_set_real(k, v.a, l, uniform()), kern_set_real(k, v.low, l, 0x1p-25 * kern_real(k, v.a, l) * uniform());
                        kern_set_real(k, v.b, l, uniform());
                    }
                    check_step(k, gated, weighted, m, n, y_step, &v, state[t & 1], state[!(t & 1)]);
                }
            }
}

/* Products of gates are those of long double, rounded; the last one has what is behind it. */
static void check_gates(const kern *k, char whole[2][128])
{
    enum { C = 21 };
    static _Alignas(64) char gates[2][8 * C * LANES_AT_MOST], D[8 * (C + 1) * (C + 1) * LANES_AT_MOST];
    const int64_t lanes = k->lanes;
    set_gates(k, C, gates[0], gates[1]);
    memset(D, 0xff, sizeof D);
    k->decay(C, gates[0], gates[1], 1, D, C + 1);
    for (int64_t l = 0; l < lanes; l++)
        for (int64_t j = 0; j <= C; j++) {
            long double product = 1;
            for (int64_t i = j > 0 ? j - 1 : 0; i < C; i++) {
                if (j == 0 || i >= j) product *= (long double)kern_real(k, gates[0], i * lanes + l) + kern_real(k, gates[1], i * lanes + l);
                ck_assert(fabsl(kern_real(k, D, (i * (C + 1) + j) * lanes + l) - product) <= (k->size == 4 ? 0x1.01p-24L : 0x1.01p-53L) * product);
            }
        }
    memcpy(whole[0], kern_at(k, D, (C - 1) * (C + 1)), (size_t)(lanes * k->size)), memcpy(whole[1], kern_at(k, D, C * (C + 1)), (size_t)(lanes * k->size));
    for (int64_t l = 0; l < lanes; l++) {
        long double product = 1;
        for (int i = 0; i < C; i++) product *= (long double)kern_real(k, gates[0], i * lanes + l) + kern_real(k, gates[1], i * lanes + l);
        ck_assert(fabsl((long double)kern_real(k, whole[0], l) + kern_real(k, whole[1], l) - product) <= C * (k->size == 4 ? 0x1p-46L : 0x1p-62L) * product);
    }
}

/* Sums of matrices, of which f64 has what is behind the numbers as well. */
static void check_sums(const kern *k)
{
    enum { N = 37 };
    static _Alignas(64) char from[2][8 * N * LANES_AT_MOST], to[2][8 * N * LANES_AT_MOST], added[8 * N * LANES_AT_MOST], whole[2][128];
    const int64_t lanes = k->lanes;
    const long double unit = k->size == 4 ? 0x1p-45L : 0x1p-61L;       /* of long double: 2^-64 */
    for (int kind = 0; kind < 8; kind++) {
        const int gated = kind & 1, behind = kind >> 1 & 1, own = kind >> 2;
        set(k, from[0], N * lanes, 1), set(k, added, N * lanes, 1);
        for (int64_t e = 0; e < N * lanes; e++) kern_set_real(k, from[1], e, ldexp(kern_real(k, from[0], e) * uniform(), k->size == 4 ? -25 : -54));
        check_gates(k, whole);
        if (own) memcpy(to, from, sizeof to);
        k->carry(N, gated ? whole[0] : NULL, gated ? whole[1] : NULL, added, own ? to[0] : from[0], behind ? own ? to[1] : from[1] : NULL, to[0], to[1]);
        for (int64_t e = 0; e < N * lanes; e++) {
            const long double gate = gated ? (long double)kern_real(k, whole[0], e % lanes) + kern_real(k, whole[1], e % lanes) : 1,
                              before = (long double)kern_real(k, from[0], e) + (behind ? kern_real(k, from[1], e) : 0), sum = gate * before + kern_real(k, added, e);
            ck_assert(fabsl((long double)kern_real(k, to[0], e) + kern_real(k, to[1], e) - sum) <= unit * (fabsl(gate * before) + fabs(kern_real(k, added, e))));
        }
    }
}

START_TEST(every_step_is_exact_to_twice_the_digits)
{
    for (int32_t isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
        mesaopt_ctx *ctx = context_at(isa, 1);
        if (!ctx) continue;
        seed = 1;
        for (int d = 0; d < 2; d++)
            for (int one = 0; one < 2; one++) {
                check_sums(kern_get(ctx, d ? MESAOPT_F64 : MESAOPT_F32, one));
                for (int scale = -1; scale <= 1; scale++) check_states(kern_get(ctx, d ? MESAOPT_F64 : MESAOPT_F32, one), pow(1e9, scale));
            }
        mesaopt_ctx_free(ctx);
    }
}
END_TEST

Suite *test_twice_suite(void)
{
    Suite *s = suite_create("twice");
    TCase *c = tcase_create("twice");
    tcase_add_test(c, every_step_is_exact_to_twice_the_digits);
    suite_add_tcase(s, c);
    return s;
}
