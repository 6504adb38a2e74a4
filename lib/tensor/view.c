/* Where the elements of a view lie, and access to them for code that is not hot (view.h).
 *
 * They lie at data + size sum_k i_k stride_k, 0 <= i_k < shape_k: between the sums over the
 * negative and over the positive strides. A checked view lies in [0, 2^60), and its elements can be
 * counted in an int64_t: sums of a few reaches cannot overflow, and nobody has to check again. */
#include "tensor/view.h"
#include <float.h>
#include <string.h>

static const int64_t ADDRESS_END = 1ll << 60;

int view_has_elements(const mesaopt_view *v)
{
    for (int k = 0; k < v->ndim; k++)
        if (v->shape[k] == 0) return 0;
    return 1;
}

int64_t view_count(const mesaopt_view *view)
{
    /* the other extents may not fit together when one is 0 */
    int64_t n = view_has_elements(view);
    for (int k = 0; n && k < view->ndim; k++) n *= view->shape[k];
    return n;
}

int view_range(const mesaopt_view *view, int64_t *low, int64_t *high)
{
    int64_t size = dtype_size(view->dtype), lowest = (int64_t)(intptr_t)view->data,
            highest = lowest;
    if (lowest < 0 || __builtin_add_overflow(highest, size, &highest)) return 0;
    for (int k = 0; k < view->ndim; k++) {
        int64_t reach;
        if (__builtin_mul_overflow(view->shape[k] - 1, view->stride[k], &reach) ||
            __builtin_mul_overflow(reach, size, &reach) ||
            __builtin_add_overflow(reach < 0 ? lowest : highest, reach,
                                   reach < 0 ? &lowest : &highest))
            return 0;
    }
    *low = lowest, *high = highest;
    return lowest >= 0 && highest <= ADDRESS_END;
}

static char *element(const mesaopt_view *view, const int64_t *index)
{
    int64_t offset = 0;
    for (int k = 0; k < view->ndim; k++) offset += index[k] * view->stride[k];
    return (char *)view->data + offset * dtype_size(view->dtype);
}

mesaopt_view view_take(arena *a, int32_t dtype, int64_t B, int64_t T, int64_t n)
{
    int64_t rows = -1, count = -1;
    if (!size_mul(B, T, &rows) || !size_mul(rows, n, &count)) count = -1;
    return (mesaopt_view){.data = arena_take(a, count, dtype_size(dtype)),
                          .shape = {B, T, n},
                          .stride = {T * n, n, 1},
                          .ndim = 3,
                          .dtype = dtype};
}

double view_get(const mesaopt_view *view, const int64_t *index)
{
    const void *p = element(view, index);
    switch (view->dtype) {
    case MESAOPT_F32: return *(const float *)p;
    case MESAOPT_F64: return *(const double *)p;
    case MESAOPT_I32: return *(const int32_t *)p;
    case MESAOPT_I64: return (double)*(const int64_t *)p;
    case MESAOPT_BOOL: return *(const uint8_t *)p != 0;
    case MESAOPT_F16: return half_value(*(const uint16_t *)p);
    default: return bfloat_value(*(const uint16_t *)p);
    }
}

void view_set(const mesaopt_view *view, const int64_t *index, double x)
{
    void *p = element(view, index);
    if (view->dtype == MESAOPT_F32) *(float *)p = (float)x;
    else *(double *)p = x;
}

#define OUTSIDE(type, name) \
    static int64_t name(const type *x, int64_t n, int64_t stride, type low, type high) \
    { \
        int outside = 0; \
        if (stride == 1) \
            for (int64_t i = 0; i < n; i++) outside |= !(x[i] >= low) | !(x[i] <= high); \
        else \
            for (int64_t i = 0; i < n; i++) \
                outside |= !(x[i * stride] >= low) | !(x[i * stride] <= high); \
        if (outside) \
            for (int64_t i = 0; i < n; i++) \
                if (!(x[i * stride] >= low && x[i * stride] <= high)) return i; \
        return -1; \
    }
OUTSIDE(float, outside_f32)
OUTSIDE(double, outside_f64)

int view_first_outside(const mesaopt_view *view, double low, double high, int64_t *index)
{
    memset(index, 0, sizeof *index * MESAOPT_MAX_RANK);
    mesaopt_view rows = *view;
    const int64_t n = view->ndim ? view->shape[view->ndim - 1] : 1,
                  stride = view->ndim ? view->stride[view->ndim - 1] : 1;
    if (rows.ndim) rows.ndim--;
    for (int64_t left = n > 0 ? view_count(&rows) : 0; left > 0; left--) {
        const void *x = element(&rows, index);
        const int64_t at = view->dtype == MESAOPT_F32
                               ? outside_f32(x, n, stride, (float)low, (float)high)
                               : outside_f64(x, n, stride, low, high);
        if (at >= 0) {
            if (view->ndim) index[view->ndim - 1] = at;
            return 1;
        }
        view_next(&rows, index);
    }
    return 0;
}

int view_first_nonfinite(const mesaopt_view *view, int64_t *index)
{
    const double most = view->dtype == MESAOPT_F32 ? (double)FLT_MAX : DBL_MAX;
    return view_first_outside(view, -most, most, index);
}

void view_next(const mesaopt_view *view, int64_t *index)
{
    for (int k = view->ndim - 1; k >= 0; k--) {
        if (++index[k] < view->shape[k]) return;
        index[k] = 0;
    }
}
