"""Callbacks of fit(), as contestants: rekindle's, Keras' own, and Keras' with Orbax."""

from __future__ import annotations

import importlib.util
import os
import time

import keras

from benchmarks import models, timing
from rekindle.keras import BackupAndRestore


class Timed(keras.callbacks.CallbackList):
    """Times how long callbacks hold training up. Waits before each epoch until all saves are done.

    Attributes:
        began: Seconds that the beginning of training took.
        held: Seconds that the end of each epoch took.
        durable: Seconds from the end of each epoch until its save was on the disk.
        written: Bytes that each save wrote.
    """

    def __init__(self, callbacks, contestant, size: int, folder: str, **kwargs) -> None:
        super().__init__(callbacks, **kwargs)
        self._contestant = contestant
        self._claimed = size, folder
        self.began = 0.0
        self.held: list[float] = []
        self.durable: list[float] = []
        self.written: list[int] = []

    def on_train_begin(self, logs=None):
        models.finish([variable.value for variable in self._model.variables])
        timing.claim(*self._claimed)
        began = time.perf_counter()
        super().on_train_begin(logs)
        models.finish([variable.value for variable in self._model.variables])
        self.began = time.perf_counter() - began

    def on_epoch_end(self, epoch, logs=None):
        models.finish([variable.value for variable in self._model.variables])
        timing.claim(*self._claimed)
        before, began = timing.written_bytes(), time.perf_counter()
        super().on_epoch_end(epoch, logs)
        self.held.append(time.perf_counter() - began)
        self._contestant.wait()
        acknowledged = timing.acknowledged_since(began)
        self.durable.append(acknowledged or time.perf_counter() - began)
        self.written.append(timing.written_bytes() - before)


class Rekindle:
    """rekindle.keras.BackupAndRestore."""

    def __init__(self, folder: str, background: bool) -> None:
        self._folder, self._background = folder, background

    def callback(self):
        return BackupAndRestore(self._folder, delete_checkpoint=False, background=self._background)

    def wait(self) -> None:
        timing.join_writer()


class Keras:
    """keras.callbacks.BackupAndRestore. It syncs nothing, so this class syncs its files."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def callback(self):
        return keras.callbacks.BackupAndRestore(self._folder, delete_checkpoint=False)

    def wait(self) -> None:
        timing.sync_tree(self._folder)


class KerasOrbax:
    """keras.callbacks.OrbaxCheckpoint, which saves in the background and restores nothing."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._callback = None

    def callback(self):
        self._callback = keras.callbacks.OrbaxCheckpoint(
            self._folder, save_freq="epoch", max_to_keep=1, verbose=0
        )
        return self._callback

    def wait(self) -> None:
        # Not wait_until_finished(), which fails if a save has already ended.
        self._callback.checkpointer.wait()


def contestants(top: str, large: bool) -> dict:
    """Callbacks by name. For a large state, only the callbacks that are compared."""
    found = {
        "rekindle callback": Rekindle(os.path.join(top, "behind"), background=True),
        "rekindle callback, background=False": Rekindle(os.path.join(top, "here"), False),
        "keras BackupAndRestore": Keras(os.path.join(top, "keras")),
    }
    orbax = importlib.util.find_spec("orbax") is not None
    if orbax and keras.backend.backend() == "jax" and not large:
        found["keras OrbaxCheckpoint"] = KerasOrbax(os.path.join(top, "keras-orbax"))
    return found


def measure(name: str, contestant, trained, rows: dict, folder: str, epochs: int = 6) -> None:
    """Runs one fit() that saves each epoch, and the beginning of three that resume."""
    model, batch = trained.model, trained.batches(1)
    resumes = 0 if isinstance(contestant, KerasOrbax) else 3
    for run, last in enumerate(range(epochs, epochs + 1 + resumes)):
        model._initial_epoch = None  # Keras' own callback leaves its resumed epoch here.
        timed = Timed(
            [contestant.callback()],
            contestant,
            trained.size,
            folder,
            model=model,
            add_history=True,
            epochs=last,
        )
        model.fit(*batch, epochs=last, verbose=0, callbacks=timed)
        if run == 0:
            rows.setdefault(f"{name}: first save", []).append(timed.held[0])
            rows.setdefault(f"{name}: held", []).extend(timed.held[1:])
            rows.setdefault(f"{name}: durable", []).extend(timed.durable[1:])
            rows.setdefault(f"{name}: written", []).extend(timed.written[1:])
            assert min(timed.written) > 0.5 * trained.trained_size, "something was not written"
        else:
            assert len(timed.held) == 1, "it did not resume"
            rows.setdefault(f"{name}: restore", []).append(timed.began)
