/* cells.c: cells of a line of text, and the numbers in them; see cells.h. */
#include "cells.h"
#include "common.h"
#include <math.h>
#include <string.h>
#include <strings.h>

const double LARGEST_CELL = 1e50;

char *skip_blanks(const row_reader *r, char *c)
{
    while (*c == ' ' || (*c == '\t' && r->separator != '\t')) c++;
    return c;
}

/* The cell at *c, which moves behind its separator; 0: that was the last one of the line. */
int next_cell(const row_reader *r, char **c, const char *end, cell *out)
{
    char *p = skip_blanks(r, *c), *close;
    out->quoted = p < end && *p == '"';
    out->text = p + out->quoted;
    if (out->quoted) {
        for (p++; p < end && (*p != '"' || p[1] == '"'); p++) p += *p == '"';
        close = p < end ? p : (char *)end;
        out->broken = p >= end;
        p = p < end ? skip_blanks(r, p + 1) : (char *)end;
        out->broken |= p < end && *p != r->separator && !(r->separator == ' ' && p > close + 1);
    } else {
        out->broken = 0;
    }
    if (!out->quoted || out->broken)
        while (p < end && *p != r->separator && !(r->separator == ' ' && *p == '\t')) p++;
    if (!out->quoted)
        for (close = p; close > out->text && (close[-1] == ' ' || close[-1] == '\t');) close--;
    out->length = (int)(close - out->text);
    *c = r->separator == ' ' ? skip_blanks(r, p) : p + 1;
    return *c < end || (r->separator != ' ' && *c == end);
}

static int is_gap(const cell *c)
{
    static const char *const words[] = {"NA", "NaN", "-NaN", "N/A", "#N/A", "<NA>", "null", "none"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i]) == (size_t)c->length &&
            strncasecmp(words[i], c->text, (size_t)c->length) == 0)
            return 1;
    return c->length == 0;
}

static int is_infinite(const cell *c)
{
    const int sign = *c->text == '-' || *c->text == '+', n = c->length - sign;
    return (n == 3 || n == 8) && strncasecmp(c->text + sign, "infinity", (size_t)n) == 0;
}

enum kind cell_kind(const row_reader *r, const cell *c, double *x, char *decimal)
{
    char *const comma = r->separator == ',' ? NULL : memchr(c->text, ',', (size_t)c->length);
    const char *stop;
    if (c->broken) return TEXT;
    if (is_gap(c)) return GAP;
    if (comma) *comma = memchr(c->text, '.', (size_t)c->length) ? ',' : '.';
    stop = decimal_read(c->text, x);
    if (!stop && is_infinite(c)) return LARGE;
    const int mark = comma ? ',' : memchr(c->text, '.', (size_t)c->length) ? '.' : 0;
    if (comma) *comma = ',';
    if (stop != c->text + c->length) return TEXT;
    if (mark && r->separator != ',' && *decimal && *decimal != mark) return OTHER_DECIMAL;
    if (mark) *decimal = (char)mark;
    return fabs(*x) <= LARGEST_CELL ? NUMBER : LARGE;
}

int64_t count_cells(const row_reader *r, char *c, const char *end)
{
    int64_t n = 1;
    for (cell cell; next_cell(r, &c, end, &cell);) n++;
    return n;
}
