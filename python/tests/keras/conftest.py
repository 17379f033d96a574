"""Fixtures of the callback's tests."""

from __future__ import annotations

import os

import keras
import pytest
from small_fit import fit, make_model

from rekindle.keras import BackupAndRestore

# The subject of these files is the folder, or another library's, and no backend: JAX runs them. To
# run them on another backend too, set the variable REKINDLE_EVERY_TEST.
_OF_ONE_BACKEND = (
    "alone",
    "arguments",
    "callbacks_told_apart",
    "calls_of_fit",
    "csv_logs",
    "export_command",
    "fit_intervals",
    "folder",
    "foreign_files",
    "foreign_places",
    "foreign_state",
    "keeping",
    "lock",
    "looks_at_a_fit",
    "progress",
    "scripts",
    "takeover_damage",
    "takeover_files",
    "takeover_hdf5",
    "watch_a_fit",
)
_IS_FIRST = keras.backend.backend() == "jax" or "REKINDLE_EVERY_TEST" in os.environ
collect_ignore = [] if _IS_FIRST else [f"test_{name}.py" for name in _OF_ONE_BACKEND]

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
