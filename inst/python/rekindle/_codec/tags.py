"""The form of a saved tree: JSON values, and a kind with its content for all that JSON lacks.

JSON has no tuples, sets, bytes, NaN, dicts with other keys than strings, or arrays. Each of these
becomes an object with the single key ``"$"``. Its value is a list: the kind, then the content to
rebuild the value from. A dict that has a key ``"$"`` of its own is written as one with any keys.

The content of these kinds is needed by other modules:

- "dict", "Counter", "OrderedDict": a list of pairs; "defaultdict": its factory, and such a list;
  "mapping", a dict of another class: the name of the class, and such a list.
- "tuple", "set", "frozenset": a list of items; "deque": such a list, and the greatest length.
- "array", "scalar", "jax", "torch", "tensorflow": the name of an array; "jax.key": the name of the
  generator, and that of the array.
- "record": the named parts of an object; "variables": the variables of a model or a similar object,
  by name; "object": the state of any other object, with its kind.
- "new": a value that took the place of another one in training, and is not that one changed.

The other kinds are in :mod:`rekindle._codec.leaves`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rekindle._codec.leaves import KINDS as LEAVES
from rekindle.errors import BrokenTreeError

_TAG = "$"
# How earlier versions wrote the state of an object outside of a Checkpoint.
_OLD_TAG = "$object"

ARRAYS = ("array", "scalar", "jax", "torch", "tensorflow")
DICTS = ("dict", "Counter", "OrderedDict")

# The kinds of the first and second version of the state.
_FIRST = {*ARRAYS, *DICTS, "jax.key", "float", "bytes", "tuple", "set", "frozenset"} - {
    "OrderedDict"
}
_OF_CHECKPOINTS = {"record", "variables", "object"}


def tag(kind: str, content: Any) -> dict[str, Any]:
    """A tagged value."""
    return {_TAG: [kind, content]}


def tagged(value: Any) -> tuple[Any, Any]:
    """The kind and content of a tagged value; ``(None, None)`` if the value is not tagged."""
    if not isinstance(value, dict):
        return None, None
    if _TAG in value:
        body = value[_TAG]
        if len(value) != 1 or not isinstance(body, list) or len(body) != 2:
            raise BrokenTreeError("a tagged value has the wrong form")
        return body[0], body[1]
    return None, None


def renewed(value: Any) -> Any:
    """The state of an object in the form of this version, if an earlier version wrote it."""
    if not isinstance(value, dict) or _OLD_TAG not in value:
        return value
    kind, state = value[_OLD_TAG], value.get("state")
    if not isinstance(kind, str):
        raise BrokenTreeError("the kind of a saved object is not a name")
    if kind == "keras.Variable":
        return state
    if kind == "keras.SeedGenerator":
        return tag("variables", {"state": state})
    return tag("object", [kind, state])


def without_new(saved: Any) -> Any:
    """The value inside of the kind "new"; any other value itself."""
    kind, content = tagged(saved)
    return content if kind == "new" else saved


def pairs_of(saved: Any) -> list[Any] | None:
    """The pairs of a saved dict of any class, or a JSON object's; ``None`` if it is no dict."""
    if not isinstance(saved, dict):
        return None
    kind, content = tagged(saved)
    if kind is None:
        return [[key, item] for key, item in saved.items()]
    if kind in ("defaultdict", "mapping"):
        _, content = content
    elif kind not in DICTS:
        return None
    if not isinstance(content, list) or not all(
        isinstance(p, list) and len(p) == 2 for p in content
    ):
        raise BrokenTreeError(f"the items of a {kind} are not pairs")
    return content


def items_of(saved: Any) -> list[Any] | None:
    """The items of a saved list, tuple, set or deque; ``None`` if it is none."""
    if isinstance(saved, list):
        return saved
    kind, content = tagged(saved)
    if kind == "deque":
        content, _ = content
    if kind not in ("tuple", "set", "frozenset", "deque"):
        return None
    if not isinstance(content, list):
        raise BrokenTreeError(f"the items of a {kind} are not a list")
    return content


def parts_of(saved: Any) -> Iterator[Any]:
    """Yields the saved values directly inside of a saved value; keys of a dict among them."""
    kind, content = tagged(saved)
    if (items := items_of(saved)) is not None:
        yield from items
    elif kind is None and isinstance(saved, dict):
        yield from saved.values()
    elif (pairs := pairs_of(saved)) is not None:
        for pair in pairs:
            yield from pair
    elif kind in ("record", "variables") and isinstance(content, dict):
        yield from content.values()
    elif kind == "object":
        yield content[1]
    elif kind == "new":
        yield content


def kinds_in(saved: Any) -> set[str]:
    """The kinds in a tree."""
    found: set[str] = set()
    left = [saved]
    while left:
        value = left.pop()
        if isinstance(value, dict | list):
            kind, _ = tagged(value)
            found |= {kind} if isinstance(kind, str) else set()
            left.extend(parts_of(value))
    return found


def version(saved: Any, *, of_fit: bool = False) -> int:
    """The lowest version of a state with this tree in it.

    Args:
        saved: The tree.
        of_fit: Whether it is the state of a `fit()`. Up to version 2, such a state had no objects
            of a Checkpoint.
    """
    known = _FIRST if of_fit else _FIRST | _OF_CHECKPOINTS
    return 1 if kinds_in(saved) <= known else 3


def is_count(value: Any) -> bool:
    """Whether the value is a valid count: a whole number, not negative, of at most 53 bits."""
    return type(value) is int and 0 <= value < 1 << 53


def has_plain_keys(keys: Iterable[Any]) -> bool:
    """Whether JSON can hold a dict with these keys as it is."""
    return all(type(key) is str and key not in (_TAG, _OLD_TAG) for key in keys)


def array_name(saved: Any) -> str | None:
    """The name of the array that a saved value stands for, or ``None``."""
    kind, content = tagged(saved)
    if kind == "jax.key":
        content = content[1]
    elif kind not in ARRAYS:
        return None
    if not isinstance(content, str):
        raise BrokenTreeError("the name of an array is not a text")
    return content


def is_leaf(kind: Any) -> bool:
    """Whether values of this kind have no parts."""
    return kind in (*ARRAYS, "jax.key", *LEAVES)
