#!/usr/bin/env python3
"""Golden vectors for the baselines: writes golden_baselines.h next to this script.

    python3 baselines.py          needs NumPy

Sequences x_1 .. x_{T+1} of a noisy random rotation, kept to three decimals so that C and Python read the same numbers.

gd   eta = 1:  p_t = sum_{i=2..t} (x_{i-1} . x_t) x_i            (x_0 = 0, so the pair i = 1 gives nothing)
lsq:           p_t = Phi x_t,  Phi = argmin sum_i |x_i - Phi x_{i-1}|^2 + ridge |Phi|^2 over the pairs i = 2..t
               (newest_pair on) or i = 2..t-1 (off); no pairs: 0.

Least squares goes through the SVD of the stacked system [X; sqrt(ridge) I]: the normal equations would lose too many digits at
ridge 1e-5 to judge 1e-10. They are solved as well, by numpy.linalg.solve, and compared as far as they can be trusted.
"""
import os
import numpy as np

SEQUENCES, LENGTH, DIM = 3, 9, 3
RIDGES = (1e-5, 1e-3, 1.0)


def draw(rng):
    turn, upper = np.linalg.qr(rng.standard_normal((DIM, DIM)))
    turn = turn * np.sign(np.diag(upper))
    x = [rng.uniform(-1, 1, DIM)]
    for _ in range(LENGTH):
        x.append(turn @ x[-1] + 0.05 * rng.standard_normal(DIM))
    return np.round(x, 3)


def gd(x):
    p = np.zeros((LENGTH, DIM))
    for t in range(LENGTH):
        for i in range(1, t + 1):
            p[t] += x[i] * (x[i - 1] @ x[t])
    return p


def lsq(x, ridge, newest):
    p = np.zeros((LENGTH, DIM))
    for t in range(LENGTH):
        pairs = t if newest else t - 1
        if pairs < 1:
            continue
        a, b = x[:pairs], x[1:pairs + 1]
        stacked = np.vstack([a, np.sqrt(ridge) * np.eye(DIM)])
        map_, *_ = np.linalg.lstsq(stacked, np.vstack([b, np.zeros((DIM, DIM))]), rcond=None)
        normal = np.linalg.solve(a.T @ a + ridge * np.eye(DIM), a.T @ b)
        assert np.linalg.norm(map_ - normal) <= 1e-14 / ridge * np.linalg.norm(map_) + 1e-13
        p[t] = x[t] @ map_
    return p


def braces(a):
    if np.ndim(a) == 0:
        return repr(float(a))
    return "{" + ", ".join(braces(v) for v in a) + "}"


def table(kind, name, shape, a):
    extents = "".join(f"[{n}]" for n in shape)
    rows = ",\n".join("    {" + ",\n     ".join(braces(r) for r in block) + "}" for block in a)
    return f"static const {kind} {name}{extents} = {{\n{rows}\n}};\n"


def main():
    rng = np.random.default_rng(2309_05858)
    x = np.array([draw(rng) for _ in range(SEQUENCES)])
    shape = (SEQUENCES, LENGTH, DIM)
    text = "/* Written by baselines.py. */\n"
    text += f"enum {{ GOLDEN_B = {SEQUENCES}, GOLDEN_T = {LENGTH}, GOLDEN_N = {DIM} }};\n\n"
    text += table("double", "golden_x", (SEQUENCES, LENGTH + 1, DIM), x)
    text += "\n" + table("double", "golden_gd", shape, [gd(s) for s in x])
    text += "\nstatic const struct { double ridge; int newest; double p[GOLDEN_B][GOLDEN_T][GOLDEN_N]; } golden_lsq[] = {\n"
    for ridge in RIDGES:
        for newest in (0, 1):
            p = [lsq(s, ridge, newest) for s in x]
            rows = ",\n".join("    {" + ",\n     ".join(braces(r) for r in block) + "}" for block in p)
            text += f"{{{ridge!r}, {newest}, {{\n{rows}}}}},\n"
    text += "};\n"
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden_baselines.h"), "w") as f:
        f.write(text)


if __name__ == "__main__":
    main()
