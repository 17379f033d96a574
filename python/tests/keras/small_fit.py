"""A small model, its data, its fit(), and the same in separate processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import forks
import keras
import numpy as np
import pytest

EXACT = Path(__file__).parents[2] / "exact"


def make_model(width=4, *, built=True, optimizer="adam", name=None):
    layers = [keras.layers.Dense(width, name=name), keras.layers.Dense(1)]
    model = keras.Sequential(([keras.layers.Input((3,))] if built else []) + layers)
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


def data(samples=20):
    rng = np.random.RandomState(0)
    return rng.normal(size=(samples, 3)).astype("float32"), rng.normal(size=(samples, 1))


def fit(model, *callbacks, epochs=3, samples=20, batch_size=4, **more):
    x, y = data(samples)
    return model.fit(
        x,
        y,
        epochs=epochs,
        batch_size=batch_size,
        verbose=0,
        callbacks=list(callbacks),
        **more,
    )


class Interrupt(keras.callbacks.Callback):
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


def interrupt(model, callback, epoch, batch=None, more_callbacks=(), **more):
    callbacks = (*more_callbacks, callback, Interrupt(epoch, batch))
    with pytest.raises(RuntimeError, match="Interrupting!"):
        fit(model, *callbacks, epochs=epoch + 3, **more)


def run_scenario(folder, *, kill=None, source="arrays", save_freq="epoch", **more):
    """Runs the scenario of `python/exact` in a process of its own. Returns its exit status."""
    config = {"source": source, "save_freq": save_freq, "folder": str(folder), "kill": kill} | more
    status, _, errors = forks.run(EXACT / "scenario.py", json.dumps(config))
    if status > 0:
        raise AssertionError(errors)
    return status


def run_code(code, *arguments, **environment):
    """Runs code in a new process that finds the modules of these tests. Returns what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def values(model):
    variables = model.variables + model.optimizer.variables
    return [np.array(keras.ops.convert_to_numpy(v)) for v in variables]


def assert_same(first, second):
    assert len(first) == len(second)
    for one, other in zip(first, second, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


class Probe(keras.callbacks.Callback):
    """Records the model's values, and the trained batches with their epochs."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        if not self.seen:
            self.first = values(self.model)

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append((self.epoch, batch))


def same_weights(one, other):
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)
