/* Causal softmax over rows of scores, and its backward pass. Row m has N = first + m + 1 columns:
 *
 *   e = max S, with s < 0 min S;   P[m,n] = exp(s (S[m,n] - e));   z = sum_n P[m,n]
 *   O = P V / z;   with g = dO / z:   dV = P^T g   dS = s P o (g V^T - g . O)
 *
 * The difference comes before the product: the largest exponent is 0 whatever the size of the
 * scores. P is not divided by its sum z: the few numbers of O and dO are. Forward P comes smaller
 * by a power of two >= N, so that no sum P V is larger than the largest value.
 *
 * Panels reduce along a row register by register, every lane for itself; a single sequence (`_one`)
 * packs columns into the register, and sums its lanes at the end. Exponentials go four by four, for
 * one is a chain of a dozen operations. */
#include "kern/simd_exp.h"
#include "kern/simd_kernels.h"

enum { AT_ONCE = 4 };

/* e of scores between low and high; NaN where their distance is not finite, and where `wrecked` is
 * NaN and not 0. */
#define EDGE(down, low, high, wrecked) \
    (((down) ? (low) : (high)) + 0 * ((high) - (low)) + (wrecked))

/* The power of two that goes with N columns, as exponent. */
static inline int64_t spread(int64_t N)
{
    return N <= 1 ? 0 : 64 - __builtin_clzll((uint64_t)N - 1);
}

INLINE int64_t shorter(int64_t a, int64_t b) { return a < b ? a : b; }

void NAME(softmax)(int64_t M, int64_t first, double scale, void *S, int64_t rs, void *edges,
                   void *inverses)
{
    const vec s = splat((real)(scale * LOG2_OF_E));
    for (int64_t m = 0; m < M; m++) {
        vec *row = (vec *)S + m * rs;
        const int64_t n = first + m + 1;
        vec low = row[0], high = row[0], wrecked = {0}, sum = {0};
        for (int64_t j = 0; j < n; j++) {
            low = min_vec(row[j], low), high = max_vec(row[j], high);
            wrecked += 0 * row[j];
        }
        const vec edge = EDGE(scale < 0, low, high, wrecked), round = exp2_round(spread(n));
        int64_t j = 0;
        for (; j + AT_ONCE <= n; j += AT_ONCE) {
            vec x[AT_ONCE];
#pragma GCC unroll 8
            for (int i = 0; i < AT_ONCE; i++) x[i] = row[j + i] - edge;
            exp2_vecs(AT_ONCE, s, round, x);
#pragma GCC unroll 8
            for (int i = 0; i < AT_ONCE; i++) sum += row[j + i] = x[i];
        }
        for (; j < n; j++) {
            vec x = row[j] - edge;
            exp2_vecs(1, s, round, &x);
            sum += row[j] = x;
        }
        ((vec *)edges)[m] = edge, ((vec *)inverses)[m] = 1 / sum;
    }
}

void NAME(softmax_rows)(int64_t M, int64_t first, int64_t n, const void *inverses, const void *O,
                        int64_t o_rs, void *dO, int64_t do_rs, void *dots)
{
    for (int64_t m = 0; m < M; m++) {
        const vec *o = (const vec *)O + m * o_rs;
        const vec f = ((const vec *)inverses)[m] * exp2_whole(-spread(first + m + 1));
        vec *d = (vec *)dO + m * do_rs, dot = {0};
        for (int64_t j = 0; j < n; j++) d[j] *= f, dot += d[j] * o[j];
        ((vec *)dots)[m] = dot;
    }
}

void NAME(softmax_back)(int64_t M, int64_t N, int64_t first, double scale, const void *edges,
                        const void *dots, void *S, void *dP, int64_t rs)
{
    const vec s = splat((real)(scale * LOG2_OF_E)), factor = splat((real)scale),
              round = exp2_round(0);
    for (int64_t m = 0; m < M; m++) {
        vec *row = (vec *)S + m * rs, *d = (vec *)dP + m * rs;
        const vec edge = ((const vec *)edges)[m], dot = ((const vec *)dots)[m];
        const int64_t n = shorter(N, first + m + 1);
        int64_t j = 0;
        for (; j + AT_ONCE <= n; j += AT_ONCE) {
            vec x[AT_ONCE];
#pragma GCC unroll 8
            for (int i = 0; i < AT_ONCE; i++) x[i] = row[j + i] - edge;
            exp2_vecs(AT_ONCE, s, round, x);
#pragma GCC unroll 8
            for (int i = 0; i < AT_ONCE; i++) {
                row[j + i] = x[i];
                d[j + i] = factor * x[i] * (d[j + i] - dot);
            }
        }
        for (; j < n; j++) {
            vec x = row[j] - edge;
            exp2_vecs(1, s, round, &x);
            row[j] = x;
            d[j] = factor * x * (d[j] - dot);
        }
    }
}

/* e of a row of n scores. */
static real edge_one(int64_t n, int down, const real *row)
{
    vec lows = splat(row[0]), highs = lows, wrecks = {0};
    for (int64_t j = 0; j < n; j += LANES) {
        const vec x = get_filled(row + j, n - j, row[0]);
        lows = min_vec(x, lows), highs = max_vec(x, highs);
        wrecks += 0 * x;
    }
    real low = lows[0], high = highs[0];
    for (int l = 1; l < LANES; l++)
        low = lows[l] < low ? lows[l] : low, high = highs[l] > high ? highs[l] : high;
    return EDGE(down, low, high, sum_lanes(wrecks));
}

void NAME(softmax_one)(int64_t M, int64_t first, double scale, void *S, int64_t rs, void *edges,
                       void *inverses)
{
    enum { STEP = AT_ONCE * LANES };
    const vec s = splat((real)(scale * LOG2_OF_E));
    for (int64_t m = 0; m < M; m++) {
        real *row = (real *)S + m * rs;
        const int64_t n = first + m + 1;
        const real e = edge_one(n, scale < 0, row);
        const vec edge = splat(e), round = exp2_round(spread(n));
        vec sum = {0};
        int64_t j = 0;
        for (; j + STEP <= n; j += STEP) {
            vec x[AT_ONCE];
#pragma GCC unroll 8
            for (int i = 0; i < AT_ONCE; i++) x[i] = load_u(row + j + i * LANES) - edge;
            exp2_vecs(AT_ONCE, s, round, x);
#pragma GCC unroll 8
            for (int i = 0; i < AT_ONCE; i++) store_u(row + j + i * LANES, x[i]), sum += x[i];
        }
        for (; j < n; j += LANES) {
            vec x = get_filled(row + j, n - j, e) - edge;
            exp2_vecs(1, s, round, &x);
            put(row + j, x, n - j);
            sum += get(row + j, n - j);
        }
        ((real *)edges)[m] = e, ((real *)inverses)[m] = 1 / sum_lanes(sum);
    }
}

void NAME(softmax_rows_one)(int64_t M, int64_t first, int64_t n, const void *inverses,
                            const void *O, int64_t o_rs, void *dO, int64_t do_rs, void *dots)
{
    for (int64_t m = 0; m < M; m++) {
        const real *o = (const real *)O + m * o_rs;
        real *d = (real *)dO + m * do_rs;
        const vec f = splat(((const real *)inverses)[m]) * exp2_whole(-spread(first + m + 1));
        vec dot = {0};
        for (int64_t j = 0; j < n; j += LANES) {
            const vec g = f * get(d + j, n - j);
            put(d + j, g, n - j);
            dot += get(d + j, n - j) * get(o + j, n - j);
        }
        ((real *)dots)[m] = sum_lanes(dot);
    }
}

void NAME(softmax_back_one)(int64_t M, int64_t N, int64_t first, double scale, const void *edges,
                            const void *dots, void *S, void *dP, int64_t rs)
{
    enum { STEP = AT_ONCE * LANES };
    const vec s = splat((real)(scale * LOG2_OF_E)), factor = splat((real)scale),
              round = exp2_round(0);
    for (int64_t m = 0; m < M; m++) {
        real *row = (real *)S + m * rs, *d = (real *)dP + m * rs;
        const vec edge = splat(((const real *)edges)[m]), dot = splat(((const real *)dots)[m]);
        const int64_t n = shorter(N, first + m + 1);
        int64_t j = 0;
        for (; j + STEP <= n; j += STEP) {
            vec x[AT_ONCE];
#pragma GCC unroll 8
            for (int i = 0; i < AT_ONCE; i++) x[i] = load_u(row + j + i * LANES) - edge;
            exp2_vecs(AT_ONCE, s, round, x);
#pragma GCC unroll 8
            for (int i = 0; i < AT_ONCE; i++) {
                real *to = d + j + i * LANES;
                store_u(row + j + i * LANES, x[i]);
                store_u(to, factor * x[i] * (load_u(to) - dot));
            }
        }
        for (; j < n; j += LANES) {
            vec x = get_filled(row + j, n - j, edge[0]) - edge;
            exp2_vecs(1, s, round, &x);
            put(row + j, x, n - j);
            put(d + j, factor * x * (get(d + j, n - j) - dot), n - j);
        }
    }
}
