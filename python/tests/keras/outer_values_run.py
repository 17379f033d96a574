"""A fit() whose callbacks keep state outside of themselves, and change training by it.

    KERAS_BACKEND=jax python outer_values_run.py FOLDER [die]

With "die" it ends in the middle of its third epoch. Otherwise it prints what it has in the end.
"""

from __future__ import annotations

import hashlib
import os
import sys

import keras
import numpy as np

from rekindle.keras import BackupAndRestore

folder, dies = sys.argv[1], "die" in sys.argv
keras.utils.set_random_seed(1)

rate, losses, noise = 0.1, {}, np.random.default_rng(5)
beta = keras.Variable(1.0, trainable=False)
mean = [np.zeros((3, 4), "float32")]


class Drift(keras.callbacks.Callback):
    """Moves a weight by a number of its class."""

    size = 0.0

    def on_train_batch_end(self, batch, logs=None):
        Drift.size += 0.001
        kernel = self.model.layers[0].kernel
        kernel.assign(kernel + Drift.size)


def average(epoch, logs):
    global rate
    kernel = keras.ops.convert_to_numpy(calls.model.layers[0].kernel)
    mean[0] = 0.9 * mean[0] + 0.1 * kernel
    beta.assign(beta * 0.9)
    losses[epoch] = logs["loss"]
    rate = min(rate, max(losses.values()) / 100) * 0.9
    added = float(beta) * mean[0] + noise.normal(size=(3, 4)).astype("float32") * rate
    calls.model.layers[0].kernel.assign(kernel + 0.01 * added)


def counting():
    batches = 0

    def count(batch, logs):
        nonlocal batches
        batches += 1
        if batches % 4 == 0:
            # On JAX, this attribute gives the model with its newest values.
            bias = calls.model.layers[1].bias
            bias.assign(bias + batches / 100)
        if dies and batches == 18:
            os._exit(9)

    return count


def batches():
    """Draws from the generator that a callback draws from, too."""
    while True:
        x = noise.normal(size=(8, 3)).astype("float32")
        yield x, x.sum(1, keepdims=True)


layers = [keras.layers.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)]
model = keras.Sequential(layers)
model.compile("adam", "mse")
backup = BackupAndRestore(folder, save_freq=4)
calls = keras.callbacks.LambdaCallback(on_epoch_end=average, on_train_batch_end=counting())
given = {"steps_per_epoch": 7, "epochs": 5, "verbose": 0}
model.fit(batches(), **given, callbacks=[calls, Drift(), backup])
values = [*model.get_weights(), mean[0], beta.numpy() if hasattr(beta, "numpy") else beta]
values += [np.float64([rate, Drift.size, *losses.values(), noise.normal()])]
data = b"".join(np.ascontiguousarray(keras.ops.convert_to_numpy(one)).tobytes() for one in values)
report = backup.resume_report
print(hashlib.sha256(data).hexdigest(), report and (report["exact"], report["evidence"]))
