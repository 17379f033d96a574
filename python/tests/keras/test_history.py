"""The epochs to which the values of a run's history belong."""

from __future__ import annotations

import keras
import pytest
from small_fit import Interrupt, data, fit, make_model

from rekindle import inspection
from rekindle._training.history import HistoryRecord
from rekindle.keras import BackupAndRestore


def validated(backup_dir, *callbacks, epochs=10):
    return fit(
        make_model(),
        BackupAndRestore(backup_dir, delete_checkpoint=False, restore_history=True),
        *callbacks,
        epochs=epochs,
        validation_data=data(),
        validation_freq=[1, 2, 10],
    )


def test_a_backup_says_in_which_epochs_a_metric_was_reported(backup_dir):
    history = validated(backup_dir)
    found = inspection.history(backup_dir)
    assert found.epochs["val_loss"] == [0, 1, 9]
    assert found.epochs["loss"] == list(range(10))
    # Keras' own form of the history stays.
    assert len(history.history["val_loss"]) == 3
    assert found.metrics["val_loss"] == pytest.approx(history.history["val_loss"])


def test_so_does_that_of_a_run_that_was_interrupted(backup_dir):
    with pytest.raises(RuntimeError, match="Interrupting!"):
        validated(backup_dir, Interrupt(epoch=5))
    assert inspection.history(backup_dir).epochs["val_loss"] == [0, 1]
    validated(backup_dir)
    assert inspection.history(backup_dir).epochs["val_loss"] == [0, 1, 9]


def test_a_save_that_does_not_say_it_is_gone_on_with():
    old = {"epoch": [0, 1, 2], "metrics": {"loss": [3.0, 2.0, 1.0], "val_loss": [5.0]}}
    record = HistoryRecord.from_state(old, {})
    record.add(3, {"loss": 0.5, "val_loss": 4.0})
    again = HistoryRecord.from_state(record.take({}), {})
    assert again.epochs == {"loss": [0, 1, 2, 3], "val_loss": [None, 3]}
    assert again.metrics["val_loss"] == [5.0, 4.0]


def test_the_first_epochs_alone_have_the_values_that_they_reported():
    record, history = HistoryRecord(), keras.callbacks.History()
    history.set_params({"epochs": 3})
    for epoch in range(5):
        logs = {"loss": 1.0 * epoch}
        record.add(epoch, logs | {"val_loss": 10.0 * epoch} if epoch in (1, 4) else logs)
    record.fill(history, before=3)
    assert history.history == {"loss": [0.0, 1.0, 2.0], "val_loss": [10.0]}
    record.fill(history, before=1)
    assert history.history == {"loss": [0.0]}
