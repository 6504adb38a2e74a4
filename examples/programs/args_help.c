/* args_help.c: `help`, and arguments that nobody takes; see args.h. */
#include "args_state.h"
#include "errors.h"
#include "files.h"
#include <stdlib.h>
#include <string.h>

/* The i-th key of the command line: those of the program, then those of its scopes, each once.
 * NULL: there are no more. */
const char *args_key(int i)
{
    const own_key *k = args.own;
    for (; k->name; k++)
        if (i-- == 0) return k->name;
    for (int s = 0; s < args.scopes; s++)
        for (int32_t at = 0, key; (key = mesaopt_settings_key_at(args.scope[s], at)) != 0; at++) {
            const char *name = mesaopt_settings_name(key);
            if (own_key_of(name) || !args_take(args.scope[s], name) || args_taken(s, name))
                continue;
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

const char *args_nearest(const char *name, const char *(*word_at)(int))
{
    const char *nearest = NULL, *word;
    int least = 1 + (int)strlen(name) / 3;             /* a third of the letters may be wrong */
    for (int i = 0; (word = word_at(i)) != NULL; i++)
        if (distance(name, word) < least) least = distance(name, word), nearest = word;
    return nearest;
}

/* Ends the program with the argument that nobody takes, the file that it stands in, and the list of
 * known keys. */
static _Noreturn void refuse(const char *what, const char *argument, const char *file)
{
    char name[64];
    const char *key, *const given = args_split(argument, name, sizeof name) ? name : argument,
                    *const nearest = args_nearest(given, args_key);
    fprintf(stderr, "%s: %s%s%s'%s'", args.name, file, *file ? ": " : "", what, argument);
    if (nearest)
        fprintf(stderr, "; did you mean '%s%s'?\nknown keys:", nearest,
                strcmp(nearest, argument) == 0 ? "=.." : "");
    else fputs("; known keys:", stderr);
    for (int i = 0; (key = args_key(i)) != NULL; i++) fprintf(stderr, " %s", key);
    fprintf(stderr, "\n(%s help says more)\n", args.name);
    give_up(2);
}

/* Whose the settings of a scope are, where a program does not say. */
const char *args_owner(int s)
{
    static const struct { int32_t scope; const char *name;
    } owners[] = {
        {MESAOPT_SCOPE_CTX, "context"},          {MESAOPT_SCOPE_TASK, "task"},
        {MESAOPT_SCOPE_MODEL, "model"},          {MESAOPT_SCOPE_TRAINER, "training"},
        {MESAOPT_SCOPE_LINEAR, "linear layers"}, {MESAOPT_SCOPE_SOFTMAX, "softmax layers"},
        {MESAOPT_SCOPE_MESA, "mesa layers"},     {MESAOPT_SCOPE_DENSE, "dense layers"},
        {MESAOPT_SCOPE_MLP, "mlp layers"},       {MESAOPT_SCOPE_NORM, "norms"},
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
        const char *value = args_split(word, name, sizeof name);
        const size_t used = strlen(line);
        if (!args_take(args.scope[s], name) || own_key_of(name)) continue;
        if (!used) snprintf(line, cap, "  %s: %s=%s", args_owner(s), name, value);
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
        const char *const file = i < args.told ? args_text("settings") : "";
        if (!args_split(args.argv[i], name, sizeof name))
            refuse("expected key=value, not ", args.argv[i], file);
        if (own_key_of(name) || args_taken(args.scopes, name)) continue;
        if (args_of_prompts(name)) {
            fprintf(stderr, "%s: %s: needs a prompt; the program few_shot learns one, and lays its "
                            "sequences out with it\n", args.name, name);
            give_up(2);
        }
        if (args_has("model") && *args_text("model") && mesaopt_settings_key(name) > 0) {
            fprintf(stderr, "%s: %s: no setting here, for model= says what its blocks are\n",
                    args.name, name);
            give_up(2);
        }
        refuse("unknown key ", name, file);
    }
    if (args_has("overwrite")) out_check();
}
