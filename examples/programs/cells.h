/* cells.h: what the parts of the reader of rows share: the cells of a line, and the columns that
 * the first line makes; see rows.h. */
#ifndef EXAMPLES_CELLS_H
#define EXAMPLES_CELLS_H

#include "rows.h"

enum { SHOWN = 40 };                 /* characters of a cell in a message */
enum missing { REFUSE, SKIP, HOLD, OUTPUT }; /* of row_reader.missing */
extern const double LARGEST_CELL;    /* beyond, squares of squares would be infinite */

typedef struct cell { /* without quotes and the blanks around it */
    char *text;
    int length, quoted, broken; /* broken: a quote is not closed, or text stands behind it */
} cell;

enum kind { NUMBER, GAP, TEXT, LARGE, OTHER_DECIMAL };

char *skip_blanks(const row_reader *r, char *c);
int next_cell(const row_reader *r, char **c, const char *end,
              cell *out); /* moves *c behind the cell; 0: it was the last one of the line */
int64_t count_cells(const row_reader *r, char *c, const char *end);
/* What stands in a cell, and the number when it is one. *decimal: the mark in use, '.' or ','; 0:
 * none so far. */
enum kind cell_kind(const row_reader *r, const cell *c, double *x, char *decimal);

/* ---- columns.c ---- */

void columns_open(row_reader *r, const char *id); /* from the first line */
const char *column_text(const row_reader *r, int64_t i, char *text,
                        size_t room); /* for messages: number, and name when it has one */
const char *leave_out_text(const row_reader *r, int64_t i, char *text,
                           size_t room); /* "; ignore=NAME leaves the column out" */

#endif
