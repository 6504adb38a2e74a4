/* lines.c: lines of a file or a pipe, in memory that depends on the longest one only; see rows.h.
 */
#include "common.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

enum { FIRST_ROOM = 1 << 18 };
static volatile sig_atomic_t stopped;

static void take_signal(int number) { stopped = number; }

int rows_stopped(void) { return stopped; }

/* Waits for text or a signal. A signal between the look at `stopped` and the wait is not lost: it
 * is let through in pselect only. */
static int wait_for_text(int file)
{
    sigset_t block, before;
    fd_set files;
    FD_ZERO(&files);
    FD_SET(file, &files);
    sigemptyset(&block);
    sigaddset(&block, SIGINT);
    sigaddset(&block, SIGTERM);
    sigprocmask(SIG_BLOCK, &block, &before);
    const int ready = !stopped && pselect(file + 1, &files, NULL, NULL, NULL, &before) > 0;
    sigprocmask(SIG_SETMASK, &before, NULL);
    return ready;
}

int lines_more(row_reader *r)
{
    memmove(r->text, r->text + r->from, r->to - r->from);
    r->to -= r->from;
    r->from = 0;
    if (r->to + 1 >= r->room) r->text = must_alloc(r->text, r->room *= 2);
    while (!r->ended && !stopped) {
        if (!wait_for_text(r->file)) continue;
        const ssize_t n = read(r->file, r->text + r->to, r->room - r->to - 1);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) die("cannot read %s: %s", r->path, strerror(errno));
        r->to += (size_t)n;
        r->ended = n == 0;
        break;
    }
    r->text[r->to] = 0; /* ends the last number of a text without a last line end */
    return !r->ended && !stopped;
}

char *lines_end(const row_reader *r, size_t *next)
{
    char *const start = r->text + r->from, *end = memchr(start, r->line_mark, r->to - r->from);
    if (!end && (!r->ended || r->from == r->to)) return NULL;
    *next = end ? (size_t)(end - r->text) + 1 : r->to;
    if (!end) end = r->text + r->to;
    return r->line_mark == '\n' && end > start && end[-1] == '\r' ? end - 1 : end;
}

/* Ends the program when the first bytes are those of something else than UTF-8 text. */
static void check_encoding(const row_reader *r)
{
    static const struct {
        const char *bytes, *name, *instead;
    } other[] = {{"\xff\xfe\0\0", "UTF-32", "UTF-8 (iconv -f UTF-32 -t UTF-8)"},
                 {"\0\0\xfe\xff", "UTF-32", "UTF-8 (iconv -f UTF-32 -t UTF-8)"},
                 {"\xff\xfe", "UTF-16", "UTF-8 (iconv -f UTF-16 -t UTF-8)"},
                 {"\xfe\xff", "UTF-16", "UTF-8 (iconv -f UTF-16 -t UTF-8)"},
                 {"\x1f\x8b", "compressed by gzip", "text (gunzip)"},
                 {"PK\3\4", "a zip archive, perhaps a spreadsheet", "text, such as CSV"}};
    const char *const c = r->text;
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        const size_t n = i < 2 || other[i].bytes[0] == 'P' ? 4 : 2;
        if (r->to >= n && memcmp(c, other[i].bytes, n) == 0)
            die("%s: %s, expected %s", r->path, other[i].name, other[i].instead);
    }
    if (r->to >= 4 && !c[0] != !c[1] && !c[0] == !c[2] && !c[1] == !c[3])
        die("%s: UTF-16 without a byte order mark, expected UTF-8 (iconv -f UTF-16%s -t UTF-8)",
            r->path, c[0] ? "LE" : "BE");
}

void lines_open(row_reader *r, const char *path)
{
    const struct sigaction action = {.sa_handler = take_signal,
                                     .sa_flags = SA_RESETHAND | SA_RESTART};
    const int pipe = strcmp(path, "-") == 0;
    *r = (row_reader){.path = pipe ? "standard input" : path,
                      .line_mark = '\n',
                      .file = pipe ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)};
    if (r->file < 0) die("cannot open %s: %s", path, strerror(errno));
    r->text = must_alloc(NULL, r->room = FIRST_ROOM);
    r->text[0] = 0;
    sigaction(SIGINT, &action, &r->before[0]); /* a second Ctrl-C ends the program at once */
    sigaction(SIGTERM, &action, &r->before[1]);
    size_t line = 0;
    do line = strcspn(r->text, "\r\n"); /* what ends the first line; behind CR a byte more */
    while ((line == r->to || (r->text[line] == '\r' && line + 1 == r->to)) && lines_more(r));
    check_encoding(r);
    if (r->text[line] == '\r' && r->text[line + 1] != '\n') r->line_mark = '\r';
    if (r->to >= 3 && memcmp(r->text, "\xef\xbb\xbf", 3) == 0) r->from = 3; /* a byte order mark */
}
