/* Creation of tasks: what all of them have, and those that draw nothing themselves. */
#include "base/options.h"
#include "task/prompts.h"
#include "tensor/fingerprint.h"
#include "task/sequences.h"

static void destroy(object *head)
{
    mesaopt_task *task = (mesaopt_task *)head;
    const allocator *alloc = &head->ctx->alloc;
    for (int64_t i = 0; i < task->tensors; i++) object_release(&task->own[i]->head);
    if (task->prompt) object_release(&task->prompt->head);
    alloc_free(alloc, task->own);
    alloc_free(alloc, task->weights);
    alloc_free(alloc, task->batch.data);
    alloc_free(alloc, task->shared);
    give_back(task->release, task->fill_user);
}

/* What only tasks that draw look at, and what lays out pairs. */
static const int32_t drawing[] = {MESAOPT_KEY_TASK,    MESAOPT_KEY_NOISE,  MESAOPT_KEY_DATA_CLIP,
                                  MESAOPT_KEY_HIDDEN,  MESAOPT_KEY_MAP_SD, MESAOPT_KEY_START,
                                  MESAOPT_KEY_OBSERVATION_NOISE},
                     layout[] = {MESAOPT_KEY_SEPARATOR, MESAOPT_KEY_PREFIX, MESAOPT_KEY_TEACHERS,
                                 MESAOPT_KEY_SEGMENT};
#define COUNT(keys) (int)(sizeof(keys) / sizeof *(keys))

static mesaopt_status check_own(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                const char *with, int pairs)
{
    const mesaopt_status status = settings_unused(ctx, settings, with, COUNT(drawing), drawing);
    if (status != MESAOPT_OK || pairs) return status;
    return settings_unused(ctx, settings, with, COUNT(layout), layout);
}

mesaopt_status task_new(mesaopt_ctx *ctx, const mesaopt_settings *settings, int64_t dim,
                        int64_t length, mesaopt_task **out)
{
    static const int32_t of_slots[] = {MESAOPT_KEY_SLOTS};
    const int32_t tokens = (int32_t)option_int(settings, MESAOPT_SCOPE_TASK, MESAOPT_KEY_TOKENS);
    const int64_t slots = option_int(settings, MESAOPT_SCOPE_TASK, MESAOPT_KEY_SLOTS),
                  width = tokens_width(tokens, slots, dim);
    int64_t largest;
    mesaopt_status status = MESAOPT_OK;
    if (tokens != TOKENS_SLOTS)
        status = settings_unused(ctx, settings, "tokens other than slots", 1, of_slots);
    if (status != MESAOPT_OK) return status;
    /* bytes of a panel, and room to add */
    if (width < 0 || !size_mul(length, width, &largest) || !size_mul(largest, 128, &largest))
        return fail(ctx, MESAOPT_E_SETTING,
                    "slots: %lld observations of dim %lld at length %lld, expected tokens that fit "
                    "into memory",
                    (long long)slots, (long long)dim, (long long)length);
    mesaopt_task *task = object_new(ctx, OBJECT_TASK, sizeof *task, destroy);
    if (!task) return MESAOPT_E_MEMORY;
    task->shape = (task_shape){.dim = dim, .length = length, .width = width};
    task->tokens = tokens;
    task->slots = slots;
    task->seed = (uint64_t)option_int(settings, MESAOPT_SCOPE_TASK, MESAOPT_KEY_SEED);
    *out = task;
    return MESAOPT_OK;
}

mesaopt_status task_weigh_queries(mesaopt_task *task)
{
    const int64_t T = task->shape.length;
    task->weights = alloc_new(&task->head.ctx->alloc, T, sizeof *task->weights);
    if (!task->weights)
        return fail(task->head.ctx, MESAOPT_E_MEMORY,
                    "task: no memory for the weights of %lld steps", (long long)T);
    for (int64_t t = 0; t < T; t++) task->weights[t] = pair_layout_asks(&task->shape.layout, t);
    task->weight_rows = 1;
    return MESAOPT_OK;
}

/* Of each of `count` sequences its part in every list. */
static mesaopt_status keep_tensors(mesaopt_task *task, int64_t count,
                                   mesaopt_tensor *const *const *list)
{
    mesaopt_ctx *ctx = task->head.ctx;
    const int parts = task_parts(task);
    task->own = alloc_new(&ctx->alloc, count, parts * (int64_t)sizeof *task->own);
    if (!task->own)
        return fail(ctx, MESAOPT_E_MEMORY, "task: no memory for %lld sequences", (long long)count);
    for (int64_t i = 0; i < count * parts; i++) {
        mesaopt_tensor *const tensor = list[i % parts][i / parts];
        object_retain(&tensor->head);
        task->own[task->tensors++] = tensor;
        task->fingerprint = view_fingerprint(task->fingerprint, &tensor->view);
    }
    return MESAOPT_OK;
}

/* Rows of the longest of one tensor [N, rows, n], or of several [rows_i, n]. */
static int64_t most_rows(int64_t count, mesaopt_tensor *const *tensors)
{
    const int stacked = tensors[0]->view.ndim == 3;
    int64_t rows = 0;
    for (int64_t i = 0; i < count; i++)
        if (tensors[i]->view.shape[stacked] > rows) rows = tensors[i]->view.shape[stacked];
    return rows;
}

/* Keeps the tensors of a new task, or frees it. */
static mesaopt_status finish_own(mesaopt_task *task, const char *name, int64_t count,
                                 mesaopt_tensor *const *const *list, mesaopt_task **out)
{
    const mesaopt_view *one = &list[0][0]->view;
    task->shape.count = one->ndim == 3 ? one->shape[0] : count;
    task->name = name;
    mesaopt_status status = keep_tensors(task, count, list);
    if (status == MESAOPT_OK && task_has_pairs(task)) status = task_weigh_queries(task);
    if (status == MESAOPT_OK) *out = task;
    else object_release(&task->head);
    return status;
}

mesaopt_status task_own(mesaopt_ctx *ctx, const mesaopt_settings *settings, int64_t count,
                        mesaopt_tensor *const *sequences, mesaopt_task **out)
{
    const mesaopt_view *one = &sequences[0]->view;
    mesaopt_task *task;
    mesaopt_status status = check_own(ctx, settings, "sequences of one's own", 0);
    if (status == MESAOPT_OK)
        status = task_new(ctx, settings, one->shape[one->ndim - 1], most_rows(count, sequences) - 1,
                          &task);
    return status == MESAOPT_OK ? finish_own(task, "own", count, &sequences, out) : status;
}

mesaopt_status task_pairs(mesaopt_ctx *ctx, const mesaopt_settings *settings, int64_t count,
                          mesaopt_tensor *const *const list[2], mesaopt_task **out)
{
    const mesaopt_view *one = &list[0][0]->view;
    pair_layout l;
    mesaopt_task *task;
    mesaopt_status status = check_own(ctx, settings, "pairs of one's own", 1);
    if (status == MESAOPT_OK) status = pair_layout_read(ctx, settings, &l);
    if (status == MESAOPT_OK)
        status = task_new(ctx, settings, one->shape[one->ndim - 1],
                          pair_layout_length(&l, most_rows(count, list[0])), &task);
    if (status) return status;
    task->shape.layout = l;
    return finish_own(task, "pairs", count, list, out);
}

mesaopt_status task_callback(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                             mesaopt_sequence_fn fill, mesaopt_release_fn release, void *user,
                             mesaopt_task **out)
{
    mesaopt_status status = check_own(ctx, settings, "a callback", 0);
    if (status == MESAOPT_OK)
        status = task_new(ctx, settings, option_int(settings, MESAOPT_SCOPE_TASK, MESAOPT_KEY_DIM),
                          option_int(settings, MESAOPT_SCOPE_TASK, MESAOPT_KEY_LENGTH), out);
    if (status) return status;
    (*out)->name = "callback";
    (*out)->fill = fill;
    (*out)->release = release;
    (*out)->fill_user = user;
    return MESAOPT_OK;
}
