/* Lookup in the table of settings (options_table.c), values of settings objects, and the texts of
 * their failures. */
#include "base/options.h"
#include "base/pool.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const int64_t EXACT = 1ll << 53;  /* integers up to here are exact as double */

typedef struct list { char text[400]; } list;          /* words joined for an error text, cut at the
                                                          end when there are too many */

static void list_add(list *l, const char *separator, const char *word)
{
    size_t n = strlen(l->text);
    snprintf(l->text + n, sizeof l->text - n, "%s%s", n ? separator : "", word);
}

const char *options_scope_name(int32_t scope)
{
    return scope >= 1 && scope <= options_scope_count() ? option_scopes[scope].name : NULL;
}

int32_t options_scope(const char *name)
{
    for (int32_t scope = options_scope_count(); name && scope >= 1; scope--)
        if (!strcmp(option_scopes[scope].name, name)) return scope;
    return 0;
}

/* Keys of a scope, closed by key 0. */
static const option_row *keys_of(int32_t scope)
{
    return option_scopes[options_scope_name(scope) ? scope : 0].keys;
}

/* In a scope, or with scope 0 in any: by name when there is one, else by key. */
static const option_row *find(int32_t scope, int32_t key, const char *name)
{
    for (int32_t s = options_scope_count(); s >= 1; s--)
        for (const option_row *row = keys_of(s); (!scope || s == scope) && row->key; row++)
            if (name ? !strcmp(row->name, name) : row->key == key) return row;
    return NULL;
}

const option_row *options_find(int32_t scope, int32_t key) { return find(scope, key, NULL); }

const option_row *options_find_name(int32_t scope, const char *name)
{
    return find(scope, 0, name);
}

const option_row *options_at(int32_t scope, int32_t i)
{
    for (const option_row *row = keys_of(scope); row->key; row++)
        if (i-- == 0) return row;
    return NULL;
}

const char *options_word(int32_t key, int64_t i)
{
    const option_row *row = options_find(0, key);
    return row && row->words && i >= 0 && i <= (int64_t)row->highest ? row->words[i] : NULL;
}

void options_init(mesaopt_settings *s, int32_t scope)
{
    *s = (mesaopt_settings){.kind = OBJECT_SETTINGS, .alloc = alloc_default(), .scope = scope};
    for (const option_row *row = keys_of(scope); row->key; row++)
        s->value[row->key] = row->standard;
}

double option_float(const mesaopt_settings *settings, int32_t scope, int32_t key)
{
    return settings ? settings->value[key] : options_find(scope, key)->standard;
}

int64_t option_int(const mesaopt_settings *settings, int32_t scope, int32_t key)
{
    return (int64_t)option_float(settings, scope, key);
}

mesaopt_status options_given(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                             const char *argument)
{
    if (handle_ok(settings, OBJECT_SETTINGS)) return MESAOPT_OK;
    return fail(ctx, MESAOPT_E_ARGUMENT, "%s: %s, expected settings", argument,
                handle_word(settings));
}

mesaopt_status options_check(mesaopt_ctx *ctx, const mesaopt_settings *settings, int32_t scope,
                             const char *argument)
{
    const mesaopt_status status = settings ? options_given(ctx, settings, argument) : MESAOPT_OK;
    if (!settings || status != MESAOPT_OK || settings->scope == scope) return status;
    const char *is = options_scope_name(settings->scope);
    return fail(ctx, MESAOPT_E_SETTING, "%s: settings of scope %s, expected scope %s", argument,
                is ? is : "?", options_scope_name(scope));
}

/* ---- failures ---- */

static list scopes_of(int32_t key)
{
    list l = {""};
    for (int32_t scope = 1; options_scope_name(scope); scope++)
        if (options_find(scope, key)) list_add(&l, ", ", options_scope_name(scope));
    return l;
}

mesaopt_status settings_unknown(mesaopt_settings *s, const char *what, const option_row *elsewhere)
{
    list known = {""};
    for (const option_row *row = keys_of(s->scope); row->key; row++)
        list_add(&known, ", ", row->name);
    const char *scope = options_scope_name(s->scope);
    if (!*what) what = "\"\"";
    if (!elsewhere)
        return settings_fail(s, MESAOPT_E_SETTING,
                             "%s: unknown key, expected for scope %s one of %s", what, scope,
                             known.text);
    return settings_fail(s, MESAOPT_E_SETTING,
                         "%s: a key of scope %s, expected for scope %s one of %s", elsewhere->name,
                         scopes_of(elsewhere->key).text, scope, known.text);
}

mesaopt_status settings_refuse(mesaopt_settings *s, const option_row *row, const char *was)
{
    list words = {""};
    if (!*was) was = "\"\"";
    if (row->type == MESAOPT_TYPE_CHOICE) {
        for (int i = 0; row->words[i]; i++) list_add(&words, ", ", row->words[i]);
        return settings_fail(s, MESAOPT_E_SETTING, "%s: %.60s, expected one of %s", row->name, was,
                             words.text);
    }
    return settings_fail(s, MESAOPT_E_SETTING, "%s: %.60s, expected %s in %s..%s", row->name, was,
                         row->type == MESAOPT_TYPE_INT ? "an integer" : "a number",
                         number_text(row->lowest).text, number_text(row->highest).text);
}

mesaopt_status settings_find_name(mesaopt_settings *s, const char *name, const option_row **row)
{
    char what[80];
    snprintf(what, sizeof what, "%.70s", name);
    *row = options_find_name(s->scope, name);
    return *row ? MESAOPT_OK : settings_unknown(s, what, options_find_name(0, name));
}

/* ---- values ---- */

mesaopt_status settings_put(mesaopt_settings *s, const option_row *row, double value)
{
    if (!(value >= row->lowest && value <= row->highest))
        return settings_refuse(s, row, number_text(value).text);
    s->value[row->key] = value;
    return MESAOPT_OK;
}

mesaopt_status settings_set(mesaopt_settings *s, int32_t key, double value)
{
    return settings_put(s, options_find(s->scope, key), value);
}

mesaopt_status settings_put_int(mesaopt_settings *s, const option_row *row, int64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    if (value > EXACT || value < -EXACT) return settings_refuse(s, row, text);
    return settings_put(s, row, (double)value);
}

mesaopt_status settings_read(mesaopt_settings *s, const option_row *row, const char *text)
{
    double value;
    int64_t integer;
    switch (row->type) {
    case MESAOPT_TYPE_CHOICE:
        for (int i = 0; row->words[i]; i++)
            if (!strcmp(row->words[i], text)) return settings_put(s, row, i);
        return settings_refuse(s, row, text);
    case MESAOPT_TYPE_INT:
        return number_read_int(text, &integer) ? settings_put_int(s, row, integer)
                                               : settings_refuse(s, row, text);
    default:
        return number_read(text, &value) ? settings_put(s, row, value)
                                         : settings_refuse(s, row, text);
    }
}

int64_t settings_value_text(const mesaopt_settings *s, const option_row *row, char *buf,
                            int64_t cap)
{
    const double value = s->value[row->key];
    const number n = number_text(value);
    return snprintf(buf, (size_t)cap, "%s",
                    row->type == MESAOPT_TYPE_CHOICE ? row->words[(int)value] : n.text) +
           1;
}

int64_t settings_text(const mesaopt_settings *s, char *buf, int64_t cap)
{
    int64_t used = 0;
    if (cap > 0) *buf = 0;
    for (const option_row *row = keys_of(s->scope); row->key; row++) {
        int64_t room = cap > used ? cap - used : 0;
        used +=
            snprintf(room ? buf + used : NULL, (size_t)room, "%s%s=", used ? " " : "", row->name);
        room = cap > used ? cap - used : 0;
        used += settings_value_text(s, row, room ? buf + used : NULL, room) - 1;
    }
    return used + 1;
}

mesaopt_status settings_unused(mesaopt_ctx *ctx, const mesaopt_settings *settings, const char *with,
                               int count, const int32_t *keys)
{
    for (int i = 0; settings && i < count; i++) {
        const option_row *row = options_find(settings->scope, keys[i]);
        char was[64];
        if (settings->value[row->key] == row->standard) continue;
        settings_value_text(settings, row, was, sizeof was);
        return fail(ctx, MESAOPT_E_SETTING,
                    "%s: %s with %s, of no use there, expected the default, %s", row->name,
                    was, with,
                    row->words ? row->words[(int)row->standard] : number_text(row->standard).text);
    }
    return MESAOPT_OK;
}
