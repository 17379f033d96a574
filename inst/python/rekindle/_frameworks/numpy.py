"""NumPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray


def kind(value: Any) -> str | None:
    return "numpy" if isinstance(value, np.ndarray) else None


def elsewhere(value: Any) -> str | None:
    return None


def at_hand(value: Any) -> AnyArray | None:
    return np.asarray(value)


def to_numpy(value: Any) -> AnyArray:
    return np.asarray(value)


def spec(value: Any) -> str:
    return f"{value.dtype.name} {tuple(value.shape)}"


def fits(value: Any, array: AnyArray) -> bool:
    # Getting the name of a dtype is slow, and there may be thousands of arrays.
    same = value.dtype == array.dtype and value.shape == array.shape
    return same or spec(value) == spec(array)


def from_numpy(kind: str, array: AnyArray, impl: str | None) -> Any:
    return array


def like(value: Any, array: AnyArray) -> Any:
    if not value.flags.writeable:
        return array.copy()
    # The live array may have another byte order.
    np.copyto(value, array, casting="equiv")
    return value
