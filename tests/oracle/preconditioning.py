#!/usr/bin/env python3
"""Golden vectors for preconditioned predictors and the gradients of their coefficients: writes golden_preconditioning.h next to this script.

    python3 preconditioning.py          needs NumPy and JAX

Everything here is written with whole matrices, step by step as docs/science.md, section 5 and the paper have it; the library applies the same polynomials to
one vector. Gradients come from JAX's reverse mode through these matrices.

gd          Phi <- Phi - eta (Phi A - G^T), A = sum x_{i-1} x_{i-1}^T, G = sum x_{i-1} x_i^T, k times from Phi = 0; prediction Phi x_t
kernel      sum_i softmax_i(beta x_{i-1} . x_t) x_i over i = 2..t; nothing at t = 1
others      prediction x_t^T X G, X an approximation of inv(A + ridge I); newest_pair off leaves the pair i = t out of A and G
"""
import os
import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)
SEQUENCES, LENGTH, DIM, STEPS = 2, 9, 3, 4


def draw(rng):
    turn, upper = np.linalg.qr(rng.standard_normal((DIM, DIM)))
    turn = turn * np.sign(np.diag(upper))
    x = [rng.uniform(-1, 1, DIM)]
    for _ in range(LENGTH):
        x.append(turn @ x[-1] + 0.05 * rng.standard_normal(DIM))
    return np.round(x, 3)


def pairs(x, t, newest):
    """Inputs and targets of the pairs seen before x[t + 1] is known; t counts from 0."""
    count = max(t if newest else t - 1, 0)
    return x[:count], x[1:count + 1]


def chebyshev(A, a, b, c):
    Ab = A / c
    T = X = before = jnp.eye(A.shape[0])
    for k in range(len(a)):
        T = T @ (jnp.eye(A.shape[0]) - a[k] * Ab)
        X, before = X + T + b[k] * (X - before), X
    return X / c


def newton(A, steps):
    X = np.eye(A.shape[0]) / np.trace(A)
    for _ in range(steps):
        X = X @ (2 * np.eye(A.shape[0]) - A @ X)
    return X


def every(x, newest, inverse):
    """inverse(A + nothing) of each t -> what it makes of x_t, and the predictions."""
    solved, predicted = np.zeros((LENGTH, DIM)), np.zeros((LENGTH, DIM))
    for t in range(LENGTH):
        inputs, targets = pairs(x, t, newest)
        X = np.asarray(inverse(inputs.T @ inputs))
        solved[t] = X @ x[t]
        predicted[t] = x[t] @ X @ (inputs.T @ targets)
    return solved, predicted


def gd(x, eta, steps):
    p = np.zeros((LENGTH, DIM))
    for t in range(LENGTH):
        inputs, targets = pairs(x, t, True)
        Phi = np.zeros((DIM, DIM))
        for _ in range(steps):
            Phi = Phi - eta * (Phi @ inputs.T @ inputs - targets.T @ inputs)
        p[t] = Phi @ x[t]
    return p


def kernel(x, beta):
    p = np.zeros((LENGTH, DIM))
    for t in range(1, LENGTH):
        inputs, targets = pairs(x, t, True)
        w = np.exp(beta * inputs @ x[t])
        p[t] = w @ targets / w.sum()
    return p


def loss(ab, x, newest, ridge, divisor):
    total = 0.0
    for s in x:
        for t in range(LENGTH):
            inputs, targets = pairs(s, t, newest)
            A = inputs.T @ inputs + ridge * jnp.eye(DIM)
            X = chebyshev(A, ab[0], ab[1], divisor or jnp.sqrt(jnp.sum(A * A)))
            d = s[t] @ X @ (inputs.T @ targets) - s[t + 1]
            total = total + jnp.sum(d * d)
    return total / (2 * len(x) * LENGTH)


def braces(a):
    if np.ndim(a) == 0:
        return repr(float(a))
    return "{" + ", ".join(braces(v) for v in a) + "}"


def main():
    rng = np.random.default_rng(2309_05858)
    x = np.array([draw(rng) for _ in range(SEQUENCES)])
    a, b = np.round(rng.uniform(0.5, 1.5, STEPS), 3), np.round(rng.uniform(-0.3, 0.5, STEPS), 3)
    eye = np.eye(DIM)
    text = "/* Written by preconditioning.py. */\n"
    text += f"enum {{ PRE_B = {SEQUENCES}, PRE_T = {LENGTH}, PRE_N = {DIM}, PRE_K = {STEPS} }};\n\n"
    text += f"static const double pre_x[PRE_B][PRE_T + 1][PRE_N] = {braces(x)};\n"
    text += f"static const double pre_ab[2][PRE_K] = {braces([a, b])};\n\n"

    rows = []
    for steps in (1, 2, 5):
        rows.append(("gd", steps, f"eta=0.0625 iterations={steps}", None, [gd(s, 0.0625, steps) for s in x]))
    for beta in (0.0, 1.0, 7.5):
        rows.append(("kernel", 0, f"beta={beta}", None, [kernel(s, beta) for s in x]))

    settings = ((1e-3, 1, 0.0), (1e-3, 0, 8.0), (0.5, 0, 0.0), (0.5, 1, 8.0))

    def add(kind, extra, inverse_of, settings):
        for ridge, newest, c in settings:
            both = [every(s, newest, lambda A: inverse_of(A + ridge * eye, c or np.linalg.norm(A + ridge * eye))) for s in x]
            setting = f"ridge={ridge} newest_pair={newest} divisor={c}{extra}"
            rows.append((kind, STEPS, setting, [p[0] for p in both], [p[1] for p in both]))

    add("neumann", f" iterations={STEPS}", lambda A, c: chebyshev(A, np.ones(STEPS), np.zeros(STEPS), c), settings)
    add("newton", f" iterations={STEPS}", lambda A, c: newton(A, STEPS), settings[::2])
    add("richardson", f" iterations={STEPS}", lambda A, c: chebyshev(A, a, np.zeros(STEPS), c), settings)
    add("chebyshev", f" iterations={STEPS}", lambda A, c: chebyshev(A, a, b, c), settings)
    add("lsq", "", lambda A, c: np.linalg.inv(A), settings[::2])

    text += "/* u: what the preconditioner makes of x_t, where there is one; richardson and chebyshev with the coefficients pre_ab. */\n"
    text += "static const struct { const char *kind, *settings; int has_u; double p[PRE_B][PRE_T][PRE_N], u[PRE_B][PRE_T][PRE_N]; } pre_rows[] = {\n"
    for kind, _, setting, solved, predicted in rows:
        text += f"{{\"{kind}\", \"{setting}\", {int(solved is not None)},\n    {braces(predicted)},\n    {braces(solved) if solved is not None else '{{{0}}}'}}},\n"
    text += "};\n\n"

    text += "/* Loss of the autoregressive prediction of pre_x, and its gradient with respect to a and b. */\n"
    text += "static const struct { const char *settings; double loss, gradient[2][PRE_K]; } pre_gradients[] = {\n"
    for ridge, newest, c in settings:
        value, gradient = jax.value_and_grad(loss)(jnp.array([a, b]), x, newest, ridge, c)
        text += f"{{\"ridge={ridge} newest_pair={newest} divisor={c} iterations={STEPS}\", {float(value)!r}, {braces(np.asarray(gradient))}}},\n"
    text += "};\n"
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden_preconditioning.h"), "w") as f:
        f.write(text)


if __name__ == "__main__":
    main()
