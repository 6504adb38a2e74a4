/* What baselines regress the next observation on (the setting space):
 *
 *     observations  z_t = x_t
 *     slots         z_t = [x_t, x_{t-1}, ..., x_{t-k+1}], observations before the first are 0
 *     features      z_t = f(x_t) / |f(x_t)|, f the features of a task: of the baseline's own, or of
 *                   the task whose sequences it sees
 * Targets stay x_{t+1}. Source: arXiv 2309.05858, sections 3 and 4, appendix; docs/science.md,
 * section 5. */
#include "base/choices.h"
#include "study/baselines.h"
#include <string.h>

int64_t baseline_width(const mesaopt_baseline *b, int64_t n)
{
    if (b->space != SPACE_SLOTS) return n;
    const int64_t m = tokens_width(TOKENS_SLOTS, b->slots, n);
    return m > BASELINE_WIDEST ? -1 : m;
}

static const mesaopt_task *teacher(const mesaopt_baseline *b, const mesaopt_task *task)
{
    return b->task ? b->task : task;
}

mesaopt_status baseline_check_space(const mesaopt_baseline *b, const mesaopt_task *task, int64_t n)
{
    mesaopt_ctx *ctx = b->head.ctx;
    const mesaopt_task *from = teacher(b, task);
    if (baseline_width(b, n) < 0)
        return fail(ctx, MESAOPT_E_SHAPE,
                    "space: %lld slots of %lld numbers, expected at most %lld numbers",
                    (long long)b->slots, (long long)n, (long long)BASELINE_WIDEST);
    if (b->space != SPACE_FEATURES) return MESAOPT_OK;
    if (!from)
        return fail(ctx, MESAOPT_E_STATE,
                    "space: features without a task, expected mesaopt_baseline_set_task to give "
                    "the one that has them");
    const mesaopt_status status = task_check_features(ctx, from, "space: features");
    if (status != MESAOPT_OK || from->shape.dim == n) return status;
    return fail(ctx, MESAOPT_E_SHAPE,
                "space: features of observations of %lld numbers, expected %lld as they are",
                (long long)from->shape.dim, (long long)n);
}

void baseline_take_inputs(baseline_problem *p, arena *a)
{
    int64_t elements;
    p->z = p->x;
    if (p->b->space == SPACE_OBSERVATIONS && p->b->pairs == PAIRS_ALL) return;
    p->z = arena_take(a, size_mul(p->T + 1, p->m, &elements) ? elements : -1,
                      p->k->lanes * p->k->size);
    if (p->b->space == SPACE_FEATURES)
        p->space = arena_take(a, task_feature_scratch(teacher(p->b, p->task), p->k), 1);
}

void baseline_fill_inputs(const baseline_problem *p, int64_t rows)
{
    if (p->b->space == SPACE_OBSERVATIONS && p->z != p->x)
        memcpy(p->z, p->x, (size_t)(rows * p->n * p->k->lanes * p->k->size));
    if (p->b->space == SPACE_SLOTS)
        tokens_construct(TOKENS_SLOTS, p->b->slots, rows, p->n * p->k->lanes * p->k->size, p->x,
                         p->z);
    if (p->b->space == SPACE_FEATURES)
        task_features_panel(teacher(p->b, p->task), p->k, rows, p->x, 1, p->space, p->z);
}

void baseline_leave_out(const baseline_problem *p)
{
    const int64_t lanes = p->k->lanes;
    const double *w = p->weights;
    double *z = p->z;
    for (int64_t t = 0; t < p->T && p->b->pairs == PAIRS_SCORED; t++)
        for (int64_t i = 0; i < p->m * lanes; i++)
            if (!(w[t * lanes + i % lanes] > 0)) z[t * p->m * lanes + i] = 0;
}

/* Is the observation at place t one of the task's own? */
static int is_own(const mesaopt_task *task, int64_t t)
{
    return pair_layout_row(&task->shape.layout, t) >= 0;
}

void baseline_drop_prompt(const baseline_problem *p)
{
    const kern *k = p->k;
    const size_t one = (size_t)(k->lanes * k->size), row = (size_t)p->n * one;
    int64_t left = 0;
    if (!pair_layout_inserts(&p->task->shape.layout)) return;
    for (int64_t t = 0; t <= p->T; t++) {
        if (!is_own(p->task, t)) continue;
        memmove(kern_at(k, p->x, left * p->n), kern_at(k, p->x, t * p->n), row);
        if (left > 0) memmove(kern_at(k, p->weights, left - 1), kern_at(k, p->weights, t - 1), one);
        left++;
    }
    memset(kern_at(k, p->x, left * p->n), 0, (size_t)(p->T + 1 - left) * row);
    memset(kern_at(k, p->weights, left - 1), 0, (size_t)(p->T + 1 - left) * one);
}

void baseline_place(const mesaopt_task *task, double *by_t)
{
    const int64_t T = task->shape.length;
    int64_t left = 0;
    if (!pair_layout_inserts(&task->shape.layout)) return;
    for (int64_t t = 0; t <= T; t++) left += is_own(task, t);
    for (int64_t t = T - 1; t >= 0; t--)
        by_t[t] = is_own(task, t + 1) && --left > 0 ? by_t[left - 1] : 0;
}
