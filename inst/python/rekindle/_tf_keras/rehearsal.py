"""Finds, when a checkpoint is taken, state that a resumed run could not restore."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import tf_keras

from rekindle._tf_keras import variables


class Rehearsal:
    """Watches for new variables of a model, from its first step on.

    The variables of the first step can be made before it. Those of a later step cannot.

    Args:
        model: The compiled model, at the beginning.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self._known: dict[int, Any] = {}
        self._is_first = True

    def step_ended(self) -> None:
        """At least one step has been trained."""
        if self._is_first:
            self._is_first = False
            self._learn()

    def unknown(self) -> list[str]:
        """Names of variables that a fresh start would not have; each is given once."""
        self.step_ended()
        names = [
            name
            for name, variable in variables.named(self._model).items()
            if id(variable) not in self._known
        ]
        if names:
            self._learn()
        return names

    def other_optimizers(self) -> list[str]:
        """None: what no path of the model reaches is not saved, and needs no building."""
        return []

    def _learn(self) -> None:
        self._known |= {id(one): one for one in variables.named(self._model).values()}


def other_optimizers(model: Any, extra: Mapping[str, Any]) -> list[str]:
    """``Class.attribute`` of each optimizer whose variables no path of the model reaches."""
    reached = {id(one) for one in variables.named(model).values()}
    own = [getattr(model, "optimizer", None), *extra.values()]
    kinds = (tf_keras.optimizers.Optimizer, tf_keras.optimizers.legacy.Optimizer)
    found: dict[int, str] = {}
    for layer in model._flatten_layers():
        for name, value in vars(layer).items():
            for one in () if name.startswith("_self_") else _values(value):
                if not isinstance(one, kinds) or any(one is other for other in own):
                    continue
                if any(id(slot) not in reached for slot in variables.of_optimizer(one)):
                    found.setdefault(id(one), f"{type(layer).__name__}.{name}")
    return list(dict.fromkeys(found.values()))


def _values(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        yield from value
    elif isinstance(value, dict):
        yield from value.values()
    else:
        yield value
