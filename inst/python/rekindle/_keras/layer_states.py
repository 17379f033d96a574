"""State that layers have beside Keras' variables, each by the layer's place in the model.

This is what Keras' own hooks save, what modules of PyTorch and TensorFlow hold, and plain
attributes that training changes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._codec import tree
from rekindle._codec.changeable import IS_NEW
from rekindle._frameworks import keras as keras_objects
from rekindle._frameworks import table as frameworks
from rekindle._keras import loose_tensors, own_attributes, own_hooks
from rekindle._keras.compiled_objects import CompiledObjects, compiles_steps
from rekindle._keras.given_settings import GivenSettings
from rekindle._training.attributes import Attributes
from rekindle.errors import BrokenTreeError

Puts = list[Callable[[], Any]]

_NO_STORE = (
    "fails, or gives a value of a type that cannot be saved. A resumed run begins with the state"
    " that the script sets."
)

_IS_TRACED = (
    "was changed during training, and is not saved: a compiled step keeps the value that it was"
    " compiled with. A resumed run compiles with the value that the script sets. To change it in"
    " training, make it a keras.Variable."
)


class LayerStates:
    """The own state of a model's layers, from the beginning of a fit().

    Args:
        model: The compiled model.

    Attributes:
        lost: What the last capture found that is not restored: ``Class.attribute`` and the reason.
    """

    def __init__(self, model: Any) -> None:
        self._model = model
        self.lost: dict[str, str] = {}
        self._beside = CompiledObjects(model)
        self._settings = GivenSettings(model)
        # Parts of the model that hold no tensors of their own, by their id, and kept for that.
        self._without: dict[int, Any] = {}
        owners, compiles = dict(self._owners()), compiles_steps(model)
        self._attributes = {
            place: Attributes(owner, f"own/{place}", own_attributes.may_be_state)
            for place, owner in owners.items()
        }
        # The attributes whose values a compiled step keeps.
        self._traced = {
            place: own_attributes.read_by_steps(owner)
            for place, owner in owners.items()
            if compiles
        }
        self._tensors = {place: tensor.shape for place, tensor in self._places()}

    def _parts(self) -> Iterator[tuple[str, Any]]:
        """The model and its layers. Their order is the same in each run of a script."""
        for index, part in enumerate(keras_objects.unique(keras_objects.parts(self._model))):
            yield f"{index}.{type(part).__name__}", part

    def _owners(self) -> Iterator[tuple[str, Any]]:
        """The objects of the user's own classes: layers, modules in them, losses and the like."""
        seen: set[int] = set()
        for place, part in self._parts():
            for name, owner in [("", part), *loose_tensors.modules(part)]:
                if id(owner) not in seen and own_attributes.is_users(owner):
                    seen.add(id(owner))
                    yield f"{place}/{name}" if name else place, owner
        for place, owner in self._beside.with_attributes():
            if id(owner) not in seen:
                seen.add(id(owner))
                yield place, owner

    def _places(self) -> Iterator[tuple[str, Any]]:
        """The tensors of modules, and variables, that are none of the model's variables."""
        known: set[Any] = set()
        for place, part in self._parts():
            if id(part) in self._without:
                continue
            is_without = True
            for name, tensor in [*loose_tensors.tensors(part), *loose_tensors.variables(part)]:
                known = known or self._known()
                keys = loose_tensors.keys(tensor)
                if not keys & known:
                    known |= keys
                    is_without = False
                    yield f"{place}/{name}", tensor
            # A module may replace its buffers.
            is_without = is_without and not any(loose_tensors.modules(part))
            if is_without and own_attributes.is_settled(part, self._model):
                self._without[id(part)] = part
        for place, variable in self._beside.variables():
            keys = loose_tensors.keys(variable)
            known = known or self._known()
            if not keys & known:
                known |= keys
                yield place, variable

    def _known(self) -> set[Any]:
        return {key for variable in self._model.variables for key in loose_tensors.keys(variable)}

    def take(self, arrays: dict[str, AnyArray]) -> dict[str, Any]:
        """Captures the state of each kind, by the layers' places."""
        self.lost = self._settings.changed()
        state = {
            "tensors": self._take_tensors(arrays),
            "stores": self._take_stores(arrays),
            "attributes": self._take_attributes(arrays),
        }
        return {kind: found for kind, found in state.items() if found}

    def _take_tensors(self, arrays: dict[str, AnyArray]) -> dict[str, str]:
        names = {}
        for place, tensor in self._places():
            # TensorFlow may build layers only in the first step, and a resumed run does it again.
            if place in self._tensors or keras.backend.backend() == "tensorflow":
                names[place] = f"own/tensors/{place}"
                arrays[names[place]] = frameworks.to_numpy(tensor)
            else:
                self.lost[_shown(place)] = IS_NEW
        return names

    def _take_stores(self, arrays: dict[str, AnyArray]) -> dict[str, Any]:
        taken = {}
        for place, part in self._parts():
            if not own_hooks.are_own(part):
                continue
            found: dict[str, AnyArray] = {}
            # The hook is the user's code, and may have been written for other occasions.
            with contextlib.suppress(Exception):
                taken[place] = tree.flatten(own_hooks.store_of(part), f"own/stores/{place}", found)
            if place not in taken:
                self.lost[f"{type(part).__name__}.save_own_variables()"] = _NO_STORE
            else:
                # The layer may change its arrays in place while they are written.
                arrays |= {name: np.array(array) for name, array in found.items()}
        return taken

    def _take_attributes(self, arrays: dict[str, AnyArray]) -> dict[str, Any]:
        taken = {}
        for place, attributes in self._attributes.items():
            values = attributes.take()
            for name in self._traced.get(place, frozenset()) & values.keys():
                self.lost[f"{place.partition('.')[2]}.{name}"] = _IS_TRACED
                del values[name]
            found = attributes.flatten(values, arrays)
            self.lost |= attributes.lost
            if found:
                taken[place] = found
        return taken

    def build(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
        """Nothing: the script makes it."""

    def differences(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        """A line for each saved tensor that has no place, or not the same form."""
        lines, live = [], dict(self._places())
        for place, name in saved.get("tensors", {}).items():
            found = frameworks.spec(arrays[name])
            if place not in live:
                lines.append(f"{_shown(place)}: expected no such tensor, found {found}")
            elif not frameworks.fits(live[place], arrays[name]):
                expected = frameworks.spec(live[place])
                lines.append(f"{_shown(place)}: expected {expected}, found {found} in the backup")
        return lines

    def check(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
        """Checks the state that :meth:`put` would restore.

        Raises:
            BrokenTreeError: It is not a captured state.
        """
        self._read(saved, arrays, [])

    def put(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        """Restores the state. Returns a sentence for each piece that was not restored."""
        notes: list[str] = []
        for put in self._read(saved, arrays, notes):
            put()
        return notes

    def _read(
        self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray], notes: list[str]
    ) -> Puts:
        puts = self._read_tensors(saved.get("tensors", {}), arrays, notes)
        stores, parts = dict(saved.get("stores", {})), dict(self._parts())
        for place, part in parts.items():
            if place in stores:
                puts.append(own_hooks.read_store(part, stores.pop(place), arrays))
            elif own_hooks.are_own(part):
                notes.append(f"the backup has no own state of {_shown(place)}")
        notes += [f"the own state of {_shown(place)} was not used" for place in stores]
        for place, state in saved.get("attributes", {}).items():
            if place in self._attributes:
                attributes = self._attributes[place]
                attributes.check(state, arrays)
                puts.append(lambda a=attributes, s=state: a.put(s, arrays))  # type: ignore[misc]
            else:
                notes.append(f"the attributes of {_shown(place)} were not used")
        return puts

    def _read_tensors(
        self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray], notes: list[str]
    ) -> Puts:
        puts: Puts = []
        for place, tensor in self._places():
            if place not in saved:
                notes.append(f"the backup does not have {_shown(place)}, so it starts afresh")
                continue
            array = arrays[saved[place]]
            if not frameworks.fits(tensor, array):
                raise BrokenTreeError(f"{_shown(place)} has another form in the backup")
            puts.append(lambda t=tensor, a=array: frameworks.like(t, a))  # type: ignore[misc]
        return puts


def finalize(model: Any) -> None:
    """Makes layers compute with restored variables, as Keras does after it has loaded them.

    A `Normalization` computes with tensors that it derives from its variables.
    """
    # These layers derive their state from the data of adapt(), and not from variables.
    names = (
        "Discretization",
        "IntegerLookup",
        "StringLookup",
        "TextVectorization",
        "HashedCrossing",
    )
    left_out = tuple(getattr(keras.layers, name) for name in names if hasattr(keras.layers, name))
    for part in keras_objects.parts(model):
        finalize_state = getattr(part, "finalize_state", None)
        if callable(finalize_state) and not isinstance(part, left_out):
            finalize_state()


def _shown(place: str) -> str:
    """The place for a message: ``Class/name``."""
    return place.partition(".")[2] or place
