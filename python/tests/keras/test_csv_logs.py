"""If no training begins, rekindle restores the log that CSVLogger emptied."""

from __future__ import annotations

import os

import keras
import pytest
from small_fit import Interrupt, fit, interrupt, make_model

import rekindle
from rekindle.keras import BackupAndRestore

made = []


def logger_of(path):
    made.append(keras.callbacks.CSVLogger(path))
    return made[-1]


@pytest.fixture(autouse=True)
def closed():
    """Closes the logs that an interrupted fit() leaves open."""
    yield
    for logger in made:
        if logger.csv_file is not None:
            logger.csv_file.close()
    made.clear()


@pytest.fixture
def log(tmp_path):
    return tmp_path / "log.csv"


def in_both_orders(backup, logger):
    return [[backup, logger], [logger, backup]]


@pytest.mark.parametrize("first", [True, False], ids=["backup first", "log first"])
class TestLogs:
    def callbacks(self, first, backup, log):
        return in_both_orders(backup, logger_of(log))[0 if first else 1]

    def test_of_a_stage_that_is_done_stays(self, first, backup_dir, log, tmp_path):
        def script(*stop):
            model = make_model()
            fit(model, *self.callbacks(first, BackupAndRestore(backup_dir), log))
            fit(
                model,
                *self.callbacks(first, BackupAndRestore(backup_dir), tmp_path / "second.csv"),
                *stop,
                initial_epoch=3,
                epochs=6,
            )

        with pytest.raises(RuntimeError, match="Interrupting!"):
            script(Interrupt(5))
        before = log.read_bytes()
        assert before.count(b"\n") == 4
        with pytest.warns(rekindle.RekindleWarning, match="runs no epoch"):
            script()
        assert log.read_bytes() == before
        assert (tmp_path / "second.csv").read_text().count("\n") == 4

    def test_of_a_refused_fit_stays(self, first, backup_dir, log):
        interrupt(make_model(), BackupAndRestore(backup_dir), 2)
        log.write_text("epoch,loss\n0,1.0\n")
        with pytest.raises(rekindle.MismatchError):
            fit(make_model(width=5), *self.callbacks(first, BackupAndRestore(backup_dir), log))
        assert log.read_text() == "epoch,loss\n0,1.0\n"

    def test_of_a_run_that_goes_on_is_not_disturbed(self, first, backup_dir, log):
        class Second(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                if epoch == 1:
                    again = TestLogs().callbacks(first, BackupAndRestore(backup_dir), log)
                    with pytest.raises(rekindle.LockError):
                        fit(make_model(), *again)

        fit(make_model(), *self.callbacks(first, BackupAndRestore(backup_dir), log), Second())
        rows = log.read_text().splitlines()
        assert [row.partition(",")[0] for row in rows] == ["epoch", "0", "1", "2"]

    def test_of_an_earlier_run_goes_when_training_begins(self, first, backup_dir, log):
        log.write_text("of a run before\n")
        fit(make_model(), *self.callbacks(first, BackupAndRestore(backup_dir), log))
        assert log.read_text().startswith("epoch,loss")


@pytest.mark.parametrize("kind", ["none", "FIFO", "folder"])
def test_what_is_no_log_is_not_read(kind, backup_dir, log):
    if kind == "FIFO":
        os.mkfifo(log)
    elif kind == "folder":
        log.mkdir()
    callback = BackupAndRestore(backup_dir)
    found = keras.callbacks.CallbackList([callback, logger_of(log)], model=make_model())
    assert found.callbacks
    assert callback._csv_logs._held == {}
