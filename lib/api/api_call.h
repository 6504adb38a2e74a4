/* What every exported function shares: validate step by step, and hold the handle while it works. */
#ifndef API_CALL_H
#define API_CALL_H

#include "base/object.h"

/* In a function with a `status`: skipped once something failed. */
#define CHECK(test) do { if (status == MESAOPT_OK) status = (test); } while (0)

/* Begins a call on a context. */
static inline mesaopt_status call_on_ctx(mesaopt_ctx *ctx, enum call_kind how, call *c)
{
    return handle_ok(ctx, OBJECT_CTX) ? ctx_enter(ctx, how, c) : MESAOPT_E_ARGUMENT;
}

/* Begins and ends a call on a handle, which cannot be freed meanwhile. */
static inline mesaopt_status call_begin(void *handle, enum object_kind kind, enum call_kind how, call *c)
{
    if (!handle_ok(handle, kind)) return MESAOPT_E_ARGUMENT;
    const mesaopt_status status = ctx_enter(((object *)handle)->ctx, how, c);
    if (status == MESAOPT_OK) atomic_fetch_add(&((object *)handle)->in_use, 1);
    return status;
}

static inline mesaopt_status call_end(void *handle, call *c, mesaopt_status status)
{
    atomic_fetch_sub(&((object *)handle)->in_use, 1);
    return ctx_leave(c, status);
}

/* A handle that is an argument of a call on `ctx`: `what` is "model", "task", ... */
static inline mesaopt_status check_handle(mesaopt_ctx *ctx, const void *handle, enum object_kind kind, const char *what)
{
    if (!handle_ok(handle, kind)) return fail(ctx, MESAOPT_E_ARGUMENT, "%s: %s, expected a live %s", what, handle ? "another object" : "NULL", what);
    if (((const object *)handle)->ctx != ctx) return fail(ctx, MESAOPT_E_ARGUMENT, "%s: of another context, expected one of this", what);
    return MESAOPT_OK;
}

#endif
