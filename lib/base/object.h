/* Contexts and handles: reference counts, one call at a time, the text of the last failure.
 *
 * Every exported function on a handle reads
 *     FAIL_UNLESS(...)                       argument checks that need no lock
 *     status = ctx_enter(ctx, CALL_NORMAL);  busy flag, default floating-point environment, errno
 *     kept ... validate, delegate ... return ctx_leave(ctx, status);
 */
#ifndef BASE_OBJECT_H
#define BASE_OBJECT_H

#include "base/hooks.h"
#include "base/text.h"
#include "mesaopt/ctx.h"
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>

/* What the first 32 bits of every object of the public API say, and its name in texts: object.c. */
enum object_kind {
    OBJECT_CTX = 0x6d6f4331,
    OBJECT_TENSOR,
    OBJECT_TASK,
    OBJECT_ATTN,
    OBJECT_MODEL,
    OBJECT_TRAINER,
    OBJECT_BASELINE,
    OBJECT_LSQ,
    OBJECT_PROBE,
    OBJECT_RLS,
    OBJECT_REVALG,
    OBJECT_LINEARISE,
    OBJECT_DECODER,
    OBJECT_PROMPT,
    OBJECT_SETTINGS
};

/* First member of every handle. */
typedef struct object {
    uint32_t kind;                 /* enum object_kind; 0 after destruction */
    atomic_int refs;               /* the caller's, one of every handle that needs it and of every
                                      call that works on it */
    atomic_int held;               /* 1 until the caller has let go: then it is no argument of
                                      anything any more */
    mesaopt_ctx *ctx;              /* counted */
    void (*destroy)(struct object *);   /* frees what the handle owns, but not the handle's own
                                           block */
} object;

/* Allocates a zeroed handle of `size` bytes holding one reference for the caller and one on ctx;
 * NULL when memory is short (text set). */
void *object_new(mesaopt_ctx *ctx, enum object_kind kind, int64_t size, void (*destroy)(object *));
void object_retain(object *o);
void object_release(object *o);    /* last one: destroy, free the block, drop ctx; from any thread;
                                      keeps errno */

/* Body of every mesaopt_*_free: gives up the caller's reference. NULL is ok; MESAOPT_E_ARGUMENT (no
 * text) for another kind, or the second time. */
mesaopt_status object_free(void *handle, enum object_kind kind);

/* Is it a live handle of that kind that its caller has not let go of, or settings? */
int handle_ok(const void *handle, enum object_kind kind);

/* MESAOPT_OK when given[0], of the handles and settings among a call's arguments, is of this kind;
 * else MESAOPT_E_ARGUMENT, with a text on the first of them that has a context, or is settings. */
mesaopt_status given_check(enum object_kind kind, const void *const *given, int count);

/* For texts: "task"; and what was given: "NULL", "a task", "a handle that was freed", "no handle".
 */
const char *kind_word(enum object_kind kind);
const char *handle_word(const void *given);

struct call;
struct mesaopt_ctx {
    object head;                   /* head.ctx is NULL; head.destroy, of lib/api, drops pool and
                                      kern */
    allocator alloc;
    int32_t isa, threads;
    hooks hooks;
    void *pool;                    /* made by the first parallel call that has use for it */
    void *kern;                    /* kern/: tables of this ISA level, set by mesaopt_ctx_create */
    struct call *running;          /* the innermost call; for its thread */
    atomic_int busy;               /* 1 inside a call */
    atomic_int in_callback;        /* 1 while the host's callback runs inside that call */
    _Atomic pthread_t owner;       /* of the running call */
    atomic_int interrupted;        /* async-signal-safe request to stop */
    int64_t next_poll;             /* coarse_time; of the thread whose call runs */
    last_text text;
};

enum call_kind { CALL_NORMAL, CALL_IN_CALLBACK };   /* the second kind is also allowed inside a
                                                       callback, on its thread; the first only if
                                                       the outer call is open */
enum { CALL_HANDLES = 6 };

/* What ctx_enter keeps for ctx_leave. */
typedef struct call {
    mesaopt_ctx *ctx;
    struct call *outer;            /* the call in whose callback this one is, or NULL */
    uint64_t fp;
    int saved_errno, handles;
    int open;                      /* set after ctx_enter: its callbacks may make calls of every
                                      kind */
    object *handle[CALL_HANDLES];  /* that it works on: whoever frees them, they live until it
                                      returns */
} call;

/* MESAOPT_OK or MESAOPT_E_BUSY */
mesaopt_status ctx_enter(mesaopt_ctx *ctx, enum call_kind kind, call *c);
mesaopt_status ctx_leave(call *c, mesaopt_status status); /* returns status; what others let go of
                                                             meanwhile goes now */
void call_hold(call *c, void *handle);

/* Around a host callback: restores the host's floating-point environment, allows CALL_IN_CALLBACK.
 */
void ctx_callback_begin(call *c);
void ctx_callback_end(call *c);

/* Sets the context's text (printf format; numbers with %g go through number_text, so use %s for
 * those) and returns `status`. ctx may be NULL. */
mesaopt_status fail(mesaopt_ctx *ctx, mesaopt_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* MESAOPT_OK, or MESAOPT_E_ARGUMENT with the text "name: NULL, expected ..." on ctx. */
mesaopt_status check_not_null(mesaopt_ctx *ctx, const void *p, const char *name);

void ctx_log(mesaopt_ctx *ctx, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Is a stop requested? Asked by any thread once for every piece of work (kernels: kern_stopped).
 * The request belongs to the outermost call that runs (or, when none does, to the next one) and
 * ends with it, used or not: nobody takes it back. */
int ctx_interrupted(const mesaopt_ctx *ctx);
/* Does the host's hook `poll`, which there is, say so? On the thread of the running call it is
 * asked, when it is time; on all others, and in callbacks, the answer is 0. */
int ctx_poll(mesaopt_ctx *ctx);
int ctx_is_callers(mesaopt_ctx *ctx);  /* does a call run that was made by this thread? */
/* MESAOPT_OK; or MESAOPT_E_INTERRUPTED, "what: interrupted". After work that may have been left
 * unfinished. */
mesaopt_status ctx_stopped(mesaopt_ctx *ctx, const char *what);

#endif
