"""Live objects that stand in more than one place of a tree.

A program may start with one array of zeros (or one dict of such arrays) under two names, and later
give each name its own value. The checkpoint then holds two values. One object cannot hold both.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Mapping
from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._codec.containers import like
from rekindle._codec.tags import array_name
from rekindle._frameworks import table as frameworks
from rekindle._frameworks.loaded import loaded


class Aliases:
    """The live objects found so far, each with the saved value of its place.

    Args:
        arrays: The arrays of the checkpoint.
    """

    def __init__(self, arrays: Mapping[str, AnyArray]) -> None:
        self._arrays = arrays
        # Keep the object, too: while it is alive, no other object has its id.
        self._met: dict[int, tuple[Any, Any, str]] = {}

    def earlier(self, live: Any, saved: Any, place: str) -> tuple[str, bool] | None:
        """The object's earlier place, and whether both places have the same saved value.

        ``None`` if the object has no earlier place.
        """
        one = (live, saved, place)
        found = self._met.setdefault(id(live), one)
        if found is one:
            return None
        return found[2], self._is_same(found[1], saved)

    def _is_same(self, one: Any, other: Any) -> bool:
        if isinstance(one, list) and isinstance(other, list):
            return len(one) == len(other) and all(map(self._is_same, one, other))
        if not isinstance(one, dict) or not isinstance(other, dict):
            return type(one) is type(other) and bool(one == other)
        names = array_name(one), array_name(other)
        if None not in names:
            first, second = (self._arrays[str(name)] for name in names)
            return _same_bits(first, second)
        return one.keys() == other.keys() and all(self._is_same(one[k], other[k]) for k in one)


def _same_bits(one: AnyArray, other: AnyArray) -> bool:
    if one is other:
        return True
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    # Compare bits, not values: NaN is not equal to NaN.
    first, second = (np.ascontiguousarray(array).reshape(-1).view("u1") for array in (one, other))
    return bool(np.array_equal(first, second))


def changes_in_place(value: Any) -> bool:
    """Whether a restore writes into this array or variable instead of replacing it."""
    kind = frameworks.framework(value)
    if kind == "numpy":
        return bool(value.flags.writeable)
    return kind in ("torch", "keras") or (kind == "tensorflow" and hasattr(value, "assign"))


def twin(value: Any) -> Any:
    """A copy that can hold its own values; ``None`` if rekindle does not copy this kind."""
    if frameworks.framework(value) == "numpy":
        return value.copy()
    if type(value) is bytearray:
        return bytearray(value)
    torch = loaded("torch")
    if torch is not None and type(value) is torch.Tensor:
        return value.detach().clone().requires_grad_(value.requires_grad)
    is_container = isinstance(value, dict | list | deque | set)
    return like(value) if is_container or dataclasses.is_dataclass(value) else None
