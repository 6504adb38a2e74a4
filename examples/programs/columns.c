/* columns.c: columns by name and number, and what the first line says of them; see cells.h. */
#include "cells.h"
#include "common.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { LISTED = 1500 }; /* characters of the list of columns in a message */

/* Column i for messages: its number, and its name when it has one. */
const char *column_text(const row_reader *r, int64_t i, char *text, size_t room)
{
    snprintf(text, room, r->named ? "column %lld (%.40s)" : "column %lld", (long long)i + 1,
             r->name[i]);
    return text;
}

/* Column that a word names: by its name, when no other column has it, or by number. -1: there is
 * none; -2: two have the name. */
static int64_t column_named(const row_reader *r, const char *word, int length)
{
    int64_t found = -1;
    char *end;
    for (int64_t i = 0; i < r->columns && length > 0; i++)
        if ((int)strlen(r->name[i]) == length && memcmp(r->name[i], word, (size_t)length) == 0)
            found = found == -1 ? i : -2;
    if (found != -1 || length == 0 || !isdigit((unsigned char)*word)) return found;
    const long long number = strtoll(word, &end, 10);
    return end == word + length && number >= 1 && number <= r->columns ? number - 1 : -1;
}

/* "...columns by name or number; there is no 'x' among 1 (time), 2 (a)". */
static _Noreturn void refuse_column(const row_reader *r, const char *key, const char *word,
                                    int length, int64_t why)
{
    char text[LISTED + 200];
    const char *const count = why == -2 ? "there is more than one" : "there is no";
    int n = snprintf(text, sizeof text, "columns by name or number: %s '%.*s' in %.200s, which has",
                     count, length > SHOWN ? SHOWN : length, word, r->path);
    for (int64_t i = 0; i < r->columns && n < LISTED; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, r->named ? "%s %lld (%.60s)" : "%s %lld",
                      i ? "," : "", (long long)i + 1, r->name[i]);
    if (n >= LISTED) snprintf(text + n, sizeof text - (size_t)n, ", ...");
    args_refuse(key, text);
}

/* The next column of the list of own key `key`; *list moves behind it. */
static int64_t next_column(const row_reader *r, const char *key, const char **list)
{
    const char *const word = *list;
    const int n = (int)strcspn(word, ",");
    const int64_t i = column_named(r, word, n);
    if (i < 0) refuse_column(r, key, word, n, i);
    *list += n + (word[n] == ',');
    return i;
}

/* "; ignore=NAME leaves the column out", by number where the name would need quotes or name another
 * column. */
const char *leave_out_text(const row_reader *r, int64_t i, char *text, size_t room)
{
    const char *const names = r->line == 0 ? ", header=yes takes the first line as names" : "";
    const char *word = r->name[i];
    const size_t n = strlen(word);
    if (!r->named || n > 80 || strcspn(word, " \t,'\"\\$`&;|<>()*?[]#~!{}") < n ||
        column_named(r, word, (int)n) != i)
        snprintf(text, room, "; ignore=%lld leaves the column out%s", (long long)i + 1, names);
    else snprintf(text, room, "; ignore=%s leaves the column out%s", r->name[i], names);
    return text;
}

/* ---- the first line ---- */

/* What own key delimiter says; 0: auto. */
static char told_separator(void)
{
    static const struct {
        const char *word;
        char is;
    } words[] = {{"auto", 0}, {"comma", ','}, {"semicolon", ';'}, {"tab", '\t'}, {"space", ' '}};
    const char *const text = args_text("delimiter");
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(text, words[i].word) == 0) return words[i].is;
    if (!*text || text[1] || isalnum((unsigned char)*text) || strchr("+-.\"#", *text) ||
        *text < ' ')
        args_refuse("delimiter",
                    "auto, comma, semicolon, tab, space or one character that is in no number");
    return *text;
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

/* Could these bytes be UTF-8? (Lead bytes and as many that follow.) */
static int is_utf8(const char *text)
{
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        int n = *c < 0x80                 ? 0
                : *c >= 0xc2 && *c < 0xe0 ? 1
                : (*c & 0xf0) == 0xe0     ? 2
                : *c >= 0xf0 && *c < 0xf5 ? 3
                                          : -1;
        if (n < 0) return 0;
        for (; n > 0; n--)
            if ((*++c & 0xc0) != 0x80) return 0;
    }
    return 1;
}

static char *copy_name(const cell *c)
{
    char *const copy = must_alloc(NULL, (size_t)c->length + 1), *to = copy;
    for (int i = 0; i < c->length; i++) {
        *to++ = c->text[i];
        i += c->quoted && c->text[i] == '"'; /* the second of two */
    }
    *to = 0;
    return copy;
}

/* Cells of the first line as names, whether they are or not. */
static void take_names(row_reader *r, char *c, const char *end)
{
    cell cell;
    r->columns = count_cells(r, c, end);
    r->name = must_alloc(NULL, (size_t)r->columns * sizeof *r->name);
    r->place = must_alloc(NULL, (size_t)r->columns * sizeof *r->place);
    for (int64_t i = 0; i < r->columns; i++) {
        next_cell(r, &c, end, &cell);
        if (cell.broken)
            die("%s:1: a quote without its end in column %lld", r->path, (long long)i + 1);
        r->name[i] = copy_name(&cell);
        r->place[i] = 0;
    }
}

/* Does line 1 name the columns? Text in all that are not left out does, and a # in front of it, as
 * NumPy marks such a line. */
static int are_names(const row_reader *r, char *c, const char *end, int hash)
{
    const char *const told = args_text("header");
    int64_t texts = 0;
    cell cell;
    if (strcmp(told, "auto") != 0 && strcmp(told, "yes") != 0 && strcmp(told, "no") != 0)
        args_refuse("header", "yes, no or auto");
    if (*told != 'a') return *told == 'y';
    for (int64_t i = 0; i < r->columns; i++) {
        char decimal = 0;
        double x;
        next_cell(r, &c, end, &cell);
        texts += r->place[i] >= 0 && cell_kind(r, &cell, &x, &decimal) == TEXT;
    }
    return hash || texts == r->used;
}

static void leave_out(row_reader *r, const char *id)
{
    for (const char *list = args_text("ignore"); *list;)
        r->place[next_column(r, "ignore", &list)] = -1;
    r->sequences = id != NULL;
    r->id = -1;
    if (id && *args_text(id) && strcmp(args_text(id), "0") != 0) {
        const char *list = args_text(id);
        r->place[r->id = next_column(r, id, &list)] = -1;
        if (*list) args_refuse(id, "one column, by name or number");
    }
    for (int64_t i = 0; i < r->columns; i++)
        if (r->place[i] >= 0) r->place[i] = r->used++;
    if (r->used > 0) return;
    say("%s: no column is left of %lld; ignore= leaves some out, and delimiter= says what "
        "separates them", r->path, (long long)r->columns);
    give_up(2);
}

void columns_open(row_reader *r, const char *id)
{
    size_t next = 0;
    char *end = lines_end(r, &next);
    if (!end)
        die("%s: %s, expected rows of numbers", r->path,
            rows_stopped() ? "stopped before the first line" : "empty");
    char *c = r->text + r->from;
    const int hash = *c == '#';
    c = skip_blanks(r, c + hash);
    for (const char *at = c; at < end; at++)
        if ((unsigned char)*at < ' ' && *at != '\t' && *at != '\r')
            die("%s: a control character in its first line, expected a table: names or numbers",
                r->path);
    if (c == end) die("%s:1: an empty line, expected names or numbers", r->path);
    r->separator = told_separator();
    if (!r->separator) r->separator = separator_of(c, end);
    take_names(r, c, end);
    r->named = 1; /* so far */
    leave_out(r, id);
    r->named = are_names(r, c, end, hash);
    if (r->named) r->from = next, r->line++;
    for (int64_t i = 0; i < r->columns; i++) {
        char number[32];
        if (r->named && !is_utf8(r->name[i]))
            die("%s:1: the name of column %lld is not UTF-8, expected UTF-8 (iconv -f LATIN1 -t "
                "UTF-8, perhaps)",
                r->path, (long long)i + 1);
        if (r->named && *r->name[i]) continue;
        free(r->name[i]);
        r->name[i] =
            must_alloc(NULL, (size_t)snprintf(number, sizeof number, "%lld", (long long)i + 1) + 1);
        strcpy(r->name[i], number);
    }
}

int64_t rows_first(row_reader *r, const char *key)
{
    int64_t first = 0, next = 0;
    for (int64_t i = 0; i < r->columns; i++) r->place[i] = r->place[i] < 0 ? -1 : r->columns;
    for (const char *list = args_text(key); *list; first++) {
        const int64_t i = next_column(r, key, &list);
        if (r->place[i] != r->columns)
            args_refuse(
                key,
                "different columns that are not left out, by name or number, such as a,b or 1,3");
        r->place[i] = next++;
    }
    for (int64_t i = 0; i < r->columns; i++)
        if (r->place[i] == r->columns) r->place[i] = next++;
    return first ? first : r->used;
}
