"""Whether a value may take another one's place: whether both are of one family.

Code that has a list of numbers adds a number to it, and fails if it finds a text in its place. A
family is a value's type, as far as code depends on it:

- numbers are one family: whole, real and complex ones, NumPy's and those of a framework; an array
  may take the place of a number, as a sum may begin with 0
- truth values, text, bytes, paths, and each kind of time are families of their own
- a list takes items of the families that it has; an empty one takes all
- a dict takes new keys, with any value, and the value of a key keeps its family; the keys are of
  the families that they had, unless all of those are still there
- nothing (``None``) takes every place, and everything takes its place
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rekindle._base.arrays import AnyArray
from rekindle._codec import tags
from rekindle._codec.leaves import PATHS

# The name of a family, or ("list", families of the items), ("tuple", families by place), or
# ("dict", families of the keys, and pairs of key and family). ``None`` for nothing.
Family = Any

_NUMBERS = ("float", "nan", "complex")
_BYTES = ("bytes", "bytearray")
_CONTAINERS = {"list": "list", "deque": "deque", "set": "set", "frozenset": "set"}
_WORDS = {
    "flag": "a truth value",
    "number": "a number",
    "array": "an array",
    "text": "a text",
    "bytes": "bytes",
    "path": "a path",
}

# A sum may begin with 0 and become an array. Earlier versions saved a member of an enumeration as
# its value; only the value of a member comes back.
_ALSO = {("number", "array"), ("enum", "number"), ("enum", "text")}

# Whether plain values are vectors, as in R.
_are_vectors = False


def values_are_vectors() -> None:
    """From now on, a plain value and a list of such values are one family.

    R has vectors only. One of length 1 comes as a plain value, any other one as a list. R's empty
    list becomes one with names, which is a dict, once an item with a name is added.
    """
    global _are_vectors
    _are_vectors = True


def of(saved: Any, arrays: Mapping[str, AnyArray]) -> Family:
    """The family of a captured value."""
    if saved is None:
        return None
    if not isinstance(saved, dict | list):
        return _of_plain(saved)
    kind, content = tags.tagged(saved)
    if kind == "new":
        return of(content, arrays)
    if kind in tags.ARRAYS:
        return _of_array(arrays[tags.array_name(saved) or ""])
    items = tags.items_of(saved)
    if items is not None:
        families = [of(item, arrays) for item in items]
        if kind == "tuple":
            return "tuple", tuple(families)
        return _CONTAINERS[kind or "list"], frozenset(families)
    pairs = tags.pairs_of(saved)
    if pairs is not None:
        keys = frozenset(of(key, arrays) for key, _ in pairs)
        return "dict", (keys, frozenset((_name(key), of(item, arrays)) for key, item in pairs))
    if kind in _NUMBERS:
        return "number"
    if kind in _BYTES:
        return "bytes"
    return "path" if kind in PATHS else str(kind)


def _of_plain(saved: Any) -> Family:
    if isinstance(saved, bool):
        return "flag"
    return "text" if isinstance(saved, str) else "number"


def _of_array(array: AnyArray) -> Family:
    if array.dtype.kind in "SU":
        return "text"
    if array.shape != ():
        return "array"
    return "flag" if array.dtype.kind == "b" else "number"


def _name(key: Any) -> str:
    # Whole numbers that are made up may all have one hash.
    return key if isinstance(key, str) else repr(key)


def are_alike(before: Family, after: Family) -> bool:
    """Whether a value of the family `after` may take the place of one of the family `before`."""
    return difference(before, after) is None


def difference(before: Family, after: Family, place: str = "") -> str | None:
    """Why a value may not take another one's place: where in it, what was expected, what found.

    Args:
        before: The family of the value that is there.
        after: The family of the other value.
        place: The place of both.
    """
    if before is None or after is None or before == after or (before, after) in _ALSO:
        return None
    if _are_vectors and _is_alike_in_r(before, after):
        return None
    if isinstance(before, str) or isinstance(after, str) or before[0] != after[0]:
        return _expected(before, after, place)
    if before[0] == "dict":
        (keys, items), (new_keys, new_items) = before[1], after[1]
        known = dict(items)
        has_all = known.keys() <= dict(new_items).keys()
        if not has_all and not _are_among(keys, new_keys):
            return _expected(("keys", keys), ("keys", new_keys), place)
        pairs = [(name, known.get(name), family) for name, family in new_items]
    elif before[0] == "tuple":
        pairs = [(str(at), *both) for at, both in enumerate(zip(before[1], after[1], strict=False))]
    else:
        is_alike = _are_among(before[1], after[1])
        return None if is_alike else _expected(before, after, place)
    lines = (difference(one, other, f"{place}/{name}") for name, one, other in pairs)
    return next((line for line in lines if line is not None), None)


def _expected(before: Family, after: Family, place: str) -> str:
    return f"{place}: expected {described(before)}, found {described(after)}"


def _are_among(known: frozenset[Family], others: frozenset[Family]) -> bool:
    """Whether a container whose items are of the known families takes others."""
    if not known or None in known:
        return True
    return all(any(are_alike(one, other) for one in known) for other in others)


def _is_alike_in_r(before: Family, after: Family) -> bool:
    if before == ("list", frozenset()):
        return True
    is_vector = _is_vector(before) and _is_vector(after)
    return is_vector and len(_plain(before) | _plain(after)) <= 1


def _is_vector(family: Family) -> bool:
    if isinstance(family, str):
        return family in _WORDS
    return family[0] == "list" and all(one is None or isinstance(one, str) for one in family[1])


def _plain(family: Family) -> set[str]:
    """The families of the items of a vector; an array is one of numbers."""
    items = {family} if isinstance(family, str) else set(family[1]) - {None}
    return {"number" if one == "array" else one for one in items}


def described(family: Family) -> str:
    """The family in a message: what a value is, and the items of a list or a set."""
    if family is None:
        return "nothing"
    if isinstance(family, str):
        return _WORDS.get(family, f"a {family}")
    kind, parts = family
    if kind in ("tuple", "dict") or not parts:
        return f"a {kind}"
    name = "a dict with keys" if kind == "keys" else f"a {kind}"
    return f"{name} of {' and '.join(sorted(map(_plural, parts)))}"


def _plural(family: Family) -> str:
    name = "nothing" if family is None else family if isinstance(family, str) else family[0]
    return {"flag": "truth values", "bytes": "bytes", "nothing": "nothing"}.get(name, f"{name}s")
