/* args.c: arguments as keys and values, and the keys of the program itself; see args.h. */
#include "args_state.h"
#include "errors.h"
#include "files.h"
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct arguments args;

own_key *own_key_of(const char *name)
{
    for (own_key *k = args.own; k->name; k++)
        if (strcmp(k->name, name) == 0) return k;
    return NULL;
}

/* Splits "name=value" at '='. */
const char *args_split(const char *arg, char *name, size_t cap)
{
    const char *equals = strchr(arg, '=');
    if (!equals || equals == arg || (size_t)(equals - arg) >= cap) return NULL;
    snprintf(name, cap, "%.*s", (int)(equals - arg), arg);
    return equals + 1;
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
    if (ferror(f)) die("cannot read %s: %s", path, strerror(errno));
    fclose(f);
    args.told = args.argc;
    for (int i = 1; i < argc; i++) args.argv[args.argc++] = argv[i];
}

/* No file that is opened later is to be taken for a standard one that is closed. Writing to that
 * stays an error. */
static void fill_standard(void)
{
    int file = open("/dev/null", O_RDONLY);
    while (file >= 0 && file <= STDERR_FILENO) file = open("/dev/null", O_RDONLY);
    if (file > STDERR_FILENO) close(file);
}

void args_begin(int argc, char **argv, const char *about, own_key *own)
{
    char name[64];
    fill_standard();
    args.command = argv[0];
    args.name = argc > 0 && strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
    errors_begin(args.name);
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
        const char *value = args_split(args.argv[i], name, sizeof name);
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
        if (args_split(args.argv[i], given, sizeof given) && strcmp(given, name) == 0) return 1;
    return 0;
}

/* Is it the file that the first n characters name? */
static int names_file(const char *text, size_t n, const struct stat *file)
{
    char name[MAX_PATH];
    struct stat s;
    snprintf(name, sizeof name, "%.*s", (int)n, text);
    return stat(name, &s) == 0 && s.st_dev == file->st_dev && s.st_ino == file->st_ino;
}

const char *args_reads(const char *path)
{
    static const char others[] = " settings out make save predictions ";   /* was read; written */
    char word[80];
    struct stat file;
    if (stat(path, &file) != 0 || !S_ISREG(file.st_mode)) return NULL;
    for (const own_key *k = args.own; k->name; k++) {
        snprintf(word, sizeof word, " %s ", k->name);
        if (strstr(others, word)) continue;
        if (names_file(k->value, strlen(k->value), &file)) return k->name;
        for (const char *at = k->value; *at; at += strspn(at, ",")) {
            const size_t n = strcspn(at, ",");
            if (names_file(at, n, &file)) return k->name;
            at += n;
        }
    }
    return NULL;
}

void args_default(const char *name, const char *value) { own_key_of(name)->value = value; }

void args_refuse(const char *name, const char *expected)
{
    fprintf(stderr, "%s: %s: '%s', expected %s\n", args.name, name, args_text(name), expected);
    give_up(2);
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
        args_refuse(name, "a kind of attention, such as linear, softmax or mesa");
    return (int32_t)scope;
}
