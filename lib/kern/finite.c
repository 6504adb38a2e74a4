/* See finite.h. */
#include "kern/finite.h"
#include "base/number.h"

enum { WORTH = 16, PIECE = 1 << 20 };                  /* adjacent elements that are looked at in
                                                          vectors, and at a time */

int finite_run(const kern *k, const void *x, int64_t n)
{
    for (int64_t i = 0; i < n && !kern_stopped(k); i += PIECE)
        if (k->first_nonfinite(n - i < PIECE ? n - i : PIECE, (const char *)x + i * k->size) >= 0)
            return 0;
    return 1;
}

/* Where elements are not adjacent: row by row of the first axis. */
static int strided_check(const kern *k, const mesaopt_view *view, int64_t *index)
{
    if (view->ndim < 2) return view_first_nonfinite(view, index);
    for (int64_t i = 0; i < view->shape[0] && !kern_stopped(k); i++) {
        mesaopt_view row = *view;
        row.data = (char *)view->data + i * view->stride[0] * k->size;
        row.shape[0] = 1;
        if (!view_first_nonfinite(&row, index)) continue;
        index[0] = i;
        return 1;
    }
    return 0;
}

int finite_check(const mesaopt_ctx *ctx, const mesaopt_view *view, int64_t *index)
{
    int64_t run = 1, at[MESAOPT_MAX_RANK] = {0};
    mesaopt_view rows = *view;
    const kern *k = kern_get(ctx, view->dtype, 0);
    if (view_count(view) == 0) return 0;
    while (rows.ndim > 0 && (rows.stride[rows.ndim - 1] == run || rows.shape[rows.ndim - 1] == 1))
        run *= rows.shape[--rows.ndim];
    if (run < WORTH) return strided_check(k, view, index);
    for (int64_t left = view_count(&rows); left > 0 && !kern_stopped(k);
         left--, view_next(&rows, at)) {
        int64_t first = 0;
        for (int32_t i = 0; i < rows.ndim; i++) first += at[i] * rows.stride[i];
        if (!finite_run(k, (const char *)view->data + first * k->size, run))
            return view_first_nonfinite(view, index);
    }
    return 0;
}

mesaopt_status finite_require(mesaopt_ctx *ctx, const mesaopt_view *view, const char *name)
{
    int64_t at[MESAOPT_MAX_RANK];
    if (!finite_check(ctx, view, at)) return ctx_stopped(ctx, name);
    return fail(ctx, MESAOPT_E_NONFINITE, "%s: element %s is %s, expected a finite number", name,
                view_list(view->ndim, at).text, number_text(view_get(view, at)).text);
}
