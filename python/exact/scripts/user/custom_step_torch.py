"""A train_step() of the script's own, for PyTorch: noise on the input, and clipped gradients."""

import keras
import numpy as np
import torch
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

    def train_step(self, data):
        x, y = data
        self.zero_grad()
        y_pred = self(x, training=True)
        loss = self.compute_loss(x, y, y_pred)
        loss.backward()
        weights = self.trainable_weights
        grads = [weight.value.grad for weight in weights]
        size = torch.sqrt(sum((grad**2).sum() for grad in grads))
        with torch.no_grad():
            self.optimizer.apply([grad / size.clamp(min=1.0) for grad in grads], weights)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            elif metric.name == "gradients":
                metric.update_state(size)
            else:
                metric.update_state(y, y_pred)
        return self.get_metrics_result()


model = Noisy()
model.build((None, 5))
model.compile(keras.optimizers.Lion(0.003), "mse", metrics=["mae"])
backup = BackupAndRestore("backup", save_freq=7, restore_history=True)
history = model.fit(
    x, y, batch_size=10, epochs=4, validation_split=0.2, callbacks=[backup], verbose=0
)
predictions = model.predict(x[:7], verbose=0)
