#!/usr/bin/env python3
"""Golden vectors for attention maps: writes golden_studies.h next to this script.

    python3 studies.py          needs NumPy

One block on random tokens, weights of every head, mean over sequences, from the formulas with dense matrices:
    softmax  w_ts = softmax_s(q_t . k_s / sqrt(key)), queries and keys of [x, positions]
    linear   w_ts = scale q_t . k_s
    mesa     w_ts = c_ts k_s . (H_t + diag l)^-1 q_t,  H_t = sum_s c_ts k_s k_s^T,  c_ts = b_s g_{s+1} .. g_t
"""
import os
import numpy as np

D, HEADS, KEY, VALUE, B, T = 5, 2, 3, 2, 3, 6
RIDGE_MIN = 0.25


def positions():
    feature = np.arange(D)
    angle = np.arange(T)[:, None] / 10000.0 ** (2 * (feature // 2) / D)
    return np.where(feature % 2 == 0, np.sin(angle), np.cos(angle))


def logits(q, k):
    return np.tril(q @ k.T)


def softmax(q, k, w, x, h):
    e = np.tril(np.exp(logits(q, k) / np.sqrt(KEY)))
    return e / e.sum(axis=1, keepdims=True)


def linear(q, k, w, x, h):
    return 0.7 * logits(q, k)


def least_squares(q, k, b, g, ridge):
    out = np.zeros((T, T))
    for t in range(T):
        c = np.array([b[s] * np.prod(g[s + 1:t + 1]) for s in range(t + 1)])
        x = np.linalg.solve((k[:t + 1].T * c) @ k[:t + 1] + np.diag(ridge), q[t])
        out[t, :t + 1] = c * (k[:t + 1] @ x)
    return out


def mesa(q, k, w, x, h):
    return least_squares(q, k, np.ones(T), np.ones(T), np.full(KEY, 1 / w["lambda"][0, h]))


def gated(q, k, w, x, h):
    sigmoid = lambda z: 1 / (1 + np.exp(-z))
    b, g = [sigmoid(x @ w[name][:, h] + w[name + "_bias"][0, h]) for name in ("beta", "gamma")]
    unit = lambda a: a / np.linalg.norm(a, axis=1, keepdims=True)
    return least_squares(unit(q), unit(k), b, g, RIDGE_MIN + np.log1p(np.exp(w["theta"][h])))


KINDS = {
    "softmax": ("softmax(heads=2,key=3,value=2,pe=qk)", softmax, {}),
    "linear": ("linear(heads=2,key=3,value=2,scale=0.7)", linear, {}),
    "mesa": ("mesa(heads=2,key=3,value=2)", mesa, {"lambda": (1, HEADS)}),
    "gated": ("mesa(heads=2,key=3,value=2,gates=sigmoid,ridges=channel,qk_norm=1)", gated,
              {"theta": (HEADS, KEY), "beta": (D, HEADS), "beta_bias": (1, HEADS), "gamma": (D, HEADS), "gamma_bias": (1, HEADS)}),
}


def braces(a):
    return "{" + ", ".join(repr(float(v)) for v in np.ravel(a)) + "}"


def main():
    rng = np.random.default_rng(2309_05858)
    tokens = np.round(rng.uniform(-1, 1, (B, T, D)), 3)
    text = "/* Written by studies.py. */\n"
    text += f"enum {{ MAP_D = {D}, MAP_HEADS = {HEADS}, MAP_B = {B}, MAP_T = {T}, MAP_KINDS = {len(KINDS)} }};\n"
    text += f"static const double map_tokens[] = {braces(tokens)};\n"
    text += "typedef struct golden_map { const char *block; struct { const char *name; const double *values; } parameter[10]; const double *map; } golden_map;\n"
    table = ""
    for kind, (block, weigh, more) in KINDS.items():
        Dq = 2 * D if "pe=qk" in block else D
        shapes = {"query": (Dq, HEADS * KEY), "key": (Dq, HEADS * KEY), "value": (D, HEADS * VALUE), "output": (HEADS * VALUE, D), **more}
        w = {name: np.round(rng.standard_normal(shape) * 0.6, 3) for name, shape in shapes.items()}
        if "lambda" in w:
            w["lambda"] = np.array([[0.8, 2.5]])
        maps = np.zeros((B, HEADS, T, T))
        for b, x in enumerate(tokens):
            u = np.concatenate([x, positions()], axis=1) if Dq > D else x
            for h in range(HEADS):
                at = slice(h * KEY, (h + 1) * KEY)
                maps[b, h] = weigh(u @ w["query"][:, at], u @ w["key"][:, at], w, x, h)
        for name, a in w.items():
            text += f"static const double map_{kind}_{name}[] = {braces(a)};\n"
        text += f"static const double map_{kind}[] = {braces(maps.mean(axis=0))};\n"
        table += f'    {{"{block}", {{' + ", ".join(f'{{"{name}", map_{kind}_{name}}}' for name in w) + f'}}, map_{kind}}},\n'
    text += f"static const golden_map golden_maps[MAP_KINDS] = {{\n{table}}};\n"
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden_studies.h"), "w") as f:
        f.write(text)


main()
