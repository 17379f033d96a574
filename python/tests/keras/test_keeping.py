"""The checkpoints that the callback keeps: the newest, one every N hours, the best."""

from __future__ import annotations

import time

import keras
import pytest
from small_fit import data, fit, interrupt, make_model

import rekindle
from rekindle import Retention, inspection
from rekindle.keras import BackupAndRestore

LOSSES = [5.0, 3.0, 1.0, 4.0, 2.0, 6.0]


def scripted(name="val_loss", values=LOSSES):
    """A callback that sets a value in each epoch's logs. It is before the backup."""
    return keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: logs.update({name: values[epoch]})
    )


def numbers(backup_dir):
    return [save.number for save in inspection.info(backup_dir).saves]


def kept(backup_dir, **how):
    callback = BackupAndRestore(backup_dir, delete_checkpoint=False, **how)
    fit(make_model(), scripted(), callback, epochs=len(LOSSES))
    return numbers(backup_dir)


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({}, [6]),
        ({"double_checkpoint": True}, [5, 6]),
        ({"double_checkpoint": True, "retention": Retention(2)}, [5, 6]),
        ({"retention": Retention(4)}, [3, 4, 5, 6]),
        ({"retention": Retention(None)}, [1, 2, 3, 4, 5, 6]),
        ({"retention": Retention(best=("val_loss", "min", 2))}, [3, 5, 6]),
        ({"retention": Retention(2, ("val_loss", "max", 1))}, [5, 6]),
        ({"retention": Retention(3, ["val_loss", "min", 1])}, [3, 4, 5, 6]),
        ({"retention": Retention(2, every_hours=1.0)}, [5, 6]),
    ],
)
def test_what_is_kept(backup_dir, how, expected):
    assert kept(backup_dir, **how) == expected


def test_a_save_for_each_so_many_hours_stays(backup_dir, monkeypatch):
    hours = [0.0]
    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + 3600 * hours[0])
    later = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: hours.__setitem__(0, 0.4 * epoch)
    )
    callback = BackupAndRestore(
        backup_dir, delete_checkpoint=False, background=False, retention=Retention(every_hours=1.0)
    )
    fit(make_model(), later, callback, epochs=8)
    # The saves are at 0, 0.4, 0.8, 1.2 hours ...: an hour or more passed at the fourth and the
    # seventh.
    assert numbers(backup_dir) == [4, 7, 8]


def test_a_resumed_run_goes_on_from_the_newest_not_the_best(backup_dir):
    how = {"retention": Retention(best=("val_loss", "min", 1))}
    callback = BackupAndRestore(backup_dir, **how)
    x, y = data()
    with pytest.raises(RuntimeError, match="Interrupting!"):
        make_model().fit(x, y, epochs=6, verbose=0, callbacks=[scripted(), callback, stop_at(4)])
    assert numbers(backup_dir) == [3, 4]
    callback = BackupAndRestore(backup_dir, delete_checkpoint=False, **how)
    x, y = data()
    make_model().fit(x, y, epochs=6, verbose=0, callbacks=[scripted(), callback])
    assert callback.resume_report["number"] == 4
    # The run before found the best value, and this run knows it.
    assert numbers(backup_dir) == [3, 6]


def stop_at(epoch):
    def stop(now, logs):
        if now == epoch:
            raise RuntimeError("Interrupting!")

    return keras.callbacks.LambdaCallback(on_epoch_begin=stop)


def test_the_rules_may_change_when_a_run_is_resumed(backup_dir):
    interrupt(make_model(), BackupAndRestore(backup_dir, retention=Retention(last=None)), 4)
    assert numbers(backup_dir) == [1, 2, 3, 4]
    fit(make_model(), BackupAndRestore(backup_dir, delete_checkpoint=False), epochs=5)
    assert numbers(backup_dir) == [5]


def test_when_training_is_complete_all_go(backup_dir):
    how = {"retention": Retention(3, ("val_loss", "min", 2))}
    fit(make_model(), scripted(), BackupAndRestore(backup_dir, **how), epochs=6)
    assert not backup_dir.exists()


@pytest.mark.parametrize("save_freq", ["epoch", 2])
def test_a_metric_that_is_not_in_the_logs_is_told_once(backup_dir, save_freq):
    callback = BackupAndRestore(
        backup_dir, save_freq, retention=Retention(best=("val_los", "min", 1))
    )
    with pytest.warns(rekindle.RekindleWarning, match="no metric 'val_los'.*'loss'") as caught:
        fit(make_model(), callback, epochs=3)
    assert len(caught) == 1
