/* predict_state.h: what the files of predict share: the state of a series, and how it is kept. */
#ifndef EXAMPLES_PREDICT_STATE_H
#define EXAMPLES_PREDICT_STATE_H

#include "common.h"

typedef struct predictor {
    mesaopt_ctx *ctx;
    mesaopt_model *model;
    mesaopt_task *task;                /* how rows become tokens */
    mesaopt_decoder *decoder, *loop;   /* of rows; of predictions behind them, ahead > 1 */
    row_reader in;
    int sequences, pairs;              /* pairs: rows are x, y, x, y, .. */
    int64_t n, width, slots, ahead;    /* columns, of a token; rows that a token is made of */
    int64_t rows, held;                /* rows so far, and in `recent` */
    int64_t every, next, reported;     /* rows between reports, at the next one, at the last one */
    int64_t context, trained;          /* rows that it sees at most, 0: any number; that it was
                                          trained on, 0: unknown */
    int64_t seen, keep, kept;          /* rows it has seen; those that it begins anew from */
    int64_t prefix, separator, behind; /* vectors of a prompt: in front of a sequence; 1: one behind
                                          every pair; 1: it has yet to come */
    double *vectors;                   /* [prefix + separator, n] */
    double *again;                     /* [keep, n], of the model's units, the oldest first */
    double *mean, *sd;                 /* of own_data; 0 and 1 */
    mesaopt_tensor *of[3];             /* recent [slots + ahead + 1, n], tokens of it, y [n] */
    mesaopt_view recent, tokens, y;
    double *guess;                     /* [ahead, ahead, n]: place t % ahead has those made at t */
    double *made;                      /* [ahead]: how many of them there are */
    double *squares[2];                /* [ahead] sums of the model's and persistence's errors */
    double *scored;                    /* [ahead] rows that these are of */
    int64_t short_of;                  /* rows with fewer than `ahead` predictions */
    int64_t since;                     /* rows of this sequence */
    int64_t sequence, first;           /* its number, from 1; rows in front of it */
    double shown;                      /* when something was said last */
    double *past;                      /* [ahead, n] what persistence says, likewise */
    double *unit;                      /* [n] a row of the model's units */
    FILE *predictions, *curve;
    char curve_path[MAX_PATH];
} predictor;

double predictor_get(const mesaopt_view *v, int64_t i);
void predictor_set(const mesaopt_view *v, int64_t i, double x);

/* A state is that of the decoder, with all else in a note: a series that was cut in two at any row
 * gives the predictions and errors of the whole. */
void predictor_save(predictor *p, const char *file);
void predictor_load(predictor *p, const char *file);
void predictor_check_save(const predictor *p);          /* its note will not be too long */

#endif
