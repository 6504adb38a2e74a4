"""The mesa layer's solver in JAX, with gradients (custom_vjp): mesaopt.jax.mesa(q, k, v, ...), on the CPU, under jit too.

    import mesaopt.jax
    out = mesaopt.jax.mesa(q, k, v, beta=beta, log_gamma=log_gamma, ridge=ridge)        # q, k [B, T, H, d], v [B, T, H, dv]
"""
from __future__ import annotations

from functools import lru_cache

import jax
import numpy as np

from ._classes import MesaSolver

_INPUTS = ("beta", "log_gamma", "ridge", "h0", "s0")


@lru_cache(maxsize=64)
def _of(names, settings):
    """mesa of q, k, v and these further inputs, as a function with gradients. A solver a call: XLA calls from threads of its own."""

    def forward(q, k, v, *further):
        q, k, v = (np.asarray(x) for x in (q, k, v))
        solver = MesaSolver(q.shape[3], v.shape[3], **dict(settings))
        return solver.forward(q, k, v, **dict(zip(names, map(np.asarray, further))))

    def adjoint(q, k, v, dout, *further):
        q, k, v = (np.asarray(x) for x in (q, k, v))
        solver = MesaSolver(q.shape[3], v.shape[3], **dict(settings))
        *grads, wanted = solver.adjoint(q, k, v, np.asarray(dout), want=tuple("d_" + n for n in names), **dict(zip(names, map(np.asarray, further))))
        return (*grads, *[wanted["d_" + n] for n in names])

    def like(x):
        return jax.ShapeDtypeStruct(x.shape, x.dtype)

    @jax.custom_vjp
    def mesa(q, k, v, *further):
        return jax.pure_callback(forward, like(v), q, k, v, *further)

    def forward_rule(*inputs):
        return mesa(*inputs), inputs

    def backward_rule(inputs, dout):
        q, k, v, *further = inputs
        return jax.pure_callback(adjoint, tuple(like(x) for x in inputs), q, k, v, dout, *further)

    mesa.defvjp(forward_rule, backward_rule)
    return mesa


def mesa(q, k, v, beta=None, log_gamma=None, ridge=None, h0=None, s0=None, **settings):
    """out_t = S_t^T (H_t + diag ridge)^-1 q_t, differentiable in every array; all float32, or all float64 (with jax_enable_x64)."""
    given = {n: x for n, x in zip(_INPUTS, (beta, log_gamma, ridge, h0, s0)) if x is not None}
    return _of(tuple(given), tuple(sorted(settings.items())))(q, k, v, *given.values())
