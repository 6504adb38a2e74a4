/* Contexts and handles: reference counts, one call at a time, the text of the last failure.
 *
 * Every exported function on a handle reads
 *     FAIL_UNLESS(...)                       argument checks that need no lock
 *     status = ctx_enter(ctx, CALL_NORMAL);  busy flag, default floating-point environment, errno kept
 *     ... validate, delegate ...
 *     return ctx_leave(ctx, status);
 */
#ifndef BASE_OBJECT_H
#define BASE_OBJECT_H

#include "base/alloc.h"
#include "mesaopt/ctx.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>

enum object_kind { OBJECT_CTX = 0x6d6f4331, OBJECT_TENSOR, OBJECT_TASK, OBJECT_ATTN, OBJECT_MODEL, OBJECT_TRAINER, OBJECT_BASELINE, OBJECT_LSQ, OBJECT_PROBE, OBJECT_RLS, OBJECT_REVALG };

/* First member of every handle. */
typedef struct object {
    uint32_t kind;                 /* enum object_kind; 0 after destruction */
    atomic_int refs;
    atomic_int in_use;             /* > 0 while a call works on it: freeing then returns MESAOPT_E_BUSY */
    mesaopt_ctx *ctx;              /* counted */
    void (*destroy)(struct object *);   /* frees what the handle owns, but not the handle's own block */
} object;

/* Allocates a zeroed handle of `size` bytes holding one reference for the caller and one on ctx; NULL when memory is short (text set). */
void *object_new(mesaopt_ctx *ctx, enum object_kind kind, int64_t size, void (*destroy)(object *));
void object_retain(object *o);
void object_release(object *o);    /* last one: destroy, free the block, drop ctx; safe from any thread */

/* Body of every mesaopt_*_free: NULL is ok; MESAOPT_E_BUSY while in_use. */
mesaopt_status object_free(void *handle);

struct mesaopt_ctx {
    object head;                   /* head.ctx is NULL; head.destroy, of lib/api, drops pool and kern */
    allocator alloc;
    int32_t isa, threads;
    mesaopt_parallel_fn parallel;  /* NULL: own pool */
    void *parallel_user;
    mesaopt_log_fn log;
    void *log_user;
    void *pool;                    /* made by the first parallel call that has use for it */
    void *kern;                    /* kern/: tables of this ISA level, set by mesaopt_ctx_create */
    atomic_int busy;               /* 1 inside a call */
    atomic_int in_callback;        /* 1 while the host's callback runs inside that call */
    _Atomic pthread_t owner;       /* of the running call */
    atomic_int interrupted;        /* async-signal-safe request to stop */
    atomic_int text_lock;          /* spin lock over `text` */
    char text[512];
};

enum call_kind { CALL_NORMAL, CALL_IN_CALLBACK };   /* the second kind is also allowed inside a callback, on its thread */

/* What ctx_enter keeps for ctx_leave. */
typedef struct call { mesaopt_ctx *ctx; uint64_t fp; int saved_errno, nested; } call;

mesaopt_status ctx_enter(mesaopt_ctx *ctx, enum call_kind kind, call *c);   /* MESAOPT_OK or MESAOPT_E_BUSY */
mesaopt_status ctx_leave(call *c, mesaopt_status status);                    /* returns status */

/* Around a host callback: restores the host's floating-point environment, allows CALL_IN_CALLBACK. */
void ctx_callback_begin(call *c);
void ctx_callback_end(call *c);

/* Sets the context's text (printf format; numbers with %g go through number_text, so use %s for those) and returns `status`. ctx may be NULL. */
mesaopt_status fail(mesaopt_ctx *ctx, mesaopt_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Text behind an error: vsnprintf made one line; a copy of the context's text; text to a caller's buffer (returns the bytes it all needs). */
void text_format(char *out, int64_t cap, const char *format, va_list args);
void ctx_text(const mesaopt_ctx *ctx, char text[512]);
int64_t text_out(const char *text, char *buf, int64_t cap);

/* "name: NULL, expected ..." or a handle of another kind. Returns MESAOPT_OK or the status with the text set on ctx. */
mesaopt_status check_not_null(mesaopt_ctx *ctx, const void *p, const char *name);
int handle_ok(const void *handle, enum object_kind kind);   /* not NULL and alive, of that kind */

void ctx_log(mesaopt_ctx *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Is a stop requested? Polled per panel or chunk by any thread. ctx_interrupt_taken clears the request. */
int ctx_interrupted(const mesaopt_ctx *ctx);
void ctx_interrupt_taken(mesaopt_ctx *ctx);

#endif
