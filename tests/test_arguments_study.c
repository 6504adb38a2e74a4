/* Tables of bad arguments (arguments.h): study.h, linearise.h. */
#include "arguments.h"

/* A model of 2 features on 3 steps, whose block 1 has one head; one whose tokens are wider. */
typedef struct studied {
    mesaopt_ctx *elsewhere;
    mesaopt_model *m, *empty, *wide;
    mesaopt_task *task, *foreign;
    mesaopt_view map;
} studied;

static mesaopt_model *model_of(int64_t inputs, const char *blocks)
{
    mesaopt_model *m;
    mesaopt_settings *s = settings_of(f, MESAOPT_SCOPE_MODEL);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_INPUTS, inputs), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_OUTPUTS, 2), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_create(f->ctx, s, &m), MESAOPT_OK);
    if (*blocks) ck_assert_int_eq(mesaopt_model_add_text(m, blocks), MESAOPT_OK);
    mesaopt_settings_free(s);
    return m;
}

static mesaopt_task *task_of(mesaopt_ctx *ctx)
{
    mesaopt_task *task;
    mesaopt_settings *s = settings_of(f, MESAOPT_SCOPE_TASK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_DIM, 2), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_LENGTH, 3), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_text(s, "tokens", "raw"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_create(ctx, s, &task), MESAOPT_OK);
    mesaopt_settings_free(s);
    return task;
}

static studied start(void)
{
    studied s = {0};
    ck_assert_int_eq(mesaopt_ctx_create(NULL, &s.elsewhere), MESAOPT_OK);
    s.m = model_of(2, "dense(outputs=4); softmax(heads=1,key=2); dense(outputs=2)"), s.empty = model_of(2, ""), s.wide = model_of(3, "softmax(heads=1,key=2)");
    s.task = task_of(f->ctx), s.foreign = task_of(s.elsewhere);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 3, (int64_t[]){1, 3, 3}, &s.map);
    return s;
}

static void end(studied *s)
{
    mesaopt_task_free(s->task), mesaopt_task_free(s->foreign), mesaopt_model_free(s->m), mesaopt_model_free(s->empty), mesaopt_model_free(s->wide);
    mesaopt_ctx_free(s->elsewhere);
}

START_TEST(attention_map_rows)
{
    studied s = start();
    const mesaopt_view *map = &s.map;
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_study_heads(NULL, 0, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "model: a task, expected a live model", mesaopt_study_heads((mesaopt_model *)s.task, 0, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "block: -1, expected 0 to 2", mesaopt_study_heads(s.m, -1, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "block: 3, expected 0 to 2", mesaopt_study_heads(s.m, 3, &f->out.whole));
    BAD(MESAOPT_E_ARGUMENT, "heads: NULL", mesaopt_study_heads(s.m, 1, NULL));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_study_attention_map(NULL, 1, NULL, 1, 0, 9, map));
    BAD(MESAOPT_E_ARGUMENT, "model: a task, expected a live model", mesaopt_study_attention_map((mesaopt_model *)s.task, 1, s.task, 1, 0, 9, map));
    BAD(MESAOPT_E_ARGUMENT, "block: 3, expected 0 to 2", mesaopt_study_attention_map(s.m, 3, s.task, 1, 0, 9, map));
    BAD(MESAOPT_E_ARGUMENT, "block: 0, expected 0 to -1", mesaopt_study_attention_map(s.empty, 0, s.task, 1, 0, 9, map));
    BAD(MESAOPT_E_UNSUPPORTED, "block: 2 is dense, expected a block of attention", mesaopt_study_attention_map(s.m, 2, s.task, 1, 0, 9, map));
    BAD(MESAOPT_E_ARGUMENT, "task: NULL", mesaopt_study_attention_map(s.m, 1, NULL, 1, 0, 9, map));
    BAD(MESAOPT_E_ARGUMENT, "task: of another context", mesaopt_study_attention_map(s.m, 1, s.foreign, 1, 0, 9, map));
    BAD(MESAOPT_E_SHAPE, "task: tokens of width 2, expected 3", mesaopt_study_attention_map(s.wide, 0, s.task, 1, 0, 9, map));
    BAD(MESAOPT_E_ARGUMENT, "stream: 3, expected 0", mesaopt_study_attention_map(s.m, 1, s.task, 3, 0, 9, map));
    BAD(MESAOPT_E_ARGUMENT, "first: -1, expected >= 0", mesaopt_study_attention_map(s.m, 1, s.task, 1, -1, 9, map));
    BAD(MESAOPT_E_ARGUMENT, "count: 0, expected >= 1", mesaopt_study_attention_map(s.m, 1, s.task, 1, 0, 0, map));
    BAD(MESAOPT_E_ARGUMENT, "first: 9223372036854775807, expected at most", mesaopt_study_attention_map(s.m, 1, s.task, 1, INT64_MAX, 1, map));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_study_attention_map(s.m, 1, s.task, 1, 0, 9, NULL));
    BAD(MESAOPT_E_SHAPE, "out: shape [1,3,2], expected [1,3,3]", mesaopt_study_attention_map(s.m, 1, s.task, 1, 0, 9, VIEW(with_extent(*map, 2, 2))));
    BAD(MESAOPT_E_DTYPE, "out: ", mesaopt_study_attention_map(s.m, 1, s.task, 1, 0, 9, VIEW(with_dtype(*map, MESAOPT_I64))));
    BAD(MESAOPT_E_ARGUMENT, "out: a READONLY view", mesaopt_study_attention_map(s.m, 1, s.task, 1, 0, 9, VIEW(with_flags(*map, MESAOPT_VIEW_READONLY))));
    for (int n = 1; n <= 3; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_study_attention_map(s.m, 1, s.task, 1, 0, 9, map)));
    end(&s);
}
END_TEST

START_TEST(sensitivity_rows)
{
    studied s = start();
    const int64_t which[2] = {-1, 1}, beyond[2] = {0, 3}, before_all[1] = {-2};
    mesaopt_view all, one;
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 3, (int64_t[]){2, 3, 3}, &all);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 2, (int64_t[]){2, 3}, &one);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_study_sensitivity(NULL, 2, which, NULL, 1, 0, 9, -1, &all));
    BAD(MESAOPT_E_ARGUMENT, "model: a task, expected a live model", mesaopt_study_sensitivity((mesaopt_model *)s.task, 2, which, s.task, 1, 0, 9, -1, &all));
    BAD(MESAOPT_E_ARGUMENT, "layers: 0, expected 1 to 4097", mesaopt_study_sensitivity(s.m, 0, which, s.task, 1, 0, 9, -1, &all));
    BAD(MESAOPT_E_ARGUMENT, "layers: 4098, expected 1 to 4097", mesaopt_study_sensitivity(s.m, 4098, which, s.task, 1, 0, 9, -1, &all));
    BAD(MESAOPT_E_ARGUMENT, "blocks: NULL", mesaopt_study_sensitivity(s.m, 2, NULL, s.task, 1, 0, 9, -1, &all));
    BAD(MESAOPT_E_ARGUMENT, "blocks: 3, expected -1 to 2", mesaopt_study_sensitivity(s.m, 2, beyond, s.task, 1, 0, 9, -1, &all));
    BAD(MESAOPT_E_ARGUMENT, "blocks: -2, expected -1 to 2", mesaopt_study_sensitivity(s.m, 1, before_all, s.task, 1, 0, 9, -1, &all));
    BAD(MESAOPT_E_ARGUMENT, "task: NULL", mesaopt_study_sensitivity(s.m, 2, which, NULL, 1, 0, 9, -1, &all));
    BAD(MESAOPT_E_ARGUMENT, "task: of another context", mesaopt_study_sensitivity(s.m, 2, which, s.foreign, 1, 0, 9, -1, &all));
    BAD(MESAOPT_E_SHAPE, "task: tokens of width 2, expected 3", mesaopt_study_sensitivity(s.wide, 1, (int64_t[]){0}, s.task, 1, 0, 9, -1, &all));
    BAD(MESAOPT_E_ARGUMENT, "stream: -1, expected 0", mesaopt_study_sensitivity(s.m, 2, which, s.task, -1, 0, 9, -1, &all));
    BAD(MESAOPT_E_ARGUMENT, "first: -1, expected >= 0", mesaopt_study_sensitivity(s.m, 2, which, s.task, 1, -1, 9, -1, &all));
    BAD(MESAOPT_E_ARGUMENT, "count: 0, expected >= 1", mesaopt_study_sensitivity(s.m, 2, which, s.task, 1, 0, 0, -1, &all));
    BAD(MESAOPT_E_ARGUMENT, "step: 3, expected -1 to 2", mesaopt_study_sensitivity(s.m, 2, which, s.task, 1, 0, 9, 3, &one));
    BAD(MESAOPT_E_ARGUMENT, "step: -2, expected -1 to 2", mesaopt_study_sensitivity(s.m, 2, which, s.task, 1, 0, 9, -2, &one));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_study_sensitivity(s.m, 2, which, s.task, 1, 0, 9, 1, NULL));
    BAD(MESAOPT_E_SHAPE, "out: shape [2,3,3], expected [2,3]", mesaopt_study_sensitivity(s.m, 2, which, s.task, 1, 0, 9, 1, &all));
    BAD(MESAOPT_E_SHAPE, "out: shape [2,3], expected [1,3]", mesaopt_study_sensitivity(s.m, 1, which, s.task, 1, 0, 9, 1, &one));
    BAD(MESAOPT_E_SHAPE, "out: shape [2,3], expected [2,3,3]", mesaopt_study_sensitivity(s.m, 2, which, s.task, 1, 0, 9, -1, &one));
    for (int n = 1; n <= 3; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_study_sensitivity(s.m, 2, which, s.task, 1, 0, 9, 1, &one)));
    end(&s);
}
END_TEST

START_TEST(linearise_rows)
{
    studied s = start();
    const int64_t one[1] = {1}, twice[2] = {1, 1}, beyond[1] = {3}, plain[1] = {0};
    mesaopt_settings *softmax = settings_of(f, MESAOPT_SCOPE_SOFTMAX), *huge = settings_of(f, MESAOPT_SCOPE_LINEAR), *cold = settings_of(f, MESAOPT_SCOPE_TRAINER);
    mesaopt_linearise *l, **out = &f->out.linearise;
    mesaopt_view ratio, error, wide;
    ck_assert_int_eq(mesaopt_settings_set_int(huge, MESAOPT_KEY_HEADS, 65536), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(huge, MESAOPT_KEY_KEY, 65536), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(cold, MESAOPT_KEY_COSINE_STEPS, 10), MESAOPT_OK);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 1, (int64_t[]){1}, &ratio);
    mesaopt_view_dense(f->out.block + 1, MESAOPT_F64, 1, (int64_t[]){1}, &error);
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 1, (int64_t[]){2}, &wide);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_linearise_create(NULL, NULL, NULL, NULL, 1, one, NULL, out));
    BAD(MESAOPT_E_SETTING, "settings: settings of scope", mesaopt_linearise_create(f->ctx, f->ctx_settings, s.m, s.task, 1, one, NULL, out));
    BAD(MESAOPT_E_SETTING, "warmup: 1000, expected less than cosine_steps", mesaopt_linearise_create(f->ctx, cold, s.m, s.task, 1, one, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "model: NULL", mesaopt_linearise_create(f->ctx, NULL, NULL, s.task, 1, one, NULL, out));
    BAD(MESAOPT_E_STATE, "model: no blocks", mesaopt_linearise_create(f->ctx, NULL, s.empty, s.task, 1, one, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "task: NULL", mesaopt_linearise_create(f->ctx, NULL, s.m, NULL, 1, one, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "task: of another context", mesaopt_linearise_create(f->ctx, NULL, s.m, s.foreign, 1, one, NULL, out));
    BAD(MESAOPT_E_SHAPE, "task: tokens of width 2 and targets of 2, expected 3 and 2", mesaopt_linearise_create(f->ctx, NULL, s.wide, s.task, 1, one, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "count: 0, expected 1 to 3", mesaopt_linearise_create(f->ctx, NULL, s.m, s.task, 0, one, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "count: 4, expected 1 to 3", mesaopt_linearise_create(f->ctx, NULL, s.m, s.task, 4, one, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "blocks: NULL", mesaopt_linearise_create(f->ctx, NULL, s.m, s.task, 1, NULL, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "blocks: 3, expected 0 to 2", mesaopt_linearise_create(f->ctx, NULL, s.m, s.task, 1, beyond, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "blocks: 1 twice, expected once", mesaopt_linearise_create(f->ctx, NULL, s.m, s.task, 2, twice, NULL, out));
    BAD(MESAOPT_E_UNSUPPORTED, "blocks: 0 is dense, expected a block of attention", mesaopt_linearise_create(f->ctx, NULL, s.m, s.task, 1, plain, NULL, out));
    BAD(MESAOPT_E_SETTING, "block: settings of scope softmax", mesaopt_linearise_create(f->ctx, NULL, s.m, s.task, 1, one, softmax, out));
    BAD(MESAOPT_E_MEMORY, "memory", mesaopt_linearise_create(f->ctx, NULL, s.m, s.task, 1, one, huge, out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_linearise_create(f->ctx, NULL, s.m, s.task, 1, one, NULL, NULL));
    for (int n = 1; n <= 12; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_linearise_create(f->ctx, NULL, s.m, s.task, 1, one, NULL, out)));

    ck_assert_int_eq(mesaopt_linearise_create(f->ctx, NULL, s.m, s.task, 1, one, NULL, &l), MESAOPT_OK);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_linearise_run(NULL, 1, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "linearise: a model, expected a live linearise", mesaopt_linearise_run((mesaopt_linearise *)s.m, 1, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "steps: -1, expected 0 to 36028797018963967", mesaopt_linearise_run(l, -1, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "steps: 9223372036854775807, expected 0 to", mesaopt_linearise_run(l, INT64_MAX, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_linearise_steps(NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_linearise_evaluate(NULL, 9, &ratio, &error));
    BAD(MESAOPT_E_ARGUMENT, "count: 0, expected >= 1", mesaopt_linearise_evaluate(l, 0, &ratio, &error));
    BAD(MESAOPT_E_ARGUMENT, "count: -1, expected >= 0", mesaopt_linearise_evaluate(l, -1, &ratio, &error));
    BAD(MESAOPT_E_ARGUMENT, "ratio: NULL", mesaopt_linearise_evaluate(l, 9, NULL, &error));
    BAD(MESAOPT_E_SHAPE, "ratio: shape [2], expected [1]", mesaopt_linearise_evaluate(l, 9, &wide, &error));
    BAD(MESAOPT_E_DTYPE, "error: ", mesaopt_linearise_evaluate(l, 9, &ratio, VIEW(with_dtype(error, MESAOPT_I64))));
    BAD(MESAOPT_E_OVERLAP, "error", mesaopt_linearise_evaluate(l, 9, &ratio, &ratio));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_linearise_model(NULL, 1, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "block: 0, expected one of the 1", mesaopt_linearise_model(l, 0, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "block: -2, expected one of the 1", mesaopt_linearise_model(l, -2, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_linearise_model(l, 1, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_linearise_block(NULL, 1, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "block: -1, expected one of the 1", mesaopt_linearise_block(l, -1, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_linearise_block(l, 1, NULL));
    for (int n = 1; n <= 3; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_linearise_model(l, 1, &f->out.model)));
    for (int n = 1; n <= 3; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_linearise_block(l, 1, &f->out.model)));
    BAD(MESAOPT_OK, NULL, mesaopt_linearise_free(NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_linearise_free((mesaopt_linearise *)s.m));
    ck_assert_int_eq(mesaopt_linearise_free(l), MESAOPT_OK);
    mesaopt_settings_free(softmax), mesaopt_settings_free(huge), mesaopt_settings_free(cold);
    end(&s);
}
END_TEST

Suite *test_arguments_study_suite(void)
{
    return arguments_suite("arguments study", 3, (const TTest *[]){attention_map_rows, sensitivity_rows, linearise_rows});
}
