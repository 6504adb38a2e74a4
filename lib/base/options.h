/* Settings: one table of all keys (name, scopes, type, bounds, default, words), and objects that
 * hold a value per key. */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include "base/number.h"
#include "base/object.h"
#include "mesaopt/settings.h"

enum { SETTINGS_MAX_KEY = 256 };

struct mesaopt_settings {
    uint32_t kind;                         /* OBJECT_SETTINGS */
    allocator alloc;
    int32_t scope;
    hooks hooks;                           /* of scope ctx; else the allocator's */
    double value[SETTINGS_MAX_KEY];        /* by key number; ints are exact up to 2^53, which is
                                              their bound */
    char text[TEXT_BYTES];
};

/* A key of a scope. */
typedef struct option_row {
    int32_t key;
    const char *name;
    int32_t type;
    double lowest, highest, standard;      /* both bounds allowed; choice: 0, words - 1, index */
    const char *const *words;              /* choice: NULL-terminated */
} option_row;
typedef struct option_scope {
    const char *name;
    const option_row *keys;                /* closed by key 0 */
} option_scope;
extern const option_scope option_scopes[]; /* options_table.c, by number; 0: none */

const option_row *options_find(int32_t scope, int32_t key); /* scope 0: any; NULL when there is
                                                               none */
const option_row *options_find_name(int32_t scope, const char *name);
const char *options_word(int32_t key, int64_t i);      /* NULL: no choice, or past the last */
const option_row *options_at(int32_t scope, int32_t i); /* i-th of a scope; NULL past the last */

/* Sets settings->text (which must not be an argument) and returns `status`; settings may be NULL.
 */
mesaopt_status settings_fail(mesaopt_settings *settings, mesaopt_status status, const char *format,
                             ...) __attribute__((format(printf, 3, 4)));

/* Behind the setters and texts of the public API. `was` is what was offered for the key. */
mesaopt_status settings_put(mesaopt_settings *settings, const option_row *row, double value);
/* The same of a key that the settings' scope has. */
mesaopt_status settings_set(mesaopt_settings *settings, int32_t key, double value);
mesaopt_status settings_put_int(mesaopt_settings *settings, const option_row *row, int64_t value);
mesaopt_status settings_read(mesaopt_settings *settings, const option_row *row, const char *text);
mesaopt_status settings_find_name(mesaopt_settings *settings, const char *name,
                                  const option_row **row);
mesaopt_status settings_refuse(mesaopt_settings *settings, const option_row *row, const char *was);
mesaopt_status settings_unknown(mesaopt_settings *settings, const char *what,
                                const option_row *elsewhere);
/* "value"; likewise */
int64_t settings_value_text(const mesaopt_settings *settings, const option_row *row, char *buf,
                            int64_t cap);
/* "name=value name=value"; returns the bytes needed */
int64_t settings_text(const mesaopt_settings *settings, char *buf, int64_t cap);
/* Settings that there is no use for have to stand as they are by default, or be NULL; `with`: what
 * has none. MESAOPT_E_SETTING names the first that does not. */
mesaopt_status settings_unused(mesaopt_ctx *ctx, const mesaopt_settings *settings, const char *with,
                               int count, const int32_t *keys);

/* Values of `settings`, or the scope's default when settings is NULL. The key must apply to the
 * scope. */
double option_float(const mesaopt_settings *settings, int32_t scope, int32_t key);
int64_t option_int(const mesaopt_settings *settings, int32_t scope, int32_t key);

/* MESAOPT_OK, or a status with its text on ctx: settings is NULL or no settings; is not NULL and no
 * settings, or of another scope. */
mesaopt_status options_given(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                             const char *argument);
mesaopt_status options_check(mesaopt_ctx *ctx, const mesaopt_settings *settings, int32_t scope,
                             const char *argument);

const char *options_scope_name(int32_t scope);         /* "task", "linear", ...; NULL when
                                                          unknown */
int32_t options_scope(const char *name);               /* 0 when unknown */
int32_t options_scope_count(void);                     /* scopes are 1..count */

/* In-place initialisation with defaults (no allocation); the setters of the public API work on it,
 * and its text holds their failures. */
void options_init(mesaopt_settings *s, int32_t scope);

#endif
