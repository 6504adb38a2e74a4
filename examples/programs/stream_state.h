/* stream_state.h: what the files of stream_rls share: the state of a stream of rows. */
#ifndef EXAMPLES_STREAM_STATE_H
#define EXAMPLES_STREAM_STATE_H

#include "common.h"

enum { BLOCK = 256, RLS = 0, PERSISTENCE = 1, KINDS = 2 };

typedef struct stream {
    mesaopt_ctx *ctx;
    mesaopt_lsq *lsq;
    mesaopt_rls *rls;
    row_reader in;
    int64_t n, m, lags, d;             /* columns, those predicted (the first ones), rows in a key,
                                          numbers in a key */
    int from_last, intercept, errors;
    double ridge;
    int ridge_told;                    /* on the command line; a state knows its own */
    int unsolved;                      /* the library has no solution of full precision */
    double *first;                     /* the first row: from here on it is subtracted from every
                                          row */
    double *key;                       /* BLOCK + 1 keys, each the newest row first: that of the
                                          last row before the block, then its rows' */
    double *value;                     /* BLOCK x m: what there was to predict; NaN: nothing */
    char *gap;                         /* (BLOCK + 1) x n, missing=output: is a number of the newest
                                          row that of the row before it? */
    double *ahead, *error;             /* (BLOCK + 1) x m: predictions from these keys, and standard
                                          errors */
    int64_t rows, scored;              /* so far */
    double *seen;                      /* m: numbers that were scored */
    double all, late;                  /* of all columns; since the last report */
    double *squares[KINDS];            /* m: sums of squared errors */
    double sum[KINDS], reported[KINDS];        /* over all columns; at the last report */
    int64_t every, next, last;         /* rows between reports (0: more and more), scored rows at
                                          the next and at the last */
    double shown;
    FILE *predictions, *curve;
    char curve_path[MAX_PATH];
} stream;

/* A row of error.csv and perhaps a line for people: errors so far, and since the last report. */
void stream_report(stream *s);
void stream_end_reports(stream *s);                     /* the last one, table and figure */

/* Saved states: files of mesaopt_rls_save, with everything else in a note. */
void stream_save(stream *s, const char *file);
/* A state that is being read: what is left of its note. */
typedef struct saved { const char *file; char *text, *rest; } saved;
/* The note up to the names of columns, which an input without names takes over. */
saved stream_load_names(stream *s, const char *file);
void stream_load(stream *s, saved *in);

#endif
