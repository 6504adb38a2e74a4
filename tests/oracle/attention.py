#!/usr/bin/env python3
"""Golden values for attention layers and whole models: writes golden_attention.h next to this script.

    python3 attention.py          needs NumPy and JAX (float64, CPU)

Everything is written from the formulas with dense T x T matrices; gradients are JAX's. Inputs are not stored: element i of
array `seed` is hashed(seed, i), a multiple of 2^-23 in [-1, 1) that the C test computes as well (exact in f32), times a power of two.

Layers: o_t = sum_{t'<=t} alpha(scale q_t . k_t') v_t'; linear: alpha = identity, scale 1; softmax: over t', scale 1/sqrt(d).
Models (include/mesaopt/model.h): tokens are rows; query = u W_q with u = x, or u = [x | PE] with pe=qk; head h has columns h key .. of
W_q, W_k, columns h value .. of W_v and rows h value .. of W_o; x <- clip(x + heads W_o, +-residual_clip); gradients of the clip are 0
outside. Loss = sum of squared errors / (2 B T).
PE, width D: position p counts from 0; feature 2i is sin(p / 10000^(2i/D)), feature 2i+1 is cos(p / 10000^(2i/D)).

A tensor is recorded by its norm, its inner products with three hashed vectors (any error shows in them) and six of its elements.
"""
import os
import numpy as np
import jax
import jax.numpy as jnp

jax.config.update("jax_enable_x64", True)
PROJECTION_SEED, PROJECTIONS, ENTRIES = 900, 3, 6


def hashed(seed, shape):
    i = np.arange(int(np.prod(shape)), dtype=np.uint64)
    with np.errstate(over="ignore"):
        z = np.uint64(seed + 1) * np.uint64(0x9E3779B97F4A7C15) + i * np.uint64(0xD1342543DE82EF95)
        z = (z ^ (z >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(32))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(30)
    return ((z >> np.uint64(40)).astype(np.float64) / 2.0**23 - 1.0).reshape(shape)


def attention(kind, q, k, v):
    """q, k [B, T, H, d], v [B, T, H, dv]."""
    logits = jnp.einsum("bthd,bshd->bhts", q, k)
    causal = jnp.tril(jnp.ones(logits.shape[-2:], bool))
    if kind == "linear":
        weights = jnp.where(causal, logits, 0.0)
    else:
        weights = jax.nn.softmax(jnp.where(causal, logits / np.sqrt(q.shape[-1]), -jnp.inf), axis=-1)
    return jnp.einsum("bhts,bshv->bthv", weights, v)


def positions(length, width):
    feature = np.arange(width)
    angle = np.arange(length)[:, None] / 10000.0 ** (2 * (feature // 2) / width)
    return np.where(feature % 2 == 0, np.sin(angle), np.cos(angle))


def attention_block(kind, x, w, heads, clip=None, pe=False):
    batch, length, width = x.shape
    u = x if not pe else jnp.concatenate([x, jnp.broadcast_to(positions(length, width), x.shape)], axis=-1)
    split = lambda a: a.reshape(batch, length, heads, -1)
    y = attention(kind, split(u @ w["query"]), split(u @ w["key"]), split(x @ w["value"]))
    x = x + y.reshape(batch, length, -1) @ w["output"]
    if clip is not None:
        assert isinstance(x, jax.core.Tracer) or np.abs(np.abs(x) - clip).min() > 1e-5      # f32 must take the same branches
        x = jnp.clip(x, -clip, clip)
    return x


# Models: stream after every block. Shapes and text must agree with the C test.
N, B, CLIP = 3, 5, 1.5


def model_lsa(w, tokens):
    a = tokens.at[..., :2 * N].set(0.0)
    b = attention_block("linear", a, w["blocks.1"], heads=2, clip=CLIP)
    c = attention_block("linear", b, w["blocks.2"], heads=2, clip=CLIP)
    return [a, b, c]


def model_tf(w, tokens):
    a = tokens @ w["blocks.0"]["weight"]
    b = attention_block("softmax", a, w["blocks.1"], heads=2, pe=True)
    c = attention_block("softmax", b, w["blocks.2"], heads=3)
    return [a, b, c, c @ w["blocks.3"]["weight"]]


def block(width, inner_key, inner_value, pe=1):
    return {"query": (pe * width, inner_key), "key": (pe * width, inner_key), "value": (width, inner_value), "output": (inner_value, width)}


MODELS = {
    "lsa": (model_lsa, 4 * N, {"blocks.1": block(4 * N, 2 * 3, 2 * 4), "blocks.2": block(4 * N, 2 * 3, 2 * 4)}),
    "tf": (model_tf, N, {"blocks.0": {"weight": (N, 7)}, "blocks.1": block(7, 2 * 3, 2 * 3, pe=2),
                         "blocks.2": block(7, 3 * 2, 3 * 4), "blocks.3": {"weight": (7, N)}}),
}


def constructed(x):
    """[0, x_t, x_t, x_{t-1}] of sequences [B, T + 1, N], x_0 = 0."""
    now, before = x[:, :-1], np.concatenate([np.zeros_like(x[:, :1]), x[:, :-2]], axis=1)
    return np.concatenate([np.zeros_like(now), now, now, before], axis=-1)


def record(name, a):
    a = np.asarray(a)
    assert np.isfinite(a).all() and np.abs(a).max() > 0, name
    flat, size = a.ravel(), a.size
    products = [flat @ hashed(PROJECTION_SEED + p, size) for p in range(PROJECTIONS)]
    entries = [flat[e * (size - 1) // (ENTRIES - 1)] for e in range(ENTRIES)]
    numbers = lambda v: "{" + ", ".join(f"{float(x):.15g}" for x in v) + "}"
    return f'    {{"{name}", {size}, {float(np.linalg.norm(flat)):.15g}, {numbers(products)}, {numbers(entries)}}},\n'


def layer_records(kind, length):
    q, k = hashed(1, (3, length, 2, 3)), hashed(2, (3, length, 2, 3))
    v, dout = hashed(3, (3, length, 2, 4)), hashed(4, (3, length, 2, 4))
    out, back = jax.vjp(lambda *a: attention(kind, *a), q, k, v)
    return "".join(record(f"{kind}.{length}.{n}", a) for n, a in zip(("out", "dq", "dk", "dv"), (out,) + back(dout)))


def model_records(name, length):
    model, width, shapes = MODELS[name]
    x = hashed(10, (B, length + 1, N))
    tokens, targets = constructed(x) if width == 4 * N else x[:, :-1], x[:, 1:]
    w, seed = {}, 20
    for b, tensors in shapes.items():
        w[b] = {}
        for t, shape in tensors.items():
            w[b][t] = hashed(seed, shape) / 2
            seed += 1
    streams = model(w, jnp.asarray(tokens))
    share = np.mean([np.mean(np.abs(s) >= CLIP) for s in streams[1:]])
    assert name != "lsa" or 0.01 < share < 0.25, share      # the clip must bite, but not hide the rest

    def loss(w, tokens):
        return jnp.sum((model(w, tokens)[-1][..., :N] - targets) ** 2) / (2 * B * length)

    value, (dw, dtokens) = jax.value_and_grad(loss, argnums=(0, 1))(w, jnp.asarray(tokens))
    key = f"{name}.{length}"
    text = record(f"{key}.loss", np.array([value])) + record(f"{key}.prediction", streams[-1][..., :N]) + record(f"{key}.dtokens", dtokens)
    text += "".join(record(f"{key}.stream.{i}", s) for i, s in enumerate(streams))
    return text + "".join(record(f"{key}.{b}.{t}", dw[b][t]) for b in shapes for t in shapes[b])


def main():
    text = "/* Written by attention.py. */\n"
    text += f"enum {{ GOLDEN_SEED = {PROJECTION_SEED}, GOLDEN_PROJECTIONS = {PROJECTIONS}, GOLDEN_ENTRIES = {ENTRIES} }};\n"
    text += "static const struct golden {\n    const char *name;\n    int64_t size;\n"
    text += "    double norm, projection[GOLDEN_PROJECTIONS], entry[GOLDEN_ENTRIES];\n} golden[] = {\n"
    for length in (2, 7, 70):
        text += layer_records("linear", length) + layer_records("softmax", length)
    for name in MODELS:
        for length in (7, 23):
            text += model_records(name, length)
    text += "};\n"
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden_attention.h"), "w") as f:
        f.write(text)


if __name__ == "__main__":
    main()
