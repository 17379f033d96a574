"""Weights without dimensions, as those of a Normalization, in the state of a callback."""

from __future__ import annotations

import keras
import numpy as np
from small_fit import fit, interrupt

from rekindle.keras import BackupAndRestore


def make():
    keras.utils.set_random_seed(3)
    inner = [keras.layers.Normalization(), keras.layers.Dense(1)]
    model = keras.Sequential([keras.layers.Input((3,)), *inner])
    model.compile("adam", "mse")
    stop = keras.callbacks.EarlyStopping("loss", patience=9, restore_best_weights=True)
    return model, stop


def test_the_best_weights_of_a_normalization_come_back(tmp_path):
    never, stop = make()
    fit(never, stop)
    killed, earlier = make()
    interrupt(killed, BackupAndRestore(tmp_path / "backup"), 2, more_callbacks=[earlier])
    resumed, later = make()
    backup = BackupAndRestore(tmp_path / "backup")
    fit(resumed, backup, later)
    assert backup.resume_report["exact"], backup.resume_report
    assert later.best == stop.best
    for one, other in zip(later.best_weights, stop.best_weights, strict=True):
        np.testing.assert_array_equal(one, other)
