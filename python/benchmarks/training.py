"""How much longer training takes for being saved: a fit(), its epochs, its batches."""

from __future__ import annotations

import itertools
import os
import shutil
import time

import keras

from benchmarks import models, timing
from rekindle.keras import BackupAndRestore


class _Epochs(keras.callbacks.Callback):
    """How long each epoch took, from the end of the one before, callbacks and all."""

    def __init__(self) -> None:
        super().__init__()
        self._last = None
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch, logs=None):
        now = time.perf_counter()
        if self._last is not None:
            self.seconds.append(now - self._last)
        self._last = now


# The first epochs have the compiling, and the first allocation of what is used from then on: of
# memory and, in the first two saves, of files.
_SETTLED = 4


def fits(megabytes: float, seconds: float, rounds: int, folder: str) -> dict:
    """Epochs of about so many seconds, with a save in each or every 10 batches, and without."""
    trained = models.Trained(megabytes)
    batches = _batches_for(trained, seconds)
    data = trained.batches(batches)
    rows: dict[str, list[float]] = {}
    for index in range(rounds):
        top = os.path.join(folder, str(index))
        for name, make in timing.rotated(_CALLBACKS, index):
            epochs = _Epochs()
            trained.model._initial_epoch = None
            trained.model.fit(
                *data, batch_size=8, epochs=_SETTLED + 4, verbose=0, callbacks=[epochs, *make(top)]
            )
            timing.join_writer()
            rows.setdefault(name, []).extend(epochs.seconds[_SETTLED:])
            shutil.rmtree(top, ignore_errors=True)
    return {"bytes": trained.size, "batches": batches, "rows": rows}


class _Middles(keras.callbacks.Callback):
    """When the middle of each epoch was reached, so that all of a save lies between two of them."""

    def __init__(self, batch: int) -> None:
        super().__init__()
        self._batch = batch
        self.moments: list[float] = []
        self.processor: list[float] = []

    def on_train_batch_end(self, batch, logs=None):
        if batch == self._batch:
            self.moments.append(time.perf_counter())
            self.processor.append(time.process_time())


def turns(megabytes: float, seconds: float, rounds: int, folder: str) -> dict:
    """How much longer the epochs of a fit() take when after every other one a save is taken.

    What else goes on in a machine changes from one fit() to another by more than a save costs, and
    less from one epoch to the next.
    """
    trained = models.Trained(megabytes)
    batches = _batches_for(trained, seconds)
    data = trained.batches(batches)
    rows: dict[str, list[float]] = {}
    processor: dict[str, list[float]] = {}
    usual: list[float] = []
    for index in range(rounds):
        top = os.path.join(folder, str(index))
        made = {"rekindle": _ours(top, 2 * batches), "keras": _theirs(top, 2 * batches)}
        for name, callback in timing.rotated(made, index):
            middles = _Middles(batches // 2)
            trained.model._initial_epoch = None
            trained.model.fit(
                *data,
                batch_size=8,
                epochs=_SETTLED + 2 * _PAIRS + 2,
                verbose=0,
                callbacks=[middles, callback],
            )
            timing.join_writer()
            rows.setdefault(name, []).extend(_extra(middles.moments))
            processor.setdefault(name, []).extend(_extra(middles.processor))
            usual.extend(_without(middles.moments))
            shutil.rmtree(top, ignore_errors=True)
    return {
        "bytes": trained.size,
        "batches": batches,
        "rows": rows,
        "processor": processor,
        "usual": usual,
        "keeps_memory": os.environ.get("MALLOC_MMAP_MAX_") == "0",
    }


# Epochs with a save, of each fit().
_PAIRS = 6


def _spans(moments: list[float]) -> list[float]:
    """From the middle of one epoch to that of the next: the second has a save, the fourth, ..."""
    return [after - before for before, after in itertools.pairwise(moments)][_SETTLED:]


def _without(moments: list[float]) -> list[float]:
    return _spans(moments)[::2]


def _extra(moments: list[float]) -> list[float]:
    """How much longer each epoch with a save took than those beside it, as a share of them."""
    usual = [(one + other) / 2 for one, other in itertools.pairwise(_without(moments))]
    with_save = _spans(moments)[1::2]
    return [saved / time - 1 for saved, time in zip(with_save, usual, strict=True)]


_CALLBACKS = {
    "without": lambda top: [],
    "rekindle, each epoch": lambda top: [_ours(top, "epoch")],
    "keras, each epoch": lambda top: [_theirs(top, "epoch")],
    "rekindle, every 10 batches": lambda top: [_ours(top, 10)],
    "keras, every 10 batches": lambda top: [_theirs(top, 10)],
}


def _batches_for(trained, seconds: float) -> int:
    data = trained.batches(20)
    trained.model.fit(*data, batch_size=8, verbose=0)
    began = time.perf_counter()
    trained.model.fit(*data, batch_size=8, verbose=0)
    return max(20, round(20 * seconds / (time.perf_counter() - began)))


def _ours(top: str, save_freq):
    return BackupAndRestore(os.path.join(top, "ours"), save_freq)


def _theirs(top: str, save_freq):
    return keras.callbacks.BackupAndRestore(os.path.join(top, "keras"), save_freq)


class _Batches(keras.callbacks.CallbackList):
    """How long the hooks of all batches took together."""

    seconds = 0.0

    def on_train_batch_end(self, batch, logs=None):
        began = time.perf_counter()
        super().on_train_batch_end(batch, logs)
        self.seconds += time.perf_counter() - began


def hooks(batches: int, folder: str) -> dict:
    """Seconds that the hooks of a batch take, and a batch as a whole, no save being due."""
    trained = models.Trained(0.01)
    data = trained.batches(batches, 1)
    rows: dict[str, list[float]] = {}
    whole: dict[str, list[float]] = {}
    for _ in range(5):
        for name, made in {
            "without": [],
            'rekindle, save_freq="epoch"': [_ours(folder, "epoch")],
            "rekindle, save_freq=1000000": [_ours(folder, 1000000)],
            "keras, save_freq=1000000": [_theirs(folder, 1000000)],
        }.items():
            trained.model._initial_epoch = None
            timed = _Batches(made, model=trained.model, add_history=True, epochs=1)
            began = time.perf_counter()
            trained.model.fit(*data, batch_size=1, verbose=0, callbacks=timed)
            whole.setdefault(name, []).append((time.perf_counter() - began) / batches)
            rows.setdefault(name, []).append(timed.seconds / batches)
    return {"rows": rows, "whole": whole}
