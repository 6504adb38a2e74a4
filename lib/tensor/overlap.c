/* Do views share memory?
 *
 * A byte of a view lies at data + sum_k i_k s_k, 0 <= i_k < n_k, where the bytes of an element are
 * one more axis (s = 1, n = size). So two views meet if and only if the difference of their
 * addresses is a sum  delta = sum_k x_k s_k  with lo_k <= x_k <= hi_k: an axis of a contributes [0,
 * n - 1], one of b [-(n - 1), 0], and equal strides of both merge to [-(n_b - 1), n_a - 1]. Sorted
 * by falling stride, x_1 is bound by what the later axes can still reach, and mostly to one or two
 * values: packed slices and strided columns are decided at once. The search gives up after a fixed
 * number of steps and then says that they may meet. */
#include "tensor/view.h"

enum { MOST_AXES = 2 * (MESAOPT_MAX_RANK + 1), MOST_STEPS = 4096 };

typedef struct axis { int64_t stride, low, high; } axis;

typedef struct search {
    axis a[MOST_AXES];
    int count, steps;
} search;

static int64_t divide_up(int64_t a, int64_t b) { return a / b + (a % b > 0); }
static int64_t divide_down(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* Inserts an axis by falling stride, or widens the one of its stride. */
static void add_axis(search *s, int64_t stride, int64_t low, int64_t high)
{
    if (stride < 0) {
        int64_t keep = low;
        stride = -stride, low = -high, high = -keep;
    }
    if (stride == 0 || (low == 0 && high == 0)) return;
    int i = 0;
    while (i < s->count && s->a[i].stride > stride) i++;
    if (i < s->count && s->a[i].stride == stride) {
        s->a[i].low += low, s->a[i].high += high;
        return;
    }
    for (int j = s->count++; j > i; j--) s->a[j] = s->a[j - 1];
    s->a[i] = (axis){stride, low, high};
}

static void add_view(search *s, const mesaopt_view *v, int sign)
{
    int64_t size = dtype_size(v->dtype);
    for (int k = 0; k <= v->ndim; k++) {
        int64_t last = (k < v->ndim ? v->shape[k] : size) - 1,
                stride = k < v->ndim ? v->stride[k] * size : 1;
        add_axis(s, stride, sign > 0 ? 0 : -last, sign > 0 ? last : 0);
    }
}

/* Is delta a sum over the axes from k on? */
static int reachable(search *s, int k, int64_t delta)
{
    int64_t least = 0, most = 0;
    if (++s->steps > MOST_STEPS) return 1;
    if (k == s->count) return delta == 0;
    for (int j = k + 1; j < s->count; j++)
        least += s->a[j].stride * s->a[j].low, most += s->a[j].stride * s->a[j].high;
    int64_t x = divide_up(delta - most, s->a[k].stride),
            end = divide_down(delta - least, s->a[k].stride);
    if (x < s->a[k].low) x = s->a[k].low;
    if (end > s->a[k].high) end = s->a[k].high;
    for (; x <= end; x++)
        if (reachable(s, k + 1, delta - x * s->a[k].stride)) return 1;
    return 0;
}

int view_may_meet(const mesaopt_view *a, const mesaopt_view *b)
{
    int64_t low_a, high_a, low_b, high_b;
    if (view_count(a) == 0 || view_count(b) == 0) return 0;
    view_range(a, &low_a, &high_a);
    view_range(b, &low_b, &high_b);
    if (high_a <= low_b || high_b <= low_a) return 0;
    search s = {.count = 0};
    add_view(&s, a, 1);
    add_view(&s, b, -1);
    return reachable(&s, 0, (int64_t)(intptr_t)b->data - (int64_t)(intptr_t)a->data);
}

int view_distinct(const mesaopt_view *view)
{
    search s = {.count = 0};                           /* equal strides merge, which makes their
                                                          elements meet, as they do */
    int64_t reach = 0;
    int axes = 0;
    for (int k = 0; k < view->ndim; k++) {
        if (view->shape[k] < 2) continue;
        if (view->stride[k] == 0) return 0;
        add_axis(&s, view->stride[k], 0, view->shape[k] - 1);
        axes++;
    }
    if (axes != s.count) return 0;
    for (int k = s.count - 1; k >= 0; k--) {
        if (s.a[k].stride <= reach) return 0;
        reach += s.a[k].stride * s.a[k].high;
    }
    return 1;
}
