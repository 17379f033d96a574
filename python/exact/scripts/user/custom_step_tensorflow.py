"""A train_step() of the script's own, for TensorFlow: noise on the input, and clipped gradients."""

import keras
import numpy as np
import tensorflow as tf
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
        self.seeds = keras.random.SeedGenerator(2)
        self.size = keras.metrics.Mean(name="gradients")

    def call(self, x, training=None):
        hidden = self.norm(self.first(self.noise(x, training=training)), training=training)
        return self.last(self.drop(hidden, training=training))

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            noise = keras.random.normal(tf.shape(x), stddev=0.01, seed=self.seeds)
            y_pred = self(x + noise, training=True)
            loss = self.compute_loss(x, y, y_pred)
        weights = self.trainable_weights
        grads, size = tf.clip_by_global_norm(tape.gradient(loss, weights), 1.0)
        self.optimizer.apply(grads, weights)
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
backup = BackupAndRestore("backup", save_freq="epoch", restore_history=True)
history = model.fit(
    x, y, batch_size=10, epochs=4, validation_split=0.2, callbacks=[backup], verbose=0
)
predictions = model.predict(x[:7], verbose=0)
