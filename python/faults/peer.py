"""Keras' own `BackupAndRestore` under the same sweeps, for comparison."""

from __future__ import annotations

import contextlib
import io
import os
from typing import Any

import keras
import numpy as np

from faults import crash, power, preload, tree
from faults.scenes import BOX, Scene

LAST = 4


def _model() -> Any:
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(8), keras.layers.Dense(1)], name="small"
    )
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


class KerasOwn:
    """`keras.callbacks.BackupAndRestore` as the thing that is crashed."""

    name = "Keras' own"

    def __init__(self, kept: int) -> None:
        self._kept = kept
        self._model = _model()
        self._variables = list(self._model.variables) + list(self._model.optimizer.variables)
        self._variables = list({id(one): one for one in self._variables}.values())

    def callback(self, top: str) -> Any:
        callback = keras.callbacks.BackupAndRestore(
            os.path.join(top, BOX), double_checkpoint=self._kept == 2
        )
        callback.set_model(self._model)
        return callback

    def values(self, index: int) -> list[Any]:
        rng = np.random.default_rng(index)
        return [
            np.asarray(rng.integers(0, 1000, one.shape) if "int" in one.dtype else _noise(rng, one))
            for one in self._variables
        ]

    def set(self, index: int) -> None:
        for variable, value in zip(self._variables, self.values(index), strict=True):
            variable.assign(value)

    def save(self, top: str, saves: range, kept: int) -> None:
        callback = self.callback(top)
        for index in saves:
            self.set(index)
            callback.on_epoch_end(index)

    def restored(self, top: str) -> int | None:
        self.set(999)
        self._model._initial_epoch = None
        with contextlib.redirect_stdout(io.StringIO()):
            self.callback(top).on_train_begin()
        epoch = self._model._initial_epoch
        found = [keras.ops.convert_to_numpy(one) for one in self._variables]

        def same(index: int) -> bool:
            return all(map(np.array_equal, found, self.values(index)))

        if epoch is None and same(999):
            return None
        assert epoch is not None, "weights, and no epoch to go on with"
        assert not same(999), f"epoch {epoch} to go on with, and no weights"
        assert same(epoch - 1), f"epoch {epoch} to go on with, and other weights"
        return epoch - 1

    def goes_on(self, top: str, kept: int) -> str | None:
        return None


def _noise(rng: np.random.Generator, variable: Any) -> Any:
    return rng.standard_normal(variable.shape).astype(np.float32)


def scenes(own: KerasOwn, kept: int) -> list[Scene]:
    def saving(index: int) -> Any:
        def act(top: str, begin: Any, ack: Any) -> None:
            own.set(index)
            callback = own.callback(top)
            begin()
            callback.on_epoch_end(index)
            ack(index)

        return act

    def clean_up(top: str, begin: Any, ack: Any) -> None:
        callback = own.callback(top)
        begin()
        callback.on_train_end()

    def only(*indices: int | None) -> frozenset[int | None]:
        return frozenset(indices)

    end = LAST - 1
    return [
        Scene("first save", 0, saving(0), kept, only(None, 0), only(0)),
        Scene("later save", LAST, saving(LAST), kept, only(end, LAST), only(LAST)),
        Scene("clean-up", LAST, clean_up, kept, only(end, None), only(end, None)),
    ]


def run(faults: preload.Faults) -> list[dict[str, Any]]:
    """The rows of the table."""
    rows = []
    with tree.scratch() as top:
        for kept in (1, 2):
            own = KerasOwn(kept)
            for scene in scenes(own, kept):
                killed = crash.kill_sweep(own, scene, top, faults)
                cut = power.power_sweep(own, scene, top, faults)
                tallies = {"killed": killed, **cut}
                rows.append(
                    {
                        "scene": scene.name,
                        "kept": kept,
                        "tallies": {
                            name: [tally.tried, tally.whole] for name, tally in tallies.items()
                        },
                        "wrong": [tally.wrong[:2] for tally in tallies.values()],
                    }
                )
    return rows
