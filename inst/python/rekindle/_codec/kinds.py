"""Objects with a state of their own: random generators, and objects with a `state_dict()`.

rekindle never writes the objects themselves. It captures their state as plain values and arrays,
and restores the state into the object that the script made again.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from rekindle._codec import generators
from rekindle._frameworks.loaded import loaded
from rekindle.errors import BrokenTreeError


def kind_of(value: Any) -> str | None:
    """The name of the value's kind in a checkpoint; ``None`` if it has no state of its own."""
    if isinstance(value, type):
        return None
    for kind, cls in _CLASSES.items():
        if isinstance(value, cls):
            return kind
    torch = loaded("torch")
    if torch is not None and isinstance(value, getattr(torch, "Generator", ())):
        return "torch.Generator"
    return "state_dict" if has_state_dict(value) else None


_CLASSES = {
    "numpy.Generator": np.random.Generator,
    "numpy.RandomState": np.random.RandomState,
    "random.Random": random.Random,
}


def get_state(kind: str, value: Any) -> Any:
    """The state of a value of this kind, as plain values and arrays."""
    if kind == "numpy.Generator":
        return value.bit_generator.state
    if kind == "numpy.RandomState":
        return value.get_state(legacy=False)
    if kind == "random.Random":
        version, words, gauss = value.getstate()
        return [version, np.array(words, np.uint32), gauss]
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


def failure(value: Any, error: Exception) -> str:
    """An error of the object's own methods, in a message.

    The class of an error of the host language says nothing to its users, and its text names the
    function that failed.
    """
    return str(error) if hasattr(type(value), "described_as") else repr(error)


def has_state_dict(value: Any) -> bool:
    """Whether the object has `state_dict()` and `load_state_dict()`, which are PyTorch's names."""
    return (
        not isinstance(value, type)
        and callable(getattr(value, "state_dict", None))
        and callable(getattr(value, "load_state_dict", None))
    )
