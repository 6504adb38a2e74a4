/* mesaopt/lsq.h: validates, then delegates to lib/mesa. */
#include "api/api_call.h"
#include "api/api_checks.h"
#include "base/options.h"
#include "mesa/lsq_plan.h"

enum { WIDEST = 65536 };

static void destroy(object *o) { alloc_free(&o->ctx->alloc, ((mesaopt_lsq *)o)->memory.memory); }

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
        l->missing = (int)option_int(settings, MESAOPT_SCOPE_LSQ, MESAOPT_KEY_MISSING);
        l->fallback = (int)option_int(settings, MESAOPT_SCOPE_LSQ, MESAOPT_KEY_FALLBACK);
        *out = l;
    }
    return ctx_leave(&c, status);
}

/* ---- operands ---- */

static mesaopt_status take_offsets(operands *o, const mesaopt_view *v)
{
    const int32_t dtype = v->dtype == MESAOPT_I32 ? MESAOPT_I32 : MESAOPT_I64;
    mesaopt_status status = views_take(&o->views, &v, &(view_want){"offsets", 1, {ANY}, dtype, 0});
    const int64_t B = operands_extent(o, 'b'), T = operands_extent(o, 't');
    if (status != MESAOPT_OK) return status;
    if (B != 1)
        return fail(o->ctx, MESAOPT_E_SHAPE, "offsets: with a batch of %lld, expected a batch of 1",
                    (long long)B);
    if (v->shape[0] < 1)
        return fail(o->ctx, MESAOPT_E_SHAPE,
                    "offsets: no elements, expected 0 and the ends of the sequences");
    int64_t before = 0;
    for (int64_t i = 0; i < v->shape[0]; i++) {
        const int64_t x = lsq_offset(v, i);
        const int last = i == v->shape[0] - 1;
        if (x < before || x > T || (i == 0 && x != 0) || (last && x != T))
            return fail(o->ctx, MESAOPT_E_ARGUMENT,
                        "offsets: %lld at [%lld], expected numbers that rise from 0 to %lld",
                        (long long)x, (long long)i, (long long)T);
        before = x;
    }
    operands_set_extent(o, 'n', v->shape[0] - 1);
    o->view[LSQ_ROW(OFFSETS)] = v;
    operands_count(o, LSQ_ROW(OFFSETS));
    return MESAOPT_OK;
}

static mesaopt_status check_values(const operands *o, int row)
{
    const mesaopt_view *v = o->view[row];
    if (row == LSQ_ROW(BETA)) return check_beta(o->ctx, v);
    if (row == LSQ_ROW(LOG_GAMMA)) return check_log_gamma(o->ctx, v);
    if (row == LSQ_ROW(RIDGE)) return check_ridge(o->ctx, v);
    return row == LSQ_ROW(H0) ? check_symmetric(o->ctx, v, lsq_operands[row].name)
                              : check_finite(o->ctx, v, lsq_operands[row].name);
}

static mesaopt_status check_operand(operands *o, int32_t which, const mesaopt_view *v, int64_t i)
{
    const int row = which > 0 && which < LSQ_OPERANDS - LSQ_DV ? LSQ_DV + which : -1;
    const char *name = row < 0 ? "unknown" : lsq_operands[row].name;
    if (row < 0 || !operand_used(o, row))
        return fail(o->ctx, MESAOPT_E_ARGUMENT,
                    "which[%lld]: %d (%s), expected an operand of mesaopt_lsq_%s", (long long)i,
                    (int)which, name, o->backward ? "adjoint" : "forward");
    if (operand_there(o, row))
        return fail(o->ctx, MESAOPT_E_ARGUMENT,
                    "which[%lld]: %s a second time, expected each operand once", (long long)i,
                    name);
    if (row == LSQ_ROW(OFFSETS)) return take_offsets(o, v);
    mesaopt_status status = operands_take(o, row, v);
    if (operand_reads(o, row)) CHECK(check_values(o, row));
    return status;
}

static mesaopt_status check_operands(operands *o, const mesaopt_lsq *l, int64_t count,
                                     const int32_t *which, const mesaopt_view *views)
{
    const int most = LSQ_OPERANDS - LSQ_DV - 1;
    mesaopt_status status = check_extent(o->ctx, count, 0, most, "count");
    if (status != MESAOPT_OK || count == 0) return status;
    CHECK(check_not_null(o->ctx, which, "which"));
    CHECK(check_not_null(o->ctx, views, "views"));
    for (int64_t i = 0; i < count && status == MESAOPT_OK; i++) /* first, since it says how many
                                                                   states there are */
        if (which[i] == MESAOPT_LSQ_OFFSETS) status = check_operand(o, which[i], &views[i], i);
    for (int64_t i = 0, offsets = 0; i < count && status == MESAOPT_OK; i++)
        if (which[i] != MESAOPT_LSQ_OFFSETS || offsets++)
            status = check_operand(o, which[i], &views[i], i);
    int64_t at[MESAOPT_MAX_RANK];
    const mesaopt_view *gate = o->view[LSQ_ROW(LOG_GAMMA)];
    if (status == MESAOPT_OK && l->solver == MESA_SHERMAN_MORRISON && gate &&
        view_first_outside(gate, 0, 0, at))
        status = refuse_forgetting(o->ctx, "log_gamma < 0");
    return status;
}

static void begin(operands *o, const mesaopt_lsq *l, int adjoint)
{
    operands_begin(o, l->head.ctx, lsq_operands, LSQ_OPERANDS, adjoint);
    operands_set_extent(o, 'd', l->d);
    operands_set_extent(o, 'v', l->dv);
}

/* A call on views by row of the table, and on the operands that were asked for. */
static mesaopt_status run(mesaopt_lsq *lsq, int adjoint, const mesaopt_view *const *views,
                          int64_t count, const int32_t *which, const mesaopt_view *more)
{
    call held;
    operands o;
    mesaopt_status status = call_begin(lsq, OBJECT_LSQ, CALL_IN_CALLBACK, &held);
    if (status != MESAOPT_OK) return status;
    begin(&o, lsq, adjoint);
    for (int i = 0; i <= LSQ_DV; i++)
        if (operand_used(&o, i)) CHECK(operands_take(&o, i, views[i]));
    for (int i = 0; i <= LSQ_DV; i++)
        if (operand_reads(&o, i)) CHECK(check_values(&o, i));
    operands_set_extent(&o, 'n', operands_extent(&o, 'b'));
    CHECK(check_operands(&o, lsq, count, which, more));
    CHECK(views_apart(&o.views));
    CHECK(lsq_run(lsq, &o));
    return call_end(&held, status);
}

mesaopt_status mesaopt_lsq_forward(mesaopt_lsq *lsq, const mesaopt_view *q, const mesaopt_view *k,
                                   const mesaopt_view *v, const mesaopt_view *out, int64_t count,
                                   const int32_t *which, const mesaopt_view *views)
{
    return run(lsq, 0, (const mesaopt_view *[LSQ_DV + 1]){q, k, v, out}, count, which, views);
}

mesaopt_status mesaopt_lsq_adjoint(mesaopt_lsq *lsq, const mesaopt_view *q, const mesaopt_view *k,
                                   const mesaopt_view *v, const mesaopt_view *dout,
                                   const mesaopt_view *dq, const mesaopt_view *dk,
                                   const mesaopt_view *dv, int64_t count, const int32_t *which,
                                   const mesaopt_view *views)
{
    return run(lsq, 1, (const mesaopt_view *[LSQ_DV + 1]){q, k, v, NULL, dout, dq, dk, dv}, count,
               which, views);
}

mesaopt_status mesaopt_lsq_shape(const mesaopt_lsq *lsq, int64_t *d_key, int64_t *d_val)
{
    const mesaopt_status status = check_kind(OBJECT_LSQ, lsq);
    if (status != MESAOPT_OK) return status;
    if (d_key) *d_key = lsq->d;
    if (d_val) *d_val = lsq->dv;
    return MESAOPT_OK;
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
    operands o;
    begin(&o, lsq, adjoint != 0);
    o.dtype = dtype;
    operands_set_extent(&o, 'b', batch);
    operands_set_extent(&o, 't', length);
    operands_set_extent(&o, 'h', heads);
    operands_set_extent(&o, 'n', sequences ? sequences : batch);
    for (int i = 0; i < LSQ_OPERANDS; i++)
        if (operand_used(&o, i) && i != LSQ_ROW(SOLUTION) && (sequences || lsq_operands[i].axes[0]))
            operands_count(&o, i);
    const int64_t need = lsq_bytes(lsq, &o);
    if (need < 0)
        return fail(ctx, MESAOPT_E_MEMORY, "batch, length, heads: the workspace overflows");
    *bytes = need;
    return MESAOPT_OK;
}

mesaopt_status mesaopt_lsq_free(mesaopt_lsq *lsq)
{
    return object_free(lsq, OBJECT_LSQ);
}
