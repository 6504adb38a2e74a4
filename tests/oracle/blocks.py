#!/usr/bin/env python3
"""Golden values for the blocks of a model, by PyTorch: writes golden_blocks.h next to this script.

    python3 blocks.py          needs NumPy and PyTorch (float64, CPU)

Blocks are written with PyTorch's own functions (gelu, layer_norm, rms_norm, softmax, normalize, linalg.solve) on dense
T x T matrices, from the text that the C test gives to the library; gradients are PyTorch's. Inputs, weights, loss and
records are those of attention.py (hashed arrays; weights halved, 1 + half for lambda), in the order of a block's parameters.
"""
import os
import re
import numpy as np
import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)
SEED, PROJECTIONS, ENTRIES = 900, 3, 6
N, B = 3, 5


def hashed(seed, shape):
    i = np.arange(int(np.prod(shape)), dtype=np.uint64)
    with np.errstate(over="ignore"):
        z = np.uint64(seed + 1) * np.uint64(0x9E3779B97F4A7C15) + i * np.uint64(0xD1342543DE82EF95)
        z = (z ^ (z >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(32))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(30)
    return torch.tensor(((z >> np.uint64(40)).astype(np.float64) / 2.0**23 - 1.0).reshape(shape))


def parse(text):
    for word in text.split(";"):
        kind, settings = re.fullmatch(r"\s*(\w+)\s*(?:\((.*)\))?\s*", word).groups()
        yield kind, dict(s.split("=") for s in (settings or "").split(",") if s)


def shapes(kind, s, width):
    """Parameters of a block in their order, and its width."""
    out = {}
    if kind == "dense":
        to = int(s["outputs"])
        out["weight"] = (width, to)
        if s.get("bias") == "1":
            out["bias"] = (1, to)
        return out, to
    if kind == "norm":
        out["gain"] = (1, width)
        if s.get("kind", "layer") == "layer":
            out["bias"] = (1, width)
        return out, width
    if kind == "mlp":
        hidden = int(s["hidden"])
        out.update(up=(width, hidden), up_bias=(1, hidden), down=(hidden, width), down_bias=(1, width))
    else:
        heads, key = int(s["heads"]), int(s["key"])
        value, rows = int(s.get("value", key)), width * (2 if s.get("pe") == "qk" else 1)
        out.update(query=(rows, heads * key), key=(rows, heads * key), value=(width, heads * value), output=(heads * value, width))
        if kind == "mesa":
            out["lambda"] = (1, heads)
    if s.get("positions") == "learned":
        out["positions"] = (int(s["longest"]), width)
    if s.get("norm", "none") != "none":
        out["norm_gain"] = (1, width)
    if s.get("norm") == "layer":
        out["norm_bias"] = (1, width)
    return out, width


def sinusoids(length, width):
    feature = torch.arange(width)
    angle = torch.arange(length)[:, None] / 10000.0 ** (2 * (feature // 2) / width)
    return torch.where(feature % 2 == 0, torch.sin(angle), torch.cos(angle))


def attend(kind, q, k, v, scale=None, lam=None):
    """q, k [B, T, H, d], v [B, T, H, dv]."""
    if kind == "mesa":
        H = torch.einsum("bthd,bthe->bthde", k, k).cumsum(1) + torch.eye(q.shape[-1]) / lam.reshape(-1, 1, 1)
        S = torch.einsum("bthd,bthe->bthde", k, v).cumsum(1)
        return torch.einsum("bthde,bthd->bthe", S, torch.linalg.solve(H, q.unsqueeze(-1)).squeeze(-1))
    logits = torch.einsum("bthd,bshd->bhts", q, k)
    causal = torch.tril(torch.ones(logits.shape[-2:], dtype=torch.bool))
    if kind == "linear":
        weights = torch.where(causal, logits * (scale or 1.0), torch.zeros(()))
    else:
        weights = torch.softmax(torch.where(causal, logits * (scale or q.shape[-1] ** -0.5), torch.tensor(-torch.inf)), -1)
    return torch.einsum("bhts,bshv->bthv", weights, v)


def normed(kind, x, gain, bias, epsilon):
    if kind == "layer":
        return F.layer_norm(x, x.shape[-1:], gain.reshape(-1), bias.reshape(-1), epsilon)
    return F.rms_norm(x, x.shape[-1:], gain.reshape(-1), epsilon) if kind == "rms" else x


ACT = {"gelu": F.gelu, "gelu_tanh": lambda z: F.gelu(z, approximate="tanh"), "relu": F.relu, "silu": F.silu}


def residual(kind, s, w, x):
    length, width = x.shape[1:]
    pe = w["positions"][:length] if "positions" in w else sinusoids(length, width)
    if s.get("pe") == "add":
        x = x + pe
    epsilon = float(s.get("norm_epsilon", 1e-5))
    n = normed(s.get("norm", "none"), x, w.get("norm_gain"), w.get("norm_bias"), epsilon)
    if kind == "mlp":
        y = ACT[s.get("act", "gelu")](n @ w["up"] + w["up_bias"]) @ w["down"] + w["down_bias"]
    else:
        u = torch.cat([n, pe.expand(n.shape)], -1) if s.get("pe") == "qk" else n
        split = lambda a: a.reshape(*a.shape[:2], int(s["heads"]), -1)
        q, k, v = split(u @ w["query"]), split(u @ w["key"]), split(n @ w["value"])
        if s.get("qk_norm") == "1":
            q, k = F.normalize(q, dim=-1), F.normalize(k, dim=-1)
        y = attend(kind, q, k, v, lam=w.get("lambda")).flatten(2) @ w["output"]
    x = x + y
    if "residual_clip" in s:
        clip = float(s["residual_clip"])
        assert (x.abs() - clip).abs().min() > 1e-5                 # f32 must take the same branches
        x = x.clamp(-clip, clip)
    return x


def block(kind, s, w, x):
    if kind == "dense":
        return x @ w["weight"] + w.get("bias", 0)
    if kind == "norm":
        return normed(s.get("kind", "layer"), x, w["gain"], w.get("bias"), float(s.get("norm_epsilon", 1e-5)))
    return residual(kind, s, w, x)


def record(name, a):
    flat = a.detach().numpy().ravel()
    assert np.isfinite(flat).all() and np.abs(flat).max() > 0, name
    products = [flat @ hashed(SEED + p, flat.size).numpy() for p in range(PROJECTIONS)]
    entries = [flat[e * (flat.size - 1) // (ENTRIES - 1)] for e in range(ENTRIES)]
    numbers = lambda v: "{" + ", ".join(f"{float(x):.15g}" for x in v) + "}"
    return f'    {{"{name}", {flat.size}, {float(np.linalg.norm(flat)):.15g}, {numbers(products)}, {numbers(entries)}}},\n'


def layer_records(kind, length):
    """Attention on tensors with qk_norm; one query and one key of zeros, whose gradients are 0."""
    arrays = [hashed(1, (3, length, 2, 3)), hashed(2, (3, length, 2, 3)), hashed(3, (3, length, 2, 4))]
    arrays = [a.requires_grad_() for a in arrays]
    q, k = (F.normalize(a, dim=-1) for a in arrays[:2])
    out = attend(kind, q, k, arrays[2])
    grads = torch.autograd.grad(out, arrays, hashed(4, (3, length, 2, 4)))
    return "".join(record(f"unit_{kind}.{length}.{n}", a) for n, a in zip(("out", "dq", "dk", "dv"), (out, *grads)))


def model_records(name, text, length):
    x, blocks, width, seed = hashed(10, (B, length + 1, N)), [], N, 20
    for i, (kind, s) in enumerate(parse(text)):
        of, width = shapes(kind, s, width)
        w = {}
        for p, shape in of.items():
            w[p] = (hashed(seed, shape) / 2 + (p == "lambda")).requires_grad_()
            seed += 1
        blocks.append((kind, s, w))
    tokens = x[:, :-1].clone().requires_grad_()
    stream, streams = tokens, []
    for kind, s, w in blocks:
        stream = block(kind, s, w, stream)
        streams.append(stream)
    loss = ((stream[..., :N] - x[:, 1:]) ** 2).sum() / (2 * B * length)
    loss.backward()
    key = f"{name}.{length}"
    out = record(f"{key}.loss", loss) + record(f"{key}.prediction", stream[..., :N]) + record(f"{key}.dtokens", tokens.grad)
    out += record(f"{key}.stream.0", streams[1])
    for i, (_, _, w) in enumerate(blocks):
        out += "".join(record(f"{key}.blocks.{i}.{p}", a.grad) for p, a in w.items())
    return out


def networks():
    """Rows {"name", "text", ...} of tests/test_blocks.c."""
    here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(here, "..", "test_blocks.c")) as f:
        return re.findall(r'^    \{"(\w+)", "(.*)", N, 1, \{1\}\},$', f.read(), re.M)


def main():
    text = "/* Written by blocks.py. */\n"
    text += f"enum {{ GOLDEN_SEED = {SEED}, GOLDEN_PROJECTIONS = {PROJECTIONS}, GOLDEN_ENTRIES = {ENTRIES} }};\n"
    text += "static const struct golden {\n    const char *name;\n    int64_t size;\n"
    text += "    double norm, projection[GOLDEN_PROJECTIONS], entry[GOLDEN_ENTRIES];\n} golden[] = {\n"
    for length in (2, 7, 70):
        text += layer_records("linear", length) + layer_records("softmax", length)
    for name, blocks in networks():
        for length in (7, 23):
            text += model_records(name, blocks, length)
    text += "};\n"
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden_blocks.h"), "w") as f:
        f.write(text)


if __name__ == "__main__":
    main()
