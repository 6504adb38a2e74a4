/* Studies of a model on sequences of a task: what they share, and what they compute; see
 * include/mesaopt/study.h. Arguments are valid except where it says so. */
#ifndef STUDY_STUDIES_H
#define STUDY_STUDIES_H

#include "mesaopt/study.h"
#include "task/sequences.h"
#include "train/batch.h"

/* Sequences of a stream, batch by batch, as tokens of the model's type. */
typedef struct token_source {
    mesaopt_task *task;
    call *c;
    int32_t stream, dtype;
    int64_t first, count, batch;   /* sequences in all, and at a time */
    mesaopt_view sequences;        /* [batch, T + 1, n], the last that were drawn */
    mesaopt_view tokens;           /* [batch, T, D] of these */
    double *weights;               /* [batch, T] of these; NULL: all 1 */
    double *total;                 /* [T] of all that were drawn */
    void *memory;
} token_source;

/* s->task .. s->count are set; batch: at most so many at a time, fewer when they are long. Text:
 * `what`. */
mesaopt_status source_open(token_source *s, int64_t batch, const char *what);
/* Sequences done .. of the source, into s->sequences and s->tokens. */
mesaopt_status source_draw(token_source *s, int64_t done);
void source_close(token_source *s);

/* What step t of sequence i of the batch counts in a mean over sequences. */
static inline double source_weight(const token_source *s, int64_t i, int64_t t)
{
    return s->weights ? s->weights[i * s->task->shape.length + t] : 1;
}
/* Of a sum over all sequences at step t; 0 where none of them counts. */
static inline double source_mean(const token_source *s, int64_t t, double sum)
{
    return s->total[t] > 0 ? sum / s->total[t] : 0;
}

int64_t study_heads(const block *b);   /* 0: it has none */

/* out [H, T, T] */
mesaopt_status study_attention_map(mesaopt_model *m, token_source *s, int64_t block,
                                   const mesaopt_view *out);

/* blocks: -1: the tokens; step -1: all; out [L, T, T], or of one step [L, T] */
mesaopt_status study_sensitivity(mesaopt_model *m, token_source *s, int64_t count,
                                 const int64_t *blocks, int64_t step, const mesaopt_view *out);

#endif
