/* mesaopt/rng.h: checks arguments, then delegates to kern/draws.c. */
#include "api/api_call.h"
#include "base/number.h"
#include "base/philox.h"
#include "kern/draws.h"
#include "mesaopt/rng.h"
#include <float.h>
#include <math.h>

mesaopt_status mesaopt_rng_philox(const uint32_t *counter, const uint32_t *key, uint32_t *out)
{
    if (!counter || !key || !out) return MESAOPT_E_ARGUMENT;
    philox(counter, key, out);
    return MESAOPT_OK;
}

static double largest(const mesaopt_view *view)
{
    return view->dtype == MESAOPT_F32 ? FLT_MAX : DBL_MAX;
}

static mesaopt_status check_out(mesaopt_ctx *ctx, const mesaopt_view *given, mesaopt_view *out)
{
    view_want want = {.name = "out", .ndim = ANY, .output = 1};
    mesaopt_status status = view_check(ctx, given, &want, out);
    if (status != MESAOPT_OK) return status;
    if (out->ndim < 1) return fail(ctx, MESAOPT_E_SHAPE, "out: rank 0, expected at least 1");
    int64_t positions = 1;
    for (int32_t i = 1; i < out->ndim; i++)
        if (!size_mul(positions, out->shape[i], &positions) || positions > PHILOX_POSITIONS)
            return fail(
                ctx, MESAOPT_E_SHAPE,
                "out: more than %lld elements in a row along the first axis, expected at most that",
                (long long)PHILOX_POSITIONS);
    return MESAOPT_OK;
}

static mesaopt_status uniform(mesaopt_ctx *ctx, uint64_t seed, uint32_t stream, uint64_t first,
                              double low, double high, const mesaopt_view *out)
{
    mesaopt_view own;
    mesaopt_status status = check_out(ctx, out, &own);
    if (status != MESAOPT_OK) return status;
    const double most = largest(out);
    const char *type = dtype_name(out->dtype);
    if (!(fabs(low) <= most))
        return fail(ctx, MESAOPT_E_ARGUMENT, "low: %s, expected a finite %s", number_text(low).text,
                    type);
    if (!(fabs(high) <= most && high - low <= most))
        return fail(ctx, MESAOPT_E_ARGUMENT, "high: %s, expected a finite %s, and so high - low",
                    number_text(high).text, type);
    if (!(out->dtype == MESAOPT_F32 ? (float)low < (float)high : low < high))
        return fail(ctx, MESAOPT_E_ARGUMENT, "high: %s, expected above low (%s) in %s",
                    number_text(high).text, number_text(low).text, type);
    draw_uniform(ctx, seed, stream, first, low, high, &own);
    return ctx_stopped(ctx, "rng");
}

static mesaopt_status normal(mesaopt_ctx *ctx, uint64_t seed, uint32_t stream, uint64_t first,
                             double mean, double sd, const mesaopt_view *out)
{
    mesaopt_view own;
    mesaopt_status status = check_out(ctx, out, &own);
    if (status != MESAOPT_OK) return status;
    const double most = largest(out) / 16;             /* no draw is beyond 9 sd */
    if (!(fabs(mean) <= most))
        return fail(ctx, MESAOPT_E_ARGUMENT, "mean: %s, expected within +-%s",
                    number_text(mean).text, number_text(most).text);
    if (!(sd >= 0 && sd <= most))
        return fail(ctx, MESAOPT_E_ARGUMENT, "sd: %s, expected in 0..%s", number_text(sd).text,
                    number_text(most).text);
    draw_normal(ctx, seed, stream, first, mean, sd, &own);
    return ctx_stopped(ctx, "rng");
}

static mesaopt_status orthogonal(mesaopt_ctx *ctx, uint64_t seed, uint32_t stream, uint64_t first,
                                 const mesaopt_view *out)
{
    mesaopt_view own;
    mesaopt_status status = check_out(ctx, out, &own);
    if (status != MESAOPT_OK) return status;
    if (out->ndim != 3 || out->shape[1] != out->shape[2])
        return fail(ctx, MESAOPT_E_SHAPE, "out: shape %s, expected [N,n,n]",
                    view_list(out->ndim, out->shape).text);
    status = draw_orthogonal(ctx, seed, stream, first, &own);
    return status == MESAOPT_OK ? ctx_stopped(ctx, "rng") : status;
}

mesaopt_status mesaopt_rng_uniform(mesaopt_ctx *ctx, uint64_t seed, uint32_t stream, uint64_t first,
                                   double low, double high, const mesaopt_view *out)
{
    call c;
    const mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c);
    return status == MESAOPT_OK ? ctx_leave(&c, uniform(ctx, seed, stream, first, low, high, out))
                                : status;
}

mesaopt_status mesaopt_rng_normal(mesaopt_ctx *ctx, uint64_t seed, uint32_t stream, uint64_t first,
                                  double mean, double sd, const mesaopt_view *out)
{
    call c;
    const mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c);
    return status == MESAOPT_OK ? ctx_leave(&c, normal(ctx, seed, stream, first, mean, sd, out))
                                : status;
}

mesaopt_status mesaopt_rng_orthogonal(mesaopt_ctx *ctx, uint64_t seed, uint32_t stream,
                                      uint64_t first, const mesaopt_view *out)
{
    call c;
    const mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c);
    return status == MESAOPT_OK ? ctx_leave(&c, orthogonal(ctx, seed, stream, first, out)) : status;
}
