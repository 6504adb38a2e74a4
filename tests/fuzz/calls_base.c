/* Random calls on views, tensors, random numbers and gradient checks. */
#include "calls.h"
#include <mesaopt/dlpack.h>
#include <stdlib.h>
#include <string.h>

/* ---- tensors ---- */

static void call_view_dense(void)
{
    const int32_t type = chance(8) ? (int32_t)any_integer() : real_type(), ndim = (int32_t)few();
    const int64_t shape[6] = {few(), few(), few(), few(), few(), few()};
    void *data = chance(8) ? NULL : memory(8);
    const int64_t *extents = chance(20) ? NULL : shape;
    mesaopt_view *out = view_out();
    CALL(CTX, NULL, mesaopt_view_dense(data, type, ndim, extents, out));
}

static void call_tensor_create(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const int32_t type = real_type();
    const int table = chance(3);       /* [T, 2], or [B, 6, 2] */
    const int64_t shape[6] = {at_least_one(), table ? 2 : 6, 2, few(), 1, 1};
    const int32_t ndim = chance(4) ? (int32_t)few() : table ? 2 : 3;
    mesaopt_tensor **out = (mesaopt_tensor **)fresh(TENSOR);
    CALL(CTX, ctx, mesaopt_tensor_create(ctx, type, ndim, chance(50) ? NULL : shape, out));
}

static void release(void *user) { free(user); }

static void call_tensor_wrap(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const int64_t n = extent(), T = extent(), m = extent();
    double *block = calloc((size_t)((n + 1) * (T + 1) * (m + 1)), sizeof *block);     /* also for one with fewer axes */
    mesaopt_view view;
    mesaopt_view_dense(block, MESAOPT_F64, 3, (int64_t[]){n, T, m}, &view);
    if (chance(8)) view.dtype = real_type();
    if (chance(8)) view.stride[below(3)] = 0;
    if (chance(8)) view.ndim = (int32_t)few();
    mesaopt_tensor **out = (mesaopt_tensor **)fresh(TENSOR);
    if (CALL(CTX, ctx, mesaopt_tensor_wrap(ctx, &view, release, block, out)) < 0) free(block);
}

static void call_tensor_view(void)
{
    const mesaopt_tensor *tensor = handle(TENSOR);
    mesaopt_view *out = view_out(), view = {.ndim = -1};
    if (CALL(TENSOR, tensor, mesaopt_tensor_view(tensor, out ? &view : NULL)) == MESAOPT_OK) scribble(&view);
}

static void call_tensor_copy(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const int64_t shape[6] = {extent(), extent(), extent(), 1, 1, extent()};
    const int32_t types[] = {MESAOPT_F64, MESAOPT_F32, MESAOPT_I32, MESAOPT_I64, MESAOPT_F16, MESAOPT_BF16}, ndim = (int32_t)below(4) + (chance(8) ? 3 : 0);
    const int32_t from = types[below(6)], to = chance(2) ? from : types[below(2)];
    const mesaopt_view *src = input(REALS, from, ndim, shape), *dst = output(to, ndim, shape);
    promise(MAY_BE_NAN);
    CALL(CTX, ctx, mesaopt_tensor_copy(ctx, src, dst));
}

/* A managed tensor of our own, now and then with something wrong; the facts of DLPack as in lib/tensor/managed.h. */
typedef struct managed {
    uint32_t major, minor;
    void *owner;
    void (*deleter)(struct managed *);
    uint64_t flags;
    struct { void *data; int32_t device, id, ndim; uint8_t code, bits; uint16_t lanes; int64_t *shape, *strides; uint64_t offset; } array;
    int64_t shape[6], strides[6];
    double elements[60];
} managed;
static void delete_managed(managed *m) { free(m); }

static managed *any_managed(void)
{
    managed *m = calloc(1, sizeof *m);
    m->major = chance(8) ? (uint32_t)few() : 1;
    m->flags = chance(2);
    m->deleter = delete_managed;
    m->array.data = m->elements;
    m->array.device = chance(8) ? (int32_t)few() : 1;
    m->array.ndim = chance(8) ? (int32_t)few() : 3;
    m->array.code = chance(8) ? (uint8_t)few() : 2;
    m->array.bits = chance(8) ? 16 : 64;
    m->array.lanes = chance(8) ? 2 : 1;
    m->array.shape = m->shape;
    m->array.strides = chance(2) ? m->strides : NULL;
    memcpy(m->shape, (int64_t[6]){3, 5, 4, 1, 1, 1}, sizeof m->shape);
    memcpy(m->strides, (int64_t[6]){20, 4, 1, 1, 1, 1}, sizeof m->strides);
    return m;
}

static void call_dlpack_view(void)
{
    managed *m = any_managed();
    mesaopt_view view;
    mesaopt_view *out = chance(20) ? NULL : &view;
    CALL(CTX, NULL, mesaopt_dlpack_view(chance(20) ? NULL : m, 1, out));
    free(m);
}

static void call_dlpack_import(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    managed *m = any_managed();
    mesaopt_tensor **out = (mesaopt_tensor **)fresh(TENSOR);
    if (CALL(CTX, ctx, mesaopt_dlpack_import(ctx, m, 1, out)) < 0) free(m);
}

static void call_dlpack_export(void)
{
    mesaopt_tensor *tensor = handle(TENSOR);
    void *out = NULL;
    if (CALL(TENSOR, tensor, mesaopt_dlpack_export(tensor, 1, chance(20) ? NULL : &out)) == MESAOPT_OK) ((managed *)out)->deleter(out);
}

/* ---- random numbers ---- */

static void call_rng_philox(void)
{
    const uint32_t counter[4] = {below(9)}, key[2] = {below(9)};
    uint32_t out[4];
    CALL(CTX, NULL, mesaopt_rng_philox(chance(20) ? NULL : counter, key, chance(20) ? NULL : out));
}

static void call_rng_uniform(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const uint64_t seed = (uint64_t)any_integer(), first = (uint64_t)any_integer();
    const uint32_t stream = (uint32_t)any_integer();
    const double low = chance(4) ? any_number() : -1, high = chance(4) ? any_number() : 1;
    const int64_t shape[6] = {extent(), extent(), extent(), 1, 2, 1};
    const mesaopt_view *out = output(real_type(), 1 + (int32_t)below(4), shape);
    CALL(CTX, ctx, mesaopt_rng_uniform(ctx, seed, stream, first, low, high, out));
}

static void call_rng_normal(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const uint64_t seed = (uint64_t)any_integer(), first = (uint64_t)any_integer();
    const uint32_t stream = (uint32_t)any_integer();
    const double mean = chance(4) ? any_number() : 0, sd = chance(4) ? any_number() : 1;
    const int64_t shape[6] = {extent(), extent(), extent(), 1, 2, 1};
    const mesaopt_view *out = output(real_type(), 1 + (int32_t)below(4), shape);
    CALL(CTX, ctx, mesaopt_rng_normal(ctx, seed, stream, first, mean, sd, out));
}

static void call_rng_orthogonal(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const uint64_t seed = (uint64_t)any_integer(), first = (uint64_t)any_integer();
    const int64_t n = extent(), m = chance(20) ? extent() : n;
    const mesaopt_view *out = OUT(real_type(), extent(), n, m);
    CALL(CTX, ctx, mesaopt_rng_orthogonal(ctx, seed, 1, first, out));
}

/* ---- gradient checks ---- */

/* Half the sum of squares of x, which is dense. */
static int32_t half_squares(double *loss, void *user)
{
    const mesaopt_view *x = user;
    *loss = 0;
    for (int64_t i = 0; i < x->shape[0]; i++) {
        const double y = x->dtype == MESAOPT_F32 ? (double)((float *)x->data)[i] : ((double *)x->data)[i];
        *loss += y * y / 2;
    }
    if (chance(30)) *loss = any_number();
    return in_callback();
}

static void call_grad_check(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    const int64_t n = below(5);
    const int32_t type = chance(2) ? MESAOPT_F64 : MESAOPT_F32;
    mesaopt_view x;
    mesaopt_view_dense(memory(8 * n + 8), type, 1, &n, &x);
    fill(&(mesaopt_view){.data = x.data, .ndim = 1, .dtype = type, .shape = {n}, .stride = {1}});
    const mesaopt_view *gradient = IN(type, n);
    const double h = chance(4) ? any_number() : 1e-2;
    double *error = number_out();
    CALL(CTX, ctx, mesaopt_grad_check(ctx, half_squares, &x, &x, gradient, h, error));
}

const row rows_base[] = {
    {"view_dense", call_view_dense}, {"tensor_create", call_tensor_create}, {"tensor_wrap", call_tensor_wrap}, {"tensor_view", call_tensor_view}, {"tensor_copy", call_tensor_copy},
    {"dlpack_view", call_dlpack_view}, {"dlpack_import", call_dlpack_import}, {"dlpack_export", call_dlpack_export}, {"rng_philox", call_rng_philox},
    {"rng_uniform", call_rng_uniform}, {"rng_normal", call_rng_normal}, {"rng_orthogonal", call_rng_orthogonal}, {"grad_check", call_grad_check}, {0},
};
