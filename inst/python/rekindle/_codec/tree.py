"""Turns trees of Python values into named arrays and JSON values, and rebuilds the trees.

JSON has no tuples, sets, bytes, NaN, dicts with other keys than strings, or arrays. Each of these
becomes an object with the single key ``"$"``. Its value is a list: the kind, then the content to
rebuild the value from. A dict that has a key ``"$"`` of its own is written as one with any keys.

Three kinds are written by :mod:`rekindle._codec` alone, and this module reads them as plain values:
"record", a tuple or an object with named parts; "variables", the variables of a model or a similar
object; "object", the state of any other object, with its kind.
"""

from __future__ import annotations

import base64
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._codec.keys import different, refuse_alike
from rekindle._format.layout import DTYPES
from rekindle._frameworks import table as frameworks
from rekindle.errors import BrokenTreeError, UnsupportedValueError

_TAG = "$"


# Limits that every reader of JSON can handle: far above any state, and far below the point where a
# reader breaks.
_MAX_DEPTH = 100
_MAX_BITS = 1024


def flatten(tree: Any, place: str, arrays: dict[str, AnyArray], *, depth: int = 0) -> Any:
    """Turns the tree into JSON values. Its arrays go into `arrays`, each named by its place.

    Raises:
        UnsupportedValueError: A value has a type that cannot be saved.
    """
    if tree is None or isinstance(tree, bool | str):
        return tree
    if isinstance(tree, np.ndarray | np.generic):
        _refuse_subclass(tree, place)
        return _flatten_array(tree, place, arrays)
    if depth > _MAX_DEPTH:
        raise UnsupportedValueError(f"{place}: more than {_MAX_DEPTH} values inside each other")
    if isinstance(tree, int):
        if tree.bit_length() > _MAX_BITS:
            raise UnsupportedValueError(f"{place}: an integer of more than {_MAX_BITS} bits")
        return int(tree)
    if isinstance(tree, float):
        return float(tree) if math.isfinite(tree) else {_TAG: ["float", repr(float(tree))]}
    if isinstance(tree, bytes):
        return {_TAG: ["bytes", base64.b64encode(tree).decode("ascii")]}
    if isinstance(tree, Mapping):
        return _flatten_mapping(tree, place, arrays, depth + 1)
    if frameworks.framework(tree) is not None:
        return _flatten_foreign(tree, place, arrays)
    # Named tuples and other subclasses would come back as another type. Refuse them rather than
    # change them.
    if type(tree) in (list, tuple, set, frozenset):
        if isinstance(tree, set | frozenset):
            refuse_alike(tree, place)
        items = [
            flatten(item, f"{place}/{index}", arrays, depth=depth + 1)
            for index, item in enumerate(tree)
        ]
        return items if type(tree) is list else {_TAG: [type(tree).__name__, items]}
    raise UnsupportedValueError(f"{place}: a value of type {type(tree).__name__!r} cannot be saved")


def _refuse_subclass(array: Any, place: str) -> None:
    # It would come back as a plain array: a masked array without its mask, for example.
    if isinstance(array, np.ndarray) and type(array) not in (np.ndarray, np.memmap):
        raise UnsupportedValueError(
            f"{place}: an array of class {type(array).__name__!r} cannot be saved, because only"
            " its numbers could be restored. Save its parts as plain arrays (for a masked"
            " array: `data` and `mask`)"
        )


def _flatten_array(tree: Any, place: str, arrays: dict[str, AnyArray]) -> Any:
    name = add_array(np.asarray(tree), place, arrays)
    return {_TAG: ["scalar" if isinstance(tree, np.generic) else "array", name]}


def _flatten_foreign(tree: Any, place: str, arrays: dict[str, AnyArray]) -> Any:
    """Flattens a framework's array, so that it comes back as an array of this framework."""
    kind = frameworks.framework(tree)
    try:
        array = frameworks.to_numpy(tree)
    except TypeError as error:
        raise UnsupportedValueError(f"{place}: {error}") from None
    name = add_array(array, place, arrays)
    if kind == "jax.key":
        return {_TAG: [kind, [frameworks.key_impl(tree), name]]}
    return {_TAG: ["array" if kind == "keras" else kind, name]}


def add_array(array: AnyArray, place: str, arrays: dict[str, AnyArray]) -> str:
    """Adds the array under its place, or under a similar name if that is taken. Returns the name.

    Raises:
        UnsupportedValueError: The format does not know the array's dtype.
    """
    if array.dtype.name not in DTYPES:
        raise UnsupportedValueError(f"{place}: an array of dtype {array.dtype} cannot be saved")
    name, again = place, 1
    while name in arrays:
        again += 1
        name = f"{place}#{again}"
    arrays[name] = array
    return name


def _flatten_mapping(
    tree: Mapping[Any, Any], place: str, arrays: dict[str, AnyArray], depth: int
) -> Any:
    if _has_plain_keys(tree) and type(tree) is not Counter:
        return {
            key: flatten(value, f"{place}/{key}", arrays, depth=depth)
            for key, value in tree.items()
        }
    refuse_alike(tree, place)
    pairs = [
        [flatten(part, f"{place}/{index}", arrays, depth=depth) for part in pair]
        for index, pair in enumerate(tree.items())
    ]
    return {_TAG: ["Counter" if type(tree) is Counter else "dict", pairs]}


def _has_plain_keys(keys: Iterable[Any]) -> bool:
    """Whether JSON can hold a dict with these keys as it is."""
    return all(type(key) is str and key != _TAG for key in keys)


def is_count(value: Any) -> bool:
    """Whether the value is a valid count: a whole number, not negative, of at most 53 bits."""
    return type(value) is int and 0 <= value < 1 << 53


def join_dict(
    keys: Sequence[Any], values: Sequence[Any], place: str, arrays: dict[str, AnyArray]
) -> Any:
    """Builds the dict of these keys, and of values that are already JSON values."""
    if _has_plain_keys(keys):
        return dict(zip(keys, values, strict=True))
    refuse_alike(keys, place)
    pairs = [
        [flatten(key, f"{place}/{index}", arrays), value]
        for index, (key, value) in enumerate(zip(keys, values, strict=True))
    ]
    return tag("dict", pairs)


def split_dict(value: Any, arrays: Mapping[str, AnyArray]) -> dict[Any, Any] | None:
    """The keys and JSON values of a dict; ``None`` if the JSON value is not a dict."""
    if not isinstance(value, dict):
        return None
    kind, content = tagged(value)
    if kind is None:
        return value
    if kind != "dict":
        return None
    keys = different([unflatten(key, arrays) for key, _ in content])
    return dict(zip(keys, (item for _, item in content), strict=True))


def holds_arrays(value: Any) -> bool:
    """Whether the JSON value holds an array, or the state of an object, at any depth."""
    if isinstance(value, list):
        return any(map(holds_arrays, value))
    if not isinstance(value, dict):
        return False
    kind, content = tagged(value)
    if kind is None:
        return any(map(holds_arrays, value.values()))
    if kind in ("dict", "Counter", "tuple", "set", "frozenset", "record"):
        return holds_arrays(content)
    return kind not in ("float", "bytes", "scalar")


def tagged(value: Any) -> tuple[Any, Any]:
    """The kind and content of a tagged value; ``(None, None)`` if the value is not tagged."""
    if isinstance(value, dict) and _TAG in value:
        body = value[_TAG]
        if len(value) != 1 or not isinstance(body, list) or len(body) != 2:
            raise BrokenTreeError("a tagged value has the wrong form")
        return body[0], body[1]
    return None, None


def tag(kind: str, content: Any) -> dict[str, Any]:
    """A tagged value."""
    return {_TAG: [kind, content]}


def unflatten(value: Any, arrays: Mapping[str, AnyArray]) -> Any:
    """Rebuilds the tree that :func:`flatten` turned into JSON values and arrays.

    Raises:
        BrokenTreeError: :func:`flatten` cannot have written `value`.
    """
    return _Reading(arrays).value(value)


class _Reading:
    """Reads one tree. A framework's array that the tree names many times is made once.

    A NumPy array may have only one place. If a tree could name it a thousand times, the next
    checkpoint would hold a thousand copies.
    """

    def __init__(self, arrays: Mapping[str, AnyArray]) -> None:
        self._arrays = arrays
        self._named: set[str] = set()
        self._made: dict[tuple[str, ...], Any] = {}

    def value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if not isinstance(value, dict):
            return value
        if _TAG not in value:
            return {key: self.value(item) for key, item in value.items()}
        kind, content = tagged(value)
        try:
            return self._untag(kind, content)
        except BrokenTreeError:
            raise
        # RuntimeError: from a framework, or because values are nested too deep.
        except (TypeError, ValueError, KeyError, OverflowError, RuntimeError) as error:
            raise BrokenTreeError(f"a tagged value cannot be read: {error!r}"[:500]) from None

    def _untag(self, kind: Any, content: Any) -> Any:
        if kind == "array":
            return self._once(content)
        if kind in ("jax", "torch", "tensorflow"):
            return self._foreign(kind, content)
        if kind == "jax.key":
            impl, name = content
            return self._foreign(kind, name, str(impl))
        if kind == "scalar":
            array = self._once(content)
            if array.shape != ():
                raise BrokenTreeError("a scalar is an array with axes")
            return array[()]
        if kind == "float" and content in ("nan", "inf", "-inf"):
            return float(content)
        if kind == "bytes":
            return base64.b64decode(content, validate=True)
        if kind in ("dict", "Counter"):
            keys = different([self.value(key) for key, _ in content])
            pairs = dict(zip(keys, (self.value(item) for _, item in content), strict=True))
            return Counter(pairs) if kind == "Counter" else pairs
        if kind in ("record", "variables") and isinstance(content, dict):
            return {name: self.value(item) for name, item in content.items()}
        if kind == "object":
            _, state = content
            return self.value(state)
        if kind in ("tuple", "set", "frozenset") and isinstance(content, list):
            items = [self.value(item) for item in content]
            if kind == "tuple":
                return tuple(items)
            return {"set": set, "frozenset": frozenset}[kind](different(items))
        raise BrokenTreeError("a tagged value is of an unknown kind")

    def _once(self, name: str) -> AnyArray:
        if name in self._named:
            raise BrokenTreeError("an array is used in two places")
        self._named.add(name)
        return self._arrays[name]

    def _foreign(self, kind: str, name: str, *impl: str) -> Any:
        key = (kind, name, *impl)
        if key not in self._made:
            self._made[key] = frameworks.from_numpy(kind, self._arrays[name], *impl)
        return self._made[key]
