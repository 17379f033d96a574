"""Keras' hooks with which the user's own layers save and load what they hold."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._base.origin import package_of
from rekindle._codec import tree
from rekindle._frameworks import table as frameworks
from rekindle.errors import BrokenTreeError


def are_own(part: Any) -> bool:
    """Whether the user's class overrides Keras' hooks for saving and loading."""
    kind: Any = type(part)
    return _overrides_hooks(kind)


@functools.cache
def _overrides_hooks(kind: Any) -> bool:
    hooks = ("save_own_variables", "load_own_variables")
    found = [getattr(kind, name, None) for name in hooks]
    return not any(hook is None or package_of(hook) == "keras" for hook in found)


def store_of(part: Any) -> dict[str, Any]:
    """What the layer gives Keras to save; without the variables, which are saved already."""
    store: dict[str, Any] = {}
    part.save_own_variables(store)
    own = list(part.variables)
    found: dict[str, Any] = {}
    for key, value in store.items():
        number = next((i for i, one in enumerate(own) if one is value), None)
        if number is not None:
            found[str(key)] = ("variable", number)
        elif isinstance(value, str | bool | int | float | bytes) or value is None:
            found[str(key)] = ("value", value)
        else:
            found[str(key)] = ("value", _host(value))
    return found


def _host(value: Any) -> Any:
    return frameworks.to_numpy(value) if frameworks.framework(value) else np.asarray(value)


def read_store(part: Any, saved: Any, arrays: Mapping[str, AnyArray]) -> Callable[[], None]:
    pairs = tree.unflatten(saved, arrays)
    if not isinstance(pairs, dict):
        raise BrokenTreeError("what a layer has saved is not an object")
    for pair in pairs.values():
        is_pair = isinstance(pair, tuple) and len(pair) == 2 and pair[0] in ("variable", "value")
        if not is_pair or (pair[0] == "variable" and pair[1] not in range(len(part.variables))):
            raise BrokenTreeError("what a layer has saved is not of the form that rekindle saves")

    def put() -> None:
        own = part.variables
        part.load_own_variables(
            {
                key: frameworks.to_numpy(own[value]) if kind == "variable" else value
                for key, (kind, value) in pairs.items()
            }
        )

    return put
