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
    if (p->b->space == SPACE_OBSERVATIONS) return;
    p->z = arena_take(a, size_mul(p->T + 1, p->m, &elements) ? elements : -1,
                      p->k->lanes * p->k->size);
    if (p->b->space == SPACE_FEATURES)
        p->space = arena_take(a, task_feature_scratch(teacher(p->b, p->task), p->k), 1);
}

void baseline_fill_inputs(const baseline_problem *p, int64_t rows)
{
    if (p->b->space == SPACE_SLOTS)
        tokens_construct(TOKENS_SLOTS, p->b->slots, rows, p->n * p->k->lanes * p->k->size, p->x,
                         p->z);
    if (p->b->space == SPACE_FEATURES)
        task_features_panel(teacher(p->b, p->task), p->k, rows, p->x, 1, p->space, p->z);
}
