/* mesaopt/study.h: validates, then delegates to study/. */
#include "api/api_checks.h"
#include "api/api_model.h"
#include "study/studies.h"

static mesaopt_status check_block(const mesaopt_model *m, int64_t block)
{
    if (block >= 0 && block < m->n_blocks) return MESAOPT_OK;
    return fail(m->head.ctx, MESAOPT_E_ARGUMENT, "block: %lld, expected 0 to %lld",
                (long long)block, (long long)m->n_blocks - 1);
}

mesaopt_status mesaopt_study_heads(const mesaopt_model *model, int64_t block, int64_t *heads)
{
    mesaopt_status status = check_kind(OBJECT_MODEL, model);
    if (status != MESAOPT_OK) return status;
    CHECK(check_block(model, block));
    CHECK(check_not_null(model->head.ctx, heads, "heads"));
    if (status == MESAOPT_OK) *heads = study_heads(&model->blocks[block]);
    return status;
}

/* The sequences of a study; the task's tokens fit the model. */
static mesaopt_status take_source(call *c, const mesaopt_model *m, mesaopt_task *task,
                                  int32_t stream, int64_t first, int64_t count, token_source *s)
{
    mesaopt_ctx *ctx = m->head.ctx;
    mesaopt_status status = check_handle(ctx, task, OBJECT_TASK, "task");
    if (status == MESAOPT_OK && task->shape.width != m->inputs)
        status = fail(ctx, MESAOPT_E_SHAPE, "task: tokens of width %lld, expected %lld",
                      (long long)task->shape.width, (long long)m->inputs);
    if (status == MESAOPT_OK) status = model_check_length(m, task->shape.length);
    CHECK(task_range_check(ctx, stream, first, count));
    if (status == MESAOPT_OK && count < 1)
        status = fail(ctx, MESAOPT_E_ARGUMENT, "count: %lld, expected >= 1", (long long)count);
    *s = (token_source){
        .task = task, .c = c, .stream = stream, .dtype = m->dtype, .first = first, .count = count};
    return status;
}

static mesaopt_status check_heads(const mesaopt_model *m, int64_t block)
{
    if (m->blocks[block].kind->weights) return MESAOPT_OK;
    return fail(m->head.ctx, MESAOPT_E_UNSUPPORTED,
                "block: %lld is %s, expected a block of attention", (long long)block,
                options_scope_name(m->blocks[block].kind->scope));
}

mesaopt_status mesaopt_study_attention_map(mesaopt_model *model, int64_t block, mesaopt_task *task,
                                           int32_t stream, int64_t first, int64_t count,
                                           const mesaopt_view *out)
{
    call c;
    token_source s;
    mesaopt_view own;
    mesaopt_status status = call_begin(model, OBJECT_MODEL, CALL_IN_CALLBACK, &c, task);
    if (status != MESAOPT_OK) return status;
    CHECK(check_block(model, block));
    CHECK(check_heads(model, block));
    CHECK(take_source(&c, model, task, stream, first, count, &s));
    const int64_t T = status == MESAOPT_OK ? task->shape.length : 0,
                  H = status == MESAOPT_OK ? study_heads(&model->blocks[block]) : 0;
    CHECK(view_check(model->head.ctx, out,
                     &(view_want){.name = "out", .ndim = 3, .shape = {H, T, T}, .output = 1},
                     &own));
    CHECK(study_attention_map(model, &s, block, &own));
    return call_end(&c, status);
}

enum { MOST_LAYERS = MODEL_MOST_BLOCKS + 1 };

static mesaopt_status check_layers(const mesaopt_model *m, int64_t layers, const int64_t *blocks)
{
    mesaopt_ctx *ctx = m->head.ctx;
    mesaopt_status status = check_extent(ctx, layers, 1, MOST_LAYERS, "layers");
    CHECK(check_not_null(ctx, blocks, "blocks"));
    for (int64_t i = 0; i < layers && status == MESAOPT_OK; i++)
        if (blocks[i] < -1 || blocks[i] >= m->n_blocks)
            status = fail(ctx, MESAOPT_E_ARGUMENT, "blocks: %lld, expected -1 to %lld",
                          (long long)blocks[i], (long long)m->n_blocks - 1);
    return status;
}

mesaopt_status mesaopt_study_sensitivity(mesaopt_model *model, int64_t layers,
                                         const int64_t *blocks, mesaopt_task *task, int32_t stream,
                                         int64_t first, int64_t count, int64_t step,
                                         const mesaopt_view *out)
{
    call c;
    token_source s;
    mesaopt_view own;
    mesaopt_status status = call_begin(model, OBJECT_MODEL, CALL_IN_CALLBACK, &c, task);
    if (status != MESAOPT_OK) return status;
    mesaopt_ctx *ctx = model->head.ctx;
    CHECK(check_layers(model, layers, blocks));
    CHECK(take_source(&c, model, task, stream, first, count, &s));
    const int64_t T = status == MESAOPT_OK ? task->shape.length : 0;
    if (status == MESAOPT_OK && (step < -1 || step >= T))
        status = fail(ctx, MESAOPT_E_ARGUMENT, "step: %lld, expected -1 to %lld", (long long)step,
                      (long long)T - 1);
    CHECK(view_check(ctx, out,
                     &(view_want){.name = "out",
                                  .ndim = step < 0 ? 3 : 2,
                                  .shape = {layers, T, step < 0 ? T : 0},
                                  .output = 1},
                     &own));
    CHECK(study_sensitivity(model, &s, layers, blocks, step, &own));
    return call_end(&c, status);
}
