/* Layouts: how pairs (x_i, y_i), i = 0, 1, .., become a sequence of observations (docs/science.md,
 * section 2). A sequence is a row of segments, one of every teacher; a segment is
 *
 *     [prefix_1 .. prefix_p]  x_i y_i [separator]  x_{i+1} y_{i+1} [separator]  ..
 *
 * and ends after `segment` observations, the last one never: whatever its layout asks for, a
 * sequence is cut at T + 1. Pairs count on from segment to segment; of one that a segment's end
 * cuts, y_i is left out. Prefix and separator are rows of a prompt (prompts.h), or there are none.
 * So a layout is a map from places 0 .. T of a sequence to rows: of the pairs, x_i is row 2 i and
 * y_i row 2 i + 1, or, counted as -1, -2, .., of the prompt. Steps at an x_i whose y_i comes next
 * are its queries. */
#ifndef TASK_PAIR_LAYOUT_H
#define TASK_PAIR_LAYOUT_H

#include "base/options.h"

typedef struct pair_layout {
    int64_t teachers;              /* segments; 0: there are no pairs, and no layout */
    int64_t segment, prefix;       /* observations */
    int separator;
} pair_layout;

/* Of settings of a task (NULL: defaults). MESAOPT_E_SETTING: no pair fits behind its prefix. */
mesaopt_status pair_layout_read(mesaopt_ctx *ctx, const mesaopt_settings *settings,
                                pair_layout *out);

/* Row of the pairs at place t; < 0: ~row of the prompt, in which the separator is row 0. */
int64_t pair_layout_row(const pair_layout *l, int64_t t);
int pair_layout_asks(const pair_layout *l, int64_t t);           /* is step t a query? */
int64_t pair_layout_teacher(const pair_layout *l, int64_t pair); /* segment that it is in */
int64_t pair_layout_pairs(const pair_layout *l, int64_t length); /* that T = length begins */
int64_t pair_layout_length(const pair_layout *l, int64_t pairs); /* T that so many pairs take */
static inline int pair_layout_inserts(const pair_layout *l) { return l->separator || l->prefix; }

#endif
