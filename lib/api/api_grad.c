/* mesaopt/grad.h: fourth-order central differences,
 *     dL/dx = (8 (L(+h) - L(-h)) - (L(+2h) - L(-2h))) / 12h = 4/3 (L(+h) - L(-h)) / 2h - 1/3
 *     (L(+2h) - L(-2h)) / 4h + O(h^4).
 * The second form is the one computed, with the distances that the rounded positions of an f32
 * element really have. The callback may make any call on the context. Each element is moved in
 * turn; all arithmetic runs in the default floating-point environment, the callback in the
 * host's. */
#include "api/api_call.h"
#include "base/number.h"
#include "base/real.h"
#include "mesaopt/grad.h"
#include "tensor/view.h"
#include <float.h>
#include <math.h>
#include <string.h>

/* *x and *gradient move to the copies in w. */
static mesaopt_status check(mesaopt_ctx *ctx, mesaopt_loss_fn loss, call_views *w,
                            const mesaopt_view **x, const mesaopt_view **gradient, double h,
                            double *error)
{
    int64_t index[MESAOPT_MAX_RANK];
    if (!loss) return fail(ctx, MESAOPT_E_ARGUMENT, "loss: NULL, expected a function");
    if (!error) return check_not_null(ctx, error, "error");
    views_begin(w, ctx);
    mesaopt_status status = views_take(w, x, &(view_want){.name = "x", .ndim = ANY, .output = 1});
    if (status != MESAOPT_OK) return status;
    view_want want = {.name = "gradient", .ndim = (*x)->ndim};
    memcpy(want.shape, (*x)->shape, sizeof want.shape);
    CHECK(views_take(w, gradient, &want));
    CHECK(views_apart(w));
    if (status != MESAOPT_OK) return status;
    if (!(h > 0) || isinf(h))
        return fail(ctx, MESAOPT_E_ARGUMENT, "h: %s, expected a finite number > 0",
                    number_text(h).text);
    if (view_first_nonfinite(*x, index))
        return fail(ctx, MESAOPT_E_NONFINITE, "x: not finite at %s, expected finite elements",
                    view_list((*x)->ndim, index).text);
    if (view_first_nonfinite(*gradient, index))
        return fail(ctx, MESAOPT_E_NONFINITE,
                    "gradient: not finite at %s, expected finite elements",
                    view_list((*x)->ndim, index).text);
    return MESAOPT_OK;
}

typedef struct probe {
    mesaopt_ctx *ctx;
    mesaopt_loss_fn loss;
    void *user;
    const mesaopt_view *x;
    const int64_t *index;
    call *c;
} probe;

static mesaopt_status interrupted(const probe *p)
{
    return fail(p->ctx, MESAOPT_E_INTERRUPTED, "interrupted at x %s",
                view_list(p->x->ndim, p->index).text);
}

/* Loss with the element moved to x0 + step; *at: where it is then, rounded to its type. */
static mesaopt_status loss_at(probe *p, double x0, double step, double *at, double *loss)
{
    view_set(p->x, p->index, x0 + step);
    *at = view_get(p->x, p->index);
    if (!isfinite(*at) || *at == x0)
        return fail(p->ctx, MESAOPT_E_ARGUMENT,
                    "h: x at %s cannot move by %s from %s, expected a step that its type resolves",
                    view_list(p->x->ndim, p->index).text, number_text(step).text,
                    number_text(x0).text);
    double value = NAN;
    ctx_callback_begin(p->c);
    const int failed = p->loss(&value, p->user) != 0;
    ctx_callback_end(p->c);
    if (failed && ctx_interrupted(p->ctx)) return interrupted(p);      /* which is why it failed */
    if (failed)
        return fail(p->ctx, MESAOPT_E_SOURCE, "loss: the callback failed with x at %s moved by %s",
                    view_list(p->x->ndim, p->index).text, number_text(step).text);
    if (!isfinite(value))
        return fail(p->ctx, MESAOPT_E_NONFINITE,
                    "loss: %s with x at %s moved by %s, expected a finite number",
                    number_text(value).text, view_list(p->x->ndim, p->index).text,
                    number_text(step).text);
    *loss = value;
    return MESAOPT_OK;
}

static mesaopt_status difference(probe *p, double h, double *out)
{
    double x0 = view_get(p->x, p->index), at[4], loss[4];
    mesaopt_status status = MESAOPT_OK;
    for (int i = 0; i < 4 && status == MESAOPT_OK; i++) {
        const double steps[4] = {h, -h, 2 * h, -2 * h};
        status = loss_at(p, x0, steps[i], &at[i], &loss[i]);
    }
    view_set(p->x, p->index, x0);
    if (status == MESAOPT_OK)
        *out =
            (4 * (loss[0] - loss[1]) / (at[0] - at[1]) - (loss[2] - loss[3]) / (at[2] - at[3])) / 3;
    return status;
}

static mesaopt_status compare(probe *p, const mesaopt_view *gradient, double h, double *error)
{
    int64_t index[MESAOPT_MAX_RANK] = {0};
    double off = 0, norm_d = 0, norm_g = 0, d = 0;
    p->index = index;
    for (int64_t left = view_count(p->x); left > 0; left--) {
        const mesaopt_status status =
            ctx_interrupted(p->ctx) ? interrupted(p) : difference(p, h, &d);
        if (status != MESAOPT_OK) return status;
        double g = view_get(gradient, index);
        off = real_hypot(off, d - g), norm_d = real_hypot(norm_d, d),
        norm_g = real_hypot(norm_g, g);
        view_next(p->x, index);
    }
    double norm = larger(norm_d, norm_g);
    if (!(off <= DBL_MAX && norm <= DBL_MAX))
        return fail(
            p->ctx, MESAOPT_E_NONFINITE,
            "loss: its differences overflow, expected a loss of a size that can be differentiated");
    *error = norm > 0 ? off / norm : 0;
    return MESAOPT_OK;
}

mesaopt_status mesaopt_grad_check(mesaopt_ctx *ctx, mesaopt_loss_fn loss, void *user,
                                  const mesaopt_view *x, const mesaopt_view *gradient, double h,
                                  double *error)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_NORMAL, &c);
    if (status != MESAOPT_OK) return status;
    call_views w;
    status = check(ctx, loss, &w, &x, &gradient, h, error);
    c.open = 1;
    CHECK(compare(&(probe){.ctx = ctx, .loss = loss, .user = user, .x = x, .c = &c}, gradient, h,
                  error));
    return ctx_leave(&c, status);
}
