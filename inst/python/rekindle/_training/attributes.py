"""The attributes of an object that training changes, and those of the helper objects in it.

An attribute is state only if its value differs from the value when training began. No checkpoint
changes the values that the script sets: paths, the number of workers, functions.
"""

from __future__ import annotations

import itertools
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from rekindle._base.arrays import AnyArray, as_bytes, digest
from rekindle._base.origin import module_of, package_of
from rekindle._codec.changeable import Baseline, Taken
from rekindle._codec.owners import has_state
from rekindle._codec.restore import Restore
from rekindle._frameworks.loaded import loaded
from rekindle.errors import BrokenTreeError

# A value that is larger than this is data, and not state.
_DATA_BYTES = 1 << 26
_ITEM_BYTES = 256
# No larger value is read to see whether training changes it.
_READ_BYTES = 1 << 30
# How often: when the first epoch begins, and at the first saves.
_LOOKS = 4
_IS_LARGE = "has changed, and is not saved: it is too large for state (64 MiB, or 262144 items)"

# Helper objects: how deep they are looked for, and how many.
_MAX_DEPTH, _MOST_HELPERS = 4, 200


def everything(_owner: Any, _name: str, _value: Any) -> bool:
    """Every attribute may be state."""
    return True


class Attributes:
    """The attributes of one object, from the beginning of a fit().

    Args:
        root: The object; ``None`` if there is none.
        place: The beginning of the names of its arrays.
        may_be_state: Whether an attribute may be state. Gets the object, the name and the value.

    Attributes:
        lost: Attributes that are not restored: ``Class.attribute`` and the reason.
    """

    def __init__(
        self,
        root: Any,
        place: str,
        may_be_state: Callable[[Any, str, Any], bool] = everything,
    ) -> None:
        self._place = place
        self._may_be_state = may_be_state
        self.lost: dict[str, str] = {}
        # The helper objects, by their path from the root.
        self._owners = {} if root is None else dict(self._walk("", root, 0, set()))
        self._baselines = {
            path: Baseline(self._values(owner), owner) for path, owner in self._owners.items()
        }
        self._large = dict(self._digests())
        self._looks = _LOOKS
        self._large_lost: dict[str, str] = {}

    def _walk(self, path: str, owner: Any, depth: int, seen: set[int]) -> Iterator[tuple[str, Any]]:
        seen.add(id(owner))
        yield path, owner
        for name, value in vars(owner).items() if depth < _MAX_DEPTH else ():
            if self._may_be_state(owner, name, value):
                for key, item in _items(value):
                    is_new = id(item) not in seen and len(seen) < _MOST_HELPERS
                    if is_new and _is_helper(item, owner):
                        inner = f"{path}{name}{key}."
                        yield from self._walk(inner, item, depth + 1, seen)

    def _values(self, owner: Any) -> dict[str, Any]:
        return {
            name: value
            for name, value in vars(owner).items()
            if self._may_be_state(owner, name, value) and size(value) <= _DATA_BYTES
        }

    def _digests(self) -> Iterator[tuple[tuple[str, str], str]]:
        """A digest of each array, or list of numbers or texts, that is too large to be state."""
        for path, owner in self._owners.items():
            for name, value in vars(owner).items():
                if _DATA_BYTES < size(value) <= _READ_BYTES:
                    data = _bytes_of(value)
                    if data is not None:
                        yield (path, name), digest(data)

    def take(self, place: str | None = None) -> dict[str, Taken]:
        """Captures the changed attributes, with copies of the arrays.

        Args:
            place: The beginning of the names of the arrays, if another than the usual one.
        """
        taken: dict[str, Taken] = {}
        self.lost = {}
        for path, owner in self._owners.items():
            for name, value in self._values(owner).items():
                where = f"{place or self._place}/{path}{name}"
                found = self._baselines[path].take(name, value, where, tells_all=False)
                if isinstance(found, str):
                    self.lost[self._named(path, name)] = found
                elif found is not None:
                    copies = {key: np.array(array) for key, array in found.arrays.items()}
                    taken[f"{path}{name}"] = Taken(found.saved, copies)
        self._look_at_large()
        self.lost |= self._large_lost
        return taken

    def _look_at_large(self) -> None:
        """Finds large arrays that have changed. A few times only: it takes time to read them."""
        now = dict(self._digests()) if self._large and self._looks else {}
        self._looks -= 1 if now else 0
        for (path, name), found in now.items():
            if self._large.get((path, name), found) != found:
                self._large_lost[self._named(path, name)] = _IS_LARGE

    def _named(self, path: str, name: str) -> str:
        return f"{type(self._owners[path]).__name__}.{name}"

    @staticmethod
    def flatten(taken: Mapping[str, Taken], arrays: dict[str, AnyArray]) -> dict[str, Any]:
        """Turns them into JSON values; the arrays go into `arrays`."""
        for _, own in taken.values():
            arrays.update(own)
        return {name: saved for name, (saved, _) in taken.items()}

    def check(self, saved: Any, arrays: Mapping[str, AnyArray]) -> None:
        """Checks the attributes that :meth:`put` would restore.

        Raises:
            BrokenTreeError: They are not captured attributes, or they would change values that the
                script set.
        """
        self.read(saved, Restore(arrays, live_only=True))

    def put(self, saved: Any, arrays: Mapping[str, AnyArray]) -> None:
        """Restores the attributes; raises as :meth:`check` does, before anything is changed."""
        restore = Restore(arrays, live_only=True)
        puts = self.read(saved, restore)
        restore.states.put("The backup")
        for put in puts:
            put()

    def read(self, saved: Any, restore: Restore) -> list[Callable[[], None]]:
        """Checks the attributes. The functions restore them, after the states of `restore`.

        Raises:
            BrokenTreeError: As :meth:`check`.
        """
        if not isinstance(saved, dict):
            raise BrokenTreeError("the saved attributes of an object are not an object")
        puts = []
        for key, state in saved.items():
            path, name = _split(key)
            # The class may have changed since, and may no longer know a name.
            baseline = self._baselines.get(path)
            put = None if baseline is None else baseline.read(name, state, restore)
            if put is not None:
                puts.append(put)
        return puts


def _split(key: str) -> tuple[str, str]:
    path, dot, name = key.rpartition(".")
    return path + dot, name


def _items(value: Any, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """The value itself, or the values in a container, each with the end of its path."""
    if isinstance(value, Mapping):
        pairs: Iterable[tuple[Any, Any]] = value.items()
    elif isinstance(value, list | tuple):
        pairs = enumerate(value)
    else:
        yield "", value
        return
    for key, item in itertools.islice(pairs, _MOST_HELPERS) if depth < _MAX_DEPTH else ():
        if isinstance(key, str | int):
            yield from ((f".{key}{rest}", inner) for rest, inner in _items(item, depth + 1))


def _is_helper(value: Any, owner: Any) -> bool:
    """Whether the value is an object of the user's own code, whose attributes may be state."""
    if isinstance(value, type) or not hasattr(value, "__dict__") or _is_code(value):
        return False
    if has_state(value):
        return False
    module, root = module_of(type(value)), package_of(type(value))
    if root == package_of(type(owner)):
        return True
    file = str(getattr(loaded(module), "__file__", None) or "")
    is_installed = "site-packages" in file or "dist-packages" in file
    return root not in sys.stdlib_module_names and not is_installed


def _is_code(value: Any) -> bool:
    """Whether the value is a function or a module, and not an object with attributes."""
    return module_of(type(value)) in ("builtins", "functools", "types")


def _bytes_of(value: Any) -> Any:
    if type(value) is np.ndarray and value.dtype != object:
        return as_bytes(value)
    if type(value) is list and all(type(item) in (int, float, str) for item in value):
        return pickle.dumps(value)
    return None


def size(value: Any, depth: int = 0) -> int:
    """The bytes of the arrays in a value; each item of a container takes time as some bytes do."""
    if isinstance(value, Mapping | list | tuple | set | frozenset) and depth < _MAX_DEPTH:
        items = value.values() if isinstance(value, Mapping) else value
        least = _ITEM_BYTES * len(value)
        # Do not go through what is too large anyway.
        if least > _DATA_BYTES:
            return least
        return least + sum(size(item, depth + 1) for item in items)
    nbytes = getattr(value, "nbytes", 0)
    return nbytes if isinstance(nbytes, int) else 0
