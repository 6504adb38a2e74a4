/* Activations of rows, and their slopes: z = x + b, b the same in all rows,
 *
 *     gelu        z Phi(z); Phi(z) + z phi(z), phi = e^(-z^2/2) / sqrt(2 pi)
 *     gelu_tanh   z s(v), v = sqrt(8/pi) (z + 0.044715 z^3); s(v) + z s(v) (1 - s(v)) v'
 *     relu        max(z, 0); 1 where z > 0
 *     silu        z s(z); s(z) + z s(z) (1 - s(z))
 *
 * s(v) = 1 / (1 + e^-v) = (1 + tanh(v/2)) / 2. Source: Hendrycks and Gimpel, arXiv 1606.08415.
 *
 * Phi(-t) = e^(-t^2/2) P(u) / (t + c), u = (t - c) / (t + c), P a polynomial
 * (tests/oracle/activation_polynomials.py); its relative error is a few units of the last place in
 * the tail as well: t^2 is taken in two parts, of which the first is exact. What is not finite
 * becomes NaN, since it may be the wreck of a finite z. */
#include "base/choices.h"
#include "kern/simd_exp.h"
#include "kern/simd_kernels.h"

#if REAL_BITS == 32
static const real TAIL[] = {0.755285144f,    -0.607896626f,   0.387136668f,    -0.186523005f,
                            0.0604064688f,   -0.00752721308f, -0.00352357398f, 0.0015693137f,
                            0.000194801847f, -0.000122983154f};
enum { CENTRE = 4, LOW_BITS = 12, FAR = 16 };
#else
static const real TAIL[] = {
    0.76919304975006297,     -0.66538250289005685,    0.49530561596997608,
    -0.31353315667128745,    0.16502036617040697,     -0.0691186387068779,
    0.020795066799264284,    -0.0029933767618702707,  -0.00079786938933905729,
    0.00054489899275131934,  -5.9375807090456858e-05, -4.9762456018891331e-05,
    1.6681638604844076e-05,  3.9798040201056523e-06,  -2.7707182688484452e-06,
    -3.3457119924596632e-07, 4.3629011399716656e-07,  4.0173534557118494e-08,
    -7.0141452249009731e-08, -8.5518703451229202e-09, 1.0798418465307528e-08,
    2.2196223502678975e-09,  -1.1617005338693047e-09, -3.8175092055086358e-10,
};
enum { CENTRE = 5, LOW_BITS = 27, FAR = 40 };
#endif
enum { TAIL_DEGREE = sizeof TAIL / sizeof *TAIL - 1 };

typedef struct active {
    vec y, slope;
} active;

/* |z|, at most FAR, where every tail has become 0; NaN when z is not finite. */
INLINE vec distance(vec z) { return min_vec(splat(FAR), pick(z < 0, -z, z)) + (z - z); }

/* e^(-t^2 / 2), t >= 0: t = high + low, t^2 = high^2 + low (t + high). */
INLINE vec bell(vec t)
{
    const vec high = (vec)((ivec)t & -((real_int)1 << LOW_BITS));
    const vec rest = (real)0.5 * (t - high) * (t + high);
    const vec factor =
        1 - rest * (1 - rest * ((real)0.5 - rest * ((real)(1 / 6.0) - rest * (real)(1 / 24.0))));
    return exp_vec((real)-0.5 * high * high) * factor;
}

INLINE active gelu(vec z)
{
    const vec t = distance(z), e = bell(t), inverse = 1 / (t + CENTRE), u = (t - CENTRE) * inverse;
    vec p = splat(TAIL[TAIL_DEGREE]);
#pragma GCC unroll 24
    for (int i = TAIL_DEGREE - 1; i >= 0; i--) p = p * u + splat(TAIL[i]);
    const vec tail = e * (p * inverse), phi = pick(z < 0, tail, 1 - tail);
    return (active){z * phi, phi + pick(z < 0, -t, t) * e * (real)0.39894228040143267794};
}

/* z s(v) for |v| = t with the sign of z; dv: the derivative of v. */
INLINE active swish(vec z, vec t, vec dv)
{
    const vec e = exp_vec(-t), large = 1 / (1 + e), small = e / (1 + e),
              s = pick(z < 0, small, large);
    return (active){z * s, s + z * (large * small * dv)};
}

INLINE active gelu_tanh(vec z)
{
    const real root = (real)1.5957691216057307117, cubic = (real)0.044715;
    const vec t = distance(z), square = t * t;
    return swish(z, root * t * (1 + cubic * square), root * (1 + 3 * cubic * square));
}

INLINE active silu(vec z) { return swish(z, pick(z < 0, -z, z) + (z - z), splat(1)); }

INLINE active relu(vec z)
{
    const vec none = z - z;
    return (active){pick(z > 0, z + none, none), pick(z > 0, 1 + none, none)};
}

/* A row: n elements of a panel, or n reals of one lane. */
#define ROW(act) \
    INLINE void act##_row(int one, int64_t n, const real *bias, real *z, real *slope) \
    { \
        const int64_t step = one ? LANES : 1; \
        for (int64_t j = 0; j < n; j += step) { \
            const vec b = !bias ? (vec){0} : one ? get(bias + j, n - j) : splat(bias[j]); \
            const int64_t at = one ? j : j * LANES, w = one ? n - j : LANES; \
            const active a = act(get(z + at, w) + b); \
            put(z + at, a.y, w); \
            if (slope) put(slope + at, a.slope, w); \
        } \
    }
ROW(gelu)
ROW(gelu_tanh)
ROW(relu)
ROW(silu)

INLINE void activate(int one, int64_t T, int64_t n, int act, const real *bias, real *z, real *slope)
{
    const int64_t row = n * (one ? 1 : LANES);
    for (int64_t t = 0; t < T; t++) {
        real *x = z + t * row, *d = slope ? slope + t * row : NULL;
        if (act == ACT_GELU)
            gelu_row(one, n, bias, x, d);
        else if (act == ACT_GELU_TANH)
            gelu_tanh_row(one, n, bias, x, d);
        else if (act == ACT_RELU)
            relu_row(one, n, bias, x, d);
        else
            silu_row(one, n, bias, x, d);
    }
}

#define ACTIVATE(name, one) \
    void NAME(name)(int64_t T, int64_t n, int act, const void *bias, void *z, void *slope) \
    { \
        activate(one, T, n, act, bias, z, slope); \
    }
ACTIVATE(activate, 0)
ACTIVATE(activate_one, 1)
