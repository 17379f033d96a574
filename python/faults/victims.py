"""Ordinary scripts that resume from a folder. A forger of a folder attacks such scripts."""

from __future__ import annotations

import collections
import contextlib
import datetime
import enum
import pathlib
import random
from typing import Any

import keras
import numpy as np
import torch

import rekindle
from faults import stops_once
from rekindle.keras import BackupAndRestore

# The files that these scripts write themselves, below their working directory.
OWN_FILES = {"log.csv", "model.weights.h5", "notes.txt", "events"}


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


class Mood(enum.Enum):
    CALM = 1
    WILD = 2


class Keeper:
    """An object of the user's that captures its own state."""

    def __init__(self) -> None:
        self.count = 0

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count = int(state["count"])


def _of_every_kind() -> dict[str, Any]:
    """Values of each kind that a callback or `extra_state` may hold."""
    return {
        "number": 1.5,
        "whole": 3,
        "flag": True,
        "text": "phase",
        "missing": float("nan"),
        "nothing": None,
        "complex": 1 + 2j,
        "path": pathlib.Path("notes.txt"),
        "when": datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc),
        "long": datetime.timedelta(1),
        "mood": Mood.CALM,
        "ordered": collections.OrderedDict(a=1),
        "default": collections.defaultdict(int, a=1),
        "counted": collections.Counter("abc"),
        "queue": collections.deque([1, 2], 5),
        "pair": (1, "two"),
        "set": {1, 2},
        "bytes": b"raw",
        "list": [1, [2]],
        "keys": {1: "one"},
        "array": np.arange(3.0),
        "scalar": np.float32(1),
        "python": random.Random(1),
        "generator": np.random.default_rng(1),
    }


class Holder(keras.callbacks.Callback):
    """A user's own callback with a value of each kind, which training changes."""

    def __init__(self) -> None:
        super().__init__()
        self.__dict__.update(_of_every_kind())
        self.grown: dict[str, Any] = {}

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.number += 1
        self.whole += 1
        self.flag = not self.flag
        self.complex *= 2
        self.when += self.long
        self.long *= 2
        self.mood = Mood.WILD
        for mapping in (self.ordered, self.default, self.counted):
            mapping["a"] += 1
        self.queue.append(epoch)
        self.set.add(epoch)
        self.list.append(epoch)
        self.array += 1
        self.scalar = self.scalar + np.float32(1)
        self.python.random()
        self.generator.random()
        self.missing, self.nothing = float("inf"), 1
        self.grown[str(epoch)] = [epoch]


class StopsOnce(stops_once.StopsOnce, keras.callbacks.Callback):
    """The same as a callback of this Keras."""


def midway(folder: str, epochs: int) -> None:
    """A fit() with every callback of Keras, validation, and objects of each kind."""
    keras.utils.clear_session()
    keras.config.disable_traceback_filtering()
    keras.utils.set_random_seed(0)
    inner = [keras.layers.Normalization(), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    model = keras.Sequential([keras.Input((4,)), *inner])
    model.compile(keras.optimizers.Adam(use_ema=True), "mse", metrics=["mae"])
    x, y = np.ones((8, 4), "float32"), np.ones((8, 1), "float32")
    extra = {"holder": _of_every_kind(), "keeper": Keeper(), "list": [1, {"a": np.zeros(2)}]}
    given = keras.callbacks
    callbacks = [
        BackupAndRestore(
            folder, save_freq=1, delete_checkpoint=False, verbose=0, extra_state=extra
        ),
        given.CSVLogger("log.csv"),
        given.ModelCheckpoint("model.weights.h5", save_weights_only=True, save_best_only=True),
        given.EarlyStopping(monitor="val_loss", patience=100, restore_best_weights=True),
        given.ReduceLROnPlateau(monitor="loss"),
        given.LearningRateScheduler(lambda epoch, rate: rate),
        given.TerminateOnNaN(),
        given.SwapEMAWeights(),
        given.TensorBoard("events", write_graph=False),
        Holder(),
        StopsOnce(is_first=epochs == 2),
    ]
    more = {"batch_size": 2, "validation_data": (x, y), "verbose": 0}
    with contextlib.suppress(KeyboardInterrupt):
        model.fit(x, y, epochs=epochs, callbacks=callbacks, **more)


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
        weights=np.zeros(1000),
        state=state,
        python=python,
        tensors=tensors,
        step=0,
        values=_of_every_kind(),
        keeper=Keeper(),
        **bits,
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


# Whether a process can fork when it has trained. JAX and TensorFlow have threads by then.
TRAINS_HERE = keras.backend.backend() == "torch"

# Those whose states have, together, every part and every kind of value.
EVERY_PART = ("midway", "rows", "steps", "loop")

ALL = {"fit": fit, "midway": midway, "steps": steps, "rows": rows, "loop": loop}
