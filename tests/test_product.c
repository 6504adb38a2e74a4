/* The panel product and the other panel kernels against plain loops in double, every ISA level, f32 and f64. */
#include "base/options.h"
#include "kern/kern.h"
#include <check.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static mesaopt_ctx *open_ctx(int32_t isa)
{
    mesaopt_settings *s;
    mesaopt_ctx *ctx = NULL;
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_CTX, NULL, NULL, &s), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_ISA, isa), MESAOPT_OK);
    const mesaopt_status status = mesaopt_ctx_create(s, &ctx);
    mesaopt_settings_free(s);
    return status == MESAOPT_OK ? ctx : NULL;              /* a level that this CPU lacks */
}

/* Aligned like everything the library hands to kernels, with room to spare; aligned_alloc wants a multiple of the alignment. */
static void *block(int64_t bytes)
{
    return aligned_alloc(64, (size_t)(bytes / 64 * 64 + 128));
}

static uint32_t state = 1;
static double draw(void) { return (state = state * 1664525u + 1013904223u) / 4294967296.0 * 2 - 1; }
static double get(const kern *k, const void *p, int64_t i) { return k->size == 4 ? (double)((const float *)p)[i] : ((const double *)p)[i]; }
static void set(const kern *k, void *p, int64_t i, double x) { if (k->size == 4) ((float *)p)[i] = (float)x; else ((double *)p)[i] = x; }
static void *array(const kern *k, int64_t n, double scale)
{
    void *p = block(n * k->size);
    for (int64_t i = 0; i < n; i++) set(k, p, i, scale * draw());
    return p;
}

/* One product of every kind and triangle on random strides, compared element by element and lane by lane. */
static void product_case(const kern *k, enum product_kind kind, enum triangle tri, int accumulate, int64_t M, int64_t N, int64_t K)
{
    const int64_t L = k->lanes, lb = kind == PRODUCT_SHARED ? 1 : L, lc = kind == PRODUCT_SUM ? 1 : L;
    const int ta = rand() % 2, tb = rand() % 2, tc = rand() % 2, pad = rand() % 3;
    mat A = {NULL, ta ? 1 : K + pad, ta ? M + pad : 1}, B = {NULL, tb ? 1 : N + pad, tb ? K + pad : 1}, C = {NULL, tc ? 1 : N + pad, tc ? M + pad : 1};
    const int64_t nc = (M + 2) * (N + 2) * lc + 64;
    void *scratch = block(kern_product_scratch(k)), *before = malloc((size_t)(nc * k->size));
    A.p = array(k, (M + 2) * (K + 2) * L, 1), B.p = array(k, (K + 2) * (N + 2) * lb, 1), C.p = array(k, nc, 1);
    if (tri == TRI_A_LOWER || tri == TRI_A_UPPER)          /* what TRI_C_LOWER would have left */
        for (int64_t m = 0; m < M; m++)
            for (int64_t j = 0; j < K; j++)
                for (int64_t l = 0; l < L; l++)
                    if (tri == TRI_A_LOWER ? j > m : j < m) set(k, A.p, (m * A.rs + j * A.cs) * L + l, 0);
    memcpy(before, C.p, (size_t)(nc * k->size));
    k->product(k, scratch, kind, tri, accumulate, M, N, K, A, B, C);
    const double unit = k->size == 4 ? 6e-8 : 1.12e-16;        /* any order of n terms errs by at most n units of sum |a b| */
    const int64_t terms = K * (kind == PRODUCT_SUM ? L : 1) + 1;
    for (int64_t m = 0; m < M; m++)
        for (int64_t n = 0; n < N; n++) {
            double total = 0, size = 0;
            for (int64_t l = 0; l < L; l++) {
                const int64_t at = (m * C.rs + n * C.cs) * lc + (lc > 1 ? l : 0);
                double sum = 0;
                if (kind != PRODUCT_SUM) size = 0;
                for (int64_t j = 0; j < K; j++) {
                    const double term = get(k, A.p, (m * A.rs + j * A.cs) * L + l) * get(k, B.p, (j * B.rs + n * B.cs) * lb + (lb > 1 ? l : 0));
                    sum += term, size += fabs(term);
                }
                total = kind == PRODUCT_SUM ? total + sum : sum;
                if (kind == PRODUCT_SUM && l + 1 < L) continue;
                const double expected = total + (accumulate ? get(k, before, at) : 0), seen = get(k, C.p, at);
                if (tri == TRI_C_LOWER && n > m) ck_assert(seen == 0 || seen == get(k, before, at));
                else ck_assert_double_le(fabs(seen - expected), unit * (double)terms * (size + fabs(expected)));
            }
        }
    free(A.p), free(B.p), free(C.p), free(scratch), free(before);
}

static void each_kern(void (*test)(const kern *k))
{
    for (int32_t isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
        mesaopt_ctx *ctx = open_ctx(isa);
        if (!ctx) continue;
        for (int i = 0; i < 4; i++) test(kern_get(ctx, i & 1 ? MESAOPT_F64 : MESAOPT_F32, i >> 1));
        ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
    }
}

static void products(const kern *k)
{
    static const int64_t extents[] = {1, 2, 3, 4, 5, 6, 7, 11, 16, 20, 33, 50};
    srand(7);
    for (int kind = PRODUCT_LANE; kind <= PRODUCT_SUM; kind++)
        for (int i = 0; i < 40; i++)
            product_case(k, kind, TRI_NONE, i % 2, extents[rand() % 12], extents[rand() % 12], i == 7 ? 0 : extents[rand() % 12]);
    for (int i = 0; i < 12; i++) {
        product_case(k, PRODUCT_LANE, TRI_C_LOWER, 0, extents[i], extents[i], 9);
        product_case(k, PRODUCT_LANE, TRI_A_LOWER, i % 2, extents[i], 7, extents[i]);
        product_case(k, PRODUCT_LANE, TRI_A_UPPER, i % 2, extents[i], 20, extents[i]);
    }
}

START_TEST(product) { each_kern(products); }
END_TEST

/* Scores made by TRI_C_LOWER into memory that holds NaN are fit for TRI_A_LOWER and TRI_A_UPPER. */
static void triangles(const kern *k)
{
    for (int64_t T = 1; T < 40; T += 6) {
        const int64_t L = k->lanes, d = 3;
        void *Q = array(k, T * d * L, 1), *S = array(k, T * T * L, 1), *O = array(k, T * d * L, 1), *scratch = block(kern_product_scratch(k));
        for (int64_t i = 0; i < T * T * L; i++) set(k, S, i, NAN);
        k->product(k, scratch, PRODUCT_LANE, TRI_C_LOWER, 0, T, T, d, (mat){Q, d, 1}, (mat){Q, 1, d}, (mat){S, T, 1});
        k->product(k, scratch, PRODUCT_LANE, TRI_A_LOWER, 0, T, d, T, (mat){S, T, 1}, (mat){Q, d, 1}, (mat){O, d, 1});
        k->product(k, scratch, PRODUCT_LANE, TRI_A_UPPER, 1, T, d, T, (mat){S, 1, T}, (mat){Q, d, 1}, (mat){O, d, 1});
        ck_assert_int_eq(k->first_nonfinite(T * d * L, O), -1);
        free(Q), free(S), free(O), free(scratch);
    }
}

START_TEST(product_triangles) { each_kern(triangles); }
END_TEST

/* Rows of first + m + 1 scores; then the backward pass on the first N columns of them, of g = dO / z. */
static void softmax_case(const kern *k, int64_t first, int64_t N, double scale)
{
    const int64_t M = 19, n_o = 7, rs = M + first + 2, L = k->lanes, count = M * rs * L;
    void *S = array(k, count, 30), *p = block(count * k->size), *again = block(count * k->size), *dP = array(k, count, 1), *dS = block(count * k->size);
    void *edge = array(k, M * L, 1), *inverse = array(k, M * L, 1), *dot = array(k, M * L, 1), *O = array(k, M * n_o * L, 1), *dO = array(k, M * n_o * L, 1),
         *g = block(M * n_o * L * k->size);
    const double tolerance = k->size == 4 ? 4e-6 : 1e-14;      /* e^x carries the rounding of x, up to 42 */
    memcpy(p, S, (size_t)(count * k->size)), memcpy(again, S, (size_t)(count * k->size)), memcpy(dS, dP, (size_t)(count * k->size));
    memcpy(g, dO, (size_t)(M * n_o * L * k->size));
    k->softmax(M, first, scale, p, rs, edge, inverse);
    k->softmax_rows(M, first, n_o, inverse, O, n_o, g, n_o, dot);
    k->softmax_back(M, N, first, scale, edge, dot, again, dS, rs);
    for (int64_t m = 0; m < M; m++)
        for (int64_t l = 0; l < L; l++) {
            const int64_t n = first + m + 1;
            double top = -INFINITY, sum = 0, all = 0, product = 0;
            for (int64_t j = 0; j < n; j++) top = fmax(top, scale * get(k, S, (m * rs + j) * L + l));
            for (int64_t j = 0; j < n; j++) sum += exp(scale * get(k, S, (m * rs + j) * L + l) - top);
            for (int64_t j = 0; j < n_o; j++) {
                const int64_t at = (m * n_o + j) * L + l;
                ck_assert_double_le(fabs(get(k, g, at) - get(k, dO, at) / sum), tolerance);
                product += get(k, dO, at) / sum * get(k, O, at);
            }
            ck_assert_double_le(fabs(get(k, dot, m * L + l) - product), tolerance);
            for (int64_t j = 0; j < rs; j++) {
                const int64_t at = (m * rs + j) * L + l;
                const double e = exp(scale * get(k, S, at) - top);
                if (j < n) ck_assert_double_le(fabs(get(k, p, at) * get(k, inverse, m * L + l) - e / sum), tolerance * e + 1e-37);
                else ck_assert(get(k, p, at) == get(k, S, at));
                if (j < n) all += get(k, p, at);
                if (j >= n || j >= N) ck_assert(get(k, again, at) == get(k, S, at) && get(k, dS, at) == get(k, dP, at));
                else {
                    ck_assert_double_le(fabs(get(k, again, at) - e), tolerance * e + 1e-37);
                    ck_assert_double_le(fabs(get(k, dS, at) - scale * e * (get(k, dP, at) - get(k, dot, m * L + l))), tolerance);
                }
            }
            ck_assert_double_le(all, 1 + tolerance);           /* no sum of weights times values is larger than the largest value */
        }
    free(S), free(p), free(again), free(dP), free(dS), free(edge), free(inverse), free(dot), free(O), free(dO), free(g);
}

static void softmaxes(const kern *k)
{
    softmax_case(k, 5, 24, 0.7);
    softmax_case(k, 0, 19, -0.7);
    softmax_case(k, 40, 33, 0.2);
}

START_TEST(softmax) { each_kern(softmaxes); }
END_TEST

/* The first of what is not finite, wherever it stands, and nothing that is: whole blocks of vectors, vectors, and what is left. */
static void first_nonfinites(const kern *k)
{
    enum { N = 300 };
    const double most = k->size == 4 ? (double)FLT_MAX : DBL_MAX, least = k->size == 4 ? (double)FLT_TRUE_MIN : DBL_TRUE_MIN;
    const double finite[] = {most, -most, least, -0.0, 1}, bad[] = {NAN, INFINITY, -INFINITY};
    void *x = array(k, N, 1);
    for (int i = 0; i < N; i++) set(k, x, i, finite[i % 5]);
    for (int n = 0; n <= N; n++) ck_assert_int_eq(k->first_nonfinite(n, x), -1);
    for (int i = N - 1; i >= 0; i--) {
        set(k, x, i, bad[i % 3]);
        ck_assert_int_eq(k->first_nonfinite(N, x), i);
        ck_assert_int_eq(k->first_nonfinite(i, x), -1);
    }
    free(x);
}

START_TEST(nonfinite) { each_kern(first_nonfinites); }
END_TEST

/* n that is no multiple of the lanes; NaN passes through clips; what is behind the array stays. */
static void elementwise(const kern *k)
{
    enum { N = 37 };
    void *x = array(k, N + 1, 3), *y = array(k, N + 1, 3), *m = array(k, N + 1, 0.1), *v = array(k, N + 1, 0), *g = array(k, N + 1, 1);
    double x0[N + 1], y0[N + 1], m0[N + 1], g0[N + 1];
    const double eps = k->size == 4 ? 1e-6 : 1e-14;
    set(k, x, 5, NAN);
    for (int i = 0; i <= N; i++) x0[i] = get(k, x, i), y0[i] = get(k, y, i), m0[i] = get(k, m, i), g0[i] = get(k, g, i);
    ck_assert_int_eq(k->first_nonfinite(N, x), 5);
    ck_assert_int_eq(k->first_nonfinite(5, x), -1);
    k->residual(N, x, y, 2, y);
    for (int i = 0; i < N; i++) {
        const double e = x0[i] + y0[i];
        if (isnan(e)) ck_assert(isnan(get(k, y, i)));
        else ck_assert_double_le(fabs(get(k, y, i) - fmax(-2, fmin(2, e))), eps);
    }
    ck_assert(get(k, y, N) == y0[N]);
    k->residual_back(N, y, 2, g);
    for (int i = 0; i < N; i++) ck_assert(get(k, g, i) == (fabs(x0[i] + y0[i]) >= 2 ? 0 : g0[i]));
    for (int i = 0; i < N; i++) g0[i] = get(k, g, i), y0[i] = get(k, y, i);
    k->clamp(N, 1, y);
    for (int i = 0; i < N; i++) ck_assert(isnan(y0[i]) ? isnan(get(k, y, i)) : get(k, y, i) == fmax(-1, fmin(1, y0[i])));
    double squares = 0;
    for (int i = 0; i < N; i++) squares += g0[i] * g0[i];
    ck_assert_double_le(fabs(k->sum_squares(N, g) - squares), 1e-12 * squares);
    set(k, y, 5, 0.5);
    for (int i = 0; i < N; i++) y0[i] = get(k, y, i);
    k->adamw(N, y, g, m, v, 0.01, 0.9, 0.999, 1e-8, 0.1, 1 / (1 - 0.81), 1 / (1 - 0.998001));
    for (int i = 0; i < N; i++) {
        const double M = 0.9 * m0[i] + 0.1 * g0[i], V = 0.001 * g0[i] * g0[i];
        const double e = y0[i] - 0.01 * (M / (1 - 0.81) / (sqrt(V / (1 - 0.998001)) + 1e-8) + 0.1 * y0[i]);
        ck_assert_double_le(fabs(get(k, y, i) - e), 2 * eps * (1 + fabs(e - y0[i]) * 100));
    }
    free(x), free(y), free(m), free(v), free(g);
}

START_TEST(arrays) { each_kern(elementwise); }
END_TEST

/* A user's batch in any order of axes into a panel and back; lanes without a sequence are zero. */
static void panels(const kern *k)
{
    const int64_t T = 3, n = 2, L = k->lanes, valid = L > 1 ? L - 1 : 1, rs = 4;
    void *x = array(k, valid * T * n, 1), *panel = array(k, T * rs * L, 1), *back = array(k, valid * T * n, 1);
    k->load(k, T, n, valid, x, 1, valid * n, valid, panel, rs);                /* [t][feature][sequence] */
    for (int64_t t = 0; t < T; t++)
        for (int64_t j = 0; j < n; j++)
            for (int64_t l = 0; l < L; l++)
                ck_assert(get(k, panel, (t * rs + j) * L + l) == (l < valid ? get(k, x, (t * n + j) * valid + l) : 0));
    k->store(k, T, n, valid, panel, rs, back, T * n, n, 1);                    /* [sequence][t][feature] */
    for (int64_t l = 0; l < valid; l++)
        for (int64_t i = 0; i < T * n; i++) ck_assert(get(k, back, l * T * n + i) == get(k, x, i * valid + l));
    free(x), free(panel), free(back);
}

START_TEST(load_store) { each_kern(panels); }
END_TEST

/* A fixed tree: the parts summed in any number of pieces give the same bits. */
static void parts(const kern *k)
{
    enum { N = 50, COUNT = 13 };
    void *p = array(k, N * COUNT, 1), *whole = array(k, N, 1), *piece = array(k, N, 1);
    k->sum_parts(N, COUNT, N, p, whole);
    for (int i = 0; i < N; i += 7) k->sum_parts(i + 7 < N ? 7 : N - i, COUNT, N, (char *)p + i * k->size, (char *)piece + i * k->size);
    ck_assert_int_eq(memcmp(whole, piece, (size_t)(N * k->size)), 0);
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int c = 0; c < COUNT; c++) sum += get(k, p, c * N + i);
        ck_assert_double_le(fabs(sum - get(k, whole, i)), k->size == 4 ? 1e-6 : 1e-14);
    }
    free(p), free(whole), free(piece);
}

START_TEST(sums) { each_kern(parts); }
END_TEST

Suite *test_product_suite(void)
{
    Suite *s = suite_create("panel kernels");
    TCase *t = tcase_create("kernels");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, product);
    tcase_add_test(t, product_triangles);
    tcase_add_test(t, softmax);
    tcase_add_test(t, arrays);
    tcase_add_test(t, nonfinite);
    tcase_add_test(t, load_store);
    tcase_add_test(t, sums);
    suite_add_tcase(s, t);
    return s;
}
