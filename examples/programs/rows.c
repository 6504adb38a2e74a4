/* rows.c: rows of numbers from lines of text; see rows.h.
 *
 * What a read() brought is taken without being copied. Lines of plain numbers go the short way
 * (read_plain); quotes, decimal commas and gaps the longer one (read_cells). A line that will not
 * do is noticed at once and explained later (rows_fill), when the caller has dealt with the rows
 * before it. */
#include "cells.h"
#include "common.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what is wrong with a line ---- */

/* Ends the program for the cell of column i, unless it will do. */
static void explain_cell(const row_reader *r, int64_t i, const cell *c, long long line,
                         char *decimal)
{
    char column[80], leave_out[200];
    double x;
    const int shown = c->length > SHOWN ? SHOWN : c->length;
    const enum kind kind = cell_kind(r, c, &x, decimal);
    if (kind == NUMBER || (kind == GAP && r->missing != REFUSE)) return;
    column_text(r, i, column, sizeof column);
    leave_out_text(r, i, leave_out, sizeof leave_out);
    if (c->broken)
        die("%s:%lld: '%.*s' in %s: a quote without its end", r->path, line, shown, c->text,
            column);
    if (kind == OTHER_DECIMAL)
        die("%s:%lld: '%.*s' in %s, expected a decimal %s as in the numbers before", r->path, line,
            shown, c->text, column, *decimal == ',' ? "comma" : "point");
    if (kind == LARGE)
        die("%s:%lld: '%.*s' in %s, expected at most %g in size", r->path, line, shown, c->text,
            column, LARGEST_CELL);
    if (kind == TEXT)
        die("%s:%lld: '%.*s' in %s, expected a finite number%s", r->path, line, shown, c->text,
            column, leave_out);
    static const char *const choices[] = {
        "missing=skip leaves such rows out, missing=hold takes the value before",
        "missing=skip leaves such rows out, missing=hold takes the value before, missing=output "
        "learns nothing for the column"};
    const char *const instead = choices[r->may_output];
    if (line > 1) *leave_out = 0;
    if (c->length)
        die("%s:%lld: '%.*s' in %s, expected a number%s; %s", r->path, line, shown, c->text, column,
            leave_out, instead);
    die("%s:%lld: %s is empty, expected a number%s; %s", r->path, line, column, leave_out, instead);
}

/* Ends the program with what is wrong with the line at `from`. */
static _Noreturn void explain(const row_reader *r)
{
    size_t next;
    cell cell;
    char *c = r->text + r->from, *const end = lines_end(r, &next), decimal = r->decimal;
    const long long line = (long long)r->line + 1, columns = (long long)r->columns;
    if (memchr(c, 0, (size_t)(end - c))) die("%s:%lld: a zero byte, expected text", r->path, line);
    if (r->blank)
        die("%s:%lld: an empty line, expected %lld numbers%s", r->path, (long long)r->blank,
            columns, args_has("sequences") ? "; sequences=1: it ends a sequence" : "");
    const long long cells = (long long)count_cells(r, c, end);
    if (cells != columns)
        die("%s:%lld: %lld columns, expected %lld as in the first line; between columns: %s, "
            "unless delimiter= says otherwise",
            r->path, line, cells, columns,
            r->separator == '\t'  ? "tabs"
            : r->separator == ' ' ? "blanks"
                                  : (const char[]){'\'', r->separator, '\'', 0});
    for (int64_t i = 0; i < columns; i++) {
        next_cell(r, &c, end, &cell);
        if (r->place[i] >= 0) explain_cell(r, i, &cell, line, &decimal);
        else if (cell.broken)
            die("%s:%lld: a quote without its end in column %lld", r->path, line, (long long)i + 1);
    }
    die("%s:%lld: not as the lines before", r->path, line);
}

/* ---- rows ---- */

/* With the next row. Nothing is held from one sequence to the next. */
static void begin_sequence(row_reader *r)
{
    r->begins = 1;
    for (int64_t j = 0; j < r->used; j++) r->last[j] = NAN;
}

void rows_open(row_reader *r, const char *path, const char *id, int outputs)
{
    static const char *const words[] = {"refuse", "skip", "hold", "output"};
    const int choices = outputs ? 4 : 3;
    lines_open(r, path);
    columns_open(r, id);
    const char *const missing = args_text("missing");
    while (r->missing < choices && strcmp(missing, words[r->missing]) != 0) r->missing++;
    if (r->missing == choices)
        args_refuse("missing",
                    outputs ? "refuse, skip, hold or output" : "refuse, skip or hold");
    r->may_output = outputs;
    r->outputs = r->missing == OUTPUT;
    r->last = must_alloc(NULL, (size_t)r->used * sizeof(double));
    r->gap = must_alloc(NULL, (size_t)r->used);
    memset(r->gap, 0, (size_t)r->used);
    begin_sequence(r);
}

/* The numbers of a line without quotes, gaps and decimal commas; 0 when it is none. */
static int read_plain(const row_reader *r, char *c, const char *end, double *row, cell *id)
{
    const int spaces = r->separator == ' ';
    cell left_out;
    for (int64_t i = 0;;) {
        int more;
        c = skip_blanks(r, c);
        if (i == r->columns) return 0;
        if (r->place[i] < 0) {
            more = next_cell(r, &c, end, &left_out);
            if (left_out.broken) return 0;
            if (i == r->id) *id = left_out;
        } else {
            double x;
            const char *stop = decimal_read(c, &x);
            if (!stop || !(fabs(x) <= LARGEST_CELL)) return 0;
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

/* The numbers of any line, NaN for gaps; 0 when it will not do. */
static int read_cells(row_reader *r, char *c, const char *end, double *row, cell *id)
{
    char decimal = r->decimal;
    cell cell;
    int more = 1;
    for (int64_t i = 0; more; i++) {
        double x = NAN;
        if (i == r->columns) return 0;
        more = next_cell(r, &c, end, &cell);
        if (cell.broken) return 0;
        if (i == r->id) *id = cell;
        if (r->place[i] >= 0) {
            const enum kind kind = cell_kind(r, &cell, &x, &decimal);
            if (kind != NUMBER && (kind != GAP || r->missing == REFUSE)) return 0;
            row[r->place[i]] = kind == GAP ? NAN : x;
        }
        if (!more && i + 1 != r->columns) return 0;
    }
    r->decimal = decimal;
    return 1;
}

/* Does the row belong to another sequence than the one before it? */
static void follow_id(row_reader *r, const cell *id)
{
    if (r->id < 0 || (r->id_text && strlen(r->id_text) == (size_t)id->length &&
                      memcmp(r->id_text, id->text, (size_t)id->length) == 0))
        return;
    r->id_text = must_alloc(r->id_text, (size_t)id->length + 1);
    memcpy(r->id_text, id->text, (size_t)id->length);
    r->id_text[id->length] = 0;
    begin_sequence(r);
}

/* Is the row one to be given out, its gaps held if asked? */
static int fill_gaps(row_reader *r, double *row)
{
    int64_t gaps = 0, held = 0;
    if (r->missing == REFUSE) return 1;
    for (int64_t j = 0; j < r->used; j++) {
        r->gap[j] = isnan(row[j]) != 0;
        if (r->gap[j] && r->missing != SKIP) row[j] = r->last[j], held += !isnan(row[j]);
        gaps += isnan(row[j]);
        r->last[j] = row[j];
    }
    r->skipped += gaps > 0;
    r->held += gaps ? 0 : held;
    return gaps == 0;
}

/* Takes the line from c to end; 0 when it will not do. *taken: it is a row to be given out. */
static int take_line(row_reader *r, char *c, const char *end, double *row, int *taken)
{
    cell id = {0};
    const int plain = (r->separator == ',' || r->decimal == '.') && read_plain(r, c, end, row, &id);
    if (!plain && !read_cells(r, c, end, row, &id)) return 0;
    follow_id(r, &id);
    *taken = fill_gaps(r, row);
    if (*taken) r->starts = r->begins, r->begins = 0;
    return 1;
}

int rows_next(row_reader *r, double *row)
{
    size_t next;
    for (char *end; !r->bad && (end = lines_end(r, &next)) != NULL;) {
        char *c = r->text + r->from;
        const int empty = skip_blanks(r, c) == end;
        int taken = 0;
        r->bad = !empty && (r->blank || !take_line(r, c, end, row, &taken));
        if (r->bad) break;
        r->from = next;
        r->line++;
        if (taken) return 1;
        if (!empty) continue;
        if (r->sequences && r->id < 0) begin_sequence(r);
        else if (!r->sequences && !r->blank)
            r->blank = r->line; /* at the end of a file there may be some */
    }
    return 0;
}

int rows_fill(row_reader *r)
{
    if (r->bad) explain(r);
    size_t next;
    return !r->ended && !rows_stopped() && (lines_more(r) || lines_end(r, &next) != NULL) &&
           !rows_stopped();
}

void rows_close(row_reader *r)
{
    if (r->skipped)
        note("%s: %lld row%s with gaps left out", r->path, (long long)r->skipped,
             r->skipped == 1 ? "" : "s");
    if (r->held)
        note("%s: %lld gap%s %s", r->path, (long long)r->held, r->held == 1 ? "" : "s",
             r->missing == OUTPUT ? "of columns that had the value before, and learned nothing"
                                  : "filled with the value before");
    sigaction(SIGINT, &r->before[0], NULL), sigaction(SIGTERM, &r->before[1], NULL);
    if (r->file != STDIN_FILENO) close(r->file);
    for (int64_t i = 0; i < r->columns; i++) free(r->name[i]);
    free(r->name);
    free(r->place);
    free(r->last);
    free(r->gap);
    free(r->id_text);
    free(r->text);
}

const char *rows_name(const row_reader *r, int64_t j)
{
    int64_t i = 0;
    while (r->place[i] != j) i++;
    return r->name[i];
}

void rows_write_name(FILE *f, const char *name)
{
    const int quote = strpbrk(name, ",\"\r\n") != NULL;
    if (quote) fputc('"', f);
    for (; *name; name++) fputs(*name == '"' && quote ? "\"\"" : (const char[]){*name, 0}, f);
    if (quote) fputc('"', f);
}
