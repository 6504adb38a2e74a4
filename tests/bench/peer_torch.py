"""One training step of an attention-only model in PyTorch: forward, backward, element-wise clip, AdamW.

    peer_torch.py KIND LAYERS HEADS KEY WIDTH LENGTH BATCH STEPS THREADS      KIND: linear, softmax, mesa (Sherman and Morrison's recursion, faster here than
    solving every step's system)

Prints milliseconds per step, the best of three rounds; the batch is drawn beforehand."""
import math
import sys
import time

import torch

kind = sys.argv[1]
layers, heads, key, width, length, batch, steps, threads = map(int, sys.argv[2:10])
n = width // 4
torch.set_num_threads(threads)
torch.manual_seed(0)


def draw():
    """Linear task, constructed tokens [0, x_t, x_t, x_{t-1}]."""
    teacher, _ = torch.linalg.qr(torch.randn(batch, n, n))
    x = [torch.rand(batch, n) * 2 - 1]
    for _ in range(length):
        x.append(torch.bmm(teacher, x[-1][..., None])[..., 0] + 0.01 * torch.randn(batch, n))
    x = torch.stack(x, 1)
    inputs, before = x[:, :-1], torch.cat([torch.zeros(batch, 1, n), x[:, :-2]], 1)
    return torch.cat([torch.zeros_like(inputs), inputs, inputs, before], -1), x[:, 1:]


class Attention(torch.nn.Module):
    def __init__(self):
        super().__init__()
        weight = lambda rows, cols: torch.nn.Parameter(2e-4 * torch.randn(rows, cols))
        self.q, self.k, self.v, self.p = weight(width, heads * key), weight(width, heads * key), weight(width, heads * key), weight(heads * key, width)
        self.inverse_ridge = torch.nn.Parameter(torch.ones(heads))
        self.register_buffer("future", torch.ones(length, length, dtype=torch.bool).triu(1))

    def solved(self, q, k):
        """(sum_{s<=t} k_s k_s^T + ridge I)^-1 q_t for every t."""
        inverse, out = (torch.eye(key) * self.inverse_ridge[:, None, None]).expand(batch, heads, key, key), []
        for t in range(length):
            k_t = k[:, :, t, :, None]
            left, right = inverse @ k_t, k_t.transpose(-1, -2) @ inverse
            inverse = inverse - left @ right / (1 + right @ k_t)
            out.append((inverse @ q[:, :, t, :, None])[..., 0])
        return torch.stack(out, 2)

    def forward(self, x):
        q, k, v = ((x @ w).view(batch, length, heads, key).transpose(1, 2) for w in (self.q, self.k, self.v))
        if kind == "mesa":
            q = self.solved(q, k)
        logits = q @ k.transpose(-1, -2)
        if kind == "softmax":
            weights = (logits / math.sqrt(key)).masked_fill(self.future, -1e30).softmax(-1)
        else:
            weights = logits.tril()
        return (weights @ v).transpose(1, 2).reshape(batch, length, heads * key) @ self.p


model = torch.nn.ModuleList(Attention() for _ in range(layers))
optimiser = torch.optim.AdamW(model.parameters(), lr=3e-4, weight_decay=0.05)
tokens, targets = draw()


def step():
    optimiser.zero_grad(set_to_none=True)
    x = tokens
    for layer in model:
        x = (x + layer(x)).clamp(-1.5, 1.5)
    loss = ((x[..., :n] - targets) ** 2).sum() / (2 * batch * length)
    loss.backward()
    torch.nn.utils.clip_grad_value_(model.parameters(), 1.0)
    optimiser.step()
    return loss.item()


for _ in range(3):
    step()
best = math.inf
for _ in range(3):
    start = time.perf_counter()
    for _ in range(steps):
        step()
    best = min(best, (time.perf_counter() - start) / steps)
print(1e3 * best)
