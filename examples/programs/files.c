/* files.c: the out folder and what is in it; see files.h.
 *
 * run.txt holds the arguments of a run, one a line (settings=run.txt takes them), and as comments
 * the version, the ISA level, the command, every setting, and what a resumed run does otherwise
 * than before. */
#include "files.h"
#include "args.h"
#include "errors.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define RUN "run.txt"
static int begun, checked;

/* ---- what a run has made, until there is a result ---- */

typedef struct named { char *name; int fd; } named;    /* fd: of a file, as it was opened; or -1 */
typedef struct names { named *at; int64_t count; } names;
static names files, folders, stale;    /* made here, in this order; of earlier runs, to go */
static int kept;                       /* there is a result */

static void undo(void);

static void add_name(names *n, const char *name)
{
    static int told;
    if (!told++) atexit(undo);
    n->at = must_alloc(n->at, (size_t)(n->count + 1) * sizeof *n->at);
    n->at[n->count] = (named){must_alloc(NULL, strlen(name) + 1), -1};
    strcpy(n->at[n->count++].name, name);
}

static void forget(names *n)
{
    while (n->count-- > 0) {
        free(n->at[n->count].name);
        if (n->at[n->count].fd >= 0) close(n->at[n->count].fd);
    }
    free(n->at);
    *n = (names){0};
}

/* Of a file that this run made, what is opened to write to it: the copy of its descriptor knows
 * where the writing has come to, and that no other file is taken for this one. */
static void add_file(const char *name, FILE *f, int is_new)
{
    int64_t i = 0;
    while (i < files.count && strcmp(files.at[i].name, name) != 0) i++;
    if (i == files.count && !is_new) return;
    if (i == files.count) add_name(&files, name);
    if (files.at[i].fd >= 0) close(files.at[i].fd);
    files.at[i].fd = fcntl(fileno(f), F_DUPFD_CLOEXEC, 0);
}

/* It has that name still, and ends where this run stopped writing: nobody else wrote to it. */
static int is_ours(const named *file)
{
    struct stat now, made;
    return lstat(file->name, &now) == 0 && fstat(file->fd, &made) == 0 &&
           now.st_dev == made.st_dev && now.st_ino == made.st_ino &&
           lseek(file->fd, 0, SEEK_CUR) == made.st_size;
}

/* At the end: of a run that failed before its first result nothing stays, so that the corrected
 * command finds things as this one did. Links, and what others wrote, do stay. */
static void undo(void)
{
    if (failing() && !kept) {
        for (int64_t i = files.count; i > 0; i--)
            if (is_ours(&files.at[i - 1])) unlink(files.at[i - 1].name);
        for (int64_t i = folders.count; i > 0; i--) rmdir(folders.at[i - 1].name);
    }
    forget(&files), forget(&folders), forget(&stale);
}

void out_keep(void) { kept = 1; }

void out_discard(const char *path) { add_name(&stale, path); }

/* What is in the folder of `path` stays there when the power goes. Folders that cannot be synced
 * are no failure. */
static void sync_folder_of(const char *path)
{
    char folder[MAX_PATH];
    const char *const slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash + 1 - path) : 1,
             slash ? path : ".");
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return;
    fsync(fd);
    close(fd);
}

/* A folder with its parents. */
static void make_folder(const char *path)
{
    char part[MAX_PATH];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part || !*path)
        args_refuse("out", "the name of a folder");
    for (char *c = part + 1;; c++) {
        const char kept = *c;
        if (kept && kept != '/') continue;
        *c = 0;
        if (mkdir(part, 0777) == 0) add_name(&folders, part), sync_folder_of(part);
        else if (errno != EEXIST) die("out: cannot make %s: %s", part, strerror(errno));
        if (!kept) break;
        *c = kept;
    }
}

void out_path(const char *file, char *path)
{
    if (snprintf(path, MAX_PATH, "%s/%s", args_text("out"), file) >= MAX_PATH)
        die("out: the name is too long");
}

void follow_links(const char *path, char *out)
{
    char link[MAX_PATH];
    snprintf(out, MAX_PATH, "%s", path);
    for (int i = 0; i < 40; i++) {
        const ssize_t n = readlink(out, link, sizeof link);
        const char *const slash = strrchr(out, '/');
        const size_t folder = n > 0 && link[0] != '/' && slash ? (size_t)(slash + 1 - out) : 0;
        if (n < 0 || folder + (size_t)n >= MAX_PATH) return; /* no link; opening it will say what is
                                                                wrong */
        memcpy(out + folder, link, (size_t)n);
        out[folder + (size_t)n] = 0;
    }
}

void discard_file(const char *path)
{
    char named[MAX_PATH];
    struct stat s;
    follow_links(path, named);
    if (lstat(named, &s) == 0 && S_ISREG(s.st_mode)) unlink(named);    /* no device behind a link */
}

void spare_input(const char *path)
{
    char expected[MAX_PATH + 80];
    const char *const key = args_reads(path);
    if (!key) return;
    snprintf(expected, sizeof expected, "a file that is only read: this run writes %s", path);
    args_refuse(key, expected);
}

/* Whether a file is new is known by making it: where a link leads, the link stays the user's. */
FILE *open_file(const char *path, const char *mode)
{
    char name[MAX_PATH];
    if (*mode != 'r' || mode[1]) spare_input(path);
    follow_links(path, name);
    const int made = *mode == 'r' || kept
                         ? -1
                         : open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    FILE *f = made >= 0 ? fdopen(made, mode) : fopen(path, mode);
    if (!f) die("cannot open %s: %s", path, strerror(errno));
    if (*mode != 'r' && !kept) add_file(name, f, made >= 0);
    return f;
}

int flushed(FILE *f) { return fflush(f) == 0 && !ferror(f); }

void flush_file(FILE *f, const char *path)
{
    if (!flushed(f)) die("cannot write %s: %s", path, strerror(errno));
}

void keep_rows(FILE *f, const char *path)
{
    flush_file(f, path);
    out_keep();
}

static void finish_file(FILE *f, const char *path)
{
    char named[MAX_PATH];
    flush_file(f, path);
    if (fsync(fileno(f)) != 0 && (errno == EIO || errno == ENOSPC || errno == EDQUOT))
        die("cannot write %s: %s", path, strerror(errno));
    if (fclose(f) != 0) die("cannot write %s: %s", path, strerror(errno));
    follow_links(path, named);
    sync_folder_of(named);
}

void close_file(FILE *f, const char *path)
{
    finish_file(f, path);
    out_keep();
}

/* ---- a run ---- */

/* An empty file is what a full disk left of a run that never began. */
static int holds_run(void)
{
    char path[MAX_PATH];
    struct stat s;
    out_path(RUN, path);
    return stat(path, &s) == 0 && s.st_size > 0;
}

static int goes_on(void)
{
    return (args_has("resume") && *args_text("resume")) || (args_has("load") && *args_text("load"));
}

/* The first of the default folder and "default.2", "default.3", ... without a run. */
static void number_folder(void)
{
    static char numbered[MAX_PATH];
    const char *const first = args_text("out");
    for (int i = 2; holds_run(); i++) {
        if (snprintf(numbered, sizeof numbered, "%s.%d", first, i) >= MAX_PATH)
            die("out: the name is too long");
        args_default("out", numbered);
    }
    note("%s holds a run already: this one goes to %s", first, numbered);
}

void out_check(void)
{
    char path[MAX_PATH], expected[MAX_PATH + 100];
    checked = 1;
    if (args_int("overwrite", 0, 1) || goes_on() || !*args_text("out") || !holds_run()) return;
    if (!args_given("out")) {
        number_folder();
        return;
    }
    out_path(RUN, path);
    const char *const more = args_has("load")     ? ", or load= to go on"
                             : args_has("resume") ? ", or resume= to go on"
                                                  : "";
    snprintf(expected, sizeof expected,
             "a folder without a run: %s is there; another out=, overwrite=1%s", path, more);
    args_refuse("out", expected);
}

/* Lines of the log that came before there was a run.txt. */
static names lines;

static void write_line(FILE *f, const char *line)
{
    fprintf(f, "# went on with other settings: %s\n", line);
}

void out_begin(mesaopt_ctx *ctx)
{
    char path[MAX_PATH];
    int32_t isa = 0;
    if (begun) return;
    out_check();                       /* another run may have begun there in the meantime */
    make_folder(args_text("out"));
    out_path(RUN, path);
    TRY(ctx, mesaopt_ctx_isa(ctx, &isa));
    FILE *f = open_file(path, "w");
    fprintf(f,
            "# Arguments of a run: settings=%s repeats it, bit for bit. Behind # stands all else "
            "as it was.\n# %s\n# command:",
            RUN, mesaopt_build_info());
    args_command(f);
    fprintf(f, "\nisa=%s\n", mesaopt_settings_word(MESAOPT_KEY_ISA, isa));
    args_write(f);
    for (int64_t i = 0; i < lines.count; i++) write_line(f, lines.at[i].name);
    forget(&lines);
    finish_file(f, path);
    begun = 1;
    for (int64_t i = 0; i < stale.count; i++) discard_file(stale.at[i].name);
}

void take_log(const char *line, void *user)
{
    char path[MAX_PATH];
    (void)user;
    if (!checked) return;              /* what a context says of itself */
    note("%s", line);
    if (!begun) {
        add_name(&lines, line);
        return;
    }
    out_path(RUN, path);
    FILE *f = open_file(path, "a");
    write_line(f, line);
    finish_file(f, path);
}
