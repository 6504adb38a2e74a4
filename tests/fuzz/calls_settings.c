/* Settings for random calls, and the calls on settings, contexts and texts. */
#include "calls.h"
#include "nn/block.h"
#include <stdio.h>
#include <string.h>

#define SCOPES ((uint32_t)options_scope_count())

/* Values with which handles are small and mostly fit each other: tokens of 8 features, predictions of 2, 5 steps. Kinds of blocks share one recipe, of
 * which each takes the keys that it has. */
static const char *recipe_of(int32_t scope)
{
    static const struct { int32_t scope; const char *text; } recipes[] = {
        {MESAOPT_SCOPE_TASK, "dim=2 length=5 seed=3"},
        {MESAOPT_SCOPE_MODEL, "inputs=8 outputs=2"},
        {MESAOPT_SCOPE_TRAINER, "batch=3 lr=0.01 warmup=0"},
        {MESAOPT_SCOPE_BASELINE, "batch=3 iterations=2 warmup=0"},
        {MESAOPT_SCOPE_LSQ, "ridge=0.5"},
        {MESAOPT_SCOPE_PROBE, "penalty=0.1"},
        {MESAOPT_SCOPE_DECODER, "streams=3 capacity=20"},
        {MESAOPT_SCOPE_PROMPT, "dim=2 prefix=1 batch=3"},
    };
    for (size_t i = 0; i < sizeof recipes / sizeof *recipes; i++)
        if (recipes[i].scope == scope) return recipes[i].text;
    return block_kind_of(scope) ? "heads=2 key=2 init_sd=0.3 outputs=8 first=2" : NULL;
}

static void follow(mesaopt_settings *s, const char *recipe)
{
    char copy[128], *at = NULL;
    snprintf(copy, sizeof copy, "%s", recipe ? recipe : "");
    for (char *word = strtok_r(copy, " ", &at); word; word = strtok_r(NULL, " ", &at)) {
        char *value = strchr(word, '=');
        *value++ = 0;
        mesaopt_settings_set_text(s, word, value);
    }
}

static void loop(void (*body)(void *job, int64_t i), void *job, int64_t n, void *user)
{
    (void)user;
    for (int64_t i = n; i-- > 0;) body(job, i);
}

static void log_line(const char *line, void *user)
{
    (void)user;
    EXPECT(!strchr(line, '\n'));
}

static int32_t any_key(int32_t scope)
{
    const int32_t keys = mesaopt_settings_count(scope);
    return chance(20) ? (int32_t)below(300) : mesaopt_settings_key_at(scope, (int32_t)below(keys > 0 ? (uint32_t)keys : 1));
}

/* A refused value leaves a text; returns the status. */
static mesaopt_status settle(const mesaopt_settings *s, mesaopt_status status)
{
    char said[512];
    if (status < 0) EXPECT(mesaopt_settings_error(s, said, sizeof said) > 1 && !strchr(said, '\n'));
    fuzz_calls_made++;
    return status;
}

/* One key, to a value that suits its type, or not. */
static void set_any(mesaopt_settings *s, int32_t scope)
{
    const int32_t key = any_key(scope);
    int32_t type = 0;
    mesaopt_settings_describe(scope, key, &type, NULL, NULL, NULL);
    if (chance(8)) type = (int32_t)below(4);
    switch (type) {
    case MESAOPT_TYPE_INT: settle(s, mesaopt_settings_set_int(s, key, few())); break;
    case MESAOPT_TYPE_FLOAT: settle(s, mesaopt_settings_set_float(s, key, any_number())); break;
    case MESAOPT_TYPE_CHOICE: settle(s, mesaopt_settings_set_int(s, key, below(9))); break;
    default: settle(s, mesaopt_settings_set_text(s, any_text(), any_text()));
    }
}

static uint32_t words_of(int32_t key) { return (uint32_t)options_find(0, key)->highest + 1; }

static int32_t go_on(void *user) { return (void)user, 0; }      /* when it comes depends on a clock: it draws nothing */

static mesaopt_status set_hook(mesaopt_settings *s)
{
    const loan l = lend();
    const mesaopt_status status = chance(3)   ? mesaopt_settings_set_parallel(s, loop, l.release, l.user)
                                  : chance(2) ? mesaopt_settings_set_log(s, log_line, l.release, l.user)
                                              : mesaopt_settings_set_poll(s, go_on, l.release, l.user);
    lent(&l, status);
    return status;
}

static mesaopt_status create_settings(int32_t scope, mesaopt_settings **out)
{
    const loan l = lend();
    mesaopt_status status = mesaopt_settings_create(scope, world_memory, l.user, out);
    if (status == MESAOPT_OK) EXPECT(mesaopt_settings_set_alloc_release(*out, l.release) == MESAOPT_OK);
    lent(&l, status);
    return status;
}

mesaopt_settings *settings_like(int32_t scope, const char *recipe)
{
    mesaopt_settings *s = NULL;
    if (chance(60)) return NULL;
    if (chance(200)) return handle((enum kind)below(KINDS));
    if (chance(100)) scope = (int32_t)below(SCOPES + 1);
    const mesaopt_status status = create_settings(scope, &s);
    if (status != MESAOPT_OK) return NULL;
    follow(s, recipe);
    while (chance(3)) set_any(s, scope);
    return given(s);
}

mesaopt_settings *settings(int32_t scope)
{
    mesaopt_settings *s = settings_like(scope, recipe_of(scope));
    if (!s || s->kind != OBJECT_SETTINGS || s->scope != scope) return s;      /* another, on purpose */
    if (scope == MESAOPT_SCOPE_MODEL && chance(2)) mesaopt_settings_set_text(s, "dtype", "f64");
    if (scope == MESAOPT_SCOPE_BASELINE) mesaopt_settings_set_int(s, MESAOPT_KEY_BASELINE, below(words_of(MESAOPT_KEY_BASELINE)));
    if (scope == MESAOPT_SCOPE_BASELINE && chance(6)) follow(s, "space=features");
    if (scope == MESAOPT_SCOPE_TASK && chance(2)) mesaopt_settings_set_int(s, MESAOPT_KEY_TASK, below(words_of(MESAOPT_KEY_TASK)));
    else if (scope == MESAOPT_SCOPE_TASK && chance(3)) follow(s, "task=regression separator=1 prefix=1");
    if (scope == MESAOPT_SCOPE_LSQ) mesaopt_settings_set_int(s, MESAOPT_KEY_SOLVER, below(words_of(MESAOPT_KEY_SOLVER)));
    if (scope == MESAOPT_SCOPE_LSQ && chance(3)) mesaopt_settings_set_int(s, MESAOPT_KEY_WINDOW, 1 + below(4));
    if (scope == MESAOPT_SCOPE_CTX && chance(2)) set_hook(s);
    return s;
}

/* ---- settings ---- */

static void call_settings_create(void)
{
    mesaopt_settings *s = NULL;
    const int32_t scope = chance(4) ? (int32_t)any_integer() : (int32_t)below(SCOPES + 1);
    mesaopt_settings **out = chance(20) ? NULL : &s;
    const mesaopt_status status = CALL(CTX, NULL, create_settings(scope, out));
    EXPECT((status == MESAOPT_OK) == (s != NULL));
    CALL(CTX, NULL, (mesaopt_settings_free(s), MESAOPT_OK));
}

/* On settings of any scope. */
static mesaopt_settings *some(int32_t *scope)
{
    mesaopt_settings *s = NULL;
    *scope = 1 + (int32_t)below(SCOPES);
    EXPECT(mesaopt_settings_create(*scope, NULL, NULL, &s) == MESAOPT_OK);
    return given(s);
}

static void call_settings_set(void)
{
    int32_t scope;
    mesaopt_settings *s = some(&scope);
    for (uint32_t n = 1 + below(8); n > 0; n--) set_any(s, scope);
    const mesaopt_status status = CALL(CTX, NULL, set_hook(s));
    EXPECT((status == MESAOPT_OK) == (scope == MESAOPT_SCOPE_CTX));
}

static void call_settings_get(void)
{
    int32_t scope;
    const mesaopt_settings *s = some(&scope);
    const int32_t key = any_key(scope);
    promise(MAY_BE_NAN);
    if (chance(2)) {
        int64_t *out = integer_out();
        CALL(CTX, NULL, mesaopt_settings_get_int(s, key, out));
    } else {
        double *out = number_out();
        CALL(CTX, NULL, mesaopt_settings_get_float(s, key, out));
    }
}

static void check_text(const char *buf, int64_t cap, int64_t needed)
{
    if (needed > 0 && cap > 0) EXPECT((int64_t)strlen(buf) == (needed <= cap ? needed : cap) - 1);
}

/* Texts into buffers of any size, which have no byte to spare. */
typedef int64_t (*text_fn)(const mesaopt_settings *s, char *buf, int64_t cap);

static void take_text(const mesaopt_settings *s, text_fn f)
{
    const int64_t cap = ONE_OF((int64_t)0, (int64_t)1, (int64_t)5, (int64_t)100, (int64_t)2000);
    char *buf = cap ? memory(cap) : NULL;
    check_text(buf, cap, f(s, buf, cap));
    EXPECT(f(s, NULL, -1) < 0);
    fuzz_calls_made += 2;
}

static void call_settings_texts(void)
{
    int32_t scope;
    mesaopt_settings *s = some(&scope);
    set_any(s, scope);
    take_text(s, chance(2) ? mesaopt_settings_dump : mesaopt_settings_error);
    char buf[8];
    COUNT(CTX, NULL, mesaopt_settings_get_text(s, chance(2) ? mesaopt_settings_name(any_key(scope)) : any_text(), buf, (int64_t)sizeof buf));
}

static void call_settings_facts(void)
{
    const int32_t scope = chance(8) ? (int32_t)any_integer() : (int32_t)below(SCOPES + 2), key = any_key(scope);
    int32_t type;
    double low, high, standard;
    const char *name = any_text();
    COUNT(CTX, NULL, mesaopt_settings_describe(scope, key, chance(8) ? NULL : &type, &low, chance(8) ? NULL : &high, &standard));
    EXPECT(mesaopt_settings_count(scope) >= 0 && mesaopt_settings_key_at(scope, (int32_t)any_integer()) >= 0);
    EXPECT(!name || mesaopt_settings_key(name) >= 0);
    const char *known = mesaopt_settings_name(key), *word = mesaopt_settings_word(key, (int32_t)any_integer());
    EXPECT((!known || mesaopt_settings_key(known) == key) && (!word || *word));
    fuzz_calls_made += 5;
}

/* ---- the library, and contexts ---- */

static void call_facts(void)
{
    int64_t *out = integer_out();
    const char *name = chance(2) ? "MESAOPT_KEY_LR" : any_text();
    EXPECT(mesaopt_version_number() > 0 && *mesaopt_version_text() && *mesaopt_build_info() && *mesaopt_status_name((int32_t)any_integer()));
    CALL(CTX, NULL, mesaopt_constant(name, out));
    fuzz_calls_made += 4;
}

static void call_ctx_create(void)
{
    mesaopt_settings *s = settings(MESAOPT_SCOPE_CTX);
    if (!s) return;                    /* another allocator would not be counted */
    mesaopt_ctx **out = (mesaopt_ctx **)fresh(CTX);
    CALL(CTX, NULL, mesaopt_ctx_create(s, out));
}

static void call_ctx_error(void)
{
    const mesaopt_ctx *ctx = handle(CTX);
    const int64_t cap = ONE_OF((int64_t)0, (int64_t)1, (int64_t)7, (int64_t)600, (int64_t)-1);
    char *buf = cap > 0 ? memory(cap) : NULL;
    COUNT(TENSOR, NULL, mesaopt_ctx_error(ctx, buf, cap));
}

static void call_ctx_interrupt(void)
{
    mesaopt_ctx *ctx = handle(CTX);
    CALL(CTX, NULL, (mesaopt_ctx_interrupt(ctx), MESAOPT_OK));
    if (chance(2)) CALL(CTX, ctx, mesaopt_ctx_clear_interrupt(ctx));
}

static void call_ctx_isa(void)
{
    const mesaopt_ctx *ctx = handle(CTX);
    int32_t isa = -1;
    int32_t *out = chance(20) ? NULL : &isa;
    if (CALL(CTX, ctx, mesaopt_ctx_isa(ctx, out)) == MESAOPT_OK) EXPECT(isa >= 0);
}

static void call_frees(void) { let_go((enum kind)below(KINDS)); }

const row rows_settings[] = {
    {"settings_create", call_settings_create}, {"settings_set", call_settings_set}, {"settings_get", call_settings_get}, {"settings_texts", call_settings_texts}, {"settings_facts", call_settings_facts},
    {"facts", call_facts}, {"ctx_create", call_ctx_create}, {"ctx_error", call_ctx_error}, {"ctx_interrupt", call_ctx_interrupt}, {"ctx_isa", call_ctx_isa}, {"frees", call_frees}, {0},
};
