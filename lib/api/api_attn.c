/* mesaopt/attn.h: validates, then delegates to nn/attend.c. */
#include "api/api_call.h"
#include "base/options.h"
#include "nn/attend.h"

static void destroy(object *o) { alloc_free(&o->ctx->alloc, ((mesaopt_attn *)o)->memory); }

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
        *out = a;
    }
    return ctx_leave(&c, status);
}

static mesaopt_status check_extent(mesaopt_ctx *ctx, int64_t x, const char *name)
{
    return x >= 0 && x <= INT32_MAX
               ? MESAOPT_OK
               : fail(ctx, MESAOPT_E_ARGUMENT, "%s: %lld, expected 0 to 2147483647", name,
                      (long long)x);
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
    CHECK(check_extent(ctx, batch, "batch"));
    CHECK(check_extent(ctx, length, "length"));
    CHECK(check_extent(ctx, heads, "heads"));
    CHECK(check_extent(ctx, key, "key"));
    CHECK(check_extent(ctx, value, "value"));
    CHECK(check_not_null(ctx, bytes, "bytes"));
    if (status != MESAOPT_OK) return status;
    const int64_t need =
        attend_bytes(a, &(attend_shape){batch, length, heads, key, value, dtype}, 1);
    if (need < 0)
        return fail(ctx, MESAOPT_E_MEMORY,
                    "batch, length, heads, key, value: the workspace overflows");
    *bytes = need;
    return MESAOPT_OK;
}

/* q, k, v: equal types, q and k of one shape, v with a width of its own. */
static mesaopt_status take_inputs(call_views *w, const mesaopt_view **q, const mesaopt_view **k,
                                  const mesaopt_view **v, attend_shape *s)
{
    mesaopt_status status = views_take(w, q, &(view_want){"q", 4, {ANY, ANY, ANY, ANY}, 0, 0});
    if (status != MESAOPT_OK) return status;
    const int64_t *shape = (*q)->shape;
    *s = (attend_shape){shape[0], shape[1], shape[2], shape[3], 0, (*q)->dtype};
    for (int i = 0; i < 4; i++) CHECK(check_extent(w->ctx, shape[i], "q: an extent"));
    CHECK(views_take(w, k, &(view_want){"k", 4, {s->B, s->T, s->H, s->d}, s->dtype, 0}));
    CHECK(views_take(w, v, &(view_want){"v", 4, {s->B, s->T, s->H, ANY}, s->dtype, 0}));
    if (status == MESAOPT_OK) s->dv = (*v)->shape[3];
    CHECK(check_extent(w->ctx, s->dv, "v: its last extent"));
    return status;
}

mesaopt_status mesaopt_attn_forward(mesaopt_attn *a, const mesaopt_view *q, const mesaopt_view *k,
                                    const mesaopt_view *v, const mesaopt_view *out)
{
    call c;
    attend_shape s;
    call_views w;
    mesaopt_status status = call_begin(a, OBJECT_ATTN, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    views_begin(&w, a->head.ctx);
    CHECK(take_inputs(&w, &q, &k, &v, &s));
    CHECK(views_take(&w, &out, &(view_want){"out", 4, {s.B, s.T, s.H, s.dv}, s.dtype, 1}));
    CHECK(views_apart(&w));
    CHECK(attend(a, &s, &(attend_views){.q = q, .k = k, .v = v, .out = out}));
    return call_end(a, &c, status);
}

mesaopt_status mesaopt_attn_backward(mesaopt_attn *a, const mesaopt_view *q, const mesaopt_view *k,
                                     const mesaopt_view *v, const mesaopt_view *dout,
                                     const mesaopt_view *dq, const mesaopt_view *dk,
                                     const mesaopt_view *dv)
{
    call c;
    attend_shape s;
    call_views w;
    mesaopt_status status = call_begin(a, OBJECT_ATTN, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    views_begin(&w, a->head.ctx);
    CHECK(take_inputs(&w, &q, &k, &v, &s));
    CHECK(views_take(&w, &dout, &(view_want){"dout", 4, {s.B, s.T, s.H, s.dv}, s.dtype, 0}));
    CHECK(views_take(&w, &dq, &(view_want){"dq", 4, {s.B, s.T, s.H, s.d}, s.dtype, 1}));
    CHECK(views_take(&w, &dk, &(view_want){"dk", 4, {s.B, s.T, s.H, s.d}, s.dtype, 1}));
    CHECK(views_take(&w, &dv, &(view_want){"dv", 4, {s.B, s.T, s.H, s.dv}, s.dtype, 1}));
    CHECK(views_apart(&w));
    CHECK(attend(
        a, &s,
        &(attend_views){.q = q, .k = k, .v = v, .dout = dout, .dq = dq, .dk = dk, .dv = dv}));
    return call_end(a, &c, status);
}

mesaopt_status mesaopt_attn_free(mesaopt_attn *attn)
{
    return object_free(attn, OBJECT_ATTN);
}
