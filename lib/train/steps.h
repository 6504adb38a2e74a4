/* Steps of anything that learns, one after the other, until there are enough of them, the host's
 * callback says stop, or an interrupt comes. */
#ifndef TRAIN_STEPS_H
#define TRAIN_STEPS_H

#include "base/object.h"
#include "mesaopt/trainer.h"

typedef struct learner {
    void *of;
    const _Atomic int64_t *taken;  /* steps */
    /* takes one, or fails with a status < 0 */
    mesaopt_status (*step)(void *of, call *c, mesaopt_step *report);
} learner;

/* Until `steps` in all have been taken; after (may be NULL) is told of each. MESAOPT_STOPPED: it or
 * an interrupt ended the run; else the last status that was not MESAOPT_OK. */
mesaopt_status steps_run(const learner *l, call *c, int64_t steps, mesaopt_step_fn after,
                         void *user);

#endif
