/* Panels of a batch: which sequences share one, how strided sequences come in and out, and how
 * workers run over them.
 *
 * A batch is sequences x heads, each of them rows x columns. A panel takes as many of them as there
 * are lanes, along the batch or along the heads, whichever is longer; few, long or wide ones go one
 * by one. Panels go to shards, which run in any order on any worker; a shard runs its panels in
 * order, so what it alone owns has the same bits for any number of threads. */
#ifndef KERN_PANELS_H
#define KERN_PANELS_H

#include "kern/kern.h"
#include "tensor/view.h"

/* The lane rule: kernels for panels of native width or of one lane. setting: MESAOPT_KEY_LANES;
 * sequences: along the axis that lanes run along; wide: no longer fits near the core. */
const kern *panels_kern(const mesaopt_ctx *ctx, int32_t dtype, int64_t setting, int64_t sequences,
                        int64_t T, int wide);

typedef struct panels {
    const kern *k;
    int along;                     /* lanes run along 0: the batch, 1: the heads */
    int64_t extent, others;        /* of that axis, of the other */
    int64_t count;
} panels;
panels panels_plan(const mesaopt_ctx *ctx, int32_t dtype, int64_t setting, int64_t B, int64_t H,
                   int64_t T, int wide);

/* A view as sequences x heads x rows x columns: strides in elements. */
typedef struct slab { char *data; int64_t rows, cols, stride[2], row, col; } slab;
/* A letter for each axis: b or n: sequences; h: heads; t: rows. Of others the last is the columns,
 * and one before it the rows. */
slab slab_of(const mesaopt_view *v, const char *axes);

/* Lanes that hold a head; it is in the first ones. */
int64_t panels_valid(const panels *p, int64_t panel);
/* Which sequence and which head the first lane holds; along p->along the others follow. */
void panels_holds(const panels *p, int64_t panel, int64_t *sequence, int64_t *head);
/* Where the first head starts. */
char *panels_first(const panels *p, slab s, int64_t panel);
/* Other lanes: 0. */
void panels_load(const panels *p, slab s, int64_t panel, mat to);
void panels_store(const panels *p, slab s, int64_t panel, mat from);
/* Numbers [T] into a lane of a panel [T][1]. */
void panels_put_lane(const kern *k, int64_t T, int64_t lane, const double *from, void *panel);
/* Are rows x cols elements finite, lanes that hold nothing included? Anything when the call is to
 * end. */
int panels_finite(const kern *k, int64_t rows, int64_t cols, mat m);
/* at <- lane, row and column of the first element that is not finite, there being one, lane by
 * lane. */
void panels_find(const kern *k, int64_t lanes, int64_t rows, int64_t cols, mat m, int64_t at[3]);

/* What calls on a handle work in, kept from one to the next; recognised by its size alone. */
typedef struct panel_memory { void *memory; int64_t bytes; } panel_memory;

/* Panels first .. end - 1 of a shard, in `worker`, which nobody else uses meanwhile. */
typedef void (*panel_body)(void *job, arena worker, int64_t shard, int64_t first, int64_t end);

typedef struct panel_run {
    int64_t panels, shards;
    int64_t shared, worker;        /* bytes: in all, and of a worker; -1: overflow */
} panel_run;
int64_t panels_bytes(const mesaopt_ctx *ctx, const panel_run *r);          /* -1: overflow */
/* MESAOPT_OK, or MESAOPT_E_MEMORY with the old memory in place. */
mesaopt_status panels_reserve(mesaopt_ctx *ctx, panel_memory *m, int64_t bytes, const char *what);
void *panels_shared(const panel_memory *m);            /* of all workers of a run */
/* MESAOPT_OK, or MESAOPT_E_INTERRUPTED. */
mesaopt_status panels_run(mesaopt_ctx *ctx, const panel_run *r, const panel_memory *m,
                          panel_body body, void *job, const char *what);

#endif
