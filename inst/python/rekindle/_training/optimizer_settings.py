"""The settings of an optimizer as the script has them: its learning rate, its weight decay, ..."""

from __future__ import annotations

import contextlib
import json
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np

# For each optimizer that an earlier fit() of this process used: its settings when that fit() ended,
# and those that the script had given it. Training itself changes some, such as the learning rate.
_left: weakref.WeakKeyDictionary[Any, tuple[dict[str, Any], dict[str, Any]]] = (
    weakref.WeakKeyDictionary()
)

_PREFIX = "the optimizer's "
RATE = f"{_PREFIX}learning_rate"


class OptimizerSettings:
    """The settings of one optimizer when a fit() begins, before its checkpoint is restored.

    Args:
        optimizer: The optimizer, with ``get_config()`` as in Keras; ``None`` if there is none.
    """

    def __init__(self, optimizer: Any) -> None:
        self._optimizer = optimizer
        now = _settings(optimizer)
        before, given = _left.get(optimizer, ({}, {})) if _is_known(optimizer) else ({}, {})
        # What is still as training left it was not changed by the script.
        self._given = {
            name: given[name] if name in given and before.get(name) == value else value
            for name, value in now.items()
        }

    def as_fingerprint(self) -> dict[str, Any]:
        """The settings as JSON values, by the names that messages use."""
        return {f"{_PREFIX}{name}": value for name, value in self._given.items()}

    def leave(self) -> None:
        """The fit() ends. Safe to call again."""
        optimizer, self._optimizer = self._optimizer, None
        if optimizer is not None:
            with contextlib.suppress(TypeError):  # Not everything can be referred to weakly.
                _left[optimizer] = _settings(optimizer), self._given


def is_setting(line: str) -> bool:
    """Whether a line of differences is about a setting of the optimizer."""
    return line.startswith(_PREFIX)


def is_rate(variable: str) -> bool:
    """Whether a variable of this name holds the learning rate of an optimizer."""
    return variable.startswith("optimizer/") and variable.rpartition("/")[2] in (
        "learning_rate",
        "_learning_rate",
    )


def _is_known(optimizer: Any) -> bool:
    try:
        return optimizer in _left
    except TypeError:
        return False


def _settings(optimizer: Any) -> dict[str, Any]:
    """The configuration as JSON values, with that of an optimizer in it; without its name."""
    found: dict[str, Any] = {}
    # An optimizer of the user's may have none.
    with contextlib.suppress(Exception):
        config = dict(optimizer.get_config())
        inner = config.pop("inner_optimizer", None)
        if inner is not None:
            found |= _settings(getattr(optimizer, "inner_optimizer", None))
        config.pop("name", None)
        found |= {str(name): _plain(value) for name, value in config.items()}
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        # A variable has single precision, and the script's own number has not.
        return float(f"{value:.7g}")
    if isinstance(value, Mapping):
        # The same object may get another name the second time that it is made.
        items = {str(name): _plain(item) for name, item in value.items() if name != "name"}
        return json.dumps(items, sort_keys=True, default=str)
    return value if value is None or isinstance(value, bool | int | str) else str(value)
