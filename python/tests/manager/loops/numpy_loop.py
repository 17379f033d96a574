"""Linear regression with momentum in plain NumPy."""

from __future__ import annotations

import numpy as np
from common import Loop, batch

import rekindle

loop = Loop()
checkpoint = rekindle.Checkpoint(
    w=np.zeros((4, 1), "float32"),
    momentum=np.zeros((4, 1), "float32"),
    rng=np.random.default_rng(5),
    losses=[],
    step=0,
)


def train():
    x, y = batch(checkpoint.rng)
    error = x @ checkpoint.w - y
    checkpoint.momentum[:] = 0.9 * checkpoint.momentum + x.T @ error / len(x)
    checkpoint.w -= 0.05 * checkpoint.momentum
    checkpoint.losses.append(float((error**2).mean()))
    checkpoint.step += 1


loop.run(checkpoint, train)
loop.report(
    weights=checkpoint.w,
    optimizer=checkpoint.momentum,
    losses=checkpoint.losses,
    draw=float(checkpoint.rng.normal()),
)
