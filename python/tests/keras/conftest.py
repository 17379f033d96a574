"""Fixtures of the callback's tests."""

from __future__ import annotations

import keras
import pytest
from small_fit import fit, make_model

from rekindle.keras import BackupAndRestore

MODEL_FILE = """
import keras

def make(optimizer=None):
    layers = [keras.layers.Input((3,)), keras.layers.Dense(4), keras.layers.Dense(1)]
    return keras.Sequential(layers)

def compiled():
    model = make()
    model.compile("adam", "mse", metrics=["mae"])
    return model

def other():
    return keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(5)])

nothing = 3
"""


@pytest.fixture
def backup_dir(tmp_path):
    return tmp_path / "backup"


@pytest.fixture(autouse=True)
def unseeded():
    """Removes TensorFlow's seed after each test: with a seed, TensorFlow shuffles differently."""
    yield
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.random.set_seed(None)


@pytest.fixture
def trained(backup_dir):
    """A model of which a backup of 3 epochs is kept."""
    model = make_model()
    fit(model, BackupAndRestore(backup_dir, delete_checkpoint=False, double_checkpoint=True))
    return model


@pytest.fixture
def model_file(tmp_path):
    path = tmp_path / "model_of_mine.py"
    path.write_text(MODEL_FILE)
    return path
