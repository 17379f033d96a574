"""A network with dropout and its own Adam, in plain JAX: arrays that cannot change in place."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from common import Loop, batch

import rekindle


class Adam(NamedTuple):
    """The state of an optimizer, in the form that optimizer libraries for JAX use."""

    count: Any
    mean: Any
    variance: Any


def make_params(key):
    first, second = jax.random.split(key)
    return {
        "hidden": {"w": jax.random.normal(first, (4, 16)) * 0.3, "b": jnp.zeros(16)},
        "out": {"w": jax.random.normal(second, (16, 1)) * 0.3, "b": jnp.zeros(1)},
    }


def loss_of(params, key, x, y):
    hidden = jax.nn.relu(x @ params["hidden"]["w"] + params["hidden"]["b"])
    hidden = jnp.where(jax.random.bernoulli(key, 0.8, hidden.shape), hidden / 0.8, 0.0)
    return jnp.mean((hidden @ params["out"]["w"] + params["out"]["b"] - y) ** 2)


@jax.jit
def update(params, state, key, x, y):
    loss, gradients = jax.value_and_grad(loss_of)(params, key, x, y)
    count = state.count + 1
    mean = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, state.mean, gradients)
    variance = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, state.variance, gradients)
    corrected = jnp.sqrt(1 - 0.999**count) / (1 - 0.9**count)
    params = jax.tree.map(
        lambda p, m, v: p - 0.01 * corrected * m / (jnp.sqrt(v) + 1e-8), params, mean, variance
    )
    return params, Adam(count, mean, variance), loss


loop = Loop()
params = make_params(jax.random.key(1))
zeros = jax.tree.map(jnp.zeros_like, params)
checkpoint = rekindle.Checkpoint(
    params=params,
    optimizer=Adam(jnp.zeros((), jnp.int32), zeros, zeros),
    key=jax.random.key(2),
    rng=np.random.default_rng(5),
    losses=[],
    step=0,
)


def train():
    checkpoint.key, key = jax.random.split(checkpoint.key)
    checkpoint.params, checkpoint.optimizer, loss = update(
        checkpoint.params, checkpoint.optimizer, key, *batch(checkpoint.rng)
    )
    checkpoint.losses.append(float(loss))
    checkpoint.step += 1


loop.run(checkpoint, train)
loop.report(
    weights=jax.tree.leaves(checkpoint.params),
    optimizer=jax.tree.leaves(checkpoint.optimizer),
    losses=checkpoint.losses,
    draw=float(jax.random.normal(checkpoint.key)),
)
