/* What every exported function shares: validate step by step, and hold the handle while it works.
 */
#ifndef API_CALL_H
#define API_CALL_H

#include "base/object.h"

/* In a function with a `status`: skipped once something failed. */
#define CHECK(test) do { if (status == MESAOPT_OK) status = (test); } while (0)

/* The handles and settings among the arguments of a call, the one it is about first. */
#define GIVEN(...) \
    (const void *const[]){__VA_ARGS__}, \
        (int)(sizeof((const void *const[]){__VA_ARGS__}) / sizeof(void *))

/* MESAOPT_OK when the first of GIVEN(...) is a live handle of this kind; else MESAOPT_E_ARGUMENT,
 * with a text on the first of them that can hold one. */
#define check_kind(kind, ...) given_check(kind, GIVEN(__VA_ARGS__))

/* Begins a call on a handle, which lives until call_end, whoever frees it; `...`: other handles and
 * settings among the arguments. */
#define call_begin(handle, kind, how, c, ...) \
    given_begin(kind, how, c, GIVEN(handle, ##__VA_ARGS__))

/* Begins a call on a context. */
#define call_on_ctx(ctx, how, c, ...) call_begin(ctx, OBJECT_CTX, how, c, ##__VA_ARGS__)

static inline mesaopt_status given_begin(enum object_kind kind, enum call_kind how, call *c,
                                         const void *const *given, int count)
{
    object *o = (object *)given[0];
    mesaopt_status status = given_check(kind, given, count);
    if (status != MESAOPT_OK) return status;
    object_retain(o);              /* before anything else: a finalizer may be at work */
    status = ctx_enter(kind == OBJECT_CTX ? (mesaopt_ctx *)o : o->ctx, how, c);
    if (status == MESAOPT_OK && kind != OBJECT_CTX) call_hold(c, o);
    object_release(o);
    return status;
}

static inline mesaopt_status call_end(call *c, mesaopt_status status)
{
    return ctx_leave(c, status);
}

/* One of many handles, which the caller keeps alive. */
static inline mesaopt_status check_alive(mesaopt_ctx *ctx, const void *handle,
                                         enum object_kind kind, const char *what)
{
    if (!handle_ok(handle, kind))
        return fail(ctx, MESAOPT_E_ARGUMENT, "%s: %s, expected a live %s", what,
                    handle_word(handle), kind_word(kind));
    if (((const object *)handle)->ctx != ctx)
        return fail(ctx, MESAOPT_E_ARGUMENT, "%s: of another context, expected one of this", what);
    return MESAOPT_OK;
}

/* A handle that is an argument of the running call on `ctx`; it lives until the call returns. */
static inline mesaopt_status check_handle(mesaopt_ctx *ctx, const void *handle,
                                          enum object_kind kind, const char *what)
{
    const mesaopt_status status = check_alive(ctx, handle, kind, what);
    if (status == MESAOPT_OK) call_hold(ctx->running, (void *)handle);
    return status;
}

#endif
