/* rows.h: reads a table of numbers from a text that may never end, row by row. One reader for every
 * program that takes rows.
 *
 * A text is UTF-8 (with a byte order mark or not), its lines end with LF, CRLF or CR. Cells stand
 * between commas, semicolons, tabs, runs of blanks or what delimiter= says, in quotes or not; with
 * another delimiter than the comma, a comma may be the decimal point. */
#ifndef EXAMPLES_ROWS_H
#define EXAMPLES_ROWS_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* Own keys of a program that reads rows; what it does with gaps comes last. */
#define ROWS_TABLE_KEYS \
    {"ignore", "", "columns to leave out, such as a date; names or numbers: a,b or 1,3"}, \
        {"delimiter", "auto", "between cells: auto, comma, semicolon, tab, space or a character"}, \
        {"header", "auto", \
         "does line 1 name the columns: yes, no or auto (yes when it is all text, no when it is " \
         "all numbers)"}
#define ROWS_KEYS \
    ROWS_TABLE_KEYS, \
    { \
        "missing", "refuse", \
            "gaps (empty, NA, NaN, null): refuse, skip (the row) or hold (the value before)" \
    }

typedef struct row_reader {
    const char *path; /* as messages name it */
    int file, ended, bad,
        named;               /* bad: the next line will not do; named: there is a line of names */
    char *text, line_mark;   /* line_mark: what ends a line, '\n' or '\r' */
    char separator, decimal; /* decimal: '.' or ',', 0 until there was one */
    size_t from, to, room;   /* what has been read and not yet taken */
    int64_t line, blank;     /* lines taken; number of the last one, when it was empty */
    int64_t columns, used;
    char **name;           /* of every column; its number when it has none */
    int64_t *place;        /* where its number goes in a row; -1: nowhere */
    int missing;           /* index of the word in refuse, skip, hold, output */
    int outputs, may_output;       /* that is output; is that a choice */
    double *last;          /* hold, output: the latest numbers of a row; NaN: none yet */
    char *gap;             /* likewise: which numbers of the row that was taken are held */
    int64_t skipped, held; /* rows left out, values held */
    int sequences, starts,
        begins;    /* are there several; does the row that was taken start one; does the next one */
    int64_t id;    /* column that names them; -1: blank lines end them */
    char *id_text; /* the present one */
    struct sigaction before[2];    /* on Ctrl-C, on SIGTERM: until the rows were opened */
} row_reader;

/* Reads the first line of a file ("-": standard input) as the keys of ROWS_KEYS say. id NULL: all
 * rows are one series. Otherwise they are sequences: own key `id` names the column in which a
 * sequence has its name; "" or 0: a blank line ends one. outputs: missing=output is a choice, too.
 * Catches Ctrl-C and SIGTERM, which end the rows early, until they are closed. */
void rows_open(row_reader *r, const char *path, const char *id, int outputs);
int64_t rows_first(
    row_reader *r,
    const char *key); /* the columns of own key `key` come first in a row; how many (empty: all) */
const char *rows_name(const row_reader *r, int64_t j); /* of the column whose numbers are the j-th
                                                          of a row; its number when it has none */
int rows_next(row_reader *r, double *row); /* one row of what has been read; 0: there is none left,
                                              whole and as it should be */
int rows_fill(row_reader *r);   /* waits for more; 0: the end. Ends the program when the next line
                                   will not do, and says why */
int rows_stopped(void);         /* by a signal */
void rows_close(row_reader *r); /* says how many rows were skipped and values held */
void rows_write_name(FILE *f, const char *name); /* as a cell of a CSV file */

/* ---- lines.c ---- */

void lines_open(row_reader *r, const char *path);   /* refuses what is no UTF-8 text by its name */
char *lines_end(const row_reader *r, size_t *next); /* of the line at r->from, its mark not
                                                       included; NULL while it is not all there */
int lines_more(row_reader *r);                      /* some more text; 0: the end, or a signal */

#endif
