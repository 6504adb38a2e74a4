/* Random draws. Oracles: Random123 for the words, libm for the normals, Gram-Schmidt in long double for Q, and statistics. */
#include "base/philox.h"
#include "kern/kern.h"
#include "contexts.h"
#include <Random123/philox.h>
#include <math.h>

static const int32_t levels[] = {MESAOPT_ISA_BASELINE, MESAOPT_ISA_AVX2, MESAOPT_ISA_AVX512};
static const int32_t dtypes[] = {MESAOPT_F32, MESAOPT_F64};

typedef struct words { uint32_t w[4]; } words;

static words oracle(uint64_t seed, uint32_t stream, uint64_t sequence, uint32_t block)
{
    philox4x32_ctr_t c = {{block, stream, (uint32_t)sequence, (uint32_t)(sequence >> 32)}};
    philox4x32_key_t k = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    philox4x32_ctr_t r = philox4x32(c, k);
    return (words){{r.v[0], r.v[1], r.v[2], r.v[3]}};
}

static uint64_t pair_at(uint64_t seed, uint32_t stream, uint64_t sequence, int64_t position)
{
    words b = oracle(seed, stream, sequence, (uint32_t)(position / 2));
    return (uint64_t)b.w[2 * (position % 2)] << 32 | b.w[2 * (position % 2) + 1];
}

static double at(const kern *k, const void *panel, int64_t i)
{
    return k->dtype == MESAOPT_F32 ? ((const float *)panel)[i] : ((const double *)panel)[i];
}

static double unit_roundoff(const kern *k) { return k->dtype == MESAOPT_F32 ? 0x1p-24 : 0x1p-53; }

static void *panel_new(const kern *k, int64_t elements)
{
    void *p = aligned_alloc(64, (size_t)((elements * k->width * k->size + 63) / 64 * 64));
    ck_assert_ptr_nonnull(p);
    return p;
}

/* Runs `body` for every ISA level of this CPU and both element types. */
static void for_all(void (*body)(mesaopt_ctx *ctx, const kern *k))
{
    for (int i = 0; i < 3; i++) {
        mesaopt_ctx *ctx = context_at(levels[i], 1);
        if (!ctx) continue;
        for (int d = 0; d < 2; d++) body(ctx, kern_get(ctx, dtypes[d], 0));
        mesaopt_ctx_free(ctx);
    }
}

/* ---- words ---- */

START_TEST(known_answers)
{
    static const uint32_t cases[][10] = {              /* Random123's published vectors: counter, key, result */
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1},
    };
    uint32_t out[4];
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(mesaopt_rng_philox(cases[i], cases[i] + 4, out), MESAOPT_OK);
        ck_assert_mem_eq(out, cases[i] + 6, sizeof out);
    }
    for (uint32_t i = 0; i < 20000; i++) {             /* every result is the next counter and key */
        words want = oracle((uint64_t)out[1] << 32 | out[0], out[2], (uint64_t)out[0] << 32 | out[3], i);
        uint32_t counter[4] = {i, out[2], out[3], out[0]}, key[2] = {out[0], out[1]};
        ck_assert_int_eq(mesaopt_rng_philox(counter, key, out), MESAOPT_OK);
        ck_assert_mem_eq(out, want.w, sizeof out);
    }
    ck_assert_int_eq(mesaopt_rng_philox(NULL, out, out), MESAOPT_E_ARGUMENT);
    ck_assert_int_eq(mesaopt_rng_philox(out, NULL, out), MESAOPT_E_ARGUMENT);
    ck_assert_int_eq(mesaopt_rng_philox(out, out, NULL), MESAOPT_E_ARGUMENT);
}
END_TEST

/* Where lanes carry from word 2 to word 3 of the counter, where blocks end, and odd starts and ends. */
static const struct { uint64_t seed; uint32_t stream; int64_t sequence, position, count; } places[] = {
    {0, 0, 0, 0, 64}, {42, 1, 5, 1, 33}, {0x123456789abcdef0, 0xfedcba98, 0xfffffff9, 7, 20}, {~(uint64_t)0, ~0u, -3, 3, 1},
    {9, 2, INT64_MAX - 5, 100000, 10}, {1, 7, 0, ((int64_t)1 << 33) - 7, 7}, {3, 3, 3, 4, 0}, {3, 3, 3, 5, 0}, {3, 3, 3, 5, 2},
};
enum { PLACES = sizeof places / sizeof *places };

static void uniform_words(mesaopt_ctx *ctx, const kern *k)
{
    (void)ctx;
    char *panel = panel_new(k, 66);
    for (int c = 0; c < PLACES; c++) {
        const int64_t count = places[c].count, lanes = k->width;
        memset(panel, 0x55, (size_t)(66 * lanes * k->size));
        k->uniform(places[c].seed, places[c].stream, places[c].sequence, places[c].position, count, 0, 1, panel);
        for (int64_t i = 0; i < count * lanes; i++) {
            uint64_t pair = pair_at(places[c].seed, places[c].stream, (uint64_t)(places[c].sequence + (uint64_t)(i % lanes)),
                                    places[c].position + i / lanes);
            double want = k->dtype == MESAOPT_F32 ? (double)(pair >> 40) * 0x1p-24 : (double)(pair >> 11) * 0x1p-53;
            ck_assert_double_eq(at(k, panel, i), want);
        }
        for (int64_t i = count * lanes * k->size; i < 66 * lanes * k->size; i++) ck_assert_int_eq(panel[i], 0x55);
    }
    free(panel);
}

START_TEST(uniform_is_the_words) { for_all(uniform_words); }
END_TEST

/* ---- normals ---- */

/* The definition, in long double: r (cos, sin)(2 pi u') of one block. */
static long double normal_at(uint64_t seed, uint32_t stream, uint64_t sequence, int64_t position)
{
    long double u = (long double)(pair_at(seed, stream, sequence, position & ~(int64_t)1) >> 11) * 0x1p-53L;
    long double turn = (long double)(pair_at(seed, stream, sequence, position | 1) >> 11) * 0x1p-53L;
    long double r = sqrtl(-2 * logl(u > 0 ? u : 0x1p-54L)), angle = 6.283185307179586476925286766559L * (turn < .5L ? turn : turn - 1);
    return r * (position % 2 ? sinl(angle) : cosl(angle));
}

static void check_normals(const kern *k, uint64_t seed, uint32_t stream, int64_t sequence, int64_t position, int64_t count,
                          const void *panel)
{
    for (int64_t i = 0; i < count * k->width; i++) {
        long double want = normal_at(seed, stream, (uint64_t)(sequence + (uint64_t)(i % k->width)), position + i / k->width);
        double roundoff = unit_roundoff(k), absolute = k->dtype == MESAOPT_F32 ? 2e-9 : 1e-17;      /* of the angle's last bit */
        ck_assert_double_le((double)fabsl(at(k, panel, i) - want), 6 * roundoff * (double)fabsl(want) + absolute * 7);
    }
}

static void normals_libm(mesaopt_ctx *ctx, const kern *k)
{
    /* Blocks of seed 1, stream 7 whose first word is 0, 1, 2^32 - 1 or next to it: the ends of the logarithm. Found by search. */
    static const struct { int64_t sequence, position; uint32_t word; } ends[] = {
        {0, 1628697368, 0}, {11, 1751684400, 1}, {0, 1505685010, 3}, {9, 1213404390, ~0u}, {10, 1229664026, ~0u}, {6, 1929033582, ~0u - 1}};
    (void)ctx;
    void *panel = panel_new(k, 2000);
    for (int c = 0; c < PLACES; c++) {
        k->normal(places[c].seed, places[c].stream, places[c].sequence, places[c].position, places[c].count, 0, 1, panel);
        check_normals(k, places[c].seed, places[c].stream, places[c].sequence, places[c].position, places[c].count, panel);
    }
    for (int i = 0; i < 5; i++) {
        k->normal(11, 0, 1000 * i, 0, 2000, 0, 1, panel);
        check_normals(k, 11, 0, 1000 * i, 0, 2000, panel);
    }
    for (int i = 0; i < 6; i++) {
        ck_assert_uint_eq(pair_at(1, 7, (uint64_t)ends[i].sequence, ends[i].position) >> 32, ends[i].word);
        k->normal(1, 7, ends[i].sequence, ends[i].position, 2, 0, 1, panel);
        check_normals(k, 1, 7, ends[i].sequence, ends[i].position, 2, panel);
    }
    free(panel);
}

START_TEST(normals_agree_with_libm) { for_all(normals_libm); }
END_TEST

static void normal_scaled(mesaopt_ctx *ctx, const kern *k)
{
    (void)ctx;
    void *plain = panel_new(k, 40), *scaled = panel_new(k, 40);
    k->normal(2, 0, 0, 1, 40, 0, 1, plain);
    k->normal(2, 0, 0, 1, 40, -3, .5, scaled);
    for (int64_t i = 0; i < 40 * k->width; i++)
        ck_assert_double_le(fabs(at(k, scaled, i) - (-3 + .5 * at(k, plain, i))), 8 * unit_roundoff(k));
    k->normal(2, 0, 0, 1, 40, 1.5, 0, scaled);
    for (int64_t i = 0; i < 40 * k->width; i++) ck_assert_double_eq(at(k, scaled, i), 1.5);
    free(plain);
    free(scaled);
}

START_TEST(mean_and_deviation_are_applied) { for_all(normal_scaled); }
END_TEST

/* ---- distributions ---- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double uniform_cdf(double x) { return x; }
static double normal_cdf(double x) { return .5 * erfc(-x / sqrt(2)); }

/* Kolmogorov and Smirnov's sqrt(n) D, and checks of four moments at five standard deviations. */
static double distance(double *x, int64_t n, double (*cdf)(double))
{
    double d = 0;
    qsort(x, (size_t)n, sizeof *x, by_value);
    for (int64_t i = 0; i < n; i++) {
        double f = cdf(x[i]);
        d = fmax(d, fmax(fabs(f - (double)i / n), fabs((double)(i + 1) / n - f)));
    }
    return d * sqrt((double)n);
}

static double moment(const double *x, int64_t n, int power)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += pow(x[i], power);
    return sum / (double)n;
}

START_TEST(distributions)
{
    enum { ROWS = 400, COLUMNS = 1000, N = ROWS * COLUMNS };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    double *x = malloc(N * sizeof *x);
    mesaopt_view v = DENSE(x, MESAOPT_F64, ROWS, COLUMNS);
    const double se = 5 / sqrt(N);
    ck_assert_int_eq(mesaopt_rng_uniform(ctx, 5, 0, 0, 0, 1, &v), MESAOPT_OK);
    ck_assert_double_le(fabs(moment(x, N, 1) - 1. / 2), se * sqrt(1. / 12));
    ck_assert_double_le(fabs(moment(x, N, 2) - 1. / 3), se * sqrt(4. / 45));
    ck_assert_double_le(distance(x, N, uniform_cdf), 1.95);        /* 1.95: p = 0.001 */
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 6, 0, 0, 0, 1, &v), MESAOPT_OK);
    double along = 0, across = 0;                      /* neighbours along a sequence and across sequences are uncorrelated */
    for (int64_t i = 0; i + COLUMNS < N; i++) {
        along += x[i] * x[i + 1];
        across += x[i] * x[i + COLUMNS];
    }
    ck_assert_double_le(fabs(along / N), se);
    ck_assert_double_le(fabs(across / N), se);
    ck_assert_double_le(fabs(moment(x, N, 1)), se);
    ck_assert_double_le(fabs(moment(x, N, 2) - 1), se * sqrt(2));
    ck_assert_double_le(fabs(moment(x, N, 3)), se * sqrt(15));
    ck_assert_double_le(fabs(moment(x, N, 4) - 3), se * sqrt(96));
    ck_assert_double_le(distance(x, N, normal_cdf), 1.95);
    free(x);
    mesaopt_ctx_free(ctx);
}
END_TEST

static void uniform_bounds(mesaopt_ctx *ctx, const kern *k)
{
    const double ulp = 2 * unit_roundoff(k);
    const double ranges[][2] = {{1, 1 + 3 * ulp}, {-1, 1}, {-1 - 3 * ulp, -1}, {-ulp, 0}, {.3, .9}, {1000, 1001}};
    enum { N = 20000 };
    void *x = panel_new(k, N);
    mesaopt_view v = DENSE(x, k->dtype, N);
    for (int r = 0; r < 6; r++) {
        const double low = k->dtype == MESAOPT_F32 ? (float)ranges[r][0] : ranges[r][0];
        const double high = k->dtype == MESAOPT_F32 ? (float)ranges[r][1] : ranges[r][1];
        double least = INFINITY, most = -INFINITY;
        ck_assert_int_eq(mesaopt_rng_uniform(ctx, 8, 0, 0, low, high, &v), MESAOPT_OK);
        for (int64_t i = 0; i < N; i++) {
            least = fmin(least, at(k, x, i));
            most = fmax(most, at(k, x, i));
        }
        ck_assert(least >= low && most < high);
        ck_assert(least - low < (high - low) * .001 + ulp && high - most < (high - low) * .001 + ulp * 2 * fmax(1, fabs(high)));
    }
    free(x);
}

START_TEST(uniform_stays_in_its_interval) { for_all(uniform_bounds); }
END_TEST

/* ---- orthogonal ---- */

/* Q of A = QR with diag R > 0 by modified Gram-Schmidt, twice, in long double. */
static void gram_schmidt(int64_t n, const long double *A, long double *Q)
{
    for (int64_t j = 0; j < n; j++) {
        for (int64_t i = 0; i < n; i++) Q[i * n + j] = A[i * n + j];
        for (int64_t k = 0; k < 2 * j; k++) {
            long double s = 0;
            for (int64_t i = 0; i < n; i++) s += Q[i * n + k % j] * Q[i * n + j];
            for (int64_t i = 0; i < n; i++) Q[i * n + j] -= s * Q[i * n + k % j];
        }
        long double norm = 0;
        for (int64_t i = 0; i < n; i++) norm += Q[i * n + j] * Q[i * n + j];
        for (int64_t i = 0; i < n; i++) Q[i * n + j] /= sqrtl(norm);
    }
}

static void orthogonal_qr(mesaopt_ctx *ctx, const kern *k)
{
    static const int64_t sizes[] = {1, 2, 3, 4, 5, 9, 10, 17};
    (void)ctx;
    for (int c = 0; c < 8; c++) {
        const int64_t n = sizes[c], lanes = k->width;
        void *panel = panel_new(k, n * n), *A = panel_new(k, n * n), *work = panel_new(k, 2 * n * n + n);
        long double a[17 * 17], want[17 * 17];
        k->orthogonal(k, 77, 1, 1000, 6, n, panel, work);
        k->normal(77, 1, 1000, 6, n * n, 0, 1, A);
        for (int64_t l = 0; l < lanes; l++) {
            for (int64_t i = 0; i < n * n; i++) a[i] = at(k, A, i * lanes + l);
            gram_schmidt(n, a, want);
            double worst = 0, off = 0;
            for (int64_t i = 0; i < n * n; i++) worst = fmax(worst, (double)fabsl(at(k, panel, i * lanes + l) - want[i]));
            for (int64_t i = 0; i < n; i++)
                for (int64_t j = 0; j < n; j++) {
                    double s = -(i == j);
                    for (int64_t m = 0; m < n; m++) s += at(k, panel, (m * n + i) * lanes + l) * at(k, panel, (m * n + j) * lanes + l);
                    off = fmax(off, fabs(s));
                }
            ck_assert_double_le(off, 4 * (double)(n + 2) * unit_roundoff(k));
            ck_assert_double_le(worst, 20000 * unit_roundoff(k));            /* Q of these A has a condition up to some hundreds */
        }
        free(panel);
        free(A);
        free(work);
    }
}

START_TEST(orthogonal_is_the_q_of_qr) { for_all(orthogonal_qr); }
END_TEST

static double determinant(int64_t n, double *a)
{
    double d = 1;
    for (int64_t k = 0; k < n; k++) {
        int64_t p = k;
        for (int64_t i = k; i < n; i++)
            if (fabs(a[i * n + k]) > fabs(a[p * n + k])) p = i;
        if (p != k) d = -d;
        for (int64_t j = 0; j < n; j++) {
            double t = a[k * n + j];
            a[k * n + j] = a[p * n + j];
            a[p * n + j] = t;
        }
        d *= a[k * n + k];
        for (int64_t i = k + 1; i < n; i++)
            for (int64_t j = n - 1; j >= k; j--) a[i * n + j] -= a[i * n + k] / a[k * n + k] * a[k * n + j];
    }
    return d;
}

/* E Q = 0, E tr Q = 0, E (tr Q)^2 = 1, E (tr Q)^4 = 3, E q_ij^2 = 1/n, P(det = 1) = 1/2: true of Haar, not of QR without signs. */
START_TEST(orthogonal_is_haar)
{
    enum { N = 20000, DIM = 5 };
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 2);
    double *q = malloc(sizeof(double[N][DIM][DIM])), mean[DIM * DIM] = {0}, squares[DIM * DIM] = {0}, trace[3] = {0};
    mesaopt_view v = DENSE(q, MESAOPT_F64, N, DIM, DIM);
    ck_assert_int_eq(mesaopt_rng_orthogonal(ctx, 3, 0, 0, &v), MESAOPT_OK);
    int64_t positive = 0;
    for (int64_t m = 0; m < N; m++) {
        double *a = q + m * DIM * DIM, tr = 0;
        for (int i = 0; i < DIM * DIM; i++) {
            mean[i] += a[i] / N;
            squares[i] += a[i] * a[i] / N;
        }
        for (int i = 0; i < DIM; i++) tr += a[i * DIM + i];
        for (int i = 0; i < 3; i++) trace[i] += (i == 0 ? tr : i == 1 ? tr * tr : tr * tr * tr * tr) / N;
        positive += determinant(DIM, a) > 0;
    }
    const double se = 5 / sqrt(N);
    for (int i = 0; i < DIM * DIM; i++) {
        ck_assert_double_le(fabs(mean[i]), se / sqrt(DIM));
        ck_assert_double_le(fabs(squares[i] - 1. / DIM), se * sqrt(2. * (DIM - 1) / (DIM * DIM * (DIM + 2))));
    }
    ck_assert_double_le(fabs(trace[0]), se);
    ck_assert_double_le(fabs(trace[1] - 1), se * sqrt(2));
    ck_assert_double_le(fabs(trace[2] - 3), se * sqrt(96));
    ck_assert_double_le(fabs((double)positive / N - .5), se / 2);
    free(q);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* ---- the public functions ---- */

typedef mesaopt_status (*draw_fn)(mesaopt_ctx *ctx, uint64_t first, const mesaopt_view *v);
#define DRAW(name, call) static mesaopt_status name(mesaopt_ctx *ctx, uint64_t first, const mesaopt_view *v) { return call; }
DRAW(some_uniform, mesaopt_rng_uniform(ctx, 4, 9, first, -1, 3, v))
DRAW(some_normal, mesaopt_rng_normal(ctx, 4, 9, first, 1, 3, v))
DRAW(some_matrix, mesaopt_rng_orthogonal(ctx, 4, 9, first, v))
static const draw_fn draws[] = {some_uniform, some_normal, some_matrix};

/* Any rows, any strides, any number of threads, any ISA level: the same numbers (bits, across levels up to rounding). */
START_TEST(draws_are_pure_functions)
{
    enum { N = 37, D = 23, COUNT = N * D * D };
    double *whole = malloc(COUNT * sizeof *whole), *part = malloc(3 * COUNT * sizeof *part);
    for (int d = 0; d < 3; d++)
        for (int i = 0; i < 3; i++) {
            mesaopt_ctx *ctx = context_at(levels[i], 1), *many = context_at(levels[i], 3);
            if (!ctx) continue;
            mesaopt_view v = DENSE(part, MESAOPT_F64, N, D, D);
            ck_assert_int_eq(draws[d](many, 100, &v), MESAOPT_OK);
            for (int e = 0; e < COUNT && i; e++) ck_assert_double_le(fabs(part[e] - whole[e]), 1e-12);
            memcpy(whole, part, COUNT * sizeof *whole);
            float *single = (float *)part;
            v = DENSE(single, MESAOPT_F32, N, D, D);
            ck_assert_int_eq(draws[d](ctx, 100, &v), MESAOPT_OK);
            for (int e = 0; e < COUNT; e++) ck_assert_double_le(fabs(single[e] - whole[e]), d < 2 ? 4e-7 * (4 + fabs(whole[e])) : 2e-3);
            for (int e = 0; e < 3 * COUNT; e++) part[e] = 1e9;
            /* rows 11 .. 15 in an order of axes of its own, with gaps */
            v = (mesaopt_view){.data = part, .shape = {5, D, D}, .stride = {3, 15 * D + 30, 15}, .ndim = 3, .dtype = MESAOPT_F64};
            ck_assert_int_eq(draws[d](ctx, 111, &v), MESAOPT_OK);
            int64_t seen = 0;
            for (int64_t r = 0; r < 5; r++)
                for (int64_t a = 0; a < D; a++)
                    for (int64_t b = 0; b < D; b++)
                        ck_assert_double_eq(part[r * 3 + a * (15 * D + 30) + b * 15], whole[(r + 11) * D * D + a * D + b]);
            for (int e = 0; e < 3 * COUNT; e++) seen += part[e] != 1e9;
            ck_assert_int_eq(seen, 5 * D * D);
            mesaopt_ctx_free(ctx);
            mesaopt_ctx_free(many);
        }
    free(whole);
    free(part);
}
END_TEST

START_TEST(ranks_and_empty_views)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    double flat[3 * 600], cube[3 * 600], row[3];
    mesaopt_view v = DENSE(flat, MESAOPT_F64, 3, 600);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 1, 2, 3, 0, 1, &v), MESAOPT_OK);
    v = DENSE(cube, MESAOPT_F64, 3, 2, 5, 3, 4, 5);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 1, 2, 3, 0, 1, &v), MESAOPT_OK);
    ck_assert_mem_eq(flat, cube, sizeof flat);
    v = DENSE(row, MESAOPT_F64, 3);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 1, 2, 3, 0, 1, &v), MESAOPT_OK);
    for (int i = 0; i < 3; i++) ck_assert_double_eq(row[i], flat[600 * i]);
    v = DENSE(NULL, MESAOPT_F64, 0, 4);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 1, 2, 3, 0, 1, &v), MESAOPT_OK);
    v = DENSE(NULL, MESAOPT_F32, 4, 0, 3);
    ck_assert_int_eq(mesaopt_rng_uniform(ctx, 1, 2, 3, 0, 1, &v), MESAOPT_OK);
    v = DENSE(NULL, MESAOPT_F32, 4, 0, 0);
    ck_assert_int_eq(mesaopt_rng_orthogonal(ctx, 1, 2, 3, &v), MESAOPT_OK);
    mesaopt_ctx_free(ctx);
}
END_TEST

START_TEST(bad_arguments)
{
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    double x[12] = {0};
    int32_t ids[4];
    mesaopt_view good = DENSE(x, MESAOPT_F64, 3, 2, 2), scalar = {.data = x, .dtype = MESAOPT_F64}, integers = DENSE(ids, MESAOPT_I32, 4);
    mesaopt_view oblong = DENSE(x, MESAOPT_F64, 2, 2, 3);
    mesaopt_view locked = good, repeated = good, single = DENSE((float *)x, MESAOPT_F32, 4);
    locked.flags = MESAOPT_VIEW_READONLY;
    repeated.stride[0] = 0;
    static double one;
    mesaopt_view huge = {.data = &one, .shape = {0, (int64_t)1 << 34}, .stride = {1, 1}, .ndim = 2, .dtype = MESAOPT_F64};
    ck_assert_int_eq(mesaopt_rng_uniform(NULL, 0, 0, 0, 0, 1, &good), MESAOPT_E_ARGUMENT);
    ck_assert_int_eq(mesaopt_rng_normal(NULL, 0, 0, 0, 0, 1, &good), MESAOPT_E_ARGUMENT);
    ck_assert_int_eq(mesaopt_rng_orthogonal(NULL, 0, 0, 0, &good), MESAOPT_E_ARGUMENT);
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "out", mesaopt_rng_uniform(ctx, 0, 0, 0, 0, 1, NULL));
    REFUSED(ctx, MESAOPT_E_SHAPE, "out", mesaopt_rng_uniform(ctx, 0, 0, 0, 0, 1, &scalar));
    REFUSED(ctx, MESAOPT_E_SHAPE, "out", mesaopt_rng_uniform(ctx, 0, 0, 0, 0, 1, &huge));
    REFUSED(ctx, MESAOPT_E_DTYPE, "out", mesaopt_rng_normal(ctx, 0, 0, 0, 0, 1, &integers));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "out", mesaopt_rng_normal(ctx, 0, 0, 0, 0, 1, &locked));
    ck_assert_int_lt(mesaopt_rng_normal(ctx, 0, 0, 0, 0, 1, &repeated), 0);
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "low", mesaopt_rng_uniform(ctx, 0, 0, 0, NAN, 1, &good));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "low", mesaopt_rng_uniform(ctx, 0, 0, 0, -1e39, 1, &single));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "high", mesaopt_rng_uniform(ctx, 0, 0, 0, 0, INFINITY, &good));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "high", mesaopt_rng_uniform(ctx, 0, 0, 0, 1, 1, &good));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "high", mesaopt_rng_uniform(ctx, 0, 0, 0, 1, 1 + 1e-9, &single));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "high", mesaopt_rng_uniform(ctx, 0, 0, 0, -1e308, 1e308, &good));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "mean", mesaopt_rng_normal(ctx, 0, 0, 0, NAN, 1, &good));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "sd", mesaopt_rng_normal(ctx, 0, 0, 0, 0, -1, &good));
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "sd", mesaopt_rng_normal(ctx, 0, 0, 0, 0, 1e38, &single));
    REFUSED(ctx, MESAOPT_E_SHAPE, "out", mesaopt_rng_orthogonal(ctx, 0, 0, 0, &single));
    REFUSED(ctx, MESAOPT_E_SHAPE, "out", mesaopt_rng_orthogonal(ctx, 0, 0, 0, &oblong));
    for (int i = 0; i < 12; i++) ck_assert_double_eq(x[i], 0);
    mesaopt_ctx_interrupt(ctx);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 0, 0, 0, 0, 1, &good), MESAOPT_E_INTERRUPTED);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 0, 0, 0, 0, 1, &good), MESAOPT_OK);
    mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_random_suite(void)
{
    Suite *s = suite_create("random");
    TCase *t = tcase_create("draws");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, known_answers);
    tcase_add_test(t, uniform_is_the_words);
    tcase_add_test(t, normals_agree_with_libm);
    tcase_add_test(t, mean_and_deviation_are_applied);
    tcase_add_test(t, distributions);
    tcase_add_test(t, uniform_stays_in_its_interval);
    tcase_add_test(t, orthogonal_is_the_q_of_qr);
    tcase_add_test(t, orthogonal_is_haar);
    tcase_add_test(t, draws_are_pure_functions);
    tcase_add_test(t, ranks_and_empty_views);
    tcase_add_test(t, bad_arguments);
    suite_add_tcase(s, t);
    return s;
}
