"""Finds, when a checkpoint is taken, state that a resumed run could not restore."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras

from rekindle._frameworks import keras as keras_objects
from rekindle._keras import variables
from rekindle._keras.other_optimizers import OtherOptimizers


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
        self._optimizers = OtherOptimizers(model, extra)
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
        """Names of optimizers that a resumed run could not build. Once: the walk takes time."""
        if self._has_looked:
            return []
        self._has_looked = True
        return self._optimizers.not_rebuildable()

    def _learn(self) -> None:
        self._known |= {id(variable): variable for variable in self._model.variables}
        self._counts = self._extra_counts()

    def _extra_counts(self) -> dict[str, int]:
        """How many variables each of the user's own objects has."""
        return {
            name: len(one.variables)
            for name, one in self._extra.items()
            if keras_objects.is_owner(one)
        }
