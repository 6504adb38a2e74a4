/* Settings: one table of all keys (name, scopes, type, bounds, default, words), and objects that hold a value per key. */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

#include "base/object.h"
#include "mesaopt/settings.h"

enum { SETTINGS_MAX_KEY = 256 };

struct mesaopt_settings {
    allocator alloc;
    int32_t scope;
    mesaopt_parallel_fn parallel;
    void *parallel_user;
    mesaopt_log_fn log;
    void *log_user;
    double value[SETTINGS_MAX_KEY];        /* by key number; ints are exact up to 2^53, which is their bound */
    char text[512];
};

/* Values of `settings`, or the scope's default when settings is NULL. The key must apply to the scope. */
double option_float(const mesaopt_settings *settings, int32_t scope, int32_t key);
int64_t option_int(const mesaopt_settings *settings, int32_t scope, int32_t key);

/* MESAOPT_OK, or MESAOPT_E_SETTING with a text when settings is not NULL and of another scope. */
mesaopt_status options_check(mesaopt_ctx *ctx, const mesaopt_settings *settings, int32_t scope, const char *argument);

const char *options_scope_name(int32_t scope);         /* "task", "linear", ...; NULL when unknown */
int32_t options_scope(const char *name);               /* 0 when unknown */

/* In-place initialisation with defaults (no allocation); the setters of the public API work on it, and its text holds their failures. */
void options_init(mesaopt_settings *s, int32_t scope);

#endif
