"""What a captured value holds beside numbers: text, and parts that only a live object can make."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from rekindle import errors
from rekindle._base.arrays import AnyArray, as_bytes, digest
from rekindle._codec import leaves, tags

# The parts of a value by a stable key each, and for each what it holds; a text for a part itself.
Shape = Any


class Holder(dict[str, Any]):
    """What a container holds, by place. Each inner container has a holder of its own."""


def text(saved: Any, arrays: Mapping[str, AnyArray]) -> Shape:
    """The text of a value: a string, a :class:`Holder`, or ``None`` if it cannot hold any."""
    if isinstance(saved, int | float):
        return None
    kind, _ = tags.tagged(saved)
    if isinstance(saved, str) or kind in leaves.OF_TEXT:
        return json.dumps(saved)
    parts = {} if saved is None else _parts(saved, arrays)
    if parts is None:
        return None
    return Holder({key: text(part, arrays) for key, part in parts.items()})


def keeps_text(before: Shape, after: Shape) -> bool:
    """Whether the old text stays, and new text comes only into a container without text."""
    if isinstance(before, Holder) and isinstance(after, Holder):
        if not _holds_text(before):
            return True
        return all(
            keeps_text(before.get(key), after.get(key)) for key in before.keys() | after.keys()
        )
    return before == after or not (_holds_text(before) or _holds_text(after))


def _holds_text(found: Shape) -> bool:
    return isinstance(found, str) or (found is not None and any(map(_holds_text, found.values())))


def makers(saved: Any, arrays: Mapping[str, AnyArray]) -> Shape:
    """The parts that a checkpoint cannot make: a name of their kind, or a :class:`Holder`.

    ``None`` if the value has none.
    """
    if not isinstance(saved, dict | list):
        return None
    kind, content = tags.tagged(saved)
    if kind == "object":
        return f"object {content[0]}"
    if kind == "variables":
        return kind
    if kind == "enum":
        return f"enum {leaves.enum_name(content)}"
    parts = _parts(saved, arrays) or {}
    if kind in ("set", "frozenset"):
        # No live item stands for one of a set.
        has_any = any(makers(part, arrays) is not None for part in parts.values())
        return "in a set" if has_any else None
    all_parts = {key: makers(part, arrays) for key, part in parts.items()}
    found = Holder({key: part for key, part in all_parts.items() if part is not None})
    if kind == "record":
        return Holder({**found, "$": " ".join(["record", *sorted(content)])})
    if kind == "mapping" or (kind == "defaultdict" and content[0] == ""):
        return Holder({**found, "$": f"{kind} {content[0]}"})
    return found or None


def can_be_made(before: Shape, after: Shape) -> bool:
    """Whether live parts stand where the value has parts that a checkpoint cannot make."""
    if after == "in a set":
        return False
    if isinstance(before, str) or isinstance(after, str):
        # A member of an enumeration may give way to a plain value; the state of an object may not.
        gives_way = isinstance(before, str) and before.startswith("enum") and after is None
        return before == after or gives_way
    mine = before or {}
    return all(can_be_made(mine.get(key), part) for key, part in (after or {}).items())


def _parts(saved: Any, arrays: Mapping[str, AnyArray]) -> dict[str, Any] | None:
    """The values in a container, each by a stable key; ``None`` if the value is no container."""
    kind, content = tags.tagged(saved)
    if kind in ("set", "frozenset"):
        return {_key(item, arrays): item for item in tags.items_of(saved) or []}
    if (items := tags.items_of(saved)) is not None:
        return {str(index): item for index, item in enumerate(items)}
    if kind is None:
        return saved if isinstance(saved, dict) else None
    if (pairs := tags.pairs_of(saved)) is not None:
        return {_key(key, arrays): item for key, item in pairs}
    if kind == "record" and isinstance(content, dict):
        return content
    if tags.is_leaf(kind) or kind in ("object", "variables"):
        return None
    raise errors.BrokenTreeError(f"an attribute cannot be a {str(kind)[:100]!r}")


def _key(key: Any, arrays: Mapping[str, AnyArray]) -> str:
    """A digest of a key. The names of its arrays, which are NumPy numbers, do not change it."""
    numbers = {name: arrays[name] for name in _names_in(key) if name in arrays}
    if any(number.shape != () for number in numbers.values()):
        raise errors.BrokenTreeError("an array cannot be a key")
    return digest_of(key, numbers)


def _names_in(saved: Any) -> Iterator[str]:
    """Yields the names of the arrays in a value, in their order."""
    left = [saved]
    while left:
        value = left.pop()
        if isinstance(value, dict | list):
            name = tags.array_name(value)
            if name is not None:
                yield name
            left.extend(reversed(list(tags.parts_of(value))))


def digest_of(saved: Any, arrays: Mapping[str, AnyArray]) -> str:
    """A digest of a captured value. The names of its arrays do not change the digest."""
    parts = [
        digest(as_bytes(array)) + str(array.dtype) + str(array.shape) for array in arrays.values()
    ]
    text_of_it = json.dumps(_without_names(saved), sort_keys=True)
    return digest("\0".join([text_of_it, *parts]).encode())


def _without_names(saved: Any) -> Any:
    if isinstance(saved, list):
        return [_without_names(item) for item in saved]
    if not isinstance(saved, dict):
        return saved
    kind, content = tags.tagged(saved)
    if kind in tags.ARRAYS:
        return {"$": [kind]}
    if kind in ("set", "frozenset") and isinstance(content, list):
        # The order of a set of strings is another one in each process.
        items = map(_without_names, content)
        return {"$": [kind, sorted(items, key=lambda item: json.dumps(item, sort_keys=True))]}
    return {key: _without_names(value) for key, value in saved.items()}
