/* mesaopt/dlpack.h: arrays of other libraries by DLPack, in and out, without a copy.
 *
 * What NumPy, PyTorch, JAX and others exchange is a pointer to a DLManagedTensor or, since DLPack
 * 1.0, to a DLManagedTensorVersioned; in Python it is in a capsule of the name "dltensor" or
 * "dltensor_versioned". `versioned` says which (0 or 1): the structs do not. This header needs no
 * header of DLPack; a pointer of its types goes as void *.
 *
 * Taken are elements in the memory of the CPU (also pinned memory of CUDA and ROCm), of the types
 * f32, f64, f16, bf16, i32, i64 and bool, one lane, at most 6 axes, any strides (none: row by row).
 * The byte offset is added, and what is marked read-only becomes MESAOPT_VIEW_READONLY.
 *
 * Use:
 *     mesaopt_dlpack_view(managed, 1, &v);                   // while its owner keeps it
 *     mesaopt_dlpack_import(ctx, managed, 1, &tensor);       // from now on ours to delete
 *     mesaopt_dlpack_export(tensor, 1, &managed);            // whoever takes it deletes it
 */
#ifndef MESAOPT_DLPACK_H
#define MESAOPT_DLPACK_H

#include "tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Fills *out with a view of the elements of a managed tensor, which stays its owner's.
 *  MESAOPT_E_ARGUMENT: NULL, or `versioned` neither 0 nor 1; MESAOPT_E_UNSUPPORTED: another device,
 *  or a major version above 1; MESAOPT_E_DTYPE: another type, or several lanes; MESAOPT_E_SHAPE:
 *  more than 6 axes, or an extent below 0. No text: there is no context.
 *  [in: managed; borrows: managed] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_dlpack_view(const void *managed, int32_t versioned,
                                               mesaopt_view *out);

/** Makes a tensor of a managed tensor, and takes it over: its deleter is called once, when the last
 *  user of the new tensor goes, on whichever thread that is. On failure it stays the caller's;
 *  statuses as of mesaopt_dlpack_view, with a text, and as of mesaopt_tensor_wrap. A capsule it
 *  came from has to be renamed ("used_dltensor", "used_dltensor_versioned").
 *  [inout: managed] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_dlpack_import(mesaopt_ctx *ctx, void *managed,
                                                 int32_t versioned, mesaopt_tensor **out);

/** Writes to *managed a new managed tensor of the elements of `tensor`, which live until its
 *  deleter is called, from any thread: by whoever takes it, or by the caller. A tensor that may
 *  only be read is marked so when `versioned` is 1; without a version it is refused,
 *  MESAOPT_E_UNSUPPORTED. [keeps: tensor; out: managed] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_dlpack_export(mesaopt_tensor *tensor, int32_t versioned,
                                                 void **managed);

#ifdef __cplusplus
}
#endif
#endif
