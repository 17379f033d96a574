"""Objects with a state of their own, inside callbacks, data sets and `extra_state`.

They are never written as objects: their state is taken as plain values and arrays, and put back
into the object that the script made again.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from rekindle import checkpoint
from rekindle._store.pack import AnyArray

_KIND = "$object"


def take(value: Any, place: str, arrays: dict[str, AnyArray]) -> Any:
    """The value's state as JSON values; its arrays go into `arrays`.

    Raises:
        UnsupportedValueError: The value is neither plain nor an object whose state is known.
    """
    kind, state = _state(value)
    if kind is None:
        return checkpoint.flatten(value, place, arrays)
    return {_KIND: kind, "state": checkpoint.flatten(state, place, arrays)}


def put(saved: Any, arrays: Mapping[str, AnyArray], current: Any) -> Any:
    """The value to use from now on: `current` with its state put back, or a new plain value."""
    if not (isinstance(saved, dict) and _KIND in saved):
        return checkpoint.unflatten(saved, arrays)
    state = checkpoint.unflatten(saved.get("state"), arrays)
    if saved[_KIND] == "tensor":
        return keras.ops.convert_to_tensor(state)
    kind, _ = _state(current)
    if kind is None or kind != saved[_KIND]:
        raise checkpoint.BrokenTreeError(
            f"the save holds the state of a {saved[_KIND]!r}, and what is there is a"
            f" {type(current).__name__!r}"
        )
    _set_state(kind, current, state)
    return current


def _state(value: Any) -> tuple[str | None, Any]:
    if isinstance(value, np.random.Generator):
        return "numpy.Generator", value.bit_generator.state
    if isinstance(value, np.random.RandomState):
        return "numpy.RandomState", value.get_state(legacy=False)
    if isinstance(value, random.Random):
        version, words, gauss = value.getstate()
        return "random.Random", [version, np.array(words, np.uint32), gauss]
    if isinstance(value, keras.Variable):
        return "keras.Variable", keras.ops.convert_to_numpy(value)
    if isinstance(value, keras.layers.Layer | keras.optimizers.Optimizer | keras.metrics.Metric):
        return "keras.variables", [keras.ops.convert_to_numpy(v) for v in value.variables]
    if isinstance(value, keras.random.SeedGenerator):
        return "keras.SeedGenerator", keras.ops.convert_to_numpy(value.state)
    if _is_torch_generator(value):
        return "torch.Generator", value.get_state().numpy()
    if has_state_dict(value):
        return "state_dict", value.state_dict()
    if not isinstance(value, type) and keras.ops.is_tensor(value):
        return "tensor", keras.ops.convert_to_numpy(value)
    return None, None


def _set_state(kind: str, value: Any, state: Any) -> None:
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


class Foreign:
    """State that another language keeps, such as R's random state.

    Args:
        take: Gives the state as it is now, as a plain value.
        put: Puts such a value back.
    """

    def __init__(self, take: Callable[[], Any], put: Callable[[Any], None]) -> None:
        self._take = take
        self._put = put

    def state_dict(self) -> dict[str, Any]:
        return {"value": self._take()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._put(state["value"])


def can_be_put_back(value: Any) -> bool:
    """Whether a state can be put into this very object, which a plain value or a tensor cannot."""
    kind, _ = _state(value)
    return kind not in (None, "tensor") or isinstance(value, np.ndarray)


def has_state_dict(value: Any) -> bool:
    """Whether the object takes and gives its own state, by the names that PyTorch gave it."""
    return (
        not isinstance(value, type)
        and callable(getattr(value, "state_dict", None))
        and callable(getattr(value, "load_state_dict", None))
    )


def _is_torch_generator(value: Any) -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Generator)
