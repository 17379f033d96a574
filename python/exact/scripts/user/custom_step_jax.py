"""A train_step() of the script's own, for JAX: noise on the input, and clipped gradients."""

import jax
import keras
import numpy as np
from keras import layers

from rekindle.keras import BackupAndRestore

keras.utils.set_random_seed(25)

rng = np.random.default_rng(7)
x = rng.normal(0, 1, (130, 5)).astype("float32")
y = (x[:, :1] * x[:, 1:2] + rng.normal(0, 0.1, (130, 1))).astype("float32")


class Noisy(keras.Model):
    def __init__(self):
        super().__init__()
        self.first = layers.Dense(16, activation="relu")
        self.norm = layers.BatchNormalization()
        self.drop = layers.Dropout(0.2)
        self.last = layers.Dense(1)
        self.noise = layers.GaussianNoise(0.1)
        self.size = keras.metrics.Mean(name="gradients")

    def call(self, x, training=None):
        hidden = self.norm(self.first(self.noise(x, training=training)), training=training)
        return self.last(self.drop(hidden, training=training))

    def loss_of(self, trainable, rest, x, y):
        y_pred, rest = self.stateless_call(trainable, rest, x, training=True)
        return self.compute_loss(x, y, y_pred), (y_pred, rest)

    def train_step(self, state, data):
        trainable, rest, slots, sums = state
        x, y = data
        compute = jax.value_and_grad(self.loss_of, has_aux=True)
        (loss, (y_pred, rest)), grads = compute(trainable, rest, x, y)
        size = jax.numpy.sqrt(sum((grad**2).sum() for grad in grads))
        grads = [grad / jax.numpy.maximum(1.0, size) for grad in grads]
        trainable, slots = self.optimizer.stateless_apply(slots, grads, trainable)
        logs, new = {}, []
        for metric in self.metrics:
            values = sums[len(new) : len(new) + len(metric.variables)]
            if metric.name == "loss":
                values = metric.stateless_update_state(values, loss)
            elif metric.name == "gradients":
                values = metric.stateless_update_state(values, size)
            else:
                values = metric.stateless_update_state(values, y, y_pred)
            found = metric.stateless_result(values)
            logs |= found if isinstance(found, dict) else {metric.name: found}
            new += values
        return logs, (trainable, rest, slots, new)


model = Noisy()
model.build((None, 5))
model.compile(keras.optimizers.Lion(0.003), "mse", metrics=["mae"])
backup = BackupAndRestore("backup", save_freq=5, restore_history=True)
history = model.fit(
    x, y, batch_size=10, epochs=4, validation_split=0.2, callbacks=[backup], verbose=0
)
predictions = model.predict(x[:7], verbose=0)
