"""Objects with a state of their own: random generators, and objects with a `state_dict()`.

rekindle never writes the objects themselves. It captures their state as plain values and arrays,
and restores the state into the object that the script made again.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from rekindle import errors
from rekindle._base.arrays import AnyArray
from rekindle._codec import generators, tree
from rekindle._frameworks import keras
from rekindle._frameworks import table as frameworks
from rekindle._frameworks.loaded import loaded
from rekindle.errors import BrokenTreeError

_KIND = "$object"


def take(value: Any, place: str, arrays: dict[str, AnyArray]) -> Any:
    """Captures the value's state as JSON values. Its arrays go into `arrays`.

    Raises:
        UnsupportedValueError: The value is neither plain nor an object whose state is known.
    """
    kind = kind_of(value)
    if kind is None:
        return tree.flatten(value, place, arrays)
    return {_KIND: kind, "state": tree.flatten(get_state(kind, value), place, arrays)}


def put(saved: Any, arrays: Mapping[str, AnyArray], current: Any) -> Any:
    """Restores a value. Returns `current` with the saved state, or a new plain value.

    Raises:
        BrokenTreeError: The checkpoint does not hold the state of `current`. Nothing was changed.
    """
    return read(saved, arrays, current)()


def read(saved: Any, arrays: Mapping[str, AnyArray], current: Any) -> Callable[[], Any]:
    """Checks the state as far as possible. The returned function does the rest of :func:`put`."""
    expected, kind = saved_kind(saved), kind_of(current)
    if expected != kind:
        raise errors.BrokenTreeError(
            f"the checkpoint has {_words_for(expected)}, and the object here is"
            f" {'a plain value' if kind is None else described(current)}"
        )
    if kind is None:
        value = tree.unflatten(saved, arrays)
        both_torch = frameworks.framework(value) == frameworks.framework(current) == "torch"
        return lambda: value.to(current.device) if both_torch else value
    state = tree.unflatten(saved.get("state"), arrays)
    check(kind, current, state)

    def put_back() -> Any:
        set_state(kind, current, state)
        return current

    return put_back


def saved_kind(saved: Any) -> str | None:
    """The kind of the object whose state :func:`take` captured; ``None`` for a plain value.

    Raises:
        BrokenTreeError: :func:`take` cannot have returned `saved`.
    """
    if not (isinstance(saved, dict) and _KIND in saved):
        return None
    kind = saved[_KIND]
    if not isinstance(kind, str):
        raise errors.BrokenTreeError("the kind of a saved object is not a name")
    return kind


def _words_for(kind: str | None) -> str:
    return "a plain value" if kind is None else f"the state of a {kind!r}"


def kind_of(value: Any) -> str | None:
    """The name of the value's kind in a checkpoint; ``None`` if it has no state of its own."""
    if isinstance(value, type):
        return None
    for kind, cls in (
        ("numpy.Generator", np.random.Generator),
        ("numpy.RandomState", np.random.RandomState),
        ("random.Random", random.Random),
        *_framework_classes(),
    ):
        if isinstance(value, cls):
            return kind
    return "state_dict" if has_state_dict(value) else None


def _framework_classes() -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    owners, torch = keras.owner_classes(), loaded("torch")
    if owners:
        found += [
            ("keras.Variable", keras.variable_base(loaded("keras").Variable)),
            ("keras.variables", owners),
            ("keras.SeedGenerator", loaded("keras").random.SeedGenerator),
        ]
    if torch is not None and hasattr(torch, "Generator"):
        found.append(("torch.Generator", torch.Generator))
    return found


def get_state(kind: str, value: Any) -> Any:
    """The state of a value of this kind, as plain values and arrays."""
    if kind == "numpy.Generator":
        return value.bit_generator.state
    if kind == "numpy.RandomState":
        return value.get_state(legacy=False)
    if kind == "random.Random":
        version, words, gauss = value.getstate()
        return [version, np.array(words, np.uint32), gauss]
    if kind == "keras.Variable":
        return frameworks.to_numpy(value)
    if kind == "keras.variables":
        return [frameworks.to_numpy(variable) for variable in value.variables]
    if kind == "keras.SeedGenerator":
        return frameworks.to_numpy(value.state)
    if kind == "torch.Generator":
        return value.get_state().numpy()
    return value.state_dict()


def set_state(kind: str, value: Any, state: Any) -> None:
    """Restores a state that :func:`get_state` returned."""
    if kind == "numpy.Generator":
        value.bit_generator.state = state
    elif kind == "numpy.RandomState":
        value.set_state(state)
    elif kind == "random.Random":
        value.setstate((state[0], tuple(int(word) for word in state[1]), state[2]))
    elif kind == "keras.Variable":
        value.assign(state)
    elif kind == "keras.variables":
        for variable, array in zip(value.variables, state, strict=True):
            variable.assign(array)
    elif kind == "keras.SeedGenerator":
        value.state.assign(state)
    elif kind == "torch.Generator":
        import torch

        value.set_state(torch.from_numpy(np.array(state)))
    else:
        value.load_state_dict(state)


def check(kind: str, value: Any, state: Any) -> None:
    """Checks a state that the object would take without a check, and that may crash the process.

    Raises:
        BrokenTreeError: rekindle must not put this state into the object.
    """
    if hasattr(type(value), "state_differences"):
        lines = value.state_differences(state)
        if lines:
            raise BrokenTreeError("; ".join(lines))
    elif kind == "random.Random":
        generators.check_python(state)
    elif kind in ("numpy.Generator", "numpy.RandomState"):
        generators.check_numpy(state, get_state(kind, value))
    elif kind == "torch.Generator":
        generators.check_torch(state, get_state(kind, value))
    elif kind == "keras.SeedGenerator":
        generators.check_like(state, get_state(kind, value), "keras")


def differences(kind: str, value: Any, state: Any) -> list[str]:
    """Why the state does not fit this object, as far as rekindle can check before a restore.

    Raises:
        BrokenTreeError: No object can be in this state.
    """
    if hasattr(type(value), "state_differences"):
        return list(value.state_differences(state))
    if kind in ("numpy.Generator", "numpy.RandomState"):
        expected, found = get_state(kind, value)["bit_generator"], state["bit_generator"]
        if expected != found:
            return [f"bit_generator: expected {expected}, found {found}"]
    check(kind, value, state)
    torch = loaded("torch")
    if kind != "state_dict" or torch is None or not isinstance(value, torch.optim.Optimizer):
        return []
    return _optimizer_differences(value, state)


def _optimizer_differences(value: Any, state: Any) -> list[str]:
    # PyTorch itself compares the number of parameters, but not their shapes.
    parameters = [one for group in value.param_groups for one in group["params"]]
    saved = [one for group in state["param_groups"] for one in group["params"]]
    if len(saved) != len(parameters):
        return [f"param_groups: expected {len(parameters)} parameters, found {len(saved)}"]
    lines = []
    for number, parameter in zip(saved, parameters, strict=True):
        for name, slot in state["state"].get(number, {}).items():
            shape = tuple(getattr(slot, "shape", ()))
            if shape and shape != tuple(parameter.shape):
                lines.append(
                    f"state/{number}/{name}: expected the shape {tuple(parameter.shape)} of its"
                    f" parameter, found {shape}"
                )
    return lines


def described(value: Any) -> str:
    """The description of the object in a message."""
    return getattr(type(value), "described_as", None) or f"a {type(value).__name__}"


def can_be_put_back(value: Any) -> bool:
    """Whether this same object can take a state. A plain value or a tensor cannot."""
    is_masked = isinstance(value, np.ma.MaskedArray)
    return kind_of(value) is not None or (isinstance(value, np.ndarray) and not is_masked)


def numbers_of(value: Any) -> Any:
    """The numbers of an array of any class, which a restore fills in place; else the value itself.

    A masked array is returned as it is: its numbers alone would lose the mask.
    """
    is_masked = isinstance(value, np.ma.MaskedArray)
    return np.asarray(value) if isinstance(value, np.ndarray) and not is_masked else value


def has_state_dict(value: Any) -> bool:
    """Whether the object has `state_dict()` and `load_state_dict()`, which are PyTorch's names."""
    return (
        not isinstance(value, type)
        and callable(getattr(value, "state_dict", None))
        and callable(getattr(value, "load_state_dict", None))
    )
