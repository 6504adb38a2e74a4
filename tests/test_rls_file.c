/* Files of recursive least squares that were not written by mesaopt_rls_save: made here, tensor by tensor, and changed one number at a time. */
#include "rls/streams.h"
#include "train/safetensors.h"
#undef fail                        /* Check's; here it is the library's */
#include "contexts.h"
#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum { RIDGE, KEY_STATE, VALUE_STATE, SQUARES, COUNTERS, KEPT, TENSORS, WINDOW = 3, WIDTH = 5 };

/* One stream with d_key = d_val = 1, a window of three rows and two of them kept: (k, v, beta, log gate, forgotten since). */
typedef struct contents {
    double ridge[1], key_state[1], value_state[1], squares[1], counters[4], kept[WINDOW * WIDTH];
    int64_t streams;
} contents;

static const contents honest = {{2}, {0.5 * 4 + 9}, {0.5 * 2 + 3}, {0.5 * 1 + 1}, {1.5, -0.7, 2, 2},
                                {2, 1, 0.5, -INFINITY, 0.25, 3, 1, 1, -0.25, 0}, 1};

typedef struct files { mesaopt_ctx *ctx; mesaopt_lsq *plan; char path[64]; } files;

static files begin(const char *settings, int64_t dv)
{
    files f = {.ctx = context_at(MESAOPT_ISA_AUTO, 1)};
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_LSQ, settings);
    ck_assert_int_eq(mesaopt_lsq_plan(f.ctx, s, 1, dv, &f.plan), MESAOPT_OK);
    snprintf(f.path, sizeof f.path, "/tmp/mesaopt-rls-file-%ld.safetensors", (long)getpid());
    mesaopt_settings_free(s);
    return f;
}

static void end(files *f)
{
    unlink(f->path);
    ck_assert_int_eq(mesaopt_lsq_free(f->plan), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_free(f->ctx), MESAOPT_OK);
}

static void write_file(const files *f, const contents *c, int64_t dv, const double *zeros)
{
    const tensor_file_text text[] = {{"mesaopt.format", "2"}, {"mesaopt.gamma", "1"}, {"mesaopt.kind", "rls"}, {"mesaopt.window", "3"}};
    const int64_t n = c->streams;
    const saved_tensor tensor[TENSORS] = {
        {"ridge", MESAOPT_F64, 2, {n, 1}, c->ridge}, {"key_state", MESAOPT_F64, 3, {n, 1, 1}, c->key_state},
        {"value_state", MESAOPT_F64, 3, {n, 1, dv}, zeros ? zeros : c->value_state}, {"squares", MESAOPT_F64, 2, {n, dv}, zeros ? zeros : c->squares},
        {"counters", MESAOPT_F64, 2, {n, 4}, c->counters}, {"kept", MESAOPT_F64, 3, {n, WINDOW, WIDTH}, c->kept}};
    ck_assert_int_eq(tensor_file_write(f->ctx, f->path, 4, text, TENSORS, tensor), MESAOPT_OK);
}

/* The file as it should be: prediction (k1 v1 b1 e^-0.25 + k2 v2) / (..): of the sums that it holds. */
START_TEST(honest_file)
{
    files f = begin("window=3", 1);
    mesaopt_rls *r;
    double q = 1, out;
    const mesaopt_view qs = DENSE(&q, MESAOPT_F64, 1, 1, 1), os = DENSE(&out, MESAOPT_F64, 1, 1, 1);
    write_file(&f, &honest, 1, NULL);
    ck_assert_int_eq(mesaopt_rls_open(f.plan, f.path, &r), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rls_predict(r, &qs, &os, NULL), MESAOPT_OK);
    ck_assert_double_eq_tol(out, 4. / 13, 1e-15);
    mesaopt_rls_free(r);
    end(&f);
}
END_TEST

typedef struct change { size_t at; double value; const char *word; } change;
#define AT(member, i) (offsetof(contents, member) + (i) * sizeof(double))

static const change changes[] = {
    {AT(ridge, 0), 0, "ridge"}, {AT(ridge, 0), NAN, "ridge"}, {AT(key_state, 0), -1, "key_state"}, {AT(key_state, 0), INFINITY, "key_state"},
    {AT(value_state, 0), NAN, "value_state"}, {AT(squares, 0), -1, "squares"}, {AT(counters, 0), -1, "counters"}, {AT(counters, 1), 1, "counters"},
    {AT(counters, 2), 2.5, "whole number"}, {AT(counters, 2), 1e300, "whole number"}, {AT(counters, 2), 1, "counters"},
    {AT(counters, 3), 1.5, "whole number"},
    {AT(counters, 3), -1, "whole number"}, {AT(counters, 3), 4, "whole number"}, {AT(kept, 0), NAN, "row 0"}, {AT(kept, 2), -1.5, "row 0: weight -1.5"},
    {AT(kept, 3), 0.5, "row 0: log gate 0.5"}, {AT(kept, 8), -INFINITY, "row 1: log gate -inf"}, {AT(kept, 8), -1000, "row 1: log gate -1000"},
    {AT(kept, 4), -1, "row 0: -1 forgotten"}, {AT(kept, 4), -1e308, "row 0: -1e308 forgotten"}, {AT(kept, 4), INFINITY, "row 0: inf forgotten"},
    {AT(kept, 4), NAN, "row 0: nan forgotten"}, {AT(kept, 9), 0.125, "row 1: 0.125 forgotten"}, {AT(kept, 9), -1e308, "row 1: -1e308 forgotten"},
};

START_TEST(changed_files)
{
    files f = begin("window=3", 1);
    mesaopt_rls *none = NULL;
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        contents c = honest;
        memcpy((char *)&c + changes[i].at, &changes[i].value, sizeof(double));
        write_file(&f, &c, 1, NULL);
        REFUSED(f.ctx, MESAOPT_E_FORMAT, changes[i].word, mesaopt_rls_open(f.plan, f.path, &none));
        ck_assert_ptr_null(none);
    }
    end(&f);
}
END_TEST

/* No streams, and a plan whose kept rows have more elements than an int64 counts. */
START_TEST(sizes)
{
    enum { WIDE = 1100 };
    static const double zeros[WIDE];
    mesaopt_rls *none = NULL;
    contents c = honest;
    files f = begin("window=3", 1), wide = begin("window=9007199254740992", WIDE);
    c.streams = 0;
    write_file(&f, &c, 1, NULL);
    REFUSED(f.ctx, MESAOPT_E_FORMAT, "0 streams", mesaopt_rls_open(f.plan, f.path, &none));
    write_file(&wide, &honest, WIDE, zeros);
    REFUSED(wide.ctx, MESAOPT_E_FORMAT, "kept", mesaopt_rls_open(wide.plan, wide.path, &none));
    ck_assert_int_eq(mesaopt_rls_create(wide.plan, 1, NULL, &none), MESAOPT_E_MEMORY);
    ck_assert_ptr_null(none);
    end(&f);
    end(&wide);
}
END_TEST

Suite *test_rls_file_suite(void)
{
    Suite *s = suite_create("rls_file");
    TCase *t = tcase_create("rls_file");
    tcase_add_test(t, honest_file);
    tcase_add_test(t, changed_files);
    tcase_add_test(t, sizes);
    suite_add_tcase(s, t);
    return s;
}
