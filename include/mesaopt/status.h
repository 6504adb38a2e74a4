/* mesaopt/status.h: status codes, element types, version and constants.
 *
 * Every fallible function returns a mesaopt_status: 0 ok; > 0 the result is usable but something is
 * worth knowing; < 0 there is no result, what the library holds is as it was (arrays that the call
 * was to fill hold anything), and the context (or the settings object) holds one line of text that
 * names the argument, what it was and what was expected.
 *
 * What holds for all functions is not repeated at each: MESAOPT_E_ARGUMENT, _SHAPE, _DTYPE,
 * _OVERLAP and _SETTING for arguments that are not as described; MESAOPT_E_MEMORY; MESAOPT_E_BUSY;
 * MESAOPT_E_NONFINITE when numbers that a computation takes or gives are not finite (the text names
 * the first place); MESAOPT_E_INTERRUPTED, soon after mesaopt_ctx_interrupt, from calls that
 * compute, copy, read or write much.
 *
 * Use:
 *     if (status < 0) puts(mesaopt_status_name(status));     // "MESAOPT_E_SHAPE"
 *     if (mesaopt_version_number() < MESAOPT_VERSION) puts("an old library");
 */
#ifndef MESAOPT_STATUS_H
#define MESAOPT_STATUS_H

#include <stdint.h>

#if !defined(__LP64__) || !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "libmesaopt supports 64-bit little-endian platforms only"
#endif

#if defined(__GNUC__)
#define MESAOPT_API __attribute__((visibility("default")))
#else
#define MESAOPT_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t mesaopt_status;

/* Version of these headers: the one place where it is written. */
#define MESAOPT_VERSION_MAJOR 0
#define MESAOPT_VERSION_MINOR 1
#define MESAOPT_VERSION_PATCH 0
#define MESAOPT_VERSION \
    (MESAOPT_VERSION_MAJOR * 1000000 + MESAOPT_VERSION_MINOR * 1000 + MESAOPT_VERSION_PATCH)

/* Status codes. Numbers are ABI: never reused, never renumbered. [group: status] */
#define MESAOPT_OK 0               /* done */
#define MESAOPT_STOPPED 1          /* a callback or an interrupt ended a run early; what was done so
                                      far is valid */
#define MESAOPT_NOT_CONVERGED 2    /* a fallback gave the result; its certificate says how good it
                                      is */
#define MESAOPT_OTHER_ISA 3        /* a checkpoint of another ISA level or lane count: resumed, but
                                      not bit for bit */
#define MESAOPT_AT_BOUND 4         /* a search ended at the bound of its range: a better value may
                                      lie beyond */
#define MESAOPT_E_ARGUMENT (-1)    /* NULL, another kind of handle or one that was freed, or a value
                                      outside its range */
#define MESAOPT_E_SHAPE (-2)       /* a view's rank, extents or strides are not what the call
                                      needs */
#define MESAOPT_E_DTYPE (-3)       /* a view's element type is not what the call needs */
#define MESAOPT_E_OVERLAP (-4)     /* an output may share elements with an input, another output or
                                      itself */
#define MESAOPT_E_SETTING (-5)     /* unknown key, key that does not apply, value out of range or
                                      unreadable */
#define MESAOPT_E_MEMORY (-6)      /* the allocator returned NULL, or a size overflows */
#define MESAOPT_E_BUSY (-7)        /* the context is inside another call, or the handle inside a
                                      call that excludes this one */
#define MESAOPT_E_STATE (-8)       /* the handle is not in the state that the call needs */
#define MESAOPT_E_NONFINITE (-9)   /* NaN or infinity where a finite number is needed */
#define MESAOPT_E_IO (-10)         /* the operating system refused to read or write */
#define MESAOPT_E_FORMAT (-11)     /* a file or a text is not well formed, or not what was
                                      expected */
#define MESAOPT_E_INTERRUPTED (-12)/* mesaopt_ctx_interrupt ended the call */
#define MESAOPT_E_UNSUPPORTED (-13)/* this CPU, build or combination of settings cannot do it */
#define MESAOPT_E_SOURCE (-14)     /* a callback that gives sequences, targets or a loss returned
                                      that it failed */

/* Element types of views and tensors. [group: dtype] */
#define MESAOPT_F32 1
#define MESAOPT_F64 2
#define MESAOPT_I32 3
#define MESAOPT_I64 4
#define MESAOPT_F16 5              /* import only */
#define MESAOPT_BF16 6             /* import only */
#define MESAOPT_BOOL 7             /* one byte, true unless 0; targets of probes */

/* ISA levels, in rising order; a context runs at one of them. */
#define MESAOPT_ISA_AUTO 0
#define MESAOPT_ISA_BASELINE 1     /* SSE2 on x86-64, NEON on aarch64 */
#define MESAOPT_ISA_AVX2 2         /* AVX2 and FMA */
#define MESAOPT_ISA_AVX512 3       /* AVX-512 F, DQ, BW and VL */

/** Name of a status code, such as "MESAOPT_E_SHAPE"; "MESAOPT_UNKNOWN" for any other number. Never
 *  fails, never NULL, static storage. Since 0.1. */
MESAOPT_API const char *mesaopt_status_name(mesaopt_status status);

/** Version of the library that is running, as MESAOPT_VERSION: major * 1000000 + minor * 1000 +
 *  patch. Since 0.1. */
MESAOPT_API int32_t mesaopt_version_number(void);

/** Version of the library that is running, such as "0.1.0". Static storage. Since 0.1. */
MESAOPT_API const char *mesaopt_version_text(void);

/** One line about the build: version, compiler, BLIS version, ISA levels compiled in. Static
 *  storage. Since 0.1. */
MESAOPT_API const char *mesaopt_build_info(void);

/** Value of any constant of the public headers by its name ("MESAOPT_E_SHAPE", "MESAOPT_KEY_LR",
 *  ...), for callers that cannot read C headers. `out` receives the value. MESAOPT_E_ARGUMENT when
 *  a pointer is NULL or the name is unknown. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_constant(const char *name, int64_t *out);

#ifdef __cplusplus
}
#endif
#endif
