/* mesaopt/ctx.h. */
#include "api/api_call.h"
#include "base/options.h"
#include "base/pool.h"
#include "kern/kern.h"
#include <errno.h>

static void ctx_destroy(object *o)
{
    mesaopt_ctx *ctx = (mesaopt_ctx *)o;
    pool_free(ctx);
    if (ctx->kern) kern_free(ctx);
}

/* The level to run at: the best one, or the one asked for if both the CPU and this build have it.
 */
static mesaopt_status choose_isa(mesaopt_settings *settings, int32_t *isa)
{
    int32_t wanted = (int32_t)option_int(settings, MESAOPT_SCOPE_CTX, MESAOPT_KEY_ISA),
            best = kern_isa_best();
    while (best > MESAOPT_ISA_BASELINE && !kern_isa_built(best)) best--;
    *isa = wanted == MESAOPT_ISA_AUTO ? best : wanted;
    if (*isa <= best && kern_isa_built(*isa)) return MESAOPT_OK;
    return settings_fail(
        settings, MESAOPT_E_UNSUPPORTED, "isa: %s, expected at most %s on this CPU and build",
        mesaopt_settings_word(MESAOPT_KEY_ISA, *isa), mesaopt_settings_word(MESAOPT_KEY_ISA, best));
}

static mesaopt_status create(mesaopt_settings *settings, mesaopt_ctx **out)
{
    int32_t isa;
    mesaopt_status status = choose_isa(settings, &isa);
    if (status != MESAOPT_OK) return status;
    allocator alloc = settings ? settings->alloc : alloc_default();
    mesaopt_ctx *ctx = alloc_new(&alloc, 1, sizeof *ctx);
    if (!ctx)
        return settings_fail(settings, MESAOPT_E_MEMORY, "memory: no %lld bytes for a context",
                             (long long)sizeof *ctx);
    ctx->head.kind = OBJECT_CTX;
    ctx->head.destroy = ctx_destroy;
    atomic_init(&ctx->head.refs, 1);
    atomic_init(&ctx->head.held, 1);
    ctx->alloc = alloc;
    ctx->isa = isa;
    ctx->threads = (int32_t)option_int(settings, MESAOPT_SCOPE_CTX, MESAOPT_KEY_THREADS);
    if (settings) ctx->hooks = settings->hooks;
    hooks_retain(&ctx->hooks);
    status = kern_init(ctx);
    if (status < 0) {
        char text[TEXT_BYTES];
        last_text_get(&ctx->text, text);
        settings_fail(settings, status, "%s", text);
        object_release(&ctx->head);
        return status;
    }
    ctx_log(ctx, "context: isa %s, threads %d", mesaopt_settings_word(MESAOPT_KEY_ISA, isa),
            (int)ctx->threads);
    *out = ctx;
    return MESAOPT_OK;
}

mesaopt_status mesaopt_ctx_create(mesaopt_settings *settings, mesaopt_ctx **out)
{
    mesaopt_status status = settings ? check_kind(OBJECT_SETTINGS, settings) : MESAOPT_OK;
    if (status != MESAOPT_OK) return status;
    if (!out) return settings_fail(settings, MESAOPT_E_ARGUMENT, "out: NULL, expected a pointer");
    if (settings && settings->scope != MESAOPT_SCOPE_CTX)
        return settings_fail(settings, MESAOPT_E_SETTING, "settings: scope %s, expected scope ctx",
                             options_scope_name(settings->scope));
    int keep = errno;
    uint64_t fp = fp_default();
    status = create(settings, out);
    fp_restore(fp);
    errno = keep;
    return status;
}

mesaopt_status mesaopt_ctx_free(mesaopt_ctx *ctx)
{
    return object_free(ctx, OBJECT_CTX);
}

/* Asking for the text never changes it. */
int64_t mesaopt_ctx_error(const mesaopt_ctx *ctx, char *buf, int64_t cap)
{
    if (!handle_ok(ctx, OBJECT_CTX) || cap < 0 || (cap > 0 && !buf)) return MESAOPT_E_ARGUMENT;
    char text[TEXT_BYTES];
    last_text_get(&ctx->text, text);
    return text_out(text, buf, cap);
}

void mesaopt_ctx_interrupt(mesaopt_ctx *ctx)
{
    /* also while a call runs whose caller let go */
    if (ctx && ctx->head.kind == OBJECT_CTX) atomic_store(&ctx->interrupted, 1);
}

/* As any outermost call: what came before it, or comes during it, ends with it. */
mesaopt_status mesaopt_ctx_clear_interrupt(mesaopt_ctx *ctx)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_NORMAL, &c);
    if (status != MESAOPT_OK) return status;
    if (c.outer)
        status = fail(ctx, MESAOPT_E_BUSY,
                      "context: inside another call, expected one call at a time");
    return ctx_leave(&c, status);
}

mesaopt_status mesaopt_ctx_isa(const mesaopt_ctx *ctx, int32_t *out)
{
    const mesaopt_status status = check_kind(OBJECT_CTX, ctx);
    if (status != MESAOPT_OK) return status;
    if (!out) return check_not_null((mesaopt_ctx *)ctx, out, "out");
    *out = ctx->isa;
    return MESAOPT_OK;
}
