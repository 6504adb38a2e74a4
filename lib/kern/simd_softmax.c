/* Causal softmax over rows of scores, and its backward pass.
 *
 *   P[m,n] = exp(s (S[m,n] - e)) / sum_{n' < first + m + 1} exp(s (S[m,n'] - e)),
 *   e = max S, with s < 0 min S
 *   dS[m,n] = s P[m,n] (dP[m,n] - sum_n' P[m,n'] dP[m,n'])
 *
 * The difference comes before the product: the largest exponent is 0 whatever the size of the
 * scores and however a compiler fuses. A row with a score, or a distance of two, that is not finite
 * becomes NaN, since such a score may be the wreck of a finite one.
 *
 * Panels reduce along a row register by register, every lane for itself; a single sequence (`_one`)
 * packs columns into the register, and sums its lanes at the end. */
#include "kern/simd_exp.h"
#include "kern/simd_kernels.h"

/* e of scores between low and high. */
#define EDGE(down, low, high) \
    ((down) ? (low) + 0 * ((high) - (low)) : (high) + 0 * ((high) - (low)))

void NAME(softmax)(int64_t M, int64_t first, double scale, void *S, int64_t rs)
{
    const vec s = splat((real)scale);
    for (int64_t m = 0; m < M; m++) {
        vec *row = (vec *)S + m * rs;
        const int64_t n = first + m + 1;
        vec low = row[0], high = row[0], sum = {0};
        for (int64_t j = 1; j < n; j++) low = min_vec(row[j], low), high = max_vec(row[j], high);
        const vec edge = EDGE(scale < 0, low, high);
        for (int64_t j = 0; j < n; j++) sum += row[j] = exp_vec(s * (row[j] - edge));
        const vec inverse = 1 / sum;
        for (int64_t j = 0; j < n; j++) row[j] *= inverse;
    }
}

void NAME(softmax_back)(int64_t M, int64_t first, double scale, const void *P, void *dP, int64_t rs)
{
    const vec s = splat((real)scale);
    for (int64_t m = 0; m < M; m++) {
        const vec *p = (const vec *)P + m * rs;
        vec *d = (vec *)dP + m * rs, dot = {0};
        const int64_t n = first + m + 1;
        for (int64_t j = 0; j < n; j++) dot += p[j] * d[j];
        for (int64_t j = 0; j < n; j++) d[j] = s * p[j] * (d[j] - dot);
    }
}

/* w of the LANES reals at p; the others are `fill`. */
static inline __attribute__((always_inline)) vec get(const real *p, int64_t w, real fill)
{
    if (w >= LANES) return load_u(p);
    vec v = splat(fill);
    memcpy(&v, p, (size_t)w * sizeof(real));
    return v;
}

static inline __attribute__((always_inline)) void put(real *p, vec v, int64_t w)
{
    if (w >= LANES) store_u(p, v);
    else memcpy(p, &v, (size_t)w * sizeof(real));
}

void NAME(softmax_one)(int64_t M, int64_t first, double scale, void *S, int64_t rs)
{
    const vec s = splat((real)scale);
    for (int64_t m = 0; m < M; m++) {
        real *row = (real *)S + m * rs;
        const int64_t n = first + m + 1;
        vec lows = splat(row[0]), highs = lows, sum = {0};
        for (int64_t j = 0; j < n; j += LANES) {
            const vec x = get(row + j, n - j, row[0]);
            lows = min_vec(x, lows), highs = max_vec(x, highs);
        }
        real low = lows[0], high = highs[0];
        for (int l = 1; l < LANES; l++)
            low = lows[l] < low ? lows[l] : low, high = highs[l] > high ? highs[l] : high;
        const vec edge = splat(EDGE(scale < 0, low, high));
        for (int64_t j = 0; j < n; j += LANES) {
            const vec e = exp_vec(s * (get(row + j, n - j, row[0]) - edge));
            put(row + j, e, n - j);
            sum += get(row + j, n - j, 0);
        }
        const vec inverse = splat(1 / sum_lanes(sum));
        for (int64_t j = 0; j < n; j += LANES)
            put(row + j, inverse * get(row + j, n - j, 0), n - j);
    }
}

void NAME(softmax_back_one)(int64_t M, int64_t first, double scale, const void *P, void *dP,
                            int64_t rs)
{
    const vec s = splat((real)scale);
    for (int64_t m = 0; m < M; m++) {
        const real *p = (const real *)P + m * rs;
        real *d = (real *)dP + m * rs;
        const int64_t n = first + m + 1;
        vec dots = {0};
        for (int64_t j = 0; j < n; j += LANES) dots += get(p + j, n - j, 0) * get(d + j, n - j, 0);
        const vec dot = splat(sum_lanes(dots));
        for (int64_t j = 0; j < n; j += LANES)
            put(d + j, s * get(p + j, n - j, 0) * (get(d + j, n - j, 0) - dot), n - j);
    }
}
