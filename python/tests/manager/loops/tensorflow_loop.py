"""A module, its own momentum and tf.GradientTape in a tf.function, with TensorFlow's generator."""

from __future__ import annotations

import numpy as np
import tensorflow as tf
from common import Loop, batch

import rekindle


class Net(tf.Module):
    def __init__(self, rng):
        super().__init__()
        shapes = [(4, 16), (16,), (16, 1), (1,)]
        self.weights = [tf.Variable(0.3 * rng.normal(shape)) for shape in shapes]

    def __call__(self, x):
        w1, b1, w2, b2 = self.weights
        return tf.nn.relu(x @ w1 + b1) @ w2 + b2


loop = Loop()
net = Net(tf.random.Generator.from_seed(1))
momenta = [tf.Variable(tf.zeros_like(weight)) for weight in net.weights]
noise = tf.random.Generator.from_seed(2)
step = tf.Variable(0, dtype=tf.int64)
checkpoint = rekindle.Checkpoint(
    net=net, momenta=momenta, noise=noise, rng=np.random.default_rng(5), losses=[], step=step
)


@tf.function
def update(x, y):
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean((net(x + 0.1 * noise.normal(tf.shape(x))) - y) ** 2)
    for weight, momentum, gradient in zip(
        net.weights, momenta, tape.gradient(loss, net.weights), strict=True
    ):
        momentum.assign(0.9 * momentum + gradient)
        weight.assign_sub(0.01 * momentum)
    step.assign_add(1)
    return loss


def train():
    checkpoint.losses.append(float(update(*batch(checkpoint.rng))))


loop.run(checkpoint, train)
loop.report(
    weights=list(net.weights),
    optimizer=list(momenta),
    losses=checkpoint.losses,
    draw=float(noise.normal([])),
)
