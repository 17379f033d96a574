"""Captures a tree of live objects: arrays by name, and JSON values for everything else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray
from rekindle._codec import kinds, tree
from rekindle._codec.containers import Container, open_container
from rekindle._codec.group import Group
from rekindle._codec.owners import ExtraState, Owners
from rekindle._frameworks import table as frameworks
from rekindle.errors import UnsupportedValueError

PLAIN = (bool, int, float, str, bytes, type(None))

# Far more than any state has. A container that holds itself would never end.
_MAX_DEPTH = 100


def values_in(value: Any, depth: int = 0) -> Iterator[Any]:
    """Yields the value and, if it is a container, every value inside of it."""
    yield value
    if isinstance(value, PLAIN) or frameworks.framework(value) is not None:
        return
    if depth > _MAX_DEPTH:
        raise UnsupportedValueError(
            f"more than {_MAX_DEPTH} containers inside each other, or one that contains itself"
        )
    if isinstance(value, Group):
        parts: Any = value._group_objects().values()
    else:
        opened = open_container(value)
        parts = () if opened is None else opened.parts
    for part in parts:
        yield from values_in(part, depth + 1)


class Capture:
    """One capture of a tree of live objects.

    Attributes:
        arrays: The arrays found so far, by name. They may share memory with the objects.
    """

    def __init__(self, root: Any) -> None:
        self.arrays: dict[str, AnyArray] = {}
        self._owners = Owners(values_in(root))

    def take(self, value: Any, place: str) -> Any:
        """Captures the value as JSON values. Its arrays go into `arrays`.

        Raises:
            UnsupportedValueError: The value, or a part of it, has a type that cannot be saved.
        """
        value = kinds.numbers_of(value)
        if isinstance(value, PLAIN) or frameworks.framework(value) is not None:
            return tree.flatten(value, place, self.arrays)
        if isinstance(value, Group):
            return {
                name: self.take(item, f"{place}/{name}" if place else name)
                for name, item in value._group_objects().items()
            }
        variables = self._owners.variables(value, place)
        if variables is not None:
            return tree.tag("variables", self._take_variables(variables, place))
        kind = kinds.kind_of(value)
        if kind is not None:
            state = tree.flatten(kinds.get_state(kind, value), place, self.arrays)
            return tree.tag("object", [kind, state])
        opened = open_container(value)
        if opened is not None:
            return self._take_parts(opened, place)
        if isinstance(value, set | frozenset | np.generic):
            return tree.flatten(value, place, self.arrays)
        raise UnsupportedValueError(
            f"{place}: a value of type {type(value).__name__!r} cannot be saved. These can:"
            " Keras, PyTorch and TensorFlow objects and arrays, NumPy and JAX arrays, random"
            " generators, numbers and strings, containers of these, and objects with the"
            " methods state_dict() and load_state_dict()"
        )

    def _take_variables(self, variables: Mapping[str, Any], place: str) -> dict[str, Any]:
        found = {}
        for name, variable in variables.items():
            value = variable.get() if isinstance(variable, ExtraState) else variable
            found[name] = tree.flatten(value, f"{place}/{name}", self.arrays)
        return found

    def _take_parts(self, opened: Container, place: str) -> Any:
        parts = [
            self.take(part, f"{place}/{key}")
            for key, part in zip(opened.keys, opened.parts, strict=True)
        ]
        if opened.kind == "list":
            return parts
        if opened.kind == "tuple":
            return tree.tag("tuple", parts)
        if opened.kind == "record":
            return tree.tag("record", dict(zip(opened.keys, parts, strict=True)))
        return tree.join_dict(opened.keys, parts, place, self.arrays)
