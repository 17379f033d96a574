"""Settings of layers, and compile(), that a callback changes in the middle of training."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
from small_fit import data

import rekindle
from rekindle.keras import BackupAndRestore

is_compiled = keras.backend.backend() != "torch"


class Scale(keras.layers.Layer):
    """A layer of the user's own."""

    def __init__(self):
        super().__init__()
        self.factor, self.calls, self.noted = 1.0, 0, 0

    def call(self, x):
        self.calls += 1
        return x * self.factor


def make_model():
    layers = [keras.layers.Input((3,)), keras.layers.Dense(4), Scale(), keras.layers.Dropout(0.1)]
    model = keras.Sequential([*layers, keras.layers.BatchNormalization(), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    return model


def told(backup_dir, change, *, epoch=1):
    """What rekindle warns of if the model is changed at the end of an epoch."""
    model = make_model()
    at_end = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda now, logs: change(model) if now == epoch else None
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        callbacks = [at_end, BackupAndRestore(backup_dir, save_freq=2)]
        model.fit(*data(), batch_size=4, epochs=3, verbose=0, callbacks=callbacks)
    return [str(one.message) for one in caught if one.category is rekindle.InexactWarning]


def test_a_model_that_nobody_changes_has_nothing_to_tell(backup_dir):
    assert told(backup_dir, lambda model: None) == []


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda model: setattr(model.layers[2], "rate", 0.5), "Dropout.rate"),
        (lambda model: setattr(model.layers[3], "momentum", np.nan), "BatchNormalization.momentum"),
    ],
)
def test_a_setting_of_a_layer_is_named(backup_dir, change, name):
    [found] = told(backup_dir, change)
    assert found.startswith(f"{name} was changed during training, and no checkpoint holds it. A")


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="Keras on JAX fails by itself")
def test_a_layer_that_is_frozen_is_named(backup_dir):
    # At the last checkpoint: Keras on TensorFlow, too, fails in the next epoch.
    found = told(backup_dir, lambda model: setattr(model.layers[0], "trainable", False), epoch=2)
    assert found == [] or found[0].startswith("Dense.trainable was changed during training")


def test_a_model_that_is_compiled_again_is_named(backup_dir):
    model = make_model()
    again = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: (
            model.compile(model.optimizer, "mae") if batch == 4 else None
        )
    )
    callbacks = [again, BackupAndRestore(backup_dir)]
    with pytest.warns(rekindle.InexactWarning, match=r"Sequential.compile\(\) was called during"):
        model.fit(*data(), batch_size=4, epochs=1, verbose=0, callbacks=callbacks)


def test_an_attribute_that_a_compiled_step_has_read_is_named_there(backup_dir):
    def change(model):
        model.layers[1].factor, model.layers[1].noted = 2.0, 1

    found = told(backup_dir, change)
    assert len(found) == (1 if is_compiled else 0)
    if is_compiled:
        assert found[0].startswith("Scale.factor was changed during training, and is not saved: a")
