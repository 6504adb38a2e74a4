/* See finite.h. */
#include "kern/finite.h"
#include "base/number.h"
#include "kern/kern.h"

int finite_check(const mesaopt_ctx *ctx, const mesaopt_view *view, int64_t *index)
{
    enum { WORTH = 16 };
    int64_t run = 1, at[MESAOPT_MAX_RANK] = {0};
    mesaopt_view rows = *view;
    if (view_count(view) == 0) return 0;
    while (rows.ndim > 0 && (rows.stride[rows.ndim - 1] == run || rows.shape[rows.ndim - 1] == 1)) run *= rows.shape[--rows.ndim];
    if (run < WORTH) return view_first_nonfinite(view, index);
    const kern *k = kern_get(ctx, view->dtype, 0);
    for (int64_t left = view_count(&rows); left > 0; left--, view_next(&rows, at)) {
        int64_t first = 0;
        for (int32_t i = 0; i < rows.ndim; i++) first += at[i] * rows.stride[i];
        if (k->first_nonfinite(run, (const char *)view->data + first * k->size) >= 0) return view_first_nonfinite(view, index);
    }
    return 0;
}

mesaopt_status finite_require(mesaopt_ctx *ctx, const mesaopt_view *view, const char *name)
{
    int64_t at[MESAOPT_MAX_RANK];
    if (!finite_check(ctx, view, at)) return MESAOPT_OK;
    return fail(ctx, MESAOPT_E_NONFINITE, "%s: element %s is %s, expected a finite number", name,
                view_list(view->ndim, at).text, number_text(view_get(view, at)).text);
}
