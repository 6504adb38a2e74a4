"""The mesa layer's solver and attention in PyTorch, with gradients: mesaopt.torch.mesa(q, k, v, ...), on the CPU.

    import torch, mesaopt.torch
    out = mesaopt.torch.mesa(q, k, v, beta=beta, log_gamma=log_gamma, ridge=ridge)      # q, k [B, T, H, d], v [B, T, H, dv]
"""
from __future__ import annotations

import torch

from ._classes import Attention, MesaSolver

_INPUTS = ("beta", "log_gamma", "ridge", "h0", "s0")


class _Mesa(torch.autograd.Function):
    @staticmethod
    def forward(ctx, solver, q, k, v, *further):
        given = {n: x for n, x in zip(_INPUTS, further) if x is not None}
        out, solution = torch.empty_like(v, memory_format=torch.contiguous_format), torch.empty_like(q, memory_format=torch.contiguous_format)
        solver._forward_into(q, k, v, out, {**given, "solution": solution})
        ctx.solver, ctx.names = solver, list(given)
        ctx.save_for_backward(q, k, v, solution, *given.values())
        return out

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dout):
        q, k, v, solution, *values = ctx.saved_tensors
        given = dict(zip(ctx.names, values))
        grads = [torch.empty_like(x, memory_format=torch.contiguous_format) for x in (q, k, v)]
        wanted = {n: torch.empty_like(x, memory_format=torch.contiguous_format) for n, x in given.items() if ctx.needs_input_grad[4 + _INPUTS.index(n)]}
        ctx.solver._adjoint_into(q, k, v, dout, grads, {**given, "solution": solution, **{"d_" + n: g for n, g in wanted.items()}})
        return None, *grads, *[wanted.get(n) for n in _INPUTS]


def mesa(q, k, v, beta=None, log_gamma=None, ridge=None, h0=None, s0=None, solver=None, **settings):
    """out_t = S_t^T (H_t + diag ridge)^-1 q_t, differentiable in every tensor: q, k [B, T, H, d], v [B, T, H, dv], weights beta
    and log of the gates log_gamma [B, T, H], ridge [H, d], initial states h0, s0. `solver`: a MesaSolver to use again."""
    solver = solver or MesaSolver(q.shape[3], v.shape[3], **settings)
    return _Mesa.apply(solver, q, k, v, beta, log_gamma, ridge, h0, s0)


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, attention, q, k, v):
        ctx.attention = attention
        ctx.save_for_backward(q, k, v)
        return attention.forward(q, k, v, torch.empty_like(v, memory_format=torch.contiguous_format))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dout):
        grads = [torch.empty_like(x, memory_format=torch.contiguous_format) for x in ctx.saved_tensors]
        ctx.attention._backward_into(*ctx.saved_tensors, dout, *grads)
        return None, *grads


def attention(q, k, v, kind="softmax", operator=None, **settings):
    """Causal attention of q, k [B, T, H, d] and v [B, T, H, dv], differentiable. `operator`: an Attention to use again."""
    return _Attention.apply(operator or Attention(kind, **settings), q, k, v)
