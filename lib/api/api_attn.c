/* mesaopt/attn.h: validates, then delegates to nn/attend.c. */
#include "api/api_call.h"
#include "api/api_checks.h"
#include "base/options.h"
#include "nn/attend.h"

static void destroy(object *o) { alloc_free(&o->ctx->alloc, ((mesaopt_attn *)o)->memory.memory); }

mesaopt_status mesaopt_attn_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                   mesaopt_attn **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings);
    if (status != MESAOPT_OK) return status;
    CHECK(options_given(ctx, settings, "settings"));
    CHECK(check_not_null(ctx, out, "out"));
    const int32_t scope = status == MESAOPT_OK ? settings->scope : 0;
    if (status == MESAOPT_OK && scope != MESAOPT_SCOPE_LINEAR && scope != MESAOPT_SCOPE_SOFTMAX) {
        const char *name = options_scope_name(scope);
        status = fail(ctx, MESAOPT_E_SETTING, "settings: for %s, expected linear or softmax",
                      name ? name : "an unknown scope");
    }
    mesaopt_attn *a =
        status == MESAOPT_OK ? object_new(ctx, OBJECT_ATTN, sizeof *a, destroy) : NULL;
    if (status == MESAOPT_OK && !a) status = MESAOPT_E_MEMORY;
    if (a) {
        a->softmax = scope == MESAOPT_SCOPE_SOFTMAX;
        a->kind = a->softmax ? &softmax_attention : &linear_attention;
        a->scale = option_float(settings, scope, MESAOPT_KEY_SCALE);
        a->chunk = option_int(settings, scope, MESAOPT_KEY_CHUNK);
        a->lanes = option_int(settings, scope, MESAOPT_KEY_LANES);
        a->qk_norm = option_int(settings, scope, MESAOPT_KEY_QK_NORM);
        *out = a;
    }
    return ctx_leave(&c, status);
}

mesaopt_status mesaopt_attn_workspace(const mesaopt_attn *a, int32_t dtype, int64_t batch,
                                      int64_t length, int64_t heads, int64_t key, int64_t value,
                                      int64_t *bytes)
{
    mesaopt_status status = check_kind(OBJECT_ATTN, a);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = a->head.ctx;
    if (dtype != MESAOPT_F32 && dtype != MESAOPT_F64)
        status = fail(ctx, MESAOPT_E_DTYPE, "dtype: %s, expected f32 or f64", dtype_name(dtype));
    CHECK(check_extent(ctx, batch, 0, INT32_MAX, "batch"));
    CHECK(check_extent(ctx, length, 0, INT32_MAX, "length"));
    CHECK(check_extent(ctx, heads, 0, INT32_MAX, "heads"));
    CHECK(check_extent(ctx, key, 0, INT32_MAX, "key"));
    CHECK(check_extent(ctx, value, 0, INT32_MAX, "value"));
    CHECK(check_not_null(ctx, bytes, "bytes"));
    if (status != MESAOPT_OK) return status;
    operands o;
    operands_begin(&o, ctx, attend_operands, ATTEND_OPERANDS, 1);
    o.dtype = dtype;
    const int64_t extents[] = {batch, length, heads, key, value};
    for (int i = 0; i < 5; i++) operands_set_extent(&o, "bthdv"[i], extents[i]);
    for (int i = 0; i < ATTEND_OPERANDS; i++)
        if (operand_used(&o, i)) operands_count(&o, i);
    const int64_t need = attend_bytes(a, &o);
    if (need < 0)
        return fail(ctx, MESAOPT_E_MEMORY,
                    "batch, length, heads, key, value: the workspace overflows");
    *bytes = need;
    return MESAOPT_OK;
}

/* A call on views by row of the table. */
static mesaopt_status run(mesaopt_attn *a, int backward, const mesaopt_view *const *views)
{
    call c;
    operands o;
    mesaopt_status status = call_begin(a, OBJECT_ATTN, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    operands_begin(&o, a->head.ctx, attend_operands, ATTEND_OPERANDS, backward);
    for (int i = 0; i < ATTEND_OPERANDS; i++)
        if (operand_used(&o, i)) CHECK(operands_take(&o, i, views[i]));
    CHECK(views_apart(&o.views));
    CHECK(attend(a, &o));
    return call_end(&c, status);
}

mesaopt_status mesaopt_attn_forward(mesaopt_attn *a, const mesaopt_view *q, const mesaopt_view *k,
                                    const mesaopt_view *v, const mesaopt_view *out)
{
    return run(a, 0, (const mesaopt_view *[ATTEND_OPERANDS]){q, k, v, out});
}

mesaopt_status mesaopt_attn_backward(mesaopt_attn *a, const mesaopt_view *q, const mesaopt_view *k,
                                     const mesaopt_view *v, const mesaopt_view *dout,
                                     const mesaopt_view *dq, const mesaopt_view *dk,
                                     const mesaopt_view *dv)
{
    return run(a, 1, (const mesaopt_view *[ATTEND_OPERANDS]){q, k, v, NULL, dout, dq, dk, dv});
}

mesaopt_status mesaopt_attn_free(mesaopt_attn *attn)
{
    return object_free(attn, OBJECT_ATTN);
}
