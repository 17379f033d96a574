"""State that layers have beside Keras' variables, each by the layer's place in the model.

This is what Keras' own hooks save, what modules of PyTorch and TensorFlow hold, and plain
attributes that training changes.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._codec import tree
from rekindle._codec.changeable import IS_NEW
from rekindle._frameworks import keras as keras_objects
from rekindle._frameworks import table as frameworks
from rekindle._keras import loose_tensors, own_attributes
from rekindle._keras.compiled_objects import CompiledObjects
from rekindle._training.attributes import Attributes
from rekindle.errors import BrokenTreeError

Puts = list[Callable[[], Any]]

_NO_STORE = (
    "fails, or gives a value of a type that cannot be saved. A resumed run begins with the state"
    " that the script sets."
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
        # Parts of the model that hold no tensors of their own, by their id, and kept for that.
        self._without: dict[int, Any] = {}
        self._attributes = {
            place: Attributes(owner, f"own/{place}", own_attributes.may_be_state)
            for place, owner in self._owners()
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
        self.lost = {}
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
            if not _has_own_hooks(part):
                continue
            found: dict[str, AnyArray] = {}
            # The hook is the user's code, and may have been written for other occasions.
            with contextlib.suppress(Exception):
                taken[place] = tree.flatten(_store_of(part), f"own/stores/{place}", found)
            if place not in taken:
                self.lost[f"{type(part).__name__}.save_own_variables()"] = _NO_STORE
            else:
                # The layer may change its arrays in place while they are written.
                arrays |= {name: np.array(array) for name, array in found.items()}
        return taken

    def _take_attributes(self, arrays: dict[str, AnyArray]) -> dict[str, Any]:
        taken = {}
        for place, attributes in self._attributes.items():
            found = attributes.flatten(attributes.take(), arrays)
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
                puts.append(_read_store(part, stores.pop(place), arrays))
            elif _has_own_hooks(part):
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


def _has_own_hooks(part: Any) -> bool:
    """Whether the user's class overrides Keras' hooks for saving and loading."""
    kind: Any = type(part)
    return _overrides_hooks(kind)


@functools.cache
def _overrides_hooks(kind: Any) -> bool:
    hooks = ("save_own_variables", "load_own_variables")
    found = [getattr(kind, name, None) for name in hooks]
    return not any(
        hook is None or str(hook.__module__).partition(".")[0] == "keras" for hook in found
    )


def _store_of(part: Any) -> dict[str, Any]:
    """What the layer gives Keras to save; without the variables, which are saved already."""
    store: dict[str, Any] = {}
    part.save_own_variables(store)
    own = list(part.variables)
    found: dict[str, Any] = {}
    for key, value in store.items():
        number = next((i for i, one in enumerate(own) if one is value), None)
        if number is not None:
            found[str(key)] = ("variable", number)
        elif isinstance(value, str | bool | int | float | bytes) or value is None:
            found[str(key)] = ("value", value)
        else:
            found[str(key)] = ("value", _host(value))
    return found


def _host(value: Any) -> Any:
    return frameworks.to_numpy(value) if frameworks.framework(value) else np.asarray(value)


def _read_store(part: Any, saved: Any, arrays: Mapping[str, AnyArray]) -> Callable[[], None]:
    pairs = tree.unflatten(saved, arrays)
    if not isinstance(pairs, dict):
        raise BrokenTreeError("what a layer has saved is not an object")
    for pair in pairs.values():
        is_pair = isinstance(pair, tuple) and len(pair) == 2 and pair[0] in ("variable", "value")
        if not is_pair or (pair[0] == "variable" and pair[1] not in range(len(part.variables))):
            raise BrokenTreeError("what a layer has saved is not of the form that rekindle saves")

    def put() -> None:
        own = part.variables
        part.load_own_variables(
            {
                key: frameworks.to_numpy(own[value]) if kind == "variable" else value
                for key, (kind, value) in pairs.items()
            }
        )

    return put


def _shown(place: str) -> str:
    """The place for a message: ``Class/name``."""
    return place.partition(".")[2] or place
