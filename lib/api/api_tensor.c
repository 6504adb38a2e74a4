/* mesaopt/tensor.h. */
#include "api/api_call.h"
#include "api/api_checks.h"
#include "tensor/view.h"
#include <string.h>

static void destroy(object *o)
{
    mesaopt_tensor *t = (mesaopt_tensor *)o;
    alloc_free(&o->ctx->alloc, t->owned);
    give_back(t->release, t->release_user);
}

mesaopt_status mesaopt_view_dense(void *data, int32_t dtype, int32_t ndim, const int64_t *shape,
                                  mesaopt_view *out)
{
    int64_t count = dtype_size(dtype);
    if (!out || !count || ndim < 0 || ndim > MESAOPT_MAX_RANK || (ndim > 0 && !shape))
        return MESAOPT_E_ARGUMENT;
    mesaopt_view v = {.data = data, .ndim = ndim, .dtype = dtype};
    int64_t stride = 1;
    int empty = 0;
    for (int k = ndim - 1; k >= 0; k--) {
        int64_t extent = shape[k] ? shape[k] : 1;      /* a zero extent makes no stride 0 */
        empty |= shape[k] == 0;
        v.shape[k] = shape[k];
        v.stride[k] = stride;
        if (!size_mul(stride, extent, &stride) || !size_mul(count, extent, &count))
            return MESAOPT_E_ARGUMENT;
    }
    if (!data && !empty) return MESAOPT_E_ARGUMENT;
    *out = v;
    return MESAOPT_OK;
}

static mesaopt_status create(mesaopt_ctx *ctx, int32_t dtype, int32_t ndim, const int64_t *shape,
                             mesaopt_tensor **out)
{
    if (!out) return check_not_null(ctx, out, "out");
    if (!dtype_size(dtype))
        return fail(ctx, MESAOPT_E_DTYPE, "dtype: %d, expected MESAOPT_F32 or another known one",
                    (int)dtype);
    if (ndim < 0 || ndim > MESAOPT_MAX_RANK)
        return fail(ctx, MESAOPT_E_SHAPE, "ndim: %d, expected 0..%d", (int)ndim, MESAOPT_MAX_RANK);
    if (ndim > 0 && !shape) return check_not_null(ctx, shape, "shape");
    for (int k = 0; k < ndim; k++)
        if (shape[k] < 0)
            return fail(ctx, MESAOPT_E_SHAPE, "shape: %s, expected extents >= 0",
                        view_list(ndim, shape).text);
    mesaopt_view v;
    if (mesaopt_view_dense(ctx, dtype, ndim, shape, &v) != MESAOPT_OK)
        return fail(ctx, MESAOPT_E_SHAPE,
                    "shape: %s of %s overflows, expected a size that fits into 63 bits",
                    view_list(ndim, shape).text, dtype_name(dtype));
    mesaopt_tensor *t = object_new(ctx, OBJECT_TENSOR, sizeof *t, destroy);
    if (!t) return MESAOPT_E_MEMORY;
    t->view = v;
    t->view.data = t->owned = alloc_new(&ctx->alloc, view_count(&v), dtype_size(dtype));
    if (!t->owned) {
        object_release(&t->head);
        return fail(ctx, MESAOPT_E_MEMORY, "memory: no %lld elements of %s for a tensor",
                    (long long)view_count(&v), dtype_name(dtype));
    }
    *out = t;
    return MESAOPT_OK;
}

mesaopt_status mesaopt_tensor_create(mesaopt_ctx *ctx, int32_t dtype, int32_t ndim,
                                     const int64_t *shape, mesaopt_tensor **out)
{
    call c;
    const mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c);
    return status == MESAOPT_OK ? ctx_leave(&c, create(ctx, dtype, ndim, shape, out)) : status;
}

mesaopt_status tensor_wrap(mesaopt_ctx *ctx, const mesaopt_view *view, mesaopt_release_fn release,
                           void *user, mesaopt_tensor **out)
{
    if (!out) return check_not_null(ctx, out, "out");
    mesaopt_view own;
    mesaopt_status status =
        view_check(ctx, view, &(view_want){.name = "view", .ndim = ANY, .dtype = ANY}, &own);
    if (status != MESAOPT_OK) return status;
    mesaopt_tensor *t = object_new(ctx, OBJECT_TENSOR, sizeof *t, destroy);
    if (!t) return MESAOPT_E_MEMORY;
    t->view = *view;
    t->release = release;
    t->release_user = user;
    *out = t;
    return MESAOPT_OK;
}

mesaopt_status mesaopt_tensor_wrap(mesaopt_ctx *ctx, const mesaopt_view *view,
                                   mesaopt_release_fn release, void *user, mesaopt_tensor **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(tensor_wrap(ctx, view, release, user, out));
    return ctx_leave(&c, status);
}

mesaopt_status mesaopt_tensor_view(const mesaopt_tensor *tensor, mesaopt_view *out)
{
    const mesaopt_status status = check_kind(OBJECT_TENSOR, tensor);
    if (status != MESAOPT_OK) return status;
    if (!out) return check_not_null(tensor->head.ctx, out, "out");
    *out = tensor->view;
    return MESAOPT_OK;
}

static mesaopt_status copy(mesaopt_ctx *ctx, const mesaopt_view *src, const mesaopt_view *dst)
{
    call_views w;
    views_begin(&w, ctx);
    mesaopt_status status =
        views_take(&w, &src, &(view_want){.name = "src", .ndim = ANY, .dtype = ANY});
    if (status != MESAOPT_OK) return status;
    view_want want = {.name = "dst", .ndim = src->ndim, .dtype = ANY, .output = 1};
    memcpy(want.shape, src->shape, sizeof want.shape);
    status = views_take(&w, &dst, &want);
    if (status == MESAOPT_OK && !view_copyable(src->dtype, dst->dtype))
        return fail(ctx, MESAOPT_E_DTYPE,
                    "dst: dtype %s, expected one that %s converts to (f32, f64; integers to their "
                    "own type)",
                    dtype_name(dst->dtype), dtype_name(src->dtype));
    CHECK(views_apart(&w));
    if (status == MESAOPT_OK) view_copy_while(ctx, src, dst);
    CHECK(ctx_stopped(ctx, "copy"));
    return status;
}

mesaopt_status mesaopt_tensor_copy(mesaopt_ctx *ctx, const mesaopt_view *src,
                                   const mesaopt_view *dst)
{
    call c;
    const mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c);
    return status == MESAOPT_OK ? ctx_leave(&c, copy(ctx, src, dst)) : status;
}

mesaopt_status mesaopt_tensor_free(mesaopt_tensor *tensor)
{
    return object_free(tensor, OBJECT_TENSOR);
}
