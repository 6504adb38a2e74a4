/* stream_files.c: files of stream_rls and predict: what is written is nothing that is read, and no
 * two are one; see stream_files.h. */
#include "stream_files.h"
#include "args.h"
#include "errors.h"
#include "files.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct named_file {
    const char *key;
    char path[MAX_PATH];
    int standard, found;
    struct stat stat;
} named_file;
/* From SAVE on: written. */
enum { INPUT, LOAD, MODEL, PROMPT, SAVE, PREDICTIONS, CURVE, AHEAD, FILES };

static void folder_of(const char *path, char *folder)
{
    const char *const slash = strrchr(path, '/');
    snprintf(folder, MAX_PATH, "%.*s", slash ? (int)(slash - path) + 1 : 2, slash ? path : "./");
}

/* Files that are there are compared by what they are, others by folder and name. Devices and pipes
 * can be shared. */
static int same_file(const named_file *a, const named_file *b)
{
    char first[MAX_PATH], second[MAX_PATH];
    struct stat x, y;
    if (a->found != b->found) return 0;
    if (a->found)
        return S_ISREG(a->stat.st_mode) && a->stat.st_dev == b->stat.st_dev &&
               a->stat.st_ino == b->stat.st_ino;
    folder_of(a->path, first), folder_of(b->path, second);
    const char *const name = strrchr(a->path, '/'), *const other = strrchr(b->path, '/');
    if (strcmp(name ? name + 1 : a->path, other ? other + 1 : b->path) != 0) return 0;
    return strcmp(first, second) == 0 || (stat(first, &x) == 0 && stat(second, &y) == 0 &&
                                          x.st_dev == y.st_dev && x.st_ino == y.st_ino);
}

/* A state goes to its folder under another name first: that the folder takes files is known before
 * the first row. What out= makes is not there yet. */
static void check_save(const named_file *state)
{
    char folder[MAX_PATH];
    folder_of(state->path, folder);
    const char *const out = args_text("out");
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') n--;
    if (state->found && !S_ISREG(state->stat.st_mode))
        die("save: cannot write %s: not a regular file", state->path);
    if (access(folder, W_OK | X_OK) == 0) return;
    if (errno != ENOENT || strncmp(out, folder, n) != 0 || (out[n] && out[n] != '/'))
        die("save: cannot write %s to folder %s: %s", state->path, folder, strerror(errno));
}

void stream_files_check(void)
{
    static const struct {
        const char *key, *suffix;
    } of[FILES] = {
        {"file", ""}, {"load", ""},        {"model", ""},        {"prompt", ""},
        {"save", ""}, {"predictions", ""}, {"out", "/error.csv"}, {"out", "/ahead.csv"}};
    const int files = args_has("ahead") ? FILES : AHEAD;         /* of stream_rls */
    named_file *const file = must_alloc(NULL, FILES * sizeof *file);
    for (int i = 0; i < files; i++) {
        named_file *const f = &file[i];
        const char *const name = args_has(f->key = of[i].key) ? args_text(f->key) : "";
        char path[MAX_PATH];
        if (snprintf(path, sizeof path, "%s%s", name, *name ? of[i].suffix : "") >= MAX_PATH)
            die("%s: the name is too long", name);
        follow_links(path, f->path);
        f->standard = (i == INPUT || i == PREDICTIONS) && strcmp(name, "-") == 0;
        f->found = (f->standard ? fstat(i == INPUT ? STDIN_FILENO : STDOUT_FILENO, &f->stat)
                                : stat(f->path, &f->stat)) == 0;
        for (int j = 0; j < i && i >= SAVE && *name; j++) {
            char expected[MAX_PATH + 80];
            /* save= may be load= */
            if ((i == SAVE && j == LOAD) || !*file[j].path || !same_file(f, &file[j])) continue;
            snprintf(expected, sizeof expected, "a file of its own: %s is that of %s= as well",
                     f->path, file[j].key);
            args_refuse(f->key, expected);
        }
    }
    if (*file[SAVE].path) check_save(&file[SAVE]);
    free(file);
}

FILE *predictions_open(void)
{
    const char *const path = args_text("predictions");
    if (strcmp(path, "-") != 0) return *path ? open_file(path, "a") : NULL;
    FILE *const f = fdopen(dup(STDOUT_FILENO), "w");
    if (!f || dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        die("cannot open standard output: %s", strerror(errno));
    return f;
}

void predictions_clear(FILE *f)
{
    const char *const path = args_text("predictions");
    struct stat file;
    if (strcmp(path, "-") != 0 && fstat(fileno(f), &file) == 0 && S_ISREG(file.st_mode) &&
        ftruncate(fileno(f), 0) != 0)
        die("cannot write %s: %s", path, strerror(errno));
}
