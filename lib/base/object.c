/* Contexts and handles (object.h): references, the rule of one call at a time, error text, log,
 * interrupt.
 *
 * Lifetime: every handle counts one reference on its context, and so does every running call, on
 * its handles as well: whatever is freed while something uses it outlives that use, and the thread
 * that drops the last reference takes it down. A free gives up the caller's reference, once: `held`
 * says whether it is still there, so that a second free takes nobody else's. */
#include "base/options.h"
#include "base/pool.h"
#include <errno.h>
#include <stdarg.h>
#include <string.h>

/* ---- text ---- */

mesaopt_status fail(mesaopt_ctx *ctx, mesaopt_status status, const char *format, ...)
{
    if (!ctx) return status;
    char text[TEXT_BYTES] = "";
    va_list args;
    va_start(args, format);
    text_format(text, sizeof text, format, args);
    va_end(args);
    last_text_set(&ctx->text, text);
    return status;
}

mesaopt_status settings_fail(mesaopt_settings *settings, mesaopt_status status, const char *format,
                             ...)
{
    if (!settings) return status;
    va_list args;
    va_start(args, format);
    text_format(settings->text, sizeof settings->text, format, args);
    va_end(args);
    return status;
}

void ctx_log(mesaopt_ctx *ctx, const char *format, ...)
{
    if (!ctx->hooks.log) return;
    char line[512];
    va_list args;
    va_start(args, format);
    text_format(line, sizeof line, format, args);
    va_end(args);
    ctx->hooks.log(line, ctx->hooks.log_user);
}

/* ---- references ---- */

static const char *const words[] = {"a ctx",     "a tensor",   "a task", "an attn", "a model",
                                    "a trainer", "a baseline", "an lsq", "a probe", "an rls",
                                    "a revalg",  "a linearise", "a decoder", "a prompt",
                                    "settings"}; /* in the order of enum object_kind */

static int known(uint32_t kind) { return kind >= OBJECT_CTX && kind <= OBJECT_SETTINGS; }
static uint32_t kind_of(const void *handle) { return *(const uint32_t *)handle; }
static int let_go(const object *o)
{
    return o->kind != OBJECT_SETTINGS && !atomic_load(&((object *)o)->held);
}

const char *kind_word(enum object_kind kind)
{
    const char *word = words[kind - OBJECT_CTX], *blank = strchr(word, ' ');
    return blank ? blank + 1 : word;
}

const char *handle_word(const void *given)
{
    if (!given) return "NULL";
    if (!known(kind_of(given))) return "no handle";
    return let_go(given) ? "a handle that was freed" : words[kind_of(given) - OBJECT_CTX];
}

int handle_ok(const void *handle, enum object_kind kind)
{
    return handle && kind_of(handle) == (uint32_t)kind && !let_go(handle);
}

/* Where the text of a failure can go. */
static mesaopt_ctx *ctx_of(const void *given)
{
    if (!given || !known(kind_of(given)) || kind_of(given) == OBJECT_SETTINGS) return NULL;
    return kind_of(given) == OBJECT_CTX ? (mesaopt_ctx *)given : ((const object *)given)->ctx;
}

mesaopt_status given_check(enum object_kind kind, const void *const *given, int count)
{
    if (handle_ok(given[0], kind)) return MESAOPT_OK;
    const char *name = kind_word(kind), *live = kind == OBJECT_SETTINGS ? "" : "a live ";
    for (int i = 0; i < count; i++)
        if (ctx_of(given[i]))
            return fail(ctx_of(given[i]), MESAOPT_E_ARGUMENT, "%s: %s, expected %s%s", name,
                        handle_word(given[0]), live, name);
    for (int i = 0; i < count; i++)
        if (handle_ok(given[i], OBJECT_SETTINGS))
            return settings_fail((mesaopt_settings *)given[i], MESAOPT_E_ARGUMENT,
                                 "%s: %s, expected %s%s", name, handle_word(given[0]), live, name);
    return MESAOPT_E_ARGUMENT;
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
    atomic_init(&o->held, 1);
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
    const int keep = errno;
    mesaopt_ctx *ctx = o->ctx;
    const allocator alloc = ctx ? ctx->alloc : ((mesaopt_ctx *)o)->alloc;
    const hooks own = ctx ? (hooks){0} : ((mesaopt_ctx *)o)->hooks;
    if (o->destroy) o->destroy(o);
    o->kind = 0;
    alloc_free(&alloc, o);
    if (ctx) object_release(&ctx->head);
    hooks_release(&own);
    errno = keep;
}

mesaopt_status object_free(void *handle, enum object_kind kind)
{
    object *o = handle;
    if (!o) return MESAOPT_OK;
    if (o->kind != (uint32_t)kind || !atomic_exchange(&o->held, 0)) return MESAOPT_E_ARGUMENT;
    object_release(o);
    return MESAOPT_OK;
}

/* ---- calls ---- */

int ctx_is_callers(mesaopt_ctx *ctx)
{
    return atomic_load(&ctx->busy) && pthread_equal(atomic_load(&ctx->owner), pthread_self());
}

mesaopt_status ctx_enter(mesaopt_ctx *ctx, enum call_kind kind, call *c)
{
    *c = (call){.ctx = ctx, .saved_errno = errno};
    int idle = 0;
    if (atomic_compare_exchange_strong(&ctx->busy, &idle, 1)) {
        atomic_store(&ctx->owner, pthread_self());
    } else if (atomic_load(&ctx->in_callback) && ctx_is_callers(ctx) &&
               (kind == CALL_IN_CALLBACK || ctx->running->open)) {
        c->outer = ctx->running;
        atomic_store(&ctx->in_callback, 0);            /* the inner call may have callbacks of its
                                                          own */
    } else {
        fail(ctx, MESAOPT_E_BUSY, "context: inside another call, expected one call at a time");
        errno = c->saved_errno;
        return MESAOPT_E_BUSY;
    }
    ctx->running = c;
    object_retain(&ctx->head);
    c->fp = fp_default();
    return MESAOPT_OK;
}

void call_hold(call *c, void *handle)
{
    object_retain(handle);
    c->handle[c->handles++] = handle;
}

/* The handles go last, in the host's environment: a wrapped tensor's `release` is a callback, too.
 */
mesaopt_status ctx_leave(call *c, mesaopt_status status)
{
    mesaopt_ctx *ctx = c->ctx;
    ctx->running = c->outer;
    if (c->outer) {
        atomic_store(&ctx->in_callback, 1);
    } else {
        atomic_store(&ctx->owner, (pthread_t)0);       /* before busy: a stale owner must not look
                                                          like the next call's */
        atomic_store(&ctx->interrupted, 0);            /* likewise: what came during this call ends
                                                          with it */
        atomic_store(&ctx->busy, 0);
    }
    fp_restore(c->fp);
    errno = c->saved_errno;
    while (c->handles > 0) object_release(c->handle[--c->handles]);
    object_release(&ctx->head);
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

enum { POLL_EVERY = 20000000 };    /* nanoseconds between two questions */

int ctx_poll(mesaopt_ctx *ctx)
{
    if (!ctx_is_callers(ctx) || atomic_load(&ctx->in_callback)) return 0;
    if (coarse_time() < ctx->next_poll) return 0;
    const int keep = errno;
    fp_restore(ctx->running->fp);
    errno = ctx->running->saved_errno;
    const int stop = ctx->hooks.poll(ctx->hooks.poll_user) != 0;
    fp_default();
    errno = keep;
    ctx->next_poll = coarse_time() + POLL_EVERY;
    if (stop) atomic_store(&ctx->interrupted, 1);
    return stop;
}

int ctx_interrupted(const mesaopt_ctx *ctx)
{
    return atomic_load_explicit(&ctx->interrupted, memory_order_relaxed) ||
           (ctx->hooks.poll && ctx_poll((mesaopt_ctx *)ctx));
}

mesaopt_status ctx_stopped(mesaopt_ctx *ctx, const char *what)
{
    return ctx_interrupted(ctx) ? fail(ctx, MESAOPT_E_INTERRUPTED, "%s: interrupted", what)
                                : MESAOPT_OK;
}
