/* mesaopt/mesaopt.h: everything.
 *
 * Brackets at the end of a comment, [in: q, k; out: error?; keeps: task], say which views a call
 * reads and writes, what may be NULL (?), and what is kept: docs/annotations.md. */
#ifndef MESAOPT_H
#define MESAOPT_H

#include "attn.h"
#include "baseline.h"
#include "ctx.h"
#include "decoder.h"
#include "dlpack.h"
#include "grad.h"
#include "linearise.h"
#include "lsq.h"
#include "model.h"
#include "probe.h"
#include "prompt.h"
#include "revalg.h"
#include "rls.h"
#include "rng.h"
#include "settings.h"
#include "status.h"
#include "study.h"
#include "task.h"
#include "tensor.h"
#include "trainer.h"

#endif
