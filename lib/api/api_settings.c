/* mesaopt/settings.h. Values are checked when they are set, so whoever reads a settings object
 * finds legal ones. The text of a failed read is kept, too: of a settings object, only its values
 * are constant. */
#include "api/api_call.h"
#include "base/options.h"
#include "base/pool.h"
#include <stdio.h>
#include <string.h>

static mesaopt_settings *text_of(const mesaopt_settings *settings)
{
    return (mesaopt_settings *)settings;
}

mesaopt_status mesaopt_settings_create(int32_t scope, mesaopt_alloc_fn alloc, void *user,
                                       mesaopt_settings **out)
{
    if (!out || !options_scope_name(scope)) return MESAOPT_E_ARGUMENT;
    const allocator a = alloc ? (allocator){alloc, user} : alloc_default();
    mesaopt_settings *s = alloc_new(&a, 1, sizeof *s);
    if (!s) return MESAOPT_E_MEMORY;
    options_init(s, scope);
    s->alloc = a;
    if (alloc && !hooks_lend_alloc(&s->hooks, &a)) {
        alloc_free(&a, s);
        return MESAOPT_E_MEMORY;
    }
    *out = s;
    return MESAOPT_OK;
}

mesaopt_status mesaopt_settings_set_alloc_release(mesaopt_settings *settings,
                                                  mesaopt_release_fn release)
{
    const mesaopt_status status = check_kind(OBJECT_SETTINGS, settings);
    if (status != MESAOPT_OK) return status;
    if (!settings->hooks.lent[HOOK_ALLOC])
        return release ? settings_fail(settings, MESAOPT_E_ARGUMENT,
                                       "release: given to settings whose memory is malloc's, "
                                       "expected NULL")
                       : MESAOPT_OK;
    hooks_alloc_release(&settings->hooks, release);
    return MESAOPT_OK;
}

void mesaopt_settings_free(mesaopt_settings *settings)
{
    if (!handle_ok(settings, OBJECT_SETTINGS)) return;
    const allocator a = settings->alloc;
    const hooks h = settings->hooks;
    settings->kind = 0;
    alloc_free(&a, settings);
    hooks_release(&h);
}

/* Row of a key, or NULL with *status and the text set. */
static const option_row *find(mesaopt_settings *settings, int32_t key, mesaopt_status *status)
{
    const option_row *row = options_find(settings->scope, key);
    char what[24];
    snprintf(what, sizeof what, "key %d", (int)key);
    if (!row) *status = settings_unknown(settings, what, options_find(0, key));
    return row;
}

static mesaopt_status find_name(mesaopt_settings *settings, const char *name,
                                const option_row **row)
{
    if (!name)
        return settings_fail(settings, MESAOPT_E_ARGUMENT, "name: NULL, expected a key of scope %s",
                             options_scope_name(settings->scope));
    return settings_find_name(settings, name, row);
}

mesaopt_status mesaopt_settings_set_int(mesaopt_settings *settings, int32_t key, int64_t value)
{
    mesaopt_status status = check_kind(OBJECT_SETTINGS, settings);
    if (status != MESAOPT_OK) return status;
    const option_row *row = find(settings, key, &status);
    return row ? settings_put_int(settings, row, value) : status;
}

mesaopt_status mesaopt_settings_set_float(mesaopt_settings *settings, int32_t key, double value)
{
    mesaopt_status status = check_kind(OBJECT_SETTINGS, settings);
    if (status != MESAOPT_OK) return status;
    const option_row *row = find(settings, key, &status);
    if (!row) return status;
    if (row->type != MESAOPT_TYPE_FLOAT)
        return settings_refuse(settings, row, "set as a floating-point number");
    return settings_put(settings, row, value);
}

mesaopt_status mesaopt_settings_set_text(mesaopt_settings *settings, const char *name,
                                         const char *value)
{
    const option_row *row = NULL;
    mesaopt_status status = check_kind(OBJECT_SETTINGS, settings);
    CHECK(find_name(settings, name, &row));
    if (status != MESAOPT_OK) return status;
    if (!value)
        return settings_fail(settings, MESAOPT_E_ARGUMENT,
                             "value: NULL, expected text for the key %.60s", name);
    return settings_read(settings, row, value);
}

/* *value <- the value of a key that is read as a floating-point number (real), or an integer. */
static mesaopt_status get(const mesaopt_settings *settings, int32_t key, int real, const void *out,
                          double *value)
{
    mesaopt_status status = check_kind(OBJECT_SETTINGS, settings);
    if (status != MESAOPT_OK) return status;
    if (!out)
        return settings_fail(text_of(settings), MESAOPT_E_ARGUMENT,
                             "out: NULL, expected a pointer");
    const option_row *row = find(text_of(settings), key, &status);
    if (row && (row->type == MESAOPT_TYPE_FLOAT) != real)
        return settings_fail(text_of(settings), MESAOPT_E_SETTING, "%s: read as %s read", row->name,
                             real ? "a floating-point number, expected an integer"
                                  : "an integer, expected a floating-point");
    if (row) *value = settings->value[key];
    return status;
}

mesaopt_status mesaopt_settings_get_int(const mesaopt_settings *settings, int32_t key, int64_t *out)
{
    double value;
    const mesaopt_status status = get(settings, key, 0, out, &value);
    if (status == MESAOPT_OK) *out = (int64_t)value;
    return status;
}

mesaopt_status mesaopt_settings_get_float(const mesaopt_settings *settings, int32_t key,
                                          double *out)
{
    double value;
    const mesaopt_status status = get(settings, key, 1, out, &value);
    if (status == MESAOPT_OK) *out = value;
    return status;
}

static mesaopt_status check_buffer(const mesaopt_settings *settings, const char *buf, int64_t cap)
{
    if (cap >= 0 && (cap == 0 || buf)) return MESAOPT_OK;
    return settings_fail(text_of(settings), MESAOPT_E_ARGUMENT,
                         "buf: %lld bytes, expected a buffer or 0 bytes", (long long)cap);
}

int64_t mesaopt_settings_get_text(const mesaopt_settings *settings, const char *name, char *buf,
                                  int64_t cap)
{
    const option_row *row = NULL;
    mesaopt_status status = check_kind(OBJECT_SETTINGS, settings);
    CHECK(find_name(text_of(settings), name, &row));
    if (status != MESAOPT_OK) return status;
    return check_buffer(settings, buf, cap) == MESAOPT_OK
               ? settings_value_text(settings, row, buf, cap)
               : MESAOPT_E_ARGUMENT;
}

mesaopt_status mesaopt_settings_describe(int32_t scope, int32_t key, int32_t *type, double *lowest,
                                         double *highest, double *standard)
{
    const option_row *row = scope ? options_find(scope, key) : NULL;
    if (!row) return MESAOPT_E_SETTING;
    if (type) *type = row->type;
    if (lowest) *lowest = row->lowest;
    if (highest) *highest = row->highest;
    if (standard) *standard = row->standard;
    return MESAOPT_OK;
}

int32_t mesaopt_settings_count(int32_t scope)
{
    int32_t n = 0;
    while (options_at(scope, n)) n++;
    return n;
}

int32_t mesaopt_settings_key_at(int32_t scope, int32_t i)
{
    const option_row *row = options_at(scope, i);
    return row ? row->key : 0;
}

int32_t mesaopt_settings_key(const char *name)
{
    const option_row *row = name ? options_find_name(0, name) : NULL;
    return row ? row->key : 0;
}

const char *mesaopt_settings_name(int32_t key)
{
    const option_row *row = options_find(0, key);
    return row ? row->name : NULL;
}

const char *mesaopt_settings_word(int32_t key, int32_t i)
{
    return options_word(key, i);
}

int64_t mesaopt_settings_dump(const mesaopt_settings *settings, char *buf, int64_t cap)
{
    mesaopt_status status = check_kind(OBJECT_SETTINGS, settings);
    CHECK(check_buffer(settings, buf, cap));
    return status == MESAOPT_OK ? settings_text(settings, buf, cap) : status;
}

int64_t mesaopt_settings_error(const mesaopt_settings *settings, char *buf, int64_t cap)
{
    if (!handle_ok(settings, OBJECT_SETTINGS) || cap < 0 || (cap > 0 && !buf))
        return MESAOPT_E_ARGUMENT;
    return text_out(settings->text, buf, cap);
}

/* (release, user) of a hook, which is `set`, in the place of what was there, *old. */
static mesaopt_status lend(mesaopt_settings *settings, enum hook which, const char *name, int set,
                           mesaopt_release_fn release, void *user, struct lent **old)
{
    const mesaopt_status status = check_kind(OBJECT_SETTINGS, settings);
    if (status != MESAOPT_OK) return status;
    if (settings->scope != MESAOPT_SCOPE_CTX)
        return settings_fail(settings, MESAOPT_E_SETTING,
                             "%s: a hook on settings of scope %s, expected scope ctx", name,
                             options_scope_name(settings->scope));
    if (release && !set)
        return settings_fail(settings, MESAOPT_E_ARGUMENT,
                             "release: given without the hook %s, expected NULL", name);
    if (!hooks_lend(&settings->hooks, which, &settings->alloc, release, user, old))
        return settings_fail(settings, MESAOPT_E_MEMORY, "%s: no memory to keep a release", name);
    return MESAOPT_OK;
}

mesaopt_status mesaopt_settings_set_parallel(mesaopt_settings *settings,
                                             mesaopt_parallel_fn parallel,
                                             mesaopt_release_fn release, void *user)
{
    struct lent *old = NULL;
    const mesaopt_status status =
        lend(settings, HOOK_PARALLEL, "parallel", parallel != NULL, release, user, &old);
    if (status != MESAOPT_OK) return status;
    settings->hooks.parallel = parallel;
    settings->hooks.parallel_user = user;
    lent_drop(old);
    return MESAOPT_OK;
}

mesaopt_status mesaopt_settings_set_log(mesaopt_settings *settings, mesaopt_log_fn log,
                                        mesaopt_release_fn release, void *user)
{
    struct lent *old = NULL;
    const mesaopt_status status =
        lend(settings, HOOK_LOG, "log", log != NULL, release, user, &old);
    if (status != MESAOPT_OK) return status;
    settings->hooks.log = log;
    settings->hooks.log_user = user;
    lent_drop(old);
    return MESAOPT_OK;
}

mesaopt_status mesaopt_settings_set_poll(mesaopt_settings *settings, mesaopt_poll_fn poll,
                                         mesaopt_release_fn release, void *user)
{
    struct lent *old = NULL;
    const mesaopt_status status =
        lend(settings, HOOK_POLL, "poll", poll != NULL, release, user, &old);
    if (status != MESAOPT_OK) return status;
    settings->hooks.poll = poll;
    settings->hooks.poll_user = user;
    lent_drop(old);
    return MESAOPT_OK;
}
