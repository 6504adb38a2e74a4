/* What tests of handles share: contexts pinned to an ISA level, settings from text, dense views. Include after the library's inner
 * headers: Check has a macro `fail`. */
#ifndef TESTS_CONTEXTS_H
#define TESTS_CONTEXTS_H

#include "hook_alloc.h"
#include "mesaopt/mesaopt.h"
#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Check writes the place of every assertion that holds to a file, for a report should the test crash behind it: most of the time of a test that looks at
 * elements. Here a line is written once. */
static inline void mark_once(const char *file, int line)
{
    static unsigned char seen[1 << 12];
    if (seen[line % (int)sizeof seen]) return;
    seen[line % (int)sizeof seen] = 1;
    _mark_point(file, line);
}
#define _mark_point(file, line) mark_once(file, line)

/* A settings object from "name=value name=value". */
static inline mesaopt_settings *settings_from(int32_t scope, const char *text)
{
    mesaopt_settings *s = NULL;
    ck_assert_int_eq(mesaopt_settings_create(scope, NULL, NULL, &s), MESAOPT_OK);
    char copy[256], *rest = copy, *word;
    ck_assert_uint_lt(strlen(text), sizeof copy);
    strcpy(copy, text);
    while ((word = strtok_r(rest, " ", &rest))) {
        char *value = strchr(word, '=');
        ck_assert_ptr_nonnull(value);
        *value++ = 0;
        ck_assert_int_eq(mesaopt_settings_set_text(s, word, value), MESAOPT_OK);
    }
    return s;
}

/* NULL when this CPU lacks the level. */
static inline mesaopt_ctx *context_at(int32_t isa, int32_t threads)
{
    mesaopt_ctx *ctx = NULL;
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_CTX, "");
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_ISA, isa), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_THREADS, threads), MESAOPT_OK);
    mesaopt_status status = mesaopt_ctx_create(s, &ctx);
    ck_assert(status == MESAOPT_OK || status == MESAOPT_E_UNSUPPORTED);
    mesaopt_settings_free(s);
    return ctx;
}

/* Likewise, from text. */
static inline mesaopt_ctx *context_from(const char *text)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_CTX, text);
    mesaopt_ctx *ctx = NULL;
    const mesaopt_status status = mesaopt_ctx_create(s, &ctx);
    ck_assert(status == MESAOPT_OK || status == MESAOPT_E_UNSUPPORTED);
    mesaopt_settings_free(s);
    return ctx;
}

/* With hooks of the host; each may be NULL. */
static inline mesaopt_ctx *context_with(int32_t threads, mesaopt_parallel_fn loop, hook_alloc *hook)
{
    mesaopt_settings *s;
    mesaopt_ctx *ctx;
    ck_assert_int_eq(mesaopt_settings_create(MESAOPT_SCOPE_CTX, hook ? hook_alloc_fn : NULL, hook, &s), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_int(s, MESAOPT_KEY_THREADS, threads), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_settings_set_parallel(s, loop, NULL, NULL), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_ctx_create(s, &ctx), MESAOPT_OK);
    mesaopt_settings_free(s);
    return ctx;
}

static inline mesaopt_model *model_from(mesaopt_ctx *ctx, const char *settings, const char *blocks)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_MODEL, settings);
    mesaopt_model *m;
    ck_assert_int_eq(mesaopt_model_create(ctx, s, &m), MESAOPT_OK);
    ck_assert_int_eq(mesaopt_model_add_text(m, blocks), MESAOPT_OK);
    mesaopt_settings_free(s);
    return m;
}

static inline mesaopt_task *task_from(mesaopt_ctx *ctx, const char *settings)
{
    mesaopt_settings *s = settings_from(MESAOPT_SCOPE_TASK, settings);
    mesaopt_task *t;
    ck_assert_int_eq(mesaopt_task_create(ctx, s, &t), MESAOPT_OK);
    mesaopt_settings_free(s);
    return t;
}

static inline mesaopt_view dense(void *data, int32_t dtype, int32_t ndim, const int64_t *shape)
{
    mesaopt_view v;
    ck_assert_int_eq(mesaopt_view_dense(data, dtype, ndim, shape, &v), MESAOPT_OK);
    return v;
}
#define DENSE(data, dtype, ...) dense(data, dtype, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), (int64_t[]){__VA_ARGS__})

/* The call returns this status, and its text has `word` and what was expected. */
#define REFUSED(ctx, status, word, call)                                            \
    do {                                                                            \
        char refused_text[512];                                                     \
        ck_assert_int_eq(call, status);                                             \
        mesaopt_ctx_error(ctx, refused_text, sizeof refused_text);                  \
        ck_assert_msg(strstr(refused_text, word), "%s: %s", word, refused_text);    \
        ck_assert_msg(strstr(refused_text, "expected"), "%s", refused_text);        \
    } while (0)

/* The text of the last failure contains `part`. */
#define SAID(ctx, part)                                                             \
    do {                                                                            \
        char said_text[512];                                                        \
        mesaopt_ctx_error(ctx, said_text, sizeof said_text);                        \
        ck_assert_msg(strstr(said_text, part), "%s: %s", part, said_text);          \
    } while (0)

#endif
