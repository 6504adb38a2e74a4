/* See steps.h. */
#include "train/steps.h"

/* Does the callback, or an interrupt, end the run? It may have come while parameters moved, or in
 * the callback. */
static int stops(call *c, const mesaopt_step *report, mesaopt_step_fn after, void *user)
{
    int stop = 0;
    if (after) {
        ctx_callback_begin(c);
        stop = after(report, user) != 0;
        ctx_callback_end(c);
    }
    return stop || ctx_interrupted(c->ctx);
}

mesaopt_status steps_run(const learner *l, call *c, int64_t steps, mesaopt_step_fn after,
                         void *user)
{
    mesaopt_status worth_knowing = MESAOPT_OK;
    while (atomic_load(l->taken) < steps) {
        mesaopt_step report;
        const mesaopt_status status = l->step(l->of, c, &report);
        if (status == MESAOPT_E_INTERRUPTED) return MESAOPT_STOPPED;
        if (status < 0) return status;
        if (status > 0) worth_knowing = status;
        if (stops(c, &report, after, user)) return MESAOPT_STOPPED;
    }
    return worth_knowing;
}
