#!/usr/bin/env python3
"""Trains a small attention-only model in PyTorch and exports it: what `revalg weights=` and `probe_file` take from anybody's program.

    python3 export_torch.py [steps] [folder]          needs PyTorch; 2000 steps and . unless told; the folder is made when missing

The model is its own, not this library's: two layers of linear attention, x <- clip(x + sum over heads of tril(Q K^T) V P), on tokens [0, s_t, s_t, s_{t-1}] of
random rotations s_{t+1} = W s_t + noise, trained to have the next observation in its first slot.

    weights.safetensors        blocks.I.query, .key [D, heads * key], .value [D, heads * key], .output [heads * key, D]: rows are inputs, so x @ W
    activations.safetensors    activations.L [B, T, D], L = 0 (the tokens), 1, 2; targets [B, T, n]
"""
import json
import os
import struct
import sys
import torch

N, T, HEADS, KEY, LAYERS, BATCH, CLIP = 10, 50, 4, 20, 2, 256, 4.0
D = 4 * N


def save(path, tensors):
    """The safetensors format in a few lines: length of the header, header, data (the package `safetensors` does the same)."""
    header, data = {}, b""
    for name, x in tensors.items():
        x = x.detach().to(torch.float32).contiguous()
        raw = x.numpy().tobytes()
        header[name] = {"dtype": "F32", "shape": list(x.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def sequences(count):
    q, r = torch.linalg.qr(torch.randn(count, N, N))
    W = q * torch.sign(torch.diagonal(r, dim1=1, dim2=2)).unsqueeze(1)
    s = [2 * torch.rand(count, N) - 1]
    for _ in range(T):
        s.append((torch.einsum("bij,bj->bi", W, s[-1]) + 0.01 * torch.randn(count, N)).clamp(-10, 10))
    return torch.stack(s, 1)


def tokens(s):
    now, before = s[:, :T], torch.cat([torch.zeros(len(s), 1, N), s[:, :T - 1]], 1)
    return torch.cat([torch.zeros_like(now), now, now, before], 2)


class Layer(torch.nn.Module):
    def __init__(self):
        super().__init__()
        shapes = {"query": (D, HEADS * KEY), "key": (D, HEADS * KEY), "value": (D, HEADS * KEY), "output": (HEADS * KEY, D)}
        for name, shape in shapes.items():
            self.register_parameter(name, torch.nn.Parameter(2e-4 * torch.randn(shape)))

    def forward(self, x):
        q, k, v = (torch.matmul(x, w).view(len(x), T, HEADS, KEY).transpose(1, 2) for w in (self.query, self.key, self.value))
        heads = torch.tril(q @ k.transpose(2, 3)) @ v
        return (x + heads.transpose(1, 2).reshape(len(x), T, HEADS * KEY) @ self.output).clamp(-CLIP, CLIP)


def main():
    given = sys.argv[1:] + ["2000", "."][len(sys.argv) - 1:]
    if len(given) > 2 or not given[0].isdigit():
        sys.exit(__doc__)
    steps, folder = int(given[0]), given[1]
    os.makedirs(folder, exist_ok=True)                  # a folder that cannot be made is better found now
    torch.manual_seed(0)
    model = torch.nn.Sequential(*[Layer() for _ in range(LAYERS)])
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-4, weight_decay=0.1)
    for step in range(steps):
        s = sequences(BATCH)
        loss = ((model(tokens(s))[:, :, :N] - s[:, 1:]) ** 2).sum() / (2 * BATCH * T)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_value_(model.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 0:
            print(f"step {step}  loss {loss.item():.4f}", file=sys.stderr, flush=True)
    save(f"{folder}/weights.safetensors", {f"blocks.{i}.{name}": p for i, layer in enumerate(model) for name, p in layer.named_parameters()})
    with torch.no_grad():
        s = sequences(1024)
        streams = [tokens(s)]
        for layer in model:
            streams.append(layer(streams[-1]))
        save(f"{folder}/activations.safetensors", {**{f"activations.{i}": x for i, x in enumerate(streams)}, "targets": s[:, 1:]})


if __name__ == "__main__":
    main()
