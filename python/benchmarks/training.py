"""How much longer training takes for being saved: a fit(), its epochs, its batches."""

from __future__ import annotations

import itertools
import os
import shutil
import time
from statistics import median

import keras
import numpy as np

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


class _Moments(keras.callbacks.Callback):
    """When each batch had ended, and how much processor time the process had used until then."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self.processor: list[float] = []

    def on_train_batch_end(self, batch, logs=None):
        self.seconds.append(time.perf_counter())
        self.processor.append(time.process_time())


# Epochs with a save, of each fit().
_PAIRS = 8


def turns(megabytes: float, seconds: float, rounds: int, folder: str) -> dict:
    """How much longer the epochs of a fit() take when after every other one a save is taken.

    What else goes on in a machine changes from one fit() to another by more than a save costs, and
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
            moments = _Moments()
            trained.model._initial_epoch = None
            trained.model.fit(
                **data,
                epochs=_SETTLED + 2 * _PAIRS + 2,
                verbose=0,
                callbacks=[moments, callback],
            )
            timing.join_writer()
            epochs = _epochs(moments.seconds, batches)
            busy = _epochs(moments.processor, batches)
            lost = _lost(moments.seconds, batches)
            found = rows.setdefault(name, {})
            for kind, values, whole in (
                ("quarter", lost, epochs),
                ("epoch", epochs, epochs),
                ("processor", busy, busy),
            ):
                found.setdefault(kind, []).extend(_extra(values, median(whole[::2])))
            usual.extend(epochs[::2])
            shutil.rmtree(top, ignore_errors=True)
    return {
        "bytes": trained.size,
        "batches": batches,
        "rows": rows,
        "usual": usual,
        "keeps_memory": os.environ.get("MALLOC_MMAP_MAX_") == "0",
    }


def _untuned(x, y) -> dict:
    """The arrays for fit(), in a form in which training itself does not stand still at times.

    TensorFlow tunes the pipeline that Keras makes of arrays after 0.01 s, 0.03, ..., 2.55, 5.11. An
    epoch that ends at such a moment lets the next wait until the moment after that: for as long
    again as it took, here 5 s, with callbacks or without.
    """
    if keras.backend.backend() != "tensorflow":
        return {"x": x, "y": y, "batch_size": 8}
    import tensorflow as tf

    options = tf.data.Options()
    options.autotune.enabled = False
    return {"x": tf.data.Dataset.from_tensor_slices((x, y)).batch(8).with_options(options)}


def _ends(batches: int) -> range:
    """After how many batches each epoch ended that counts: every other one with a save."""
    return range((_SETTLED + 1) * batches, (_SETTLED + 2 * _PAIRS + 2) * batches, batches)


def _epochs(moments: list[float], batches: int) -> list[float]:
    """From the middle of one epoch to that of the next, so that all of a save lies within."""
    half = batches // 2
    return [moments[end + half] - moments[end + half - batches] for end in _ends(batches)]


def _lost(moments: list[float], batches: int) -> list[float]:
    """How much longer the quarter of an epoch after each end took than usual batches.

    Usual is the median of those in the quarters before and after it.
    """
    steps = np.diff(moments)
    quarter = batches // 4
    lost = []
    for end in _ends(batches):
        # The step from the last batch of the one epoch to the first of the other has the save.
        first, last = end - 1, end - 1 + quarter
        beside = np.r_[steps[first - quarter : first], steps[last : last + quarter]]
        lost.append(float(steps[first:last].sum() - quarter * np.median(beside)))
    return lost


def _extra(values: list[float], usual: float) -> list[float]:
    """How much more those with a save are than those beside them, as a share of a usual epoch."""
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
