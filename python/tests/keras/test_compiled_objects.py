"""State of a loss, a metric, an optimizer and other objects that training computes with."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
from small_fit import Interrupt, assert_same, values

import rekindle
from rekindle.keras import BackupAndRestore

X = np.random.RandomState(0).normal(size=(40, 6)).astype("float32")


class Annealed(keras.losses.Loss):
    """Has a number and a variable that each call changes."""

    def __init__(self):
        super().__init__()
        self.calls = 0
        self.scale = keras.Variable(1.0, trainable=False)

    def call(self, y_true, y_pred):
        self.calls += 1
        self.scale.assign(self.scale * 0.99)
        return self.scale * keras.ops.square(y_true - y_pred) * min(1.0, self.calls / 15)


class Seen(keras.metrics.Metric):
    """Keeps its numbers in attributes."""

    def __init__(self):
        super().__init__(name="seen")
        self.total, self.count = 0.0, 0

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.total += float(keras.ops.convert_to_numpy(keras.ops.mean(y_pred)))
        self.count += 1

    def result(self):
        return self.total / max(self.count, 1)

    def reset_state(self):
        self.total, self.count = 0.0, 0


class Slower(keras.optimizers.SGD):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.steps_seen = 0

    def update_step(self, gradient, variable, learning_rate):
        self.steps_seen += 1
        super().update_step(gradient, variable, learning_rate * (0.99**self.steps_seen))


class Falls(keras.optimizers.schedules.LearningRateSchedule):
    def __init__(self):
        self.reads = 0

    def __call__(self, step):
        self.reads += 1
        return 0.05 / (1 + self.reads / 20)

    def get_config(self):
        return {}


class Grows(keras.regularizers.Regularizer):
    def __init__(self):
        self.calls = 0

    def __call__(self, x):
        self.calls += 1
        return 1e-4 * self.calls * keras.ops.sum(keras.ops.square(x))


class Shrinks(keras.constraints.Constraint):
    def __init__(self):
        self.calls = 0

    def __call__(self, w):
        self.calls += 1
        return w * (1 - 1e-4 * self.calls)


class Fades:
    def __init__(self):
        self.factor = 1.0

    def __call__(self, x):
        self.factor *= 0.99
        return x * self.factor


class Steers(keras.callbacks.Callback):
    """Changes a setting of the optimizer that is no variable."""

    def on_epoch_end(self, epoch, logs=None):
        self.model.optimizer.momentum = 0.9 - 0.2 * epoch


class Curriculum:
    def __init__(self):
        self.calls = 0

    def loss(self, y_true, y_pred):
        self.calls += 1
        return keras.ops.square(y_true - y_pred) * min(1.0, self.calls / 15)


def model(loss=None, optimizer=None, *, of_layer=True):
    more = {}
    if of_layer:
        more = {
            "kernel_regularizer": Grows(),
            "kernel_constraint": Shrinks(),
            "activation": Fades(),
        }
    made = keras.Sequential(
        [keras.layers.Input((6,)), keras.layers.Dense(4, **more), keras.layers.Dense(1)]
    )
    metrics = [Seen()] if keras.backend.backend() == "torch" else []
    optimizer = optimizer or Slower(0.02, momentum=0.9)
    made.compile(optimizer, loss or "mse", metrics=metrics, run_eagerly=True)
    return made


MODELS = {
    "loss": lambda: model(Annealed(), "sgd", of_layer=False),
    "method": lambda: model(Curriculum().loss, "sgd", of_layer=False),
    "schedule": lambda: model(optimizer=keras.optimizers.Adam(Falls()), of_layer=False),
    "layers": model,
}


def train(kind, *callbacks):
    keras.utils.set_random_seed(1)
    made = MODELS[kind]()
    others = [Steers()] if kind == "layers" else []
    history = made.fit(
        X, X[:, :1], epochs=4, batch_size=8, verbose=0, callbacks=[*others, *callbacks]
    )
    return made, history.history


@pytest.mark.parametrize("save_freq", ["epoch", 1])
@pytest.mark.parametrize("kind", MODELS)
def test_what_each_step_reads_and_changes_comes_back(backup_dir, kind, save_freq):
    never, expected = train(kind)
    with warnings.catch_warnings():
        warnings.simplefilter("error", rekindle.RekindleWarning)
        with pytest.raises(RuntimeError, match="Interrupting!"):
            train(kind, BackupAndRestore(backup_dir, save_freq=save_freq), Interrupt(2, 3))
        backup = BackupAndRestore(backup_dir, save_freq=save_freq, restore_history=True)
        again, found = train(kind, backup)
    assert (backup.resume_report["exact"], backup.resume_report["notes"]) == (True, [])
    assert_same(values(again), values(never))
    assert found == expected
    assert again.optimizer.momentum == never.optimizer.momentum if kind == "layers" else True
