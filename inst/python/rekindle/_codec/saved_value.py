"""One value of a saved tree: its array, and its description for lists of differences."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rekindle._base.arrays import AnyArray
from rekindle._codec import tree
from rekindle._frameworks import table as frameworks


def array_of(saved: Any, arrays: Mapping[str, AnyArray]) -> AnyArray | None:
    kind, content = tree.tagged(saved)
    if kind == "jax.key":
        content = content[1]
    elif kind not in ("array", "scalar", "jax", "torch", "tensorflow"):
        return None
    return arrays[content]


def described(saved: Any, arrays: Mapping[str, AnyArray]) -> str:
    array = array_of(saved, arrays)
    if array is not None:
        return frameworks.spec(array)
    kind, content = tree.tagged(saved)
    if kind == "variables":
        return f"{len(content)} variables"
    if kind == "object":
        return f"the state of a {content[0]!r}"
    if kind is None:
        return f"a {type(saved).__name__}" if saved is not None else "None"
    return f"a {kind}"
