"""The objects that training computes with beside the layers: loss, metrics, optimizer, schedule."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras

from rekindle._frameworks import keras as keras_objects
from rekindle._keras import internals, loose_tensors, own_attributes

_OF_LAYERS = (keras.regularizers.Regularizer, keras.constraints.Constraint)


class CompiledObjects:
    """The objects of one model when a fit() begins. To look for them takes time in a large model.

    Args:
        model: The compiled model.
    """

    def __init__(self, model: Any) -> None:
        self._found = {name: one for name, one in _found(model) if hasattr(one, "__dict__")}
        # A compiled step keeps the attributes that it was traced with, and so does that of a
        # resumed run: it has to be traced with the values that the script sets.
        self._read = {} if compiles_steps(model) else self._found

    def with_attributes(self) -> Iterator[tuple[str, Any]]:
        """Each object whose attributes every step reads, by a name that is the same in each run."""
        for name, one in self._read.items():
            if name == "optimizer" or own_attributes.is_users(one):
                yield name, one

    def variables(self) -> Iterator[tuple[str, Any]]:
        """Variables in attributes of a loss, a schedule and the like, which no model counts."""
        for name, one in self._found.items():
            if not keras_objects.is_owner(one):
                for key, variable in loose_tensors.variables(one):
                    yield f"{name}/{key}", variable


def compiles_steps(model: Any) -> bool:
    """Whether Python's code of a step runs only when the step is traced."""
    return keras.backend.backend() != "torch" and not getattr(model, "run_eagerly", False)


def _found(model: Any) -> Iterator[tuple[str, Any]]:
    yield "optimizer", model.optimizer
    yield "optimizer.learning_rate", getattr(model.optimizer, "_learning_rate", None)
    yield from _of_functions("loss", getattr(model, "loss", None))
    if keras.backend.backend() == "torch":
        # Keras on JAX traces metrics in any case; on TensorFlow, it resets them before the restore.
        yield from _of_functions("metrics", internals.given_metrics(model))
    for index, part in enumerate(keras_objects.parts(model)):
        for name, value in list(vars(part).items()):
            if isinstance(value, _OF_LAYERS) or name == "activation":
                yield from _of_functions(f"{index}.{type(part).__name__}.{name}", value)


def _of_functions(name: str, given: Any) -> Iterator[tuple[str, Any]]:
    """Objects in lists and dicts; of a method, the object that it belongs to."""
    for key, one in own_attributes.each(name, given):
        yield key, getattr(one, "__self__", one)
