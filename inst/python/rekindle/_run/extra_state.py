"""The user's own objects beside the model: `extra_state`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rekindle import _host, _tree
from rekindle._objects import stateful as objects
from rekindle._store.pack import AnyArray


def take(extra: Mapping[str, Any], arrays: dict[str, AnyArray]) -> dict[str, Any]:
    """The states by name, as JSON values."""
    return {
        name: objects.take(objects.numbers_of(value), f"extra/{name}", arrays)
        for name, value in extra.items()
    }


def read(
    extra: Mapping[str, Any], saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]
) -> list[Callable[[], Any]]:
    """What puts the states back into the objects, once they have been checked.

    Raises:
        BrokenTreeError: A state cannot be that of its object.
    """
    known = [name for name in saved if name in extra]
    return [_read_one(name, extra[name], saved[name], arrays) for name in known]


def put(
    extra: Mapping[str, Any], saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]
) -> list[str]:
    """Puts the states back: what of them was not used, one sentence each."""
    for put_one in read(extra, saved, arrays):
        put_one()
    return [
        f"`extra_state` no longer holds {name!r}, so its state was not used"
        for name in saved
        if name not in extra
    ]


def _read_one(
    name: str, current: Any, saved: Any, arrays: Mapping[str, AnyArray]
) -> Callable[[], Any]:
    put_back = objects.read(saved, arrays, current)
    if not isinstance(current, np.ndarray):
        return put_back
    value = put_back()
    if not isinstance(value, np.ndarray) or not _host.fits(current, value):
        raise _tree.BrokenTreeError(
            f"`extra_state` {name!r}: expected an array of {_host.spec(current)}"
        )
    return lambda: np.copyto(current, value, casting="no")
