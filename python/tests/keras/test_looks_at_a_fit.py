"""A backup is inspected and deleted inside of a fit(), and after one that was interrupted."""

from __future__ import annotations

import time

import keras
import pytest
from small_fit import Interrupt, fit, interrupt, make_model

import rekindle
from rekindle import inspection
from rekindle.keras import BackupAndRestore


def test_looks_work_inside_of_a_fit_and_give_what_it_has_done(backup_dir):
    seen = []

    class Look(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch:
                found = inspection.info(backup_dir)
                record = inspection.history(backup_dir)
                seen.append((epoch, found.state, found.is_here, record.epoch))
                assert all(check.damage is None for check in inspection.verify(backup_dir))

    callback = BackupAndRestore(backup_dir, background=False)
    history = fit(make_model(), callback, Look(), epochs=4)
    assert history.epoch == [0, 1, 2, 3]
    assert seen == [(n, "whole", True, list(range(n))) for n in (1, 2, 3)]


def test_the_history_is_that_of_fit(backup_dir):
    callback = BackupAndRestore(backup_dir, delete_checkpoint=False)
    history = fit(make_model(), callback, validation_split=0.2)
    found = inspection.history(backup_dir)
    assert found.epoch == history.epoch
    assert found.metrics == history.history
    last = {name: column[-1] for name, column in history.history.items()}
    assert inspection.info(backup_dir).saves[-1].metrics == last


def test_a_backup_of_an_interrupted_fit_of_this_process_can_be_deleted(backup_dir):
    callback = BackupAndRestore(backup_dir)
    with pytest.raises(RuntimeError) as kept:  # keeps the frames of the failed fit() alive
        fit(make_model(), callback, Interrupt(2))
    assert inspection.info(backup_dir).state == "whole"
    assert inspection.delete(backup_dir).folder_removed
    assert not backup_dir.exists()
    assert kept is not None


def test_a_fit_that_goes_on_keeps_its_backup(backup_dir):
    class Delete(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                with pytest.raises(rekindle.LockError):
                    inspection.delete(backup_dir)
                assert inspection.info(backup_dir).state == "whole"

    callback = BackupAndRestore(backup_dir, background=False)
    assert fit(make_model(), callback, Delete()).epoch == [0, 1, 2]


def test_a_deleted_backup_is_begun_afresh(backup_dir):
    interrupt(make_model(), BackupAndRestore(backup_dir), 2)
    inspection.delete(backup_dir)
    assert fit(make_model(), BackupAndRestore(backup_dir)).epoch == [0, 1, 2]


def test_a_look_after_an_interrupted_fit_waits_for_its_last_save(backup_dir, monkeypatch):
    from rekindle._repository import commit

    publish = commit.Commit.publish

    def slow(self):
        time.sleep(0.5)
        publish(self)

    monkeypatch.setattr(commit.Commit, "publish", slow)
    with pytest.raises(RuntimeError, match="Interrupting!"):
        fit(make_model(), BackupAndRestore(backup_dir), Interrupt(2))
    assert inspection.history(backup_dir).epoch == [0, 1]
