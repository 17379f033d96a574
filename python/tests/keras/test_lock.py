"""Only one run at a time may use a folder, also within one process."""

from __future__ import annotations

import os

import keras
import pytest
from small_fit import Interrupt, fit, interrupt, make_model

import rekindle
from rekindle.keras import BackupAndRestore


def test_a_fit_inside_of_a_fit_cannot_use_its_folder(backup_dir):
    class Nested(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            with pytest.raises(rekindle.LockError) as caught:
                fit(make_model(), BackupAndRestore(backup_dir))
            assert caught.value.pid == os.getpid()
            assert "another run in this process" in str(caught.value)

    history = fit(make_model(), BackupAndRestore(backup_dir), Nested(), epochs=2)
    assert history.epoch == [0, 1]


def test_another_callback_takes_over_after_a_fit_that_failed(backup_dir):
    first = BackupAndRestore(backup_dir)
    with pytest.raises(RuntimeError) as kept:  # keeps the frames of the failed fit() alive
        fit(make_model(), first, Interrupt(1))
    assert fit(make_model(), BackupAndRestore(backup_dir)).epoch == [1, 2]
    assert kept is not None


def test_the_same_callback_serves_a_second_fit(backup_dir):
    callback = BackupAndRestore(backup_dir)
    model = make_model()
    interrupt(model, callback, 1)
    assert fit(model, callback).epoch == [1, 2]
    assert fit(model, callback).epoch == [0, 1, 2]


def test_a_refused_resume_lets_go_of_the_folder(backup_dir):
    interrupt(make_model(), BackupAndRestore(backup_dir), 1)
    with pytest.raises(rekindle.MismatchError):
        fit(make_model(width=9), BackupAndRestore(backup_dir))
    assert fit(make_model(), BackupAndRestore(backup_dir)).epoch == [1, 2]
