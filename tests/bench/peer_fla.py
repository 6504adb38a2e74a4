"""The general mesa layer in PyTorch: flash-linear-attention's own reference for CPUs, 30 steps of conjugate gradients in chunks of 64, on the inputs of
bench_mesa.c.

    peer_fla.py DIRECTION LENGTH HEADS KEY STEPS THREADS      DIRECTION: fwd, fwdbwd

Prints milliseconds, the best of three rounds of one step, whatever STEPS says."""
import glob
import importlib.util
import math
import site
import sys
import time

import torch

direction = sys.argv[1]
length, heads, key, _, threads = map(int, sys.argv[2:7])
torch.set_num_threads(threads)
torch.manual_seed(0)

# By file: the package itself asks for a GPU compiler when it is imported.
path = [found for folder in site.getsitepackages() for found in glob.glob(f"{folder}/fla/ops/mesa_net/naive.py")]
if not path:
    sys.exit("flash-linear-attention is not installed")
spec = importlib.util.spec_from_file_location("naive", path[0])
naive = importlib.util.module_from_spec(spec)
spec.loader.exec_module(naive)


def unit_rows():
    x = torch.nn.functional.silu(torch.randn(1, length, heads, key) + 0.3)
    return x / x.norm(dim=-1, keepdim=True)


q, k, v = unit_rows(), unit_rows(), torch.randn(1, length, heads, key)
log_gamma = (0.95 + 0.0475 * torch.rand(1, length, heads)).log()
beta, ridge = 0.3 + 0.6 * torch.rand(1, length, heads), 0.25 + torch.rand(heads, key)
inputs = [x.requires_grad_(direction == "fwdbwd") for x in (q, k, v, log_gamma, ridge, beta)]
out_gradient = torch.randn(1, length, heads, key)

best = math.inf
for _ in range(3):
    start = time.perf_counter()
    out, _, _ = naive.naive_mesa_net_CG(*inputs, 64)
    if direction == "fwdbwd":
        for x in inputs:
            x.grad = None
        out.backward(out_gradient)
    best = min(best, time.perf_counter() - start)
print(1e3 * best)
