"""How fast a fit() trains with a watcher at 5 Hz, and without one.

The watcher is `python -m rekindle watch --every 0.2` in a process of its own. It is there in every
second epoch of one fit(), so that a change of the machine's speed affects both kinds alike. The
batches are small and quick, so that a cost would show. With fewer free processors than the machine
has work for, the watcher's own processor time shows, too.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time

import keras
import numpy as np

from benchmarks import timing
from rekindle.keras import BackupAndRestore

_BATCHES, _EPOCHS = 2000, 12
EVERY = 0.2


class _Turns(keras.callbacks.Callback):
    """Starts the watcher in every second epoch, and notes how fast each epoch is."""

    def __init__(self, folder: str, rows: dict[str, list[float]]) -> None:
        super().__init__()
        self._folder, self._rows = folder, rows
        self._watcher: subprocess.Popen | None = None
        self._began = 0.0

    def on_epoch_begin(self, epoch, logs=None) -> None:
        if epoch % 2:
            command = [sys.executable, "-m", "rekindle", "watch", self._folder]
            self._watcher = subprocess.Popen(
                [*command, "--every", str(EVERY)], stdout=subprocess.PIPE, text=True
            )
            # The start of Python is no part of watching: wait for the first line.
            self._watcher.stdout.readline()
        self._began = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None) -> None:
        seconds = time.perf_counter() - self._began
        # The first two epochs compile.
        if epoch >= 2:
            name = "with a watcher" if epoch % 2 else "without"
            self._rows.setdefault(name, []).append(_BATCHES / seconds)
        if self._watcher is not None:
            self._watcher.terminate()
            self._watcher.communicate()
            self._watcher = None


def measured(folder: str) -> dict[str, list[float]]:
    """Batches in a second, for each epoch."""
    rows: dict[str, list[float]] = {}
    backup = os.path.join(folder, "watched")
    x = np.random.default_rng(0).standard_normal((8 * _BATCHES, 16)).astype("float32")
    model = keras.Sequential([keras.layers.Input((16,)), keras.layers.Dense(16)])
    model.compile("sgd", "mse")
    callbacks = [_Turns(backup, rows), BackupAndRestore(backup, save_freq="10 s")]
    model.fit(x, x, 8, _EPOCHS, verbose=0, callbacks=callbacks)
    timing.join_writer()
    return rows
