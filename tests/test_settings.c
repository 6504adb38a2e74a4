/* Settings against the table of the public header: keys, bounds, texts, dump. */
#include "base/options.h"
#include "hook_alloc.h"
#include "mesaopt/mesaopt.h"

#include <check.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int32_t scopes[] = {MESAOPT_SCOPE_CTX, MESAOPT_SCOPE_TASK, MESAOPT_SCOPE_MODEL, MESAOPT_SCOPE_TRAINER, MESAOPT_SCOPE_BASELINE,
                                 MESAOPT_SCOPE_LINEAR, MESAOPT_SCOPE_SOFTMAX, MESAOPT_SCOPE_DENSE, MESAOPT_SCOPE_MASK, MESAOPT_SCOPE_LSQ,
                                 MESAOPT_SCOPE_MESA, MESAOPT_SCOPE_PROBE, MESAOPT_SCOPE_MLP, MESAOPT_SCOPE_NORM};
enum { SCOPES = sizeof scopes / sizeof *scopes };

static mesaopt_settings *make(int32_t scope)
{
    mesaopt_settings *s = NULL;
    ck_assert_int_eq(mesaopt_settings_create(scope, NULL, NULL, &s), MESAOPT_OK);
    return s;
}

static const char *error_of(const mesaopt_settings *s)
{
    static char text[600];
    ck_assert_int_ge(mesaopt_settings_error(s, text, sizeof text), 1);
    return text;
}

static const char *dump_of(const mesaopt_settings *s)
{
    static char text[2000];
    int64_t needed = mesaopt_settings_dump(s, text, sizeof text);
    ck_assert_int_eq(needed, (int64_t)strlen(text) + 1);
    return text;
}

/* Defaults are ABI: those that were released are written here once more. */
START_TEST(defaults)
{
    static const char *const expected[SCOPES] = {
        "threads=1 isa=auto",
        "seed=0 task=linear dim=10 length=50 noise=0.01 data_clip=0 tokens=constructed slots=16 hidden=0 map_sd=0 start=0 "
        "observation_noise=0.01 separator=0 prefix=0 teachers=1 segment=0",
        "seed=0 dtype=f32 lanes=0 inputs=40 outputs=10",
        "batch=256 lr=0.0001 warmup=1000 cosine_steps=0 lr_end=1e-5 weight_decay=0.1 beta1=0.9 beta2=0.999 epsilon=1e-8 clip_value=1 clip_norm=0",
        ("batch=256 lr_end=1e-5 beta1=0.9 beta2=0.999 epsilon=1e-8 clip_value=1 clip_norm=0 baseline=gd eta=0.032 ridge=0.001 newest_pair=1 beta=1 iterations=0 divisor=0 "
        "lr=0.0003 warmup=500 cosine_steps=40000 weight_decay=0.05 space=observations slots=16 pairs=all"),
        "lanes=0 heads=4 key=20 value=0 init_sd=0.0002 residual_clip=0 pe=none scale=0 chunk=0 qk_norm=0 output_init=1 norm=none norm_epsilon=1e-5 positions=sinusoidal longest=1024",
        "lanes=0 heads=4 key=20 value=0 init_sd=0.05 residual_clip=0 pe=none scale=0 chunk=0 qk_norm=0 output_init=1 norm=none norm_epsilon=1e-5 positions=sinusoidal longest=1024",
        "outputs=40 init_sd=0.05 bias=0",
        "first=0",
        "lanes=0 chunk=0 solver=auto tolerance=0 iterations=0 fallback=1 ridge=1 gamma=1 window=0 missing=refuse",
        "heads=4 key=20 value=0 init_sd=0.0002 residual_clip=0 pe=none chunk=0 gates=none ridges=head ridge_min=0.25 qk_norm=0 solver=auto output_init=1 norm=none norm_epsilon=1e-5 positions=sinusoidal longest=1024",
        "lanes=0 intercept=0 penalty=0 rcond=0 error=half_sum lag=-1 lags=1 filter=0 target=observations",
        "hidden=160 act=gelu init_sd=0.05 residual_clip=0 pe=none output_init=1 norm=none norm_epsilon=1e-5 positions=sinusoidal longest=1024",
        "kind=layer norm_epsilon=1e-5"};
    for (int i = 0; i < SCOPES; i++) {
        mesaopt_settings *s = make(scopes[i]);
        ck_assert_str_eq(dump_of(s), expected[i]);
        ck_assert_str_eq(error_of(s), "");
        mesaopt_settings_free(s);
    }
    mesaopt_settings_free(NULL);
}
END_TEST

/* Every key: default within bounds, bounds accepted, beyond them refused with nothing changed, the default as describe says. */
START_TEST(bounds)
{
    for (int32_t scope = 1; scope <= options_scope_count(); scope++) {
        mesaopt_settings *s = make(scope);
        int32_t count = mesaopt_settings_count(scope);
        ck_assert_int_gt(count, 0);
        ck_assert_int_eq(mesaopt_settings_key_at(scope, count), 0);
        ck_assert_int_eq(mesaopt_settings_key_at(scope, -1), 0);
        for (int32_t k = 0; k < count; k++) {
            int32_t key = mesaopt_settings_key_at(scope, k), type = 0;
            double low, high, standard, value = NAN;
            int64_t whole = -99;
            ck_assert_int_eq(mesaopt_settings_describe(scope, key, &type, &low, &high, &standard), MESAOPT_OK);
            ck_assert(low <= standard && standard <= high);
            ck_assert_int_eq(mesaopt_settings_key(mesaopt_settings_name(key)), key);
            if (type == MESAOPT_TYPE_FLOAT) {
                ck_assert_int_eq(mesaopt_settings_get_float(s, key, &value), MESAOPT_OK);
                ck_assert(value == standard);
                ck_assert_int_eq(mesaopt_settings_set_float(s, key, low), MESAOPT_OK);
                ck_assert_int_eq(mesaopt_settings_set_float(s, key, high), MESAOPT_OK);
                ck_assert_int_eq(mesaopt_settings_set_float(s, key, nextafter(low, -INFINITY)), MESAOPT_E_SETTING);
                if (isfinite(high)) ck_assert_int_eq(mesaopt_settings_set_float(s, key, nextafter(high, INFINITY)), MESAOPT_E_SETTING);
                ck_assert_int_eq(mesaopt_settings_set_float(s, key, NAN), MESAOPT_E_SETTING);
                ck_assert_int_eq(mesaopt_settings_get_float(s, key, &value), MESAOPT_OK);
                ck_assert(value == high);
                ck_assert_int_eq(mesaopt_settings_get_int(s, key, &whole), MESAOPT_E_SETTING);
            } else {
                ck_assert_int_eq(mesaopt_settings_get_int(s, key, &whole), MESAOPT_OK);
                ck_assert(whole == standard);
                ck_assert_int_eq(mesaopt_settings_set_int(s, key, (int64_t)low), MESAOPT_OK);
                ck_assert_int_eq(mesaopt_settings_set_int(s, key, (int64_t)high), MESAOPT_OK);
                ck_assert_int_eq(mesaopt_settings_set_int(s, key, (int64_t)low - 1), MESAOPT_E_SETTING);
                ck_assert_int_eq(mesaopt_settings_set_int(s, key, (int64_t)high + 1), MESAOPT_E_SETTING);
                ck_assert_int_eq(mesaopt_settings_set_int(s, key, INT64_MAX), MESAOPT_E_SETTING);
                ck_assert_int_eq(mesaopt_settings_set_int(s, key, INT64_MIN), MESAOPT_E_SETTING);
                ck_assert_int_eq(mesaopt_settings_set_float(s, key, low), MESAOPT_E_SETTING);
                ck_assert_int_eq(mesaopt_settings_get_int(s, key, &whole), MESAOPT_OK);
                ck_assert(whole == high);
                ck_assert_int_eq(mesaopt_settings_get_float(s, key, &value), MESAOPT_E_SETTING);
            }
        }
        mesaopt_settings_free(s);
    }
}
END_TEST

START_TEST(choices)
{
    static const struct { int32_t scope, key; const char *words[8]; } rows[] = {
        {MESAOPT_SCOPE_CTX, MESAOPT_KEY_ISA, {"auto", "baseline", "avx2", "avx512"}},
        {MESAOPT_SCOPE_MODEL, MESAOPT_KEY_DTYPE, {"f32", "f64"}},
        {MESAOPT_SCOPE_TASK, MESAOPT_KEY_TASK, {"linear", "contracting", "fixed_teacher", "partial", "nonlinear"}},
        {MESAOPT_SCOPE_TASK, MESAOPT_KEY_TOKENS, {"raw", "constructed", "slots"}},
        {MESAOPT_SCOPE_LINEAR, MESAOPT_KEY_PE, {"none", "qk", "add"}},
        {MESAOPT_SCOPE_BASELINE, MESAOPT_KEY_BASELINE, {"gd", "lsq", "kernel", "neumann", "newton", "richardson", "chebyshev"}}};
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        mesaopt_settings *s = make(rows[r].scope);
        const char *name = mesaopt_settings_name(rows[r].key);
        int32_t i = 0;
        for (; rows[r].words[i]; i++) {
            int64_t value = -1;
            ck_assert_str_eq(mesaopt_settings_word(rows[r].key, i), rows[r].words[i]);
            ck_assert_int_eq(mesaopt_settings_set_text(s, name, rows[r].words[i]), MESAOPT_OK);
            ck_assert_int_eq(mesaopt_settings_get_int(s, rows[r].key, &value), MESAOPT_OK);
            ck_assert_int_eq(value, i);
        }
        double last = 0;               /* words may have been added */
        ck_assert_int_eq(mesaopt_settings_describe(rows[r].scope, rows[r].key, NULL, NULL, &last, NULL), MESAOPT_OK);
        ck_assert_int_ge((int32_t)last, i - 1);
        ck_assert_ptr_nonnull(mesaopt_settings_word(rows[r].key, (int32_t)last));
        ck_assert_ptr_null(mesaopt_settings_word(rows[r].key, (int32_t)last + 1));
        ck_assert_ptr_null(mesaopt_settings_word(rows[r].key, -1));
        ck_assert_int_eq(mesaopt_settings_set_text(s, name, "Auto"), MESAOPT_E_SETTING);
        ck_assert_ptr_nonnull(strstr(error_of(s), rows[r].words[i - 1]));
        mesaopt_settings_free(s);
    }
    ck_assert_ptr_null(mesaopt_settings_word(MESAOPT_KEY_LR, 0));
    ck_assert_ptr_null(mesaopt_settings_word(9999, 0));
    ck_assert_int_eq(mesaopt_constant("MESAOPT_ISA_AVX2", &(int64_t){0}), MESAOPT_OK);
}
END_TEST

/* The text of each failure: what, what it was, what was expected. */
START_TEST(failures_say_what_is_wrong)
{
    static const struct { int32_t scope; const char *name, *value, *text; } rows[] = {
        {MESAOPT_SCOPE_TRAINER, "lr", "-1", "lr: -1, expected a number in 0..1000"},
        {MESAOPT_SCOPE_TRAINER, "lr", "3,5", "lr: 3,5, expected a number in 0..1000"},
        {MESAOPT_SCOPE_TRAINER, "lr", "", "lr: \"\", expected a number in 0..1000"},
        {MESAOPT_SCOPE_TRAINER, "lr", "nan", "lr: nan, expected a number in 0..1000"},
        {MESAOPT_SCOPE_TRAINER, "batch", "2.5", "batch: 2.5, expected an integer in 1..1048576"},
        {MESAOPT_SCOPE_TRAINER, "batch", "0", "batch: 0, expected an integer in 1..1048576"},
        {MESAOPT_SCOPE_TRAINER, "batch", "99999999999999999999", "batch: 99999999999999999999, expected an integer in 1..1048576"},
        {MESAOPT_SCOPE_TRAINER, "clip_norm", "-0.5", "clip_norm: -0.5, expected a number in 0..inf"},
        {MESAOPT_SCOPE_TASK, "tokens", "row", "tokens: row, expected one of raw, constructed, slots"},
        {MESAOPT_SCOPE_MASK, "heads", "4", "heads: a key of scope linear, softmax, mesa, expected for scope mask one of first"},
        {MESAOPT_SCOPE_MASK, "frist", "4", "frist: unknown key, expected for scope mask one of first"},
        {MESAOPT_SCOPE_MASK, "", "4", "\"\": unknown key, expected for scope mask one of first"},
        {MESAOPT_SCOPE_BASELINE, "Eta", "4", "Eta: unknown key, expected for scope baseline one of batch, lr_end, beta1, beta2, epsilon, clip_value, clip_norm, baseline, eta, ridge, newest_pair, beta, iterations, "
            "divisor, lr, warmup, cosine_steps, weight_decay, space, slots, pairs"},
        {MESAOPT_SCOPE_MASK, "a\nb", "4", "a b: unknown key, expected for scope mask one of first"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        mesaopt_settings *s = make(rows[i].scope);
        char before[400];
        strcpy(before, dump_of(s));
        errno = EDOM;
        ck_assert_int_eq(mesaopt_settings_set_text(s, rows[i].name, rows[i].value), MESAOPT_E_SETTING);
        ck_assert_int_eq(errno, EDOM);
        ck_assert_str_eq(error_of(s), rows[i].text);
        ck_assert_str_eq(dump_of(s), before);
        ck_assert_int_eq(mesaopt_settings_set_int(s, mesaopt_settings_key_at(rows[i].scope, 0), 1), MESAOPT_OK);
        ck_assert_str_eq(error_of(s), rows[i].text);   /* success leaves the text */
        mesaopt_settings_free(s);
    }
    mesaopt_settings *s = make(MESAOPT_SCOPE_MASK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, 777, 1), MESAOPT_E_SETTING);
    ck_assert_str_eq(error_of(s), "key 777: unknown key, expected for scope mask one of first");
    ck_assert_int_eq(mesaopt_settings_set_float(s, MESAOPT_KEY_LR, 1), MESAOPT_E_SETTING);
    ck_assert_str_eq(error_of(s), "lr: a key of scope trainer, baseline, prompt, expected for scope mask one of first");
    mesaopt_settings_free(s);
}
END_TEST

/* Texts of any length are cut, not overrun, and reported with the room that they need. */
START_TEST(long_texts_and_short_buffers)
{
    char *name = calloc(1, 100001), buf[64];
    memset(name, 'x', 100000);
    mesaopt_settings *s = make(MESAOPT_SCOPE_TRAINER);
    ck_assert_int_eq(mesaopt_settings_set_text(s, name, "1"), MESAOPT_E_SETTING);
    ck_assert_int_eq(mesaopt_settings_set_text(s, "batch", name), MESAOPT_E_SETTING);
    ck_assert_int_lt(mesaopt_settings_error(s, NULL, 0), 200);
    memset(name, '1', 100000);
    ck_assert_int_eq(mesaopt_settings_set_text(s, "lr", name), MESAOPT_E_SETTING);
    free(name);
    int64_t needed = mesaopt_settings_dump(s, NULL, 0), error_needed = mesaopt_settings_error(s, NULL, 0);
    for (int64_t cap = 1; cap < 64; cap++) {
        memset(buf, '#', sizeof buf);
        ck_assert_int_eq(mesaopt_settings_dump(s, buf, cap), needed);
        ck_assert_int_eq((int64_t)strlen(buf), cap - 1);
        if (cap < 63) ck_assert_int_eq(buf[cap], '#');
        memset(buf, '#', sizeof buf);
        ck_assert_int_eq(mesaopt_settings_error(s, buf, cap), error_needed);
        ck_assert_int_eq((int64_t)strlen(buf), cap - 1 < error_needed - 1 ? cap - 1 : error_needed - 1);
        if (cap < 63) ck_assert_int_eq(buf[cap], '#');
    }
    mesaopt_settings_free(s);
}
END_TEST

/* "The text, split at blanks, sets an equal object": with every float key at an awkward value. */
START_TEST(dump_round_trips)
{
    for (int32_t scope = 1; scope <= options_scope_count(); scope++) {
        mesaopt_settings *a = make(scope), *b = make(scope);
        for (int32_t k = 0; k < mesaopt_settings_count(scope); k++) {
            int32_t key = mesaopt_settings_key_at(scope, k), type;
            double low, high;
            mesaopt_settings_describe(scope, key, &type, &low, &high, NULL);
            if (type == MESAOPT_TYPE_FLOAT) ck_assert_int_eq(mesaopt_settings_set_float(a, key, k % 2 || isfinite(high) ? low + 0.1 / 3 : high), MESAOPT_OK);
            else ck_assert_int_eq(mesaopt_settings_set_int(a, key, (int64_t)high), MESAOPT_OK);
        }
        char text[2000];
        strcpy(text, dump_of(a));
        for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
            char *value = strchr(word, '=');
            *value++ = 0;
            ck_assert_int_eq(mesaopt_settings_set_text(b, word, value), MESAOPT_OK);
        }
        ck_assert_mem_eq(a->value, b->value, sizeof a->value);
        mesaopt_settings_free(a);
        mesaopt_settings_free(b);
    }
}
END_TEST

/* Every key is read as the text that sets it: "name=value" of all of them make the dump. */
START_TEST(values_as_text)
{
    char value[64];
    for (int32_t scope = 1; scope <= options_scope_count(); scope++) {
        mesaopt_settings *s = make(scope);
        char all[2000] = "";
        for (int32_t k = 0; k < mesaopt_settings_count(scope); k++) {
            const char *name = mesaopt_settings_name(mesaopt_settings_key_at(scope, k));
            ck_assert_int_eq(mesaopt_settings_get_text(s, name, value, sizeof value), (int64_t)strlen(value) + 1);
            snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s=%s", k ? " " : "", name, value);
        }
        ck_assert_str_eq(all, dump_of(s));
        mesaopt_settings_free(s);
    }
    mesaopt_settings *s = make(MESAOPT_SCOPE_TASK);
    ck_assert_int_eq(mesaopt_settings_set_text(s, "task", "contracting"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_get_text(s, "task", NULL, 0), sizeof "contracting");
    ck_assert_int_eq(mesaopt_settings_get_text(s, "task", value, 4), sizeof "contracting");
    ck_assert_str_eq(value, "con");
    mesaopt_settings_free(s);
}
END_TEST

/* An integer is a legal value of a floating-point key; it is kept exactly. */
START_TEST(integers_for_floats)
{
    mesaopt_settings *s = make(MESAOPT_SCOPE_LINEAR);
    double x = 0;
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_RESIDUAL_CLIP, 1ll << 53), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_get_float(s, MESAOPT_KEY_RESIDUAL_CLIP, &x), MESAOPT_OK);
    ck_assert(x == 9007199254740992.0);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_RESIDUAL_CLIP, (1ll << 53) + 1), MESAOPT_E_SETTING);
    ck_assert_int_eq(mesaopt_settings_set_text(s, "residual_clip", "inf"), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_get_float(s, MESAOPT_KEY_RESIDUAL_CLIP, &x), MESAOPT_OK);
    ck_assert(isinf(x));
    mesaopt_settings_free(s);
}
END_TEST

static void check_same_key(const option_row *a, const option_row *b)
{
    ck_assert_int_eq(a->key == b->key, !strcmp(a->name, b->name));
    if (a->key == b->key) ck_assert(a->type == b->type && a->words == b->words);
}

/* Table: numbers within the objects' range, no key twice in a scope, one type and one list of words per key. */
START_TEST(table_is_consistent)
{
    const int32_t count = options_scope_count();
    ck_assert_int_ge(count, SCOPES);
    for (int32_t scope = 1; scope <= count; scope++) {
        const option_row *a, *b;
        ck_assert_msg(options_scope_name(scope) != NULL, "no scope has the number %d", (int)scope);
        ck_assert_ptr_nonnull(options_at(scope, 0));
        for (int i = 0; (a = options_at(scope, i)); i++) {
            ck_assert(a->key > 0 && a->key < SETTINGS_MAX_KEY);
            ck_assert_int_eq(a->type == MESAOPT_TYPE_CHOICE, a->words != NULL);
            ck_assert_int_le((int)strlen(a->name), 24);
            for (int j = i + 1; (b = options_at(scope, j)); j++) ck_assert_int_ne(a->key, b->key);
            for (int32_t other = 1; other <= count; other++)
                for (int j = 0; (b = options_at(other, j)); j++) check_same_key(a, b);
        }
    }
    for (int32_t scope = 1; scope <= count; scope++) ck_assert_int_eq(options_scope(options_scope_name(scope)), scope);
    ck_assert_int_eq(options_scope("nothing"), 0);
    ck_assert_ptr_null(options_scope_name(0));
    ck_assert_ptr_null(options_scope_name(count + 1));
    mesaopt_settings s;
    options_init(&s, MESAOPT_SCOPE_TASK);
    ck_assert_int_eq(option_int(&s, MESAOPT_SCOPE_TASK, MESAOPT_KEY_DIM), 10);
    ck_assert_int_eq(option_int(NULL, MESAOPT_SCOPE_DENSE, MESAOPT_KEY_OUTPUTS), 40);
    ck_assert(option_float(NULL, MESAOPT_SCOPE_LINEAR, MESAOPT_KEY_INIT_SD) == 2e-4);
}
END_TEST

START_TEST(host_allocator)
{
    hook_alloc hook = {.fail_at = 1};
    mesaopt_settings *s = (mesaopt_settings *)&hook;
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_TASK, hook_alloc_fn, &hook, &s), MESAOPT_E_MEMORY);
    ck_assert_ptr_eq(s, (mesaopt_settings *)&hook);
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_TASK, hook_alloc_fn, &hook, &s), MESAOPT_OK);
    ck_assert_int_gt(hook.blocks, 0);
    mesaopt_settings_free(s);
    ck_assert_int_eq(hook.blocks, 0);
    ck_assert_int_eq(hook.bytes, 0);
}
END_TEST

/* Constants by name: the whole list, against the compiler's values of some, and no name that is not there. */
START_TEST(constants_by_name)
{
    static const struct { const char *name; int64_t value; } some[] = {
        {"MESAOPT_OK", 0}, {"MESAOPT_E_UNSUPPORTED", -13}, {"MESAOPT_BF16", 6}, {"MESAOPT_KEY_LR", 61}, {"MESAOPT_SCOPE_MASK", 9}, {"MESAOPT_VIEW_READONLY", 1},
        {"MESAOPT_MAX_RANK", 6}, {"MESAOPT_STREAM_SEARCH", 2}, {"MESAOPT_TYPE_CHOICE", 3}, {"MESAOPT_ISA_AVX512", 3}, {"MESAOPT_VERSION", MESAOPT_VERSION}};
    int64_t value = 99;
    for (size_t i = 0; i < sizeof some / sizeof *some; i++) {
        ck_assert_int_eq(mesaopt_constant(some[i].name, &value), MESAOPT_OK);
        ck_assert_int_eq(value, some[i].value);
    }
    static const char *const none[] = {"", "MESAOPT_", "MESAOPT_H", "MESAOPT_API", "mesaopt_ok", "MESAOPT_OK "};
    value = 99;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) ck_assert_int_eq(mesaopt_constant(none[i], &value), MESAOPT_E_ARGUMENT);
    ck_assert_int_eq(value, 99);
    for (int32_t status = -20; status < 10; status++) {
        const char *name = mesaopt_status_name(status);
        int known = status <= 4 && status >= -14;
        ck_assert_int_eq(strcmp(name, "MESAOPT_UNKNOWN") != 0, known);
        if (known) ck_assert(mesaopt_constant(name, &value) == MESAOPT_OK && value == status);
    }
    ck_assert_str_eq(mesaopt_status_name(INT32_MIN), "MESAOPT_UNKNOWN");
    ck_assert_int_eq(mesaopt_version_number(), MESAOPT_VERSION);
    ck_assert_ptr_nonnull(strstr(mesaopt_build_info(), mesaopt_version_text()));
    int major, minor, patch;
    ck_assert_int_eq(sscanf(mesaopt_version_text(), "%d.%d.%d", &major, &minor, &patch), 3);
    ck_assert_int_eq(major * 1000000 + minor * 1000 + patch, MESAOPT_VERSION);
}
END_TEST

Suite *test_settings_suite(void)
{
    Suite *s = suite_create("settings");
    TCase *t = tcase_create("settings");
    tcase_add_test(t, defaults);
    tcase_add_test(t, bounds);
    tcase_add_test(t, choices);
    tcase_add_test(t, failures_say_what_is_wrong);
    tcase_add_test(t, long_texts_and_short_buffers);
    tcase_add_test(t, dump_round_trips);
    tcase_add_test(t, values_as_text);
    tcase_add_test(t, integers_for_floats);
    tcase_add_test(t, table_is_consistent);
    tcase_add_test(t, host_allocator);
    tcase_add_test(t, constants_by_name);
    suite_add_tcase(s, t);
    return s;
}
