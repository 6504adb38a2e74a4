/* rows.c: reads a table of numbers from a file or a pipe, row by row, in memory that depends on the longest line only; see common.h.
 *
 * What a read() brought is taken without being copied. A line that will not do is noticed at once and explained later (rows_fill), when the caller has
 * dealt with the rows before it. */
#include "common.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

enum { FIRST_ROOM = 1 << 18, SHOWN = 40 };
static const double LARGEST = 1e50;                     /* beyond, squares of squares would be infinite */
static volatile sig_atomic_t stopped;
static const char *ignore_key;                          /* own key that leaves columns out */

static void take_signal(int number) { stopped = number; }

int rows_stopped(void) { return stopped; }

/* ---- text ---- */

/* Waits for text or a signal. A signal between the look at `stopped` and the wait is not lost: it is let through in pselect only. */
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

/* Some more text behind what there is; 0: the end, or a signal. */
static int read_more(row_reader *r)
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
    r->text[r->to] = 0;                                 /* ends the last number of a text without a last line end */
    return !r->ended && !stopped;
}

/* End of the line at `from`, its line end not included; NULL while it is not all there. */
static char *line_end(const row_reader *r, size_t *next)
{
    char *const start = r->text + r->from, *end = memchr(start, '\n', r->to - r->from);
    if (!end && (!r->ended || r->from == r->to)) return NULL;
    *next = end ? (size_t)(end - r->text) + 1 : r->to;
    if (!end) end = r->text + r->to;
    return end > start && end[-1] == '\r' ? end - 1 : end;
}

static char *skip_blanks(const row_reader *r, char *c)
{
    while (*c == ' ' || (*c == '\t' && r->separator != '\t')) c++;
    return c;
}

/* ---- cells ---- */

typedef struct cell { char *text; int length; } cell;  /* without quotes and the blanks around it */

/* The cell at *c, which moves behind its separator; 0: that was the last one of the line. */
static int next_cell(const row_reader *r, char **c, const char *end, cell *out)
{
    char *p = skip_blanks(r, *c), *close;
    const int quoted = *p == '"';
    out->text = p + quoted;
    if (quoted) {
        for (p++; p < end && (*p != '"' || p[1] == '"'); p++) p += *p == '"';
        close = p < end ? p++ : p;
        while (p < end && *p != r->separator) p++;
    } else {
        while (p < end && *p != r->separator) p++;
        for (close = p; close > out->text && (close[-1] == ' ' || close[-1] == '\t');) close--;
    }
    out->length = (int)(close - out->text);
    *c = r->separator == ' ' ? skip_blanks(r, p) : p + 1;
    return *c < end || (r->separator != ' ' && *c == end);
}

static int is_number(const cell *c)
{
    double x;
    char *end;
    const char *stop = decimal_read(c->text, &x);
    if (!stop) strtod(c->text, &end), stop = end;       /* nan and inf are no names */
    return c->length > 0 && stop == c->text + c->length;
}

/* How many cells, and how many of those with a place are numbers, or empty. */
static int64_t count_cells(const row_reader *r, char *c, const char *end, int64_t *numbers)
{
    int64_t n = 0;
    cell cell;
    *numbers = 0;
    for (int more = 1; more; n++) {
        more = next_cell(r, &c, end, &cell);
        if (!r->place || (n < r->columns && r->place[n] >= 0)) *numbers += cell.length == 0 || is_number(&cell);
    }
    return n;
}

/* Column i for messages: its number, and its name when it has one. */
static const char *column_text(const row_reader *r, int64_t i, char *text, size_t room)
{
    snprintf(text, room, r->named ? "column %lld (%.40s)" : "column %lld", (long long)i + 1, r->name[i]);
    return text;
}

/* Column that the next word of a list names, by number or name; -1 when there is none. */
static int64_t column_of(const row_reader *r, const char **list)
{
    const int n = (int)strcspn(*list, ",");
    const char *word = *list;
    char *end;
    *list += n + (word[n] == ',');
    const long long number = strtoll(word, &end, 10);
    if (n > 0 && end == word + n) return number >= 1 && number <= r->columns ? number - 1 : -1;
    for (int64_t i = 0; i < r->columns; i++)
        if (n > 0 && (int)strlen(r->name[i]) == n && memcmp(r->name[i], word, (size_t)n) == 0) return i;
    return -1;
}

/* "; ignore=NAME leaves the column out", by number where the name would need quotes or column_of find another column. */
static const char *leave_out_text(const row_reader *r, int64_t i, char *text, size_t room)
{
    const char *word = r->name[i];
    const size_t n = strlen(word);
    if (!r->named || n > 80 || strcspn(word, " \t,'\"\\$`&;|<>()*?[]#~!{}") < n || column_of(r, &word) != i)
        snprintf(text, room, "; %s=%lld leaves the column out", ignore_key, (long long)i + 1);
    else
        snprintf(text, room, "; %s=%s leaves the column out", ignore_key, r->name[i]);
    return text;
}

/* Ends the program with what is wrong with the line at `from`. */
static _Noreturn void explain(const row_reader *r)
{
    size_t next;
    int64_t numbers;
    char *c = r->text + r->from, *const end = line_end(r, &next);
    const long long line = (long long)r->line + 1;
    if (memchr(c, 0, (size_t)(end - c))) die("%s:%lld: a zero byte, expected text", r->path, line);
    if (r->blank) die("%s:%lld: an empty line, expected %lld numbers", r->path, (long long)r->blank, (long long)r->columns);
    const int64_t cells = count_cells(r, c, end, &numbers);
    if (cells != r->columns) die("%s:%lld: %lld columns, expected %lld as in the first line", r->path, line, (long long)cells, (long long)r->columns);
    for (int64_t i = 0; i < cells; i++) {
        cell cell;
        double x = 0;
        char column[80], leave_out[160];
        next_cell(r, &c, end, &cell);
        if (r->place[i] < 0) continue;
        column_text(r, i, column, sizeof column);
        leave_out_text(r, i, leave_out, sizeof leave_out);
        if (cell.length == 0) die("%s:%lld: %s is empty, expected a number%s", r->path, line, column, line == 1 ? leave_out : "");
        const int shown = cell.length > SHOWN ? SHOWN : cell.length;
        if (decimal_read(cell.text, &x) != cell.text + cell.length)
            die("%s:%lld: '%.*s' in %s, expected a finite number%s", r->path, line, shown, cell.text, column, is_number(&cell) ? "" : leave_out);
        if (!(fabs(x) <= LARGEST)) die("%s:%lld: '%.*s' in %s, expected at most %g in size", r->path, line, shown, cell.text, column, LARGEST);
    }
    die("%s:%lld: quoted numbers, expected them without quotes", r->path, line);
}

/* ---- the first line ---- */

static char *copy_text(const char *text, int length)
{
    char *copy = must_alloc(NULL, (size_t)length + 1);
    memcpy(copy, text, (size_t)length);
    copy[length] = 0;
    return copy;
}

/* What separates cells: the first of these that stands outside quotes. */
static char separator_of(const char *c, const char *end)
{
    for (const char *s = "\t;, "; *s; s++) {
        int quoted = 0;
        for (const char *p = c; p < end; p++) {
            quoted ^= *p == '"';
            if (!quoted && *p == *s) return *s;
        }
    }
    return ',';
}

/* Cells of the first line as names, whether they are or not. */
static void take_names(row_reader *r, char *c, const char *end)
{
    int64_t numbers;
    cell cell;
    r->columns = count_cells(r, c, end, &numbers);
    r->name = must_alloc(NULL, (size_t)r->columns * sizeof *r->name);
    r->place = must_alloc(NULL, (size_t)r->columns * sizeof *r->place);
    for (int64_t i = 0; i < r->columns; i++) {
        next_cell(r, &c, end, &cell);
        r->name[i] = copy_text(cell.text, cell.length);
        r->place[i] = 0;
    }
}

/* Names are text in all columns that are not left out; a first line with a number or without text is one of numbers. */
static void first_line(row_reader *r, const char *ignore)
{
    size_t next = 0;
    int64_t numbers = 0;
    char *end;
    while (!(end = line_end(r, &next)))
        if (!read_more(r) && !line_end(r, &next)) die("%s: %s, expected rows of numbers", r->path, stopped ? "stopped before the first line" : "empty");
    if (r->to - r->from >= 3 && memcmp(r->text, "\xef\xbb\xbf", 3) == 0) r->from = 3;  /* a byte order mark */
    char *c = r->text + r->from;
    const int hash = *c == '#';                        /* as NumPy marks a line of names */
    c = skip_blanks(r, c + hash);
    if (c == end || memchr(c, 0, (size_t)(end - c))) die("%s:1: %s, expected names or numbers", r->path, c == end ? "an empty line" : "a zero byte");
    r->separator = separator_of(c, end);
    take_names(r, c, end);
    for (const char *list = args_text(ignore); *list;) {
        const int64_t i = column_of(r, &list);
        if (i < 0) args_refuse(ignore, "names or numbers of columns, such as time,3");
        r->place[i] = -1;
    }
    for (int64_t i = 0; i < r->columns; i++) r->used += r->place[i] >= 0;
    if (r->used == 0) args_refuse(ignore, "some columns less");
    count_cells(r, c, end, &numbers);
    r->named = hash || numbers == 0;
    if (r->named) r->from = next, r->line++;
    for (int64_t i = 0; i < r->columns && !r->named; i++) {
        char number[32];
        free(r->name[i]);
        r->name[i] = copy_text(number, snprintf(number, sizeof number, "%lld", (long long)i + 1));
    }
}

void rows_open(row_reader *r, const char *path, const char *ignore)
{
    struct sigaction action = {.sa_handler = take_signal, .sa_flags = SA_RESETHAND | SA_RESTART};
    const int pipe = strcmp(path, "-") == 0;
    *r = (row_reader){.path = pipe ? "standard input" : path, .separator = ',', .file = pipe ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)};
    if (r->file < 0) die("cannot open %s: %s", path, strerror(errno));
    r->text = must_alloc(NULL, r->room = FIRST_ROOM);
    sigaction(SIGINT, &action, NULL);                   /* a second Ctrl-C ends the program at once */
    sigaction(SIGTERM, &action, NULL);
    ignore_key = ignore;
    first_line(r, ignore);
}

int64_t rows_first(row_reader *r, const char *list)
{
    int64_t first = 0, next = 0;
    for (int64_t i = 0; i < r->columns; i++) r->place[i] = r->place[i] < 0 ? -1 : r->columns;
    for (const char *text = args_text(list); *text; first++) {
        const int64_t i = column_of(r, &text);
        if (i < 0 || r->place[i] != r->columns) args_refuse(list, "different columns that are not left out, by name or number, such as a,b or 1,3");
        r->place[i] = next++;
    }
    for (int64_t i = 0; i < r->columns; i++)
        if (r->place[i] == r->columns) r->place[i] = next++;
    return first ? first : r->used;
}

/* ---- rows ---- */

/* The numbers of a line; 0 when it will not do. */
static int read_line(const row_reader *r, char *c, const char *end, double *row)
{
    const int spaces = r->separator == ' ';
    cell skipped;
    for (int64_t i = 0;;) {
        int more;
        c = skip_blanks(r, c);
        if (i == r->columns) return 0;
        if (r->place[i] < 0) {
            more = next_cell(r, &c, end, &skipped);
        } else {
            double x;
            const char *stop = decimal_read(c, &x);
            if (!stop || !(fabs(x) <= LARGEST)) return 0;
            row[r->place[i]] = x;
            char *behind = c + (stop - c);
            c = skip_blanks(r, behind);
            more = c < end;
            if (more && (spaces ? c == behind : *c != r->separator)) return 0;
            c += !spaces;
        }
        i++;
        if (!more) return i == r->columns;
    }
}

int rows_next(row_reader *r, double *row)
{
    size_t next;
    for (char *end; !r->bad && (end = line_end(r, &next)) != NULL;) {
        char *c = r->text + r->from;
        const int empty = skip_blanks(r, c) == end;
        r->bad = !empty && (r->blank || !read_line(r, c, end, row));
        if (r->bad) break;
        r->from = next;
        r->line++;
        if (!empty) return 1;
        if (!r->blank) r->blank = r->line;              /* at the end of a file there may be some */
    }
    return 0;
}

int rows_fill(row_reader *r)
{
    if (r->bad) explain(r);
    size_t next;
    return !r->ended && !stopped && (read_more(r) || line_end(r, &next) != NULL) && !stopped;
}

void rows_close(row_reader *r)
{
    if (r->file != STDIN_FILENO) close(r->file);
    for (int64_t i = 0; i < r->columns; i++) free(r->name[i]);
    free(r->name);
    free(r->place);
    free(r->text);
}
