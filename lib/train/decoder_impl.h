/* Decoders: a whole model that goes through `streams` sequences step by step; see
 * include/mesaopt/decoder.h.
 *
 * Streams stand side by side in panels, as sequences of a batch do. What their tokens leave for
 * later ones is kept block by block (nn/block.h: state and cache), in the form in which the forward
 * passes of blocks read and write it. There are two of every state: a step reads the current one
 * and writes the other, and they change places when all of it went well. A cache only grows: what
 * was written behind its end counts when steps are counted. */
#ifndef TRAIN_DECODER_IMPL_H
#define TRAIN_DECODER_IMPL_H

#include "mesaopt/decoder.h"
#include "train/model_impl.h"
#include "train/safetensors.h"

struct mesaopt_decoder {
    object head;
    mesaopt_model *model;          /* counted, and held: no block may be added */
    int64_t streams, capacity;
    int64_t most;                  /* tokens of a stream; INT64_MAX: any number */
    int64_t piece;                 /* tokens that run at a time */
    int64_t stash, scratch;        /* bytes that a block needs for so many, or fewer */
    panels p;
    int64_t *steps;                /* [panels][lanes]: tokens so far; lanes without a stream go with
                                      the first of their panel */
    void *kept;                    /* states and caches, panel by panel */
    int64_t panel_bytes;
    int now;                       /* which state is the current one: 0 or 1 */
    panel_run run;
    panel_memory memory;           /* of steps */
    notes notes;
};

/* What a block keeps of a panel; NULL: nothing. */
typedef struct block_memory { void *state[2], *cache; } block_memory;
/* Those of the blocks in turn, from an arena at decoder_kept. */
static inline block_memory decoder_kept_take(arena *a, const mesaopt_decoder *d,
                                             const block *b)
{
    const int64_t real = d->p.k->lanes * d->p.k->size;
    block_memory r = {{NULL}, NULL};
    for (int i = 0; i < 2 && b->state > 0; i++)
        r.state[i] = arena_take(a, block_state(b, d->p.k), real);
    if (b->cache.heads > 0) r.cache = arena_take(a, cache_row(b) * d->capacity, real);
    return r;
}
static inline arena decoder_kept(const mesaopt_decoder *d, int64_t panel)
{
    return (arena){(char *)d->kept + panel * d->panel_bytes, 0};
}

/* The model is whole. MESAOPT_E_MEMORY. */
mesaopt_status decoder_create(mesaopt_model *model, const mesaopt_settings *settings,
                              mesaopt_decoder **out);
int64_t decoder_bytes(const mesaopt_model *model, const mesaopt_settings *settings);

/* Checked tokens [streams, L, inputs] and out [streams, L, outputs], or NULL. MESAOPT_OK and
 * MESAOPT_NOT_CONVERGED, or else nothing has changed: MESAOPT_E_STATE (no room),
 * MESAOPT_E_NONFINITE, MESAOPT_E_INTERRUPTED. */
mesaopt_status decoder_step(mesaopt_decoder *d, const mesaopt_view *tokens,
                            const mesaopt_view *out);
void decoder_reset(mesaopt_decoder *d, int64_t stream);                /* -1: all */
/* Of the same model and as many streams; `d` has room. */
void decoder_copy(mesaopt_decoder *d, const mesaopt_decoder *from);
/* How a step runs: panels, and bytes of what it works in. */
panel_run decoder_run(const mesaopt_decoder *d);
/* Lanes without a stream are as far as the first of their panel. */
void decoder_align(mesaopt_decoder *d);
int64_t decoder_most_steps(const mesaopt_decoder *d);                  /* of all streams */

/* decoder_file.c */
mesaopt_status decoder_save(const mesaopt_decoder *d, const storage *to);
mesaopt_status decoder_open(mesaopt_model *model, const mesaopt_settings *settings,
                            const storage *from, mesaopt_decoder **out);

#endif
