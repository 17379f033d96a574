"""A training that is asked to end at random times and run again each time: nothing may be lost."""

from __future__ import annotations

import hashlib
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

from rekindle.errors import TrainingPreempted
from rekindle.keras import BackupAndRestore

EPOCHS, BATCHES = 6, 8

# Seconds that a training step takes, and seconds that a validation step takes.
STEP, VALIDATION_STEP = 0.2, 0.05


class Steps(keras.callbacks.Callback):
    """Slows the steps down, and counts the steps that end after the signal."""

    def __init__(self) -> None:
        super().__init__()
        seen = {"signals": 0, "after": 0}
        self.seen = lambda: seen

        def count(batch: int, logs: Any = None) -> None:
            seen["after"] += seen["signals"] > 0

        self.on_train_batch_end = self.on_test_batch_end = count
        signal.signal(signal.SIGTERM, lambda number, frame: seen.update(signals=1))

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        time.sleep(STEP)

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        time.sleep(VALIDATION_STEP)


def _train(folder: str, *, background: bool, save_freq: Any = "epoch") -> tuple[str, Steps]:
    """Trains to the end. Returns a digest of the weights and of the optimizer's state."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8,)), keras.layers.Dense(16), keras.layers.Dropout(0.3)]
    model = keras.Sequential([*layers, keras.layers.Dense(1)])
    model.compile("adam", "mse", metrics=["mae"])
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4 * BATCHES, 8)).astype("float32")
    y = rng.standard_normal((4 * BATCHES, 1)).astype("float32")
    steps = Steps()
    callback = BackupAndRestore(folder, save_freq=save_freq, background=background)
    try:
        model.fit(
            x,
            y,
            batch_size=4,
            epochs=EPOCHS,
            validation_data=(x[:16], y[:16]),
            validation_batch_size=4,
            verbose=0,
            callbacks=[callback, steps],
        )
    except TrainingPreempted as error:
        error.steps_after = steps.seen()["after"]  # type: ignore[attr-defined]
        raise
    values = [keras.ops.convert_to_numpy(v) for v in [*model.variables, *model.optimizer.variables]]
    return hashlib.sha256(b"".join(value.tobytes() for value in values)).hexdigest(), steps


def _once(folder: str, lives: list[float], background: bool) -> tuple[int, str, float]:
    """Runs one process, with a signal at each of these times: its status, report and delay."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(readable)
        code, word = 1, "nothing"
        try:
            code, word = 0, _train(folder, background=background)[0]
        except TrainingPreempted as error:
            code, word = error.code, f"{error.saved} {error.steps_after}"  # type: ignore[attr-defined]
        except BaseException as error:  # noqa: BLE001  (reported to the parent)
            word = f"{type(error).__name__}: {error}"
        os.write(writable, word.encode()[:4000])
        os._exit(code)
    os.close(writable)
    sent: list[float] = []

    def send() -> None:
        sent.append(time.monotonic())
        os.kill(child, signal.SIGTERM)

    timers = [threading.Timer(life, send) for life in lives]
    for timer in timers:
        timer.start()
    with os.fdopen(readable, "rb") as pipe:
        word = pipe.read().decode()
    delay = time.monotonic() - sent[0] if sent else 0.0
    # Do not reap the process before the last signal: its id could then belong to another process.
    for timer in timers:
        timer.cancel()
        timer.join()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, word, delay


def run(count: int, seed: int) -> dict[str, Any]:
    """Sends `count` signals, and returns how the runs ended and what was wrong."""
    rng = random.Random(seed)
    warnings.simplefilter("ignore")
    wrong: list[str] = []
    found: dict[str, Any] = {"signals": 0, "stopped with code 75": 0, "runs completed": 0}
    found |= {"before training": 0, "most steps after a signal": 0}
    slowest = 0.0
    with tempfile.TemporaryDirectory(prefix="rekindle-preempted-") as top:
        # This is also the first fit() of the process, which does much work that later ones need not
        # do.
        expected, _ = _train(os.path.join(top, "never"), background=False)
        while found["signals"] < count and len(wrong) < 5:
            background = rng.random() < 0.5
            life = rng.uniform(0.3, 4.0)
            # Every third time, send two signals almost at once.
            lives = [life, life + 0.01] if rng.random() < 0.33 else [life]
            status, word, delay = _once(os.path.join(top, "backup"), lives, background)
            if status == 0:
                found["runs completed"] += 1
                if word != expected:
                    wrong.append(f"signal {found['signals']}: other weights at the end")
                continue
            found["signals"] += 1
            if status == -signal.SIGTERM:
                # The signal came before training handled signals.
                found["before training"] += 1
                continue
            saved, _, after = word.partition(" ")
            if status != 75 or saved != "True":
                wrong.append(f"signal {found['signals']}: status {status}, {word}")
                continue
            found["stopped with code 75"] += 1
            found["most steps after a signal"] = max(found["most steps after a signal"], int(after))
            slowest = max(slowest, delay)
            if int(after) > 1:
                wrong.append(f"signal {found['signals']}: {after} more steps were trained")
    found["slowest, from the signal to the end, s"] = round(slowest, 2)
    return found | {"wrong": wrong}
