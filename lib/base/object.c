/* Contexts and handles (object.h): references, the rule of one call at a time, error text, log, interrupt.
 *
 * Lifetime: every handle counts one reference on its context, and so does every running call, so a context outlives whatever still uses it,
 * and the thread that drops the last reference takes it down. */
#include "base/object.h"
#include "base/pool.h"
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- text ---- */

static void text_lock(mesaopt_ctx *ctx)
{
    for (int tries = 0; atomic_exchange_explicit(&ctx->text_lock, 1, memory_order_acquire); tries++)
        if (tries > 100) sched_yield();
}

static void text_unlock(mesaopt_ctx *ctx)
{
    atomic_store_explicit(&ctx->text_lock, 0, memory_order_release);
}

void text_format(char *out, int64_t cap, const char *format, va_list args)
{
    int keep = errno;
    vsnprintf(out, (size_t)cap, format, args);
    errno = keep;
    for (char *p = out; *p; p++)                       /* one line, whatever a name from outside holds */
        if ((unsigned char)*p < ' ' || *p == 127) *p = ' ';
}

int64_t text_out(const char *text, char *buf, int64_t cap)
{
    int64_t needed = (int64_t)strlen(text) + 1;
    if (cap <= 0) return needed;
    int64_t n = needed < cap ? needed : cap;
    memcpy(buf, text, (size_t)n);
    buf[n - 1] = 0;
    return needed;
}

mesaopt_status fail(mesaopt_ctx *ctx, mesaopt_status status, const char *format, ...)
{
    if (!ctx) return status;
    char text[sizeof ctx->text];
    va_list args;
    va_start(args, format);
    text_format(text, sizeof text, format, args);
    va_end(args);
    text_lock(ctx);
    strcpy(ctx->text, text);
    text_unlock(ctx);
    return status;
}

void ctx_text(const mesaopt_ctx *ctx, char text[512])
{
    mesaopt_ctx *c = (mesaopt_ctx *)ctx;               /* the lock is all that changes */
    text_lock(c);
    memcpy(text, c->text, sizeof c->text);
    text_unlock(c);
}

void ctx_log(mesaopt_ctx *ctx, const char *format, ...)
{
    if (!ctx->log) return;
    char line[512];
    va_list args;
    va_start(args, format);
    text_format(line, sizeof line, format, args);
    va_end(args);
    ctx->log(line, ctx->log_user);
}

/* ---- references ---- */

int handle_ok(const void *handle, enum object_kind kind)
{
    return handle && ((const object *)handle)->kind == (uint32_t)kind;
}

mesaopt_status check_not_null(mesaopt_ctx *ctx, const void *p, const char *name)
{
    return p ? MESAOPT_OK : fail(ctx, MESAOPT_E_ARGUMENT, "%s: NULL, expected a pointer", name);
}

void *object_new(mesaopt_ctx *ctx, enum object_kind kind, int64_t size, void (*destroy)(object *))
{
    object *o = alloc_new(&ctx->alloc, 1, size);
    if (!o) {
        fail(ctx, MESAOPT_E_MEMORY, "memory: no %lld bytes for a handle", (long long)size);
        return NULL;
    }
    o->kind = kind;
    atomic_init(&o->refs, 1);
    o->ctx = ctx;
    o->destroy = destroy;
    object_retain(&ctx->head);
    return o;
}

void object_retain(object *o)
{
    atomic_fetch_add_explicit(&o->refs, 1, memory_order_relaxed);
}

void object_release(object *o)
{
    if (atomic_fetch_sub_explicit(&o->refs, 1, memory_order_acq_rel) != 1) return;
    mesaopt_ctx *ctx = o->ctx;
    allocator alloc = ctx ? ctx->alloc : ((mesaopt_ctx *)o)->alloc;
    if (o->destroy) o->destroy(o);
    o->kind = 0;
    alloc_free(&alloc, o);
    if (ctx) object_release(&ctx->head);
}

static int owned_by_caller(mesaopt_ctx *ctx)
{
    return atomic_load(&ctx->busy) && pthread_equal(atomic_load(&ctx->owner), pthread_self());
}

mesaopt_status object_free(void *handle)
{
    object *o = handle;
    if (!o) return MESAOPT_OK;
    int is_ctx = o->kind == OBJECT_CTX;
    mesaopt_ctx *ctx = is_ctx ? handle : o->ctx;
    if (atomic_load(&o->in_use) > 0 || (is_ctx && owned_by_caller(ctx)))
        return fail(ctx, MESAOPT_E_BUSY, "free: the handle is inside a call, expected one that no call uses");
    object_release(o);
    return MESAOPT_OK;
}

/* ---- calls ---- */

mesaopt_status ctx_enter(mesaopt_ctx *ctx, enum call_kind kind, call *c)
{
    *c = (call){.ctx = ctx, .saved_errno = errno};
    int idle = 0;
    if (atomic_compare_exchange_strong(&ctx->busy, &idle, 1)) {
        atomic_store(&ctx->owner, pthread_self());
    } else if (kind == CALL_IN_CALLBACK && atomic_load(&ctx->in_callback) && owned_by_caller(ctx)) {
        c->nested = 1;
        atomic_store(&ctx->in_callback, 0);            /* the inner call may have callbacks of its own */
    } else {
        fail(ctx, MESAOPT_E_BUSY, "context: inside another call, expected one call at a time");
        errno = c->saved_errno;
        return MESAOPT_E_BUSY;
    }
    object_retain(&ctx->head);
    c->fp = fp_default();
    return MESAOPT_OK;
}

mesaopt_status ctx_leave(call *c, mesaopt_status status)
{
    mesaopt_ctx *ctx = c->ctx;
    if (c->nested) {
        atomic_store(&ctx->in_callback, 1);
    } else {
        atomic_store(&ctx->owner, (pthread_t)0);       /* before busy: a stale owner must not look like the next call's */
        atomic_store(&ctx->busy, 0);
    }
    object_release(&ctx->head);
    fp_restore(c->fp);
    errno = c->saved_errno;
    return status;
}

void ctx_callback_begin(call *c)
{
    fp_restore(c->fp);
    errno = c->saved_errno;
    atomic_store(&c->ctx->in_callback, 1);
}

void ctx_callback_end(call *c)
{
    atomic_store(&c->ctx->in_callback, 0);
    c->saved_errno = errno;
    c->fp = fp_default();
}

int ctx_interrupted(const mesaopt_ctx *ctx)
{
    return atomic_load_explicit(&ctx->interrupted, memory_order_relaxed);
}

void ctx_interrupt_taken(mesaopt_ctx *ctx)
{
    atomic_store_explicit(&ctx->interrupted, 0, memory_order_relaxed);
}
