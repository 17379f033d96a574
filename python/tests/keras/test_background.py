"""Saves in the background: what is saved, when, and how errors are reported."""

from __future__ import annotations

import errno
import hashlib
import os
import threading

import keras
import numpy as np
import pytest
from small_fit import assert_same, fit, interrupt, make_model, values

import rekindle
from rekindle._frameworks import table as frameworks
from rekindle._keras import variables
from rekindle._saving.writer_thread import WriterThread
from rekindle._storage.local import fs
from rekindle.keras import BackupAndRestore


class Gate:
    """Holds the writer in its first sync until the test releases it."""

    def __init__(self, monkeypatch):
        self.reached, self.go = threading.Event(), threading.Event()
        self._sync = fs.sync
        monkeypatch.setattr(fs, "sync", self)

    def __call__(self, fd):
        self.reached.set()
        assert self.go.wait(600)
        self._sync(fd)


def digests(model):
    named = variables.named(model) | variables.metrics(model)
    arrays = {name: np.array(frameworks.to_numpy(value)) for name, value in named.items()}
    return {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()}


def on_epoch_end(function):
    return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: function(epoch))


def test_what_is_saved_is_the_state_at_the_hook_whatever_training_does_next(
    backup_dir, monkeypatch
):
    gate = Gate(monkeypatch)
    model = make_model()
    states = []

    def look(epoch):
        states.append(digests(model))
        if epoch == 1:
            assert gate.reached.wait(600)
            gate.go.set()

    callback = BackupAndRestore(backup_dir, double_checkpoint=True, delete_checkpoint=False)
    fit(model, callback, on_epoch_end(look), epochs=2)
    at_hook, an_epoch_later = states
    saved = rekindle.Checkpoint.read(backup_dir / "ckpt-1")
    found = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in saved.items()}
    assert {name: found[name] for name in at_hook} == at_hook
    assert at_hook.keys() == an_epoch_later.keys()
    assert all(at_hook[name] != an_epoch_later[name] for name in at_hook if "kernel" in name)


def test_one_save_is_written_at_a_time_and_the_next_waits_for_it(backup_dir, monkeypatch):
    gate = Gate(monkeypatch)
    ended, waited = [], []
    start = WriterThread.start

    def watched(worker, *args, **more):
        start(worker, *args, **more)
        wait = worker._done.wait

        def let_go_and_wait():
            waited.append(len(ended))
            gate.go.set()
            return wait()

        worker._done.wait = let_go_and_wait

    monkeypatch.setattr(WriterThread, "start", watched)
    callback = BackupAndRestore(backup_dir)
    fit(make_model(), callback, on_epoch_end(ended.append), epochs=3)
    # The test released the writer when the second save, at the end of the second epoch, waited for
    # it.
    assert waited[0] == 2
    assert callback.save_report["saves"] == 3
    assert callback.save_report["seconds_waited"] > 0


def refusing(monkeypatch, times):
    """Makes the disk full at the first `times` syncs. The writer sees the error."""
    left = [times]
    sync = fs.sync

    def full(fd):
        if left[0]:
            left[0] -= 1
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(fd)

    monkeypatch.setattr(fs, "sync", full)


def test_an_error_of_the_writer_is_a_warning_on_the_training_thread(backup_dir, monkeypatch):
    refusing(monkeypatch, 1)
    callback = BackupAndRestore(backup_dir, delete_checkpoint=False)
    with pytest.warns(rekindle.SaveWarning, match="No space left on device") as caught:
        fit(make_model(), callback, epochs=3)
    assert len([one for one in caught if one.category is rekindle.SaveWarning]) == 1
    assert callback.save_report["saves"] == 2
    assert rekindle.latest_checkpoint(backup_dir) == str(backup_dir / "ckpt-2")


def test_an_error_of_the_writer_ends_training_when_that_is_asked_for(backup_dir, monkeypatch):
    refusing(monkeypatch, 1)
    callback = BackupAndRestore(backup_dir, on_save_error="raise")
    with pytest.raises(rekindle.SaveError) as caught:
        fit(make_model(), callback, epochs=3)
    assert caught.value.errno == errno.ENOSPC


def test_the_error_of_the_last_save_is_not_lost(backup_dir, monkeypatch):
    callback = BackupAndRestore(backup_dir, delete_checkpoint=False, on_save_error="raise")

    def fill_at_the_end(epoch):
        if epoch == 1:
            refusing(monkeypatch, 1)

    with pytest.raises(rekindle.SaveError):
        fit(make_model(), callback, on_epoch_end(fill_at_the_end), epochs=2)


def test_a_fit_that_fails_waits_for_its_save(backup_dir, monkeypatch):
    gate = Gate(monkeypatch)
    threading.Timer(0.5, gate.go.set).start()
    interrupt(make_model(), BackupAndRestore(backup_dir), 1)
    assert gate.go.is_set()
    assert rekindle.latest_checkpoint(backup_dir) == str(backup_dir / "ckpt-1")
    assert fit(make_model(), BackupAndRestore(backup_dir)).epoch == [1, 2]


@pytest.mark.parametrize("background", [True, False])
def test_no_thread_is_left(backup_dir, background):
    fit(make_model(), BackupAndRestore(backup_dir, background=background), epochs=2)
    interrupt(make_model(), BackupAndRestore(backup_dir, background=background), 1)
    assert not [one for one in threading.enumerate() if one.name == "rekindle-writer"]


@pytest.mark.parametrize("save_freq", ["epoch", 2])
def test_saving_behind_the_training_or_in_it_ends_in_the_same_weights(backup_dir, save_freq):
    ends = []
    for background in (True, False):
        keras.utils.set_random_seed(1)
        model = make_model()
        interrupt(model, BackupAndRestore(backup_dir, save_freq, background=background), 1, 3)
        keras.utils.set_random_seed(1)
        model = make_model()
        callback = BackupAndRestore(backup_dir, save_freq, background=background)
        fit(model, callback, epochs=3)
        assert callback.resume_report["exact"]
        ends.append(values(model))
    assert_same(*ends)


@pytest.mark.parametrize(
    ("save_freq", "count"), [("epoch", 0), (False, 0), (3, 2), ("1 h", 2), ("auto", 2)]
)
def test_batches_are_watched_only_when_a_save_may_be_due_there(backup_dir, save_freq, count):
    watching = []

    def look(epoch):
        watching.extend(
            type(one).__name__
            for one in callbacks.callbacks
            if "on_train_batch_end" in vars(one) or "on_train_batch_end" in vars(type(one))
        )

    callbacks = keras.callbacks.CallbackList(
        [BackupAndRestore(backup_dir, save_freq), on_epoch_end(look)],
        add_history=True,
        model=make_model(),
        epochs=1,
    )
    x = np.zeros((8, 3), "float32")
    callbacks.model.fit(x, x[:, :1], epochs=1, verbose=0, callbacks=callbacks)
    assert watching == ["BackupAndRestore", "TailCallback"][:count]


@pytest.mark.filterwarnings("ignore:os.fork", "ignore:This process")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_neither_waits_for_the_save_nor_holds_the_folder(backup_dir, monkeypatch):
    """A fork in the middle of a save, as by a data loader's worker or by R's mclapply."""
    gate = Gate(monkeypatch)
    statuses = []

    def fork(epoch):
        if epoch != 1:
            return
        assert gate.reached.wait(600)
        child = os.fork()
        if child == 0:
            manager = callback._tail._fit._checkpointer
            manager.sync()
            try:
                manager.save()
            except rekindle.LockError:
                os._exit(7)
            os._exit(1)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        gate.go.set()

    callback = BackupAndRestore(backup_dir)
    fit(make_model(), callback, on_epoch_end(fork), epochs=2)
    assert statuses == [7]
    assert callback.save_report["saves"] == 2
