#!/usr/bin/env python3
"""Golden vectors for RevAlg: writes golden_revalg.h next to this script.

    python3 revalg.py          needs NumPy

Two attention layers on 4 slots of n features with random weights near blocks of scaled identity: scalars and residuals of the products, predictions of the
model, of the model rebuilt from the scalars, and of the average of its products with those of a second model. Models are evaluated through their products:
    e_t <- clip(e_t + sum_h sum_{t' <= t} alpha(s e_t^T QK_h e_t') e_t'^T VO_h)
with alpha the identity (s = 1) or a softmax over t' (s = 1 / sqrt(key)), so no factor of a product is ever taken apart here.
"""
import os
import numpy as np

N, SLOTS, HEADS, KEY, VALUE, LAYERS, B, T, CLIP = 2, 4, 2, 5, 3, 2, 2, 5, 1.2
D = N * SLOTS
SHAPES = {"query": (D, HEADS * KEY), "key": (D, HEADS * KEY), "value": (D, HEADS * VALUE), "output": (HEADS * VALUE, D)}


def weights(rng):
    return [{name: np.round(rng.standard_normal(shape) * 0.4, 3) for name, shape in SHAPES.items()} for _ in range(LAYERS)]


def products(layer):
    QK = [layer["query"][:, h * KEY:(h + 1) * KEY] @ layer["key"][:, h * KEY:(h + 1) * KEY].T for h in range(HEADS)]
    VO = [layer["value"][:, h * VALUE:(h + 1) * VALUE] @ layer["output"][h * VALUE:(h + 1) * VALUE] for h in range(HEADS)]
    return np.array(QK), np.array(VO)


def blocks(P):
    return P.reshape(HEADS, SLOTS, N, SLOTS, N).transpose(0, 1, 3, 2, 4)


def scalars(P):
    return np.trace(blocks(P), axis1=3, axis2=4) / N


def residuals(P):
    return np.linalg.norm(blocks(P) - scalars(P)[..., None, None] * np.eye(N), axis=(3, 4))


def expand(s):
    return np.array([np.kron(s[h], np.eye(N)) for h in range(HEADS)])


def forward(model, softmax, tokens):
    out = []
    for e in tokens:
        for QK, VO in model:
            new = e.copy()
            for h in range(HEADS):
                logits = e @ QK[h] @ e.T
                if softmax:
                    logits = logits / np.sqrt(KEY)
                    a = np.where(np.tril(np.ones((T, T))) > 0, np.exp(logits), 0)
                    a = a / a.sum(axis=1, keepdims=True)
                else:
                    a = np.tril(logits)
                new = new + a @ e @ VO[h]
            e = np.clip(new, -CLIP, CLIP)
        out.append(e[:, :N])
    return np.array(out)


def braces(a):
    if np.ndim(a) == 0:
        return repr(float(a))
    return "{" + ", ".join(braces(v) for v in a) + "}"


def table(name, a):
    return f"static const double {name}{''.join(f'[{n}]' for n in np.shape(a))} = {braces(a)};\n"


def main():
    rng = np.random.default_rng(2309_05858)
    first, second = weights(rng), weights(rng)
    tokens = np.round(rng.uniform(-1, 1, (B, T, D)), 3)
    a, b = [products(layer) for layer in first], [products(layer) for layer in second]
    text = "/* Written by revalg.py. */\n"
    text += f"enum {{ REV_N = {N}, REV_SLOTS = {SLOTS}, REV_D = {D}, REV_HEADS = {HEADS}, REV_KEY = {KEY}, REV_VALUE = {VALUE}, REV_LAYERS = {LAYERS}, REV_B = {B}, REV_T = {T} }};\n"
    text += f"#define REV_CLIP \"{CLIP}\"\n"
    text += table("rev_tokens", tokens)
    for which, model in (("first", first), ("second", second)):
        for name in SHAPES:
            text += table(f"rev_{which}_{name}", [layer[name] for layer in model])
    text += table("rev_scalars", [[scalars(P) for P in layer] for layer in a])
    text += table("rev_residuals", [[residuals(P) for P in layer] for layer in a])
    total = sum(np.sum(P * P) for layer in a for P in layer)
    kept = sum(N * np.sum(scalars(P) ** 2) for layer in a for P in layer)
    text += f"static const double rev_explained = {float(kept / total)!r};\n"
    rebuilt = [tuple(expand(scalars(P)) for P in layer) for layer in a]
    mean = [tuple((P + Q) / 2 for P, Q in zip(x, y)) for x, y in zip(a, b)]
    with_rebuilt = [tuple((P + Q) / 2 for P, Q in zip(x, y)) for x, y in zip(a, rebuilt)]
    for name, softmax in (("linear", False), ("softmax", True)):
        for which, model in (("model", a), ("rebuilt", rebuilt), ("mean", mean), ("with_rebuilt", with_rebuilt)):
            text += table(f"rev_{name}_{which}", forward(model, softmax, tokens))
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden_revalg.h"), "w") as f:
        f.write(text)


if __name__ == "__main__":
    main()
