/* args_settings.c: settings of the library, by presets and the command line; see args.h. */
#include "args_state.h"
#include "errors.h"
#include "files.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Layouts with vectors of a prompt need the prompt: few_shot makes them. */
int args_of_prompts(const char *name)
{
    return strcmp(name, "separator") == 0 || strcmp(name, "prefix") == 0;
}

/* Does this settings scope take the key from the command line? */
int args_take(int32_t scope, const char *name)
{
    char word[80];
    snprintf(word, sizeof word, " %s ", name);
    return !strstr(args.hidden, word) && !args_of_prompts(name) &&
           mesaopt_settings_describe(scope, mesaopt_settings_key(name), NULL, NULL, NULL, NULL) ==
               MESAOPT_OK;
}

/* Does one of the first `scopes` scopes? */
int args_taken(int scopes, const char *name)
{
    for (int s = 0; s < scopes; s++)
        if (args_take(args.scope[s], name)) return 1;
    return 0;
}

static _Noreturn void refuse_setting(const mesaopt_settings *s)
{
    char text[TEXT];
    mesaopt_settings_error(s, text, sizeof text);
    fprintf(stderr, "%s: %s\n", args.name, text);
    give_up(2);
}

void args_change(const char *what)
{
    const size_t used = strlen(args.changed);
    if (strstr(args.changed, what)) return; /* of several checkpoints alike */
    snprintf(args.changed + used, TEXT - used, "%s%s", used ? "; " : "", what);
}

/* Adds to args.changed what is in `now` and not in `recipe`, two dumps of settings of `of`. */
static void add_changes(const char *of, char *recipe, char *now)
{
    char *r, *n, *word = strtok_r(recipe, " ", &r), *other = strtok_r(now, " ", &n);
    int count = 0;
    for (; word && other; word = strtok_r(NULL, " ", &r), other = strtok_r(NULL, " ", &n)) {
        const size_t used = strlen(args.changed);
        if (strcmp(word, other) == 0 || strncmp(word, "seed=", 5) == 0) continue;
        if (count++) snprintf(args.changed + used, TEXT - used, " %s", other);
        else snprintf(args.changed + used, TEXT - used, "%s%s %s", used ? "; " : "", of, other);
    }
}

const char *args_changed(void) { return args.changed; }

/* `hidden` on the command line may be meant for blocks alone: a task that has none takes none. */
static void leave_hidden(mesaopt_settings *task)
{
    int64_t kind = 0;
    mesaopt_settings_get_int(task, MESAOPT_KEY_TASK, &kind);
    const char *word = mesaopt_settings_word(MESAOPT_KEY_TASK, kind);
    if (word && strcmp(word, "partial") != 0 && strcmp(word, "nonlinear") != 0)
        mesaopt_settings_set_int(task, MESAOPT_KEY_HIDDEN, 0);
}

mesaopt_settings *args_settings(int32_t scope, const char *preset)
{
    return args_settings_of(NULL, scope, preset);
}

mesaopt_settings *args_preset(int32_t scope, const char *preset)
{
    char copy[TEXT], name[64];
    mesaopt_settings *s = NULL;
    must(NULL, mesaopt_settings_create(scope, NULL, NULL, &s), "mesaopt_settings_create");
    args.of[args.scopes] = NULL;
    args.scope[args.scopes] = scope;
    args.settings[args.scopes++] = s;
    snprintf(copy, sizeof copy, "%s", preset);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
        const char *value = args_split(word, name, sizeof name);
        if (mesaopt_settings_set_text(s, name, value) != MESAOPT_OK) refuse_setting(s);
    }
    return s;
}

mesaopt_settings *args_settings_of(const char *of, int32_t scope, const char *preset)
{
    char copy[TEXT], name[64], now[TEXT];
    mesaopt_settings *const s = args_preset(scope, preset);
    args.of[args.scopes - 1] = of;
    mesaopt_settings_dump(s, copy, sizeof copy);
    for (int i = 0; i < args.argc; i++) {
        const char *value = args_split(args.argv[i], name, sizeof name);
        if (value && !own_key_of(name) && args_take(scope, name) &&
            mesaopt_settings_set_text(s, name, value) != MESAOPT_OK)
            refuse_setting(s);
    }
    if (scope == MESAOPT_SCOPE_TASK) leave_hidden(s);
    mesaopt_settings_dump(s, now, sizeof now);
    if (of) add_changes(of, copy, now);
    return s;
}

mesaopt_ctx *args_ctx(void)
{
    char preset[32];
    mesaopt_ctx *ctx = NULL;
    const long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    snprintf(preset, sizeof preset, "threads=%ld", cpus < 1 ? 1 : cpus > 8 ? 8 : cpus);
    mesaopt_settings *s = args_settings(MESAOPT_SCOPE_CTX, preset);
    if (mesaopt_settings_set_log(s, take_log, NULL, NULL) != MESAOPT_OK) refuse_setting(s);
    if (mesaopt_ctx_create(s, &ctx) != MESAOPT_OK) refuse_setting(s);
    return ctx;
}

void args_free(void)
{
    for (int s = 0; s < args.scopes; s++) mesaopt_settings_free(args.settings[s]);
    args.scopes = 0;
}
