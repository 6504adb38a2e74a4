/* The parallel loop: the library's own threads, or the host's loop.
 *
 * parallel_run hands out min(threads, n) jobs; each takes the next item from an atomic counter
 * until none is left, so any schedule of the host works and `worker` numbers a private workspace.
 * Every job runs in the default floating-point environment and restores its thread's. A pool that a
 * fork has copied is found stale, left alone, and made anew. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/object.h"

/* body(job, worker, item) once for every item 0..n-1; worker is in 0..ctx->threads-1, and no two
 * items with the same worker run at the same time. Items are skipped once ctx_interrupted(ctx) is
 * seen; the caller checks afterwards. If threads cannot be had, the calling thread does
 * everything. */
typedef void (*parallel_body)(void *job, int64_t worker, int64_t item);
void parallel_run(mesaopt_ctx *ctx, int64_t n, parallel_body body, void *job);

void pool_free(mesaopt_ctx *ctx);  /* joins own workers; only forgets inherited ones */

int64_t coarse_time(void);         /* nanoseconds since some moment: clock.c */

/* Floating-point environment (MXCSR, FPCR): sets the default, returns what was there. */
uint64_t fp_default(void);
void fp_restore(uint64_t saved);

#endif
