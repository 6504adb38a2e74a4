/* common.c: command line, errors, Ctrl-C and files; see common.h. */
#include "common.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_SCOPES = 16, TEXT = 1024 };
int unfinished_line;

static struct {
    const char *name, *command, *about, *hidden;
    int argc, told;                    /* arguments: those of settings=, then those of the command
                                          line from `told` on */
    char **argv;
    own_key *own;
    int scopes;
    mesaopt_settings *settings[MAX_SCOPES];
    int32_t scope[MAX_SCOPES];
    const char *of[MAX_SCOPES];        /* whose settings: NULL: nothing to tell apart */
    char changed[TEXT];                /* args_changed */
} args;

/* ---- errors and Ctrl-C ---- */

static void say(const char *kind, const char *format, va_list list)
{
    if (unfinished_line) fputc('\n', stderr);
    unfinished_line = 0;
    fprintf(stderr, "%s: %s", args.name, kind);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
}

void die(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say("", format, list);
    va_end(list);
    exit(1);
}

void note(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say("note: ", format, list);
    va_end(list);
}

static void say_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say_line(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    say("", format, list);
    va_end(list);
}

static own_key *own_key_of(const char *name)
{
    for (own_key *k = args.own; k->name; k++)
        if (strcmp(k->name, name) == 0) return k;
    return NULL;
}

/* A word of a command as a shell reads it. */
static void print_word_to(FILE *f, const char *word)
{
    if (*word && !strpbrk(word, " \t\n'\"\\$`&;|<>()*?[]#~!{}")) {
        fprintf(f, " %s", word);
        return;
    }
    fputs(" '", f);
    for (const char *c = word; *c; c++) fputs(*c == '\'' ? "'\\''" : (const char[]){*c, 0}, f);
    fputc('\'', f);
}

static void print_word(const char *word) { print_word_to(stderr, word); }

/* The command that goes on from the checkpoint: this one, with resume=. */
static void say_resume(void)
{
    char resume[MAX_PATH + 8] = "resume=";
    if (!own_key_of("resume")) return;
    out_path(CHECKPOINT, resume + 7);
    if (access(resume + 7, R_OK) != 0) return;
    fputs("to go on:", stderr);
    print_word(args.command);
    for (int i = args.told; i <= args.argc; i++) {
        const char *word = i < args.argc ? args.argv[i] : resume;
        if (i == args.argc && !args_given("out")) {
            char out[MAX_PATH + 4];
            snprintf(out, sizeof out, "out=%s", args_text("out"));
            print_word(out);
        }
        if (i == args.argc || strncmp(word, resume, 7) != 0) print_word(word);
    }
    fputc('\n', stderr);
}

void say_stopped(int64_t step)
{
    if (step >= 0) say_line("stopped after step %lld", (long long)step);
    else say_line("stopped");
    say_resume();
}

void stop(void)
{
    say_stopped(-1);
    exit(130);
}

mesaopt_status must(mesaopt_ctx *ctx, mesaopt_status status, const char *call)
{
    char text[TEXT] = "";
    if (status >= 0) return status;
    mesaopt_ctx_error(ctx, text, sizeof text);
    say_line("%.*s: %s: %s", (int)strcspn(call, "("), call, mesaopt_status_name(status), text);
    if (status == MESAOPT_E_INTERRUPTED) say_resume();
    exit(status == MESAOPT_E_INTERRUPTED ? 130 : status == MESAOPT_E_SETTING ? 2 : 1);
}

void *must_alloc(void *old, size_t bytes)
{
    void *p = realloc(old, bytes ? bytes : 1);
    if (!p) die("no memory for %zu bytes", bytes);
    return p;
}

static mesaopt_ctx *interruptible;     /* what a signal handler can reach */
static volatile sig_atomic_t came;     /* a signal, between two calls of the library perhaps, where
                                          no interrupt would stop anything */

static void on_signal(int number)
{
    (void)number;
    came = 1;
    mesaopt_ctx_interrupt(interruptible);
}

int signalled(void) { return came; }

void catch_signals(mesaopt_ctx *ctx)
{
    struct sigaction action = {.sa_handler = ctx ? on_signal : SIG_DFL,
                               .sa_flags = SA_RESETHAND | SA_RESTART};
    interruptible = ctx;
    sigaction(SIGINT, &action, NULL);  /* a second Ctrl-C ends the program at once */
    sigaction(SIGTERM, &action, NULL);
}

/* ---- command line ---- */

/* Does this settings scope take the key from the command line? */
static int takes(int32_t scope, const char *name)
{
    char word[80];
    snprintf(word, sizeof word, " %s ", name);
    return !strstr(args.hidden, word) &&
           mesaopt_settings_describe(scope, mesaopt_settings_key(name), NULL, NULL, NULL, NULL) ==
               MESAOPT_OK;
}

/* Does one of the first `scopes` scopes? */
static int taken(int scopes, const char *name)
{
    for (int s = 0; s < scopes; s++)
        if (takes(args.scope[s], name)) return 1;
    return 0;
}

/* Splits "name=value" at '='. */
static const char *split(const char *arg, char *name, size_t cap)
{
    const char *equals = strchr(arg, '=');
    if (!equals || equals == arg || (size_t)(equals - arg) >= cap) return NULL;
    snprintf(name, cap, "%.*s", (int)(equals - arg), arg);
    return equals + 1;
}

/* The i-th key of the command line: those of the program, then those of its scopes, each once.
 * NULL: there are no more. */
static const char *known_key(int i)
{
    const own_key *k = args.own;
    for (; k->name; k++)
        if (i-- == 0) return k->name;
    for (int s = 0; s < args.scopes; s++)
        for (int32_t at = 0, key; (key = mesaopt_settings_key_at(args.scope[s], at)) != 0; at++) {
            const char *name = mesaopt_settings_name(key);
            if (own_key_of(name) || !takes(args.scope[s], name) || taken(s, name)) continue;
            if (i-- == 0) return name;
        }
    return NULL;
}

/* Letters to change, leave out, add or exchange with their neighbour, to make one word of the
 * other; both shorter than WORD. */
static int distance(const char *a, const char *b)
{
    enum { WORD = 64 };
    int row[3][WORD + 1], *before = row[0], *last = row[1], *now = row[2];
    const int n = (int)strnlen(b, WORD);
    for (int j = 0; j <= n; j++) last[j] = j;
    for (int i = 1; a[i - 1] && i <= WORD; i++) {
        now[0] = i;
        for (int j = 1; j <= n; j++) {
            int least = last[j - 1] + (a[i - 1] != b[j - 1]);
            if (last[j] + 1 < least) least = last[j] + 1;
            if (now[j - 1] + 1 < least) least = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                before[j - 2] + 1 < least)
                least = before[j - 2] + 1;
            now[j] = least;
        }
        int *const unused = before;
        before = last, last = now, now = unused;
    }
    return last[n];
}

/* The known key that somebody who wrote `name` may have meant; NULL: none is near. */
static const char *nearest_key(const char *name)
{
    const char *nearest = NULL, *key;
    int least = 1 + (int)strlen(name) / 3;             /* a third of the letters may be wrong */
    for (int i = 0; (key = known_key(i)) != NULL; i++)
        if (distance(name, key) < least) least = distance(name, key), nearest = key;
    return nearest;
}

/* Ends the program with the argument that nobody takes and the list of known keys. */
static _Noreturn void refuse(const char *what, const char *argument)
{
    char name[64];
    const char *key, *const nearest =
                         nearest_key(split(argument, name, sizeof name) ? name : argument);
    fprintf(stderr, "%s: %s'%s'", args.name, what, argument);
    if (nearest) fprintf(stderr, "; did you mean '%s'?\nknown keys:", nearest);
    else fputs("; known keys:", stderr);
    for (int i = 0; (key = known_key(i)) != NULL; i++) fprintf(stderr, " %s", key);
    fprintf(stderr, "\n(%s help says more)\n", args.name);
    exit(2);
}

/* Adds the lines of a file in front of the arguments, but for empty ones and those that begin with
 * #. */
static void read_arguments(const char *path, int argc, char **argv)
{
    size_t room = 0;
    int64_t most = argc;
    FILE *f = open_file(path, "r");
    args.argv = must_alloc(NULL, (size_t)most * sizeof *args.argv);
    args.argc = 0;
    for (char *line = NULL; getline(&line, &room, f) > 0; line = NULL, room = 0) {
        line[strcspn(line, "\r\n")] = 0;
        if (!*line || *line == '#') continue;
        if (args.argc + argc > most)
            args.argv = must_alloc(args.argv, (size_t)(most *= 2) * sizeof *args.argv);
        args.argv[args.argc++] = line;
    }
    if (ferror(f)) die("cannot read %s", path);
    fclose(f);
    args.told = args.argc;
    for (int i = 1; i < argc; i++) args.argv[args.argc++] = argv[i];
}

void args_begin(int argc, char **argv, const char *about, own_key *own)
{
    char name[64];
    args.command = argv[0];
    args.name = argc > 0 && strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    args.about = about;
    args.own = own;
    args.hidden = "";
    args.argc = argc - 1;
    args.argv = argv + 1;
    signal(SIGXFSZ, SIG_IGN);          /* a file that grows too large is an error of the call that
                                          writes */
    for (int i = 0; i < args.argc && own_key_of("settings"); i++)
        if (strncmp(args.argv[i], "settings=", 9) == 0)
            own_key_of("settings")->value = args.argv[i] + 9;
    if (args_has("settings") && *args_text("settings"))
        read_arguments(args_text("settings"), argc, argv);
    for (int i = 0; i < args.argc; i++) {
        const char *value = split(args.argv[i], name, sizeof name);
        own_key *k = value ? own_key_of(name) : NULL;
        if (k) k->value = value;
    }
}

void args_hide(const char *names) { args.hidden = names; }

int args_has(const char *name) { return own_key_of(name) != NULL; }

const char *args_text(const char *name) { return own_key_of(name)->value; }

int args_given(const char *name)
{
    char given[64];
    for (int i = 0; i < args.argc; i++)
        if (split(args.argv[i], given, sizeof given) && strcmp(given, name) == 0) return 1;
    return 0;
}

void args_default(const char *name, const char *value) { own_key_of(name)->value = value; }

void args_refuse(const char *name, const char *expected)
{
    fprintf(stderr, "%s: %s: '%s', expected %s\n", args.name, name, args_text(name), expected);
    exit(2);
}

int64_t args_int(const char *name, int64_t lowest, int64_t highest)
{
    const char *text = args_text(name);
    char *end;
    errno = 0;
    const long long value = strtoll(text, &end, 10);
    if (end == text || *end || errno || value < lowest || value > highest) {
        char expected[80];
        snprintf(expected, sizeof expected, "a whole number from %lld to %lld", (long long)lowest,
                 (long long)highest);
        args_refuse(name, expected);
    }
    return value;
}

int32_t args_block_scope(const char *name)
{
    char constant[64] = "MESAOPT_SCOPE_";
    int64_t scope = 0;
    const char *kind = args_text(name);
    for (size_t i = 0, n = strlen(constant); kind[i] && n + i + 1 < sizeof constant; i++)
        constant[n + i] = (char)toupper((unsigned char)kind[i]);
    if (mesaopt_constant(constant, &scope) != MESAOPT_OK ||
        mesaopt_settings_describe((int32_t)scope, MESAOPT_KEY_HEADS, NULL, NULL, NULL, NULL) !=
            MESAOPT_OK)
        args_refuse(name, "a kind of attention, such as linear or softmax");
    return (int32_t)scope;
}

static _Noreturn void refuse_setting(const mesaopt_settings *s)
{
    char text[TEXT];
    mesaopt_settings_error(s, text, sizeof text);
    fprintf(stderr, "%s: %s\n", args.name, text);
    exit(2);
}

/* Adds to args.changed what is in `now` and not in `recipe`, two dumps of settings of `of`. */
static void add_changes(const char *of, char *recipe, char *now)
{
    char *r, *n, *word = strtok_r(recipe, " ", &r), *other = strtok_r(now, " ", &n);
    int count = 0;
    for (; word && other; word = strtok_r(NULL, " ", &r), other = strtok_r(NULL, " ", &n)) {
        const size_t used = strlen(args.changed);
        if (strcmp(word, other) == 0) continue;
        if (count++) snprintf(args.changed + used, TEXT - used, " %s", other);
        else snprintf(args.changed + used, TEXT - used, "%s%s %s", used ? "; " : "", of, other);
    }
}

const char *args_changed(void) { return args.changed; }

mesaopt_settings *args_settings(int32_t scope, const char *preset)
{
    return args_settings_of(NULL, scope, preset);
}

mesaopt_settings *args_settings_of(const char *of, int32_t scope, const char *preset)
{
    char copy[TEXT], name[64], now[TEXT];
    mesaopt_settings *s = NULL;
    must(NULL, mesaopt_settings_create(scope, NULL, NULL, &s), "mesaopt_settings_create");
    args.of[args.scopes] = of;
    args.scope[args.scopes] = scope;
    args.settings[args.scopes++] = s;
    snprintf(copy, sizeof copy, "%s", preset);
    for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
        const char *value = split(word, name, sizeof name);
        if (mesaopt_settings_set_text(s, name, value) != MESAOPT_OK) refuse_setting(s);
    }
    mesaopt_settings_dump(s, copy, sizeof copy);
    for (int i = 0; i < args.argc; i++) {
        const char *value = split(args.argv[i], name, sizeof name);
        if (value && !own_key_of(name) && takes(scope, name) &&
            mesaopt_settings_set_text(s, name, value) != MESAOPT_OK)
            refuse_setting(s);
    }
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
    if (mesaopt_settings_set_log(s, take_log, NULL) != MESAOPT_OK) refuse_setting(s);
    if (mesaopt_ctx_create(s, &ctx) != MESAOPT_OK) refuse_setting(s);
    return ctx;
}

static void check_output(void)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        die("cannot write to standard output: %s", strerror(errno));
}

/* Whose the settings of a scope are, where a program does not say. */
static const char *owner_of(int s)
{
    static const struct { int32_t scope; const char *name;
    } owners[] = {
        {MESAOPT_SCOPE_CTX, "context"},          {MESAOPT_SCOPE_TASK, "task"},
        {MESAOPT_SCOPE_MODEL, "model"},          {MESAOPT_SCOPE_TRAINER, "training"},
        {MESAOPT_SCOPE_LINEAR, "linear layers"}, {MESAOPT_SCOPE_SOFTMAX, "softmax layers"},
        {MESAOPT_SCOPE_MESA, "mesa layers"},     {MESAOPT_SCOPE_DENSE, "dense layers"},
        {MESAOPT_SCOPE_LSQ, "least squares"},    {MESAOPT_SCOPE_PROBE, "probes"},
        {MESAOPT_SCOPE_BASELINE, "baseline"}};
    if (args.of[s]) return args.of[s];
    for (size_t i = 0; i < sizeof owners / sizeof *owners; i++)
        if (owners[i].scope == args.scope[s]) return owners[i].name;
    return "others";
}

/* "  whose: name=value name=value": what the command line may change in a scope; "": nothing. */
static void scope_line(int s, char *line, size_t cap)
{
    char text[TEXT], name[64];
    *line = 0;
    mesaopt_settings_dump(args.settings[s], text, sizeof text);
    for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
        const char *value = split(word, name, sizeof name);
        const size_t used = strlen(line);
        if (!takes(args.scope[s], name) || own_key_of(name)) continue;
        if (!used) snprintf(line, cap, "  %s: %s=%s", owner_of(s), name, value);
        else snprintf(line + used, cap - used, " %s=%s", name, value);
    }
}

static void print_help(void)
{
    char line[TEXT], other[TEXT];
    int wide = 0;
    for (const own_key *k = args.own; k->name; k++)
        wide = (int)strlen(k->name) > wide ? (int)strlen(k->name) : wide;
    printf("%s\n\nusage: %s key=value ...\n\nkeys of this program (default):\n", args.about,
           args.name);
    for (const own_key *k = args.own; k->name; k++)
        printf(*k->value ? "  %-*s  %s (%s)\n" : "  %-*s  %s\n", wide, k->name, k->meaning,
               k->value);
    printf("\nsettings of the library, as they stand; a key that several have sets them all (`make "
           "docs` says what they mean):\n");
    for (int s = 0; s < args.scopes; s++) {
        int there = 0;
        scope_line(s, line, sizeof line);
        for (int i = 0; i < s && !there; i++)
            scope_line(i, other, sizeof other), there = strcmp(line, other) == 0;
        if (*line && !there) puts(line);
    }
    printf("\nexit status: 0; 1: failed; 2: the command line will not do; 3: a claim does not "
           "hold; 130: stopped by Ctrl-C\n");
    check_output();
}

void args_end(void)
{
    char name[64];
    for (int i = 0; i < args.argc; i++)
        if (strcmp(args.argv[i], "help") == 0 || strcmp(args.argv[i], "--help") == 0 ||
            strcmp(args.argv[i], "-h") == 0) {
            print_help();
            exit(0);
        }
    for (int i = 0; i < args.argc; i++) {
        if (!split(args.argv[i], name, sizeof name))
            refuse("expected key=value, not ", args.argv[i]);
        if (!own_key_of(name) && !taken(args.scopes, name)) refuse("unknown key ", name);
    }
    if (args_has("overwrite")) out_check();
}

/* ---- a run as text ---- */

void args_command(FILE *f)
{
    print_word_to(f, args.command);
    for (int i = args.told; i < args.argc; i++) print_word_to(f, args.argv[i]);
}

/* The value that the arguments give a setting last; NULL: none. */
static const char *told_value(const char *key)
{
    char name[64];
    const char *found = NULL;
    for (int i = 0; i < args.argc; i++) {
        const char *value = split(args.argv[i], name, sizeof name);
        if (value && strcmp(name, key) == 0) found = value;
    }
    return found;
}

void args_write(FILE *f)
{
    /* how a run came about, not what it is */
    static const char *const passing[] = {"settings", "overwrite", "resume", "change", NULL};
    char text[TEXT];
    const char *name;
    for (const own_key *k = args.own; k->name; k++) {
        int i = 0;
        while (passing[i] && strcmp(passing[i], k->name) != 0) i++;
        fprintf(f, passing[i] || !args_given(k->name) ? "# %s=%s\n" : "%s=%s\n", k->name, k->value);
    }
    for (int i = 0; (name = known_key(i)) != NULL; i++)
        if (!own_key_of(name) && strcmp(name, "isa") != 0 && told_value(name))
            fprintf(f, "%s=%s\n", name, told_value(name));
    for (int s = 0; s < args.scopes; s++) {
        mesaopt_settings_dump(args.settings[s], text, sizeof text);
        fprintf(f, "# %s: %s\n", owner_of(s), text);
    }
}

void args_free(void)
{
    check_output();
    for (int s = 0; s < args.scopes; s++) mesaopt_settings_free(args.settings[s]);
    args.scopes = 0;
}

double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
