"""A fit() under rekindle's callback, with one failing call in each run."""

from __future__ import annotations

import errno
import functools
import os
import warnings
from typing import Any

import keras
import numpy as np

from faults import children, preload, scenes, tree
from faults.refusals import ERRORS
from rekindle.errors import RekindleWarning, RestoreError
from rekindle.keras import BackupAndRestore

EPOCHS = 3


def _fit(top: str, epochs: int, background: bool) -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    x, y = np.ones((8, 4), "float32"), np.ones((8, 1), "float32")
    callback = BackupAndRestore(
        os.path.join(top, "backup"), delete_checkpoint=False, background=background
    )
    history = model.fit(x, y, batch_size=4, epochs=epochs, verbose=0, callbacks=[callback])
    return history.epoch, callback.resume_report


def _run(top: str, faults: preload.Faults, arm: Any, say: children.Say, background: bool) -> None:
    def fit(epochs: int) -> Any:
        return _fit(top, epochs, background)

    fit(1)
    faults.watch(top)
    arm()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", category=RekindleWarning)
        try:
            epochs, _ = fit(EPOCHS)
        except RestoreError:
            say("restore")
            epochs, _ = fit(EPOCHS)
        assert epochs == [1, 2], epochs
        calls = faults.disarm()
        # After any failure, the next save must succeed. A failed save may lose only its own epoch.
        epochs, _ = fit(EPOCHS + 1)
        assert epochs in ([3], [2, 3], [1, 2, 3]), epochs
        epochs, report = fit(EPOCHS + 1)
        assert epochs == [], epochs
        assert report["epoch"] == EPOCHS + 1, report
    say({"calls": calls})


def _count(top: str, faults: preload.Faults, kinds: int, background: bool) -> int:
    tree.empty(top)
    counted = children.run(
        lambda say: _run(top, faults, lambda: faults.count_from_here(kinds), say, background)
    )
    assert counted.crash is None, counted.crash
    return counted.said[-1]["calls"]


def run(faults: preload.Faults, step: int) -> list[dict[str, Any]]:
    """Tries both ways of saving with each errno: see :func:`_sweep`."""
    with scenes.as_if_large():
        return [
            row
            for background in (True, False)
            for row in _sweep(faults, step, background=background)
        ]


def _sweep(faults: preload.Faults, step: int, *, background: bool) -> list[dict[str, Any]]:
    """For each errno: calls tried, trainings refused at the start, and failures."""
    rows = []
    with tree.scratch() as top:
        # The first fit() of a process does much work that later ones need not do.
        _fit(top, 1, background)
        tree.empty(top)
        calls = {
            kinds: _count(top, faults, kinds, background)
            for kinds in (preload.EVERYTHING, preload.WRITE)
        }
        for name in ERRORS:
            row: dict[str, Any] = {"error": name, "background": background}
            row |= {"tried": 0, "refused": 0, "wrong": []}
            is_short = name == "short write"
            action = preload.SHORT if is_short else preload.FAIL
            kinds = preload.WRITE if is_short else preload.EVERYTHING
            number = 0 if is_short else getattr(errno, name)
            for n in range(1, calls[kinds] + 1, max(1, step)):
                tree.empty(top)

                def work(say: children.Say, n: int = n, to: Any = (action, kinds, number)) -> None:
                    arm = functools.partial(faults.arm, to[0], to[1], n, n, to[2])
                    _run(top, faults, arm, say, background)

                outcome = children.run(work)
                row["tried"] += 1
                row["refused"] += "restore" in outcome.said
                if outcome.crash is not None or outcome.status:
                    row["wrong"].append(f"call {n}, {name}: {outcome.crash or outcome.status}")
            rows.append(row)
    return rows
