"""A GAN with two optimizers and its own train_step(), for TensorFlow."""

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from rekindle.keras import BackupAndRestore

keras.utils.set_random_seed(41)

NOISE = 4
rng = np.random.default_rng(4)
turns = rng.uniform(0, 6.28, 140)
points = np.stack([np.cos(turns), np.sin(turns)], axis=-1).astype("float32")


class GAN(keras.Model):
    def __init__(self, generator, discriminator):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.seeds = keras.random.SeedGenerator(1)
        self.d_loss, self.g_loss = keras.metrics.Mean("d_loss"), keras.metrics.Mean("g_loss")

    def compile(self, d_optimizer, g_optimizer, loss_fn):
        super().compile()
        self.d_optimizer, self.g_optimizer, self.loss_fn = d_optimizer, g_optimizer, loss_fn

    @property
    def metrics(self):
        return [self.d_loss, self.g_loss]

    def train_step(self, real):
        count = tf.shape(real)[0]
        noise = keras.random.normal((count, NOISE), seed=self.seeds)
        both = tf.concat([self.generator(noise), real], axis=0)
        labels = tf.concat([tf.ones((count, 1)), tf.zeros((count, 1))], axis=0)
        labels += 0.05 * keras.random.uniform(tf.shape(labels), seed=self.seeds)
        with tf.GradientTape() as tape:
            d_loss = self.loss_fn(labels, self.discriminator(both, training=True))
        weights = self.discriminator.trainable_weights
        self.d_optimizer.apply_gradients(zip(tape.gradient(d_loss, weights), weights, strict=True))

        noise = keras.random.normal((count, NOISE), seed=self.seeds)
        with tf.GradientTape() as tape:
            judged = self.discriminator(self.generator(noise, training=True))
            g_loss = self.loss_fn(tf.zeros((count, 1)), judged)
        weights = self.generator.trainable_weights
        self.g_optimizer.apply_gradients(zip(tape.gradient(g_loss, weights), weights, strict=True))
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
dataset = tf.data.Dataset.from_tensor_slices(points).shuffle(140).batch(14)
backup = BackupAndRestore("backup", save_freq=6, restore_history=True)
history = model.fit(dataset, epochs=4, callbacks=[backup], verbose=0)
drawn = model.generator.predict(np.eye(NOISE, dtype="float32"), verbose=0)
