/* mesaopt/ctx.h: the context: memory, threads, ISA level and the text of the last failure.
 *
 * A context serves one call at a time, from any thread (a second call gets MESAOPT_E_BUSY);
 * different contexts are independent. Handles hold a counted reference on their context, so
 * everything may be freed in any order. A context may be used after fork() in the child, when no
 * call was running on it at the fork.
 *
 * Use:
 *     mesaopt_ctx_create(NULL, &ctx);                        // or settings: threads=2 isa=avx2
 *     status = mesaopt_task_create(ctx, NULL, &task);
 *     if (status != MESAOPT_OK) mesaopt_ctx_error(ctx, text, 256);
 *     mesaopt_task_free(task), mesaopt_ctx_free(ctx);
 */
#ifndef MESAOPT_CTX_H
#define MESAOPT_CTX_H

#include "settings.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Creates a context; `settings` (scope MESAOPT_SCOPE_CTX, NULL: defaults) is copied. On failure
 *  the text is in `settings`. MESAOPT_E_UNSUPPORTED: the CPU lacks the ISA level asked for. Starts
 *  no thread. The caller frees *out.
 *  [scope: settings? CTX] Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_ctx_create(mesaopt_settings *settings, mesaopt_ctx **out);

/** Gives up the caller's reference; NULL is fine. From any thread at any time, also while a call
 *  works on it: it goes when its last handle has gone and its running call has returned.
 *  MESAOPT_E_ARGUMENT: another kind of handle, or freed before. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_ctx_free(mesaopt_ctx *ctx);

/** Text of the last failure of a call on this context or one of its handles, at most cap bytes with
 *  the final NUL; returns the bytes the whole text needs, or a negative status. Unchanged by
 *  success; may be called from any thread at any time.
 *  [thread: any] Since 0.1. */
MESAOPT_API int64_t mesaopt_ctx_error(const mesaopt_ctx *ctx, char *buf, int64_t cap);

/** Asks the running call to stop or, if none runs, the next one. Async-signal-safe: a SIGINT
 *  handler may call it. Training runs return MESAOPT_STOPPED at a step boundary, other long calls
 *  MESAOPT_E_INTERRUPTED. The request ends with that call, also when it was too short to look: a
 *  program that makes several calls sets a flag of its own as well. In a callback's calls it is
 *  that of the call whose callback it is.
 *  [thread: signal] Since 0.1. */
MESAOPT_API void mesaopt_ctx_interrupt(mesaopt_ctx *ctx);

/** Withdraws a request of mesaopt_ctx_interrupt that no call has met yet. MESAOPT_E_BUSY: a call
 *  runs, whose it is. Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_ctx_clear_interrupt(mesaopt_ctx *ctx);

/** ISA level in use (MESAOPT_ISA_BASELINE, ...). Since 0.1. */
MESAOPT_API mesaopt_status mesaopt_ctx_isa(const mesaopt_ctx *ctx, int32_t *out);

#ifdef __cplusplus
}
#endif
#endif
