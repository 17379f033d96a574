"""What a checkpoint holds, for another language: its own values, and arrays that it can have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rekindle import checkpoint
from rekindle._codec import tree as _tree
from rekindle._inspection.results import as_convertible
from rekindle._repository.pack import AnyArray

_PLAIN = (bool, int, float, str)


def read(path: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, AnyArray]]:
    """Values that :class:`rekindle._codec.kinds.Foreign` gave, plain ones, and other arrays.

    Each by its place in the tree.

    Raises:
        DamageError: The checkpoint is not whole.
        RestoreError: There is none, or the system refused to read.
    """
    save = checkpoint.load(path)
    foreign: dict[str, Any] = {}
    plain: dict[str, Any] = {}
    tree = save.manifest.state.get("checkpoint")
    for place, value in _places(tree if isinstance(tree, dict) else {}, ""):
        if isinstance(value, _PLAIN):
            plain[place] = value
        elif (state := _foreign_state(value)) is not None:
            foreign[place] = _tree.unflatten(state, save.arrays)
    inside = tuple(f"{place}/" for place in foreign)
    rest = {name: array for name, array in save.arrays.items() if not name.startswith(inside)}
    return foreign, plain, as_convertible(rest)


def _places(group: Mapping[str, Any], place: str) -> Iterator[tuple[str, Any]]:
    for name, value in group.items():
        where = f"{place}/{name}" if place else name
        if isinstance(value, dict) and _tree.tagged(value)[0] is None:
            yield from _places(value, where)
        else:
            yield where, value


def _foreign_state(value: Any) -> Any:
    """The state in a saved object, if it has the form of another language's."""
    kind, content = _tree.tagged(value)
    if kind != "object" or not isinstance(content, list) or len(content) != 2:
        return None
    state = content[1]
    found = state.get("value") if isinstance(state, dict) and len(state) == 1 else None
    return found if isinstance(found, dict) and {"type", "values"} <= found.keys() else None
