/* Views and tensors. Overlap is checked against an oracle that marks every byte; copies against element-wise arithmetic of the test's own. */
#include "hook_alloc.h"
#include "mesaopt/mesaopt.h"
#include "tensor/view.h"

#include <check.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#undef fail                        /* Check's; here it is the library's */

static mesaopt_ctx *ctx;

static void setup(void) { ck_assert_int_eq(mesaopt_ctx_create(NULL, &ctx), MESAOPT_OK); }
static void teardown(void) { mesaopt_ctx_free(ctx); }

static const char *error_text(void)
{
    static char text[512];
    mesaopt_ctx_error(ctx, text, sizeof text);
    return text;
}

static uint64_t state = 88172645463325252u;
static int64_t draw(int64_t low, int64_t high)         /* low..high */
{
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    return low + (int64_t)(state >> 11) % (high - low + 1);
}

static mesaopt_view view_of(void *data, int32_t dtype, int32_t ndim, const int64_t *shape, const int64_t *stride)
{
    mesaopt_view v = {.data = data, .ndim = ndim, .dtype = dtype};
    memcpy(v.shape, shape, sizeof *shape * (size_t)ndim);
    memcpy(v.stride, stride, sizeof *stride * (size_t)ndim);
    return v;
}

/* ---- checks ---- */

static void check_view(const mesaopt_view *v, view_want want, mesaopt_status status, const char *text)
{
    mesaopt_view own;
    want.name = "keys";
    fail(ctx, MESAOPT_OK, "%s", "");
    ck_assert_int_eq(view_check(ctx, v, &want, &own), status);
    ck_assert_str_eq(error_text(), text);
}

START_TEST(views_that_are_refused)
{
    float block[64];
    const int64_t shape[] = {4, 2, 3}, stride[] = {6, 3, 1};
    const mesaopt_view good = view_of(block, MESAOPT_F32, 3, shape, stride);
    const view_want any = {.ndim = 3, .shape = {ANY, ANY, ANY}}, out = {.ndim = 3, .shape = {ANY, ANY, ANY}, .output = 1};
    mesaopt_view v = good;
    check_view(&v, any, MESAOPT_OK, "");
    check_view(&v, out, MESAOPT_OK, "");
    check_view(NULL, any, MESAOPT_E_ARGUMENT, "keys: NULL, expected a view");
    check_view(&v, (view_want){.ndim = 3, .shape = {4, ANY, 5}}, MESAOPT_E_SHAPE, "keys: shape [4,2,3], expected [4,*,5]");
    check_view(&v, (view_want){.ndim = 2, .shape = {4, 6}}, MESAOPT_E_SHAPE, "keys: shape [4,2,3], expected [4,6]");
    check_view(&v, (view_want){.ndim = 3, .shape = {4, 2, 3}, .dtype = MESAOPT_F64}, MESAOPT_E_DTYPE, "keys: dtype 1 (f32), expected f64");
    v.dtype = MESAOPT_I32;
    check_view(&v, any, MESAOPT_E_DTYPE, "keys: dtype 3 (i32), expected f32 or f64");
    v.dtype = 77;
    check_view(&v, (view_want){.ndim = ANY, .dtype = ANY}, MESAOPT_E_DTYPE, "keys: dtype 77 (?), expected a known one");
    v = good, v.ndim = 7;
    check_view(&v, (view_want){.ndim = ANY}, MESAOPT_E_SHAPE, "keys: rank 7, expected 0..6");
    v.ndim = -1;
    check_view(&v, any, MESAOPT_E_SHAPE, "keys: rank -1, expected 0..6");
    v = good, v.shape[1] = -1;
    check_view(&v, any, MESAOPT_E_SHAPE, "keys: shape [4,-1,3], expected extents >= 0");
    v = good, v.flags = 6;
    check_view(&v, any, MESAOPT_E_ARGUMENT, "keys: flags 0x6, reserved 0x0, expected known flags and 0");
    v = good, v.reserved = 1;
    check_view(&v, any, MESAOPT_E_ARGUMENT, "keys: flags 0x0, reserved 0x1, expected known flags and 0");
    v = good, v.data = NULL;
    check_view(&v, any, MESAOPT_E_ARGUMENT, "keys: data NULL, expected elements of shape [4,2,3]");
    v.shape[1] = 0;
    check_view(&v, out, MESAOPT_OK, "");
    v = good, v.data = (void *)0x1002;
    check_view(&v, any, MESAOPT_E_ARGUMENT, "keys: data at 0x1002, expected alignment to 4 bytes");
    v = good, v.flags = MESAOPT_VIEW_READONLY;
    check_view(&v, any, MESAOPT_OK, "");
    check_view(&v, out, MESAOPT_E_ARGUMENT, "keys: a READONLY view, expected one to write to");
    v = good, v.stride[0] = 0, v.stride[1] = -3, v.data = block + 3;
    check_view(&v, any, MESAOPT_OK, "");
    check_view(&v, out, MESAOPT_E_SHAPE, "keys: strides [0,-3,1], expected positive ones for an output");
    v.stride[1] = 3;
    check_view(&v, out, MESAOPT_E_OVERLAP, "keys: strides [0,3,1] of shape [4,2,3], expected an output without shared elements");
    v.shape[0] = 1;
    check_view(&v, out, MESAOPT_OK, "");               /* the stride of a single element does not matter */
}
END_TEST

static mesaopt_status checked(const mesaopt_view *v, int output)
{
    mesaopt_view own;
    return view_check(ctx, v, &(view_want){.name = "x", .ndim = ANY, .output = output}, &own);
}

START_TEST(views_that_overflow)
{
    float block[4];
    static const struct { int64_t shape[3], stride[3]; } bad[] = {
        {{1ll << 40, 1ll << 40, 1}, {0, 0, 0}}, {{1ll << 62, 1, 1}, {1, 1, 1}}, {{3, 1, 1}, {INT64_MAX, 1, 1}}, {{3, 1, 1}, {INT64_MIN, 1, 1}},
        {{2, 1, 1}, {-(1ll << 61), 1, 1}}, {{1ll << 59, 1, 1}, {1, 1, 1}}, {{2, 2, 1}, {1ll << 60, 1ll << 60, 1}}, {{1ll << 50, 1, 1}, {-1, 1, 1}}, {{INT64_MAX, INT64_MAX, INT64_MAX}, {1, 1, 1}}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        mesaopt_view v = view_of(block, MESAOPT_F32, 3, bad[i].shape, bad[i].stride);
        ck_assert_int_eq(checked(&v, 0), MESAOPT_E_SHAPE);
        ck_assert_ptr_nonnull(strstr(error_text(), "overflows"));
        v.shape[2] = 0;                                /* without elements no address can overflow, but the other extents can */
        ck_assert_int_eq(view_count(&v), 0);
        const __int128 rest = (__int128)v.shape[0] * v.shape[1];
        ck_assert_int_eq(checked(&v, 1), rest <= INT64_MAX / 4 ? MESAOPT_OK : MESAOPT_E_SHAPE);
    }
    mesaopt_view v = view_of(block, MESAOPT_F32, 1, (int64_t[]){1ll << 50}, (int64_t[]){0});
    ck_assert_int_eq(checked(&v, 0), MESAOPT_OK);      /* one element, repeated */
    v.data = (void *)(uintptr_t)0xfffffffffffffffcu;
    ck_assert_int_eq(checked(&v, 0), MESAOPT_E_SHAPE);
}
END_TEST

/* What inner code gets: the same elements, and no stride or address that it could trip over. */
START_TEST(checked_views_can_be_walked)
{
    static const int64_t wild[] = {0, 1, -1, 7, INT64_MAX, INT64_MIN, 1ll << 60, -(1ll << 60)};
    double block[24];
    for (int round = 0; round < 4000; round++) {
        const int64_t shape[] = {draw(0, 2), draw(0, 2), draw(0, 2)};
        mesaopt_view v = view_of(block + 12, MESAOPT_F64, 3, shape, (int64_t[]){1, 3, -4}), own;
        for (int k = 0; k < 3; k++)
            if (shape[k] < 2 || view_count(&v) == 0) v.stride[k] = wild[draw(0, 7)];
        if (view_count(&v) == 0) v.data = draw(0, 1) ? NULL : (void *)(uintptr_t)3;
        ck_assert_int_eq(view_check(ctx, &v, &(view_want){.name = "x", .ndim = 3, .shape = {ANY, ANY, ANY}}, &own), MESAOPT_OK);
        ck_assert(own.dtype == v.dtype && own.flags == v.flags && memcmp(own.shape, v.shape, sizeof v.shape) == 0);
        ck_assert((uintptr_t)own.data % 8 == 0 && own.data != NULL);
        if (view_count(&v) > 0) ck_assert_ptr_eq(own.data, v.data);
        for (int k = 0; k < 3; k++) ck_assert_int_eq(own.stride[k], shape[k] > 1 && view_count(&v) > 0 ? v.stride[k] : 0);
    }
}
END_TEST

/* ---- overlap ---- */

enum { ROOM = 1024 };

/* Adds `mark` to every byte of every element; returns the highest count. */
static int mark(unsigned char *bytes, const mesaopt_view *v, const char *base)
{
    int64_t index[6] = {0}, size = dtype_size(v->dtype);
    int most = 0;
    for (int64_t left = view_count(v); left > 0; left--) {
        int64_t at = (char *)v->data - base;
        for (int k = 0; k < v->ndim; k++) at += index[k] * v->stride[k] * size;
        ck_assert(at >= 0 && at + size <= ROOM);
        for (int64_t b = 0; b < size; b++)
            if (++bytes[at + b] > most) most = bytes[at + b];
        for (int k = v->ndim - 1; k >= 0 && ++index[k] == v->shape[k]; k--) index[k] = 0;
    }
    return most;
}

static mesaopt_view random_view(char *base, int64_t lowest_stride)
{
    for (;;) {
        mesaopt_view v = {.ndim = (int32_t)draw(0, 4), .dtype = (int32_t)draw(1, 6)};
        int64_t size = dtype_size(v.dtype), low, high;
        v.data = base + draw(0, ROOM / size - 1) * size;
        for (int k = 0; k < v.ndim; k++) v.shape[k] = draw(draw(0, 9) == 0 ? 0 : 1, 4), v.stride[k] = draw(lowest_stride, draw(0, 1) ? 4 : 20);
        if (view_count(&v) == 0) return v;
        ck_assert(view_range(&v, &low, &high));
        if (low >= (int64_t)(intptr_t)base && high <= (int64_t)(intptr_t)base + ROOM) return v;
    }
}

/* Small views are decided exactly, both ways. */
START_TEST(overlap_is_decided_as_marking_bytes_does)
{
    static _Alignas(64) char base[ROOM];
    unsigned char bytes[ROOM];
    int met = 0, apart = 0, same = 0;
    for (int trial = 0; trial < 20000; trial++) {
        mesaopt_view a = random_view(base, -20), b = random_view(base, -20);
        if (draw(0, 2)) {                              /* close to each other and mostly of the same strides, to make it difficult */
            b = a;
            b.data = (char *)a.data + draw(-12, 12) * dtype_size(a.dtype);
            for (int k = 0; k < b.ndim; k++)
                if (draw(0, 3) == 0) b.shape[k] = draw(1, 4);
            int64_t low, high;
            if (view_count(&b) && (!view_range(&b, &low, &high) || low < (int64_t)(intptr_t)base || high > (int64_t)(intptr_t)base + ROOM)) continue;
        }
        memset(bytes, 0, sizeof bytes);
        mark(bytes, &a, base);
        for (int i = 0; i < ROOM; i++) bytes[i] = bytes[i] != 0;
        unsigned char only_b[ROOM] = {0};
        mark(only_b, &b, base);
        int truth = 0;
        for (int i = 0; i < ROOM; i++) truth |= bytes[i] && only_b[i];
        ck_assert_int_eq(view_may_meet(&a, &b), truth);
        ck_assert_int_eq(view_may_meet(&b, &a), truth);
        met += truth, apart += !truth;
    }
    for (int trial = 0; trial < 20000; trial++) {     /* one view with itself: "distinct" must be true, "not" may be caution */
        mesaopt_view a = random_view(base, 0);
        if (view_count(&a) == 0) continue;
        memset(bytes, 0, sizeof bytes);
        int truth = mark(bytes, &a, base) <= 1;
        if (view_distinct(&a)) ck_assert(truth);
        same += truth && view_distinct(&a);
    }
    ck_assert(met > 2000 && apart > 2000 && same > 2000);
}
END_TEST

static mesaopt_status apart(const mesaopt_view *out, const mesaopt_view *in)
{
    return view_apart(ctx, out, "out", in, "in");
}

/* Slices of packed activations [B, T, 3, H, d], [B, T, H, 3 d], of sizes at which nobody counts elements. */
START_TEST(packed_slices_are_apart)
{
    float *data = (float *)(uintptr_t)4096;            /* never read */
    const int64_t B = 4096, T = 4096, H = 64, d = 65;
    const int64_t shape[] = {B, T, H, d}, outer[] = {3 * T * H * d, 3 * H * d, d, 1}, inner[] = {3 * T * H * d, 3 * H * d, 3 * d, 1};
    for (int64_t i = 0; i < 3; i++)
        for (int64_t j = 0; j < 3; j++) {
            mesaopt_view a = view_of(data + i * H * d, MESAOPT_F32, 4, shape, outer), b = view_of(data + j * H * d, MESAOPT_F32, 4, shape, outer);
            ck_assert_int_eq(apart(&a, &b), i == j ? MESAOPT_E_OVERLAP : MESAOPT_OK);
            a = view_of(data + i * d, MESAOPT_F32, 4, shape, inner), b = view_of(data + j * d, MESAOPT_F32, 4, shape, inner);
            ck_assert_int_eq(apart(&a, &b), i == j ? MESAOPT_E_OVERLAP : MESAOPT_OK);
            b.data = data + j * d + 1;
            ck_assert_int_eq(apart(&a, &b), i == j || i == (j + 1) % 3 ? MESAOPT_E_OVERLAP : MESAOPT_OK);       /* 2 d + 1 .. 3 d: into the next head */
        }
    mesaopt_view q = view_of(data, MESAOPT_F32, 4, shape, inner), v = view_of(data + 2 * d, MESAOPT_F32, 4, (int64_t[]){B, T, H, d / 2}, inner);
    ck_assert_int_eq(apart(&q, &v), MESAOPT_OK);       /* another extent, the same grid */
    mesaopt_view wide = view_of(data + d, MESAOPT_F32, 4, (int64_t[]){B, T, H, 2 * d + 1}, inner);
    ck_assert_int_eq(apart(&q, &wide), MESAOPT_E_OVERLAP);
    ck_assert_str_eq(error_text(), "out: may share elements with in, expected an output of its own");
    mesaopt_view column = view_of(data, MESAOPT_F32, 3, (int64_t[]){B, T, H}, inner), rest = view_of(data + 1, MESAOPT_F32, 4, (int64_t[]){B, T, H, d - 1}, inner);
    ck_assert_int_eq(apart(&column, &rest), MESAOPT_OK);
    mesaopt_view as_f64 = view_of(data + 2 * d + 1, MESAOPT_F64, 4, (int64_t[]){1, 1, 1, 1}, inner);
    ck_assert_int_eq(apart(&as_f64, &q), MESAOPT_OK);
    as_f64.data = data + 3 * d - 1;                    /* its second half is the first element of the next head */
    ck_assert_int_eq(apart(&as_f64, &q), MESAOPT_E_OVERLAP);
}
END_TEST

/* Of outputs dq and dk, inputs q and k, each 8 of a block of 32. */
static mesaopt_status apart_at(double *dq, double *dk, double *q, double *k)
{
    double *data[] = {q, dq, k, dk};
    static const char *const name[] = {"q", "dq", "k", "dk"};
    call_views w;
    views_begin(&w, ctx);
    for (int i = 0; i < 4; i++) {
        const mesaopt_view v = view_of(data[i], MESAOPT_F64, 1, (int64_t[]){8}, (int64_t[]){1}), *p = &v;
        ck_assert_int_eq(views_take(&w, &p, &(view_want){.name = name[i], .ndim = 1, .shape = {8}, .output = i % 2}), MESAOPT_OK);
        ck_assert_ptr_eq(p, &w.own[i]);
    }
    return views_apart(&w);
}

START_TEST(overlap_names_the_pair)
{
    double x[32];
    ck_assert_int_eq(apart_at(x, x + 8, x + 16, x + 24), MESAOPT_OK);
    ck_assert_int_eq(apart_at(x, x + 8, x + 16, x + 16), MESAOPT_OK);      /* inputs may share */
    ck_assert_int_eq(apart_at(x, x + 8, x + 15, x + 15), MESAOPT_E_OVERLAP);
    ck_assert_str_eq(error_text(), "dk: may share elements with q, expected an output of its own");
    ck_assert_int_eq(apart_at(x, x + 7, x + 16, x + 24), MESAOPT_E_OVERLAP);
    ck_assert_str_eq(error_text(), "dq: may share elements with dk, expected an output of its own");
}
END_TEST

/* Many axes of unrelated strides: the search ends, on the side of caution. */
START_TEST(overlap_search_is_bounded)
{
    double *data = (double *)(uintptr_t)(1ull << 40);
    const int64_t a_stride[] = {1009, 1013, 1019, 1021, 1031, 1033}, b_stride[] = {-1039, 1049, 1051, -1061, 1063, 1069}, shape[] = {999, 999, 999, 999, 999, 999};
    mesaopt_view a = view_of(data, MESAOPT_F64, 6, shape, a_stride), b = view_of(data + 7, MESAOPT_F64, 6, shape, b_stride);
    ck_assert_int_eq(apart(&a, &b), MESAOPT_E_OVERLAP);
}
END_TEST

/* ---- copies ---- */

static double half_oracle(uint16_t h)
{
    double sign = h & 0x8000 ? -1 : 1;
    int e = h >> 10 & 31, m = h & 1023;
    if (e == 31) return m ? NAN : sign * INFINITY;
    return sign * (e ? ldexp(1024 + m, e - 25) : ldexp(m, -24));
}

static double bfloat_oracle(uint16_t b)
{
    double sign = b & 0x8000 ? -1 : 1;
    int e = b >> 7 & 255, m = b & 127;
    if (e == 255) return m ? NAN : sign * INFINITY;
    return sign * (e ? ldexp(128 + m, e - 134) : ldexp(m, -133));
}

START_TEST(sixteen_bit_types)
{
    static uint16_t in[65536];
    static double f64[65536];
    static float f32[65536];
    for (int i = 0; i < 65536; i++) in[i] = (uint16_t)i;
    const int64_t shape[] = {65536}, stride[] = {1};
    for (int bf = 0; bf < 2; bf++) {
        mesaopt_view src = view_of(in, bf ? MESAOPT_BF16 : MESAOPT_F16, 1, shape, stride), d = view_of(f64, MESAOPT_F64, 1, shape, stride),
                     s = view_of(f32, MESAOPT_F32, 1, shape, stride);
        ck_assert_int_eq(mesaopt_tensor_copy(ctx, &src, &d), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_tensor_copy(ctx, &src, &s), MESAOPT_OK);
        for (int i = 0; i < 65536; i++) {
            double expected = bf ? bfloat_oracle((uint16_t)i) : half_oracle((uint16_t)i), as_f32 = f32[i];
            if (isnan(expected)) {
                ck_assert(isnan(f64[i]) && isnan(f32[i]));
                continue;
            }
            ck_assert_msg(!memcmp(&expected, &f64[i], 8) && !memcmp(&expected, &as_f32, 8), "0x%04x: %g, %g, expected %g", (unsigned)i, f64[i], as_f32, expected);
        }
    }
}
END_TEST

static double load(const void *p, int32_t dtype, int64_t i)
{
    switch (dtype) {
    case MESAOPT_F32: return ((const float *)p)[i];
    case MESAOPT_F64: return ((const double *)p)[i];
    case MESAOPT_I32: return ((const int32_t *)p)[i];
    default: return (double)((const int64_t *)p)[i];
    }
}

static void save(void *p, int32_t dtype, int64_t i, double x)
{
    switch (dtype) {
    case MESAOPT_F32: ((float *)p)[i] = (float)x; break;
    case MESAOPT_F64: ((double *)p)[i] = x; break;
    case MESAOPT_I32: ((int32_t *)p)[i] = (int32_t)x; break;
    default: ((int64_t *)p)[i] = (int64_t)x;
    }
}

/* Any rank, order of axes, gap, zero and negative input strides; what lies between the elements of dst stays. */
START_TEST(strided_copies)
{
    static const int32_t pairs[][2] = {{MESAOPT_F32, MESAOPT_F32}, {MESAOPT_F32, MESAOPT_F64}, {MESAOPT_F64, MESAOPT_F32}, {MESAOPT_F64, MESAOPT_F64},
                                       {MESAOPT_I32, MESAOPT_I32}, {MESAOPT_I64, MESAOPT_I64}};
    enum { COUNT = 8192, MIDDLE = 2048 };
    static double from[COUNT], to[COUNT];
    for (int trial = 0; trial < 3000; trial++) {
        const int32_t *pair = pairs[draw(0, 5)];
        mesaopt_view src = {.dtype = pair[0], .ndim = (int32_t)draw(0, 6), .flags = MESAOPT_VIEW_READONLY}, dst = {.dtype = pair[1], .ndim = src.ndim};
        int order[6] = {0, 1, 2, 3, 4, 5};
        for (int k = src.ndim - 1; k > 0; k--) {
            int j = (int)draw(0, k), keep = order[k];
            order[k] = order[j], order[j] = keep;
        }
        int64_t step = draw(1, 2);
        for (int k = 0; k < src.ndim; k++) {
            src.shape[k] = draw(draw(0, 15) == 0 ? 0 : 1, 3);
            src.stride[k] = draw(-60, 60);
        }
        memcpy(dst.shape, src.shape, sizeof dst.shape);
        for (int k = 0; k < src.ndim; k++) {
            dst.stride[order[k]] = step;
            step *= (dst.shape[order[k]] ? dst.shape[order[k]] : 1) + draw(0, 9) / 9;
        }
        src.data = (char *)from + MIDDLE * dtype_size(src.dtype), dst.data = (char *)to + dtype_size(dst.dtype);
        for (int64_t i = 0; i < 2 * MIDDLE; i++) save(from, src.dtype, i, (double)(i - 17) * 3);
        for (int64_t i = 0; i < 4096; i++) save(to, dst.dtype, i, -5);
        ck_assert_msg(mesaopt_tensor_copy(ctx, &src, &dst) == MESAOPT_OK, "%s", error_text());
        int64_t index[6] = {0}, written = 0;
        for (int64_t left = view_count(&src); left > 0; left--, written++) {
            int64_t a = MIDDLE, b = 1;
            for (int k = 0; k < src.ndim; k++) a += index[k] * src.stride[k], b += index[k] * dst.stride[k];
            ck_assert(load(to, dst.dtype, b) == load(from, src.dtype, a));
            ck_assert(view_get(&src, index) == load(from, src.dtype, a));
            for (int k = src.ndim - 1; k >= 0 && ++index[k] == src.shape[k]; k--) index[k] = 0;
        }
        for (int64_t i = 0; i < 4096; i++) written -= load(to, dst.dtype, i) != -5;
        ck_assert_int_eq(written, 0);
    }
}
END_TEST

START_TEST(rounding_to_f32)
{
    double in[] = {1.0 / 3, 1e300, -1e300, 1e-46, 5e-324, NAN, -0.0, 16777217};
    float out[8];
    mesaopt_view src = view_of(in, MESAOPT_F64, 1, (int64_t[]){8}, (int64_t[]){1}), dst = view_of(out, MESAOPT_F32, 1, (int64_t[]){8}, (int64_t[]){1});
    ck_assert_int_eq(mesaopt_tensor_copy(ctx, &src, &dst), MESAOPT_OK);
    ck_assert(out[0] == 0x1.555556p-2f && out[1] == INFINITY && out[2] == -INFINITY && out[3] == 0 && out[4] == 0 && isnan(out[5]) && signbit(out[6]) && out[7] == 16777216);
}
END_TEST

START_TEST(nonfinite_elements_are_found)
{
    float block[24] = {0};
    mesaopt_view v = view_of(block + 23, MESAOPT_F32, 3, (int64_t[]){2, 3, 4}, (int64_t[]){-1, -8, -2});
    int64_t index[6];
    ck_assert_int_eq(view_first_nonfinite(&v, index), 0);
    block[23 - 1 - 16 - 2] = INFINITY;
    ck_assert_int_eq(view_first_nonfinite(&v, index), 1);
    ck_assert(index[0] == 1 && index[1] == 2 && index[2] == 1);
    block[23 - 16 - 6] = NAN;
    ck_assert_int_eq(view_first_nonfinite(&v, index), 1);
    ck_assert(index[0] == 0 && index[1] == 2 && index[2] == 3);
}
END_TEST

/* ---- tensors ---- */

START_TEST(dense_views)
{
    mesaopt_view v;
    ck_assert_uint_eq(sizeof v, 120);                  /* frozen */
    float x;
    ck_assert_int_eq(mesaopt_view_dense(&x, MESAOPT_F32, 3, (int64_t[]){4, 0, 5}, &v), MESAOPT_OK);
    ck_assert(v.stride[2] == 1 && v.stride[1] == 5 && v.stride[0] == 5);
    ck_assert_int_eq(mesaopt_view_dense(&x, MESAOPT_BF16, 3, (int64_t[]){4, 3, 5}, &v), MESAOPT_OK);
    ck_assert(v.stride[2] == 1 && v.stride[1] == 5 && v.stride[0] == 15 && v.ndim == 3 && v.dtype == MESAOPT_BF16 && v.flags == 0 && v.reserved == 0);
    ck_assert_int_eq(mesaopt_view_dense(&x, MESAOPT_F64, 0, NULL, &v), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_view_dense(NULL, MESAOPT_F64, 1, (int64_t[]){0}, &v), MESAOPT_OK);
}
END_TEST

static void count_release(void *user) { ++*(int *)user; }

START_TEST(owned_and_wrapped)
{
    mesaopt_tensor *t = NULL, *w = NULL;
    mesaopt_view v;
    int released = 0;
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F64, 2, (int64_t[]){3, 5}, &t), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_view(t, &v), MESAOPT_OK);
    ck_assert(v.shape[0] == 3 && v.shape[1] == 5 && v.stride[0] == 5 && v.stride[1] == 1 && v.dtype == MESAOPT_F64);
    for (int i = 0; i < 15; i++) ck_assert(((double *)v.data)[i] == 0);
    v.flags = MESAOPT_VIEW_READONLY;
    ck_assert_int_eq(mesaopt_tensor_wrap(ctx, &v, count_release, &released, &w), MESAOPT_OK);
    mesaopt_view back;
    ck_assert_int_eq(mesaopt_tensor_view(w, &back), MESAOPT_OK);
    ck_assert_mem_eq(&back, &v, sizeof v);
    ck_assert_int_eq(mesaopt_tensor_free(w), MESAOPT_OK);
    ck_assert_int_eq(released, 1);
    v.ndim = 9;
    ck_assert_int_eq(mesaopt_tensor_wrap(ctx, &v, count_release, &released, &w), MESAOPT_E_SHAPE);
    ck_assert_int_eq(released, 1);
    ck_assert_int_eq(mesaopt_tensor_free(t), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 2, (int64_t[]){0, 5}, &t), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_free(t), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_create(ctx, MESAOPT_F32, 0, NULL, &t), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_free(t), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_tensor_free(NULL), MESAOPT_OK);
}
END_TEST

START_TEST(out_of_memory)
{
    hook_alloc hook = {0};
    mesaopt_settings *s;
    mesaopt_ctx *c = NULL;
    mesaopt_tensor *t = NULL;
    int released = 0;
    double x = 0;
    mesaopt_view v;
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_CTX, hook_alloc_fn, &hook, &s), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_create(s, &c), MESAOPT_OK);
    mesaopt_view_dense(&x, MESAOPT_F64, 0, NULL, &v);
    for (long n = 1; n <= 2; n++) {
        hook.fail_at = hook.calls + n;
        ck_assert_int_eq(mesaopt_tensor_create(c, MESAOPT_F64, 1, (int64_t[]){100}, &t), MESAOPT_E_MEMORY);
        ck_assert_ptr_null(t);
        char text[512];
        mesaopt_ctx_error(c, text, sizeof text);
        ck_assert_ptr_nonnull(strstr(text, "memory"));
    }
    hook.fail_at = hook.calls + 1;
    ck_assert_int_eq(mesaopt_tensor_wrap(c, &v, count_release, &released, &t), MESAOPT_E_MEMORY);
    ck_assert_int_eq(released, 0);
    hook.fail_at = 0;
    ck_assert_int_eq(mesaopt_tensor_create(c, MESAOPT_F64, 1, (int64_t[]){100}, &t), MESAOPT_OK);
    mesaopt_settings_free(s);
    mesaopt_ctx_free(c);
    mesaopt_tensor_free(t);
    ck_assert_int_eq(hook.blocks, 0);
    ck_assert_int_eq(hook.bytes, 0);
}
END_TEST

Suite *test_tensor_suite(void)
{
    Suite *s = suite_create("tensor");
    TCase *t = tcase_create("tensor");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, views_that_are_refused);
    tcase_add_test(t, views_that_overflow);
    tcase_add_test(t, checked_views_can_be_walked);
    tcase_add_test(t, overlap_is_decided_as_marking_bytes_does);
    tcase_add_test(t, packed_slices_are_apart);
    tcase_add_test(t, overlap_names_the_pair);
    tcase_add_test(t, overlap_search_is_bounded);
    tcase_add_test(t, sixteen_bit_types);
    tcase_add_test(t, strided_copies);
    tcase_add_test(t, rounding_to_f32);
    tcase_add_test(t, nonfinite_elements_are_found);
    tcase_add_test(t, dense_views);
    tcase_add_test(t, owned_and_wrapped);
    tcase_add_test(t, out_of_memory);
    suite_add_tcase(s, t);
    return s;
}
