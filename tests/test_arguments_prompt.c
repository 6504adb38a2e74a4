/* Tables of bad arguments (arguments.h): prompt.h, and what task.h takes of it. Hostile files, and what fits which layout: test_prompt.c. */
#include "arguments.h"

typedef struct world {
    mesaopt_ctx *elsewhere;
    mesaopt_model *m, *empty, *wide;
    mesaopt_task *task;
    mesaopt_prompt *p, *foreign;
    mesaopt_view separator, prefix;
} world;

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

static mesaopt_settings *small(int32_t scope)
{
    mesaopt_settings *s = settings_of(f, scope);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_DIM, 2), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_PREFIX, 3), MESAOPT_OK);
    return s;
}

static world start(void)
{
    static const char *const words[][2] = {{"task", "regression"}, {"separator", "1"}, {"tokens", "raw"}, {"length", "9"}};
    world w = {0};
    mesaopt_settings *s = small(MESAOPT_SCOPE_TASK), *t = small(MESAOPT_SCOPE_PROMPT);
    ck_assert_int_eq(mesaopt_ctx_create(NULL, &w.elsewhere), MESAOPT_OK);
    for (int i = 0; i < 4; i++) ck_assert_int_eq(mesaopt_settings_set_text(s, words[i][0], words[i][1]), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_create(f->ctx, s, &w.task), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_prompt_create(f->ctx, t, &w.p), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_prompt_create(w.elsewhere, t, &w.foreign), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_set_prompt(w.task, w.p), MESAOPT_OK);
    mesaopt_settings_free(s), mesaopt_settings_free(t);
    w.m = model_of(2, "softmax(heads=1,key=2)"), w.empty = model_of(2, ""), w.wide = model_of(3, "softmax(heads=1,key=2)");
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 2, (int64_t[]){1, 2}, &w.separator);
    mesaopt_view_dense(f->out.block + 2, MESAOPT_F64, 2, (int64_t[]){3, 2}, &w.prefix);
    return w;
}

static void end(world *w)
{
    mesaopt_prompt_free(w->p), mesaopt_prompt_free(w->foreign), mesaopt_task_free(w->task);
    mesaopt_model_free(w->m), mesaopt_model_free(w->empty), mesaopt_model_free(w->wide);
    mesaopt_ctx_free(w->elsewhere);
}

START_TEST(object_rows)
{
    world w = start();
    mesaopt_prompt **out = &f->out.prompt;
    mesaopt_settings *s = small(MESAOPT_SCOPE_PROMPT);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_prompt_create(NULL, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "ctx: a tensor, expected a live ctx", mesaopt_prompt_create((mesaopt_ctx *)f->tensor, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_prompt_create(f->ctx, NULL, NULL));
    BAD(MESAOPT_E_SETTING, "settings: ", mesaopt_prompt_create(f->ctx, f->trainer_settings, out));
    for (int n = 1; n <= 5; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_prompt_create(f->ctx, NULL, out)));
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_COSINE_STEPS, 5), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_WARMUP, 5), MESAOPT_OK);
    BAD(MESAOPT_E_SETTING, "warmup: 5, expected less", mesaopt_prompt_create(f->ctx, s, out));
    mesaopt_settings_free(s);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_prompt_vectors(NULL, "prefix", &f->out.view));
    BAD(MESAOPT_E_ARGUMENT, "name: NULL", mesaopt_prompt_vectors(w.p, NULL, &f->out.view));
    BAD(MESAOPT_E_ARGUMENT, "name: \"eos\", expected separator or prefix", mesaopt_prompt_vectors(w.p, "eos", &f->out.view));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_prompt_vectors(w.p, "prefix", NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_prompt_freeze(NULL, "prefix", 1));
    BAD(MESAOPT_E_ARGUMENT, "name: NULL", mesaopt_prompt_freeze(w.p, NULL, 1));
    BAD(MESAOPT_E_ARGUMENT, "name: \"\", expected separator or prefix", mesaopt_prompt_freeze(w.p, "", 1));
    BAD(MESAOPT_E_ARGUMENT, "frozen: 2, expected 0 to 1", mesaopt_prompt_freeze(w.p, "prefix", 2));
    BAD(MESAOPT_E_ARGUMENT, NULL, (mesaopt_status)mesaopt_prompt_updates(NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_prompt_save(NULL, "/tmp/x"));
    BAD(MESAOPT_E_ARGUMENT, "path: NULL", mesaopt_prompt_save(w.p, NULL));
    BAD(MESAOPT_E_IO, "/nonexistent/x", mesaopt_prompt_save(w.p, "/nonexistent/x"));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_prompt_save_to(NULL, no_bytes, NULL));
    BAD(MESAOPT_E_ARGUMENT, "write: NULL", mesaopt_prompt_save_to(w.p, NULL, NULL));
    BAD(MESAOPT_E_IO, "write: it returned 1, expected 0", mesaopt_prompt_save_to(w.p, no_bytes, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_prompt_open_from(NULL, f->in, 64, out));
    BAD(MESAOPT_E_ARGUMENT, "bytes: NULL", mesaopt_prompt_open_from(f->ctx, NULL, 64, out));
    BAD(MESAOPT_E_ARGUMENT, "length: -1", mesaopt_prompt_open_from(f->ctx, f->in, -1, out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_prompt_open_from(f->ctx, f->in, 64, NULL));
    BAD(MESAOPT_E_FORMAT, "memory: header of", mesaopt_prompt_open_from(f->ctx, f->in, 64, out));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_prompt_open(NULL, "/tmp/x", out));
    BAD(MESAOPT_E_ARGUMENT, "path: NULL", mesaopt_prompt_open(f->ctx, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_prompt_open(f->ctx, "/nonexistent", NULL));
    BAD(MESAOPT_E_IO, "/nonexistent", mesaopt_prompt_open(f->ctx, "/nonexistent", out));
    BAD(MESAOPT_E_ARGUMENT, "task: NULL", mesaopt_task_set_prompt(NULL, w.p));
    BAD(MESAOPT_E_ARGUMENT, "prompt: of another context", mesaopt_task_set_prompt(w.task, w.foreign));
    BAD(MESAOPT_E_ARGUMENT, "prompt: a task, expected a live prompt", mesaopt_task_set_prompt(w.task, (mesaopt_prompt *)w.task));
    BAD(MESAOPT_OK, NULL, mesaopt_prompt_free(NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_prompt_free((mesaopt_prompt *)w.task));
    end(&w);
}
END_TEST

START_TEST(run_rows)
{
    world w = start();
    const mesaopt_view *s = &w.separator, *p = &w.prefix;
    double *loss = &f->out.number;
    BAD(MESAOPT_E_ARGUMENT, "prompt: NULL", mesaopt_prompt_gradient(NULL, w.m, w.task, 0, 0, 4, s, p, loss));
    BAD(MESAOPT_E_ARGUMENT, "model: NULL", mesaopt_prompt_gradient(w.p, NULL, w.task, 0, 0, 4, s, p, loss));
    BAD(MESAOPT_E_ARGUMENT, "task: NULL", mesaopt_prompt_gradient(w.p, w.m, NULL, 0, 0, 4, s, p, loss));
    BAD(MESAOPT_E_SHAPE, "task: tokens of width 2", mesaopt_prompt_gradient(w.p, w.wide, w.task, 0, 0, 4, s, p, loss));
    BAD(MESAOPT_E_ARGUMENT, "stream: 3, expected 0", mesaopt_prompt_gradient(w.p, w.m, w.task, 3, 0, 4, s, p, loss));
    BAD(MESAOPT_E_ARGUMENT, "first: -1, expected >= 0", mesaopt_prompt_gradient(w.p, w.m, w.task, 0, -1, 4, s, p, loss));
    BAD(MESAOPT_E_ARGUMENT, "count: 0, expected 1 to", mesaopt_prompt_gradient(w.p, w.m, w.task, 0, 0, 0, s, p, loss));
    BAD(MESAOPT_E_SHAPE, "separator: shape [3,2], expected [1,2]", mesaopt_prompt_gradient(w.p, w.m, w.task, 0, 0, 4, p, p, loss));
    BAD(MESAOPT_E_OVERLAP, "prefix", mesaopt_prompt_gradient(w.p, w.m, w.task, 0, 0, 4, s, VIEW(with_data(*p, f->out.block)), loss));
    BAD(MESAOPT_E_DTYPE, "prefix: ", mesaopt_prompt_gradient(w.p, w.m, w.task, 0, 0, 4, s, VIEW(with_dtype(*p, MESAOPT_F32)), loss));
    BAD(MESAOPT_E_MEMORY, "memory", (refuse(1), mesaopt_prompt_gradient(w.p, w.m, w.task, 0, 0, 4, s, p, loss)));
    BAD(MESAOPT_E_ARGUMENT, "prompt: NULL", mesaopt_prompt_train(NULL, w.m, w.task, 1, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "model: a task, expected a live model", mesaopt_prompt_train(w.p, (mesaopt_model *)w.task, w.task, 1, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "task: NULL", mesaopt_prompt_train(w.p, w.m, NULL, 1, NULL, NULL));
    BAD(MESAOPT_E_SHAPE, "task: tokens of width 2", mesaopt_prompt_train(w.p, w.wide, w.task, 1, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "updates: -1, expected 0 to", mesaopt_prompt_train(w.p, w.m, w.task, -1, NULL, NULL));
    BAD(MESAOPT_E_ARGUMENT, "updates: 9223372036854775807, expected 0 to", mesaopt_prompt_train(w.p, w.m, w.task, INT64_MAX, NULL, NULL));
    BAD(MESAOPT_E_MEMORY, "memory", (refuse(1), mesaopt_prompt_train(w.p, w.m, w.task, 1, NULL, NULL)));
    ck_assert_int_eq(mesaopt_task_set_prompt(w.task, NULL), MESAOPT_OK);
    BAD(MESAOPT_E_STATE, "task: it has no prompt", mesaopt_prompt_train(w.p, w.m, w.task, 1, NULL, NULL));
    end(&w);
}
END_TEST

Suite *test_arguments_prompt_suite(void)
{
    Suite *s = suite_create("arguments of prompts");
    TCase *t = tcase_create("prompts");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, object_rows);
    tcase_add_test(t, run_rows);
    suite_add_tcase(s, t);
    return s;
}
