"""Opens containers of values into named parts, and rebuilds them. JAX calls them pytrees."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from rekindle._frameworks.loaded import loaded


@dataclasses.dataclass(frozen=True)
class Container:
    """One container, opened.

    Attributes:
        kind: "dict", "list", "tuple" or "record" (named parts of an object of some class).
        keys: The key, index or name of each part.
        parts: The parts.
        rebuild: Returns the container with other parts in place of these: the same object if it
            can be changed, else a new one of its class.
        in_place: Whether `rebuild` returns the same object.
    """

    kind: str
    keys: Sequence[Any]
    parts: Sequence[Any]
    rebuild: Callable[[Sequence[Any]], Any]
    in_place: bool = False

    @property
    def can_be_filled(self) -> bool:
        """Whether the container can take parts that it does not have yet."""
        return self.kind in ("dict", "list")


def open_container(value: Any) -> Container | None:
    """Opens the value; ``None`` if the value is not a container."""
    if isinstance(value, dict):
        return Container("dict", list(value), list(value.values()), _Into(value).items, True)
    if type(value) is list:
        return Container("list", range(len(value)), list(value), _Into(value).elements, True)
    if type(value) is tuple:
        return Container("tuple", range(len(value)), value, tuple)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        make: Any = type(value)
        return Container("record", value._fields, value, make._make)
    if isinstance(value, type):
        return None
    node = _registered_with_jax(value)
    if node is not None:
        return node
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        parts = [getattr(value, name) for name in names]
        made: Any = type(value)
        in_place = not made.__dataclass_params__.frozen
        return Container("record", names, parts, _Into(value).fields, in_place)
    return None


class _Into:
    """Ways of putting new parts into a container."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def items(self, parts: Sequence[Any]) -> Any:
        for key, part in zip(list(self._value), parts, strict=True):
            self._value[key] = part
        return self._value

    def elements(self, parts: Sequence[Any]) -> Any:
        self._value[:] = parts
        return self._value

    def fields(self, parts: Sequence[Any]) -> Any:
        value = self._value
        names = [field.name for field in dataclasses.fields(value)]
        if not type(value).__dataclass_params__.frozen:
            for name, part in zip(names, parts, strict=True):
                setattr(value, name, part)
            return value
        made = copy.copy(value)
        for name, part in zip(names, parts, strict=True):
            # The class refuses assignment. But this is a new copy, which no other code has yet.
            object.__setattr__(made, name, part)
        return made


def _registered_with_jax(value: Any) -> Container | None:
    """Opens an object of a class that is registered with JAX: its leaves, by their paths."""
    jax = loaded("jax")
    if jax is None:
        return None
    tree_util = jax.tree_util
    if tree_util.all_leaves([value]):
        return None
    leaves, definition = tree_util.tree_flatten_with_path(value)
    names = [tree_util.keystr(path).lstrip(".") for path, _ in leaves]
    return Container(
        "record", names, [leaf for _, leaf in leaves], lambda parts: definition.unflatten(parts)
    )
