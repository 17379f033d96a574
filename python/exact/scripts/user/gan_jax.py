"""A GAN with two optimizers and its own stateless train_step(), for JAX."""

import jax
import keras
import numpy as np
from keras import layers

from rekindle.keras import BackupAndRestore

keras.utils.set_random_seed(43)

NOISE = 4
rng = np.random.default_rng(4)
turns = rng.uniform(0, 6.28, 140)
points = np.stack([np.cos(turns), np.sin(turns)], axis=-1).astype("float32")
loss_fn = keras.losses.BinaryCrossentropy(from_logits=True)


class GAN(keras.Model):
    """The variables of the generator's optimizer are variables of the model, too.

    So JAX' fit() carries them from step to step.
    """

    def __init__(self, generator, discriminator, d_optimizer, g_optimizer):
        super().__init__()
        self.generator, self.discriminator = generator, discriminator
        self.seeds = keras.random.SeedGenerator(1)
        self.d_loss, self.g_loss = keras.metrics.Mean("d_loss"), keras.metrics.Mean("g_loss")
        d_optimizer.build(discriminator.trainable_variables)
        g_optimizer.build(generator.trainable_variables)
        self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer
        self.slots = list(g_optimizer.variables)
        self.built = True
        self.compile(d_optimizer, jit_compile=True)

    @property
    def metrics(self):
        return [self.d_loss, self.g_loss]

    def learn(self, network, optimizer, scope, loss_of):
        """One step of one network. `scope` keeps the new values of variables."""
        now = [[scope.get_current_value(v) for v in vs] for vs in self.variables_of(network)]
        (loss, rest), grads = jax.value_and_grad(loss_of, has_aux=True)(*now)
        for variable, value in zip(network.non_trainable_variables, rest, strict=True):
            variable.assign(value)
        optimizer.apply(grads, network.trainable_variables)
        return loss

    def variables_of(self, network):
        return network.trainable_variables, network.non_trainable_variables

    def train_step(self, state, data):
        groups = self.trainable_variables, self.non_trainable_variables
        groups = *groups, self.optimizer.variables, self.metrics_variables
        pairs = [
            pair for g, s in zip(groups, state, strict=True) for pair in zip(g, s, strict=True)
        ]
        with keras.StatelessScope(state_mapping=pairs) as scope:
            real = data[0] if isinstance(data, tuple) else data
            ones = jax.numpy.ones((len(real), 1))
            noise = keras.random.normal((len(real), NOISE), seed=self.seeds)
            both = jax.numpy.concatenate([self.generator(noise), real])
            labels = jax.numpy.concatenate([ones, 0 * ones])

            def judge(weights, rest):
                judged, rest = self.discriminator.stateless_call(weights, rest, both, training=True)
                return loss_fn(labels, judged), rest

            def deceive(weights, rest):
                made, rest = self.generator.stateless_call(weights, rest, noise, training=True)
                return loss_fn(0 * ones, self.discriminator(made)), rest

            d_loss = self.learn(self.discriminator, self.optimizer, scope, judge)
            g_loss = self.learn(self.generator, self.g_optimizer, scope, deceive)
            self.d_loss.update_state(d_loss)
            self.g_loss.update_state(g_loss)
            logs = {"d_loss": self.d_loss.result(), "g_loss": self.g_loss.result()}
        return logs, tuple([scope.get_current_value(v) for v in group] for group in groups)


def network(inputs, outputs):
    inner = [layers.Dense(12), layers.LeakyReLU(0.2), layers.Dropout(0.1), layers.Dense(outputs)]
    return keras.Sequential([keras.Input((inputs,)), *inner])


optimizers = keras.optimizers.Adam(0.003), keras.optimizers.Adam(0.002, beta_1=0.5)
model = GAN(network(NOISE, 2), network(2, 1), *optimizers)
backup = BackupAndRestore("backup", save_freq=6, restore_history=True)
history = model.fit(points, batch_size=14, epochs=4, callbacks=[backup], verbose=0)
drawn = model.generator.predict(np.eye(NOISE, dtype="float32"), verbose=0)
