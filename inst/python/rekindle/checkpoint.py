"""Trees of Python values, taken apart into named arrays and JSON values, and put together again.

JSON has no tuples, sets, bytes, NaN, dicts with other keys than strings, or arrays. Each of these
becomes an object with the one key ``"$"``, whose value is a list: the kind, then what it takes to
build it. A dict that itself has a key ``"$"`` is written as one with arbitrary keys.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from rekindle._store.format import DTYPES
from rekindle._store.pack import AnyArray

_TAG = "$"


class UnsupportedValueError(TypeError):
    """A value in the tree is of a type that cannot be saved; the message names it and its place."""


class BrokenTreeError(ValueError):
    """What was read is not a tree that :func:`flatten` could have written."""


# What a reader of JSON can be trusted to take: far more than any state has, far less than it breaks
# at.
_MAX_DEPTH = 100
_MAX_BITS = 1024


def flatten(tree: Any, place: str, arrays: dict[str, AnyArray], *, depth: int = 0) -> Any:
    """The tree as JSON values. Its arrays go into `arrays`, each named by its place in the tree.

    Raises:
        UnsupportedValueError: A value is of no type that can be saved.
    """
    if tree is None or isinstance(tree, bool | str):
        return tree
    if isinstance(tree, np.ndarray | np.generic):
        return _flatten_array(tree, place, arrays)
    if depth > _MAX_DEPTH:
        raise UnsupportedValueError(f"{place}: more than {_MAX_DEPTH} values inside of each other")
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
    # Named tuples and other subclasses would come back as something else: better refused than
    # changed.
    if type(tree) in (list, tuple, set, frozenset):
        items = [
            flatten(item, f"{place}/{index}", arrays, depth=depth + 1)
            for index, item in enumerate(tree)
        ]
        return items if type(tree) is list else {_TAG: [type(tree).__name__, items]}
    raise UnsupportedValueError(f"{place}: a value of type {type(tree).__name__!r} cannot be saved")


def _flatten_array(tree: Any, place: str, arrays: dict[str, AnyArray]) -> Any:
    array = np.asarray(tree)
    if array.dtype.name not in DTYPES:
        raise UnsupportedValueError(f"{place}: an array of dtype {array.dtype} cannot be saved")
    name, again = place, 1
    while name in arrays:
        again += 1
        name = f"{place}#{again}"
    arrays[name] = array
    return {_TAG: ["scalar" if isinstance(tree, np.generic) else "array", name]}


def _flatten_mapping(
    tree: Mapping[Any, Any], place: str, arrays: dict[str, AnyArray], depth: int
) -> Any:
    if all(type(key) is str for key in tree) and _TAG not in tree:
        return {
            key: flatten(value, f"{place}/{key}", arrays, depth=depth)
            for key, value in tree.items()
        }
    pairs = [
        [flatten(part, f"{place}/{index}", arrays, depth=depth) for part in pair]
        for index, pair in enumerate(tree.items())
    ]
    return {_TAG: ["dict", pairs]}


def unflatten(value: Any, arrays: Mapping[str, AnyArray]) -> Any:
    """The tree that :func:`flatten` took apart.

    Raises:
        BrokenTreeError: `value` is not what :func:`flatten` writes.
    """
    if isinstance(value, list):
        return [unflatten(item, arrays) for item in value]
    if not isinstance(value, dict):
        return value
    if _TAG not in value:
        return {key: unflatten(item, arrays) for key, item in value.items()}
    body = value[_TAG]
    if len(value) != 1 or not isinstance(body, list) or len(body) != 2:
        raise BrokenTreeError("a tagged value has not the form of one")
    try:
        return _untag(body[0], body[1], arrays)
    except (TypeError, ValueError, KeyError) as error:
        raise BrokenTreeError(f"a tagged value cannot be read: {error!r}"[:500]) from None


def _untag(kind: Any, content: Any, arrays: Mapping[str, AnyArray]) -> Any:
    if kind == "array":
        return arrays[content]
    if kind == "scalar":
        return arrays[content][()]
    if kind == "float" and content in ("nan", "inf", "-inf"):
        return float(content)
    if kind == "bytes":
        return base64.b64decode(content, validate=True)
    if kind == "dict":
        return {unflatten(key, arrays): unflatten(item, arrays) for key, item in content}
    if kind in ("tuple", "set", "frozenset") and isinstance(content, list):
        make = {"tuple": tuple, "set": set, "frozenset": frozenset}[kind]
        return make(unflatten(item, arrays) for item in content)
    raise BrokenTreeError("a tagged value is of an unknown kind")
