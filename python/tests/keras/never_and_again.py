"""A training that is interrupted and resumed in this process, beside one that never is."""

from __future__ import annotations

import warnings

import keras
import numpy as np
import pytest
from small_fit import Interrupt, assert_same, values

import rekindle
from rekindle.keras import BackupAndRestore

ON = keras.backend.backend()
X = np.random.RandomState(0).normal(size=(40, 6)).astype("float32") + 3


def train(make, *callbacks, epochs=4, x=X):
    keras.utils.set_random_seed(1)
    model = make()
    model.compile("adam", "mse")
    model.fit(x, x[:, :1], epochs=epochs, batch_size=8, verbose=0, callbacks=list(callbacks))
    return model


def never_and_again(make, backup_dir, save_freq, *, before_resume=lambda: None):
    """The models of a run never interrupted and of a resumed one. The latter may not warn."""
    never = train(make)
    with warnings.catch_warnings():
        warnings.simplefilter("error", rekindle.RekindleWarning)
        with pytest.raises(RuntimeError, match="Interrupting!"):
            train(make, BackupAndRestore(backup_dir, save_freq=save_freq), Interrupt(2, 3))
        before_resume()
        backup = BackupAndRestore(backup_dir, save_freq=save_freq)
        again = train(make, backup)
    report = backup.resume_report
    assert (report["epoch"], report["exact"], report["notes"]) == (2, True, [])
    assert report["batch"] == (0 if save_freq == "epoch" else 3)
    assert_same(values(again), values(never))
    return never, again


every = pytest.mark.parametrize("save_freq", ["epoch", 1])
on_torch = pytest.mark.skipif(ON != "torch", reason="modules of PyTorch")
on_tensorflow = pytest.mark.skipif(ON != "tensorflow", reason="variables of TensorFlow")
