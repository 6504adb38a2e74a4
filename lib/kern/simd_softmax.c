/* Causal softmax over rows of scores, and its backward pass.
 *
 *   P[m,n] = exp(s S[m,n] - max) / sum_{n' < first + m + 1} exp(s S[m,n'] - max)
 *   dS[m,n] = s P[m,n] (dP[m,n] - sum_n' P[m,n'] dP[m,n'])
 *
 * Panels reduce along a row register by register, every lane for itself; a single sequence (`_one`) packs columns into
 * the register, and sums its lanes at the end. */
#include "kern/simd_exp.h"
#include "kern/simd_kernels.h"

static inline __attribute__((always_inline)) vec max_vec(vec a, vec b) { return pick(a > b, a, b); }

void NAME(softmax)(int64_t M, int64_t first, double scale, void *S, int64_t rs)
{
    const vec s = splat((real)scale);
    for (int64_t m = 0; m < M; m++) {
        vec *row = (vec *)S + m * rs;
        const int64_t n = first + m + 1;
        vec top = s * row[0], sum = {0};
        for (int64_t j = 1; j < n; j++) top = max_vec(s * row[j], top);
        for (int64_t j = 0; j < n; j++) sum += row[j] = exp_vec(s * row[j] - top);
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
        vec tops = splat(row[0]) * s, sum = {0};
        for (int64_t j = 0; j < n; j += LANES) tops = max_vec(s * get(row + j, n - j, row[0]), tops);
        real top = tops[0];
        for (int l = 1; l < LANES; l++) if (tops[l] > top) top = tops[l];
        for (int64_t j = 0; j < n; j += LANES) {
            const vec e = exp_vec(s * get(row + j, n - j, row[0]) - splat(top));
            put(row + j, e, n - j);
            sum += get(row + j, n - j, 0);
        }
        const vec inverse = splat(1 / sum_lanes(sum));
        for (int64_t j = 0; j < n; j += LANES) put(row + j, inverse * get(row + j, n - j, 0), n - j);
    }
}

void NAME(softmax_back_one)(int64_t M, int64_t first, double scale, const void *P, void *dP, int64_t rs)
{
    const vec s = splat((real)scale);
    for (int64_t m = 0; m < M; m++) {
        const real *p = (const real *)P + m * rs;
        real *d = (real *)dP + m * rs;
        const int64_t n = first + m + 1;
        vec dots = {0};
        for (int64_t j = 0; j < n; j += LANES) dots += get(p + j, n - j, 0) * get(d + j, n - j, 0);
        const vec dot = splat(sum_lanes(dots));
        for (int64_t j = 0; j < n; j += LANES) put(d + j, s * get(p + j, n - j, 0) * (get(d + j, n - j, 0) - dot), n - j);
    }
}
