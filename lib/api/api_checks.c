/* See api_checks.h. */
#include "api/api_checks.h"
#include "api/api_call.h"
#include "base/number.h"
#include "kern/finite.h"
#include <float.h>
#include <math.h>

mesaopt_status check_extent(mesaopt_ctx *ctx, int64_t x, int64_t low, int64_t high,
                            const char *name)
{
    return x >= low && x <= high ? MESAOPT_OK
                                 : fail(ctx, MESAOPT_E_ARGUMENT, "%s: %lld, expected %lld to %lld",
                                        name, (long long)x, (long long)low, (long long)high);
}

double check_most(const mesaopt_view *v)
{
    return v->dtype == MESAOPT_F32 ? (double)FLT_MAX : DBL_MAX;
}

mesaopt_status check_range(mesaopt_ctx *ctx, const mesaopt_view *v, const char *name, double low,
                           double high, const char *expected)
{
    int64_t index[MESAOPT_MAX_RANK];
    if (!view_first_outside(v, low, high, index)) return MESAOPT_OK;
    const double x = view_get(v, index);
    return fail(ctx, isfinite(x) ? MESAOPT_E_ARGUMENT : MESAOPT_E_NONFINITE,
                "%s: %s at %s, expected %s", name, number_text(x).text,
                view_list(v->ndim, index).text, expected);
}

mesaopt_status check_finite(mesaopt_ctx *ctx, const mesaopt_view *v, const char *name)
{
    int64_t index[MESAOPT_MAX_RANK];
    if (!finite_check(ctx, v, index)) return ctx_stopped(ctx, name);
    return fail(ctx, MESAOPT_E_NONFINITE, "%s: not finite at %s, expected finite elements", name,
                view_list(v->ndim, index).text);
}

mesaopt_status check_beta(mesaopt_ctx *ctx, const mesaopt_view *v)
{
    return check_range(ctx, v, "beta", 0, 1, "a weight in 0..1");
}

mesaopt_status check_weights(mesaopt_ctx *ctx, const mesaopt_view *v)
{
    int64_t at[MESAOPT_MAX_RANK] = {0};
    static const char *const expected = "0, or a weight of 1e-20 to 1e20";
    mesaopt_status status = check_range(ctx, v, "weights", 0, 1e20, expected);
    for (int64_t i = 0; i < view_count(v) && status == MESAOPT_OK; i++, view_next(v, at)) {
        const double x = view_get(v, at);
        if (x > 0 && x < 0.999e-20)                    /* 1e-20 is a little less as f32 */
            status = fail(ctx, MESAOPT_E_ARGUMENT,
                          "weights: %s at %s, expected %s", number_text(x).text,
                          view_list(v->ndim, at).text, expected);
    }
    return status;
}

mesaopt_status check_log_gamma(mesaopt_ctx *ctx, const mesaopt_view *v)
{
    return check_range(ctx, v, "log_gamma", -INFINITY, 0,
                       "the logarithm of a factor in 0..1, which is <= 0");
}

mesaopt_status check_ridge(mesaopt_ctx *ctx, const mesaopt_view *v)
{
    return check_range(ctx, v, "ridge", v->dtype == MESAOPT_F32 ? (double)FLT_MIN : DBL_MIN,
                       check_most(v), "a positive, finite ridge");
}

/* Row i of the matrix at `at`, whose last two elements are free. */
static mesaopt_status check_row(mesaopt_ctx *ctx, const mesaopt_view *v, const char *name,
                                int64_t *at, int64_t i)
{
    const double tolerance = v->dtype == MESAOPT_F32 ? 1e-5 : 1e-12;
    int64_t *row = &at[v->ndim - 2], *column = row + 1;
    *row = *column = i;
    const double ii = view_get(v, at);
    if (ii < 0)
        return fail(ctx, MESAOPT_E_ARGUMENT,
                    "%s: %s at %s, expected no negative number on the diagonal", name,
                    number_text(ii).text, view_list(v->ndim, at).text);
    for (int64_t j = 0; j < i; j++) {
        *row = *column = j;
        const double jj = view_get(v, at);
        *column = i;
        const double y = view_get(v, at);
        *row = i, *column = j;
        const double x = view_get(v, at);
        if (!(fabs(x - y) <= tolerance * (ii + jj)))
            return fail(ctx, MESAOPT_E_ARGUMENT,
                        "%s: %s at %s and %s across the diagonal, expected a symmetric matrix",
                        name, number_text(x).text, view_list(v->ndim, at).text,
                        number_text(y).text);
        if (!(fabs(x) <= sqrt(ii) * sqrt(jj) * (1 + 8 * tolerance)))
            return fail(ctx, MESAOPT_E_ARGUMENT,
                        "%s: %s at %s between diagonal elements %s and %s, expected a positive "
                        "semidefinite matrix",
                        name, number_text(x).text, view_list(v->ndim, at).text,
                        number_text(ii).text, number_text(jj).text);
    }
    return MESAOPT_OK;
}

mesaopt_status check_symmetric(mesaopt_ctx *ctx, const mesaopt_view *v, const char *name)
{
    mesaopt_status status = check_finite(ctx, v, name);
    const int64_t d = v->shape[v->ndim - 1];
    int64_t at[MESAOPT_MAX_RANK] = {0};
    mesaopt_view matrices = *v;
    matrices.ndim -= 2;
    for (int64_t left = d > 0 ? view_count(&matrices) : 0; left > 0 && status == MESAOPT_OK;
         left--, view_next(&matrices, at))
        for (int64_t i = 0; i < d && status == MESAOPT_OK; i++) {
            status = check_row(ctx, v, name, at, i);
            CHECK(ctx_stopped(ctx, name));
        }
    return status;
}
