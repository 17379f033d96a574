"""Turns trees of plain values into named arrays and JSON values, and rebuilds the trees.

Plain is what can be rebuilt from a checkpoint alone: numbers, text, times, paths, arrays, and
containers of these.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rekindle._base.arrays import AnyArray
from rekindle._codec import containers, leaves
from rekindle._codec.capture import Capture
from rekindle._codec.keys import different
from rekindle._codec.tags import ARRAYS, DICTS, items_of, pairs_of, tagged
from rekindle._frameworks import table as frameworks
from rekindle.errors import BrokenTreeError


def flatten(tree: Any, place: str, arrays: dict[str, AnyArray]) -> Any:
    """Turns the tree into JSON values. Its arrays go into `arrays`, each named by its place.

    Raises:
        UnsupportedValueError: A value has a type that cannot be saved.
    """
    capture = Capture(plain=True)
    capture.arrays = arrays
    return capture.take(tree, place)


def unflatten(value: Any, arrays: Mapping[str, AnyArray]) -> Any:
    """Rebuilds the tree that :func:`flatten` turned into JSON values and arrays.

    Raises:
        BrokenTreeError: :func:`flatten` cannot have written `value`.
    """
    return Reading(arrays).value(value)


class Reading:
    """Reads one tree. A framework's array that the tree names many times is made once.

    A NumPy array may have only one place. If a tree could name it a thousand times, the next
    checkpoint would hold a thousand copies.

    Args:
        arrays: The arrays of the checkpoint.
        live_only: Whether to refuse the state of an object, which only a live object can take. By
            default, its parts become a dict.
    """

    def __init__(self, arrays: Mapping[str, AnyArray], *, live_only: bool = False) -> None:
        self._arrays = arrays
        self._live_only = live_only
        self._named: set[str] = set()
        self._made: dict[tuple[str, ...], Any] = {}

    def value(self, value: Any) -> Any:
        """The value that the JSON value stands for."""
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if not isinstance(value, dict):
            return value
        kind, content = tagged(value)
        if kind is None:
            return {key: self.value(item) for key, item in value.items()}
        try:
            return self._untag(kind, content, value)
        except BrokenTreeError:
            raise
        # RuntimeError: from a framework, or because values are nested too deep.
        except (TypeError, ValueError, KeyError, OverflowError, RuntimeError) as error:
            raise BrokenTreeError(f"a tagged value cannot be read: {error!r}"[:500]) from None

    def _untag(self, kind: Any, content: Any, value: Any) -> Any:
        if kind in ("array", "scalar", "jax", "torch", "tensorflow", "jax.key"):
            return self._array(kind, content)
        if kind in leaves.KINDS:
            return leaves.decode(kind, content)
        if kind in (*DICTS, "defaultdict"):
            return self._dict(kind, content, pairs_of(value) or [])
        if kind in ("tuple", "set", "frozenset", "deque"):
            items = [self.value(item) for item in items_of(value) or []]
            length = content[1] if kind == "deque" else None
            is_set = kind in ("set", "frozenset")
            return containers.new_items(kind, different(items) if is_set else items, length)
        if kind == "new":
            return self.value(content)
        if self._live_only and kind in ("record", "variables", "object"):
            raise BrokenTreeError(f"a saved {kind} needs an object here to restore it into")
        if kind in ("record", "variables") and isinstance(content, dict):
            return {name: self.value(item) for name, item in content.items()}
        if kind == "object":
            _, state = content
            return self.value(state)
        raise BrokenTreeError("a tagged value is of an unknown kind")

    def _dict(self, kind: str, content: Any, pairs: list[Any]) -> Any:
        keys = different([self.value(key) for key, _ in pairs])
        items = zip(keys, [self.value(item) for _, item in pairs], strict=True)
        factory = containers.factory_of(content[0]) if kind == "defaultdict" else None
        return containers.new_dict(kind, items, factory)

    def _array(self, kind: str, content: Any) -> Any:
        if kind not in ("array", "scalar"):
            impl, name = content if kind == "jax.key" else (None, content)
            return self._foreign(kind, name, *([] if impl is None else [str(impl)]))
        array = self._once(content)
        if kind == "scalar" and array.shape != ():
            raise BrokenTreeError("a scalar is an array with axes")
        return array[()] if kind == "scalar" else array

    def _once(self, name: str) -> AnyArray:
        if name in self._named:
            raise BrokenTreeError("an array is used in two places")
        self._named.add(name)
        return self._arrays[name]

    def _foreign(self, kind: str, name: str, *impl: str) -> Any:
        key = (kind, name, *impl)
        if key not in self._made:
            self._made[key] = frameworks.from_numpy(kind, self._arrays[name], *impl)
        return self._made[key]


def split_dict(value: Any, arrays: Mapping[str, AnyArray]) -> dict[Any, Any] | None:
    """The keys and JSON values of a dict of any class; ``None`` if the value is not a dict."""
    pairs = pairs_of(value)
    if pairs is None:
        return None
    if tagged(value)[0] is None:
        return dict(value)
    keys = different([unflatten(key, arrays) for key, _ in pairs])
    return dict(zip(keys, (item for _, item in pairs), strict=True))


def holds_arrays(value: Any) -> bool:
    """Whether the JSON value holds an array, or the state of an object, at any depth."""
    if isinstance(value, list):
        return any(map(holds_arrays, value))
    kind, content = tagged(value)
    if kind in (*ARRAYS, "jax.key", "object", "variables") and kind != "scalar":
        return True
    if (items := items_of(value)) is not None:
        return any(map(holds_arrays, items))
    if (pairs := pairs_of(value)) is not None:
        return any(map(holds_arrays, pairs))
    return kind == "record" and holds_arrays(list(content.values()))
