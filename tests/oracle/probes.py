#!/usr/bin/env python3
"""Golden vectors for the probes: writes golden_probes.h next to this script.

    python3 probes.py          needs NumPy

Activations h [L][B, T, D] and targets y [B, T, n] come from a linear congruential generator that test_probe.c runs, too, so that both read the same
bits. Layer 0 has full rank, layer 1 a feature twice, one that is a sum of two others, and one that is 0; layer 2 has features of sizes 1, 2^-5, .. 2^-20.

Every case is a weighted least-squares problem solved by numpy.linalg.lstsq, at the case's rcond (0: its default):
    rows sqrt(w) [h | y]; with an intercept after subtracting weighted means; with a penalty on top of rows sqrt(penalty) I.
"""
import os
import numpy as np

LAYERS, SEQUENCES, STEPS, FEATURES, TARGETS = 3, 23, 11, 5, 2
SHOWN = 4                                              # sequences whose predictions are written

# name, intercept, penalty, rcond, weights
CASES = [
    ("plain", 0, 0.0, 0.0, "one"),
    ("truncated", 0, 0.0, 0.6, "one"),
    ("graded", 0, 0.0, 1e-4, "one"),
    ("intercept", 1, 0.0, 1e-4, "one"),
    ("penalty", 0, 0.7, 0.0, "one"),
    ("intercept and penalty", 1, 0.05, 0.0, "one"),
    ("left out", 0, 0.0, 1e-4, "some"),
    ("weighted", 1, 0.0, 1e-4, "any"),
]


class Generator:
    def __init__(self, seed):
        self.state = seed

    def __call__(self):
        self.state = (self.state * 6364136223846793005 + 1442695040888963407) % 2**64
        return (self.state >> 11) / 2.0**52 - 1


def draw():
    g = Generator(2309)
    h = np.array([[[[g() for _ in range(FEATURES)] for _ in range(STEPS)] for _ in range(SEQUENCES)] for _ in range(LAYERS)])
    y = np.array([[[g() for _ in range(TARGETS)] for _ in range(STEPS)] for _ in range(SEQUENCES)])
    any_ = np.array([[g() + 1 for _ in range(STEPS)] for _ in range(SEQUENCES)])
    h[1, :, :, 2] = h[1, :, :, 0]
    h[1, :, :, 3] = h[1, :, :, 0] + h[1, :, :, 1]
    h[1, :, :, 4] = 0
    for j in range(FEATURES):
        h[2, :, :, j] *= 2.0 ** (-5 * j)
    y[:, :, 0] += h[0, :, :, 0] - h[0, :, :, 1] + 2
    return h, y, {"one": np.ones((SEQUENCES, STEPS)), "some": (any_ > 0.3).astype(float), "any": any_}


def solve(h, y, w, intercept, penalty, rcond):
    root = np.sqrt(w)[:, None]
    mean_h = (w @ h) / w.sum() * intercept
    mean_y = (w @ y) / w.sum() * intercept
    a, b = root * (h - mean_h), root * (y - mean_y)
    a, b = a[w > 0], b[w > 0]                          # rows of 0 would count in the default of rcond
    if penalty:
        a = np.vstack([a, np.sqrt(penalty) * np.eye(FEATURES)])
        b = np.vstack([b, np.zeros((FEATURES, TARGETS))])
    map_, _, rank, _ = np.linalg.lstsq(a, b, rcond=rcond or None)
    p = (h - mean_h) @ map_ + mean_y
    error = w @ (y - p) ** 2
    spread = w @ (y - (w @ y) / w.sum()) ** 2
    return p[:SHOWN], rank, error / w.sum(), 1 - error.sum() / spread.sum()


def braces(a):
    if np.ndim(a) == 0:
        return repr(int(a)) if isinstance(a, (int, np.integer)) else repr(float(a))
    return "{" + ", ".join(braces(v) for v in a) + "}"


def rows(a, indent):
    if np.ndim(a) <= 2:
        return indent + braces(a)
    return indent + "{\n" + ",\n".join(rows(v, indent + " ") for v in a) + "}"


def main():
    h, y, weights = draw()
    text = "/* Written by probes.py. */\n"
    text += f"enum {{ GOLDEN_L = {LAYERS}, GOLDEN_B = {SEQUENCES}, GOLDEN_T = {STEPS}, GOLDEN_D = {FEATURES}, GOLDEN_M = {TARGETS}, GOLDEN_SHOWN = {SHOWN} }};\n\n"
    text += "/* weights: 0 all one, 1 some of them 0, 2 any; p: predictions of the first sequences; error: mean squared error of each target */\n"
    text += "static const struct {\n    const char *name;\n    int intercept;\n    double penalty, rcond;\n    int weights;\n"
    text += "    double p[GOLDEN_L][GOLDEN_T][GOLDEN_SHOWN][GOLDEN_M];\n    int rank[GOLDEN_L][GOLDEN_T];\n"
    text += "    double error[GOLDEN_L][GOLDEN_T][GOLDEN_M], r2[GOLDEN_L][GOLDEN_T];\n} golden_probes[] = {\n"
    for name, intercept, penalty, rcond, kind in CASES:
        solved = [[solve(h[l, :, t], y[:, t], weights[kind][:, t], intercept, penalty, rcond) for t in range(STEPS)] for l in range(LAYERS)]
        part = [np.array([[s[i] for s in layer] for layer in solved]) for i in range(4)]
        text += f'{{"{name}", {intercept}, {penalty!r}, {rcond!r}, {["one", "some", "any"].index(kind)},\n'
        text += rows(part[0], " ") + ",\n " + braces(part[1]) + ",\n" + rows(part[2], " ") + ",\n " + braces(part[3]) + "},\n"
    text += "};\n"
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden_probes.h"), "w") as f:
        f.write(text)


if __name__ == "__main__":
    main()
