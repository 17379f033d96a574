"""Shared code of the loops: the points of the kills, and the report at the end."""

from __future__ import annotations

import hashlib
import json
import os
import pathlib
import signal
import sys

import numpy as np

import rekindle
from rekindle._storage.local import fs

STEPS = 24
# Steps 1, 4, 7, ... are saved, so a kill can also hit a step without a save.
INTERVAL = 3


def batch(rng):
    """The data of one step: eight new samples."""
    x = rng.normal(size=(8, 4)).astype("float32")
    return x, (x @ np.arange(4, dtype="float32"))[:, None]


class Loop:
    """Runs `train()` under a manager until all steps are done. `checkpoint.step` counts them.

    SIGKILL ends the process at the step and place in its configuration: "before" or "after" the
    call of save(), or "in" it, when everything is written and nothing is committed.
    """

    def __init__(self):
        config = json.loads(sys.argv[1])
        self._folder = pathlib.Path(config["folder"])
        self._kill = tuple(config["kill"] or (None, None))
        self._background = config["background"]

    def _die_at(self, step, place):
        if self._kill == (step, place):
            os.kill(os.getpid(), signal.SIGKILL)

    def _die_in_save(self, step):
        if self._kill == (step, "in"):
            fs.rename = lambda old, new: self._die_at(step, "in")

    def run(self, checkpoint, train):
        manager = rekindle.CheckpointManager(
            checkpoint,
            self._folder / "ckpts",
            max_to_keep=2,
            step_counter=lambda: int(checkpoint.step),
            checkpoint_interval=INTERVAL,
            background=self._background,
        )
        with manager:
            restored = manager.restore_or_initialize()
            with (self._folder / "restored.txt").open("a") as file:
                file.write(f"{restored and os.path.basename(restored)} {int(checkpoint.step)}\n")
            while int(checkpoint.step) < STEPS:
                train()
                step = int(checkpoint.step)
                self._die_at(step, "before")
                self._die_in_save(step)
                manager.save()
                self._die_at(step, "after")

    def report(self, **outcome):
        text = json.dumps({name: _digest(value) for name, value in outcome.items()})
        (self._folder / "report.json").write_text(text)


def _digest(value):
    if isinstance(value, dict):
        return {str(key): _digest(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_digest(one) for one in value]
    if isinstance(value, int | float | str) or value is None:
        return repr(value)
    array = np.asarray(value)
    return f"{array.dtype} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()[:16]}"
