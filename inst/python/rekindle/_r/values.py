"""Turns Python values into values that R can have."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from rekindle import inspection
from rekindle._base.arrays import AnyArray
from rekindle._codec import tags as _tags
from rekindle._codec import tree as _tree
from rekindle._inspection import lookup
from rekindle.manager import CheckpointManager

_PLAIN = (bool, int, float, str)


def checkpoint_values(path: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, AnyArray]]:
    """Values of :class:`rekindle._r.state.ExternalState`, plain values, and other arrays.

    Each value is under its place in the tree.

    Raises:
        DamageError: The checkpoint is not whole.
        RestoreError: There is no checkpoint, or the system refused to read.
    """
    save = lookup.load(path)
    external: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    tree = save.manifest.state.get("checkpoint")
    for place, value in _places(tree if isinstance(tree, dict) else {}, ""):
        if isinstance(value, _PLAIN):
            plain[place] = value
        elif (state := _external_state(value)) is not None:
            external[place] = _tree.unflatten(state, save.arrays)
    inside = tuple(f"{place}/" for place in external)
    rest = {name: array for name, array in save.arrays.items() if not name.startswith(inside)}
    return external, plain, as_convertible(rest)


def info_of(manager: CheckpointManager) -> inspection.FolderInfo:
    """What :func:`rekindle.inspection.info` says of a manager's folder, with its settings."""
    return inspection.info(manager.directory, storage_options=manager._storage_options)


def _places(group: Mapping[str, Any], place: str) -> Iterator[tuple[str, Any]]:
    for name, value in group.items():
        where = f"{place}/{name}" if place else name
        if isinstance(value, dict) and _tags.tagged(value)[0] is None:
            yield from _places(value, where)
        else:
            yield where, value


def _external_state(value: Any) -> Any:
    """The state in a saved object, if it has the form of external state; else ``None``."""
    kind, content = _tags.tagged(value)
    if kind != "object" or not isinstance(content, list) or len(content) != 2:
        return None
    state = content[1]
    found = state.get("value") if isinstance(state, dict) and len(state) == 1 else None
    return found if isinstance(found, dict) and {"type", "values"} <= found.keys() else None


def as_lists(value: Any) -> Any:
    """Turns facts into dicts and lists for R. R's integers end at 2**31, so numbers become floats.

    An array of one number, as a metric's value, becomes that number. Other arrays become ``None``.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: as_lists(getattr(value, field.name)) for field in fields}
    if isinstance(value, dict):
        return {_for_r(str(key)): as_lists(item) for key, item in value.items()}
    if isinstance(value, str):
        return _for_r(value)
    if isinstance(value, list | tuple):
        return [as_lists(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return float(value.astype(np.float64).item()) if value.size == 1 else None
    return _as_float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _for_r(text: str) -> str:
    """Escapes zero characters and half characters, which R's strings cannot have."""
    halves = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return halves.replace("\0", "\\x00")


def _as_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def as_convertible(arrays: Mapping[str, AnyArray]) -> dict[str, AnyArray]:
    """Turns arrays into dtypes that R can have. Machine learning's small floats become float64."""
    return {
        _for_r(name): array if array.dtype.kind in "biufc" else array.astype(np.float64)
        for name, array in arrays.items()
    }
