/* Operands of a call on a batch, described by one table: it feeds the checks of views, the bytes of
 * a workspace, what is loaded into panels, and what is stored from them. */
#ifndef KERN_OPERANDS_H
#define KERN_OPERANDS_H

#include "kern/panels.h"
#include <string.h>

/* Use in a forward and in a backward call. */
enum {
    FORWARD_IN = 1,
    FORWARD_OUT = 2,
    BACKWARD_IN = 4,
    BACKWARD_OUT = 8,
    IN_PLACE = 16                  /* panels of one lane with adjacent columns are not copied */
};

typedef struct operand {
    const char *name;              /* NULL: no such operand */
    const char *axes;              /* see slab_of: also the letters of its extents; "": none that
                                      panels hold */
    int use;
    size_t place;                  /* in the struct that kernels take: of its mat, or without rows t
                                      of the pointer to a dense panel */
} operand;

/* One call: what there is, by row of the table. */
typedef struct operands {
    mesaopt_ctx *ctx;
    const operand *table;
    int rows, backward;
    int32_t dtype;                 /* 0 until the first view is taken */
    uint32_t present;              /* bit i: operand i takes part */
    int64_t extent[26];            /* by letter; ANY until a view tells */
    const mesaopt_view *view[MOST_VIEWS];      /* NULL while bytes are counted without views */
    call_views views;
} operands;

void operands_begin(operands *o, mesaopt_ctx *ctx, const operand *table, int rows, int backward);
static inline int64_t operands_extent(const operands *o, char letter)
{
    return o->extent[letter - 'a'];
}
static inline void operands_set_extent(operands *o, char letter, int64_t extent)
{
    o->extent[letter - 'a'] = extent;
}
static inline int operand_reads(const operands *o, int row)
{
    return (o->table[row].use & (o->backward ? BACKWARD_IN : FORWARD_IN)) != 0;
}
static inline int operand_writes(const operands *o, int row)
{
    return (o->table[row].use & (o->backward ? BACKWARD_OUT : FORWARD_OUT)) != 0;
}
static inline int operand_there(const operands *o, int row) { return o->present >> row & 1; }

static inline int operand_used(const operands *o, int row)
{
    return operand_reads(o, row) || operand_writes(o, row);
}

/* Checks a view; extents and the type that are not known yet are its own. */
mesaopt_status operands_take(operands *o, int row, const mesaopt_view *v);
/* Counts operand `row` as present, as a view that has to be copied. */
void operands_count(operands *o, int row);

/* A panel of sequences; of one sequence after the other along the time of one: state, where it
 * starts, and its rows. */
typedef struct piece { int64_t panel, state, start, rows; } piece;

/* Sets the mats and pointers of `to`, and loads inputs. With a base of NULL it only counts, and
 * sets nothing. */
void operands_lay_out(const operands *o, const panels *p, const piece *at, arena *a, void *to);
/* 0 when an output is not finite. Outputs without sequences are sums over them: left to the
 * caller. */
int operands_store(const operands *o, const panels *p, const piece *at, const void *from);
/* First output that is not finite, and where: its row, or -1 (ctx_stopped, or none). */
int operands_nonfinite(const operands *o, int64_t *index);

#endif
