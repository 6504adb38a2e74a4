/* Weights from elsewhere: every kind of block, whole networks, by views of any order, layout and type, and from files. */
#include "kind_texts.h"
#include "train/safetensors.h"
#undef fail
#include "training_setup.h"
#include <math.h>

#define OK(call) ck_assert_int_eq(call, MESAOPT_OK)

enum { B = 3, T = 5, IN = 3, OUT = 2, MOST = 64, LARGEST = 400 };

/* A model as a list of names and views; the weights of a view lie as another program would have them: transposed, and of f32. */
typedef struct weights {
    int64_t count;
    const char *names[MOST];
    mesaopt_view tensors[MOST];
    float data[MOST][LARGEST];
} weights;

static void take_apart(mesaopt_model *m, weights *w)
{
    w->count = mesaopt_model_parameters(m);
    ck_assert_int_le(w->count, MOST);
    for (int64_t i = 0; i < w->count; i++) {
        const int64_t at = w->count - 1 - i;           /* in another order */
        mesaopt_view v;
        w->names[at] = mesaopt_model_parameter_name(m, i);
        OK(mesaopt_model_parameter(m, w->names[at], &v));
        const int64_t rows = v.shape[0], cols = v.shape[1];
        ck_assert_int_le(rows * cols, LARGEST);
        for (int64_t e = 0; e < rows * cols; e++) w->data[at][e % cols * rows + e / cols] = ((float *)v.data)[e];
        w->tensors[at] = (mesaopt_view){w->data[at], {rows, cols}, {1, rows}, 2, MESAOPT_F32, MESAOPT_VIEW_READONLY, 0};
    }
}

static void predict(mesaopt_ctx *ctx, mesaopt_model *m, float *out)
{
    static float x[B * T * IN];
    const mesaopt_view tokens = DENSE(x, MESAOPT_F32, B, T, IN), y = DENSE(out, MESAOPT_F32, B, T, OUT);
    OK(mesaopt_rng_normal(ctx, 3, 20, 0, 0, 1, &tokens));
    ck_assert_int_ge(mesaopt_model_forward(m, &tokens, &y), 0);
}

static mesaopt_settings *sizes(const char *seed)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_MODEL, "inputs=3 outputs=2");
    OK(mesaopt_settings_set_text(s, "seed", seed));
    return s;
}

static mesaopt_model *network(mesaopt_ctx *ctx, const mesaopt_settings *s, const char *text)
{
    mesaopt_model *m;
    OK(mesaopt_model_create(ctx, s, &m));
    const mesaopt_status status = mesaopt_model_add_text(m, text);
    ck_assert_msg(status == MESAOPT_OK || status == MESAOPT_E_UNSUPPORTED, "%s: %s", text, error_of(ctx));
    if (status == MESAOPT_OK) return m;
    mesaopt_model_free(m);
    return NULL;
}

/* A network with a block of the kind: from views and from a file the predictions are the same bits. */
START_TEST(every_kind)
{
    static weights w;
    char kind[600], text[800], folder[64], path[96];
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_settings *s = sizes("4"), *other = sizes("9");
    float expected[B * T * OUT], got[B * T * OUT];
    folder_make(folder);
    snprintf(path, sizeof path, "%s/weights.safetensors", folder);
    for (int variant = 0; kind_text(block_kind_at(_i), variant, kind, sizeof kind); variant++) {
        snprintf(text, sizeof text, "dense(outputs=6,init_sd=0.5); %s; dense(outputs=2,init_sd=0.5)", kind);
        mesaopt_model *m = network(ctx, s, text), *again;
        if (!m) continue;
        take_apart(m, &w);
        predict(ctx, m, expected);
        const mesaopt_status status = mesaopt_model_import(ctx, other, text, w.count, w.names, w.tensors, &again);
        ck_assert_msg(status == MESAOPT_OK, "%s: %s", text, error_of(ctx));
        predict(ctx, again, got);
        ck_assert_mem_eq(expected, got, sizeof got);
        mesaopt_model_free(again);
        OK(mesaopt_model_save(m, path));
        OK(mesaopt_model_import_file(ctx, other, text, path, &again));
        predict(ctx, again, got);
        ck_assert_mem_eq(expected, got, sizeof got);
        mesaopt_model_free(again), mesaopt_model_free(m);
    }
    unlink(path), rmdir(folder);
    mesaopt_settings_free(s), mesaopt_settings_free(other);
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Equal blocks of any kind, without names. */
START_TEST(equal_blocks)
{
    static weights w;
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_settings *s = sizes("4"), *other = sizes("9"), *block = settings_from(MESAOPT_SCOPE_MESA, "heads=2 key=3 value=2 init_sd=0.5 gates=sigmoid ridges=channel");
    mesaopt_model *m = network(ctx, s, "2 x mesa(heads=2,key=3,value=2,init_sd=0.5,gates=sigmoid,ridges=channel)"), *again;
    float expected[B * T * OUT], got[B * T * OUT];
    mesaopt_view in_order[MOST];
    take_apart(m, &w);
    for (int64_t i = 0; i < w.count; i++) in_order[i] = w.tensors[w.count - 1 - i];
    OK(mesaopt_revalg_import(ctx, other, block, 2, in_order, &again));
    predict(ctx, m, expected), predict(ctx, again, got);
    ck_assert_mem_eq(expected, got, sizeof got);
    mesaopt_model_free(again), mesaopt_model_free(m);
    mesaopt_settings_free(s), mesaopt_settings_free(other), mesaopt_settings_free(block);
    mesaopt_ctx_free(ctx);
}
END_TEST

static const char whole[] = "dense(outputs=4); softmax(heads=2,key=2); dense(outputs=2)";

START_TEST(what_does_not_fit)
{
    static weights w;
    hook_alloc hook = {0};
    mesaopt_ctx *ctx = context_hooked(&hook, "threads=1");
    mesaopt_settings *s = sizes("4");
    mesaopt_model *m = network(ctx, s, whole), *out = NULL;
    take_apart(m, &w);
    const mesaopt_view kept = w.tensors[1];
    const char *name = w.names[2];
    const long blocks = hook.blocks;
    ck_assert_str_eq(w.names[1], "blocks.1.output");
#define IMPORT(count) mesaopt_model_import(ctx, s, whole, count, w.names, w.tensors, &out)
    w.names[2] = "blocks.1.gain";
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "names: \"blocks.1.gain\"", IMPORT(w.count));
    w.names[2] = w.names[1];
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "names: blocks.1.output twice", IMPORT(w.count));
    w.names[2] = NULL;
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "names: one of them: NULL", IMPORT(w.count));
    w.names[2] = name;
    REFUSED(ctx, MESAOPT_E_ARGUMENT, "names: no blocks.0.weight, expected every parameter", IMPORT(w.count - 1));
    w.tensors[1].shape[1]--;
    REFUSED(ctx, MESAOPT_E_SHAPE, "tensors: blocks.1.output: shape [4,3], expected [4,4]", IMPORT(w.count));
    w.tensors[1] = kept, w.tensors[1].dtype = MESAOPT_I64;
    REFUSED(ctx, MESAOPT_E_DTYPE, "tensors: blocks.1.output: dtype i64", IMPORT(w.count));
    w.tensors[1] = kept, w.data[1][4] = INFINITY;
    REFUSED(ctx, MESAOPT_E_NONFINITE, "tensors: blocks.1.output: not finite at [0,1]", IMPORT(w.count));
    w.data[1][4] = 0;
    ck_assert_ptr_null(out);
    ck_assert_int_eq(hook.blocks, blocks);
    mesaopt_status status = MESAOPT_E_MEMORY;
    for (long n = 1; status != MESAOPT_OK; n++) {
        ck_assert_int_lt(n, 50);
        hook.fail_at = hook.calls + n;
        status = IMPORT(w.count);
        ck_assert(status == MESAOPT_OK || status == MESAOPT_E_MEMORY);
        if (status != MESAOPT_OK) ck_assert_int_eq(hook.blocks, blocks);
    }
    mesaopt_model_free(out), mesaopt_model_free(m);
    mesaopt_settings_free(s);
    mesaopt_ctx_free(ctx);
    ck_assert_int_eq(hook.blocks, 0);
}
END_TEST

/* A file that holds more, or less; of a trainer: there are moments, too. */
START_TEST(files_that_do_not_fit)
{
    char folder[64], path[96];
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1);
    mesaopt_settings *s = sizes("4");
    mesaopt_model *m = network(ctx, s, whole), *out = NULL;
    double x[4] = {1, 2, 3, 4};
    folder_make(folder);
    snprintf(path, sizeof path, "%s/weights.safetensors", folder);
    OK(mesaopt_model_save(m, path));
    ck_assert_int_eq(mesaopt_model_import_file(ctx, s, "dense(outputs=4); linear(heads=2,key=2)", path, &out), MESAOPT_E_FORMAT);
    SAID(ctx, "tensor 'blocks.2.weight': not expected");
    ck_assert_int_eq(mesaopt_model_import_file(ctx, s, "dense(outputs=4); softmax(heads=2,key=3); dense(outputs=2)", path, &out), MESAOPT_E_FORMAT);
    SAID(ctx, "tensor 'blocks.1.");
    const saved_tensor one = {"blocks.0.weight", MESAOPT_F64, 2, {2, 2}, x};
    OK(tensor_file_write(ctx, path, 0, NULL, 1, &one));
    ck_assert_int_eq(mesaopt_model_import_file(ctx, s, whole, path, &out), MESAOPT_E_FORMAT);
    ck_assert_int_eq(mesaopt_model_import_file(ctx, s, "dense(outputs=4", path, &out), MESAOPT_E_FORMAT);
    ck_assert_ptr_null(out);
    unlink(path), rmdir(folder);
    mesaopt_model_free(m);
    mesaopt_settings_free(s);
    mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_model_import_suite(void)
{
    int kinds = 0;
    while (block_kind_at(kinds)) kinds++;
    Suite *s = suite_create("model import");
    TCase *t = tcase_create("model import");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, every_kind, 0, kinds);
    tcase_add_test(t, equal_blocks);
    tcase_add_test(t, what_does_not_fit);
    tcase_add_test(t, files_that_do_not_fit);
    suite_add_tcase(s, t);
    return s;
}
