/* Memory instead of files: the bytes are those of the file, what is opened from them is what was saved, and bytes that are no file, or a host that
 * does not take them, leave everything as it was. */
#include "training_setup.h"
#include <math.h>

#define OK(call) ck_assert_int_eq(call, MESAOPT_OK)
enum { MOST = 1 << 17, KINDS = 5 };

typedef struct buffer { int64_t bytes, calls, refuse_at; unsigned char data[MOST]; } buffer;

static mesaopt_ctx *ctx;
static char folder[64], path[96];
static setup s;
static mesaopt_lsq *lsq;
static mesaopt_rls *rls;
static mesaopt_settings *one_stream;
static mesaopt_decoder *decoder;
static mesaopt_prompt *prompt;

static int32_t take(const void *bytes, int64_t count, void *user)
{
    buffer *b = user;
    ck_assert(count > 0 && count <= MOST - b->bytes);
    if (++b->calls == b->refuse_at) return 5;
    memcpy(b->data + b->bytes, bytes, (size_t)count);
    b->bytes += count;
    mesaopt_tensor *t;
    OK(mesaopt_tensor_create(ctx, MESAOPT_F32, 0, NULL, &t));      /* as in any callback: what does not step is allowed */
    OK(mesaopt_tensor_free(t));
    if (s.trainer) ck_assert_int_eq(mesaopt_trainer_step(s.trainer, NULL), MESAOPT_E_BUSY);
    return 0;
}

static void start(void)
{
    double x[12] = {1, 2, -1, 0.5, 3, 1, 0, -2, 1, 4, 2, -3};
    const mesaopt_view k = DENSE(x, MESAOPT_F64, 4, 1, 2), v = DENSE(x + 8, MESAOPT_F64, 4, 1, 1);
    folder_make(folder);
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    ctx = context_from("");
    s = setup_start(ctx, &small_linear);
    OK(mesaopt_model_set_note(s.model, "made", "by hand"));
    OK(mesaopt_trainer_set_parameters(s.trainer, "*.key", 0, MESAOPT_DECAY_STANDARD));
    OK(mesaopt_trainer_run(s.trainer, 5, NULL, NULL));
    OK(mesaopt_lsq_plan(ctx, NULL, 2, 1, &lsq));
    OK(mesaopt_rls_create(lsq, 1, NULL, &rls));
    OK(mesaopt_rls_update(rls, &k, &v, NULL, NULL));
    one_stream = settings_from(MESAOPT_SCOPE_DECODER, "streams=1");
    OK(mesaopt_decoder_create(s.model, one_stream, &decoder));
    OK(mesaopt_prompt_create(ctx, NULL, &prompt));
}

static void end(void)
{
    mesaopt_prompt_free(prompt), mesaopt_decoder_free(decoder), mesaopt_rls_free(rls), mesaopt_lsq_free(lsq);
    mesaopt_settings_free(one_stream);
    setup_end(&s);
    mesaopt_ctx_free(ctx);
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

static mesaopt_status save(int kind)
{
    switch (kind) {
    case 0: return mesaopt_model_save(s.model, path);
    case 1: return mesaopt_trainer_save(s.trainer, path);
    case 2: return mesaopt_rls_save(rls, path);
    case 3: return mesaopt_decoder_save(decoder, path);
    default: return mesaopt_prompt_save(prompt, path);
    }
}

static mesaopt_status save_to(int kind, buffer *b)
{
    b->bytes = b->calls = 0;
    switch (kind) {
    case 0: return mesaopt_model_save_to(s.model, take, b);
    case 1: return mesaopt_trainer_save_to(s.trainer, take, b);
    case 2: return mesaopt_rls_save_to(rls, take, b);
    case 3: return mesaopt_decoder_save_to(decoder, take, b);
    default: return mesaopt_prompt_save_to(prompt, take, b);
    }
}

/* What comes of the bytes takes the place of what was saved. */
static mesaopt_status open_from(int kind, const void *bytes, int64_t length)
{
    mesaopt_model *m = NULL;
    mesaopt_rls *r = NULL;
    mesaopt_decoder *d = NULL;
    mesaopt_prompt *p = NULL;
    mesaopt_status status;
    switch (kind) {
    case 0:
        status = mesaopt_model_open_from(ctx, bytes, length, &m);
        ck_assert((status == MESAOPT_OK) == (m != NULL));
        if (m) {
            OK(mesaopt_model_initialise(s.model, 99));
            OK(mesaopt_model_load_from(s.model, bytes, length));
            mesaopt_trainer_free(s.trainer), mesaopt_model_free(s.model);
            s.model = m, s.trainer = NULL;
        } else {
            ck_assert_int_eq(mesaopt_model_load_from(s.model, bytes, length), status);
        }
        return status;
    case 1: return mesaopt_trainer_load_from(s.trainer, bytes, length, NULL);
    case 2:
        status = mesaopt_rls_open_from(lsq, bytes, length, &r);
        ck_assert((status == MESAOPT_OK) == (r != NULL));
        if (r) mesaopt_rls_free(rls), rls = r;
        return status;
    case 3:
        status = mesaopt_decoder_open_from(s.model, one_stream, bytes, length, &d);
        ck_assert((status == MESAOPT_OK) == (d != NULL));
        if (d) mesaopt_decoder_free(decoder), decoder = d;
        return status;
    default:
        status = mesaopt_prompt_open_from(ctx, bytes, length, &p);
        ck_assert((status == MESAOPT_OK) == (p != NULL));
        if (p) mesaopt_prompt_free(prompt), prompt = p;
        return status;
    }
}

static buffer first, again;
static unsigned char file[MOST];

START_TEST(bytes_of_the_file)
{
    OK(save(_i));
    const int64_t n = file_read(path, file, sizeof file);
    OK(save_to(_i, &first));
    ck_assert_int_eq(first.bytes, n);
    ck_assert_mem_eq(first.data, file, (size_t)n);
    if (_i == 1) OK(mesaopt_trainer_run(s.trainer, 8, NULL, NULL));
    ck_assert_msg(open_from(_i, file, n) == MESAOPT_OK, "%s", error_of(ctx));
    OK(save_to(_i, &again));
    ck_assert_int_eq(again.bytes, n);
    ck_assert_mem_eq(again.data, file, (size_t)n);
}
END_TEST

/* Cut anywhere it is refused; behind every cut the memory ends. */
START_TEST(cut_short)
{
    OK(save_to(_i, &first));
    for (int64_t cut = 0; cut < first.bytes; cut += 1 + cut / 7) {
        char *copy = malloc((size_t)cut + 1);
        memcpy(copy, first.data, (size_t)cut);
        ck_assert_int_eq(open_from(_i, copy, cut), MESAOPT_E_FORMAT);
        ck_assert_msg(strstr(error_of(ctx), "memory: "), "%s", error_of(ctx));
        free(copy);
    }
    OK(save_to(_i, &again));
    ck_assert_int_eq(first.bytes, again.bytes);
    ck_assert_mem_eq(first.data, again.data, (size_t)first.bytes);
}
END_TEST

START_TEST(not_taken)
{
    OK(save_to(_i, &first));
    const int64_t calls = first.calls;
    ck_assert_int_gt(calls, 2);
    for (again.refuse_at = 1; again.refuse_at <= calls; again.refuse_at++) {
        ck_assert_int_eq(save_to(_i, &again), MESAOPT_E_IO);
        ck_assert_str_eq(error_of(ctx), "write: it returned 5, expected 0");
    }
    again.refuse_at = 0;
    OK(save_to(_i, &again));
    ck_assert_mem_eq(first.data, again.data, (size_t)first.bytes);
}
END_TEST

/* Parameters of two models, bit for bit. */
static void same_model(mesaopt_model *m, mesaopt_model *n)
{
    ck_assert_int_eq(mesaopt_model_parameters(m), mesaopt_model_parameters(n));
    for (int64_t i = 0; i < mesaopt_model_parameters(m); i++) {
        mesaopt_view v, w;
        OK(mesaopt_model_parameter(m, mesaopt_model_parameter_name(m, i), &v));
        OK(mesaopt_model_parameter(n, mesaopt_model_parameter_name(m, i), &w));
        ck_assert(v.shape[0] == w.shape[0] && v.shape[1] == w.shape[1]);
        ck_assert_mem_eq(v.data, w.data, (size_t)(v.shape[0] * v.shape[1]) * sizeof(float));
    }
}

/* What a file says, and weights of a model that it is not of. */
START_TEST(notes_and_weights)
{
    char text[64], whole[64];
    mesaopt_settings *sizes = settings_from(MESAOPT_SCOPE_MODEL, "inputs=12"), *block = settings_from(MESAOPT_SCOPE_LINEAR, "heads=2 key=3");
    mesaopt_model *m, *n;
    OK(save(0));
    OK(save_to(0, &first));
    ck_assert_int_eq(mesaopt_file_note_from(ctx, first.data, first.bytes, "made", text, sizeof text), 8);
    ck_assert_str_eq(text, "by hand");
    ck_assert_int_eq(mesaopt_file_note_from(ctx, first.data, first.bytes, "mesaopt.model", text, sizeof text), mesaopt_file_note(ctx, path, "mesaopt.model", whole, sizeof whole));
    ck_assert_mem_eq(text, whole, sizeof text / 2);
    ck_assert_int_eq(mesaopt_file_note_from(ctx, first.data, first.bytes, "none", text, sizeof text), 0);
    ck_assert_int_eq(mesaopt_file_note_from(ctx, first.data, first.bytes - 1, "made", text, sizeof text), MESAOPT_E_FORMAT);

    ck_assert_int_eq(mesaopt_model_import_from(ctx, NULL, "dense(outputs=40)", first.data, first.bytes, &m), MESAOPT_E_FORMAT);
    mesaopt_settings_set_int(sizes, MESAOPT_KEY_OUTPUTS, 3);
    ck_assert_msg(mesaopt_model_import_from(ctx, sizes, small_linear.blocks, first.data, first.bytes, &m) == MESAOPT_OK, "%s", error_of(ctx));
    same_model(m, s.model);
    mesaopt_model_free(m);

    mesaopt_settings_set_int(sizes, MESAOPT_KEY_OUTPUTS, 0);
    OK(mesaopt_model_create(ctx, sizes, &m));
    OK(mesaopt_model_add_text(m, "3 x linear(heads=2,key=3)"));
    first.bytes = first.calls = 0;
    OK(mesaopt_model_save_to(m, take, &first));
    ck_assert_msg(mesaopt_revalg_import_from(ctx, sizes, block, first.data, first.bytes, &n) == MESAOPT_OK, "%s", error_of(ctx));
    same_model(m, n);
    mesaopt_model_free(n);
    ck_assert_int_eq(mesaopt_revalg_import_from(ctx, sizes, block, first.data, first.bytes - 4, &n), MESAOPT_E_FORMAT);
    mesaopt_model_free(m), mesaopt_settings_free(sizes), mesaopt_settings_free(block);
}
END_TEST

/* What no file is opened with is not saved, by path or to a host. */
START_TEST(not_finite)
{
    mesaopt_view v;
    OK(mesaopt_model_parameter(s.model, "blocks.1.key", &v));
    ((float *)v.data)[v.stride[0] + 2] = (float)NAN;
    for (int kind = 0; kind < 2; kind++) {
        ck_assert_int_eq(save(kind), MESAOPT_E_NONFINITE);
        ck_assert_str_eq(error_of(ctx), "blocks.1.key: element [1,2] is nan, expected a finite number");
        ck_assert_int_eq(save_to(kind, &first), MESAOPT_E_NONFINITE);
        ck_assert_int_eq(first.calls, 0);
    }
    ((float *)v.data)[v.stride[0] + 2] = 1;
    OK(save_to(1, &first));
    OK(open_from(1, first.data, first.bytes));
}
END_TEST

Suite *test_memory_files_suite(void)
{
    Suite *suite = suite_create("memory files");
    TCase *c = tcase_create("kinds");
    tcase_add_checked_fixture(c, start, end);
    tcase_add_loop_test(c, bytes_of_the_file, 0, KINDS);
    tcase_add_loop_test(c, cut_short, 0, KINDS);
    tcase_add_loop_test(c, not_taken, 0, KINDS);
    tcase_add_test(c, notes_and_weights);
    tcase_add_test(c, not_finite);
    suite_add_tcase(suite, c);
    return suite;
}
