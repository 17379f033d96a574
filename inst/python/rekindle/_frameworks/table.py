"""The table of frameworks: turns their arrays into NumPy arrays on the host, and back.

This module imports no framework. A Keras variable holds an array of one of the other frameworks.
The functions use this array.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._frameworks import jax, keras, numpy, tensorflow, torch
from rekindle._frameworks.entry import Entry
from rekindle._frameworks.jax import key_impl
from rekindle._frameworks.loaded import loaded

__all__ = [
    "at_hand",
    "elsewhere",
    "fits",
    "framework",
    "from_numpy",
    "key_impl",
    "like",
    "spec",
    "to_numpy",
]

# Each under the name of the module that users import.
_ENTRIES: dict[str, Entry] = {
    "numpy": numpy,
    "jax": jax,
    "torch": torch,
    "tensorflow": tensorflow,
}


# Classes of arrays that were met.
_entry_by_type: dict[type, Entry] = {}


def framework(value: Any) -> str | None:
    """The framework of an array or a variable; ``None`` if the value is neither.

    One of "numpy", "jax", "jax.key", "torch", "tensorflow" and "keras".
    """
    if isinstance(value, np.ndarray):
        return "numpy"
    if isinstance(value, type):
        return None
    if keras.is_variable(value):
        return "keras"
    for name, entry in _ENTRIES.items():
        if loaded(name) is not None and (kind := entry.kind(value)) is not None:
            return kind
    return None


def _entry_of(kind: str) -> Entry:
    return _ENTRIES[kind.partition(".")[0]]


def elsewhere(value: Any) -> str | None:
    """Why this process alone cannot read and write the array; ``None`` when it can."""
    kind = framework(value)
    if kind is None:
        return None
    return elsewhere(value.value) if kind == "keras" else _entry_of(kind).elsewhere(value)


def at_hand(value: Any) -> AnyArray | None:
    """The array on the host; ``None`` if to read it means to wait for a device, or it is no array.

    Quick: it is called for each batch. The array may share memory with `value`.
    """
    entry = _entry_by_type.get(type(value))
    if entry is None:
        kind = framework(value)
        if kind is None or kind == "keras":
            return None if kind is None else at_hand(value.value)
        entry = _entry_of(kind)
        if kind in _ENTRIES:
            _entry_by_type[type(value)] = entry
    return entry.at_hand(value)


def to_numpy(value: Any) -> AnyArray:
    """The array on the host. It may share memory with `value`: read it at once, or copy it.

    Raises:
        TypeError: The array has no such form. The message says why.
    """
    kind = framework(value)
    if kind is None:
        return np.asarray(value)
    if kind == "keras":
        return to_numpy(value.value)
    if reason := _entry_of(kind).elsewhere(value):
        raise TypeError(reason)
    return _entry_of(kind).to_numpy(value)


def spec(value: Any) -> str:
    """Dtype and shape in words, such as ``float32 (3, 4)``. Reads no byte of the array."""
    kind = framework(value)
    if kind in (None, "keras"):
        return f"{getattr(value.dtype, 'name', None) or value.dtype} {tuple(value.shape)}"
    return _entry_of(str(kind)).spec(value)


def fits(value: Any, array: AnyArray) -> bool:
    """Whether the array has the dtype of the value, and a shape that the value can have."""
    kind = framework(value)
    if kind in (None, "keras"):
        return spec(value) == spec(array)
    return _entry_of(str(kind)).fits(value, array)


def from_numpy(kind: str, array: AnyArray, impl: str | None = None) -> Any:
    """A new array of that framework; the NumPy array itself if the framework is not imported.

    The contents of a file never cause an import.
    """
    name = kind.partition(".")[0]
    if name not in _ENTRIES or loaded(name) is None:
        return array
    return _entry_of(kind).from_numpy(kind, array, impl)


def like(value: Any, array: AnyArray) -> Any:
    """Puts these bytes into `value` if it can be changed in place, else into a new array."""
    kind = framework(value)
    if kind == "keras":
        _assign(value, array)
        return value
    if kind is not None:
        return _entry_of(kind).like(value, array)
    if isinstance(value, np.generic):
        return array[()]
    raise TypeError(f"a {type(value).__name__!r} is not an array that rekindle knows")


def _assign(variable: Any, array: AnyArray) -> None:
    inner = framework(variable.value)
    if inner == "torch":
        # Keras itself would copy twice.
        torch.like(variable.value, array)
    else:
        variable.assign(tensorflow.shared(array) if inner == "tensorflow" else array)
