"""SIGTERM saves at the end of the batch or of the validation step, and ends training."""

from __future__ import annotations

import os
import signal

import pytest
import tf_keras
from small_tf_fit import assert_same, data, fit, make_model, values

import rekindle
from rekindle.tf_keras import BackupAndRestore


class Terminate(tf_keras.callbacks.Callback):
    """Sends SIGTERM to this process, at a hook that tf_keras calls for each callback."""

    def __init__(self, epoch=None, batch=None, *, in_validation=False):
        super().__init__()
        self.place, self.in_validation = (epoch, batch), in_validation
        self.current = 0
        if batch is not None and not in_validation:
            self.on_train_batch_end = self._trained

    def on_epoch_begin(self, epoch, logs=None):
        self.current = epoch
        if self.place == (epoch, None) and not self.in_validation:
            self._send()

    def _trained(self, batch, logs=None):
        if self.place == (self.current, batch):
            self._send()

    def on_test_begin(self, logs=None):
        if self.in_validation and self.place[0] == self.current:
            self._send()

    def _send(self):
        self.place = (None, None)
        os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("terminate", "stands"),
    [
        (Terminate(1, 2), (1, 3)),
        # No callback has hooks of batches until the signal comes.
        (Terminate(1), (1, 1)),
        (Terminate(1, in_validation=True), (1, 5)),
    ],
)
def test_a_signal_saves_and_the_run_is_resumed_exactly(backup_dir, terminate, stands):
    validation = data()
    expected = make_model()
    history = fit(
        expected, BackupAndRestore(f"{backup_dir}-other"), Terminate(), validation_data=validation
    )
    callback = BackupAndRestore(backup_dir, False, save_before_preemption=True)
    with pytest.raises(rekindle.TrainingPreempted) as caught:
        fit(make_model(), callback, terminate, validation_data=validation)
    assert caught.value.code == 75
    model = make_model()
    callback = BackupAndRestore(backup_dir, restore_history=True)
    again = fit(model, callback, Terminate(), validation_data=validation)
    report = callback.resume_report
    assert (report["epoch"], report["batch"]) == stands
    assert report["exact"], report["notes"]
    assert again.history == history.history
    assert_same(values(expected), values(model))


def test_without_the_argument_a_signal_is_not_ours(backup_dir):
    before = signal.getsignal(signal.SIGTERM)
    seen = []

    class Look(tf_keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            seen.append(signal.getsignal(signal.SIGTERM))

    fit(make_model(), BackupAndRestore(backup_dir), Look())
    assert seen == [before] * 3
