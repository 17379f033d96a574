"""A variational autoencoder. It draws its noise from a seed generator of its own."""

import keras
import numpy as np
from keras import layers, ops

from rekindle.keras import BackupAndRestore

keras.utils.set_random_seed(21)

rng = np.random.default_rng(5)
angle = rng.uniform(0, 6.28, (128, 1))
curves = np.sin(angle + np.linspace(0, 5, 20)) + rng.normal(0, 0.1, (128, 20))
curves = curves.astype("float32")


class Sampling(layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.seed_generator = keras.random.SeedGenerator(77)

    def call(self, mean, log_var):
        noise = keras.random.normal(ops.shape(mean), seed=self.seed_generator)
        return mean + ops.exp(0.5 * log_var) * noise


class VAE(keras.Model):
    def __init__(self):
        super().__init__()
        self.encode = keras.Sequential([layers.Dense(16, "relu"), layers.Dense(4)])
        self.sample = Sampling()
        self.decode = keras.Sequential(
            [keras.Input((2,)), layers.Dense(16, "relu"), layers.Dense(20)]
        )
        self.kl = keras.metrics.Mean(name="kl")

    def call(self, x):
        mean, log_var = ops.split(self.encode(x), 2, axis=-1)
        return self.decode(self.sample(mean, log_var)), mean, log_var

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        decoded, mean, log_var = y_pred
        kl = -0.5 * ops.mean(1 + log_var - ops.square(mean) - ops.exp(log_var))
        self.kl.update_state(kl)
        return ops.mean(ops.square(x - decoded)) + 0.1 * kl


model = VAE()
model.compile(keras.optimizers.Adam(0.01))

backup = BackupAndRestore("backup", save_freq=6, restore_history=True)
history = model.fit(curves, epochs=5, batch_size=10, callbacks=[backup], verbose=0)
drawn = model.decode.predict(np.eye(2, dtype="float32"), verbose=0)
