#!/usr/bin/env python3
"""Golden values for the trainer: writes golden_training.h next to this script. Needs NumPy only.

Two small models are trained in float64 by textbook code: forward and backward written out for one batch (and checked here against
finite differences), element-wise and global-norm clip, warm-up and cosine, AdamW. Data and initial weights are hash values that the C test
computes as well, so nothing depends on random draws:
    sequence i, time t, dimension j: hashed(1000 + i, t, j);   element e of parameter p: hashed(p, e, 7) / 2
Recorded: loss and gradient norm of every step, all parameters after the last one.
Formulas: include/mesaopt/model.h and trainer.h.
"""
import os
import numpy as np

STEPS = 12


def hashed(a, b, c):
    """Multiples of 2^-23 in [-1, 1)."""
    a, b, c = (np.asarray(v, np.uint64) for v in np.broadcast_arrays(a, b, c))
    x = (a * 0x9E3779B1 + b * 0x85EBCA77 + c * 0xC2B2AE3D) & 0xFFFFFFFF
    x ^= x >> 15
    x = (x * 0x2C1B3C6D) & 0xFFFFFFFF
    x ^= x >> 12
    x = (x * 0x297A2D39) & 0xFFFFFFFF
    x ^= x >> 15
    return (x >> 8).astype(np.float64) / 2**23 - 1


class Dense:
    def __init__(self, inputs, outputs):
        self.shapes, self.outputs = {"weight": (inputs, outputs)}, outputs

    def forward(self, w, x):
        self.x = x
        return x @ w["weight"]

    def backward(self, w, dy):
        return dy @ w["weight"].T, {"weight": np.einsum("bti,bto->io", self.x, dy)}


class Mask:
    def __init__(self, width, first):
        self.shapes, self.outputs, self.first = {}, width, first

    def forward(self, w, x):
        y = x.copy()
        y[..., :self.first] = 0
        return y

    def backward(self, w, dy):
        return self.forward(w, dy), {}


class Attention:
    def __init__(self, kind, width, heads, key, value, clip=np.inf, positions=False):
        self.kind, self.heads, self.clip, self.positions, self.outputs = kind, heads, clip, positions, width
        self.scale = 1 if kind == "linear" else 1 / np.sqrt(key)
        wide = width * (2 if positions else 1)
        self.shapes = {"query": (wide, heads * key), "key": (wide, heads * key), "value": (width, heads * value), "output": (heads * value, width)}

    def split(self, x):
        return x.reshape(x.shape[0], x.shape[1], self.heads, -1).transpose(0, 2, 1, 3)

    def join(self, x):
        return x.transpose(0, 2, 1, 3).reshape(x.shape[0], x.shape[2], -1)

    def forward(self, w, x):
        length, width = x.shape[1:]
        feature = np.arange(width)
        angle = np.arange(length)[:, None] / 10000.0 ** (2 * (feature // 2) / width)
        table = np.where(feature % 2 == 0, np.sin(angle), np.cos(angle))
        self.x = x
        self.u = np.concatenate([x, np.broadcast_to(table, x.shape)], -1) if self.positions else x
        self.q, self.k, self.v = self.split(self.u @ w["query"]), self.split(self.u @ w["key"]), self.split(x @ w["value"])
        s = self.scale * self.q @ self.k.transpose(0, 1, 3, 2)
        self.causal = np.tril(np.ones((length, length), bool))
        if self.kind == "linear":
            self.a = np.where(self.causal, s, 0)
        else:
            e = np.where(self.causal, np.exp(s), 0)
            self.a = e / e.sum(-1, keepdims=True)
        self.o = self.join(self.a @ self.v)
        self.y = np.clip(x + self.o @ w["output"], -self.clip, self.clip)
        return self.y

    def backward(self, w, dy):
        dy = np.where(np.abs(self.y) < self.clip, dy, 0)
        do = self.split(dy @ w["output"].T)
        da, dv = do @ self.v.transpose(0, 1, 3, 2), self.join(self.a.transpose(0, 1, 3, 2) @ do)
        if self.kind == "softmax":
            da = self.a * (da - (da * self.a).sum(-1, keepdims=True))
        ds = np.where(self.causal, da, 0) * self.scale
        dq, dk = self.join(ds @ self.k), self.join(ds.transpose(0, 1, 3, 2) @ self.q)
        outer = lambda x, d: np.einsum("bti,bto->io", x, d)
        grads = {"query": outer(self.u, dq), "key": outer(self.u, dk), "value": outer(self.x, dv), "output": outer(self.o, dy)}
        du = dq @ w["query"].T + dk @ w["key"].T
        return dy + du[..., :self.x.shape[2]] + dv @ w["value"].T, grads


def loss_and_gradient(blocks, weights, tokens, targets):
    x = tokens
    for block, w in zip(blocks, weights):
        x = block.forward(w, x)
    batch, length, n = targets.shape
    error = x[..., :n] - targets
    dy = np.zeros_like(x)
    dy[..., :n] = error / (batch * length)
    grads = []
    for block, w in zip(blocks[::-1], weights[::-1]):
        dy, g = block.backward(w, dy)
        grads.append(g)
    return (error**2).sum() / (2 * batch * length), grads[::-1]


def sequences(first, batch, length, n):
    return hashed(1000 + first + np.arange(batch)[:, None, None], np.arange(length + 1)[:, None], np.arange(n))


def constructed(x):
    now = x[:, :-1]
    before = np.concatenate([np.zeros_like(now[:, :1]), now[:, :-1]], 1)
    return np.concatenate([np.zeros_like(now), now, now, before], -1)


def rate(r, step):
    w, total = r["warmup"], r["cosine_steps"]
    if not total:
        return r["lr"]
    if step < w:
        return r["lr"] * step / w
    x = min(1, (step - w) / (total - w))
    return r["lr_end"] + (r["lr"] - r["lr_end"]) * (1 + np.cos(np.pi * x)) / 2


def flat(weights):
    return np.concatenate([w[name].ravel() for w in weights for name in w])


def train(blocks, token_fn, n, length, r):
    index, weights = 0, []
    for block in blocks:
        weights.append({})
        for name, shape in block.shapes.items():
            weights[-1][name] = (hashed(index, np.arange(np.prod(shape)), 7) / 2).reshape(shape)
            index += 1
    m = [{k: 0 * v for k, v in w.items()} for w in weights]
    v = [{k: 0 * x for k, x in w.items()} for w in weights]
    losses, norms, value_clips, norm_clips = [], [], 0, 0
    for step in range(STEPS):
        x = sequences(step * r["batch"], r["batch"], length, n)
        loss, grads = loss_and_gradient(blocks, weights, token_fn(x), x[:, 1:])
        losses.append(loss)
        norms.append(np.linalg.norm(flat(grads)))
        if step == 0:
            check(blocks, weights, token_fn(x), x[:, 1:], grads)
        if r["clip_value"]:
            value_clips += (np.abs(flat(grads)) > r["clip_value"]).sum()
            grads = [{k: np.clip(g, -r["clip_value"], r["clip_value"]) for k, g in gs.items()} for gs in grads]
        if r["clip_norm"]:
            norm_clips += np.linalg.norm(flat(grads)) > r["clip_norm"]
            factor = min(1, r["clip_norm"] / np.linalg.norm(flat(grads)))
            grads = [{k: g * factor for k, g in gs.items()} for gs in grads]
        t, lr = step + 1, rate(r, step)
        for w, gs, ms, vs in zip(weights, grads, m, v):
            for k in w:
                ms[k] = r["beta1"] * ms[k] + (1 - r["beta1"]) * gs[k]
                vs[k] = r["beta2"] * vs[k] + (1 - r["beta2"]) * gs[k] ** 2
                m_hat, v_hat = ms[k] / (1 - r["beta1"] ** t), vs[k] / (1 - r["beta2"] ** t)
                w[k] = w[k] - lr * (m_hat / (np.sqrt(v_hat) + r["epsilon"]) + r["weight_decay"] * w[k])
    assert not r["clip_value"] or 0 < value_clips < STEPS * len(flat(weights)) / 2
    assert not r["clip_norm"] or 0 < norm_clips < STEPS
    return losses, norms, flat(weights)


def check(blocks, weights, tokens, targets, grads):
    """Fourth-order central differences in a few directions."""
    for direction in range(3):
        way = [{k: hashed(direction, np.arange(x.size), 99).reshape(x.shape) for k, x in w.items()} for w in weights]
        at = lambda h: loss_and_gradient(blocks, [{k: x + h * d[k] for k, x in w.items()} for w, d in zip(weights, way)], tokens, targets)[0]
        h = 1e-4
        slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
        assert abs(slope - flat(grads) @ flat(way)) < 1e-8 * abs(slope), (slope, flat(grads) @ flat(way))


COMMON = dict(batch=4, lr=0.02, warmup=0, cosine_steps=0, lr_end=1e-5, weight_decay=0.1, beta1=0.9, beta2=0.999, epsilon=1e-8, clip_value=0, clip_norm=0)
CASES = [
    ("mask(first=4); linear(heads=2,key=3,value=2,residual_clip=0.9)", "constructed", 2, 6,
     [Mask(8, 4), Attention("linear", 8, 2, 3, 2, clip=0.9)], dict(COMMON, warmup=3, cosine_steps=9, lr_end=1e-3, clip_value=0.01)),
    ("dense(outputs=5); softmax(heads=2,key=2,pe=qk); softmax(heads=1,key=3); dense(outputs=3)", "raw", 3, 5,
     [Dense(3, 5), Attention("softmax", 5, 2, 2, 2, positions=True), Attention("softmax", 5, 1, 3, 3), Dense(5, 3)],
     dict(COMMON, batch=3, lr=0.01, weight_decay=0.5, beta1=0.8, beta2=0.95, epsilon=1e-4, clip_value=0.04, clip_norm=0.2)),
]

numbers = lambda v: "{" + ", ".join(f"{float(x):.17g}" for x in v) + "}"
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden_training.h"), "w") as out:
    out.write("/* Made by tests/oracle/training.py. */\n#include <stdint.h>\n\n")
    out.write(f"enum {{ GOLDEN_STEPS = {STEPS} }};\n\n")
    out.write("static const struct { const char *blocks, *tokens, *trainer; int64_t dim, length, width, batch; double loss[12], norm[12]; int64_t count; double parameters[400]; } golden_training[] = {\n")
    for text, tokens, n, length, blocks, r in CASES:
        losses, norms, final = train(blocks, constructed if tokens == "constructed" else lambda x: x[:, :-1], n, length, r)
        settings = " ".join(f"{k}={v}" for k, v in r.items())
        width = 4 * n if tokens == "constructed" else n
        out.write(f'    {{"{text}", "{tokens}", "{settings}", {n}, {length}, {width}, {r["batch"]},\n     {numbers(losses)},\n     {numbers(norms)}, {len(final)},\n     {numbers(final)}}},\n')
    out.write("};\n")
