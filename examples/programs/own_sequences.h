/* own_sequences.h: sequences from a file of rows, for programs that train on a
 * user's own data. */
#ifndef EXAMPLES_OWN_SEQUENCES_H
#define EXAMPLES_OWN_SEQUENCES_H

#include "rows.h"

/* Own keys of a program that reads sequences, beside those of ROWS_KEYS. */
#define SEQUENCES_KEYS \
    {"id", "", \
     "column that names the sequence, by name or number; empty: a blank line ends a sequence"}, \
        ROWS_KEYS, \
        {"window", "0", \
         "rows of a sequence: longer ones are cut into several; 0: as in the file"}, \
    { \
        "lengths", "whole", \
            "sequences of unequal lengths: whole, cut to the shortest, or refuse" \
    }

typedef struct table {
    double *value;                     /* [sequences][rows][columns], 0 behind the end of one */
    int64_t used, room, columns, rows, sequences;       /* used, room: numbers; rows: of the
                                                           longest sequence */
    int64_t *length;                   /* rows of every sequence */
    char **name;                       /* of every column */
    int named;                         /* does the file name them? */
    double *mean, *sd;                 /* of every column: value is (what was read - mean) / sd */
} table;

table read_table(const char *path, int64_t least);     /* as the keys say; ends the program when the
                                                          file will not do, or holds too few
                                                          sequences */
void table_free(table *t);

#endif
