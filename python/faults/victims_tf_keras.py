"""The same scripts for Keras 2. See `victims.py`."""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import tf_keras

from faults import stops_once
from rekindle.tf_keras import BackupAndRestore


class Holder(tf_keras.callbacks.Callback):
    """A user's own callback, with a path, counts and a generator."""

    def __init__(self) -> None:
        super().__init__()
        self.path = "notes.txt"
        self.count = 0
        self.flag = False
        self.losses: list[float] = [0.0]
        self.grown: dict[str, Any] = {}
        self.noise = np.random.default_rng(1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.count += 1
        self.flag = not self.flag
        self.losses.append(self.noise.random())
        self.grown[str(epoch)] = [epoch]


class StopsOnce(stops_once.StopsOnce, tf_keras.callbacks.Callback):
    """The same as a callback of this Keras."""


def midway(folder: str, epochs: int) -> None:
    """A fit() with callbacks that many users have, and validation."""
    tf_keras.utils.set_random_seed(0)
    given = tf_keras.callbacks
    layers = [tf_keras.layers.Dropout(0.5), tf_keras.layers.Dense(1)]
    model = tf_keras.Sequential([tf_keras.Input((4,)), *layers])
    model.compile("adam", "mse", metrics=["mae"])
    x, y = np.ones((8, 4), "float32"), np.ones((8, 1), "float32")
    callbacks = [
        BackupAndRestore(folder, save_freq=1, delete_checkpoint=False, verbose=0),
        given.CSVLogger("log.csv"),
        given.ModelCheckpoint("model.weights.h5", save_weights_only=True, save_best_only=True),
        given.EarlyStopping(monitor="val_loss", patience=100, restore_best_weights=True),
        given.ReduceLROnPlateau(monitor="loss"),
        Holder(),
        StopsOnce(is_first=epochs == 2),
    ]
    more = {"batch_size": 2, "validation_data": (x, y), "verbose": 0}
    with contextlib.suppress(KeyboardInterrupt):
        model.fit(x, y, epochs=epochs, callbacks=callbacks, **more)


ALL = {"midway": midway}
OWN_FILES = {"log.csv", "model.weights.h5"}
TRAINS_HERE = False
EVERY_PART = ("midway",)
