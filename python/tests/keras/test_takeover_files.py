"""Special files under the names of Keras' own backup: rekindle refuses them without waiting."""

from __future__ import annotations

import os
import sys

import keras
import pytest
from small_fit import fit, interrupt, make_model

import rekindle
from rekindle.keras import BackupAndRestore

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there are no such files")

WEIGHTS, METADATA = "latest.weights.h5", "training_metadata.json"


def link(path):
    elsewhere = path.parent.parent / path.name
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def fifo(path):
    path.unlink()
    os.mkfifo(path)


def folder(path):
    path.unlink()
    path.mkdir()


def huge(path):
    """A sparse file, larger than any disk here."""
    with path.open("r+b") as file:
        file.truncate(1 << 40)


def kept(folder):
    """Keras' files, by name."""
    stats = {one.name: one.lstat() for one in folder.iterdir() if one.name != ".lock"}
    return {name: (stat.st_mode, stat.st_mtime_ns) for name, stat in stats.items()}


@pytest.mark.parametrize("name", [WEIGHTS, METADATA])
@pytest.mark.parametrize("kind", [link, fifo, folder, huge])
def test_it_is_refused_and_left_as_it_is(backup_dir, name, kind):
    interrupt(make_model(), keras.callbacks.BackupAndRestore(str(backup_dir)), 1)
    kind(backup_dir / name)
    before = kept(backup_dir)
    with pytest.raises(rekindle.DamageError, match=name):
        fit(make_model(), BackupAndRestore(backup_dir))
    assert kept(backup_dir) == before


@pytest.mark.parametrize("kind", [link, fifo, huge])
def test_the_pair_before_is_taken_where_it_is_whole(backup_dir, kind):
    theirs = keras.callbacks.BackupAndRestore(str(backup_dir), double_checkpoint=True)
    interrupt(make_model(), theirs, 2)
    kind(backup_dir / WEIGHTS)
    with pytest.warns(rekindle.TakeoverWarning, match="so rekindle used the previous pair"):
        assert fit(make_model(), BackupAndRestore(backup_dir)).epoch == [1, 2]


@pytest.mark.parametrize("kind", [fifo, huge])
def test_the_end_of_another_run_does_not_wait_for_it(backup_dir, kind):
    backup_dir.mkdir()
    (backup_dir / WEIGHTS).touch()
    kind(backup_dir / WEIGHTS)
    with pytest.warns(rekindle.TakeoverWarning, match="may be the beginning"):
        assert fit(make_model(), BackupAndRestore(backup_dir)).epoch == [0, 1, 2]


def test_the_log_of_a_csv_logger_may_be_a_fifo(tmp_path, backup_dir):
    os.mkfifo(tmp_path / "log")
    reader = os.open(tmp_path / "log", os.O_RDONLY | os.O_NONBLOCK)
    log = keras.callbacks.CSVLogger(str(tmp_path / "log"))
    interrupt(make_model(), BackupAndRestore(backup_dir), 1, None)
    fit(make_model(), log, BackupAndRestore(backup_dir))
    assert b"epoch" in os.read(reader, 65536)
    os.close(reader)
