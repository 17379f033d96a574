"""The logs of the last batch. A resumed epoch that is already over gives them to callbacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rekindle import errors
from rekindle._base.arrays import AnyArray
from rekindle._codec import tree
from rekindle._frameworks import table as frameworks


def take(logs: Mapping[str, Any], arrays: dict[str, AnyArray]) -> Any:
    """Captures the numbers among the logs, as JSON values, and leaves out all else.

    Other code may make a file name of the logs, as `ModelCheckpoint` does. So a checkpoint gives it
    numbers only.
    """
    numbers = {name: value for name, value in logs.items() if _can_be_saved(value)}
    return tree.flatten(numbers, "logs", arrays)


def read(saved: Any, arrays: Mapping[str, AnyArray]) -> dict[str, Any]:
    """Reads a result of :func:`take`.

    Raises:
        BrokenTreeError: It is not a result of :func:`take`.
    """
    logs = tree.unflatten(saved, arrays)
    if not isinstance(logs, dict) or not all(map(_is_numeric, logs.values())):
        raise errors.BrokenTreeError("the logs of the last batch are not numbers")
    return logs


def _can_be_saved(value: Any) -> bool:
    """Whether it is numeric, and of a form that a checkpoint can hold."""
    if type(value) is float:
        return True
    try:
        tree.flatten(value, "", {})
    # A callback may put anything into the logs. Training must not end for it.
    except Exception:  # noqa: BLE001
        return False
    return _is_numeric(value)


def _is_numeric(value: Any) -> bool:
    if value is None or isinstance(value, bool | int | float):
        return True
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind in "biufcV" and not value.dtype.hasobject
    return frameworks.framework(value) is not None
