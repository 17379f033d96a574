"""What the last batch reported: handed to the other callbacks where a resumed epoch is over."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from rekindle import errors
from rekindle._base.arrays import AnyArray
from rekindle._codec import tree
from rekindle._frameworks import table as frameworks


def take(logs: Mapping[str, Any], arrays: dict[str, AnyArray]) -> Any:
    """The numbers among the logs, as JSON values; what else a callback has put there is left out.

    A file name may be made of them, as `ModelCheckpoint` does: a save gives it numbers alone.
    """
    numbers = {name: value for name, value in logs.items() if _is_numeric(value)}
    return tree.flatten(numbers, "logs", arrays)


def read(saved: Any, arrays: Mapping[str, AnyArray]) -> dict[str, Any]:
    """What :func:`take` gave.

    Raises:
        BrokenTreeError: It gave something else.
    """
    logs = tree.unflatten(saved, arrays)
    if not isinstance(logs, dict) or not all(map(_is_numeric, logs.values())):
        raise errors.BrokenTreeError("the logs of the last batch are not numbers")
    return logs


def _is_numeric(value: Any) -> bool:
    if value is None or isinstance(value, bool | int | float):
        return True
    if isinstance(value, np.ndarray | np.generic):
        return value.dtype.kind in "biufcV" and not value.dtype.hasobject
    return frameworks.framework(value) is not None
