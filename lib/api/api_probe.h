/* What calls on probes share. */
#ifndef API_PROBE_H
#define API_PROBE_H

#include "study/probes.h"

static inline mesaopt_status probe_check_set(mesaopt_ctx *ctx, int32_t set)
{
    return set == MESAOPT_PROBE_TRAIN || set == MESAOPT_PROBE_TEST
               ? MESAOPT_OK
               : fail(ctx, MESAOPT_E_ARGUMENT, "set: %d, expected 0 (train) or 1 (test)", (int)set);
}

#endif
