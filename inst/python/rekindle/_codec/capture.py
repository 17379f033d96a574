"""Captures a tree of live objects: arrays by name, and JSON values for everything else."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._codec import kinds, leaves
from rekindle._codec.containers import Container, factory_name, is_wrapper, open_container
from rekindle._codec.group import Group
from rekindle._codec.keys import refuse_alike
from rekindle._codec.owners import ExtraState, Owners
from rekindle._codec.tags import has_plain_keys, tag
from rekindle._format.layout import DTYPES
from rekindle._frameworks import table as frameworks
from rekindle.errors import UnsupportedValueError

PLAIN = (bool, int, float, str, bytes, type(None))

# Far more than any state has.
_MAX_DEPTH = 100
# A container that stands in many places is captured in each. More would be a matter of hours.
_MOST_AGAIN = 1 << 20

# Numbers up to this are what JSON has, whatever else there is to check.
_QUICK = 1 << 53

_BUILTINS = (list, tuple, dict, set, frozenset)


def values_in(value: Any) -> Iterator[Any]:
    """Yields the value and, if it is a container, every value inside of it, each object once."""
    # Keep the objects, too: while they are alive, no others have their ids.
    seen: dict[int, Any] = {}
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, PLAIN) or id(one) in seen:
            continue
        seen[id(one)] = one
        yield one
        if frameworks.framework(one) is not None:
            continue
        if isinstance(one, Group):
            left.extend(reversed(one._group_objects().values()))
        elif (opened := open_container(one)) is not None:
            left.extend(reversed(opened.parts))


class Capture:
    """One capture of a tree of live objects.

    Args:
        root: The tree, which names Keras' objects in it together; by default each value by itself.
        plain: Whether only plain data is captured: it can be read without any live object.
        exact: Whether to refuse classes that a restore would turn into their base class.

    Attributes:
        arrays: The arrays found so far, by name. They may share memory with the objects.
    """

    def __init__(self, root: Any = None, *, plain: bool = False, exact: bool = False) -> None:
        self.arrays: dict[str, AnyArray] = {}
        self._root = root
        self._plain = plain
        self._exact = exact or plain
        self._owners: Owners | None = None
        # The containers that are being captured, and all so far; kept, so that ids stay unique.
        self._open: set[int] = set()
        self._seen: dict[int, Any] = {}
        self._again = 0

    def take(self, value: Any, place: str) -> Any:
        """Captures the value as JSON values. Its arrays go into `arrays`.

        Raises:
            UnsupportedValueError: The value, or a part of it, has a type that cannot be saved.
        """
        cls = type(value)
        if value is None or cls is str or cls is bool:
            return value
        if (cls is int or cls is float) and -_QUICK < value < _QUICK:
            return value
        leaf = None if cls in _BUILTINS else self._leaf(value, place)
        if leaf is not None:
            return leaf
        is_group = isinstance(value, Group)
        if not self._plain and not is_group and cls not in _BUILTINS:
            state = self._object(value, place)
            if state is not None:
                return state
        opened = None if is_group else open_container(value)
        if self._plain and opened is None and isinstance(value, Mapping):
            opened = open_container(dict(value))
        is_record = opened is not None and opened.kind == "record"
        if (opened is None and not is_group) or (is_record and self._plain):
            raise UnsupportedValueError(place, _unsupported(value))
        self._enter(value, 0 if opened is None else len(opened.parts), place)
        try:
            if opened is None:
                return self._take_group(value, place)
            return self._take_parts(value, opened, place)
        finally:
            self._open.discard(id(value))

    def _leaf(self, value: Any, place: str) -> Any:
        """The JSON values for a value without parts; ``None`` if it may have some."""
        if isinstance(value, str) and not isinstance(value, enum.Enum):
            return str.__str__(value)
        if isinstance(value, int | float) and not isinstance(value, enum.Enum | np.generic):
            number = leaves.plain_number(value, place)
            return tag(*number) if isinstance(number, tuple) else number
        if isinstance(value, np.ndarray | np.generic):
            if self._exact or isinstance(value, np.ma.MaskedArray):
                _refuse_subclass(value, place)
            name = add_array(np.asarray(value), place, self.arrays)
            return tag("scalar" if isinstance(value, np.generic) else "array", name)
        encoded = leaves.encode(value, place)
        if encoded is not None:
            return tag(*encoded)
        kind = frameworks.framework(value)
        return None if kind is None else self._array_of(kind, value, place)

    def _array_of(self, kind: str, value: Any, place: str) -> Any:
        """A framework's array, so that it comes back as an array of this framework."""
        try:
            array = frameworks.to_numpy(value)
        except TypeError as error:
            raise UnsupportedValueError(place, f"{error}, so it cannot be saved") from None
        name = add_array(array, place, self.arrays)
        if kind == "jax.key":
            return tag(kind, [frameworks.key_impl(value), name])
        return tag("array" if kind == "keras" else kind, name)

    def _object(self, value: Any, place: str) -> Any:
        """The state of an object that has some; else ``None``."""
        if self._exact and is_wrapper(value):
            return None
        if self._owners is None:
            self._owners = Owners(values_in(value if self._root is None else self._root))
        variables = self._owners.variables(value, place)
        if variables is not None:
            return tag("variables", self._take_variables(variables, place))
        kind = kinds.kind_of(value)
        if kind is None:
            return None
        return tag("object", [kind, self._flatten(kinds.get_state(kind, value), place)])

    def _take_variables(self, variables: Mapping[str, Any], place: str) -> dict[str, Any]:
        found = {}
        for name, variable in variables.items():
            value = variable.get() if isinstance(variable, ExtraState) else variable
            found[name] = self._flatten(value, f"{place}/{name}")
        return found

    def _flatten(self, state: Any, place: str) -> Any:
        inner = Capture(plain=True)
        inner.arrays = self.arrays
        return inner.take(state, place)

    def _enter(self, value: Any, size: int, place: str) -> None:
        """Refuses a tree that would never end."""
        if id(value) in self._open:
            raise UnsupportedValueError(place, "a container that contains itself cannot be saved")
        self._again += size if id(value) in self._seen else 0
        if len(self._open) > _MAX_DEPTH or self._again > _MOST_AGAIN:
            what = f"more than {_MAX_DEPTH} containers inside each other"
            if self._again > _MOST_AGAIN:
                what = "containers that stand in too many places"
            raise UnsupportedValueError(place, f"{what} cannot be saved")
        self._seen[id(value)] = value
        self._open.add(id(value))

    def _take_group(self, value: Group, place: str) -> dict[str, Any]:
        return {
            name: self.take(item, f"{place}/{name}" if place else name)
            for name, item in value._group_objects().items()
        }

    def _take_parts(self, value: Any, opened: Container, place: str) -> Any:
        kind, keys = opened.kind, opened.keys
        if kind == "mapping" and (self._plain or not self._exact):
            kind = "dict"
        if opened.is_dict or kind in ("set", "frozenset"):
            refuse_alike(keys if opened.is_dict else opened.parts, place)
        taken = [
            self.take(part, f"{place}/{key}") for key, part in zip(keys, opened.parts, strict=True)
        ]
        if kind == "dict" and has_plain_keys(keys):
            return dict(zip(keys, taken, strict=True))
        if kind == "list":
            return taken
        if kind == "record":
            return tag(kind, dict(zip(keys, taken, strict=True)))
        if kind == "deque":
            return tag(kind, [taken, value.maxlen])
        if not opened.is_dict:
            return tag(kind, taken)
        pairs = [
            [self._flatten(key, f"{place}/{index}"), item]
            for index, (key, item) in enumerate(zip(keys, taken, strict=True))
        ]
        if kind == "defaultdict":
            return tag(kind, [factory_name(value.default_factory), pairs])
        if kind == "mapping":
            return tag(kind, [type(value).__name__, pairs])
        return tag(kind, pairs)


def _unsupported(value: Any) -> str:
    if type(value).__name__ == "PyCapsule":
        # What Python gets for an environment or a formula of R, for example.
        return "an object of another language cannot be saved"
    return f"a value of type {type(value).__name__!r} cannot be saved"


def _refuse_subclass(array: Any, place: str) -> None:
    # It would come back as a plain array: a masked array without its mask, for example.
    if isinstance(array, np.ndarray) and type(array) not in (np.ndarray, np.memmap):
        raise UnsupportedValueError(
            place,
            f"an array of class {type(array).__name__!r} cannot be saved, because only its numbers"
            " could be restored. Save its parts as plain arrays (for a masked array: `data` and"
            " `mask`)",
        )


def add_array(array: AnyArray, place: str, arrays: dict[str, AnyArray]) -> str:
    """Adds the array under its place, or under a similar name if that is taken. Returns the name.

    Raises:
        UnsupportedValueError: The format does not know the array's dtype.
    """
    if array.dtype.name not in DTYPES:
        raise UnsupportedValueError(place, f"an array of dtype {array.dtype} cannot be saved")
    name, again = place, 1
    while name in arrays:
        again += 1
        name = f"{place}#{again}"
    arrays[name] = array
    return name
