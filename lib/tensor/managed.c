/* Arrays by DLPack 1.x (https://dmlc.github.io/dlpack/latest/c_api.html): what its structs say,
 * turned into views and back. Strides of both count elements. */
#include "tensor/managed.h"
#include "tensor/dtype.h"
#include <stddef.h>
#include <string.h>

_Static_assert(sizeof(dlpack_array) == 48 && sizeof(dlpack_plain) == 64, "layout of DLPack");
_Static_assert(offsetof(dlpack_array, shape) == 24, "layout of DLPack");
_Static_assert(offsetof(dlpack_versioned, array) == 32, "layout of DLPack");

static const struct { uint8_t code, bits; int32_t dtype; } types[] = {
    {DLPACK_FLOAT, 32, MESAOPT_F32}, {DLPACK_FLOAT, 64, MESAOPT_F64},
    {DLPACK_INT, 32, MESAOPT_I32}, {DLPACK_INT, 64, MESAOPT_I64},
    {DLPACK_FLOAT, 16, MESAOPT_F16}, {DLPACK_BFLOAT, 16, MESAOPT_BF16},
    {DLPACK_BOOL, 8, MESAOPT_BOOL},
};
enum { TYPES = sizeof types / sizeof *types };

static int32_t dtype_of(const dlpack_array *a)
{
    for (int i = 0; i < TYPES; i++)
        if (types[i].code == a->code && types[i].bits == a->bits && a->lanes == 1)
            return types[i].dtype;
    return 0;
}

static mesaopt_status refuse(mesaopt_status status, const char *text, const char **why)
{
    *why = text;
    return status;
}

/* Row by row, as where there are no strides. */
static int dense_strides(mesaopt_view *v)
{
    int64_t stride = 1;
    for (int i = v->ndim - 1; i >= 0; i--) {
        v->stride[i] = stride;
        if (__builtin_mul_overflow(stride, v->shape[i] ? v->shape[i] : 1, &stride)) return 0;
    }
    return 1;
}

static mesaopt_status array_view(const dlpack_array *a, mesaopt_view *out, const char **why)
{
    mesaopt_view v = {.ndim = a->ndim, .dtype = dtype_of(a)};
    if (a->device != DLPACK_CPU && a->device != DLPACK_CUDA_HOST && a->device != DLPACK_ROCM_HOST)
        return refuse(MESAOPT_E_UNSUPPORTED, "on another device than the CPU", why);
    if (!v.dtype)
        return refuse(MESAOPT_E_DTYPE,
                      "elements of another type than f32, f64, f16, bf16, i32, i64 or bool", why);
    if (a->ndim < 0 || a->ndim > MESAOPT_MAX_RANK)
        return refuse(MESAOPT_E_SHAPE, "more than 6 axes", why);
    if (a->ndim > 0 && !a->shape) return refuse(MESAOPT_E_SHAPE, "without a shape", why);
    for (int i = 0; i < a->ndim; i++) {
        v.shape[i] = a->shape[i];
        if (v.shape[i] < 0) return refuse(MESAOPT_E_SHAPE, "an extent below 0", why);
        if (a->strides) v.stride[i] = a->strides[i];
    }
    if (!a->strides && !dense_strides(&v)) return refuse(MESAOPT_E_SHAPE, "too large", why);
    if (a->data) v.data = (char *)a->data + a->byte_offset;
    *out = v;
    return MESAOPT_OK;
}

mesaopt_status dlpack_view(const void *managed, int versioned, mesaopt_view *out,
                           const char **why)
{
    if (!versioned) return array_view(&((const dlpack_plain *)managed)->array, out, why);
    const dlpack_versioned *m = managed;
    if (m->major != DLPACK_MAJOR)          /* all but the version may lie elsewhere */
        return refuse(MESAOPT_E_UNSUPPORTED, "of another major version than 1", why);
    const mesaopt_status status = array_view(&m->array, out, why);
    if (status == MESAOPT_OK && m->flags & DLPACK_READONLY) out->flags |= MESAOPT_VIEW_READONLY;
    return status;
}

void dlpack_delete(void *managed, int versioned)
{
    dlpack_plain *plain = managed;
    dlpack_versioned *m = managed;
    if (versioned && m->deleter) m->deleter(m);
    if (!versioned && plain->deleter) plain->deleter(plain);
}

void dlpack_fill(const mesaopt_view *view, dlpack_array *array)
{
    *array = (dlpack_array){.data = view->data, .device = DLPACK_CPU, .ndim = view->ndim,
                            .lanes = 1, .shape = (int64_t *)view->shape,
                            .strides = (int64_t *)view->stride};
    for (int i = 0; i < TYPES; i++)
        if (types[i].dtype == view->dtype) {
            array->code = types[i].code;
            array->bits = types[i].bits;
        }
}
