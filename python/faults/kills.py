"""A training that saves at every batch, is killed at random times, and is run again each time."""

from __future__ import annotations

import os
import random
import signal
import tempfile
import threading
import time
import warnings
from typing import Any

import keras
import numpy as np

from faults import scenes
from rekindle.errors import DamageWarning
from rekindle.keras import BackupAndRestore

BATCHES = 8


class Steps(keras.callbacks.Callback):
    """Reports the number of steps before each batch, after the save of the last step."""

    def __init__(self, pipe: int) -> None:
        super().__init__()
        self._pipe = pipe

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        os.write(self._pipe, b"%d\n" % int(self.model.optimizer.iterations))


def _train(folder: str, pipe: int, epochs: int, background: bool) -> None:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((16,)), keras.layers.Dense(64), keras.layers.Dense(1)])
    model.compile("adam", "mse")
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((4 * BATCHES, 16)), rng.standard_normal((4 * BATCHES, 1))
    callback = BackupAndRestore(folder, save_freq=1, delete_checkpoint=False, background=background)
    warnings.simplefilter("error", DamageWarning)
    model.fit(
        x.astype("float32"),
        y.astype("float32"),
        batch_size=4,
        epochs=epochs,
        verbose=0,
        callbacks=[callback, Steps(pipe)],
    )


def _once(folder: str, life: float, background: bool) -> tuple[list[int], int]:
    """Kills one run after `life` seconds. Returns its reported steps and its status."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(readable)
        try:
            _train(folder, writable, 10**6, background)
        except BaseException as error:  # noqa: BLE001  (reported to the parent)
            os.write(writable, f"!{type(error).__name__}: {error}\n".encode())
        os._exit(1)
    os.close(writable)
    killer = threading.Timer(life, os.kill, (child, signal.SIGKILL))
    killer.start()
    with os.fdopen(readable, "rb") as pipe:
        lines = pipe.read().decode().splitlines()
    killer.join()
    status = os.waitpid(child, 0)[1]
    faults = [line for line in lines if line.startswith("!")]
    if faults:
        raise AssertionError(faults[0])
    return [int(line) for line in lines], status


def run(count: int, seed: int) -> list[dict[str, Any]]:
    """Tries both ways of saving: see :func:`_sweep`."""
    with scenes.as_if_large():
        return [_sweep(count, seed, background=background) for background in (True, False)]


def _sweep(count: int, seed: int, *, background: bool) -> dict[str, Any]:
    """Kills `count` runs. Returns the resumes, and how far the position went back at most."""
    rng = random.Random(seed)
    wrong: list[str] = []
    reached, back, told, resumed, idle = 0, 0, 0, 0, 0
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rekindle-kills-") as top:
        folder = os.path.join(top, "backup")
        # The first fit() of a process does much work that the runs forked from it need not do.
        _train(os.path.join(top, "other"), os.open(os.devnull, os.O_WRONLY), 1, background)
        for number in range(count + 1):
            # Short lives end during the restore, longer lives during a save.
            life = rng.uniform(0.02, 0.25) if number < count else 1.0
            try:
                steps, status = _once(folder, life, background)
            except AssertionError as error:
                wrong.append(f"run {number + 1}: {error}")
                continue
            if status != signal.SIGKILL:
                wrong.append(f"run {number + 1} ended with status {status}")
            if not steps:
                idle += 1
                continue
            told += len(steps)
            resumed += 1
            lost = reached - steps[0]
            back = max(back, lost)
            # In the background, the last reported save may not have reached the disk yet.
            if lost > background or lost < -1:
                wrong.append(f"run {number + 1} began at step {steps[0]}, after {reached}")
            reached = steps[-1]
    if not resumed:
        wrong.append("no run came to its first batch")
    return {
        "in the background": background,
        "kills": count,
        "resumed": resumed,
        "before a batch": idle,
        "steps": reached,
        "saves told of": told,
        "furthest back": back,
        "seconds": round(time.monotonic() - begun, 1),
        "wrong": wrong,
    }
