/* Every kind of block, from the rows of base/kinds.def: a new kind is tested here without a line of its own. Gradients of all parameters and of
 * the tokens against central differences in f64, f32 against f64, what must not matter (threads, lanes), text form, texts of errors. */
#include "kind_texts.h"
#undef fail
#include "contexts.h"
#include <math.h>

enum { B = 5, T = 6, IN = 5, OUT = 2, WIDTH = 6 };

static const struct { const char *name, *text; } rows[] = {
#define KIND(number, name, text, ...) {#name, text},
#include "base/kinds.def"
};
enum { ROWS = sizeof rows / sizeof *rows };

typedef struct problem {
    mesaopt_ctx *ctx;
    mesaopt_model *model;
    mesaopt_view tokens, targets, dtokens;
    double x[B * T * IN], y[B * T * OUT], dx[B * T * IN];
} problem;

static mesaopt_model *empty_model(mesaopt_ctx *ctx, const char *settings)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_MODEL, settings);
    mesaopt_model *m = NULL;
    ck_assert_int_eq(mesaopt_model_create(ctx, s, &m), MESAOPT_OK);
    mesaopt_settings_free(s);
    return m;
}

/* The kind between two dense blocks; NULL when its settings refuse each other. */
static mesaopt_model *model_with(mesaopt_ctx *ctx, const char *settings, const char *kind)
{
    char text[1000], said[400];
    snprintf(text, sizeof text, "dense(outputs=%d,init_sd=0.5); %s; dense(outputs=%d,init_sd=0.5)", WIDTH, kind, OUT);
    mesaopt_model *m = empty_model(ctx, settings);
    const mesaopt_status status = mesaopt_model_add_text(m, text);
    if (status == MESAOPT_OK) return m;
    mesaopt_ctx_error(ctx, said, sizeof said);
    ck_assert_msg(status == MESAOPT_E_UNSUPPORTED, "%s: %s", text, said);
    mesaopt_model_free(m);
    return NULL;
}

static void fill(problem *p)
{
    ck_assert_int_eq(mesaopt_view_dense(p->x, MESAOPT_F64, 3, (int64_t[]){B, T, IN}, &p->tokens), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_view_dense(p->dx, MESAOPT_F64, 3, (int64_t[]){B, T, IN}, &p->dtokens), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_view_dense(p->y, MESAOPT_F64, 3, (int64_t[]){B, T, OUT}, &p->targets), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_normal(p->ctx, 1, 20, 0, 0, 1, &p->tokens), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_rng_normal(p->ctx, 2, 20, 0, 0, 1, &p->targets), MESAOPT_OK);
}

static int32_t loss(double *out, void *user)
{
    problem *p = user;
    return mesaopt_model_loss(p->model, &p->tokens, &p->targets, NULL, out);
}

/* What differences are taken of: all elements, but for a sanitizer, which looks for other faults and takes long, every fifth of the last axis. */
static mesaopt_view differed(mesaopt_view v)
{
#ifdef __SANITIZE_ADDRESS__
    const int32_t last = v.ndim - 1;
    v.shape[last] = (v.shape[last] + 4) / 5, v.stride[last] *= 5;
#endif
    return v;
}

/* 0: an iterative solver stopped before its end, so that there is nothing to compare. */
static int check_gradients(problem *p, const char *kind)
{
    double value = 0, error = 1;
    const mesaopt_status status = mesaopt_model_gradient(p->model, &p->tokens, &p->targets, NULL, &value, &p->dtokens);
    ck_assert_msg(status == MESAOPT_OK || status == MESAOPT_NOT_CONVERGED, "%s: %d", kind, (int)status);
    if (status != MESAOPT_OK) return 0;
    for (int64_t i = 0; i < mesaopt_model_parameters(p->model); i++) {
        mesaopt_view x, g;
        const char *name = mesaopt_model_parameter_name(p->model, i);
        ck_assert_int_eq(mesaopt_model_parameter(p->model, name, &x), MESAOPT_OK);
        ck_assert_int_eq(mesaopt_model_parameter_gradient(p->model, name, &g), MESAOPT_OK);
        x = differed(x), g = differed(g);
        ck_assert_int_eq(mesaopt_grad_check(p->ctx, loss, p, &x, &g, 1e-4, &error), MESAOPT_OK);
        ck_assert_msg(error < 1e-7, "%s: %s: %g", kind, name, error);
    }
    const mesaopt_view x = differed(p->tokens), g = differed(p->dtokens);
    ck_assert_int_eq(mesaopt_grad_check(p->ctx, loss, p, &x, &g, 1e-4, &error), MESAOPT_OK);
    ck_assert_msg(error < 1e-7, "%s: tokens: %g", kind, error);
    return 1;
}

START_TEST(gradients)
{
    char settings[80], kind[600];
    int checked = 0;
    for (int isa = MESAOPT_ISA_BASELINE; isa <= MESAOPT_ISA_AVX512; isa++) {
        problem p = {.ctx = context_at(isa, 1)};
        if (!p.ctx) continue;
        fill(&p);
        for (int variant = 0; kind_text(block_kind_at(_i), variant, kind, sizeof kind); variant++) {
            if (variant > 0 && variant % 2 != isa % 2) continue;           /* the plain one at every level, the others at some */
            snprintf(settings, sizeof settings, "dtype=f64 inputs=%d outputs=%d seed=3 lanes=%d", IN, OUT, 1 + variant / 2 % 2);
            if (!(p.model = model_with(p.ctx, settings, kind))) continue;
            checked += check_gradients(&p, kind);
            mesaopt_model_free(p.model);
        }
        mesaopt_ctx_free(p.ctx);
    }
    ck_assert_int_ge(checked, 2);
}
END_TEST

/* Output of a model of `dtype` on given tokens, as f64. */
static void run(mesaopt_ctx *ctx, const char *dtype, int lanes, const char *kind, const double *x, double *y)
{
    char settings[80];
    const int32_t type = strcmp(dtype, "f64") ? MESAOPT_F32 : MESAOPT_F64;
    float x32[B * T * IN], y32[B * T * OUT];
    mesaopt_view tokens, out;
    snprintf(settings, sizeof settings, "dtype=%s inputs=%d outputs=%d seed=3 lanes=%d", dtype, IN, OUT, lanes);
    for (int i = 0; i < B * T * IN; i++) x32[i] = (float)x[i];
    mesaopt_view_dense(type == MESAOPT_F32 ? (void *)x32 : (void *)x, type, 3, (int64_t[]){B, T, IN}, &tokens);
    mesaopt_view_dense(type == MESAOPT_F32 ? (void *)y32 : (void *)y, type, 3, (int64_t[]){B, T, OUT}, &out);
    mesaopt_model *m = model_with(ctx, settings, kind);
    ck_assert_ptr_nonnull(m);
    ck_assert_int_ge(mesaopt_model_forward(m, &tokens, &out), 0);
    for (int i = 0; type == MESAOPT_F32 && i < B * T * OUT; i++) y[i] = y32[i];
    mesaopt_model_free(m);
}

static void check_close(const double *a, const double *b, double tolerance, const char *kind)
{
    double most = 0, apart = 0;
    for (int i = 0; i < B * T * OUT; i++) most = fmax(most, fabs(a[i])), apart = fmax(apart, fabs(a[i] - b[i]));
    ck_assert_msg(most > 0 && apart <= tolerance * most, "%s: %g of %g", kind, apart, most);
}

START_TEST(agreement)
{
    enum { OUTS = B * T * OUT };
    mesaopt_ctx *one = context_from("threads=1"), *three = context_from("threads=3");
    double x[B * T * IN], wide[OUTS], single[OUTS], threads[OUTS], f32[OUTS];
    char kind[600];
    mesaopt_view tokens;
    mesaopt_view_dense(x, MESAOPT_F64, 3, (int64_t[]){B, T, IN}, &tokens);
    mesaopt_rng_normal(one, 1, 20, 0, 0, 1, &tokens);
    for (int variant = 0; kind_text(block_kind_at(_i), variant, kind, sizeof kind); variant++) {
        char settings[80];
        snprintf(settings, sizeof settings, "inputs=%d outputs=%d", IN, OUT);
        mesaopt_model *m = model_with(one, settings, kind);
        if (!m) continue;
        mesaopt_model_free(m);
        run(one, "f64", 2, kind, x, wide);
        run(one, "f64", 1, kind, x, single);
        run(three, "f64", 2, kind, x, threads);
        run(one, "f32", 2, kind, x, f32);
        ck_assert_msg(memcmp(wide, threads, sizeof wide) == 0, "%s", kind);
        check_close(wide, single, 1e-10, kind);
        check_close(wide, f32, 1e-4, kind);
    }
    mesaopt_ctx_free(one);
    mesaopt_ctx_free(three);
}
END_TEST

/* A model's text makes it again, whatever its settings. */
START_TEST(text)
{
    mesaopt_ctx *ctx = context_from("");
    char kind[600], settings[80], said[2][1000];
    snprintf(settings, sizeof settings, "inputs=%d outputs=%d", IN, OUT);
    for (int variant = 0; kind_text(block_kind_at(_i), variant, kind, sizeof kind); variant++) {
        mesaopt_model *a = model_with(ctx, settings, kind);
        if (!a) continue;
        mesaopt_model *b = empty_model(ctx, settings);
        ck_assert_int_le(mesaopt_model_text(a, said[0], sizeof said[0]), (int64_t)sizeof said[0]);
        ck_assert_ptr_nonnull(strstr(said[0], options_scope_name(block_kind_at(_i)->scope)));
        ck_assert_int_eq(mesaopt_model_add_text(b, said[0]), MESAOPT_OK);
        ck_assert_int_le(mesaopt_model_text(b, said[1], sizeof said[1]), (int64_t)sizeof said[1]);
        ck_assert_str_eq(said[0], said[1]);
        ck_assert_int_eq(mesaopt_model_parameters(a), mesaopt_model_parameters(b));
        mesaopt_model_free(a);
        mesaopt_model_free(b);
    }
    mesaopt_ctx_free(ctx);
}
END_TEST

/* `word` in `text`, and no part of a longer word there. */
static int has_word(const char *text, const char *word)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz_0123456789";
    const size_t n = strlen(word);
    for (const char *at = text; (at = strstr(at, word)); at += n)
        if ((at == text || !strchr(letters, at[-1])) && (!at[n] || !strchr(letters, at[n]))) return 1;
    return 0;
}

/* The row documents every parameter that a block of the kind can have. */
START_TEST(documentation)
{
    mesaopt_ctx *ctx = context_from("");
    char kind[600], settings[80];
    snprintf(settings, sizeof settings, "inputs=%d outputs=%d", IN, OUT);
    for (int variant = 0; kind_text(block_kind_at(_i), variant, kind, sizeof kind); variant++) {
        mesaopt_model *m = model_with(ctx, settings, kind);
        for (int64_t i = 0; m && i < mesaopt_model_parameters(m); i++) {
            const char *name = mesaopt_model_parameter_name(m, i);
            if (!strncmp(name, "blocks.1.", 9)) ck_assert_msg(has_word(rows[_i].text, name + 9), "kinds.def says nothing of %s of %s", name + 9, rows[_i].name);
        }
        mesaopt_model_free(m);
    }
    mesaopt_ctx_free(ctx);
}
END_TEST

/* Rows, the table and the scopes agree; every kind is named where one is expected. */
START_TEST(table)
{
    mesaopt_ctx *ctx = context_from("");
    char said[400];
    mesaopt_model *m = empty_model(ctx, "inputs=5 outputs=2");
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_PROBE, "");
    for (int way = 0; way < 2; way++) {
        if (way) ck_assert_int_eq(mesaopt_model_add_text(m, "nothing"), MESAOPT_E_FORMAT);
        else ck_assert_int_eq(mesaopt_model_add(m, s), MESAOPT_E_SETTING);
        mesaopt_ctx_error(ctx, said, sizeof said);
        for (int i = 0; i < ROWS; i++) ck_assert_msg(has_word(said, rows[i].name), "%s: no %s", said, rows[i].name);
    }
    for (int i = 0; i < ROWS; i++) {
        const block_kind *kind = block_kind_at(i);
        ck_assert_int_eq(kind->scope, options_scope(rows[i].name));
        ck_assert_ptr_eq(block_kind_of(kind->scope), kind);
    }
    ck_assert_ptr_null(block_kind_at(ROWS));
    ck_assert_ptr_null(block_kind_of(MESAOPT_SCOPE_LSQ));
    mesaopt_settings_free(s);
    mesaopt_model_free(m);
    mesaopt_ctx_free(ctx);
}
END_TEST

Suite *test_kinds_suite(void)
{
    Suite *s = suite_create("kinds");
    TCase *t = tcase_create("kinds");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, gradients, 0, ROWS);
    tcase_add_loop_test(t, agreement, 0, ROWS);
    tcase_add_loop_test(t, text, 0, ROWS);
    tcase_add_loop_test(t, documentation, 0, ROWS);
    tcase_add_test(t, table);
    suite_add_tcase(s, t);
    return s;
}
