"""The extra time of training with saves: of a fit(), of its epochs, of its batches."""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
import time
from statistics import median

import keras
import numpy as np

from benchmarks import callbacks, models, timing
from rekindle._base import tuning
from rekindle.keras import BackupAndRestore


class _Epochs(keras.callbacks.Callback):
    """The time of each epoch, from the end of the epoch before, including callbacks."""

    def __init__(self) -> None:
        super().__init__()
        self._last = None
        self.seconds: list[float] = []

    def on_epoch_begin(self, epoch, logs=None):
        now = time.perf_counter()
        if self._last is not None:
            self.seconds.append(now - self._last)
        self._last = now


# The first epochs include the compilation and the first allocation: of memory and, in the first two
# saves, of files. Later epochs reuse both.
_SETTLED = 4


def fits(megabytes: float, seconds: float, rounds: int, folder: str) -> dict:
    """Epochs of about `seconds`, with a save in each or every 10 batches, and without saves."""
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


class _Moments(keras.callbacks.Callback):
    """The time at which each batch ended, and the process's processor time until then."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self.processor: list[float] = []

    def on_train_batch_end(self, batch, logs=None):
        self.seconds.append(time.perf_counter())
        self.processor.append(time.process_time())


# The number of epochs with a save in each fit().
_PAIRS = 8


def turns(megabytes: float, seconds: float, rounds: int, folder: str) -> dict:
    """The extra time of epochs in a fit() that saves after every other epoch.

    The other load of a machine changes from one fit() to the next by more than a save costs, but
    less from one epoch to the next.
    """
    trained = models.Trained(megabytes)
    batches = _batches_for(trained, seconds)
    data = _untuned(*trained.batches(batches))
    rows: dict[str, dict[str, list[float]]] = {}
    usual: list[float] = []
    for index in range(rounds):
        top = os.path.join(folder, str(index))
        made = {"rekindle": _ours(top, 2 * batches), "keras": _theirs(top, 2 * batches)}
        for name, callback in timing.rotated(made, index):
            usual.extend(_paired(trained, data, batches, callback, rows.setdefault(name, {})))
            shutil.rmtree(top, ignore_errors=True)
    return {
        "bytes": trained.size,
        "batches": batches,
        "rows": rows,
        "usual": usual,
        "keeps_memory": os.environ.get("MALLOC_MMAP_MAX_") == "0",
    }


def _paired(trained, data: dict, batches: int, callback, found: dict) -> list[float]:
    """Adds the shares of an epoch that each save cost; returns the seconds of usual epochs."""
    moments = _Moments()
    trained.model._initial_epoch = None
    trained.model.fit(
        **data, epochs=_SETTLED + 2 * _PAIRS + 2, verbose=0, callbacks=[moments, callback]
    )
    timing.join_writer()
    epochs = _epochs(moments.seconds, batches)
    busy = _epochs(moments.processor, batches)
    lost = _lost(moments.seconds, batches)
    for kind, values, whole in (
        ("quarter", lost, epochs),
        ("epoch", epochs, epochs),
        ("processor", busy, busy),
    ):
        found.setdefault(kind, []).extend(_extra(values, median(whole[::2])))
    return epochs[::2]


# The optimizations to use, by the name of the row.
_TUNINGS = {
    "all": "all",
    **{f"without {name}": ",".join(set(tuning.NAMES) - {name}) for name in tuning.NAMES},
    "none": "none",
}


def tunings(megabytes: float, seconds: float, rounds: int, folder: str) -> dict:
    """What each optimization for Linux is worth: saves without it, in turn.

    Returns in `rows` the shares of an epoch that a save cost training, and in `saves` seconds:
    how long a save held training up, until it was durable, and a restore.
    """
    trained = models.Trained(megabytes)
    batches = _batches_for(trained, seconds)
    data = _untuned(*trained.batches(batches))
    rows: dict[str, dict[str, list[float]]] = {}
    saves: dict[str, list[float]] = {}
    usual: list[float] = []
    for index in range(rounds):
        for name, value in timing.rotated(_TUNINGS, index):
            os.environ[tuning.VARIABLE] = value
            top = tempfile.mkdtemp(dir=folder)
            callback = _ours(top, 2 * batches)
            usual.extend(_paired(trained, data, batches, callback, rows.setdefault(name, {})))
            contestant = callbacks.Rekindle(os.path.join(top, "alone"), background=True)
            callbacks.measure(name, contestant, trained, saves, folder)
            shutil.rmtree(top, ignore_errors=True)
    del os.environ[tuning.VARIABLE]
    return {
        "bytes": trained.size,
        "batches": batches,
        "rows": rows,
        "saves": saves,
        "usual": usual,
    }


def _untuned(x, y) -> dict:
    """The arrays for fit(), in a form in which training itself does not stall.

    TensorFlow tunes the pipeline that Keras makes of arrays after 0.01 s, 0.03, ..., 2.55, 5.11. If
    an epoch ends at such a moment, the next epoch waits until the moment after that: for as long
    again as the first took, here 5 s, with or without callbacks.
    """
    if keras.backend.backend() != "tensorflow":
        return {"x": x, "y": y, "batch_size": 8}
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return {"x": tf.data.Dataset.from_tensor_slices((x, y)).batch(8).with_options(options)}


def _ends(batches: int) -> range:
    """The batch numbers at which the measured epochs end. Every other epoch has a save."""
    return range((_SETTLED + 1) * batches, (_SETTLED + 2 * _PAIRS + 2) * batches, batches)


def _epochs(moments: list[float], batches: int) -> list[float]:
    """Times from the middle of one epoch to the middle of the next. Each has a whole save."""
    half = batches // 2
    return [moments[end + half] - moments[end + half - batches] for end in _ends(batches)]


def _lost(moments: list[float], batches: int) -> list[float]:
    """The extra time of the quarter of an epoch after each end, compared with usual batches.

    A usual batch is the median of the batches in the quarters before and after it.
    """
    steps = np.diff(moments)
    quarter = batches // 4
    lost = []
    for end in _ends(batches):
        # The step from the last batch of one epoch to the first batch of the next has the save.
        first, last = end - 1, end - 1 + quarter
        beside = np.r_[steps[first - quarter : first], steps[last : last + quarter]]
        lost.append(float(steps[first:last].sum() - quarter * np.median(beside)))
    return lost


def _extra(values: list[float], usual: float) -> list[float]:
    """The excess of values with a save over their neighbours, as a share of a usual epoch."""
    without, with_save = values[::2], values[1::2]
    beside = [(one + other) / 2 for one, other in itertools.pairwise(without)]
    return [(value - base) / usual for value, base in zip(with_save, beside, strict=True)]


_CALLBACKS = {
    "without": lambda top: [],
    "rekindle, each epoch": lambda top: [_ours(top, "epoch")],
    "keras, each epoch": lambda top: [_theirs(top, "epoch")],
    "rekindle, every 10 batches": lambda top: [_ours(top, 10)],
    "keras, every 10 batches": lambda top: [_theirs(top, 10)],
}


def _batches_for(trained, seconds: float) -> int:
    data = trained.batches(20)
    took = []
    for _ in range(4):
        began = time.perf_counter()
        trained.model.fit(*data, batch_size=8, verbose=0)
        took.append(time.perf_counter() - began)
    return max(20, round(20 * seconds / min(took)))


def _ours(top: str, save_freq):
    return BackupAndRestore(os.path.join(top, "ours"), save_freq)


def _theirs(top: str, save_freq):
    return keras.callbacks.BackupAndRestore(os.path.join(top, "keras"), save_freq)


class _Batches(keras.callbacks.CallbackList):
    """The total time of the hooks of all batches."""

    seconds = 0.0

    def on_train_batch_end(self, batch, logs=None):
        began = time.perf_counter()
        super().on_train_batch_end(batch, logs)
        self.seconds += time.perf_counter() - began


def hooks(batches: int, folder: str) -> dict:
    """Seconds for the hooks of a batch, and for a whole batch, when no save is due."""
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
