"""A small fit() of tf_keras, its interruption, and the comparison of two models."""

from __future__ import annotations

import json
from pathlib import Path

import forks
import numpy as np
import pytest
import tf_keras

from rekindle._tf_keras import variables

EXACT = Path(__file__).parents[2] / "exact" / "keras2"
IMPORTS = ("tensorflow", "tf_keras", "rekindle.tf_keras")


def make_model(*middle, built=True, optimizer="adam", **more):
    """A model with Dropout, unless other layers are given. Its weights are the same each time."""
    tf_keras.utils.set_random_seed(7)
    layers = [tf_keras.layers.Dense(4), *(middle or [tf_keras.layers.Dropout(0.4)])]
    model = tf_keras.Sequential([*layers, tf_keras.layers.Dense(1)])
    if built:
        model.build((None, 3))
    model.compile(optimizer, "mse", metrics=["mae"], **more)
    return model


def data(samples=20):
    rng = np.random.RandomState(0)
    return rng.normal(size=(samples, 3)).astype("float32"), rng.normal(size=(samples, 1))


def fit(model, *callbacks, epochs=3, batch_size=4, **more):
    x, y = data()
    given = {"x": x, "y": y, "batch_size": batch_size, "verbose": 0} | more
    if not isinstance(given["x"], np.ndarray):
        del given["y"], given["batch_size"]
    return model.fit(epochs=epochs, callbacks=list(callbacks), **given)


class Interrupt(tf_keras.callbacks.Callback):
    """Raises at the beginning of an epoch or of one of its batches. Its state does not matter."""

    current = None

    def __init__(self, epoch, batch=None):
        super().__init__()
        self.epoch, self.batch = epoch, batch

    def on_epoch_begin(self, epoch, logs=None):
        Interrupt.current = epoch
        if epoch == self.epoch and self.batch is None:
            raise RuntimeError("Interrupting!")

    def on_train_batch_begin(self, batch, logs=None):
        if (Interrupt.current, batch) == (self.epoch, self.batch):
            raise RuntimeError("Interrupting!")


class Never(Interrupt):
    """The same callback for the run that resumes: its place in the list is not empty then."""

    def __init__(self):
        super().__init__(-1)


Never.__name__ = "Interrupt"


def interrupt(model, callback, epoch, batch=None, **more):
    with pytest.raises(RuntimeError, match="Interrupting!"):
        fit(model, callback, Interrupt(epoch, batch), **more)


def values(model):
    """Every variable of the model, of its optimizer and of its metrics, by name."""
    found = variables.named(model) | variables.metrics(model)
    return {name: np.array(value) for name, value in variables.values(found).items()}


def assert_same(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def weights(model):
    return {str(number): weight for number, weight in enumerate(model.get_weights())}


def run_scenario(folder, *, kill=None, source="arrays", save_freq="epoch", **more):
    """Runs the scenario of `python/exact/keras2` in a process of its own. Returns its status."""
    config = {"source": source, "save_freq": save_freq, "folder": str(folder), "kill": kill} | more
    status, _, errors = forks.run(EXACT / "scenario.py", json.dumps(config), imports=IMPORTS)
    if status > 0:
        raise AssertionError(errors)
    return status


class Probe(tf_keras.callbacks.Callback):
    """Records the trained batches with their epochs."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append((self.epoch, batch))
