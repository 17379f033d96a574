"""Ordinary scripts that resume from a folder. A forger of a folder attacks such scripts."""

from __future__ import annotations

import random
from typing import Any

import keras
import numpy as np
import torch

import rekindle
from rekindle.keras import BackupAndRestore

# The files that these scripts write themselves, below their working directory.
OWN_FILES = {"log.csv", "model.weights.h5", "notes.txt"}


class Notes(keras.callbacks.Callback):
    """A user's own callback, with paths and numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.path = "notes.txt"
        self.paths = ["notes.txt"]
        self.count = 0
        self.last = None
        self.noise = np.random.RandomState(1)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.count += 1
        self.noise.rand(700)
        for path in {self.path, *self.paths, self.last or self.path}:
            with open(path, "a") as file:
                file.write("noted\n")


class Rows(keras.utils.PyDataset):  # type: ignore[misc]  # Keras has no type hints.
    """A user's own data set, with a path and numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.path = "rows.bin"
        self.drawn = 0
        self.noise = np.random.RandomState(2)

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Any:
        self.drawn += 1
        return self.noise.rand(2, 4).astype("float32"), np.ones((2, 1), "float32")


def fit(folder: str, epochs: int, data: Any = None, **more: Any) -> None:
    """Trains with callbacks that many users have. They write below the working directory."""
    keras.utils.clear_session()
    keras.config.disable_traceback_filtering()
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dropout(0.5), keras.layers.Dense(1)])
    model.compile("sgd", "mse", metrics=["mae"])
    data = (np.ones((8, 4), "float32"), np.ones((8, 1), "float32")) if data is None else (data,)
    more = {"batch_size": 2} | more if len(data) == 2 else more
    callbacks = [
        BackupAndRestore(folder, save_freq=3, delete_checkpoint=False, verbose=0),
        keras.callbacks.CSVLogger("log.csv"),
        keras.callbacks.ModelCheckpoint("model.weights.h5", save_weights_only=True),
        keras.callbacks.EarlyStopping(monitor="loss", patience=100),
        keras.callbacks.ReduceLROnPlateau(monitor="loss"),
        keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: np.random.rand(700)),
        Notes(),
    ]
    model.fit(*data, epochs=epochs, verbose=0, callbacks=callbacks, **more)


def steps(folder: str, epochs: int) -> None:
    """A fit() with an iterator that continues from one epoch to the next."""
    fit(folder, epochs, steps_per_epoch=2)


def rows(folder: str, epochs: int) -> None:
    """A fit() on the user's own data set."""
    fit(folder, epochs, Rows())


def loop(folder: str, epochs: int) -> None:
    """The user's own training loop, with a random generator of each kind."""
    kinds = ("MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64")
    bits = {name: np.random.Generator(getattr(np.random, name)(1)) for name in kinds}
    state = np.random.RandomState(1)
    python, tensors = random.Random(1), torch.Generator()
    checkpoint = rekindle.Checkpoint(
        weights=np.zeros(1000), state=state, python=python, tensors=tensors, step=0, **bits
    )
    with rekindle.CheckpointManager(checkpoint, folder, max_to_keep=1) as manager:
        manager.restore_or_initialize()
        while checkpoint.step < epochs:
            state.rand(700)
            torch.rand(700, generator=tensors)
            python.random()
            for generator in bits.values():
                generator.integers(0, 9, 700, dtype=np.uint32)
            checkpoint.step += 1
            manager.save()


ALL = {"fit": fit, "steps": steps, "rows": rows, "loop": loop}
