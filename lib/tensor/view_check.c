/* Checks of the views that a call was given (view.h). */
#include "tensor/view.h"
#include <stdio.h>

static list_text list_of(int32_t ndim, const int64_t *values, int any)
{
    list_text l = {"["};
    char *p = l.text + 1, *end = l.text + sizeof l.text;
    for (int k = 0; k < ndim; k++)
        p += any && values[k] == ANY
                 ? snprintf(p, (size_t)(end - p), "%s*", k ? "," : "")
                 : snprintf(p, (size_t)(end - p), "%s%lld", k ? "," : "", (long long)values[k]);
    snprintf(p, (size_t)(end - p), "]");
    return l;
}

list_text view_list(int32_t ndim, const int64_t *values)
{
    return list_of(ndim, values, 0);
}

/* Also what is left when an extent of 0 is put aside: inner code multiplies some extents only. */
static int countable(const mesaopt_view *v)
{
    int64_t n = dtype_size(v->dtype);
    for (int k = 0; k < v->ndim; k++)
        if (!size_mul(n, v->shape[k] ? v->shape[k] : 1, &n)) return 0;
    return 1;
}

static mesaopt_status check_shape(mesaopt_ctx *ctx, const mesaopt_view *v, const view_want *want)
{
    if (v->ndim < 0 || v->ndim > MESAOPT_MAX_RANK)
        return fail(ctx, MESAOPT_E_SHAPE, "%s: rank %d, expected 0..%d", want->name, (int)v->ndim,
                    MESAOPT_MAX_RANK);
    int same = want->ndim == ANY || v->ndim == want->ndim;
    for (int k = 0; k < v->ndim; k++) {
        if (v->shape[k] < 0)
            return fail(ctx, MESAOPT_E_SHAPE, "%s: shape %s, expected extents >= 0", want->name,
                        view_list(v->ndim, v->shape).text);
        same &= want->ndim == ANY || k >= want->ndim || want->shape[k] == ANY ||
                want->shape[k] == v->shape[k];
    }
    if (same) return MESAOPT_OK;
    return fail(ctx, MESAOPT_E_SHAPE, "%s: shape %s, expected %s", want->name,
                view_list(v->ndim, v->shape).text, list_of(want->ndim, want->shape, 1).text);
}

static mesaopt_status check_dtype(mesaopt_ctx *ctx, const mesaopt_view *v, const view_want *want)
{
    int ok = want->dtype == ANY ? dtype_size(v->dtype) != 0
             : want->dtype      ? v->dtype == want->dtype
                                : v->dtype == MESAOPT_F32 || v->dtype == MESAOPT_F64;
    if (ok) return MESAOPT_OK;
    return fail(ctx, MESAOPT_E_DTYPE, "%s: dtype %d (%s), expected %s", want->name, (int)v->dtype,
                dtype_name(v->dtype),
                want->dtype == ANY ? "a known one"
                : want->dtype      ? dtype_name(want->dtype)
                                   : "f32 or f64");
}

static mesaopt_status check_output(mesaopt_ctx *ctx, const mesaopt_view *v, const view_want *want)
{
    if (v->flags & MESAOPT_VIEW_READONLY)
        return fail(ctx, MESAOPT_E_ARGUMENT, "%s: a READONLY view, expected one to write to",
                    want->name);
    if (!view_has_elements(v)) return MESAOPT_OK;
    for (int k = 0; k < v->ndim; k++)
        if (v->shape[k] > 1 && v->stride[k] < 0)
            return fail(ctx, MESAOPT_E_SHAPE,
                        "%s: strides %s, expected positive ones for an output", want->name,
                        view_list(v->ndim, v->stride).text);
    if (view_distinct(v)) return MESAOPT_OK;
    return fail(ctx, MESAOPT_E_OVERLAP,
                "%s: strides %s of shape %s, expected an output without shared elements",
                want->name, view_list(v->ndim, v->stride).text, view_list(v->ndim, v->shape).text);
}

/* Where the elements of a checked view lie, in the form of view.h. */
static mesaopt_view normal_form(const mesaopt_view *v)
{
    static const _Alignas(64) char nowhere[64];        /* never read or written */
    mesaopt_view own = *v;
    const int empty = !view_has_elements(v);
    if (empty) own.data = (void *)nowhere;
    for (int k = 0; k < MESAOPT_MAX_RANK; k++)
        if (empty || k >= v->ndim || v->shape[k] == 1) own.stride[k] = 0;
    return own;
}

static mesaopt_status check_memory(mesaopt_ctx *ctx, const mesaopt_view *v, const char *name)
{
    int64_t low, high;
    const int empty = !view_has_elements(v);
    if (empty && countable(v)) return MESAOPT_OK;
    if (!empty && !v->data)
        return fail(ctx, MESAOPT_E_ARGUMENT, "%s: data NULL, expected elements of shape %s", name,
                    view_list(v->ndim, v->shape).text);
    if (!empty && (uintptr_t)v->data % (uintptr_t)dtype_size(v->dtype))
        return fail(ctx, MESAOPT_E_ARGUMENT, "%s: data at %p, expected alignment to %d bytes", name,
                    v->data, (int)dtype_size(v->dtype));
    if (!empty && countable(v) && view_range(v, &low, &high)) return MESAOPT_OK;
    return fail(
        ctx, MESAOPT_E_SHAPE,
        "%s: shape %s with strides %s overflows, expected elements within the address space", name,
        view_list(v->ndim, v->shape).text, view_list(v->ndim, v->stride).text);
}

mesaopt_status view_check(mesaopt_ctx *ctx, const mesaopt_view *v, const view_want *want,
                          mesaopt_view *own)
{
    if (!v) return fail(ctx, MESAOPT_E_ARGUMENT, "%s: NULL, expected a view", want->name);
    if ((v->flags & ~MESAOPT_VIEW_READONLY) || v->reserved)
        return fail(ctx, MESAOPT_E_ARGUMENT,
                    "%s: flags 0x%x, reserved 0x%x, expected known flags and 0", want->name,
                    (unsigned)v->flags, (unsigned)v->reserved);
    mesaopt_status status = check_shape(ctx, v, want);
    if (status == MESAOPT_OK) status = check_dtype(ctx, v, want);
    if (status == MESAOPT_OK) status = check_memory(ctx, v, want->name);
    if (status == MESAOPT_OK && want->output) status = check_output(ctx, v, want);
    if (status == MESAOPT_OK) *own = normal_form(v);
    return status;
}

void views_begin(call_views *w, mesaopt_ctx *ctx)
{
    w->ctx = ctx;
    w->count = 0;
}

mesaopt_status views_take(call_views *w, const mesaopt_view **view, const view_want *want)
{
    const int i = w->count;
    const mesaopt_status status = view_check(w->ctx, *view, want, &w->own[i]);
    if (status != MESAOPT_OK) return status;
    w->name[i] = want->name, w->output[i] = want->output;
    w->count++;
    *view = &w->own[i];
    return MESAOPT_OK;
}

mesaopt_status view_apart(mesaopt_ctx *ctx, const mesaopt_view *output, const char *name,
                          const mesaopt_view *other, const char *other_name)
{
    if (!view_may_meet(output, other)) return MESAOPT_OK;
    return fail(ctx, MESAOPT_E_OVERLAP,
                "%s: may share elements with %s, expected an output of its own", name, other_name);
}

/* Each pair once: an output is compared with the outputs behind it and with all inputs. */
mesaopt_status views_apart(const call_views *w)
{
    mesaopt_status status = MESAOPT_OK;
    for (int i = 0; i < w->count; i++)
        for (int j = 0; w->output[i] && j < w->count && status == MESAOPT_OK; j++)
            if (!w->output[j] || j > i)
                status = view_apart(w->ctx, &w->own[i], w->name[i], &w->own[j], w->name[j]);
    return status;
}
