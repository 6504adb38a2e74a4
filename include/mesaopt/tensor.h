/* mesaopt/tensor.h: arrays at the boundary.
 *
 * A view describes elements that somebody else owns; it is the one public struct that callers fill,
 * and its layout is frozen. Strides count elements, as in DLPack, so NumPy, Julia and Rust arrays
 * of any order pass without a copy. Views are borrowed for the duration of the call unless the
 * function says otherwise. A tensor is what the library owns or keeps.
 *
 * Use:
 *     mesaopt_view_dense(x, MESAOPT_F32, 2, (const int64_t[]){n, d}, &v);
 *     mesaopt_view transposed = {x, {d, n}, {1, d}, 2, MESAOPT_F32, 0, 0};
 *     mesaopt_tensor_wrap(ctx, &transposed, NULL, NULL, &tensor);
 *     mesaopt_tensor_create(ctx, MESAOPT_F64, 2, (const int64_t[]){n, d}, &tensor);
 */
#ifndef MESAOPT_TENSOR_H
#define MESAOPT_TENSOR_H

#include "ctx.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Most axes of a view. */
#define MESAOPT_MAX_RANK 6
#define MESAOPT_VIEW_READONLY 1u   /* flag: refuse this view as an output */

typedef struct mesaopt_view {
    void *data;                    /* first element, aligned for its type; NULL only if an extent is
                                      0 */
    int64_t shape[6];              /* extents >= 0, outermost first */
    int64_t stride[6];             /* in elements; 0 and negative are fine for inputs only */
    int32_t ndim, dtype;           /* 0..6; MESAOPT_F32, ... */
    uint32_t flags, reserved;      /* MESAOPT_VIEW_*; 0 */
} mesaopt_view;

typedef struct mesaopt_tensor mesaopt_tensor;

/** Takes the next `count` bytes of a file that is being saved, in their order; anything but 0 ends
 *  that call with MESAOPT_E_IO. [in: bytes[count]] Since 0.1. */
typedef int32_t (*mesaopt_write_fn)(const void *bytes, int64_t count, void *user);

/** Fills *out with a dense row-major view of `data`. A convenience: filling the struct by hand is
 *  the same. `shape` holds ndim extents. MESAOPT_E_ARGUMENT: NULL, unknown dtype, ndim or an extent
 *  out of range, size overflow.
 *  [in: data?, shape[ndim]; borrows: data] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_view_dense(void *data, int32_t dtype, int32_t ndim,
                                              const int64_t *shape, mesaopt_view *out);

/** Creates a dense row-major tensor of zeros that owns its memory. The caller frees *out.
 *  [in: shape[ndim]] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_tensor_create(mesaopt_ctx *ctx, int32_t dtype, int32_t ndim,
                                                 const int64_t *shape, mesaopt_tensor **out);

/** Makes a tensor of memory that the host owns, without a copy. `release(user)` (may be NULL) is
 *  called once, when the last user of the tensor goes, on whichever thread that is; it is not
 *  called on failure.
 *  [in: view; keeps: release?] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_tensor_wrap(mesaopt_ctx *ctx, const mesaopt_view *view,
                                               mesaopt_release_fn release, void *user,
                                               mesaopt_tensor **out);

/** View of the tensor's elements, valid while the tensor lives.
 *  [borrows: tensor] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_tensor_view(const mesaopt_tensor *tensor, mesaopt_view *out);

/** Copies elements between views of equal shape, converting between f32 and f64 (and from f16 and
 *  bf16); i32 and i64 to their own type only. MESAOPT_E_OVERLAP when dst may share elements with
 *  src or with itself.
 *  [in: src; out: dst] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_tensor_copy(mesaopt_ctx *ctx, const mesaopt_view *src,
                                               const mesaopt_view *dst);

/** Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call
 *  works on it: it goes when nothing uses it any more. MESAOPT_E_ARGUMENT: another kind of handle,
 *  or freed before. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_tensor_free(mesaopt_tensor *tensor);

#ifdef __cplusplus
}
#endif
#endif
