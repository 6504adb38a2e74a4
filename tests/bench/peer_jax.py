"""One training step of an attention-only model in JAX (jit): forward, backward, element-wise clip, AdamW. Arguments and output as peer_torch.py;
the number of threads is that of the CPUs which the caller leaves us."""
import math
import sys
import time

import jax
import jax.numpy as jnp
import optax

kind = sys.argv[1]
layers, heads, key, width, length, batch, steps = map(int, sys.argv[2:9])
n = width // 4


def draw(seed):
    """Linear task, constructed tokens [0, x_t, x_t, x_{t-1}]."""
    a, b, c = jax.random.split(seed, 3)
    teacher, x = jax.random.orthogonal(a, n, shape=(batch,)), [jax.random.uniform(b, (batch, n), minval=-1, maxval=1)]
    noise = 0.01 * jax.random.normal(c, (length, batch, n))
    for t in range(length):
        x.append(jnp.einsum("bij,bj->bi", teacher, x[-1]) + noise[t])
    x = jnp.stack(x, 1)
    inputs, before = x[:, :-1], jnp.concatenate([jnp.zeros((batch, 1, n)), x[:, :-2]], 1)
    return jnp.concatenate([jnp.zeros_like(inputs), inputs, inputs, before], -1), x[:, 1:]


def solved(inverse_ridge, q, k):
    """(sum_{s<=t} k_s k_s^T + ridge I)^-1 q_t for every t."""
    def row(inverse, both):
        k_t, q_t = both
        left = jnp.einsum("bhij,bhj->bhi", inverse, k_t)
        inverse = inverse - left[..., :, None] * left[..., None, :] / (1 + jnp.sum(k_t * left, -1))[..., None, None]
        return inverse, jnp.einsum("bhij,bhj->bhi", inverse, q_t)

    start = jnp.broadcast_to(jnp.eye(key) * inverse_ridge[:, None, None], (batch, heads, key, key))
    return jax.lax.scan(row, start, (k.transpose(2, 0, 1, 3), q.transpose(2, 0, 1, 3)))[1].transpose(1, 2, 0, 3)


def attention(w, x):
    q, k, v = ((x @ w[name]).reshape(batch, length, heads, key).transpose(0, 2, 1, 3) for name in "qkv")
    if kind == "mesa":
        q = solved(w["inverse_ridge"], q, k)
    logits, past = q @ k.swapaxes(-1, -2), jnp.tril(jnp.ones((length, length)))
    if kind == "softmax":
        weights = jax.nn.softmax(jnp.where(past == 0, -1e30, logits / math.sqrt(key)), -1)
    else:
        weights = logits * past
    return (weights @ v).transpose(0, 2, 1, 3).reshape(batch, length, heads * key) @ w["p"]


def loss_of(model, tokens, targets):
    x = tokens
    for w in model:
        x = jnp.clip(x + attention(w, x), -1.5, 1.5)
    return jnp.sum((x[..., :n] - targets) ** 2) / (2 * batch * length)


def weights(seed):
    shapes = {"q": (width, heads * key), "k": (width, heads * key), "v": (width, heads * key), "p": (heads * key, width)}
    drawn = {name: 2e-4 * jax.random.normal(s, shape) for s, (name, shape) in zip(jax.random.split(seed, 4), shapes.items())}
    return drawn | {"inverse_ridge": jnp.ones(heads)}


optimiser = optax.chain(optax.clip(1.0), optax.adamw(3e-4, weight_decay=0.05))


@jax.jit
def step(model, state, tokens, targets):
    loss, gradient = jax.value_and_grad(loss_of)(model, tokens, targets)
    update, state = optimiser.update(gradient, state, model)
    return optax.apply_updates(model, update), state, loss


model = [weights(seed) for seed in jax.random.split(jax.random.PRNGKey(0), layers)]
state = optimiser.init(model)
tokens, targets = draw(jax.random.PRNGKey(1))
model, state, loss = step(model, state, tokens, targets)
loss.block_until_ready()
best = math.inf
for _ in range(3):
    start = time.perf_counter()
    for _ in range(steps):
        model, state, loss = step(model, state, tokens, targets)
    loss.block_until_ready()
    best = min(best, (time.perf_counter() - start) / steps)
print(1e3 * best)
