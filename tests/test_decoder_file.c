/* Files of decoders: streams that go on bit for bit, files of other models, and files that were not written by mesaopt_decoder_save. */
#include "train/safetensors.h"
#undef fail                        /* Check's; here it is the library's */
#include "contexts.h"
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

static const char blocks[] = "softmax(heads=2,key=3,init_sd=0.5,pe=qk); linear(heads=1,key=2,init_sd=0.3); mesa(heads=2,key=2,init_sd=0.5,gates=sigmoid)";
enum { T = 30, IN = 4 };

static char path[64];
static void name_path(void) { snprintf(path, sizeof path, "/tmp/mesaopt-decoder-%ld.safetensors", (long)getpid()); }

static mesaopt_status open_decoder(mesaopt_model *m, const char *settings, mesaopt_decoder **out)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_DECODER, settings);
    const mesaopt_status status = mesaopt_decoder_open(m, s, path, out);
    mesaopt_settings_free(s);
    return status;
}

static mesaopt_decoder *new_decoder(mesaopt_model *m, const char *settings)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_DECODER, settings);
    mesaopt_decoder *d;
    ck_assert_int_eq(mesaopt_decoder_create(m, s, &d), MESAOPT_OK);
    mesaopt_settings_free(s);
    return d;
}

/* L steps of B streams, other tokens for every t. */
static void go(mesaopt_decoder *d, int32_t type, int64_t B, int64_t t, int64_t L, double *out)
{
    static double x[21 * T * IN];
    mesaopt_ctx *ctx = ((object *)d)->ctx;
    const mesaopt_view tokens = DENSE(x, type, B, L, IN), to = DENSE(out, type, B, L, IN);
    ck_assert_int_eq(mesaopt_rng_normal(ctx, 7, 20, (uint64_t)(1000 * t), 0, 1, &tokens), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_decoder_step(d, &tokens, &to), MESAOPT_OK);
}

static void goes_on(mesaopt_ctx *ctx, const char *settings, int32_t type, int64_t B)
{
    static double a[21 * T * IN], b[21 * T * IN];
    char streams[64];
    mesaopt_decoder *twin = NULL, *one;
    mesaopt_model *m = model_from(ctx, settings, blocks);
    snprintf(streams, sizeof streams, "streams=%d capacity=%d", (int)B, T);
    one = new_decoder(m, streams);
    for (int round = 0; round < 3; round++) {          /* no tokens yet; all alike; streams at different steps */
        if (round > 0) go(one, type, B, round, 4, a);
        if (round > 1) ck_assert_int_eq(mesaopt_decoder_reset(one, B - 1), MESAOPT_OK);
        if (round > 1) ck_assert_int_eq(mesaopt_decoder_reset(one, 0), MESAOPT_OK);
        if (round > 1) go(one, type, B, 10, 1, a);
        ck_assert_int_eq(mesaopt_decoder_set_note(one, "round", round ? "later" : "first"), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_decoder_save(one, path), MESAOPT_OK);
        ck_assert_int_eq(open_decoder(m, streams, &twin), MESAOPT_OK);
        char note[16] = "";
        ck_assert_int_gt(mesaopt_file_note(ctx, path, "round", note, sizeof note), 0);
        ck_assert_str_eq(note, round ? "later" : "first");
        for (int64_t t = 20; t < 23; t++) {
            memset(a, 0, sizeof a), memset(b, 0, sizeof b);
            go(one, type, B, t, t == 20 ? 3 : 1, a), go(twin, type, B, t, t == 20 ? 3 : 1, b);
            ck_assert_int_eq(memcmp(a, b, sizeof a), 0);
        }
        ck_assert_int_eq(mesaopt_decoder_free(twin), MESAOPT_OK);
        for (int64_t s = 0; s < B; s++) ck_assert_int_eq(mesaopt_decoder_steps(one, s), round < 2 ? 5 + 9 * round : s == 0 || s == B - 1 ? 6 : 24);
    }
    mesaopt_decoder_free(one);
    mesaopt_model_free(m);
}

START_TEST(bit_for_bit)
{
    name_path();
    for (int isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
        mesaopt_ctx *ctx = context_at(isa, 2);
        if (!ctx) continue;
        for (int64_t B = 1; B <= 21; B += 4) {
            goes_on(ctx, "inputs=4 outputs=4", MESAOPT_F32, B);
            goes_on(ctx, "inputs=4 outputs=4 dtype=f64", MESAOPT_F64, B);
        }
        mesaopt_ctx_free(ctx);
    }
    unlink(path);
}
END_TEST

/* On other lanes or another level it goes on as well, to rounding. */
START_TEST(other_machine)
{
    static double a[5 * IN], b[5 * IN];
    mesaopt_decoder *twin = NULL;
    name_path();
    mesaopt_ctx *ctx = context_at(MESAOPT_ISA_AUTO, 1), *base = context_at(MESAOPT_ISA_BASELINE, 1);
    mesaopt_model *m = model_from(ctx, "inputs=4 outputs=4 dtype=f64 lanes=1", blocks), *o = model_from(base, "inputs=4 outputs=4 dtype=f64 lanes=2", blocks);
    ck_assert_int_eq(mesaopt_model_save(m, path), MESAOPT_OK);     /* draws differ by roundings as well */
    ck_assert_int_eq(mesaopt_model_load(o, path), MESAOPT_OK);
    mesaopt_decoder *d = new_decoder(m, "streams=5");
    go(d, MESAOPT_F64, 5, 0, 1, a);
    ck_assert_int_eq(mesaopt_decoder_reset(d, 2), MESAOPT_OK);
    go(d, MESAOPT_F64, 5, 1, 1, a);
    ck_assert_int_eq(mesaopt_decoder_save(d, path), MESAOPT_OK);
    ck_assert_int_eq(open_decoder(o, "streams=5", &twin), MESAOPT_OTHER_ISA);
    go(d, MESAOPT_F64, 5, 2, 1, a), go(twin, MESAOPT_F64, 5, 2, 1, b);
    for (int i = 0; i < 5 * IN; i++) ck_assert_double_eq_tol(a[i], b[i], 1e-10);
    mesaopt_decoder_free(d), mesaopt_decoder_free(twin);
    mesaopt_model_free(m), mesaopt_model_free(o);
    mesaopt_ctx_free(ctx), mesaopt_ctx_free(base);
    unlink(path);
}
END_TEST

/* ---- files of something else ---- */

#define NO(status, word, ...) do { REFUSED(ctx, status, word, __VA_ARGS__); ck_assert_ptr_null(none); } while (0)

START_TEST(other_models)
{
    mesaopt_decoder *none = NULL;
    mesaopt_view w;
    static double a[21 * T * IN];
    name_path();
    mesaopt_ctx *ctx = context_from("");
    mesaopt_model *m = model_from(ctx, "inputs=4 outputs=4", blocks), *same = model_from(ctx, "inputs=4 outputs=4", blocks), *f64 = model_from(ctx, "inputs=4 outputs=4 dtype=f64", blocks),
                  *fewer = model_from(ctx, "inputs=4 outputs=4", "softmax(heads=2,key=3)");
    mesaopt_decoder *d = new_decoder(m, "streams=3 capacity=9");
    go(d, MESAOPT_F32, 3, 0, 7, a);
    ck_assert_int_eq(mesaopt_decoder_save(d, path), MESAOPT_OK);
    NO(MESAOPT_E_FORMAT, "steps': 3 streams, expected 2", open_decoder(m, "streams=2", &none));
    NO(MESAOPT_E_FORMAT, "7 tokens of stream 0, expected 0 to 6", open_decoder(m, "streams=3 capacity=6", &none));
    NO(MESAOPT_E_FORMAT, "dtype", open_decoder(f64, "streams=3", &none));
    NO(MESAOPT_E_FORMAT, "blocks \"softmax", open_decoder(fewer, "streams=3", &none));
    ck_assert_int_eq(open_decoder(same, "streams=3 capacity=7", &none), MESAOPT_OK);
    mesaopt_decoder_free(none), none = NULL;
    ck_assert_int_eq(mesaopt_model_parameter(same, "blocks.2.gamma_bias", &w), MESAOPT_OK);
    ((float *)w.data)[1] = nextafterf(((float *)w.data)[1], 0);
    NO(MESAOPT_E_FORMAT, "mesaopt.fingerprint", open_decoder(same, "streams=3", &none));
    ck_assert_int_eq(mesaopt_model_save(m, path), MESAOPT_OK);
    NO(MESAOPT_E_FORMAT, "mesaopt.kind 'model', expected 'decoder'", open_decoder(m, "streams=3", &none));
    mesaopt_decoder_free(d);
    mesaopt_model_free(m), mesaopt_model_free(same), mesaopt_model_free(f64), mesaopt_model_free(fewer);
    mesaopt_ctx_free(ctx);
    unlink(path);
}
END_TEST

/* A file with one tensor in another form: what = its name; change: what is done to it. */
enum { LEAVE_OUT, NOT_FINITE, ONE_MORE, LARGE, NEGATIVE, FAR };
static void rewrite(mesaopt_ctx *ctx, const char *what, int change)
{
    tensor_file f;
    saved_tensor tensor[16];
    static char data[16][20000];
    int64_t n = 0;
    ck_assert_int_eq(tensor_file_open(ctx, path, &f), MESAOPT_OK);
    for (int pass = 0; pass < 2; pass++)               /* integers first */
        for (int64_t i = 0; i < f.tensors; i++) {
            const file_tensor *t = &f.tensor[i];
            if ((t->dtype == MESAOPT_I64) != (pass == 0)) continue;
            tensor[n] = (saved_tensor){t->name, t->dtype, t->ndim, {0}, data[n]};
            memcpy(tensor[n].shape, t->shape, sizeof t->shape);
            ck_assert_int_eq(tensor_file_read(&f, t, 0, t->count, t->dtype, data[n]), MESAOPT_OK);
            if (strcmp(t->name, what) == 0) {
                if (change == LEAVE_OUT) continue;
                if (change == NOT_FINITE) ((float *)data[n])[t->count - 1] = NAN;
                if (change == ONE_MORE) tensor[n].shape[1]++;
                if (change == LARGE) ((int64_t *)data[n])[1] = INT64_MAX;
                if (change == NEGATIVE) ((int64_t *)data[n])[1] = -1;
                if (change == FAR) ((int64_t *)data[n])[1] = (1 << 25) - 1;
            }
            n++;
        }
    ck_assert_int_eq(tensor_file_write(ctx, path, f.texts, f.text, n, tensor), MESAOPT_OK);
    tensor_file_close(&f);
}

START_TEST(hostile)
{
    static const struct { const char *tensor; int change; const char *word; } cases[] = {
        {"steps", LEAVE_OUT, "steps"}, {"steps", LARGE, "9223372036854775807 tokens of stream 1"}, {"steps", NEGATIVE, "-1 tokens of stream 1"},
        {"blocks.0.keys", LEAVE_OUT, "blocks.0.keys"}, {"blocks.0.keys", NOT_FINITE, "stream 2 is not finite"}, {"blocks.0.keys", ONE_MORE, "shape [3,8,2,3]"},
        {"blocks.0.values", NOT_FINITE, "blocks.0.values"}, {"blocks.1.state", NOT_FINITE, "blocks.1.state"}, {"blocks.1.state", ONE_MORE, "blocks.1.state"}, {"blocks.2.state", LEAVE_OUT, "blocks.2.state"}};
    mesaopt_decoder *none = NULL;
    static double a[21 * T * IN];
    name_path();
    mesaopt_ctx *ctx = context_from("");
    mesaopt_model *m = model_from(ctx, "inputs=4 outputs=4", blocks);
    mesaopt_decoder *d = new_decoder(m, "streams=3 capacity=9");
    go(d, MESAOPT_F32, 3, 0, 7, a);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_assert_int_eq(mesaopt_decoder_save(d, path), MESAOPT_OK);
        rewrite(ctx, cases[i].tensor, cases[i].change);
        NO(MESAOPT_E_FORMAT, cases[i].word, open_decoder(m, "streams=3 capacity=9", &none));
    }
    ck_assert_int_eq(mesaopt_decoder_save(d, path), MESAOPT_OK);
    for (int64_t cut = 0; cut < 3000; cut += 97) {     /* a file that ends too soon */
        const int fd = open(path, O_RDWR);
        const off_t end = lseek(fd, 0, SEEK_END);
        ck_assert_int_eq(ftruncate(fd, end > 97 ? end - 97 : 0), 0);
        close(fd);
        if (end > 0) ck_assert_int_eq(open_decoder(m, "streams=3 capacity=9", &none), MESAOPT_E_FORMAT);
    }
    mesaopt_decoder_free(d);
    mesaopt_model_free(m);
    mesaopt_ctx_free(ctx);
    unlink(path);
}
END_TEST

/* Without an end: streams as far as sines reach, and not further; without positions as far as can be counted. */
START_TEST(far_streams)
{
    static const char *const kinds[] = {"linear(heads=1,key=2,pe=add)", "mesa(heads=1,key=2,pe=qk)", "linear(heads=1,key=2)"};
    static double x[2 * IN];
    mesaopt_decoder *far = NULL, *none = NULL;
    name_path();
    for (int i = 0; i < 3; i++) {
        mesaopt_ctx *ctx = context_from("");
        mesaopt_model *m = model_from(ctx, "inputs=4 outputs=4 dtype=f64", kinds[i]);
        mesaopt_decoder *d = new_decoder(m, "streams=2");
        const mesaopt_view tokens = DENSE(x, MESAOPT_F64, 2, 1, IN);
        ck_assert_int_eq(mesaopt_decoder_save(d, path), MESAOPT_OK);
        rewrite(ctx, "steps", FAR);
        ck_assert_int_eq(open_decoder(m, "streams=2", &far), MESAOPT_OK);
        go(far, MESAOPT_F64, 2, 0, 1, x);
        for (int j = 0; j < 2 * IN; j++) ck_assert(fabs(x[j]) < 10);
        if (i < 2) NO(MESAOPT_E_STATE, "stream 1 has had 33554432 tokens", mesaopt_decoder_step(far, &tokens, NULL));
        else ck_assert_int_eq(mesaopt_decoder_step(far, &tokens, NULL), MESAOPT_OK);
        rewrite(ctx, "steps", LARGE);
        if (i < 2) NO(MESAOPT_E_FORMAT, "of stream 1, expected 0 to 33554432", open_decoder(m, "streams=2", &none));
        mesaopt_decoder_free(d), mesaopt_decoder_free(far);
        mesaopt_model_free(m);
        mesaopt_ctx_free(ctx);
    }
    unlink(path);
}
END_TEST

Suite *test_decoder_file_suite(void)
{
    Suite *s = suite_create("decoder_file");
    TCase *t = tcase_create("decoder_file");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, bit_for_bit);
    tcase_add_test(t, other_machine);
    tcase_add_test(t, other_models);
    tcase_add_test(t, hostile);
    tcase_add_test(t, far_streams);
    suite_add_tcase(s, t);
    return s;
}
