"""Writes golden_schedule.h next to this script: learning rates of optax.warmup_cosine_decay_schedule in double precision. Needs jax and optax."""
import os
import pathlib

os.environ["JAX_ENABLE_X64"] = "1"
import numpy as np
import optax

# peak, warm-up steps, N, end, steps
cases = [(3e-4, 1000, 20000, 1e-5, [0, 1, 2, 500, 999, 1000, 1001, 5000, 10499, 10500, 10501, 19999, 20000, 20001, 10**7]),
         (8e-4, 1000, 30000, 1e-5, [0, 999, 1000, 15500, 29000, 29999, 30000]),
         (1.0, 0, 10, 0.0, list(range(12))),
         (2.0, 3, 4, 0.5, list(range(6)))]
with open(pathlib.Path(__file__).resolve().parent / "golden_schedule.h", "w") as out:
    out.write("/* Made by tests/oracle/schedules.py: peak, end, warmup, cosine_steps, step, learning rate. */\n#include <stdint.h>\n\n")
    out.write("static const struct { double peak, end; int64_t warmup, cosine_steps, step; double rate; } golden_schedule[] = {\n")
    for peak, warmup, steps, end, at in cases:
        rate = optax.warmup_cosine_decay_schedule(0.0, peak, warmup, steps, end)
        for s in at:
            out.write(f"    {{{peak!r}, {end!r}, {warmup}, {steps}, {s}, {float(rate(np.float64(s)))!r}}},\n")
    out.write("};\n")
