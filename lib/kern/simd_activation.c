/* Activations, element by element, on n reals.
 *
 * gelu_tanh  y = x / 2 (1 + tanh u), u = sqrt(2 / pi) (x + 0.044715 x^3); since (1 + tanh u) / 2 =
 *            sigmoid(2 u), one exponential: y = x sigmoid(2 u)
 * Source: Hendrycks and Gimpel, arXiv 1606.08415, section 2. */
#include "kern/simd_exp.h"
#include "kern/simd_kernels.h"

#define INLINE static inline __attribute__((always_inline))

/* 2 sqrt(2 / pi), and that times 0.044715 */
static const real TWICE = (real)1.59576912160573071176, CUBE = (real)0.07135481627260024878;

/* w of the LANES reals at p, padded with zeros; back. */
INLINE vec get(const real *p, int64_t w)
{
    if (w >= LANES) return load_u(p);
    vec v = {0};
    memcpy(&v, p, (size_t)w * sizeof(real));
    return v;
}

INLINE void put(real *p, vec v, int64_t w)
{
    if (w >= LANES) store_u(p, v);
    else memcpy(p, &v, (size_t)w * sizeof(real));
}

/* 1 / (1 + e^-z) */
INLINE vec sigmoid_vec(vec z)
{
    const ivec negative = z < (vec){0};
    const vec e = exp_vec(pick(negative, z, -z));
    return pick(negative, e, splat(1)) / (1 + e);
}

void NAME(gelu_tanh)(int64_t n, const void *x, void *y)
{
    for (int64_t i = 0; i < n; i += LANES) {
        const vec v = get((const real *)x + i, n - i);
        put((real *)y + i, v * sigmoid_vec(v * (splat(TWICE) + splat(CUBE) * (v * v))), n - i);
    }
}
