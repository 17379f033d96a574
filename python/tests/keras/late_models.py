"""Models that make their variables late, or that cannot be called on the data."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
from small_fit import Interrupt

from rekindle.keras import BackupAndRestore

ON = keras.backend.backend()


on_tensorflow = pytest.mark.skipif(ON != "tensorflow", reason="elsewhere fit() builds first")


not_on_jax = pytest.mark.skipif(ON == "jax", reason="JAX has no train_step without its own state")


X = np.random.RandomState(0).normal(size=(32, 6)).astype("float32")


def descend(loss, layers, optimizer):
    """One optimizer step on a loss, as on backends other than JAX."""
    weights = [w for layer in layers for w in layer.trainable_weights]
    if ON == "torch":
        import torch

        for weight in weights:
            weight.value.grad = None
        value = loss()
        weights = [w for layer in layers for w in layer.trainable_weights]
        value.backward()
        with torch.no_grad():
            optimizer.apply([w.value.grad for w in weights], weights)
        return value
    import tensorflow as tf

    with tf.GradientTape() as tape:
        value = loss()
    weights = [w for layer in layers for w in layer.trainable_weights]
    optimizer.apply_gradients(zip(tape.gradient(value, weights), weights, strict=True))
    return value


class Coder(keras.Model):
    """Has no call(): train_step() calls the parts, as in Keras' example of a VAE."""

    def __init__(self, *, lazy=False, trains_all=True):
        super().__init__()
        begin = [] if lazy else [keras.layers.Input((6,))]
        self.encoder = keras.Sequential([*begin, keras.layers.Dense(3, "tanh")])
        begin = [] if lazy else [keras.layers.Input((3,))]
        self.decoder = keras.Sequential([*begin, keras.layers.Dense(6)])
        self.tracker = keras.metrics.Mean(name="loss")
        self.trains_all = trains_all

    @property
    def metrics(self):
        return [self.tracker]

    def train_step(self, x):
        def loss():
            return keras.ops.mean((x - self.decoder(self.encoder(x))) ** 2)

        layers = [self.encoder, self.decoder] if self.trains_all else [self.decoder]
        self.tracker.update_state(descend(loss, layers, self.optimizer))
        return {"loss": self.tracker.result()}


class WrongShape(Coder):
    """Has a call(), but not for inputs of the data's shape."""

    def call(self, code):
        return self.decoder(code)


class MadeInBuild(keras.Model):
    """Makes its layers when it is built. Keras trains it in the usual way."""

    def build(self, shape):
        self.hidden, self.last = keras.layers.Dense(4, "tanh"), keras.layers.Dense(6)
        self.hidden.build(shape)
        self.last.build((None, 4))
        self.built = True

    def call(self, x):
        return self.last(self.hidden(x))


def coder(**how):
    model = Coder(**how)
    model.compile(keras.optimizers.Adam(0.01))
    return model


def wrong_shape():
    model = WrongShape(lazy=True)
    model.compile(keras.optimizers.Adam(0.01))
    return model


def eager():
    model = Coder(lazy=True)
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    return model


def made_in_build():
    model = MadeInBuild()
    model.compile("adam", "mse", metrics=["mae"])
    return model


def functional():
    class Pairs(keras.Model):
        def train_step(self, data):
            def loss():
                return keras.ops.mean((self(data["x"] * 2.0)) ** 2)

            return {"loss": descend(loss, [self], self.optimizer)}

    inputs = keras.Input((6,))
    model = Pairs(inputs, keras.layers.Dense(2)(keras.layers.Dense(3)(inputs)))
    model.compile("adam", "mse")
    return model


class Gan(keras.Model):
    """Has two optimizers. The optimizer from compile() is never used."""

    def __init__(self, *, lazy=False):
        super().__init__()
        begin = [] if lazy else [keras.layers.Input((6,))]
        self.g = keras.Sequential([*begin, keras.layers.Dense(6)])
        self.d = keras.Sequential([*begin, keras.layers.Dense(1)])
        self.built = True

    def compile(self, d_optimizer, g_optimizer):
        super().compile()
        self.d_optimizer, self.g_optimizer = d_optimizer, g_optimizer

    def train_step(self, x):
        def loss():
            return keras.ops.mean(self.d(self.g(x)) ** 2) - keras.ops.mean(self.d(x))

        return {
            "d": descend(loss, [self.d], self.d_optimizer),
            "g": descend(loss, [self.g], self.g_optimizer),
        }


def gan(optimizer=keras.optimizers.SGD, **how):
    model = Gan(**how)
    model.compile(optimizer(0.01), optimizer(0.01))
    return model


def numbers(owner):
    return [np.array(keras.ops.convert_to_numpy(v)) for v in owner.variables]


def never_and_again(run):
    """The results of a run never interrupted and of an interrupted run. Neither may warn."""
    never = run()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(RuntimeError, match="Interrupting!"):
            run(Interrupt(2, 1))
        return never, run()


def train(make, *callbacks, data=X, epochs=4):
    keras.utils.set_random_seed(1)
    model = make()
    model.fit(data, epochs=epochs, batch_size=8, verbose=0, callbacks=list(callbacks))
    return model


def killed_at(make, epoch, batch, backup_dir, save_freq, data=X, extra=None):
    backup = BackupAndRestore(backup_dir, save_freq=save_freq, extra_state=extra)
    with pytest.raises(RuntimeError, match="Interrupting!"):
        train(make, backup, Interrupt(epoch, batch), data=data)
