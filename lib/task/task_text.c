/* What a task's sequences and tokens depend on, as text, for checkpoints: "task=linear dim=10
 * length=50 noise=0 ...". Of the user's own sequences a number stands in for the data: equal texts
 * mean equal sequences. */
#include "base/options.h"
#include "task/generated.h"
#include "task/prompts.h"
#include "tensor/fingerprint.h"
#include <inttypes.h>
#include <stdio.h>

/* Of the vectors that it takes, as they are now. */
static uint64_t prompt_fingerprint(const mesaopt_task *task)
{
    const pair_layout *l = &task->shape.layout;
    const int64_t n = task->shape.dim, first = !l->separator;
    const mesaopt_view v = {.data = task->prompt->vectors + first * n,
                            .shape = {1 + l->prefix - first, n},
                            .stride = {n, 1},
                            .ndim = 2,
                            .dtype = MESAOPT_F64};
    return view_fingerprint(0, &v);
}

/* What came after the first tasks: told where it is not as it was then. */
static task_facts more(const mesaopt_task *task)
{
    task_facts f = {""};
    int n = 0;
    if (task->shape.hidden)
        n += snprintf(f.text, sizeof f.text, " hidden=%" PRId64 " map_sd=%s", task->shape.hidden,
                      number_text(task->map_sd).text);
    if (task->shape.hidden || task->kind->pairs || task->start != task->kind->start)
        n += snprintf(f.text + n, sizeof f.text - (size_t)n, " start=%s",
                      number_text(task->start).text);
    if (task->kind->shows_part)
        snprintf(f.text + n, sizeof f.text - (size_t)n, " observation_noise=%s",
                 number_text(task->observation_noise).text);
    return f;
}

task_facts task_text(const mesaopt_task *task)
{
    const pair_layout *l = &task->shape.layout;
    task_facts f;
    int n =
        snprintf(f.text, sizeof f.text, "task=%s dim=%" PRId64 " length=%" PRId64 " tokens=%s",
                 task->name, task->shape.dim, task->shape.length,
                 options_word(MESAOPT_KEY_TOKENS, task->tokens));
    if (task->tokens == TOKENS_SLOTS)
        n += snprintf(f.text + n, sizeof f.text - (size_t)n, " slots=%" PRId64, task->slots);
    if (task->kind)
        n += snprintf(f.text + n, sizeof f.text - (size_t)n, " noise=%s data_clip=%s%s",
                      number_text(task->noise).text, number_text(task->clip).text,
                      more(task).text);
    if (task_has_pairs(task))
        n += snprintf(f.text + n, sizeof f.text - (size_t)n,
                      " separator=%d prefix=%" PRId64 " teachers=%" PRId64 " segment=%" PRId64,
                      l->separator, l->prefix, l->teachers, l->segment);
    if (task->tensors)
        n += snprintf(f.text + n, sizeof f.text - (size_t)n,
                      " sequences=%" PRId64 " data=%016" PRIx64, task->shape.count,
                      task->fingerprint);
    if (task->weights_fingerprint)
        n += snprintf(f.text + n, sizeof f.text - (size_t)n, " weights=%016" PRIx64,
                      task->weights_fingerprint);
    if (task->prompt)
        n += snprintf(f.text + n, sizeof f.text - (size_t)n, " prompt=%016" PRIx64,
                      prompt_fingerprint(task));
    if (!task->fill) snprintf(f.text + n, sizeof f.text - (size_t)n, " seed=%" PRIu64, task->seed);
    return f;
}
