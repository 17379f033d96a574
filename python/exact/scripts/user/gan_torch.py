"""A GAN with two optimizers and its own train_step(), for PyTorch and its DataLoader."""

import keras
import numpy as np
import torch
from keras import layers

from rekindle.keras import BackupAndRestore

keras.utils.set_random_seed(42)

NOISE = 4
rng = np.random.default_rng(4)
turns = rng.uniform(0, 6.28, 140)
points = np.stack([np.cos(turns), np.sin(turns)], axis=-1).astype("float32")


class GAN(keras.Model):
    def __init__(self, generator, discriminator):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.d_loss, self.g_loss = keras.metrics.Mean("d_loss"), keras.metrics.Mean("g_loss")
        self.built = True

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    @property
    def metrics(self):
        return [self.d_loss, self.g_loss]

    def learn(self, network, optimizer, loss):
        self.zero_grad()
        loss.backward()
        weights = network.trainable_weights
        with torch.no_grad():
            optimizer.apply([weight.value.grad for weight in weights], weights)

    def train_step(self, data):
        (real,) = data
        both = torch.cat([self.generator(torch.randn(len(real), NOISE)), real])
        labels = torch.cat([torch.ones(len(real), 1), torch.zeros(len(real), 1)])
        labels += 0.05 * torch.rand(labels.shape)
        d_loss = self.loss_fn(labels, self.discriminator(both, training=True))
        self.learn(self.discriminator, self.d_optimizer, d_loss)

        judged = self.discriminator(self.generator(torch.randn(len(real), NOISE), training=True))
        g_loss = self.loss_fn(torch.zeros(len(real), 1), judged)
        self.learn(self.generator, self.g_optimizer, g_loss)
        self.d_loss.update_state(d_loss)
        self.g_loss.update_state(g_loss)
        return {"d_loss": self.d_loss.result(), "g_loss": self.g_loss.result()}


def network(inputs, outputs):
    inner = [layers.Dense(12), layers.LeakyReLU(0.2), layers.Dropout(0.1), layers.Dense(outputs)]
    return keras.Sequential([keras.Input((inputs,)), *inner])


model = GAN(network(NOISE, 2), network(2, 1))
model.compile(
    keras.optimizers.Adam(0.003),
    keras.optimizers.Adam(0.002, beta_1=0.5),
    keras.losses.BinaryCrossentropy(from_logits=True),
)
pairs = torch.utils.data.TensorDataset(torch.from_numpy(points))
loader = torch.utils.data.DataLoader(pairs, batch_size=14, shuffle=True)
backup = BackupAndRestore("backup", save_freq=6, restore_history=True)
history = model.fit(loader, epochs=4, callbacks=[backup], verbose=0)
drawn = model.generator.predict(np.eye(NOISE, dtype="float32"), verbose=0)
