/* What most tests need: contexts at a given ISA level, settings from text, models from text. */
#ifndef TESTS_SUPPORT_H
#define TESTS_SUPPORT_H

#include <check.h>
#include <mesaopt/mesaopt.h>
#include <stdlib.h>
#include <string.h>

/* Settings of a scope from "name=value name=value". */
static inline mesaopt_settings *settings_of(int32_t scope, const char *text)
{
    mesaopt_settings *s;
    char copy[512], *save = NULL;
    ck_assert_int_eq(mesaopt_settings_create(scope, NULL, NULL, &s), MESAOPT_OK);
    ck_assert(strlen(text) < sizeof copy);
    for (char *word = strtok_r(strcpy(copy, text), " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        char *value = strchr(word, '=');
        *value++ = 0;
        ck_assert_int_eq(mesaopt_settings_set_text(s, word, value), MESAOPT_OK);
    }
    return s;
}

/* A context; NULL when the CPU lacks the ISA level that the text asks for. */
static inline mesaopt_ctx *ctx_of(const char *text)
{
    mesaopt_settings *s = settings_of(MESAOPT_SCOPE_CTX, text);
    mesaopt_ctx *ctx = NULL;
    const mesaopt_status status = mesaopt_ctx_create(s, &ctx);
    ck_assert(status == MESAOPT_OK || status == MESAOPT_E_UNSUPPORTED);
    mesaopt_settings_free(s);
    return ctx;
}

static inline mesaopt_model *model_of(mesaopt_ctx *ctx, const char *settings, const char *blocks)
{
    mesaopt_settings *s = settings_of(MESAOPT_SCOPE_MODEL, settings);
    mesaopt_model *m;
    ck_assert_int_eq(mesaopt_model_create(ctx, s, &m), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_add_text(m, blocks), MESAOPT_OK);
    mesaopt_settings_free(s);
    return m;
}

static inline mesaopt_task *task_of(mesaopt_ctx *ctx, const char *settings)
{
    mesaopt_settings *s = settings_of(MESAOPT_SCOPE_TASK, settings);
    mesaopt_task *t;
    ck_assert_int_eq(mesaopt_task_create(ctx, s, &t), MESAOPT_OK);
    mesaopt_settings_free(s);
    return t;
}

/* The text of the last failure contains `part`. */
#define ck_assert_text(ctx, part) do { \
    char text_[512]; \
    mesaopt_ctx_error(ctx, text_, sizeof text_); \
    ck_assert_msg(strstr(text_, part) != NULL, "\"%s\" has no \"%s\"", text_, part); \
} while (0)

#endif
