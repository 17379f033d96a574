"""One value of a saved tree: its array, its kind, and its description for lists of differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rekindle._base.arrays import AnyArray
from rekindle._codec import leaves, tags
from rekindle._frameworks import table as frameworks


def array_of(saved: Any, arrays: Mapping[str, AnyArray]) -> AnyArray | None:
    """The array that the saved value stands for, or ``None``."""
    name = tags.array_name(saved)
    return None if name is None else arrays[name]


def container_kind(saved: Any) -> Any:
    """The kind of a saved container; "list" or "dict" for those of JSON."""
    kind, _ = tags.tagged(saved)
    if kind is None:
        return "list" if isinstance(saved, list) else "dict" if isinstance(saved, dict) else None
    return kind


def described(saved: Any, arrays: Mapping[str, AnyArray]) -> str:
    """The saved value in a message."""
    array = array_of(saved, arrays)
    if array is not None:
        return frameworks.spec(array)
    kind, content = tags.tagged(saved)
    if kind == "variables":
        return f"{len(content)} variables"
    if kind == "object":
        return f"the state of a {content[0]!r}"
    if kind == "enum":
        return f"a member of {leaves.enum_name(content)!r}"
    if kind is None:
        return f"a {type(saved).__name__}" if saved is not None else "None"
    return f"a {kind}"
