/* A task that draws sequences: what its file in lib/task holds besides its row of base/tasks.def.
 *
 * Sequence i of stream s is Philox sequence i of stream s under the task's seed; a task gives each
 * of its random numbers a position there, groups of them from an even position on. Everything is
 * drawn on panels of native width: lane l holds sequence first + l. */
#ifndef TASK_GENERATED_H
#define TASK_GENERATED_H

#include "task/sequences.h"
#include <string.h>

/* What one panel is drawn with. */
typedef struct drawing {
    const mesaopt_task *task;
    const kern *k;
    int32_t stream;
    int64_t first;                 /* sequence of lane 0 */
    void *scratch;                 /* of the task, private to the call */
    void *x;                       /* to be filled: x_1 .. x_{T+1}, or pairs, [rows][n][lane] */
} drawing;

typedef struct task_kind {
    /* Its own values of settings that say 0; those of settings that it does not have are 0. */
    double clip, start, map_sd;
    int64_t hidden, hidden_per_dim;                    /* hidden + hidden_per_dim n; 0: none */
    int shows_part;                                    /* it has observation_noise */
    int pairs;                                         /* it draws x_1 y_1 x_2 y_2 .. for a
                                                          layout */
    int64_t (*positions)(const task_shape *s);         /* random numbers of a sequence */
    int64_t (*common)(const task_shape *s);            /* of all sequences; NULL: none */
    mesaopt_status (*begin)(mesaopt_task *task);       /* draws task->shared; NULL: there is none */
    /* bytes; NULL: none needed */
    int64_t (*scratch)(const mesaopt_task *task, const kern *k);
    void (*draw)(const drawing *d);
    /* out [rows][n] = features of x [rows][n], panels of native width; NULL: there are none.
     * feature_scratch: bytes. */
    int64_t (*feature_scratch)(const mesaopt_task *task, const kern *k);
    void (*features)(const mesaopt_task *task, const kern *k, int64_t rows, const void *x,
                     void *scratch, void *out);
} task_kind;

static inline int64_t even(int64_t x) { return (x + 1) / 2 * 2; }

/* Element i of a panel of native width. */
static inline void *wide_at(const kern *k, const void *panel, int64_t i)
{
    return (char *)panel + i * k->width * k->size;
}

/* `count` numbers from an even position on: [count][lane]. */
static inline void draw_uniform(const drawing *d, int64_t position, int64_t count, double low,
                                double high, void *out)
{
    kern_draw(d->k, d->k->uniform, d->task->seed, (uint32_t)d->stream, d->first, position, count,
              low, high, out);
}
static inline void draw_normal(const drawing *d, int64_t position, int64_t count, double mean,
                               double sd, void *out)
{
    kern_draw(d->k, d->k->normal, d->task->seed, (uint32_t)d->stream, d->first, position, count,
              mean, sd, out);
}
/* Noise; none when sd is 0. */
static inline void draw_noise(const drawing *d, int64_t position, int64_t count, double sd,
                              void *out)
{
    if (sd > 0) draw_normal(d, position, count, 0, sd, out);
    else memset(out, 0, (size_t)(count * d->k->width * d->k->size));
}
/* Rows of a panel of native width to length 1; 0 stays 0. */
static inline void unit_rows(const kern *k, int64_t rows, int64_t n, void *x)
{
    char inverse[64] __attribute__((aligned(64)));      /* of a length; nobody asks for it */
    k->wide->row_unit(rows, n, x, n, inverse, 0);
}

#endif
