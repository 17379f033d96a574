"""Optimizers that a model holds beside `model.optimizer`, as a GAN does: saved and restored."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import keras

from rekindle._base.arrays import AnyArray
from rekindle._codec import tags
from rekindle._codec.capture import Capture
from rekindle._codec.matching import Put
from rekindle._codec.restore import Restore
from rekindle._frameworks import keras as keras_objects
from rekindle._frameworks.loaded import loaded
from rekindle._keras import own_attributes, variables

_ADVICE = ". If training builds the optimizer, build it before fit(): `optimizer.build(variables)`"


class OtherOptimizers:
    """The optimizers in attributes of a model and of its layers.

    They may be built in a step of training only. A checkpoint therefore names the variables that
    each was built for, and a resumed run builds it for the same variables.

    Args:
        model: The compiled model.
        extra: The user's own objects, by name. They are saved by themselves.

    Attributes:
        lost: Empty: see :meth:`not_rebuildable`.
    """

    lost: Mapping[str, str] = {}

    def __init__(self, model: Any, extra: Mapping[str, Any]) -> None:
        self._model = model
        self._extra = extra
        # Parts of the model that hold none, by their id, and kept for that.
        self._without: dict[int, Any] = {}
        self._built = {place for place, one in self._found().items() if _is_built(one)}

    def _found(self) -> dict[str, Any]:
        """Each optimizer by its place, once."""
        own = [*keras_objects.parts(getattr(self._model, "optimizer", None)), *self._extra.values()]
        known = {id(one) for one in own}
        found = {}
        for index, layer in enumerate(keras_objects.parts(self._model)):
            if id(layer) in self._without:
                continue
            held = list(_held(layer))
            for key, one in held:
                if id(one) not in known:
                    known.add(id(one))
                    found[f"{index}.{type(layer).__name__}.{key}"] = one
            if not held and own_attributes.is_settled(layer, self._model):
                self._without[id(layer)] = layer
        return found

    def not_rebuildable(self) -> list[str]:
        """``Class.attribute`` of each optimizer that training has built for foreign variables."""
        names = {id(variable) for variable in variables.named(self._model).values()}
        return [
            _shown(place)
            for place, one in self._found().items()
            if place not in self._built
            and isinstance(one, keras.optimizers.Optimizer)
            and any(id(variable) not in names for variable in _trained(one))
        ]

    def take(self, arrays: dict[str, AnyArray]) -> dict[str, Any]:
        """Captures each optimizer, with the names of the variables that it trains."""
        found = self._found()
        if not found:
            return {}
        names = {id(one): name for name, one in variables.named(self._model).items()}
        return {
            place: {
                "trains": [names.get(id(variable)) for variable in _trained(one)],
                "object": _taken(one, f"own/optimizers/{place}", arrays),
            }
            for place, one in found.items()
        }

    def build(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
        """Builds the optimizers that were built when the checkpoint was taken."""
        named: dict[str, Any] = {}
        for place, one in self._found().items():
            trains = saved[place]["trains"] if place in saved else []
            if not trains or _is_built(one):
                continue
            named = named or variables.named(self._model)
            if all(name in named for name in trains):
                with self._scope():
                    one.build([named[name] for name in trains])

    def _scope(self) -> Any:
        """The scope in which TensorFlow's variables are made."""
        if keras.backend.backend() == "tensorflow":
            return self._model.distribute_strategy.scope()
        return contextlib.nullcontext()

    def differences(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        """A line for each optimizer whose saved state does not fit."""
        restore, _ = self._read(saved, arrays)
        return (
            restore.differences
            + [
                f"{place}: expected a value in the backup, found none{_ADVICE}"
                for place in restore.unmatched
            ]
            + [f"{place}: expected nothing, found a value{_ADVICE}" for place in restore.unconsumed]
        )

    def _read(
        self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]
    ) -> tuple[Restore, list[Put]]:
        restore = Restore(arrays, live_only=True)
        puts = [
            restore.one(one, tags.renewed(saved[place]["object"]), _shown(place), must_fit=True)
            for place, one in self._found().items()
            if place in saved
        ]
        return restore, puts

    def check(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
        """Checks the states that :meth:`put` would restore.

        Raises:
            BrokenTreeError: They are not captured states.
        """
        self._read(saved, arrays)

    def put(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        """Restores the optimizers. Returns a sentence for each that was not restored."""
        found = self._found()
        restore, puts = self._read(saved, arrays)
        restore.states.put("The backup")
        for put in puts:
            put()
        return [
            f"the optimizer {_shown(place)} is not in the backup, so it starts afresh"
            for place in found
            if place not in saved
        ] + [
            f"the model has no optimizer {_shown(place)} any more, so its state was not used"
            for place in saved
            if place not in found
        ]


def _taken(one: Any, place: str, arrays: dict[str, AnyArray]) -> Any:
    capture = Capture(one)
    saved = capture.take(one, place)
    arrays.update(capture.arrays)
    return saved


def _held(layer: Any) -> Iterator[tuple[str, Any]]:
    """The optimizers in attributes of a layer, by name."""
    kinds_of_optimizers = _kinds()
    for name, value in vars(layer).items():
        # TensorFlow keeps its own notes of tracked objects under these names.
        for key, one in () if name.startswith("_self_") else own_attributes.each(name, value):
            if isinstance(one, kinds_of_optimizers):
                yield key, one


def _kinds() -> tuple[type, ...]:
    torch = loaded("torch")
    return (keras.optimizers.Optimizer, *([torch.optim.Optimizer] if torch is not None else []))


def _is_built(one: Any) -> bool:
    return bool(getattr(one, "built", True))


def _trained(one: Any) -> list[Any]:
    """The variables that an optimizer of Keras was built for."""
    return (
        keras_objects.trainable_of(getattr(one, "inner_optimizer", one)) if _is_built(one) else []
    )


def _shown(place: str) -> str:
    return place.partition(".")[2]
