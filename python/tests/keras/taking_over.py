"""A run that Keras' own callback began, and one that continues it."""

from __future__ import annotations

import json
import os

import keras
import pytest
from small_fit import Probe, fit, interrupt, make_model

import rekindle
from rekindle.keras import BackupAndRestore

Theirs = keras.callbacks.BackupAndRestore


WEIGHTS, METADATA = "latest.weights.h5", "training_metadata.json"


def interrupted_by_keras(folder, *, epoch=2, batch=None, **arguments):
    """Interrupts a run with Keras' callback. Returns the bytes and times of its files, by name."""
    save_freq = arguments.get("save_freq", "epoch")
    keras.utils.set_random_seed(1)
    interrupt(make_model(), Theirs(str(folder), **arguments), epoch, batch, shuffle=False)
    assert (folder / WEIGHTS).exists()
    assert json.loads((folder / METADATA).read_text())["epoch"] == epoch, save_freq
    return contents(folder)


def contents(folder):
    """The files of Keras' callback."""
    names = [name for name in os.listdir(folder) if name.startswith((WEIGHTS, METADATA))]
    return {
        name: ((folder / name).read_bytes(), (folder / name).stat().st_mtime_ns) for name in names
    }


def resume(folder, callback_class, **arguments):
    """Resumes in a new model. Returns the model, the trained batches and the History."""
    model, probe = make_model(), Probe()
    history = fit(model, callback_class(str(folder), **arguments), probe, epochs=5, shuffle=False)
    return model, probe, history


def taken_over(folder, **arguments):
    with pytest.warns(rekindle.TakeoverWarning) as caught:
        found = resume(folder, BackupAndRestore, **arguments)
    (warning,) = [w.message for w in caught if isinstance(w.message, rekindle.TakeoverWarning)]
    return *found, warning
