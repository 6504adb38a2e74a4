/* The large product against a plain triple loop, exactly: operands are small integers, so that every sum is exact in both types. */
#include "kern/simd_gemm.h"
#include "mesaopt/mesaopt.h"
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum layout { ROWS, COLUMNS, STRIDED };

typedef struct mesh { int32_t dtype; int64_t count; void *block; mat view; } mesh;

static double get(const mesh *x, int64_t i, int64_t j)
{
    int64_t at = i * x->view.rs + j * x->view.cs;
    return x->dtype == MESAOPT_F64 ? ((const double *)x->view.p)[at] : (double)((const float *)x->view.p)[at];
}

static void set(const mesh *x, int64_t at, double value)
{
    if (x->dtype == MESAOPT_F64) ((double *)x->block)[at] = value;
    else ((float *)x->block)[at] = (float)value;
}

static uint32_t next_random(uint32_t *state) { return *state = *state * 1664525u + 1013904223u; }

/* Rows x columns small integers amid NaN: around, and between for STRIDED. */
static mesh mesh_new(int32_t dtype, int64_t rows, int64_t columns, enum layout layout, uint32_t *seed)
{
    int64_t rs = layout == ROWS ? columns + 3 : layout == COLUMNS ? 1 : 2 * columns + 1;
    int64_t cs = layout == ROWS ? 1 : layout == COLUMNS ? rows + 5 : 2;
    int64_t margin = 64, count = 2 * margin + rows * rs + columns * cs, size = dtype == MESAOPT_F64 ? 8 : 4;
    mesh x = {dtype, count, malloc((size_t)(count * size)), {NULL, rs, cs}};
    ck_assert_ptr_nonnull(x.block);
    for (int64_t i = 0; i < count; i++) set(&x, i, NAN);
    x.view.p = (char *)x.block + margin * size;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) set(&x, margin + i * rs + j * cs, (double)(next_random(seed) >> 28) - 7);
    return x;
}

static void mesh_poke(const mesh *x, int64_t i, int64_t j, double value) { set(x, 64 + i * x->view.rs + j * x->view.cs, value); }

static double expected(const mesh *a, const mesh *b, const mesh *before, enum triangle tri, int accumulate, int64_t i, int64_t j, int64_t K)
{
    if (tri == TRI_C_LOWER && j > i) return 0;
    double sum = accumulate ? get(before, i, j) : 0;
    int64_t low = tri == TRI_A_UPPER ? i : 0, high = tri == TRI_A_LOWER ? i + 1 : K;
    for (int64_t k = low; k < high; k++) sum += get(a, i, k) * get(b, k, j);
    return sum;
}

typedef struct trial { gemm g; kern k; char *scratch; int64_t bytes; } trial;

static trial trial_new(int32_t isa, int32_t dtype, int portable)
{
    static const atomic_int never = 0;
    trial t = {.k = {.isa = isa, .dtype = dtype, .lanes = 1, .stop = &never}};
    ck_assert(portable ? gemm_portable(&t.g, isa, dtype) : gemm_init(&t.g, isa, dtype));
    t.bytes = gemm_scratch(&t.g);
    ck_assert_int_le(t.bytes, 4 << 20);
    t.scratch = aligned_alloc(64, (size_t)t.bytes);
    ck_assert_ptr_nonnull(t.scratch);
    memset(t.scratch, 0xff, (size_t)t.bytes);          /* NaN */
    return t;
}

/* Small products stay within small scratch. */
static void run_product(trial *t, enum product_kind kind, enum triangle tri, int accumulate, int64_t M, int64_t N, int64_t K, mat A, mat B, mat C)
{
    enum { MARK = 0xff, MARKS = 1 << 14 };             /* NaN */
    const int64_t within = gemm_scratch_up_to(&t->g, M > N ? M : N, K), beyond = t->bytes - within;
    const int64_t marks = beyond < MARKS ? beyond : MARKS;
    int64_t written = 0;
    ck_assert_int_ge(beyond, 0);
    memset(t->scratch + within, MARK, (size_t)marks);
    gemm_product(&t->k, t->scratch, kind, tri, accumulate, M, N, K, A, B, C);
    for (int64_t i = 0; i < marks; i++) written += (unsigned char)t->scratch[within + i] != MARK;
    ck_assert_int_eq(written, 0);
}

/* One product; A's excluded triangle holds NaN, and C does too unless it is added to. */
static void check_product(trial *t, enum product_kind kind, enum triangle tri, int accumulate, int64_t M, int64_t N, int64_t K,
                          const enum layout *layout, uint32_t *seed)
{
    t->k.gemm = &t->g;
    mesh a = mesh_new(t->k.dtype, M, K, layout[0], seed), b = mesh_new(t->k.dtype, K, N, layout[1], seed);
    uint32_t same = *seed;
    mesh c = mesh_new(t->k.dtype, M, N, layout[2], seed), before = mesh_new(t->k.dtype, M, N, layout[2], &same);
    for (int64_t i = 0; i < M; i++)
        for (int64_t k = 0; k < K; k++)
            if ((tri == TRI_A_LOWER && k > i) || (tri == TRI_A_UPPER && k < i)) mesh_poke(&a, i, k, NAN);
    for (int64_t i = 0; i < M && !accumulate; i++)
        for (int64_t j = 0; j < N; j++) mesh_poke(&c, i, j, NAN);
    run_product(t, kind, tri, accumulate, M, N, K, a.view, b.view, c.view);
    for (int64_t i = 0; i < M; i++)
        for (int64_t j = 0; j < N; j++) {
            double want = expected(&a, &b, &before, tri, accumulate, i, j, K), got = get(&c, i, j);
            if (want != got)
                ck_abort_msg("isa %d dtype %d kind %d tri %d accumulate %d, %lld x %lld x %lld, layouts %d %d %d: C[%lld,%lld] = %g, expected %g",
                             t->k.isa, t->k.dtype, (int)kind, (int)tri, accumulate, (long long)M, (long long)N, (long long)K,
                             layout[0], layout[1], layout[2], (long long)i, (long long)j, got, want);
            mesh_poke(&c, i, j, NAN);
        }
    int64_t touched = 0;                               /* around and between */
    for (int64_t i = 0; i < c.count; i++)
        touched += !isnan(c.dtype == MESAOPT_F64 ? ((double *)c.block)[i] : (double)((float *)c.block)[i]);
    ck_assert_int_eq(touched, 0);
    free(a.block), free(b.block), free(c.block), free(before.block);
}

/* Loop test over ISA level, type, and BLIS's or our own micro-kernel; a level that the CPU lacks passes untested. */
static int trial_of(int item, trial *t)
{
    int32_t isa = 1 + item / 4;
    if (isa > kern_isa_best() || !kern_isa_built(isa)) return 0;
    *t = trial_new(isa, item / 2 % 2 ? MESAOPT_F64 : MESAOPT_F32, item % 2);
    return 1;
}
enum { TRIALS = 12 };

static const enum layout layouts[][3] = {
    {ROWS, ROWS, ROWS}, {ROWS, COLUMNS, ROWS}, {COLUMNS, ROWS, ROWS}, {COLUMNS, COLUMNS, COLUMNS}, {ROWS, ROWS, COLUMNS},
    {STRIDED, STRIDED, STRIDED}, {STRIDED, ROWS, COLUMNS},
};
enum { LAYOUTS = sizeof layouts / sizeof *layouts };

START_TEST(every_shape_and_stride)
{
    static const int64_t shapes[][3] = {
        {1, 1, 1}, {1, 40, 20}, {40, 1, 20}, {2, 3, 5}, {7, 13, 9}, {20, 50, 20}, {32, 12, 64}, {33, 29, 31}, {64, 64, 64},
        {65, 17, 130}, {6, 16, 1}, {37, 61, 0}, {0, 5, 5}, {5, 0, 5},
    };
    trial t;
    uint32_t seed = 1;
    if (!trial_of(_i, &t)) return;
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int l = 0; l < LAYOUTS; l++)
            for (int kind = PRODUCT_LANE; kind <= PRODUCT_SUM; kind++)
                for (int accumulate = 0; accumulate < 2; accumulate++)
                    check_product(&t, (enum product_kind)kind, TRI_NONE, accumulate, shapes[s][0], shapes[s][1], shapes[s][2], layouts[l], &seed);
    free(t.scratch);
}
END_TEST

START_TEST(triangles)
{
    static const int64_t sizes[] = {1, 2, 7, 16, 33, 50, 64, 97, 131};
    trial t;
    uint32_t seed = 2;
    if (!trial_of(_i, &t)) return;
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int l = 0; l < LAYOUTS; l++)
            for (int accumulate = 0; accumulate < 2; accumulate++) {
                check_product(&t, PRODUCT_LANE, TRI_C_LOWER, accumulate, sizes[s], sizes[s], 20, layouts[l], &seed);
                check_product(&t, PRODUCT_LANE, TRI_C_LOWER, accumulate, sizes[s], sizes[s], 0, layouts[l], &seed);
                check_product(&t, PRODUCT_LANE, TRI_A_LOWER, accumulate, sizes[s], 20, sizes[s], layouts[l], &seed);
                check_product(&t, PRODUCT_LANE, TRI_A_UPPER, accumulate, sizes[s], 20, sizes[s], layouts[l], &seed);
            }
    free(t.scratch);
}
END_TEST

/* Several cache blocks along every dimension. */
START_TEST(many_blocks)
{
    trial t;
    uint32_t seed = 3;
    if (!trial_of(_i, &t)) return;
    t.g.mc = 2 * t.g.mr, t.g.nc = 3 * t.g.nr, t.g.kc = 24;
    for (int l = 0; l < LAYOUTS; l += 2)
        for (int accumulate = 0; accumulate < 2; accumulate++) {
            check_product(&t, PRODUCT_LANE, TRI_NONE, accumulate, 131, 109, 53, layouts[l], &seed);
            check_product(&t, PRODUCT_LANE, TRI_C_LOWER, accumulate, 131, 131, 31, layouts[l], &seed);
            check_product(&t, PRODUCT_LANE, TRI_A_LOWER, accumulate, 131, 50, 131, layouts[l], &seed);
            check_product(&t, PRODUCT_LANE, TRI_A_UPPER, accumulate, 131, 50, 131, layouts[l], &seed);
        }
    free(t.scratch);
}
END_TEST

/* The blocks that products really use. */
START_TEST(full_blocks)
{
    trial t;
    uint32_t seed = 4;
    if (!trial_of(_i, &t)) return;
    check_product(&t, PRODUCT_LANE, TRI_NONE, 0, t.g.mc + 1, t.g.nr + 1, 2 * t.g.kc + 1, layouts[0], &seed);
    check_product(&t, PRODUCT_LANE, TRI_NONE, 1, t.g.mr + 1, t.g.nc + 1, t.g.kc + 1, layouts[0], &seed);
    free(t.scratch);
}
END_TEST

/* Inputs whose rows or columns are all one and the same (stride 0). */
START_TEST(stride_zero)
{
    trial t;
    if (!trial_of(_i, &t)) return;
    t.k.gemm = &t.g;
    for (int f64 = t.k.dtype == MESAOPT_F64, turn = 0; turn < 2; turn++) {
        float a32[20], b32[30], c32[10 * 30];
        double a64[20], b64[30], c64[10 * 30];
        for (int i = 0; i < 20; i++) a32[i] = (float)(a64[i] = i - 7);
        for (int i = 0; i < 30; i++) b32[i] = (float)(b64[i] = 3 - i);
        mat A = {f64 ? (void *)a64 : a32, turn ? 1 : 0, turn ? 0 : 1}, B = {f64 ? (void *)b64 : b32, 0, 1}, C = {f64 ? (void *)c64 : c32, 30, 1};
        gemm_product(&t.k, t.scratch, PRODUCT_SHARED, TRI_NONE, 0, 10, 30, 20, A, B, C);
        for (int i = 0; i < 10; i++)
            for (int j = 0; j < 30; j++) {
                double want = turn ? 20. * (i - 7) * (3 - j) : 50. * (3 - j), got = f64 ? c64[30 * i + j] : (double)c32[30 * i + j];
                ck_assert_msg(want == got, "%g, expected %g", got, want);
            }
    }
    free(t.scratch);
}
END_TEST

/* Inexact sums: an element of C has the same bits whatever the strides and whatever part of C is asked for. */
START_TEST(same_bits_however_cut)
{
    trial t;
    uint32_t seed = 5;
    if (!trial_of(_i, &t)) return;
    t.k.gemm = &t.g;
    enum { M = 45, N = 41 };
    int64_t K = 2 * t.g.kc + 5, size = t.g.size;
    mesh a = mesh_new(t.k.dtype, M, K, ROWS, &seed), b = mesh_new(t.k.dtype, K, N, ROWS, &seed);
    mesh whole = mesh_new(t.k.dtype, M, N, ROWS, &seed), part = mesh_new(t.k.dtype, M, N, COLUMNS, &seed);
    for (int64_t k = 0; k < K; k++) {
        for (int64_t i = 0; i < M; i++) mesh_poke(&a, i, k, (double)(next_random(&seed) >> 8) / (1 << 20) - 8);
        for (int64_t j = 0; j < N; j++) mesh_poke(&b, k, j, (double)(next_random(&seed) >> 8) / (1 << 20) - 8);
    }
    gemm_product(&t.k, t.scratch, PRODUCT_LANE, TRI_NONE, 0, M, N, K, a.view, b.view, whole.view);
    for (int rows = 1; rows <= M; rows = rows < 6 ? rows + 1 : 3 * rows) {
        for (int64_t i = 0; i < M; i += rows) {
            mat A = {(char *)a.view.p + i * a.view.rs * size, a.view.rs, a.view.cs};
            mat C = {(char *)part.view.p + i * part.view.rs * size, part.view.rs, part.view.cs};
            gemm_product(&t.k, t.scratch, PRODUCT_LANE, TRI_NONE, 0, rows < M - i ? rows : M - i, N, K, A, b.view, C);
        }
        int64_t differ = 0;
        for (int64_t i = 0; i < M; i++)
            for (int64_t j = 0; j < N; j++) differ += get(&whole, i, j) != get(&part, i, j);
        ck_assert_msg(differ == 0, "isa %d dtype %d: %lld elements differ in parts of %d rows", t.k.isa, t.k.dtype, (long long)differ, rows);
    }
    free(a.block), free(b.block), free(whole.block), free(part.block), free(t.scratch);
}
END_TEST

static void backwards(void (*body)(void *job, int64_t i), void *job, int64_t n, void *user)
{
    (void)user;
    while (n-- > 0) body(job, n);
}

/* Threads, and a host's loop that runs backwards, give the bits of gemm_product; rows and columns are cut, with and without triangles. */
START_TEST(parallel_is_serial)
{
    static const int64_t shapes[][3] = {{900, 130, 70}, {130, 900, 70}, {800, 20, 800}, {420, 420, 33}, {0, 5, 5}, {5, 0, 5}, {3, 1000, 40}};
    uint32_t seed = 6;
    for (int run = 0; run < 4; run++) {
        mesaopt_settings *settings = NULL;
        mesaopt_ctx *ctx = NULL;
        ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_CTX, NULL, NULL, &settings), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_settings_set_int(settings, MESAOPT_KEY_THREADS, run < 3 ? run + 1 : 2), MESAOPT_OK);
        if (run == 3) ck_assert_int_eq(mesaopt_settings_set_parallel(settings, backwards, NULL, NULL), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_ctx_create(settings, &ctx), MESAOPT_OK);
        mesaopt_settings_free(settings);
        for (int item = 0; item < 2 * (int)(sizeof shapes / sizeof *shapes); item++) {
            const int64_t *n = shapes[item / 2];
            const kern *k = kern_get(ctx, item % 2 ? MESAOPT_F64 : MESAOPT_F32, 1);
            void *scratch = aligned_alloc(64, (size_t)(3 * gemm_scratch(k->gemm)));
            for (int tri = TRI_NONE; tri <= TRI_A_UPPER; tri++) {
                if ((tri == TRI_C_LOWER && n[0] != n[1]) || (tri > TRI_C_LOWER && n[0] != n[2])) continue;
                mesh a = mesh_new(k->dtype, n[0], n[2], ROWS, &seed), b = mesh_new(k->dtype, n[2], n[1], ROWS, &seed);
                mesh c = mesh_new(k->dtype, n[0], n[1], ROWS, &seed), d = mesh_new(k->dtype, n[0], n[1], ROWS, &seed);
                for (int64_t i = 0; i < n[0]; i++)
                    for (int64_t j = 0; j < n[2]; j++) mesh_poke(&a, i, j, (double)(next_random(&seed) >> 8) / (1 << 20) - 8);
                gemm_product(k, scratch, PRODUCT_LANE, (enum triangle)tri, 0, n[0], n[1], n[2], a.view, b.view, c.view);
                gemm_parallel(ctx, k, scratch, (enum triangle)tri, 0, n[0], n[1], n[2], a.view, b.view, d.view);
                int64_t differ = 0;
                for (int64_t i = 0; i < n[0]; i++)
                    for (int64_t j = 0; j < n[1]; j++) differ += get(&c, i, j) != get(&d, i, j);
                ck_assert_msg(differ == 0, "run %d, %lld x %lld, tri %d: %lld elements differ", run, (long long)n[0], (long long)n[1], tri,
                              (long long)differ);
                free(a.block), free(b.block), free(c.block), free(d.block);
            }
            free(scratch);
        }
        ck_assert_int_eq(mesaopt_ctx_free(ctx), MESAOPT_OK);
    }
}
END_TEST

Suite *test_gemm_suite(void)
{
    Suite *s = suite_create("gemm");
    TCase *t = tcase_create("gemm");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, every_shape_and_stride, 0, TRIALS);
    tcase_add_loop_test(t, triangles, 0, TRIALS);
    tcase_add_loop_test(t, many_blocks, 0, TRIALS);
    tcase_add_loop_test(t, full_blocks, 0, TRIALS);
    tcase_add_loop_test(t, stride_zero, 0, TRIALS);
    tcase_add_loop_test(t, same_bits_however_cut, 0, TRIALS);
    suite_add_tcase(s, t);
    t = tcase_create("parallel");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, parallel_is_serial);
    suite_add_tcase(s, t);
    return s;
}
