"""Every epoch and metric of the run, over however many calls of fit() it took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from rekindle import _tree
from rekindle._store.pack import AnyArray


class HistoryRecord:
    """What Keras' `History` would hold had the run never been interrupted.

    Attributes:
        epoch: Zero-based indices of the epochs that ended.
        metrics: For each metric, its values in the order of the epochs that reported it.
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.metrics: dict[str, list[Any]] = {}

    def add(self, epoch: int, logs: Mapping[str, Any] | None) -> None:
        self.epoch.append(int(epoch))
        for name, value in (logs or {}).items():
            self.metrics.setdefault(name, []).append(value)

    def take(self, arrays: dict[str, AnyArray]) -> Any:
        """As JSON values; values that are arrays go into `arrays`."""
        metrics = {name: [_plain(v) for v in values] for name, values in self.metrics.items()}
        return _tree.flatten({"epoch": self.epoch, "metrics": metrics}, "history", arrays)

    @classmethod
    def from_state(cls, state: Any, arrays: Mapping[str, AnyArray]) -> HistoryRecord:
        """What :meth:`take` gave; reading anything else fails as broken trees do."""
        record = cls()
        tree = _tree.unflatten(state, arrays)
        record.epoch = [int(epoch) for epoch in tree["epoch"]]
        record.metrics = {
            str(name): [_saved(value) for value in values]
            for name, values in tree["metrics"].items()
        }
        return record

    def fill(self, history: Any, before: int | None = None) -> None:
        """Puts the run into a `History` of Keras: all of it, or the epochs before one.

        Of a metric that not every epoch reported, nothing says which epochs did. Such a metric is
        left out where only some of the epochs are wanted.
        """
        epochs = [epoch for epoch in self.epoch if before is None or epoch < before]
        is_whole = len(epochs) == len(self.epoch)
        history.epoch = epochs
        history.history = {
            name: list(values)[: None if is_whole else len(epochs)]
            for name, values in self.metrics.items()
            if is_whole or len(values) == len(self.epoch)
        }
        # R makes a table of so many epochs of it.
        history.params["epochs"] = max(history.params.get("epochs", 0), len(epochs))


def _saved(value: Any) -> Any:
    if value is None or isinstance(value, float | int | str | np.ndarray | np.generic):
        return value
    raise TypeError(f"a metric cannot have a value of type {type(value).__name__!r}")


def _plain(value: Any) -> Any:
    """A metric's value without its backend: a loop of one's own may report tensors."""
    if value is None or isinstance(value, float | int | str | np.ndarray | np.generic):
        return value
    return keras.ops.convert_to_numpy(value) if keras.ops.is_tensor(value) else float(value)
