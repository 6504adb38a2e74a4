/* args_run.c: a run as text: its command, and arguments that repeat it; see args.h. */
#include "args_state.h"
#include "files.h"
#include "stopping.h"
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A word of a command as a shell reads it. */
void args_word(FILE *f, const char *word)
{
    if (*word && !strpbrk(word, " \t\n'\"\\$`&;|<>()*?[]#~!{}")) {
        fprintf(f, " %s", word);
        return;
    }
    fputs(" '", f);
    for (const char *c = word; *c; c++) fputs(*c == '\'' ? "'\\''" : (const char[]){*c, 0}, f);
    fputc('\'', f);
}

void args_command(FILE *f)
{
    args_word(f, args.command);
    for (int i = args.told; i < args.argc; i++) args_word(f, args.argv[i]);
}

/* The value that the arguments give a setting last; NULL: none. */
static const char *told_value(const char *key)
{
    char name[64];
    const char *found = NULL;
    for (int i = 0; i < args.argc; i++) {
        const char *value = args_split(args.argv[i], name, sizeof name);
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
    for (int i = 0; (name = args_key(i)) != NULL; i++)
        if (!own_key_of(name) && strcmp(name, "isa") != 0 && told_value(name))
            fprintf(f, "%s=%s\n", name, told_value(name));
    for (int s = 0; s < args.scopes; s++) {
        mesaopt_settings_dump(args.settings[s], text, sizeof text);
        fprintf(f, "# %s: %s\n", args_owner(s), text);
    }
}

static char more[MAX_PATH + 64];       /* of resume_with; "": nothing */

void resume_with(const char *key, const char *path)
{
    snprintf(more, sizeof more, "%s=%s", key, path);
}

static int same_key(const char *a, const char *b)
{
    const size_t n = strcspn(a, "=") + 1;
    return strncmp(a, b, n) == 0;
}

/* The command that goes on: this one, with resume= and what resume_with says. With model= nothing
 * is resumed, and the folder is written to again. */
void say_resume(void)
{
    char resume[MAX_PATH + 8] = "resume=", out[MAX_PATH + 4];
    const char *words[3];
    int count = 0;
    if (!own_key_of("resume")) return;
    out_path(CHECKPOINT, resume + 7);
    const int trains = !own_key_of("model") || !*args_text("model");
    if (trains && access(resume + 7, R_OK) == 0) words[count++] = resume;
    if (*more) words[count++] = more;
    if (count == 0) return;
    if (!trains) words[count++] = "overwrite=1";
    fputs("to go on:", stderr);
    args_word(stderr, args.command);
    for (int i = args.told; i < args.argc; i++) {
        int k = 0;
        while (k < count && !same_key(words[k], args.argv[i])) k++;
        if (k == count) args_word(stderr, args.argv[i]);
    }
    snprintf(out, sizeof out, "out=%s", args_text("out"));
    if (!args_given("out")) args_word(stderr, out);
    for (int k = 0; k < count; k++) args_word(stderr, words[k]);
    fputc('\n', stderr);
}
