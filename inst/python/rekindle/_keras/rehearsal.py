"""Finds, when a checkpoint is taken, state that a resumed run could not restore."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import keras

from rekindle._codec import kinds as objects
from rekindle._frameworks import keras as keras_objects
from rekindle._frameworks.loaded import loaded
from rekindle._keras import variables


class Rehearsal:
    """Watches for new variables of a model, from the beginning of its fit() on.

    A fresh start of the script has the variables of the beginning. On TensorFlow, rekindle can also
    make the variables of the first step.

    Args:
        model: The compiled model, at the beginning.
        extra: The user's own objects, by name.
    """

    def __init__(self, model: Any, extra: Mapping[str, Any]) -> None:
        self._model = model
        self._extra = extra
        # The variables themselves: Python may use an id again once its variable is gone.
        self._known: dict[int, Any] = {}
        self._counts: dict[str, int] = {}
        self._has_looked = False
        self._is_first = keras.backend.backend() == "tensorflow"
        self._learn()

    def step_ended(self) -> None:
        """At least one step has been trained."""
        if self._is_first:
            self._is_first = False
            self._learn()

    def unknown(self) -> list[str]:
        """Names of variables that a fresh start would not have; each is given once."""
        self.step_ended()
        grown = [
            f"extra_state[{name!r}]"
            for name, count in self._extra_counts().items()
            if count > self._counts[name]
        ]
        if not grown and all(id(one) in self._known for one in self._model.variables):
            return []
        names = grown + [
            name
            for name, variable in variables.named(self._model).items()
            if name.startswith("model/") and id(variable) not in self._known
        ]
        self._learn()
        return names

    def other_optimizers(self) -> list[str]:
        """As :func:`other_optimizers`, but only once: the walk through the model takes time."""
        if self._has_looked:
            return []
        self._has_looked = True
        return other_optimizers(self._model, self._extra)

    def _learn(self) -> None:
        self._known |= {id(variable): variable for variable in self._model.variables}
        self._counts = self._extra_counts()

    def _extra_counts(self) -> dict[str, int]:
        """How many variables each of the user's own objects has."""
        return {
            name: len(one.variables)
            for name, one in self._extra.items()
            if objects.kind_of(one) == "keras.variables"
        }


def other_optimizers(model: Any, extra: Mapping[str, Any]) -> list[str]:
    """``Class.attribute`` of each optimizer that is not the model's own and not in `extra`."""
    own = [*keras_objects.parts(getattr(model, "optimizer", None)), *extra.values()]
    torch = loaded("torch")
    kinds = [keras.optimizers.Optimizer] + ([torch.optim.Optimizer] if torch is not None else [])
    found: dict[int, str] = {}
    for layer in keras_objects.parts(model):
        for name, value in vars(layer).items():
            # TensorFlow keeps its own notes of tracked objects under these names.
            for one in () if name.startswith("_self_") else _values(value):
                if isinstance(one, tuple(kinds)) and not any(one is other for other in own):
                    found.setdefault(id(one), f"{type(layer).__name__}.{name}")
    return list(dict.fromkeys(found.values()))


def _values(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        yield from value
    elif isinstance(value, dict):
        yield from value.values()
    else:
        yield value
