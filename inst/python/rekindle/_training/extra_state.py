"""`extra_state`: objects of the user that belong to the run, beside the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rekindle import errors
from rekindle._base.arrays import AnyArray
from rekindle._codec import kinds, tree
from rekindle._frameworks import table as frameworks


def take(extra: Mapping[str, Any], arrays: dict[str, AnyArray]) -> dict[str, Any]:
    """Captures the states by name, as JSON values."""
    return {
        name: kinds.take(kinds.numbers_of(value), f"extra/{name}", arrays)
        for name, value in extra.items()
    }


def read(
    extra: Mapping[str, Any], saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]
) -> list[Callable[[], Any]]:
    """Checks the states, and returns functions that restore them into the objects.

    Raises:
        BrokenTreeError: A state cannot be that of its object.
    """
    known = [name for name in saved if name in extra]
    return [_read_one(name, extra[name], saved[name], arrays) for name in known]


def put(
    extra: Mapping[str, Any], saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]
) -> list[str]:
    """Restores the states. Returns a sentence for each state that was not used."""
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
    put_back = kinds.read(saved, arrays, current)
    if not isinstance(current, np.ndarray):
        return put_back
    value = put_back()
    if not isinstance(value, np.ndarray) or not frameworks.fits(current, value):
        raise errors.BrokenTreeError(
            f"`extra_state` {name!r}: expected an array of {frameworks.spec(current)}"
        )
    return lambda: np.copyto(current, value, casting="no")


def needs_building(
    extra: Mapping[str, Any], saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]
) -> bool:
    """Whether an object has fewer variables than the checkpoint has for it."""
    return any(
        len(extra[name].variables) < len(state)
        for name, state in _variables(extra, saved, arrays).items()
    )


def differences(
    extra: Mapping[str, Any], saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]
) -> list[str]:
    """Why the states cannot be those of these objects, as far as this is known beforehand."""
    return [
        f"extra_state[{name!r}]{line}"
        for name, value in extra.items()
        if name in saved
        for line in _differences(value, saved[name], arrays)
    ]


def _differences(value: Any, saved: Any, arrays: Mapping[str, AnyArray]) -> list[str]:
    expected, found = kinds.kind_of(value), kinds.saved_kind(saved)
    if expected != found:
        what = "a plain value" if found is None else f"the state of a {found!r}"
        return [f": expected the state of {kinds.described(value)}, found {what}"]
    if expected is None:
        array = tree.unflatten(saved, arrays)
        if not isinstance(value, np.ndarray) or frameworks.fits(value, array):
            return []
        return [f": expected {frameworks.spec(value)}, found {frameworks.spec(array)}"]
    state = tree.unflatten(saved["state"], arrays)
    if expected == "keras.variables":
        return _variable_differences(value, list(state))
    return [f"/{line}" for line in kinds.differences(expected, value, state)]


def _variable_differences(owner: Any, state: list[Any]) -> list[str]:
    variables = owner.variables
    is_built = getattr(owner, "built", True) and variables
    if len(variables) < len(state) and not is_built:
        how = (
            "`optimizer.build(variables)` with the variables that it trains"
            if hasattr(owner, "apply_gradients")
            else "calling it on data"
        )
        return [
            f": expected the {len(state)} variables that were saved, found a"
            f" {type(owner).__name__} that is not built yet. Build it before fit(), by {how}"
        ]
    if len(variables) != len(state):
        return [f": expected {len(variables)} variables, found {len(state)} in the backup"]
    return [
        f"/{variable.path}: expected {frameworks.spec(variable)}, found {frameworks.spec(array)}"
        for variable, array in zip(variables, state, strict=True)
        if not frameworks.fits(variable, array)
    ]


def _variables(
    extra: Mapping[str, Any], saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]
) -> dict[str, list[Any]]:
    """The saved values of the objects that own variables, by the objects' names."""
    return {
        name: list(tree.unflatten(saved[name]["state"], arrays))
        for name, value in extra.items()
        if name in saved
        and kinds.kind_of(value) == kinds.saved_kind(saved[name]) == "keras.variables"
    }
