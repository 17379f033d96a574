"""A restore writes no file that the script did not name, and follows no link."""

from __future__ import annotations

import os

import keras
import pytest
from forging import Stop, forge
from small_fit import fit, make_model

import rekindle
from rekindle.keras import BackupAndRestore

OUTSIDE = "outside.txt"


@pytest.mark.parametrize("kind", ["CSVLogger", "ModelCheckpoint"])
def test_no_file_outside_is_written(kind, tmp_path, monkeypatch):
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)
    outside = tmp_path / OUTSIDE
    outside.write_bytes(b"mine")

    def train(*callbacks):
        if kind == "CSVLogger":
            made = keras.callbacks.CSVLogger("log.csv")
        else:
            made = keras.callbacks.ModelCheckpoint("now.weights.h5", save_weights_only=True)
        try:
            fit(make_model(), BackupAndRestore("backup"), made, *callbacks)
        finally:
            if kind == "CSVLogger":
                made.csv_file.close()

    with pytest.raises(RuntimeError, match="Interrupting!"):
        train(Stop(2))

    def change(state):
        name = {"CSVLogger": "filename", "ModelCheckpoint": "filepath"}[kind]
        state["callbacks"].setdefault(kind, {}).setdefault("attributes", {})[name] = str(outside)

    forge("backup", change)
    with pytest.raises(rekindle.DamageError, match=rf"{kind}\.file"):
        train()
    assert outside.read_bytes() == b"mine"


def test_a_link_planted_beside_the_log_is_not_followed(tmp_path):
    outside, log = tmp_path / OUTSIDE, tmp_path / "log.csv"
    outside.write_bytes(b"mine")
    logger = keras.callbacks.CSVLogger(str(log))
    with pytest.raises(RuntimeError, match="Interrupting!"):
        fit(make_model(), logger, BackupAndRestore(tmp_path / "backup"), Stop(2))
    logger.csv_file.close()
    os.symlink(outside, f"{log}.rekindle")
    fit(make_model(), keras.callbacks.CSVLogger(str(log)), BackupAndRestore(tmp_path / "backup"))
    assert outside.read_bytes() == b"mine"
    assert len(log.read_text().splitlines()) == 4


def test_no_file_is_named_by_the_logs_of_a_save(tmp_path, monkeypatch):
    inside = tmp_path / "inside"
    inside.mkdir()
    monkeypatch.chdir(inside)

    def train(*callbacks):
        saver = keras.callbacks.ModelCheckpoint("{loss}.weights.h5", save_weights_only=True)
        fit(make_model(), BackupAndRestore("backup", save_freq=5), saver, *callbacks)

    class End(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            raise RuntimeError("Interrupting!")

    with pytest.raises(RuntimeError, match="Interrupting!"):
        train(End())
    forge("backup", lambda state: state.update(logs={"loss": "../outside", "x": 1}))
    with pytest.raises(rekindle.DamageError, match="logs"):
        train()
    assert [path.name for path in tmp_path.iterdir()] == ["inside"]


def test_a_log_that_is_a_link_stays_one_with_the_rights_of_its_file(tmp_path):
    log, link = tmp_path / "real.csv", tmp_path / "log.csv"
    log.touch(mode=0o640)
    log.chmod(0o640)
    link.symlink_to(log)
    logger = keras.callbacks.CSVLogger(str(link))
    with pytest.raises(RuntimeError, match="Interrupting!"):
        fit(make_model(), logger, BackupAndRestore(tmp_path / "backup"), Stop(2))
    logger.csv_file.close()
    fit(make_model(), keras.callbacks.CSVLogger(str(link)), BackupAndRestore(tmp_path / "backup"))
    assert link.is_symlink()
    assert len(log.read_text().splitlines()) == 4
    assert log.stat().st_mode & 0o777 == 0o640
