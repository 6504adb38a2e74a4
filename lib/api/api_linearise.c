/* mesaopt/linearise.h: validates, then delegates to study/. */
#include "api/api_call.h"
#include "base/options.h"
#include "study/linearise_impl.h"
#include <inttypes.h>

/* Different blocks of attention. */
static mesaopt_status check_blocks(const mesaopt_model *m, int64_t count, const int64_t *blocks)
{
    mesaopt_ctx *ctx = m->head.ctx;
    if (count < 1 || count > m->n_blocks)
        return fail(ctx, MESAOPT_E_ARGUMENT, "count: %lld, expected 1 to %lld", (long long)count,
                    (long long)m->n_blocks);
    mesaopt_status status = check_not_null(ctx, blocks, "blocks");
    for (int64_t i = 0; i < count && status == MESAOPT_OK; i++) {
        const long long b = blocks[i];
        if (b < 0 || b >= m->n_blocks)
            return fail(ctx, MESAOPT_E_ARGUMENT, "blocks: %lld, expected 0 to %lld", b,
                        (long long)m->n_blocks - 1);
        if (!m->blocks[b].kind->weights)
            return fail(ctx, MESAOPT_E_UNSUPPORTED,
                        "blocks: %lld is %s, expected a block of attention", b,
                        options_scope_name(m->blocks[b].kind->scope));
        for (int64_t j = 0; j < i; j++)
            if (blocks[j] == b)
                return fail(ctx, MESAOPT_E_ARGUMENT, "blocks: %lld twice, expected once", b);
    }
    return status;
}

static mesaopt_status check_linear(mesaopt_ctx *ctx, const mesaopt_settings *block)
{
    return block ? options_check(ctx, block, MESAOPT_SCOPE_LINEAR, "block") : MESAOPT_OK;
}

mesaopt_status mesaopt_linearise_create(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                        mesaopt_model *model, mesaopt_task *task, int64_t count,
                                        const int64_t *blocks, const mesaopt_settings *block,
                                        mesaopt_linearise **out)
{
    call c;
    mesaopt_status status = call_on_ctx(ctx, CALL_IN_CALLBACK, &c, model, task, settings, block);
    if (status != MESAOPT_OK) return status;
    CHECK(options_check(ctx, settings, MESAOPT_SCOPE_TRAINER, "settings"));
    CHECK(check_handle(ctx, model, OBJECT_MODEL, "model"));
    CHECK(model_check_whole(model));
    CHECK(check_handle(ctx, task, OBJECT_TASK, "task"));
    CHECK(batch_check_task(model, task));
    CHECK(check_blocks(model, count, blocks));
    CHECK(check_linear(ctx, block));
    CHECK(check_not_null(ctx, out, "out"));
    CHECK(linearise_create(ctx, settings, model, task, count, blocks, block, out));
    return ctx_leave(&c, status);
}

mesaopt_status mesaopt_linearise_run(mesaopt_linearise *l, int64_t steps, mesaopt_step_fn after,
                                     void *user)
{
    call c;
    mesaopt_status status = call_begin(l, OBJECT_LINEARISE, CALL_NORMAL, &c);
    if (status != MESAOPT_OK) return status;
    if (steps < 0 || steps > INT64_MAX / l->batch)
        status = fail(l->head.ctx, MESAOPT_E_ARGUMENT, "steps: %" PRId64 ", expected 0 to %" PRId64,
                      steps, INT64_MAX / l->batch);
    CHECK(linearise_run(l, &c, steps, after, user));
    return call_end(&c, status);
}

int64_t mesaopt_linearise_steps(const mesaopt_linearise *l)
{
    const mesaopt_status status = check_kind(OBJECT_LINEARISE, l);
    return status == MESAOPT_OK ? atomic_load(&l->step) : status;
}

mesaopt_status mesaopt_linearise_evaluate(mesaopt_linearise *l, int64_t count,
                                          const mesaopt_view *ratio, const mesaopt_view *error)
{
    call c;
    call_views w;
    mesaopt_status status = call_begin(l, OBJECT_LINEARISE, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = l->head.ctx;
    views_begin(&w, ctx);
    CHECK(task_range_check(ctx, MESAOPT_STREAM_TEST, 0, count));
    if (status == MESAOPT_OK && count < 1)
        status = fail(ctx, MESAOPT_E_ARGUMENT, "count: %lld, expected >= 1", (long long)count);
    CHECK(views_take(&w, &ratio,
                     &(view_want){.name = "ratio", .ndim = 1, .shape = {l->count}, .output = 1}));
    if (error)
        CHECK(views_take(
            &w, &error,
            &(view_want){.name = "error", .ndim = 1, .shape = {l->count}, .output = 1}));
    CHECK(views_apart(&w));
    CHECK(linearise_evaluate(l, &c, count, ratio, error));
    return call_end(&c, status);
}

static mesaopt_status find(const mesaopt_linearise *l, int64_t block, int64_t *i)
{
    *i = linearise_find(l, block);
    if (*i >= 0) return MESAOPT_OK;
    return fail(l->head.ctx, MESAOPT_E_ARGUMENT,
                "block: %lld, expected one of the %lld that are linearised", (long long)block,
                (long long)l->count);
}

mesaopt_status mesaopt_linearise_model(mesaopt_linearise *l, int64_t block, mesaopt_model **out)
{
    call c;
    int64_t i = -1;
    mesaopt_status status = call_begin(l, OBJECT_LINEARISE, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    if (block != -1) CHECK(find(l, block, &i));
    CHECK(check_not_null(l->head.ctx, out, "out"));
    CHECK(linearise_model(l, i, out));
    return call_end(&c, status);
}

mesaopt_status mesaopt_linearise_block(mesaopt_linearise *l, int64_t block, mesaopt_model **out)
{
    call c;
    int64_t i = -1;
    mesaopt_status status = call_begin(l, OBJECT_LINEARISE, CALL_IN_CALLBACK, &c);
    if (status != MESAOPT_OK) return status;
    CHECK(find(l, block, &i));
    CHECK(check_not_null(l->head.ctx, out, "out"));
    CHECK(linearise_copy(l->students[i].model, out));
    return call_end(&c, status);
}

mesaopt_status mesaopt_linearise_free(mesaopt_linearise *l)
{
    return object_free(l, OBJECT_LINEARISE);
}
