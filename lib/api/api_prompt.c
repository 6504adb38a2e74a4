/* mesaopt/prompt.h: validates, then delegates to study/. */
#include "api/api_checks.h"
#include "api/api_model.h"
#include "base/options.h"
#include "study/prompt_learning.h"
#include "train/batch.h"
#include <inttypes.h>

mesaopt_status mesaopt_prompt_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                     mesaopt_prompt **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, settings);
    if (status != MESAOPT_OK) return status;
    status = options_check(ctx, settings, MESAOPT_SCOPE_PROMPT, "settings");
    CHECK(check_not_null(ctx, out, "out"));
    CHECK(prompt_create(ctx, settings, out));
    return ctx_leave(&c, status);
}

static mesaopt_status check_part(const mesaopt_prompt *p, const char *name, int *part)
{
    mesaopt_status status = check_not_null(p->head.ctx, name, "name");
    if (status == MESAOPT_OK && (*part = prompt_part_of(name)) < 0)
        status = fail(p->head.ctx, MESAOPT_E_ARGUMENT,
                      "name: \"%.40s\", expected separator or prefix", name);
    return status;
}

mesaopt_status mesaopt_prompt_vectors(mesaopt_prompt *prompt, const char *name, mesaopt_view *out)
{
    call c;
    int part = 0;
    mesaopt_status status = call_begin(prompt, OBJECT_PROMPT, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(check_part(prompt, name, &part));
    CHECK(check_not_null(prompt->head.ctx, out, "out"));
    if (status == MESAOPT_OK)
        *out = (mesaopt_view){.data = prompt->vectors + prompt_offset(prompt, part),
                              .shape = {prompt_rows(prompt, part), prompt->dim},
                              .stride = {prompt->dim, 1},
                              .ndim = 2,
                              .dtype = MESAOPT_F64};
    return call_end(&c, status);
}

mesaopt_status mesaopt_prompt_freeze(mesaopt_prompt *prompt, const char *name, int32_t frozen)
{
    call c;
    int part = 0;
    mesaopt_status status = call_begin(prompt, OBJECT_PROMPT, CALL_NORMAL, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(check_part(prompt, name, &part));
    CHECK(check_extent(prompt->head.ctx, frozen, 0, 1, "frozen"));
    if (status == MESAOPT_OK) prompt_of(prompt)->frozen[part] = frozen;
    return call_end(&c, status);
}

/* A model, and a task for it that takes its vectors from this prompt. */
static mesaopt_status check_world(const mesaopt_prompt *p, const mesaopt_model *m,
                                  const mesaopt_task *task)
{
    mesaopt_ctx *ctx = p->head.ctx;
    mesaopt_status status = check_handle(ctx, m, OBJECT_MODEL, "model");
    CHECK(check_handle(ctx, task, OBJECT_TASK, "task"));
    CHECK(model_check_whole(m));
    CHECK(batch_check_task(m, task));
    if (status == MESAOPT_OK && task->prompt != p)
        status = fail(ctx, MESAOPT_E_STATE,
                      "task: it has %s, expected this one, as mesaopt_task_set_prompt gives it",
                      task->prompt ? "another prompt" : "no prompt");
    return status;
}

static void give(const prompt *p, int part, const mesaopt_view *out)
{
    const double *g = p->g + prompt_offset(&p->seen, part);
    int64_t index[MESAOPT_MAX_RANK] = {0};
    for (int64_t i = 0, count = view_count(out); i < count; i++, view_next(out, index))
        view_set(out, index, g[i]);
}

static mesaopt_status take_gradients(call_views *w, const mesaopt_prompt *p,
                                     const mesaopt_view *out[PROMPT_PARTS])
{
    mesaopt_status status = MESAOPT_OK;
    for (int i = 0; i < PROMPT_PARTS; i++)
        if (out[i])
            CHECK(views_take(w, &out[i],
                             &(view_want){.name = prompt_parts[i],
                                          .ndim = 2,
                                          .shape = {prompt_rows(p, i), p->dim},
                                          .dtype = MESAOPT_F64,
                                          .output = 1}));
    CHECK(views_apart(w));
    return status;
}

mesaopt_status mesaopt_prompt_gradient(mesaopt_prompt *prompt, mesaopt_model *model,
                                       mesaopt_task *task, int32_t stream, int64_t first,
                                       int64_t count, const mesaopt_view *separator,
                                       const mesaopt_view *prefix, double *loss)
{
    call c;
    call_views w;
    double found = 0;
    const mesaopt_view *out[PROMPT_PARTS] = {separator, prefix};
    mesaopt_status status = call_begin(prompt, OBJECT_PROMPT, CALL_NORMAL, &c, model, task);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = prompt->head.ctx;
    views_begin(&w, ctx);
    CHECK(check_world(prompt, model, task));
    CHECK(task_range_check(ctx, stream, first, count));
    CHECK(check_extent(ctx, count, 1, INT32_MAX, "count"));
    CHECK(take_gradients(&w, prompt, out));
    CHECK(prompt_gradient(prompt_of(prompt), &c, model, task, stream, first, count, &found));
    for (int i = 0; i < PROMPT_PARTS && status >= 0; i++)
        if (out[i]) give(prompt_of(prompt), i, out[i]);
    if (status >= 0 && loss) *loss = found;
    return call_end(&c, status);
}

static mesaopt_status check_moves(const prompt *p, const mesaopt_task *task)
{
    for (int i = 0; i < PROMPT_PARTS; i++)
        if (prompt_moves(p, task, i)) return MESAOPT_OK;
    return fail(p->seen.head.ctx, MESAOPT_E_STATE,
                "prompt: all that the task's layout puts in is frozen, expected one that learns");
}

mesaopt_status mesaopt_prompt_train(mesaopt_prompt *prompt, mesaopt_model *model,
                                    mesaopt_task *task, int64_t updates, mesaopt_step_fn after,
                                    void *user)
{
    call c;
    mesaopt_status status = call_begin(prompt, OBJECT_PROMPT, CALL_NORMAL, &c, model, task);
    if (status != MESAOPT_OK) return status;
    CHECK(check_world(prompt, model, task));
    CHECK(check_moves(prompt_of(prompt), task));
    if (status == MESAOPT_OK && !prompt_updates_fit(prompt_of(prompt), updates))
        status = fail(prompt->head.ctx, MESAOPT_E_ARGUMENT,
                      "updates: %" PRId64 ", expected 0 to %" PRId64, updates,
                      INT64_MAX / prompt_of(prompt)->batch);
    CHECK(prompt_train(prompt_of(prompt), &c, model, task, updates, after, user));
    return call_end(&c, status);
}

int64_t mesaopt_prompt_updates(const mesaopt_prompt *prompt)
{
    const mesaopt_status status = check_kind(OBJECT_PROMPT, prompt);
    return status == MESAOPT_OK ? atomic_load(&prompt_of(prompt)->updates) : status;
}

static mesaopt_status save(mesaopt_prompt *prompt, const storage to)
{
    call c;
    mesaopt_status status = call_begin(prompt, OBJECT_PROMPT, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(storage_check(prompt->head.ctx, &to));
    CHECK(prompt_save(prompt_of(prompt), &to));
    return call_end(&c, status);
}

mesaopt_status mesaopt_prompt_save(mesaopt_prompt *prompt, const char *path)
{
    return save(prompt, at_path(path));
}

mesaopt_status mesaopt_prompt_save_to(mesaopt_prompt *prompt, mesaopt_write_fn write, void *user)
{
    return save(prompt, to_host(write, user));
}

static mesaopt_status open_prompt(mesaopt_ctx *ctx, const storage from, mesaopt_prompt **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(storage_check(ctx, &from));
    CHECK(check_not_null(ctx, out, "out"));
    CHECK(prompt_open(ctx, &from, out));
    return ctx_leave(&c, status);
}

mesaopt_status mesaopt_prompt_open(mesaopt_ctx *ctx, const char *path, mesaopt_prompt **out)
{
    return open_prompt(ctx, at_path(path), out);
}

mesaopt_status mesaopt_prompt_open_from(mesaopt_ctx *ctx, const void *bytes, int64_t length,
                                        mesaopt_prompt **out)
{
    return open_prompt(ctx, in_memory(bytes, length), out);
}

mesaopt_status mesaopt_prompt_free(mesaopt_prompt *prompt)
{
    return object_free(prompt, OBJECT_PROMPT);
}
