/* Copies between views with conversion of the element type. 16-bit types are read only. */
#include "tensor/view.h"
#include <string.h>

#define ROW(S, D, VALUE) { \
        const S *from = src; \
        D *to = dst; \
        for (int64_t i = 0; i < n; i++) to[i * ds] = (D)VALUE(from[i * ss]); \
        return; \
    }
#define SAME(x) (x)
#define TRUTH(x) ((x) != 0)
#define PAIR(s, d) ((s) * 8 + (d))

/* n elements with their strides */
static void copy_row(int64_t n, const void *src, int32_t from_type, int64_t ss, void *dst,
                     int32_t to_type, int64_t ds)
{
    switch (PAIR(from_type, to_type)) {
    case PAIR(MESAOPT_F32, MESAOPT_F32): ROW(float, float, SAME)
    case PAIR(MESAOPT_F32, MESAOPT_F64): ROW(float, double, SAME)
    case PAIR(MESAOPT_F64, MESAOPT_F32): ROW(double, float, SAME)
    case PAIR(MESAOPT_F64, MESAOPT_F64): ROW(double, double, SAME)
    case PAIR(MESAOPT_F16, MESAOPT_F32): ROW(uint16_t, float, half_value)
    case PAIR(MESAOPT_F16, MESAOPT_F64): ROW(uint16_t, double, half_value)
    case PAIR(MESAOPT_BF16, MESAOPT_F32): ROW(uint16_t, float, bfloat_value)
    case PAIR(MESAOPT_BF16, MESAOPT_F64): ROW(uint16_t, double, bfloat_value)
    case PAIR(MESAOPT_I32, MESAOPT_F64): ROW(int32_t, double, SAME)
    case PAIR(MESAOPT_I64, MESAOPT_F64): ROW(int64_t, double, SAME)
    case PAIR(MESAOPT_BOOL, MESAOPT_F64): ROW(uint8_t, double, TRUTH)
    case PAIR(MESAOPT_I32, MESAOPT_I32): ROW(int32_t, int32_t, SAME)
    case PAIR(MESAOPT_I64, MESAOPT_I64): ROW(int64_t, int64_t, SAME)
    }
}

int view_copyable(int32_t from, int32_t to)
{
    if (to == MESAOPT_F32 || to == MESAOPT_F64) return !dtype_counts(from);
    return from == to && (to == MESAOPT_I32 || to == MESAOPT_I64);
}

/* The axes in the order of the destination's memory, so that any common layout is walked through in
 * one direction. */
static void by_stride(mesaopt_view *src, mesaopt_view *dst)
{
    for (int i = 1; i < dst->ndim; i++)
        for (int k = i; k > 0 && dst->stride[k] > dst->stride[k - 1]; k--)
            for (int swap = 0; swap < 3; swap++) {
                int64_t *list = swap == 0 ? dst->shape : swap == 1 ? dst->stride : src->stride;
                int64_t keep = list[k];
                list[k] = list[k - 1], list[k - 1] = keep;
            }
    memcpy(src->shape, dst->shape, sizeof src->shape);
}

void view_copy(const mesaopt_view *src, const mesaopt_view *dst)
{
    mesaopt_view s = *src, d = *dst;
    if (view_count(&d) == 0) return;
    by_stride(&s, &d);
    int last = d.ndim - 1;
    int64_t n = 1, ss = 0, ds = 0;
    if (d.ndim) {
        n = d.shape[last], ss = s.stride[last], ds = d.stride[last];
        d.ndim = last;
    }
    int64_t index[MESAOPT_MAX_RANK] = {0}, from_size = dtype_size(s.dtype),
            to_size = dtype_size(d.dtype);
    for (int64_t rows = view_count(&d); rows > 0; rows--) {
        int64_t from = 0, to = 0;
        for (int k = 0; k < d.ndim; k++)
            from += index[k] * s.stride[k], to += index[k] * d.stride[k];
        copy_row(n, (char *)s.data + from * from_size, s.dtype, ss, (char *)d.data + to * to_size,
                 d.dtype, ds);
        view_next(&d, index);
    }
}

/* Halves of the longest axis, until a piece is short. */
void view_copy_while(const mesaopt_ctx *ctx, const mesaopt_view *src, const mesaopt_view *dst)
{
    enum { PIECE = 1 << 20 };
    int axis = 0;
    if (ctx_interrupted(ctx)) return;
    if (view_count(dst) <= PIECE) {
        view_copy(src, dst);
        return;
    }
    for (int k = 1; k < dst->ndim; k++)
        if (dst->shape[k] > dst->shape[axis]) axis = k;
    const int64_t half = dst->shape[axis] / 2;
    for (int second = 0; second < 2; second++) {
        mesaopt_view s = *src, d = *dst;
        s.shape[axis] = d.shape[axis] = second ? d.shape[axis] - half : half;
        if (second) {
            s.data = (char *)s.data + half * s.stride[axis] * dtype_size(s.dtype);
            d.data = (char *)d.data + half * d.stride[axis] * dtype_size(d.dtype);
        }
        view_copy_while(ctx, &s, &d);
    }
}
