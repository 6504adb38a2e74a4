/* mesaopt/lsq.h: validates, then delegates to lib/lsq. */
#include "api/api_call.h"
#include "api/api_checks.h"
#include "base/options.h"
#include "mesa/lsq_plan.h"
#include <stddef.h>
#include <string.h>

enum { WIDEST = 65536 };

static void destroy(object *o) { alloc_free(&o->ctx->alloc, ((mesaopt_lsq *)o)->memory); }

static mesaopt_status check_extent(mesaopt_ctx *ctx, int64_t x, int64_t low, int64_t high,
                                   const char *name)
{
    return x >= low && x <= high ? MESAOPT_OK
                                 : fail(ctx, MESAOPT_E_ARGUMENT, "%s: %lld, expected %lld to %lld",
                                        name, (long long)x, (long long)low, (long long)high);
}

static mesaopt_status refuse_forgetting(mesaopt_ctx *ctx, const char *what)
{
    return fail(ctx, MESAOPT_E_UNSUPPORTED,
                "solver: sherman_morrison with %s, expected gamma = 1: with forgetting its ridge "
                "decays as well",
                what);
}

mesaopt_status mesaopt_lsq_plan(mesaopt_ctx *ctx, const mesaopt_settings *settings, int64_t d_key,
                                int64_t d_val, mesaopt_lsq **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings);
    if (status != MESAOPT_OK) return status;
    CHECK(check_not_null(ctx, out, "out"));
    CHECK(options_check(ctx, settings, MESAOPT_SCOPE_LSQ, "settings"));
    CHECK(check_extent(ctx, d_key, 1, WIDEST, "d_key"));
    CHECK(check_extent(ctx, d_val, 1, WIDEST, "d_val"));
    const enum mesa_solver solver =
        status == MESAOPT_OK
            ? (enum mesa_solver)option_int(settings, MESAOPT_SCOPE_LSQ, MESAOPT_KEY_SOLVER)
            : MESA_AUTO;
    const double gamma =
        status == MESAOPT_OK ? option_float(settings, MESAOPT_SCOPE_LSQ, MESAOPT_KEY_GAMMA) : 1;
    if (solver == MESA_SHERMAN_MORRISON && gamma != 1) CHECK(refuse_forgetting(ctx, "gamma < 1"));
    mesaopt_lsq *l = status == MESAOPT_OK ? object_new(ctx, OBJECT_LSQ, sizeof *l, destroy) : NULL;
    if (status == MESAOPT_OK && !l) status = MESAOPT_E_MEMORY;
    if (l) {
        l->d = d_key, l->dv = d_val;
        l->solver = solver;
        l->chunk = option_int(settings, MESAOPT_SCOPE_LSQ, MESAOPT_KEY_CHUNK);
        l->lanes = option_int(settings, MESAOPT_SCOPE_LSQ, MESAOPT_KEY_LANES);
        l->ridge = option_float(settings, MESAOPT_SCOPE_LSQ, MESAOPT_KEY_RIDGE);
        l->gamma = gamma;
        l->tolerance = option_float(settings, MESAOPT_SCOPE_LSQ, MESAOPT_KEY_TOLERANCE);
        l->iterations = option_int(settings, MESAOPT_SCOPE_LSQ, MESAOPT_KEY_ITERATIONS);
        l->window = option_int(settings, MESAOPT_SCOPE_LSQ, MESAOPT_KEY_WINDOW);
        l->fallback = (int)option_int(settings, MESAOPT_SCOPE_LSQ, MESAOPT_KEY_FALLBACK);
        *out = l;
    }
    return ctx_leave(&c, status);
}

/* ---- operands ---- */

enum use { FORWARD_IN = 1, FORWARD_OUT = 2, ADJOINT_IN = 4, ADJOINT_OUT = 8 };
enum form { TOKENS, CHANNELS, KEYS, KEY_STATE, VALUE_STATE, STARTS };
typedef struct operand { const char *name; int use; enum form form; } operand;

static const operand operands[LSQ_OPERANDS] = {
    [MESAOPT_LSQ_BETA] = {"beta", FORWARD_IN | ADJOINT_IN, TOKENS},
    [MESAOPT_LSQ_LOG_GAMMA] = {"log_gamma", FORWARD_IN | ADJOINT_IN, TOKENS},
    [MESAOPT_LSQ_RIDGE] = {"ridge", FORWARD_IN | ADJOINT_IN, CHANNELS},
    [MESAOPT_LSQ_H0] = {"h0", FORWARD_IN | ADJOINT_IN, KEY_STATE},
    [MESAOPT_LSQ_S0] = {"s0", FORWARD_IN | ADJOINT_IN, VALUE_STATE},
    [MESAOPT_LSQ_OFFSETS] = {"offsets", FORWARD_IN | ADJOINT_IN, STARTS},
    [MESAOPT_LSQ_H_LAST] = {"h_last", FORWARD_OUT, KEY_STATE},
    [MESAOPT_LSQ_S_LAST] = {"s_last", FORWARD_OUT, VALUE_STATE},
    [MESAOPT_LSQ_SOLUTION] = {"solution", FORWARD_OUT | ADJOINT_IN, KEYS},
    [MESAOPT_LSQ_RESIDUAL] = {"residual", FORWARD_OUT | ADJOINT_OUT, TOKENS},
    [MESAOPT_LSQ_ITERATIONS] = {"iterations", FORWARD_OUT | ADJOINT_OUT, TOKENS},
    [MESAOPT_LSQ_CONDITION] = {"condition", FORWARD_OUT | ADJOINT_OUT, TOKENS},
    [MESAOPT_LSQ_D_H_LAST] = {"d_h_last", ADJOINT_IN, KEY_STATE},
    [MESAOPT_LSQ_D_S_LAST] = {"d_s_last", ADJOINT_IN, VALUE_STATE},
    [MESAOPT_LSQ_D_BETA] = {"d_beta", ADJOINT_OUT, TOKENS},
    [MESAOPT_LSQ_D_LOG_GAMMA] = {"d_log_gamma", ADJOINT_OUT, TOKENS},
    [MESAOPT_LSQ_D_RIDGE] = {"d_ridge", ADJOINT_OUT, CHANNELS},
    [MESAOPT_LSQ_D_H0] = {"d_h0", ADJOINT_OUT, KEY_STATE},
    [MESAOPT_LSQ_D_S0] = {"d_s0", ADJOINT_OUT, VALUE_STATE},
};

/* A call while it is being checked. */
typedef struct checked {
    mesaopt_ctx *ctx;
    const mesaopt_lsq *l;
    int adjoint;
    lsq_shape s;
    lsq_views v;
    call_views w;
} checked;

static void begin(checked *c, const mesaopt_lsq *l, int adjoint)
{
    memset(c, 0, offsetof(checked, w));
    c->ctx = l->head.ctx, c->l = l, c->adjoint = adjoint;
    views_begin(&c->w, c->ctx);
}

static mesaopt_status take_offsets(checked *c, const mesaopt_view **given)
{
    const int32_t dtype = *given && (*given)->dtype == MESAOPT_I32 ? MESAOPT_I32 : MESAOPT_I64;
    mesaopt_status status = views_take(&c->w, given, &(view_want){"offsets", 1, {ANY}, dtype, 0});
    const mesaopt_view *v = *given;
    if (status != MESAOPT_OK) return status;
    if (c->s.B != 1)
        return fail(c->ctx, MESAOPT_E_SHAPE, "offsets: with a batch of %lld, expected a batch of 1",
                    (long long)c->s.B);
    if (v->shape[0] < 1)
        return fail(c->ctx, MESAOPT_E_SHAPE,
                    "offsets: no elements, expected 0 and the ends of the sequences");
    int64_t before = 0;
    for (int64_t i = 0; i < v->shape[0]; i++) {
        const int64_t x = lsq_offset(v, i);
        const int last = i == v->shape[0] - 1;
        if (x < before || x > c->s.T || (i == 0 && x != 0) || (last && x != c->s.T))
            return fail(c->ctx, MESAOPT_E_ARGUMENT,
                        "offsets: %lld at [%lld], expected numbers that rise from 0 to %lld",
                        (long long)x, (long long)i, (long long)c->s.T);
        before = x;
    }
    c->s.N = v->shape[0] - 1;
    return MESAOPT_OK;
}

static view_want want_of(const checked *c, const operand *o, int output)
{
    const int64_t B = c->s.B, T = c->s.T, H = c->s.H, N = c->s.N, d = c->l->d, dv = c->l->dv;
    const int64_t shapes[][4] = {[TOKENS] = {B, T, H},
                                 [CHANNELS] = {H, d},
                                 [KEYS] = {B, T, H, d},
                                 [KEY_STATE] = {N, H, d, d},
                                 [VALUE_STATE] = {N, H, d, dv}};
    const int32_t ranks[] = {
        [TOKENS] = 3, [CHANNELS] = 2, [KEYS] = 4, [KEY_STATE] = 4, [VALUE_STATE] = 4};
    view_want want = {o->name, ranks[o->form], {0}, c->s.dtype, output};
    memcpy(want.shape, shapes[o->form], sizeof shapes[0]);
    return want;
}

static mesaopt_status check_values(checked *c, int32_t which, const mesaopt_view *v,
                                   const char *name)
{
    if (which == MESAOPT_LSQ_BETA) return check_beta(c->ctx, v);
    if (which == MESAOPT_LSQ_LOG_GAMMA) return check_log_gamma(c->ctx, v);
    if (which == MESAOPT_LSQ_RIDGE) return check_ridge(c->ctx, v);
    return which == MESAOPT_LSQ_H0 ? check_symmetric(c->ctx, v, name)
                                   : check_finite(c->ctx, v, name);
}

static mesaopt_status check_operand(checked *c, int32_t which, const mesaopt_view *v, int64_t i)
{
    const operand *o = which > 0 && which < LSQ_OPERANDS ? &operands[which] : NULL;
    const int input = c->adjoint ? ADJOINT_IN : FORWARD_IN,
              output = c->adjoint ? ADJOINT_OUT : FORWARD_OUT;
    if (!o || !o->name || !(o->use & (input | output)))
        return fail(c->ctx, MESAOPT_E_ARGUMENT,
                    "which[%lld]: %d (%s), expected an operand of mesaopt_lsq_%s", (long long)i,
                    (int)which, o && o->name ? o->name : "unknown",
                    c->adjoint ? "adjoint" : "forward");
    if (c->v.op[which])
        return fail(c->ctx, MESAOPT_E_ARGUMENT,
                    "which[%lld]: %s a second time, expected each operand once", (long long)i,
                    o->name);
    mesaopt_status status = MESAOPT_OK;
    if (o->form == STARTS) {
        status = take_offsets(c, &v);
    } else {
        const view_want want = want_of(c, o, (o->use & output) != 0);
        status = views_take(&c->w, &v, &want);
        if (status == MESAOPT_OK && (o->use & input)) status = check_values(c, which, v, o->name);
    }
    c->v.op[which] = v;
    return status;
}

static mesaopt_status check_operands(checked *c, int64_t count, const int32_t *which,
                                     const mesaopt_view *views)
{
    mesaopt_status status = count >= 0 && count < LSQ_OPERANDS
                                ? MESAOPT_OK
                                : fail(c->ctx, MESAOPT_E_ARGUMENT, "count: %lld, expected 0 to %d",
                                       (long long)count, LSQ_OPERANDS - 1);
    if (status != MESAOPT_OK || count == 0) return status;
    CHECK(check_not_null(c->ctx, which, "which"));
    CHECK(check_not_null(c->ctx, views, "views"));
    for (int64_t i = 0; i < count && status == MESAOPT_OK; i++) /* first, since it says how many
                                                                   states there are */
        if (which[i] == MESAOPT_LSQ_OFFSETS) status = check_operand(c, which[i], &views[i], i);
    for (int64_t i = 0, offsets = 0; i < count && status == MESAOPT_OK; i++)
        if (which[i] != MESAOPT_LSQ_OFFSETS || offsets++)
            status = check_operand(c, which[i], &views[i], i);
    if (status == MESAOPT_OK && c->l->solver == MESA_SHERMAN_MORRISON &&
        c->v.op[MESAOPT_LSQ_LOG_GAMMA]) {
        int64_t at[MESAOPT_MAX_RANK];
        if (view_first_outside(c->v.op[MESAOPT_LSQ_LOG_GAMMA], 0, 0, at))
            status = refuse_forgetting(c->ctx, "log_gamma < 0");
    }
    return status;
}

/* q, k, v of one type. */
static mesaopt_status check_inputs(checked *c, const mesaopt_view *q, const mesaopt_view *k,
                                   const mesaopt_view *v)
{
    mesaopt_status status =
        views_take(&c->w, &q, &(view_want){"q", 4, {ANY, ANY, ANY, c->l->d}, 0, 0});
    if (status != MESAOPT_OK) return status;
    c->s = (lsq_shape){q->shape[0], q->shape[1], q->shape[2], q->shape[0], q->dtype};
    for (int i = 0; i < 3; i++)
        CHECK(check_extent(c->ctx, q->shape[i], 0, INT32_MAX, "q: an extent"));
    CHECK(views_take(&c->w, &k,
                     &(view_want){"k", 4, {c->s.B, c->s.T, c->s.H, c->l->d}, c->s.dtype, 0}));
    CHECK(views_take(&c->w, &v,
                     &(view_want){"v", 4, {c->s.B, c->s.T, c->s.H, c->l->dv}, c->s.dtype, 0}));
    CHECK(check_finite(c->ctx, q, "q"));
    CHECK(check_finite(c->ctx, k, "k"));
    CHECK(check_finite(c->ctx, v, "v"));
    c->v.q = q, c->v.k = k, c->v.v = v;
    return status;
}

static mesaopt_status take_output(checked *c, const mesaopt_view **v, const char *name,
                                  int64_t cols)
{
    return views_take(&c->w, v,
                      &(view_want){name, 4, {c->s.B, c->s.T, c->s.H, cols}, c->s.dtype, 1});
}

mesaopt_status mesaopt_lsq_forward(mesaopt_lsq *lsq, const mesaopt_view *q, const mesaopt_view *k,
                                   const mesaopt_view *v, const mesaopt_view *out, int64_t count,
                                   const int32_t *which, const mesaopt_view *views)
{
    call held;
    mesaopt_status status = call_begin(lsq, OBJECT_LSQ, CALL_IN_CALLBACK, &held);
    if (status != MESAOPT_OK) return status;
    checked c;
    begin(&c, lsq, 0);
    CHECK(check_inputs(&c, q, k, v));
    CHECK(take_output(&c, &out, "out", lsq->dv));
    CHECK(check_operands(&c, count, which, views));
    CHECK(views_apart(&c.w));
    c.v.out = out;
    CHECK(lsq_run(lsq, &c.s, &c.v));
    return call_end(lsq, &held, status);
}

mesaopt_status mesaopt_lsq_adjoint(mesaopt_lsq *lsq, const mesaopt_view *q, const mesaopt_view *k,
                                   const mesaopt_view *v, const mesaopt_view *dout,
                                   const mesaopt_view *dq, const mesaopt_view *dk,
                                   const mesaopt_view *dv, int64_t count, const int32_t *which,
                                   const mesaopt_view *views)
{
    call held;
    mesaopt_status status = call_begin(lsq, OBJECT_LSQ, CALL_IN_CALLBACK, &held);
    if (status != MESAOPT_OK) return status;
    checked c;
    begin(&c, lsq, 1);
    CHECK(check_inputs(&c, q, k, v));
    CHECK(views_take(&c.w, &dout,
                     &(view_want){"dout", 4, {c.s.B, c.s.T, c.s.H, lsq->dv}, c.s.dtype, 0}));
    CHECK(check_finite(c.ctx, dout, "dout"));
    CHECK(take_output(&c, &dq, "dq", lsq->d));
    CHECK(take_output(&c, &dk, "dk", lsq->d));
    CHECK(take_output(&c, &dv, "dv", lsq->dv));
    CHECK(check_operands(&c, count, which, views));
    CHECK(views_apart(&c.w));
    c.v.dout = dout, c.v.dq = dq, c.v.dk = dk, c.v.dv = dv;
    CHECK(lsq_run(lsq, &c.s, &c.v));
    return call_end(lsq, &held, status);
}

mesaopt_status mesaopt_lsq_workspace(const mesaopt_lsq *lsq, int32_t dtype, int64_t batch,
                                     int64_t length, int64_t heads, int64_t sequences,
                                     int32_t adjoint, int64_t *bytes)
{
    mesaopt_status status = check_kind(OBJECT_LSQ, lsq);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = lsq->head.ctx;
    if (dtype != MESAOPT_F32 && dtype != MESAOPT_F64)
        status = fail(ctx, MESAOPT_E_DTYPE, "dtype: %s, expected f32 or f64", dtype_name(dtype));
    CHECK(check_extent(ctx, batch, 0, INT32_MAX, "batch"));
    CHECK(check_extent(ctx, length, 0, INT32_MAX, "length"));
    CHECK(check_extent(ctx, heads, 0, INT32_MAX, "heads"));
    CHECK(check_extent(ctx, sequences, 0, batch == 1 ? INT32_MAX : 0, "sequences"));
    CHECK(check_not_null(ctx, bytes, "bytes"));
    if (status != MESAOPT_OK) return status;
    checked c;
    begin(&c, lsq, adjoint != 0);
    c.s = (lsq_shape){batch, length, heads, sequences ? sequences : batch, dtype};
    mesaopt_view views[LSQ_OPERANDS],
        q = {.shape = {batch, length, heads, lsq->d},
             .stride = {1, 1, 1, 2},
             .ndim = 4,
             .dtype = dtype},
        v = q;
    v.shape[3] = lsq->dv;
    for (int32_t i = 1; i < LSQ_OPERANDS; i++) {
        const operand *o = &operands[i];
        if (!o->name || o->form == STARTS ||
            !(o->use & (adjoint ? ADJOINT_IN | ADJOINT_OUT : FORWARD_IN | FORWARD_OUT)) ||
            i == MESAOPT_LSQ_SOLUTION)
            continue;
        const view_want want = want_of(&c, o, 0);
        /* such that a copy is needed */
        views[i] = (mesaopt_view){.ndim = want.ndim, .dtype = dtype, .stride = {1, -1, 1, 2}};
        memcpy(views[i].shape, want.shape, sizeof want.shape);
        c.v.op[i] = &views[i];
    }
    c.v.q = c.v.k = &q, c.v.v = &v;
    if (sequences) c.v.op[MESAOPT_LSQ_OFFSETS] = &q;                /* is there; nobody reads it */
    if (adjoint) c.v.dout = c.v.dv = &v, c.v.dq = c.v.dk = &q;
    else c.v.out = &v;
    const int64_t need = lsq_bytes(lsq, &c.s, &c.v);
    if (need < 0)
        return fail(ctx, MESAOPT_E_MEMORY, "batch, length, heads: the workspace overflows");
    *bytes = need;
    return MESAOPT_OK;
}

mesaopt_status mesaopt_lsq_free(mesaopt_lsq *lsq)
{
    return object_free(lsq, OBJECT_LSQ);
}
