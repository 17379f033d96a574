"""Values that the functions of callbacks keep outside of the callbacks.

These are global variables, variables around a function, attributes of classes and default values.
They are state if training changes them. The same rules apply as to attributes: a checkpoint never
changes the text that a script sets, and makes no objects.
"""

from __future__ import annotations

import collections
import contextlib
import enum
import itertools
import types
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._codec import kinds, tags
from rekindle._codec.changeable import Baseline, Taken
from rekindle._codec.owners import has_state, is_trackable
from rekindle._codec.restore import Restore
from rekindle._training import attributes, outer_names
from rekindle._training.attributes import Attributes
from rekindle._training.callbacks import table
from rekindle._training.outer_names import PLAIN, Place
from rekindle.errors import BrokenTreeError

# How many objects are looked at, and how many items of a container.
_MOST, _MOST_ITEMS, _DEPTH = 1000, 100, 4
# A larger value is read at the first checkpoints only. What is larger together is data.
_SMALL, _LARGE, _LOOKS = 1 << 20, 1 << 26, 4

_NO_STATE = (types.FunctionType, types.BuiltinFunctionType, types.ModuleType, type)

_IS_ANOTHER = (
    "was set to another object during training, and a resume makes no objects. A resumed run begins"
    " with the object that the script sets."
)
_IS_NEW_IN_CLASS = (
    "was made during training, and is not saved. A resumed run begins without it. Set it in the"
    " body of the class."
)


# What finds the variables of functions of another language.
_readers: list[Callable[[Any], Any]] = []


def read_foreign_functions(read: Callable[[Any], Any]) -> None:
    """Finds the outer values of functions of another language, too.

    Args:
        read: Gets a function. Returns the variables that it assigns outside of itself, by name:
            each as an object with a state.
    """
    _readers[:] = [read]


class OuterValues:
    """The outer values of some callbacks, from the beginning of a fit() on.

    Args:
        callbacks: The callbacks. Only functions of the user's own code count, and none of those of
            a callback that has methods for its state.
        besides: Objects that are saved by themselves, such as the model.

    Attributes:
        lost: What the last capture found that is not restored: words for it, and the reason.
    """

    def __init__(self, callbacks: Iterable[Any], besides: Iterable[Any]) -> None:
        self.lost: dict[str, str] = {}
        everyone = list(callbacks)
        # A callback with a state_dict() says itself what its state is.
        self._callbacks = [one for one in everyone if not kinds.has_state_dict(one)]
        trained = [one for callback in everyone for one in table.trained_by(callback)]
        # Python has one object for all equal numbers, and for all empty tuples.
        shared = (*PLAIN, tuple, frozenset)
        every = [*everyone, *trained, *besides]
        self._besides = [one for one in every if not isinstance(one, shared)]
        self._ids = {id(one) for one in self._besides}
        # The variables that are saved elsewhere, as of one look: it takes time to list them.
        self._saved: set[int] | None = None
        self._classes: dict[type, set[str]] = {}
        # The names of attributes in the code of the functions.
        self._named: set[str] = set()
        self._values: dict[str, _Value] = {}
        left = _LARGE
        for place in _named(self._find()):
            with contextlib.suppress(Exception):
                size = _size(place.get())
                is_small = size <= _SMALL
                if size <= left:
                    left -= 0 if is_small else size
                    self._values[place.key] = _Value(place, self._is_saved, is_small=is_small)
        self._looks = _LOOKS

    def _find(self) -> list[Place]:
        """The places of all values that the functions name, nearest first."""
        queue, seen = collections.deque(self._callbacks), dict[int, Any]()
        found: list[Place] = []
        while queue and len(seen) < _MOST:
            value = queue.popleft()
            if id(value) in seen or isinstance(value, (*PLAIN, np.ndarray)):
                continue
            seen[id(value)] = value
            # The user's own objects may fail at anything that is asked of them.
            with contextlib.suppress(Exception):
                for read in _readers if outer_names.is_foreign(value) else ():
                    found += outer_names.of_foreign(read(value))
                self._named |= outer_names.named_attributes(value)
                for kind in outer_names.users_classes(value):
                    self._classes[kind] = outer_names.own_names(kind)
                for place in outer_names.places(value):
                    queue.append(place.get())
                    found += self._states(place)
                queue += outer_names.inner(value, with_attributes=self._has_helpers(value))
        # A class may have more than its functions use, such as the members of an enumeration.
        return [one for one in found if not isinstance(one.owner, type) or one.name in self._named]

    def _has_helpers(self, value: Any) -> bool:
        """Whether to look at the functions of the objects in its attributes."""
        if id(value) in self._ids:
            return any(value is one for one in self._callbacks)
        is_object = not isinstance(value, type) and bool(outer_names.users_classes(value))
        return is_object and not has_state(value)

    def _states(self, place: Place) -> list[Place]:
        """The place itself; of a dict with the model in it, the places of the other items."""
        value = place.get()
        if isinstance(value, _NO_STATE) or self._is_saved(value):
            return []
        if type(value) is dict and self._holds_saved(value):
            return [one for name in value for one in self._states(place.item(name))]
        return [] if self._holds_saved(value) else [place]

    def _is_saved(self, value: Any) -> bool:
        """Whether the value has no state, or none but what is saved elsewhere."""
        if id(value) in self._ids or table.is_stateless(value):
            return True
        variables = _variables(value)
        if variables and self._saved is None:
            self._saved = {id(one) for owner in self._besides for one in _variables(owner)}
        return bool(variables) and all(id(one) in (self._saved or ()) for one in variables)

    def _holds_saved(self, value: Any, depth: int = 0) -> bool:
        if not isinstance(value, dict | list | tuple) or depth > _DEPTH:
            return depth > 0 and not isinstance(value, PLAIN) and self._is_saved(value)
        items = value.values() if isinstance(value, dict) else value
        return any(
            self._holds_saved(one, depth + 1) for one in itertools.islice(items, _MOST_ITEMS)
        )

    def take(self, arrays: dict[str, AnyArray]) -> dict[str, Any]:
        """Captures the values that have changed, by their keys; arrays go into `arrays`."""
        self.lost, self._looks, self._saved, taken = {}, self._looks - 1, None, {}
        for key, value in self._values.items():
            if self._looks >= 0 or value.is_read_each_time:
                found = value.take(f"outer/{key}", arrays)
                if found is not None:
                    taken[key] = found
                if value.lost is not None:
                    self.lost[value.place.words] = value.lost
        for kind, known in self._classes.items():
            for name in (outer_names.own_names(kind) - known) & self._named:
                self.lost[outer_names.of_class(kind, name).words] = _IS_NEW_IN_CLASS
        return taken

    def build(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
        """Nothing: the script makes the values."""

    def differences(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        """None: a script may be edited. What does not fit is not restored, and noted."""
        return []

    def check(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> None:
        """Checks the values that :meth:`put` would restore.

        Raises:
            BrokenTreeError: They are not captured values.
        """
        if not all(isinstance(state, dict) for state in saved.values()):
            raise BrokenTreeError("the value of a variable outside of a callback is not an object")

    def put(self, saved: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> list[str]:
        """Restores the values. Returns a sentence for each that could not be restored."""
        # What no function names any more has no use.
        found = [(self._values[key], state) for key, state in saved.items() if key in self._values]
        return [
            f"{value.place.words} is now of another kind, and was not restored"
            for value, state in found
            if not value.put(state, arrays)
        ]


def _named(found: Iterable[Place]) -> list[Place]:
    """Each place once, with a key of its own; without values that nothing reads."""
    places: dict[tuple[int, Any], Place] = {}
    for place in found:
        before = places.get(place.identity, place)
        places[place.identity] = before._replace(is_read=before.is_read or place.is_read)
    keys: collections.Counter[str] = collections.Counter()
    named = []
    for place in places.values():
        keys[place.key] += 1
        again = keys[place.key]
        named.append(place if again == 1 else place._replace(key=f"{place.key}#{again}"))
    # What functions only add to is a record of training, and does not change it.
    return [place for place in named if place.is_read]


def _size(value: Any, depth: int = 0) -> int:
    """The bytes in the value, and in the attributes of an object of the user's own class."""
    if outer_names.users_classes(value) and depth < _DEPTH:
        inner = getattr(value, "__dict__", {}).values()
        return sum(_size(one, depth + 1) for one in inner)
    variables = _variables(value)
    return sum(map(attributes.size, variables)) if variables else attributes.size(value)


def _variables(value: Any) -> list[Any]:
    """The variables of a model, a layer or the like; none of any other value."""
    # The user's own objects may fail at anything that is asked of them.
    with contextlib.suppress(Exception):
        found = None if isinstance(value, type) else getattr(value, "variables", None)
        return list(found) if isinstance(found, list | tuple) else []
    return []


class _Value:
    """One value.

    Args:
        place: Where it is.
        is_saved: Whether a value is saved by itself.
        is_small: Whether to read it at each checkpoint, even if the first ones find no change.

    Attributes:
        is_read_each_time: Whether to read it at each checkpoint, and not at the first ones only.
        lost: Why the last capture could not save it, or a part of it.
    """

    def __init__(self, place: Place, is_saved: Callable[[Any], bool], *, is_small: bool) -> None:
        self.place = place
        self.lost: str | None = None
        self._before = value = place.get()
        self.is_read_each_time = is_small
        is_object = hasattr(value, "__dict__") and not isinstance(value, enum.Enum)
        is_object = is_object and bool(outer_names.users_classes(value))
        has_attributes = is_object and not has_state(value) and not is_trackable(value)
        self._attributes: Attributes | None = None
        if has_attributes:
            self._attributes = Attributes(value, "", lambda *given: not is_saved(given[-1]))
        self._baseline = Baseline({} if has_attributes else {place.key: value}, None)

    def take(self, where: str, arrays: dict[str, AnyArray]) -> dict[str, Any] | None:
        """Captures the value. ``None`` if it has not changed, or cannot be saved."""
        value, self.lost = self.place.get(), None
        is_same = value is self._before
        if self._attributes is not None and not is_same:
            self.lost = _IS_ANOTHER
        if self.lost is not None or (is_same and isinstance(value, PLAIN)):
            return None
        if self._attributes is not None:
            found = Attributes.flatten(self._attributes.take(where), arrays)
            for name, reason in self._attributes.lost.items():
                self.lost = f"holds {name}, which {reason}"
            self.is_read_each_time |= bool(found)
            return {"attributes": found} if found else None
        taken = self._baseline.take(self.place.key, value, where, tells_all=False)
        if not isinstance(taken, Taken):
            self.lost = taken
            return None
        self.is_read_each_time = True
        arrays |= {name: np.array(array) for name, array in taken.arrays.items()}
        return {"value": taken.saved}

    def put(self, state: dict[str, Any], arrays: Mapping[str, AnyArray]) -> bool:
        """Restores the value. Returns ``False`` if a checkpoint may not give it this value."""
        restore, key, current = Restore(arrays, live_only=True), self.place.key, self.place.get()
        try:
            if self._attributes is not None:
                puts = self._attributes.read(state.get("attributes", {}), restore)
            else:
                saved = tags.renewed(state.get("value"))
                self._baseline.refuse(key, tags.without_new(saved), key, arrays)
                puts = [Baseline.fitting(current, saved, key, restore)]
        except BrokenTreeError:
            return False
        restore.states.put("The backup")
        for put in puts:
            value = put()
            if self._attributes is None and value is not current:
                self.place.set(value)
        return True
