#!/usr/bin/env python3
"""Golden vectors for baselines on the last k observations (space=slots): writes golden_spaces.h next to this script.

    python3 spaces.py          needs NumPy and JAX

Inputs z_t = [x_t, x_{t-1}, ..., x_{t-k+1}], zeros before the start; targets x_{t+1}. Everything is written with whole matrices over the pairs (z_{i-1}, x_i),
i = 2..t (newest_pair on) or i = 2..t-1 (off); gradients come from JAX's reverse mode. Inverses are explicit, by SVD where ridges are small.
"""
import os
import jax
import jax.numpy as jnp
import numpy as np
from preconditioning import braces, chebyshev, newton

jax.config.update("jax_enable_x64", True)
SEQUENCES, LENGTH, DIM, SLOTS, STEPS = 2, 10, 2, 3, 4
WIDE = SLOTS * DIM


def draw(rng):
    turn, upper = np.linalg.qr(rng.standard_normal((5, 5)))
    see, state = rng.standard_normal((DIM, 5)) / 2, rng.uniform(-1, 1, 5)
    x = []
    for _ in range(LENGTH + 1):
        x.append(see @ state + 0.05 * rng.standard_normal(DIM))
        state = turn @ state
    return np.round(x, 3)


def stacked(x):
    z = np.zeros((len(x), WIDE))
    for t in range(len(x)):
        for s in range(min(SLOTS, t + 1)):
            z[t, s * DIM:(s + 1) * DIM] = x[t - s]
    return z


def pairs(x, t, newest):
    count = max(t if newest else t - 1, 0)
    return stacked(x)[:count], x[1:count + 1]


def every(x, newest, inverse):
    """What inverse makes of z_t, and the predictions."""
    solved, predicted = np.zeros((LENGTH, WIDE)), np.zeros((LENGTH, DIM))
    for t in range(LENGTH):
        inputs, targets = pairs(x, t, newest)
        solved[t] = np.asarray(inverse(inputs.T @ inputs)) @ stacked(x)[t]
        predicted[t] = (inputs.T @ targets).T @ solved[t]
    return solved, predicted


def lsq(x, ridge, newest):
    p = np.zeros((LENGTH, DIM))
    for t in range(LENGTH):
        inputs, targets = pairs(x, t, newest)
        rows = np.vstack([inputs, np.sqrt(ridge) * np.eye(WIDE)])
        map_, *_ = np.linalg.lstsq(rows, np.vstack([targets, np.zeros((WIDE, DIM))]), rcond=None)
        p[t] = stacked(x)[t] @ map_
    return p


def gd(x, eta, steps):
    p = np.zeros((LENGTH, DIM))
    for t in range(LENGTH):
        inputs, targets = pairs(x, t, True)
        Phi = np.zeros((DIM, WIDE))
        for _ in range(steps):
            Phi = Phi - eta * (Phi @ inputs.T @ inputs - targets.T @ inputs)
        p[t] = Phi @ stacked(x)[t]
    return p


def kernel(x, beta):
    p = np.zeros((LENGTH, DIM))
    for t in range(1, LENGTH):
        inputs, targets = pairs(x, t, True)
        w = np.exp(beta * inputs @ stacked(x)[t])
        p[t] = w @ targets / w.sum()
    return p


def loss(ab, x, newest, ridge, divisor):
    total = 0.0
    for s in x:
        for t in range(LENGTH):
            inputs, targets = pairs(s, t, newest)
            A = inputs.T @ inputs + ridge * jnp.eye(WIDE)
            X = chebyshev(A, ab[0], ab[1], divisor or jnp.sqrt(jnp.sum(A * A)))
            d = stacked(s)[t] @ X @ (inputs.T @ targets) - s[t + 1]
            total = total + jnp.sum(d * d)
    return total / (2 * len(x) * LENGTH)


def main():
    rng = np.random.default_rng(2309_05858)
    x = np.array([draw(rng) for _ in range(SEQUENCES)])
    a, b = np.round(rng.uniform(0.5, 1.5, STEPS), 3), np.round(rng.uniform(-0.3, 0.5, STEPS), 3)
    eye = np.eye(WIDE)
    rows = [("gd", f"eta=0.0625 iterations={k}", None, [gd(s, 0.0625, k) for s in x]) for k in (1, 3)]
    rows += [("kernel", f"beta={beta}", None, [kernel(s, beta) for s in x]) for beta in (1.0, 7.5)]
    rows += [("lsq", f"ridge={r} newest_pair={n}", None, [lsq(s, r, n) for s in x]) for r, n in ((1e-5, 1), (10.0, 0))]

    def add(kind, extra, inverse_of, settings):
        for ridge, newest, c in settings:
            both = [every(s, newest, lambda A: inverse_of(A + ridge * eye, c or np.linalg.norm(A + ridge * eye))) for s in x]
            rows.append((kind, f"ridge={ridge} newest_pair={newest} divisor={c}{extra}", [p[0] for p in both], [p[1] for p in both]))

    settings, more = ((0.5, 1, 0.0), (0.01, 0, 8.0)), f" iterations={STEPS}"
    add("neumann", more, lambda A, c: chebyshev(A, np.ones(STEPS), np.zeros(STEPS), c), settings)
    add("newton", more, lambda A, c: newton(A, STEPS), settings[:1])
    add("richardson", more, lambda A, c: chebyshev(A, a, np.zeros(STEPS), c), settings[1:])
    add("chebyshev", more, lambda A, c: chebyshev(A, a, b, c), settings)
    add("lsq", "", lambda A, c: np.linalg.inv(A), settings[:1])

    text = "/* Written by spaces.py. */\n"
    text += f"enum {{ SPACE_B = {SEQUENCES}, SPACE_T = {LENGTH}, SPACE_N = {DIM}, SPACE_M = {WIDE}, SPACE_K = {STEPS} }};\n"
    text += f"#define SPACE_SETTINGS \"space=slots slots={SLOTS} \"\n\n"
    text += f"static const double space_x[SPACE_B][SPACE_T + 1][SPACE_N] = {braces(x)};\n"
    text += f"static const double space_ab[2][SPACE_K] = {braces([a, b])};\n\n"
    text += "/* u: what the preconditioner makes of z_t, where there is one; richardson and chebyshev with the coefficients space_ab. */\n"
    text += "static const struct { const char *kind, *settings; int has_u; double p[SPACE_B][SPACE_T][SPACE_N], u[SPACE_B][SPACE_T][SPACE_M]; } space_rows[] = {\n"
    for kind, setting, solved, predicted in rows:
        text += f"{{\"{kind}\", \"{setting}\", {int(solved is not None)},\n    {braces(predicted)},\n    {braces(solved) if solved is not None else '{{{0}}}'}}},\n"
    text += "};\n\n/* Loss of the predictions of chebyshev, and its gradient with respect to a and b. */\n"
    text += "static const struct { const char *settings; double loss, gradient[2][SPACE_K]; } space_gradients[] = {\n"
    for ridge, newest, c in settings:
        value, gradient = jax.value_and_grad(loss)(jnp.array([a, b]), x, newest, ridge, c)
        text += f"{{\"ridge={ridge} newest_pair={newest} divisor={c} iterations={STEPS}\", {float(value)!r}, {braces(np.asarray(gradient))}}},\n"
    text += "};\n"
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden_spaces.h"), "w") as f:
        f.write(text)


if __name__ == "__main__":
    main()
