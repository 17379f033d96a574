"""Opens containers of values into named parts, and rebuilds them. JAX calls them pytrees."""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter, OrderedDict, defaultdict, deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from rekindle._frameworks.loaded import loaded

# Libraries put such a wrapper around a container when it becomes an attribute.
_WRAPPERS = (
    *("TrackedList", "TrackedDict", "TrackedSet"),
    *("ListWrapper", "_DictWrapper", "_TupleWrapper"),
)

_DICTS: dict[Any, str] = {
    dict: "dict",
    Counter: "Counter",
    OrderedDict: "OrderedDict",
    defaultdict: "defaultdict",
}
_ITEMS: dict[Any, str] = {
    list: "list",
    tuple: "tuple",
    set: "set",
    frozenset: "frozenset",
    deque: "deque",
}

# What a defaultdict may make of a missing key, by name; any other function is the script's.
_FACTORIES = {cls.__name__: cls for cls in (bool, int, float, str, list, dict, set, tuple)}


@dataclasses.dataclass(frozen=True)
class Container:
    """One container, opened.

    Attributes:
        kind: Its kind in a saved tree; "list"; "mapping" (a dict of another class); or "record"
            (named parts of an object of a class).
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
    def is_dict(self) -> bool:
        return self.kind == "mapping" or self.kind in _DICTS.values()

    @property
    def can_be_filled(self) -> bool:
        """Whether the container can take parts that it does not have yet."""
        return self.is_dict or self.kind in ("list", "deque", "set")


def open_container(value: Any) -> Container | None:
    """Opens the value; ``None`` if the value is not a container."""
    cls = type(value)
    if isinstance(value, dict):
        kind = _DICTS.get(cls) or ("dict" if is_wrapper(value) else "mapping")
        return Container(kind, list(value), list(value.values()), _Into(value).items, True)
    if cls in _ITEMS or (is_wrapper(value) and isinstance(value, list | tuple | set)):
        kind = _ITEMS.get(cls) or next(n for c, n in _ITEMS.items() if isinstance(value, c))
        in_place = kind in ("list", "deque", "set")
        make = _Into(value).elements if in_place else _class_of(kind)
        return Container(kind, range(len(value)), list(value), make, in_place)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        made: Any = cls
        return Container("record", value._fields, value, made._make)
    if isinstance(value, type):
        return None
    node = _registered_with_jax(value)
    if node is not None:
        return node
    if dataclasses.is_dataclass(value):
        names = [field.name for field in dataclasses.fields(value)]
        parts = [getattr(value, name) for name in names]
        made = cls
        in_place = not made.__dataclass_params__.frozen
        return Container("record", names, parts, _Into(value).fields, in_place)
    return None


def is_wrapper(value: Any) -> bool:
    """Whether a library has put the value around a list, dict, tuple or set."""
    return type(value).__name__ in _WRAPPERS


def _class_of(kind: str) -> Any:
    return next(cls for cls, name in _ITEMS.items() if name == kind)


def new_dict(kind: str, pairs: Iterable[tuple[Any, Any]], factory: Any = None) -> Any:
    """A dict of this kind."""
    if kind == "defaultdict":
        return defaultdict(factory, pairs)
    made: Any = next(cls for cls, name in _DICTS.items() if name == kind)
    return made(dict(pairs)) if kind == "Counter" else made(pairs)


def new_items(kind: str, items: Iterable[Any], length: int | None = None) -> Any:
    """A list, tuple, set or deque."""
    return deque(items, length) if kind == "deque" else _class_of(kind)(items)


def factory_name(factory: Any) -> str | None:
    """The name of a defaultdict's factory; empty if no name stands for it."""
    if factory is None:
        return None
    name = getattr(factory, "__name__", "")
    return name if _FACTORIES.get(name) is factory else ""


def factory_of(name: Any) -> Any:
    """The factory of this name. Raises a KeyError if there is none."""
    return None if name is None else _FACTORIES[name]


def like(container: Any) -> Any:
    """A copy of a container, so that the container itself stays as it is."""
    if is_wrapper(container):
        opened = open_container(container)
        base = opened.kind if opened is not None else "list"
        return dict(container) if isinstance(container, dict) else new_items(base, container)
    return copy.copy(container)


def fill(container: Any, parts: Any) -> None:
    """Puts parts into a container in place of all that it has: a dict's pairs, or items."""
    if isinstance(container, dict):
        # Not update(): a Counter adds to what it has, and a library's wrapper wants a dict.
        container.clear()
        for key, part in parts:
            container[key] = part
        return
    container.clear()
    if isinstance(container, set):
        container.update(parts)
    else:
        container.extend(parts)


class _Into:
    """Ways of putting new parts into a container."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def items(self, parts: Sequence[Any]) -> Any:
        for key, part in zip(list(self._value), parts, strict=True):
            self._value[key] = part
        return self._value

    def elements(self, parts: Sequence[Any]) -> Any:
        fill(self._value, parts)
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
