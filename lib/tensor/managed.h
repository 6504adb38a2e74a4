/* The facts of DLPack's structs that are used here, in names of our own; managed.c. */
#ifndef TENSOR_MANAGED_H
#define TENSOR_MANAGED_H

#include "mesaopt/tensor.h"

/* Element types: what a number is, its bits, numbers beside each other. */
enum { DLPACK_INT = 0, DLPACK_FLOAT = 2, DLPACK_BFLOAT = 4, DLPACK_BOOL = 6 };
/* Devices whose memory the CPU reads. */
enum { DLPACK_CPU = 1, DLPACK_CUDA_HOST = 3, DLPACK_ROCM_HOST = 11 };
enum { DLPACK_READONLY = 1, DLPACK_MAJOR = 1 };

typedef struct dlpack_array {
    void *data;
    int32_t device, device_id;
    int32_t ndim;
    uint8_t code, bits;
    uint16_t lanes;
    int64_t *shape, *strides;      /* strides NULL: row by row */
    uint64_t byte_offset;
} dlpack_array;

typedef struct dlpack_plain {      /* without a version */
    dlpack_array array;
    void *owner;
    void (*deleter)(struct dlpack_plain *self);
} dlpack_plain;

typedef struct dlpack_versioned {
    uint32_t major, minor;
    void *owner;
    void (*deleter)(struct dlpack_versioned *self);
    uint64_t flags;
    dlpack_array array;
} dlpack_versioned;

/* The view of a managed tensor, or why there is none: a static text in *why. */
mesaopt_status dlpack_view(const void *managed, int versioned, mesaopt_view *out,
                           const char **why);

/* Calls its deleter, if it has one. */
void dlpack_delete(void *managed, int versioned);

/* *array <- the elements of a view; shape and strides point into it. */
void dlpack_fill(const mesaopt_view *view, dlpack_array *array);

#endif
