"""Every epoch and metric of the run, over all of its calls of fit()."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._codec import families
from rekindle._codec import tree as _tree
from rekindle._format import epochs as _epochs
from rekindle._frameworks import table as frameworks
from rekindle.errors import UnsupportedValueError

# Follows the value's name in a message.
_IN_LOGS = "is no number, and cannot be saved. The history of a resumed run lacks it."

_OF_ANOTHER = (
    "is of another type than in the epochs before, and is not saved. The history of a resumed run"
    " lacks it."
)


class HistoryRecord:
    """The content that Keras' `History` would have if the run had never been interrupted.

    Attributes:
        epoch: Zero-based indices of the epochs that ended.
        metrics: For each metric, its values in the order of the epochs that reported it.
        epochs: For each metric, these epochs; ``None`` for an epoch that an old checkpoint does not
            name.
        lost: Values of logs that cannot be saved, with the reason.
    """

    def __init__(self) -> None:
        # The family of each metric's values.
        self._families: dict[str, families.Family] = {}
        self.epoch: list[int] = []
        self.metrics: dict[str, list[Any]] = {}
        self.epochs: dict[str, list[int | None]] = {}
        self.lost: dict[str, str] = {}

    def add(self, epoch: int, logs: Mapping[str, Any] | None) -> None:
        self.epoch.append(int(epoch))
        for name, value in (logs or {}).items():
            # A callback may put anything into the logs. Training must not end for it.
            reason = self._reason(name, value)
            if reason is not None:
                self.lost[f"logs[{name!r:.100}]"] = reason
                continue
            self.metrics.setdefault(name, []).append(value)
            self.epochs.setdefault(name, []).append(int(epoch))

    def _reason(self, name: str, value: Any) -> str | None:
        """Why the record cannot have this value of the metric; ``None`` if it can."""
        family = _family(value)
        if family is None and value is not None:
            return _IN_LOGS
        known = self._families.setdefault(name, family)
        return None if families.are_alike(known, family) else _OF_ANOTHER

    def take(self, arrays: dict[str, AnyArray]) -> Any:
        """Captures the record as JSON values; values that are arrays go into `arrays`."""
        metrics = {name: [_plain(v) for v in values] for name, values in self.metrics.items()}
        epochs = _epochs.to_save(self.epoch, self.epochs)
        tree = {"epoch": self.epoch, "metrics": metrics, "epochs": epochs}
        return _tree.flatten(tree, "history", arrays)

    @classmethod
    def from_state(cls, state: Any, arrays: Mapping[str, AnyArray]) -> HistoryRecord:
        """Reads a result of :meth:`take`. Reading anything else fails as for broken trees."""
        record = cls()
        tree = _tree.unflatten(state, arrays)
        record.epoch = [int(epoch) for epoch in tree["epoch"]]
        record.metrics = {str(name): list(values) for name, values in tree["metrics"].items()}
        for name, values in record.metrics.items():
            for value in values:
                if record._reason(name, value) is not None:
                    raise TypeError(f"the metric {name!r:.100} has a {type(value).__name__}")
        record.epochs = _epochs.saved(record.epoch, tree)
        return record

    def fill(self, history: Any, before: int | None = None) -> None:
        """Fills a `History` of Keras with the whole run, or with the epochs before `before`.

        An old checkpoint does not say which epochs reported a metric, if only some epochs did. If
        only some of the epochs are wanted, this method leaves such a metric out.
        """
        history.epoch = [epoch for epoch in self.epoch if before is None or epoch < before]
        if len(history.epoch) == len(self.epoch):
            history.history = {name: list(values) for name, values in self.metrics.items()}
        else:
            history.history = self._of(set(history.epoch))
        # R makes a table with this number of epochs.
        history.params["epochs"] = max(history.params.get("epochs", 0), len(history.epoch))

    def _of(self, epochs: set[int]) -> dict[str, list[Any]]:
        """The values of these epochs, for each metric that has values in them."""
        found = {}
        for name, own in self.epochs.items():
            pairs = zip(own, self.metrics[name], strict=True)
            values = [value for epoch, value in pairs if epoch in epochs]
            if values and None not in own:
                found[name] = values
        return found


def _plain(value: Any) -> Any:
    """A metric's value without its backend: a custom training loop may report tensors."""
    if value is None or isinstance(value, float | int | str | np.ndarray | np.generic):
        return value
    is_array = frameworks.framework(value) not in (None, "keras")
    return frameworks.to_numpy(value) if is_array else float(value)


def _family(value: Any) -> families.Family:
    """The family of one number, text or array; ``None`` for anything else.

    A table of a history has no place for more.
    """
    if type(value) is float:
        return "number"
    arrays: dict[str, AnyArray] = {}
    try:
        saved = _tree.flatten(_plain(value), "", arrays)
    except (UnsupportedValueError, TypeError, ValueError):
        return None
    # Arrays of each shape may be mixed with numbers.
    family = families.of(saved, arrays)
    return "number" if family == "array" else family
