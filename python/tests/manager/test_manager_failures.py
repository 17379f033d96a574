"""A save that fails changes nothing: not the counter, not the interval, not the list."""

from __future__ import annotations

import errno
import pathlib

import numpy as np
import pytest

import rekindle
from rekindle import Checkpoint, CheckpointManager, SaveError
from rekindle._storage.local import fs


@pytest.fixture(params=[False, True], ids=["at once", "in the background"])
def background(request):
    return request.param


class Disk:
    """A disk that is full during the next `failures` syncs."""

    def __init__(self, monkeypatch):
        self.failures = 0
        self._sync = fs.sync
        monkeypatch.setattr(fs, "sync", self.sync)

    def sync(self, fd):
        if self.failures:
            self.failures -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        self._sync(fd)


@pytest.fixture
def disk(monkeypatch):
    return Disk(monkeypatch)


@pytest.fixture
def checkpoint():
    return Checkpoint(w=np.arange(5.0), step=0)


def save_and_sync(manager, **arguments):
    manager.save(**arguments)
    manager.sync()


def fail(manager, disk, **arguments):
    manager.sync()
    disk.failures = 1
    with pytest.raises(SaveError, match="No space left") as caught:
        save_and_sync(manager, **arguments)
    assert caught.value.errno == errno.ENOSPC
    disk.failures = 0
    return caught.value


@pytest.mark.parametrize("number", [None, 10])
def test_neither_counter_nor_list_nor_latest_move(home, checkpoint, disk, background, number):
    with CheckpointManager(checkpoint, home, 3, background=background) as manager:
        manager.save()
        manager.sync()
        checkpoint.w += 1.0
        fail(manager, disk, checkpoint_number=number)
        assert checkpoint.save_counter == 1
        assert manager.checkpoints == [f"{home}/ckpt-1"]
        assert manager.latest_checkpoint == f"{home}/ckpt-1"
        assert rekindle.latest_checkpoint(home) == f"{home}/ckpt-1"
        assert manager.save() == f"{home}/ckpt-2"
        manager.sync()
        assert checkpoint.save_counter == 2
    assert {path.name for path in pathlib.Path(home).glob("ckpt-*")} == {
        f"ckpt-{number}.{ending}" for number in (1, 2) for ending in ("json", "safetensors")
    }


def test_a_first_save_that_fails_leaves_nothing(home, checkpoint, disk, background):
    with CheckpointManager(checkpoint, home, 3, background=background) as manager:
        assert fail(manager, disk).needed == checkpoint.w.nbytes
        assert manager.checkpoints == []
        assert manager.latest_checkpoint is None
        assert list(pathlib.Path(home).glob("*ckpt*")) == []
        assert manager.save() == f"{home}/ckpt-1"


def test_the_interval_counts_from_the_last_save_that_did_not_fail(
    home, checkpoint, disk, background
):
    more = {"step_counter": "step", "checkpoint_interval": 5, "background": background}
    with CheckpointManager(checkpoint, home, None, **more) as manager:
        manager.save()
        checkpoint.step = 5
        fail(manager, disk)
        checkpoint.step = 6
        assert manager.save() == f"{home}/ckpt-2"
        checkpoint.step = 10
        assert manager.save() is None
        checkpoint.step = 11
        assert manager.save() == f"{home}/ckpt-3"


def test_a_number_written_over_stands_as_it_was(home, checkpoint, disk, background):
    with CheckpointManager(checkpoint, home, 3, background=background) as manager:
        manager.save(checkpoint_number=7)
        manager.save(checkpoint_number=8)
        checkpoint.w += 1.0
        fail(manager, disk, checkpoint_number=7)
        assert manager.checkpoints == [f"{home}/ckpt-7", f"{home}/ckpt-8"]
        assert Checkpoint.read(f"{home}/ckpt-7")["w"].tolist() == [0, 1, 2, 3, 4]


def test_the_error_of_a_save_in_the_background_is_told_once_by_the_next_save(
    home, checkpoint, disk
):
    with CheckpointManager(checkpoint, home, 3, background=True) as manager:
        disk.failures = 1
        assert manager.save() == f"{home}/ckpt-1"
        with pytest.raises(SaveError, match="No space left"):
            manager.save()
        # The save before did not begin; this save does.
        assert manager.save() == f"{home}/ckpt-1"
        manager.sync()
        assert manager.checkpoints == [f"{home}/ckpt-1"]


def test_looking_does_not_swallow_the_error(home, checkpoint, disk):
    with CheckpointManager(checkpoint, home, 3, background=True) as manager:
        disk.failures = 1
        manager.save()
        while manager._checkpointer._writer.is_busy:
            pass
        assert manager.checkpoints == []
        assert manager.latest_checkpoint is None
        with pytest.raises(SaveError):
            manager.sync()
        assert manager.sync() is None


def fail_in_a_block(home, checkpoint, disk, error=None):
    with CheckpointManager(checkpoint, home, 3, background=True) as manager:
        disk.failures = 1
        manager.save()
        if error is not None:
            raise error


def test_the_end_of_a_with_statement_tells_of_a_save_that_failed(home, checkpoint, disk):
    with pytest.raises(SaveError):
        fail_in_a_block(home, checkpoint, disk)
    with CheckpointManager(checkpoint, home, 3) as other:
        other.save()


def test_an_error_in_the_block_is_not_hidden_by_that_of_a_save(home, checkpoint, disk):
    with (
        pytest.warns(rekindle.SaveWarning, match="No space left"),
        pytest.raises(KeyError, match="mine"),
    ):
        fail_in_a_block(home, checkpoint, disk, KeyError("mine"))


def test_a_folder_that_cannot_be_made_is_a_save_that_failed(home, checkpoint, background):
    pathlib.Path(home).write_text("a file")
    manager = CheckpointManager(checkpoint, home, 3, background=background)
    with pytest.raises(SaveError):
        manager.save()
    assert checkpoint.save_counter == 0
    assert pathlib.Path(home).read_text() == "a file"


def test_what_cannot_be_saved_is_said_at_once_and_advances_nothing(home, checkpoint, background):
    with CheckpointManager(checkpoint, home, 3, background=background) as manager:
        manager.save()
        checkpoint.odd = object()
        with pytest.raises(rekindle.ArgumentError, match="odd: a value of type 'object'"):
            manager.save()
        del checkpoint.odd
        manager.sync()
        assert checkpoint.save_counter == 1
        assert manager.save() == f"{home}/ckpt-2"


def test_an_error_of_a_write_callback_comes_out_and_the_save_stands(home, checkpoint):
    import tensorflow as tf

    def refuse(path):
        raise KeyError(path)

    options = tf.train.CheckpointOptions(experimental_write_callbacks=[refuse])
    with CheckpointManager(checkpoint, home, 3) as manager:
        with pytest.raises(KeyError, match="ckpt-1"):
            manager.save(options=options)
        assert manager.checkpoints == [f"{home}/ckpt-1"]
        assert checkpoint.save_counter == 1
        assert manager.save() == f"{home}/ckpt-2"
