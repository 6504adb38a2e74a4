/* Tables of bad arguments (arguments.h): revalg.h. */
#include "arguments.h"

static mesaopt_model *model_with(mesaopt_ctx *ctx, const char *blocks)
{
    mesaopt_model *m;
    ck_assert_int_eq(mesaopt_model_create(ctx, NULL, &m), MESAOPT_OK);
    if (*blocks) ck_assert_int_eq(mesaopt_model_add_text(m, blocks), MESAOPT_OK);
    return m;
}

/* linear, mask, dense; 10 outputs of 40 features. */
static void extraction_rows(mesaopt_model *m)
{
    mesaopt_revalg *r;
    mesaopt_view *v = &f->out.view;
    mesaopt_model *empty = model_with(f->ctx, "");
    double block[40 * 40];
    const mesaopt_view product = {block, {40, 40}, {40, 1}, 2, MESAOPT_F64, 0, 0};
    mesaopt_view brief;
    mesaopt_view_dense(f->out.block, MESAOPT_F64, 2, (int64_t[]){4, 6}, &brief);
    ck_assert_int_eq(mesaopt_revalg_extract(m, &r), MESAOPT_OK);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_revalg_extract(NULL, &f->out.revalg));
    BAD(MESAOPT_E_ARGUMENT, "model: a revalg, expected a live model", mesaopt_revalg_extract((mesaopt_model *)r, &f->out.revalg));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_revalg_extract(m, NULL));
    BAD(MESAOPT_E_STATE, "model: no blocks", mesaopt_revalg_extract(empty, &f->out.revalg));
    for (int n = 1; n <= 4; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_revalg_extract(m, &f->out.revalg)));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_revalg_scalars(NULL, 0, 0, v));
    BAD(MESAOPT_E_ARGUMENT, "revalg: a model, expected a live revalg", mesaopt_revalg_scalars((mesaopt_revalg *)m, 0, 0, v));
    BAD(MESAOPT_E_ARGUMENT, "block: -1, expected 0 to 2", mesaopt_revalg_scalars(r, -1, 0, v));
    BAD(MESAOPT_E_ARGUMENT, "block: 3, expected 0 to 2", mesaopt_revalg_scalars(r, 3, 0, v));
    BAD(MESAOPT_E_ARGUMENT, "product: 2, expected 0 or 1 for a linear block", mesaopt_revalg_scalars(r, 0, MESAOPT_REVALG_WEIGHT, v));
    BAD(MESAOPT_E_ARGUMENT, "product: -1, expected 0 or 1", mesaopt_revalg_scalars(r, 0, -1, v));
    BAD(MESAOPT_E_ARGUMENT, "block: a mask, expected", mesaopt_revalg_scalars(r, 1, 0, v));
    BAD(MESAOPT_E_ARGUMENT, "product: 0, expected 2 for a dense block", mesaopt_revalg_scalars(r, 2, 0, v));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_revalg_scalars(r, 0, 0, NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_revalg_residuals(NULL, 0, 0, v));
    BAD(MESAOPT_E_ARGUMENT, "block: 7, expected 0 to 2", mesaopt_revalg_residuals(r, 7, 0, v));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_revalg_summary(NULL, &f->out.number, &f->out.number));
    ck_assert_int_eq(mesaopt_revalg_summary(r, NULL, NULL), MESAOPT_OK);

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_revalg_closed_form(NULL, &brief));
    BAD(MESAOPT_E_UNSUPPORTED, "revalg: block 1 does not belong there", mesaopt_revalg_closed_form(r, &brief));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_revalg_rebuild(NULL, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_revalg_rebuild(r, NULL));
    for (int n = 1; n <= 4; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_revalg_rebuild(r, &f->out.model)));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_revalg_product(NULL, 0, 0, 0, &product));
    BAD(MESAOPT_E_ARGUMENT, "block: 3, expected 0 to 2", mesaopt_revalg_product(m, 3, 0, 0, &product));
    BAD(MESAOPT_E_ARGUMENT, "product: 5, expected 0 or 1", mesaopt_revalg_product(m, 0, 5, 0, &product));
    BAD(MESAOPT_E_ARGUMENT, "head: 4, expected 0 to 3", mesaopt_revalg_product(m, 0, 0, 4, &product));
    BAD(MESAOPT_E_ARGUMENT, "head: -1, expected 0 to 3", mesaopt_revalg_product(m, 0, 0, -1, &product));
    BAD(MESAOPT_E_ARGUMENT, "head: 1, expected 0 to 0", mesaopt_revalg_product(m, 2, 2, 1, &product));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_revalg_product(m, 0, 0, 0, NULL));
    BAD(MESAOPT_E_SHAPE, "out: shape [4,6], expected [40,40]", mesaopt_revalg_product(m, 0, 0, 0, &brief));
    BAD(MESAOPT_E_MEMORY, "product: no memory", (refuse(1), mesaopt_revalg_product(m, 0, 0, 0, &product)));

    BAD(MESAOPT_OK, NULL, mesaopt_revalg_free(NULL));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_revalg_free((mesaopt_revalg *)m));
    ck_assert_int_eq(mesaopt_revalg_free(r), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_free(empty), MESAOPT_OK);
}

static void average_rows(mesaopt_model *m, mesaopt_model *foreign)
{
    mesaopt_model *average, *empty = model_with(f->ctx, "");
    mesaopt_task *task;
    mesaopt_trainer *trainer;
    ck_assert_int_eq(mesaopt_revalg_average(m, m, &average), MESAOPT_OK);
    BAD(MESAOPT_E_ARGUMENT, "model: NULL, expected a live model", mesaopt_revalg_average(NULL, m, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "b: NULL", mesaopt_revalg_average(m, NULL, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "b: a tensor, expected a live model", mesaopt_revalg_average(m, (mesaopt_model *)f->tensor, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "b: of another context", mesaopt_revalg_average(m, foreign, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_revalg_average(m, m, NULL));
    BAD(MESAOPT_E_STATE, "model: no blocks", mesaopt_revalg_average(empty, empty, &f->out.model));
    BAD(MESAOPT_E_UNSUPPORTED, "b: 0 blocks", mesaopt_revalg_average(m, empty, &f->out.model));
    for (int n = 1; n <= 4; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_revalg_average(m, m, &f->out.model)));

    BAD(MESAOPT_E_ARGUMENT, "model: NULL, expected a live model", mesaopt_revalg_average_update(NULL, m, m));
    BAD(MESAOPT_E_ARGUMENT, "a: NULL", mesaopt_revalg_average_update(average, NULL, m));
    BAD(MESAOPT_E_ARGUMENT, "b: NULL", mesaopt_revalg_average_update(average, m, NULL));
    BAD(MESAOPT_E_ARGUMENT, "b: of another context", mesaopt_revalg_average_update(average, m, foreign));
    BAD(MESAOPT_E_STATE, "average: a or b itself", mesaopt_revalg_average_update(m, m, average));
    BAD(MESAOPT_E_STATE, "average: no average of models like a and b", mesaopt_revalg_average_update(m, average, average));
    ck_assert_int_eq(mesaopt_task_create(f->ctx, NULL, &task), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_trainer_create(f->ctx, NULL, average, task, &trainer), MESAOPT_OK);
    BAD(MESAOPT_E_STATE, "average: held by a trainer", mesaopt_revalg_average_update(average, m, m));
    ck_assert_int_eq(mesaopt_trainer_free(trainer), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_task_free(task), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_free(average), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_free(empty), MESAOPT_OK);
}

static void proposition_rows(mesaopt_ctx *elsewhere)
{
    mesaopt_settings *s = settings_of(f, MESAOPT_SCOPE_MODEL), *b = settings_of(f, MESAOPT_SCOPE_BASELINE);
    mesaopt_baseline *slots, *neumann, *foreign, *newest_off;
    double phi[9] = {0, 0, 0, 0, NAN, 0, 0, 0, 0};
    mesaopt_view phi0, flat;
    mesaopt_view_dense(phi, MESAOPT_F64, 2, (int64_t[]){3, 3}, &phi0);
    mesaopt_view_dense(phi, MESAOPT_F64, 1, (int64_t[]){9}, &flat);
    ck_assert_int_eq(mesaopt_settings_set_text(s, "outputs", "3"), MESAOPT_OK);
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_revalg_proposition1(NULL, NULL, 1, NULL, &f->out.model));
    BAD(MESAOPT_E_SETTING, "settings: settings of scope trainer, expected scope model", mesaopt_revalg_proposition1(f->ctx, f->trainer_settings, 1, NULL, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_revalg_proposition1(f->ctx, NULL, 1, NULL, NULL));
    BAD(MESAOPT_E_NONFINITE, "eta: nan, expected a finite number", mesaopt_revalg_proposition1(f->ctx, NULL, NAN, NULL, &f->out.model));
    BAD(MESAOPT_E_SHAPE, "settings: inputs 40, expected 9 or 12, 3 or 4 times the 3 outputs", mesaopt_revalg_proposition1(f->ctx, s, 1, NULL, &f->out.model));
    BAD(MESAOPT_E_SHAPE, "phi0: shape [3,3], expected [10,10]", mesaopt_revalg_proposition1(f->ctx, NULL, 1, &phi0, &f->out.model));
    ck_assert_int_eq(mesaopt_settings_set_text(s, "inputs", "9"), MESAOPT_OK);
    BAD(MESAOPT_E_SHAPE, "phi0: shape [9], expected [3,3]", mesaopt_revalg_proposition1(f->ctx, s, 1, &flat, &f->out.model));
    BAD(MESAOPT_E_NONFINITE, "phi0: not finite at [1,1]", mesaopt_revalg_proposition1(f->ctx, s, 1, &phi0, &f->out.model));
    BAD(MESAOPT_E_MEMORY, "memory", (refuse(1), mesaopt_revalg_proposition1(f->ctx, NULL, 1, NULL, &f->out.model)));

    ck_assert_int_eq(mesaopt_settings_set_text(b, "baseline", "neumann"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_text(b, "divisor", "70"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_create(f->ctx, b, &neumann), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_create(elsewhere, b, &foreign), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_text(b, "newest_pair", "0"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_create(f->ctx, b, &newest_off), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_text(b, "space", "slots"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_create(f->ctx, b, &slots), MESAOPT_OK);
    BAD(MESAOPT_E_UNSUPPORTED, "baseline: space slots, expected observations", mesaopt_revalg_proposition2(f->ctx, NULL, slots, &f->out.model));
    ck_assert_int_eq(mesaopt_baseline_free(slots), MESAOPT_OK);
    BAD(MESAOPT_E_ARGUMENT, "ctx: NULL, expected a live ctx", mesaopt_revalg_proposition2(NULL, NULL, neumann, &f->out.model));
    BAD(MESAOPT_E_SETTING, "settings: settings of scope trainer", mesaopt_revalg_proposition2(f->ctx, f->trainer_settings, neumann, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "baseline: NULL", mesaopt_revalg_proposition2(f->ctx, NULL, NULL, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "baseline: a tensor, expected a live baseline", mesaopt_revalg_proposition2(f->ctx, NULL, (mesaopt_baseline *)f->tensor, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "baseline: of another context", mesaopt_revalg_proposition2(f->ctx, NULL, foreign, &f->out.model));
    BAD(MESAOPT_E_UNSUPPORTED, "baseline: newest_pair 0, expected 1", mesaopt_revalg_proposition2(f->ctx, NULL, newest_off, &f->out.model));
    BAD(MESAOPT_E_SHAPE, "settings: inputs 9, expected 12 or 18, 4 or 6 times the 3 outputs", mesaopt_revalg_proposition2(f->ctx, s, neumann, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_revalg_proposition2(f->ctx, NULL, neumann, NULL));
    for (int n = 1; n <= 4; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_revalg_proposition2(f->ctx, NULL, neumann, &f->out.model)));
    ck_assert_int_eq(mesaopt_baseline_free(neumann), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_free(foreign), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_baseline_free(newest_off), MESAOPT_OK);
    mesaopt_settings_free(s);
    mesaopt_settings_free(b);
}

static void import_rows(void)
{
    mesaopt_settings *block = settings_of(f, MESAOPT_SCOPE_LINEAR), *probe = settings_of(f, MESAOPT_SCOPE_PROBE);
    mesaopt_view w[4] = {f->x, f->x, f->x, f->x};
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_revalg_import(NULL, NULL, block, 1, w, &f->out.model));
    BAD(MESAOPT_E_SETTING, "settings: settings of scope trainer", mesaopt_revalg_import(f->ctx, f->trainer_settings, block, 1, w, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "block: NULL", mesaopt_revalg_import(f->ctx, NULL, NULL, 1, w, &f->out.model));
    BAD(MESAOPT_E_SETTING, "block: settings of scope probe, expected a block's: linear", mesaopt_revalg_import(f->ctx, NULL, probe, 1, w, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "weights: NULL", mesaopt_revalg_import(f->ctx, NULL, block, 1, NULL, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "layers: 0, expected 1 to 4096", mesaopt_revalg_import(f->ctx, NULL, block, 0, w, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "layers: 4097, expected 1 to 4096", mesaopt_revalg_import(f->ctx, NULL, block, 4097, w, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_revalg_import(f->ctx, NULL, block, 1, w, NULL));
    BAD(MESAOPT_E_SHAPE, "weights: layer 0, query: shape [2,3], expected [40,80]", mesaopt_revalg_import(f->ctx, NULL, block, 1, w, &f->out.model));
    for (int n = 1; n <= 4; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_revalg_import(f->ctx, NULL, block, 1, w, &f->out.model)));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_revalg_import_file(NULL, NULL, block, "x", &f->out.model));
    BAD(MESAOPT_E_SETTING, "settings: settings of scope trainer", mesaopt_revalg_import_file(f->ctx, f->trainer_settings, block, "x", &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "block: NULL", mesaopt_revalg_import_file(f->ctx, NULL, NULL, "x", &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "path: NULL", mesaopt_revalg_import_file(f->ctx, NULL, block, NULL, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_revalg_import_file(f->ctx, NULL, block, "x", NULL));
    BAD(MESAOPT_E_IO, "/nowhere/x: ", mesaopt_revalg_import_file(f->ctx, NULL, block, "/nowhere/x", &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_revalg_import_from(NULL, NULL, block, f->in, 64, &f->out.model));
    BAD(MESAOPT_E_SETTING, "settings: settings of scope trainer", mesaopt_revalg_import_from(f->ctx, f->trainer_settings, block, f->in, 64, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "block: NULL", mesaopt_revalg_import_from(f->ctx, NULL, NULL, f->in, 64, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "bytes: NULL", mesaopt_revalg_import_from(f->ctx, NULL, block, NULL, 64, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "length: -1", mesaopt_revalg_import_from(f->ctx, NULL, block, f->in, -1, &f->out.model));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_revalg_import_from(f->ctx, NULL, block, f->in, 64, NULL));
    BAD(MESAOPT_E_FORMAT, "memory: header of", mesaopt_revalg_import_from(f->ctx, NULL, block, f->in, 64, &f->out.model));
    mesaopt_settings_free(block);
    mesaopt_settings_free(probe);
}

static void import_network_rows(void)
{
    const char *text = "dense(outputs=2)", *names[2] = {"blocks.0.weight", "blocks.0.bias"};
    mesaopt_view w[2] = {f->x, f->x};
    mesaopt_model **out = &f->out.model;
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_import(NULL, NULL, text, 1, names, w, out));
    BAD(MESAOPT_E_SETTING, "settings: settings of scope trainer", mesaopt_model_import(f->ctx, f->trainer_settings, text, 1, names, w, out));
    BAD(MESAOPT_E_ARGUMENT, "blocks: NULL", mesaopt_model_import(f->ctx, NULL, NULL, 1, names, w, out));
    BAD(MESAOPT_E_FORMAT, "nothing", mesaopt_model_import(f->ctx, NULL, "nothing", 1, names, w, out));
    BAD(MESAOPT_E_ARGUMENT, "count: -1, expected >= 0", mesaopt_model_import(f->ctx, NULL, text, -1, names, w, out));
    BAD(MESAOPT_E_ARGUMENT, "names: NULL", mesaopt_model_import(f->ctx, NULL, text, 1, NULL, w, out));
    BAD(MESAOPT_E_ARGUMENT, "tensors: NULL", mesaopt_model_import(f->ctx, NULL, text, 1, names, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_model_import(f->ctx, NULL, text, 1, names, w, NULL));
    BAD(MESAOPT_E_ARGUMENT, "names: no blocks.0.weight, expected every parameter", mesaopt_model_import(f->ctx, NULL, text, 0, NULL, NULL, out));
    BAD(MESAOPT_E_SHAPE, "tensors: blocks.0.weight: shape [2,3], expected [40,2]", mesaopt_model_import(f->ctx, NULL, text, 1, names, w, out));
    for (int n = 1; n <= 4; n++) BAD(MESAOPT_E_MEMORY, "memory", (refuse(n), mesaopt_model_import(f->ctx, NULL, text, 1, names, w, out)));

    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_import_file(NULL, NULL, text, "x", out));
    BAD(MESAOPT_E_SETTING, "settings: settings of scope trainer", mesaopt_model_import_file(f->ctx, f->trainer_settings, text, "x", out));
    BAD(MESAOPT_E_ARGUMENT, "blocks: NULL", mesaopt_model_import_file(f->ctx, NULL, NULL, "x", out));
    BAD(MESAOPT_E_ARGUMENT, "path: NULL", mesaopt_model_import_file(f->ctx, NULL, text, NULL, out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_model_import_file(f->ctx, NULL, text, "x", NULL));
    BAD(MESAOPT_E_IO, "/nowhere/x: ", mesaopt_model_import_file(f->ctx, NULL, text, "/nowhere/x", out));
    BAD(MESAOPT_E_ARGUMENT, NULL, mesaopt_model_import_from(NULL, NULL, text, f->in, 64, out));
    BAD(MESAOPT_E_SETTING, "settings: settings of scope trainer", mesaopt_model_import_from(f->ctx, f->trainer_settings, text, f->in, 64, out));
    BAD(MESAOPT_E_ARGUMENT, "blocks: NULL", mesaopt_model_import_from(f->ctx, NULL, NULL, f->in, 64, out));
    BAD(MESAOPT_E_ARGUMENT, "bytes: NULL", mesaopt_model_import_from(f->ctx, NULL, text, NULL, 64, out));
    BAD(MESAOPT_E_ARGUMENT, "length: -1", mesaopt_model_import_from(f->ctx, NULL, text, f->in, -1, out));
    BAD(MESAOPT_E_ARGUMENT, "out: NULL", mesaopt_model_import_from(f->ctx, NULL, text, f->in, 64, NULL));
    BAD(MESAOPT_E_FORMAT, "memory: header of", mesaopt_model_import_from(f->ctx, NULL, text, f->in, 64, out));
}

START_TEST(revalg_rows)
{
    mesaopt_ctx *elsewhere;
    ck_assert_int_eq(mesaopt_ctx_create(NULL, &elsewhere), MESAOPT_OK);
    mesaopt_model *m = model_with(f->ctx, "linear; mask(first=20); dense(outputs=40)"), *foreign = model_with(elsewhere, "linear");
    extraction_rows(m);
    average_rows(m, foreign);
    proposition_rows(elsewhere);
    import_rows();
    import_network_rows();
    ck_assert_int_eq(mesaopt_model_free(m), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_free(foreign), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_free(elsewhere), MESAOPT_OK);
}
END_TEST

Suite *test_arguments_revalg_suite(void)
{
    Suite *s = suite_create("arguments revalg");
    TCase *t = tcase_create("arguments");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, revalg_rows);
    suite_add_tcase(s, t);
    return s;
}
